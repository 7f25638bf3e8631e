/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema_same.c - whether two schemas are one, so that a schema that was added before keeps its id.
 *
 * As in Java: same fields in the same order (id, name, type, required, doc, defaults) and the same
 * set of identifier fields; the schema-id does not matter. Members this version does not know count
 * too: a schema that differs only in them is a schema of its own, for dropping them would lose what
 * a newer client has written. An absent member and a null one are equal.
 */
#include "catalog/schema_internal.h"

static bool same_type(const struct json *a, const struct json *b);

static bool is_one_of(struct str key, const char *const *names)
{
    for (size_t i = 0; names[i] != NULL; i++) {
        if (str_is(key, names[i]))
            return true;
    }
    return false;
}

/* Every non-null member of `a` outside of `skip` is in `b` with an equal value. */
static bool members_within(const struct json *a, const struct json *b, const char *const *skip)
{
    struct json_iter iter = json_iter(a);
    struct str key;
    const struct json *value;
    while (json_next(&iter, &key, &value)) {
        if (json_is_null(value) || is_one_of(key, skip))
            continue;
        if (!json_equal(value, json_get_str(b, key)))
            return false;
    }
    return true;
}

bool schema__members_same(const struct json *a, const struct json *b, const char *const *skip)
{
    return members_within(a, b, skip) && members_within(b, a, skip);
}

static bool same_fields(const struct json *a, const struct json *b)
{
    static const char *const skip[] = {"type", NULL};
    if (json_size(a) != json_size(b))
        return false;
    struct json_iter iter_a = json_iter(a);
    struct json_iter iter_b = json_iter(b);
    const struct json *field_a;
    const struct json *field_b;
    while (json_next(&iter_a, NULL, &field_a) && json_next(&iter_b, NULL, &field_b)) {
        if (!schema__members_same(field_a, field_b, skip) ||
            !same_type(json_get(field_a, "type"), json_get(field_b, "type")))
            return false;
    }
    return true;
}

/* Each kind of nested type has its own parts; what else it carries is compared as plain JSON. */
static bool same_nested(const struct json *a, const struct json *b, struct str word)
{
    static const char *const struct_parts[] = {"fields", NULL};
    static const char *const list_parts[] = {"element", NULL};
    static const char *const map_parts[] = {"key", "value", NULL};
    if (str_is(word, "struct"))
        return schema__members_same(a, b, struct_parts) &&
               same_fields(json_get(a, "fields"), json_get(b, "fields"));
    if (str_is(word, "list"))
        return schema__members_same(a, b, list_parts) &&
               same_type(json_get(a, "element"), json_get(b, "element"));
    return schema__members_same(a, b, map_parts) &&
           same_type(json_get(a, "key"), json_get(b, "key")) &&
           same_type(json_get(a, "value"), json_get(b, "value"));
}

static bool same_type(const struct json *a, const struct json *b)
{
    struct str text_a;
    struct str text_b;
    if (json_as_str(a, &text_a) && json_as_str(b, &text_b))
        return schema__type_same(text_a, text_b);
    return json_as_str(json_get(a, "type"), &text_a) && json_as_str(json_get(b, "type"), &text_b) &&
           str_eq(text_a, text_b) && same_nested(a, b, text_a);
}

static bool identifiers_within(const struct schema *a, const struct schema *b)
{
    for (size_t i = 0; i < a->identifier_count; i++) {
        bool found = false;
        for (size_t j = 0; j < b->identifier_count && !found; j++)
            found = a->identifiers[i] == b->identifiers[j];
        if (!found)
            return false;
    }
    return true;
}

bool schema_same(const struct schema *a, const struct schema *b)
{
    static const char *const skip[] = {"type", "schema-id", "identifier-field-ids", "fields", NULL};
    return a->count == b->count && schema__members_same(a->json, b->json, skip) &&
           same_fields(a->fields_json, b->fields_json) && identifiers_within(a, b) &&
           identifiers_within(b, a);
}
