/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command.c - the tables behind command.h. Global flags are the first GLOBAL_FLAGS of flags.def.
 */
#include "cli/command.h"

#include "cli/settings.h"

static const struct command commands[] = {
#define COMMAND(verb, sub, group, run, arguments, min, max, flags, summary, details)               \
    {verb, sub, COMMAND_##group, run, arguments, min, max, flags, summary, details},
#include "cli/commands.def"
#undef COMMAND
};

enum { GLOBAL_FLAGS = 4 };

static const struct flag flags[] = {
#define CLI_FLAG(name, short_name, value, help) {name, short_name, value, help},
#include "cli/flags.def"
#undef CLI_FLAG
};

const struct command *command_table(size_t *out_count)
{
    *out_count = COUNTOF(commands);
    return commands;
}

const char *command_group_title(enum command_group group)
{
    switch (group) {
    case COMMAND_NODE: return "Run a node";
    case COMMAND_CATALOG: return "Use a catalog";
    case COMMAND_CARE: return "Check and measure";
    case COMMAND_SHELL: return "The program itself";
    case COMMAND_GROUPS: break;
    }
    return "";
}

const struct flag *flag_at(size_t index)
{
    if (index < COUNTOF(flags))
        return &flags[index];
    return settings_flag(index - COUNTOF(flags));
}

bool flag_is_global(const struct flag *flag)
{
    return flag >= flags && flag < flags + GLOBAL_FLAGS;
}

bool flag_is_setting(const struct flag *flag)
{
    for (size_t i = 0; settings_flag(i) != NULL; i++) {
        if (settings_flag(i) == flag)
            return true;
    }
    return false;
}

const struct flag *flag_named(struct str name)
{
    const struct flag *flag;
    for (size_t i = 0; (flag = flag_at(i)) != NULL; i++) {
        if (str_is(name, flag->name))
            return flag;
    }
    return NULL;
}

const struct flag *flag_short(char short_name)
{
    for (size_t i = 0; i < COUNTOF(flags); i++) {
        if (flags[i].short_name == short_name)
            return &flags[i];
    }
    return NULL;
}

bool command_takes(const struct command *command, const struct flag *flag)
{
    struct str rest = str_from(command->flags);
    struct str word;
    if (flag_is_global(flag))
        return true;
    while (str_split(&rest, ' ', &word)) {
        if (str_is(word, flag->name))
            return true;
        if (str_is(word, "@settings") && flag_is_setting(flag))
            return true;
    }
    return false;
}
