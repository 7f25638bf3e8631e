/* SPDX-License-Identifier: Apache-2.0 */
/*
 * values_test.c - the small values: hybrid clock, UUID, CRC-32C, calendar text, generator,
 * status.
 */
#include "base/crc32c.h"
#include "base/hlc.h"
#include "base/timefmt.h"
#include "base/uuid.h"
#include "base_test_support.h"

static void test_hlc_never_goes_back(void **state)
{
    struct hlc hlc = {0};
    (void)state;
    hlc_stamp a = hlc_tick(&hlc, 1000);
    hlc_stamp b = hlc_tick(&hlc, 1000);
    hlc_stamp c = hlc_tick(&hlc, 900); /* the wall clock jumped back */
    assert_true(a.value < b.value && b.value < c.value);
    assert_int_equal(hlc_ms(c), 1000);
    assert_int_equal(hlc_ms(hlc_tick(&hlc, 2000)), 2000);
    hlc.last = (UINT64_C(3000) << 16) | 0xffff; /* counter overflow borrows the next millisecond */
    assert_int_equal(hlc_ms(hlc_tick(&hlc, 3000)), 3001);
}

static void test_hlc_refuses_a_stamp_from_far_ahead(void **state)
{
    struct hlc hlc = {0};
    (void)state;
    assert_false(hlc_observe(&hlc, (hlc_stamp){UINT64_C(2001) << 16}, 1000, 1000));
    assert_int_equal(hlc.last, 0);
    assert_true(hlc_observe(&hlc, (hlc_stamp){UINT64_C(2000) << 16}, 1000, 1000));
    assert_int_equal(hlc_ms(hlc_tick(&hlc, 1000)), 2000);
}

static void test_uuid(void **state)
{
    static const char text[] = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6";
    static const char *const bad[] = {"",
                                      "f81d4fae7dec11d0a76500a0c91e6bf6",
                                      "f81d4fae-7dec-11d0-a765-00a0c91e6bfg",
                                      "f81d4fae-7dec-11d0-a765-00a0c91e6bf",
                                      "f81d4fae-7dec-11d0-a765-00a0c91e6bf60",
                                      "f81d4fae_7dec-11d0-a765-00a0c91e6bf6"};
    struct uuid uuid;
    struct prng prng;
    char out[UUID_TEXT_SIZE];
    (void)state;
    assert_true(uuid_parse(STR("F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6"), &uuid));
    uuid_format(uuid, out);
    assert_memory_equal(out, text, UUID_TEXT_SIZE);
    for (size_t i = 0; i < COUNTOF(bad); i++)
        assert_false(uuid_parse(str_from(bad[i]), &uuid));
    prng_init(&prng, 42);
    uuid = uuid_v4(&prng);
    assert_int_equal(uuid.bytes[6] >> 4, 4);
    assert_int_equal(uuid.bytes[8] >> 6, 2);
    uuid = uuid_v7(UINT64_C(0x017f22e279b0), &prng); /* RFC 9562 A.6 */
    uuid_format(uuid, out);
    assert_memory_equal(out, "017f22e2-79b0-7", 15);
}

static void test_crc32c_vectors(void **state)
{
    char zeros[32] = {0};
    char ones[32];
    (void)state;
    memset(ones, 0xff, sizeof(ones));
    assert_int_equal(crc32c(0, STR("")), 0);
    assert_int_equal(crc32c(0, STR("123456789")), 0xe3069283);
    assert_int_equal(crc32c(0, (struct str){zeros, 32}), 0x8a9136aa); /* RFC 3720 B.4 */
    assert_int_equal(crc32c(0, (struct str){ones, 32}), 0x62a8ab43);
    assert_int_equal(crc32c(crc32c(0, STR("1234")), STR("56789")), 0xe3069283);
}

static void test_calendar_text(void **state)
{
    char out[TIMEFMT_SIZE];
    (void)state;
    timefmt_rfc3339_ns(0, out);
    assert_string_equal(out, "1970-01-01T00:00:00.000000000Z");
    timefmt_rfc3339_ns(UINT64_C(951782399999999999), out);
    assert_string_equal(out, "2000-02-28T23:59:59.999999999Z");
    timefmt_iso_ms(UINT64_C(1709164800001), out);
    assert_string_equal(out, "2024-02-29T00:00:00.001+00:00");
    timefmt_iso_ms(UINT64_C(4102444800000), out);
    assert_string_equal(out, "2100-01-01T00:00:00.000+00:00");
}

static void test_the_generator_is_deterministic_and_even(void **state)
{
    struct prng a;
    struct prng b;
    unsigned counts[3] = {0};
    (void)state;
    prng_init(&a, 7);
    prng_init(&b, 7);
    for (int i = 0; i < 30000; i++) {
        assert_true(prng_u64(&a) == prng_u64(&b));
        counts[prng_below(&a, 3)]++;
        (void)prng_u64(&b);
    }
    for (int i = 0; i < 3; i++)
        assert_in_range(counts[i], 9500, 10500);
    assert_true(prng_chance(&a, 1, 1) && !prng_chance(&a, 0, 1));
}

static void test_status_rows_and_the_story(void **state)
{
    struct diag diag = {.count = 0};
    (void)state;
    assert_string_equal(diag_message(&diag, STATUS_NO_SUCH_TABLE), "no such table");
    status_value first = FAIL(&diag, COMMIT_FAILED, "branch %s moved", "main");
    status_value second = FAIL(&diag, INTERNAL, "while answering");
    assert_false(is_ok(first) || is_ok(second));
    assert_string_equal(diag_message(&diag, first.code), "branch main moved");
    assert_int_equal(status_http(first.code), 409);
    assert_string_equal(status_iceberg_type(first.code), "CommitFailedException");
    assert_int_equal(status_class_of(STATUS_COMMIT_UNKNOWN), CLASS_UNKNOWN);
    assert_string_equal(status_name(99999), "INTERNAL");
    for (int i = 0; i < 20; i++)
        (void)FAIL(&diag, IO, "more than there are frames");
    assert_string_equal(diag_message(&diag, first.code), "branch main moved");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hlc_never_goes_back),
        cmocka_unit_test(test_hlc_refuses_a_stamp_from_far_ahead),
        cmocka_unit_test(test_uuid),
        cmocka_unit_test(test_crc32c_vectors),
        cmocka_unit_test(test_calendar_text),
        cmocka_unit_test(test_the_generator_is_deterministic_and_even),
        cmocka_unit_test(test_status_rows_and_the_story),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
