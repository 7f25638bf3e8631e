/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snappy.c - unpacking one snappy block.
 *
 * A block is the unpacked size (varint), then elements. The low two bits of an element's first byte
 * are its kind: 0 literal, 1 copy of 4..11 bytes with an 11-bit offset, 2 copy of 1..64 with 16
 * bits, 3 with 32 bits.
 *
 * I1  written <= size before and after each element; a copy reads only bytes written before.
 */
#include "lake/snappy.h"

struct snappy {
    struct cursor at;
    char *out;
    size_t size;
    size_t written;
};

static status damaged(struct diag *diag, const char *why)
{
    return FAIL(diag, INVALID, "a snappy block is damaged: %s", why);
}

status_value snappy_size(struct str packed, struct diag *diag, size_t *out_bytes)
{
    struct cursor at = cursor_of(packed);
    uint64_t size = cursor_varint(&at);
    if (at.failed || size > UINT32_MAX)
        return damaged(diag, "its size cannot be read");
    *out_bytes = (size_t)size;
    return OK;
}

static uint64_t read_le(struct cursor *at, uint32_t bytes)
{
    uint64_t value = 0;
    for (uint32_t i = 0; i < bytes; i++)
        value |= (uint64_t)cursor_u8(at) << (8 * i);
    return value;
}

static status literal(struct snappy *snappy, uint8_t tag, struct diag *diag)
{
    uint64_t size = tag >> 2;
    if (size >= 60)
        size = read_le(&snappy->at, (uint32_t)size - 59);
    size++;
    if (size > snappy->size - snappy->written)
        return damaged(diag, "it holds more than it says");
    struct str bytes = cursor_bytes(&snappy->at, size);
    if (snappy->at.failed)
        return damaged(diag, "it ends early");
    memcpy(snappy->out + snappy->written, bytes.data, bytes.size);
    snappy->written += bytes.size;
    return OK;
}

/* Source and target may overlap: a short pattern is repeated, so bytes go one by one. */
static status copy(struct snappy *snappy, uint8_t tag, struct diag *diag)
{
    uint64_t size = (uint64_t)(tag >> 2) + 1;
    uint64_t offset;
    if ((tag & 3) == 1) {
        size = ((tag >> 2) & 7) + 4U;
        offset = ((uint64_t)(tag >> 5) << 8) | cursor_u8(&snappy->at);
    } else {
        offset = read_le(&snappy->at, (tag & 3) == 2 ? 2 : 4);
    }
    if (snappy->at.failed)
        return damaged(diag, "it ends early");
    if (offset == 0 || offset > snappy->written)
        return damaged(diag, "a copy begins before the block");
    if (size > snappy->size - snappy->written)
        return damaged(diag, "it holds more than it says");
    char *to = snappy->out + snappy->written;
    for (size_t i = 0; i < size; i++)
        to[i] = to[(ptrdiff_t)i - (ptrdiff_t)offset];
    snappy->written += size;
    return OK;
}

status_value snappy_unpack(struct str packed, char *out, size_t size, struct diag *diag)
{
    struct snappy snappy = {.at = cursor_of(packed), .out = out, .size = size};
    if (cursor_varint(&snappy.at) != size || snappy.at.failed)
        return damaged(diag, "its size cannot be read");
    while (cursor_left(&snappy.at) > 0) {
        uint8_t tag = cursor_u8(&snappy.at);
        TRY((tag & 3) == 0 ? literal(&snappy, tag, diag) : copy(&snappy, tag, diag));
    }
    if (snappy.written != size)
        return damaged(diag, "it holds less than it says");
    return OK;
}
