/* SPDX-License-Identifier: Apache-2.0 */
/*
 * avro_schema.c - an Avro schema (JSON) as a tree of types.
 *
 * A type is a name ("long", "r2", "org.a.b"), a list (a union), or an object with a "type".
 * Records, enums and fixed types are known by their full name from where they begin, so a record
 * may hold itself.
 *
 * I1  A union has branches and none of them is a union; nothing else is empty but a record.
 * I2  Types, fields and branches are at most AVRO_NODES_MAX, nested at most AVRO_DEPTH_MAX.
 */
#include "lake/avro_internal.h"

enum { NAME_MAX = 1000, NAMED_MAX = 4096, FIXED_BYTES_MAX = 1 << 20 };

struct named {
    struct named *next;
    struct str name; /* full */
    struct avro_type *type;
};

struct parser {
    struct arena *arena;
    struct diag *diag;
    struct named *named; /* newest first */
    size_t named_count;
    size_t nodes;
    size_t depth;
};

static status parse(struct parser *parser, const struct json *json, struct str space,
                    struct avro_type **out);

static status wrong(struct parser *parser, const char *why)
{
    return FAIL(parser->diag, INVALID, "an Avro schema is not valid: %s", why);
}

static status no_memory(struct parser *parser)
{
    return FAIL(parser->diag, NOMEM, "could not read an Avro schema: memory budget exhausted");
}

static status new_type(struct parser *parser, enum avro_kind kind, size_t parts,
                       struct avro_type **out)
{
    parser->nodes += parts + 1;
    if (parser->nodes > AVRO_NODES_MAX)
        return wrong(parser, "it has too many types");
    struct avro_type *type = ARENA_NEW(parser->arena, struct avro_type);
    if (type == NULL)
        return no_memory(parser);
    type->kind = kind;
    type->part_count = parts;
    type->parts = ARENA_ARRAY(parser->arena, struct avro_part, parts + 1);
    if (type->parts == NULL)
        return no_memory(parser);
    *out = type;
    return OK;
}

/* --- names --- */

static const char *const primitives[] = {
    [AVRO_NULL] = "null",   [AVRO_BOOLEAN] = "boolean", [AVRO_INT] = "int",
    [AVRO_LONG] = "long",   [AVRO_FLOAT] = "float",     [AVRO_DOUBLE] = "double",
    [AVRO_BYTES] = "bytes", [AVRO_STRING] = "string",
};

static bool find_primitive(struct str name, enum avro_kind *out)
{
    for (size_t i = 0; i < COUNTOF(primitives); i++) {
        if (str_is(name, primitives[i])) {
            *out = (enum avro_kind)i;
            return true;
        }
    }
    return false;
}

static status full_name(struct parser *parser, struct str name, struct str space, struct str *out)
{
    if (name.size == 0 || name.size > NAME_MAX || space.size > NAME_MAX)
        return wrong(parser, "a name is empty or too long");
    *out = name;
    if (str_find(name, '.') < 0 && space.size > 0)
        *out = arena_printf(parser->arena, "%.*s.%.*s", STR_ARG(space), STR_ARG(name));
    return out->data == NULL ? no_memory(parser) : OK;
}

static struct avro_type *find_named(const struct parser *parser, struct str name)
{
    for (const struct named *named = parser->named; named != NULL; named = named->next)
        if (str_eq(named->name, name))
            return named->type;
    return NULL;
}

/* Names the type of an object; *out_space is what names inside of it are relative to. */
static status add_named(struct parser *parser, const struct json *json, struct str space,
                        struct avro_type *type, struct str *out_space)
{
    struct str name = {"", 0};
    struct named *named = ARENA_NEW(parser->arena, struct named);
    if (named == NULL)
        return no_memory(parser);
    if (!json_as_str(json_get(json, "name"), &name))
        return wrong(parser, "a record, enum or fixed has no name");
    (void)json_as_str(json_get(json, "namespace"), &space);
    TRY(full_name(parser, name, space, &named->name));
    if (find_named(parser, named->name) != NULL)
        return wrong(parser, "a name is defined twice");
    if (parser->named_count++ == NAMED_MAX)
        return wrong(parser, "it defines too many names");
    named->type = type;
    named->next = parser->named;
    parser->named = named;
    ptrdiff_t dot = str_rfind(named->name, '.');
    *out_space = dot < 0 ? STR("") : str_slice(named->name, 0, (size_t)dot);
    return OK;
}

static status parse_name(struct parser *parser, struct str name, struct str space,
                         struct avro_type **out)
{
    enum avro_kind kind;
    struct str full;
    if (find_primitive(name, &kind))
        return new_type(parser, kind, 0, out);
    TRY(full_name(parser, name, space, &full));
    struct avro_type *type = find_named(parser, full);
    if (type == NULL)
        type = find_named(parser, name);
    if (type == NULL)
        return wrong(parser, "it uses a type that it does not define before");
    *out = type;
    return OK;
}

/* --- composed types --- */

