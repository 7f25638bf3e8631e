/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sort.c - sort orders: parse, check, compare, rebind, write.
 *
 * Format: {"order-id":1,"fields":[{"transform","source-id"|"source-ids","direction":"asc"|"desc",
 * "null-order":"nulls-first"|"nulls-last"}]} (Iceberg spec, Appendix C, "Sort Orders"). Order 0 is
 * the unsorted one and has no fields.
 */
#include "catalog/partition_internal.h"

#include <stdio.h>

enum { DESCRIPTION_SIZE = 256 };

struct description {
    char text[DESCRIPTION_SIZE];
};

/* "identity(1) ASC NULLS FIRST", as in Iceberg's messages. */
static void describe(const struct sort_field *field, struct description *out)
{
    (void)snprintf(out->text, sizeof(out->text), "%.*s(%d) %s %s", STR_ARG(field->transform),
                   field->source_id, str_is(field->direction, "asc") ? "ASC" : "DESC",
                   str_is(field->null_order, "nulls-first") ? "NULLS FIRST" : "NULLS LAST");
}

static status_value parse_field(struct arena *arena, const struct json *json, struct diag *diag,
                                struct sort_field *out)
{
    struct sort_field field = {.json = json};
    TRY(json_need_str(json, "transform", "sort field", diag, &field.transform));
    TRY(partition__sources_parse(arena, json, "sort", diag, &field.sources));
    field.source_id = field.sources.ids[0];
    TRY(json_need_str(json, "direction", "sort field", diag, &field.direction));
    TRY(json_need_str(json, "null-order", "sort field", diag, &field.null_order));
    if (!str_is(field.direction, "asc") && !str_is(field.direction, "desc"))
        return FAIL(diag, ILLEGAL_ARGUMENT, "Invalid sort direction: %.*s",
                    STR_ARG(field.direction));
    if (!str_is(field.null_order, "nulls-first") && !str_is(field.null_order, "nulls-last"))
        return FAIL(diag, ILLEGAL_ARGUMENT, "Invalid null order: %.*s", STR_ARG(field.null_order));
    *out = field;
    return OK;
}

static status_value parse_order(struct arena *arena, struct sort_order *order, struct diag *diag)
{
    const struct json *fields;
    order->id = -1;
    if (!json_is_null(json_get(order->json, "order-id")))
        TRY(json_need_i32(order->json, "order-id", "sort order", diag, &order->id));
    TRY(json_need_array(order->json, "fields", "sort order", diag, &fields));
    order->fields = ARENA_ARRAY(arena, struct sort_field, json_size(fields));
    if (order->fields == NULL)
        return FAIL(diag, NOMEM, "could not hold %zu sort fields", json_size(fields));
    struct json_iter iter = json_iter(fields);
    const struct json *item;
    while (json_next(&iter, NULL, &item)) {
        TRY(parse_field(arena, item, diag, &order->fields[order->field_count]));
        order->field_count++;
    }
    return OK;
}

status_value sort_parse(struct arena *arena, const struct json *json, struct diag *diag,
                        struct sort_order **out)
{
    struct sort_order *order = ARENA_NEW(arena, struct sort_order);
    if (order == NULL)
        return FAIL(diag, NOMEM, "could not hold a sort order");
    order->json = json;
    TRY(parse_order(arena, order, diag));
    *out = order;
    return OK;
}

status_value sort_check_sources(const struct sort_order *order, const struct schema *schema,
                                struct diag *diag)
{
    for (size_t i = 0; i < order->field_count; i++) {
        const struct sort_field *field = &order->fields[i];
        struct description described;
        describe(field, &described);
        const struct partition__use use = {.what = "sort",
                                           .described = described.text,
                                           .transform = field->transform,
                                           .sources = &field->sources};
        TRY(partition__check_sources(schema, &use, diag));
    }
    return OK;
}

status_value sort_validate(const struct sort_order *order, const struct schema *schema,
                           struct diag *diag)
{
    if (order->id == 0 && order->field_count > 0)
        return FAIL(diag, ILLEGAL_ARGUMENT, "Sort order ID 0 is reserved for unsorted order");
    return sort_check_sources(order, schema, diag);
}

bool sort_same(const struct sort_order *a, const struct sort_order *b)
{
    if (a->field_count != b->field_count)
        return false;
    for (size_t i = 0; i < a->field_count; i++) {
        const struct sort_field *left = &a->fields[i];
        const struct sort_field *right = &b->fields[i];
        if (!partition__sources_same(&left->sources, &right->sources) ||
            !str_eq_nocase(left->transform, right->transform) ||
            !str_eq(left->direction, right->direction) ||
            !str_eq(left->null_order, right->null_order))
            return false;
    }
    return true;
}

status_value sort_rebind(struct arena *arena, const struct sort_order *order,
                         const struct schema *from, const struct schema *to, struct diag *diag,
                         struct sort_order **out)
{
    struct sort_order *bound = ARENA_NEW(arena, struct sort_order);
    struct sort_field *fields = ARENA_ARRAY(arena, struct sort_field, order->field_count);
    if (bound == NULL || fields == NULL)
        return FAIL(diag, NOMEM, "could not hold a sort order");
    *bound = *order;
    bound->fields = fields;
    for (size_t i = 0; i < order->field_count; i++) {
        fields[i] = order->fields[i];
        TRY(partition__sources_rebind(arena, &order->fields[i].sources, from, to, "sort", diag,
                                      &fields[i].sources));
        fields[i].source_id = fields[i].sources.ids[0];
    }
    *out = bound;
    return OK;
}

static void write_field(struct json_writer *w, const struct sort_field *field)
{
    struct json_iter iter = json_iter(field->json);
    struct str key;
    const struct json *value;
    jw_object(w);
    while (json_next(&iter, &key, &value))
        partition__write_member(w, key, value, &field->sources);
    jw_end(w);
}

void sort_write(const struct sort_order *order, int32_t id, struct buf *out)
{
    struct json_writer w;
    json_writer_init(&w, out);
    jw_object(&w);
    jw_key(&w, "order-id");
    jw_i64(&w, id);
    struct json_iter iter = json_iter(order->json);
    struct str key;
    const struct json *value;
    while (json_next(&iter, &key, &value)) {
        if (str_is(key, "order-id"))
            continue;
        jw_key_str(&w, key);
        if (!str_is(key, "fields")) {
            jw_value(&w, value);
            continue;
        }
        jw_array(&w);
        for (size_t i = 0; i < order->field_count; i++)
            write_field(&w, &order->fields[i]);
        jw_end(&w);
    }
    jw_end(&w);
}
