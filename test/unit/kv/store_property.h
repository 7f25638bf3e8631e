/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * store_property.h - a naive model of the key-value state and a random run that holds a store, the
 * in-flight overlay and batches against it. Used for every store.
 */
#include "base/prng.h"
#include "kv/inflight.h"
#include "kv/store.h"

/* Rows in key order. Keys and values live in the arena of the run and are shared between models. */
enum { MODEL_ROWS_MAX = 400 };
struct model_row {
    struct str key;
    struct str value;
};
struct model {
    struct model_row rows[MODEL_ROWS_MAX];
    size_t count;
};

void model_set(struct model *model, struct str key, struct str value);
void model_remove(struct model *model, struct str key);
const struct model_row *model_find(const struct model *model, struct str key);
struct kv_digest model_digest(const struct model *model);

/* A key of the small key space of these tests (prefixes, zeros, 0xff, the longest allowed). */
struct str random_key(struct prng *prng, struct arena *arena);
struct str random_value(struct prng *prng, struct arena *arena, size_t size_max);
/* Puts and deletes into the batch and the model alike. */
void random_writes(struct prng *prng, struct arena *arena, size_t count, struct kv_batch *batch,
                   struct model *model);

/* A get of a random key, a scan of a random range: asserts that the reader agrees with the
 * model. */
void expect_get(struct kv_reader *reader, const struct model *model, struct prng *prng);
void expect_scan(struct kv_reader *reader, const struct model *model, struct str from,
                 struct str to);
void expect_random_scan(struct kv_reader *reader, const struct model *model, struct prng *prng);
void expect_meta(const struct kv_meta *meta, const struct model *model, uint64_t index);

/* The run: `steps` evaluations pipelined over an empty store, with snapshots held across
 * applies. */
void run_store_property(struct kv_store *store, uint64_t seed, unsigned steps);

/* The payload of a batch, in the arena. */
struct str payload_of(const struct kv_batch *batch, uint64_t stamp, struct arena *arena);
