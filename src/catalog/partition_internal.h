/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * partition_internal.h - what partition specs and sort orders share: transforms and sources.
 */
#include "catalog/partition.h"

enum transform_kind {
    TRANSFORM_IDENTITY,
    TRANSFORM_BUCKET,
    TRANSFORM_TRUNCATE,
    TRANSFORM_YEAR,
    TRANSFORM_MONTH,
    TRANSFORM_DAY,
    TRANSFORM_HOUR,
    TRANSFORM_VOID,
    TRANSFORM_OTHER /* of a newer spec: kept as text */
};

/* "bucket[0]" and the like: ILLEGAL_ARGUMENT. A word that is not known is TRANSFORM_OTHER. */
status partition__transform_parse(struct str text, struct diag *diag, enum transform_kind *out);
bool partition__transform_applies(enum transform_kind kind, enum schema_type source);

/*
 * The sources of one field against a schema: they exist, are primitive, every ancestor is a struct
 * and the transform takes their type. `what` is "partition" or "sort", `described` the field for
 * messages.
 */
struct partition__use {
    const char *what;
    const char *described;
    struct str transform;
    const struct field_sources *sources;
};
status partition__check_sources(const struct schema *schema, const struct partition__use *use,
                                struct diag *diag);

/* "source-id", or the "source-ids" of a transform with several arguments. In the arena. */
status partition__sources_parse(struct arena *arena, const struct json *field, const char *what,
                                struct diag *diag, struct field_sources *out);
bool partition__sources_same(const struct field_sources *a, const struct field_sources *b);
/* The sources' fields of the same names in `to`. ILLEGAL_ARGUMENT when one is missing. */
status partition__sources_rebind(struct arena *arena, const struct field_sources *sources,
                                 const struct schema *from, const struct schema *to,
                                 const char *what, struct diag *diag, struct field_sources *out);
/* The value of a field's member: a source as it is now, anything else as it was parsed. */
void partition__write_member(struct json_writer *w, struct str key, const struct json *value,
                             const struct field_sources *sources);
