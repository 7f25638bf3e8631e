/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table_properties.c - the properties of a table: one row, a string map in the order it was
 * written.
 *
 * P1  `slots` is an open-addressing table of entry index + 1, a power of two and at most half full;
 *     a removed entry keeps its slot (is_removed), so probing never breaks.
 * P2  Properties that every commit needs are copied into the header (store_settings), so that an
 *     append never reads this row.
 */
#include "catalog/table.h"

struct property {
    struct str key;
    struct str value;
    bool is_removed;
};
struct table_properties {
    struct arena *arena;
    struct property *entries;
    size_t count;
    size_t capacity;
    uint32_t *slots;
    size_t slot_count;
    bool changed;
};

static const char *const reserved_names[] = {
    "format-version",           "uuid",
    "snapshot-count",           "current-snapshot-id",
    "current-snapshot-summary", "current-snapshot-timestamp-ms",
    "current-schema",           "default-partition-spec",
    "default-sort-order"};

static const char *const location_names[] = {"write.metadata.path", "write.data.path",
                                             "write.object-storage.path",
                                             "write.folder-storage.path"};

bool table__property_is_reserved(struct str key)
{
    for (size_t i = 0; i < COUNTOF(reserved_names); i++) {
        if (str_is(key, reserved_names[i]))
            return true;
    }
    return false;
}

static size_t probe(const struct table_properties *map, struct str key)
{
    size_t at = str_hash(key) & (map->slot_count - 1);
    while (map->slots[at] != 0 && !str_eq(map->entries[map->slots[at] - 1].key, key))
        at = (at + 1) & (map->slot_count - 1);
    return at;
}

static struct property *find(const struct table_properties *map, struct str key)
{
    if (map->slot_count == 0)
        return NULL;
    uint32_t slot = map->slots[probe(map, key)];
    return slot == 0 ? NULL : &map->entries[slot - 1];
}

static bool rehash(struct table_properties *map)
{
    size_t wanted = map->slot_count == 0 ? 32 : map->slot_count * 2;
    uint32_t *slots = ARENA_ARRAY(map->arena, uint32_t, wanted);
    if (slots == NULL)
        return false;
    map->slots = slots;
    map->slot_count = wanted;
    for (size_t i = 0; i < map->count; i++)
        slots[probe(map, map->entries[i].key)] = (uint32_t)i + 1;
    return true;
}

static bool insert(struct table_properties *map, struct str key, struct str value)
{
    if ((map->count + 1) * 2 > map->slot_count && !rehash(map))
        return false;
    struct property *grown =
        table__grow(map->arena, map->entries, map->count, &map->capacity, sizeof(struct property));
    if (grown == NULL)
        return false;
    map->entries = grown;
    map->entries[map->count] = (struct property){key, value, false};
    map->slots[probe(map, key)] = (uint32_t)map->count + 1;
    map->count++;
    return true;
}

static status fill(struct table_edit *edit, const struct json *json, struct table_properties *map)
{
    struct json_iter iter = json_iter(json);
    struct str key;
    struct str text;
    const struct json *value;
    while (json_next(&iter, &key, &value)) {
        if (!json_as_str(value, &text))
            return FAIL(edit->context->diag, CORRUPT, "a stored table property is no string");
        if (!insert(map, key, text))
            return FAIL(edit->context->diag, NOMEM, "could not load the table's properties");
    }
    return OK;
}

status_value table__properties(struct table_edit *edit, struct table_properties **out)
{
    if (edit->properties == NULL) {
        struct table_properties *map = ARENA_NEW(edit->context->arena, struct table_properties);
        if (map == NULL)
            return FAIL(edit->context->diag, NOMEM, "could not load the table's properties");
        map->arena = edit->context->arena;
        struct key key = table__key(edit, PART_PROPERTIES);
        struct str row;
        bool found = false;
        const struct json *json = NULL;
        TRY(table__get(edit, &key, &row, &found));
        if (found)
            TRY(table__fragment(edit->context, row, &json));
        TRY(fill(edit, json, map));
        edit->properties = map;
    }
    *out = edit->properties;
    return OK;
}

static void touch(struct table_edit *edit)
{
    edit->properties->changed = true;
    edit->changed = true;
}

static status check_codec(struct table_edit *edit, struct str value)
{
    if (str_eq_nocase(value, STR("gzip")) || str_eq_nocase(value, STR("none")))
        return OK;
    return FAIL(edit->context->diag, ILLEGAL_ARGUMENT, "Invalid codec name: %.*s", STR_ARG(value));
}

