/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lmdb_store.c - opening, applying, closing. Snapshots, marks and copies are in files of their own.
 *
 * Format: the main database holds the row "meta" and the record of the named database "state",
 * which holds the rows as they are. Every write transaction changes both, so the meta row costs no
 * page that the state's record would not have cost.
 *
 * L1  Every apply is one write transaction and sets the meta row in it: whatever transaction a
 *     reader or the next process finds, meta describes exactly its rows.
 * L2  The mark names this boot, durably, before LMDB is opened; "clean" is written, durably, only
 *     after mdb_env_sync and mdb_env_close, and never after an I/O error.
 * L3  No MDB_WRITEMAP: a stray pointer cannot reach the file. MDB_NOTLS: a read transaction belongs
 *     to its snapshot and not to a thread.
 * L4  The map is resized only under the mutex and with no snapshot open: LMDB allows it only so.
 */
#include "storage/lmdb_store.h"

#include "storage/lmdb_internal.h"

#include <errno.h>

enum { READERS_MAX_DEFAULT = 4096 };
static const uint64_t map_size_default = UINT64_C(64) << 30;
static const unsigned env_flags = MDB_NOSYNC | MDB_NORDAHEAD | MDB_NOTLS;

struct lmdb_store *lmdb__store_of(struct kv_store *store)
{
    return CONTAINER_OF(store, struct lmdb_store, store);
}

status_value lmdb__fail(struct diag *diag, int rc, const char *what, const char *path)
{
    const char *text = mdb_strerror(rc);
    switch (rc) {
    case MDB_MAP_FULL:
    case ENOSPC:
    case EDQUOT: return FAIL(diag, NOSPACE, "could not %s %s: %s", what, path, text);
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
    case MDB_INCOMPATIBLE:
    case MDB_NOTFOUND: return FAIL(diag, CORRUPT, "could not %s %s: %s", what, path, text);
    case MDB_READERS_FULL: return FAIL(diag, EXHAUSTED, "could not %s %s: %s", what, path, text);
    case MDB_TXN_FULL: return FAIL(diag, TOO_LARGE, "could not %s %s: %s", what, path, text);
    case ENOMEM: return FAIL(diag, NOMEM, "could not %s %s: %s", what, path, text);
    case EEXIST: return FAIL(diag, ALREADY_EXISTS, "could not %s %s: %s", what, path, text);
    case ENOENT: return FAIL(diag, NOT_FOUND, "could not %s %s: %s", what, path, text);
    default: return FAIL(diag, IO, "could not %s %s: %s", what, path, text);
    }
}

static MDB_val val_of(struct str s)
{
    return (MDB_val){s.size, (void *)(uintptr_t)s.data};
}

static struct str str_of(MDB_val val)
{
    return (struct str){val.mv_data, val.mv_size};
}

/* --- apply --- */

/* Writes one row and moves the digest; an LMDB return code. */
static int apply_write(MDB_cursor *cursor, const struct kv_write *write, struct kv_meta *meta)
{
    MDB_val key = val_of(write->key);
    MDB_val old;
    int rc = mdb_cursor_get(cursor, &key, &old, MDB_SET);
    bool existed = rc == 0;
    if (rc != 0 && rc != MDB_NOTFOUND)
        return rc;
    if (existed) {
        kv_digest_remove(&meta->digest, write->key, str_of(old));
        meta->row_count--;
    }
    if (write->is_delete)
        return existed ? mdb_cursor_del(cursor, 0) : 0;
    MDB_val value = val_of(write->value);
    kv_digest_add(&meta->digest, write->key, write->value);
    meta->row_count++;
    return mdb_cursor_put(cursor, &key, &value, 0);
}

