/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hlc.c - I1: `last` never decreases.
 */
#include "base/hlc.h"

hlc_stamp hlc_tick(struct hlc *hlc, uint64_t wall_ms)
{
    uint64_t from_wall = wall_ms << 16;
    hlc->last = from_wall > hlc->last ? from_wall : hlc->last + 1;
    return (hlc_stamp){hlc->last};
}

bool hlc_observe(struct hlc *hlc, hlc_stamp seen, uint64_t wall_ms, uint64_t max_ahead_ms)
{
    if (hlc_ms(seen) > wall_ms && hlc_ms(seen) - wall_ms > max_ahead_ms)
        return false;
    hlc->last = u64_max(hlc->last, seen.value);
    return true;
}
