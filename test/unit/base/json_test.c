/* SPDX-License-Identifier: Apache-2.0 */
/* json_test.c - what is accepted stays what it was; what is ambiguous is refused. */
#include "base/json.h"

#include "base_test_support.h"

struct reader {
    struct arena arena;
    struct json_limits limits;
    struct diag diag;
};

static void reader_open(struct reader *r)
{
    arena_init(&r->arena, allocator_heap(), 64 << 20);
    r->limits = json_limits_request();
    r->diag.count = 0;
}

static status_value read(struct reader *r, struct str text, const struct json **out)
{
    return json_parse(&r->arena, text, &r->limits, &r->diag, out);
}

static void test_documents_survive_the_round_trip(void **state)
{
    static const char *const same[] = {"null",
                                       "true",
                                       "[]",
                                       "{}",
                                       "\"\"",
                                       "0",
                                       "-1",
                                       "1.0",
                                       "0.1",
                                       "-0.5",
                                       "9223372036854775807",
                                       "-9223372036854775808",
                                       "18446744073709551615",
                                       "8744736658442914487",
                                       "18446744073709551616",
                                       "123456789012345678901234567890",
                                       "{\"b\":1,\"a\":[1,2,{\"c\":null}]}",
                                       "\"\xc3\xa9\xf0\x9f\xa6\x86\"",
                                       "\"a\\u0000b\"",
                                       "1e400"};
    struct reader r;
    (void)state;
    reader_open(&r);
    for (size_t i = 0; i < COUNTOF(same); i++) {
        const struct json *value;
        struct buf buf;
        if (!is_ok(read(&r, str_from(same[i]), &value)))
            fail_msg("%s was refused: %s", same[i], r.diag.frames[0].text);
        buf_init(&buf, &r.arena, 1 << 16);
        json_write(&buf, value);
        if (!str_is(buf_view(&buf), same[i]))
            fail_msg("%s became %.*s", same[i], STR_ARG(buf_view(&buf)));
    }
    arena_deinit(&r.arena);
}

static void test_what_is_not_strict_json_is_refused(void **state)
{
    const struct str bad[] = {STR(""),
                              STR(" "),
                              STR("{"),
                              STR("[1,]"),
                              STR("{\"a\":1,}"),
                              STR("{'a':1}"),
                              STR("{a:1}"),
                              STR("01"),
                              STR("[01]"),
                              STR("+1"),
                              STR(".5"),
                              STR("1."),
                              STR("NaN"),
                              STR("Infinity"),
                              STR("1 2"),
                              STR("{} x"),
                              STR("// c\n1"),
                              STR("\"\\x\""),
                              STR("\"a\nb\""),
                              STR("tru"),
                              STR("\xef\xbb\xbf{}"),
                              STR("\"\\ud800\""),
                              STR("\"\\udc00\\ud800\""),
                              STR("\"\xff\""),
                              STR("\"\xc0\x80\""),
                              STR("\"\xed\xa0\x80\""),
                              STR("\"\xe2\x82\""),
                              STR("{\"a\":1,\"a\":2}"),
                              STR("{\"a\":1,\"\\u0061\":2}"),
                              STR("[{\"x\":{\"b\":1,\"b\":1}}]"),
                              STR("1\0")};
    struct reader r;
    (void)state;
    reader_open(&r);
    for (size_t i = 0; i < COUNTOF(bad); i++) {
        const struct json *value = NULL;
        if (read(&r, bad[i], &value).code != STATUS_INVALID)
            fail_msg("case %zu was accepted: %.*s", i, STR_ARG(bad[i]));
        assert_null(value);
        assert_true(r.diag.count > 0);
        diag_reset(&r.diag);
    }
    arena_deinit(&r.arena);
}

static void test_duplicates_among_many_keys(void **state)
{
    struct reader r;
    struct buf buf;
    const struct json *value;
    (void)state;
    reader_open(&r);
    for (int repeated = 0; repeated < 2; repeated++) {
        buf_init(&buf, &r.arena, 1 << 20);
        buf_byte(&buf, '{');
        for (int i = 0; i < 500; i++)
            buf_printf(&buf, "\"k%d\":%d,", i, i);
        buf_str(&buf, repeated == 1 ? STR("\"k250\":0}") : STR("\"last\":0}"));
        assert_int_equal(is_ok(read(&r, buf_view(&buf), &value)), repeated == 0);
    }
    arena_deinit(&r.arena);
}

static void test_limits(void **state)
{
    struct reader r;
    const struct json *value;
    (void)state;
    reader_open(&r);
    r.limits = (struct json_limits){
        .depth_max = 3, .keys_max = 2, .string_size_max = 4, .number_size_max = 22};
    assert_true(is_ok(read(&r, STR("[[[\"[[[[\"]]]"), &value)));
    assert_int_equal(read(&r, STR("[[[[]]]]"), &value).code, STATUS_INVALID);
    assert_int_equal(read(&r, STR("{\"a\":1,\"b\":2,\"c\":3}"), &value).code, STATUS_TOO_LARGE);
    assert_int_equal(read(&r, STR("\"12345\""), &value).code, STATUS_TOO_LARGE);
    assert_int_equal(read(&r, STR("{\"12345\":1}"), &value).code, STATUS_TOO_LARGE);
    assert_int_equal(read(&r, STR("12345678901234567890123"), &value).code, STATUS_TOO_LARGE);
    arena_deinit(&r.arena);
}

