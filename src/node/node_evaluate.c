/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node_evaluate.c - tasks into log entries.
 *
 * Evaluation is serial and each task sees every earlier one through the in-flight overlay, so its
 * checks have no window. The entries of one round become one proposal and so, at most, one write of
 * the log.
 */
#include "node/node_internal.h"

/* Room for one more entry in the core's log, counting those already collected in this round. */
static bool has_room(const struct node *node, uint32_t collected)
{
    uint64_t in_memory = raft_last_index(node->raft) + 1 - raft_pinned_from(node->raft);
    return in_memory + collected + 1 < NODE_ENTRIES_MAX && collected < NODE_ROUND_MAX;
}

static status_value encode(struct node *node, struct node_task *task, hlc_stamp stamp)
{
    struct buf payload;
    buf_init(&payload, task->arena, wal_payload_max(node->wal));
    kv_payload_encode(task->batch, stamp, &task->trace, &payload);
    TRY(buf_finish(&payload, "the commit's log entry", task->diag));
    task->payload = buf_view(&payload);
    return OK;
}

/* Fills the task's batch; the result of the operation lands in task->result. */
static status_value evaluate(struct node *node, struct node_task *task, uint64_t index)
{
    struct node_evaluation evaluation = {.prng = &node->prng};
    uint64_t wall_ms = node->env->ops->wall_ns(node->env) / 1000000;
    TRY(kv_batch_create(task->arena, kv_inflight_reader(node->inflight), task->diag, &task->batch));
    evaluation.batch = task->batch;
    evaluation.stamp = hlc_tick(&node->hlc, wall_ms);
    task->result = task->evaluate(task, &evaluation, task->diag);
    task->wants_snapshot = evaluation.wants_snapshot && is_ok(task->result);
    task->object_key = evaluation.object_key;
    if (kv_batch_is_empty(task->batch))
        return OK;
    task->proposed_ns = node->env->ops->monotonic_ns(node->env);
    TRY(encode(node, task, evaluation.stamp));
    return kv_inflight_add(node->inflight, task->batch, index, task->diag);
}

static void evaluate_one(struct node *node, struct node_task *task, uint32_t *collected)
{
    uint64_t next_index = raft_last_index(node->raft) + *collected + 1;
    status_value outcome = evaluate(node, task, next_index);
    bool proposes = is_ok(outcome) && !kv_batch_is_empty(task->batch);
    if (!is_ok(outcome)) {
        task->result = outcome;
        task->wants_snapshot = false;
    }
    task->index = proposes ? next_index : next_index - 1;
    if (proposes)
        node->proposals[(*collected)++] =
            (struct raft_entry){.kind = RAFT_ENTRY_COMMAND, .payload = task->payload};
    node__push(&node->waiting, task);
}

/* Tasks that changed nothing and saw nothing in flight need not wait for anything. */
static void answer_settled(struct node *node)
{
    uint64_t applied = raft_applied_index(node->raft);
    while (node->waiting.head != NULL && node->waiting.head->index <= applied)
        node__answer(node, node__pop(&node->waiting));
}

static bool refuse_when_full(struct node *node, struct node_task *task)
{
    if (!atomic_load(&node->disk_full))
        return false;
    task->result = FAIL(task->diag, NOSPACE,
                        "the disk of this node is nearly full, so writes are refused; reads go on. "
                        "Free some space and try again");
    task->wants_snapshot = false;
    node__answer(node, task);
    return true;
}

static void check_disk(struct node *node)
{
    const uint64_t interval_ns = UINT64_C(1000000000);
    uint64_t now = node->env->ops->monotonic_ns(node->env);
    if (node->disk_checked_ns != 0 && now - node->disk_checked_ns < interval_ns)
        return;
    node->disk_checked_ns = now;
    uint64_t free_bytes = 0;
    if (!is_ok(node->env->ops->disk_free(node->env, node->wal_path, NULL, &free_bytes)))
        return;
    bool full =
        free_bytes < node->options.disk_reserve_bytes ||
        (atomic_load(&node->log_cannot_grow) && wal_capacity(node->wal) < wal_reserve(node->wal));
    if (full != atomic_exchange(&node->disk_full, full))
        LOG(node->log, WARN, full ? "disk.full" : "disk.has_space",
            full ? "writes are refused: the disk is nearly full" : "writes are accepted again",
            U64("free_bytes", free_bytes), U64("reserve_bytes", node->options.disk_reserve_bytes));
}

void node__evaluate_backlog(struct node *node)
{
    uint32_t collected = 0;
    check_disk(node); /* also without work: who waits for readiness must not have to write */
    while (node->backlog.head != NULL && has_room(node, collected)) {
        struct node_task *task = node__pop(&node->backlog);
        if (!refuse_when_full(node, task))
            evaluate_one(node, task, &collected);
    }
    if (collected > 0) {
        const struct raft_event event = {.type = RAFT_EVENT_PROPOSE,
                                         .now_ns = node->env->ops->monotonic_ns(node->env),
                                         .entries = node->proposals,
                                         .entry_count = collected};
        if (!is_ok(node__step(node, &event)))
            node__fail(node, "a proposal was refused although there was room");
    }
    answer_settled(node);
}
