/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wal_frame_fuzz.c - any bytes as a structure of the write-ahead log: refused or read inside their
 * bounds, and what is accepted encodes to the same bytes again. The first byte picks the structure.
 */
#include "storage/wal_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Records carry no checksum of their own, so mutations reach every field. */
static void read_records(struct str bytes)
{
    struct cursor cursor = cursor_of(bytes);
    struct wal_record record;
    const unsigned char *at = cursor.at;
    while (wal__decode_record(&cursor, &record)) {
        size_t record_size = (size_t)wal_record_size(&record);
        ASSERT(cursor.at == at + record_size);
        char *again = mem_alloc(record_size);
        ASSERT(again != NULL);
        ASSERT(wal__encode_record(&record, again) == record_size);
        ASSERT(memcmp(again, at, record_size) == 0);
        mem_free(again);
        at = cursor.at;
    }
}

static void read_frame(const char *block)
{
    struct wal_frame frame;
    char again[WAL_FRAME_HEADER];
    if (!wal__decode_frame(block, 7, &frame))
        return;
    wal__encode_frame(&frame, 7, again);
    ASSERT(memcmp(again, block, 48) == 0);
}

static void read_slot(const char *block)
{
    struct wal_frame frame;
    char again[WAL_SLOT_SIZE];
    if (!wal__decode_slot(block, 7, &frame))
        return;
    wal__encode_slot(&frame, 7, again);
    ASSERT(memcmp(again + 8, block + 8, 40) == 0);
}

static void read_blocks(uint8_t kind, const char *blocks)
{
    struct wal_segment_header header;
    struct wal_superblock superblock;
    unsigned damaged;
    switch (kind) {
    case 1: read_frame(blocks); break;
    case 2: read_slot(blocks); break;
    case 3:
        if (wal__decode_segment_header(blocks, 7, &header))
            ASSERT(header.epoch > 0);
        break;
    default:
        if (wal__decode_superblock(blocks, &superblock, &damaged))
            ASSERT(damaged < WAL_SUPERBLOCK_COPIES && superblock.first_epoch > 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct str rest = {(const char *)data + 1, size - 1};
    if (data[0] == 0) {
        read_records(rest);
        return 0;
    }
    char *blocks = mem_zalloc(WAL_SUPERBLOCK_SIZE);
    ASSERT(blocks != NULL);
    memcpy(blocks, rest.data, u64_min(rest.size, WAL_SUPERBLOCK_SIZE));
    read_blocks(data[0], blocks);
    mem_free(blocks);
    return 0;
}
