/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema_test.c - schemas: what is understood, what is refused and with which words, ids, equality.
 */
#include "catalog/schema.h"

#include "failing_allocator.h"
#include "leaf.h"

#include <stdio.h>

static struct schema *parse(struct leaf *leaf, const char *text)
{
    struct schema *schema = NULL;
    leaf_assert_ok(leaf, schema_parse(&leaf->arena, leaf_json(leaf, text), &leaf->diag, &schema));
    return schema;
}

static void assert_parse_fails(const char *text, int32_t code, const char *message)
{
    struct leaf leaf;
    leaf_init(&leaf);
    struct schema *schema = NULL;
    leaf_assert_fails(&leaf, schema_parse(&leaf.arena, leaf_json(&leaf, text), &leaf.diag, &schema),
                      code, message);
    assert_null(schema);
    leaf_deinit(&leaf);
}

static void assert_validate(const char *text, int32_t version, const char *message)
{
    struct leaf leaf;
    leaf_init(&leaf);
    status_value result = schema_validate(parse(&leaf, text), version, &leaf.diag);
    if (message == NULL)
        leaf_assert_ok(&leaf, result);
    else
        leaf_assert_fails(&leaf, result, STATUS_ILLEGAL_ARGUMENT, message);
    leaf_deinit(&leaf);
}

static const char *const nested_text =
    "{\"type\":\"struct\",\"schema-id\":3,\"identifier-field-ids\":[10,21],\"fields\":["
    "{\"id\":10,\"name\":\"id\",\"required\":true,\"type\":\"long\",\"doc\":\"key\"},"
    "{\"id\":20,\"name\":\"who\",\"required\":true,\"type\":{\"type\":\"struct\",\"fields\":["
    "{\"id\":21,\"name\":\"first\",\"required\":true,\"type\":\"string\"},"
    "{\"id\":22,\"name\":\"last\",\"required\":false,\"type\":\"string\",\"x-new\":{\"a\":[1]}}]}},"
    "{\"id\":30,\"name\":\"tags\",\"required\":false,\"type\":{\"type\":\"list\",\"element-id\":31,"
    "\"element\":{\"type\":\"struct\",\"fields\":["
    "{\"id\":32,\"name\":\"k\",\"required\":false,\"type\":\"string\"}]},\"element-required\":true}"
    "},"
    "{\"id\":40,\"name\":\"props\",\"required\":false,\"type\":{\"type\":\"map\",\"key-id\":41,"
    "\"key\":\"string\",\"value-id\":42,\"value\":{\"type\":\"list\",\"element-id\":43,"
    "\"element\":\"int\",\"element-required\":false},\"value-required\":false}}],\"x-top\":1}";

static void test_fields_of_nested_types(void **state)
{
    (void)state;
    struct leaf leaf;
    leaf_init(&leaf);
    const struct schema *schema = parse(&leaf, nested_text);
    assert_int_equal(schema_id(schema), 3);
    assert_int_equal(schema_highest_field_id(schema), 43);
    assert_int_equal(schema_field_count(schema), 11);

    const struct schema_field *field = schema_field_by_name(schema, STR("tags.element.k"));
    assert_non_null(field);
    assert_int_equal(field->id, 32);
    assert_int_equal(field->parent_id, 31);
    assert_false(field->parent_is_struct);
    field = schema_field_by_id(schema, 22);
    assert_text(field->full_name, "who.last");
    assert_true(field->parent_is_struct && field->is_primitive && !field->required);
    assert_int_equal(schema_field_by_id(schema, 10)->parent_id, -1);
    assert_text(schema_field_by_id(schema, 43)->full_name, "props.value.element");
    assert_text(schema_field_by_id(schema, 41)->type_text, "string");
    assert_true(schema_field_by_id(schema, 41)->required);
    assert_null(schema_field_by_id(schema, 44));
    assert_null(schema_field_by_name(schema, STR("tags.k")));
    leaf_deinit(&leaf);
}

