/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lmdb_files.c - the mark beside the store, copies of it, and stores made from copies.
 *
 * The mark is a text of three lines, replaced by rename and durable on return:
 *
 *   tarn lmdb 1
 *   boot <boot id of the machine>
 *   state dirty | clean
 *
 * K1  A store is trusted if its mark says clean, or dirty in this very boot (then only the process
 *     died and the page cache still has every write). Anything else, also no mark, is not trusted.
 * K2  Removing deletes the data first: while the mark is there, it is about the data or about
 *     nothing.
 */
#include "storage/lmdb_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { MARK_MAX = 256, CHUNK_SIZE = 1 << 20 };
#define MARK_HEAD "tarn lmdb 1\n"

status_value lmdb__path(struct arena *arena, const char *directory, const char *name,
                        struct diag *diag, const char **out)
{
    struct str path = arena_printf(arena, "%s/%s", directory, name);
    if (path.data == NULL)
        return FAIL(diag, NOMEM, "could not name a file in %s: out of memory", directory);
    *out = path.data;
    return OK;
}

/* --- the mark --- */

static struct str mark_text(struct arena *arena, struct str boot_id, bool clean)
{
    return arena_printf(arena, MARK_HEAD "boot %.*s\nstate %s\n", STR_ARG(boot_id),
                        clean ? "clean" : "dirty");
}

static status mark_replace(struct env *env, struct arena *arena, const char *path, struct str text,
                           struct diag *diag)
{
    const char *final = NULL;
    const char *fresh = NULL;
    struct env_file *file = NULL;
    if (text.data == NULL)
        return FAIL(diag, NOMEM, "could not mark %s: out of memory", path);
    TRY(lmdb__path(arena, path, "mark", diag, &final));
    TRY(lmdb__path(arena, path, "mark.new", diag, &fresh));
    TRY(env->ops->file_open(env, fresh, ENV_OPEN_CREATE | ENV_OPEN_WRITE, diag, &file));
    status_value result = env->ops->file_truncate(env, file, 0, diag);
    if (is_ok(result))
        result = env->ops->file_write(env, file, 0, text.data, text.size, diag);
    if (is_ok(result))
        result = env->ops->file_sync(env, file, diag);
    env->ops->file_close(env, file);
    TRY(result);
    TRY(env->ops->rename(env, fresh, final, diag));
    return env->ops->dir_sync(env, path, diag);
}

status_value lmdb__mark_write(struct env *env, const char *path, struct str boot_id, bool clean,
                              struct diag *diag)
{
    struct arena arena;
    arena_init(&arena, allocator_heap(), LMDB_PATH_ARENA);
    status_value result = mark_replace(env, &arena, path, mark_text(&arena, boot_id, clean), diag);
    arena_deinit(&arena);
    return result;
}

/* The whole file, at most MARK_MAX bytes of it. NOT_FOUND when absent. */
static status read_file(struct env *env, struct arena *arena, const char *path, struct diag *diag,
                        struct str *out)
{
    struct env_file *file = NULL;
    size_t size = 0;
    char *data = arena_alloc(arena, MARK_MAX);
    if (data == NULL)
        return FAIL(diag, NOMEM, "could not read %s: out of memory", path);
    TRY(env->ops->file_open(env, path, 0, diag, &file));
    status_value result = env->ops->file_read(env, file, 0, data, MARK_MAX, diag, &size);
    env->ops->file_close(env, file);
    TRY(result);
    *out = (struct str){data, size};
    return OK;
}

static bool mark_is_trusted(struct arena *arena, struct str mark, struct str boot_id)
{
    if (str_starts(mark, STR(MARK_HEAD "boot ")) && str_ends(mark, STR("\nstate clean\n")))
        return true;
    struct str dirty_now = mark_text(arena, boot_id, false);
    return boot_id.size > 0 && dirty_now.data != NULL && str_eq(mark, dirty_now);
}

static status file_exists(struct env *env, const char *path, struct diag *diag, bool *out)
{
    struct env_file *file = NULL;
    status_value result = env->ops->file_open(env, path, 0, NULL, &file);
    if (is_ok(result)) {
        env->ops->file_close(env, file);
        *out = true;
        return OK;
    }
    if (result.code != STATUS_NOT_FOUND) /* again, for the message */
        return env->ops->file_open(env, path, 0, diag, &file);
    *out = false;
    return OK;
}

static status find_trust(struct env *env, struct arena *arena, const char *path, struct str boot_id,
                         struct diag *diag, enum lmdb_store_trust *out)
{
    const char *data_path = NULL;
    const char *mark_path = NULL;
    bool exists = false;
    struct str mark = STR("");
    TRY(lmdb__path(arena, path, "data.mdb", diag, &data_path));
    TRY(lmdb__path(arena, path, "mark", diag, &mark_path));
    TRY(file_exists(env, data_path, diag, &exists));
    if (!exists) {
        *out = LMDB_STORE_ABSENT;
        return OK;
    }
    TRY(file_exists(env, mark_path, diag, &exists));
    if (exists)
        TRY(read_file(env, arena, mark_path, diag, &mark));
    *out = mark_is_trusted(arena, mark, boot_id) ? LMDB_STORE_TRUSTED : LMDB_STORE_UNTRUSTED;
    return OK;
}

