/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_request_fuzz.c - any bytes on a connection, read whole and read in pieces: both ways must
 * see the same requests, or refuse. The first byte says how large the pieces are.
 */
#include "net/http_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct reader {
    struct arena arena;
    struct http_request request;
    _Atomic size_t used;
};

static void reader_open(struct reader *reader, const struct http_limits *limits)
{
    reader->used = 0;
    arena_init(&reader->arena, allocator_heap(), 4 << 20);
    http_request_init(&reader->request, &reader->arena, limits, &reader->used);
}

static void reader_reset(struct reader *reader)
{
    http_request_reset(&reader->request);
    arena_reset(&reader->arena);
    ASSERT(reader->used == 0);
}

/* Reads one request; returns the bytes it took. */
static size_t read_one(struct reader *reader, const char *data, size_t size, size_t piece)
{
    size_t at = 0;
    while (at < size && reader->request.phase < HTTP_PHASE_COMPLETE) {
        size_t n = u64_min(piece, size - at);
        size_t used = http_request_feed(&reader->request, data + at, n);
        ASSERT(used <= n);
        at += used;
    }
    return at;
}

static void check_same(const struct http_request *a, const struct http_request *b)
{
    ASSERT(a->phase == b->phase);
    if (a->phase != HTTP_PHASE_COMPLETE)
        return;
    ASSERT(a->method == b->method && a->keep_alive == b->keep_alive);
    ASSERT(str_eq(a->target, b->target) && a->header_count == b->header_count);
    for (size_t i = 0; i < a->header_count; i++)
        ASSERT(str_eq(a->headers[i].name, b->headers[i].name) &&
               str_eq(a->headers[i].value, b->headers[i].value));
    ASSERT(str_eq((struct str){a->body, a->body_size}, (struct str){b->body, b->body_size}));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_limits limits = http_limits_default();
    struct reader whole;
    struct reader pieces;
    if (size < 2)
        return 0;
    size_t piece = (size_t)data[0] + 1;
    const char *at = (const char *)data + 1;
    size_t left = size - 1;
    reader_open(&whole, &limits);
    reader_open(&pieces, &limits);
    while (left > 0 && whole.request.phase != HTTP_PHASE_REFUSED) {
        size_t used = read_one(&whole, at, left, left);
        size_t used_in_pieces = read_one(&pieces, at, left, piece);
        check_same(&whole.request, &pieces.request);
        if (whole.request.phase != HTTP_PHASE_COMPLETE)
            break;
        ASSERT(used == used_in_pieces && used > 0);
        reader_reset(&whole);
        reader_reset(&pieces);
        at += used;
        left -= used;
    }
    reader_reset(&whole);
    reader_reset(&pieces);
    return 0;
}
