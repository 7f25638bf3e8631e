/* SPDX-License-Identifier: Apache-2.0 */
/*
 * print.c - errors, tables, confirmation. Everything that came from a server goes out through
 * print_safe or as JSON, so that a name cannot drive the terminal.
 */
#include "cli/print.h"

#include "cli/args.h"
#include "cli/suggest.h"

static const char *paint(bool color, const char *code)
{
    return color ? code : "";
}

static void print_part(struct cli *cli, const char *label, const char *text)
{
    if (text == NULL || text[0] == 0)
        return;
    fprintf(cli->err, "  %s", label);
    print_safe(cli->err, str_from(text));
    fputc('\n', cli->err);
}

int print_problem(struct cli *cli, enum cli_exit exit_code, const char *what, const char *cause,
                  const char *fix)
{
    fprintf(cli->err, "%serror:%s ", paint(cli->color_err, "\033[1;31m"),
            paint(cli->color_err, "\033[0m"));
    print_safe(cli->err, str_from(what));
    fputc('\n', cli->err);
    print_part(cli, "cause: ", cause);
    print_part(cli, "fix:   ", fix);
    return (int)exit_code;
}

enum cli_exit exit_of_status(int32_t code)
{
    if (code == STATUS_USAGE)
        return CLI_USAGE;
    switch (status_class_of(code)) {
    case CLASS_NOT_FOUND: return CLI_NOT_FOUND;
    case CLASS_CONFLICT: return CLI_CONFLICT;
    case CLASS_DENIED: return CLI_DENIED;
    case CLASS_RETRY: return CLI_UNAVAILABLE;
    case CLASS_NONE:
    case CLASS_INVALID:
    case CLASS_CANCELLED:
    case CLASS_UNKNOWN:
    case CLASS_FATAL: break;
    }
    return CLI_FAILURE;
}

int print_status(struct cli *cli, status_value failed, const struct diag *diag, const char *fix)
{
    if (fix == NULL && diag != NULL && diag->count > 1)
        fix = diag->frames[1].text;
    return print_problem(cli, exit_of_status(failed.code), diag_message(diag, failed.code), NULL,
                         fix);
}

int print_no_choice(struct cli *cli, const char *what)
{
    const char *arguments = cli->args->command->arguments;
    struct str choices = {arguments, strcspn(arguments, " ")};
    struct str rest = choices;
    struct str choice;
    struct suggest near = suggest_for(str_from(cli->args->words[0]));
    while (str_split(&rest, '|', &choice))
        suggest_offer(&near, choice);
    struct str said = arena_printf(cli->arena, "there is no %s '%s'", what, cli->args->words[0]);
    struct str fix = near.best.data != NULL
                         ? arena_printf(cli->arena, "did you mean '%.*s'?", STR_ARG(near.best))
                         : arena_printf(cli->arena, "one of %.*s", STR_ARG(choices));
    return print_problem(cli, CLI_USAGE, said.data, NULL, fix.data);
}

void print_safe(FILE *file, struct str text)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        bool is_c1 = c == 0xC2 && i + 1 < text.size && (unsigned char)text.data[i + 1] < 0xA0;
        fputc((c < 0x20 && c != '\n') || c == 0x7F || is_c1 ? '?' : c, file);
        i += is_c1 ? 1 : 0;
    }
}

static bool is_wide(uint32_t c)
{
    return (c >= 0x1100 && c <= 0x115F) || (c >= 0x2E80 && c <= 0xA4CF) ||
           (c >= 0xAC00 && c <= 0xD7A3) || (c >= 0xF900 && c <= 0xFAFF) ||
           (c >= 0xFE30 && c <= 0xFE6F) || (c >= 0xFF00 && c <= 0xFF60) ||
           (c >= 0x1F300 && c <= 0x1FAFF) || (c >= 0x20000 && c <= 0x3FFFD);
}

static uint32_t code_point(const unsigned char *at, size_t left, size_t *out_size)
{
    unsigned size = *at < 0xC0 ? 1 : *at < 0xE0 ? 2 : *at < 0xF0 ? 3 : 4;
    if (size > left)
        size = 1;
    uint32_t value = size == 1 ? *at : *at & (0xFFU >> (size + 1));
    for (unsigned i = 1; i < size; i++)
        value = value << 6 | (at[i] & 0x3FU);
    *out_size = size;
    return value;
}

size_t print_width(struct str text)
{
    size_t width = 0;
    for (size_t i = 0, size = 1; i < text.size; i += size) {
        uint32_t c = code_point((const unsigned char *)text.data + i, text.size - i, &size);
        bool combining = c >= 0x300 && c <= 0x36F;
        width += combining ? 0 : is_wide(c) ? 2 : 1;
    }
    return width;
}

void table_init(struct print_table *table, struct cli *cli, const char *const *titles,
                size_t columns)
{
    ASSERT(columns <= TABLE_COLUMNS_MAX);
    *table = (struct print_table){.cli = cli, .columns = columns};
    for (size_t i = 0; i < columns; i++) {
        table->is_number[i] = titles[i][0] == '#';
        table->titles[i] = titles[i] + (table->is_number[i] ? 1 : 0);
    }
}

void table_row(struct print_table *table, const struct str *cells)
{
    if (table->rows == table->capacity) {
        size_t capacity = table->capacity == 0 ? 64 : table->capacity * 2;
        struct str *grown = ARENA_ARRAY(table->cli->arena, struct str, capacity * table->columns);
        if (grown == NULL) {
            table->out_of_memory = true;
            return;
        }
        if (table->rows > 0)
            memcpy(grown, table->cells, table->rows * table->columns * sizeof *grown);
        table->cells = grown;
        table->capacity = capacity;
    }
    memcpy(table->cells + table->rows * table->columns, cells, table->columns * sizeof *cells);
    table->rows++;
}

