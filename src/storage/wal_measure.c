/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wal_measure.c - a bare append, timed: zeros first, synced, then one durable 4 KiB write after the
 * other. No frames, no checksums, no ring, so that wal_append can be compared with it.
 */
#include "storage/wal_measure.h"

#include "storage/wal_internal.h"

#include <stdio.h>
#include <stdlib.h>

enum { COUNT_MAX = 65536, FILL_BLOCKS = 256 };

static int compare_ns(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static status fill(struct env *env, struct env_file *file, const struct wal_buffer *zeros,
                   uint32_t count, struct diag *diag)
{
    memset(zeros->data, 0, zeros->size);
    for (uint32_t at = 0; at < count; at += FILL_BLOCKS)
        TRY(env->ops->file_write(env, file, (uint64_t)at * WAL_BLOCK, zeros->data, zeros->size,
                                 diag));
    return env->ops->file_sync(env, file, diag);
}

static status time_writes(struct env *env, struct env_file *file, const struct wal_buffer *block,
                          uint32_t count, uint64_t *out_ns, struct diag *diag)
{
    memset(block->data, 0xab, WAL_BLOCK);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t began = env->ops->monotonic_ns(env);
        TRY(env->ops->file_write(env, file, (uint64_t)i * WAL_BLOCK, block->data, WAL_BLOCK, diag));
        out_ns[i] = env->ops->monotonic_ns(env) - began;
    }
    return OK;
}

static status measure_file(struct env *env, const char *path, uint32_t count, uint64_t *ns,
                           struct diag *diag)
{
    struct allocator *heap = allocator_heap();
    struct wal_buffer buffer = {0};
    if (!wal__buffer_need(heap, &buffer, (size_t)FILL_BLOCKS * WAL_BLOCK))
        return FAIL(diag, NOMEM, "could not measure %s: out of memory", path);
    struct env_file *file = NULL;
    status_value result = env->ops->file_open(
        env, path, ENV_OPEN_CREATE | ENV_OPEN_WRITE | ENV_OPEN_DIRECT_SYNC, diag, &file);
    if (is_ok(result)) {
        result = fill(env, file, &buffer, count, diag);
        if (is_ok(result))
            result = time_writes(env, file, &buffer, count, ns, diag);
        env->ops->file_close(env, file);
        struct diag ignored = {0};
        status_value removed = env->ops->unlink(env, path, &ignored);
        if (is_ok(result) && !is_ok(removed))
            result = FAIL(diag, IO, "could not remove %s", path);
    }
    wal__buffer_free(heap, &buffer);
    return result;
}

status wal_measure(struct env *env, const char *dir, uint32_t count, struct diag *diag,
                   struct wal_measured *out)
{
    char path[WAL_PATH_MAX];
    int size = snprintf(path, sizeof path, "%s/wal-measure.tmp", dir);
    if (size < 0 || size >= WAL_PATH_MAX || count == 0 || count > COUNT_MAX)
        return FAIL(diag, INVALID, "cannot measure %u writes in %s", count, dir);
    uint64_t *ns = mem_zalloc(count * sizeof *ns);
    if (ns == NULL)
        return FAIL(diag, NOMEM, "could not measure %s: out of memory", dir);
    status_value result = measure_file(env, path, count, ns, diag);
    if (is_ok(result)) {
        qsort(ns, count, sizeof *ns, compare_ns);
        *out = (struct wal_measured){ns[count / 2], ns[(uint64_t)count * 99 / 100], ns[count - 1]};
    }
    mem_free(ns);
    return result;
}
