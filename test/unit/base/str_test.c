/* SPDX-License-Identifier: Apache-2.0 */
/* str_test.c - comparison, search, numbers, UTF-8. */
#include "base_test_support.h"

static void test_order_is_bytewise_and_prefixes_first(void **state)
{
    (void)state;
    assert_true(str_cmp(STR("a"), STR("ab")) < 0);
    assert_true(str_cmp(STR("b"), STR("ab")) > 0);
    assert_true(str_cmp(STR("\xff"), STR("a")) > 0);
    assert_int_equal(str_cmp(STR(""), STR("")), 0);
    assert_true(str_eq_nocase(STR("Content-LENGTH"), STR("content-length")));
    assert_false(str_eq_nocase(STR("a["), STR("A{"))); /* differ by 0x20, but are no letters */
}

static void test_search_and_slices(void **state)
{
    struct str rest = STR("a,,b");
    struct str part;
    (void)state;
    assert_int_equal(str_find(STR("a.b.c"), '.'), 1);
    assert_int_equal(str_rfind(STR("a.b.c"), '.'), 3);
    assert_int_equal(str_find(STR(""), 'x'), -1);
    assert_true(str_starts(STR("abc"), STR("ab")) && !str_starts(STR("a"), STR("ab")));
    assert_true(str_ends(STR("abc"), STR("bc")) && !str_ends(STR("c"), STR("bc")));
    assert_true(str_is(str_slice(STR("abcd"), 1, 3), "bc"));
    assert_int_equal(str_from_pos(STR("abc"), 99).size, 0);
    assert_true(str_split(&rest, ',', &part) && str_is(part, "a"));
    assert_true(str_split(&rest, ',', &part) && str_is(part, ""));
    assert_true(str_split(&rest, ',', &part) && str_is(part, "b"));
    assert_false(str_split(&rest, ',', &part));
}

static void test_numbers_are_strict(void **state)
{
    static const char *const bad[] = {"",   "-",   "+1",  " 1",
                                      "1 ", "0x1", "1e3", "18446744073709551616"};
    uint64_t u = 7;
    int64_t i = 7;
    (void)state;
    assert_true(str_to_u64(STR("18446744073709551615"), &u) && u == UINT64_MAX);
    assert_true(str_to_i64(STR("-9223372036854775808"), &i) && i == INT64_MIN);
    assert_true(str_to_i64(STR("9223372036854775807"), &i) && i == INT64_MAX);
    assert_false(str_to_i64(STR("9223372036854775808"), &i));
    assert_false(str_to_i64(STR("-9223372036854775809"), &i));
    assert_false(str_to_u64(STR("-1"), &u));
    for (size_t n = 0; n < COUNTOF(bad); n++)
        assert_false(str_to_u64(str_from(bad[n]), &u));
    assert_true(u == UINT64_MAX && i == INT64_MAX); /* untouched by failures */
}

static void test_utf8(void **state)
{
    const struct {
        struct str text;
        bool valid;
    } cases[] = {
        {STR("plain"), true},         {STR("\xc3\xa9\xe2\x82\xac\xf0\x9f\xa6\x86"), true},
        {STR("\xc0\x80"), false},     {STR("\xe0\x80\x80"), false},     /* overlong */
        {STR("\xed\xa0\x80"), false}, {STR("\xf4\x90\x80\x80"), false}, /* surrogate, too high */
        {STR("\xe2\x82"), false},     {STR("\x80"), false},
        {STR("\xff"), false},         {STR("a\0b"), true},
    };
    (void)state;
    for (size_t i = 0; i < COUNTOF(cases); i++)
        assert_int_equal(str_is_utf8(cases[i].text), cases[i].valid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_is_bytewise_and_prefixes_first),
        cmocka_unit_test(test_search_and_slices),
        cmocka_unit_test(test_numbers_are_strict),
        cmocka_unit_test(test_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
