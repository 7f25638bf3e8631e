/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node_log.c - the log: group commit, by the log thread or, when the load is light, by the core
 * itself.
 *
 * While one write is on its way the core fills the mailbox; the next write takes all of it. So the
 * group grows with the load. A write of a few records finds the log thread idle; waking it and
 * being woken by it would cost as much as the write, so the core then writes inline. Whoever holds
 * wal_lock owns the wal. What comes meanwhile waits in the core's mailbox and becomes the next,
 * larger group.
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
    pthread_mutex_unlock(&node->logbox.lock);
    node->log_pending = true;
}

static bool has_work(const struct node *node)
{
    return node->logbox.record_count > 0 || node->logbox.snapshot.index != 0 || node->logbox.stop;
}

/* Under the mailbox's lock. */
static struct log_job take_job(struct node *node)
{
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
    return job;
}

static void wait_for_work(struct node *node)
{
    pthread_mutex_lock(&node->logbox.lock);
    while (!has_work(node))
        pthread_cond_wait(&node->logbox.wake, &node->logbox.lock);
    pthread_mutex_unlock(&node->logbox.lock);
}

static void tell_core(struct node *node, uint64_t sequence, bool failed)
{
    pthread_mutex_lock(&node->core.lock);
    if (failed)
        node->core.log_failed = true;
    else
        node->core.written_sequence = sequence;
    node->core.has_written = !failed;
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
        return false;
    }
    uint64_t took = node->env->ops->monotonic_ns(node->env) - begin;
    struct wal_stats stats = wal_stats(node->wal);
    atomic_store(&node->log_segments, stats.segments + stats.spares);
    atomic_fetch_add(&node->log_writes, 1);
    atomic_fetch_add(&node->log_bytes_since_snapshot, bytes);
    metric_observe_ns(node->metrics, METRIC_WAL_FSYNC_DURATION, metric_labels(0, 0, 0), took);
    metric_add(node->metrics, METRIC_WAL_BYTES, metric_labels(0, 0, 0), bytes);
    return true;
}

static bool is_inline_job(const struct node *node)
{
    enum { INLINE_RECORDS_MAX = 4 };
    return node->logbox.record_count > 0 && node->logbox.record_count <= INLINE_RECORDS_MAX &&
           node->logbox.snapshot.index == 0;
}

/* The core's own write; false when the log thread is to do it. */
static bool write_inline(struct node *node, uint64_t *out_sequence, bool *out_failed)
{
    struct log_job job = {.count = 0};
    if (pthread_mutex_trylock(&node->wal_lock) != 0)
        return false;
    pthread_mutex_lock(&node->logbox.lock);
    if (is_inline_job(node))
        job = take_job(node);
    pthread_mutex_unlock(&node->logbox.lock);
    if (job.count > 0) {
        *out_failed = !write_job(node, &job, &node->diag);
        *out_sequence = job.sequence;
    }
    pthread_mutex_unlock(&node->wal_lock);
    return job.count > 0;
}

bool node__log_write(struct node *node, uint64_t *out_sequence, bool *out_failed)
{
    ASSERT(node->log_pending);
    node->log_pending = false;
    if (write_inline(node, out_sequence, out_failed))
        return true;
    pthread_mutex_lock(&node->logbox.lock);
    pthread_cond_signal(&node->logbox.wake);
    pthread_mutex_unlock(&node->logbox.lock);
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
        wait_for_work(node);
        /* The wal first, then its records: jobs are written in the order in which they are
         * taken. */
        pthread_mutex_lock(&node->wal_lock);
        pthread_mutex_lock(&node->logbox.lock);
        struct log_job job = take_job(node);
        pthread_mutex_unlock(&node->logbox.lock);
        if (job.count > 0) {
            going = write_job(node, &job, &diag);
            tell_core(node, job.sequence, !going);
        }
        if (going && job.snapshot.index != 0)
            compact(node, &job, &diag);
        pthread_mutex_unlock(&node->wal_lock);
        if (job.stop)
            break;
    }
    return NULL;
}