static status apply_entry(struct lmdb_store *store, MDB_cursor *cursor,
                          const struct kv_entry *entry, struct kv_meta *meta, struct diag *diag,
                          int *ret_rc)
{
    kv_meta_advance(meta, entry);
    if (entry->payload.size == 0)
        return OK;
    struct kv_payload payload;
    TRY(kv_payload_open(entry->payload, diag, &payload));
    meta->stamp = payload.stamp;
    for (;;) {
        struct kv_write write;
        bool found = false;
        TRY(kv_payload_next(&payload, diag, &write, &found));
        if (!found)
            return OK;
        *ret_rc = apply_write(cursor, &write, meta);
        if (*ret_rc != 0)
            return lmdb__fail(diag, *ret_rc, "apply to", store->path);
    }
}

/* One write transaction. *ret_rc is LMDB's reason, if the failure is one of LMDB's. */
static status apply_once(struct lmdb_store *store, const struct kv_entry *entries, size_t count,
                         struct kv_meta *meta, struct diag *diag, int *ret_rc)
{
    MDB_txn *txn = NULL;
    MDB_cursor *cursor = NULL;
    *ret_rc = mdb_txn_begin(store->mdb, NULL, 0, &txn);
    if (*ret_rc == 0)
        *ret_rc = mdb_cursor_open(txn, store->state, &cursor);
    status_value result =
        *ret_rc == 0 ? OK : lmdb__fail(diag, *ret_rc, "begin an apply to", store->path);
    for (size_t i = 0; i < count && is_ok(result); i++)
        result = apply_entry(store, cursor, &entries[i], meta, diag, ret_rc);
    if (cursor != NULL)
        mdb_cursor_close(cursor);
    if (!is_ok(result)) {
        if (txn != NULL)
            mdb_txn_abort(txn);
        return result;
    }
    *ret_rc = lmdb__meta_write(txn, store->main, meta);
    if (*ret_rc == 0)
        *ret_rc = mdb_txn_commit(txn);
    else
        mdb_txn_abort(txn);
    return *ret_rc == 0 ? OK : lmdb__fail(diag, *ret_rc, "commit to", store->path);
}

/* Doubles the map, unless a snapshot is open (L4). */
static bool grow_map(struct lmdb_store *store)
{
    MDB_envinfo info;
    (void)pthread_mutex_lock(&store->mutex);
    bool grown = store->open_count == 0 && mdb_env_info(store->mdb, &info) == 0 &&
                 info.me_mapsize <= SIZE_MAX / 4 &&
                 mdb_env_set_mapsize(store->mdb, info.me_mapsize * 2) == 0;
    (void)pthread_mutex_unlock(&store->mutex);
    return grown;
}

static status lmdb_apply(struct kv_store *self, const struct kv_entry *entries, size_t count,
                         struct diag *diag)
{
    struct lmdb_store *store = lmdb__store_of(self);
    for (;;) {
        struct kv_meta meta = store->meta; /* only this thread writes it */
        int rc = 0;
        status_value result = apply_once(store, entries, count, &meta, diag, &rc);
        if (rc == MDB_MAP_FULL && grow_map(store)) {
            if (diag != NULL)
                diag_reset(diag);
            continue;
        }
        (void)pthread_mutex_lock(&store->mutex);
        if (is_ok(result))
            store->meta = meta;
        else if (result.code == STATUS_IO)
            store->failed = true;
        (void)pthread_mutex_unlock(&store->mutex);
        return result;
    }
}

static status lmdb_snapshot(struct kv_store *self, struct diag *diag, struct kv_snapshot **out)
{
    return lmdb__snapshot_open(lmdb__store_of(self), diag, out);
}

static struct kv_meta lmdb_meta(struct kv_store *self)
{
    struct lmdb_store *store = lmdb__store_of(self);
    (void)pthread_mutex_lock(&store->mutex);
    struct kv_meta meta = store->meta;
    (void)pthread_mutex_unlock(&store->mutex);
    return meta;
}

/* --- close --- */

static void store_free(struct lmdb_store *store)
{
    (void)pthread_mutex_destroy(&store->mutex);
    store->allocator->release(store->allocator, store, store->block_size);
}