/* Values that would break a later commit or lead out of the warehouse are refused here. */
static status check_value(struct table_edit *edit, struct str key, struct str value)
{
    for (size_t i = 0; i < COUNTOF(location_names); i++) {
        struct str ignored;
        if (str_is(key, location_names[i]))
            return table__location_accept(edit, value, location_names[i], &ignored);
    }
    if (str_is(key, "write.metadata.compression-codec"))
        return check_codec(edit, value);
    return OK;
}

status_value table__property_set(struct table_edit *edit, struct str key, struct str value)
{
    struct table_properties *map = NULL;
    TRY(table__properties(edit, &map));
    struct property *entry = find(map, key);
    if (entry != NULL && !entry->is_removed && str_eq(entry->value, value))
        return OK;
    TRY(check_value(edit, key, value));
    if (entry != NULL)
        *entry = (struct property){entry->key, value, false};
    else if (!insert(map, key, value))
        return FAIL(edit->context->diag, NOMEM, "could not set a table property");
    touch(edit);
    return OK;
}

status_value table__property_remove(struct table_edit *edit, struct str key)
{
    struct table_properties *map = NULL;
    TRY(table__properties(edit, &map));
    struct property *entry = find(map, key);
    if (entry == NULL || entry->is_removed)
        return OK;
    entry->is_removed = true;
    touch(edit);
    return OK;
}

bool table__property_get(const struct table_edit *edit, const char *key, struct str *out)
{
    ASSERT(edit->properties != NULL);
    const struct property *entry = find(edit->properties, str_from(key));
    if (entry == NULL || entry->is_removed)
        return false;
    *out = entry->value;
    return true;
}

status_value table__properties_set_all(struct table_edit *edit, const struct json *map,
                                       const char *what)
{
    struct json_iter iter = json_iter(map);
    struct str key;
    struct str text;
    const struct json *value;
    while (json_next(&iter, &key, &value)) {
        if (!json_as_str(value, &text))
            return FAIL(edit->context->diag, ILLEGAL_ARGUMENT,
                        "%s: the value of property %.*s is no string", what, STR_ARG(key));
        if (!table__property_is_reserved(key))
            TRY(table__property_set(edit, key, text));
    }
    return OK;
}

/* --- what commits need --- */

/* As Java reads an int property: anything else than a number is an error of the one who set it. */
static status read_versions_max(struct table_edit *edit, int32_t *out)
{
    static const char name[] = "write.metadata.previous-versions-max";
    struct str text;
    int64_t value = TABLE_VERSIONS_MAX_DEFAULT;
    if (table__property_get(edit, name, &text) && !str_to_i64(text, &value))
        return FAIL(edit->context->diag, ILLEGAL_ARGUMENT, "%s is no number: %.*s", name,
                    STR_ARG(text));
    value = value > INT32_MAX ? INT32_MAX : value;
    *out = (int32_t)i64_max(value, 1);
    return OK;
}

static bool is_set_to(const struct table_edit *edit, const char *name, struct str wanted)
{
    struct str text;
    return table__property_get(edit, name, &text) && str_eq_nocase(text, wanted);
}

static status store_settings(struct table_edit *edit)
{
    TRY(read_versions_max(edit, &edit->now.versions_max));
    edit->now.delete_after_commit =
        is_set_to(edit, "write.metadata.delete-after-commit.enabled", STR("true"));
    edit->now.gzip = is_set_to(edit, "write.metadata.compression-codec", STR("gzip"));
    struct str path = STR("");
    if (table__property_get(edit, "write.metadata.path", &path) && path.size > 0 &&
        path.data[path.size - 1] == '/')
        path.size--;
    edit->now.metadata_path = path;
    return OK;
}

static void write_map(const struct table_properties *map, struct buf *out)
{
    bool first = true;
    buf_byte(out, '{');
    for (size_t i = 0; i < map->count; i++) {
        if (map->entries[i].is_removed)
            continue;
        if (!first)
            buf_byte(out, ',');
        first = false;
        json_write_string(out, map->entries[i].key);
        buf_byte(out, ':');
        json_write_string(out, map->entries[i].value);
    }
    buf_byte(out, '}');
}

status_value table__properties_store(struct table_edit *edit)
{
    if (edit->properties == NULL || !edit->properties->changed)
        return OK;
    TRY(store_settings(edit));
    struct buf text;
    table__buf(edit, &text);
    write_map(edit->properties, &text);
    struct key key = table__key(edit, PART_PROPERTIES);
    return table__put_buf(edit, &key, &text);
}
