/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wal.c - the write-ahead log: open, append, compact, close.
 *
 * W1  Frames have consecutive sequence numbers over all segments; each names the CRC of the one
 *     before.
 * W2  One frame is in flight at a time and is durable before the next is written: a frame that has
 *     a successor, a slot in the ring, or a later segment was durable, so a bad one is corruption.
 *     Only the frame behind all evidence may be torn, and only that one is ever cut.
 * W3  An append is checked and given memory, segments and disk space before its first byte is
 *     written.
 * W4  What recovery accepted is synced before anybody acts on it: a frame that a killed process
 *     left in the disk's cache must not vanish later.
 * W5  After an I/O error nothing is written any more (failed).
 *
 * States of a segment file: spare -> (roll) active -> (roll) full -> (compact) spare or removed.
 */
#include "base/crc32c.h"
#include "storage/wal_internal.h"

#include <stdio.h>

bool wal_failed(const struct wal *wal)
{
    return atomic_load(&wal->failed);
}

static status refuse_failed(const struct wal *wal, struct diag *diag)
{
    if (!wal_failed(wal))
        return OK;
    return FAIL(diag, IO,
                "the write-ahead log in %s has failed earlier: check the disk and restart",
                wal->dir);
}

/* --- open and close --- */

static status check_options(struct wal *wal, const char *dir, struct diag *diag)
{
    struct wal_options *o = &wal->options;
    if (o->segment_size_bytes == 0)
        o->segment_size_bytes = (uint64_t)64 << 20;
    if (o->spare_segments == 0)
        o->spare_segments = 1;
    if (o->segment_size_bytes < WAL_SEGMENT_SIZE_MIN || o->segment_size_bytes % WAL_BLOCK != 0 ||
        o->segment_size_bytes > (uint64_t)1 << 30)
        return FAIL(diag, INVALID,
                    "a segment of %llu bytes is not possible: 64 KiB to 1 GiB in steps of 4 KiB",
                    (unsigned long long)o->segment_size_bytes);
    if (o->spare_segments >= WAL_SPARES_MAX)
        return FAIL(diag, INVALID, "%u spare segments are too many: at most %d", o->spare_segments,
                    WAL_SPARES_MAX - 1);
    int size = snprintf(wal->dir, sizeof wal->dir, "%s", dir);
    if (size <= 0 || (size_t)size + 32 >= sizeof wal->dir)
        return FAIL(diag, INVALID, "the path of the write-ahead log is too long");
    return OK;
}

static status make_folder(struct wal *wal, struct diag *diag)
{
    TRY(wal->env->ops->mkdir(wal->env, wal->dir, diag));
    char parent[WAL_PATH_MAX];
    memcpy(parent, wal->dir, sizeof parent);
    ptrdiff_t slash = str_rfind(str_from(parent), '/');
    if (slash < 0)
        memcpy(parent, ".", 2);
    else
        parent[slash == 0 ? 1 : slash] = '\0';
    return wal->env->ops->dir_sync(wal->env, parent, diag);
}

static status take_lock(struct wal *wal, struct diag *diag)
{
    char path[WAL_PATH_MAX];
    TRY(wal__path(wal, "lock", diag, path));
    status_value result = wal->env->ops->file_lock(wal->env, path, diag, &wal->lock);
    if (result.code == STATUS_NOT_FOUND)
        return FAIL(diag, NOT_FOUND, "there is no write-ahead log in %s", wal->dir);
    return result;
}

static status open_or_create_files(struct wal *wal, struct diag *diag, unsigned *out_damaged)
{
    struct diag first = {0};
    status_value result = wal__open_files(wal, &first, out_damaged);
    if (result.code == STATUS_NOT_FOUND) {
        if (!wal->options.create)
            return FAIL(diag, NOT_FOUND, "there is no write-ahead log in %s", wal->dir);
        TRY(wal__create_files(wal, diag));
        return wal__open_files(wal, diag, out_damaged);
    }
    if (!is_ok(result) && diag != NULL)
        *diag = first;
    return result;
}

/* W4, names and spares included; and copies of the superblock that a crash left are made good. */
static status settle_recovered(struct wal *wal, unsigned damaged, struct diag *diag)
{
    struct env *env = wal->env;
    TRY(env->ops->file_sync(env, wal->superblock_file, diag));
    for (size_t i = 0; i < wal->live.count; i++)
        TRY(env->ops->file_sync(env, wal->live.items[i].file, diag));
    for (uint32_t i = 0; i < atomic_load(&wal->spare_count); i++)
        TRY(env->ops->file_sync(env, wal->spares[i].file, diag));
    TRY(env->ops->dir_sync(env, wal->dir, diag));
    if (damaged > 0)
        TRY(wal__write_superblock(wal, &wal->superblock, diag));
    wal->ring_dirty = true;
    return wal__sync_ring(wal, diag);
}

