/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uuid.c - RFC 9562: layout of versions 4 and 7, and the text form.
 */
#include "base/uuid.h"

static struct uuid with_version(struct uuid uuid, uint8_t version)
{
    uuid.bytes[6] = (uint8_t)((uuid.bytes[6] & 0x0f) | (version << 4));
    uuid.bytes[8] = (uint8_t)((uuid.bytes[8] & 0x3f) | 0x80);
    return uuid;
}

struct uuid uuid_v4(struct prng *prng)
{
    struct uuid uuid;
    for (unsigned i = 0; i < 2; i++) {
        uint64_t word = prng_u64(prng);
        memcpy(uuid.bytes + 8 * i, &word, sizeof(word));
    }
    return with_version(uuid, 4);
}

struct uuid uuid_v7(uint64_t unix_ms, struct prng *prng)
{
    struct uuid uuid = uuid_v4(prng);
    for (unsigned i = 0; i < 6; i++)
        uuid.bytes[i] = (uint8_t)(unix_ms >> (8 * (5 - i)));
    return with_version(uuid, 7);
}

void uuid_format(struct uuid uuid, char out[UUID_TEXT_SIZE])
{
    static const char hex[] = "0123456789abcdef";
    size_t at = 0;
    for (unsigned i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            out[at++] = '-';
        out[at++] = hex[uuid.bytes[i] >> 4];
        out[at++] = hex[uuid.bytes[i] & 15];
    }
    ASSERT(at == UUID_TEXT_SIZE);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool uuid_parse(struct str text, struct uuid *out)
{
    struct uuid uuid;
    size_t at = 0;
    if (text.size != UUID_TEXT_SIZE)
        return false;
    for (unsigned i = 0; i < 16; i++) {
        if ((i == 4 || i == 6 || i == 8 || i == 10) && text.data[at++] != '-')
            return false;
        int high = hex_value(text.data[at]);
        int low = hex_value(text.data[at + 1]);
        if (high < 0 || low < 0)
            return false;
        uuid.bytes[i] = (uint8_t)(high * 16 + low);
        at += 2;
    }
    *out = uuid;
    return true;
}
