/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * avro.h - reads Avro object container files: chosen values of each record, the rest skipped.
 *
 * The file's own schema says how its bytes are laid out; the caller says which values it wants by
 * Iceberg's field-ids, so writers may add, rename and reorder fields. Codecs: null, deflate,
 * snappy, zstandard. Logical types, defaults and aliases do not change the layout and are ignored.
 *
 * The file is input, not ours: whatever is wrong with it is INVALID. Memory is that of the largest
 * block, and a block is at most AVRO_BLOCK_BYTES_MAX and AVRO_RATIO_MAX times its packed size.
 *
 * Format: https://avro.apache.org/docs/1.11.1/specification/
 */
#include "base/arena.h"

enum {
    AVRO_BLOCK_BYTES_MAX = 512 << 20,
    AVRO_RATIO_MAX = 4096,
    AVRO_DEPTH_MAX = 64,     /* of nested values and of the schema */
    AVRO_NODES_MAX = 100000, /* types, fields and branches of a schema */
    AVRO_PATH_MAX = 4,
    AVRO_WANTS_MAX = 32
};

enum avro_want_kind {
    AVRO_WANT_I64,  /* an int or a long */
    AVRO_WANT_BYTES /* a string or bytes */
};
/* One value of each record: the field-ids that lead to it from the record itself. */
struct avro_want {
    int32_t path[AVRO_PATH_MAX];
    size_t depth;
    enum avro_want_kind kind;
    bool required; /* opening fails when the schema lacks it, reading when the value is null */
};
struct avro_value {
    bool found; /* false: the schema lacks it, or it is null */
    int64_t i64;
    struct str bytes; /* borrowed until the next call of avro_next */
};

struct avro_reader;
/*
 * Reads the header. `file` (the whole file) and `wants` are kept; the reader's parts that last live
 * in `arena`, blocks in memory of its own. INVALID, NOMEM.
 */
status avro_open(struct arena *arena, struct str file, const struct avro_want *wants,
                 size_t want_count, struct diag *diag, struct avro_reader **out);
/* An entry of the file's metadata ("schema", "format-version"), borrowed from the file. */
bool avro_metadata(const struct avro_reader *reader, struct str key, struct str *out);
/* The next record, one value for each want. INVALID; the reader may only be closed then. */
status avro_next(struct avro_reader *reader, struct diag *diag, struct avro_value *values,
                 bool *out_found);
/* NULL is fine. */
void avro_close(struct avro_reader *reader);
