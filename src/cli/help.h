/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * help.h - help and the reference, made from the command table.
 */
#include "cli/command.h"

void help_overview(struct cli *cli, FILE *out);
int help_command(struct cli *cli, const struct command *command);
/* Help on the command that the words name, or on all commands of a verb, or the overview. */
int help_words(struct cli *cli, const char *const *words, size_t count);
