/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * alloc.h - where memory comes from. The only door to malloc.
 *
 * An allocator is a value that is handed down, so a test can hand down one that fails at the n-th
 * call and show that every operation survives it.
 */
#include "base/base.h"

struct allocator {
    /* Returns at least 16-byte aligned memory or NULL. */
    void *(*alloc)(struct allocator *self, size_t size);
    /* `size` is what was asked for. `memory` may be NULL. */
    void (*release)(struct allocator *self, void *memory, size_t size);
};

/* The C library's heap. Shared, stateless, usable from any thread. */
struct allocator *allocator_heap(void);

/* Plain heap memory for long-lived objects that are sized once, at start. */
void *mem_alloc(size_t size);
void *mem_zalloc(size_t size);
void *mem_realloc(void *memory, size_t size);
void mem_free(void *memory);
