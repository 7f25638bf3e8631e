/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names.c - names to ids: namespaces level by level, tables and views in their namespace.
 *
 * N1  A table and a view of one namespace never have the same name.
 * N2  Every name has 1 to NAME_SIZE_MAX bytes of UTF-8 without control characters (among them 0x1F,
 *     which separates levels in URLs), so that each object can be addressed.
 * N3  Ids come from one counter per warehouse and are never reused; a rename moves only the name
 *     row.
 * N4  A row found by a hashed long name is used only when the whole name in its value is equal.
 */
#include "catalog/names.h"

enum { NAME_SIZE_MAX = 4096 };

/* --- names as clients write them --- */

static bool name_is_valid(struct str name)
{
    if (name.size == 0 || name.size > NAME_SIZE_MAX || !str_is_utf8(name))
        return false;
    for (size_t i = 0; i < name.size; i++) {
        unsigned char c = (unsigned char)name.data[i];
        if (c < 0x20 || c == 0x7f)
            return false;
    }
    return true;
}

status names__check(struct catalog_context *context, struct str name, const char *what)
{
    if (name_is_valid(name))
        return OK;
    return FAIL(context->diag, INVALID,
                "%s cannot have a name that is empty, longer than %d bytes, not UTF-8 or with "
                "control characters",
                what, NAME_SIZE_MAX);
}

status names__ident_check(struct catalog_context *context, const struct catalog_ident *ident)
{
    if (ident->level_count > CATALOG_NAMESPACE_LEVELS_MAX)
        return FAIL(context->diag, INVALID, "A namespace has at most %d levels, not %zu",
                    CATALOG_NAMESPACE_LEVELS_MAX, ident->level_count);
    for (size_t i = 0; i < ident->level_count; i++)
        TRY(names__check(context, ident->levels[i], "A namespace"));
    return ident->name.size == 0 ? OK : names__check(context, ident->name, "A table or view");
}

status catalog__namespace_parse(struct catalog_context *context, const struct json *json,
                                const char *what, struct catalog_ident *out)
{
    size_t count = json_size(json);
    if (!json_is(json, JSON_ARRAY) || count == 0)
        return FAIL(context->diag, INVALID, "cannot parse %s: namespace must be a non-empty array",
                    what);
    if (count > CATALOG_NAMESPACE_LEVELS_MAX)
        return FAIL(context->diag, INVALID, "cannot parse %s: a namespace has at most %d levels",
                    what, CATALOG_NAMESPACE_LEVELS_MAX);
    struct str *levels = ARENA_ARRAY(context->arena, struct str, count);
    if (levels == NULL)
        return FAIL(context->diag, NOMEM, "could not parse %s: memory is exhausted", what);
    struct json_iter iter = json_iter(json);
    const struct json *level = NULL;
    for (size_t i = 0; json_next(&iter, NULL, &level); i++) {
        if (!json_as_str(level, &levels[i]))
            return FAIL(context->diag, INVALID, "cannot parse %s: namespace levels are strings",
                        what);
        TRY(names__check(context, levels[i], "A namespace"));
    }
    *out = (struct catalog_ident){.levels = levels, .level_count = count};
    return OK;
}

status catalog__ident_parse(struct catalog_context *context, const struct json *json,
                            const char *what, struct catalog_ident *out)
{
    struct catalog_ident parsed;
    struct str name = {"", 0};
    const struct json *levels = NULL;
    TRY(json_need_array(json, "namespace", what, context->diag, &levels));
    TRY(json_need_str(json, "name", what, context->diag, &name));
    TRY(catalog__namespace_parse(context, levels, what, &parsed));
    TRY(names__check(context, name, "A table or view"));
    parsed.name = name;
    *out = parsed;
    return OK;
}

status catalog__dotted(struct catalog_context *context, const struct catalog_ident *ident,
                       struct str *out)
{
    struct buf buf = rows__buf(context);
    for (size_t i = 0; i < ident->level_count; i++) {
        if (i > 0)
            buf_byte(&buf, '.');
        buf_str(&buf, ident->levels[i]);
    }
    if (ident->name.size > 0) {
        buf_byte(&buf, '.');
        buf_str(&buf, ident->name);
    }
    TRY(buf_finish(&buf, "a name", context->diag));
    *out = buf_view(&buf);
    return OK;
}

/* --- rows of names --- */

static enum key_kind row_kind(enum catalog__kind kind)
{
    return kind == CATALOG_TABLE_KIND ? KEY_TABLE_NAME : KEY_VIEW_NAME;
}

status names__row(struct catalog_context *context, const struct key *key, struct str name,
                  const struct json **out, uint64_t *out_id)
{
    struct str stored = {"", 0};
    const struct json *row = NULL;
    uint64_t id = 0;
    TRY(rows__get(context, key, &row));
    if (row != NULL) {
        TRY(rows__str(context, row, "name", &stored));
        TRY(rows__u64(context, row, "id", &id));
        if (!str_eq(stored, name))
            return FAIL(context->diag, INVALID,
                        "This long name collides with another one; choose a different name");
    }
    *out = row;
    *out_id = id;
    return OK;
}

