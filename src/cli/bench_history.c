/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_history.c - tarn bench history: does a commit cost more on a table with a long history?
 *
 * One client, one commit at a time, the tables taken in random order so that what one commit leaves
 * behind disturbs all sizes alike; before each one it waits for PAUSE_MS, and then until the
 * metadata.json of the last one is written. The cost is the server's own time from the request read
 * to durable and applied (`server-timing: commit`); the whole request carries the metadata, so it
 * is compared with the same bytes sent plainly over the loopback.
 */
#include "cli/bench.h"

#include <inttypes.h>

enum { PAUSE_MS = 20 };
enum publish { SYNC, ASYNC, UNKNOWN }; /* unknown: a server that is not ours */
static const char *const publish_names[] = {"sync", "async", "unknown"};

struct appends {
    struct bench_work work;
    struct bench_target *target;
    struct bench_table *table;
    int64_t snapshot_id;
    bool sent;
    struct bench_answer answer;
    struct str error;
};

struct size_samples {
    struct bench_table table;
    struct bench_samples server_us;
    struct bench_samples whole_us;
    uint64_t bytes;
};

static bool appends_next(struct bench_work *self, size_t client, struct buf *out)
{
    struct appends *appends = CONTAINER_OF(self, struct appends, work);
    struct bench *bench = appends->target->bench;
    struct buf body;
    (void)client;
    if (appends->sent)
        return false;
    appends->sent = true;
    appends->snapshot_id = bench_snapshot_id(&bench->prng);
    buf_init(&body, out->arena, 1 << 16);
    bench_commit_body(&body, appends->table, appends->snapshot_id,
                      bench->env->ops->wall_ns(bench->env) / 1000000);
    bench_request(out, "POST",
                  bench_table_path(appends->target, str_from(appends->table->name), out->arena),
                  STR(""), buf_view(&body));
    return true;
}

static void appends_done(struct bench_work *self, size_t client, const struct bench_answer *answer)
{
    struct appends *appends = CONTAINER_OF(self, struct appends, work);
    (void)client;
    appends->answer = *answer;
    if (answer->status_code != 200)
        appends->error =
            bench_text(appends->target->bench, "%.*s",
                       (int)(answer->body.size < 300 ? answer->body.size : 300), answer->body.data);
}

static status append_once(struct bench_target *target, struct size_samples *size, bool counts,
                          struct diag *diag)
{
    struct appends appends = {
        .work = {appends_next, appends_done}, .target = target, .table = &size->table};
    TRY(bench_http_run(target->http, &appends.work, 1, target->bench->deadline_ns, diag));
    if (appends.answer.status_code != 200)
        return FAIL(diag, INVALID, "a commit on %s was answered %d: %.*s", size->table.name,
                    appends.answer.status_code, STR_ARG(appends.error));
    size->table.parent = appends.snapshot_id;
    size->table.sequence++;
    size->bytes = appends.answer.body_bytes;
    if (!counts)
        return OK;
    bench_samples_add(&size->whole_us,
                      (double)(appends.answer.done_ns - appends.answer.sent_ns) / 1e3);
    if (appends.answer.server_ms >= 0)
        bench_samples_add(&size->server_us, appends.answer.server_ms * 1e3);
    return OK;
}

static void shuffle(struct prng *prng, size_t *order, size_t count)
{
    for (size_t i = 0; i < count; i++)
        order[i] = i;
    for (size_t i = count; i > 1; i--) {
        size_t j = (size_t)prng_below(prng, i);
        size_t swap = order[i - 1];
        order[i - 1] = order[j];
        order[j] = swap;
    }
}

static status measure_round(struct bench_target *target, struct size_samples *sizes,
                            enum publish publish, struct diag *diag)
{
    struct bench *bench = target->bench;
    size_t order[COUNTOF(bench->sizes)];
    size_t rounds = bench->quick ? 3 : 30;
    for (size_t round = 0; round < rounds + 2; round++) {
        bench_progress(bench, "publish=%s, commit %zu of %zu", publish_names[publish], round,
                       rounds);
        shuffle(&bench->prng, order, bench->size_count);
        for (size_t i = 0; i < bench->size_count; i++) {
            bench_sleep_ms(PAUSE_MS);
            bench_settle(bench, target->server);
            TRY(append_once(target, &sizes[order[i]], round >= 2, diag));
        }
    }
    return OK;
}

