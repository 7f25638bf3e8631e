/* SPDX-License-Identifier: Apache-2.0 */
/*
 * warehouse.c - warehouses: a name, an id that never changes, a location that is theirs alone.
 *
 * Row W <name>: {"id":1,"name":"lake","location":"file:///data/lake","publish":"sync"}.
 *
 * W1  Locations are canonical and no two of them overlap, so a file belongs to at most one
 *     warehouse.
 * W2  Ids come from one counter and are never reused: rows of a removed warehouse cannot come back.
 * W3  A name stands in URLs as it is, and is no word of a route, so "/v1/<name>/..." is
 *     unambiguous.
 */
#include "catalog/rows.h"

enum { WAREHOUSE_NAME_MAX = 128 };

static struct key next_id_key(void)
{
    return key_cluster(STR("next-warehouse-id"));
}

static status row_read(struct catalog_context *context, const struct json *row,
                       struct catalog_warehouse *out)
{
    uint64_t id = 0;
    struct str publish = {"", 0};
    struct catalog_warehouse read = {0};
    TRY(rows__u64(context, row, "id", &id));
    TRY(rows__str(context, row, "name", &read.name));
    TRY(rows__str(context, row, "location", &read.location));
    TRY(rows__str(context, row, "publish", &publish));
    read.id = (uint32_t)id;
    read.publish = str_is(publish, "async") ? PUBLISH_ASYNC : PUBLISH_SYNC;
    *out = read;
    return OK;
}

static status row_write(struct catalog_context *context, const struct catalog_warehouse *warehouse)
{
    struct buf buf = rows__buf(context);
    struct json_writer w;
    json_writer_init(&w, &buf);
    jw_object(&w);
    jw_key(&w, "id");
    jw_u64(&w, warehouse->id);
    jw_key(&w, "name");
    jw_str(&w, warehouse->name);
    jw_key(&w, "location");
    jw_str(&w, warehouse->location);
    jw_key(&w, "publish");
    jw_cstr(&w, warehouse->publish == PUBLISH_ASYNC ? "async" : "sync");
    jw_end(&w);
    struct key key = key_warehouse(warehouse->name);
    return rows__put(context, &key, &buf);
}

status catalog_warehouse_get(struct kv_reader *view, struct arena *arena, struct str name,
                             const struct catalog_options *options, struct diag *diag,
                             struct catalog_warehouse *out)
{
    struct catalog_context context = {.view = view, .arena = arena, .diag = diag};
    struct str wanted = name.size == 0 ? options->default_warehouse : name;
    if (wanted.size == 0)
        return FAIL(diag, NO_SUCH_WAREHOUSE,
                    "No warehouse was named and there is no default warehouse");
    if (wanted.size > WAREHOUSE_NAME_MAX || !str_is_utf8(wanted))
        return FAIL(diag, NO_SUCH_WAREHOUSE, "Warehouse does not exist: its name is not valid");
    struct key key = key_warehouse(wanted);
    const struct json *row = NULL;
    TRY(rows__get(&context, &key, &row));
    if (row == NULL)
        return FAIL(diag, NO_SUCH_WAREHOUSE, "Warehouse does not exist: %.*s", STR_ARG(wanted));
    return row_read(&context, row, out);
}

static status rows_read(struct catalog_context *context, struct kv_cursor *cursor,
                        struct catalog_warehouse **out, size_t *out_count)
{
    struct catalog_warehouse *list = NULL;
    size_t count = 0;
    size_t capacity = 0;
    for (;;) {
        struct str key = {"", 0};
        struct str value = {"", 0};
        bool found = false;
        TRY(kv_next(cursor, context->diag, &key, &value, &found));
        if (!found)
            break;
        if (count == capacity) {
            capacity = capacity == 0 ? 8 : capacity * 2;
            struct catalog_warehouse *grown =
                ARENA_ARRAY(context->arena, struct catalog_warehouse, capacity);
            if (grown == NULL)
                return FAIL(context->diag, NOMEM, "could not list warehouses: memory is exhausted");
            if (count > 0)
                memcpy(grown, list, count * sizeof(*list));
            list = grown;
        }
        const struct json *row = NULL;
        TRY(rows__parse(context, value, &row));
        TRY(row_read(context, row, &list[count]));
        count++;
    }
    *out = list;
    *out_count = count;
    return OK;
}

