/* SPDX-License-Identifier: Apache-2.0 */
/*
 * purge_set.c - a hash set of fingerprints, at most half full.
 *
 * Two names with one fingerprint would make a purge leave a file; at 2^-128 for each pair that is
 * rarer than a disk that loses one.
 */
#include "worker/purge_set.h"

#include "base/alloc.h"

enum { CAPACITY_MIN = 1024 };

void purge_set_init(struct purge_set *set, size_t count_max)
{
    *set = (struct purge_set){.count_max = count_max};
}

void purge_set_deinit(struct purge_set *set)
{
    mem_free(set->slots);
    purge_set_init(set, set->count_max);
}

void purge_set_clear(struct purge_set *set)
{
    purge_set_deinit(set);
}

static bool is_empty(const struct hash128 *slot)
{
    return (slot->low | slot->high) == 0;
}

static struct hash128 fingerprint(struct str name)
{
    struct hash128 hash = hash128(name, 0);
    if (is_empty(&hash))
        hash.low = 1;
    return hash;
}

/* The slot that holds the fingerprint, or the empty one where it belongs. */
static struct hash128 *find_slot(const struct purge_set *set, struct hash128 hash)
{
    size_t at = (size_t)hash.low & (set->capacity - 1);
    while (!is_empty(&set->slots[at]) &&
           (set->slots[at].low != hash.low || set->slots[at].high != hash.high))
        at = (at + 1) & (set->capacity - 1);
    return &set->slots[at];
}

static status grow(struct purge_set *set, struct diag *diag)
{
    struct purge_set larger = *set;
    larger.capacity = set->capacity == 0 ? CAPACITY_MIN : set->capacity * 2;
    larger.slots = mem_zalloc(larger.capacity * sizeof(*larger.slots));
    if (larger.slots == NULL)
        return FAIL(diag, NOMEM, "could not remember the files that are deleted: no memory");
    for (size_t i = 0; i < set->capacity; i++)
        if (!is_empty(&set->slots[i]))
            *find_slot(&larger, set->slots[i]) = set->slots[i];
    mem_free(set->slots);
    *set = larger;
    return OK;
}

bool purge_set_has(const struct purge_set *set, struct str name)
{
    return set->capacity > 0 && !is_empty(find_slot(set, fingerprint(name)));
}

status_value purge_set_add(struct purge_set *set, struct str name, struct diag *diag, bool *out_new)
{
    struct hash128 hash = fingerprint(name);
    bool known = purge_set_has(set, name);
    if (!known && set->count == set->count_max)
        return FAIL(diag, EXHAUSTED, "the set of %zu file names is full", set->count_max);
    if (!known && set->count * 2 >= set->capacity)
        TRY(grow(set, diag));
    if (!known) {
        *find_slot(set, hash) = hash;
        set->count++;
    }
    *out_new = !known;
    return OK;
}