static void test_write_gives_back_what_was_parsed(void **state)
{
    (void)state;
    struct leaf leaf;
    leaf_init(&leaf);
    struct buf out;
    buf_init(&out, &leaf.arena, 1 << 20);
    schema_write(parse(&leaf, nested_text), 3, &out);
    assert_text(buf_view(&out), nested_text);
    buf_clear(&out);
    schema_write(parse(&leaf, "{\"fields\":[],\"schema-id\":9}"), 4, &out);
    assert_text(buf_view(&out), "{\"type\":\"struct\",\"schema-id\":4,\"fields\":[]}");
    leaf_deinit(&leaf);
}

static void test_fresh_ids_number_structs_first(void **state)
{
    (void)state;
    struct leaf leaf;
    leaf_init(&leaf);
    struct schema *fresh = NULL;
    leaf_assert_ok(
        &leaf, schema_assign_fresh_ids(&leaf.arena, parse(&leaf, nested_text), &leaf.diag, &fresh));
    static const struct {
        const char *name;
        int32_t id;
    } expected[] = {{"id", 1},
                    {"who", 2},
                    {"tags", 3},
                    {"props", 4},
                    {"who.first", 5},
                    {"who.last", 6},
                    {"tags.element", 7},
                    {"tags.element.k", 8},
                    {"props.key", 9},
                    {"props.value", 10},
                    {"props.value.element", 11}};
    assert_int_equal(schema_field_count(fresh), COUNTOF(expected));
    for (size_t i = 0; i < COUNTOF(expected); i++) {
        const struct schema_field *field = schema_field_by_name(fresh, str_from(expected[i].name));
        assert_non_null(field);
        assert_int_equal(field->id, expected[i].id);
    }
    struct buf out;
    buf_init(&out, &leaf.arena, 1 << 20);
    schema_write(fresh, 0, &out);
    assert_true(
        str_starts(buf_view(&out), STR("{\"type\":\"struct\",\"schema-id\":0,"
                                       "\"identifier-field-ids\":[1,5],\"fields\":[{\"id\":1,"
                                       "\"name\":\"id\"")));
    assert_true(str_ends(buf_view(&out), STR(",\"x-top\":1}")));
    leaf_deinit(&leaf);
}

static void test_fresh_ids_refuse_an_unknown_identifier(void **state)
{
    (void)state;
    struct leaf leaf;
    leaf_init(&leaf);
    struct schema *fresh = NULL;
    leaf_assert_fails(&leaf,
                      schema_assign_fresh_ids(
                          &leaf.arena, parse(&leaf, "{\"fields\":[],\"identifier-field-ids\":[7]}"),
                          &leaf.diag, &fresh),
                      STATUS_ILLEGAL_ARGUMENT,
                      "Cannot add fieldId 7 as an identifier field: field does not exist");
    leaf_deinit(&leaf);
}

/* A schema with one column "data" of a type. */
static const char *with_type(struct leaf *leaf, const char *type)
{
    return arena_printf(
               &leaf->arena,
               "{\"fields\":[{\"id\":1,\"name\":\"data\",\"required\":false,\"type\":\"%s\"}]}",
               type)
        .data;
}

static void test_every_type_has_a_first_version(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int32_t version;
    } types[] = {{"boolean", 1},
                 {"int", 1},
                 {"long", 1},
                 {"float", 1},
                 {"double", 1},
                 {"decimal(9,2)", 1},
                 {"decimal(38, 10)", 1},
                 {"date", 1},
                 {"time", 1},
                 {"timestamp", 1},
                 {"timestamptz", 1},
                 {"string", 1},
                 {"uuid", 1},
                 {"fixed[16]", 1},
                 {"binary", 1},
                 {"timestamp_ns", 3},
                 {"timestamptz_ns", 3},
                 {"variant", 3},
                 {"unknown", 3},
                 {"geometry", 3},
                 {"geometry(srid:4326)", 3},
                 {"geography", 3},
                 {"geography(OGC:CRS84, spherical)", 3}};
    struct leaf leaf;
    leaf_init(&leaf);
    for (size_t i = 0; i < COUNTOF(types); i++) {
        const struct schema *schema = parse(&leaf, with_type(&leaf, types[i].text));
        for (int32_t version = 1; version <= 3; version++) {
            status_value result = schema_validate(schema, version, &leaf.diag);
            assert_int_equal(is_ok(result), version >= types[i].version);
        }
        diag_reset(&leaf.diag);
    }
    leaf_deinit(&leaf);
}

