/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * cli.h - what every verb of the command line is given, and how it answers.
 *
 * One process runs one command: memory comes from one arena that ends with the process's work, and
 * what a command returns is the process's exit code. A command that fails has said so on `err`
 * (print.h) before it returns.
 */
#include "base/arena.h"
#include "env/env.h"

#include <stdio.h>

/* The process's exit codes; scripts rely on them, so they are never renumbered. */
enum cli_exit {
    CLI_OK = 0,
    CLI_FAILURE = 1,
    CLI_USAGE = 2,
    CLI_NOT_FOUND = 3,
    CLI_CONFLICT = 4,
    CLI_DENIED = 5,
    CLI_UNAVAILABLE = 6, /* or a time limit was reached */
    CLI_PARTIAL = 7      /* some of it was done */
};

enum cli_format { CLI_TABLE, CLI_JSON };

struct command;
struct args;
struct cli {
    FILE *out; /* answers */
    FILE *err; /* errors, questions, progress */
    FILE *in;
    struct env *env;
    struct arena *arena;
    const struct command *command;
    const struct args *args;
    enum cli_format format;
    bool color_out;
    bool color_err;
    bool is_interactive; /* in and err are terminals: questions may be asked */
    bool dry_run;
};

/* The whole program. `argv` is borrowed for the life of the process. */
int cli_main(int argc, char **argv);
/* The same with other streams, for tests; `getenv` is the process's. */
int cli_run(struct env *env, FILE *in, FILE *out, FILE *err, int argc, char **argv);
