/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node_apply.c - committed entries into the state, and answers to whoever waits for them.
 *
 * Entries are applied in groups, one state transaction each. A group ends before an entry whose
 * task works on an object that an earlier task of the group wants to answer about, so each answer
 * shows exactly the state its own entry made.
 */
#include "node/node_internal.h"

enum { GROUP_KEYS_MAX = 64 };
struct group_keys {
    uint64_t keys[GROUP_KEYS_MAX];
    size_t count;
};

static bool has_key(const struct group_keys *group, uint64_t key)
{
    for (size_t i = 0; i < group->count; i++)
        if (group->keys[i] == key)
            return true;
    return false;
}

/*
 * The last entry of the group that begins at `first`. Only an entry changes the state, so only an
 * entry can end a group; a task without one (it changed nothing) answers from the state of the
 * entry before it.
 */
static uint64_t conflict_free_end(const struct node *node, uint64_t first, uint64_t last)
{
    struct group_keys group = {.count = 0};
    for (const struct node_task *task = node->waiting.head; task != NULL && task->index <= last;
         task = task->next) {
        bool has_entry = task->payload.size > 0;
        if (task->index < first || task->object_key == 0)
            continue;
        if (has_entry && has_key(&group, task->object_key))
            return task->index - 1;
        if (!task->wants_snapshot || has_key(&group, task->object_key))
            continue;
        if (group.count == GROUP_KEYS_MAX)
            return has_entry ? task->index - 1 : task->index;
        group.keys[group.count++] = task->object_key;
    }
    return last;
}

status_value node__renew_base(struct node *node)
{
    struct kv_snapshot *fresh;
    TRY(kv_store_snapshot(node->store, &node->diag, &fresh));
    kv_inflight_set_base(node->inflight, &fresh->reader);
    kv_snapshot_close(node->base);
    node->base = fresh;
    return OK;
}

static size_t collect(struct node *node, uint64_t first, uint64_t last)
{
    size_t count = 0;
    for (uint64_t index = first; index <= last && count < NODE_APPLY_MAX; index++) {
        const struct raft_entry *entry = raft_entry_at(node->raft, index);
        ASSERT(entry != NULL);
        struct str payload =
            entry->kind == RAFT_ENTRY_COMMAND ? entry->payload : (struct str){"", 0};
        node->applies[count++] = (struct kv_entry){index, entry->term, payload};
    }
    return count;
}

/* Indices of LABEL_PROPOSAL_RESULT. */
enum proposal_result { PROPOSAL_APPLIED, PROPOSAL_DROPPED, PROPOSAL_UNKNOWN };

static void count_proposal(struct node *node, const struct node_task *task)
{
    bool unknown = task->result.code == STATUS_COMMIT_UNKNOWN;
    enum proposal_result result = unknown ? PROPOSAL_UNKNOWN : PROPOSAL_APPLIED;
    metric_add(node->metrics, METRIC_RAFT_PROPOSALS, metric_labels((uint32_t)result, 0, 0), 1);
    metric_observe_ns(node->metrics, METRIC_RAFT_COMMIT_DURATION, metric_labels(0, 0, 0),
                      node->env->ops->monotonic_ns(node->env) - task->proposed_ns);
}

void node__answer(struct node *node, struct node_task *task)
{
    struct kv_snapshot *snapshot = NULL;
    if (task->wants_snapshot && is_ok(task->result))
        if (!is_ok(kv_store_snapshot(node->store, task->diag, &snapshot)))
            task->result = FAIL(task->diag, COMMIT_UNKNOWN,
                                "the commit was applied, but its answer could not be read");
    if (task->payload.size > 0)
        count_proposal(node, task);
    atomic_fetch_sub(&node->task_count, 1);
    task->done(task, task->result, snapshot);
}

static void answer_through(struct node *node, uint64_t index)
{
    while (node->waiting.head != NULL && node->waiting.head->index <= index)
        node__answer(node, node__pop(&node->waiting));
}

static status_value apply_group(struct node *node, uint64_t first, uint64_t last,
                                uint64_t *out_last)
{
    size_t count = collect(node, first, last);
    uint64_t end = first + count - 1;
    const struct raft_event event = {.type = RAFT_EVENT_APPLIED,
                                     .now_ns = node->env->ops->monotonic_ns(node->env),
                                     .index = end};
    struct raft_update update;
    uint64_t begin = node->env->ops->monotonic_ns(node->env);
    TRY(kv_store_apply(node->store, node->applies, count, &node->diag));
    metric_observe_ns(node->metrics, METRIC_RAFT_APPLY_DURATION, metric_labels(0, 0, 0),
                      node->env->ops->monotonic_ns(node->env) - begin);
    TRY(node__renew_base(node));
    kv_inflight_release(node->inflight, end);
    TRY(raft_step(node->raft, &event, &node->diag, &update));
    /* Applying alone never makes new work: it only lets the core forget. */
    ASSERT(update.append.sequence == 0 && update.apply.first > update.apply.last);
    answer_through(node, end);
    *out_last = end;
    return OK;
}

status_value node__apply(struct node *node, uint64_t first, uint64_t last)
{
    for (uint64_t at = first; at <= last;) {
        uint64_t end = conflict_free_end(node, at, last);
        ASSERT(end >= at);
        TRY(apply_group(node, at, end, &end));
        at = end + 1;
    }
    struct node_listener *listener = atomic_load(&node->listener);
    if (listener != NULL)
        listener->applied(listener);
    return OK;
}
