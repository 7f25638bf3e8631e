/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wal_format.c - the layouts of wal_format.h, field by field.
 *
 * F1  A structure verifies only if its magic, its CRC and, where it has one, its format number do.
 * F2  The CRC field itself counts as zero; everything else of the structure is covered.
 * F3  Decoders take any bytes (fuzz/wal_frame_fuzz.c).
 */
#include "storage/wal_format.h"

#include "base/crc32c.h"

/* "TSUP", "TSEG", "TFRM", "TRNG" as they read in a hex dump. */
static const uint32_t magic_superblock = 0x50555354U;
static const uint32_t magic_segment = 0x47455354U;
static const uint32_t magic_frame = 0x4d524654U;
static const uint32_t magic_slot = 0x474e5254U;

/* Every structure begins with magic u32 and crc u32. */
enum { CRC_AT = 4, BODY_AT = 8 };
/* What of each structure is in use, and covered by its CRC. */
enum { SUPERBLOCK_USED = 128, SEGMENT_USED = 128 };

struct writer {
    char *at;
};

static void put_u32(struct writer *w, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        *w->at++ = (char)(unsigned char)(value >> (8 * i));
}

static void put_u64(struct writer *w, uint64_t value)
{
    put_u32(w, (uint32_t)value);
    put_u32(w, (uint32_t)(value >> 32));
}

static uint32_t crc_of(const char *in, size_t size, uint32_t salt)
{
    static const char zero[4] = {0};
    uint32_t crc = crc32c(salt, (struct str){in, CRC_AT});
    crc = crc32c(crc, (struct str){zero, sizeof zero});
    return crc32c(crc, (struct str){in + BODY_AT, size - BODY_AT});
}

static uint32_t seal(char *out, size_t size, uint32_t salt)
{
    uint32_t crc = crc_of(out, size, salt);
    struct writer w = {out + CRC_AT};
    put_u32(&w, crc);
    return crc;
}

/* Checks magic and CRC; the cursor stands behind both. */
static bool unseal(const char *in, size_t size, uint32_t magic, uint32_t salt,
                   struct cursor *out_body, uint32_t *out_crc)
{
    struct cursor cursor = cursor_of((struct str){in, size});
    uint32_t found_magic = cursor_u32le(&cursor);
    uint32_t found_crc = cursor_u32le(&cursor);
    if (found_magic != magic || found_crc != crc_of(in, size, salt))
        return false;
    *out_body = cursor;
    *out_crc = found_crc;
    return true;
}

static void encode_superblock_copy(const struct wal_superblock *in, uint32_t copy, char *out)
{
    struct writer w = {out};
    put_u32(&w, magic_superblock);
    put_u32(&w, 0);
    put_u32(&w, WAL_FORMAT);
    put_u32(&w, copy);
    put_u64(&w, in->version);
    memcpy(w.at, in->cluster_id, WAL_CLUSTER_ID_SIZE);
    w.at += WAL_CLUSTER_ID_SIZE;
    put_u64(&w, in->node_id);
    put_u64(&w, in->segment_size_bytes);
    put_u64(&w, in->first_epoch);
    put_u64(&w, in->last_epoch);
    put_u32(&w, in->salt);
    ASSERT(w.at <= out + SUPERBLOCK_USED);
    (void)seal(out, WAL_SECTOR, 0); /* the salt is not known before the superblock is */
}

void wal__encode_superblock(const struct wal_superblock *in, char out[WAL_SUPERBLOCK_SIZE])
{
    memset(out, 0, WAL_SUPERBLOCK_SIZE);
    for (uint32_t copy = 0; copy < WAL_SUPERBLOCK_COPIES; copy++)
        encode_superblock_copy(in, copy, out + (size_t)copy * WAL_BLOCK);
}