status_value lmdb_store_trust(struct env *env, const char *path, struct str boot_id,
                              struct diag *diag, enum lmdb_store_trust *out)
{
    struct arena arena;
    arena_init(&arena, allocator_heap(), LMDB_PATH_ARENA);
    status_value result = find_trust(env, &arena, path, boot_id, diag, out);
    arena_deinit(&arena);
    return result;
}

static status remove_file(struct env *env, struct arena *arena, const char *path, const char *name,
                          struct diag *diag)
{
    const char *file_path = NULL;
    bool exists = false;
    TRY(lmdb__path(arena, path, name, diag, &file_path));
    TRY(file_exists(env, file_path, diag, &exists));
    return exists ? env->ops->unlink(env, file_path, diag) : OK;
}

status_value lmdb_store_remove(struct env *env, const char *path, struct diag *diag)
{
    static const char *const names[] = {"data.mdb", "data.mdb.new", "lock.mdb", "mark.new", "mark"};
    struct arena arena;
    status_value result = OK;
    bool exists = false;
    arena_init(&arena, allocator_heap(), LMDB_PATH_ARENA);
    for (size_t i = 0; i < COUNTOF(names) && is_ok(result); i++)
        result = remove_file(env, &arena, path, names[i], diag);
    if (is_ok(result))
        result = file_exists(env, path, diag, &exists);
    if (is_ok(result) && exists)
        result = env->ops->dir_sync(env, path, diag);
    arena_deinit(&arena);
    return result;
}

/* --- copies --- */

static status read_copy_meta(MDB_env *mdb, const char *file_path, struct diag *diag,
                             struct kv_meta *out)
{
    MDB_txn *txn = NULL;
    MDB_dbi main = 0;
    bool found = false;
    int rc = mdb_env_set_mapsize(mdb, CHUNK_SIZE); /* LMDB takes what the file needs */
    if (rc == 0)
        rc = mdb_env_set_maxdbs(mdb, 1);
    if (rc == 0)
        rc = mdb_env_open(mdb, file_path, MDB_NOSUBDIR | MDB_RDONLY | MDB_NOLOCK | MDB_NOTLS, 0600);
    if (rc == 0)
        rc = mdb_txn_begin(mdb, NULL, MDB_RDONLY, &txn);
    if (rc == 0)
        rc = mdb_dbi_open(txn, NULL, 0, &main);
    status_value result = rc == 0 ? lmdb__meta_read(txn, main, file_path, diag, out, &found)
                                  : lmdb__fail(diag, rc, "read the copy", file_path);
    if (is_ok(result) && !found)
        result = FAIL(diag, CORRUPT, "%s is no copy of a store: it has no meta row", file_path);
    if (txn != NULL)
        mdb_txn_abort(txn);
    return result;
}

status_value lmdb_store_copy_meta(const char *file_path, struct diag *diag, struct kv_meta *out)
{
    MDB_env *mdb = NULL;
    int rc = mdb_env_create(&mdb);
    if (rc != 0)
        return lmdb__fail(diag, rc, "read the copy", file_path);
    status_value result = read_copy_meta(mdb, file_path, diag, out);
    mdb_env_close(mdb);
    return result;
}

/* Compacts the newest state into the descriptor and makes it durable; an LMDB return code. */
static int copy_to(struct lmdb_store *store, int fd)
{
    int rc = mdb_env_copyfd2(store->mdb, fd, MDB_CP_COMPACT);
    if (rc == 0 && fsync(fd) != 0)
        rc = errno;
    return rc;
}