static status parse_union(struct parser *parser, const struct json *json, struct str space,
                          struct avro_type **out)
{
    struct json_iter iter = json_iter(json);
    struct avro_type *type;
    const struct json *branch;
    if (json_size(json) == 0)
        return wrong(parser, "a union has no branches");
    TRY(new_type(parser, AVRO_UNION, json_size(json), &type));
    for (size_t i = 0; json_next(&iter, NULL, &branch); i++) {
        TRY(parse(parser, branch, space, &type->parts[i].type));
        if (type->parts[i].type->kind == AVRO_UNION)
            return wrong(parser, "a union is a branch of a union");
    }
    *out = type;
    return OK;
}

static status parse_field(struct parser *parser, const struct json *json, struct str space,
                          struct avro_part *out)
{
    const struct json *id = json_get(json, "field-id");
    if (!json_is(json, JSON_OBJECT) || !json_is(json_get(json, "name"), JSON_STRING))
        return wrong(parser, "a field has no name");
    out->has_id = id != NULL;
    if (id != NULL && !json_as_i32(id, &out->id))
        return wrong(parser, "a field-id is not a number");
    return parse(parser, json_get(json, "type"), space, &out->type);
}

static status parse_record(struct parser *parser, const struct json *json, struct str space,
                           struct avro_type **out)
{
    const struct json *fields = json_get(json, "fields");
    const struct json *field;
    struct avro_type *type;
    struct str inner;
    if (!json_is(fields, JSON_ARRAY))
        return wrong(parser, "a record has no fields");
    TRY(new_type(parser, AVRO_RECORD, json_size(fields), &type));
    TRY(add_named(parser, json, space, type, &inner));
    struct json_iter iter = json_iter(fields);
    for (size_t i = 0; json_next(&iter, NULL, &field); i++)
        TRY(parse_field(parser, field, inner, &type->parts[i]));
    *out = type;
    return OK;
}

static status parse_element(struct parser *parser, enum avro_kind kind, const struct json *element,
                            struct str space, struct avro_type **out)
{
    struct avro_type *type;
    TRY(new_type(parser, kind, 1, &type));
    TRY(parse(parser, element, space, &type->parts[0].type));
    *out = type;
    return OK;
}

static status parse_fixed(struct parser *parser, const struct json *json, struct str space,
                          struct avro_type **out)
{
    struct avro_type *type;
    struct str inner;
    int32_t size;
    if (!json_as_i32(json_get(json, "size"), &size) || size < 0 || size > FIXED_BYTES_MAX)
        return wrong(parser, "a fixed has no size, or one that is too large");
    TRY(new_type(parser, AVRO_FIXED, 0, &type));
    type->size = (size_t)size;
    TRY(add_named(parser, json, space, type, &inner));
    *out = type;
    return OK;
}

static status parse_enum(struct parser *parser, const struct json *json, struct str space,
                         struct avro_type **out)
{
    struct avro_type *type;
    struct str inner;
    TRY(new_type(parser, AVRO_ENUM, 0, &type));
    TRY(add_named(parser, json, space, type, &inner));
    *out = type;
    return OK;
}

static status parse_object(struct parser *parser, const struct json *json, struct str space,
                           struct avro_type **out)
{
    const struct json *inner = json_get(json, "type");
    struct str name;
    if (!json_as_str(inner, &name))
        return parse(parser, inner, space, out); /* {"type": {...}}: as good as the inner one */
    if (str_is(name, "record") || str_is(name, "error"))
        return parse_record(parser, json, space, out);
    if (str_is(name, "array"))
        return parse_element(parser, AVRO_ARRAY, json_get(json, "items"), space, out);
    if (str_is(name, "map"))
        return parse_element(parser, AVRO_MAP, json_get(json, "values"), space, out);
    if (str_is(name, "enum"))
        return parse_enum(parser, json, space, out);
    if (str_is(name, "fixed"))
        return parse_fixed(parser, json, space, out);
    return parse_name(parser, name, space, out);
}

static status parse(struct parser *parser, const struct json *json, struct str space,
                    struct avro_type **out)
{
    struct str name;
    if (parser->depth == AVRO_DEPTH_MAX)
        return wrong(parser, "it is nested too deeply");
    parser->depth++;
    status_value result;
    if (json_as_str(json, &name))
        result = parse_name(parser, name, space, out);
    else if (json_is(json, JSON_ARRAY))
        result = parse_union(parser, json, space, out);
    else if (json_is(json, JSON_OBJECT))
        result = parse_object(parser, json, space, out);
    else
        result = wrong(parser, "a type is missing");
    parser->depth--;
    return result;
}

status_value avro__schema_parse(struct arena *arena, struct str json, struct diag *diag,
                                const struct avro_type **out)
{
    struct parser parser = {.arena = arena, .diag = diag};
    struct json_limits limits = json_limits_document();
    const struct json *document = NULL;
    struct avro_type *type = NULL;
    status_value parsed = json_parse(arena, json, &limits, diag, &document);
    if (parsed.code == STATUS_TOO_LARGE)
        return wrong(&parser, "it is too large");
    TRY(parsed);
    TRY(parse(&parser, document, STR(""), &type));
    *out = type;
    return OK;
}