static void print_spaces(FILE *file, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fputc(' ', file);
}

static void print_cell(struct print_table *table, size_t column, struct str text, size_t width)
{
    FILE *out = table->cli->out;
    size_t used = print_width(text);
    size_t gap = width > used ? width - used : 0;
    if (table->is_number[column])
        print_spaces(out, gap);
    print_safe(out, text);
    if (column + 1 == table->columns)
        return;
    print_spaces(out, (table->is_number[column] ? 0 : gap) + 2);
}

static void print_aligned(struct print_table *table)
{
    size_t widths[TABLE_COLUMNS_MAX] = {0};
    FILE *out = table->cli->out;
    for (size_t i = 0; i < table->columns; i++)
        widths[i] = strlen(table->titles[i]);
    for (size_t i = 0; i < table->rows * table->columns; i++) {
        size_t width = print_width(table->cells[i]);
        if (width > widths[i % table->columns])
            widths[i % table->columns] = width;
    }
    fputs(paint(table->cli->color_out, "\033[1m"), out);
    for (size_t i = 0; i < table->columns; i++)
        print_cell(table, i, str_from(table->titles[i]), widths[i]);
    fputs(paint(table->cli->color_out, "\033[0m"), out);
    fputc('\n', out);
    for (size_t i = 0; i < table->rows * table->columns; i++) {
        print_cell(table, i % table->columns, table->cells[i], widths[i % table->columns]);
        if ((i + 1) % table->columns == 0)
            fputc('\n', out);
    }
}

static void write_rows(struct print_table *table, struct json_writer *w)
{
    jw_array(w);
    for (size_t row = 0; row < table->rows; row++) {
        jw_object(w);
        for (size_t i = 0; i < table->columns; i++) {
            struct str cell = table->cells[row * table->columns + i];
            jw_key(w, table->titles[i]);
            if (cell.data == NULL)
                jw_null(w);
            else if (table->is_number[i])
                jw_raw(w, cell);
            else
                jw_str(w, cell);
        }
        jw_end(w);
    }
    jw_end(w);
}

int table_print(struct print_table *table)
{
    struct cli *cli = table->cli;
    struct buf buf;
    struct json_writer w;
    if (table->out_of_memory)
        return print_problem(cli, CLI_FAILURE, "the answer does not fit into memory", NULL, NULL);
    if (cli->format == CLI_TABLE) {
        print_aligned(table);
        return CLI_OK;
    }
    buf_init(&buf, cli->arena, SIZE_MAX);
    json_writer_init(&w, &buf);
    write_rows(table, &w);
    print_json(cli, buf_view(&buf));
    return CLI_OK;
}

/* Indents compact JSON: an array or object that is empty stays on its line. */
void print_json(struct cli *cli, struct str json)
{
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < json.size; i++) {
        char c = json.data[i];
        bool closes = !in_string && (c == '}' || c == ']');
        bool empty = i > 0 && (json.data[i - 1] == '{' || json.data[i - 1] == '[');
        if (closes) {
            depth--;
            if (!empty) {
                fputc('\n', cli->out);
                print_spaces(cli->out, depth * 2);
            }
        }
        fputc(c, cli->out);
        if (c == '"')
            in_string = !in_string;
        else if (in_string && c == '\\' && i + 1 < json.size)
            fputc(json.data[++i], cli->out);
        if (in_string || closes)
            continue;
        bool opens = c == '{' || c == '[';
        depth += opens ? 1 : 0;
        if (c == ':')
            fputc(' ', cli->out);
        if (c == ',' || (opens && json.data[i + 1] != '}' && json.data[i + 1] != ']')) {
            fputc('\n', cli->out);
            print_spaces(cli->out, depth * 2);
        }
    }
    fputc('\n', cli->out);
}

void print_json_value(struct cli *cli, const struct json *value)
{
    struct buf buf;
    buf_init(&buf, cli->arena, SIZE_MAX);
    json_write(&buf, value);
    print_json(cli, buf_view(&buf));
}

bool print_confirm(struct cli *cli, const char *action, const char *name, int *out_exit)
{
    char line[1024];
    if (args_has(cli->args, "yes") || cli->dry_run)
        return true;
    if (!cli->is_interactive) {
        *out_exit = print_problem(cli, CLI_USAGE, "not done: nobody confirmed it", NULL,
                                  "say --yes to do it without a question");
        return false;
    }
    fprintf(cli->err, "This will %s ", action);
    print_safe(cli->err, str_from(name));
    fputs(". Type its name to go on: ", cli->err);
    fflush(cli->err);
    bool answered = fgets(line, sizeof line, cli->in) != NULL;
    if (answered)
        line[strcspn(line, "\n")] = 0;
    if (answered && strcmp(line, name) == 0)
        return true;
    *out_exit = print_problem(cli, CLI_FAILURE, "not done: that was not its name", NULL, NULL);
    return false;
}

int print_done(struct cli *cli, const char *action, const char *object)
{
    if (cli->format == CLI_JSON) {
        struct buf buf;
        struct json_writer w;
        buf_init(&buf, cli->arena, SIZE_MAX);
        json_writer_init(&w, &buf);
        jw_object(&w);
        jw_key(&w, "done");
        jw_cstr(&w, action);
        jw_key(&w, "object");
        jw_cstr(&w, object);
        jw_key(&w, "dry-run");
        jw_bool(&w, cli->dry_run);
        jw_end(&w);
        print_json(cli, buf_view(&buf));
        return CLI_OK;
    }
    fprintf(cli->out, "%s%s ", cli->dry_run ? "would have " : "", action);
    print_safe(cli->out, str_from(object));
    fputc('\n', cli->out);
    return CLI_OK;
}
