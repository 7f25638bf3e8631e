/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena.c - chunks in a list, a bump pointer in the newest.
 *
 * I1  next <= end, both inside the newest chunk (or both NULL).
 * I2  used_bytes is the sum of the chunks' sizes and never exceeds budget_bytes.
 * Chunks double from 4 KiB to 1 MiB; a larger allocation gets a chunk of its own size.
 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { ALIGNMENT = 16, CHUNK_MIN = 4096, CHUNK_MAX = 1 << 20 };

struct arena_chunk {
    struct arena_chunk *older;
    size_t size;
};

void arena_init(struct arena *arena, struct allocator *allocator, size_t budget_bytes)
{
    *arena = (struct arena){.allocator = allocator, .budget_bytes = budget_bytes};
}

void arena_reset(struct arena *arena)
{
    struct arena_chunk *chunk = arena->chunks;
    while (chunk != NULL) {
        struct arena_chunk *older = chunk->older;
        arena->allocator->release(arena->allocator, chunk, chunk->size);
        chunk = older;
    }
    arena->chunks = NULL;
    arena->next = NULL;
    arena->end = NULL;
    arena->used_bytes = 0;
}

void arena_deinit(struct arena *arena)
{
    arena_reset(arena);
}

static size_t chunk_size_for(const struct arena *arena, size_t need)
{
    size_t header = (sizeof(struct arena_chunk) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    size_t size = arena->chunks == NULL ? CHUNK_MIN : arena->chunks->size * 2;
    if (size > CHUNK_MAX)
        size = CHUNK_MAX;
    return size < need + header ? need + header : size;
}

static bool arena_grow(struct arena *arena, size_t need)
{
    size_t header = (sizeof(struct arena_chunk) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    size_t size = chunk_size_for(arena, need);
    if (arena->used_bytes + size > arena->budget_bytes)
        size = need + header;
    if (size > arena->budget_bytes || arena->used_bytes > arena->budget_bytes - size)
        return false;
    struct arena_chunk *chunk = arena->allocator->alloc(arena->allocator, size);
    if (chunk == NULL)
        return false;
    chunk->older = arena->chunks;
    chunk->size = size;
    arena->chunks = chunk;
    arena->next = (char *)chunk + header;
    arena->end = (char *)chunk + size;
    arena->used_bytes += size;
    return true;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    if (size > SIZE_MAX / 4)
        return NULL;
    size_t need = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if ((size_t)(arena->end - arena->next) < need && !arena_grow(arena, need))
        return NULL;
    ASSERT((size_t)(arena->end - arena->next) >= need);
    if (need == 0)
        return arena->next != NULL ? arena->next
                                   : (arena_grow(arena, ALIGNMENT) ? arena->next : NULL);
    void *memory = arena->next;
    arena->next += need;
    return memory;
}

void *arena_zalloc(struct arena *arena, size_t size)
{
    void *memory = arena_alloc(arena, size);
    if (memory != NULL)
        memset(memory, 0, size);
    return memory;
}

struct str arena_copy(struct arena *arena, struct str s)
{
    char *data = arena_alloc(arena, s.size + 1);
    if (data == NULL)
        return (struct str){NULL, 0};
    if (s.size > 0)
        memcpy(data, s.data, s.size);
    data[s.size] = '\0';
    return (struct str){data, s.size};
}

struct str arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    ASSERT(size >= 0);
    char *data = arena_alloc(arena, (size_t)size + 1);
    if (data == NULL)
        return (struct str){NULL, 0};
    va_start(args, format);
    (void)vsnprintf(data, (size_t)size + 1, format, args);
    va_end(args);
    return (struct str){data, (size_t)size};
}
