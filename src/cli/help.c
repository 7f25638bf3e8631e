/* SPDX-License-Identifier: Apache-2.0 */
/*
 * help.c - `tarn help`, `--help` and docs/cli.md, all from commands.def, flags.def, settings.def.
 */
#include "cli/help.h"

#include "cli/args.h"
#include "cli/print.h"
#include "cli/settings.h"
#include "cli/suggest.h"

static const char intro[] =
    "tarn - the control plane and data movement layer of an open data lakehouse\n"
    "\n"
    "usage: tarn COMMAND [ARGUMENTS] [FLAGS]\n";

static const char outro[] =
    "\n"
    "Names: NAMESPACE.TABLE, levels by dots; quote a level that holds one: '\"a.b\".c'.\n"
    "Exit codes: 0 ok, 1 failure, 2 usage, 3 not found, 4 conflict, 5 denied,\n"
    "            6 unavailable or too slow, 7 done in part.\n"
    "`tarn help COMMAND` says more; `tarn COMMAND --help` too.\n";

static void print_flag(FILE *out, const struct flag *flag)
{
    char left[64];
    char dash[6] = "    ";
    if (flag->short_name != 0)
        (void)snprintf(dash, sizeof dash, "-%c, ", flag->short_name);
    (void)snprintf(left, sizeof left, "%s--%s%s%s", dash, flag->name,
                   flag->value[0] == 0 ? "" : " ", flag->value);
    fprintf(out, "  %-38s %s\n", left, flag->help);
}

static void print_command_line(FILE *out, const struct command *command)
{
    char left[96];
    (void)snprintf(left, sizeof left, "%s%s%s%s%s", command->verb, command->sub[0] == 0 ? "" : " ",
                   command->sub, command->arguments[0] == 0 ? "" : " ", command->arguments);
    fprintf(out, "  %-46s %s\n", left, command->summary);
}

void help_overview(struct cli *cli, FILE *out)
{
    size_t count = 0;
    const struct command *table = command_table(&count);
    (void)cli;
    fputs(intro, out);
    for (unsigned group = 0; group < COMMAND_GROUPS; group++) {
        fprintf(out, "\n%s\n", command_group_title((enum command_group)group));
        for (size_t i = 0; i < count; i++) {
            if (table[i].group == group)
                print_command_line(out, &table[i]);
        }
    }
    fputs("\nFlags of every command\n", out);
    for (size_t i = 0; flag_at(i) != NULL && flag_is_global(flag_at(i)); i++)
        print_flag(out, flag_at(i));
    fputs(outro, out);
}

static void print_flags_of(FILE *out, const struct command *command, bool settings)
{
    const struct flag *flag;
    for (size_t i = 0; (flag = flag_at(i)) != NULL; i++) {
        if (command_takes(command, flag) && !flag_is_global(flag) &&
            flag_is_setting(flag) == settings)
            print_flag(out, flag);
    }
}

int help_command(struct cli *cli, const struct command *command)
{
    fprintf(cli->out, "usage: tarn %s%s%s%s%s [FLAGS]\n\n%s\n", command->verb,
            command->sub[0] == 0 ? "" : " ", command->sub, command->arguments[0] == 0 ? "" : " ",
            command->arguments, command->summary);
    if (command->details[0] != 0)
        fprintf(cli->out, "\n%s\n", command->details);
    fputs("\nflags:\n", cli->out);
    print_flags_of(cli->out, command, false);
    print_flags_of(cli->out, command, true);
    for (size_t i = 0; flag_at(i) != NULL && flag_is_global(flag_at(i)); i++)
        print_flag(cli->out, flag_at(i));
    return CLI_OK;
}

static struct str nearest_verb(struct cli *cli, const char *word)
{
    size_t count = 0;
    const struct command *table = command_table(&count);
    struct suggest near = suggest_for(str_from(word));
    for (size_t i = 0; i < count; i++)
        suggest_offer(&near, str_from(table[i].verb));
    if (near.best.data == NULL || near.distance == 0)
        return STR("see `tarn help`");
    return arena_printf(cli->arena, "did you mean '%.*s'?", STR_ARG(near.best));
}

int help_words(struct cli *cli, const char *const *words, size_t count)
{
    size_t commands = 0;
    size_t shown = 0;
    const struct command *table = command_table(&commands);
    const struct command *only = NULL;
    if (count == 0) {
        help_overview(cli, cli->out);
        return CLI_OK;
    }
    for (size_t i = 0; i < commands; i++) {
        if (strcmp(table[i].verb, words[0]) != 0 ||
            (count > 1 && strcmp(table[i].sub, words[1]) != 0))
            continue;
        only = &table[i];
        shown++;
    }
    if (shown == 1)
        return help_command(cli, only);
    if (shown == 0) {
        struct str what = arena_printf(cli->arena, "there is no command '%s%s%s'", words[0],
                                       count > 1 ? " " : "", count > 1 ? words[1] : "");
        return print_problem(cli, CLI_USAGE, what.data, NULL, nearest_verb(cli, words[0]).data);
    }
    fprintf(cli->out, "usage: tarn %s COMMAND\n\n", words[0]);
    for (size_t i = 0; i < commands; i++) {
        if (strcmp(table[i].verb, words[0]) == 0)
            print_command_line(cli->out, &table[i]);
    }
    return CLI_OK;
}

