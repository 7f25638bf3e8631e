/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view_update.c - the updates of a view, one function each, applied in order to an edit.
 *
 * -1 as a schema or version id means what the last add-schema or add-view-version of this request
 * came to, also when that was one the view had before (Java forgets it then and refuses).
 */
#include "catalog/view_internal.h"

/* --- steps shared with create --- */

status_value view__edit_location(struct view__edit *edit, struct str location)
{
    struct str canonical;
    TRY(catalog__location_check(edit->context, &edit->place->warehouse, location,
                                "The location of the view", &canonical));
    if (str_ends(location, STR("/")))
        location.size--;
    if (str_eq(location, edit->view->header.location))
        return OK;
    edit->view->header.location = location;
    edit->changed = true;
    return OK;
}

static status_value check_property(struct view__edit *edit, struct str name, struct str value)
{
    struct str canonical;
    if (!str_is(name, "write.metadata.path"))
        return OK;
    return catalog__location_check(edit->context, &edit->place->warehouse, value,
                                   "The property write.metadata.path", &canonical);
}

status_value view__edit_properties(struct view__edit *edit, const struct json *properties)
{
    struct json_iter iter = json_iter(properties);
    struct str name;
    const struct json *item;
    while (json_next(&iter, &name, &item)) {
        struct str value;
        bool changed;
        if (!json_as_str(item, &value))
            return FAIL(edit->context->diag, INVALID,
                        "cannot parse properties: the value of %.*s must be a string",
                        STR_ARG(name));
        TRY(check_property(edit, name, value));
        TRY(view__property_set(edit->view, name, value, &changed));
        edit->properties_changed |= changed;
        edit->changed |= changed;
    }
    return OK;
}

/* The id of an equal schema, else the next one. */
static int32_t schema_id_for(const struct view *view, const struct schema *schema, bool *out_known)
{
    int32_t next = 0;
    for (size_t i = 0; i < view->schemas.count; i++) {
        const struct view__schema *other = view__schema_at(view, i);
        *out_known = schema_same(other->schema, schema);
        if (*out_known)
            return other->id;
        if (other->id >= next && other->id < INT32_MAX)
            next = other->id + 1;
    }
    *out_known = false;
    return next;
}

status_value view__edit_schema(struct view__edit *edit, const struct json *json)
{
    struct view *view = edit->view;
    struct schema *schema;
    TRY(schema_parse(view->arena, json, view->diag, &schema));
    TRY(schema_validate(schema, VIEW_SCHEMA_FORMAT, view->diag));
    bool known;
    edit->schema_id = schema_id_for(view, schema, &known);
    edit->has_schema = true;
    if (known)
        return OK;
    if (view__schema_find(view, edit->schema_id) != NULL)
        return FAIL(view->diag, ILLEGAL_ARGUMENT, "Cannot add schema: schema ids are used up");
    edit->changed = true;
    return view__add_schema(
        view, (struct view__schema){.id = edit->schema_id, .mark = VIEW_NEW, .schema = schema});
}

/* The id of an equal version, else the wanted one or the next above all. */
static int32_t version_id_for(const struct view *view, const struct json *json, int32_t wanted_id,
                              int32_t schema_id)
{
    int32_t next = wanted_id;
    for (size_t i = 0; i < view->versions.count; i++) {
        const struct view__version *other = view__version_at(view, i);
        if (view__version_schema_id(other->json) == schema_id &&
            view__version_same(other->json, json))
            return other->id;
        if (other->id >= next && other->id < INT32_MAX)
            next = other->id + 1;
    }
    return next;
}

