/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * schema.h - Iceberg schemas: parse, validate, compare, number, write. Pure leaves over JSON.
 *
 * A parsed schema keeps the JSON it came from, so unknown members survive. Rules: Iceberg spec,
 * "Schemas and Data Types".
 */
#include "base/json.h"

enum schema_type {
#define SCHEMA_TYPE(name, text, min_version) SCHEMA_##name,
#include "catalog/schema_types.def"
#undef SCHEMA_TYPE
    SCHEMA_STRUCT,
    SCHEMA_LIST,
    SCHEMA_MAP
};

struct schema;

/* One field anywhere in a schema (struct field, list element, map key or value), by id. */
struct schema_field {
    int32_t id;
    int32_t parent_id; /* -1 for root fields */
    bool required;
    bool is_primitive;     /* neither struct, list, map nor variant */
    bool parent_is_struct; /* every ancestor is a struct */
    enum schema_type type;
    struct str name;      /* own name: "element", "key", "value" for nested ones */
    struct str full_name; /* dotted path */
    struct str type_text; /* "decimal(9,2)", "struct", ... for messages and transform checks */
    const struct json
        *json; /* a struct's field as it was sent; NULL for elements, keys and values */
};

/*
 * Refuses what cannot be understood: unknown types, missing members, an id or a full name used
 * twice. INVALID or ILLEGAL_ARGUMENT with Iceberg's message. The schema lives in the arena and
 * borrows `json`.
 */
status schema_parse(struct arena *arena, const struct json *json, struct diag *diag,
                    struct schema **out);
/* What a table of this format version may take up: types, defaults, identifier fields, id range. */
status schema_validate(const struct schema *schema, int32_t format_version, struct diag *diag);
/* The id in the JSON; 0 when absent. */
int32_t schema_id(const struct schema *schema);
/* 0 when there are no fields. */
int32_t schema_highest_field_id(const struct schema *schema);
const struct schema_field *schema_field_by_id(const struct schema *schema, int32_t id);
/* By full dotted name, exact. */
const struct schema_field *schema_field_by_name(const struct schema *schema, struct str full_name);
/* All fields, nested ones too, a parent before its children. */
size_t schema_field_count(const struct schema *schema);
const struct schema_field *schema_field_at(const struct schema *schema, size_t position);
/* Java's sameSchema: equal structs (ids, names, types, docs, defaults) and identifier fields. */
bool schema_same(const struct schema *a, const struct schema *b);
/* The fragment {"type":"struct","schema-id":id,...}, everything else as it was parsed. */
void schema_write(const struct schema *schema, int32_t id, struct buf *out);
/*
 * Fresh ids as Java's TypeUtil.assignFreshIds does: all fields of a struct first, then nested
 * types. Identifier field ids are mapped. The result has schema-id 0.
 */
status schema_assign_fresh_ids(struct arena *arena, const struct schema *schema, struct diag *diag,
                               struct schema **out);
