/* SPDX-License-Identifier: Apache-2.0 */
/*
 * namespace.c - namespaces: create, load, exists, drop.
 *
 * Rows: C wh n <parent> <name> {"id","name","properties"} and C wh N <id> {"parent","name"}.
 *
 * S1  A namespace exists only below one that exists: parents are never made by the way. (Java's
 *     JDBC catalog makes them; then a parent that was never created can be listed but not dropped.)
 * S2  A namespace that holds children, tables or views cannot be dropped, so no row is orphaned.
 * S3  Both rows of a namespace come and go together.
 */
#include "catalog/operations.h"

status namespace__row_put(struct catalog_context *context, uint32_t warehouse, uint64_t parent,
                          uint64_t id, struct str name, struct str properties)
{
    struct buf buf = rows__buf(context);
    struct json_writer w;
    json_writer_init(&w, &buf);
    jw_object(&w);
    jw_key(&w, "id");
    jw_u64(&w, id);
    jw_key(&w, "name");
    jw_str(&w, name);
    jw_key(&w, "properties");
    jw_raw(&w, properties);
    jw_end(&w);
    struct key key = key_child(warehouse, KEY_NAMESPACE, parent, name);
    return rows__put(context, &key, &buf);
}

static status id_row_put(struct catalog_context *context, uint32_t warehouse, uint64_t parent,
                         uint64_t id, struct str name)
{
    struct buf buf = rows__buf(context);
    struct json_writer w;
    json_writer_init(&w, &buf);
    jw_object(&w);
    jw_key(&w, "parent");
    jw_u64(&w, parent);
    jw_key(&w, "name");
    jw_str(&w, name);
    jw_end(&w);
    struct key key = key_object(warehouse, KEY_NAMESPACE_ID, id);
    return rows__put(context, &key, &buf);
}

/* {"namespace":[..],"properties":{..}} */
static status answer(struct catalog_context *context, const struct catalog_ident *ident,
                     struct str properties, struct catalog_response *out)
{
    struct buf buf = rows__buf(context);
    struct json_writer w;
    json_writer_init(&w, &buf);
    jw_object(&w);
    jw_key(&w, "namespace");
    jw_array(&w);
    for (size_t i = 0; i < ident->level_count; i++)
        jw_str(&w, ident->levels[i]);
    jw_end(&w);
    jw_key(&w, "properties");
    jw_raw(&w, properties);
    jw_end(&w);
    return operation__json(context, &buf, out);
}

/* The parent's id; ALREADY_EXISTS when the parent has such a child. */
static status free_below(struct catalog_context *context, uint32_t warehouse,
                         const struct catalog_ident *ident, uint64_t *out_parent)
{
    struct catalog_ident above = {.levels = ident->levels, .level_count = ident->level_count - 1};
    struct str name = ident->levels[ident->level_count - 1];
    uint64_t parent = 0;
    TRY(catalog__namespace_find(context, warehouse, &above, &parent));
    struct key key = key_child(warehouse, KEY_NAMESPACE, parent, name);
    const struct json *row = NULL;
    uint64_t id = 0;
    TRY(names__row(context, &key, name, &row, &id));
    if (row != NULL) {
        struct str dotted = {"", 0};
        TRY(catalog__dotted(context, ident, &dotted));
        return FAIL(context->diag, ALREADY_EXISTS, "Namespace already exists: %.*s",
                    STR_ARG(dotted));
    }
    *out_parent = parent;
    return OK;
}

