/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * inflight.h - batches that are proposed and not yet applied, as one reader over the applied state.
 *
 * Batches enter in log order; the newest value of each key wins. After an apply the owner sets the
 * new snapshot as base and releases what it contains. One thread (the core) uses it; no scan may be
 * open while it changes.
 */
#include "kv/kv.h"

struct kv_inflight;
/* `allocator` is kept. The base is empty until it is set. NOMEM. */
status kv_inflight_create(struct allocator *allocator, struct diag *diag, struct kv_inflight **out);
void kv_inflight_destroy(struct kv_inflight *inflight); /* NULL is fine */
/* `base` is kept until the next call; NULL reads as empty. */
void kv_inflight_set_base(struct kv_inflight *inflight, struct kv_reader *base);
/* The base for the next batch. Stays the same object for the life of `inflight`. */
struct kv_reader *kv_inflight_reader(struct kv_inflight *inflight);
/*
 * Adds the writes of a batch that is proposed at `index`, greater than or equal to every index
 * added before. Keys and values are borrowed from the batch (and from whom it borrowed them) until
 * its index is released. NOMEM adds nothing.
 */
status kv_inflight_add(struct kv_inflight *inflight, const struct kv_batch *batch, uint64_t index,
                       struct diag *diag);
/* Forgets keys whose latest write has an index up to this one; their nodes are used again. */
void kv_inflight_release(struct kv_inflight *inflight, uint64_t up_to_index);
/* Forgets everything (leadership is lost). The base stays. */
void kv_inflight_clear(struct kv_inflight *inflight);
/* Distinct keys held. */
size_t kv_inflight_count(const struct kv_inflight *inflight);
