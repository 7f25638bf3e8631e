/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * body_cache.h - finished answers of large tables that are loaded again and again.
 *
 * A body is named by its ETag, which names one immutable version of a table in one mode, so an
 * entry is never stale; it only becomes old. Least recently used entries leave when the budget is
 * full. An answer is kept from its second request on, so that one-off loads do not push out useful
 * ones. Any thread.
 */
#include "base/hash.h"
#include "base/status.h"

struct body_cache;
/* budget_bytes 0: keeps nothing. NOMEM. */
status body_cache_create(size_t budget_bytes, struct diag *diag, struct body_cache **out);
void body_cache_destroy(struct body_cache *cache); /* NULL is fine; no body may be in use */

/* A body in use: borrowed until released. */
struct cached_body {
    const char *data;
    size_t size;
};
/* NULL when it is not there. */
const struct cached_body *body_cache_get(struct body_cache *cache, struct hash128 key);
void body_cache_release(struct body_cache *cache,
                        const struct cached_body *body); /* NULL is fine */
/* Whether the answer being made should be recorded; notes that it was asked for. */
bool body_cache_wants(struct body_cache *cache, struct hash128 key);

/* Collects an answer while it is streamed. Stops by itself beyond the cache's limit for one
 * body. */
struct body_recorder {
    struct body_cache *cache; /* NULL: records nothing */
    struct hash128 key;
    char *data;
    size_t size;
    size_t capacity;
};
void body_recorder_add(struct body_recorder *recorder, const char *data, size_t size);
/* The answer is whole: it enters the cache. */
void body_recorder_finish(struct body_recorder *recorder);
/* Forgets what was recorded; fine after finish. */
void body_recorder_cancel(struct body_recorder *recorder);
