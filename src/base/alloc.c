/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alloc.c - the only file that calls malloc.
 */
#include "base/alloc.h"

#include <stdlib.h>

static void *heap_alloc(struct allocator *self, size_t size)
{
    (void)self;
    return malloc(size);
}

static void heap_release(struct allocator *self, void *memory, size_t size)
{
    (void)self;
    (void)size;
    free(memory);
}

struct allocator *allocator_heap(void)
{
    /* Never written to: the functions ignore `self`. */
    static struct allocator heap = {heap_alloc, heap_release};
    return &heap;
}

void *mem_alloc(size_t size)
{
    return malloc(size);
}

void *mem_zalloc(size_t size)
{
    return calloc(1, size);
}

void *mem_realloc(void *memory, size_t size)
{
    return realloc(memory, size);
}

void mem_free(void *memory)
{
    free(memory);
}