static status copy_file(struct lmdb_store *store, const char *file_path, struct diag *diag)
{
    int fd = open(file_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return lmdb__fail(diag, errno, "create the copy", file_path);
    int rc = copy_to(store, fd);
    (void)close(fd);
    if (rc == 0)
        return OK;
    (void)unlink(file_path);
    return lmdb__fail(diag, rc, "write the copy", file_path);
}

status_value lmdb_store_copy(struct kv_store *self, const char *file_path, struct diag *diag,
                             struct kv_meta *out_meta)
{
    struct lmdb_store *store = lmdb__store_of(self);
    struct kv_snapshot *pin = NULL;
    /* LMDB's copy runs in a transaction of its own; this one keeps the map from being resized and
     * shows the copy as an open snapshot. */
    TRY(kv_store_snapshot(self, diag, &pin));
    status_value result = copy_file(store, file_path, diag);
    kv_snapshot_close(pin);
    TRY(result);
    return lmdb_store_copy_meta(file_path, diag, out_meta);
}

/* --- stores from copies --- */

static status copy_bytes(struct env *env, struct env_file *from, struct env_file *to, char *chunk,
                         struct diag *diag)
{
    uint64_t offset = 0;
    TRY(env->ops->file_truncate(env, to, 0, diag));
    for (;;) {
        size_t size = 0;
        TRY(env->ops->file_read(env, from, offset, chunk, CHUNK_SIZE, diag, &size));
        if (size == 0)
            return OK;
        TRY(env->ops->file_write(env, to, offset, chunk, size, diag));
        offset += size;
    }
}

/* Not synced: like all of the store, its trust ends with this boot. */
static status copy_in(struct env *env, struct arena *arena, const char *file_path,
                      const char *fresh, struct diag *diag)
{
    struct env_file *from = NULL;
    struct env_file *to = NULL;
    status_value result = OK;
    char *chunk = arena_alloc(arena, CHUNK_SIZE);
    if (chunk == NULL)
        return FAIL(diag, NOMEM, "could not restore %s: out of memory", file_path);
    TRY(env->ops->file_open(env, file_path, 0, diag, &from));
    TRY_OUT(result, env->ops->file_open(env, fresh, ENV_OPEN_CREATE | ENV_OPEN_WRITE, diag, &to));
    result = copy_bytes(env, from, to, chunk, diag);
    env->ops->file_close(env, to);
out:
    env->ops->file_close(env, from);
    return result;
}

static status restore_files(struct env *env, struct arena *arena, const char *file_path,
                            const char *path, struct str boot_id, struct diag *diag)
{
    const char *final = NULL;
    const char *fresh = NULL;
    struct kv_meta meta;
    enum lmdb_store_trust trust;
    TRY(lmdb_store_copy_meta(file_path, diag, &meta));
    TRY(lmdb_store_trust(env, path, boot_id, diag, &trust));
    if (trust != LMDB_STORE_ABSENT)
        return FAIL(diag, ALREADY_EXISTS, "could not restore: there is a store in %s", path);
    TRY(lmdb__path(arena, path, "data.mdb", diag, &final));
    TRY(lmdb__path(arena, path, "data.mdb.new", diag, &fresh));
    TRY(env->ops->mkdir(env, path, diag));
    TRY(lmdb__mark_write(env, path, boot_id, false, diag));
    TRY(copy_in(env, arena, file_path, fresh, diag));
    return env->ops->rename(env, fresh, final, diag);
}

status_value lmdb_store_restore(struct env *env, const char *file_path, const char *path,
                                const struct lmdb_store_options *options,
                                struct allocator *allocator, struct diag *diag,
                                struct kv_store **out)
{
    struct arena arena;
    arena_init(&arena, allocator_heap(), 2 * CHUNK_SIZE);
    status_value result = restore_files(env, &arena, file_path, path, options->boot_id, diag);
    arena_deinit(&arena);
    TRY(result);
    return lmdb_store_open(env, path, options, allocator, diag, out);
}

/* --- verification --- */

static status digest_rows(struct kv_snapshot *snapshot, struct arena *arena, struct diag *diag,
                          struct kv_digest *out_digest, uint64_t *out_rows)
{
    struct kv_cursor *cursor = NULL;
    status_value result = OK;
    struct str key;
    struct str value;
    TRY(kv_scan(&snapshot->reader, arena, STR(""), STR(""), diag, &cursor));
    for (bool found = true;;) {
        TRY_OUT(result, kv_next(cursor, diag, &key, &value, &found));
        if (!found)
            break;
        if (key.size > KEY_SIZE_MAX) {
            result = FAIL(diag, CORRUPT, "the store holds a key of %zu bytes", key.size);
            goto out;
        }
        kv_digest_add(out_digest, key, value);
        ++*out_rows;
    }
out:
    kv_close(cursor);
    return result;
}

static status verify_snapshot(struct kv_snapshot *snapshot, const char *path, struct diag *diag)
{
    struct arena arena;
    struct kv_digest digest = {0, 0};
    uint64_t rows = 0;
    arena_init(&arena, allocator_heap(), LMDB_PATH_ARENA);
    status_value result = digest_rows(snapshot, &arena, diag, &digest, &rows);
    arena_deinit(&arena);
    TRY(result);
    const struct kv_meta *meta = &snapshot->meta;
    if (rows != meta->row_count || digest.low != meta->digest.low ||
        digest.high != meta->digest.high)
        return FAIL(diag, CORRUPT, "%s: the rows at index %llu do not match their digest", path,
                    (unsigned long long)meta->applied_index);
    return OK;
}

status_value lmdb_store_verify(struct kv_store *self, struct diag *diag)
{
    struct kv_snapshot *snapshot = NULL;
    TRY(kv_store_snapshot(self, diag, &snapshot));
    status_value result = verify_snapshot(snapshot, lmdb__store_of(self)->path, diag);
    kv_snapshot_close(snapshot);
    return result;
}
