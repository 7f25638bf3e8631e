/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * hash.h - a 128-bit fingerprint (XXH3). Not for secrets: it resists accidents, not attackers.
 */
#include "base/str.h"

struct hash128 {
    uint64_t low;
    uint64_t high;
};

/* Different seeds give independent hashes of the same bytes. */
struct hash128 hash128(struct str bytes, uint64_t seed);
