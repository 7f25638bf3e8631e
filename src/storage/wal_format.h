/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * wal_format.h - the bytes of the write-ahead log; encoding and decoding, no I/O.
 *
 * All integers are little-endian. Every structure carries a CRC-32C that starts from the log's
 * random salt, so bytes of another log, or a payload made to look like a frame, never verify.
 *
 *   superblock   4 copies of one 512-byte sector, 4096 apart: identity, live epochs
 *   ring         1024 slots of 64 bytes: slot seq % 1024 says that frame `seq` was durable
 *   NAME.seg     4096-byte header, then frames at multiples of 4096
 *   frame        64-byte header, records, zeros to the next multiple of 4096
 *   record       24-byte header, payload
 *
 * A segment file is what its header says: the epoch grows by one with every use of a file, and a
 * frame is valid only in its segment's epoch, so a recycled file needs no cleaning.
 */
#include "base/buf.h"
#include "storage/wal.h"

enum {
    WAL_FORMAT = 1,
    WAL_BLOCK = 4096,
    WAL_SECTOR = 512,
    WAL_SUPERBLOCK_COPIES = 4,
    WAL_SUPERBLOCK_SIZE = WAL_SUPERBLOCK_COPIES * WAL_BLOCK,
    WAL_RING_SLOTS = 1024,
    WAL_SLOT_SIZE = 64,
    WAL_RING_SIZE = WAL_RING_SLOTS * WAL_SLOT_SIZE,
    WAL_FRAME_HEADER = 64,
    WAL_RECORD_HEADER = 24
};

struct wal_superblock {
    uint64_t version; /* grows by one with each write; the newest valid copy counts */
    uint8_t cluster_id[WAL_CLUSTER_ID_SIZE];
    uint64_t node_id;
    uint32_t salt;
    uint64_t segment_size_bytes;
    uint64_t first_epoch; /* oldest live segment */
    uint64_t last_epoch;  /* newest live segment, or one before; 0: none yet */
};

/* State in front of the segment's first frame, so that reading can start at any segment. */
struct wal_segment_header {
    uint64_t epoch; /* 1, 2, ... */
    uint64_t first_seq;
    uint32_t chain; /* header CRC of the frame before first_seq */
    uint64_t term;
    uint64_t vote;
    uint64_t snapshot_index;
    uint64_t snapshot_term;
    uint64_t last_index;
};

struct wal_frame {
    uint64_t epoch;
    uint64_t seq;    /* 1, 2, ... over the whole log */
    uint64_t offset; /* in the segment: tells a misdirected write */
    uint32_t previous_crc;
    uint32_t payload_crc;
    uint32_t payload_size;
    uint32_t record_count;
    uint64_t last_index; /* after this frame */
    uint32_t header_crc; /* covers all of the above: the link of the chain */
};

static inline uint64_t wal_round_up(uint64_t size)
{
    return (size + WAL_BLOCK - 1) / WAL_BLOCK * WAL_BLOCK;
}

/* On disk, with header and padding. */
static inline uint64_t wal_frame_size(uint32_t payload_size)
{
    return wal_round_up((uint64_t)WAL_FRAME_HEADER + payload_size);
}

void wal__encode_superblock(const struct wal_superblock *in, char out[WAL_SUPERBLOCK_SIZE]);
/* The newest valid copy. `out_damaged` counts the copies that did not verify or differ from it. */
bool wal__decode_superblock(const char in[WAL_SUPERBLOCK_SIZE], struct wal_superblock *out,
                            unsigned *out_damaged);
void wal__encode_segment_header(const struct wal_segment_header *in, uint32_t salt,
                                char out[WAL_BLOCK]);
bool wal__decode_segment_header(const char *in, uint32_t salt, struct wal_segment_header *out);
/* Fills in->header_crc. */
void wal__encode_frame(struct wal_frame *in, uint32_t salt, char out[WAL_FRAME_HEADER]);
bool wal__decode_frame(const char *in, uint32_t salt, struct wal_frame *out);
void wal__encode_slot(const struct wal_frame *in, uint32_t salt, char out[WAL_SLOT_SIZE]);
bool wal__decode_slot(const char *in, uint32_t salt, struct wal_frame *out);

/* On disk, header and payload. */
static inline uint64_t wal_record_size(const struct wal_record *record)
{
    return (uint64_t)WAL_RECORD_HEADER + record->payload.size;
}
/* Returns the bytes written: wal_record_size. */
size_t wal__encode_record(const struct wal_record *in, char *out);
/* The next record; its payload borrows. False at bytes that are no record. */
bool wal__decode_record(struct cursor *cursor, struct wal_record *out);
