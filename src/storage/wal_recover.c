/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wal_recover.c - reads the whole log once, verifies it, and finds its end.
 *
 * Which files are live is said by the superblock: the epochs from first_epoch to at least
 * last_epoch, without a gap. Frames are read in order while they verify. At the first that does
 * not:
 *
 *   a next segment continues with this sequence number and chain    the segment was left here: go
 *   on a next segment continues otherwise                              CORRUPT
 *   a later frame of this epoch lies in the segment                 CORRUPT: the bad one was
 *   durable the ring has this sequence number or a later one                CORRUPT: the bad one
 *   was durable none of it                                                      the end; a torn
 *   frame is cut
 *
 * A frame that verifies but is not the expected one (sequence, chain, place) is always corruption:
 * a lost or misdirected write. So is a durable slot that tells another checksum than the frame has.
 * The limit of the evidence: rot in exactly the newest frame, before wal_settle or another append
 * has made its slot durable, looks like a torn write.
 * Nothing on disk is changed before everything is verified.
 */
#include "base/crc32c.h"
#include "storage/wal_internal.h"

#include <stdlib.h>

struct scan {
    struct wal *wal;
    const char *ring;         /* WAL_RING_SIZE bytes */
    struct wal_segment *free; /* files that are not live, in the arena */
    size_t free_count;
    struct arena arena;
};

static status corrupt_at(const struct wal *wal, const struct wal_segment *segment, uint64_t offset,
                         const char *why, struct diag *diag)
{
    return FAIL(diag, CORRUPT,
                "the write-ahead log is damaged: %s (frame %llu, %s/%016llx.seg at %llu); nothing "
                "was changed: restore this node from a backup",
                why, (unsigned long long)wal->next_seq, wal->dir, (unsigned long long)segment->id,
                (unsigned long long)offset);
}

/* --- which files are what --- */

static status out_of_memory(struct diag *diag)
{
    return FAIL(diag, NOMEM, "could not recover the write-ahead log: out of memory");
}

/* The header block, or zeros where the file is shorter. */
static status read_header(struct scan *scan, struct env_file *file, struct diag *diag,
                          bool *out_valid, struct wal_segment_header *out)
{
    struct wal *wal = scan->wal;
    if (!wal__buffer_need(wal->allocator, &wal->in.buffer,
                          (size_t)u64_min(WAL_WINDOW, wal->segment_size_bytes)))
        return out_of_memory(diag);
    memset(wal->in.buffer.data, 0, WAL_BLOCK);
    size_t got;
    TRY(wal->env->ops->file_read(wal->env, file, 0, wal->in.buffer.data, WAL_BLOCK, diag, &got));
    *out_valid = wal__decode_segment_header(wal->in.buffer.data, wal->superblock.salt, out) &&
                 out->epoch >= wal->superblock.first_epoch;
    return OK;
}

/* Takes `file`: into the live or the free list; closed on failure. */
static status classify(struct scan *scan, uint64_t id, struct env_file *file, struct diag *diag)
{
    struct wal *wal = scan->wal;
    struct wal_segment segment = {.id = id, .file = file};
    bool live = false;
    uint64_t size = 0;
    status_value result;
    TRY_OUT(result, wal->env->ops->file_size(wal->env, file, diag, &size));
    TRY_OUT(result, read_header(scan, file, diag, &live, &segment.header));
    if (live && size != wal->segment_size_bytes)
        TRY_OUT(result, corrupt_at(wal, &segment, size, "a segment is cut short", diag));
    if (!live) {
        segment.index_max = size; /* of no other use for a free file */
        scan->free[scan->free_count++] = segment;
        return OK;
    }
    if (!wal__segments_reserve(wal, 1))
        TRY_OUT(result, out_of_memory(diag));
    wal->live.items[wal->live.count++] = segment;
    return OK;
out:
    wal->env->ops->file_close(wal->env, file);
    return result;
}

static status open_segments(struct scan *scan, struct diag *diag)
{
    struct wal *wal = scan->wal;
    struct str *names = NULL;
    size_t count = 0;
    TRY(wal->env->ops->dir_list(wal->env, &scan->arena, wal->dir, diag, &names, &count));
    scan->free = ARENA_ARRAY(&scan->arena, struct wal_segment, count + 1);
    if (scan->free == NULL)
        return out_of_memory(diag);
    wal->next_id = 1;
    for (size_t i = 0; i < count; i++) {
        uint64_t id;
        char path[WAL_PATH_MAX];
        struct env_file *file = NULL;
        if (!wal__segment_id(names[i], &id))
            continue;
        TRY(wal__path(wal, names[i].data, diag, path));
        TRY(wal->env->ops->file_open(wal->env, path, ENV_OPEN_WRITE | ENV_OPEN_DIRECT_SYNC, diag,
                                     &file));
        TRY(classify(scan, id, file, diag));
        wal->next_id = u64_max(wal->next_id, id + 1);
    }
    return OK;
}

static int compare_epochs(const void *a, const void *b)
{
    uint64_t x = ((const struct wal_segment *)a)->header.epoch;
    uint64_t y = ((const struct wal_segment *)b)->header.epoch;
    return (x > y) - (x < y);
}

