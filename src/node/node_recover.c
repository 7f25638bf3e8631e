/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node_recover.c - from what is on disk to a consensus core that is ready to start.
 *
 * The folder of a node:
 *   lock          held while the node runs
 *   node.json     {"format":1,"cluster-id","node-id","initialized"}: true once there is a log
 *   wal/          the truth, together with
 *   snapshots/    durable states at some index
 *   state/        the applied state: a cache, thrown away when another boot left it unclean
 *
 * R1  The state is used only if it is trusted and the log continues it without a gap; else it is
 *     rebuilt from the newest valid snapshot and the log, or, when neither reaches back far enough,
 *     the node refuses to start.
 * R2  A group of one is its own majority: every durable entry is committed, so recovery applies all
 *     of them.
 */
#include "base/json.h"
#include "base/uuid.h"
#include "node/node_internal.h"
#include "storage/lmdb_store.h"
#include "storage/snapshot.h"

#include <inttypes.h>

enum { RECOVER_CHUNK_BYTES = 16 << 20, IDENTITY_MAX_BYTES = 4096 };

static char *join(const char *folder, const char *name, struct diag *diag)
{
    size_t left = strlen(folder);
    size_t right = strlen(name);
    char *path = mem_alloc(left + right + 2);
    if (path == NULL) {
        (void)!is_ok(FAIL(diag, NOMEM, "could not allocate a path"));
        return NULL;
    }
    memcpy(path, folder, left);
    path[left] = '/';
    memcpy(path + left + 1, name, right + 1);
    return path;
}

/* --- node.json --- */

static status_value write_identity(struct node *node, const char *folder, bool initialized,
                                   struct arena *arena, struct diag *diag)
{
    const struct env_ops *ops = node->env->ops;
    struct env_file *file;
    char *temporary = join(folder, "node.json.new", diag);
    char *path = join(folder, "node.json", diag);
    struct str text = arena_printf(
        arena, "{\"format\":1,\"cluster-id\":\"%s\",\"node-id\":%" PRIu64 ",\"initialized\":%s}\n",
        node->identity.cluster_id, node->identity.node_id, initialized ? "true" : "false");
    status_value result = OK;
    if (temporary == NULL || path == NULL || text.data == NULL)
        TRY_OUT(result, FAIL(diag, NOMEM, "could not write node.json: no memory"));
    TRY_OUT(result,
            ops->file_open(node->env, temporary, ENV_OPEN_CREATE | ENV_OPEN_WRITE, diag, &file));
    result = ops->file_truncate(node->env, file, 0, diag);
    if (is_ok(result))
        result = ops->file_write(node->env, file, 0, text.data, text.size, diag);
    if (is_ok(result))
        result = ops->file_sync(node->env, file, diag);
    ops->file_close(node->env, file);
    if (is_ok(result))
        result = ops->rename(node->env, temporary, path, diag);
    if (is_ok(result))
        result = ops->dir_sync(node->env, folder, diag);
out:
    mem_free(temporary);
    mem_free(path);
    return result;
}

static status_value parse_identity(struct node *node, struct str text, struct arena *arena,
                                   struct diag *diag, bool *out_initialized)
{
    const struct json *json;
    struct json_limits limits = json_limits_document();
    struct str cluster;
    int64_t format;
    struct uuid uuid;
    status_value result = json_parse(arena, text, &limits, NULL, &json);
    if (!is_ok(result) || !is_ok(json_need_i64(json, "format", "node.json", NULL, &format)) ||
        !is_ok(json_need_str(json, "cluster-id", "node.json", NULL, &cluster)) ||
        !uuid_parse(cluster, &uuid) ||
        !json_as_u64(json_get(json, "node-id"), &node->identity.node_id) ||
        !json_as_bool(json_get(json, "initialized"), out_initialized))
        return FAIL(diag, CORRUPT,
                    "node.json is damaged; restore it from a backup of the data folder");
    if (format != 1)
        return FAIL(diag, INVALID, "the data folder has format %" PRId64 "; this version reads 1",
                    format);
    memcpy(node->identity.cluster_id, cluster.data, cluster.size);
    node->identity.cluster_id[cluster.size] = '\0';
    return OK;
}

static status_value read_identity(struct node *node, const char *folder, struct arena *arena,
                                  struct diag *diag, bool *out_initialized)
{
    const struct env_ops *ops = node->env->ops;
    struct env_file *file;
    size_t size = 0;
    char *path = join(folder, "node.json", diag);
    char *text = arena_alloc(arena, IDENTITY_MAX_BYTES);
    status_value result = OK;
    if (path == NULL || text == NULL)
        TRY_OUT(result, FAIL(diag, NOMEM, "could not read node.json: no memory"));
    TRY_OUT(result, ops->file_open(node->env, path, 0, diag, &file));
    result = ops->file_read(node->env, file, 0, text, IDENTITY_MAX_BYTES, diag, &size);
    ops->file_close(node->env, file);
    if (is_ok(result))
        result = parse_identity(node, (struct str){text, size}, arena, diag, out_initialized);
out:
    mem_free(path);
    return result;
}

