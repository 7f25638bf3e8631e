/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli_main.c - from argv to a command and its exit code.
 */
#include "cli/args.h"
#include "cli/help.h"
#include "cli/print.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static const size_t ARENA_BUDGET = (size_t)8 << 30; /* a listing or a table's metadata */

static bool wants_color(const struct args *args, FILE *file)
{
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    if (args_has(args, "no-color") || (no_color != NULL && no_color[0] != 0))
        return false;
    return isatty(fileno(file)) == 1 && term != NULL && strcmp(term, "dumb") != 0;
}

static int usage_error(struct cli *cli, status_value failed, const struct diag *diag)
{
    const struct command *command = cli->args->command;
    struct str fix = diag->count > 1 ? str_from(diag->frames[1].text)
                     : command != NULL
                         ? arena_printf(cli->arena, "see `tarn help %s%s%s`", command->verb,
                                        command->sub[0] == 0 ? "" : " ", command->sub)
                         : STR("see `tarn help`");
    return print_problem(cli, exit_of_status(failed.code), diag_message(diag, failed.code), NULL,
                         fix.data);
}

static status read_format(struct cli *cli, struct diag *diag)
{
    const char *output = args_get(cli->args, "output");
    cli->format = args_has(cli->args, "json") ? CLI_JSON : CLI_TABLE;
    if (output == NULL || strcmp(output, "table") == 0)
        return OK;
    if (strcmp(output, "json") != 0)
        return FAIL(diag, USAGE, "-o %s: there is no such form; table or json", output);
    cli->format = CLI_JSON;
    return OK;
}

static int dispatch(struct cli *cli, struct args *args, int argc, char **argv)
{
    struct diag diag = {.count = 0};
    if (argc <= 1) {
        help_overview(cli, cli->err);
        return CLI_USAGE;
    }
    status_value parsed = args_parse(argc, argv, args, &diag);
    cli->color_out = wants_color(args, cli->out);
    cli->color_err = wants_color(args, cli->err);
    cli->command = args->command;
    cli->dry_run = args_has(args, "dry-run");
    if (is_ok(parsed))
        parsed = read_format(cli, &diag);
    if (!is_ok(parsed))
        return usage_error(cli, parsed, &diag);
    if (args->command == NULL)
        return help_words(cli, args->words, args->word_count);
    if (args_has(args, "help"))
        return help_command(cli, args->command);
    return args->command->run(cli);
}

int cli_run(struct env *env, FILE *in, FILE *out, FILE *err, int argc, char **argv)
{
    struct arena arena;
    arena_init(&arena, allocator_heap(), ARENA_BUDGET);
    struct args *args = ARENA_NEW(&arena, struct args);
    struct cli cli = {.out = out, .err = err, .in = in, .env = env, .arena = &arena, .args = args};
    cli.is_interactive = isatty(fileno(in)) == 1 && isatty(fileno(err)) == 1;
    int exit_code = args == NULL ? CLI_FAILURE : dispatch(&cli, args, argc, argv);
    /* An answer that could not be written is a failure: a pipe into a full disk, for instance. */
    if (fflush(out) != 0 && exit_code == CLI_OK)
        exit_code = print_problem(&cli, CLI_FAILURE, "could not write the answer", NULL, NULL);
    arena_deinit(&arena);
    return exit_code;
}

int cli_main(int argc, char **argv)
{
    /* A reader that went away (`tarn table ls | head`) shows as a failed write. */
    (void)signal(SIGPIPE, SIG_IGN);
    return cli_run(env_linux(), stdin, stdout, stderr, argc, argv);
}