OPERATION(operation__namespace_create)
{
    const struct json *body = NULL;
    struct catalog_ident ident;
    uint64_t parent = 0;
    uint64_t id = 0;
    TRY(operation__body(context, request, &body));
    const struct json *levels = json_get(body, "namespace");
    TRY(catalog__namespace_parse(context, levels, "a namespace request", &ident));
    struct buf properties = rows__buf(context);
    struct json_writer w;
    json_writer_init(&w, &properties);
    TRY(properties__write(context, warehouse, json_get(body, "properties"), &w));
    TRY(buf_finish(&properties, "namespace properties", context->diag));
    TRY(free_below(context, warehouse->id, &ident, &parent));
    TRY(catalog__next_id(context, warehouse->id, &id));
    struct str name = ident.levels[ident.level_count - 1];
    TRY(namespace__row_put(context, warehouse->id, parent, id, name, buf_view(&properties)));
    TRY(id_row_put(context, warehouse->id, parent, id, name));
    return answer(context, &ident, buf_view(&properties), out);
}

/* A namespace of a URL: the root has no properties and cannot be loaded or dropped. */
static status load_row(struct catalog_context *context, const struct catalog_request *request,
                       const struct catalog_warehouse *warehouse, const struct json **out,
                       uint64_t *out_id, uint64_t *out_parent)
{
    if (request->ident.level_count == 0)
        return FAIL(context->diag, INVALID, "The request names no namespace");
    return names__namespace_row(context, warehouse->id, &request->ident, out, out_id, out_parent);
}

OPERATION(operation__namespace_load)
{
    const struct json *row = NULL;
    uint64_t id = 0;
    uint64_t parent = 0;
    TRY(load_row(context, request, warehouse, &row, &id, &parent));
    struct buf properties = rows__buf(context);
    json_write(&properties, json_get(row, "properties"));
    TRY(buf_finish(&properties, "namespace properties", context->diag));
    return answer(context, &request->ident, buf_view(&properties), out);
}

OPERATION(operation__namespace_exists)
{
    const struct json *row = NULL;
    uint64_t id = 0;
    uint64_t parent = 0;
    TRY(load_row(context, request, warehouse, &row, &id, &parent));
    out->http = 204;
    return OK;
}

/* S2 */
static status must_be_empty(struct catalog_context *context, uint32_t warehouse, uint64_t id,
                            struct str dotted)
{
    static const struct {
        enum key_kind kind;
        const char *text;
    } contents[] = {
        {KEY_NAMESPACE, "namespaces"}, {KEY_TABLE_NAME, "tables"}, {KEY_VIEW_NAME, "views"}};
    for (size_t i = 0; i < COUNTOF(contents); i++) {
        struct key prefix = key_in(warehouse, contents[i].kind);
        key_u64(&prefix, id);
        bool any = false;
        TRY(rows__any(context, &prefix, &any));
        if (any)
            return FAIL(context->diag, NAMESPACE_NOT_EMPTY,
                        "Namespace %.*s is not empty. Drop its %s first.", STR_ARG(dotted),
                        contents[i].text);
    }
    return OK;
}

OPERATION(operation__namespace_drop)
{
    const struct json *row = NULL;
    uint64_t id = 0;
    uint64_t parent = 0;
    struct str dotted = {"", 0};
    TRY(load_row(context, request, warehouse, &row, &id, &parent));
    TRY(catalog__dotted(context, &request->ident, &dotted));
    TRY(must_be_empty(context, warehouse->id, id, dotted));
    struct str name = request->ident.levels[request->ident.level_count - 1];
    struct key by_name = key_child(warehouse->id, KEY_NAMESPACE, parent, name);
    struct key by_id = key_object(warehouse->id, KEY_NAMESPACE_ID, id);
    TRY(kv_delete(context->batch, key_str(&by_name), context->diag));
    TRY(kv_delete(context->batch, key_str(&by_id), context->diag));
    out->http = 204;
    return OK;
}

status catalog__namespace_location(struct catalog_context *context,
                                   const struct catalog_warehouse *warehouse,
                                   const struct catalog_ident *ident, struct str *out)
{
    const struct json *row = NULL;
    uint64_t id = 0;
    uint64_t parent = 0;
    struct str location = {"", 0};
    TRY(names__namespace_row(context, warehouse->id, ident, &row, &id, &parent));
    (void)json_as_str(json_get(json_get(row, "properties"), "location"), &location);
    *out = location;
    return OK;
}