static status check_epochs(struct wal *wal, struct diag *diag)
{
    const struct wal_superblock *superblock = &wal->superblock;
    struct wal_segments *live = &wal->live;
    if (live->count > 1)
        qsort(live->items, live->count, sizeof(struct wal_segment), compare_epochs);
    uint64_t expected = superblock->first_epoch;
    for (size_t i = 0; i < live->count; i++, expected++) {
        if (live->items[i].header.epoch != expected)
            break;
    }
    bool all = expected == superblock->first_epoch + live->count;
    if (all && expected > superblock->last_epoch)
        return OK;
    return FAIL(diag, CORRUPT,
                "the write-ahead log is damaged: segment %llu of %llu to %llu is missing in %s, "
                "there twice, or has a bad header; nothing was changed: restore this node from a "
                "backup",
                (unsigned long long)expected, (unsigned long long)superblock->first_epoch,
                (unsigned long long)superblock->last_epoch, wal->dir);
}

/* --- frames --- */

static status apply_records(struct wal *wal, struct wal_segment *segment,
                            const struct wal_frame *frame, const char *payload, struct diag *diag)
{
    struct cursor cursor = cursor_of((struct str){payload, frame->payload_size});
    for (uint32_t i = 0; i < frame->record_count; i++) {
        struct wal_record record;
        if (!wal__decode_record(&cursor, &record))
            return corrupt_at(wal, segment, frame->offset, "a record cannot be read", diag);
        const char *why = wal__step(&wal->state, &record);
        if (why != NULL)
            return corrupt_at(wal, segment, frame->offset, why, diag);
        if (!wal__extents_reserve(wal, 1))
            return out_of_memory(diag);
        wal__track(&wal->extents, &record,
                   (struct wal_place){frame->epoch, (uint32_t)frame->offset, i});
        if (record.kind == WAL_ENTRY)
            segment->index_max = u64_max(segment->index_max, record.index);
    }
    if (cursor_left(&cursor) > 0 || wal->state.last_index != frame->last_index)
        return corrupt_at(wal, segment, frame->offset, "the records contradict their frame", diag);
    return OK;
}

static bool ring_slot(const struct scan *scan, uint64_t slot, struct wal_frame *out)
{
    const char *at = scan->ring + slot * WAL_SLOT_SIZE;
    return wal__decode_slot(at, scan->wal->superblock.salt, out) &&
           out->seq % WAL_RING_SLOTS == slot;
}

static bool ring_agrees(const struct scan *scan, const struct wal_frame *frame)
{
    struct wal_frame slot;
    if (!ring_slot(scan, frame->seq % WAL_RING_SLOTS, &slot) || slot.seq != frame->seq)
        return true;
    return slot.header_crc == frame->header_crc && slot.epoch == frame->epoch &&
           slot.offset == frame->offset;
}

/* The header at the offset, if it is one of this segment's epoch. */
static status find_header(struct wal *wal, const struct wal_segment *segment, uint64_t offset,
                          struct diag *diag, bool *out_found, struct wal_frame *out)
{
    const char *data = NULL;
    TRY(wal__window(wal, segment->file, offset, WAL_BLOCK, diag, &data));
    *out_found =
        wal__decode_frame(data, wal->superblock.salt, out) && out->epoch == segment->header.epoch;
    return OK;
}

static status check_header(struct wal *wal, const struct wal_segment *segment, uint64_t offset,
                           const struct wal_frame *frame, struct diag *diag)
{
    if (frame->offset != offset)
        return corrupt_at(wal, segment, offset, "a frame is in the wrong place", diag);
    if (frame->seq != wal->next_seq || frame->previous_crc != wal->chain)
        return corrupt_at(wal, segment, offset, "the chain of frames is broken", diag);
    uint64_t room = wal->segment_size_bytes - offset;
    if (frame->payload_size > room || wal_frame_size(frame->payload_size) > room)
        return corrupt_at(wal, segment, offset, "a frame is larger than its segment", diag);
    return OK;
}

/* Reads one frame and moves on; *out_good is false at something that is no whole frame. */
static status next_frame(struct scan *scan, struct wal_segment *segment, uint64_t *offset,
                         struct diag *diag, bool *out_good)
{
    struct wal *wal = scan->wal;
    struct wal_frame frame;
    bool found = false;
    TRY(find_header(wal, segment, *offset, diag, &found, &frame));
    *out_good = false;
    if (!found)
        return OK;
    TRY(check_header(wal, segment, *offset, &frame, diag));
    const char *data = NULL;
    size_t size = (size_t)wal_frame_size(frame.payload_size);
    TRY(wal__window(wal, segment->file, *offset, size, diag, &data));
    struct str payload = {data + WAL_FRAME_HEADER, frame.payload_size};
    if (crc32c(wal->superblock.salt, payload) != frame.payload_crc) {
        wal->stats.torn_tail = true; /* unless it turns out to be damage */
        return OK;
    }
    if (!ring_agrees(scan, &frame))
        return corrupt_at(wal, segment, *offset, "the header ring tells another checksum", diag);
    TRY(apply_records(wal, segment, &frame, payload.data, diag));
    wal->next_seq = frame.seq + 1;
    wal->chain = frame.header_crc;
    wal->newest = frame;
    wal->slot_pending = true;
    *offset += size;
    *out_good = true;
    return OK;
}

