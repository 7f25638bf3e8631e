/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_load.c - tarn bench load: loadTable at several lengths of history: all snapshots, those
 * that refs point at, and a 304.
 */
#include "cli/bench.h"

#include <inttypes.h>

struct load {
    struct bench_work work;
    struct bench_target *target;
    const struct bench_table *table;
    enum bench_load_kind kind;
    char etag[128];
    size_t left;
    size_t warm_up;
    int unexpected;
    struct bench_samples latency_us;
    uint64_t bytes;
};

static bool load_next(struct bench_work *self, size_t client, struct buf *out)
{
    struct load *load = CONTAINER_OF(self, struct load, work);
    struct str path = bench_table_path(load->target, str_from(load->table->name), out->arena);
    struct str headers = STR("");
    (void)client;
    if (load->left == 0 || load->unexpected != 0)
        return false;
    load->left--;
    if (load->kind == BENCH_LOAD_REFS)
        path = arena_printf(out->arena, "%.*s?snapshots=refs", STR_ARG(path));
    if (load->kind == BENCH_LOAD_NOT_MODIFIED)
        headers = arena_printf(out->arena, "if-none-match: %s\r\n", load->etag);
    bench_request(out, "GET", path, headers, STR(""));
    return true;
}

static void load_done(struct bench_work *self, size_t client, const struct bench_answer *answer)
{
    struct load *load = CONTAINER_OF(self, struct load, work);
    int expected = load->kind == BENCH_LOAD_NOT_MODIFIED ? 304 : 200;
    (void)client;
    if (answer->status_code != expected) {
        load->unexpected = answer->status_code;
        return;
    }
    load->bytes = answer->body_bytes;
    if (load->warm_up > 0) {
        load->warm_up--;
        return;
    }
    bench_samples_add(&load->latency_us, (double)(answer->done_ns - answer->sent_ns) / 1e3);
}

static status read_etag(struct bench_target *target, struct load *load, struct diag *diag)
{
    struct bench_answer answer;
    struct bench *bench = target->bench;
    struct str path = bench_table_path(target, str_from(load->table->name), bench->arena);
    TRY(bench_http_call(target->http, "GET", path, STR(""), STR(""), bench->arena,
                        bench->deadline_ns, diag, &answer));
    if (answer.etag.size == 0 || answer.etag.size >= sizeof load->etag)
        return FAIL(diag, UNSUPPORTED, "the server sends no ETag");
    memcpy(load->etag, answer.etag.data, answer.etag.size);
    load->etag[answer.etag.size] = 0;
    return OK;
}

status bench_measure_load(struct bench_target *target, const struct bench_table *table,
                          enum bench_load_kind kind, size_t times, struct diag *diag,
                          double *out_p50_us, uint64_t *out_bytes)
{
    struct load load = {.work = {load_next, load_done},
                        .target = target,
                        .table = table,
                        .kind = kind,
                        .left = times + 3,
                        .warm_up = 3};
    if (kind == BENCH_LOAD_NOT_MODIFIED)
        TRY(read_etag(target, &load, diag));
    status_value ran =
        bench_http_run(target->http, &load.work, 1, target->bench->deadline_ns, diag);
    if (is_ok(ran) && load.unexpected != 0)
        ran = FAIL(diag, INVALID, "the server answered %d to loadTable", load.unexpected);
    if (is_ok(ran)) {
        *out_p50_us = bench_samples_rank(&load.latency_us, 0.5);
        *out_bytes = load.bytes;
    }
    bench_samples_deinit(&load.latency_us);
    return ran;
}

/* Enough for a median, and not more than about a second of the largest. */
static size_t times_for(const struct bench *bench, uint32_t snapshots)
{
    size_t times = bench->quick ? 5 : snapshots >= 10000 ? 30 : 300;
    return times;
}

static status measure_size(struct bench_target *target, const struct bench_table *table,
                           uint32_t snapshots, struct diag *diag)
{
    static const char *const names[] = {"all", "refs", "304"};
    struct bench *bench = target->bench;
    size_t times = times_for(bench, snapshots);
    double p50_us = 0;
    double copy_us = 0;
    uint64_t bytes = 0;
    for (unsigned kind = 0; kind < 3; kind++) {
        struct str name = bench_text(bench, "%" PRIu32 " snapshots, %s", snapshots, names[kind]);
        bench_progress(bench, "%.*s", STR_ARG(name));
        TRY(bench_measure_load(target, table, (enum bench_load_kind)kind, times, diag, &p50_us,
                               &bytes));
        bench_record(bench, name, "latency_p50", p50_us, "us");
        if (kind != BENCH_LOAD_ALL) {
            bench_record(bench, name, "answer_bytes", (double)bytes, "B");
            continue;
        }
        TRY(bench_measure_loopback(bench, bytes, times, diag, &copy_us));
        bench_record(bench, name, "answer_bytes", (double)bytes, "B");
        bench_record(bench, name, "throughput", (double)bytes / p50_us, "MB/s");
        bench_record(bench, name, "over_loopback_copy", p50_us / copy_us, "ratio");
    }
    return OK;
}

static status measure(struct bench_target *target, struct diag *diag)
{
    struct bench *bench = target->bench;
    struct bench_table tables[COUNTOF(bench->sizes)];
    for (size_t i = 0; i < bench->size_count; i++) {
        struct str name = bench_text(bench, "load_%" PRIu32, bench->sizes[i]);
        TRY(bench_register(target, name.data, bench->sizes[i], diag, &tables[i]));
    }
    bench_settle(bench, target->server);
    for (uint32_t round = 0; round < bench->repeat; round++) {
        for (size_t i = 0; i < bench->size_count; i++)
            TRY(measure_size(target, &tables[i], bench->sizes[i], diag));
    }
    return OK;
}

int bench_load(struct bench *bench)
{
    struct bench_server server;
    struct bench_target target;
    struct diag diag = {.count = 0};
    const char *warehouse = args_get(bench->cli->args, "warehouse");
    status_value result = bench_open_server(bench, &diag, &server);
    if (!is_ok(result))
        return bench_failed(bench, result, &diag);
    if (server.pid != 0)
        warehouse = "async";
    result = bench_target_open(bench, &server, warehouse, 4, &diag, &target);
    if (is_ok(result)) {
        result = measure(&target, &diag);
        bench_target_close(&target);
    }
    bench_stop(bench, &server);
    return is_ok(result) ? CLI_OK : bench_failed(bench, result, &diag);
}
