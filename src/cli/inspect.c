/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inspect.c - opening a node's folder, and tarn inspect wal and snapshot.
 */
#include "cli/inspect.h"

#include "base/timefmt.h"
#include "base/uuid.h"
#include "cli/args.h"
#include "kv/kv.h"
#include "raft/raft.h"
#include "storage/snapshot.h"
#include "storage/wal.h"

#include <inttypes.h>
#include <stdlib.h>

enum { IDENTITY_MAX = 4096, ENTRIES_SHOWN = 20 };

static status read_identity(struct inspect *inspect, struct diag *diag)
{
    struct cli *cli = inspect->cli;
    struct env_file *file = NULL;
    struct json_limits limits = json_limits_document();
    const struct json *json = NULL;
    struct str cluster = STR("");
    size_t size = 0;
    char *text = arena_alloc(cli->arena, IDENTITY_MAX);
    struct str path = arena_printf(cli->arena, "%s/node.json", inspect->data);
    if (text == NULL || path.data == NULL)
        return FAIL(diag, NOMEM, "no memory");
    TRY(inspect->env->ops->file_open(inspect->env, path.data, 0, diag, &file));
    status_value result =
        inspect->env->ops->file_read(inspect->env, file, 0, text, IDENTITY_MAX, diag, &size);
    inspect->env->ops->file_close(inspect->env, file);
    TRY(result);
    TRY(json_parse(cli->arena, (struct str){text, size}, &limits, diag, &json));
    if (!json_as_u64(json_get(json, "node-id"), &inspect->node_id) ||
        !json_as_str(json_get(json, "cluster-id"), &cluster) || cluster.size != UUID_TEXT_SIZE)
        return FAIL(diag, CORRUPT, "%s says no node-id and cluster-id", path.data);
    memcpy(inspect->cluster_id, cluster.data, UUID_TEXT_SIZE);
    inspect->cluster_id[UUID_TEXT_SIZE] = 0;
    return OK;
}

static status open_folder(struct inspect *inspect, struct diag *diag)
{
    struct arena *arena = inspect->cli->arena;
    inspect->wal = arena_printf(arena, "%s/wal", inspect->data).data;
    inspect->state = arena_printf(arena, "%s/state", inspect->data).data;
    inspect->snapshots = arena_printf(arena, "%s/snapshots", inspect->data).data;
    struct str lock = arena_printf(arena, "%s/lock", inspect->data);
    status_value identity = read_identity(inspect, diag);
    if (identity.code == STATUS_NOT_FOUND)
        (void)FAIL(diag, NOT_FOUND, "give the folder that `tarn serve --data` was given");
    TRY(identity);
    status_value locked =
        inspect->env->ops->file_lock(inspect->env, lock.data, diag, &inspect->lock);
    if (locked.code == STATUS_UNAVAILABLE)
        (void)FAIL(diag, UNAVAILABLE,
                   "a node is running on this folder: stop it first, or ask it "
                   "(its /metrics, `tarn table`, `tarn find`)");
    return locked;
}

int inspect_open(struct cli *cli, struct inspect *out)
{
    struct diag diag = {.count = 0};
    *out = (struct inspect){.cli = cli, .data = args_get(cli->args, "data")};
    if (out->data == NULL)
        out->data = getenv("TARN_DATA");
    if (out->data == NULL)
        return print_problem(cli, CLI_USAGE, "no data folder is given", NULL,
                             "say which: --data DIR");
    readonly_env_init(&out->readonly, cli->env);
    out->env = &out->readonly.env;
    status_value opened = open_folder(out, &diag);
    return is_ok(opened) ? CLI_OK : print_status(cli, opened, &diag, NULL);
}

void inspect_close(struct inspect *inspect)
{
    if (inspect->lock != NULL)
        inspect->env->ops->file_close(inspect->env, inspect->lock);
    inspect->lock = NULL;
}

/* --- the log --- */

struct entry_list {
    struct cli *cli;
    struct print_table table;
    uint64_t from;
};

static const char *kind_name(uint8_t kind)
{
    switch ((enum raft_entry_kind)kind) {
    case RAFT_ENTRY_NOOP: return "no-op";
    case RAFT_ENTRY_COMMAND: return "write";
    case RAFT_ENTRY_CONFIG: return "config";
    }
    return "unknown";
}

static status visit_entry(void *context, const struct wal_record *entry, struct diag *diag)
{
    struct entry_list *list = context;
    struct arena *arena = list->cli->arena;
    struct kv_payload payload;
    struct str stamp = {NULL, 0};
    struct str writes = {NULL, 0};
    char time[TIMEFMT_SIZE];
    if (entry->entry_kind == RAFT_ENTRY_COMMAND && entry->payload.size > 0) {
        TRY(kv_payload_open(entry->payload, diag, &payload));
        timefmt_iso_ms(hlc_ms(payload.stamp), time);
        stamp = arena_printf(arena, "%.23sZ", time);
        writes = arena_printf(arena, "%" PRIu64, payload.left);
    }
    const struct str cells[6] = {arena_printf(arena, "%" PRIu64, entry->index),
                                 arena_printf(arena, "%" PRIu64, entry->term),
                                 str_from(kind_name(entry->entry_kind)),
                                 stamp,
                                 writes,
                                 arena_printf(arena, "%zu", entry->payload.size)};
    table_row(&list->table, cells);
    return OK;
}

