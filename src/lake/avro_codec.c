/* SPDX-License-Identifier: Apache-2.0 */
/*
 * avro_codec.c - one packed block of an Avro file, unpacked.
 *
 * A block does not say how large it is unpacked (snappy does), so the output grows up to a limit
 * that depends on the input: a small file must not become gigabytes.
 *
 * deflate is RFC 1951 without a wrapper. Python's writers cut it out of a zlib stream and leave
 * most of the checksum behind it, so a few bytes after its end are allowed. snappy is one raw block
 * and the CRC-32 of what it holds, big-endian; zstandard is any number of frames.
 */
#include "lake/avro_internal.h"
#include "lake/snappy.h"

#include <limits.h>
#include <zlib.h>
#include <zstd.h>

enum { SMALL_BYTES = 1 << 20, PIECE_BYTES = 64 << 10, CRC_BYTES = 4, ZLIB_TRAILER_BYTES = 4 };

static size_t unpacked_max(size_t packed_size)
{
    uint64_t by_ratio = (uint64_t)packed_size * AVRO_RATIO_MAX + SMALL_BYTES;
    return (size_t)u64_min(by_ratio, AVRO_BLOCK_BYTES_MAX);
}

static status damaged(struct diag *diag, const char *codec, const char *why)
{
    return FAIL(diag, INVALID, "an Avro block cannot be unpacked (%s): %s", codec, why);
}

/* A limit that is reached is the file's fault, memory that is not there is not. */
static status finish(const struct buf *out, const char *codec, struct diag *diag)
{
    if (out->failed == STATUS_TOO_LARGE)
        return damaged(diag, codec, "it would grow beyond all bounds");
    return buf_finish(out, "an Avro block", diag);
}

static void *zlib_alloc(void *context, uInt items, uInt size)
{
    (void)context;
    return mem_zalloc((size_t)items * size);
}

static void zlib_free(void *context, void *memory)
{
    (void)context;
    mem_free(memory);
}

static status inflate_all(z_stream *zlib, struct buf *out, struct diag *diag)
{
    int outcome = Z_OK;
    while (outcome == Z_OK) {
        char *room = buf_reserve(out, PIECE_BYTES);
        if (room == NULL)
            return finish(out, "deflate", diag);
        zlib->next_out = (unsigned char *)room;
        zlib->avail_out = PIECE_BYTES;
        outcome = inflate(zlib, Z_NO_FLUSH);
        out->size += PIECE_BYTES - zlib->avail_out;
    }
    if (outcome == Z_MEM_ERROR)
        return FAIL(diag, NOMEM, "could not unpack an Avro block: no memory");
    if (outcome != Z_STREAM_END)
        return damaged(diag, "deflate", outcome == Z_BUF_ERROR ? "it ends early" : "wrong data");
    if (zlib->avail_in > ZLIB_TRAILER_BYTES)
        return damaged(diag, "deflate", "bytes follow its end");
    return OK;
}

static status unpack_deflate(struct str packed, struct buf *out, struct diag *diag)
{
    z_stream zlib = {.zalloc = zlib_alloc, .zfree = zlib_free};
    union {
        const char *from;
        unsigned char *to;
    } input = {.from = packed.data}; /* zlib's type lacks a const that zlib keeps */
    if (packed.size > INT_MAX)
        return damaged(diag, "deflate", "it is too large");
    if (inflateInit2(&zlib, -15) != Z_OK)
        return FAIL(diag, NOMEM, "could not unpack an Avro block: no memory");
    zlib.next_in = input.to;
    zlib.avail_in = (uInt)packed.size;
    status_value result = inflate_all(&zlib, out, diag);
    (void)inflateEnd(&zlib);
    return result;
}

static status decompress_all(ZSTD_DCtx *context, struct str packed, struct buf *out,
                             struct diag *diag)
{
    ZSTD_inBuffer in = {packed.data, packed.size, 0};
    size_t left = 1;   /* of the frame at hand; 0 when it is complete */
    bool full = false; /* the last piece was: more may wait inside of zstd */
    while (in.pos < in.size || full) {
        char *room = buf_reserve(out, PIECE_BYTES);
        if (room == NULL)
            return finish(out, "zstandard", diag);
        ZSTD_outBuffer piece = {room, PIECE_BYTES, 0};
        left = ZSTD_decompressStream(context, &piece, &in);
        if (ZSTD_isError(left))
            return damaged(diag, "zstandard", ZSTD_getErrorName(left));
        out->size += piece.pos;
        full = left > 0 && piece.pos == piece.size;
    }
    return left == 0 ? OK : damaged(diag, "zstandard", "it ends early");
}

static status unpack_zstandard(struct str packed, struct buf *out, struct diag *diag)
{
    ZSTD_DCtx *context = ZSTD_createDCtx();
    if (context == NULL)
        return FAIL(diag, NOMEM, "could not unpack an Avro block: no memory");
    status_value result = decompress_all(context, packed, out, diag);
    ZSTD_freeDCtx(context);
    return result;
}

static uint32_t read_be32(const char *at)
{
    uint32_t value = 0;
    for (int i = 0; i < CRC_BYTES; i++)
        value = value << 8 | (unsigned char)at[i];
    return value;
}

static status unpack_snappy(struct str packed, struct buf *out, struct diag *diag)
{
    if (packed.size < CRC_BYTES)
        return damaged(diag, "snappy", "it has no checksum");
    struct str block = str_slice(packed, 0, packed.size - CRC_BYTES);
    size_t size = 0;
    TRY(snappy_size(block, diag, &size));
    if (size > unpacked_max(block.size))
        return damaged(diag, "snappy", "it would grow beyond all bounds");
    char *room = buf_reserve(out, size + 1);
    if (room == NULL)
        return finish(out, "snappy", diag);
    TRY(snappy_unpack(block, room, size, diag));
    out->size = size;
    uint32_t crc = (uint32_t)crc32_z(0, (const unsigned char *)room, size);
    if (crc != read_be32(packed.data + block.size))
        return damaged(diag, "snappy", "its checksum is wrong");
    return OK;
}

status_value avro__codec_parse(struct str name, struct diag *diag, enum avro_codec *out)
{
    static const char *const names[] = {[AVRO_CODEC_NULL] = "null",
                                        [AVRO_CODEC_DEFLATE] = "deflate",
                                        [AVRO_CODEC_SNAPPY] = "snappy",
                                        [AVRO_CODEC_ZSTANDARD] = "zstandard"};
    for (size_t i = 0; i < COUNTOF(names); i++) {
        if (str_is(name, names[i])) {
            *out = (enum avro_codec)i;
            return OK;
        }
    }
    return FAIL(diag, INVALID, "an Avro file has the codec %.*s, which this server cannot read",
                (int)u64_min(name.size, 64), name.data);
}

status_value avro__unpack(enum avro_codec codec, struct arena *arena, struct str packed,
                          struct diag *diag, struct str *out)
{
    struct buf buf;
    buf_init(&buf, arena, unpacked_max(packed.size) + PIECE_BYTES);
    switch (codec) {
    case AVRO_CODEC_NULL: *out = packed; return OK;
    case AVRO_CODEC_DEFLATE: TRY(unpack_deflate(packed, &buf, diag)); break;
    case AVRO_CODEC_SNAPPY: TRY(unpack_snappy(packed, &buf, diag)); break;
    case AVRO_CODEC_ZSTANDARD: TRY(unpack_zstandard(packed, &buf, diag)); break;
    }
    *out = buf_view(&buf);
    return OK;
}
