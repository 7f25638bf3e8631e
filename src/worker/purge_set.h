/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * purge_set.h - names seen before, as 128-bit fingerprints: bounded memory for any number of files.
 */
#include "base/hash.h"
#include "base/status.h"

struct purge_set {
    struct hash128 *slots; /* open addressing; the zero fingerprint marks an empty slot */
    size_t capacity;       /* a power of two, or 0 */
    size_t count;
    size_t count_max;
};

/* Takes no memory yet. */
void purge_set_init(struct purge_set *set, size_t count_max);
void purge_set_deinit(struct purge_set *set);
void purge_set_clear(struct purge_set *set);
/* *out_new: it was not in the set. EXHAUSTED: the set is full and does not hold it. NOMEM. */
status purge_set_add(struct purge_set *set, struct str name, struct diag *diag, bool *out_new);
bool purge_set_has(const struct purge_set *set, struct str name);
