/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * node_internal.h - the state of a node, by the thread that owns it.
 *
 * I1  Only the holder of core_lock touches raft, the in-flight overlay and the waiting list, and
 *     applies to the store: the core thread, or a submitter whose task is the only one (see
 *     node__run_inline).
 * I2  Only the holder of wal_lock touches the wal (but for wal_prepare): the log thread, the core
 *     for a few records while the log is idle, the keeper to settle it.
 * I3  The two mailboxes are the only shared memory; `lock` of each guards all of its fields.
 * I4  A task is in exactly one place: the core mailbox, the backlog, or the waiting list.
 * I5  The waiting list is in log order: task->index never decreases along it.
 */
#include "kv/inflight.h"
#include "node/node.h"
#include "raft/raft.h"
#include "storage/wal.h"

#include <pthread.h>
#include <stdatomic.h>

struct node_task_list {
    struct node_task *head;
    struct node_task *tail;
};

static inline void node__push(struct node_task_list *list, struct node_task *task)
{
    task->next = NULL;
    if (list->tail == NULL)
        list->head = task;
    else
        list->tail->next = task;
    list->tail = task;
}

static inline struct node_task *node__pop(struct node_task_list *list)
{
    struct node_task *task = list->head;
    if (task == NULL)
        return NULL;
    list->head = task->next;
    if (list->head == NULL)
        list->tail = NULL;
    task->next = NULL;
    return task;
}

/* What others tell the core thread. */
struct node_core_mailbox {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct node_task_list tasks;
    uint64_t written_sequence;
    bool has_written; /* written_sequence is news */
    bool log_failed;
    bool snapshot_finished;
    uint64_t snapshot_index; /* of the finished snapshot; 0: it failed */
    uint64_t snapshot_term;
    bool stop;
};

/* What the core tells the log thread: records to make durable, in order. */
struct node_log_mailbox {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct wal_record *records; /* filled by the core; swapped out by the log thread */
    size_t record_count;
    uint64_t sequence;          /* durable once `records` are */
    struct wal_record snapshot; /* index 0: none; to be noted in the log */
    uint64_t compact_before;
    bool stop;
};

struct node {
    struct env *env;
    struct log *log;
    struct metrics *metrics;
    struct node_options options;
    struct node_identity {
        uint64_t node_id;
        char cluster_id[40];
    } identity;
    char *wal_path;
    char *state_path;
    char *snapshots_path;
    struct env_file *lock_file;

    struct wal *wal;
    struct kv_store *store;
    struct raft *raft;

    pthread_mutex_t pause_lock; /* of threads that wait for time to pass, or for the end */
    pthread_cond_t pause_wake;
    pthread_t core_thread;
    pthread_t log_thread;
    pthread_t snapshot_thread;
    pthread_t keeper_thread;
    bool core_started;
    bool log_started;
    bool keeper_started;
    bool snapshot_running; /* core thread only */
    struct node_core_mailbox core;
    pthread_mutex_t core_lock; /* its holder is the core; taken before every other lock */
    struct node_log_mailbox logbox;
    pthread_mutex_t wal_lock; /* its holder owns the wal; taken before logbox.lock */
    size_t records_capacity;
    struct wal_record *records_spare; /* log thread's half of the double buffer */

    /* Holder of core_lock only. */
    struct kv_inflight *inflight;
    struct kv_snapshot *base;      /* what the overlay stands on */
    struct node_task_list backlog; /* taken from the mailbox, waiting for room in the log */
    struct node_task_list waiting; /* evaluated, waiting for their index to be applied */
    struct raft_entry *proposals;
    struct kv_entry *applies;
    struct hlc hlc;
    struct prng prng;
    uint64_t written_seen;
    bool log_pending; /* records were put into the mailbox and nobody was told */
    uint64_t snapshot_index;
    uint64_t disk_checked_ns;
    struct diag diag;

    /* Any thread. */
    atomic_uint task_count;
    atomic_uint_fast64_t next_deadline_ns;
    atomic_bool ready;
    atomic_bool failed;
    atomic_bool closing;
    atomic_bool disk_full;
    atomic_uint_fast64_t log_writes;
    atomic_uint_fast64_t log_segments; /* on disk, ready or in use */
    atomic_bool log_cannot_grow;       /* the keeper found no space for another segment */
    atomic_uint_fast64_t log_bytes_since_snapshot;
    atomic_uint_fast64_t term;
    atomic_uint_fast64_t commit_index;
    atomic_uint_fast64_t last_index;
    atomic_uint_fast64_t snapshot_index_shared;
    _Atomic(struct node_listener *) listener;
};

enum {
    NODE_ROUND_MAX = 256,       /* tasks evaluated into one proposal */
    NODE_APPLY_MAX = 1024,      /* entries in one state transaction */
    NODE_ENTRIES_MAX = 16384,   /* in memory, not yet applied */
    NODE_CLOCK_AHEAD_MS = 60000 /* a stamp further ahead than this is refused */
};

/* node_recover.c: from what is on disk to a consensus core that is ready to start. */
status node__recover(struct node *node, struct diag *diag);

/* node_core.c */
void *node__core_main(void *node);
/* Carries the only task there is through a whole round on the caller's thread; false (task
 * untouched) when the core is busy. Refused with UNAVAILABLE in *out_refused when the node is
 * stopping. */
bool node__run_inline(struct node *node, struct node_task *task, bool *out_refused);
void node__core_wake(struct node *node);
/* node_apply.c: entries [first, last] into the state, answers to their tasks. */
status node__apply(struct node *node, uint64_t first, uint64_t last);
status node__renew_base(struct node *node);
void node__answer(struct node *node, struct node_task *task);
/* node_evaluate.c: tasks into one proposal. */
void node__evaluate_backlog(struct node *node);
/* node_core.c: carries out an update. */
void node__carry_out(struct node *node, const struct raft_update *update);
status node__step(struct node *node, const struct raft_event *event);
void node__fail(struct node *node, const char *what);

/* node_log.c */
void *node__log_main(void *node);
/* Hands the append of an update to the log thread. */
void node__log_enqueue(struct node *node, const struct raft_update *update);
/* Gets what was enqueued written: inline (true, with the sequence that is durable or the failure),
 * or by the log thread. Core thread. */
bool node__log_write(struct node *node, uint64_t *out_sequence, bool *out_failed);

/* node.c: waits, but not beyond the beginning of the end. */
void node__pause(struct node *node, uint64_t ns);

/* node_keeper.c: prepares log segments ahead of use. */
void *node__keeper_main(void *node);

/* node_snapshot.c */
void node__maybe_snapshot(struct node *node);
