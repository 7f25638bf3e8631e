/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view_version.c - one version of a view: checks, comparison, dialects.
 *
 * Format:
 * {"version-id","timestamp-ms","schema-id","summary"{},"representations"[{"type":"sql","sql",
 * "dialect"}],"default-catalog"?,"default-namespace"[]} (Iceberg view spec, "Versions").
 */
#include "catalog/schema_internal.h"
#include "catalog/view_internal.h"

static status_value check_strings(const struct json *value, const char *what, struct diag *diag)
{
    struct json_iter iter = json_iter(value);
    const struct json *item;
    struct str text;
    while (json_next(&iter, NULL, &item)) {
        if (!json_as_str(item, &text))
            return FAIL(diag, INVALID, "cannot parse view version: %s must hold strings", what);
    }
    return OK;
}

static status_value check_representation(const struct json *json, struct diag *diag)
{
    struct str text;
    TRY(json_need_str(json, "type", "view representation", diag, &text));
    if (!str_eq_nocase(text, STR("sql")))
        return OK;
    TRY(json_need_str(json, "sql", "view representation", diag, &text));
    return json_need_str(json, "dialect", "view representation", diag, &text);
}

static status_value check_representations(const struct json *version, struct diag *diag)
{
    const struct json *list;
    TRY(json_need_array(version, "representations", "view version", diag, &list));
    if (json_size(list) == 0)
        return FAIL(diag, ILLEGAL_ARGUMENT, "Invalid view version: it has no representations");
    struct json_iter iter = json_iter(list);
    const struct json *item;
    while (json_next(&iter, NULL, &item))
        TRY(check_representation(item, diag));
    return OK;
}

status_value view__version_check(const struct json *version, struct diag *diag)
{
    static const char *const what = "view version";
    int32_t id;
    int64_t timestamp;
    struct str catalog;
    bool found;
    const struct json *value;
    TRY(json_need_i32(version, "version-id", what, diag, &id));
    TRY(json_need_i64(version, "timestamp-ms", what, diag, &timestamp));
    TRY(json_need_i32(version, "schema-id", what, diag, &id));
    TRY(json_need_object(version, "summary", what, diag, &value));
    TRY(check_strings(value, "summary", diag));
    TRY(json_opt_str(version, "default-catalog", what, diag, &catalog, &found));
    TRY(json_need_array(version, "default-namespace", what, diag, &value));
    TRY(check_strings(value, "default-namespace", diag));
    return check_representations(version, diag);
}

/* The dialect of an SQL representation; false for one of another type. */
static bool dialect_of(const struct json *representation, struct str *out)
{
    struct str type;
    return json_as_str(json_get(representation, "type"), &type) &&
           str_eq_nocase(type, STR("sql")) && json_as_str(json_get(representation, "dialect"), out);
}

/* Whether one of the first `count` representations is for this dialect. */
static bool has_dialect(const struct json *list, size_t count, struct str dialect)
{
    struct json_iter iter = json_iter(list);
    const struct json *item;
    struct str other;
    for (size_t i = 0; i < count && json_next(&iter, NULL, &item); i++) {
        if (dialect_of(item, &other) && str_eq_nocase(other, dialect))
            return true;
    }
    return false;
}

static status_value fail_duplicate(struct str dialect, struct diag *diag)
{
    char lower[64];
    size_t size = u64_min(dialect.size, sizeof(lower));
    for (size_t i = 0; i < size; i++) {
        char c = dialect.data[i];
        bool upper = c >= 'A' && c <= 'Z';
        lower[i] = (char)(upper ? c - 'A' + 'a' : c);
    }
    return FAIL(diag, ILLEGAL_ARGUMENT,
                "Invalid view version: Cannot add multiple queries for dialect %.*s", (int)size,
                lower);
}

status_value view__version_check_new(const struct json *version, struct diag *diag)
{
    const struct json *list = json_get(version, "representations");
    struct json_iter iter = json_iter(list);
    const struct json *item;
    for (size_t i = 0; json_next(&iter, NULL, &item); i++) {
        struct str dialect;
        if (i == VIEW_REPRESENTATIONS_MAX)
            return FAIL(diag, ILLEGAL_ARGUMENT,
                        "Invalid view version: more than %d representations",
                        VIEW_REPRESENTATIONS_MAX);
        if (!dialect_of(item, &dialect)) {
            struct str type = STR("");
            (void)json_as_str(json_get(item, "type"), &type);
            return FAIL(diag, ILLEGAL_ARGUMENT,
                        "Found unsupported types in view representations: [%.*s]", STR_ARG(type));
        }
        if (has_dialect(list, i, dialect))
            return fail_duplicate(dialect, diag);
    }
    return OK;
}

bool view__version_same(const struct json *a, const struct json *b)
{
    static const char *const skip[] = {"version-id", "timestamp-ms", "schema-id", NULL};
    return schema__members_same(a, b, skip);
}

int32_t view__version_schema_id(const struct json *version)
{
    int32_t id = VIEW_LAST_ADDED;
    (void)json_as_i32(json_get(version, "schema-id"), &id);
    return id;
}

status_value view__version_with_ids(struct arena *arena, const struct json *version, int32_t id,
                                    int32_t schema_id, struct diag *diag, const struct json **out)
{
    struct buf text;
    buf_init(&text, arena, VIEW_ROW_MAX);
    struct json_writer w;
    json_writer_init(&w, &text);
    jw_object(&w);
    struct json_iter iter = json_iter(version);
    struct str key;
    const struct json *value;
    while (json_next(&iter, &key, &value)) {
        jw_key_str(&w, key);
        if (str_is(key, "version-id"))
            jw_i64(&w, id);
        else if (str_is(key, "schema-id"))
            jw_i64(&w, schema_id);
        else
            jw_value(&w, value);
    }
    jw_end(&w);
    TRY(buf_finish(&text, "a view version", diag));
    struct json_limits limits = json_limits_document();
    return json_parse(arena, buf_view(&text), &limits, diag, out);
}

bool view__dialects_kept(const struct json *before, const struct json *now)
{
    const struct json *list = json_get(now, "representations");
    struct json_iter iter = json_iter(json_get(before, "representations"));
    const struct json *item;
    struct str dialect;
    while (json_next(&iter, NULL, &item)) {
        if (dialect_of(item, &dialect) && !has_dialect(list, json_size(list), dialect))
            return false;
    }
    return true;
}

void view__write_dialects(const struct json *version, struct buf *out)
{
    bool is_first = true;
    struct json_iter iter = json_iter(json_get(version, "representations"));
    const struct json *item;
    struct str dialect;
    buf_byte(out, '[');
    while (json_next(&iter, NULL, &item)) {
        if (!dialect_of(item, &dialect))
            continue;
        if (!is_first)
            buf_str(out, STR(", "));
        is_first = false;
        buf_str(out, dialect);
    }
    buf_byte(out, ']');
}
