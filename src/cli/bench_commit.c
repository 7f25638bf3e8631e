/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_commit.c - tarn bench commit: append-commits of 1, 16 and 64 clients.
 *
 * A commit's answer carries the whole metadata, so a long history would turn a benchmark of commits
 * into one of bytes (bench history is that one). Tables are therefore left after COMMITS_PER_TABLE
 * commits and a new one is created; creations are not counted as commits, but their time is in the
 * measured seconds. On one table every client races the others: who loses gets 409, loads the table
 * with snapshots=refs and tries again, as engines do.
 */
#include "cli/bench.h"
#include "storage/wal_measure.h"

#include <inttypes.h>
#include <math.h>

enum {
    COMMITS_PER_TABLE = 25,
    COMMITS_PER_SHARED_TABLE = 200,
    WAL_APPENDS = 1000,
    ERRORS_MAX = 100
};

enum client_state { CREATING, COMMITTING, REFRESHING };

struct client {
    enum client_state state;
    struct bench_table table;
    bool has_table;
    int64_t snapshot_id; /* of the commit on its way */
    uint64_t begin_ns;   /* of its first attempt */
};

struct commits {
    struct bench_work work;
    struct bench_target *target;
    bool one_table;
    struct bench_table shared; /* one_table: where everybody commits */
    bool has_shared;
    uint64_t measure_from_ns;
    uint64_t end_ns;
    uint64_t done;
    uint64_t conflicts;
    uint64_t errors;
    struct str first_error;
    struct bench_samples latency_us;
    struct bench_samples server_us;
    struct client clients[BENCH_CLIENTS_MAX];
};

/* Moves a client that has no table, or a worn one, to its next. False: it has to make one. */
static bool has_good_table(struct commits *commits, struct client *client)
{
    if (!commits->one_table)
        return client->has_table && client->table.commits < COMMITS_PER_TABLE;
    if (!commits->has_shared || commits->shared.commits >= COMMITS_PER_SHARED_TABLE)
        return false;
    if (!client->has_table || strcmp(client->table.name, commits->shared.name) != 0)
        client->table = commits->shared;
    client->has_table = true;
    return true;
}

static void write_create(struct commits *commits, struct client *client, struct buf *out)
{
    struct buf body;
    client->state = CREATING;
    (void)snprintf(client->table.name, sizeof client->table.name, "t%s_%" PRIu64,
                   commits->target->bench->run_id, commits->target->bench->tables_made++);
    buf_init(&body, out->arena, 1 << 16);
    bench_create_body(&body, client->table.name);
    bench_request(out, "POST", bench_tables_path(commits->target, out->arena), STR(""),
                  buf_view(&body));
}

static void write_commit(struct commits *commits, struct client *client, struct buf *out)
{
    struct bench *bench = commits->target->bench;
    struct buf body;
    client->state = COMMITTING;
    client->snapshot_id = bench_snapshot_id(&bench->prng);
    buf_init(&body, out->arena, 1 << 16);
    bench_commit_body(&body, &client->table, client->snapshot_id,
                      bench->env->ops->wall_ns(bench->env) / 1000000);
    bench_request(out, "POST",
                  bench_table_path(commits->target, str_from(client->table.name), out->arena),
                  STR(""), buf_view(&body));
}

static void write_refresh(struct commits *commits, struct client *client, struct buf *out)
{
    struct str path = bench_table_path(commits->target, str_from(client->table.name), out->arena);
    struct str query = arena_printf(out->arena, "%.*s?snapshots=refs", STR_ARG(path));
    bench_request(out, "GET", query, STR(""), STR(""));
}

static bool commits_next(struct bench_work *self, size_t index, struct buf *out)
{
    struct commits *commits = CONTAINER_OF(self, struct commits, work);
    struct client *client = &commits->clients[index];
    uint64_t now_ns = bench_now_ns(commits->target->bench);
    if (now_ns >= commits->end_ns || commits->errors >= ERRORS_MAX)
        return false;
    if (client->state == REFRESHING) {
        write_refresh(commits, client, out);
        return true;
    }
    if (!has_good_table(commits, client)) {
        write_create(commits, client, out);
        return true;
    }
    if (client->begin_ns == 0)
        client->begin_ns = now_ns;
    write_commit(commits, client, out);
    return true;
}

