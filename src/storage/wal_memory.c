/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wal_memory.c - the log's memory: one aligned buffer each for writing and reading, two arrays.
 *
 * Everything grows before the step that needs it, so that running out of memory never stops an
 * append half way. Growth doubles; nothing shrinks until the log is closed.
 */
#include "storage/wal_internal.h"

bool wal__buffer_need(struct allocator *allocator, struct wal_buffer *buffer, size_t size)
{
    if (buffer->size >= size)
        return true;
    size_t memory_size = size + WAL_BLOCK;
    char *memory = allocator->alloc(allocator, memory_size);
    if (memory == NULL)
        return false;
    wal__buffer_free(allocator, buffer);
    size_t gap = (WAL_BLOCK - (uintptr_t)memory % WAL_BLOCK) % WAL_BLOCK;
    *buffer = (struct wal_buffer){memory, memory_size, memory + gap, size};
    return true;
}

void wal__buffer_free(struct allocator *allocator, struct wal_buffer *buffer)
{
    if (buffer->memory != NULL)
        allocator->release(allocator, buffer->memory, buffer->memory_size);
    *buffer = (struct wal_buffer){0};
}

/* The array with room for `more` items, or NULL; the old one is gone only on success. */
static void *grown(struct allocator *allocator, void *items, size_t count, size_t *capacity,
                   size_t item_size, size_t more)
{
    if (*capacity - count >= more)
        return items;
    size_t wanted = *capacity == 0 ? 16 : *capacity * 2;
    if (wanted < count + more)
        wanted = count + more;
    void *larger = allocator->alloc(allocator, wanted * item_size);
    if (larger == NULL)
        return NULL;
    if (count > 0)
        memcpy(larger, items, count * item_size);
    if (items != NULL)
        allocator->release(allocator, items, *capacity * item_size);
    *capacity = wanted;
    return larger;
}

bool wal__segments_reserve(struct wal *wal, size_t more)
{
    struct wal_segments *list = &wal->live;
    void *items = grown(wal->allocator, list->items, list->count, &list->capacity,
                        sizeof(struct wal_segment), more);
    if (items == NULL)
        return more == 0;
    list->items = items;
    return true;
}

bool wal__extents_reserve(struct wal *wal, size_t more)
{
    struct wal_extents *list = &wal->extents;
    void *items = grown(wal->allocator, list->items, list->count, &list->capacity,
                        sizeof(struct wal_extent), more);
    if (items == NULL)
        return more == 0;
    list->items = items;
    return true;
}
