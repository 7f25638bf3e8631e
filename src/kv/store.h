/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * store.h - the applied state: what a log prefix has made of an empty map. Two implementations:
 * kv/mem_store (tests, simulator) and storage/lmdb_store (product), tested against each other.
 *
 * One writer thread (the core) applies; any thread may hold snapshots. The store also keeps its own
 * meta row, outside the key space and the digest: applied index and term, last stamp, digest.
 *
 * Digest: order-free. The sum modulo 2^128 of XXH3-128(key size u32le, key, value) over all rows; a
 * put adds the new row's hash and subtracts the old one's. Equal digests at equal index mean equal
 * states.
 */
#include "kv/kv.h"

struct kv_digest {
    uint64_t low;
    uint64_t high;
};

struct kv_meta {
    uint64_t applied_index; /* 0: nothing applied */
    uint64_t applied_term;
    hlc_stamp stamp; /* of the last applied entry */
    struct kv_digest digest;
    uint64_t row_count;
};

/* One committed entry. An entry without payload (a leader's no-op) moves only the applied index. */
struct kv_entry {
    uint64_t index;
    uint64_t term;
    struct str payload;
};

/* For stores: moves to the next entry; its stamp, if it has one, is in the payload. */
static inline void kv_meta_advance(struct kv_meta *meta, const struct kv_entry *entry)
{
    ASSERT(entry->index == meta->applied_index + 1);
    ASSERT(entry->term >= meta->applied_term);
    meta->applied_index = entry->index;
    meta->applied_term = entry->term;
}

/* A consistent view of one applied index. Usable from one thread at a time, any thread. */
struct kv_snapshot {
    struct kv_reader reader; /* first member: a snapshot is a reader */
    struct kv_meta meta;
    void (*close)(struct kv_snapshot *self);
};

struct kv_store;
struct kv_store_ops {
    /* Applies entries in order, all in one transaction. Requires entries[0].index == applied + 1
     * and consecutive indexes (asserted). Nothing is applied on failure: CORRUPT for a payload that
     * cannot be read, NOMEM, and from a store on disk NOSPACE and IO. */
    status (*apply)(struct kv_store *self, const struct kv_entry *entries, size_t count,
                    struct diag *diag);
    status (*snapshot)(struct kv_store *self, struct diag *diag, struct kv_snapshot **out);
    struct kv_meta (*meta)(struct kv_store *self);
    void (*close)(struct kv_store *self);
};
struct kv_store {
    const struct kv_store_ops *ops;
};

static inline status kv_store_apply(struct kv_store *store, const struct kv_entry *entries,
                                    size_t count, struct diag *diag)
{
    return store->ops->apply(store, entries, count, diag);
}
static inline status kv_store_snapshot(struct kv_store *store, struct diag *diag,
                                       struct kv_snapshot **out)
{
    return store->ops->snapshot(store, diag, out);
}
static inline struct kv_meta kv_store_meta(struct kv_store *store)
{
    return store->ops->meta(store);
}
static inline void kv_store_close(struct kv_store *store)
{
    if (store != NULL)
        store->ops->close(store);
}
static inline void kv_snapshot_close(struct kv_snapshot *snapshot)
{
    if (snapshot != NULL)
        snapshot->close(snapshot);
}

/* The digest's two operations, for stores. */
void kv_digest_add(struct kv_digest *digest, struct str key, struct str value);
void kv_digest_remove(struct kv_digest *digest, struct str key, struct str value);

/* A store in memory. NOMEM. */
status mem_store_open(struct allocator *allocator, struct diag *diag, struct kv_store **out);
