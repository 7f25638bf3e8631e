/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * failing_allocator.h - a heap whose n-th allocation fails, and that counts what is not given back.
 */
#include "base/alloc.h"

struct failing_allocator {
    struct allocator base;
    uint64_t calls;
    uint64_t fail_at; /* 1: the first; 0: never */
    uint64_t live_bytes;
};

void failing_allocator_init(struct failing_allocator *self, uint64_t fail_at);