status catalog_warehouse_list(struct kv_reader *view, struct arena *arena, struct diag *diag,
                              struct catalog_warehouse **out, size_t *out_count)
{
    struct catalog_context context = {.view = view, .arena = arena, .diag = diag};
    struct kv_cursor *cursor = NULL;
    TRY(kv_scan_prefix(view, arena, STR("W"), diag, &cursor));
    status_value result = rows_read(&context, cursor, out, out_count);
    kv_close(cursor);
    return result;
}

static bool name_is_valid(struct str name)
{
    static const char *const reserved[] = {"namespaces", "tables", "views", "transactions",
                                           "config",     "oauth",  "tarn",  "."};
    if (name.size == 0 || name.size > WAREHOUSE_NAME_MAX || name.data[0] == '.')
        return false;
    for (size_t i = 0; i < COUNTOF(reserved); i++) {
        if (str_is(name, reserved[i]))
            return false;
    }
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '_' || c == '.';
        if (!plain)
            return false;
    }
    return true;
}

/* W1 */
static status must_not_overlap(struct catalog_context *context, struct str name,
                               struct str location)
{
    struct catalog_warehouse *list = NULL;
    size_t count = 0;
    TRY(catalog_warehouse_list(context->view, context->arena, context->diag, &list, &count));
    for (size_t i = 0; i < count; i++) {
        bool overlaps = catalog__location_within(location, list[i].location) ||
                        catalog__location_within(list[i].location, location);
        if (overlaps && !str_eq(list[i].name, name))
            return FAIL(context->diag, ILLEGAL_ARGUMENT,
                        "The location %.*s overlaps the location %.*s of warehouse %.*s",
                        (int)u64_min(location.size, 200), location.data,
                        (int)u64_min(list[i].location.size, 200), list[i].location.data,
                        STR_ARG(list[i].name));
    }
    return OK;
}

static status must_be_empty(struct catalog_context *context,
                            const struct catalog_warehouse *warehouse)
{
    static const enum key_kind kinds[] = {KEY_NAMESPACE, KEY_TABLE, KEY_VIEW, KEY_OUTBOX,
                                          KEY_PURGE};
    for (size_t i = 0; i < COUNTOF(kinds); i++) {
        struct key prefix = key_in(warehouse->id, kinds[i]);
        bool any = false;
        TRY(rows__any(context, &prefix, &any));
        if (any)
            return FAIL(context->diag, ILLEGAL_ARGUMENT,
                        "The location of warehouse %.*s cannot change while it is not empty",
                        STR_ARG(warehouse->name));
    }
    return OK;
}

status catalog_warehouse_put(struct catalog_context *context, struct str name, struct str location,
                             enum catalog_publish publish)
{
    context->view = kv_batch_reader(context->batch);
    if (!name_is_valid(name))
        return FAIL(
            context->diag, ILLEGAL_ARGUMENT,
            "A warehouse name has 1 to 128 letters, digits, '-', '_' or '.', does not begin "
            "with '.' and is no word of a route, such as 'tables'");
    struct catalog_warehouse warehouse = {.name = name, .publish = publish};
    TRY(catalog__location_canonical(context, location, &warehouse.location));
    TRY(must_not_overlap(context, name, warehouse.location));
    struct key key = key_warehouse(name);
    const struct json *row = NULL;
    TRY(rows__get(context, &key, &row));
    if (row == NULL) {
        struct key counter = next_id_key();
        uint64_t id = 0;
        TRY(rows__next(context, &counter, &id));
        ASSERT(id <= UINT32_MAX);
        warehouse.id = (uint32_t)id;
        return row_write(context, &warehouse);
    }
    struct catalog_warehouse present;
    TRY(row_read(context, row, &present));
    warehouse.id = present.id;
    if (!str_eq(present.location, warehouse.location))
        TRY(must_be_empty(context, &present));
    return row_write(context, &warehouse);
}
