/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node_core.c - the core: rounds that own consensus, evaluation and apply.
 *
 * A round takes everything others have posted, then in this order: completions of the log (which
 * may commit, apply and answer), then new tasks (which may propose). Every update of the consensus
 * core is carried out at once: append to the log's mailbox, apply, timer.
 *
 * Rounds run on the core thread. A lonely task runs its round on its submitter's thread, since two
 * thread switches would cost as much as its work; with company, tasks gather and share a write.
 */
#include "node/node_internal.h"

struct round {
    struct node_task_list tasks;
    uint64_t written_sequence;
    bool log_failed;
    bool snapshot_finished;
    uint64_t snapshot_index;
    uint64_t snapshot_term;
    bool stop;
};

void node__core_wake(struct node *node)
{
    pthread_cond_signal(&node->core.wake);
}

static bool has_news(const struct node *node)
{
    return node->core.tasks.head != NULL || node->core.has_written || node->core.log_failed ||
           node->core.snapshot_finished || node->core.stop;
}

/* Until something is posted or a timer is due; does not take what came. */
static void wait_for_news(struct node *node)
{
    /* Timers of a group of one fire only before it leads; a second of slack costs nothing. */
    const uint64_t wait_ns_max = UINT64_C(1000000000);
    uint64_t now = node->env->ops->monotonic_ns(node->env);
    uint64_t until = u64_min(atomic_load(&node->next_deadline_ns), now + wait_ns_max);
    struct timespec at = {.tv_sec = (time_t)(until / 1000000000),
                          .tv_nsec = (long)(until % 1000000000)};
    pthread_mutex_lock(&node->core.lock);
    if (!has_news(node) && until > now)
        (void)pthread_cond_timedwait(&node->core.wake, &node->core.lock, &at);
    pthread_mutex_unlock(&node->core.lock);
}

static struct round take_news(struct node *node)
{
    pthread_mutex_lock(&node->core.lock);
    struct round round = {.tasks = node->core.tasks,
                          .written_sequence = node->core.written_sequence,
                          .log_failed = node->core.log_failed,
                          .snapshot_finished = node->core.snapshot_finished,
                          .snapshot_index = node->core.snapshot_index,
                          .snapshot_term = node->core.snapshot_term,
                          .stop = node->core.stop};
    node->core.tasks = (struct node_task_list){NULL, NULL};
    node->core.has_written = false;
    node->core.log_failed = false;
    node->core.snapshot_finished = false;
    pthread_mutex_unlock(&node->core.lock);
    return round;
}

void node__fail(struct node *node, const char *what)
{
    if (atomic_exchange(&node->failed, true))
        return;
    atomic_store(&node->ready, false);
    LOG(node->log, ERROR, "node.failed",
        "the node cannot go on; restart it after the cause is fixed", CSTR("what", what),
        CSTR("why", diag_message(&node->diag, STATUS_IO)));
}

status_value node__step(struct node *node, const struct raft_event *event)
{
    struct raft_update update;
    TRY(raft_step(node->raft, event, &node->diag, &update));
    node__carry_out(node, &update);
    return OK;
}

static void publish_state(struct node *node)
{
    atomic_store(&node->term, raft_term(node->raft));
    atomic_store(&node->commit_index, raft_commit_index(node->raft));
    atomic_store(&node->last_index, raft_last_index(node->raft));
    bool ready = raft_is_ready(node->raft) && !atomic_load(&node->failed);
    if (ready != atomic_load(&node->ready))
        atomic_store(&node->ready, ready);
}

void node__carry_out(struct node *node, const struct raft_update *update)
{
    atomic_store(&node->next_deadline_ns, update->next_deadline_ns);
    if (update->append.sequence != 0)
        node__log_enqueue(node, update);
    if (update->role_changed && raft_role(node->raft) == RAFT_LEADER) {
        metric_add(node->metrics, METRIC_RAFT_LEADER_CHANGES, metric_labels(0, 0, 0), 1);
        metric_add(node->metrics, METRIC_RAFT_ELECTIONS, metric_labels(0, 0, 0), 1); /* won */
    }
    if (update->role_changed)
        LOG(node->log, INFO, "raft.role.changed", "the role of this node changed",
            CSTR("role", raft_role_name(raft_role(node->raft))),
            U64("term", raft_term(node->raft)));
    if (update->apply.first <= update->apply.last &&
        !is_ok(node__apply(node, update->apply.first, update->apply.last)))
        node__fail(node, "could not apply committed entries to the state");
    publish_state(node);
}

static void on_written(struct node *node, uint64_t sequence)
{
    const struct raft_event event = {.type = RAFT_EVENT_APPENDED,
                                     .now_ns = node->env->ops->monotonic_ns(node->env),
                                     .sequence = sequence};
    node->written_seen = sequence;
    if (!is_ok(node__step(node, &event)))
        node__fail(node, "a log completion was refused");
}

static void on_log_failed(struct node *node)
{
    const struct raft_event event = {.type = RAFT_EVENT_APPEND_FAILED,
                                     .now_ns = node->env->ops->monotonic_ns(node->env)};
    (void)FAIL(&node->diag, IO, "the write-ahead log cannot be written");
    node__fail(node, "the write-ahead log cannot be written");
    (void)!is_ok(node__step(node, &event));
}

