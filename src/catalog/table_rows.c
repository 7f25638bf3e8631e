/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table_rows.c - the rows of one table as an edit sees them: keys, reads, writes, lists of
 * fragments.
 *
 * Schemas, specs and orders are few but not bounded, so they are loaded only when an update
 * compares against all of them; otherwise the one that is asked for is read alone.
 */
#include "catalog/table.h"

status_value table__edit_open(struct table_edit *edit, struct catalog_context *context,
                              const struct catalog__place *place, uint64_t id)
{
    struct table_header header;
    TRY(table__header_get(context->view, context->arena, place->warehouse.id, id, context->diag,
                          &header));
    bool pending = false;
    TRY(outbox__pending(context, place->warehouse.id, id, &pending));
    *edit = (struct table_edit){.context = context, .place = place, .id = id};
    edit->undo_version = pending ? header.version + 1 : 0;
    edit->base = header;
    edit->now = header;
    return OK;
}

void table__edit_create(struct table_edit *edit, struct catalog_context *context,
                        const struct catalog__place *place, uint64_t id, int32_t format_version)
{
    *edit = (struct table_edit){.context = context, .place = place, .id = id, .creating = true};
    edit->base = table__header_initial();
    edit->base.format_version = format_version;
    edit->now = edit->base;
}

struct key table__key(const struct table_edit *edit, enum key_part part)
{
    return key_part(edit->place->warehouse.id, KEY_TABLE, edit->id, part);
}

struct key table__key_i32(const struct table_edit *edit, enum key_part part, int32_t id)
{
    struct key key = table__key(edit, part);
    key_i32(&key, id);
    return key;
}

struct key table__key_i64(const struct table_edit *edit, enum key_part part, int64_t id)
{
    struct key key = table__key(edit, part);
    key_i64(&key, id);
    return key;
}

struct key table__key_u64(const struct table_edit *edit, enum key_part part, uint64_t ordinal)
{
    struct key key = table__key(edit, part);
    key_u64(&key, ordinal);
    return key;
}

struct key table__key_name(const struct table_edit *edit, enum key_part part, struct str name)
{
    struct key key = table__key(edit, part);
    key_name(&key, name);
    return key;
}

status_value table__get(struct table_edit *edit, const struct key *key, struct str *out,
                        bool *out_found)
{
    return kv_get(edit->context->view, key_str(key), edit->context->diag, out, out_found);
}

status_value table__put(struct table_edit *edit, const struct key *key, struct str value)
{
    return outbox__row_put(edit->context, key, value, edit->undo_version);
}

status_value table__delete(struct table_edit *edit, const struct key *key)
{
    return outbox__row_delete(edit->context, key, edit->undo_version);
}

status_value table__append(struct table_edit *edit, const struct key *key, struct str value)
{
    return outbox__row_put(edit->context, key, value, 0);
}

status_value table__fragment(struct catalog_context *context, struct str row,
                             const struct json **out)
{
    struct json_limits limits = json_limits_document();
    return json_parse(context->arena, row, &limits, context->diag, out);
}

void table__buf(struct table_edit *edit, struct buf *buf)
{
    buf_init(buf, edit->context->arena, TABLE_VALUE_MAX);
}

status_value table__put_buf(struct table_edit *edit, const struct key *key, const struct buf *value)
{
    TRY(buf_finish(value, "a row of the table", edit->context->diag));
    return table__put(edit, key, buf_view(value));
}

void *table__grow(struct arena *arena, void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return items;
    size_t wanted = *capacity == 0 ? 8 : *capacity * 2;
    char *grown = arena_alloc(arena, wanted * size);
    if (grown == NULL)
        return NULL;
    if (count > 0)
        memcpy(grown, items, count * size);
    *capacity = wanted;
    return grown;
}

/* --- the index of snapshots --- */

struct table_snapshot_index table__index_decode(struct str row)
{
    struct cursor at = cursor_of(row);
    struct table_snapshot_index index = {.ordinal = cursor_u64le(&at)};
    index.log_end = cursor_u64le(&at);
    ASSERT(!at.failed);
    return index;
}

status_value table__index_get(struct table_edit *edit, int64_t snapshot_id,
                              struct table_snapshot_index *out, bool *out_found)
{
    struct key key = table__key_i64(edit, PART_SNAPSHOT_ID, snapshot_id);
    struct str row;
    bool found = false;
    TRY(table__get(edit, &key, &row, &found));
    if (found)
        *out = table__index_decode(row);
    *out_found = found;
    return OK;
}

status_value table__index_put(struct table_edit *edit, int64_t snapshot_id,
                              struct table_snapshot_index index)
{
    struct key key = table__key_i64(edit, PART_SNAPSHOT_ID, snapshot_id);
    struct buf row;
    buf_init(&row, edit->context->arena, 16);
    buf_u64le(&row, index.ordinal);
    buf_u64le(&row, index.log_end);
    TRY(buf_finish(&row, "snapshot index row", edit->context->diag));
    return table__append(edit, &key, buf_view(&row));
}

