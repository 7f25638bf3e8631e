/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * buf.h - a growing byte buffer with a maximum, in an arena.
 *
 * Appending never needs a check: the first failure sticks, later appends do nothing, and
 * buf_finish() tells. (curl's dynbuf works so.)
 */
#include "base/arena.h"

struct buf {
    struct arena *arena;
    char *data;
    size_t size;
    size_t capacity;
    size_t max;
    int32_t failed; /* STATUS_OK, STATUS_NOMEM or STATUS_TOO_LARGE */
};

void buf_init(struct buf *buf, struct arena *arena, size_t max);
void buf_append(struct buf *buf, const void *data, size_t size);
void buf_str(struct buf *buf, struct str s);
void buf_byte(struct buf *buf, char c);
void buf_u64(struct buf *buf, uint64_t value); /* decimal */
void buf_i64(struct buf *buf, int64_t value);  /* decimal */
void buf_u32le(struct buf *buf, uint32_t value);
void buf_u64le(struct buf *buf, uint64_t value);
void buf_varint(struct buf *buf, uint64_t value); /* LEB128, at most 10 bytes */
TN_PRINTF(2, 3) void buf_printf(struct buf *buf, const char *format, ...);
/* Makes room for `size` more bytes; NULL on failure (which sticks). The caller adds to
 * buf->size. */
char *buf_reserve(struct buf *buf, size_t size);
void buf_clear(struct buf *buf);

static inline struct str buf_view(const struct buf *buf)
{
    return (struct str){buf->data == NULL ? "" : buf->data, buf->size};
}

/* OK, or what the first failing append met; `what` names the thing being built. */
status buf_finish(const struct buf *buf, const char *what, struct diag *diag);

/* A reading cursor over bytes that came from disk or wire. Fails once, then stays failed. */
struct cursor {
    const unsigned char *at;
    const unsigned char *end;
    bool failed;
};

static inline struct cursor cursor_of(struct str s)
{
    const unsigned char *at = (const unsigned char *)s.data;
    return (struct cursor){at, at + s.size, false};
}

uint8_t cursor_u8(struct cursor *cursor);
uint32_t cursor_u32le(struct cursor *cursor);
uint64_t cursor_u64le(struct cursor *cursor);
uint64_t cursor_varint(struct cursor *cursor);
/* Borrowed from the input; empty when failed. */
struct str cursor_bytes(struct cursor *cursor, uint64_t size);
static inline size_t cursor_left(const struct cursor *cursor)
{
    return (size_t)(cursor->end - cursor->at);
}
