/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema.c - reads a schema into a flat list of fields with two indexes, and writes it back.
 *
 * Format:
 * {"type":"struct","schema-id":0,"identifier-field-ids":[..]?,"fields":[{"id","name","required",
 * "type","doc"?,"initial-default"?,"write-default"?}]}; a type is a word or a nested
 * {"type":"struct"|"list"|"map",...} (Iceberg spec, Appendix C, "Schemas").
 *
 * The functions recurse along the nesting of the JSON, whose depth its parser has limited.
 */
#include "catalog/schema_internal.h"

struct parser {
    struct arena *arena;
    struct diag *diag;
    struct schema *schema;
};

/* Where a field hangs. */
struct place {
    int32_t parent_id;
    bool all_structs;
    struct str prefix; /* full name of the parent */
};

/* One field before it is stored. */
struct field_source {
    int32_t id;
    struct str name;
    bool required;
    const struct json *type;
    const struct json *json;
};

static status_value parse_children(const struct parser *p, enum schema_type type,
                                   const struct json *json, const struct place *place);

static status_value need_bool(const struct json *object, const char *key, const char *what,
                              struct diag *diag, bool *out)
{
    bool found;
    TRY(json_opt_bool(object, key, what, diag, out, &found));
    if (!found)
        return FAIL(diag, INVALID, "cannot parse %s: missing field %s", what, key);
    return OK;
}

static status_value parse_type_head(const struct parser *p, const struct json *json,
                                    enum schema_type *out_type, struct str *out_text)
{
    struct str text;
    if (json_as_str(json, &text)) {
        if (!schema__type_parse(text, out_type))
            return FAIL(p->diag, ILLEGAL_ARGUMENT, "Cannot parse type string to primitive: %.*s",
                        STR_ARG(text));
        *out_text = text;
        return OK;
    }
    if (!json_is(json, JSON_OBJECT))
        return FAIL(p->diag, INVALID, "cannot parse schema: a type must be a string or an object");
    TRY(json_need_str(json, "type", "type", p->diag, &text));
    if (str_is(text, "struct"))
        *out_type = SCHEMA_STRUCT;
    else if (str_is(text, "list"))
        *out_type = SCHEMA_LIST;
    else if (str_is(text, "map"))
        *out_type = SCHEMA_MAP;
    else
        return FAIL(p->diag, ILLEGAL_ARGUMENT, "Cannot parse type from json: {\"type\":\"%.*s\"}",
                    STR_ARG(text));
    *out_text = text;
    return OK;
}

static status_value push_field(const struct parser *p, struct schema_field field)
{
    struct schema *schema = p->schema;
    if (schema->count == schema->capacity) {
        size_t capacity = schema->capacity == 0 ? 16 : schema->capacity * 2;
        struct schema_field *grown = ARENA_ARRAY(p->arena, struct schema_field, capacity);
        if (grown == NULL)
            return FAIL(p->diag, NOMEM, "could not hold %zu schema fields", capacity);
        if (schema->count > 0)
            memcpy(grown, schema->fields, schema->count * sizeof(*grown));
        schema->fields = grown;
        schema->capacity = capacity;
    }
    schema->fields[schema->count++] = field;
    return OK;
}

static status_value add_field(const struct parser *p, const struct place *place,
                              const struct field_source *source)
{
    struct schema_field field = {.id = source->id,
                                 .parent_id = place->parent_id,
                                 .required = source->required,
                                 .parent_is_struct = place->all_structs,
                                 .name = source->name,
                                 .full_name = source->name,
                                 .json = source->json};
    TRY(parse_type_head(p, source->type, &field.type, &field.type_text));
    field.is_primitive = schema__type_is_primitive(field.type);
    if (place->prefix.size > 0) {
        struct buf full;
        buf_init(&full, p->arena, SIZE_MAX / 8);
        buf_str(&full, place->prefix);
        buf_byte(&full, '.');
        buf_str(&full, source->name);
        TRY(buf_finish(&full, "a field name", p->diag));
        field.full_name = buf_view(&full);
    }
    TRY(push_field(p, field));
    struct place inside = {.parent_id = field.id,
                           .all_structs = place->all_structs && field.type == SCHEMA_STRUCT,
                           .prefix = field.full_name};
    return parse_children(p, field.type, source->type, &inside);
}

