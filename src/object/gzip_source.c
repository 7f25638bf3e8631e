/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gzip_source.c - RFC 1952 through zlib, with a bounded window of input on the way out and bounded
 * growth on the way in (a small file must not become gigabytes).
 */
#include "object/gzip_source.h"

#include "base/buf.h"

#include <limits.h>
#include <zlib.h>

enum {
    INPUT_BYTES = 64 << 10,
    GZIP_WINDOW_BITS = 15 + 16,
    RATIO_MAX = 1000,
    PIECE_BYTES = 64 << 10
};

struct gzip_source {
    struct object_source base;
    struct object_source *inner;
    z_stream zlib;
    bool inner_ended;
    unsigned char input[INPUT_BYTES];
};

static status_value refill(struct gzip_source *gzip, struct diag *diag)
{
    size_t size = 0;
    if (gzip->zlib.avail_in > 0 || gzip->inner_ended)
        return OK;
    TRY(gzip->inner->fill(gzip->inner, (char *)gzip->input, INPUT_BYTES, diag, &size,
                          &gzip->inner_ended));
    gzip->zlib.next_in = gzip->input;
    gzip->zlib.avail_in = (uInt)size;
    return OK;
}

static status_value gzip_fill(struct object_source *self, char *out, size_t capacity,
                              struct diag *diag, size_t *out_size, bool *out_end)
{
    struct gzip_source *gzip = CONTAINER_OF(self, struct gzip_source, base);
    uInt room = capacity > INT_MAX ? INT_MAX : (uInt)capacity;
    int outcome = Z_OK;
    gzip->zlib.next_out = (unsigned char *)out;
    gzip->zlib.avail_out = room;
    while (gzip->zlib.avail_out > 0 && outcome == Z_OK) {
        TRY(refill(gzip, diag));
        bool finish = gzip->inner_ended;
        outcome = deflate(&gzip->zlib, finish ? Z_FINISH : Z_NO_FLUSH);
    }
    if (outcome != Z_OK && outcome != Z_STREAM_END)
        return FAIL(diag, INTERNAL, "could not compress: zlib says %d", outcome);
    *out_size = room - gzip->zlib.avail_out;
    *out_end = outcome == Z_STREAM_END;
    return OK;
}

status_value gzip_source_open(struct object_source *inner, struct diag *diag,
                              struct gzip_source **out, struct object_source **out_source)
{
    struct gzip_source *gzip = mem_zalloc(sizeof(*gzip));
    if (gzip == NULL)
        return FAIL(diag, NOMEM, "could not start compressing: no memory");
    gzip->base.fill = gzip_fill;
    gzip->inner = inner;
    if (deflateInit2(&gzip->zlib, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW_BITS, 8,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        mem_free(gzip);
        return FAIL(diag, NOMEM, "could not start compressing: no memory");
    }
    *out = gzip;
    *out_source = &gzip->base;
    return OK;
}

void gzip_source_close(struct gzip_source *gzip)
{
    if (gzip == NULL)
        return;
    (void)deflateEnd(&gzip->zlib);
    mem_free(gzip);
}

bool gzip_is(struct str bytes)
{
    return bytes.size >= 2 && (unsigned char)bytes.data[0] == 0x1f &&
           (unsigned char)bytes.data[1] == 0x8b;
}

static status_value inflate_all(z_stream *zlib, struct buf *out, struct diag *diag)
{
    for (int outcome = Z_OK; outcome != Z_STREAM_END;) {
        char *to = buf_reserve(out, PIECE_BYTES);
        if (to == NULL)
            return buf_finish(out, "the decompressed file", diag);
        zlib->next_out = (unsigned char *)to;
        zlib->avail_out = PIECE_BYTES;
        outcome = inflate(zlib, Z_NO_FLUSH);
        if (outcome != Z_OK && outcome != Z_STREAM_END)
            return FAIL(diag, INVALID, "the gzip file is damaged or cut short");
        out->size += PIECE_BYTES - zlib->avail_out;
    }
    return OK;
}

status_value gzip_inflate(struct str compressed, size_t size_max, struct arena *arena,
                          struct diag *diag, struct str *out)
{
    struct buf text;
    z_stream zlib = {0};
    size_t ratio_max =
        compressed.size > SIZE_MAX / RATIO_MAX ? SIZE_MAX : compressed.size * RATIO_MAX;
    if (compressed.size > INT_MAX)
        return FAIL(diag, TOO_LARGE, "a gzip file of %zu bytes is too large", compressed.size);
    buf_init(&text, arena, (size_max < ratio_max ? size_max : ratio_max) + PIECE_BYTES);
    zlib.next_in = (unsigned char *)(uintptr_t)compressed.data; /* zlib only reads */
    zlib.avail_in = (uInt)compressed.size;
    if (inflateInit2(&zlib, GZIP_WINDOW_BITS) != Z_OK)
        return FAIL(diag, NOMEM, "could not start decompressing: no memory");
    status_value result = inflate_all(&zlib, &text, diag);
    (void)inflateEnd(&zlib);
    TRY(result);
    *out = buf_view(&text);
    return OK;
}
