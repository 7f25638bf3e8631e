/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lmdb_snapshot.c - snapshots: read transactions with their meta row, kept for reuse when closed.
 *
 * N1  A snapshot's meta row is read in its own transaction, so it describes exactly what is seen.
 * N2  An idle snapshot's transaction is reset: it holds a reader slot but pins no page. Renewing it
 *     takes no lock of the file; beginning a new one does.
 * N3  Values are borrowed from the map and stay while the transaction is open.
 *
 * A bad sector below the map is a SIGBUS, not a status: the process ends and the store is rebuilt
 * or moved. (That is LMDB's contract; checked reads would copy every value.)
 */
#include "base/crc32c.h"
#include "storage/lmdb_internal.h"

enum { IDLE_MAX = 64, META_FORMAT = 1, META_SIZE = 1 + 6 * 8 + 4 };
static const char meta_name[] = "meta";

struct lmdb_snapshot {
    struct kv_snapshot snapshot;
    struct lmdb_store *owner;
    MDB_txn *txn;
    struct lmdb_snapshot *older; /* also links the idle ones */
    struct lmdb_snapshot *newer;
};

struct lmdb_cursor {
    struct kv_cursor cursor;
    MDB_cursor *mdb;
    const char *path;
    struct str to;
    MDB_val key; /* the row to return next, when is_positioned */
    MDB_val value;
    bool is_positioned;
    bool is_ended;
};

static struct lmdb_snapshot *snapshot_of(struct kv_reader *reader)
{
    return CONTAINER_OF(reader, struct lmdb_snapshot, snapshot.reader);
}

/* --- the meta row: {format u8, index, term, stamp, digest low, high, row count u64le, crc32c}
 * --- */

status_value lmdb__meta_read(MDB_txn *txn, MDB_dbi main, const char *path, struct diag *diag,
                             struct kv_meta *out, bool *out_found)
{
    MDB_val key = {sizeof(meta_name) - 1, (void *)(uintptr_t)meta_name};
    MDB_val value;
    int rc = mdb_get(txn, main, &key, &value);
    *out_found = rc == 0;
    if (rc == MDB_NOTFOUND)
        return OK;
    if (rc != 0)
        return lmdb__fail(diag, rc, "read the meta row of", path);
    struct str bytes = {value.mv_data, value.mv_size};
    struct cursor at = cursor_of(bytes);
    struct kv_meta meta;
    uint8_t format = cursor_u8(&at);
    meta.applied_index = cursor_u64le(&at);
    meta.applied_term = cursor_u64le(&at);
    meta.stamp.value = cursor_u64le(&at);
    meta.digest.low = cursor_u64le(&at);
    meta.digest.high = cursor_u64le(&at);
    meta.row_count = cursor_u64le(&at);
    if (bytes.size != META_SIZE || format != META_FORMAT ||
        cursor_u32le(&at) != crc32c(0, str_slice(bytes, 0, META_SIZE - 4)))
        return FAIL(diag, CORRUPT, "the meta row of %s is damaged", path);
    *out = meta;
    return OK;
}

static void put_le(unsigned char *to, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        to[i] = (unsigned char)(value >> (8 * i));
}

int lmdb__meta_write(MDB_txn *txn, MDB_dbi main, const struct kv_meta *meta)
{
    const uint64_t fields[6] = {meta->applied_index, meta->applied_term, meta->stamp.value,
                                meta->digest.low,    meta->digest.high,  meta->row_count};
    unsigned char row[META_SIZE] = {META_FORMAT};
    for (unsigned i = 0; i < COUNTOF(fields); i++)
        put_le(row + 1 + 8 * i, fields[i], 8);
    put_le(row + META_SIZE - 4, crc32c(0, (struct str){(const char *)row, META_SIZE - 4}), 4);
    MDB_val key = {sizeof(meta_name) - 1, (void *)(uintptr_t)meta_name};
    MDB_val value = {sizeof(row), row};
    return mdb_put(txn, main, &key, &value, 0);
}

/* --- reading --- */

static status cursor_next(struct kv_cursor *self, struct diag *diag, struct str *out_key,
                          struct str *out_value, bool *out_found)
{
    struct lmdb_cursor *c = CONTAINER_OF(self, struct lmdb_cursor, cursor);
    int rc = 0;
    if (!c->is_positioned && !c->is_ended)
        rc = mdb_cursor_get(c->mdb, &c->key, &c->value, MDB_NEXT);
    if (rc != 0 && rc != MDB_NOTFOUND)
        return lmdb__fail(diag, rc, "scan", c->path);
    c->is_positioned = false;
    struct str key = {c->key.mv_data, c->key.mv_size};
    if (rc != 0 || (!c->is_ended && c->to.size > 0 && str_cmp(key, c->to) >= 0))
        c->is_ended = true;
    *out_found = !c->is_ended;
    if (c->is_ended)
        return OK;
    *out_key = key;
    *out_value = (struct str){c->value.mv_data, c->value.mv_size};
    return OK;
}

static void cursor_close(struct kv_cursor *self)
{
    mdb_cursor_close(CONTAINER_OF(self, struct lmdb_cursor, cursor)->mdb);
}

static const struct kv_cursor_ops cursor_ops = {.next = cursor_next, .close = cursor_close};

static status snapshot_scan(struct kv_reader *self, struct arena *arena, struct str from,
                            struct str to, struct diag *diag, struct kv_cursor **out)
{
    ASSERT(from.size <= KEY_SIZE_MAX);
    struct lmdb_snapshot *snapshot = snapshot_of(self);
    struct lmdb_store *store = snapshot->owner;
    struct lmdb_cursor *c = ARENA_NEW(arena, struct lmdb_cursor);
    struct str bound = arena_copy(arena, to);
    if (c == NULL || bound.data == NULL)
        return FAIL(diag, NOMEM, "could not open a scan: memory budget exhausted");
    c->cursor.ops = &cursor_ops;
    c->to = bound;
    c->path = store->path;
    int rc = mdb_cursor_open(snapshot->txn, store->state, &c->mdb);
    if (rc != 0)
        return lmdb__fail(diag, rc, "scan", store->path);
    c->key = (MDB_val){from.size, (void *)(uintptr_t)from.data};
    rc = mdb_cursor_get(c->mdb, &c->key, &c->value, from.size == 0 ? MDB_FIRST : MDB_SET_RANGE);
    if (rc != 0 && rc != MDB_NOTFOUND) {
        mdb_cursor_close(c->mdb);
        return lmdb__fail(diag, rc, "scan", store->path);
    }
    c->is_positioned = rc == 0;
    c->is_ended = rc != 0;
    *out = &c->cursor;
    return OK;
}

static status snapshot_get(struct kv_reader *self, struct str key, struct diag *diag,
                           struct str *out_value, bool *out_found)
{
    struct lmdb_snapshot *snapshot = snapshot_of(self);
    MDB_val name = {key.size, (void *)(uintptr_t)key.data};
    MDB_val value;
    int rc = mdb_get(snapshot->txn, snapshot->owner->state, &name, &value);
    if (rc != 0 && rc != MDB_NOTFOUND)
        return lmdb__fail(diag, rc, "read", snapshot->owner->path);
    *out_found = rc == 0;
    if (rc == 0)
        *out_value = (struct str){value.mv_data, value.mv_size};
    return OK;
}

static const struct kv_reader_ops reader_ops = {.get = snapshot_get, .scan = snapshot_scan};

/* --- life --- */

static void snapshot_destroy(struct lmdb_snapshot *snapshot)
{
    struct allocator *allocator = snapshot->owner->allocator;
    if (snapshot->txn != NULL)
        mdb_txn_abort(snapshot->txn);
    allocator->release(allocator, snapshot, sizeof(*snapshot));
}

static void unlink_open(struct lmdb_store *store, struct lmdb_snapshot *snapshot)
{
    if (snapshot->older != NULL)
        snapshot->older->newer = snapshot->newer;
    *(snapshot->newer == NULL ? &store->open : &snapshot->newer->older) = snapshot->older;
    store->open_count--;
}

static void snapshot_close(struct kv_snapshot *self)
{
    struct lmdb_snapshot *snapshot = snapshot_of(&self->reader);
    struct lmdb_store *store = snapshot->owner;
    mdb_txn_reset(snapshot->txn);
    (void)pthread_mutex_lock(&store->mutex);
    unlink_open(store, snapshot);
    if (store->idle_count < IDLE_MAX) {
        snapshot->older = store->idle;
        store->idle = snapshot;
        store->idle_count++;
    } else {
        snapshot_destroy(snapshot);
    }
    (void)pthread_mutex_unlock(&store->mutex);
}

/* A snapshot with a running transaction: a kept one, else a new one. The mutex is held. */
static status snapshot_begin(struct lmdb_store *store, struct diag *diag,
                             struct lmdb_snapshot **out)
{
    struct lmdb_snapshot *snapshot = store->idle;
    int rc = 0;
    if (snapshot != NULL) {
        store->idle = snapshot->older;
        store->idle_count--;
        rc = mdb_txn_renew(snapshot->txn);
    } else {
        snapshot = store->allocator->alloc(store->allocator, sizeof(*snapshot));
        if (snapshot == NULL)
            return FAIL(diag, NOMEM, "could not open a snapshot: out of memory");
        *snapshot = (struct lmdb_snapshot){.owner = store};
        snapshot->snapshot.reader.ops = &reader_ops;
        snapshot->snapshot.close = snapshot_close;
        rc = mdb_txn_begin(store->mdb, NULL, MDB_RDONLY, &snapshot->txn);
    }
    if (rc != 0) {
        snapshot_destroy(snapshot);
        return lmdb__fail(diag, rc, "open a snapshot of", store->path);
    }
    *out = snapshot;
    return OK;
}

static status snapshot_take(struct lmdb_store *store, struct diag *diag, struct lmdb_snapshot **out)
{
    struct lmdb_snapshot *snapshot = NULL;
    bool found = false;
    TRY(snapshot_begin(store, diag, &snapshot));
    status_value result = lmdb__meta_read(snapshot->txn, store->main, store->path, diag,
                                          &snapshot->snapshot.meta, &found);
    if (is_ok(result) && !found)
        result = FAIL(diag, CORRUPT, "%s has lost its meta row", store->path);
    if (!is_ok(result)) {
        snapshot_destroy(snapshot);
        return result;
    }
    snapshot->newer = NULL;
    snapshot->older = store->open;
    if (store->open != NULL)
        store->open->newer = snapshot;
    store->open = snapshot;
    store->open_count++;
    *out = snapshot;
    return OK;
}

status_value lmdb__snapshot_open(struct lmdb_store *store, struct diag *diag,
                                 struct kv_snapshot **out)
{
    struct lmdb_snapshot *snapshot = NULL;
    (void)pthread_mutex_lock(&store->mutex);
    status_value result = snapshot_take(store, diag, &snapshot);
    (void)pthread_mutex_unlock(&store->mutex);
    if (is_ok(result))
        *out = &snapshot->snapshot;
    return result;
}

uint64_t lmdb__oldest_index(const struct lmdb_store *store)
{
    uint64_t oldest = store->meta.applied_index;
    for (const struct lmdb_snapshot *s = store->open; s != NULL; s = s->older)
        oldest = u64_min(oldest, s->snapshot.meta.applied_index);
    return oldest;
}

void lmdb__snapshots_deinit(struct lmdb_store *store)
{
    ASSERT(store->open_count == 0 && store->open == NULL);
    while (store->idle != NULL) {
        struct lmdb_snapshot *snapshot = store->idle;
        store->idle = snapshot->older;
        snapshot_destroy(snapshot);
    }
}
