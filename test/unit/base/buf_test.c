/* SPDX-License-Identifier: Apache-2.0 */
/* buf_test.c - appending, the limit that sticks, and cursors over hostile bytes. */
#include "base/buf.h"

#include "base_test_support.h"

static void test_what_is_written_is_read(void **state)
{
    struct arena arena;
    struct buf buf;
    (void)state;
    arena_init(&arena, allocator_heap(), 1 << 20);
    buf_init(&buf, &arena, 1 << 16);
    buf_byte(&buf, 'x');
    buf_u32le(&buf, 0x01020304);
    buf_u64le(&buf, UINT64_MAX - 1);
    for (unsigned bits = 0; bits < 64; bits += 7)
        buf_varint(&buf, UINT64_C(1) << bits);
    buf_str(&buf, STR("tail"));
    struct cursor cursor = cursor_of(buf_view(&buf));
    assert_int_equal(cursor_u8(&cursor), 'x');
    assert_int_equal(cursor_u32le(&cursor), 0x01020304);
    assert_true(cursor_u64le(&cursor) == UINT64_MAX - 1);
    for (unsigned bits = 0; bits < 64; bits += 7)
        assert_true(cursor_varint(&cursor) == UINT64_C(1) << bits);
    assert_true(str_is(cursor_bytes(&cursor, 4), "tail"));
    assert_true(!cursor.failed && cursor_left(&cursor) == 0);
    assert_int_equal(cursor_u8(&cursor), 0);
    assert_true(cursor.failed);
    arena_deinit(&arena);
}

static void test_bad_lengths_and_varints_fail_once_and_for_all(void **state)
{
    static const char endless[] = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff";
    struct cursor cursor = cursor_of((struct str){endless, sizeof(endless) - 1});
    (void)state;
    (void)cursor_varint(&cursor);
    assert_true(cursor.failed);
    cursor = cursor_of(STR("abc"));
    assert_int_equal(cursor_bytes(&cursor, UINT64_MAX).size, 0);
    assert_true(cursor.failed);
    assert_int_equal(cursor_u8(&cursor), 0);
}

static void test_decimal_and_printf(void **state)
{
    struct arena arena;
    struct buf buf;
    (void)state;
    arena_init(&arena, allocator_heap(), 1 << 20);
    buf_init(&buf, &arena, 1 << 16);
    buf_i64(&buf, INT64_MIN);
    buf_byte(&buf, ' ');
    buf_u64(&buf, UINT64_MAX);
    buf_printf(&buf, " %s %d", "x", -1);
    assert_true(str_is(buf_view(&buf), "-9223372036854775808 18446744073709551615 x -1"));
    arena_deinit(&arena);
}

static void test_the_limit_sticks(void **state)
{
    struct diag diag = {.count = 0};
    struct arena arena;
    struct buf buf;
    (void)state;
    arena_init(&arena, allocator_heap(), 1 << 20);
    buf_init(&buf, &arena, 10);
    buf_str(&buf, STR("0123456789"));
    assert_true(is_ok(buf_finish(&buf, "text", &diag)));
    buf_byte(&buf, 'x');
    buf_clear(&buf);
    buf_init(&buf, &arena, 10);
    buf_str(&buf, STR("01234567890"));
    buf_str(&buf, STR("a")); /* would fit, but comes after the failure */
    assert_int_equal(buf_finish(&buf, "text", &diag).code, STATUS_TOO_LARGE);
    assert_int_equal(buf.size, 0);
    arena_deinit(&arena);
}

static void test_every_failing_allocation_is_reported(void **state)
{
    int failures = 0;
    (void)state;
    for (int nth = 0;; nth++) {
        struct failing f = failing_after(nth);
        struct diag diag = {.count = 0};
        struct arena arena;
        struct buf buf;
        arena_init(&arena, &f.allocator, 1 << 24);
        buf_init(&buf, &arena, 1 << 20);
        for (int i = 0; i < 20000; i++)
            buf_u64(&buf, 1234567);
        status_value result = buf_finish(&buf, "numbers", &diag);
        arena_deinit(&arena);
        assert_int_equal(f.out_bytes, 0);
        if (is_ok(result))
            break;
        assert_int_equal(result.code, STATUS_NOMEM);
        failures++;
    }
    assert_true(failures > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_written_is_read),
        cmocka_unit_test(test_bad_lengths_and_varints_fail_once_and_for_all),
        cmocka_unit_test(test_decimal_and_printf),
        cmocka_unit_test(test_the_limit_sticks),
        cmocka_unit_test(test_every_failing_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
