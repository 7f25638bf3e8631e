/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_completion.c - tarn completion: scripts for bash, zsh and fish, made from the command table.
 */
#include "cli/args.h"
#include "cli/print.h"

static bool is_first_of_verb(const struct command *table, size_t i)
{
    return i == 0 || strcmp(table[i - 1].verb, table[i].verb) != 0;
}

/* Verbs, or the sub-commands of one. */
static void print_words(FILE *out, const char *verb)
{
    size_t count = 0;
    const struct command *table = command_table(&count);
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        const char *word = verb == NULL ? table[i].verb : table[i].sub;
        if (verb == NULL ? !is_first_of_verb(table, i) : strcmp(table[i].verb, verb) != 0)
            continue;
        fprintf(out, "%s%s", any ? " " : "", word);
        any = true;
    }
}

static void print_flags(FILE *out, const struct command *command)
{
    const struct flag *flag;
    for (size_t i = 0; (flag = flag_at(i)) != NULL; i++) {
        if (command_takes(command, flag))
            fprintf(out, " --%s", flag->name);
    }
}

/* Words that an argument can only be one of: "spark|trino|…" in the table. */
static void print_choices(FILE *out, const struct command *command)
{
    const char *text = command->arguments;
    if (strchr(text, '|') == NULL)
        return;
    fputc(' ', out);
    for (; *text != 0 && *text != ' '; text++)
        fputc(*text == '|' ? ' ' : *text, out);
}

static void bash(FILE *out)
{
    size_t count = 0;
    const struct command *table = command_table(&count);
    fputs("# bash completion of tarn: source <(tarn completion bash)\n"
          "_tarn() {\n"
          "  local cur=${COMP_WORDS[COMP_CWORD]} words=''\n"
          "  case \"${COMP_WORDS[1]-} ${COMP_WORDS[2]-}\" in\n",
          out);
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "    '%s %s'*) words='", table[i].verb, table[i].sub);
        print_flags(out, &table[i]);
        print_choices(out, &table[i]);
        fputs("' ;;\n", out);
    }
    fputs("  esac\n"
          "  if [ \"$COMP_CWORD\" = 1 ]; then words='",
          out);
    print_words(out, NULL);
    fputs("'; fi\n  if [ \"$COMP_CWORD\" = 2 ]; then case \"${COMP_WORDS[1]}\" in\n", out);
    for (size_t i = 0; i < count; i++) {
        if (table[i].sub[0] == 0 || !is_first_of_verb(table, i))
            continue;
        fprintf(out, "    %s) words='", table[i].verb);
        print_words(out, table[i].verb);
        fputs("' ;;\n", out);
    }
    fputs("  esac; fi\n"
          "  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
          "}\n"
          "complete -o default -F _tarn tarn\n",
          out);
}

/* Single quotes in the text would end zsh's and fish's string. */
static void print_quoted(FILE *out, const char *text)
{
    for (; *text != 0; text++) {
        if (*text == '\'' || *text == '[' || *text == ']' || *text == ':')
            fputc(' ', out);
        else
            fputc(*text, out);
    }
}

static void zsh_words(FILE *out, const char *verb)
{
    size_t count = 0;
    const struct command *table = command_table(&count);
    for (size_t i = 0; i < count; i++) {
        bool wanted = verb == NULL ? is_first_of_verb(table, i) : strcmp(table[i].verb, verb) == 0;
        if (!wanted)
            continue;
        fprintf(out, " '%s:", verb == NULL ? table[i].verb : table[i].sub);
        print_quoted(out, verb == NULL && table[i].sub[0] != 0 ? "..." : table[i].summary);
        fputc('\'', out);
    }
}

static void zsh(FILE *out)
{
    size_t count = 0;
    const struct command *table = command_table(&count);
    fputs("#compdef tarn\n"
          "_tarn() {\n"
          "  local -a verbs subs flags\n"
          "  if (( CURRENT == 2 )); then\n"
          "    verbs=(",
          out);
    zsh_words(out, NULL);
    fputs(")\n    _describe command verbs; return\n  fi\n"
          "  if (( CURRENT == 3 )); then case $words[2] in\n",
          out);
    for (size_t i = 0; i < count; i++) {
        if (table[i].sub[0] == 0 || !is_first_of_verb(table, i))
            continue;
        fprintf(out, "    %s) subs=(", table[i].verb);
        zsh_words(out, table[i].verb);
        fputs("); _describe command subs; return ;;\n", out);
    }
    fputs("  esac; fi\n  case \"$words[2] $words[3]\" in\n", out);
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "    '%s %s'*) flags=(", table[i].verb, table[i].sub);
        print_flags(out, &table[i]);
        print_choices(out, &table[i]);
        fputs(") ;;\n", out);
    }
    fputs("  esac\n  compadd -- $flags\n  _files\n}\ncompdef _tarn tarn\n", out);
}

static void fish_choices(FILE *out, const struct command *command)
{
    if (strchr(command->arguments, '|') == NULL)
        return;
    fprintf(out, "complete -c tarn -f -n '__fish_seen_subcommand_from %s' -a '",
            command->sub[0] == 0 ? command->verb : command->sub);
    print_choices(out, command);
    fputs("'\n", out);
}

static void fish(FILE *out)
{
    size_t count = 0;
    const struct command *table = command_table(&count);
    const struct flag *flag;
    for (size_t i = 0; i < count; i++) {
        const struct command *c = &table[i];
        if (is_first_of_verb(table, i)) {
            fprintf(out, "complete -c tarn -f -n __fish_use_subcommand -a %s -d '", c->verb);
            print_quoted(out, c->sub[0] == 0 ? c->summary : "...");
            fputs("'\n", out);
        }
        if (c->sub[0] != 0) {
            fprintf(out, "complete -c tarn -f -n '__fish_seen_subcommand_from %s' -a %s -d '",
                    c->verb, c->sub);
            print_quoted(out, c->summary);
            fputs("'\n", out);
        }
        fish_choices(out, c);
        for (size_t j = 0; (flag = flag_at(j)) != NULL; j++) {
            if (!command_takes(c, flag) || flag_is_global(flag))
                continue;
            fprintf(out, "complete -c tarn -n '__fish_seen_subcommand_from %s' -l %s%s -d '",
                    c->verb, flag->name, flag->value[0] == 0 ? "" : " -r");
            print_quoted(out, flag->help);
            fputs("'\n", out);
        }
    }
    for (size_t j = 0; (flag = flag_at(j)) != NULL && flag_is_global(flag); j++) {
        fprintf(out, "complete -c tarn -l %s -d '", flag->name);
        print_quoted(out, flag->help);
        fputs("'\n", out);
    }
}

int cli_completion(struct cli *cli)
{
    const char *shell = cli->args->words[0];
    if (strcmp(shell, "bash") == 0)
        bash(cli->out);
    else if (strcmp(shell, "zsh") == 0)
        zsh(cli->out);
    else if (strcmp(shell, "fish") == 0)
        fish(cli->out);
    else
        return print_no_choice(cli, "completion for the shell");
    return CLI_OK;
}
