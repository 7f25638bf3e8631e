/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * arena.h - memory with one owner and one end: a request allocates, the end of the request frees.
 *
 * Not thread-safe. Every arena has a budget; reaching it yields NULL, as does a failing allocator.
 * Memory is 16-byte aligned and not zeroed unless asked for.
 */
#include "base/alloc.h"
#include "base/status.h"
#include "base/str.h"

struct arena_chunk;
struct arena {
    struct allocator *allocator;
    struct arena_chunk *chunks; /* newest first */
    char *next;
    char *end;
    size_t used_bytes; /* taken from the allocator */
    size_t budget_bytes;
};

/* Takes no memory yet. `allocator` is kept, not owned. */
void arena_init(struct arena *arena, struct allocator *allocator, size_t budget_bytes);
/* Frees everything; the arena may be used again. */
void arena_reset(struct arena *arena);
void arena_deinit(struct arena *arena);

void *arena_alloc(struct arena *arena, size_t size);
void *arena_zalloc(struct arena *arena, size_t size);
/* Copies with a trailing NUL (not counted). data == NULL in the result means out of memory. */
struct str arena_copy(struct arena *arena, struct str s);
TN_PRINTF(2, 3) struct str arena_printf(struct arena *arena, const char *format, ...);

/* Typed: NULL on exhaustion. */
#define ARENA_NEW(arena, type) ((type *)arena_zalloc((arena), sizeof(type)))
#define ARENA_ARRAY(arena, type, n) ((type *)arena_zalloc((arena), sizeof(type) * (size_t)(n)))
