/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text_test.c - names with quotes, near words, widths, indented JSON, control bytes.
 */
#include "cli/name.h"
#include "cli/print.h"
#include "cli/suggest.h"

#include <setjmp.h>
#include <stdarg.h>
/* cmocka needs the ones above */
#include <cmocka.h>

static struct arena arena;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, allocator_heap(), 1 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_deinit(&arena);
    return 0;
}

static void parse_and_write(const char *text, size_t levels, const char *written)
{
    struct name name;
    struct diag diag = {.count = 0};
    struct buf out;
    assert_true(is_ok(name_parse(&arena, str_from(text), &diag, &name)));
    assert_int_equal(name.count, levels);
    buf_init(&out, &arena, 4096);
    name_write(&out, &name, name.count);
    assert_true(str_is(buf_view(&out), written));
}

static void names_round_trip(void **state)
{
    (void)state;
    parse_and_write("a", 1, "a");
    parse_and_write("a.b.c", 3, "a.b.c");
    parse_and_write("\"a.b\".c", 2, "\"a.b\".c");
    parse_and_write("\"plain\".c", 2, "plain.c");
    parse_and_write("\"say \"\"hi\"\"\".c", 2, "\"say \"\"hi\"\"\".c");
    parse_and_write("\xC3\xBC.\xE6\x97\xA5", 2, "\xC3\xBC.\xE6\x97\xA5");
}

static void bad_names_are_refused(void **state)
{
    static const char *const bad[] = {"", ".", "a.", ".a", "a..b", "\"a", "\"a\"b", "\"\"", "\xFF"};
    (void)state;
    for (size_t i = 0; i < COUNTOF(bad); i++) {
        struct name name;
        struct diag diag = {.count = 0};
        status_value parsed = name_parse(&arena, str_from(bad[i]), &diag, &name);
        assert_int_equal(parsed.code, STATUS_USAGE);
    }
}

static void a_table_needs_a_namespace(void **state)
{
    struct name name;
    struct diag diag = {.count = 0};
    (void)state;
    status_value parsed = name_parse_object(&arena, STR("orders"), &diag, &name);
    assert_int_equal(parsed.code, STATUS_USAGE);
    assert_int_equal(diag.count, 2);
}

static void path_segments_are_encoded(void **state)
{
    struct buf out;
    (void)state;
    buf_init(&out, &arena, 4096);
    name_write_encoded(&out, STR("a b/c%\x1F\xC3\xBC~"));
    assert_true(str_is(buf_view(&out), "a%20b%2Fc%25%1F%C3%BC~"));
}

static void distance_counts_swaps_once(void **state)
{
    (void)state;
    assert_int_equal(suggest_distance(STR("table"), STR("table")), 0);
    assert_int_equal(suggest_distance(STR("tabel"), STR("table")), 1);
    assert_int_equal(suggest_distance(STR("tble"), STR("table")), 1);
    assert_int_equal(suggest_distance(STR("TABLE"), STR("table")), 0);
    assert_int_equal(suggest_distance(STR("srve"), STR("serves")), 2);
    assert_int_equal(suggest_distance(STR(""), STR("abc")), 3);
}

static void suggestions_are_near_and_not_silly(void **state)
{
    struct suggest near = suggest_for(STR("ordres"));
    struct suggest far = suggest_for(STR("x"));
    (void)state;
    suggest_offer(&near, STR("customers"));
    suggest_offer(&near, STR("order"));
    suggest_offer(&near, STR("orders"));
    assert_true(str_is(near.best, "orders"));
    suggest_offer(&far, STR("ab"));
    suggest_offer(&far, STR("y"));
    assert_null(far.best.data);
}

static void widths(void **state)
{
    (void)state;
    assert_int_equal(print_width(STR("abc")), 3);
    assert_int_equal(print_width(STR("\xC3\xBC")), 1);
    assert_int_equal(print_width(STR("\xE6\x97\xA5")), 2);
    assert_int_equal(print_width(STR("e\xCC\x81")), 1);
}

/* What `print` writes to a cli's output. */
static struct str printed(void (*print)(struct cli *cli))
{
    static char text[4096];
    FILE *file = fmemopen(text, sizeof text, "w");
    struct cli cli = {.out = file, .err = file, .arena = &arena};
    assert_non_null(file);
    print(&cli);
    long size = ftell(file);
    (void)fclose(file);
    return arena_copy(&arena, (struct str){text, (size_t)size});
}

static void print_some_json(struct cli *cli)
{
    print_json(cli, STR("{\"a\":[],\"b\":{\"c\":\"x\\\\\",\"d\":[1,2]},\"e\":\"{,\"}"));
}

static void json_is_indented(void **state)
{
    (void)state;
    struct str text = printed(print_some_json);
    assert_true(str_is(text, "{\n  \"a\": [],\n  \"b\": {\n    \"c\": \"x\\\\\",\n    \"d\": [\n"
                             "      1,\n      2\n    ]\n  },\n  \"e\": \"{,\"\n}\n"));
}

static void print_an_attack(struct cli *cli)
{
    print_safe(cli->out, STR("a\x1B[2Jb\x7F\xC2\x9B\xC3\xBC"));
}

static void control_bytes_do_not_reach_the_terminal(void **state)
{
    (void)state;
    assert_true(str_is(printed(print_an_attack), "a?[2Jb??\xC3\xBC"));
}

static void print_an_error(struct cli *cli)
{
    assert_int_equal(print_problem(cli, CLI_CONFLICT, "it is there", "a table has that name", NULL),
                     4);
}

static void errors_have_one_form(void **state)
{
    (void)state;
    assert_true(
        str_is(printed(print_an_error), "error: it is there\n  cause: a table has that name\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(names_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_names_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_table_needs_a_namespace, setup, teardown),
        cmocka_unit_test_setup_teardown(path_segments_are_encoded, setup, teardown),
        cmocka_unit_test_setup_teardown(distance_counts_swaps_once, setup, teardown),
        cmocka_unit_test_setup_teardown(suggestions_are_near_and_not_silly, setup, teardown),
        cmocka_unit_test_setup_teardown(widths, setup, teardown),
        cmocka_unit_test_setup_teardown(json_is_indented, setup, teardown),
        cmocka_unit_test_setup_teardown(control_bytes_do_not_reach_the_terminal, setup, teardown),
        cmocka_unit_test_setup_teardown(errors_have_one_form, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
