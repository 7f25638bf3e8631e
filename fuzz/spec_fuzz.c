/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spec_fuzz.c - {"schema":..,"spec":..,"order":..}: specs and orders are refused with words, or
 * written and read again they are the same; numbering and rebinding give what validates as before.
 */
#include "catalog/partition.h"

enum { BUDGET_BYTES = 1 << 28 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct json *json_of(struct arena *arena, const struct buf *text)
{
    struct json_limits limits = json_limits_document();
    const struct json *json = NULL;
    ASSERT(is_ok(buf_finish(text, "text", NULL)));
    ASSERT(is_ok(json_parse(arena, buf_view(text), &limits, NULL, &json)));
    return json;
}

static void check_spec(struct arena *arena, const struct json *json, const struct schema *schema)
{
    struct diag diag = {.count = 0};
    struct spec *spec = NULL;
    struct spec *again = NULL;
    struct spec *bound = NULL;
    if (!is_ok(spec_parse(arena, json, &diag, &spec)))
        return;
    spec_assign_field_ids(spec, NULL, 0, PARTITION_LAST_ID_UNPARTITIONED);
    struct buf text;
    buf_init(&text, arena, BUDGET_BYTES);
    spec_write(spec, 5, &text);
    ASSERT(is_ok(spec_parse(arena, json_of(arena, &text), NULL, &again)));
    ASSERT(again->id == 5 && spec_compatible(spec, again));
    ASSERT(spec_highest_field_id(spec) == spec_highest_field_id(again));
    bool valid = is_ok(spec_validate(spec, schema, 2, &diag));
    ASSERT(valid == is_ok(spec_validate(again, schema, 2, &diag)));
    if (is_ok(spec_rebind(arena, spec, schema, schema, &diag, &bound)))
        ASSERT(spec_compatible(spec, bound));
}

static void check_order(struct arena *arena, const struct json *json, const struct schema *schema)
{
    struct diag diag = {.count = 0};
    struct sort_order *order = NULL;
    struct sort_order *again = NULL;
    struct sort_order *bound = NULL;
    if (!is_ok(sort_parse(arena, json, &diag, &order)))
        return;
    struct buf text;
    buf_init(&text, arena, BUDGET_BYTES);
    sort_write(order, 5, &text);
    ASSERT(is_ok(sort_parse(arena, json_of(arena, &text), NULL, &again)));
    ASSERT(again->id == 5 && sort_same(order, again));
    ASSERT(is_ok(sort_check_sources(order, schema, &diag)) ==
           is_ok(sort_check_sources(again, schema, &diag)));
    if (is_ok(sort_rebind(arena, order, schema, schema, &diag, &bound)))
        ASSERT(sort_same(order, bound));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct json_limits limits = json_limits_request();
    struct arena arena;
    arena_init(&arena, allocator_heap(), BUDGET_BYTES);
    const struct json *json = NULL;
    struct schema *schema = NULL;
    if (is_ok(json_parse(&arena, text, &limits, NULL, &json)) &&
        is_ok(schema_parse(&arena, json_get(json, "schema"), NULL, &schema))) {
        check_spec(&arena, json_get(json, "spec"), schema);
        check_order(&arena, json_get(json, "order"), schema);
    }
    arena_deinit(&arena);
    return 0;
}
