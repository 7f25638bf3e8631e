/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wal_files.c - the two small files beside the segments: the superblock and the header ring.
 *
 * Superblock: 16 KiB, four copies of one sector, each in a block of its own, all rewritten by one
 * durable write. A sector is written whole or not at all, so a power cut leaves each copy old or
 * new; the newest valid copy counts. Its absence means "no log here", so it is made last, by
 * rename.
 *
 * Ring: slot seq % 1024 says that frame `seq` was durable. It is written into the page cache
 * together with the *next* frame (or when idle) and so after the frame it speaks of was durable:
 * whatever of it survives a power cut is true, and it costs no fsync on the way of a commit. It is
 * evidence only: a slot that does not verify proves nothing (compare "Protocol-Aware Recovery for
 * Consensus-Based Storage", FAST'18).
 */
#include "storage/wal_internal.h"

#include <stdio.h>

status_value wal__final(struct wal *wal, status_value result)
{
    if (!is_ok(result))
        atomic_store(&wal->failed, true);
    return result;
}

status wal__path(const struct wal *wal, const char *name, struct diag *diag, char out[WAL_PATH_MAX])
{
    int size = snprintf(out, WAL_PATH_MAX, "%s/%s", wal->dir, name);
    if (size < 0 || size >= WAL_PATH_MAX)
        return FAIL(diag, INVALID, "the path of the write-ahead log is too long: %s", wal->dir);
    return OK;
}

status wal__read_exact(struct wal *wal, struct env_file *file, const char *what, uint64_t offset,
                       void *data, size_t size, struct diag *diag)
{
    size_t got = 0;
    TRY(wal->env->ops->file_read(wal->env, file, offset, data, size, diag, &got));
    if (got != size)
        return FAIL(diag, CORRUPT,
                    "%s of the write-ahead log in %s is cut short: %zu bytes at %llu instead of "
                    "%zu; restore this node from a backup",
                    what, wal->dir, got, (unsigned long long)offset, size);
    return OK;
}

static status open_file(struct wal *wal, const char *name, unsigned flags, struct diag *diag,
                        struct env_file **out)
{
    char path[WAL_PATH_MAX];
    TRY(wal__path(wal, name, diag, path));
    return wal->env->ops->file_open(wal->env, path, flags, diag, out);
}

/* Creates or overwrites the file with these bytes, durable (its name is not, yet). */
static status put_file(struct wal *wal, const char *name, const char *data, size_t size,
                       struct diag *diag)
{
    struct env *env = wal->env;
    struct env_file *file = NULL;
    TRY(open_file(wal, name, ENV_OPEN_CREATE | ENV_OPEN_WRITE, diag, &file));
    status_value result;
    TRY_OUT(result, env->ops->file_truncate(env, file, 0, diag));
    TRY_OUT(result, env->ops->file_write(env, file, 0, data, size, diag));
    TRY_OUT(result, env->ops->file_sync(env, file, diag));
out:
    env->ops->file_close(env, file);
    return result;
}

static status no_segments_yet(struct wal *wal, struct diag *diag)
{
    struct arena arena;
    arena_init(&arena, wal->allocator, 1 << 20);
    struct str *names = NULL;
    size_t count = 0;
    status_value result = wal->env->ops->dir_list(wal->env, &arena, wal->dir, diag, &names, &count);
    uint64_t id;
    for (size_t i = 0; is_ok(result) && i < count; i++) {
        if (wal__segment_id(names[i], &id))
            result = FAIL(diag, CORRUPT,
                          "%s has segments but no superblock: restore the file, or this node from "
                          "a backup",
                          wal->dir);
    }
    arena_deinit(&arena);
    return result;
}

/* Bytes that verify only in this log. */
static uint32_t new_salt(struct env *env)
{
    uint32_t salt = 0;
    env->ops->random(env, &salt, sizeof salt);
    return salt;
}

status wal__create_files(struct wal *wal, struct diag *diag)
{
    struct env *env = wal->env;
    TRY(no_segments_yet(wal, diag));
    if (!wal__buffer_need(wal->allocator, &wal->out, WAL_RING_SIZE))
        return FAIL(diag, NOMEM, "could not create the write-ahead log: out of memory");
    memset(wal->out.data, 0, WAL_RING_SIZE);
    TRY(put_file(wal, "ring", wal->out.data, WAL_RING_SIZE, diag));
    struct wal_superblock first = {
        .version = 1,
        .node_id = wal->options.node_id,
        .salt = new_salt(env),
        .segment_size_bytes = wal->options.segment_size_bytes,
        .first_epoch = 1,
        .last_epoch = 0,
    };
    memcpy(first.cluster_id, wal->options.cluster_id, WAL_CLUSTER_ID_SIZE);
    wal__encode_superblock(&first, wal->out.data);
    TRY(put_file(wal, "superblock.new", wal->out.data, WAL_SUPERBLOCK_SIZE, diag));
    /* The ring's name first: a superblock without a ring is a damaged log. */
    TRY(env->ops->dir_sync(env, wal->dir, diag));
    char from[WAL_PATH_MAX];
    char to[WAL_PATH_MAX];
    TRY(wal__path(wal, "superblock.new", diag, from));
    TRY(wal__path(wal, "superblock", diag, to));
    TRY(env->ops->rename(env, from, to, diag));
    return env->ops->dir_sync(env, wal->dir, diag);
}

static status check_identity(const struct wal *wal, struct diag *diag)
{
    const struct wal_superblock *found = &wal->superblock;
    if (memcmp(found->cluster_id, wal->options.cluster_id, WAL_CLUSTER_ID_SIZE) != 0)
        return FAIL(diag, INVALID, "%s belongs to another cluster: check the data folder",
                    wal->dir);
    if (found->node_id != wal->options.node_id)
        return FAIL(diag, INVALID, "%s belongs to node %llu, this is node %llu", wal->dir,
                    (unsigned long long)found->node_id, (unsigned long long)wal->options.node_id);
    return OK;
}

static status missing(const struct wal *wal, const char *name, struct diag *diag)
{
    return FAIL(diag, CORRUPT,
                "the file %s of the write-ahead log in %s is missing: restore it, or this node "
                "from a backup",
                name, wal->dir);
}

status wal__open_files(struct wal *wal, struct diag *diag, unsigned *out_damaged)
{
    status_value result = open_file(wal, "superblock", ENV_OPEN_WRITE | ENV_OPEN_DIRECT_SYNC, diag,
                                    &wal->superblock_file);
    TRY(result);
    if (!wal__buffer_need(wal->allocator, &wal->out, WAL_SUPERBLOCK_SIZE))
        return FAIL(diag, NOMEM, "could not open the write-ahead log: out of memory");
    TRY(wal__read_exact(wal, wal->superblock_file, "the superblock", 0, wal->out.data,
                        WAL_SUPERBLOCK_SIZE, diag));
    if (!wal__decode_superblock(wal->out.data, &wal->superblock, out_damaged))
        return FAIL(diag, CORRUPT,
                    "no copy of the superblock in %s is valid: restore this node from a backup",
                    wal->dir);
    TRY(check_identity(wal, diag));
    wal->segment_size_bytes = wal->superblock.segment_size_bytes;
    result = open_file(wal, "ring", ENV_OPEN_WRITE, diag, &wal->ring_file);
    return result.code == STATUS_NOT_FOUND ? missing(wal, "ring", diag) : result;
}

status wal__write_superblock(struct wal *wal, const struct wal_superblock *next, struct diag *diag)
{
    /* The frame buffer is free between frames. */
    if (!wal__buffer_need(wal->allocator, &wal->out, WAL_SUPERBLOCK_SIZE))
        return FAIL(diag, NOMEM, "could not write the superblock: out of memory");
    struct wal_superblock copy = *next;
    copy.version = wal->superblock.version + 1;
    wal__encode_superblock(&copy, wal->out.data);
    TRY(wal__final(wal, wal->env->ops->file_write(wal->env, wal->superblock_file, 0, wal->out.data,
                                                  WAL_SUPERBLOCK_SIZE, diag)));
    wal->superblock = copy;
    return OK;
}

status wal__write_slot(struct wal *wal, struct diag *diag)
{
    if (!wal->slot_pending)
        return OK;
    char slot[WAL_SLOT_SIZE];
    wal__encode_slot(&wal->newest, wal->superblock.salt, slot);
    uint64_t offset = wal->newest.seq % WAL_RING_SLOTS * WAL_SLOT_SIZE;
    TRY(wal__final(
        wal, wal->env->ops->file_write(wal->env, wal->ring_file, offset, slot, sizeof slot, diag)));
    wal->slot_pending = false;
    wal->ring_dirty = true;
    return OK;
}

status wal__sync_ring(struct wal *wal, struct diag *diag)
{
    TRY(wal__write_slot(wal, diag));
    if (!wal->ring_dirty)
        return OK;
    TRY(wal__final(wal, wal->env->ops->file_sync(wal->env, wal->ring_file, diag)));
    wal->ring_dirty = false;
    return OK;
}
