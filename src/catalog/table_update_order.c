/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table_update_order.c - sort orders: add-sort-order, set-default-sort-order.
 *
 * O1  Id 0 is the unsorted order and nothing else; sorted ones count from 1.
 */
#include "catalog/table.h"

static bool find_same(const struct table_items *orders, const struct sort_order *order,
                      int32_t *out_id)
{
    for (size_t i = 0; i < orders->count; i++) {
        if (sort_same(orders->items[i].value, order)) {
            *out_id = orders->items[i].id;
            return true;
        }
    }
    return false;
}

static int32_t next_order_id(const struct table_items *orders, const struct sort_order *order)
{
    int32_t next = order->field_count == 0 ? 0 : 1;
    for (size_t i = 0; next > 0 && i < orders->count; i++) {
        if (orders->items[i].id >= next && orders->items[i].id < INT32_MAX)
            next = orders->items[i].id + 1;
    }
    return next;
}

static status store_order(struct table_edit *edit, const struct sort_order *order, int32_t id)
{
    struct key key = table__key_i32(edit, PART_ORDER, id);
    struct buf text;
    table__buf(edit, &text);
    sort_write(order, id, &text);
    TRY(table__put_buf(edit, &key, &text));
    edit->changed = true;
    return table__items_add(edit, &edit->orders, id, order);
}

status_value table__order_add(struct table_edit *edit, const struct sort_order *order,
                              const struct schema *schema)
{
    struct table_items *orders = NULL;
    TRY(table__orders(edit, &orders));
    int32_t id = 0;
    if (!find_same(orders, order, &id)) {
        TRY(sort_validate(order, schema, edit->context->diag));
        id = next_order_id(orders, order);
        TRY(store_order(edit, order, id));
    }
    edit->has_last_order = true;
    edit->last_order_id = id;
    return OK;
}

status_value table__update_add_order(struct table_edit *edit, const struct json *update)
{
    struct diag *diag = edit->context->diag;
    const struct json *json = NULL;
    struct sort_order *order = NULL;
    const struct schema *schema = NULL;
    TRY(json_need_object(update, "sort-order", "add-sort-order", diag, &json));
    TRY(sort_parse(edit->context->arena, json, diag, &order));
    TRY(table__schema_to_bind(edit, "add a sort order", &schema));
    return table__order_add(edit, order, schema);
}

status_value table__update_set_default_order(struct table_edit *edit, const struct json *update)
{
    struct diag *diag = edit->context->diag;
    int32_t id = 0;
    TRY(json_need_i32(update, "sort-order-id", "set-default-sort-order", diag, &id));
    if (id == -1) {
        if (!edit->has_last_order)
            return FAIL(diag, ILLEGAL_ARGUMENT,
                        "Cannot set last added sort order: no sort order has been added");
        id = edit->last_order_id;
    }
    if (id == edit->now.default_order_id)
        return OK;
    const struct sort_order *order = NULL;
    TRY(table__order_find(edit, id, &order));
    if (order == NULL)
        return FAIL(diag, ILLEGAL_ARGUMENT,
                    "Cannot set default sort order to unknown sort order: %d", id);
    edit->now.default_order_id = id;
    edit->bindings_changed = true;
    edit->changed = true;
    return OK;
}