static status record_size(struct bench *bench, struct size_samples *size, uint32_t snapshots,
                          enum publish publish, struct diag *diag)
{
    struct str name =
        bench_text(bench, "publish=%s, %" PRIu32 " snapshots", publish_names[publish], snapshots);
    double server_us = bench_samples_rank(&size->server_us, 0.5);
    double whole_us = bench_samples_rank(&size->whole_us, 0.5);
    double copy_us = 0;
    TRY(bench_measure_loopback(bench, size->bytes, bench->quick ? 5 : 30, diag, &copy_us));
    bench_record(bench, name, "commit_cost_p50", server_us, "us");
    bench_record(bench, name, "commit_e2e_p50", whole_us, "us");
    bench_record(bench, name, "answer_bytes", (double)size->bytes, "B");
    bench_record(bench, name, "answer_share", (whole_us - server_us) / whole_us, "ratio");
    bench_record(bench, name, "loopback_copy_p50", copy_us, "us");
    bench_record(bench, name, "answer_over_copy", (whole_us - server_us) / copy_us, "ratio");
    return OK;
}

static void record_ratios(struct bench *bench, struct size_samples *sizes, enum publish publish)
{
    static const char *const metrics[][2] = {
        [SYNC] = {"commit_cost_ratio_sync", "commit_e2e_ratio_sync"},
        [ASYNC] = {"commit_cost_ratio_async", "commit_e2e_ratio_async"},
        [UNKNOWN] = {"commit_cost_ratio", "commit_e2e_ratio"}};
    size_t last = bench->size_count - 1;
    struct str name = bench_text(bench, "%" PRIu32 " over %" PRIu32 " snapshots",
                                 bench->sizes[last], bench->sizes[0]);
    double cost = bench_samples_rank(&sizes[last].server_us, 0.5) /
                  bench_samples_rank(&sizes[0].server_us, 0.5);
    double whole = bench_samples_rank(&sizes[last].whole_us, 0.5) /
                   bench_samples_rank(&sizes[0].whole_us, 0.5);
    bench_record(bench, name, metrics[publish][0], cost, "ratio");
    bench_record(bench, name, metrics[publish][1], whole, "ratio");
}

static status measure_all(struct bench_target *target, enum publish publish, struct diag *diag)
{
    struct bench *bench = target->bench;
    struct size_samples sizes[COUNTOF(bench->sizes)] = {{.bytes = 0}};
    status_value result = OK;
    for (size_t i = 0; i < bench->size_count && is_ok(result); i++) {
        struct str name =
            bench_text(bench, "history_%" PRIu32 "_%s", bench->sizes[i], publish_names[publish]);
        result = bench_register(target, name.data, bench->sizes[i], diag, &sizes[i].table);
    }
    for (uint32_t repeat = 0; repeat < bench->repeat && is_ok(result); repeat++) {
        for (size_t i = 0; i < bench->size_count; i++) {
            bench_samples_clear(&sizes[i].server_us);
            bench_samples_clear(&sizes[i].whole_us);
        }
        result = measure_round(target, sizes, publish, diag);
        for (size_t i = 0; i < bench->size_count && is_ok(result); i++)
            result = record_size(bench, &sizes[i], bench->sizes[i], publish, diag);
        if (is_ok(result) && bench->size_count > 1)
            record_ratios(bench, sizes, publish);
    }
    for (size_t i = 0; i < bench->size_count; i++) {
        bench_samples_deinit(&sizes[i].server_us);
        bench_samples_deinit(&sizes[i].whole_us);
    }
    return result;
}

static status measure_warehouse(struct bench *bench, struct bench_server *server,
                                const char *warehouse, enum publish publish, struct diag *diag)
{
    struct bench_target target;
    TRY(bench_target_open(bench, server, warehouse, 1, diag, &target));
    status_value result = measure_all(&target, publish, diag);
    bench_target_close(&target);
    return result;
}

int bench_history(struct bench *bench)
{
    struct bench_server server;
    struct diag diag = {.count = 0};
    const char *warehouse = args_get(bench->cli->args, "warehouse");
    status_value result = bench_open_server(bench, &diag, &server);
    if (!is_ok(result))
        return bench_failed(bench, result, &diag);
    if (server.pid == 0) {
        result = measure_warehouse(bench, &server, warehouse, UNKNOWN, &diag);
    } else {
        result = measure_warehouse(bench, &server, "async", ASYNC, &diag);
        if (is_ok(result))
            result = measure_warehouse(bench, &server, "sync", SYNC, &diag);
    }
    bench_stop(bench, &server);
    return is_ok(result) ? CLI_OK : bench_failed(bench, result, &diag);
}
