/* SPDX-License-Identifier: Apache-2.0 */
/*
 * partition_test.c - partition specs: transforms and sources, names, ids, equality, writing.
 */
#include "catalog/partition.h"

#include "leaf.h"

#include <stdio.h>

static const char *const schema_text =
    "{\"fields\":["
    "{\"id\":1,\"name\":\"id\",\"required\":true,\"type\":\"long\"},"
    "{\"id\":2,\"name\":\"ts\",\"required\":true,\"type\":\"timestamptz\"},"
    "{\"id\":3,\"name\":\"s\",\"required\":false,\"type\":{\"type\":\"struct\",\"fields\":["
    "{\"id\":4,\"name\":\"d\",\"required\":false,\"type\":\"date\"}]}},"
    "{\"id\":5,\"name\":\"l\",\"required\":false,\"type\":{\"type\":\"list\",\"element-id\":6,"
    "\"element\":\"int\",\"element-required\":false}},"
    "{\"id\":7,\"name\":\"f\",\"required\":false,\"type\":\"float\"},"
    "{\"id\":8,\"name\":\"v\",\"required\":false,\"type\":\"variant\"},"
    "{\"id\":9,\"name\":\"g\",\"required\":false,\"type\":\"geometry\"}]}";

static struct schema *schema_of(struct leaf *leaf, const char *text)
{
    struct schema *schema = NULL;
    leaf_assert_ok(leaf, schema_parse(&leaf->arena, leaf_json(leaf, text), &leaf->diag, &schema));
    return schema;
}

static struct spec *spec_of(struct leaf *leaf, const char *fields)
{
    struct str text = arena_printf(&leaf->arena, "{\"spec-id\":0,\"fields\":[%s]}", fields);
    struct spec *spec = NULL;
    leaf_assert_ok(leaf, spec_parse(&leaf->arena, leaf_json(leaf, text.data), &leaf->diag, &spec));
    return spec;
}

static void assert_spec(const char *fields, int32_t version, const char *message)
{
    struct leaf leaf;
    leaf_init(&leaf);
    const struct schema *schema = schema_of(&leaf, schema_text);
    status_value result = spec_validate(spec_of(&leaf, fields), schema, version, &leaf.diag);
    if (message == NULL)
        leaf_assert_ok(&leaf, result);
    else
        leaf_assert_fails(&leaf, result, STATUS_ILLEGAL_ARGUMENT, message);
    leaf_deinit(&leaf);
}

/* One field "p" with id 1000. */
static void assert_transform(int source_id, const char *transform, const char *message)
{
    char text[256];
    (void)snprintf(text, sizeof(text),
                   "{\"name\":\"p\",\"transform\":\"%s\",\"source-id\":%d,\"field-id\":1000}",
                   transform, source_id);
    assert_spec(text, 2, message);
}

static void test_transforms_take_their_types(void **state)
{
    (void)state;
    static const struct {
        int source_id;
        const char *transform;
    } good[] = {{1, "identity"},  {1, "bucket[16]"}, {1, "truncate[10]"}, {2, "year"},
                {2, "month"},     {2, "day"},        {2, "hour"},         {4, "day"},
                {2, "bucket[1]"}, {7, "identity"},   {7, "void"},         {99, "void"},
                {1, "zorder"},    {1, "BUCKET[4]"}};
    for (size_t i = 0; i < COUNTOF(good); i++)
        assert_transform(good[i].source_id, good[i].transform, NULL);
    assert_transform(1, "day", "Invalid source type long for transform: day");
    assert_transform(4, "hour", "Invalid source type date for transform: hour");
    assert_transform(7, "bucket[4]", "Invalid source type float for transform: bucket[4]");
    assert_transform(2, "truncate[4]",
                     "Invalid source type timestamptz for transform: truncate[4]");
    assert_transform(9, "identity", "Invalid source type geometry for transform: identity");
    assert_transform(1, "bucket[0]", "Invalid number of buckets: 0 (must be > 0)");
    assert_transform(1, "truncate[0]", "Invalid truncate width: 0 (must be > 0)");
}

static void test_sources_must_be_reachable(void **state)
{
    (void)state;
    assert_transform(99, "identity",
                     "Cannot find source column for partition field: 1000: p: identity(99)");
    assert_transform(3, "identity", "Cannot partition by non-primitive source field: struct");
    assert_transform(8, "identity", "Cannot partition by non-primitive source field: variant");
    assert_transform(6, "identity",
                     "Invalid partition field parent: l.element lies in a list or map");
}

static void test_names(void **state)
{
    (void)state;
    assert_spec("{\"name\":\"id\",\"transform\":\"identity\",\"source-id\":1}", 2, NULL);
    assert_spec("{\"name\":\"ts\",\"transform\":\"identity\",\"source-id\":1}", 2,
                "Cannot create identity partition sourced from different field in schema: ts");
    assert_spec("{\"name\":\"ts\",\"transform\":\"void\",\"source-id\":99}", 2, NULL);
    assert_spec("{\"name\":\"\",\"transform\":\"identity\",\"source-id\":1}", 2,
                "Cannot use empty partition name: ");
    assert_spec("{\"name\":\"p\",\"transform\":\"day\",\"source-id\":2},"
                "{\"name\":\"p\",\"transform\":\"identity\",\"source-id\":1}",
                2, "Cannot use partition name more than once: p");
}