static void test_members_have_kinds_and_ranges(void **state)
{
    struct reader r;
    const struct json *v;
    int64_t i64 = 0;
    int32_t i32 = 0;
    uint64_t u64 = 0;
    struct str s;
    bool found = true;
    (void)state;
    reader_open(&r);
    assert_true(is_ok(read(&r,
                           STR("{\"i\":5,\"big\":3000000000,\"u\":18446744073709551615,\"s\":\"x\","
                               "\"n\":null,\"a\":[1,2],\"r\":1.5,\"e\":100000000000000000000}"),
                           &v)));
    assert_true(json_as_i32(json_get(v, "i"), &i32) && i32 == 5);
    assert_false(json_as_i32(json_get(v, "big"), &i32));
    assert_true(json_as_i64(json_get(v, "big"), &i64) && i64 == 3000000000);
    assert_false(json_as_i64(json_get(v, "u"), &i64));
    assert_true(json_as_u64(json_get(v, "u"), &u64) && u64 == UINT64_MAX);
    assert_false(json_as_i64(json_get(v, "r"), &i64));
    assert_int_equal(json_kind_of(json_get(v, "e")), JSON_NUMBER_TEXT);
    assert_null(json_get(v, "absent"));
    assert_null(json_get(NULL, "x"));
    assert_true(json_is_null(json_get(v, "n")) && json_is_null(json_get(v, "absent")));
    assert_int_equal(json_size(json_get(v, "a")), 2);
    assert_null(json_at(json_get(v, "a"), 2));
    assert_int_equal(json_need_str(v, "i", "thing", &r.diag, &s).code, STATUS_INVALID);
    assert_non_null(strstr(r.diag.frames[0].text, "thing"));
    assert_true(is_ok(json_need_str(v, "s", "thing", &r.diag, &s)) && str_is(s, "x"));
    assert_true(is_ok(json_opt_str(v, "n", "thing", &r.diag, &s, &found)) && !found);
    assert_int_equal(json_opt_str(v, "i", "thing", &r.diag, &s, &found).code, STATUS_INVALID);
    arena_deinit(&r.arena);
}

static void test_equality_ignores_the_order_of_keys(void **state)
{
    static const struct {
        const char *a;
        const char *b;
        bool equal;
    } cases[] = {
        {"{\"a\":1,\"b\":[true]}", "{\"b\":[true],\"a\":1}", true},
        {"[1,2]", "[2,1]", false},
        {"{\"a\":1}", "{\"a\":1,\"b\":2}", false},
        {"{\"a\":{\"x\":null}}", "{\"a\":{\"x\":null}}", true},
        {"1.5", "1.5", true},
        {"1.5", "2.5", false},
        {"[0.1,\"s\"]", "[0.1,\"s\"]", true},
        {"100000000000000000000", "100000000000000000000", true},
    };
    struct reader r;
    (void)state;
    reader_open(&r);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        const struct json *a;
        const struct json *b;
        assert_true(is_ok(read(&r, str_from(cases[i].a), &a)));
        assert_true(is_ok(read(&r, str_from(cases[i].b), &b)));
        if (json_equal(a, b) != cases[i].equal)
            fail_msg("%s and %s", cases[i].a, cases[i].b);
    }
    arena_deinit(&r.arena);
}

static void test_iteration_keeps_the_order(void **state)
{
    struct reader r;
    const struct json *v;
    struct str key;
    (void)state;
    reader_open(&r);
    assert_true(is_ok(read(&r, STR("{\"z\":[1,[2]],\"a\":{\"x\":1},\"m\":3}"), &v)));
    struct json_iter iter = json_iter(v);
    assert_true(json_next(&iter, &key, &v) && str_is(key, "z") && json_size(v) == 2);
    assert_true(json_next(&iter, &key, &v) && str_is(key, "a"));
    assert_true(json_next(&iter, &key, &v) && str_is(key, "m"));
    assert_false(json_next(&iter, &key, &v));
    iter = json_iter(NULL);
    assert_false(json_next(&iter, NULL, &v));
    arena_deinit(&r.arena);
}

static void test_every_failing_allocation_is_reported(void **state)
{
    static const char text[] = "{\"a\":[1,2,3,4,5,6,7,8,9,10,\"text\"],\"b\":{\"c\":{\"d\":1.5}}}";
    struct json_limits limits = json_limits_request();
    (void)state;
    for (int nth = 0; nth < 50; nth++) {
        struct failing f = failing_after(nth);
        struct arena arena;
        const struct json *value = NULL;
        arena_init(&arena, &f.allocator, 1 << 20);
        status_value result =
            json_parse(&arena, (struct str){text, sizeof(text) - 1}, &limits, NULL, &value);
        arena_deinit(&arena);
        assert_int_equal(f.out_bytes, 0);
        if (is_ok(result)) {
            assert_true(nth > 0);
            return;
        }
        assert_int_equal(result.code, STATUS_NOMEM);
    }
    fail();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_documents_survive_the_round_trip),
        cmocka_unit_test(test_what_is_not_strict_json_is_refused),
        cmocka_unit_test(test_duplicates_among_many_keys),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_members_have_kinds_and_ranges),
        cmocka_unit_test(test_equality_ignores_the_order_of_keys),
        cmocka_unit_test(test_iteration_keeps_the_order),
        cmocka_unit_test(test_every_failing_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