static status start_first_segment(struct wal *wal, struct diag *diag)
{
    if (wal->live.count > 0)
        return OK;
    if (!wal__segments_reserve(wal, 1))
        return FAIL(diag, NOMEM, "could not start the write-ahead log: out of memory");
    if (atomic_load(&wal->spare_count) == 0)
        TRY(wal__add_spare(wal, diag));
    return wal__roll(wal, diag);
}

static status open_in(struct wal *wal, const char *dir, struct diag *diag)
{
    TRY(check_options(wal, dir, diag));
    int rc = pthread_mutex_init(&wal->mutex, NULL);
    if (rc != 0)
        return FAIL(diag, NOMEM, "could not open the write-ahead log: no mutex (%d)", rc);
    wal->mutex_ready = true;
    if (wal->options.create)
        TRY(make_folder(wal, diag));
    TRY(take_lock(wal, diag));
    unsigned damaged = 0;
    TRY(open_or_create_files(wal, diag, &damaged));
    TRY(wal__recover(wal, diag));
    TRY(settle_recovered(wal, damaged, diag));
    return start_first_segment(wal, diag);
}

static void close_files(struct wal *wal)
{
    struct env *env = wal->env;
    for (size_t i = 0; i < wal->live.count; i++)
        env->ops->file_close(env, wal->live.items[i].file);
    for (uint32_t i = 0; i < atomic_load(&wal->spare_count); i++)
        env->ops->file_close(env, wal->spares[i].file);
    struct env_file *const files[] = {wal->ring_file, wal->superblock_file, wal->lock};
    for (size_t i = 0; i < COUNTOF(files); i++) {
        if (files[i] != NULL)
            env->ops->file_close(env, files[i]);
    }
}

static void destroy(struct wal *wal)
{
    struct allocator *allocator = wal->allocator;
    close_files(wal);
    if (wal->mutex_ready)
        ASSERT(pthread_mutex_destroy(&wal->mutex) == 0);
    wal__buffer_free(allocator, &wal->out);
    wal__buffer_free(allocator, &wal->in.buffer);
    if (wal->live.items != NULL)
        allocator->release(allocator, wal->live.items,
                           wal->live.capacity * sizeof(struct wal_segment));
    if (wal->extents.items != NULL)
        allocator->release(allocator, wal->extents.items,
                           wal->extents.capacity * sizeof(struct wal_extent));
    allocator->release(allocator, wal, sizeof *wal);
}

status wal_open(struct env *env, const char *dir, const struct wal_options *options,
                struct diag *diag, struct wal **out)
{
    struct allocator *allocator =
        options->allocator == NULL ? allocator_heap() : options->allocator;
    struct wal *wal = allocator->alloc(allocator, sizeof *wal);
    if (wal == NULL)
        return FAIL(diag, NOMEM, "could not open the write-ahead log: out of memory");
    *wal = (struct wal){.env = env, .allocator = allocator, .options = *options, .next_seq = 1};
    status_value result = open_in(wal, dir, diag);
    if (!is_ok(result)) {
        destroy(wal);
        return result;
    }
    *out = wal;
    return OK;
}

status wal_settle(struct wal *wal, struct diag *diag)
{
    TRY(refuse_failed(wal, diag));
    return wal__sync_ring(wal, diag);
}

void wal_close(struct wal *wal)
{
    if (wal == NULL)
        return;
    struct diag ignored = {
        0}; /* only evidence is lost; every append was durable when it returned */
    if (!is_ok(wal_settle(wal, &ignored)))
        atomic_store(&wal->failed, true);
    destroy(wal);
}

/* --- append --- */

static uint64_t segment_room(const struct wal *wal)
{
    return wal->segment_size_bytes - WAL_BLOCK;
}

size_t wal_payload_max(const struct wal *wal)
{
    return (size_t)(segment_room(wal) - WAL_FRAME_HEADER - WAL_RECORD_HEADER);
}

struct plan {
    size_t frames;
    size_t segments;
    size_t extents;
    uint64_t largest; /* frame, on disk */
};

/* One frame takes records from `from` up to the returned position: at least one, then while they
 * fit. */
