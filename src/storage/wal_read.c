/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wal_read.c - live entries in index order, by the extents, one window of a segment in memory.
 *
 * Frames were verified when the log was opened or written; they are verified again here, because
 * what a disk gives back can change.
 */
#include "base/crc32c.h"
#include "storage/wal_internal.h"

status wal__window(struct wal *wal, struct env_file *file, uint64_t offset, size_t size,
                   struct diag *diag, const char **out)
{
    struct wal_window *w = &wal->in;
    uint64_t limit = wal->segment_size_bytes;
    ASSERT(offset % WAL_BLOCK == 0 && size % WAL_BLOCK == 0 && offset + size <= limit);
    if (w->file != file || offset < w->offset || offset + size > w->offset + w->size) {
        size_t wanted = (size_t)u64_min(u64_max(size, WAL_WINDOW), limit - offset);
        w->file = NULL;
        if (!wal__buffer_need(wal->allocator, &w->buffer, wanted))
            return FAIL(diag, NOMEM, "could not read the write-ahead log: out of memory");
        TRY(wal__read_exact(wal, file, "a segment", offset, w->buffer.data, wanted, diag));
        w->file = file;
        w->offset = offset;
        w->size = wanted;
    }
    *out = w->buffer.data + (offset - w->offset);
    return OK;
}

static status damaged(const struct wal *wal, const struct wal_segment *segment, uint64_t offset,
                      struct diag *diag)
{
    return FAIL(diag, CORRUPT,
                "the write-ahead log is damaged: a frame changed since it was verified (%s/%016llx"
                ".seg at %llu); restore this node from a backup",
                wal->dir, (unsigned long long)segment->id, (unsigned long long)offset);
}

static status load_frame(struct wal *wal, const struct wal_segment *segment, uint64_t offset,
                         struct diag *diag, struct str *out_records)
{
    const char *data = NULL;
    TRY(wal__window(wal, segment->file, offset, WAL_BLOCK, diag, &data));
    struct wal_frame frame;
    if (!wal__decode_frame(data, wal->superblock.salt, &frame) ||
        frame.epoch != segment->header.epoch || frame.offset != offset ||
        wal_frame_size(frame.payload_size) > wal->segment_size_bytes - offset)
        return damaged(wal, segment, offset, diag);
    TRY(wal__window(wal, segment->file, offset, (size_t)wal_frame_size(frame.payload_size), diag,
                    &data));
    struct str records = {data + WAL_FRAME_HEADER, frame.payload_size};
    if (crc32c(wal->superblock.salt, records) != frame.payload_crc)
        return damaged(wal, segment, offset, diag);
    *out_records = records;
    return OK;
}

static status read_extent(struct wal *wal, const struct wal_extent *extent, uint64_t from,
                          wal_visit *visit, void *context, struct diag *diag)
{
    ASSERT(extent->epoch >= wal->live.items[0].header.epoch);
    const struct wal_segment *segment =
        &wal->live.items[extent->epoch - wal->live.items[0].header.epoch];
    struct str records;
    TRY(load_frame(wal, segment, extent->offset, diag, &records));
    struct cursor cursor = cursor_of(records);
    struct wal_record record;
    uint64_t next = extent->first_index;
    for (uint32_t ordinal = 0; next <= extent->last_index; ordinal++) {
        if (!wal__decode_record(&cursor, &record))
            return damaged(wal, segment, extent->offset, diag);
        if (ordinal < extent->skip || record.kind != WAL_ENTRY)
            continue;
        if (record.index != next++)
            return damaged(wal, segment, extent->offset, diag);
        if (record.index >= from)
            TRY(visit(context, &record, diag));
    }
    return OK;
}

/* The first extent that reaches `index` or beyond. */
static size_t find_extent(const struct wal_extents *extents, uint64_t index)
{
    size_t low = 0;
    size_t high = extents->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (extents->items[middle].last_index < index)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

status wal_read(struct wal *wal, uint64_t from, wal_visit *visit, void *context, struct diag *diag)
{
    wal->in.file = NULL; /* appends do not update the window */
    for (size_t i = find_extent(&wal->extents, from); i < wal->extents.count; i++)
        TRY(read_extent(wal, &wal->extents.items[i], from, visit, context, diag));
    return OK;
}
