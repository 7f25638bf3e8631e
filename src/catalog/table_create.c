/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table_create.c - createTable and its staged form.
 *
 * The ids a client sends are not kept: field ids are given afresh, the spec and the order are bound
 * again by name. A staged table is made in a batch of its own that is thrown away; only its
 * document is answered, and nothing can be seen of it until a commit with assert-create.
 *
 * Default location: <namespace's location, or warehouse and levels>/<table>-<uuid>. The uuid keeps
 * a table away from the files of another one that had this name before (a rename, a drop without
 * purge).
 */
#include "base/timefmt.h"
#include "catalog/stream.h"
#include "catalog/table.h"

enum { SEGMENT_MAX = 128, STAGED_CHUNK = 64 << 10, DOCUMENT_MAX = 64 << 20 };

/* --- default location --- */

/* A name as a path segment: what could mean something in a path or URL becomes '_'. */
static void append_segment(struct buf *out, struct str name)
{
    buf_byte(out, '/');
    for (size_t i = 0; i < name.size && i < SEGMENT_MAX; i++) {
        char c = name.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '_' || c == '-' || (c == '.' && i > 0);
        buf_byte(out, plain ? c : '_');
    }
}

static status default_location(struct catalog_context *context, const struct catalog__place *place,
                               struct str uuid, struct str *out)
{
    struct catalog_ident levels = place->ident;
    struct str parent = STR("");
    struct buf path;
    levels.name = STR("");
    TRY(catalog__namespace_location(context, &place->warehouse, &levels, &parent));
    buf_init(&path, context->arena, 64 << 10);
    buf_str(&path, parent.size > 0 ? parent : place->warehouse.location);
    for (size_t i = 0; parent.size == 0 && i < levels.level_count; i++)
        append_segment(&path, levels.levels[i]);
    append_segment(&path, place->ident.name);
    buf_byte(&path, '-');
    buf_str(&path, uuid);
    TRY(buf_finish(&path, "table location", context->diag));
    *out = buf_view(&path);
    return OK;
}

/* --- what the body asks for --- */

static status body_format_version(struct catalog_context *context, const struct json *properties,
                                  int32_t *out)
{
    struct str text;
    int64_t version = TABLE_FORMAT_DEFAULT;
    const struct json *value = json_get(properties, "format-version");
    if (json_is_null(value)) {
        *out = TABLE_FORMAT_DEFAULT;
        return OK;
    }
    if (!json_as_str(value, &text) || !str_to_i64(text, &version))
        return FAIL(context->diag, ILLEGAL_ARGUMENT, "format-version is no number");
    if (version < 1 || version > TABLE_FORMAT_READ_MAX)
        return FAIL(context->diag, ILLEGAL_ARGUMENT,
                    "Unsupported format version: v%lld (supported: v%d)", (long long)version,
                    TABLE_FORMAT_READ_MAX);
    if (version > TABLE_FORMAT_CREATE_MAX)
        return FAIL(context->diag, ILLEGAL_ARGUMENT,
                    "Cannot create table with format version v%lld: it is not adopted yet "
                    "(use v%d or lower)",
                    (long long)version, TABLE_FORMAT_CREATE_MAX);
    *out = (int32_t)version;
    return OK;
}

static status create_schema(struct table_edit *edit, const struct json *body,
                            const struct schema **out_sent, const struct schema **out_fresh)
{
    struct catalog_context *context = edit->context;
    const struct json *json = NULL;
    struct schema *sent = NULL;
    struct schema *fresh = NULL;
    TRY(json_need_object(body, "schema", "create table request", context->diag, &json));
    TRY(schema_parse(context->arena, json, context->diag, &sent));
    TRY(schema_assign_fresh_ids(context->arena, sent, context->diag, &fresh));
    TRY(table__schema_add(edit, fresh));
    edit->now.current_schema_id = edit->last_schema_id;
    *out_sent = sent;
    *out_fresh = fresh;
    return OK;
}

static const struct json *empty_fields(struct catalog_context *context)
{
    const struct json *json = NULL;
    struct json_limits limits = json_limits_document();
    return is_ok(json_parse(context->arena, STR("{\"fields\":[]}"), &limits, context->diag, &json))
               ? json
               : NULL;
}

static status create_spec(struct table_edit *edit, const struct json *json,
                          const struct schema *sent, const struct schema *fresh)
{
    struct catalog_context *context = edit->context;
    struct spec *spec = NULL;
    struct spec *bound = NULL;
    TRY(spec_parse(context->arena, json, context->diag, &spec));
    TRY(spec_rebind(context->arena, spec, sent, fresh, context->diag, &bound));
    TRY(table__spec_add(edit, bound, fresh));
    edit->now.default_spec_id = edit->last_spec_id;
    return OK;
}

static status create_order(struct table_edit *edit, const struct json *json,
                           const struct schema *sent, const struct schema *fresh)
{
    struct catalog_context *context = edit->context;
    struct sort_order *order = NULL;
    struct sort_order *bound = NULL;
    TRY(sort_parse(context->arena, json, context->diag, &order));
    TRY(sort_rebind(context->arena, order, sent, fresh, context->diag, &bound));
    TRY(table__order_add(edit, bound, fresh));
    edit->now.default_order_id = edit->last_order_id;
    return OK;
}

static status create_layout(struct table_edit *edit, const struct json *body)
{
    const struct schema *sent = NULL;
    const struct schema *fresh = NULL;
    const struct json *spec = json_get(body, "partition-spec");
    const struct json *order = json_get(body, "write-order");
    const struct json *none = empty_fields(edit->context);
    if (none == NULL)
        return FAIL(edit->context->diag, NOMEM, "could not create the table");
    TRY(create_schema(edit, body, &sent, &fresh));
    TRY(create_spec(edit, json_is_null(spec) ? none : spec, sent, fresh));
    return create_order(edit, json_is_null(order) ? none : order, sent, fresh);
}

