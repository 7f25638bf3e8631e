/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buf.c - growing buffers and reading cursors.
 *
 * I1  size <= capacity <= max; data holds `size` valid bytes.
 * I2  once failed, a buffer keeps its first failure and its contents never change again.
 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

enum { CAPACITY_MIN = 256 };

void buf_init(struct buf *buf, struct arena *arena, size_t max)
{
    *buf = (struct buf){.arena = arena, .max = max};
}

static bool buf_grow(struct buf *buf, size_t need)
{
    if (need > buf->max) {
        buf->failed = STATUS_TOO_LARGE;
        return false;
    }
    size_t capacity = buf->capacity < CAPACITY_MIN ? CAPACITY_MIN : buf->capacity * 2;
    if (capacity < need)
        capacity = need;
    if (capacity > buf->max)
        capacity = buf->max;
    char *data = arena_alloc(buf->arena, capacity);
    if (data == NULL) {
        buf->failed = STATUS_NOMEM;
        return false;
    }
    if (buf->size > 0)
        memcpy(data, buf->data, buf->size);
    buf->data = data;
    buf->capacity = capacity;
    return true;
}

char *buf_reserve(struct buf *buf, size_t size)
{
    if (buf->failed != STATUS_OK)
        return NULL;
    if (size > SIZE_MAX / 4) {
        buf->failed = STATUS_TOO_LARGE;
        return NULL;
    }
    if (buf->capacity - buf->size < size && !buf_grow(buf, buf->size + size))
        return NULL;
    return buf->data + buf->size;
}

void buf_append(struct buf *buf, const void *data, size_t size)
{
    char *to = size == 0 ? NULL : buf_reserve(buf, size);
    if (to == NULL)
        return;
    memcpy(to, data, size);
    buf->size += size;
}

void buf_str(struct buf *buf, struct str s)
{
    buf_append(buf, s.data, s.size);
}

void buf_byte(struct buf *buf, char c)
{
    buf_append(buf, &c, 1);
}

void buf_u64(struct buf *buf, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    buf_append(buf, digits + at, sizeof(digits) - at);
}

void buf_i64(struct buf *buf, int64_t value)
{
    if (value < 0)
        buf_byte(buf, '-');
    buf_u64(buf, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void buf_u32le(struct buf *buf, uint32_t value)
{
    unsigned char bytes[4];
    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(value >> (8 * i));
    buf_append(buf, bytes, sizeof(bytes));
}

void buf_u64le(struct buf *buf, uint64_t value)
{
    unsigned char bytes[8];
    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(value >> (8 * i));
    buf_append(buf, bytes, sizeof(bytes));
}

void buf_varint(struct buf *buf, uint64_t value)
{
    while (value >= 0x80) {
        buf_byte(buf, (char)(unsigned char)((value & 0x7f) | 0x80));
        value >>= 7;
    }
    buf_byte(buf, (char)(unsigned char)value);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    ASSERT(size >= 0);
    char *to = buf_reserve(buf, (size_t)size + 1);
    if (to == NULL)
        return;
    va_start(args, format);
    (void)vsnprintf(to, (size_t)size + 1, format, args);
    va_end(args);
    buf->size += (size_t)size;
}

void buf_clear(struct buf *buf)
{
    buf->size = 0;
    buf->failed = STATUS_OK;
}

status_value buf_finish(const struct buf *buf, const char *what, struct diag *diag)
{
    if (buf->failed == STATUS_TOO_LARGE)
        return FAIL(diag, TOO_LARGE, "%s exceeds the limit of %zu bytes", what, buf->max);
    if (buf->failed != STATUS_OK)
        return FAIL(diag, NOMEM, "could not build %s: memory budget exhausted", what);
    return OK;
}

static const unsigned char *cursor_take(struct cursor *cursor, uint64_t size)
{
    if (cursor->failed || cursor_left(cursor) < size) {
        cursor->failed = true;
        return NULL;
    }
    const unsigned char *at = cursor->at;
    cursor->at += size;
    return at;
}

uint8_t cursor_u8(struct cursor *cursor)
{
    const unsigned char *at = cursor_take(cursor, 1);
    return at == NULL ? 0 : *at;
}

uint32_t cursor_u32le(struct cursor *cursor)
{
    const unsigned char *at = cursor_take(cursor, 4);
    uint32_t value = 0;
    for (unsigned i = 0; at != NULL && i < 4; i++)
        value |= (uint32_t)at[i] << (8 * i);
    return value;
}

uint64_t cursor_u64le(struct cursor *cursor)
{
    const unsigned char *at = cursor_take(cursor, 8);
    uint64_t value = 0;
    for (unsigned i = 0; at != NULL && i < 8; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

uint64_t cursor_varint(struct cursor *cursor)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = cursor_u8(cursor);
        if (shift == 63 && byte > 1)
            break;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0)
            return cursor->failed ? 0 : value;
    }
    cursor->failed = true;
    return 0;
}

struct str cursor_bytes(struct cursor *cursor, uint64_t size)
{
    const unsigned char *at = cursor_take(cursor, size);
    if (at == NULL)
        return (struct str){"", 0};
    return (struct str){(const char *)at, (size_t)size};
}
