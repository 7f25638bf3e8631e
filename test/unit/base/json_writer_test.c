/* SPDX-License-Identifier: Apache-2.0 */
/* json_writer_test.c - commas, escapes, raw fragments; what is written is read back. */
#include "base/json.h"
#include "base_test_support.h"

static void test_commas_and_nesting(void **state)
{
    struct arena arena;
    struct buf buf;
    struct json_writer w;
    (void)state;
    arena_init(&arena, allocator_heap(), 1 << 20);
    buf_init(&buf, &arena, 1 << 16);
    json_writer_init(&w, &buf);
    jw_object(&w);
    jw_key(&w, "a");
    jw_array(&w);
    jw_i64(&w, INT64_MIN);
    jw_u64(&w, UINT64_MAX);
    jw_bool(&w, false);
    jw_null(&w);
    jw_object(&w);
    jw_end(&w);
    jw_end(&w);
    jw_key_str(&w, STR("q\""));
    jw_cstr(&w, "x");
    jw_key(&w, "raw");
    jw_raw(&w, STR("[1]"));
    jw_end(&w);
    assert_true(str_is(buf_view(&buf),
                       "{\"a\":[-9223372036854775808,18446744073709551615,false,null,{}],"
                       "\"q\\\"\":\"x\",\"raw\":[1]}"));
    arena_deinit(&arena);
}

static void test_every_byte_of_a_string_comes_back(void **state)
{
    struct json_limits limits = json_limits_request();
    struct arena arena;
    struct buf buf;
    char all[128];
    const struct json *value;
    struct str back;
    (void)state;
    for (size_t i = 0; i < sizeof(all); i++)
        all[i] = (char)i;
    arena_init(&arena, allocator_heap(), 1 << 20);
    buf_init(&buf, &arena, 1 << 16);
    json_write_string(&buf, (struct str){all, sizeof(all)});
    assert_true(is_ok(json_parse(&arena, buf_view(&buf), &limits, NULL, &value)));
    assert_true(json_as_str(value, &back));
    assert_true(str_eq(back, (struct str){all, sizeof(all)}));
    arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commas_and_nesting),
        cmocka_unit_test(test_every_byte_of_a_string_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