static void failed(struct commits *commits, struct client *client,
                   const struct bench_answer *answer)
{
    struct str body = answer->body;
    client->has_table = false;
    client->begin_ns = 0;
    client->state = COMMITTING;
    if (commits->errors++ > 0)
        return;
    commits->first_error = bench_text(commits->target->bench, "HTTP %d %.*s", answer->status_code,
                                      (int)(body.size < 200 ? body.size : 200), body.data);
}

static void created(struct commits *commits, struct client *client,
                    const struct bench_answer *answer)
{
    client->table.commits = 0;
    if (answer->status_code != 200 || !bench_read_table(answer->body, &client->table)) {
        failed(commits, client, answer);
        return;
    }
    client->state = COMMITTING;
    client->has_table = true;
    /* Of several clients that saw the old table worn, the last one's table wins. */
    commits->shared = client->table;
    commits->has_shared = true;
}

static void committed(struct commits *commits, struct client *client,
                      const struct bench_answer *answer)
{
    client->table.parent = client->snapshot_id;
    client->table.sequence++;
    client->table.commits++;
    if (commits->one_table && strcmp(client->table.name, commits->shared.name) == 0)
        commits->shared.commits++;
    if (answer->done_ns >= commits->measure_from_ns && answer->done_ns <= commits->end_ns) {
        commits->done++;
        bench_samples_add(&commits->latency_us, (double)(answer->done_ns - client->begin_ns) / 1e3);
        if (answer->server_ms >= 0)
            bench_samples_add(&commits->server_us, answer->server_ms * 1e3);
    }
    client->begin_ns = 0;
}

static void commits_done(struct bench_work *self, size_t index, const struct bench_answer *answer)
{
    struct commits *commits = CONTAINER_OF(self, struct commits, work);
    struct client *client = &commits->clients[index];
    if (client->state == CREATING) {
        created(commits, client, answer);
    } else if (client->state == REFRESHING) {
        client->state = COMMITTING;
        if (answer->status_code != 200 || !bench_read_table(answer->body, &client->table))
            failed(commits, client, answer);
    } else if (answer->status_code == 200) {
        committed(commits, client, answer);
    } else if (answer->status_code == 409) {
        commits->conflicts += answer->done_ns >= commits->measure_from_ns ? 1 : 0;
        client->state = REFRESHING;
    } else {
        failed(commits, client, answer);
    }
}

status bench_measure_commits(struct bench_target *target, size_t clients, bool one_table,
                             double seconds, struct diag *diag, struct bench_commit_result *out)
{
    struct bench *bench = target->bench;
    struct commits *commits = mem_zalloc(sizeof *commits);
    if (commits == NULL)
        return FAIL(diag, NOMEM, "no memory");
    bench_settle(bench, target->server);
    commits->work = (struct bench_work){commits_next, commits_done};
    commits->target = target;
    commits->one_table = one_table;
    for (size_t i = 0; i < clients; i++)
        commits->clients[i].state = COMMITTING;
    commits->measure_from_ns = bench_now_ns(bench) + (uint64_t)(seconds * 0.2e9);
    commits->end_ns = commits->measure_from_ns + (uint64_t)(seconds * 1e9);
    status_value ran =
        bench_http_run(target->http, &commits->work, clients, bench->deadline_ns, diag);
    *out =
        (struct bench_commit_result){.commits_per_second = (double)commits->done / seconds,
                                     .p50_us = bench_samples_rank(&commits->latency_us, 0.5),
                                     .p99_us = bench_samples_rank(&commits->latency_us, 0.99),
                                     .server_p50_us = bench_samples_rank(&commits->server_us, 0.5),
                                     .conflicts_per_second = (double)commits->conflicts / seconds,
                                     .errors = commits->errors,
                                     .first_error = commits->first_error};
    if (is_ok(ran) && commits->done == 0 && commits->errors > 0)
        ran = FAIL(diag, INVALID, "no commit succeeded: %.*s", STR_ARG(commits->first_error));
    bench_samples_deinit(&commits->latency_us);
    bench_samples_deinit(&commits->server_us);
    mem_free(commits);
    return ran;
}