static void test_redundant_fields(void **state)
{
    (void)state;
    assert_spec("{\"name\":\"a\",\"transform\":\"day\",\"source-id\":2,\"field-id\":1000},"
                "{\"name\":\"b\",\"transform\":\"day\",\"source-id\":2,\"field-id\":1001}",
                2,
                "Cannot add redundant partition: 1000: a: day(2) conflicts with 1001: b: day(2)");
    assert_spec("{\"name\":\"a\",\"transform\":\"day\",\"source-id\":2},"
                "{\"name\":\"b\",\"transform\":\"hour\",\"source-id\":2}",
                2, NULL);
    assert_spec("{\"name\":\"a\",\"transform\":\"void\",\"source-id\":2,\"field-id\":1000},"
                "{\"name\":\"b\",\"transform\":\"void\",\"source-id\":2,\"field-id\":1001}",
                1, NULL);
    assert_spec("{\"name\":\"a\",\"transform\":\"day\",\"source-id\":2,\"field-id\":1000},"
                "{\"name\":\"b\",\"transform\":\"hour\",\"source-id\":2,\"field-id\":1000}",
                2, "Cannot use partition field id more than once: 1000");
}

static void test_v1_ids_are_sequential(void **state)
{
    (void)state;
    assert_spec("{\"name\":\"a\",\"transform\":\"day\",\"source-id\":2,\"field-id\":1001}", 1,
                "Spec does not use sequential IDs that are required in v1: field a has id 1001");
    assert_spec("{\"name\":\"a\",\"transform\":\"day\",\"source-id\":2,\"field-id\":1001}", 2,
                NULL);
}

static void assert_parse_fails(const char *text, int32_t code, const char *message)
{
    struct leaf leaf;
    leaf_init(&leaf);
    struct spec *spec = NULL;
    leaf_assert_fails(&leaf, spec_parse(&leaf.arena, leaf_json(&leaf, text), &leaf.diag, &spec),
                      code, message);
    assert_null(spec);
    leaf_deinit(&leaf);
}

static void test_malformed_specs(void **state)
{
    (void)state;
    assert_parse_fails(
        "{\"fields\":[{\"name\":\"a\",\"transform\":\"day\",\"source-id\":2,"
        "\"field-id\":1000},{\"name\":\"b\",\"transform\":\"day\",\"source-id\":3}]}",
        STATUS_ILLEGAL_ARGUMENT,
        "Cannot parse spec with missing field IDs: 1 missing of 2 fields.");
    assert_parse_fails("{}", STATUS_INVALID, "cannot parse partition spec: missing field fields");
    assert_parse_fails("{\"fields\":[{\"transform\":\"day\",\"source-id\":2}]}", STATUS_INVALID,
                       "cannot parse partition field: missing field name");
    assert_parse_fails("{\"fields\":[{\"name\":\"a\",\"transform\":\"day\"}]}", STATUS_INVALID,
                       "cannot parse partition: missing field source-id");
    assert_parse_fails("{\"fields\":[{\"name\":\"a\",\"transform\":\"day\",\"source-ids\":[]}]}",
                       STATUS_INVALID,
                       "cannot parse partition field: source-ids must be an array with ids");
    assert_parse_fails("{\"fields\":[{\"name\":\"a\",\"transform\":\"day\",\"source-id\":2,"
                       "\"field-id\":-1}]}",
                       STATUS_ILLEGAL_ARGUMENT, "Invalid partition field id: -1");
}

static void test_compatible_ignores_field_ids(void **state)
{
    (void)state;
    struct leaf leaf;
    leaf_init(&leaf);
    const struct spec *a =
        spec_of(&leaf, "{\"name\":\"a\",\"transform\":\"day\",\"source-id\":2,\"field-id\":1000}");
    assert_true(spec_compatible(
        a, spec_of(&leaf,
                   "{\"name\":\"a\",\"transform\":\"day\",\"source-id\":2,\"field-id\":1007}")));
    assert_false(spec_compatible(
        a, spec_of(&leaf, "{\"name\":\"b\",\"transform\":\"day\",\"source-id\":2}")));
    assert_false(spec_compatible(
        a, spec_of(&leaf, "{\"name\":\"a\",\"transform\":\"hour\",\"source-id\":2}")));
    assert_false(spec_compatible(
        a, spec_of(&leaf, "{\"name\":\"a\",\"transform\":\"day\",\"source-id\":3}")));
    assert_false(spec_compatible(a, spec_of(&leaf, "")));
    leaf_deinit(&leaf);
}