static size_t frame_end(const struct wal *wal, const struct wal_record *records, size_t count,
                        size_t from, uint32_t *out_payload_size)
{
    uint64_t target = u64_min(WAL_FRAME_TARGET, segment_room(wal) - WAL_FRAME_HEADER);
    uint64_t size = wal_record_size(&records[from]);
    size_t end = from + 1;
    while (end < count && size + wal_record_size(&records[end]) <= target)
        size += wal_record_size(&records[end++]);
    *out_payload_size = (uint32_t)size;
    return end;
}

static status check_records(const struct wal *wal, const struct wal_record *records, size_t count,
                            struct diag *diag, struct plan *plan)
{
    struct wal_state state = wal->state;
    for (size_t i = 0; i < count; i++) {
        if (records[i].payload.size > wal_payload_max(wal))
            return FAIL(diag, TOO_LARGE, "a log entry of %zu bytes is too large: at most %zu",
                        records[i].payload.size, wal_payload_max(wal));
        const char *why = wal__step(&state, &records[i]);
        if (why != NULL)
            return FAIL(diag, INVALID,
                        "cannot append to the log: %s (kind %d, index %llu, term %llu)", why,
                        (int)records[i].kind, (unsigned long long)records[i].index,
                        (unsigned long long)records[i].term);
        if (records[i].kind == WAL_TRUNCATE || records[i].kind == WAL_INSTALL)
            plan->extents++;
    }
    return OK;
}

static void plan_frames(const struct wal *wal, const struct wal_record *records, size_t count,
                        struct plan *plan)
{
    uint64_t room = atomic_load(&wal->tail_room);
    size_t at = 0;
    while (at < count) {
        uint32_t payload_size;
        at = frame_end(wal, records, count, at, &payload_size);
        uint64_t size = wal_frame_size(payload_size);
        if (size > room) {
            plan->segments++;
            room = segment_room(wal);
        }
        ASSERT(size <= room);
        room -= size;
        plan->frames++;
        plan->largest = u64_max(plan->largest, size);
    }
    plan->extents += plan->frames;
}

/* W3 */
static status provide(struct wal *wal, const struct plan *plan, struct diag *diag)
{
    if (plan->segments > WAL_SPARES_MAX)
        return FAIL(diag, TOO_LARGE, "one append needs %zu segments: at most %d", plan->segments,
                    WAL_SPARES_MAX);
    size_t buffer = (size_t)u64_max(plan->largest, WAL_SUPERBLOCK_SIZE);
    if (!wal__buffer_need(wal->allocator, &wal->out, buffer) ||
        !wal__extents_reserve(wal, plan->extents) || !wal__segments_reserve(wal, plan->segments))
        return FAIL(diag, NOMEM, "could not append to the log: out of memory");
    while (atomic_load(&wal->spare_count) < plan->segments)
        TRY(wal__add_spare(wal, diag));
    return OK;
}

static size_t encode_records(struct wal *wal, const struct wal_record *records, size_t count)
{
    size_t size = WAL_FRAME_HEADER;
    for (size_t i = 0; i < count; i++)
        size += wal__encode_record(&records[i], wal->out.data + size);
    size_t padded = (size_t)wal_round_up(size);
    memset(wal->out.data + size, 0, padded - size);
    return size - WAL_FRAME_HEADER;
}

/* The state after the frame; the records were checked. */
static void advance(struct wal *wal, const struct wal_record *records, size_t count,
                    const struct wal_frame *frame)
{
    struct wal_segment *active = wal__active(wal);
    for (size_t i = 0; i < count; i++) {
        const char *why = wal__step(&wal->state, &records[i]);
        ASSERT(why == NULL);
        wal__track(&wal->extents, &records[i],
                   (struct wal_place){frame->epoch, (uint32_t)frame->offset, (uint32_t)i});
        if (records[i].kind == WAL_ENTRY)
            active->index_max = u64_max(active->index_max, records[i].index);
    }
    ASSERT(wal->state.last_index == frame->last_index);
    wal->next_seq = frame->seq + 1;
    wal->chain = frame->header_crc;
    wal->newest = *frame;
    wal->slot_pending = true;
    wal->tail_offset += wal_frame_size(frame->payload_size);
    atomic_store(&wal->tail_room, wal->segment_size_bytes - wal->tail_offset);
    wal->stats.bytes += frame->payload_size;
    wal->stats.frames++;
}

static uint64_t last_index_after(const struct wal *wal, const struct wal_record *records,
                                 size_t count)
{
    struct wal_state state = wal->state;
    for (size_t i = 0; i < count; i++)
        ASSERT(wal__step(&state, &records[i]) == NULL);
    return state.last_index;
}