/* --- lists of fragments --- */

status_value table__items_add(struct table_edit *edit, struct table_items *items, int32_t id,
                              const void *value)
{
    struct table_item *grown = table__grow(edit->context->arena, items->items, items->count,
                                           &items->capacity, sizeof(struct table_item));
    if (grown == NULL)
        return FAIL(edit->context->diag, NOMEM, "could not load the table: out of memory budget");
    items->items = grown;
    items->items[items->count++] = (struct table_item){id, value};
    return OK;
}

void table__items_remove(struct table_items *items, int32_t id)
{
    size_t kept = 0;
    for (size_t i = 0; i < items->count; i++) {
        if (items->items[i].id != id)
            items->items[kept++] = items->items[i];
    }
    items->count = kept;
}

const void *table__items_find(const struct table_items *items, int32_t id)
{
    for (size_t i = 0; i < items->count; i++) {
        if (items->items[i].id == id)
            return items->items[i].value;
    }
    return NULL;
}

typedef status_value (*parse_fn)(struct arena *arena, const struct json *json, struct diag *diag,
                                 const void **out);

static status parse_schema(struct arena *arena, const struct json *json, struct diag *diag,
                           const void **out)
{
    struct schema *schema = NULL;
    TRY(schema_parse(arena, json, diag, &schema));
    *out = schema;
    return OK;
}

static status parse_spec(struct arena *arena, const struct json *json, struct diag *diag,
                         const void **out)
{
    struct spec *spec = NULL;
    TRY(spec_parse(arena, json, diag, &spec));
    *out = spec;
    return OK;
}

static status parse_order(struct arena *arena, const struct json *json, struct diag *diag,
                          const void **out)
{
    struct sort_order *order = NULL;
    TRY(sort_parse(arena, json, diag, &order));
    *out = order;
    return OK;
}

static status parse_row(struct table_edit *edit, struct str row, parse_fn parse, const void **out)
{
    const struct json *json = NULL;
    TRY(table__fragment(edit->context, row, &json));
    return parse(edit->context->arena, json, edit->context->diag, out);
}

static status read_items(struct table_edit *edit, struct kv_cursor *cursor, parse_fn parse,
                         struct table_items *items)
{
    struct str key;
    struct str row;
    bool found = false;
    TRY(kv_next(cursor, edit->context->diag, &key, &row, &found));
    while (found) {
        const void *value = NULL;
        TRY(parse_row(edit, row, parse, &value));
        TRY(table__items_add(edit, items, key_read_i32(key, KEY_PART_SIZE), value));
        TRY(kv_next(cursor, edit->context->diag, &key, &row, &found));
    }
    return OK;
}

static status load_items(struct table_edit *edit, enum key_part part, parse_fn parse,
                         struct table_items *items)
{
    if (items->loaded)
        return OK;
    struct key prefix = table__key(edit, part);
    struct kv_cursor *cursor = NULL;
    TRY(kv_scan_prefix(edit->context->view, edit->context->arena, key_str(&prefix),
                       edit->context->diag, &cursor));
    status_value result = read_items(edit, cursor, parse, items);
    kv_close(cursor);
    TRY(result);
    items->loaded = true;
    return OK;
}

status_value table__schemas(struct table_edit *edit, struct table_items **out)
{
    *out = &edit->schemas;
    return load_items(edit, PART_SCHEMA, parse_schema, &edit->schemas);
}

status_value table__specs(struct table_edit *edit, struct table_items **out)
{
    *out = &edit->specs;
    return load_items(edit, PART_SPEC, parse_spec, &edit->specs);
}

status_value table__orders(struct table_edit *edit, struct table_items **out)
{
    *out = &edit->orders;
    return load_items(edit, PART_ORDER, parse_order, &edit->orders);
}

static status find_item(struct table_edit *edit, enum key_part part, parse_fn parse,
                        const struct table_items *items, int32_t id, const void **out)
{
    if (items->loaded) {
        *out = table__items_find(items, id);
        return OK;
    }
    struct key key = table__key_i32(edit, part, id);
    struct str row;
    bool found = false;
    TRY(table__get(edit, &key, &row, &found));
    *out = NULL;
    return found ? parse_row(edit, row, parse, out) : OK;
}

status_value table__schema_find(struct table_edit *edit, int32_t id, const struct schema **out)
{
    const void *value = NULL;
    TRY(find_item(edit, PART_SCHEMA, parse_schema, &edit->schemas, id, &value));
    *out = value;
    return OK;
}

status_value table__spec_find(struct table_edit *edit, int32_t id, const struct spec **out)
{
    const void *value = NULL;
    TRY(find_item(edit, PART_SPEC, parse_spec, &edit->specs, id, &value));
    *out = value;
    return OK;
}

status_value table__order_find(struct table_edit *edit, int32_t id, const struct sort_order **out)
{
    const void *value = NULL;
    TRY(find_item(edit, PART_ORDER, parse_order, &edit->orders, id, &value));
    *out = value;
    return OK;
}
