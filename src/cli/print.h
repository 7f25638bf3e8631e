/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * print.h - how commands speak: errors in one style, tables for people, JSON for programs.
 *
 *   error: what happened
 *     cause: why
 *     fix:   what to do
 */
#include "base/json.h"
#include "cli/cli.h"

/* Prints the error and returns `exit_code`. `cause` and `fix` may be NULL or "". */
int print_problem(struct cli *cli, enum cli_exit exit_code, const char *what, const char *cause,
                  const char *fix);
/* The first argument is none of the command's choices ("a|b|c"): usage, with the nearest one. */
int print_no_choice(struct cli *cli, const char *what);
/* The same from a failed call: the diag's first frame, and its second as what to do. */
int print_status(struct cli *cli, status_value failed, const struct diag *diag, const char *fix);
enum cli_exit exit_of_status(int32_t code);

/* Text from elsewhere may hold control bytes; on a terminal those are commands. Shown as '?'. */
void print_safe(FILE *file, struct str text);

/* Columns a text takes on a terminal: UTF-8, wide East Asian characters count as two. */
size_t print_width(struct str text);

enum { TABLE_COLUMNS_MAX = 8 };
struct print_table {
    struct cli *cli;
    const char *titles[TABLE_COLUMNS_MAX];
    bool is_number[TABLE_COLUMNS_MAX]; /* aligned right, and bare in JSON */
    size_t columns;
    struct str *cells; /* rows x columns; data == NULL is an empty cell */
    size_t rows;
    size_t capacity;
    bool out_of_memory;
};
/* Titles are "name" or "#name" for a column of numbers; JSON uses them as keys. */
void table_init(struct print_table *table, struct cli *cli, const char *const *titles,
                size_t columns);
/* Cells are borrowed until table_print. */
void table_row(struct print_table *table, const struct str *cells);
/* In the format that was asked for: an aligned table, or an array of objects. */
int table_print(struct print_table *table);

/* Prints finished JSON, indented by two, and a newline. */
void print_json(struct cli *cli, struct str json);
void print_json_value(struct cli *cli, const struct json *value);
/* True when the user says yes by typing `name`, or --yes is given. Says how to say so otherwise. */
bool print_confirm(struct cli *cli, const char *action, const char *name, int *out_exit);
/* One line that says what was done, or would be: nothing with -o json but an object. */
int print_done(struct cli *cli, const char *action, const char *object);