status_value view__edit_version(struct view__edit *edit, const struct json *json, int32_t wanted_id,
                                int32_t schema_id)
{
    struct view *view = edit->view;
    if (wanted_id < 0 || wanted_id > VIEW_ID_MAX)
        return FAIL(view->diag, ILLEGAL_ARGUMENT, "Invalid view version id: %d", wanted_id);
    int32_t id = version_id_for(view, json, wanted_id, schema_id);
    edit->version_id = id;
    edit->has_version = true;
    if (view__version_find(view, id) != NULL)
        return OK;
    if (view__schema_find(view, schema_id) == NULL)
        return FAIL(view->diag, ILLEGAL_ARGUMENT, "Cannot add version with unknown schema: %d",
                    schema_id);
    TRY(view__version_check_new(json, view->diag));
    struct view__version version = {.id = id, .mark = VIEW_NEW};
    TRY(view__version_with_ids(view->arena, json, id, schema_id, view->diag, &version.json));
    edit->changed = true;
    return view__add_version(view, version);
}

status_value view__edit_current(struct view__edit *edit, int32_t version_id)
{
    struct view *view = edit->view;
    if (view->header.has_current && view->header.current_version_id == version_id)
        return OK;
    const struct view__version *version = view__version_find(view, version_id);
    if (version == NULL)
        return FAIL(view->diag, ILLEGAL_ARGUMENT,
                    "Cannot set current version to unknown version: %d", version_id);
    int64_t timestamp_ms = catalog_now_ms(edit->context);
    if (version->mark == VIEW_NEW)
        TRY(json_need_i64(version->json, "timestamp-ms", "view version", view->diag,
                          &timestamp_ms));
    view->header.current_version_id = version_id;
    view->header.has_current = true;
    edit->has_entry = true;
    edit->entry = (struct view__entry){
        .mark = VIEW_NEW, .version_id = version_id, .timestamp_ms = timestamp_ms};
    edit->changed = true;
    return OK;
}

/* --- the updates --- */

static status_value assign_uuid(struct view__edit *edit, const struct json *update)
{
    struct str uuid;
    TRY(json_need_str(update, "uuid", "assign-uuid", edit->view->diag, &uuid));
    if (!str_eq(uuid, edit->view->header.uuid))
        return FAIL(edit->view->diag, ILLEGAL_ARGUMENT, "Cannot reassign uuid");
    return OK;
}

static status_value upgrade_format_version(struct view__edit *edit, const struct json *update)
{
    struct diag *diag = edit->view->diag;
    int32_t wanted;
    TRY(json_need_i32(update, "format-version", "upgrade-format-version", diag, &wanted));
    if (wanted < edit->view->header.format_version)
        return FAIL(diag, ILLEGAL_ARGUMENT, "Cannot downgrade v%d view to v%d",
                    edit->view->header.format_version, wanted);
    if (wanted > VIEW_FORMAT_VERSION)
        return FAIL(diag, ILLEGAL_ARGUMENT, "Unsupported format version: %d", wanted);
    return OK;
}

static status_value add_schema(struct view__edit *edit, const struct json *update)
{
    const struct json *schema;
    TRY(json_need_object(update, "schema", "add-schema", edit->view->diag, &schema));
    return view__edit_schema(edit, schema);
}

static status_value set_location(struct view__edit *edit, const struct json *update)
{
    struct str location;
    TRY(json_need_str(update, "location", "set-location", edit->view->diag, &location));
    return view__edit_location(edit, location);
}

static status_value set_properties(struct view__edit *edit, const struct json *update)
{
    const char *key = json_get(update, "updates") == NULL ? "updated" : "updates";
    const struct json *properties;
    TRY(json_need_object(update, json_get(update, key) == NULL ? "updates" : key, "set-properties",
                         edit->view->diag, &properties));
    return view__edit_properties(edit, properties);
}

static void remove_property(struct view__edit *edit, struct str name)
{
    for (size_t i = 0; i < edit->view->properties.count; i++) {
        struct view__property *property = view__property_at(edit->view, i);
        if (property->is_gone || !str_eq(property->name, name))
            continue;
        property->is_gone = true;
        edit->properties_changed = true;
        edit->changed = true;
    }
}

