/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema_fresh.c - new field ids for the schema of a new table.
 *
 * Order (as Java's TypeUtil.assignFreshIds, which tests of clients rely on): all fields of a struct
 * get their ids first, then the types of those fields are numbered one after the other; a list
 * numbers its element, a map its key and its value, before what is inside them. The first id is 1.
 *
 * I1  fresh[i] is the new id of schema->fields[i]; it is set before anything is written.
 */
#include "catalog/schema_internal.h"

struct fresh {
    const struct schema *schema;
    int32_t *ids;
    int32_t next;
};

static size_t position_of(const struct fresh *f, const struct json *id_json)
{
    int32_t id;
    bool has_id = json_as_i32(id_json, &id);
    ASSERT(has_id);
    const struct schema_field *field = schema_field_by_id(f->schema, id);
    ASSERT(field != NULL);
    return (size_t)(field - f->schema->fields);
}

static void number_type(struct fresh *f, const struct json *type);

static void number_fields(struct fresh *f, const struct json *fields)
{
    struct json_iter iter = json_iter(fields);
    const struct json *field;
    while (json_next(&iter, NULL, &field))
        f->ids[position_of(f, json_get(field, "id"))] = f->next++;
    iter = json_iter(fields);
    while (json_next(&iter, NULL, &field))
        number_type(f, json_get(field, "type"));
}

static void number_type(struct fresh *f, const struct json *type)
{
    struct str word;
    if (!json_as_str(json_get(type, "type"), &word))
        return;
    if (str_is(word, "struct")) {
        number_fields(f, json_get(type, "fields"));
    } else if (str_is(word, "list")) {
        f->ids[position_of(f, json_get(type, "element-id"))] = f->next++;
        number_type(f, json_get(type, "element"));
    } else {
        f->ids[position_of(f, json_get(type, "key-id"))] = f->next++;
        f->ids[position_of(f, json_get(type, "value-id"))] = f->next++;
        number_type(f, json_get(type, "key"));
        number_type(f, json_get(type, "value"));
    }
}

static void write_type(const struct fresh *f, const struct json *type, struct buf *out);
static void write_fields(const struct fresh *f, const struct json *fields, struct buf *out);

/* What a member of a type or field means for the rewriting. */
enum member { MEMBER_PLAIN, MEMBER_ID, MEMBER_TYPE, MEMBER_FIELDS };

struct member_row {
    const char *owner; /* the "type" of a nested type, "field" for a struct's field */
    const char *key;
    enum member member;
};

static enum member member_of(struct str owner, struct str key)
{
    static const struct member_row rows[] = {
        {"field", "id", MEMBER_ID},          {"field", "type", MEMBER_TYPE},
        {"struct", "fields", MEMBER_FIELDS}, {"list", "element-id", MEMBER_ID},
        {"list", "element", MEMBER_TYPE},    {"map", "key-id", MEMBER_ID},
        {"map", "value-id", MEMBER_ID},      {"map", "key", MEMBER_TYPE},
        {"map", "value", MEMBER_TYPE}};
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        if (str_is(owner, rows[i].owner) && str_is(key, rows[i].key))
            return rows[i].member;
    }
    return MEMBER_PLAIN;
}

/* The text is put together by hand, for a schema may nest deeper than a json_writer goes. */
static void write_object(const struct fresh *f, const struct json *object, struct str owner,
                         struct buf *out)
{
    struct json_iter iter = json_iter(object);
    struct str key;
    const struct json *value;
    buf_byte(out, '{');
    for (bool is_first = true; json_next(&iter, &key, &value); is_first = false) {
        if (!is_first)
            buf_byte(out, ',');
        json_write_string(out, key);
        buf_byte(out, ':');
        switch (member_of(owner, key)) {
        case MEMBER_ID: buf_i64(out, f->ids[position_of(f, value)]); break;
        case MEMBER_TYPE: write_type(f, value, out); break;
        case MEMBER_FIELDS: write_fields(f, value, out); break;
        case MEMBER_PLAIN: json_write(out, value); break;
        }
    }
    buf_byte(out, '}');
}

static void write_fields(const struct fresh *f, const struct json *fields, struct buf *out)
{
    struct json_iter iter = json_iter(fields);
    const struct json *field;
    buf_byte(out, '[');
    for (bool is_first = true; json_next(&iter, NULL, &field); is_first = false) {
        if (!is_first)
            buf_byte(out, ',');
        write_object(f, field, STR("field"), out);
    }
    buf_byte(out, ']');
}

static void write_type(const struct fresh *f, const struct json *type, struct buf *out)
{
    struct str word;
    if (json_as_str(json_get(type, "type"), &word))
        write_object(f, type, word, out);
    else
        json_write(out, type);
}

static void write_identifiers(const struct fresh *f, struct buf *out)
{
    const struct schema *schema = f->schema;
    buf_byte(out, '[');
    for (size_t i = 0; i < schema->identifier_count; i++) {
        const struct schema_field *field = schema_field_by_id(schema, schema->identifiers[i]);
        ASSERT(field != NULL);
        if (i > 0)
            buf_byte(out, ',');
        buf_i64(out, f->ids[field - schema->fields]);
    }
    buf_byte(out, ']');
}

static void write_root(const struct fresh *f, struct buf *out)
{
    struct json_iter iter = json_iter(f->schema->json);
    struct str key;
    const struct json *value;
    buf_str(out, STR("{\"type\":\"struct\",\"schema-id\":0"));
    while (json_next(&iter, &key, &value)) {
        if (str_is(key, "type") || str_is(key, "schema-id"))
            continue;
        buf_byte(out, ',');
        json_write_string(out, key);
        buf_byte(out, ':');
        if (str_is(key, "fields"))
            write_fields(f, value, out);
        else if (str_is(key, "identifier-field-ids"))
            write_identifiers(f, out);
        else
            json_write(out, value);
    }
    buf_byte(out, '}');
}

static status_value check_identifiers(const struct schema *schema, struct diag *diag)
{
    for (size_t i = 0; i < schema->identifier_count; i++) {
        if (schema_field_by_id(schema, schema->identifiers[i]) == NULL)
            return FAIL(diag, ILLEGAL_ARGUMENT,
                        "Cannot add fieldId %d as an identifier field: field does not exist",
                        schema->identifiers[i]);
    }
    return OK;
}

status_value schema_assign_fresh_ids(struct arena *arena, const struct schema *schema,
                                     struct diag *diag, struct schema **out)
{
    TRY(check_identifiers(schema, diag));
    struct fresh f = {.schema = schema, .next = 1};
    f.ids = ARENA_ARRAY(arena, int32_t, schema->count);
    if (f.ids == NULL)
        return FAIL(diag, NOMEM, "could not number %zu schema fields", schema->count);
    number_fields(&f, schema->fields_json);
    struct buf text;
    buf_init(&text, arena, SIZE_MAX / 8);
    write_root(&f, &text);
    TRY(buf_finish(&text, "a schema", diag));
    struct json_limits limits = json_limits_document();
    const struct json *json;
    TRY(json_parse(arena, buf_view(&text), &limits, diag, &json));
    return schema_parse(arena, json, diag, out);
}