void bench_record_commits(struct bench *bench, struct str case_name, bool one_table,
                          const struct bench_commit_result *result)
{
    bench_record(bench, case_name, "commits_per_second", result->commits_per_second, "1/s");
    bench_record(bench, case_name, "latency_p50", result->p50_us, "us");
    bench_record(bench, case_name, "latency_p99", result->p99_us, "us");
    bench_record(bench, case_name, "server_p50", result->server_p50_us, "us");
    if (one_table)
        bench_record(bench, case_name, "conflicts_per_second", result->conflicts_per_second, "1/s");
    if (result->errors > 0) {
        bench_record(bench, case_name, "errors", (double)result->errors, "1");
        fprintf(bench->cli->err, "%.*s: %" PRIu64 " errors, the first: ", STR_ARG(case_name),
                result->errors);
        print_safe(bench->cli->err, result->first_error);
        fputc('\n', bench->cli->err);
    }
}

/*
 * The floor: bare durable appends on the same disk, half of them right before and half right after
 * the commits that they are compared with. Adds a half of the median to *floor_us.
 */
static status add_floor(struct bench *bench, struct diag *diag, double *floor_us)
{
    struct wal_measured measured;
    bench_progress(bench, "bare log appends");
    TRY(wal_measure(bench->env, bench->folder, bench->quick ? 100 : WAL_APPENDS, diag, &measured));
    *floor_us += (double)measured.p50_ns / 2e3;
    return OK;
}

static status measure_case(struct bench_target *target, const char *publish, size_t clients,
                           bool one_table, struct diag *diag)
{
    struct bench *bench = target->bench;
    struct bench_commit_result result;
    double floor_us = 0;
    struct str name =
        bench_text(bench, "%s, %zu client%s, %s", publish, clients, clients == 1 ? "" : "s",
                   one_table ? "one table" : "distinct tables");
    bool compared = clients == 1 && !one_table && target->server->pid != 0;
    bench_settle(bench, target->server);
    if (compared)
        TRY(add_floor(bench, diag, &floor_us));
    bench_progress(bench, "%.*s", STR_ARG(name));
    TRY(bench_measure_commits(target, clients, one_table, bench->seconds, diag, &result));
    bench_record_commits(bench, name, one_table, &result);
    if (!compared)
        return OK;
    bench_settle(bench, target->server);
    TRY(add_floor(bench, diag, &floor_us));
    bench_record(bench, name, "bare_log_append_p50", floor_us, "us");
    bench_record(bench, name, "commit_p50_over_wal", result.p50_us / floor_us, "ratio");
    return OK;
}

static status measure_warehouse(struct bench *bench, struct bench_server *server,
                                const char *warehouse, struct diag *diag)
{
    static const size_t clients[] = {1, 16, 64};
    const char *publish = warehouse == NULL ? "default warehouse" : warehouse;
    struct bench_target target;
    status_value result = OK;
    TRY(bench_target_open(bench, server, warehouse, 64, diag, &target));
    for (uint32_t round = 0; round < bench->repeat && is_ok(result); round++) {
        for (size_t i = 0; i < COUNTOF(clients) * 2 && is_ok(result); i++)
            result = measure_case(&target, publish, clients[i / 2], i % 2 == 1, diag);
    }
    bench_target_close(&target);
    return result;
}

int bench_commit(struct bench *bench)
{
    struct bench_server server;
    struct diag diag = {.count = 0};
    status_value result = bench_open_server(bench, &diag, &server);
    if (!is_ok(result))
        return bench_failed(bench, result, &diag);
    if (server.pid == 0) {
        result = measure_warehouse(bench, &server, args_get(bench->cli->args, "warehouse"), &diag);
    } else {
        result = measure_warehouse(bench, &server, "async", &diag);
        if (is_ok(result))
            result = measure_warehouse(bench, &server, "sync", &diag);
    }
    bench_stop(bench, &server);
    return is_ok(result) ? CLI_OK : bench_failed(bench, result, &diag);
}