static status_value parse_struct(const struct parser *p, const struct json *json,
                                 const struct place *place)
{
    const struct json *fields;
    TRY(json_need_array(json, "fields", "struct", p->diag, &fields));
    struct json_iter iter = json_iter(fields);
    const struct json *item;
    while (json_next(&iter, NULL, &item)) {
        struct field_source source = {.json = item, .type = json_get(item, "type")};
        TRY(json_need_i32(item, "id", "schema field", p->diag, &source.id));
        TRY(json_need_str(item, "name", "schema field", p->diag, &source.name));
        TRY(need_bool(item, "required", "schema field", p->diag, &source.required));
        TRY(add_field(p, place, &source));
    }
    return OK;
}

static status_value parse_list(const struct parser *p, const struct json *json,
                               const struct place *place)
{
    struct field_source element = {.name = STR("element"), .type = json_get(json, "element")};
    TRY(json_need_i32(json, "element-id", "list", p->diag, &element.id));
    TRY(need_bool(json, "element-required", "list", p->diag, &element.required));
    return add_field(p, place, &element);
}

static status_value parse_map(const struct parser *p, const struct json *json,
                              const struct place *place)
{
    struct field_source key = {.name = STR("key"), .required = true, .type = json_get(json, "key")};
    struct field_source value = {.name = STR("value"), .type = json_get(json, "value")};
    TRY(json_need_i32(json, "key-id", "map", p->diag, &key.id));
    TRY(json_need_i32(json, "value-id", "map", p->diag, &value.id));
    TRY(need_bool(json, "value-required", "map", p->diag, &value.required));
    TRY(add_field(p, place, &key));
    return add_field(p, place, &value);
}

static status_value parse_children(const struct parser *p, enum schema_type type,
                                   const struct json *json, const struct place *place)
{
    if (type == SCHEMA_STRUCT)
        return parse_struct(p, json, place);
    if (type == SCHEMA_LIST)
        return parse_list(p, json, place);
    if (type == SCHEMA_MAP)
        return parse_map(p, json, place);
    return OK;
}

static size_t id_slot(const struct schema *schema, int32_t id)
{
    uint64_t mixed = (uint64_t)(uint32_t)id * UINT64_C(0x9E3779B97F4A7C15);
    return (size_t)(mixed >> 32) & (schema->slots - 1);
}

static size_t name_slot(const struct schema *schema, struct str name)
{
    return (size_t)str_hash(name) & (schema->slots - 1);
}

static status_value index_field(struct schema *schema, size_t position, struct diag *diag)
{
    const struct schema_field *field = &schema->fields[position];
    size_t at = id_slot(schema, field->id);
    for (; schema->by_id[at] != 0; at = (at + 1) & (schema->slots - 1)) {
        const struct schema_field *other = &schema->fields[schema->by_id[at] - 1];
        if (other->id == field->id)
            return FAIL(diag, ILLEGAL_ARGUMENT,
                        "Invalid schema: field id %d is used twice: %.*s and %.*s", field->id,
                        STR_ARG(other->full_name), STR_ARG(field->full_name));
    }
    schema->by_id[at] = (uint32_t)position + 1;
    at = name_slot(schema, field->full_name);
    for (; schema->by_name[at] != 0; at = (at + 1) & (schema->slots - 1)) {
        const struct schema_field *other = &schema->fields[schema->by_name[at] - 1];
        if (str_eq(other->full_name, field->full_name))
            return FAIL(diag, ILLEGAL_ARGUMENT,
                        "Invalid schema: multiple fields for name %.*s: %d and %d",
                        STR_ARG(field->full_name), other->id, field->id);
    }
    schema->by_name[at] = (uint32_t)position + 1;
    return OK;
}

static status_value build_indexes(const struct parser *p)
{
    struct schema *schema = p->schema;
    schema->slots = 16;
    while (schema->slots < schema->count * 2)
        schema->slots *= 2;
    schema->by_id = ARENA_ARRAY(p->arena, uint32_t, schema->slots);
    schema->by_name = ARENA_ARRAY(p->arena, uint32_t, schema->slots);
    if (schema->by_id == NULL || schema->by_name == NULL)
        return FAIL(p->diag, NOMEM, "could not index %zu schema fields", schema->count);
    for (size_t i = 0; i < schema->count; i++)
        TRY(index_field(schema, i, p->diag));
    return OK;
}

