/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * rows.h - small JSON rows (warehouses, namespaces, names, counters) read and written through a
 * context.
 */
#include "catalog/catalog_internal.h"

/* The row as JSON in the arena; CORRUPT when it does not parse. *out is NULL when there is no
 * row. */
status rows__get(struct catalog_context *context, const struct key *key, const struct json **out);
status rows__parse(struct catalog_context *context, struct str value, const struct json **out);
/* Puts what was built in `buf` (of this context's arena). */
status rows__put(struct catalog_context *context, const struct key *key, const struct buf *buf);
/* Whether some row has a key with this prefix. */
status rows__any(struct catalog_context *context, const struct key *prefix, bool *out);
/* A member that the writer of the row always writes: CORRUPT when it is missing. */
status rows__u64(struct catalog_context *context, const struct json *row, const char *member,
                 uint64_t *out);
status rows__str(struct catalog_context *context, const struct json *row, const char *member,
                 struct str *out);
/* Takes the next number of a counter (the first is 1). */
status rows__next(struct catalog_context *context, const struct key *counter, uint64_t *out);

/* A buffer for one row or one answer. */
enum { ROW_SIZE_MAX = 1 << 30 };
static inline struct buf rows__buf(struct catalog_context *context)
{
    struct buf buf;
    buf_init(&buf, context->arena, ROW_SIZE_MAX);
    return buf;
}
