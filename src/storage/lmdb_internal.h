/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * lmdb_internal.h - what the files of the LMDB store share.
 */
#include "storage/lmdb_store.h"

#include <lmdb.h>
#include <pthread.h>

struct lmdb_snapshot;
struct lmdb_store {
    struct kv_store store;
    struct env *env;
    struct allocator *allocator;
    char *path; /* of the directory; its boot id and the terminator of both follow in one block */
    struct str boot_id;
    size_t block_size;
    MDB_env *mdb;
    MDB_dbi main;
    MDB_dbi state;
    pthread_mutex_t mutex; /* guards all below, and the size of the map */
    struct kv_meta meta;
    struct lmdb_snapshot *open; /* newest first */
    struct lmdb_snapshot *idle; /* their transactions are reset, ready to be renewed */
    size_t open_count;
    size_t idle_count;
    bool failed; /* an I/O error was seen: never marked clean */
};

struct lmdb_store *lmdb__store_of(struct kv_store *store);
/* The status of an LMDB return code that is not success. */
status_value lmdb__fail(struct diag *diag, int rc, const char *what, const char *path);

/* The meta row, in the main database. CORRUPT when damaged; out_found is false when there is
 * none. */
status lmdb__meta_read(MDB_txn *txn, MDB_dbi main, const char *path, struct diag *diag,
                       struct kv_meta *out, bool *out_found);
int lmdb__meta_write(MDB_txn *txn, MDB_dbi main, const struct kv_meta *meta);

status lmdb__snapshot_open(struct lmdb_store *store, struct diag *diag, struct kv_snapshot **out);
/* Of the open snapshots; the store's own when none is open. The mutex is held. */
uint64_t lmdb__oldest_index(const struct lmdb_store *store);
/* Ends the idle transactions; none may be open. */
void lmdb__snapshots_deinit(struct lmdb_store *store);

/* The mark: durable on return. */
status lmdb__mark_write(struct env *env, const char *path, struct str boot_id, bool clean,
                        struct diag *diag);
/* A path below a directory, in the arena. */
status lmdb__path(struct arena *arena, const char *directory, const char *name, struct diag *diag,
                  const char **out);

#define LMDB_STATE_NAME "state"
enum { LMDB_PATH_ARENA = 64 << 10 };
