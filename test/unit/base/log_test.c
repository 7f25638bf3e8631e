/* SPDX-License-Identifier: Apache-2.0 */
/* log_test.c - every line is one JSON object, whatever its fields hold. */
#include "base/log.h"

#include "base/json.h"
#include "base_test_support.h"

static const struct json *parse_line(struct arena *arena, struct str line)
{
    struct json_limits limits = json_limits_request();
    struct diag diag = {.count = 0};
    const struct json *value = NULL;
    assert_true(str_ends(line, STR("\n")));
    assert_int_equal(str_find(line, '\n'), line.size - 1);
    status_value result =
        json_parse(arena, str_slice(line, 0, line.size - 1), &limits, &diag, &value);
    if (!is_ok(result))
        fail_msg("%s: %.*s", diag.frames[0].text, STR_ARG(line));
    return value;
}

static void test_a_line_is_json_with_typed_fields(void **state)
{
    const struct log_field fields[] = {U64("n", UINT64_MAX), I64("i", -1), FLAG("flag", true),
                                       NS("took", 1234567),
                                       TEXT("hostile", STR("\"\\\n\0\x7f\xff"))};
    const struct log_event event = {LOG_WARN, "a.b", "text", fields, COUNTOF(fields)};
    struct arena arena;
    char out[LOG_LINE_MAX / 4];
    uint64_t number;
    struct str text;
    (void)state;
    arena_init(&arena, allocator_heap(), 1 << 20);
    size_t size = log_format_json(&event, 1500000000000000001, STR("node-1"), out, sizeof(out));
    const struct json *line = parse_line(&arena, (struct str){out, size});
    assert_true(json_as_str(json_get(line, "ts"), &text) &&
                str_is(text, "2017-07-14T02:40:00.000000001Z"));
    assert_true(json_as_str(json_get(line, "sev"), &text) && str_is(text, "WARN"));
    assert_true(json_as_u64(json_get(line, "n"), &number) && number == UINT64_MAX);
    assert_true(json_is(json_get(line, "took_us"), JSON_REAL));
    assert_true(json_is(json_get(line, "hostile"), JSON_STRING));
    arena_deinit(&arena);
}

static void test_a_long_line_is_cut_at_a_field(void **state)
{
    char big[2000];
    struct log_field fields[] = {U64("first", 1), TEXT("big", ((struct str){big, sizeof(big)}))};
    const struct log_event event = {LOG_INFO, "a", "t", fields, COUNTOF(fields)};
    struct arena arena;
    char out[1024];
    bool cut = false;
    (void)state;
    memset(big, 'x', sizeof(big));
    arena_init(&arena, allocator_heap(), 1 << 20);
    size_t size = log_format_json(&event, 0, STR(""), out, sizeof(out));
    const struct json *line = parse_line(&arena, (struct str){out, size});
    assert_non_null(json_get(line, "first"));
    assert_null(json_get(line, "big"));
    assert_true(json_as_bool(json_get(line, "cut"), &cut) && cut);
    arena_deinit(&arena);
}

static void test_levels(void **state)
{
    enum log_level level = LOG_ERROR;
    (void)state;
    assert_true(log_level_parse(STR("debug"), &level) && level == LOG_DEBUG);
    assert_false(log_level_parse(STR("loud"), &level));
    assert_int_equal(level, LOG_DEBUG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_line_is_json_with_typed_fields),
        cmocka_unit_test(test_a_long_line_is_cut_at_a_field),
        cmocka_unit_test(test_levels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