status_value lmdb_store_close(struct kv_store *self, struct diag *diag)
{
    struct lmdb_store *store = lmdb__store_of(self);
    lmdb__snapshots_deinit(store);
    int rc = mdb_env_sync(store->mdb, 1);
    mdb_env_close(store->mdb);
    status_value result = OK;
    if (rc != 0)
        result = lmdb__fail(diag, rc, "sync", store->path);
    else if (store->failed)
        result = FAIL(diag, IO, "%s met an I/O error and is not marked clean", store->path);
    else
        result = lmdb__mark_write(store->env, store->path, store->boot_id, true, diag);
    store_free(store);
    return result;
}

static void lmdb_close(struct kv_store *self)
{
    /* Without the clean mark the next boot rebuilds the store: slower, never wrong. */
    status_value ignored = lmdb_store_close(self, NULL);
    (void)ignored;
}

static const struct kv_store_ops lmdb_store_ops = {
    .apply = lmdb_apply, .snapshot = lmdb_snapshot, .meta = lmdb_meta, .close = lmdb_close};

/* --- open --- */

/* The store with its path and boot id behind it, in one block. */
static status store_new(struct env *env, const char *path, struct str boot_id,
                        struct allocator *allocator, struct diag *diag, struct lmdb_store **out)
{
    size_t path_size = strlen(path) + 1;
    size_t block_size = sizeof(struct lmdb_store) + path_size + boot_id.size;
    struct lmdb_store *store = allocator->alloc(allocator, block_size);
    if (store == NULL)
        return FAIL(diag, NOMEM, "could not open %s: out of memory", path);
    char *tail = (char *)(store + 1);
    memcpy(tail, path, path_size);
    if (boot_id.size > 0)
        memcpy(tail + path_size, boot_id.data, boot_id.size);
    *store = (struct lmdb_store){.store = {.ops = &lmdb_store_ops},
                                 .env = env,
                                 .allocator = allocator,
                                 .path = tail,
                                 .boot_id = {tail + path_size, boot_id.size},
                                 .block_size = block_size};
    ASSERT(pthread_mutex_init(&store->mutex, NULL) == 0);
    *out = store;
    return OK;
}

static status data_file_size(struct env *env, const char *path, struct diag *diag, uint64_t *out)
{
    struct arena arena;
    struct env_file *file = NULL;
    const char *data_path = NULL;
    status_value result = OK;
    arena_init(&arena, allocator_heap(), LMDB_PATH_ARENA);
    TRY_OUT(result, lmdb__path(&arena, path, "data.mdb", diag, &data_path));
    TRY_OUT(result, env->ops->file_open(env, data_path, 0, diag, &file));
    result = env->ops->file_size(env, file, diag, out);
    env->ops->file_close(env, file);
out:
    arena_deinit(&arena);
    return result;
}

static int open_env(struct lmdb_store *store, const struct lmdb_store_options *options,
                    uint64_t file_size)
{
    unsigned readers = options->readers_max == 0 ? READERS_MAX_DEFAULT : options->readers_max;
    uint64_t wanted = options->map_size_bytes == 0 ? map_size_default : options->map_size_bytes;
    uint64_t map_size = u64_max((wanted + 0xffff) & ~UINT64_C(0xffff),
                                (2 * file_size + 0xffff) & ~UINT64_C(0xffff));
    int rc = mdb_env_create(&store->mdb);
    if (rc == 0)
        rc = mdb_env_set_maxdbs(store->mdb, 1);
    if (rc == 0)
        rc = mdb_env_set_maxreaders(store->mdb, readers);
    if (rc == 0)
        rc = mdb_env_set_mapsize(store->mdb, (size_t)u64_min(map_size, SIZE_MAX / 2));
    if (rc == 0)
        rc = mdb_env_open(store->mdb, store->path, env_flags, 0600);
    int dead = 0;
    if (rc == 0)
        rc = mdb_reader_check(store->mdb, &dead);
    return rc;
}

/* Opens or makes the databases; a crash may have come between making the file and its first
 * rows. */
