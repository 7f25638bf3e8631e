/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_list.c - tarn bench list and start: many tables in one namespace.
 *
 * list: one answer with all names (a client that does not page), then pages of 1,000. start: from
 * exec to the first answer, with an empty folder and with many tables; the page cache is warm.
 */
#include "cli/bench.h"

#include <inttypes.h>

enum { CREATORS = 64, PAGE = 1000 };
static const double MEBIBYTE = 1048576;

static void record_resident(struct bench *bench, const struct bench_server *server,
                            struct str case_name)
{
    uint64_t bytes = bench_resident(server);
    if (bytes > 0)
        bench_record(bench, case_name, "resident", (double)bytes / MEBIBYTE, "MiB");
}

static status fill(struct bench *bench, struct bench_target *target, struct diag *diag)
{
    double seconds = 0;
    struct str name = bench_text(bench, "create %" PRIu64 " tables", bench->tables);
    TRY(bench_create_tables(target, "listed_", bench->tables, CREATORS, diag, &seconds));
    bench_record(bench, name, "seconds", seconds, "s");
    bench_record(bench, name, "tables_per_second", (double)bench->tables / seconds, "1/s");
    record_resident(bench, target->server, name);
    return OK;
}

static status list_whole(struct bench_target *target, struct diag *diag)
{
    struct bench *bench = target->bench;
    struct bench_answer answer;
    struct str name = bench_text(bench, "list %" PRIu64 " tables, one answer", bench->tables);
    TRY(bench_http_call(target->http, "GET", bench_tables_path(target, bench->arena), STR(""),
                        STR(""), bench->arena, bench->deadline_ns, diag, &answer));
    if (answer.status_code != 200)
        return FAIL(diag, INVALID, "the server answered %d to listTables", answer.status_code);
    bench_record(bench, name, "first_byte", (double)(answer.first_byte_ns - answer.sent_ns) / 1e6,
                 "ms");
    bench_record(bench, name, "total", (double)(answer.done_ns - answer.sent_ns) / 1e6, "ms");
    bench_record(bench, name, "answer_bytes", (double)answer.body_bytes, "B");
    record_resident(bench, target->server, name);
    return OK;
}

/* The token stands at one end of the answer; which one is the server's choice. Whole pages are
 * kept. */
static struct str next_token(struct bench *bench, struct str body)
{
    struct json_limits limits = json_limits_document();
    struct diag diag = {.count = 0};
    const struct json *json = NULL;
    struct str token = STR("");
    if (is_ok(json_parse(bench->arena, body, &limits, &diag, &json)))
        (void)json_as_str(json_get(json, "next-page-token"), &token);
    return token;
}

static status list_pages(struct bench_target *target, struct diag *diag)
{
    struct bench *bench = target->bench;
    struct bench_answer answer;
    struct str token = STR("");
    uint64_t begin_ns = bench_now_ns(bench);
    uint64_t pages = 0;
    struct str name = bench_text(bench, "list %" PRIu64 " tables, pages", bench->tables);
    struct str tables = bench_tables_path(target, bench->arena);
    do {
        struct str path = bench_text(bench, "%.*s?pageSize=%d&pageToken=%.*s", STR_ARG(tables),
                                     bench->quick ? PAGE / 10 : PAGE / 2, STR_ARG(token));
        TRY(bench_http_call(target->http, "GET", path, STR(""), STR(""), bench->arena,
                            bench->deadline_ns, diag, &answer));
        if (answer.status_code != 200)
            return FAIL(diag, INVALID, "the server answered %d to listTables", answer.status_code);
        token = next_token(bench, answer.body);
        pages++;
    } while (token.size > 0);
    bench_record(bench, name, "total", (double)(bench_now_ns(bench) - begin_ns) / 1e6, "ms");
    bench_record(bench, name, "pages", (double)pages, "1");
    return OK;
}

static status measure_list(struct bench *bench, struct bench_target *target, struct diag *diag)
{
    TRY(fill(bench, target, diag));
    bench_settle(bench, target->server);
    for (uint32_t round = 0; round < bench->repeat; round++) {
        bench_progress(bench, "listing");
        TRY(list_whole(target, diag));
        TRY(list_pages(target, diag));
    }
    return OK;
}

int bench_list(struct bench *bench)
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
    result = bench_target_open(bench, &server, warehouse, CREATORS, &diag, &target);
    if (is_ok(result)) {
        result = measure_list(bench, &target, &diag);
        bench_target_close(&target);
    }
    bench_stop(bench, &server);
    return is_ok(result) ? CLI_OK : bench_failed(bench, result, &diag);
}

/* --- start --- */

static status start_once(struct bench *bench, const char *folder, struct str case_name,
                         struct diag *diag)
{
    struct bench_server server;
    TRY(bench_start_tarn(bench, folder, diag, &server));
    bench_record(bench, case_name, "start_to_first_answer", server.start_ms, "ms");
    record_resident(bench, &server, case_name);
    bench_stop(bench, &server);
    return OK;
}

static status make_tables(struct bench *bench, const char *folder, struct diag *diag)
{
    struct bench_server server;
    struct bench_target target;
    double seconds = 0;
    TRY(bench_start_tarn(bench, folder, diag, &server));
    status_value result = bench_target_open(bench, &server, "async", CREATORS, diag, &target);
    if (is_ok(result)) {
        result = bench_create_tables(&target, "started_", bench->tables, CREATORS, diag, &seconds);
        bench_target_close(&target);
    }
    bench_stop(bench, &server);
    return result;
}

static status measure_start(struct bench *bench, struct diag *diag)
{
    struct str full = bench_text(bench, "start with %" PRIu64 " tables", bench->tables);
    for (uint32_t round = 0; round < bench->repeat; round++) {
        struct str folder = bench_text(bench, "empty%" PRIu32, round);
        TRY(start_once(bench, folder.data, STR("start with an empty folder"), diag));
    }
    TRY(make_tables(bench, "full", diag));
    for (uint32_t round = 0; round < bench->repeat; round++)
        TRY(start_once(bench, "full", full, diag));
    return OK;
}

int bench_start(struct bench *bench)
{
    struct diag diag = {.count = 0};
    status_value result = measure_start(bench, &diag);
    return is_ok(result) ? CLI_OK : bench_failed(bench, result, &diag);
}
