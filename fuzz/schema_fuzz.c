/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema_fuzz.c - any text as a schema, or as an array of two: refused with words, or
 *   - written and read again it is the same schema and the same text,
 *   - fresh ids are 1..n, each once, and keep every name,
 *   - "the same" means the same in both directions.
 */
#include "catalog/schema.h"

enum { BUDGET_BYTES = 1 << 28 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str written(struct arena *arena, const struct schema *schema, int32_t id)
{
    struct buf text;
    buf_init(&text, arena, BUDGET_BYTES);
    schema_write(schema, id, &text);
    ASSERT(is_ok(buf_finish(&text, "schema", NULL)));
    return buf_view(&text);
}

static struct schema *parsed(struct arena *arena, struct str text)
{
    struct json_limits limits = json_limits_document();
    const struct json *json = NULL;
    struct schema *schema = NULL;
    ASSERT(is_ok(json_parse(arena, text, &limits, NULL, &json)));
    ASSERT(is_ok(schema_parse(arena, json, NULL, &schema)));
    return schema;
}

static void check_round_trip(struct arena *arena, const struct schema *schema)
{
    struct str text = written(arena, schema, 3);
    const struct schema *again = parsed(arena, text);
    ASSERT(schema_id(again) == 3);
    ASSERT(schema_same(schema, again));
    ASSERT(str_eq(written(arena, again, 3), text));
}

static void check_fresh(struct arena *arena, const struct schema *schema)
{
    struct diag diag = {.count = 0};
    struct schema *fresh = NULL;
    status_value result = schema_assign_fresh_ids(arena, schema, &diag, &fresh);
    if (!is_ok(result))
        return; /* an identifier field that does not exist */
    size_t count = schema_field_count(schema);
    ASSERT(schema_field_count(fresh) == count);
    ASSERT(schema_highest_field_id(fresh) == (int32_t)count);
    for (size_t i = 0; i < count; i++) {
        const struct schema_field *field = schema_field_at(schema, i);
        const struct schema_field *renumbered = schema_field_by_name(fresh, field->full_name);
        ASSERT(renumbered != NULL && renumbered->type == field->type);
        ASSERT(schema_field_by_id(fresh, (int32_t)i + 1) != NULL);
    }
    check_round_trip(arena, fresh);
}

static const struct schema *check_one(struct arena *arena, const struct json *json)
{
    struct diag diag = {.count = 0};
    struct schema *schema = NULL;
    if (!is_ok(schema_parse(arena, json, &diag, &schema))) {
        ASSERT(diag.count > 0);
        return NULL;
    }
    for (int32_t version = 1; version <= 3; version++) {
        struct diag unsaid = {.count = 0};
        ASSERT(is_ok(schema_validate(schema, version, &unsaid)) == (unsaid.count == 0));
    }
    check_round_trip(arena, schema);
    check_fresh(arena, schema);
    return schema;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct json_limits limits = json_limits_request();
    struct arena arena;
    arena_init(&arena, allocator_heap(), BUDGET_BYTES);
    const struct json *json = NULL;
    if (is_ok(json_parse(&arena, text, &limits, NULL, &json))) {
        bool is_pair = json_is(json, JSON_ARRAY);
        const struct schema *a = check_one(&arena, is_pair ? json_at(json, 0) : json);
        const struct schema *b = is_pair ? check_one(&arena, json_at(json, 1)) : a;
        if (a != NULL && b != NULL)
            ASSERT(schema_same(a, b) == schema_same(b, a));
    }
    arena_deinit(&arena);
    return 0;
}