static void test_unknown_types_are_refused(void **state)
{
    (void)state;
    static const char *const types[] = {"LONG",       "int32",         "",
                                        "decimal",    "decimal(39,1)", "decimal(0,0)",
                                        "decimal(9)", "decimal(9,2",   "decimal[9,2]",
                                        "fixed",      "fixed[]",       "fixed[-1]",
                                        "fixed(4)",   "long(3)",       "variant()",
                                        "geometry(",  "geometry(a))",  "struct"};
    struct leaf leaf;
    leaf_init(&leaf);
    for (size_t i = 0; i < COUNTOF(types); i++) {
        char message[128];
        (void)snprintf(message, sizeof(message), "Cannot parse type string to primitive: %s",
                       types[i]);
        assert_parse_fails(with_type(&leaf, types[i]), STATUS_ILLEGAL_ARGUMENT, message);
    }
    leaf_deinit(&leaf);
}

static void test_malformed_schemas_are_refused(void **state)
{
    (void)state;
    assert_parse_fails("[]", STATUS_INVALID, "cannot parse schema: it must be an object");
    assert_parse_fails("{}", STATUS_INVALID, "cannot parse struct: missing field fields");
    assert_parse_fails("{\"type\":\"list\",\"fields\":[]}", STATUS_ILLEGAL_ARGUMENT,
                       "Cannot create schema, not a struct type: list");
    assert_parse_fails("{\"fields\":[{\"name\":\"a\"}]}", STATUS_INVALID,
                       "cannot parse schema field: missing field id");
    assert_parse_fails("{\"fields\":[{\"id\":1,\"name\":\"a\",\"type\":\"int\"}]}", STATUS_INVALID,
                       "cannot parse schema field: missing field required");
    assert_parse_fails("{\"fields\":[{\"id\":1,\"name\":\"a\",\"required\":false}]}",
                       STATUS_INVALID, "cannot parse schema: a type must be a string or an object");
    assert_parse_fails(
        "{\"fields\":[{\"id\":1,\"name\":\"a\",\"required\":false,\"type\":{\"type\":\"set\"}}]}",
        STATUS_ILLEGAL_ARGUMENT, "Cannot parse type from json: {\"type\":\"set\"}");
    assert_parse_fails("{\"fields\":[],\"identifier-field-ids\":[\"a\"]}", STATUS_INVALID,
                       "cannot parse schema: identifier-field-ids must hold 32-bit integers");
}

static void test_duplicates_are_refused(void **state)
{
    (void)state;
    assert_parse_fails("{\"fields\":[{\"id\":1,\"name\":\"a\",\"required\":false,\"type\":\"int\"},"
                       "{\"id\":1,\"name\":\"b\",\"required\":false,\"type\":\"int\"}]}",
                       STATUS_ILLEGAL_ARGUMENT,
                       "Invalid schema: field id 1 is used twice: a and b");
    assert_parse_fails("{\"fields\":[{\"id\":1,\"name\":\"a\",\"required\":false,\"type\":\"int\"},"
                       "{\"id\":2,\"name\":\"a\",\"required\":false,\"type\":\"int\"}]}",
                       STATUS_ILLEGAL_ARGUMENT,
                       "Invalid schema: multiple fields for name a: 1 and 2");
    assert_parse_fails("{\"fields\":[{\"id\":1,\"name\":\"l\",\"required\":false,\"type\":"
                       "{\"type\":\"list\",\"element-id\":1,\"element\":\"int\","
                       "\"element-required\":false}}]}",
                       STATUS_ILLEGAL_ARGUMENT,
                       "Invalid schema: field id 1 is used twice: l and l.element");
}

