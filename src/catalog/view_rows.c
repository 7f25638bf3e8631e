/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view_rows.c - a view from its rows, and finding things in it.
 *
 * What does not read back as it was written is CORRUPT: it was checked before it was stored.
 */
#include "catalog/view_internal.h"

void view__init(struct view *view, struct arena *arena, struct diag *diag)
{
    *view = (struct view){.arena = arena, .diag = diag};
    view->header.format_version = VIEW_FORMAT_VERSION;
}

/* Room for one more element at the end; NULL when memory is exhausted. */
static void *list_push(struct arena *arena, struct view__list *list, size_t item_size)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 8 : list->capacity * 2;
        char *items = arena_zalloc(arena, capacity * item_size);
        if (items == NULL)
            return NULL;
        if (list->count > 0)
            memcpy(items, list->items, list->count * item_size);
        list->items = items;
        list->capacity = capacity;
    }
    return (char *)list->items + list->count++ * item_size;
}

static status_value no_memory(const struct view *view)
{
    return FAIL(view->diag, NOMEM, "could not hold a view: memory is exhausted");
}

status_value view__add_schema(struct view *view, struct view__schema schema)
{
    struct view__schema *slot = list_push(view->arena, &view->schemas, sizeof(schema));
    if (slot == NULL)
        return no_memory(view);
    *slot = schema;
    return OK;
}

status_value view__add_version(struct view *view, struct view__version version)
{
    struct view__version *slot = list_push(view->arena, &view->versions, sizeof(version));
    if (slot == NULL)
        return no_memory(view);
    *slot = version;
    return OK;
}

status_value view__add_entry(struct view *view, struct view__entry entry)
{
    struct view__entry *slot = list_push(view->arena, &view->log, sizeof(entry));
    if (slot == NULL)
        return no_memory(view);
    *slot = entry;
    return OK;
}

/* --- properties --- */

static struct view__property *property_find(const struct view *view, struct str name)
{
    for (size_t i = 0; i < view->properties.count; i++) {
        if (str_eq(view__property_at(view, i)->name, name))
            return view__property_at(view, i);
    }
    return NULL;
}

const struct str *view__property(const struct view *view, const char *name)
{
    const struct view__property *property = property_find(view, str_from(name));
    return property == NULL || property->is_gone ? NULL : &property->value;
}

status_value view__property_set(struct view *view, struct str name, struct str value,
                                bool *out_changed)
{
    struct view__property *property = property_find(view, name);
    if (property != NULL && !property->is_gone && str_eq(property->value, value)) {
        *out_changed = false;
        return OK;
    }
    if (property == NULL)
        property = list_push(view->arena, &view->properties, sizeof(*property));
    if (property == NULL)
        return no_memory(view);
    *property = (struct view__property){.name = name, .value = value};
    *out_changed = true;
    return OK;
}

/* --- finding --- */

const struct view__schema *view__schema_find(const struct view *view, int32_t id)
{
    for (size_t i = 0; i < view->schemas.count; i++) {
        if (view__schema_at(view, i)->id == id)
            return view__schema_at(view, i);
    }
    return NULL;
}

struct view__version *view__version_find(const struct view *view, int32_t id)
{
    for (size_t i = 0; i < view->versions.count; i++) {
        struct view__version *version = view__version_at(view, i);
        if (version->id == id && version->mark != VIEW_GONE)
            return version;
    }
    return NULL;
}

/* --- loading --- */

static status_value corrupt(struct diag *diag, const char *what)
{
    return FAIL(diag, CORRUPT, "a view's row is damaged: %s is missing or not valid", what);
}

static status_value parse_row(struct view *view, struct str value, const struct json **out)
{
    struct json_limits limits = json_limits_document();
    status_value parsed = json_parse(view->arena, value, &limits, view->diag, out);
    return parsed.code == STATUS_INVALID ? corrupt(view->diag, "the JSON") : parsed;
}

static status_value read_header(struct view *view, const struct json *json)
{
    struct view__header *header = &view->header;
    if (!json_as_str(json_get(json, "view-uuid"), &header->uuid) ||
        !json_as_str(json_get(json, "location"), &header->location) ||
        !json_as_str(json_get(json, "metadata-location"), &header->metadata_location))
        return corrupt(view->diag, "view-uuid, location or metadata-location");
    if (!json_as_i32(json_get(json, "format-version"), &header->format_version) ||
        !json_as_i32(json_get(json, "current-version-id"), &header->current_version_id) ||
        !json_as_u64(json_get(json, "version"), &header->version) ||
        !json_as_u64(json_get(json, "next-log"), &header->next_log))
        return corrupt(view->diag, "a number of the header");
    header->has_current = true;
    header->extra = json_get(json, "extra");
    return OK;
}

static status_value read_properties(struct view *view, const struct json *json)
{
    struct json_iter iter = json_iter(json);
    struct view__property property = {.is_gone = false};
    const struct json *value;
    while (json_next(&iter, &property.name, &value)) {
        struct view__property *slot = list_push(view->arena, &view->properties, sizeof(*slot));
        if (slot == NULL)
            return no_memory(view);
        if (!json_as_str(value, &property.value))
            return corrupt(view->diag, "a property");
        *slot = property;
    }
    return OK;
}

static status_value read_schema(struct view *view, int32_t id, const struct json *json)
{
    struct view__schema schema = {.id = id};
    TRY(schema_parse(view->arena, json, view->diag, &schema.schema));
    return view__add_schema(view, schema);
}

static status_value read_entry(struct view *view, uint64_t ordinal, const struct json *json)
{
    struct view__entry entry = {.ordinal = ordinal, .json = json};
    if (!json_as_i32(json_get(json, "version-id"), &entry.version_id))
        return corrupt(view->diag, "version-id of an entry of the log");
    return view__add_entry(view, entry);
}

static status_value read_row(struct view *view, struct str key, struct str value, bool *has_header)
{
    char part = key.data[KEY_OBJECT_SIZE];
    const struct json *json;
    if (part == PART_UNDO)
        return OK;
    TRY(parse_row(view, value, &json));
    switch (part) {
    case PART_HEADER: *has_header = true; return read_header(view, json);
    case PART_PROPERTIES: return read_properties(view, json);
    case PART_SCHEMA: return read_schema(view, key_read_i32(key, KEY_PART_SIZE), json);
    case PART_LOG: return read_entry(view, key_read_u64(key, KEY_PART_SIZE), json);
    case PART_VIEW_VERSION:
        return view__add_version(
            view, (struct view__version){.id = key_read_i32(key, KEY_PART_SIZE), .json = json});
    default: return FAIL(view->diag, CORRUPT, "a view has a row of an unknown part %d", part);
    }
}

status_value view__load(struct view *view, struct kv_reader *reader, uint32_t warehouse,
                        uint64_t id)
{
    struct key prefix = key_object(warehouse, KEY_VIEW, id);
    struct kv_cursor *cursor = NULL;
    status_value result;
    struct str key;
    struct str value;
    bool found = true;
    bool has_header = false;
    TRY_OUT(result, kv_scan_prefix(reader, view->arena, key_str(&prefix), view->diag, &cursor));
    while (found) {
        TRY_OUT(result, kv_next(cursor, view->diag, &key, &value, &found));
        if (found)
            TRY_OUT(result, read_row(view, key, value, &has_header));
    }
    if (!has_header)
        result =
            FAIL(view->diag, NO_SUCH_VIEW, "the view with id %llu is gone", (unsigned long long)id);
out:
    kv_close(cursor);
    return result;
}
