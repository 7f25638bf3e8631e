/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * base_test_support.h - an allocator that fails at the n-th call and counts what is still out.
 */
#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct failing {
    struct allocator allocator;
    int left;         /* allocations until failure; -1: never */
    size_t out_bytes; /* given and not yet released */
};

static inline void *failing_alloc(struct allocator *self, size_t size)
{
    struct failing *f = CONTAINER_OF(self, struct failing, allocator);
    if (f->left == 0)
        return NULL;
    f->left -= f->left > 0 ? 1 : 0;
    f->out_bytes += size;
    return mem_alloc(size);
}

static inline void failing_release(struct allocator *self, void *memory, size_t size)
{
    struct failing *f = CONTAINER_OF(self, struct failing, allocator);
    f->out_bytes -= memory == NULL ? 0 : size;
    mem_free(memory);
}

static inline struct failing failing_after(int n)
{
    return (struct failing){.allocator = {failing_alloc, failing_release}, .left = n};
}
