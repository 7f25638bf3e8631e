/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * lmdb_store.h - the applied state on disk: a kv_store over LMDB.
 *
 * The file is a cache of the WAL and the snapshots, never the truth: it is written without fsync. A
 * process crash leaves it intact, for the page cache survives. After a machine crash it may be
 * silently wrong, so a mark beside it says which boot of the machine wrote to it and whether it was
 * closed cleanly. A store that another boot left without the clean mark is not trusted:
 * lmdb_store_open answers CORRUPT, as it does for every other damage that it sees, and the answer
 * to CORRUPT is always lmdb_store_remove, then rebuild from the newest snapshot and the WAL.
 *
 * A directory holds one store: data.mdb, lock.mdb, mark. One process, one open at a time.
 */
#include "env/env.h"
#include "kv/store.h"

struct lmdb_store_options {
    struct str boot_id; /* env's boot_id; borrowed until return; empty: trust only a clean mark */
    bool create;        /* start an empty store when there is none; else NOT_FOUND */
    uint64_t
        map_size_bytes;   /* address space, not disk; 0: 64 GiB. At least twice the file is taken */
    unsigned readers_max; /* snapshots open at once; 0: 4096 */
};

/*
 * Opens the store in directory `path` (created if needed, its parent must exist), sweeps the
 * readers that dead processes left and marks the store as in use by this boot, durably, before it
 * is touched. `env` and `allocator` are kept; the allocator is called under the store's lock only.
 * NOT_FOUND, CORRUPT (see above), NOSPACE, NOMEM, IO.
 *
 * As a kv_store: apply answers NOSPACE when the disk is full, or when the map is full while
 * snapshots are open (with none open the map is doubled); the state stays as it was and the call
 * may be repeated. snapshot answers EXHAUSTED beyond readers_max. Closing a store needs its
 * snapshots closed.
 */
status lmdb_store_open(struct env *env, const char *path, const struct lmdb_store_options *options,
                       struct allocator *allocator, struct diag *diag, struct kv_store **out);

/* kv_store_close, and says why the clean mark could not be set. The store is gone in any case. */
status lmdb_store_close(struct kv_store *store, struct diag *diag);

enum lmdb_store_trust {
    LMDB_STORE_ABSENT,
    LMDB_STORE_TRUSTED,
    LMDB_STORE_UNTRUSTED /* another boot left it without the clean mark */
};
/* What lmdb_store_open would find; changes nothing. NOMEM, IO. */
status lmdb_store_trust(struct env *env, const char *path, struct str boot_id, struct diag *diag,
                        enum lmdb_store_trust *out);
/* Deletes a store that is not open, durably. Success when there is none. */
status lmdb_store_remove(struct env *env, const char *path, struct diag *diag);

/*
 * A compacting copy of one applied state into the new file `file_path`, durable on return (the
 * caller syncs the folder). Runs on any thread while applies go on; pages that change meanwhile are
 * kept, so the store grows by what is written during the copy. ALREADY_EXISTS, NOSPACE, NOMEM, IO;
 * no file is left after a failure.
 */
status lmdb_store_copy(struct kv_store *store, const char *file_path, struct diag *diag,
                       struct kv_meta *out_meta);
/* What a copied file holds. CORRUPT, NOT_FOUND, NOMEM, IO. */
status lmdb_store_copy_meta(const char *file_path, struct diag *diag, struct kv_meta *out);
/* A store in directory `path`, where there is none yet, from a copied file; then opens it. The file
 * is only read. ALREADY_EXISTS, and as lmdb_store_open. */
status lmdb_store_restore(struct env *env, const char *file_path, const char *path,
                          const struct lmdb_store_options *options, struct allocator *allocator,
                          struct diag *diag, struct kv_store **out);

/* Reads every row and compares digest and count with the meta row: CORRUPT if they differ. LMDB has
 * no page checksums; this is how bit rot is found. Any thread, one snapshot. */
status lmdb_store_verify(struct kv_store *store, struct diag *diag);

struct lmdb_store_stats {
    uint64_t file_size_bytes; /* pages in use or free for use; the file never shrinks */
    uint64_t map_size_bytes;
    uint64_t snapshots_open;
    uint64_t
        oldest_snapshot_lag; /* entries applied since the oldest open snapshot: it pins pages */
};
/* Any thread. */
void lmdb_store_stats(struct kv_store *store, struct lmdb_store_stats *out);
