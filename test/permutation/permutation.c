/* SPDX-License-Identifier: Apache-2.0 */
/*
 * permutation.c - what concurrent clients can get, as text: every interleaving of their requests.
 *
 * usage: permutation [--update] SPEC
 *
 * A spec has sections, each a keyword at the beginning of a line and indented lines below it:
 *
 *   define NAME text        $NAME stands for the text in later lines ($ and the longest name)
 *   setup                   requests (catalog_fixture.h) before each interleaving; all succeed
 *   session NAME            the requests of one client, in order:  STEP: REQUEST
 *   final                   requests after each interleaving
 *
 * Each interleaving runs against a fresh store, once with every change applied at once and once
 * with all of them in flight (the answers must not differ), and is printed with its answers. The
 * output must equal SPEC.expected; --update rewrites that file, for a person to review.
 */
#include "catalog_fixture.h"

#include <stdio.h>
#include <stdlib.h>

enum { LINES_MAX = 64, SESSIONS_MAX = 4, INTERLEAVINGS_MAX = 2000, TEXT_MAX = 1 << 20 };

struct lines {
    struct str list[LINES_MAX];
    size_t count;
};
struct define {
    struct str name;
    struct str text;
};
struct session {
    struct str name;
    struct lines steps;
};
struct spec {
    struct arena arena;
    struct define defines[LINES_MAX];
    size_t define_count;
    struct lines setup;
    struct lines final;
    struct session sessions[SESSIONS_MAX];
    size_t session_count;
    struct buf output;
    size_t interleavings;
};

/* One interleaving: which session goes next, step by step. */
struct order {
    size_t list[LINES_MAX];
    size_t count;
};

_Noreturn static void die(const char *what, struct str text)
{
    fprintf(stderr, "%s: %.*s\n", what, STR_ARG(text));
    exit(2);
}

static struct str file_read(struct arena *arena, const char *path)
{
    FILE *file = fopen(path, "rb");
    char *data = arena_alloc(arena, TEXT_MAX);
    if (file == NULL || data == NULL)
        die("cannot read", str_from(path));
    size_t size = fread(data, 1, TEXT_MAX, file);
    fclose(file);
    return (struct str){data, size};
}

/* --- reading a spec --- */

static struct str trimmed(struct str text)
{
    while (text.size > 0 && text.data[0] == ' ')
        text = str_from_pos(text, 1);
    while (text.size > 0 && text.data[text.size - 1] == ' ')
        text.size--;
    return text;
}

static const struct define *define_at(const struct spec *spec, struct str text)
{
    const struct define *best = NULL;
    for (size_t i = 0; i < spec->define_count; i++) {
        const struct define *define = &spec->defines[i];
        if (str_starts(text, define->name) && (best == NULL || define->name.size > best->name.size))
            best = define;
    }
    return best;
}

static struct str expanded(struct spec *spec, struct str line)
{
    struct buf buf;
    buf_init(&buf, &spec->arena, TEXT_MAX);
    for (size_t i = 0; i < line.size; i++) {
        if (line.data[i] != '$') {
            buf_byte(&buf, line.data[i]);
            continue;
        }
        const struct define *define = define_at(spec, str_from_pos(line, i + 1));
        if (define == NULL)
            die("undefined name", str_from_pos(line, i));
        buf_str(&buf, define->text);
        i += define->name.size;
    }
    return buf_view(&buf);
}

/* A keyword line; returns the list that the indented lines below it belong to. */
static struct lines *section_begin(struct spec *spec, struct str line)
{
    struct str rest = line;
    struct str word;
    ASSERT(str_split(&rest, ' ', &word));
    rest = trimmed(rest);
    if (str_is(word, "setup"))
        return &spec->setup;
    if (str_is(word, "final"))
        return &spec->final;
    if (str_is(word, "session") && spec->session_count < SESSIONS_MAX) {
        struct session *session = &spec->sessions[spec->session_count++];
        session->name = rest;
        return &session->steps;
    }
    if (!str_is(word, "define") || spec->define_count == LINES_MAX)
        die("cannot read line", line);
    struct define *define = &spec->defines[spec->define_count++];
    ASSERT(str_split(&rest, ' ', &define->name));
    define->text = expanded(spec, trimmed(rest));
    return NULL;
}

static void spec_read(struct spec *spec, const char *path)
{
    struct str text = file_read(&spec->arena, path);
    struct lines *section = NULL;
    struct str line;
    while (str_split(&text, '\n', &line)) {
        if (trimmed(line).size == 0 || line.data[0] == '#')
            continue;
        if (line.data[0] != ' ') {
            section = section_begin(spec, line);
            continue;
        }
        if (section == NULL || section->count == LINES_MAX)
            die("a line of no section", line);
        section->list[section->count++] = expanded(spec, trimmed(line));
    }
}

/* --- running --- */

static struct str step_name(struct str step, struct str *out_request)
{
    struct str name;
    struct str rest = step;
    if (!str_split(&rest, ':', &name) || rest.data == NULL)
        die("a step needs a name and a colon", step);
    *out_request = trimmed(rest);
    return name;
}

