/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * hlc.h - a hybrid logical clock (Kulkarni et al., 2014): wall time that never goes backwards.
 *
 * One stamp is 64 bits: 48 bits of unix milliseconds, 16 bits of counter; stamps order as integers.
 * Wall time arrives as data. A counter overflow borrows the next millisecond.
 */
#include "base/base.h"

struct hlc {
    uint64_t last;
};
typedef struct {
    uint64_t value;
} hlc_stamp;

static inline uint64_t hlc_ms(hlc_stamp stamp)
{
    return stamp.value >> 16;
}

/* The stamp of a local event: later than every stamp given or seen before. */
hlc_stamp hlc_tick(struct hlc *hlc, uint64_t wall_ms);
/*
 * Learns of a stamp from a log entry or another node. Refuses (returns false, learns nothing) one
 * that is more than max_ahead_ms in front of the wall clock: a broken clock must not drag us along.
 */
bool hlc_observe(struct hlc *hlc, hlc_stamp seen, uint64_t wall_ms, uint64_t max_ahead_ms);
