/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * wal_model.h - what a write-ahead log must contain, and a random walk that appends, truncates,
 * marks, compacts and reopens a real one beside it.
 */
#include "base/prng.h"
#include "env_sim.h"
#include "storage/wal.h"

enum { WAL_MODEL_ENTRIES = 4096, WAL_MODEL_BATCH = 16 };

struct wal_model_entry {
    uint64_t term;
    uint64_t seed; /* of the payload's bytes */
    uint32_t size;
};

struct wal_model {
    struct wal_state state; /* first_index is not kept */
    uint64_t first_needed;  /* entries below may be gone */
    uint64_t base;          /* entries up to here never were: the newest install */
    struct wal_model_entry entries[WAL_MODEL_ENTRIES]; /* by index % WAL_MODEL_ENTRIES */
};

/* A walk: a world, its log, what was acknowledged, and what is in flight. */
struct wal_walk {
    struct env_sim *sim;
    struct wal *wal; /* NULL after a failure */
    struct wal_options options;
    struct prng prng;
    struct wal_model acked;
    struct wal_record batch[WAL_MODEL_BATCH]; /* the append that failed */
    struct wal_model_entry batch_entries[WAL_MODEL_BATCH];
    size_t batch_count;
    uint64_t compact_to; /* the compaction that failed; 0: none */
    char *payloads;
    struct diag diag;
    bool may_be_absent; /* the log was never opened successfully */
};

/* The allocator is kept; NULL: the heap. */
struct wal_walk *wal_walk_create(uint64_t seed, struct allocator *allocator);
/* Closes the log and destroys the world. */
void wal_walk_destroy(struct wal_walk *walk);
/* Steps until `steps` are done or one fails; returns how the last one ended. */
status_value wal_walk_run(struct wal_walk *walk, unsigned steps);
/* Puts the walk into another world, in which it opens the log and compares. */
void wal_walk_move(struct wal_walk *walk, struct env_sim *sim);
/*
 * Opens the log (unless it is open) and compares it with the model: everything acknowledged is
 * there, then at most a prefix of what was in flight, which from now on counts as acknowledged.
 * NULL, or what is wrong: a text in the walk. A failing open is returned in *out_open.
 */
const char *wal_walk_check(struct wal_walk *walk, status_value *out_open);
