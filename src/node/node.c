/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node.c - opening, closing, and what other threads may ask of a node.
 */
#include "node/node_internal.h"
#include "storage/lmdb_store.h"

#include <inttypes.h>
#include <stdio.h>

struct node_options node_options_default(void)
{
    return (struct node_options){.tasks_max = 8192,
                                 .inflight_bytes_max = UINT64_C(256) << 20,
                                 .snapshot_after_bytes = UINT64_C(512) << 20,
                                 .disk_reserve_bytes = UINT64_C(256) << 20};
}

static void init_locks(struct node *node)
{
    /* Waiting with a deadline must not follow the wall clock. */
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&node->core_lock, NULL);
    pthread_mutex_init(&node->core.lock, NULL);
    pthread_cond_init(&node->core.wake, &attributes);
    pthread_mutex_init(&node->logbox.lock, NULL);
    pthread_mutex_init(&node->wal_lock, NULL);
    pthread_cond_init(&node->logbox.wake, &attributes);
    pthread_mutex_init(&node->pause_lock, NULL);
    pthread_cond_init(&node->pause_wake, &attributes);
    pthread_condattr_destroy(&attributes);
}

void node__pause(struct node *node, uint64_t ns)
{
    uint64_t until = node->env->ops->monotonic_ns(node->env) + ns;
    struct timespec at = {.tv_sec = (time_t)(until / 1000000000),
                          .tv_nsec = (long)(until % 1000000000)};
    pthread_mutex_lock(&node->pause_lock);
    if (!atomic_load(&node->closing))
        (void)pthread_cond_timedwait(&node->pause_wake, &node->pause_lock, &at);
    pthread_mutex_unlock(&node->pause_lock);
}

static status_value allocate_queues(struct node *node, struct diag *diag)
{
    node->records_capacity = NODE_ENTRIES_MAX + 64;
    node->logbox.records = mem_zalloc(sizeof(struct wal_record) * node->records_capacity);
    node->records_spare = mem_zalloc(sizeof(struct wal_record) * node->records_capacity);
    node->proposals = mem_zalloc(sizeof(struct raft_entry) * NODE_ROUND_MAX);
    node->applies = mem_zalloc(sizeof(struct kv_entry) * NODE_APPLY_MAX);
    if (node->logbox.records == NULL || node->records_spare == NULL || node->proposals == NULL ||
        node->applies == NULL)
        return FAIL(diag, NOMEM, "could not allocate the node's queues");
    return kv_inflight_create(allocator_heap(), diag, &node->inflight);
}

static void release(struct node *node)
{
    kv_snapshot_close(node->base);
    kv_inflight_destroy(node->inflight);
    raft_destroy(node->raft);
    wal_close(node->wal);
    kv_store_close(node->store);
    if (node->lock_file != NULL)
        node->env->ops->file_close(node->env, node->lock_file);
    mem_free(node->logbox.records);
    mem_free(node->records_spare);
    mem_free(node->proposals);
    mem_free(node->applies);
    mem_free(node->wal_path);
    mem_free(node->state_path);
    mem_free(node->snapshots_path);
    pthread_mutex_destroy(&node->core_lock);
    pthread_mutex_destroy(&node->core.lock);
    pthread_cond_destroy(&node->core.wake);
    pthread_mutex_destroy(&node->wal_lock);
    pthread_mutex_destroy(&node->logbox.lock);
    pthread_cond_destroy(&node->logbox.wake);
    pthread_mutex_destroy(&node->pause_lock);
    pthread_cond_destroy(&node->pause_wake);
    mem_free(node);
}

static status_value start_threads(struct node *node, struct diag *diag)
{
    if (pthread_create(&node->log_thread, NULL, node__log_main, node) != 0)
        return FAIL(diag, NOMEM, "could not start the log thread");
    node->log_started = true;
    if (pthread_create(&node->core_thread, NULL, node__core_main, node) != 0)
        return FAIL(diag, NOMEM, "could not start the core thread");
    node->core_started = true;
    if (pthread_create(&node->keeper_thread, NULL, node__keeper_main, node) != 0)
        return FAIL(diag, NOMEM, "could not start the keeper thread");
    node->keeper_started = true;
    return OK;
}

