/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sort_test.c - sort orders: sources, directions, the reserved id, equality, rebinding, writing.
 */
#include "catalog/partition.h"
#include "leaf.h"

static const char *const schema_text =
    "{\"fields\":[{\"id\":5,\"name\":\"id\",\"required\":true,\"type\":\"long\"},"
    "{\"id\":6,\"name\":\"v\",\"required\":false,\"type\":\"variant\"}]}";

static const char *const order_text = "{\"order-id\":3,\"fields\":[{\"transform\":\"bucket[4]\","
                                      "\"source-id\":5,\"direction\":\"desc\","
                                      "\"null-order\":\"nulls-last\",\"x\":1}],\"y\":[]}";

static struct schema *schema_of(struct leaf *leaf)
{
    struct schema *schema = NULL;
    leaf_assert_ok(leaf,
                   schema_parse(&leaf->arena, leaf_json(leaf, schema_text), &leaf->diag, &schema));
    return schema;
}

static struct sort_order *order_of(struct leaf *leaf, const char *text)
{
    struct sort_order *order = NULL;
    leaf_assert_ok(leaf, sort_parse(&leaf->arena, leaf_json(leaf, text), &leaf->diag, &order));
    return order;
}

static struct sort_order *order_by(struct leaf *leaf, const char *transform, int source_id,
                                   const char *direction)
{
    struct str text = arena_printf(&leaf->arena,
                                   "{\"fields\":[{\"transform\":\"%s\",\"source-id\":%d,"
                                   "\"direction\":\"%s\",\"null-order\":\"nulls-first\"}]}",
                                   transform, source_id, direction);
    return order_of(leaf, text.data);
}

static void assert_invalid(struct leaf *leaf, const struct sort_order *order, const char *message)
{
    leaf_assert_fails(leaf, sort_validate(order, schema_of(leaf), &leaf->diag),
                      STATUS_ILLEGAL_ARGUMENT, message);
}

static void test_sources(void **state)
{
    (void)state;
    struct leaf leaf;
    leaf_init(&leaf);
    leaf_assert_ok(&leaf, sort_validate(order_of(&leaf, order_text), schema_of(&leaf), &leaf.diag));
    leaf_assert_ok(&leaf, sort_validate(order_of(&leaf, "{\"order-id\":0,\"fields\":[]}"),
                                        schema_of(&leaf), &leaf.diag));
    assert_invalid(&leaf, order_by(&leaf, "identity", 9, "asc"),
                   "Cannot find source column for sort field: identity(9) ASC NULLS FIRST");
    assert_invalid(&leaf, order_by(&leaf, "identity", 6, "desc"),
                   "Cannot sort by non-primitive source field: variant");
    assert_invalid(&leaf, order_by(&leaf, "hour", 5, "asc"),
                   "Invalid source type long for transform: hour");
    leaf_deinit(&leaf);
}

static void test_the_unsorted_id_is_reserved(void **state)
{
    (void)state;
    struct leaf leaf;
    leaf_init(&leaf);
    struct sort_order *order = order_of(&leaf, order_text);
    order->id = 0;
    assert_invalid(&leaf, order, "Sort order ID 0 is reserved for unsorted order");
    assert_int_equal(order_of(&leaf, "{\"fields\":[]}")->id, -1);
    leaf_deinit(&leaf);
}

static void assert_parse_fails(const char *text, int32_t code, const char *message)
{
    struct leaf leaf;
    leaf_init(&leaf);
    struct sort_order *order = NULL;
    leaf_assert_fails(&leaf, sort_parse(&leaf.arena, leaf_json(&leaf, text), &leaf.diag, &order),
                      code, message);
    leaf_deinit(&leaf);
}

static void test_malformed_orders(void **state)
{
    (void)state;
    assert_parse_fails("{\"order-id\":1}", STATUS_INVALID,
                       "cannot parse sort order: missing field fields");
    assert_parse_fails(
        "{\"fields\":[{\"transform\":\"identity\",\"source-id\":1,\"direction\":\"up\","
        "\"null-order\":\"nulls-first\"}]}",
        STATUS_ILLEGAL_ARGUMENT, "Invalid sort direction: up");
    assert_parse_fails("{\"fields\":[{\"transform\":\"identity\",\"source-id\":1,"
                       "\"direction\":\"asc\",\"null-order\":\"first\"}]}",
                       STATUS_ILLEGAL_ARGUMENT, "Invalid null order: first");
    assert_parse_fails("{\"fields\":[{\"source-id\":1}]}", STATUS_INVALID,
                       "cannot parse sort field: missing field transform");
}

static void test_same_order(void **state)
{
    (void)state;
    struct leaf leaf;
    leaf_init(&leaf);
    const struct sort_order *a = order_by(&leaf, "identity", 5, "asc");
    assert_true(sort_same(a, order_by(&leaf, "identity", 5, "asc")));
    assert_false(sort_same(a, order_by(&leaf, "identity", 5, "desc")));
    assert_false(sort_same(a, order_by(&leaf, "identity", 6, "asc")));
    assert_false(sort_same(a, order_by(&leaf, "bucket[2]", 5, "asc")));
    assert_false(sort_same(a, order_of(&leaf, "{\"fields\":[]}")));
    leaf_deinit(&leaf);
}

static void test_rebind_and_write(void **state)
{
    (void)state;
    struct leaf leaf;
    leaf_init(&leaf);
    struct schema *to = NULL;
    struct sort_order *bound = NULL;
    struct buf out;
    buf_init(&out, &leaf.arena, 4096);
    sort_write(order_of(&leaf, order_text), 3, &out);
    assert_text(buf_view(&out), order_text);
    leaf_assert_ok(&leaf, schema_assign_fresh_ids(&leaf.arena, schema_of(&leaf), &leaf.diag, &to));
    leaf_assert_ok(&leaf, sort_rebind(&leaf.arena, order_of(&leaf, order_text), schema_of(&leaf),
                                      to, &leaf.diag, &bound));
    assert_int_equal(bound->fields[0].source_id, 1);
    buf_clear(&out);
    sort_write(bound, 1, &out);
    assert_text(buf_view(&out),
                "{\"order-id\":1,\"fields\":[{\"transform\":\"bucket[4]\",\"source-id\":1,"
                "\"direction\":\"desc\",\"null-order\":\"nulls-last\",\"x\":1}],\"y\":[]}");
    leaf_deinit(&leaf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sources),          cmocka_unit_test(test_the_unsorted_id_is_reserved),
        cmocka_unit_test(test_malformed_orders), cmocka_unit_test(test_same_order),
        cmocka_unit_test(test_rebind_and_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
