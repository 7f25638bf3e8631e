/* SPDX-License-Identifier: Apache-2.0 */
/*
 * location.c - canonical locations: one spelling for one place, and nothing outside the warehouse.
 *
 * Form: <scheme>://<authority>/<segment>/<segment>. Bytes of segments are kept as they are; what is
 * dangerous under any reading of them is refused, not repaired.
 *
 * L1  Canonicalising a canonical location changes nothing.
 * L2  No segment is empty, "." or "..", nor becomes so (or gains a separator or a control
 *     character) by percent-decoding it any number of times: whoever decodes later stays inside
 *     too.
 * L3  Containment is a prefix on a segment boundary: "/lake/tbl" does not contain "/lake/tbl2".
 * L4  A file location has no authority: file:/x, file:///x are one; file://host/x is refused, since
 *     a reader may take "host" for a folder or for a machine.
 */
#include "catalog/catalog_internal.h"

enum {
    LOCATION_SIZE_MAX = 4096,
    LOCATION_SHOWN_MAX = 200,
    SEGMENT_SIZE_MAX = 1024,
    DECODE_ROUNDS_MAX = 4 /* a name that is encoded more often than this is no accident */
};

enum authority { AUTHORITY_NONE, AUTHORITY_BUCKET, AUTHORITY_ACCOUNT };

struct scheme {
    const char *name;
    enum authority authority;
};

static const struct scheme schemes[] = {
    {"file", AUTHORITY_NONE},
    {"s3", AUTHORITY_BUCKET},
    {"gs", AUTHORITY_BUCKET},
    {"abfss", AUTHORITY_ACCOUNT}, /* container@account.dfs.core.windows.net */
};

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char l = lower(c);
    return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

/* Decodes valid escapes in place; others stay. Returns the new size. */
static size_t percent_decode(char *data, size_t size)
{
    size_t to = 0;
    for (size_t i = 0; i < size; i++) {
        bool escape = data[i] == '%' && size - i > 2 && hex_digit(data[i + 1]) >= 0 &&
                      hex_digit(data[i + 2]) >= 0;
        if (escape) {
            data[to++] =
                (char)(unsigned char)(hex_digit(data[i + 1]) * 16 + hex_digit(data[i + 2]));
            i += 2;
        } else {
            data[to++] = data[i];
        }
    }
    return to;
}

static const char *bytes_defect(struct str segment)
{
    if (segment.size == 0)
        return "it has an empty segment";
    if (str_is(segment, ".") || str_is(segment, ".."))
        return "it has a segment that is '.' or '..'";
    for (size_t i = 0; i < segment.size; i++) {
        unsigned char c = (unsigned char)segment.data[i];
        if (c < 0x20 || c == 0x7f)
            return "it has a control character";
        if (c == '/' || c == '\\')
            return "it has a hidden separator";
    }
    return NULL;
}

/* Why a segment is refused, or NULL (L2). */
static const char *segment_defect(struct str segment)
{
    char decoded[SEGMENT_SIZE_MAX];
    if (segment.size > sizeof(decoded))
        return "it has a segment of more than 1024 bytes";
    for (size_t i = 0; i < segment.size; i++) {
        if (segment.data[i] == '?' || segment.data[i] == '#')
            return "it has a query or a fragment";
    }
    const char *defect = bytes_defect(segment);
    memcpy(decoded, segment.data, segment.size);
    size_t size = segment.size;
    for (int round = 0; defect == NULL; round++) {
        size_t shorter = percent_decode(decoded, size);
        if (shorter == size)
            return NULL;
        size = shorter;
        defect = round == DECODE_ROUNDS_MAX ? "its percent-escapes are nested too deeply"
                                            : bytes_defect((struct str){decoded, size});
    }
    return defect;
}

static bool is_host_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

static bool host_is_valid(struct str host)
{
    if (host.size == 0 || host.data[0] == '.' || host.data[0] == '-')
        return false;
    for (size_t i = 0; i < host.size; i++) {
        bool dots = host.data[i] == '.' && i + 1 < host.size && host.data[i + 1] == '.';
        if (!is_host_byte(host.data[i]) || dots)
            return false;
    }
    return true;
}

static bool authority_is_valid(enum authority kind, struct str authority)
{
    if (kind == AUTHORITY_NONE)
        return authority.size == 0;
    if (kind == AUTHORITY_BUCKET)
        return host_is_valid(authority);
    struct str account = authority;
    struct str container = {"", 0};
    return str_split(&account, '@', &container) && host_is_valid(container) &&
           host_is_valid(account);
}

static const struct scheme *scheme_find(struct str name)
{
    for (size_t i = 0; i < COUNTOF(schemes); i++) {
        if (str_eq_nocase(name, str_from(schemes[i].name)))
            return &schemes[i];
    }
    return NULL;
}