static bool decode_superblock_copy(const char *in, uint32_t copy, struct wal_superblock *out)
{
    struct cursor c;
    uint32_t crc;
    if (!unseal(in, WAL_SECTOR, magic_superblock, 0, &c, &crc))
        return false;
    if (cursor_u32le(&c) != WAL_FORMAT || cursor_u32le(&c) != copy)
        return false;
    out->version = cursor_u64le(&c);
    struct str id = cursor_bytes(&c, WAL_CLUSTER_ID_SIZE);
    memcpy(out->cluster_id, id.data, WAL_CLUSTER_ID_SIZE);
    out->node_id = cursor_u64le(&c);
    out->segment_size_bytes = cursor_u64le(&c);
    out->first_epoch = cursor_u64le(&c);
    out->last_epoch = cursor_u64le(&c);
    out->salt = cursor_u32le(&c);
    ASSERT(!c.failed);
    return out->segment_size_bytes >= WAL_SEGMENT_SIZE_MIN &&
           out->segment_size_bytes % WAL_BLOCK == 0 && out->segment_size_bytes <= UINT32_MAX &&
           out->first_epoch >= 1 && out->last_epoch >= out->first_epoch - 1;
}

bool wal__decode_superblock(const char in[WAL_SUPERBLOCK_SIZE], struct wal_superblock *out,
                            unsigned *out_damaged)
{
    struct wal_superblock best = {0};
    unsigned agreeing = 0;
    for (uint32_t copy = 0; copy < WAL_SUPERBLOCK_COPIES; copy++) {
        struct wal_superblock found = {0};
        if (!decode_superblock_copy(in + (size_t)copy * WAL_BLOCK, copy, &found))
            continue;
        if (agreeing > 0 && found.version == best.version) {
            agreeing++;
        } else if (agreeing == 0 || found.version > best.version) {
            best = found;
            agreeing = 1;
        }
    }
    if (agreeing == 0)
        return false;
    *out = best;
    *out_damaged = WAL_SUPERBLOCK_COPIES - agreeing;
    return true;
}

void wal__encode_segment_header(const struct wal_segment_header *in, uint32_t salt,
                                char out[WAL_BLOCK])
{
    memset(out, 0, WAL_BLOCK);
    struct writer w = {out};
    put_u32(&w, magic_segment);
    put_u32(&w, 0);
    put_u32(&w, WAL_FORMAT);
    put_u32(&w, in->chain);
    put_u64(&w, in->epoch);
    put_u64(&w, in->first_seq);
    put_u64(&w, in->term);
    put_u64(&w, in->vote);
    put_u64(&w, in->snapshot_index);
    put_u64(&w, in->snapshot_term);
    put_u64(&w, in->last_index);
    ASSERT(w.at <= out + SEGMENT_USED);
    (void)seal(out, SEGMENT_USED, salt);
}

bool wal__decode_segment_header(const char *in, uint32_t salt, struct wal_segment_header *out)
{
    struct cursor c;
    uint32_t crc;
    if (!unseal(in, SEGMENT_USED, magic_segment, salt, &c, &crc) || cursor_u32le(&c) != WAL_FORMAT)
        return false;
    out->chain = cursor_u32le(&c);
    out->epoch = cursor_u64le(&c);
    out->first_seq = cursor_u64le(&c);
    out->term = cursor_u64le(&c);
    out->vote = cursor_u64le(&c);
    out->snapshot_index = cursor_u64le(&c);
    out->snapshot_term = cursor_u64le(&c);
    out->last_index = cursor_u64le(&c);
    ASSERT(!c.failed);
    return out->epoch > 0 && out->first_seq > 0;
}

void wal__encode_frame(struct wal_frame *in, uint32_t salt, char out[WAL_FRAME_HEADER])
{
    memset(out, 0, WAL_FRAME_HEADER);
    struct writer w = {out};
    put_u32(&w, magic_frame);
    put_u32(&w, 0);
    put_u64(&w, in->epoch);
    put_u64(&w, in->seq);
    put_u64(&w, in->offset);
    put_u32(&w, in->previous_crc);
    put_u32(&w, in->payload_crc);
    put_u32(&w, in->payload_size);
    put_u32(&w, in->record_count);
    put_u64(&w, in->last_index);
    ASSERT(w.at <= out + WAL_FRAME_HEADER);
    in->header_crc = seal(out, WAL_FRAME_HEADER, salt);
}