static bool continues(const struct wal *wal, const struct wal_segment_header *next)
{
    const struct wal_state *s = &wal->state;
    return next->first_seq == wal->next_seq && next->chain == wal->chain && next->term == s->term &&
           next->vote == s->vote && next->snapshot_index == s->snapshot_index &&
           next->snapshot_term == s->snapshot_term && next->last_index == s->last_index;
}

static status scan_segment(struct scan *scan, size_t at, struct diag *diag)
{
    struct wal *wal = scan->wal;
    struct wal_segment *segment = &wal->live.items[at];
    uint64_t offset = WAL_BLOCK;
    bool good = true;
    wal->stats.torn_tail = false;
    while (good && offset < wal->segment_size_bytes)
        TRY(next_frame(scan, segment, &offset, diag, &good));
    if (at + 1 < wal->live.count) {
        if (!continues(wal, &wal->live.items[at + 1].header))
            return corrupt_at(wal, segment, offset, "a frame in the middle of the log is bad",
                              diag);
        return OK;
    }
    wal->tail_offset = offset;
    return OK;
}

static void start_from(struct wal *wal, const struct wal_segment_header *header)
{
    wal->next_seq = header->first_seq;
    wal->chain = header->chain;
    wal->state = (struct wal_state){
        .term = header->term,
        .vote = header->vote,
        .snapshot_index = header->snapshot_index,
        .snapshot_term = header->snapshot_term,
        .last_index = header->last_index,
    };
}

/* --- the end of the log --- */

static status check_beyond_tail(struct wal *wal, struct diag *diag)
{
    const struct wal_segment *active = wal__active(wal);
    for (uint64_t offset = wal->tail_offset + WAL_BLOCK; offset < wal->segment_size_bytes;
         offset += WAL_BLOCK) {
        struct wal_frame frame;
        bool found = false;
        TRY(find_header(wal, active, offset, diag, &found, &frame));
        if (found)
            return corrupt_at(wal, active, wal->tail_offset,
                              "a frame is bad though a later one was written after it", diag);
    }
    return OK;
}

static status check_ring_end(const struct scan *scan, struct diag *diag)
{
    const struct wal *wal = scan->wal;
    for (uint64_t slot = 0; slot < WAL_RING_SLOTS; slot++) {
        struct wal_frame frame;
        if (!ring_slot(scan, slot, &frame) || frame.seq < wal->next_seq)
            continue;
        return FAIL(diag, CORRUPT,
                    "the write-ahead log is damaged: frame %llu was durable (header ring: segment "
                    "%llu at %llu, last index %llu) but frame %llu cannot be read in %s; nothing "
                    "was changed: restore this node from a backup",
                    (unsigned long long)frame.seq, (unsigned long long)frame.epoch,
                    (unsigned long long)frame.offset, (unsigned long long)frame.last_index,
                    (unsigned long long)wal->next_seq, wal->dir);
    }
    return OK;
}

static status scan_all(struct scan *scan, struct diag *diag)
{
    struct wal *wal = scan->wal;
    TRY(open_segments(scan, diag));
    TRY(check_epochs(wal, diag));
    if (wal->live.count > 0)
        start_from(wal, &wal->live.items[0].header);
    for (size_t i = 0; i < wal->live.count; i++)
        TRY(scan_segment(scan, i, diag));
    if (wal->live.count > 0) {
        TRY(check_beyond_tail(wal, diag));
        atomic_store(&wal->tail_room, wal->segment_size_bytes - wal->tail_offset);
    }
    return check_ring_end(scan, diag);
}

/* Whole free files become spares, the rest of an interrupted preparation goes. */
static void keep_free_files(struct scan *scan)
{
    struct wal *wal = scan->wal;
    for (size_t i = 0; i < scan->free_count; i++) {
        bool whole = scan->free[i].index_max == wal->segment_size_bytes;
        wal__recycle(wal, &scan->free[i], whole);
    }
    scan->free_count = 0;
}

status wal__recover(struct wal *wal, struct diag *diag)
{
    struct scan scan = {.wal = wal};
    if (!wal__buffer_need(wal->allocator, &wal->out, WAL_RING_SIZE))
        return out_of_memory(diag);
    TRY(wal__read_exact(wal, wal->ring_file, "the header ring", 0, wal->out.data, WAL_RING_SIZE,
                        diag));
    scan.ring = wal->out.data; /* nothing is written while scanning */
    arena_init(&scan.arena, wal->allocator, 64 << 20);
    status_value result = scan_all(&scan, diag);
    if (is_ok(result))
        keep_free_files(&scan);
    for (size_t i = 0; i < scan.free_count; i++)
        wal->env->ops->file_close(wal->env, scan.free[i].file);
    arena_deinit(&scan.arena);
    wal->in.file = NULL;
    return result;
}
