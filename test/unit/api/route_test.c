/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route_test.c - request lines in, operations and decoded names out.
 *
 * A line is "VERB path[?query]"; its transcript is "OPERATION warehouse=W levels=a|b name=N …" or
 * "CODE: message". Every row of operations.def is tried with and without prefix below every root.
 */
#include "api/route.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

struct fixture {
    struct arena arena;
    struct diag diag;
    struct catalog_request request;
    status_value result;
};

static void open_fixture(struct fixture *f)
{
    *f = (struct fixture){.result = OK};
    arena_init(&f->arena, allocator_heap(), 16 << 20);
}

static enum http_method method_of(struct str verb)
{
    for (int i = HTTP_METHOD_GET; i < HTTP_METHOD_OTHER; i++)
        if (str_is(verb, http_method_name((enum http_method)i)))
            return (enum http_method)i;
    return HTTP_METHOD_OTHER;
}

static void match(struct fixture *f, struct str line)
{
    struct str target = line;
    struct str verb = {"", 0};
    assert_true(str_split(&target, ' ', &verb));
    ptrdiff_t query = str_find(target, '?');
    struct http_exchange exchange = {
        .arena = &f->arena,
        .method = method_of(verb),
        .path = query < 0 ? target : str_slice(target, 0, (size_t)query),
        .query = query < 0 ? STR("") : str_from_pos(target, (size_t)query + 1)};
    f->request = (struct catalog_request){.op = CATALOG_OP_COUNT};
    diag_reset(&f->diag);
    f->result = api_route_match(&exchange, &f->diag, &f->request);
}

static void show_ident(struct buf *out, const char *what, const struct catalog_ident *ident)
{
    if (ident->level_count > 0)
        buf_printf(out, " %s=", what);
    for (size_t i = 0; i < ident->level_count; i++)
        buf_printf(out, "%s%.*s", i == 0 ? "" : "|", STR_ARG(ident->levels[i]));
}

static struct str transcript(struct fixture *f, const char *line)
{
    struct buf out;
    const struct catalog_request *request = &f->request;
    match(f, str_from(line));
    buf_init(&out, &f->arena, 1 << 20);
    if (!is_ok(f->result)) {
        buf_printf(&out, "%d: %s", status_http(f->result.code),
                   diag_message(&f->diag, f->result.code));
        return buf_view(&out);
    }
    buf_str(&out, str_from(catalog_op_name(request->op)));
    if (request->warehouse.size > 0)
        buf_printf(&out, " warehouse=%.*s", STR_ARG(request->warehouse));
    show_ident(&out, "levels", &request->ident);
    if (request->ident.name.size > 0)
        buf_printf(&out, " name=%.*s", STR_ARG(request->ident.name));
    show_ident(&out, "parent", &request->parent);
    if (request->has_page_size)
        buf_printf(&out, " size=%" PRIu64, request->page_size);
    if (request->has_page_token)
        buf_printf(&out, " token=%.*s", STR_ARG(request->page_token));
    buf_printf(&out, "%s%s", request->refs_only ? " refs" : "", request->purge ? " purge" : "");
    return buf_view(&out);
}

struct row {
    const char *line;
    const char *wanted;
};

static void check_rows(const struct row *rows, size_t count)
{
    struct fixture f;
    open_fixture(&f);
    for (size_t i = 0; i < count; i++) {
        struct str got = transcript(&f, rows[i].line);
        if (!str_is(got, rows[i].wanted))
            fail_msg("%s\nwanted: %s\ngot:    %.*s", rows[i].line, rows[i].wanted, STR_ARG(got));
    }
    arena_deinit(&f.arena);
}

/* --- every operation --- */

/* The template's path with names in place of {…}; without "{prefix}/" when `prefix` is NULL. */
static struct str fill_template(struct arena *arena, const char *template, const char *prefix)
{
    struct buf out;
    struct str rest = str_from_pos(str_from(template), 1);
    buf_init(&out, arena, 4096);
    for (struct str part; str_split(&rest, '/', &part);) {
        const char *text = NULL;
        if (str_is(part, "{prefix}"))
            text = prefix;
        else if (str_is(part, "{namespace}"))
            text = "a%1Fb";
        else if (part.data[0] == '{')
            text = "n";
        else
            text = "";
        if (text == NULL)
            continue;
        buf_byte(&out, '/');
        buf_str(&out, text[0] == '\0' ? part : str_from(text));
    }
    return buf_view(&out);
}

