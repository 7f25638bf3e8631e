/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * command.h - the table of commands and flags (commands.def, flags.def, settings.def).
 */
#include "cli/cli.h"

enum command_group { COMMAND_NODE, COMMAND_CATALOG, COMMAND_CARE, COMMAND_SHELL, COMMAND_GROUPS };

struct command {
    const char *verb;
    const char *sub; /* "" when the verb has none */
    enum command_group group;
    int (*run)(struct cli *cli);
    const char *arguments;
    size_t arguments_min;
    size_t arguments_max;
    const char *flags; /* names, separated by blanks; see commands.def */
    const char *summary;
    const char *details;
};

struct flag {
    const char *name;
    char short_name;   /* 0: none */
    const char *value; /* name of its argument, "" when it takes none */
    const char *help;
};

const struct command *command_table(size_t *out_count);
const char *command_group_title(enum command_group group);
/* The flag of that name among all; NULL when there is none. Those of the settings are included. */
const struct flag *flag_named(struct str name);
const struct flag *flag_short(char short_name);
/* Every flag in the order of the tables: `index` counts from 0; NULL behind the last. */
const struct flag *flag_at(size_t index);
bool flag_is_global(const struct flag *flag);
bool flag_is_setting(const struct flag *flag);
bool command_takes(const struct command *command, const struct flag *flag);

/* One function per command; each is in its verb's file. */
#define COMMAND(verb, sub, group, run, ...) int run(struct cli *cli);
#include "cli/commands.def"
#undef COMMAND
