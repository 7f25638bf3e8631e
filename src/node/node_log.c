/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node_log.c - the log thread: group commit.
 *
 * While one write is on its way the core fills the mailbox; the next write takes all of it. So the
 * group grows with the load and a lonely write waits for nobody. In idle time the newest frame is
 * settled, so that a later loss of it would be told from a torn tail.
 */
#include "node/node_internal.h"

struct log_job {
    struct wal_record *records;
    size_t count;
    uint64_t sequence;
    struct wal_record snapshot;
    uint64_t compact_before;
    bool stop;
};

void node__log_enqueue(struct node *node, const struct raft_update *update)
{
    pthread_mutex_lock(&node->logbox.lock);
    struct wal_record *records = node->logbox.records;
    size_t count = node->logbox.record_count;
    ASSERT(count + update->append.count + 2 <= node->records_capacity);
    if (update->hard_state_changed)
        records[count++] = (struct wal_record){.kind = WAL_HARD_STATE,
                                               .term = update->hard_state.term,
                                               .vote = update->hard_state.vote};
    if (update->append.truncate_from != 0)
        records[count++] =
            (struct wal_record){.kind = WAL_TRUNCATE, .index = update->append.truncate_from};
    for (uint32_t i = 0; i < update->append.count; i++) {
        const struct raft_entry *entry = raft_entry_at(node->raft, update->append.first + i);
        records[count++] = (struct wal_record){.kind = WAL_ENTRY,
                                               .entry_kind = (uint8_t)entry->kind,
                                               .index = entry->index,
                                               .term = entry->term,
                                               .payload = entry->payload};
    }
    node->logbox.record_count = count;
    node->logbox.sequence = update->append.sequence;
    pthread_cond_signal(&node->logbox.wake);
    pthread_mutex_unlock(&node->logbox.lock);
}

static bool has_work(const struct node *node)
{
    return node->logbox.record_count > 0 || node->logbox.snapshot.index != 0 || node->logbox.stop;
}

/* True when work came before the time was up. */
static bool wait_idle(struct node *node, uint64_t wait_ns)
{
    uint64_t until = node->env->ops->monotonic_ns(node->env) + wait_ns;
    struct timespec at = {.tv_sec = (time_t)(until / 1000000000),
                          .tv_nsec = (long)(until % 1000000000)};
    pthread_mutex_lock(&node->logbox.lock);
    int outcome = 0;
    while (!has_work(node) && outcome == 0)
        outcome = pthread_cond_timedwait(&node->logbox.wake, &node->logbox.lock, &at);
    bool work = has_work(node);
    pthread_mutex_unlock(&node->logbox.lock);
    return work;
}

static struct log_job take_job(struct node *node)
{
    pthread_mutex_lock(&node->logbox.lock);
    while (!has_work(node))
        pthread_cond_wait(&node->logbox.wake, &node->logbox.lock);
    struct log_job job = {.records = node->logbox.records,
                          .count = node->logbox.record_count,
                          .sequence = node->logbox.sequence,
                          .snapshot = node->logbox.snapshot,
                          .compact_before = node->logbox.compact_before,
                          .stop = node->logbox.stop};
    node->logbox.records = node->records_spare;
    node->records_spare = job.records;
    node->logbox.record_count = 0;
    node->logbox.snapshot.index = 0;
    pthread_mutex_unlock(&node->logbox.lock);
    return job;
}

static void tell_core(struct node *node, uint64_t sequence, bool failed)
{
    pthread_mutex_lock(&node->core.lock);
    if (failed)
        node->core.log_failed = true;
    else
        node->core.written_sequence = sequence;
    pthread_cond_signal(&node->core.wake);
    pthread_mutex_unlock(&node->core.lock);
}

static uint64_t payload_bytes(const struct log_job *job)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < job->count; i++)
        bytes += job->records[i].payload.size;
    return bytes;
}

static bool write_job(struct node *node, const struct log_job *job, struct diag *diag)
{
    uint64_t begin = node->env->ops->monotonic_ns(node->env);
    uint64_t bytes = payload_bytes(job);
    status_value result = wal_append(node->wal, job->records, job->count, diag);
    if (!is_ok(result)) {
        LOG(node->log, ERROR, "wal.append.failed",
            "the log cannot be written; the node stops writing",
            CSTR("why", diag_message(diag, result.code)));
        tell_core(node, 0, true);
        return false;
    }
    uint64_t took = node->env->ops->monotonic_ns(node->env) - begin;
    atomic_fetch_add(&node->log_bytes_since_snapshot, bytes);
    metric_observe_ns(node->metrics, METRIC_WAL_FSYNC_DURATION, metric_labels(0, 0, 0), took);
    metric_add(node->metrics, METRIC_WAL_BYTES, metric_labels(0, 0, 0), bytes);
    tell_core(node, job->sequence, false);
    return true;
}

/* Work that may wait until nobody wants the disk. */
static bool use_idle_time(struct node *node, struct diag *diag)
{
    const uint64_t idle_ns = UINT64_C(2000000);
    if (wait_idle(node, idle_ns))
        return true;
    status_value settled = wal_settle(node->wal, diag);
    if (is_ok(settled))
        return true;
    LOG(node->log, ERROR, "wal.settle.failed", "the log cannot be written; the node stops writing",
        CSTR("why", diag_message(diag, settled.code)));
    tell_core(node, 0, true);
    return false;
}

static void compact(struct node *node, const struct log_job *job, struct diag *diag)
{
    status_value result = wal_append(node->wal, &job->snapshot, 1, diag);
    if (is_ok(result) && job->compact_before != 0)
        result = wal_compact(node->wal, job->compact_before, diag);
    if (!is_ok(result))
        LOG(node->log, WARN, "wal.compact.failed", "old log segments could not be recycled",
            CSTR("why", diag_message(diag, result.code)));
    if (wal_failed(node->wal))
        tell_core(node, 0, true);
}

void *node__log_main(void *argument)
{
    struct node *node = argument;
    struct diag diag;
    for (bool going = true; going;) {
        diag_reset(&diag);
        struct log_job job = take_job(node);
        if (job.count > 0)
            going = write_job(node, &job, &diag);
        if (going && job.snapshot.index != 0)
            compact(node, &job, &diag);
        if (job.stop)
            break;
        if (going)
            going = use_idle_time(node, &diag);
    }
    return NULL;
}