/* What follows "scheme:": "//authority/path", or "/path" for a file. */
static bool split_authority(const struct scheme *scheme, struct str rest, struct str *out_authority,
                            struct str *out_path)
{
    *out_authority = (struct str){"", 0};
    *out_path = rest;
    if (!str_starts(rest, STR("//")))
        return scheme->authority == AUTHORITY_NONE && str_starts(rest, STR("/"));
    rest = str_from_pos(rest, 2);
    ptrdiff_t slash = str_find(rest, '/');
    size_t end = slash < 0 ? rest.size : (size_t)slash;
    *out_authority = str_slice(rest, 0, end);
    *out_path = str_from_pos(rest, end);
    return true;
}

/* Appends "/a/b" without its trailing slash; returns why it cannot, or NULL. */
static const char *path_append(struct buf *buf, struct str path)
{
    if (str_ends(path, STR("/")))
        path.size--;
    if (path.size == 0)
        return NULL;
    ASSERT(path.data[0] == '/');
    size_t from = 1;
    while (from <= path.size) {
        ptrdiff_t slash = str_find(str_from_pos(path, from), '/');
        size_t to = slash < 0 ? path.size : from + (size_t)slash;
        const char *defect = segment_defect(str_slice(path, from, to));
        if (defect != NULL)
            return defect;
        from = to + 1;
    }
    buf_str(buf, path);
    return NULL;
}

static const char *canonical_append(struct buf *buf, struct str location)
{
    if (location.size == 0)
        return "it is empty";
    if (location.size > LOCATION_SIZE_MAX)
        return "it is longer than 4096 bytes";
    if (!str_is_utf8(location))
        return "it is not valid UTF-8";
    ptrdiff_t colon = str_find(location, ':');
    const struct scheme *scheme =
        colon < 0 ? NULL : scheme_find(str_slice(location, 0, (size_t)colon));
    if (scheme == NULL)
        return "its scheme is not one of file, s3, gs and abfss";
    struct str authority = {"", 0};
    struct str path = {"", 0};
    if (!split_authority(scheme, str_from_pos(location, (size_t)colon + 1), &authority, &path))
        return "it is not an absolute location";
    buf_printf(buf, "%s://", scheme->name);
    size_t at = buf->size;
    for (size_t i = 0; i < authority.size; i++)
        buf_byte(buf, lower(authority.data[i]));
    if (buf->failed != STATUS_OK)
        return NULL;
    if (!authority_is_valid(scheme->authority, str_from_pos(buf_view(buf), at)))
        return scheme->authority == AUTHORITY_NONE ? "a file location cannot name a host"
                                                   : "its bucket or account is not valid";
    const char *defect = path_append(buf, path);
    bool is_root = scheme->authority == AUTHORITY_NONE && buf->size == at;
    return defect == NULL && is_root && buf->failed == STATUS_OK ? "it is the root folder" : defect;
}

/* The beginning of a hostile text, for a message; whole characters only. */
static struct str shown(struct str text)
{
    if (!str_is_utf8(text))
        return STR("(not UTF-8)");
    size_t size = u64_min(text.size, LOCATION_SHOWN_MAX);
    while (size < text.size && ((unsigned char)text.data[size] & 0xc0) == 0x80)
        size--;
    return str_slice(text, 0, size);
}

static status location_canonical(struct arena *arena, struct str location, const char *what,
                                 struct diag *diag, struct str *out)
{
    struct buf buf;
    buf_init(&buf, arena, LOCATION_SIZE_MAX + 64);
    const char *defect = canonical_append(&buf, location);
    if (defect != NULL) {
        struct str text = shown(location);
        return FAIL(diag, ILLEGAL_ARGUMENT, "%s is not valid: %s: %.*s", what, defect,
                    STR_ARG(text));
    }
    TRY(buf_finish(&buf, "a location", diag));
    *out = buf_view(&buf);
    return OK;
}

status catalog__location_canonical(struct catalog_context *context, struct str location,
                                   struct str *out)
{
    return location_canonical(context->arena, location, "The location", context->diag, out);
}

bool catalog__location_within(struct str location, struct str root)
{
    if (!str_starts(location, root))
        return false;
    return location.size == root.size || location.data[root.size] == '/';
}

status catalog_location_check(struct arena *arena, const struct catalog_warehouse *warehouse,
                              struct str location, const char *what, struct diag *diag,
                              struct str *out)
{
    struct str canonical = {"", 0};
    TRY(location_canonical(arena, location, what, diag, &canonical));
    if (!catalog__location_within(canonical, warehouse->location)) {
        struct str text = shown(canonical);
        struct str root = shown(warehouse->location);
        return FAIL(diag, ILLEGAL_ARGUMENT,
                    "%s %.*s is outside of the location %.*s of warehouse %.*s", what,
                    STR_ARG(text), STR_ARG(root), STR_ARG(warehouse->name));
    }
    *out = canonical;
    return OK;
}

status catalog__location_check(struct catalog_context *context,
                               const struct catalog_warehouse *warehouse, struct str location,
                               const char *what, struct str *out)
{
    return catalog_location_check(context->arena, warehouse, location, what, context->diag, out);
}
