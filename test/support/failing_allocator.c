/* SPDX-License-Identifier: Apache-2.0 */
/*
 * failing_allocator.c - counts and forwards to the heap.
 */
#include "failing_allocator.h"

#include <string.h>

static void *counted_alloc(struct allocator *base, size_t size)
{
    struct failing_allocator *self = CONTAINER_OF(base, struct failing_allocator, base);
    self->calls++;
    if (self->calls == self->fail_at)
        return NULL;
    void *memory = mem_alloc(size);
    if (memory != NULL)
        self->live_bytes += size;
    return memory;
}

static void counted_release(struct allocator *base, void *memory, size_t size)
{
    struct failing_allocator *self = CONTAINER_OF(base, struct failing_allocator, base);
    if (memory != NULL) {
        ASSERT(self->live_bytes >= size);
        self->live_bytes -= size;
        memset(memory, 0xdd, size); /* so that use after release shows */
    }
    mem_free(memory);
}

void failing_allocator_init(struct failing_allocator *self, uint64_t fail_at)
{
    *self = (struct failing_allocator){{counted_alloc, counted_release}, 0, fail_at, 0};
}
