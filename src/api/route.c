/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route.c - path matching over operations.def, and percent decoding.
 *
 * I1  Decoding happens exactly once, per segment, after splitting.
 * I2  What comes out is valid UTF-8 without NUL.
 */
#include "api/route.h"

enum { SEGMENTS_MAX = 12 };

struct segments {
    struct str at[SEGMENTS_MAX];
    size_t count;
};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static status_value decode(struct arena *arena, struct str raw, struct diag *diag, struct str *out)
{
    char *data = arena_alloc(arena, raw.size + 1);
    size_t size = 0;
    if (data == NULL)
        return FAIL(diag, NOMEM, "the request's memory is exhausted");
    for (size_t i = 0; i < raw.size; i++) {
        char c = raw.data[i] == '+' ? ' ' : raw.data[i];
        if (c == '%') {
            bool whole = raw.size - i > 2;
            int high = whole ? hex_digit(raw.data[i + 1]) : -1;
            int low = whole ? hex_digit(raw.data[i + 2]) : -1;
            if (high < 0 || low < 0)
                return FAIL(diag, INVALID, "malformed percent-encoding in the URL");
            c = (char)(unsigned char)(high * 16 + low);
            i += 2;
        }
        data[size++] = c;
    }
    data[size] = '\0';
    *out = (struct str){data, size};
    if (memchr(data, '\0', size) != NULL || !str_is_utf8(*out))
        return FAIL(diag, INVALID, "a name in the URL is not valid UTF-8");
    return OK;
}

/* Position of "%1F" or "%1f", or -1. */
static ptrdiff_t find_separator(struct str raw)
{
    for (size_t i = 0; i + 3 <= raw.size; i++)
        if (raw.data[i] == '%' && raw.data[i + 1] == '1' &&
            (raw.data[i + 2] == 'F' || raw.data[i + 2] == 'f'))
            return (ptrdiff_t)i;
    return -1;
}

static status_value decode_namespace(struct arena *arena, struct str raw, struct diag *diag,
                                     struct catalog_ident *out)
{
    struct str *levels = ARENA_ARRAY(arena, struct str, CATALOG_NAMESPACE_LEVELS_MAX);
    size_t count = 0;
    if (levels == NULL)
        return FAIL(diag, NOMEM, "the request's memory is exhausted");
    for (bool more = true; more;) {
        ptrdiff_t at = find_separator(raw);
        struct str level = at < 0 ? raw : str_slice(raw, 0, (size_t)at);
        more = at >= 0;
        raw = more ? str_from_pos(raw, (size_t)at + 3) : raw;
        if (count == CATALOG_NAMESPACE_LEVELS_MAX)
            return FAIL(diag, INVALID, "a namespace has more than %d levels",
                        CATALOG_NAMESPACE_LEVELS_MAX);
        if (level.size == 0)
            return FAIL(diag, INVALID, "a namespace in the URL has an empty level");
        TRY(decode(arena, level, diag, &levels[count++]));
    }
    out->levels = levels;
    out->level_count = count;
    return OK;
}

/* Segments behind the version; false when this is no catalog path. */
static bool split_path(struct str path, struct segments *out)
{
    static const char *const roots[] = {"/api/catalog", "/catalog", "/iceberg"};
    for (size_t i = 0; i < COUNTOF(roots); i++) {
        struct str root = str_from(roots[i]);
        if (str_starts(path, root) && path.size > root.size && path.data[root.size] == '/') {
            path = str_from_pos(path, root.size);
            break;
        }
    }
    if (!str_starts(path, STR("/v1/")))
        return false;
    struct str rest = str_from_pos(path, 4);
    out->count = 0;
    for (struct str part; str_split(&rest, '/', &part);) {
        if (out->count == SEGMENTS_MAX)
            return false;
        out->at[out->count++] = part;
    }
    /* One trailing slash is forgiven: clients join base and path in their own ways. */
    if (out->count > 1 && out->at[out->count - 1].size == 0)
        out->count--;
    return true;
}

static bool is_prefixless(const struct segments *segments)
{
    static const char *const words[] = {"config", "namespaces", "tables", "views", "transactions"};
    for (size_t i = 0; i < COUNTOF(words); i++)
        if (str_is(segments->at[0], words[i]))
            return true;
    return false;
}

/* Whether the segments have the shape of an operation's path (behind "/v1/" and "{prefix}/"). */
static bool matches(const char *template, const struct segments *segments, size_t first)
{
    struct str rest = str_from_pos(str_from(template), 4);
    size_t at = first;
    if (str_starts(rest, STR("{prefix}/")))
        rest = str_from_pos(rest, STR("{prefix}/").size);
    else if (first != 0)
        return false; /* the configuration has no prefix */
    for (struct str part; str_split(&rest, '/', &part); at++) {
        if (at >= segments->count)
            return false;
        if (part.data[0] != '{' && !str_eq(part, segments->at[at]))
            return false;
    }
    return at == segments->count;
}

