/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * avro_internal.h - schemas as trees, plans over them, and blocks unpacked.
 */
#include "base/json.h"
#include "lake/avro.h"

enum avro_kind {
    AVRO_NULL,
    AVRO_BOOLEAN,
    AVRO_INT,
    AVRO_LONG,
    AVRO_FLOAT,
    AVRO_DOUBLE,
    AVRO_BYTES,
    AVRO_STRING,
    AVRO_RECORD,
    AVRO_ENUM,
    AVRO_ARRAY,
    AVRO_MAP,
    AVRO_UNION,
    AVRO_FIXED
};

/* One type. Fields of a record, branches of a union, and the element of an array or map are its
 * parts. A type may be its own part through its name. */
struct avro_part {
    struct avro_type *type;
    bool has_id; /* a field of a record with a field-id */
    int32_t id;
};
struct avro_type {
    enum avro_kind kind;
    size_t size; /* of a fixed */
    struct avro_part *parts;
    size_t part_count;
};

/* What to do with a value of a type: keep it (slot), look into it (parts), or skip it (no plan at
 * all). */
enum { AVRO_NO_SLOT = -1 };
struct avro_plan {
    const struct avro_type *type;
    int32_t slot;
    struct avro_plan **parts; /* as many as the type's; NULL entries are skipped */
};

/* avro_schema.c */
status avro__schema_parse(struct arena *arena, struct str json, struct diag *diag,
                          const struct avro_type **out);
/* avro_plan.c; *out is NULL when nothing that is wanted exists. */
status avro__plan_make(struct arena *arena, const struct avro_type *type,
                       const struct avro_want *wants, size_t want_count, struct diag *diag,
                       struct avro_plan **out);

/* avro_codec.c */
enum avro_codec { AVRO_CODEC_NULL, AVRO_CODEC_DEFLATE, AVRO_CODEC_SNAPPY, AVRO_CODEC_ZSTANDARD };
status avro__codec_parse(struct str name, struct diag *diag, enum avro_codec *out);
/* The block's bytes: `packed` itself for the null codec, else in `arena`. */
status avro__unpack(enum avro_codec codec, struct arena *arena, struct str packed,
                    struct diag *diag, struct str *out);