static status_value find_identity(struct node *node, const char *folder, struct arena *arena,
                                  struct diag *diag, bool *out_initialized)
{
    struct diag absent = {0};
    status_value result = read_identity(node, folder, arena, &absent, out_initialized);
    if (is_ok(result))
        return OK;
    if (result.code != STATUS_NOT_FOUND)
        return FAIL(diag, CORRUPT, "%s", diag_message(&absent, result.code));
    struct uuid uuid = uuid_v4(&node->prng);
    uuid_format(uuid, node->identity.cluster_id);
    node->identity.cluster_id[UUID_TEXT_SIZE] = '\0';
    node->identity.node_id = prng_u64(&node->prng) >> 1 | 1;
    *out_initialized = false;
    return write_identity(node, folder, false, arena, diag);
}

/* --- the state --- */

static status_value restore_state(struct node *node, const char *name,
                                  const struct lmdb_store_options *options, struct arena *arena,
                                  struct diag *diag)
{
    struct snapshot snapshot;
    TRY(snapshot_open(node->env, arena, node->snapshots_path, name, diag, &snapshot));
    TRY(snapshot_verify(node->env, node->snapshots_path, &snapshot, diag));
    struct str path = snapshot_path(arena, node->snapshots_path, &snapshot, 0);
    if (path.data == NULL)
        return FAIL(diag, NOMEM, "could not allocate a path");
    TRY(lmdb_store_restore(node->env, path.data, node->state_path, options, allocator_heap(), diag,
                           &node->store));
    LOG(node->log, INFO, "state.rebuild", "the state is rebuilt from a snapshot and the log",
        U64("snapshot_index", snapshot.meta.applied_index));
    return OK;
}

static status_value open_fresh_state(struct node *node, const struct lmdb_store_options *options,
                                     struct arena *arena, struct diag *diag)
{
    struct snapshot_ref *refs;
    size_t count;
    TRY(lmdb_store_remove(node->env, node->state_path, diag));
    TRY(snapshot_list(node->env, arena, node->snapshots_path, diag, &refs, &count));
    for (size_t i = 0; i < count; i++) {
        struct diag story = {0};
        status_value result = restore_state(node, refs[i].name, options, arena, &story);
        if (is_ok(result))
            return OK;
        LOG(node->log, WARN, "snapshot.damaged", "a snapshot cannot be used; trying the one before",
            CSTR("snapshot", refs[i].name), CSTR("why", diag_message(&story, result.code)));
        TRY(lmdb_store_remove(node->env, node->state_path, diag));
    }
    struct lmdb_store_options create = *options;
    create.create = true;
    return lmdb_store_open(node->env, node->state_path, &create, allocator_heap(), diag,
                           &node->store);
}

static status_value open_state(struct node *node, struct arena *arena, struct diag *diag)
{
    struct lmdb_store_options options = {.map_size_bytes = node->options.map_size_bytes};
    struct diag story = {0};
    TRY(node->env->ops->boot_id(node->env, arena, diag, &options.boot_id));
    status_value result = lmdb_store_open(node->env, node->state_path, &options, allocator_heap(),
                                          &story, &node->store);
    if (is_ok(result))
        return OK;
    if (result.code != STATUS_NOT_FOUND && result.code != STATUS_CORRUPT) {
        *diag = story;
        return result;
    }
    if (result.code == STATUS_CORRUPT)
        LOG(node->log, WARN, "state.untrusted", "the state is not trusted and will be rebuilt",
            CSTR("why", diag_message(&story, result.code)));
    return open_fresh_state(node, &options, arena, diag);
}

/* --- the log --- */

static status_value open_log(struct node *node, bool initialized, struct diag *diag)
{
    struct wal_options options = {.create = !initialized,
                                  .segment_size_bytes = node->options.segment_size_bytes,
                                  .node_id = node->identity.node_id};
    struct uuid cluster;
    bool parsed = uuid_parse(str_from(node->identity.cluster_id), &cluster);
    ASSERT(parsed);
    memcpy(options.cluster_id, cluster.bytes, WAL_CLUSTER_ID_SIZE);
    status_value result = wal_open(node->env, node->wal_path, &options, diag, &node->wal);
    if (result.code != STATUS_NOT_FOUND)
        return result;
    diag_reset(diag); /* "no such log" is not the story */
    return FAIL(diag, CORRUPT,
                "the write-ahead log is gone although this node has run before; restore the data "
                "folder from a backup");
}

static status_value check_continuity(const struct node *node, struct wal_state log,
                                     struct kv_meta state, struct diag *diag)
{
    if (state.applied_index > log.last_index)
        return FAIL(diag, CORRUPT,
                    "the state has applied entry %" PRIu64 " but the log ends at %" PRIu64
                    ": acknowledged writes are missing from %s; restore it from a backup",
                    state.applied_index, log.last_index, node->wal_path);
    if (log.first_index > state.applied_index + 1)
        return FAIL(diag, CORRUPT,
                    "the state ends at entry %" PRIu64 " but the log begins at %" PRIu64
                    ", and no snapshot lies between them; restore the data folder from a backup",
                    state.applied_index, log.first_index);
    return OK;
}