static void print_log_state(struct cli *cli, const struct inspect *inspect, const struct wal *wal)
{
    struct wal_state state = wal_state(wal);
    struct wal_stats stats = wal_stats(wal);
    fprintf(cli->out,
            "cluster %s, node %" PRIu64 "\nterm %" PRIu64 ", entries %" PRIu64 " to %" PRIu64
            ", snapshot at %" PRIu64 "\n%" PRIu64 " segments%s\n\n",
            inspect->cluster_id, inspect->node_id, state.term, state.first_index, state.last_index,
            state.snapshot_index, stats.segments,
            stats.torn_tail ? ", an unfinished frame at the end (the next start cuts it)" : "");
}

static status show_log(struct inspect *inspect, uint64_t limit, struct diag *diag)
{
    static const char *const titles[] = {"#index", "#term", "kind", "stamp", "#writes", "#bytes"};
    struct wal_options options = {.node_id = inspect->node_id};
    struct entry_list list = {.cli = inspect->cli};
    struct uuid cluster;
    struct wal *wal = NULL;
    if (!uuid_parse(str_from(inspect->cluster_id), &cluster))
        return FAIL(diag, CORRUPT, "the folder's cluster-id is no UUID");
    memcpy(options.cluster_id, cluster.bytes, WAL_CLUSTER_ID_SIZE);
    TRY(wal_open(inspect->env, inspect->wal, &options, diag, &wal));
    struct wal_state state = wal_state(wal);
    uint64_t from = state.last_index >= limit ? state.last_index - limit + 1 : 1;
    table_init(&list.table, inspect->cli, titles, 6);
    status_value read = wal_read(wal, from, visit_entry, &list, diag);
    if (is_ok(read) && inspect->cli->format == CLI_TABLE)
        print_log_state(inspect->cli, inspect, wal);
    wal_close(wal);
    TRY(read);
    (void)table_print(&list.table);
    return OK;
}

int cli_inspect_wal(struct cli *cli)
{
    struct inspect inspect;
    struct diag diag = {.count = 0};
    uint64_t limit = ENTRIES_SHOWN;
    status_value shown = args_u64(cli->args, "limit", &diag, &limit);
    if (!is_ok(shown))
        return print_status(cli, shown, &diag, NULL);
    int exit_code = inspect_open(cli, &inspect);
    if (exit_code != CLI_OK)
        return exit_code;
    shown = show_log(&inspect, limit, &diag);
    inspect_close(&inspect);
    return is_ok(shown) ? CLI_OK : print_status(cli, shown, &diag, NULL);
}

/* --- snapshots --- */

static void snapshot_row(struct inspect *inspect, struct print_table *table,
                         const struct snapshot_ref *ref)
{
    struct arena *arena = inspect->cli->arena;
    struct snapshot snapshot;
    struct diag diag = {.count = 0};
    uint64_t bytes = 0;
    status_value opened =
        snapshot_open(inspect->env, arena, inspect->snapshots, ref->name, &diag, &snapshot);
    if (is_ok(opened))
        opened = snapshot_verify(inspect->env, inspect->snapshots, &snapshot, &diag);
    struct str cells[6] = {str_from(ref->name),
                           arena_printf(arena, "%" PRIu64, ref->index),
                           arena_printf(arena, "%" PRIu64, ref->term),
                           {NULL, 0},
                           {NULL, 0},
                           STR("verified")};
    if (is_ok(opened)) {
        for (size_t i = 0; i < snapshot.file_count; i++)
            bytes += snapshot.files[i].size_bytes;
        cells[3] = arena_printf(arena, "%" PRIu64, snapshot.meta.row_count);
        cells[4] = arena_printf(arena, "%" PRIu64, bytes);
    } else {
        cells[5] = arena_copy(arena, str_from(diag_message(&diag, opened.code)));
    }
    table_row(table, cells);
}

int cli_inspect_snapshot(struct cli *cli)
{
    static const char *const titles[] = {"snapshot", "#index", "#term",
                                         "#rows",    "#bytes", "checksums"};
    struct inspect inspect;
    struct print_table table;
    struct snapshot_ref *refs = NULL;
    struct diag diag = {.count = 0};
    size_t count = 0;
    int exit_code = inspect_open(cli, &inspect);
    if (exit_code != CLI_OK)
        return exit_code;
    status_value listed =
        snapshot_list(inspect.env, cli->arena, inspect.snapshots, &diag, &refs, &count);
    table_init(&table, cli, titles, 6);
    for (size_t i = 0; is_ok(listed) && i < count; i++)
        snapshot_row(&inspect, &table, &refs[i]);
    inspect_close(&inspect);
    return is_ok(listed) ? table_print(&table) : print_status(cli, listed, &diag, NULL);
}
