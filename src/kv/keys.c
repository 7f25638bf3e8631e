/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys.c - builds and reads the keys that keys.h lays out.
 *
 * K1  Integers are big-endian, signed ones with the sign bit flipped: memcmp orders keys as
 *     numbers.
 * K2  A key never exceeds KEY_SIZE_MAX: fields have fixed sizes and there is at most one name.
 * K3  A name is stored verbatim up to KEY_NAME_MAX bytes; a longer one takes exactly
 *     KEY_NAME_MAX + 16 bytes, a size that no verbatim name has, so the two never meet.
 */
#include "kv/keys.h"

#include <xxhash.h>

void key_byte(struct key *key, unsigned char byte)
{
    ASSERT(key->size < KEY_SIZE_MAX);
    key->data[key->size++] = byte;
}

static void key_raw(struct key *key, const void *data, size_t size)
{
    ASSERT(size <= KEY_SIZE_MAX - key->size);
    if (size > 0)
        memcpy(key->data + key->size, data, size);
    key->size += size;
}

static void key_big_endian(struct key *key, uint64_t value, unsigned size)
{
    for (unsigned i = size; i-- > 0;)
        key_byte(key, (unsigned char)(value >> (8 * i)));
}

void key_u32(struct key *key, uint32_t value)
{
    key_big_endian(key, value, 4);
}

void key_u64(struct key *key, uint64_t value)
{
    key_big_endian(key, value, 8);
}

void key_i32(struct key *key, int32_t value)
{
    key_u32(key, (uint32_t)value ^ UINT32_C(0x80000000));
}

void key_i64(struct key *key, int64_t value)
{
    key_u64(key, (uint64_t)value ^ UINT64_C(0x8000000000000000));
}

void key_bytes(struct key *key, struct str bytes)
{
    key_raw(key, bytes.data, bytes.size);
}

void key_name(struct key *key, struct str name)
{
    if (name.size <= KEY_NAME_MAX) {
        key_raw(key, name.data, name.size);
        return;
    }
    XXH128_canonical_t hash;
    XXH128_canonicalFromHash(&hash, XXH3_128bits(name.data, name.size));
    key_raw(key, name.data, KEY_NAME_MAX);
    key_raw(key, hash.digest, sizeof(hash.digest));
}

static uint64_t read_big_endian(struct str key, size_t at, unsigned size)
{
    ASSERT(at <= key.size && key.size - at >= size);
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value = value << 8 | (unsigned char)key.data[at + i];
    return value;
}

uint64_t key_read_u64(struct str key, size_t at)
{
    return read_big_endian(key, at, 8);
}

uint32_t key_read_u32(struct str key, size_t at)
{
    return (uint32_t)read_big_endian(key, at, 4);
}

int32_t key_read_i32(struct str key, size_t at)
{
    return (int32_t)(key_read_u32(key, at) ^ UINT32_C(0x80000000));
}

int64_t key_read_i64(struct str key, size_t at)
{
    return (int64_t)(key_read_u64(key, at) ^ UINT64_C(0x8000000000000000));
}

struct key key_cluster(struct str fact)
{
    struct key key = {.size = 0};
    key_byte(&key, 'M');
    key_name(&key, fact);
    return key;
}

struct key key_warehouse(struct str name)
{
    struct key key = {.size = 0};
    key_byte(&key, 'W');
    key_name(&key, name);
    return key;
}

struct key key_in(uint32_t warehouse, enum key_kind kind)
{
    struct key key = {.size = 0};
    key_byte(&key, 'C');
    key_u32(&key, warehouse);
    key_byte(&key, (unsigned char)kind);
    return key;
}

struct key key_counter(uint32_t warehouse, struct str name)
{
    struct key key = key_in(warehouse, KEY_COUNTER);
    key_name(&key, name);
    return key;
}

struct key key_child(uint32_t warehouse, enum key_kind kind, uint64_t parent, struct str name)
{
    struct key key = key_object(warehouse, kind, parent);
    key_name(&key, name);
    return key;
}

struct key key_object(uint32_t warehouse, enum key_kind kind, uint64_t id)
{
    struct key key = key_in(warehouse, kind);
    key_u64(&key, id);
    return key;
}

struct key key_part(uint32_t warehouse, enum key_kind kind, uint64_t id, enum key_part part)
{
    struct key key = key_object(warehouse, kind, id);
    key_byte(&key, (unsigned char)part);
    return key;
}

struct key key_outbox(uint32_t warehouse, uint64_t id, uint64_t version)
{
    struct key key = key_object(warehouse, KEY_OUTBOX, id);
    key_u64(&key, version);
    return key;
}
