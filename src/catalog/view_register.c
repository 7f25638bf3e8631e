/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view_register.c - a view from the bytes of its metadata file.
 *
 * The file is checked as a whole and stays the view's current metadata file: nothing is published.
 * Its uuid, ids, log and unknown members are kept. The next version's file is numbered after this
 * one's name.
 */
#include "catalog/view_internal.h"

static const char *const what = "view metadata";

static status_value read_schemas(struct view *view, const struct json *json)
{
    const struct json *list;
    TRY(json_need_array(json, "schemas", what, view->diag, &list));
    struct json_iter iter = json_iter(list);
    const struct json *item;
    while (json_next(&iter, NULL, &item)) {
        struct view__schema schema = {.mark = VIEW_NEW};
        TRY(schema_parse(view->arena, item, view->diag, &schema.schema));
        schema.id = schema_id(schema.schema);
        if (view__schema_find(view, schema.id) != NULL)
            return FAIL(view->diag, ILLEGAL_ARGUMENT, "cannot parse %s: two schemas have id %d",
                        what, schema.id);
        TRY(view__add_schema(view, schema));
    }
    return OK;
}

static status_value read_versions(struct view *view, const struct json *json)
{
    const struct json *list;
    TRY(json_need_array(json, "versions", what, view->diag, &list));
    struct json_iter iter = json_iter(list);
    const struct json *item;
    while (json_next(&iter, NULL, &item)) {
        struct view__version version = {.mark = VIEW_NEW, .json = item};
        TRY(view__version_check(item, view->diag));
        TRY(json_need_i32(item, "version-id", what, view->diag, &version.id));
        if (version.id < 0 || version.id > VIEW_ID_MAX)
            return FAIL(view->diag, ILLEGAL_ARGUMENT, "Invalid view version id: %d", version.id);
        if (view__version_find(view, version.id) != NULL)
            return FAIL(view->diag, ILLEGAL_ARGUMENT, "cannot parse %s: two versions have id %d",
                        what, version.id);
        TRY(view__add_version(view, version));
    }
    return OK;
}

static status_value read_log(struct view *view, const struct json *json)
{
    const struct json *list;
    TRY(json_need_array(json, "version-log", what, view->diag, &list));
    struct json_iter iter = json_iter(list);
    const struct json *item;
    while (json_next(&iter, NULL, &item)) {
        struct view__entry entry = {.mark = VIEW_NEW, .json = item};
        TRY(json_need_i32(item, "version-id", what, view->diag, &entry.version_id));
        TRY(json_need_i64(item, "timestamp-ms", what, view->diag, &entry.timestamp_ms));
        entry.ordinal = view->header.next_log++;
        TRY(view__add_entry(view, entry));
    }
    return OK;
}

/* Members that tarn does not know, as an object of their own; NULL when there are none. */
static status_value read_extra(struct view *view, const struct json *json)
{
    static const char *const known[] = {"view-uuid",  "format-version", "location",
                                        "properties", "schemas",        "current-version-id",
                                        "versions",   "version-log"};
    struct buf text;
    struct json_writer w;
    buf_init(&text, view->arena, VIEW_ROW_MAX);
    json_writer_init(&w, &text);
    jw_object(&w);
    size_t count = 0;
    struct json_iter iter = json_iter(json);
    struct str key;
    const struct json *value;
    while (json_next(&iter, &key, &value)) {
        bool is_known = false;
        for (size_t i = 0; i < COUNTOF(known) && !is_known; i++)
            is_known = str_is(key, known[i]);
        if (is_known)
            continue;
        jw_key_str(&w, key);
        jw_value(&w, value);
        count++;
    }
    jw_end(&w);
    TRY(buf_finish(&text, what, view->diag));
    struct json_limits limits = json_limits_document();
    return count == 0
               ? OK
               : json_parse(view->arena, buf_view(&text), &limits, view->diag, &view->header.extra);
}

static status_value read_header(struct view *view, const struct json *json)
{
    struct view__header *header = &view->header;
    struct uuid uuid;
    TRY(json_need_str(json, "view-uuid", what, view->diag, &header->uuid));
    if (!uuid_parse(header->uuid, &uuid))
        return FAIL(view->diag, ILLEGAL_ARGUMENT, "cannot parse %s: view-uuid is not a UUID", what);
    TRY(json_need_i32(json, "format-version", what, view->diag, &header->format_version));
    if (header->format_version != VIEW_FORMAT_VERSION)
        return FAIL(view->diag, ILLEGAL_ARGUMENT, "Unsupported format version: %d",
                    header->format_version);
    TRY(json_need_i32(json, "current-version-id", what, view->diag, &header->current_version_id));
    header->has_current = true;
    return read_extra(view, json);
}

static status_value check_current(const struct view *view)
{
    const struct view__version *current = view__version_find(view, view->header.current_version_id);
    if (current == NULL)
        return FAIL(view->diag, ILLEGAL_ARGUMENT, "Cannot find current version %d in view versions",
                    view->header.current_version_id);
    int32_t id = view__version_schema_id(current->json);
    if (view__schema_find(view, id) == NULL)
        return FAIL(view->diag, ILLEGAL_ARGUMENT,
                    "Cannot find current schema with id %d in schemas", id);
    return OK;
}

static status_value read_file(struct view__edit *edit, const struct json *json)
{
    struct view *view = edit->view;
    struct str location;
    const struct json *properties = json_get(json, "properties");
    if (!json_is(json, JSON_OBJECT))
        return FAIL(view->diag, INVALID, "cannot parse %s: it must be an object", what);
    if (!json_is_null(properties) && !json_is(properties, JSON_OBJECT))
        return FAIL(view->diag, INVALID, "cannot parse %s: properties must be an object", what);
    TRY(read_header(view, json));
    TRY(json_need_str(json, "location", what, view->diag, &location));
    TRY(view__edit_location(edit, location));
    TRY(view__edit_properties(edit, properties));
    TRY(read_schemas(view, json));
    TRY(read_versions(view, json));
    TRY(read_log(view, json));
    return check_current(view);
}

/* The 3 of ".../00003-<uuid>.gz.metadata.json"; 0 for a name of another form. */
static uint64_t version_of(struct str metadata_location)
{
    struct str name =
        str_from_pos(metadata_location, (size_t)(str_rfind(metadata_location, '/') + 1));
    struct str digits;
    uint64_t version;
    if (!str_split(&name, '-', &digits) || !str_to_u64(digits, &version) || version > UINT32_MAX)
        return 0;
    return version;
}

status_value view__register(struct catalog_context *context, const struct catalog__place *place,
                            struct str metadata_location, struct str metadata_file,
                            struct catalog_response *out, uint64_t *out_id)
{
    struct json_limits limits = json_limits_document();
    const struct json *json;
    TRY(json_parse(context->arena, metadata_file, &limits, context->diag, &json));
    struct view view;
    view__init(&view, context->arena, context->diag);
    struct view__edit edit = {.context = context, .place = place, .view = &view};
    TRY(read_file(&edit, json));
    view.header.metadata_location = metadata_location;
    view.header.version = version_of(metadata_location);
    uint64_t id;
    TRY(catalog__next_id(context, place->warehouse.id, &id));
    TRY(view__store(&edit, id, 0));
    TRY(view__answer(place, id, metadata_location, true, out));
    *out_id = id;
    return OK;
}