/* Entries on their way from the log into the state. */
struct replay {
    struct node *node;
    struct arena arena;
    size_t count;
    size_t bytes;
};

static status_value flush(struct replay *replay, struct diag *diag)
{
    struct node *node = replay->node;
    if (replay->count == 0)
        return OK;
    TRY(kv_store_apply(node->store, node->applies, replay->count, diag));
    TRY(raft_restore_applied(node->raft, node->applies[replay->count - 1].index, diag));
    arena_reset(&replay->arena);
    replay->count = 0;
    replay->bytes = 0;
    return OK;
}

static status_value visit(void *context, const struct wal_record *record, struct diag *diag)
{
    struct replay *replay = context;
    struct str payload = arena_copy(&replay->arena, record->payload);
    if (payload.data == NULL)
        return FAIL(diag, NOMEM, "could not replay the log: no memory");
    const struct raft_entry entry = {.index = record->index,
                                     .term = record->term,
                                     .kind = (enum raft_entry_kind)record->entry_kind,
                                     .payload = payload};
    TRY(raft_restore_entry(replay->node->raft, &entry, diag));
    bool is_command = entry.kind == RAFT_ENTRY_COMMAND;
    replay->node->applies[replay->count++] =
        (struct kv_entry){entry.index, entry.term, is_command ? payload : (struct str){"", 0}};
    replay->bytes += payload.size;
    if (replay->count < NODE_APPLY_MAX && replay->bytes < RECOVER_CHUNK_BYTES)
        return OK;
    return flush(replay, diag);
}

static status_value replay_log(struct node *node, struct diag *diag)
{
    struct wal_state log = wal_state(node->wal);
    struct kv_meta state = kv_store_meta(node->store);
    struct replay replay = {.node = node};
    TRY(check_continuity(node, log, state, diag));
    TRY(raft_restore(node->raft, (struct raft_hard_state){log.term, log.vote}, state.applied_index,
                     state.applied_term, diag));
    arena_init(&replay.arena, allocator_heap(), SIZE_MAX / 2);
    status_value result = wal_read(node->wal, state.applied_index + 1, visit, &replay, diag);
    if (is_ok(result))
        result = flush(&replay, diag);
    arena_deinit(&replay.arena);
    if (is_ok(result) && log.last_index > state.applied_index)
        LOG(node->log, INFO, "log.replayed", "the log was replayed into the state",
            U64("from", state.applied_index + 1), U64("to", log.last_index));
    return result;
}

static status_value create_core(struct node *node, struct diag *diag)
{
    struct raft_options options = {.id = node->identity.node_id,
                                   .voters = &node->identity.node_id,
                                   .voter_count = 1,
                                   .entries_max = NODE_ENTRIES_MAX,
                                   .unapplied_bytes_max = node->options.inflight_bytes_max,
                                   .reads_max = 1024,
                                   .election_timeout_ns = UINT64_C(200000000),
                                   .random_seed = prng_u64(&node->prng)};
    return raft_create(allocator_heap(), &options, diag, &node->raft);
}

static status_value open_folder(struct node *node, const char *folder, struct diag *diag)
{
    char *lock_path = join(folder, "lock", diag);
    node->wal_path = join(folder, "wal", diag);
    node->state_path = join(folder, "state", diag);
    node->snapshots_path = join(folder, "snapshots", diag);
    status_value result = OK;
    if (lock_path == NULL || node->wal_path == NULL || node->state_path == NULL ||
        node->snapshots_path == NULL)
        TRY_OUT(result, FAIL(diag, NOMEM, "could not allocate paths"));
    TRY_OUT(result, node->env->ops->mkdir(node->env, folder, diag));
    result = node->env->ops->file_lock(node->env, lock_path, diag, &node->lock_file);
out:
    mem_free(lock_path);
    return result;
}

static status_value recover(struct node *node, const char *folder, struct arena *arena,
                            struct diag *diag)
{
    bool initialized = false;
    TRY(open_folder(node, folder, diag));
    TRY(find_identity(node, folder, arena, diag, &initialized));
    TRY(snapshot_start(node->env, node->snapshots_path, diag));
    TRY(open_log(node, initialized, diag));
    if (!initialized)
        TRY(write_identity(node, folder, true, arena, diag));
    TRY(open_state(node, arena, diag));
    TRY(create_core(node, diag));
    TRY(replay_log(node, diag));
    node->hlc.last = kv_store_meta(node->store).stamp.value;
    node->snapshot_index = wal_state(node->wal).snapshot_index;
    atomic_store(&node->snapshot_index_shared, node->snapshot_index);
    return node__renew_base(node);
}

status_value node__recover(struct node *node, struct diag *diag)
{
    struct arena arena;
    enum { ARENA_MAX_BYTES = 64 << 20 };
    arena_init(&arena, allocator_heap(), ARENA_MAX_BYTES);
    struct str folder = arena_copy(&arena, node->options.data_dir);
    status_value result = folder.data == NULL ? FAIL(diag, NOMEM, "could not allocate paths")
                                              : recover(node, folder.data, &arena, diag);
    arena_deinit(&arena);
    return result;
}