static status_value find_operation(const struct http_exchange *exchange,
                                   const struct segments *segments, size_t first, struct diag *diag,
                                   enum catalog_op *out)
{
    const char *verb = http_method_name(exchange->method);
    bool path_exists = false;
    for (int op = 0; op < CATALOG_OP_COUNT; op++) {
        if (!matches(catalog_op_path((enum catalog_op)op), segments, first))
            continue;
        path_exists = true;
        if (str_is(str_from(verb), catalog_op_verb((enum catalog_op)op))) {
            *out = (enum catalog_op)op;
            return OK;
        }
    }
    if (path_exists)
        return FAIL(diag, METHOD_NOT_ALLOWED, "%s is not offered on %.*s", verb,
                    STR_ARG(exchange->path));
    return FAIL(diag, NOT_FOUND, "no such route: %s %.*s", verb, STR_ARG(exchange->path));
}

static status_value read_idents(struct arena *arena, const struct segments *segments, size_t first,
                                enum catalog_op op, struct diag *diag,
                                struct catalog_request *request)
{
    struct str rest = str_from_pos(str_from(catalog_op_path(op)), 4);
    size_t at = first;
    if (str_starts(rest, STR("{prefix}/")))
        rest = str_from_pos(rest, STR("{prefix}/").size);
    for (struct str part; str_split(&rest, '/', &part); at++) {
        if (part.data[0] != '{')
            continue;
        if (str_is(part, "{namespace}"))
            TRY(decode_namespace(arena, segments->at[at], diag, &request->ident));
        else
            TRY(decode(arena, segments->at[at], diag, &request->ident.name));
        if (segments->at[at].size == 0)
            return FAIL(diag, INVALID, "a name in the URL is empty");
    }
    return OK;
}

static status_value read_parent(struct arena *arena, struct str value, struct diag *diag,
                                struct catalog_request *request)
{
    struct str *levels = ARENA_ARRAY(arena, struct str, CATALOG_NAMESPACE_LEVELS_MAX);
    size_t count = 0;
    if (value.size == 0)
        return OK; /* the same as absent */
    if (levels == NULL)
        return FAIL(diag, NOMEM, "the request's memory is exhausted");
    for (struct str part; str_split(&value, 0x1f, &part);) {
        if (count == CATALOG_NAMESPACE_LEVELS_MAX || part.size == 0)
            return FAIL(diag, INVALID, "parameter parent is not a namespace");
        levels[count++] = part;
    }
    request->parent.levels = levels;
    request->parent.level_count = count;
    return OK;
}

static status_value read_bool(struct str value, const char *name, struct diag *diag, bool *out)
{
    *out = str_eq_nocase(value, STR("true"));
    if (*out || str_eq_nocase(value, STR("false")))
        return OK;
    return FAIL(diag, INVALID, "parameter %s must be true or false, not \"%.*s\"", name,
                STR_ARG(value));
}

static status_value read_parameter(struct arena *arena, struct str name, struct str value,
                                   struct diag *diag, struct catalog_request *request)
{
    if (str_is(name, "parent"))
        return read_parent(arena, value, diag, request);
    if (str_is(name, "purgeRequested"))
        return read_bool(value, "purgeRequested", diag, &request->purge);
    if (str_is(name, "pageToken")) {
        request->has_page_token = true;
        request->page_token = value;
    } else if (str_is(name, "pageSize")) {
        request->has_page_size = true;
        if (!str_to_u64(value, &request->page_size) || request->page_size == 0)
            return FAIL(diag, INVALID, "parameter pageSize must be a positive number, not \"%.*s\"",
                        STR_ARG(value));
    } else if (str_is(name, "snapshots")) {
        request->refs_only = str_is(value, "refs");
        if (!request->refs_only && !str_is(value, "all"))
            return FAIL(diag, INVALID, "parameter snapshots must be all or refs, not \"%.*s\"",
                        STR_ARG(value));
    } else if (str_is(name, "warehouse")) {
        request->warehouse = value;
    }
    return OK; /* parameters we do not know are other people's */
}

static status_value read_query(const struct http_exchange *exchange, struct diag *diag,
                               struct catalog_request *request)
{
    struct str rest = exchange->query;
    if (rest.size == 0)
        return OK;
    for (struct str pair; str_split(&rest, '&', &pair);) {
        struct str name = {"", 0};
        struct str value = {"", 0};
        ptrdiff_t equals = str_find(pair, '=');
        struct str raw_name = equals < 0 ? pair : str_slice(pair, 0, (size_t)equals);
        TRY(decode(exchange->arena, raw_name, diag, &name));
        if (equals >= 0)
            TRY(decode(exchange->arena, str_from_pos(pair, (size_t)equals + 1), diag, &value));
        TRY(read_parameter(exchange->arena, name, value, diag, request));
    }
    return OK;
}

status_value api_route_match(const struct http_exchange *exchange, struct diag *diag,
                             struct catalog_request *request)
{
    struct segments segments;
    struct str prefix = {"", 0};
    if (!split_path(exchange->path, &segments))
        return FAIL(diag, NOT_FOUND, "no such route: %s %.*s", http_method_name(exchange->method),
                    STR_ARG(exchange->path));
    size_t first = is_prefixless(&segments) ? 0 : 1;
    TRY(find_operation(exchange, &segments, first, diag, &request->op));
    TRY(read_idents(exchange->arena, &segments, first, request->op, diag, request));
    TRY(read_query(exchange, diag, request));
    if (first == 1) {
        TRY(decode(exchange->arena, segments.at[0], diag, &prefix));
        request->warehouse = prefix;
    } else if (request->op != CATALOG_CONFIG) {
        request->warehouse = prefix; /* ?warehouse= belongs to the configuration alone */
    }
    return OK;
}