/* --- the reference as Markdown --- */

/* '|' ends a cell, '<' would begin a tag. */
static void print_cell_text(FILE *out, const char *text)
{
    for (; *text != 0; text++) {
        if (*text == '|')
            fputc('\\', out);
        fputc(*text, out);
    }
}

static void markdown_flag(FILE *out, const struct flag *flag)
{
    fputs("| `", out);
    if (flag->short_name != 0)
        fprintf(out, "-%c`, `", flag->short_name);
    fprintf(out, "--%s%s", flag->name, flag->value[0] == 0 ? "" : " ");
    print_cell_text(out, flag->value);
    fputs("` | ", out);
    print_cell_text(out, flag->help);
    fputs(" |\n", out);
}

static void markdown_command(FILE *out, const struct command *command)
{
    const struct flag *flag;
    bool any = false;
    fprintf(out, "\n### tarn %s%s%s\n\n", command->verb, command->sub[0] == 0 ? "" : " ",
            command->sub);
    fprintf(out, "    tarn %s%s%s%s%s\n\n%c%s.\n", command->verb, command->sub[0] == 0 ? "" : " ",
            command->sub, command->arguments[0] == 0 ? "" : " ", command->arguments,
            command->summary[0] - 32, command->summary + 1);
    if (command->details[0] != 0)
        fprintf(out, "\n```\n%s\n```\n", command->details);
    for (size_t i = 0; (flag = flag_at(i)) != NULL; i++) {
        if (flag_is_global(flag) || !command_takes(command, flag) ||
            (flag_is_setting(flag) && strstr(command->flags, "@settings") != NULL))
            continue;
        fputs(any ? "" : "\n| Flag | Meaning |\n|---|---|\n", out);
        any = true;
        markdown_flag(out, flag);
    }
    if (strstr(command->flags, "@settings") != NULL)
        fputs("\nTakes every setting below as a flag.\n", out);
}

static void markdown_settings(FILE *out)
{
    fputs(
        "\n## Settings of a node\n\n"
        "A flag wins over the environment, that over the YAML file (`--config FILE` or\n"
        "`TARN_CONFIG`), that over the default. In the file a dot opens a mapping, and a key that\n"
        "is not in this table is an error. Sizes take KiB, MiB, GiB; times take ms, s, m, h, d.\n\n"
        "| Flag | Environment | Default | Meaning |\n|---|---|---|---|\n",
        out);
    for (size_t i = 0; settings_flag(i) != NULL; i++) {
        const struct flag *flag = settings_flag(i);
        char environment[SETTINGS_NAME_MAX];
        char value[SETTINGS_VALUE_MAX];
        settings_environment_name(i, environment);
        settings_default_text(i, value);
        fprintf(out, "| `--%s%s%s` | `%s` | %s%s%s | ", flag->name, flag->value[0] == 0 ? "" : " ",
                flag->value, environment, value[0] == 0 ? "" : "`", value,
                value[0] == 0 ? "" : "`");
        print_cell_text(out, flag->help);
        fputs(" |\n", out);
    }
}

static void markdown(FILE *out)
{
    size_t count = 0;
    const struct command *table = command_table(&count);
    fputs(
        "# The command line\n\n"
        "Made by `tarn help --markdown` from the program's own table; a test compares the two.\n\n"
        "Every command takes:\n\n| Flag | Meaning |\n|---|---|\n",
        out);
    for (size_t i = 0; flag_at(i) != NULL && flag_is_global(flag_at(i)); i++)
        markdown_flag(out, flag_at(i));
    fputs(
        "\nNames are `NAMESPACE.TABLE`, levels joined by dots. A level that holds a dot stands in\n"
        "double quotes, and a quote in it is doubled: `'\"a.b\".orders'`.\n\n"
        "| Exit code | Meaning |\n|---|---|\n| 0 | ok |\n| 1 | failure |\n| 2 | wrong usage |\n"
        "| 3 | not found |\n| 4 | conflict |\n| 5 | denied |\n| 6 | unavailable, or too slow |\n"
        "| 7 | done in part |\n",
        out);
    for (unsigned group = 0; group < COMMAND_GROUPS; group++) {
        fprintf(out, "\n## %s\n", command_group_title((enum command_group)group));
        for (size_t i = 0; i < count; i++) {
            if (table[i].group == group)
                markdown_command(out, &table[i]);
        }
    }
    markdown_settings(out);
}

int cli_help(struct cli *cli)
{
    if (args_has(cli->args, "markdown")) {
        markdown(cli->out);
        return CLI_OK;
    }
    return help_words(cli, cli->args->words, cli->args->word_count);
}

int cli_version(struct cli *cli)
{
    if (cli->format == CLI_JSON)
        fputs("{\"version\":\"" TARN_VERSION "\"}\n", cli->out);
    else
        fputs("tarn " TARN_VERSION "\n", cli->out);
    return CLI_OK;
}
