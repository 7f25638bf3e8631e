/* SPDX-License-Identifier: Apache-2.0 */
/*
 * args.c - two passes: words and flags by arity, then the command and which flags it takes.
 */
#include "cli/args.h"

#include "cli/suggest.h"

/* argv is read from here; `at` is the next word. */
struct line {
    int count;
    char **words;
    int at;
};

static status unknown_flag(struct str name, const struct command *command, struct diag *diag)
{
    struct suggest near = suggest_for(name);
    const struct flag *flag;
    for (size_t i = 0; (flag = flag_at(i)) != NULL; i++) {
        if (command == NULL || command_takes(command, flag))
            suggest_offer(&near, str_from(flag->name));
    }
    status_value failed =
        command == NULL || flag_named(name) == NULL
            ? FAIL(diag, USAGE, "unknown flag '--%.*s'", STR_ARG(name))
            : FAIL(diag, USAGE, "`tarn %s%s%s` takes no flag '--%.*s'", command->verb,
                   command->sub[0] == 0 ? "" : " ", command->sub, STR_ARG(name));
    if (near.best.data != NULL)
        (void)FAIL(diag, USAGE, "did you mean '--%.*s'?", STR_ARG(near.best));
    return failed;
}

static status add_flag(struct args *args, const struct flag *flag, const char *value,
                       struct diag *diag)
{
    if (args->flag_count == ARGS_MAX)
        return FAIL(diag, USAGE, "more than %d flags", (int)ARGS_MAX);
    args->flags[args->flag_count++] = (struct args_flag){flag, value};
    return OK;
}

/* `value` is what stood behind '=' or the short flag's letter; NULL: nothing did. */
static status take_flag(struct line *line, const struct flag *flag, const char *value,
                        struct args *args, struct diag *diag)
{
    if (flag->value[0] == 0) {
        if (value != NULL)
            return FAIL(diag, USAGE, "--%s takes no value", flag->name);
        return add_flag(args, flag, "", diag);
    }
    if (value == NULL) {
        if (line->at == line->count)
            return FAIL(diag, USAGE, "--%s needs a value: --%s %s", flag->name, flag->name,
                        flag->value);
        value = line->words[line->at++];
    }
    return add_flag(args, flag, value, diag);
}

static status take_long(struct line *line, const char *word, struct args *args, struct diag *diag)
{
    const char *equals = strchr(word, '=');
    struct str name = {word, equals == NULL ? strlen(word) : (size_t)(equals - word)};
    const struct flag *flag = flag_named(name);
    if (flag == NULL)
        return unknown_flag(name, NULL, diag);
    return take_flag(line, flag, equals == NULL ? NULL : equals + 1, args, diag);
}

/* -o json, -ojson, -yr */
static status take_short(struct line *line, const char *letters, struct args *args,
                         struct diag *diag)
{
    for (; *letters != 0; letters++) {
        const struct flag *flag = flag_short(*letters);
        if (flag == NULL)
            return FAIL(diag, USAGE, "unknown flag '-%c'", *letters);
        if (flag->value[0] != 0)
            return take_flag(line, flag, letters[1] == 0 ? NULL : letters + 1, args, diag);
        TRY(add_flag(args, flag, "", diag));
    }
    return OK;
}

static status take_words(struct line *line, struct args *args, struct diag *diag)
{
    bool only_words = false;
    while (line->at < line->count) {
        const char *word = line->words[line->at++];
        if (!only_words && strcmp(word, "--") == 0) {
            only_words = true;
        } else if (!only_words && word[0] == '-' && word[1] == '-') {
            TRY(take_long(line, word + 2, args, diag));
        } else if (!only_words && word[0] == '-' && word[1] != 0) {
            TRY(take_short(line, word + 1, args, diag));
        } else {
            if (args->word_count == ARGS_MAX)
                return FAIL(diag, USAGE, "more than %d arguments", (int)ARGS_MAX);
            args->words[args->word_count++] = word;
        }
    }
    return OK;
}