static void test_field_ids_are_never_given_twice(void **state)
{
    (void)state;
    struct leaf leaf;
    leaf_init(&leaf);
    const struct spec *older[] = {
        spec_of(&leaf, "{\"name\":\"a\",\"transform\":\"day\",\"source-id\":2,\"field-id\":1000}"),
        spec_of(&leaf, "{\"name\":\"b\",\"transform\":\"bucket[4]\",\"source-id\":1,"
                       "\"field-id\":1001}")};
    struct spec *spec =
        spec_of(&leaf, "{\"name\":\"x\",\"transform\":\"bucket[8]\",\"source-id\":1},"
                       "{\"name\":\"y\",\"transform\":\"bucket[4]\",\"source-id\":1},"
                       "{\"name\":\"z\",\"transform\":\"identity\",\"source-id\":1}");
    spec_assign_field_ids(spec, older, COUNTOF(older), 1001);
    assert_int_equal(spec->fields[0].field_id, 1002);
    assert_int_equal(spec->fields[1].field_id, 1001);
    assert_int_equal(spec->fields[2].field_id, 1003);
    assert_int_equal(spec_highest_field_id(spec), 1003);
    assert_int_equal(spec_highest_field_id(spec_of(&leaf, "")), 999);
    leaf_deinit(&leaf);
}

static void test_rebind_by_name(void **state)
{
    (void)state;
    struct leaf leaf;
    leaf_init(&leaf);
    const struct schema *from = schema_of(&leaf, schema_text);
    struct schema *to = NULL;
    leaf_assert_ok(&leaf, schema_assign_fresh_ids(&leaf.arena, from, &leaf.diag, &to));
    struct spec *bound = NULL;
    leaf_assert_ok(
        &leaf, spec_rebind(
                   &leaf.arena,
                   spec_of(&leaf, "{\"source-id\":4,\"field-id\":77,\"name\":\"a\",\"x\":[1],"
                                  "\"transform\":\"day\"},{\"name\":\"z\",\"transform\":\"zorder\","
                                  "\"source-ids\":[1,7],\"field-id\":78}"),
                   from, to, &leaf.diag, &bound));
    struct buf out;
    buf_init(&out, &leaf.arena, 4096);
    spec_write(bound, 0, &out);
    assert_text(buf_view(&out),
                "{\"spec-id\":0,\"fields\":[{\"source-id\":8,\"field-id\":1000,\"name\":\"a\","
                "\"x\":[1],\"transform\":\"day\"},{\"name\":\"z\",\"transform\":\"zorder\","
                "\"source-ids\":[1,5],\"field-id\":1001}]}");
    leaf_assert_fails(&leaf,
                      spec_rebind(&leaf.arena,
                                  spec_of(&leaf, "{\"name\":\"a\",\"transform\":\"day\","
                                                 "\"source-id\":55}"),
                                  from, to, &leaf.diag, &bound),
                      STATUS_ILLEGAL_ARGUMENT, "Cannot find source column for partition field: 55");
    leaf_deinit(&leaf);
}

static void test_write_gives_back_what_was_parsed(void **state)
{
    (void)state;
    const char *text = "{\"spec-id\":5,\"fields\":[{\"name\":\"a\",\"transform\":\"bucket[4]\","
                       "\"source-id\":2,\"field-id\":1000,\"x-new\":{\"y\":null}},{\"name\":\"z\","
                       "\"transform\":\"zorder\",\"source-ids\":[1,7],\"field-id\":1001}],\"x\":1}";
    struct leaf leaf;
    leaf_init(&leaf);
    struct spec *spec = NULL;
    leaf_assert_ok(&leaf, spec_parse(&leaf.arena, leaf_json(&leaf, text), &leaf.diag, &spec));
    assert_int_equal(spec->id, 5);
    struct buf out;
    buf_init(&out, &leaf.arena, 4096);
    spec_write(spec, 5, &out);
    assert_text(buf_view(&out), text);
    leaf_deinit(&leaf);
}

static void test_every_shortage_of_memory_is_survived(void **state)
{
    (void)state;
    struct leaf leaf;
    leaf_init(&leaf);
    const struct schema *schema = schema_of(&leaf, schema_text);
    const struct json *json =
        leaf_json(&leaf, "{\"fields\":[{\"name\":\"a\",\"transform\":\"day\",\"source-id\":2}]}");
    bool done = false;
    size_t failures = 0;
    for (size_t budget = 0; !done; budget += 16, failures++) {
        struct arena arena;
        arena_init(&arena, allocator_heap(), budget);
        struct spec *spec = NULL;
        struct spec *bound = NULL;
        status_value result = spec_parse(&arena, json, NULL, &spec);
        if (is_ok(result))
            result = spec_rebind(&arena, spec, schema, schema, NULL, &bound);
        done = is_ok(result);
        assert_true(done || result.code == STATUS_NOMEM);
        arena_deinit(&arena);
    }
    assert_true(failures > 3);
    leaf_deinit(&leaf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transforms_take_their_types),
        cmocka_unit_test(test_sources_must_be_reachable),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_redundant_fields),
        cmocka_unit_test(test_v1_ids_are_sequential),
        cmocka_unit_test(test_malformed_specs),
        cmocka_unit_test(test_compatible_ignores_field_ids),
        cmocka_unit_test(test_field_ids_are_never_given_twice),
        cmocka_unit_test(test_rebind_by_name),
        cmocka_unit_test(test_write_gives_back_what_was_parsed),
        cmocka_unit_test(test_every_shortage_of_memory_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
