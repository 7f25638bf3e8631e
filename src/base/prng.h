/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * prng.h - a small deterministic generator (xoshiro256**), seeded from env's entropy in production
 * and from the run's seed in tests. Not for secrets.
 */
#include "base/base.h"

struct prng {
    uint64_t state[4];
};

void prng_init(struct prng *prng, uint64_t seed);
uint64_t prng_u64(struct prng *prng);
/* Uniform in [0, bound); bound > 0. */
uint64_t prng_below(struct prng *prng, uint64_t bound);
/* True with probability numerator / denominator. */
bool prng_chance(struct prng *prng, uint64_t numerator, uint64_t denominator);