static status create_location(struct table_edit *edit, const struct json *body)
{
    struct catalog_context *context = edit->context;
    struct str location = STR("");
    bool given = false;
    TRY(json_opt_str(body, "location", "create table request", context->diag, &location, &given));
    if (!given)
        return default_location(context, edit->place, edit->now.uuid, &edit->now.location);
    return table__location_accept(edit, location, "table location", &edit->now.location);
}

static status create_properties(struct table_edit *edit, const struct json *properties)
{
    struct str ignored;
    static const char codec[] = "write.parquet.compression-codec";
    struct table_properties *map = NULL;
    TRY(table__properties(edit, &map));
    TRY(table__properties_set_all(edit, properties, "create table request"));
    if (!table__property_get(edit, codec, &ignored))
        TRY(table__property_set(edit, str_from(codec), STR("zstd")));
    return OK;
}

static status create_uuid(struct table_edit *edit)
{
    char text[UUID_TEXT_SIZE];
    uuid_format(uuid_v4(edit->context->prng), text);
    edit->now.uuid = arena_copy(edit->context->arena, (struct str){text, sizeof(text)});
    if (edit->now.uuid.data == NULL)
        return FAIL(edit->context->diag, NOMEM, "could not create the table");
    return OK;
}

static status create_rows(struct table_edit *edit, const struct json *body)
{
    const struct json *properties = json_get(body, "properties");
    if (!json_is_null(properties) && !json_is(properties, JSON_OBJECT))
        return FAIL(edit->context->diag, INVALID,
                    "create table request: properties must be an object");
    edit->changed = true;
    TRY(create_uuid(edit));
    TRY(create_layout(edit, body));
    TRY(create_location(edit, body));
    return create_properties(edit, properties);
}

/* --- staged --- */

static status collect_document(struct catalog_context *context,
                               const struct catalog_response *response, struct str *out)
{
    struct catalog_stream *stream = NULL;
    struct buf text;
    bool end = false;
    status_value result = OK;
    buf_init(&text, context->arena, DOCUMENT_MAX);
    TRY(catalog_stream_open(context->view, context->arena, response, context->diag, &stream));
    while (is_ok(result) && !end) {
        size_t size = 0;
        char *room = buf_reserve(&text, STAGED_CHUNK);
        if (room == NULL)
            break;
        result = catalog_stream_fill(stream, room, STAGED_CHUNK, context->diag, &size, &end);
        text.size += size;
    }
    catalog_stream_close(stream);
    TRY(result);
    TRY(buf_finish(&text, "staged table", context->diag));
    *out = buf_view(&text);
    return OK;
}

static status stage_created_at(struct table_edit *edit)
{
    char when[TIMEFMT_SIZE];
    struct str given;
    if (table__property_get(edit, "created-at", &given))
        return OK;
    timefmt_iso_ms(hlc_ms(edit->context->stamp), when);
    struct str value = arena_copy(edit->context->arena, str_from(when));
    if (value.data == NULL)
        return FAIL(edit->context->diag, NOMEM, "could not stage the table");
    return table__property_set(edit, STR("created-at"), value);
}

static status stage(struct catalog_context *context, const struct catalog__place *place,
                    const struct json *body, int32_t format_version, struct catalog_response *out)
{
    struct catalog_context scratch = *context;
    struct table_edit *edit = ARENA_NEW(context->arena, struct table_edit);
    if (edit == NULL)
        return FAIL(context->diag, NOMEM, "could not stage the table: memory budget exhausted");
    TRY(kv_batch_create(context->arena, context->view, context->diag, &scratch.batch));
    scratch.view = kv_batch_reader(scratch.batch);
    table__edit_create(edit, &scratch, place, 0, format_version);
    TRY(create_rows(edit, body));
    TRY(stage_created_at(edit));
    TRY(table__build_rows(edit));
    TRY(table__header_put(edit));
    struct catalog_response response = {
        .body = CATALOG_BODY_TABLE, .warehouse = place->warehouse.id, .with_config = true};
    TRY(collect_document(&scratch, &response, &out->json));
    TRY(table__metadata_folder(edit, &out->metadata_folder));
    out->http = 200;
    out->body = CATALOG_BODY_JSON;
    return OK;
}

status_value table__create(struct catalog_context *context, const struct catalog__place *place,
                           const struct json *body, struct catalog_response *out, uint64_t *out_id)
{
    bool staged = false;
    bool found = false;
    int32_t format_version = 0;
    uint64_t id = 0;
    TRY(json_opt_bool(body, "stage-create", "create table request", context->diag, &staged,
                      &found));
    TRY(body_format_version(context, json_get(body, "properties"), &format_version));
    if (staged) {
        TRY(stage(context, place, body, format_version, out));
        *out_id = 0;
        return OK;
    }
    struct table_edit *edit = ARENA_NEW(context->arena, struct table_edit);
    if (edit == NULL)
        return FAIL(context->diag, NOMEM, "could not create the table: memory budget exhausted");
    TRY(catalog__next_id(context, place->warehouse.id, &id));
    table__edit_create(edit, context, place, id, format_version);
    TRY(create_rows(edit, body));
    TRY(table__build_rows(edit));
    TRY(table__build_version(edit, out));
    TRY(table__respond_header(context, place, id, &edit->now, true, false, out));
    TRY(table__metadata_folder(edit, &out->metadata_folder));
    *out_id = id;
    return OK;
}