static bool has(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

static void check_operation(struct fixture *f, enum catalog_op op, const char *root,
                            const char *prefix)
{
    const char *template = catalog_op_path(op);
    struct str path = fill_template(&f->arena, template, prefix);
    struct str line =
        arena_printf(&f->arena, "%s %s%.*s", catalog_op_verb(op), root, STR_ARG(path));
    bool has_prefix = prefix != NULL && has(template, "{prefix}");
    bool has_name = has(template, "{table}") || has(template, "{view}") || has(template, "{func");
    match(f, line);
    if (!is_ok(f->result) || f->request.op != op)
        fail_msg("%.*s is not %s: %s", STR_ARG(line), catalog_op_name(op),
                 diag_message(&f->diag, f->result.code));
    assert_true(str_is(f->request.warehouse, has_prefix ? prefix : ""));
    assert_int_equal(f->request.ident.level_count, has(template, "{namespace}") ? 2 : 0);
    assert_true(str_is(f->request.ident.name, has_name ? "n" : ""));
    struct str wrong = arena_printf(&f->arena, "PATCH %s%.*s", root, STR_ARG(path));
    match(f, wrong);
    assert_int_equal(f->result.code, STATUS_METHOD_NOT_ALLOWED);
    struct str longer = arena_printf(&f->arena, "%.*s/more/x/y", STR_ARG(line));
    match(f, longer);
    assert_int_equal(f->result.code, STATUS_NOT_FOUND);
}

static void test_every_operation(void **state)
{
    static const char *const roots[] = {"", "/api/catalog", "/catalog", "/iceberg"};
    (void)state;
    for (int op = 0; op < CATALOG_OP_COUNT; op++) {
        struct fixture f;
        open_fixture(&f);
        for (size_t i = 0; i < COUNTOF(roots); i++) {
            check_operation(&f, (enum catalog_op)op, roots[i], NULL);
            check_operation(&f, (enum catalog_op)op, roots[i], "lake");
        }
        arena_deinit(&f.arena);
    }
}

/* --- names --- */

static void test_names_are_decoded_once(void **state)
{
    static const struct row rows[] = {
        {"GET /v1/namespaces/a", "NAMESPACE_LOAD levels=a"},
        {"GET /v1/lake/namespaces/a%1Fb%1fc", "NAMESPACE_LOAD warehouse=lake levels=a|b|c"},
        {"GET /v1/namespaces/a+b", "NAMESPACE_LOAD levels=a b"},
        {"GET /v1/namespaces/a%2Bb", "NAMESPACE_LOAD levels=a+b"},
        {"GET /v1/namespaces/a%2Fb", "NAMESPACE_LOAD levels=a/b"},
        {"GET /v1/namespaces/a%252Fb", "NAMESPACE_LOAD levels=a%2Fb"},
        {"GET /v1/namespaces/a%251Fb", "NAMESPACE_LOAD levels=a%1Fb"},
        {"GET /v1/namespaces/a.b", "NAMESPACE_LOAD levels=a.b"},
        {"GET /v1/namespaces/%2E%2E/tables/..", "TABLE_LOAD levels=.. name=.."},
        {"GET /v1/namespaces/a/tables/t%2Fu%20v", "TABLE_LOAD levels=a name=t/u v"},
        {"GET /v1/namespaces/a/tables/caf%C3%A9", "TABLE_LOAD levels=a name=caf\xc3\xa9"},
        {"GET /v1/namespaces/a/tables/t/", "TABLE_LOAD levels=a name=t"},
        {"GET /v1/my%20lake/namespaces", "NAMESPACE_LIST warehouse=my lake"},
        {"GET /v1/namespaces/namespaces/tables/tables", "TABLE_LOAD levels=namespaces name=tables"},
        {"GET /v1//namespaces", "NAMESPACE_LIST"}, /* a client that joins an empty prefix */
        {"POST /v1/tables/rename", "TABLE_RENAME"},
        {"POST /v1/lake/tables/rename", "TABLE_RENAME warehouse=lake"},
    };
    (void)state;
    check_rows(rows, COUNTOF(rows));
}

static void test_what_cannot_be_decoded_is_refused(void **state)
{
    static const char encoding[] = "400: malformed percent-encoding in the URL";
    static const char utf8[] = "400: a name in the URL is not valid UTF-8";
    static const char empty[] = "400: a namespace in the URL has an empty level";
    static const struct row rows[] = {
        {"GET /v1/namespaces/a%", encoding},
        {"GET /v1/namespaces/a%4", encoding},
        {"GET /v1/namespaces/a%zz", encoding},
        {"GET /v1/namespaces/a%4g", encoding},
        {"GET /v1/lake%/namespaces", encoding},
        {"GET /v1/namespaces?parent=%1", encoding},
        {"GET /v1/namespaces/%ff", utf8},
        {"GET /v1/namespaces/a%00b", utf8},
        {"GET /v1/namespaces/a/tables/%C0%AF", utf8},
        {"GET /v1/namespaces/a%1F", empty},
        {"GET /v1/namespaces/%1Fa", empty},
        {"GET /v1/namespaces/a%1F%1Fb", empty},
        {"GET /v1/namespaces//tables", empty},
        {"POST /v1/namespaces/a/tables//metrics", "400: a name in the URL is empty"},
    };
    (void)state;
    check_rows(rows, COUNTOF(rows));
}

static void test_too_many_levels(void **state)
{
    struct fixture f;
    struct buf line;
    (void)state;
    open_fixture(&f);
    for (size_t levels = CATALOG_NAMESPACE_LEVELS_MAX; levels <= CATALOG_NAMESPACE_LEVELS_MAX + 1;
         levels++) {
        buf_init(&line, &f.arena, 4096);
        buf_str(&line, STR("GET /v1/namespaces/a"));
        for (size_t i = 1; i < levels; i++)
            buf_str(&line, STR("%1Fa"));
        match(&f, buf_view(&line));
        assert_int_equal(is_ok(f.result), levels == CATALOG_NAMESPACE_LEVELS_MAX);
    }
    arena_deinit(&f.arena);
}

static void test_unknown_paths(void **state)
{
    static const struct row rows[] = {
        {"GET /", "404: no such route: GET /"},
        {"GET /v1", "404: no such route: GET /v1"},
        {"GET /v1/", "404: no such route: GET /v1/"},
        {"GET /v2/config", "404: no such route: GET /v2/config"},
        {"GET /v1/lake/config", "404: no such route: GET /v1/lake/config"},
        {"GET /other/v1/config", "404: no such route: GET /other/v1/config"},
        {"GET /catalogv1/config", "404: no such route: GET /catalogv1/config"},
        {"GET /api/catalog/catalog/v1/config",
         "404: no such route: GET /api/catalog/catalog/v1/config"},
        {"GET /v1/a/b/c/d/e/f/g/h/i/j/k/l/m/n", "404: no such route: GET "
                                                "/v1/a/b/c/d/e/f/g/h/i/j/k/l/m/n"},
        {"GET *", "404: no such route: GET *"},
        {"PUT /v1/config", "405: PUT is not offered on /v1/config"},
        {"DELETE /v1/namespaces", "405: DELETE is not offered on /v1/namespaces"},
        {"GET /v1/transactions/commit", "405: GET is not offered on /v1/transactions/commit"},
    };
    (void)state;
    check_rows(rows, COUNTOF(rows));
}

/* --- the query --- */

static void test_parameters(void **state)
{
    static const struct row rows[] = {
        {"GET /v1/config?warehouse=lake", "CONFIG warehouse=lake"},
        {"GET /v1/namespaces?warehouse=lake", "NAMESPACE_LIST"},
        {"GET /v1/namespaces?parent=a%1Fb", "NAMESPACE_LIST parent=a|b"},
        {"GET /v1/namespaces?parent=", "NAMESPACE_LIST"},
        {"GET /v1/namespaces?parent=a+b%2Fc", "NAMESPACE_LIST parent=a b/c"},
        {"GET /v1/namespaces?pageToken=&pageSize=5", "NAMESPACE_LIST size=5 token="},
        {"GET /v1/namespaces?pageToken=x%3D&other=1&&flag", "NAMESPACE_LIST token=x="},
        {"GET /v1/namespaces/a/tables/t?snapshots=refs", "TABLE_LOAD levels=a name=t refs"},
        {"GET /v1/namespaces/a/tables/t?snapshots=all", "TABLE_LOAD levels=a name=t"},
        {"DELETE /v1/namespaces/a/tables/t?purgeRequested=True",
         "TABLE_DROP levels=a name=t purge"},
        {"DELETE /v1/namespaces/a/tables/t?purgeRequested=false", "TABLE_DROP levels=a name=t"},
        {"DELETE /v1/namespaces/a/tables/t?purgeRequested=yes",
         "400: parameter purgeRequested must be true or false, not \"yes\""},
        {"GET /v1/namespaces?pageSize=0",
         "400: parameter pageSize must be a positive number, not \"0\""},
        {"GET /v1/namespaces?pageSize=-1",
         "400: parameter pageSize must be a positive number, not \"-1\""},
        {"GET /v1/namespaces/a/tables/t?snapshots=some",
         "400: parameter snapshots must be all or refs, not \"some\""},
        {"GET /v1/namespaces?parent=a%1F%1Fb", "400: parameter parent is not a namespace"},
        {"GET /v1/namespaces?parent=a%1F", "400: parameter parent is not a namespace"},
    };
    (void)state;
    check_rows(rows, COUNTOF(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_operation),
        cmocka_unit_test(test_names_are_decoded_once),
        cmocka_unit_test(test_what_cannot_be_decoded_is_refused),
        cmocka_unit_test(test_too_many_levels),
        cmocka_unit_test(test_unknown_paths),
        cmocka_unit_test(test_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