static const char *run_line(struct fixture *fixture, struct str line)
{
    return fixture_run(fixture, arena_copy(&fixture->arena, line).data);
}

static void run_order(struct spec *spec, const struct order *order, bool in_flight, struct buf *out)
{
    struct fixture fixture;
    size_t next[SESSIONS_MAX] = {0};
    fixture_open(&fixture);
    for (size_t i = 0; i < spec->setup.count; i++) {
        const char *answer = run_line(&fixture, spec->setup.list[i]);
        if (answer[0] != '2')
            die(answer, spec->setup.list[i]);
    }
    if (in_flight)
        fixture_stop_applying(&fixture);
    for (size_t i = 0; i < order->count; i++) {
        struct session *session = &spec->sessions[order->list[i]];
        struct str request;
        struct str name = step_name(session->steps.list[next[order->list[i]]++], &request);
        buf_printf(out, "  %.*s.%.*s: %s\n", STR_ARG(session->name), STR_ARG(name),
                   run_line(&fixture, request));
    }
    for (size_t i = 0; i < spec->final.count; i++) {
        struct str request;
        struct str name = step_name(spec->final.list[i], &request);
        buf_printf(out, "  = %.*s: %s\n", STR_ARG(name), run_line(&fixture, request));
    }
    fixture_close(&fixture);
}

static void order_print(struct spec *spec, const struct order *order)
{
    size_t next[SESSIONS_MAX] = {0};
    for (size_t i = 0; i < order->count; i++) {
        struct session *session = &spec->sessions[order->list[i]];
        struct str request;
        struct str name = step_name(session->steps.list[next[order->list[i]]++], &request);
        buf_printf(&spec->output, "%s%.*s.%.*s", i > 0 ? " " : "", STR_ARG(session->name),
                   STR_ARG(name));
    }
    buf_byte(&spec->output, '\n');
}

static void run_both(struct spec *spec, const struct order *order)
{
    struct buf in_flight;
    buf_init(&in_flight, &spec->arena, TEXT_MAX);
    order_print(spec, order);
    size_t at = spec->output.size;
    run_order(spec, order, false, &spec->output);
    run_order(spec, order, true, &in_flight);
    struct str applied = str_from_pos(buf_view(&spec->output), at);
    if (!str_eq(applied, buf_view(&in_flight))) {
        fprintf(stderr, "applied:\n%.*sin flight:\n%.*s", STR_ARG(applied),
                STR_ARG(buf_view(&in_flight)));
        die("changes in flight answer differently", STR("see above"));
    }
    if (++spec->interleavings > INTERLEAVINGS_MAX)
        die("too many interleavings", STR("make the sessions shorter"));
}

/* Depth first over which session goes next. */
static void run_all(struct spec *spec, struct order *order, size_t taken[SESSIONS_MAX])
{
    bool more = false;
    for (size_t s = 0; s < spec->session_count; s++) {
        if (taken[s] == spec->sessions[s].steps.count)
            continue;
        more = true;
        taken[s]++;
        order->list[order->count++] = s;
        run_all(spec, order, taken);
        order->count--;
        taken[s]--;
    }
    if (!more)
        run_both(spec, order);
}

/* --- comparing --- */

static int compare(const struct spec *spec, struct str wanted, const char *name)
{
    struct str got = buf_view(&spec->output);
    struct str left;
    struct str right;
    size_t line = 1;
    while (str_split(&wanted, '\n', &left) && str_split(&got, '\n', &right)) {
        if (!str_eq(left, right)) {
            printf("not ok 1 - %s\n# line %zu\n# wanted: %.*s\n#    got: %.*s\n1..1\n", name, line,
                   STR_ARG(left), STR_ARG(right));
            return 1;
        }
        line++;
    }
    bool same = wanted.data == NULL && got.data == NULL;
    printf("%sok 1 - %s: %zu interleavings\n1..1\n", same ? "" : "not ", name, spec->interleavings);
    return same ? 0 : 1;
}

int main(int argc, char **argv)
{
    bool update = argc == 3 && strcmp(argv[1], "--update") == 0;
    if (argc != 2 && !update) {
        fprintf(stderr, "usage: %s [--update] SPEC\n", argv[0]);
        return 2;
    }
    const char *path = argv[argc - 1];
    static struct spec spec;
    size_t taken[SESSIONS_MAX] = {0};
    struct order order = {.count = 0};
    arena_init(&spec.arena, allocator_heap(), 1 << 28);
    buf_init(&spec.output, &spec.arena, TEXT_MAX);
    spec_read(&spec, path);
    run_all(&spec, &order, taken);
    struct str expected = arena_printf(&spec.arena, "%s.expected", path);
    int result = 0;
    if (update) {
        FILE *file = fopen(expected.data, "wb");
        if (file == NULL ||
            fwrite(spec.output.data, 1, spec.output.size, file) != spec.output.size ||
            fclose(file) != 0)
            die("cannot write", expected);
    } else {
        result = compare(&spec, file_read(&spec.arena, expected.data), path);
    }
    arena_deinit(&spec.arena);
    return result;
}
