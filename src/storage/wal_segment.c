/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wal_segment.c - segment files: made ahead of use, put to use, recycled.
 *
 * G1  A spare is zero-filled or recycled, of full size, and durable with its name. Zeros are really
 *     written: fallocate alone leaves unwritten extents, whose first write costs a journal commit
 *     (measured 204-228 us against 108-130 us a write).
 * G2  A segment goes live by one durable write of its header, then by the superblock's last_epoch;
 *     only then do frames follow. So a live epoch in the superblock without its header is damage,
 *     and a header beyond it is a roll that a crash interrupted, without acknowledged frames.
 * G3  Nothing is renamed or truncated in use (dqlite #190, k3s #1919): which file is which segment
 *     is in the header, not in its name.
 * The spares are shared with wal_prepare's thread, under the mutex.
 */
#include "storage/wal_internal.h"

#include <stdio.h>

void wal__segment_name(uint64_t id, char out[32])
{
    (void)snprintf(out, 32, "%016llx.seg", (unsigned long long)id);
}

static bool hex_digit(char c, uint64_t *out)
{
    if (c >= '0' && c <= '9')
        *out = (uint64_t)(c - '0');
    else if (c >= 'a' && c <= 'f')
        *out = (uint64_t)(c - 'a') + 10;
    else
        return false;
    return true;
}

bool wal__segment_id(struct str name, uint64_t *out)
{
    if (name.size != 20 || !str_ends(name, STR(".seg")))
        return false;
    uint64_t id = 0;
    for (size_t i = 0; i < 16; i++) {
        uint64_t digit;
        if (!hex_digit(name.data[i], &digit))
            return false;
        id = id << 4 | digit;
    }
    *out = id;
    return true;
}

static void remove_file(struct wal *wal, uint64_t id)
{
    char name[32];
    char path[WAL_PATH_MAX];
    struct diag ignored = {0}; /* what is left behind is found and removed at the next open */
    wal__segment_name(id, name);
    if (is_ok(wal__path(wal, name, &ignored, path)) &&
        is_ok(wal->env->ops->unlink(wal->env, path, &ignored)))
        return;
}

static status fill_with_zeros(struct wal *wal, struct env_file *file, struct diag *diag)
{
    uint64_t size = wal->segment_size_bytes;
    struct wal_buffer zeros = {0};
    if (!wal__buffer_need(wal->allocator, &zeros, (size_t)u64_min(size, WAL_WINDOW)))
        return FAIL(diag, NOMEM, "could not prepare a segment: out of memory");
    memset(zeros.data, 0, zeros.size);
    status_value result = OK;
    for (uint64_t offset = 0; is_ok(result) && offset < size; offset += zeros.size)
        result = wal->env->ops->file_write(wal->env, file, offset, zeros.data,
                                           (size_t)u64_min(zeros.size, size - offset), diag);
    wal__buffer_free(wal->allocator, &zeros);
    return result;
}

static status create_segment(struct wal *wal, uint64_t id, struct diag *diag, struct env_file **out)
{
    struct env *env = wal->env;
    char name[32];
    char path[WAL_PATH_MAX];
    wal__segment_name(id, name);
    TRY(wal__path(wal, name, diag, path));
    struct env_file *file = NULL;
    TRY(env->ops->file_open(
        env, path, ENV_OPEN_CREATE | ENV_OPEN_EXCLUSIVE | ENV_OPEN_WRITE | ENV_OPEN_DIRECT_SYNC,
        diag, &file));
    status_value result;
    TRY_OUT(result, fill_with_zeros(wal, file, diag));
    TRY_OUT(result, env->ops->file_sync(env, file, diag));
    TRY_OUT(result, env->ops->dir_sync(env, wal->dir, diag));
    *out = file;
    return OK;
out:
    env->ops->file_close(env, file);
    remove_file(wal, id);
    return result;
}

static uint64_t take_id(struct wal *wal)
{
    ASSERT(pthread_mutex_lock(&wal->mutex) == 0);
    uint64_t id = wal->next_id++;
    ASSERT(pthread_mutex_unlock(&wal->mutex) == 0);
    return id;
}

static bool push_spare(struct wal *wal, uint64_t id, struct env_file *file)
{
    ASSERT(pthread_mutex_lock(&wal->mutex) == 0);
    uint32_t count = atomic_load(&wal->spare_count);
    bool room = count < WAL_SPARES_MAX;
    if (room) {
        wal->spares[count] = (struct wal_segment){.id = id, .file = file};
        atomic_store(&wal->spare_count, count + 1);
    }
    ASSERT(pthread_mutex_unlock(&wal->mutex) == 0);
    return room;
}

static struct wal_segment pop_spare(struct wal *wal)
{
    ASSERT(pthread_mutex_lock(&wal->mutex) == 0);
    uint32_t count = atomic_load(&wal->spare_count);
    ASSERT(count > 0);
    struct wal_segment spare = wal->spares[count - 1];
    atomic_store(&wal->spare_count, count - 1);
    ASSERT(pthread_mutex_unlock(&wal->mutex) == 0);
    return spare;
}

status wal__add_spare(struct wal *wal, struct diag *diag)
{
    uint64_t id = take_id(wal);
    struct env_file *file = NULL;
    status_value result = create_segment(wal, id, diag, &file);
    if (result.code == STATUS_NOSPACE || result.code == STATUS_NOMEM ||
        result.code == STATUS_EXHAUSTED)
        return result; /* nothing of the log was touched */
    TRY(wal__final(wal, result));
    if (!push_spare(wal, id, file)) {
        wal->env->ops->file_close(wal->env, file);
        remove_file(wal, id);
    }
    return OK;
}

status wal_prepare(struct wal *wal, struct diag *diag)
{
    if (wal_failed(wal))
        return FAIL(diag, IO, "the write-ahead log in %s has failed", wal->dir);
    ASSERT(pthread_mutex_lock(&wal->mutex) == 0);
    bool needed = !wal->preparing && atomic_load(&wal->spare_count) < wal->options.spare_segments;
    wal->preparing = wal->preparing || needed;
    ASSERT(pthread_mutex_unlock(&wal->mutex) == 0);
    if (!needed)
        return OK;
    status_value result = wal__add_spare(wal, diag);
    ASSERT(pthread_mutex_lock(&wal->mutex) == 0);
    wal->preparing = false;
    ASSERT(pthread_mutex_unlock(&wal->mutex) == 0);
    return result;
}

void wal__recycle(struct wal *wal, const struct wal_segment *segment, bool usable)
{
    bool wanted = atomic_load(&wal->spare_count) <= wal->options.spare_segments;
    if (usable && wanted && push_spare(wal, segment->id, segment->file))
        return;
    wal->env->ops->file_close(wal->env, segment->file);
    remove_file(wal, segment->id);
}

static status write_header(struct wal *wal, struct wal_segment *segment, struct diag *diag)
{
    if (!wal__buffer_need(wal->allocator, &wal->out, WAL_SUPERBLOCK_SIZE))
        return FAIL(diag, NOMEM, "could not start a segment: out of memory");
    wal__encode_segment_header(&segment->header, wal->superblock.salt, wal->out.data);
    return wal__final(
        wal, wal->env->ops->file_write(wal->env, segment->file, 0, wal->out.data, WAL_BLOCK, diag));
}

status wal__roll(struct wal *wal, struct diag *diag)
{
    ASSERT(wal->live.count < wal->live.capacity);
    TRY(wal__sync_ring(wal, diag));
    struct wal_segment next = pop_spare(wal);
    uint64_t last_epoch =
        wal->live.count == 0 ? wal->superblock.first_epoch - 1 : wal__active(wal)->header.epoch;
    next.header = (struct wal_segment_header){
        .epoch = last_epoch + 1,
        .first_seq = wal->next_seq,
        .chain = wal->chain,
        .term = wal->state.term,
        .vote = wal->state.vote,
        .snapshot_index = wal->state.snapshot_index,
        .snapshot_term = wal->state.snapshot_term,
        .last_index = wal->state.last_index,
    };
    /* From here on the file belongs to the live list, also when a write fails. */
    wal->live.items[wal->live.count++] = next;
    TRY(write_header(wal, wal__active(wal), diag));
    struct wal_superblock superblock = wal->superblock;
    superblock.last_epoch = next.header.epoch;
    TRY(wal__write_superblock(wal, &superblock, diag));
    wal->tail_offset = WAL_BLOCK;
    atomic_store(&wal->tail_room, wal->segment_size_bytes - WAL_BLOCK);
    return OK;
}
