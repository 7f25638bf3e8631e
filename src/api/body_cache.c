/* SPDX-License-Identifier: Apache-2.0 */
/*
 * body_cache.c - a hash table and a list in order of use, behind one lock.
 *
 * C1  used_bytes is the sum of the sizes of the entries in the table and never exceeds the budget.
 * C2  An entry in use (references > 0) may leave the table; its memory goes with the last
 *     reference.
 * Bodies below BODY_MIN_BYTES are not worth an entry; one body takes at most a quarter of the
 * budget.
 */
#include "api/body_cache.h"

#include "base/alloc.h"

#include <pthread.h>

enum { BUCKETS = 1024, SEEN_SLOTS = 4096, BODY_MIN_BYTES = 64 << 10 };

struct entry {
    struct cached_body body; /* first member: a body is its entry */
    struct hash128 key;
    struct entry *chain;
    struct entry *newer;
    struct entry *older;
    unsigned references;
    bool is_listed; /* still in the table */
};

struct body_cache {
    pthread_mutex_t lock;
    size_t budget_bytes;
    size_t used_bytes;
    struct entry *newest;
    struct entry *oldest;
    struct entry *buckets[BUCKETS];
    uint64_t seen[SEEN_SLOTS]; /* keys asked for lately; a lossy memory */
};

status_value body_cache_create(size_t budget_bytes, struct diag *diag, struct body_cache **out)
{
    struct body_cache *cache = mem_zalloc(sizeof(*cache));
    if (cache == NULL)
        return FAIL(diag, NOMEM, "could not allocate the cache of answers");
    pthread_mutex_init(&cache->lock, NULL);
    cache->budget_bytes = budget_bytes;
    *out = cache;
    return OK;
}

static void entry_free(struct entry *entry)
{
    mem_free((void *)(uintptr_t)entry->body.data);
    mem_free(entry);
}

static struct entry **bucket_of(struct body_cache *cache, struct hash128 key)
{
    struct entry **at = &cache->buckets[key.low % BUCKETS];
    while (*at != NULL && ((*at)->key.low != key.low || (*at)->key.high != key.high))
        at = &(*at)->chain;
    return at;
}

static void unlink_entry(struct body_cache *cache, struct entry *entry)
{
    if (entry->newer != NULL)
        entry->newer->older = entry->older;
    else
        cache->newest = entry->older;
    if (entry->older != NULL)
        entry->older->newer = entry->newer;
    else
        cache->oldest = entry->newer;
}

static void link_newest(struct body_cache *cache, struct entry *entry)
{
    entry->newer = NULL;
    entry->older = cache->newest;
    if (cache->newest != NULL)
        cache->newest->newer = entry;
    else
        cache->oldest = entry;
    cache->newest = entry;
}

static void evict(struct body_cache *cache, struct entry *entry)
{
    *bucket_of(cache, entry->key) = entry->chain;
    unlink_entry(cache, entry);
    ASSERT(cache->used_bytes >= entry->body.size);
    cache->used_bytes -= entry->body.size;
    entry->is_listed = false;
    if (entry->references == 0)
        entry_free(entry);
}

void body_cache_destroy(struct body_cache *cache)
{
    if (cache == NULL)
        return;
    while (cache->oldest != NULL)
        evict(cache, cache->oldest);
    pthread_mutex_destroy(&cache->lock);
    mem_free(cache);
}

const struct cached_body *body_cache_get(struct body_cache *cache, struct hash128 key)
{
    pthread_mutex_lock(&cache->lock);
    struct entry *entry = *bucket_of(cache, key);
    if (entry != NULL) {
        entry->references++;
        unlink_entry(cache, entry);
        link_newest(cache, entry);
    }
    pthread_mutex_unlock(&cache->lock);
    return entry == NULL ? NULL : &entry->body;
}

void body_cache_release(struct body_cache *cache, const struct cached_body *body)
{
    if (body == NULL)
        return;
    struct entry *entry = (struct entry *)(uintptr_t)body;
    pthread_mutex_lock(&cache->lock);
    ASSERT(entry->references > 0);
    entry->references--;
    bool last = entry->references == 0 && !entry->is_listed;
    pthread_mutex_unlock(&cache->lock);
    if (last)
        entry_free(entry);
}

bool body_cache_wants(struct body_cache *cache, struct hash128 key)
{
    if (cache->budget_bytes == 0)
        return false;
    pthread_mutex_lock(&cache->lock);
    uint64_t *slot = &cache->seen[key.high % SEEN_SLOTS];
    bool seen_before = *slot == key.low;
    *slot = key.low;
    pthread_mutex_unlock(&cache->lock);
    return seen_before;
}

void body_recorder_cancel(struct body_recorder *recorder)
{
    mem_free(recorder->data);
    *recorder = (struct body_recorder){.cache = NULL};
}

void body_recorder_add(struct body_recorder *recorder, const char *data, size_t size)
{
    if (recorder->cache == NULL)
        return;
    size_t need = recorder->size + size;
    if (need > recorder->cache->budget_bytes / 4) {
        body_recorder_cancel(recorder);
        return;
    }
    if (need > recorder->capacity) {
        size_t capacity = need * 2 > BODY_MIN_BYTES ? need * 2 : BODY_MIN_BYTES;
        char *grown = mem_realloc(recorder->data, capacity);
        if (grown == NULL) {
            body_recorder_cancel(recorder);
            return;
        }
        recorder->data = grown;
        recorder->capacity = capacity;
    }
    memcpy(recorder->data + recorder->size, data, size);
    recorder->size = need;
}

/* Takes the recorder's memory. */
static struct entry *entry_of(struct body_recorder *recorder)
{
    struct entry *entry = mem_zalloc(sizeof(*entry));
    char *data = entry == NULL ? NULL : mem_realloc(recorder->data, recorder->size);
    if (data == NULL) {
        mem_free(entry);
        return NULL;
    }
    recorder->data = NULL;
    entry->body = (struct cached_body){data, recorder->size};
    entry->key = recorder->key;
    entry->is_listed = true;
    return entry;
}

static void insert(struct body_cache *cache, struct entry *entry)
{
    pthread_mutex_lock(&cache->lock);
    struct entry *twin = *bucket_of(cache, entry->key);
    if (twin != NULL)
        evict(cache, twin);
    while (cache->oldest != NULL && cache->used_bytes + entry->body.size > cache->budget_bytes)
        evict(cache, cache->oldest);
    *bucket_of(cache, entry->key) = entry;
    link_newest(cache, entry);
    cache->used_bytes += entry->body.size;
    ASSERT(cache->used_bytes <= cache->budget_bytes);
    pthread_mutex_unlock(&cache->lock);
}

void body_recorder_finish(struct body_recorder *recorder)
{
    struct body_cache *cache = recorder->cache;
    if (cache != NULL && recorder->size >= BODY_MIN_BYTES) {
        struct entry *entry = entry_of(recorder);
        if (entry != NULL)
            insert(cache, entry);
    }
    body_recorder_cancel(recorder);
}