static void stop_threads(struct node *node)
{
    pthread_mutex_lock(&node->pause_lock);
    atomic_store(&node->closing, true);
    pthread_cond_broadcast(&node->pause_wake);
    pthread_mutex_unlock(&node->pause_lock);
    if (node->keeper_started)
        pthread_join(node->keeper_thread, NULL);
    if (node->core_started) {
        pthread_mutex_lock(&node->core.lock);
        node->core.stop = true;
        pthread_cond_signal(&node->core.wake);
        pthread_mutex_unlock(&node->core.lock);
        pthread_join(node->core_thread, NULL);
    }
    if (node->log_started) {
        pthread_mutex_lock(&node->logbox.lock);
        node->logbox.stop = true;
        pthread_cond_signal(&node->logbox.wake);
        pthread_mutex_unlock(&node->logbox.lock);
        pthread_join(node->log_thread, NULL);
    }
}

static status_value wait_until_ready(struct node *node, struct diag *diag)
{
    const uint64_t pause_ns = UINT64_C(200000);
    for (int i = 0; i < 150000 && !atomic_load(&node->ready); i++) {
        if (atomic_load(&node->failed))
            return FAIL(diag, IO, "the node failed while starting: %s",
                        diag_message(&node->diag, STATUS_IO));
        node__pause(node, pause_ns);
    }
    if (!atomic_load(&node->ready))
        return FAIL(diag, UNAVAILABLE, "the node did not become ready within 30 seconds");
    return OK;
}

status_value node_open(struct env *env, const struct node_options *options, struct log *log,
                       struct metrics *metrics, struct diag *diag, struct node **out)
{
    uint64_t seed;
    struct node *node = mem_zalloc(sizeof(*node));
    if (node == NULL)
        return FAIL(diag, NOMEM, "could not allocate a node");
    node->env = env;
    node->log = log;
    node->metrics = metrics;
    node->options = *options;
    atomic_store(&node->next_deadline_ns, UINT64_MAX);
    init_locks(node);
    env->ops->random(env, &seed, sizeof(seed));
    prng_init(&node->prng, seed);

    status_value result;
    TRY_OUT(result, allocate_queues(node, diag));
    TRY_OUT(result, node__recover(node, diag));
    TRY_OUT(result, start_threads(node, diag));
    TRY_OUT(result, wait_until_ready(node, diag));
    *out = node;
    return OK;
out:
    stop_threads(node);
    release(node);
    return result;
}

void node_close(struct node *node)
{
    if (node == NULL)
        return;
    stop_threads(node);
    release(node);
}

/* False when the node is stopping. */
static bool enqueue(struct node *node, struct node_task *task)
{
    pthread_mutex_lock(&node->core.lock);
    bool stopped = node->core.stop;
    if (!stopped) {
        node__push(&node->core.tasks, task);
        pthread_cond_signal(&node->core.wake);
    }
    pthread_mutex_unlock(&node->core.lock);
    return !stopped;
}

status_value node_submit(struct node *node, struct node_task *task, struct diag *diag)
{
    bool refused = false;
    if (atomic_load(&node->closing) || atomic_load(&node->failed))
        return FAIL(diag, UNAVAILABLE, "this node is shutting down or has failed");
    uint32_t others = atomic_fetch_add(&node->task_count, 1);
    if (others >= node->options.tasks_max) {
        atomic_fetch_sub(&node->task_count, 1);
        return FAIL(diag, EXHAUSTED, "this node has %" PRIu32 " writes in progress; try again",
                    node->options.tasks_max);
    }
    bool lonely = others == 0 && node->options.run_lonely_tasks_inline;
    if (!lonely || !node__run_inline(node, task, &refused))
        refused = !enqueue(node, task);
    if (!refused)
        return OK;
    atomic_fetch_sub(&node->task_count, 1);
    return FAIL(diag, UNAVAILABLE, "this node is shutting down");
}