static status namespace_missing(struct catalog_context *context, const struct catalog_ident *ident,
                                size_t level_count)
{
    struct catalog_ident shorter = {.levels = ident->levels, .level_count = level_count};
    struct str dotted = {"", 0};
    TRY(catalog__dotted(context, &shorter, &dotted));
    return FAIL(context->diag, NO_SUCH_NAMESPACE, "Namespace does not exist: %.*s",
                STR_ARG(dotted));
}

status names__namespace_row(struct catalog_context *context, uint32_t warehouse,
                            const struct catalog_ident *ident, const struct json **out,
                            uint64_t *out_id, uint64_t *out_parent)
{
    const struct json *row = NULL;
    uint64_t id = 0;
    uint64_t parent = 0;
    for (size_t i = 0; i < ident->level_count; i++) {
        parent = id;
        struct key key = key_child(warehouse, KEY_NAMESPACE, parent, ident->levels[i]);
        TRY(names__row(context, &key, ident->levels[i], &row, &id));
        if (row == NULL)
            return namespace_missing(context, ident, ident->level_count);
    }
    *out = row;
    *out_id = id;
    *out_parent = parent;
    return OK;
}

status catalog__namespace_find(struct catalog_context *context, uint32_t warehouse,
                               const struct catalog_ident *ident, uint64_t *out_id)
{
    const struct json *row = NULL;
    uint64_t parent = 0;
    return names__namespace_row(context, warehouse, ident, &row, out_id, &parent);
}

status catalog__place_find(struct catalog_context *context,
                           const struct catalog_warehouse *warehouse,
                           const struct catalog_ident *ident, struct catalog__place *out)
{
    struct catalog__place place = {.warehouse = *warehouse, .ident = *ident};
    TRY(catalog__namespace_find(context, warehouse->id, ident, &place.namespace_id));
    TRY(catalog__dotted(context, ident, &place.dotted));
    *out = place;
    return OK;
}

status catalog__name_find(struct catalog_context *context, const struct catalog__place *place,
                          enum catalog__kind kind, uint64_t *out_id, bool *out_found)
{
    struct key key =
        key_child(place->warehouse.id, row_kind(kind), place->namespace_id, place->ident.name);
    const struct json *row = NULL;
    TRY(names__row(context, &key, place->ident.name, &row, out_id));
    *out_found = row != NULL;
    return OK;
}

status catalog__name_must_be_free(struct catalog_context *context,
                                  const struct catalog__place *place, enum catalog__kind wanted)
{
    uint64_t id = 0;
    bool is_table = false;
    bool is_view = false;
    TRY(catalog__name_find(context, place, CATALOG_TABLE_KIND, &id, &is_table));
    TRY(catalog__name_find(context, place, CATALOG_VIEW_KIND, &id, &is_view));
    if (!is_table && !is_view)
        return OK;
    bool same = is_table == (wanted == CATALOG_TABLE_KIND);
    return FAIL(context->diag, ALREADY_EXISTS, "%s%s already exists: %.*s",
                is_table ? "Table" : "View", same ? "" : " with same name", STR_ARG(place->dotted));
}

status catalog__name_put(struct catalog_context *context, const struct catalog__place *place,
                         enum catalog__kind kind, uint64_t id)
{
    ASSERT(id != 0);
    struct buf buf = rows__buf(context);
    struct json_writer w;
    json_writer_init(&w, &buf);
    jw_object(&w);
    jw_key(&w, "id");
    jw_u64(&w, id);
    jw_key(&w, "name");
    jw_str(&w, place->ident.name);
    jw_end(&w);
    struct key key =
        key_child(place->warehouse.id, row_kind(kind), place->namespace_id, place->ident.name);
    return rows__put(context, &key, &buf);
}

status catalog__name_delete(struct catalog_context *context, const struct catalog__place *place,
                            enum catalog__kind kind)
{
    struct key key =
        key_child(place->warehouse.id, row_kind(kind), place->namespace_id, place->ident.name);
    return kv_delete(context->batch, key_str(&key), context->diag);
}

status catalog__next_id(struct catalog_context *context, uint32_t warehouse, uint64_t *out_id)
{
    struct key counter = key_counter(warehouse, STR("next-id"));
    return rows__next(context, &counter, out_id);
}

/* --- objects that must be there --- */

status names__missing(struct catalog_context *context, enum catalog__kind kind, struct str dotted)
{
    if (kind == CATALOG_VIEW_KIND)
        return FAIL(context->diag, NO_SUCH_VIEW, "View does not exist: %.*s", STR_ARG(dotted));
    return FAIL(context->diag, NO_SUCH_TABLE, "Table does not exist: %.*s", STR_ARG(dotted));
}

status names__object_find(struct catalog_context *context,
                          const struct catalog_warehouse *warehouse,
                          const struct catalog_ident *ident, enum catalog__kind kind,
                          struct catalog__place *out_place, uint64_t *out_id)
{
    struct catalog__place place;
    bool found = false;
    uint64_t id = 0;
    status_value placed = catalog__place_find(context, warehouse, ident, &place);
    if (placed.code == STATUS_NO_SUCH_NAMESPACE) {
        diag_reset(context->diag);
        struct str dotted = {"", 0};
        TRY(catalog__dotted(context, ident, &dotted));
        return names__missing(context, kind, dotted);
    }
    TRY(placed);
    TRY(catalog__name_find(context, &place, kind, &id, &found));
    if (!found)
        return names__missing(context, kind, place.dotted);
    *out_place = place;
    *out_id = id;
    return OK;
}
