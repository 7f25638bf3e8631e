/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * failing_allocator.h - heap memory that runs out at the n-th call and counts what is still held.
 */
#include "base/alloc.h"

struct failing_allocator {
    struct allocator allocator;
    uint64_t calls_left;
    size_t held_bytes;
};

static inline void *failing_alloc(struct allocator *self, size_t size)
{
    struct failing_allocator *failing = CONTAINER_OF(self, struct failing_allocator, allocator);
    if (failing->calls_left == 0)
        return NULL;
    failing->calls_left--;
    failing->held_bytes += size;
    return allocator_heap()->alloc(allocator_heap(), size);
}

static inline void failing_release(struct allocator *self, void *memory, size_t size)
{
    struct failing_allocator *failing = CONTAINER_OF(self, struct failing_allocator, allocator);
    if (memory != NULL)
        failing->held_bytes -= size;
    allocator_heap()->release(allocator_heap(), memory, size);
}

static inline struct failing_allocator failing_after(uint64_t calls)
{
    return (struct failing_allocator){{failing_alloc, failing_release}, calls, 0};
}
