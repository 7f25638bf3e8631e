/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node_snapshot.c - durable copies of the applied state, taken while writes go on.
 *
 * One thread lives as long as one snapshot: it copies the state under a read transaction, makes the
 * copy durable, removes old ones and reports to the core, which then lets the log forget. Two
 * snapshots are kept and the log is cut only behind the older one, so a damaged newest snapshot
 * still leaves a way back.
 */
#include "base/uuid.h"
#include "node/node_internal.h"
#include "storage/lmdb_store.h"
#include "storage/snapshot.h"

enum { SNAPSHOTS_KEPT = 2, ARENA_MAX_BYTES = 256 << 20 };

static status_value copy_state(void *context, const char *folder, struct diag *diag,
                               struct kv_meta *out_meta)
{
    struct node *node = context;
    struct arena arena;
    arena_init(&arena, allocator_heap(), 1 << 16);
    struct str path = arena_printf(&arena, "%s/data.mdb", folder);
    status_value result = path.data == NULL
                              ? FAIL(diag, NOMEM, "could not allocate a path")
                              : lmdb_store_copy(node->store, path.data, diag, out_meta);
    arena_deinit(&arena);
    return result;
}

static status_value take(struct node *node, struct diag *diag, struct kv_meta *out)
{
    struct snapshot taken;
    struct uuid cluster;
    struct arena arena;
    bool parsed = uuid_parse(str_from(node->identity.cluster_id), &cluster);
    ASSERT(parsed);
    arena_init(&arena, allocator_heap(), ARENA_MAX_BYTES);
    status_value result = snapshot_take(node->env, &arena, node->snapshots_path, cluster.bytes,
                                        STR(""), copy_state, node, diag, &taken);
    if (is_ok(result))
        result = snapshot_keep(node->env, node->snapshots_path, SNAPSHOTS_KEPT, diag);
    if (is_ok(result))
        *out = taken.meta;
    arena_deinit(&arena);
    return result;
}

static void *snapshot_main(void *argument)
{
    struct node *node = argument;
    struct kv_meta meta = {0};
    struct diag diag = {0};
    uint64_t begin = node->env->ops->monotonic_ns(node->env);
    status_value result = take(node, &diag, &meta);
    uint64_t took = node->env->ops->monotonic_ns(node->env) - begin;
    metric_observe_ns(node->metrics, METRIC_SNAPSHOT_DURATION,
                      metric_labels(is_ok(result) ? 0 : 1, 0, 0), took);
    if (is_ok(result)) {
        metric_set(node->metrics, METRIC_SNAPSHOT_LAST_SUCCESS, metric_labels(0, 0, 0),
                   (int64_t)node->env->ops->wall_ns(node->env));
        LOG(node->log, INFO, "snapshot.taken", "a snapshot of the state is durable",
            U64("index", meta.applied_index), NS("took", took));
    } else {
        LOG(node->log, WARN, "snapshot.failed", "the state could not be copied; trying again later",
            CSTR("why", diag_message(&diag, result.code)));
    }
    pthread_mutex_lock(&node->core.lock);
    node->core.snapshot_finished = true;
    node->core.snapshot_index = is_ok(result) ? meta.applied_index : 0;
    node->core.snapshot_term = meta.applied_term;
    pthread_cond_signal(&node->core.wake);
    pthread_mutex_unlock(&node->core.lock);
    return NULL;
}

void node__maybe_snapshot(struct node *node)
{
    uint64_t bytes = atomic_load(&node->log_bytes_since_snapshot);
    if (node->snapshot_running || bytes < node->options.snapshot_after_bytes)
        return;
    /* Also after a failure: the next attempt waits for as much log again. */
    atomic_fetch_sub(&node->log_bytes_since_snapshot, bytes);
    if (pthread_create(&node->snapshot_thread, NULL, snapshot_main, node) == 0)
        node->snapshot_running = true;
}
