/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * args.h - a command line, taken apart by the tables of command.h.
 *
 * Flags may stand anywhere: --flag VALUE, --flag=VALUE, -fVALUE, -f VALUE; "--" ends them. A flag's
 * arity is the same in every command, so the line can be read before the command is known.
 */
#include "cli/command.h"

enum { ARGS_MAX = 1024 };

struct args_flag {
    const struct flag *flag;
    const char *value; /* "" for a flag without one */
};

struct args {
    const char *words[ARGS_MAX]; /* what is no flag, without the command's own words */
    size_t word_count;
    struct args_flag flags[ARGS_MAX];
    size_t flag_count;
    const struct command *command;
};

/*
 * Everything is borrowed from argv. USAGE with the story in `diag` (frame 0: what happened, frame 1
 * if any: what to do). `out` is set as far as the line could be read, for the help of a command.
 */
status args_parse(int argc, char **argv, struct args *out, struct diag *diag);

/* The last value of a flag, or NULL. */
const char *args_get(const struct args *args, const char *name);
bool args_has(const struct args *args, const char *name);
/* Decimal; absent leaves *out as it is. */
status args_u64(const struct args *args, const char *name, struct diag *diag, uint64_t *out);
