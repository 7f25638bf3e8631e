/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route_fuzz.c - any request line as a route: refused, or an operation whose names are not empty,
 * valid UTF-8 and without NUL. Input: a digit for the verb, then path and query.
 */
#include "api/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(struct str text)
{
    ASSERT(text.size == 0 || memchr(text.data, '\0', text.size) == NULL);
    ASSERT(str_is_utf8(text));
}

static void check_ident(const struct catalog_ident *ident)
{
    ASSERT(ident->level_count <= CATALOG_NAMESPACE_LEVELS_MAX);
    for (size_t i = 0; i < ident->level_count; i++) {
        ASSERT(ident->levels[i].size > 0);
        check_text(ident->levels[i]);
    }
    check_text(ident->name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum http_method methods[] = {HTTP_METHOD_GET, HTTP_METHOD_HEAD, HTTP_METHOD_POST,
                                               HTTP_METHOD_DELETE};
    struct arena arena;
    struct diag diag = {.count = 0};
    struct catalog_request request = {.op = CATALOG_CONFIG};
    if (size == 0)
        return 0;
    struct str line = {(const char *)data + 1, size - 1};
    ptrdiff_t query = str_find(line, '?');
    arena_init(&arena, allocator_heap(), 16 << 20);
    struct http_exchange exchange = {.arena = &arena,
                                     .method = methods[data[0] % COUNTOF(methods)],
                                     .path = query < 0 ? line : str_slice(line, 0, (size_t)query),
                                     .query = query < 0 ? STR("")
                                                        : str_from_pos(line, (size_t)query + 1)};
    status_value result = api_route_match(&exchange, &diag, &request);
    if (is_ok(result)) {
        ASSERT(request.op < CATALOG_OP_COUNT);
        check_ident(&request.ident);
        const char *path = catalog_op_path(request.op);
        bool has_name = strstr(path, "{table}") != NULL || strstr(path, "{view}") != NULL ||
                        strstr(path, "{function}") != NULL;
        ASSERT(has_name == (request.ident.name.size > 0));
        check_text(request.warehouse);
    } else {
        ASSERT(status_class_of(result.code) == CLASS_INVALID ||
               status_class_of(result.code) == CLASS_NOT_FOUND);
    }
    arena_deinit(&arena);
    return 0;
}