static void test_version_problems_are_listed_by_id(void **state)
{
    (void)state;
    assert_validate(
        "{\"fields\":[{\"id\":1,\"name\":\"data\",\"required\":false,"
        "\"type\":\"variant\"}]}",
        2,
        "Invalid schema for v2:\n- Invalid type for data: variant is not supported until "
        "v3");
    assert_validate(
        "{\"fields\":[{\"id\":9,\"name\":\"n\",\"required\":false,\"type\":\"int\","
        "\"initial-default\":7},{\"id\":2,\"name\":\"s\",\"required\":false,\"type\":{\"type\":"
        "\"struct\",\"fields\":[{\"id\":3,\"name\":\"t\",\"required\":false,"
        "\"type\":\"timestamp_ns\"}]}}]}",
        2,
        "Invalid schema for v2:\n- Invalid type for s.t: timestamp_ns is not supported until v3\n"
        "- Invalid initial default for n: non-null default (7) is not supported until v3");
    assert_validate("{\"fields\":[{\"id\":9,\"name\":\"n\",\"required\":false,\"type\":\"int\","
                    "\"initial-default\":null,\"write-default\":7}]}",
                    1, NULL);
}

static void test_defaults_fit_their_types(void **state)
{
    (void)state;
    assert_validate("{\"fields\":[{\"id\":1,\"name\":\"n\",\"required\":true,\"type\":\"int\","
                    "\"initial-default\":1,\"write-default\":2}]}",
                    3, NULL);
    assert_validate("{\"fields\":[{\"id\":1,\"name\":\"n\",\"required\":true,\"type\":\"int\","
                    "\"write-default\":\"x\"}]}",
                    3, "Cannot parse default as a int value: x");
    assert_validate("{\"fields\":[{\"id\":1,\"name\":\"n\",\"required\":true,\"type\":\"int\","
                    "\"write-default\":3000000000}]}",
                    3, "Cannot parse default as a int value: 3000000000");
    assert_validate("{\"fields\":[{\"id\":1,\"name\":\"n\",\"required\":false,\"type\":\"variant\","
                    "\"initial-default\":true}]}",
                    3, "Invalid default value for variant: true (must be null)");
}

static void test_ids_stay_below_the_reserved_ones(void **state)
{
    (void)state;
    assert_validate("{\"fields\":[{\"id\":2147483447,\"name\":\"n\",\"required\":false,"
                    "\"type\":\"int\"}]}",
                    2, NULL);
    assert_validate("{\"fields\":[{\"id\":2147483448,\"name\":\"n\",\"required\":false,"
                    "\"type\":\"int\"}]}",
                    2,
                    "Invalid schema: field id 2147483448 of n is not in the range 0 to 2147483447");
    assert_validate("{\"fields\":[{\"id\":-1,\"name\":\"n\",\"required\":false,\"type\":\"int\"}]}",
                    2, "Invalid schema: field id -1 of n is not in the range 0 to 2147483447");
    assert_validate(
        "{\"fields\":[{\"id\":1,\"name\":\"n\",\"required\":true,\"type\":\"unknown\"}]}", 3,
        "Cannot create required field with unknown type: n");
}