/* A task that wraps another one and wakes whoever waits for it. */
struct waiter {
    struct node_task task;
    struct node_task *wrapped;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct kv_snapshot *snapshot;
    status_value result;
    bool done;
};

static status_value waiter_evaluate(struct node_task *self, struct node_evaluation *evaluation,
                                    struct diag *diag)
{
    struct waiter *waiter = CONTAINER_OF(self, struct waiter, task);
    return waiter->wrapped->evaluate(waiter->wrapped, evaluation, diag);
}

static void waiter_done(struct node_task *self, status_value result, struct kv_snapshot *snapshot)
{
    struct waiter *waiter = CONTAINER_OF(self, struct waiter, task);
    pthread_mutex_lock(&waiter->lock);
    waiter->result = result;
    waiter->snapshot = snapshot;
    waiter->done = true;
    pthread_cond_signal(&waiter->wake);
    pthread_mutex_unlock(&waiter->lock);
}

status_value node_run(struct node *node, struct node_task *task, struct diag *diag,
                      struct kv_snapshot **out_snapshot)
{
    struct waiter waiter = {.task = {.evaluate = waiter_evaluate,
                                     .done = waiter_done,
                                     .arena = task->arena,
                                     .diag = diag,
                                     .trace = task->trace},
                            .wrapped = task};
    pthread_mutex_init(&waiter.lock, NULL);
    pthread_cond_init(&waiter.wake, NULL);
    status_value result = node_submit(node, &waiter.task, diag);
    if (is_ok(result)) {
        pthread_mutex_lock(&waiter.lock);
        while (!waiter.done)
            pthread_cond_wait(&waiter.wake, &waiter.lock);
        pthread_mutex_unlock(&waiter.lock);
        result = waiter.result;
    }
    pthread_cond_destroy(&waiter.wake);
    pthread_mutex_destroy(&waiter.lock);
    if (out_snapshot != NULL)
        *out_snapshot = waiter.snapshot;
    else
        kv_snapshot_close(waiter.snapshot);
    return result;
}

status_value node_read(struct node *node, struct diag *diag, struct kv_snapshot **out)
{
    /* A group of one is its own majority: once it leads, the applied state is the newest there is,
     * since nothing is acknowledged before it is applied. A failed log does not make the applied
     * state wrong. */
    if (!atomic_load(&node->ready) && !atomic_load(&node->failed))
        return FAIL(diag, UNAVAILABLE, "this node is starting; try again");
    return kv_store_snapshot(node->store, diag, out);
}

void node_status(struct node *node, struct node_status *out)
{
    struct kv_meta meta = kv_store_meta(node->store);
    struct lmdb_store_stats state;
    uint64_t segment_bytes =
        node->options.segment_size_bytes != 0 ? node->options.segment_size_bytes : 64 << 20;
    lmdb_store_stats(node->store, &state);
    *out = (struct node_status){.is_ready = atomic_load(&node->ready),
                                .has_failed = atomic_load(&node->failed),
                                .disk_full = atomic_load(&node->disk_full),
                                .term = atomic_load(&node->term),
                                .commit_index = atomic_load(&node->commit_index),
                                .applied_index = meta.applied_index,
                                .last_index = atomic_load(&node->last_index),
                                .snapshot_index = atomic_load(&node->snapshot_index_shared),
                                .node_id = node->identity.node_id,
                                .digest = meta.digest,
                                .log_bytes = atomic_load(&node->log_segments) * segment_bytes,
                                .state_bytes = state.file_size_bytes};
    (void)snprintf(out->cluster_id, sizeof(out->cluster_id), "%s", node->identity.cluster_id);
}

void node_listen(struct node *node, struct node_listener *listener)
{
    atomic_store(&node->listener, listener);
}
