/* SPDX-License-Identifier: Apache-2.0 */
/*
 * payload_test.c - a payload reads back as its batch; every damaged one is refused or reads as
 * another valid payload, never past its end.
 */
#include "store_property.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct arena arena;
static struct diag diag;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, allocator_heap(), 1 << 28);
    diag_reset(&diag);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_deinit(&arena);
    return 0;
}

static struct kv_batch *small_batch(void)
{
    struct kv_batch *batch = NULL;
    assert_true(is_ok(kv_batch_create(&arena, NULL, &diag, &batch)));
    assert_true(is_ok(kv_put(batch, STR("b"), STR("value"), &diag)));
    assert_true(is_ok(kv_put(batch, STR("c"), STR(""), &diag)));
    assert_true(is_ok(kv_delete(batch, STR("a"), &diag)));
    return batch;
}

static void test_bytes_on_disk(void **state)
{
    (void)state;
    struct kv_trace trace = {{0}};
    trace.bytes[0] = 0xee;
    trace.bytes[24] = 1;
    struct buf buf;
    buf_init(&buf, &arena, 4096);
    kv_payload_encode(small_batch(), (hlc_stamp){0x1122}, &trace, &buf);
    static const char expected[] =
        "\x01\x22\x11\0\0\0\0\0\0\xee\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x03"
        "\x02\x01"
        "a\0\x01\x01"
        "b\x05value\x01\x01"
        "c\0";
    assert_int_equal(buf.size, sizeof(expected) - 1);
    assert_memory_equal(buf.data, expected, buf.size);
    struct kv_payload payload;
    assert_true(is_ok(kv_payload_open(buf_view(&buf), &diag, &payload)));
    assert_int_equal(payload.stamp.value, 0x1122);
    assert_memory_equal(payload.trace.bytes, trace.bytes, sizeof(trace.bytes));
    assert_int_equal(payload.left, 3);
}

static void test_reads_back_as_the_batch(void **state)
{
    (void)state;
    struct prng prng;
    prng_init(&prng, 3);
    struct model *model = mem_zalloc(sizeof(*model));
    struct kv_batch *batch = NULL;
    assert_true(is_ok(kv_batch_create(&arena, NULL, &diag, &batch)));
    random_writes(&prng, &arena, 300, batch, model);
    struct kv_payload payload;
    assert_true(is_ok(kv_payload_open(payload_of(batch, 9, &arena), &diag, &payload)));
    struct kv_batch_iter iter = kv_batch_writes(batch);
    struct kv_write expected;
    struct kv_write read;
    bool found = false;
    while (kv_batch_next(&iter, &expected)) {
        assert_true(is_ok(kv_payload_next(&payload, &diag, &read, &found)));
        assert_true(found);
        assert_true(str_eq(read.key, expected.key));
        assert_true(str_eq(read.value, expected.value));
        assert_int_equal(read.is_delete, expected.is_delete);
    }
    assert_true(is_ok(kv_payload_next(&payload, &diag, &read, &found)));
    assert_false(found);
    mem_free(model);
}

static void expect_corrupt(struct str bytes)
{
    assert_int_equal(kv_payload_check(bytes, &diag).code, STATUS_CORRUPT);
}

static void test_every_prefix_is_refused(void **state)
{
    (void)state;
    struct str bytes = payload_of(small_batch(), 1, &arena);
    for (size_t size = 0; size < bytes.size; size++) {
        char *exact = mem_alloc(size + (size == 0));
        memcpy(exact, bytes.data, size);
        expect_corrupt((struct str){exact, size});
        mem_free(exact);
    }
    assert_true(is_ok(kv_payload_check(bytes, &diag)));
}

enum { HEADER = 1 + 8 + 25 };

/* The header of a valid payload, then the given count and writes. */
static struct str with_writes(struct str writes)
{
    char header[HEADER] = {1};
    struct buf buf;
    buf_init(&buf, &arena, 4096);
    buf_append(&buf, header, sizeof(header));
    buf_str(&buf, writes);
    return buf_view(&buf);
}

static void test_defects_are_refused(void **state)
{
    (void)state;
    assert_true(is_ok(kv_payload_check(with_writes(STR("\0")), &diag)));
    assert_true(is_ok(kv_payload_check(with_writes(STR("\1\1\1k\1v")), &diag)));
    expect_corrupt(with_writes(STR("\0x")));                /* bytes after no write */
    expect_corrupt(with_writes(STR("\1\1\1k\1vx")));        /* bytes after the last write */
    expect_corrupt(with_writes(STR("\1\3\1k\1v")));         /* operation */
    expect_corrupt(with_writes(STR("\1\1\0\1v")));          /* empty key */
    expect_corrupt(with_writes(STR("\1\2\1k\1v")));         /* delete with a value */
    expect_corrupt(with_writes(STR("\2\1\1k\1v\1\1k\1v"))); /* key twice */
    expect_corrupt(with_writes(STR("\2\1\1k\1v\1\1j\1v"))); /* order */
    expect_corrupt(with_writes(STR("\1\1\xff\xff\xff\xff\xff\xff\xff\xff\xff\1k"))); /* size */
    char longer[HEADER + 600] = {1};
    longer[HEADER] = 1;
    longer[HEADER + 1] = 1;
    longer[HEADER + 2] = (char)(0x80 | (501 & 0x7f));
    longer[HEADER + 3] = 501 >> 7;
    expect_corrupt((struct str){longer, HEADER + 4 + 501 + 1}); /* key too long */
    struct str bytes = with_writes(STR("\0"));
    char *format = arena_alloc(&arena, bytes.size);
    memcpy(format, bytes.data, bytes.size);
    format[0] = 2;
    expect_corrupt((struct str){format, bytes.size});
}

static void test_flipped_bits_never_read_beyond(void **state)
{
    (void)state;
    struct str bytes = payload_of(small_batch(), 1, &arena);
    for (size_t bit = 0; bit < bytes.size * 8; bit++) {
        char *damaged = mem_alloc(bytes.size);
        memcpy(damaged, bytes.data, bytes.size);
        damaged[bit / 8] = (char)(damaged[bit / 8] ^ (1 << (bit % 8)));
        status_value result = kv_payload_check((struct str){damaged, bytes.size}, &diag);
        assert_true(is_ok(result) || result.code == STATUS_CORRUPT);
        mem_free(damaged);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bytes_on_disk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reads_back_as_the_batch, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_every_prefix_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_defects_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_flipped_bits_never_read_beyond, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
