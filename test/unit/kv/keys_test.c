/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys_test.c - keys order as their fields do, and what is written can be read back.
 */
#include "kv/keys.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_layout_on_disk(void **state)
{
    (void)state;
    struct key key = key_part(0x01020304, KEY_TABLE, 0x1112131415161718, PART_SCHEMA);
    key_i32(&key, -2);
    static const char expected[] =
        "C\x01\x02\x03\x04T\x11\x12\x13\x14\x15\x16\x17\x18s\x7f\xff\xff\xfe";
    assert_int_equal(key.size, sizeof(expected) - 1);
    assert_memory_equal(key.data, expected, key.size);
    assert_true(str_is(key_str(&(struct key){1, "M"}), "M"));
    struct key fact = key_cluster(STR("cluster-id"));
    assert_true(str_is(key_str(&fact), "Mcluster-id"));
}

static void test_signed_numbers_order(void **state)
{
    (void)state;
    static const int64_t ascending[] = {INT64_MIN, INT64_MIN + 1, -256, -1,       0,
                                        1,         255,           256,  INT64_MAX};
    for (size_t i = 0; i < COUNTOF(ascending); i++) {
        struct key key = key_in(7, KEY_TABLE);
        key_i64(&key, ascending[i]);
        assert_int_equal(key_read_i64(key_str(&key), KEY_IN_SIZE), ascending[i]);
        if (i == 0)
            continue;
        struct key before = key_in(7, KEY_TABLE);
        key_i64(&before, ascending[i - 1]);
        assert_true(str_cmp(key_str(&before), key_str(&key)) < 0);
    }
}

static void test_reads_back(void **state)
{
    (void)state;
    struct key key = key_outbox(9, UINT64_C(0xfedcba9876543210), 77);
    assert_int_equal(key_read_u32(key_str(&key), 1), 9);
    assert_int_equal(key_read_u64(key_str(&key), KEY_IN_SIZE), UINT64_C(0xfedcba9876543210));
    assert_int_equal(key_read_u64(key_str(&key), KEY_OBJECT_SIZE), 77);
    struct key part = key_part(9, KEY_VIEW, 1, PART_VIEW_VERSION);
    key_i32(&part, INT32_MIN);
    assert_int_equal(key_read_i32(key_str(&part), KEY_PART_SIZE), INT32_MIN);
}

static void test_long_names(void **state)
{
    (void)state;
    char name[KEY_NAME_MAX + 64];
    memset(name, 'n', sizeof(name));
    struct key longest = key_child(1, KEY_TABLE_NAME, 2, (struct str){name, KEY_NAME_MAX});
    assert_int_equal(longest.size, KEY_OBJECT_SIZE + KEY_NAME_MAX);
    struct key hashed = key_child(1, KEY_TABLE_NAME, 2, (struct str){name, KEY_NAME_MAX + 1});
    assert_int_equal(hashed.size, KEY_OBJECT_SIZE + KEY_NAME_MAX + 16);
    struct key other = key_child(1, KEY_TABLE_NAME, 2, (struct str){name, KEY_NAME_MAX + 2});
    assert_int_equal(other.size, hashed.size);
    assert_memory_not_equal(other.data, hashed.data, hashed.size);
    assert_true(str_starts(key_str(&hashed), key_str(&longest)));
}

static void test_a_warehouse_is_a_range(void **state)
{
    (void)state;
    struct key last = key_object(5, KEY_IDEMPOTENCY, UINT64_MAX);
    struct key next = key_counter(6, STR("next-id"));
    struct key first = key_object(5, KEY_NAMESPACE_ID, 0);
    assert_true(str_cmp(key_str(&first), key_str(&last)) < 0);
    assert_true(str_cmp(key_str(&last), key_str(&next)) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout_on_disk),
        cmocka_unit_test(test_signed_numbers_order),
        cmocka_unit_test(test_reads_back),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_a_warehouse_is_a_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