static status open_databases(struct lmdb_store *store, struct diag *diag)
{
    MDB_txn *txn = NULL;
    MDB_stat stat;
    bool found = false;
    int rc = mdb_txn_begin(store->mdb, NULL, 0, &txn);
    if (rc != 0)
        return lmdb__fail(diag, rc, "open", store->path);
    status_value result = OK;
    rc = mdb_dbi_open(txn, NULL, 0, &store->main);
    if (rc == 0)
        rc = mdb_dbi_open(txn, LMDB_STATE_NAME, MDB_CREATE, &store->state);
    if (rc == 0)
        rc = mdb_stat(txn, store->state, &stat);
    if (rc == 0)
        result = lmdb__meta_read(txn, store->main, store->path, diag, &store->meta, &found);
    if (rc == 0 && is_ok(result) && stat.ms_entries != store->meta.row_count)
        result = FAIL(diag, CORRUPT, "%s holds %zu rows where its meta row says %llu", store->path,
                      stat.ms_entries, (unsigned long long)store->meta.row_count);
    if (rc == 0 && is_ok(result) && !found)
        rc = lmdb__meta_write(txn, store->main, &store->meta);
    if (rc == 0 && is_ok(result))
        rc = mdb_txn_commit(txn);
    else
        mdb_txn_abort(txn);
    return rc == 0 ? result : lmdb__fail(diag, rc, "open", store->path);
}

static status check_trust(struct env *env, const char *path,
                          const struct lmdb_store_options *options, struct diag *diag,
                          uint64_t *out_file_size)
{
    enum lmdb_store_trust trust;
    TRY(lmdb_store_trust(env, path, options->boot_id, diag, &trust));
    if (trust == LMDB_STORE_UNTRUSTED)
        return FAIL(diag, CORRUPT,
                    "%s was not closed cleanly before the machine stopped: it cannot be trusted "
                    "and must be rebuilt from the snapshot and the log",
                    path);
    if (trust == LMDB_STORE_TRUSTED)
        return data_file_size(env, path, diag, out_file_size);
    if (!options->create)
        return FAIL(diag, NOT_FOUND, "there is no store in %s", path);
    return env->ops->mkdir(env, path, diag);
}

/* Marks, then touches (L2). What it opened stays in the store, also when it fails. */
static status store_begin(struct lmdb_store *store, const struct lmdb_store_options *options,
                          uint64_t file_size, struct diag *diag)
{
    TRY(lmdb__mark_write(store->env, store->path, store->boot_id, false, diag));
    int rc = open_env(store, options, file_size);
    if (rc != 0)
        return lmdb__fail(diag, rc, "open", store->path);
    TRY(open_databases(store, diag));
    /* The names of the new files: a clean mark must never outlive them. */
    return store->env->ops->dir_sync(store->env, store->path, diag);
}

status_value lmdb_store_open(struct env *env, const char *path,
                             const struct lmdb_store_options *options, struct allocator *allocator,
                             struct diag *diag, struct kv_store **out)
{
    uint64_t file_size = 0;
    struct lmdb_store *store = NULL;
    TRY(check_trust(env, path, options, diag, &file_size));
    TRY(store_new(env, path, options->boot_id, allocator, diag, &store));
    status_value result = store_begin(store, options, file_size, diag);
    if (!is_ok(result)) {
        if (store->mdb != NULL)
            mdb_env_close(store->mdb);
        store_free(store);
        return result;
    }
    *out = &store->store;
    return OK;
}

void lmdb_store_stats(struct kv_store *self, struct lmdb_store_stats *out)
{
    struct lmdb_store *store = lmdb__store_of(self);
    MDB_envinfo info = {0};
    MDB_stat stat = {0};
    (void)pthread_mutex_lock(&store->mutex);
    (void)mdb_env_info(store->mdb, &info);
    (void)mdb_env_stat(store->mdb, &stat);
    *out = (struct lmdb_store_stats){
        .file_size_bytes = (uint64_t)(info.me_last_pgno + 1) * stat.ms_psize,
        .map_size_bytes = info.me_mapsize,
        .snapshots_open = store->open_count,
        .oldest_snapshot_lag = store->meta.applied_index - lmdb__oldest_index(store)};
    (void)pthread_mutex_unlock(&store->mutex);
}