static status_value remove_properties(struct view__edit *edit, const struct json *update)
{
    const char *key = json_get(update, "removals") == NULL ? "removed" : "removals";
    const struct json *names;
    TRY(json_need_array(update, json_get(update, key) == NULL ? "removals" : key,
                        "remove-properties", edit->view->diag, &names));
    struct json_iter iter = json_iter(names);
    const struct json *item;
    while (json_next(&iter, NULL, &item)) {
        struct str name;
        if (!json_as_str(item, &name))
            return FAIL(edit->view->diag, INVALID,
                        "cannot parse remove-properties: removals must hold strings");
        remove_property(edit, name);
    }
    return OK;
}

static status_value add_view_version(struct view__edit *edit, const struct json *update)
{
    struct diag *diag = edit->view->diag;
    const struct json *version;
    int32_t wanted_id;
    TRY(json_need_object(update, "view-version", "add-view-version", diag, &version));
    TRY(view__version_check(version, diag));
    TRY(json_need_i32(version, "version-id", "view version", diag, &wanted_id));
    int32_t schema_id = view__version_schema_id(version);
    if (schema_id == VIEW_LAST_ADDED && !edit->has_schema)
        return FAIL(diag, ILLEGAL_ARGUMENT,
                    "Cannot set last added schema: no schema has been added");
    if (schema_id == VIEW_LAST_ADDED)
        schema_id = edit->schema_id;
    return view__edit_version(edit, version, wanted_id, schema_id);
}

static status_value set_current_view_version(struct view__edit *edit, const struct json *update)
{
    struct diag *diag = edit->view->diag;
    int32_t id;
    TRY(json_need_i32(update, "view-version-id", "set-current-view-version", diag, &id));
    if (id == VIEW_LAST_ADDED && !edit->has_version)
        return FAIL(diag, ILLEGAL_ARGUMENT,
                    "Cannot set last version id: no current version id has been set");
    return view__edit_current(edit, id == VIEW_LAST_ADDED ? edit->version_id : id);
}

/* --- which update is which --- */

struct update_row {
    const char *action;
    status (*apply)(struct view__edit *edit, const struct json *update); /* NULL: of tables only */
};

static const struct update_row update_rows[] = {
    {"assign-uuid", assign_uuid},
    {"upgrade-format-version", upgrade_format_version},
    {"add-schema", add_schema},
    {"set-location", set_location},
    {"set-properties", set_properties},
    {"remove-properties", remove_properties},
    {"add-view-version", add_view_version},
    {"set-current-view-version", set_current_view_version},
    {"set-current-schema", NULL},
    {"add-spec", NULL},
    {"set-default-spec", NULL},
    {"add-sort-order", NULL},
    {"set-default-sort-order", NULL},
    {"add-snapshot", NULL},
    {"set-snapshot-ref", NULL},
    {"remove-snapshots", NULL},
    {"remove-snapshot-ref", NULL},
    {"set-statistics", NULL},
    {"remove-statistics", NULL},
    {"set-partition-statistics", NULL},
    {"remove-partition-statistics", NULL},
    {"remove-partition-specs", NULL},
    {"remove-schemas", NULL},
    {"add-encryption-key", NULL},
    {"remove-encryption-key", NULL},
};

static status_value apply_one(struct view__edit *edit, const struct json *update)
{
    struct diag *diag = edit->view->diag;
    struct str action;
    TRY(json_need_str(update, "action", "view update", diag, &action));
    for (size_t i = 0; i < COUNTOF(update_rows); i++) {
        if (!str_eq_nocase(action, str_from(update_rows[i].action)))
            continue;
        if (update_rows[i].apply == NULL)
            return FAIL(diag, INVALID, "Cannot apply update %s to a view", update_rows[i].action);
        return update_rows[i].apply(edit, update);
    }
    return FAIL(diag, INVALID, "cannot apply a view update: unknown action %.*s", STR_ARG(action));
}

status_value view__apply(struct view__edit *edit, const struct json *updates)
{
    struct json_iter iter = json_iter(updates);
    const struct json *update;
    while (json_next(&iter, NULL, &update))
        TRY(apply_one(edit, update));
    return OK;
}