static status write_frame(struct wal *wal, const struct wal_record *records, size_t count,
                          struct diag *diag)
{
    struct env *env = wal->env;
    struct wal_segment *active = wal__active(wal);
    size_t payload_size = encode_records(wal, records, count);
    struct wal_frame frame = {
        .epoch = active->header.epoch,
        .seq = wal->next_seq,
        .offset = wal->tail_offset,
        .previous_crc = wal->chain,
        .payload_crc = crc32c(wal->superblock.salt,
                              (struct str){wal->out.data + WAL_FRAME_HEADER, payload_size}),
        .payload_size = (uint32_t)payload_size,
        .record_count = (uint32_t)count,
        .last_index = last_index_after(wal, records, count),
    };
    wal__encode_frame(&frame, wal->superblock.salt, wal->out.data);
    uint64_t began = env->ops->monotonic_ns(env);
    /* The proof of the frame before goes along with this one (wal_files.c). */
    TRY(wal__write_slot(wal, diag));
    TRY(wal__final(wal, env->ops->file_write(env, active->file, frame.offset, wal->out.data,
                                             (size_t)wal_frame_size(frame.payload_size), diag)));
    wal->stats.last_write_ns = env->ops->monotonic_ns(env) - began;
    advance(wal, records, count, &frame);
    return OK;
}

static status write_all(struct wal *wal, const struct wal_record *records, size_t count,
                        struct diag *diag)
{
    size_t at = 0;
    while (at < count) {
        uint32_t payload_size;
        size_t end = frame_end(wal, records, count, at, &payload_size);
        if (wal_frame_size(payload_size) > atomic_load(&wal->tail_room))
            TRY(wal__roll(wal, diag));
        TRY(write_frame(wal, records + at, end - at, diag));
        at = end;
    }
    return OK;
}

status wal_append(struct wal *wal, const struct wal_record *records, size_t count,
                  struct diag *diag)
{
    TRY(refuse_failed(wal, diag));
    struct plan plan = {0};
    TRY(check_records(wal, records, count, diag, &plan));
    plan_frames(wal, records, count, &plan);
    TRY(provide(wal, &plan, diag));
    status_value result = write_all(wal, records, count, diag);
    if (!is_ok(result)) {
        /* A part may be durable: no code that invites a retry may leave here. */
        atomic_store(&wal->failed, true);
        if (result.code != STATUS_IO)
            return FAIL(diag, IO, "the write-ahead log in %s has failed", wal->dir);
    }
    return result;
}

/* --- compaction --- */

status wal_compact(struct wal *wal, uint64_t first_needed, struct diag *diag)
{
    TRY(refuse_failed(wal, diag));
    if (first_needed > wal->state.snapshot_index + 1)
        return FAIL(diag, INVALID,
                    "cannot give up log entries below %llu: the newest snapshot covers only %llu",
                    (unsigned long long)first_needed,
                    (unsigned long long)wal->state.snapshot_index);
    size_t gone = 0;
    while (gone + 1 < wal->live.count && wal->live.items[gone].index_max < first_needed)
        gone++;
    if (gone == 0)
        return OK;
    struct wal_superblock superblock = wal->superblock;
    superblock.first_epoch = wal->live.items[gone].header.epoch;
    TRY(wal__write_superblock(wal, &superblock, diag));
    wal__forget_epochs_below(&wal->extents, superblock.first_epoch);
    wal->in.file = NULL; /* the window may show a file that is reused or closed now */
    for (size_t i = 0; i < gone; i++)
        wal__recycle(wal, &wal->live.items[i], true);
    wal->live.count -= gone;
    memmove(wal->live.items, wal->live.items + gone, wal->live.count * sizeof(struct wal_segment));
    return OK;
}

/* --- facts --- */

struct wal_state wal_state(const struct wal *wal)
{
    struct wal_state state = wal->state;
    state.first_index = wal__first_index(wal);
    return state;
}

struct wal_stats wal_stats(const struct wal *wal)
{
    struct wal_stats stats = wal->stats;
    stats.segments = wal->live.count;
    stats.spares = atomic_load(&wal->spare_count);
    return stats;
}

uint64_t wal_capacity(const struct wal *wal)
{
    return atomic_load(&wal->tail_room) + atomic_load(&wal->spare_count) * segment_room(wal);
}

uint64_t wal_reserve(const struct wal *wal)
{
    return segment_room(wal) / 4;
}