static void assert_identifier(int id, const char *message)
{
    char text[1024];
    (void)snprintf(
        text, sizeof(text),
        "{\"identifier-field-ids\":[%d],\"fields\":["
        "{\"id\":1,\"name\":\"ok\",\"required\":true,\"type\":\"long\"},"
        "{\"id\":2,\"name\":\"opt\",\"required\":false,\"type\":\"long\"},"
        "{\"id\":3,\"name\":\"f\",\"required\":true,\"type\":\"double\"},"
        "{\"id\":4,\"name\":\"s\",\"required\":true,\"type\":{\"type\":\"struct\",\"fields\":["
        "{\"id\":5,\"name\":\"in\",\"required\":true,\"type\":\"int\"}]}},"
        "{\"id\":6,\"name\":\"o\",\"required\":false,\"type\":{\"type\":\"struct\",\"fields\":["
        "{\"id\":7,\"name\":\"in\",\"required\":true,\"type\":\"int\"}]}},"
        "{\"id\":8,\"name\":\"l\",\"required\":true,\"type\":{\"type\":\"list\",\"element-id\":9,"
        "\"element\":\"int\",\"element-required\":true}}]}",
        id);
    assert_validate(text, 2, message);
}

static void test_identifier_fields(void **state)
{
    (void)state;
    assert_identifier(1, NULL);
    assert_identifier(5, NULL);
    assert_identifier(2, "Cannot add field opt as an identifier field: not a required field");
    assert_identifier(
        3, "Cannot add field f as an identifier field: must not be float or double field");
    assert_identifier(4, "Cannot add field s as an identifier field: not a primitive type field");
    assert_identifier(7, "Cannot add field in as an identifier field: must not be nested in an "
                         "optional field 6: o");
    assert_identifier(
        9, "Cannot add field element as an identifier field: must not be nested in 8: l: list");
    assert_identifier(99, "Cannot add fieldId 99 as an identifier field: field does not exist");
}

static bool same(const char *a, const char *b)
{
    struct leaf leaf;
    leaf_init(&leaf);
    bool equal = schema_same(parse(&leaf, a), parse(&leaf, b));
    assert_int_equal(schema_same(parse(&leaf, b), parse(&leaf, a)), equal);
    leaf_deinit(&leaf);
    return equal;
}

#define COLUMN(rest) "{\"fields\":[{\"id\":1,\"name\":\"a\",\"required\":false" rest "}]}"

static void test_same_schema(void **state)
{
    (void)state;
    const char *base = COLUMN(",\"type\":\"decimal(9,2)\"");
    assert_true(same(base, COLUMN(",\"type\":\"decimal(9, 2)\",\"doc\":null")));
    assert_false(same(base, COLUMN(",\"type\":\"decimal(9,3)\"")));
    assert_false(same(base, COLUMN(",\"type\":\"decimal(9,2)\",\"doc\":\"d\"")));
    assert_false(same(base, COLUMN(",\"type\":\"decimal(9,2)\",\"write-default\":\"1.00\"")));
    assert_false(same(base, COLUMN(",\"type\":\"decimal(9,2)\",\"x-new\":1")));
    assert_true(same(nested_text, nested_text));
    assert_true(same("{\"schema-id\":1,\"identifier-field-ids\":[],\"fields\":[]}",
                     "{\"type\":\"struct\",\"schema-id\":2,\"fields\":[]}"));
    assert_false(same("{\"identifier-field-ids\":[1],\"fields\":[]}", "{\"fields\":[]}"));
    assert_false(same(COLUMN(",\"type\":{\"type\":\"list\",\"element-id\":2,\"element\":\"int\","
                             "\"element-required\":true}"),
                      COLUMN(",\"type\":{\"type\":\"list\",\"element-id\":2,\"element\":\"long\","
                             "\"element-required\":true}")));
    assert_false(
        same("{\"fields\":[{\"id\":1,\"name\":\"a\",\"required\":true,\"type\":\"int\"}]}",
             "{\"fields\":[{\"id\":2,\"name\":\"a\",\"required\":true,\"type\":\"int\"}]}"));
}

