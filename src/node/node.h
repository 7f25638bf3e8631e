/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * node.h - one replica: the consensus core, the log, the applied state, and the threads that drive
 * them.
 *
 * Writing: a task is submitted from any thread; the core thread evaluates it against the applied
 * state plus everything in flight, proposes the resulting batch as one log entry, and calls `done`
 * when the entry is durable and applied. A task whose evaluation fails is answered only after
 * everything it has seen is durable, so no answer rests on a write that could still vanish.
 *
 * Reading: node_read hands out a snapshot of the applied state. Every acknowledged write is in it.
 *
 * Threads: core (evaluation, consensus, apply), log (durable appends, nothing else), snapshot (at
 * most one, while one is taken). Queues have limits; a full one answers EXHAUSTED.
 */
#include "base/log.h"
#include "base/metric.h"
#include "base/prng.h"
#include "env/env.h"
#include "kv/store.h"

struct node;
struct node_task;

/* What one evaluation may use; valid during the call only. */
struct node_evaluation {
    struct kv_batch *batch; /* empty; its reader shows every earlier proposal */
    hlc_stamp stamp;        /* this entry's; later than every stamp before */
    struct prng *prng;
    /* Out: hand `done` a snapshot of exactly the state this entry made. */
    bool wants_snapshot;
    /* Out: tasks with equal non-zero keys never share an applied state (a table's id). */
    uint64_t object_key;
};

/*
 * A unit of writing, embedded in its owner's request. The owner keeps it, its arena and diag alive
 * until `done` has been called; `done` is called exactly once, on the core thread, and must be
 * quick.
 */
struct node_task {
    /* Fills the batch. A failure with a non-empty batch is recorded too (idempotency records of
     * refusals); an empty batch proposes nothing. Runs on the core thread. */
    status (*evaluate)(struct node_task *self, struct node_evaluation *evaluation,
                       struct diag *diag);
    /* `result` is evaluate's, or why the outcome differs: NOT_LEADER, EXHAUSTED, NOSPACE (did not
     * happen), COMMIT_UNKNOWN. `snapshot` is the callee's to close; NULL when not asked for or on
     * failure. */
    void (*done)(struct node_task *self, status_value result, struct kv_snapshot *snapshot);
    struct arena *arena;   /* batch and payload are built here */
    struct diag *diag;     /* may be NULL */
    struct kv_trace trace; /* zeros: none */

    /* Owned by the node while submitted. */
    struct node_task *next;
    struct kv_batch *batch;
    struct str payload;
    uint64_t index;
    uint64_t object_key;
    uint64_t proposed_ns;
    status_value result;
    bool wants_snapshot;
};

struct node_options {
    struct str data_dir;
    uint32_t tasks_max;            /* submitted and not answered */
    uint64_t inflight_bytes_max;   /* payload bytes not applied */
    uint64_t snapshot_after_bytes; /* of log since the last snapshot */
    uint64_t map_size_bytes;       /* of the state file; 0: the store's default */
    uint64_t disk_reserve_bytes;   /* writes are refused below this much free disk */
    uint64_t segment_size_bytes;   /* of the log; 0: the default */
    /* A task submitted while no other is in progress is carried out by its submitter, who then
     * waits for the disk. For callers that have other threads to serve others meanwhile. */
    bool run_lonely_tasks_inline;
};
struct node_options node_options_default(void);

/*
 * Opens the folder (creating it when absent), recovers, starts the threads and waits until writes
 * are possible. UNAVAILABLE: another process holds the folder. CORRUPT: the log or snapshot is
 * damaged and a group of one must not guess; the message says what to do. `metrics` and `log` are
 * kept.
 */
status node_open(struct env *env, const struct node_options *options, struct log *log,
                 struct metrics *metrics, struct diag *diag, struct node **out);
/* Refuses new tasks, answers all submitted ones, stops the threads, closes cleanly. */
void node_close(struct node *node);

/* Keeps `task` until done. On failure done is not called: EXHAUSTED, UNAVAILABLE (closing or
 * failed). */
status node_submit(struct node *node, struct node_task *task, struct diag *diag);
/* Submits and waits; for start-up code and background work, never on an HTTP loop. */
status node_run(struct node *node, struct node_task *task, struct diag *diag,
                struct kv_snapshot **out_snapshot);

/* A linearizable view of the state; close it. UNAVAILABLE before the node is ready. */
status node_read(struct node *node, struct diag *diag, struct kv_snapshot **out);

struct node_status {
    bool is_ready;   /* writes are possible */
    bool has_failed; /* the log cannot be written any more: restart */
    bool disk_full;  /* writes are refused, reads go on */
    uint64_t term;
    uint64_t commit_index;
    uint64_t applied_index;
    uint64_t last_index;
    uint64_t snapshot_index;
    uint64_t node_id;
    char cluster_id[40];
    struct kv_digest digest;
    uint64_t log_bytes;   /* of log segments on disk */
    uint64_t state_bytes; /* of the state file */
};
void node_status(struct node *node, struct node_status *out);
/* Told on the core thread after each apply; must be quick. Kept until the node is closed. */
struct node_listener {
    void (*applied)(struct node_listener *self);
};
void node_listen(struct node *node, struct node_listener *listener);
