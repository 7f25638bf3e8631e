/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * object.h - where table files lie: one interface for local folders today, S3, GCS and Azure next.
 *
 * A store is rooted at a warehouse's location and never reads or writes outside of it, whatever a
 * location says: symbolic links that lead out are refused too. Locations are canonical
 * ("file:///data/lake/a/b"). All calls block; use them from a worker thread. A put is atomic:
 * readers see the old object, or the whole new one. It is visible when put returns, durable when
 * sync returns.
 */
#include "base/arena.h"

/* Yields the bytes of an object piece by piece, as catalog streams do. */
struct object_source {
    status (*fill)(struct object_source *self, char *out, size_t capacity, struct diag *diag,
                   size_t *out_size, bool *out_end);
};

struct object_store;
struct object_store_ops {
    /* Makes a folder where stores have folders, so that engines may write into it. */
    status (*prepare)(struct object_store *self, struct str folder, struct diag *diag);
    /* NOT_FOUND "Failed to open input stream for file: <location>", TOO_LARGE, DENIED, IO. In the
     * arena. */
    status (*read)(struct object_store *self, struct str location, size_t size_max,
                   struct arena *arena, struct diag *diag, struct str *out);
    status (*put)(struct object_store *self, struct str location, struct object_source *source,
                  struct diag *diag);
    /* Makes objects and their folders durable; many at once cost little more than one. With a count
     * of 0: everything done so far, removals too. */
    status (*sync)(struct object_store *self, const struct str *locations, size_t count,
                   struct diag *diag);
    status (*size)(struct object_store *self, struct str location, struct diag *diag,
                   uint64_t *out_bytes);
    /* Success when it is gone already. */
    status (*remove)(struct object_store *self, struct str location, struct diag *diag);
    void (*close)(struct object_store *self);
};
struct object_store {
    const struct object_store_ops *ops;
};

/* A store for the root location, by its scheme. file:// only for now: NOT_IMPLEMENTED otherwise.
 * Creates the root folder when absent. Thread-safe. */
status object_store_open(struct str root, struct diag *diag, struct object_store **out);
static inline void object_store_close(struct object_store *store)
{
    if (store != NULL)
        store->ops->close(store);
}
