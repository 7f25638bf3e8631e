/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * partition.h - partition specs and sort orders: parse, bind to a schema, compare, number, write.
 *
 * Rules: Iceberg spec, "Partitioning", "Sorting".
 */
#include "catalog/schema.h"

enum { PARTITION_FIRST_FIELD_ID = 1000, PARTITION_LAST_ID_UNPARTITIONED = 999 };

enum { PARTITION_FIELDS_MAX = 1000 };

/* The columns a transform reads: one, or several for the multi-argument transforms of v3. */
struct field_sources {
    int32_t *ids;
    size_t count; /* at least 1 */
    bool is_list; /* written as "source-ids" */
};

struct spec_field {
    int32_t source_id; /* the first source */
    struct field_sources sources;
    int32_t field_id; /* 0: not given */
    struct str name;
    struct str transform; /* "identity", "bucket[16]", ... unknown ones are kept */
    const struct json *json;
};
struct spec {
    int32_t id; /* 0 when absent */
    size_t field_count;
    struct spec_field *fields;
    const struct json *json;
};

/* Either all or none of the fields carry field-id. */
status spec_parse(struct arena *arena, const struct json *json, struct diag *diag,
                  struct spec **out);
/*
 * Checks a spec that is being added: sources, transforms, names, redundancy; v1: sequential ids
 * (so number the fields first; a v1 spec without ids counts from PARTITION_LAST_ID_UNPARTITIONED
 * with no older specs).
 */
status spec_validate(const struct spec *spec, const struct schema *schema, int32_t format_version,
                     struct diag *diag);
/* Only the sources, as every commit checks its default spec against its current schema:
 * "Cannot find source column for partition field: 1000: ts_day: day(4)". */
status spec_check_sources(const struct spec *spec, const struct schema *schema, struct diag *diag);
/* Same count, and per position the same source, transform and name (field ids ignored). */
bool spec_compatible(const struct spec *a, const struct spec *b);
/*
 * Gives field ids to a spec without them: the id of an equal (source, transform) field in one of
 * the `older` specs, else last_partition_id + 1 and on. In place.
 */
void spec_assign_field_ids(struct spec *spec, const struct spec *const *older, size_t older_count,
                           int32_t last_partition_id);
/* The highest field id, or PARTITION_LAST_ID_UNPARTITIONED. */
int32_t spec_highest_field_id(const struct spec *spec);
/* createTable: maps sources by name from `from` to `to` and numbers fields from 1000.
 * ILLEGAL_ARGUMENT. */
status spec_rebind(struct arena *arena, const struct spec *spec, const struct schema *from,
                   const struct schema *to, struct diag *diag, struct spec **out);
/* {"spec-id":id,"fields":[...]} */
void spec_write(const struct spec *spec, int32_t id, struct buf *out);

struct sort_field {
    int32_t source_id; /* the first source */
    struct field_sources sources;
    struct str transform;
    struct str direction;  /* asc, desc */
    struct str null_order; /* nulls-first, nulls-last */
    const struct json *json;
};
struct sort_order {
    int32_t id; /* -1 when absent */
    size_t field_count;
    struct sort_field *fields;
    const struct json *json;
};
status sort_parse(struct arena *arena, const struct json *json, struct diag *diag,
                  struct sort_order **out);
/* For an order that is being added; sort_check_sources is for the default order at the end of a
 * commit. */
status sort_check_sources(const struct sort_order *order, const struct schema *schema,
                          struct diag *diag);
status sort_validate(const struct sort_order *order, const struct schema *schema,
                     struct diag *diag);
bool sort_same(const struct sort_order *a, const struct sort_order *b);
status sort_rebind(struct arena *arena, const struct sort_order *order, const struct schema *from,
                   const struct schema *to, struct diag *diag, struct sort_order **out);
/* {"order-id":id,"fields":[...]} */
void sort_write(const struct sort_order *order, int32_t id, struct buf *out);