bool wal__decode_frame(const char *in, uint32_t salt, struct wal_frame *out)
{
    struct cursor c;
    uint32_t crc;
    if (!unseal(in, WAL_FRAME_HEADER, magic_frame, salt, &c, &crc))
        return false;
    out->epoch = cursor_u64le(&c);
    out->seq = cursor_u64le(&c);
    out->offset = cursor_u64le(&c);
    out->previous_crc = cursor_u32le(&c);
    out->payload_crc = cursor_u32le(&c);
    out->payload_size = cursor_u32le(&c);
    out->record_count = cursor_u32le(&c);
    out->last_index = cursor_u64le(&c);
    out->header_crc = crc;
    ASSERT(!c.failed);
    return true;
}

void wal__encode_slot(const struct wal_frame *in, uint32_t salt, char out[WAL_SLOT_SIZE])
{
    memset(out, 0, WAL_SLOT_SIZE);
    struct writer w = {out};
    put_u32(&w, magic_slot);
    put_u32(&w, 0);
    put_u64(&w, in->epoch);
    put_u64(&w, in->seq);
    put_u64(&w, in->offset);
    put_u32(&w, in->header_crc);
    put_u32(&w, in->payload_size);
    put_u64(&w, in->last_index);
    ASSERT(w.at <= out + WAL_SLOT_SIZE);
    (void)seal(out, WAL_SLOT_SIZE, salt);
}

bool wal__decode_slot(const char *in, uint32_t salt, struct wal_frame *out)
{
    struct cursor c;
    uint32_t crc;
    if (!unseal(in, WAL_SLOT_SIZE, magic_slot, salt, &c, &crc))
        return false;
    *out = (struct wal_frame){0};
    out->epoch = cursor_u64le(&c);
    out->seq = cursor_u64le(&c);
    out->offset = cursor_u64le(&c);
    out->header_crc = cursor_u32le(&c);
    out->payload_size = cursor_u32le(&c);
    out->last_index = cursor_u64le(&c);
    ASSERT(!c.failed);
    return true;
}

/* kind u8, entry_kind u8, u16 zero, payload size u32, index or vote u64, term u64 */
size_t wal__encode_record(const struct wal_record *in, char *out)
{
    struct writer w = {out};
    put_u32(&w, (uint32_t)in->kind | (uint32_t)in->entry_kind << 8);
    put_u32(&w, (uint32_t)in->payload.size);
    put_u64(&w, in->kind == WAL_HARD_STATE ? in->vote : in->index);
    put_u64(&w, in->term);
    ASSERT(w.at == out + WAL_RECORD_HEADER);
    if (in->payload.size > 0)
        memcpy(w.at, in->payload.data, in->payload.size);
    return WAL_RECORD_HEADER + in->payload.size;
}

bool wal__decode_record(struct cursor *cursor, struct wal_record *out)
{
    uint32_t kinds = cursor_u32le(cursor);
    uint32_t size = cursor_u32le(cursor);
    uint64_t position = cursor_u64le(cursor);
    uint64_t term = cursor_u64le(cursor);
    struct str payload = cursor_bytes(cursor, size);
    uint32_t kind = kinds & 0xffU;
    if (cursor->failed || kinds > 0xffffU || kind < WAL_HARD_STATE || kind > WAL_INSTALL)
        return false;
    *out = (struct wal_record){
        .kind = (enum wal_kind)kind,
        .entry_kind = (uint8_t)(kinds >> 8),
        .index = kind == WAL_HARD_STATE ? 0 : position,
        .term = term,
        .vote = kind == WAL_HARD_STATE ? position : 0,
        .payload = payload,
    };
    return true;
}
