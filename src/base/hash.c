/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hash.c - XXH3-128 with a seed.
 */
#include "base/hash.h"

#include <xxhash.h>

struct hash128 hash128(struct str bytes, uint64_t seed)
{
    XXH128_hash_t hash = XXH3_128bits_withSeed(bytes.data, bytes.size, seed);
    return (struct hash128){hash.low64, hash.high64};
}
