/* SPDX-License-Identifier: Apache-2.0 */
/*
 * digest.c - an order-free digest of a set of rows: the sum of their 128-bit hashes, modulo 2^128.
 *
 * Addition forgets order and can be undone, so a batch costs its rows and not the state. The key
 * size stands in front so that no two rows share their hashed bytes.
 */
#include "kv/store.h"

#define XXH_STATIC_LINKING_ONLY /* the size of the stream state, to have it on the stack */
#include <xxhash.h>

enum { ONE_SHOT_MAX = 2048 };

/* Short rows, nearly all, are hashed in one call: setting up a stream costs more than they do. */
static XXH128_hash_t hash_row(struct str key, struct str value)
{
    ASSERT(key.size > 0 && key.size <= KEY_SIZE_MAX);
    unsigned char head[4 + KEY_SIZE_MAX];
    for (unsigned i = 0; i < 4; i++)
        head[i] = (unsigned char)(key.size >> (8 * i));
    memcpy(head + 4, key.data, key.size);
    size_t head_size = 4 + key.size;
    if (head_size + value.size <= ONE_SHOT_MAX) {
        unsigned char row[ONE_SHOT_MAX];
        memcpy(row, head, head_size);
        if (value.size > 0)
            memcpy(row + head_size, value.data, value.size);
        return XXH3_128bits(row, head_size + value.size);
    }
    XXH3_state_t state;
    (void)XXH3_128bits_reset(&state);
    (void)XXH3_128bits_update(&state, head, head_size);
    (void)XXH3_128bits_update(&state, value.data, value.size);
    return XXH3_128bits_digest(&state);
}

void kv_digest_add(struct kv_digest *digest, struct str key, struct str value)
{
    XXH128_hash_t hash = hash_row(key, value);
    digest->low += hash.low64;
    digest->high += hash.high64 + (digest->low < hash.low64 ? 1 : 0);
}

void kv_digest_remove(struct kv_digest *digest, struct str key, struct str value)
{
    XXH128_hash_t hash = hash_row(key, value);
    uint64_t borrow = digest->low < hash.low64 ? 1 : 0;
    digest->low -= hash.low64;
    digest->high -= hash.high64 + borrow;
}