static status_value parse_identifiers(const struct parser *p)
{
    const struct json *ids = json_get(p->schema->json, "identifier-field-ids");
    if (json_is_null(ids))
        return OK;
    if (!json_is(ids, JSON_ARRAY))
        return FAIL(p->diag, INVALID, "cannot parse schema: identifier-field-ids must be an array");
    p->schema->identifiers = ARENA_ARRAY(p->arena, int32_t, json_size(ids));
    if (p->schema->identifiers == NULL)
        return FAIL(p->diag, NOMEM, "could not hold %zu identifier field ids", json_size(ids));
    struct json_iter iter = json_iter(ids);
    const struct json *item;
    while (json_next(&iter, NULL, &item)) {
        if (!json_as_i32(item, &p->schema->identifiers[p->schema->identifier_count]))
            return FAIL(p->diag, INVALID,
                        "cannot parse schema: identifier-field-ids must hold 32-bit integers");
        p->schema->identifier_count++;
    }
    return OK;
}

static status_value parse_root(const struct parser *p)
{
    struct schema *schema = p->schema;
    struct str type = STR("struct");
    bool found;
    TRY(json_opt_str(schema->json, "type", "schema", p->diag, &type, &found));
    if (!str_is(type, "struct"))
        return FAIL(p->diag, ILLEGAL_ARGUMENT, "Cannot create schema, not a struct type: %.*s",
                    STR_ARG(type));
    if (!json_is_null(json_get(schema->json, "schema-id")))
        TRY(json_need_i32(schema->json, "schema-id", "schema", p->diag, &schema->id));
    const struct place root = {.parent_id = -1, .all_structs = true, .prefix = STR("")};
    TRY(parse_struct(p, schema->json, &root));
    schema->fields_json = json_get(schema->json, "fields");
    TRY(build_indexes(p));
    return parse_identifiers(p);
}

status_value schema_parse(struct arena *arena, const struct json *json, struct diag *diag,
                          struct schema **out)
{
    if (!json_is(json, JSON_OBJECT))
        return FAIL(diag, INVALID, "cannot parse schema: it must be an object");
    struct schema *schema = ARENA_NEW(arena, struct schema);
    if (schema == NULL)
        return FAIL(diag, NOMEM, "could not hold a schema");
    schema->json = json;
    const struct parser parser = {.arena = arena, .diag = diag, .schema = schema};
    TRY(parse_root(&parser));
    *out = schema;
    return OK;
}

int32_t schema_id(const struct schema *schema)
{
    return schema->id;
}

int32_t schema_highest_field_id(const struct schema *schema)
{
    int32_t highest = 0;
    for (size_t i = 0; i < schema->count; i++) {
        if (schema->fields[i].id > highest)
            highest = schema->fields[i].id;
    }
    return highest;
}

const struct schema_field *schema_field_by_id(const struct schema *schema, int32_t id)
{
    for (size_t at = id_slot(schema, id); schema->by_id[at] != 0;
         at = (at + 1) & (schema->slots - 1)) {
        const struct schema_field *field = &schema->fields[schema->by_id[at] - 1];
        if (field->id == id)
            return field;
    }
    return NULL;
}

const struct schema_field *schema_field_by_name(const struct schema *schema, struct str full_name)
{
    for (size_t at = name_slot(schema, full_name); schema->by_name[at] != 0;
         at = (at + 1) & (schema->slots - 1)) {
        const struct schema_field *field = &schema->fields[schema->by_name[at] - 1];
        if (str_eq(field->full_name, full_name))
            return field;
    }
    return NULL;
}

size_t schema_field_count(const struct schema *schema)
{
    return schema->count;
}

const struct schema_field *schema_field_at(const struct schema *schema, size_t position)
{
    ASSERT(position < schema->count);
    return &schema->fields[position];
}

void schema_write(const struct schema *schema, int32_t id, struct buf *out)
{
    struct json_writer w;
    json_writer_init(&w, out);
    jw_object(&w);
    jw_key(&w, "type");
    jw_cstr(&w, "struct");
    jw_key(&w, "schema-id");
    jw_i64(&w, id);
    struct json_iter iter = json_iter(schema->json);
    struct str key;
    const struct json *value;
    while (json_next(&iter, &key, &value)) {
        if (str_is(key, "type") || str_is(key, "schema-id"))
            continue;
        jw_key_str(&w, key);
        jw_value(&w, value);
    }
    jw_end(&w);
}
