/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_reference.c - tarn bench reference: side by side with the Iceberg project's own REST
 * server.
 *
 * Same driver, same requests, same disk, one server at a time. The reference server keeps its
 * catalog in a SQLite file with synchronous=FULL and is warmed for WARM_SECONDS before anything
 * counts; tarn needs no warming and gets none. The reference server writes metadata.json before it
 * answers, as tarn does with publish=sync: that is what the named ratios compare.
 */
#include "cli/bench.h"

#include <inttypes.h>

enum { WARM_SECONDS = 40, LOADED_SNAPSHOTS = 10000, CLIENTS = 64 };

static status measure_commits(struct bench_target *target, const char *label, size_t clients,
                              struct diag *diag)
{
    struct bench *bench = target->bench;
    struct bench_commit_result result;
    struct str name =
        bench_text(bench, "%s, %zu client%s", label, clients, clients == 1 ? "" : "s");
    bench_progress(bench, "%.*s", STR_ARG(name));
    TRY(bench_measure_commits(target, clients, false, bench->seconds, diag, &result));
    bench_record_commits(bench, name, false, &result);
    return OK;
}

static status measure_load(struct bench_target *target, const char *label,
                           const struct bench_table *table, uint32_t snapshots, struct diag *diag)
{
    struct bench *bench = target->bench;
    double p50_us = 0;
    uint64_t bytes = 0;
    struct str name = bench_text(bench, "%s, load of %" PRIu32 " snapshots", label, snapshots);
    bench_settle(bench, target->server);
    bench_progress(bench, "%.*s", STR_ARG(name));
    TRY(bench_measure_load(target, table, BENCH_LOAD_ALL, bench->quick ? 3 : 20, diag, &p50_us,
                           &bytes));
    bench_record(bench, name, "latency_p50", p50_us, "us");
    bench_record(bench, name, "answer_bytes", (double)bytes, "B");
    return OK;
}

static uint32_t loaded_snapshots(const struct bench *bench)
{
    return bench->quick ? 200 : LOADED_SNAPSHOTS;
}

static status measure_target(struct bench_target *target, const char *label, struct diag *diag)
{
    struct bench *bench = target->bench;
    struct bench_table table;
    uint32_t snapshots = loaded_snapshots(bench);
    TRY(bench_register(target, "loaded", snapshots, diag, &table));
    for (uint32_t round = 0; round < bench->repeat; round++) {
        TRY(measure_commits(target, label, 1, diag));
        TRY(measure_commits(target, label, CLIENTS, diag));
        TRY(measure_load(target, label, &table, snapshots, diag));
    }
    return OK;
}

static void record_server(struct bench *bench, const struct bench_server *server)
{
    struct str name = bench_text(bench, "%s, process", server->label);
    bench_record(bench, name, "start_to_first_answer", server->start_ms, "ms");
    bench_record(bench, name, "resident", (double)bench_resident(server) / 1048576, "MiB");
}

/* Commits and loads until the JVM has compiled what it will. */
static status warm(struct bench_target *target, struct diag *diag)
{
    struct bench *bench = target->bench;
    struct bench_commit_result ignored;
    struct bench_table table;
    double seconds = bench->quick ? 0.5 : WARM_SECONDS;
    double p50_us = 0;
    uint64_t bytes = 0;
    TRY(bench_register(target, "warm_up", loaded_snapshots(bench) / 10, diag, &table));
    bench_progress(bench, "%s: warming up for %.0f s", target->server->label, seconds);
    TRY(bench_measure_commits(target, 16, false, seconds * 3 / 4, diag, &ignored));
    uint64_t end_ns = bench_now_ns(bench) + (uint64_t)(seconds / 4 * 1e9);
    while (bench_now_ns(bench) < end_ns)
        TRY(bench_measure_load(target, &table, BENCH_LOAD_ALL, 20, diag, &p50_us, &bytes));
    return OK;
}

static status run_reference(struct bench *bench, struct diag *diag)
{
    struct bench_server server;
    struct bench_target target;
    TRY(bench_start_reference(bench, diag, &server));
    status_value result = bench_target_open(bench, &server, NULL, CLIENTS, diag, &target);
    if (is_ok(result)) {
        result = warm(&target, diag);
        if (is_ok(result))
            result = measure_target(&target, "reference", diag);
        record_server(bench, &server);
        bench_target_close(&target);
    }
    bench_stop(bench, &server);
    return result;
}

static status run_tarn(struct bench *bench, struct diag *diag)
{
    static const char *const warehouses[] = {"sync", "async"};
    struct bench_server server;
    status_value result = OK;
    TRY(bench_open_server(bench, diag, &server));
    for (size_t i = 0; i < (server.pid == 0 ? 1 : COUNTOF(warehouses)) && is_ok(result); i++) {
        struct bench_target target;
        struct str label = bench_text(bench, "tarn publish=%s", warehouses[i]);
        const char *warehouse =
            server.pid == 0 ? args_get(bench->cli->args, "warehouse") : warehouses[i];
        result = bench_target_open(bench, &server, warehouse, CLIENTS, diag, &target);
        if (!is_ok(result))
            break;
        result = measure_target(&target, label.data, diag);
        bench_target_close(&target);
    }
    record_server(bench, &server);
    bench_stop(bench, &server);
    return result;
}

static double of(struct bench *bench, const char *label, const char *what, const char *metric)
{
    return bench_median(bench, bench_text(bench, "%s, %s", label, what), metric);
}

static void record_ratios(struct bench *bench, const char *label, struct str name)
{
    struct str load = bench_text(bench, "load of %" PRIu32 " snapshots", loaded_snapshots(bench));
    bench_record(bench, name, "commits_ratio_64",
                 of(bench, label, "64 clients", "commits_per_second") /
                     of(bench, "reference", "64 clients", "commits_per_second"),
                 "ratio");
    bench_record(bench, name, "commit_p50_ratio_1",
                 of(bench, "reference", "1 client", "latency_p50") /
                     of(bench, label, "1 client", "latency_p50"),
                 "ratio");
    bench_record(bench, name, "load_ratio_10000",
                 of(bench, "reference", load.data, "latency_p50") /
                     of(bench, label, load.data, "latency_p50"),
                 "ratio");
}

int bench_reference(struct bench *bench)
{
    struct diag diag = {.count = 0};
    status_value result = run_reference(bench, &diag);
    if (is_ok(result))
        result = run_tarn(bench, &diag);
    if (!is_ok(result))
        return bench_failed(bench, result, &diag);
    record_ratios(bench, "tarn publish=sync", STR("tarn publish=sync over reference"));
    record_ratios(bench, "tarn publish=async", STR("tarn publish=async over reference"));
    return CLI_OK;
}
