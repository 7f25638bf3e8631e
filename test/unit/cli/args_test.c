/* SPDX-License-Identifier: Apache-2.0 */
/*
 * args_test.c - command lines: what they mean, and what is wrong with them.
 */
#include "cli/args.h"

#include <setjmp.h>
#include <stdarg.h>
/* cmocka needs the ones above */
#include <cmocka.h>

static struct args args;
static struct diag diag;

static status_value parse(const char *line)
{
    static char copy[1024];
    static char *words[64];
    int count = 0;
    (void)snprintf(copy, sizeof copy, "%s", line);
    char *rest = copy;
    while (rest != NULL && count < 63)
        words[count++] = strsep(&rest, " ");
    words[count] = NULL;
    diag_reset(&diag);
    return args_parse(count, words, &args, &diag);
}

static void refused(const char *line, const char *what, const char *fix)
{
    status_value parsed = parse(line);
    assert_int_equal(parsed.code, STATUS_USAGE);
    assert_string_equal(diag.frames[0].text, what);
    if (fix == NULL)
        return;
    assert_int_equal(diag.count, 2);
    assert_string_equal(diag.frames[1].text, fix);
}

static void flags_stand_anywhere(void **state)
{
    (void)state;
    assert_true(is_ok(parse("tarn --uri http://x table -o json get --warehouse=w a.b")));
    assert_string_equal(args.command->verb, "table");
    assert_string_equal(args.command->sub, "get");
    assert_int_equal(args.word_count, 1);
    assert_string_equal(args.words[0], "a.b");
    assert_string_equal(args_get(&args, "uri"), "http://x");
    assert_string_equal(args_get(&args, "output"), "json");
    assert_string_equal(args_get(&args, "warehouse"), "w");
    assert_null(args_get(&args, "json"));
}

static void short_flags_take_their_value_in_both_ways(void **state)
{
    (void)state;
    assert_true(is_ok(parse("tarn ns ls -ojson")));
    assert_string_equal(args_get(&args, "output"), "json");
    assert_true(is_ok(parse("tarn ns drop -yo json x")));
    assert_true(args_has(&args, "yes"));
    assert_string_equal(args_get(&args, "output"), "json");
}

static void two_dashes_end_the_flags(void **state)
{
    (void)state;
    assert_true(is_ok(parse("tarn ns get -- --odd")));
    assert_string_equal(args.words[0], "--odd");
}

static void the_last_value_wins(void **state)
{
    (void)state;
    assert_true(is_ok(parse("tarn ns ls --uri a --uri b")));
    assert_string_equal(args_get(&args, "uri"), "b");
}

static void near_words_are_suggested(void **state)
{
    (void)state;
    refused("tarn tabel ls", "unknown command 'tabel'", "did you mean 'table'?");
    refused("tarn table lss x", "`tarn table` has no command 'lss'", "did you mean 'ls'?");
    refused("tarn table ls x --warehose w", "unknown flag '--warehose'",
            "did you mean '--warehouse'?");
    refused("tarn zzzzzz", "unknown command 'zzzzzz'", NULL);
    assert_int_equal(diag.count, 1);
}

static void flags_belong_to_commands(void **state)
{
    (void)state;
    refused("tarn table ls x --purge", "`tarn table ls` takes no flag '--purge'", NULL);
    refused("tarn version --yes=1", "--yes takes no value", NULL);
    refused("tarn ns ls --uri", "--uri needs a value: --uri URI", NULL);
}

static void arguments_are_counted(void **state)
{
    (void)state;
    refused("tarn table get", "an argument is missing", "usage: tarn table get TABLE");
    refused("tarn table get a b", "too many arguments: 'b'", NULL);
    refused("tarn table", "`tarn table` needs a command", NULL);
}

static void help_needs_no_arguments(void **state)
{
    (void)state;
    assert_true(is_ok(parse("tarn table get --help")));
    assert_true(is_ok(parse("tarn table --help")));
    assert_null(args.command);
    assert_true(is_ok(parse("tarn -h")));
}

static void every_flag_of_a_command_exists(void **state)
{
    size_t count = 0;
    const struct command *table = command_table(&count);
    (void)state;
    assert_true(count > 20);
    for (size_t i = 0; i < count; i++) {
        struct str rest = str_from(table[i].flags);
        struct str word;
        assert_true(table[i].arguments_min <= table[i].arguments_max);
        while (str_split(&rest, ' ', &word)) {
            if (word.size > 0 && word.data[0] != '@')
                assert_non_null(flag_named(word));
        }
    }
}

static void flag_names_are_unique(void **state)
{
    const struct flag *flag;
    (void)state;
    for (size_t i = 0; (flag = flag_at(i)) != NULL; i++)
        assert_ptr_equal(flag_named(str_from(flag->name)), flag);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_stand_anywhere),
        cmocka_unit_test(short_flags_take_their_value_in_both_ways),
        cmocka_unit_test(two_dashes_end_the_flags),
        cmocka_unit_test(the_last_value_wins),
        cmocka_unit_test(near_words_are_suggested),
        cmocka_unit_test(flags_belong_to_commands),
        cmocka_unit_test(arguments_are_counted),
        cmocka_unit_test(help_needs_no_arguments),
        cmocka_unit_test(every_flag_of_a_command_exists),
        cmocka_unit_test(flag_names_are_unique),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