static status unknown_command(const char *verb, const char *sub, struct diag *diag)
{
    struct suggest near = suggest_for(str_from(sub == NULL ? verb : sub));
    size_t count = 0;
    const struct command *table = command_table(&count);
    for (size_t i = 0; i < count; i++) {
        if (sub == NULL)
            suggest_offer(&near, str_from(table[i].verb));
        else if (strcmp(table[i].verb, verb) == 0)
            suggest_offer(&near, str_from(table[i].sub));
    }
    status_value failed = sub == NULL
                              ? FAIL(diag, USAGE, "unknown command '%s'", verb)
                              : FAIL(diag, USAGE, "`tarn %s` has no command '%s'", verb, sub);
    if (near.best.data != NULL)
        (void)FAIL(diag, USAGE, "did you mean '%.*s'?", STR_ARG(near.best));
    return failed;
}

static const struct command *command_find(const char *verb, const char *sub, bool *out_has_verb)
{
    size_t count = 0;
    const struct command *table = command_table(&count);
    *out_has_verb = false;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(table[i].verb, verb) != 0)
            continue;
        *out_has_verb = true;
        if (table[i].sub[0] == 0 || (sub != NULL && strcmp(table[i].sub, sub) == 0))
            return &table[i];
    }
    return NULL;
}

/* Finds the command and takes its own words away from the arguments. */
static status take_command(struct args *args, struct diag *diag)
{
    bool has_verb = false;
    if (args->word_count == 0)
        return args_has(args, "help") ? OK : FAIL(diag, USAGE, "no command");
    const char *verb = args->words[0];
    const char *sub = args->word_count > 1 ? args->words[1] : NULL;
    const struct command *command = command_find(verb, sub, &has_verb);
    if (command == NULL && has_verb && sub == NULL)
        return args_has(args, "help") ? OK : FAIL(diag, USAGE, "`tarn %s` needs a command", verb);
    if (command == NULL)
        return unknown_command(verb, has_verb ? sub : NULL, diag);
    size_t own = command->sub[0] == 0 ? 1 : 2;
    args->word_count -= own;
    memmove(args->words, args->words + own, args->word_count * sizeof args->words[0]);
    args->command = command;
    return OK;
}

static status check_command(const struct args *args, struct diag *diag)
{
    const struct command *command = args->command;
    for (size_t i = 0; i < args->flag_count; i++) {
        if (!command_takes(command, args->flags[i].flag))
            return unknown_flag(str_from(args->flags[i].flag->name), command, diag);
    }
    if (args->word_count >= command->arguments_min && args->word_count <= command->arguments_max)
        return OK;
    status_value failed =
        args->word_count < command->arguments_min
            ? FAIL(diag, USAGE, "an argument is missing")
            : FAIL(diag, USAGE, "too many arguments: '%s'", args->words[command->arguments_max]);
    (void)FAIL(diag, USAGE, "usage: tarn %s%s%s %s", command->verb, command->sub[0] == 0 ? "" : " ",
               command->sub, command->arguments);
    return failed;
}

status args_parse(int argc, char **argv, struct args *out, struct diag *diag)
{
    struct line line = {argc, argv, argc > 0 ? 1 : 0};
    out->word_count = out->flag_count = 0;
    out->command = NULL;
    TRY(take_words(&line, out, diag));
    TRY(take_command(out, diag));
    if (out->command == NULL || args_has(out, "help"))
        return OK;
    return check_command(out, diag);
}

const char *args_get(const struct args *args, const char *name)
{
    for (size_t i = args->flag_count; i > 0; i--) {
        if (strcmp(args->flags[i - 1].flag->name, name) == 0)
            return args->flags[i - 1].value;
    }
    return NULL;
}

bool args_has(const struct args *args, const char *name)
{
    return args_get(args, name) != NULL;
}

status args_u64(const struct args *args, const char *name, struct diag *diag, uint64_t *out)
{
    const char *text = args_get(args, name);
    if (text == NULL || str_to_u64(str_from(text), out))
        return OK;
    return FAIL(diag, USAGE, "--%s: '%s' is not a number", name, text);
}
