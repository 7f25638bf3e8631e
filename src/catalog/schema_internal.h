/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * schema_internal.h - what the schema_*.c files share.
 */
#include "catalog/schema.h"

/*
 * I1  `fields` holds every field of the schema, a parent before its children.
 * I2  No two fields have one id or one full name; `by_id` and `by_name` find each of them. Both are
 *     open hash tables of field index + 1 with `slots` (a power of two) places.
 */
struct schema {
    const struct json *json;
    const struct json *fields_json; /* the root's "fields" */
    int32_t id;
    struct schema_field *fields;
    size_t count;
    size_t capacity;
    int32_t *identifiers;
    size_t identifier_count;
    uint32_t *by_id;
    uint32_t *by_name;
    size_t slots;
};

/* Ids above this belong to metadata columns (Iceberg spec, "Reserved Field IDs"). */
enum { SCHEMA__FIELD_ID_MAX = INT32_MAX - 200 };

/* Understands "long", "decimal(9, 2)", "geometry(srid:4326)"; false for every other text. */
bool schema__type_parse(struct str text, enum schema_type *out);
/* First format version with this type; 1 for struct, list and map. */
int32_t schema__type_min_version(enum schema_type type);
/* Equal but for blanks: "decimal(9,2)" and "decimal(9, 2)" are one type. */
bool schema__type_same(struct str a, struct str b);
/* A type that is neither nested nor semi-structured. */
bool schema__type_is_primitive(enum schema_type type);
/* Two objects are equal outside of the members in `skip` (ends with NULL); null counts as
 * absent. */
bool schema__members_same(const struct json *a, const struct json *b, const char *const *skip);