/* Two thousand columns: the indexes grow and still find everything. */
static void test_many_columns(void **state)
{
    (void)state;
    enum { COLUMNS = 2000 };
    struct leaf leaf;
    leaf_init(&leaf);
    struct buf text;
    buf_init(&text, &leaf.arena, 1 << 20);
    buf_str(&text, STR("{\"fields\":["));
    for (int i = 0; i < COLUMNS; i++)
        buf_printf(&text, "%s{\"id\":%d,\"name\":\"c%d\",\"required\":false,\"type\":\"int\"}",
                   i > 0 ? "," : "", i * 7, i);
    buf_str(&text, STR("]}"));
    buf_byte(&text, '\0');
    const struct schema *schema = parse(&leaf, buf_view(&text).data);
    for (int i = 0; i < COLUMNS; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "c%d", i);
        const struct schema_field *field = schema_field_by_name(schema, str_from(name));
        assert_ptr_equal(field, schema_field_by_id(schema, i * 7));
        assert_non_null(field);
    }
    leaf_deinit(&leaf);
}

static status_value parse_and_use(struct arena *arena, const struct json *json)
{
    struct diag diag = {.count = 0};
    struct schema *schema;
    struct schema *fresh;
    TRY(schema_parse(arena, json, &diag, &schema));
    TRY(schema_assign_fresh_ids(arena, schema, &diag, &fresh));
    TRY(schema_validate(fresh, 2, &diag));
    struct buf out;
    buf_init(&out, arena, 1 << 20);
    schema_write(fresh, 0, &out);
    return buf_finish(&out, "schema", &diag);
}

static void test_every_failing_allocation_is_survived(void **state)
{
    (void)state;
    struct leaf leaf;
    leaf_init(&leaf);
    const struct json *json = leaf_json(&leaf, nested_text);
    bool done = false;
    for (uint64_t fail_at = 1; !done; fail_at++) {
        struct failing_allocator heap;
        struct arena arena;
        failing_allocator_init(&heap, fail_at);
        arena_init(&arena, &heap.base, LEAF_BUDGET_BYTES);
        status_value result = parse_and_use(&arena, json);
        done = is_ok(result);
        assert_int_equal(result.code, done ? STATUS_OK : STATUS_NOMEM);
        assert_true(done == (heap.calls < fail_at));
        arena_deinit(&arena);
        assert_int_equal(heap.live_bytes, 0);
    }
    leaf_deinit(&leaf);
}

/* Arenas take memory in chunks, so here the budget runs out, some bytes later each time. */
static void test_every_shortage_of_memory_is_survived(void **state)
{
    (void)state;
    struct leaf leaf;
    leaf_init(&leaf);
    const struct json *json = leaf_json(&leaf, nested_text);
    bool done = false;
    size_t failures = 0;
    for (size_t budget = 0; !done; budget += 64, failures++) {
        struct failing_allocator heap;
        struct arena arena;
        failing_allocator_init(&heap, 0);
        arena_init(&arena, &heap.base, budget);
        status_value result = parse_and_use(&arena, json);
        done = is_ok(result);
        assert_true(done || result.code == STATUS_NOMEM);
        arena_deinit(&arena);
        assert_int_equal(heap.live_bytes, 0);
    }
    assert_true(failures > 10);
    leaf_deinit(&leaf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields_of_nested_types),
        cmocka_unit_test(test_write_gives_back_what_was_parsed),
        cmocka_unit_test(test_fresh_ids_number_structs_first),
        cmocka_unit_test(test_fresh_ids_refuse_an_unknown_identifier),
        cmocka_unit_test(test_every_type_has_a_first_version),
        cmocka_unit_test(test_unknown_types_are_refused),
        cmocka_unit_test(test_malformed_schemas_are_refused),
        cmocka_unit_test(test_duplicates_are_refused),
        cmocka_unit_test(test_version_problems_are_listed_by_id),
        cmocka_unit_test(test_defaults_fit_their_types),
        cmocka_unit_test(test_ids_stay_below_the_reserved_ones),
        cmocka_unit_test(test_identifier_fields),
        cmocka_unit_test(test_same_schema),
        cmocka_unit_test(test_many_columns),
        cmocka_unit_test(test_every_failing_allocation_is_survived),
        cmocka_unit_test(test_every_shortage_of_memory_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