/* The log notes the snapshot and forgets what lies behind the older one, which is kept as a way
 * back. */
static void compact_log(struct node *node, uint64_t index, uint64_t term)
{
    pthread_mutex_lock(&node->logbox.lock);
    node->logbox.snapshot = (struct wal_record){.kind = WAL_SNAPSHOT, .index = index, .term = term};
    node->logbox.compact_before = node->snapshot_index == 0 ? 0 : node->snapshot_index + 1;
    pthread_cond_signal(&node->logbox.wake);
    pthread_mutex_unlock(&node->logbox.lock);
}

static void on_snapshot(struct node *node, uint64_t index, uint64_t term)
{
    pthread_join(node->snapshot_thread, NULL);
    node->snapshot_running = false;
    if (index == 0)
        return;
    compact_log(node, index, term);
    const struct raft_event event = {.type = RAFT_EVENT_SNAPSHOT_TAKEN,
                                     .now_ns = node->env->ops->monotonic_ns(node->env),
                                     .index = index};
    node->snapshot_index = index;
    atomic_store(&node->snapshot_index_shared, index);
    if (!is_ok(node__step(node, &event)))
        node__fail(node, "a snapshot was refused");
}

static void refuse_all(struct node *node, struct node_task_list *list)
{
    for (struct node_task *task = node__pop(list); task != NULL; task = node__pop(list)) {
        task->result = FAIL(task->diag, UNAVAILABLE, "this node is shutting down or has failed");
        task->wants_snapshot = false;
        node__answer(node, task);
    }
}

/* In flight when the log failed: durable or not, nobody knows until the restart reads the log. */
static void abandon_waiting(struct node *node)
{
    for (struct node_task *task = node__pop(&node->waiting); task != NULL;
         task = node__pop(&node->waiting)) {
        task->result = FAIL(task->diag, COMMIT_UNKNOWN,
                            "the node failed while the commit was being written; it may or may not "
                            "have been applied");
        task->wants_snapshot = false;
        node__answer(node, task);
    }
}

static void take_tasks(struct node *node, struct node_task_list *tasks)
{
    for (struct node_task *task = node__pop(tasks); task != NULL; task = node__pop(tasks))
        node__push(&node->backlog, task);
}

static void run_round(struct node *node, struct round *round)
{
    diag_reset(&node->diag);
    if (round->log_failed)
        on_log_failed(node);
    if (round->written_sequence > node->written_seen && !atomic_load(&node->failed))
        on_written(node, round->written_sequence);
    if (round->snapshot_finished)
        on_snapshot(node, round->snapshot_index, round->snapshot_term);
    take_tasks(node, &round->tasks);
    if (atomic_load(&node->failed)) {
        abandon_waiting(node);
        refuse_all(node, &node->backlog);
        return;
    }
    if (!raft_is_ready(node->raft)) {
        const struct raft_event tick = {.type = RAFT_EVENT_TICK,
                                        .now_ns = node->env->ops->monotonic_ns(node->env)};
        (void)!is_ok(node__step(node, &tick));
    } else {
        node__evaluate_backlog(node);
        node__maybe_snapshot(node);
    }
}

/* Has what this round enqueued written; an inline write may commit, apply and enqueue more. */
static void flush_log(struct node *node)
{
    while (node->log_pending && !atomic_load(&node->failed)) {
        uint64_t sequence = 0;
        bool failed = false;
        if (!node__log_write(node, &sequence, &failed))
            return;
        if (failed)
            on_log_failed(node);
        else
            on_written(node, sequence);
    }
}

static bool is_idle(const struct node *node)
{
    return node->backlog.head == NULL && node->waiting.head == NULL && !node->snapshot_running;
}

bool node__run_inline(struct node *node, struct node_task *task, bool *out_refused)
{
    if (pthread_mutex_trylock(&node->core_lock) != 0)
        return false;
    pthread_mutex_lock(&node->core.lock);
    *out_refused = node->core.stop;
    if (!*out_refused)
        node__push(&node->core.tasks, task);
    pthread_mutex_unlock(&node->core.lock);
    if (!*out_refused) {
        struct round round = take_news(node);
        run_round(node, &round);
        flush_log(node);
    }
    pthread_mutex_unlock(&node->core_lock);
    return true;
}

/* One round on the core thread; false when it was the last. */
static bool core_round(struct node *node)
{
    pthread_mutex_lock(&node->core_lock);
    struct round round = take_news(node);
    run_round(node, &round);
    flush_log(node);
    bool done = is_idle(node) || (atomic_load(&node->failed) && !node->snapshot_running);
    pthread_mutex_unlock(&node->core_lock);
    return !(round.stop && done);
}

void *node__core_main(void *argument)
{
    struct node *node = argument;
    const struct raft_event start = {.type = RAFT_EVENT_START,
                                     .now_ns = node->env->ops->monotonic_ns(node->env)};
    pthread_mutex_lock(&node->core_lock);
    if (!is_ok(node__step(node, &start)))
        node__fail(node, "the consensus core did not start");
    flush_log(node);
    pthread_mutex_unlock(&node->core_lock);
    do {
        wait_for_news(node);
    } while (core_round(node));
    return NULL;
}
