/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_target.c - a warehouse of a server: its prefix, its location, tables made in bulk.
 */
#include "cli/bench.h"

#include <inttypes.h>
#include <poll.h>

static status refused(const struct bench_answer *answer, const char *what, struct diag *diag)
{
    return FAIL(diag, INVALID, "%s: the server answered %d: %.*s", what, answer->status_code,
                (int)(answer->body.size < 300 ? answer->body.size : 300), answer->body.data);
}

static struct str member(struct bench *bench, struct str body, const char *object, const char *key)
{
    struct json_limits limits = json_limits_document();
    struct diag diag = {.count = 0};
    const struct json *json = NULL;
    struct str value = {NULL, 0};
    if (is_ok(json_parse(bench->arena, body, &limits, &diag, &json)))
        (void)json_as_str(json_get(json_get(json, object), key), &value);
    return value;
}

static status call(struct bench_target *target, const char *method, struct str path,
                   struct str body, struct diag *diag, struct bench_answer *out)
{
    return bench_http_call(target->http, method, path, STR(""), body, target->bench->arena,
                           target->bench->deadline_ns, diag, out);
}

static status read_prefix(struct bench_target *target, const char *warehouse, struct diag *diag)
{
    struct bench *bench = target->bench;
    struct bench_answer answer;
    struct str base = target->server->base;
    struct str path =
        bench_text(bench, "%.*s/v1/config%s%s", STR_ARG(base),
                   warehouse == NULL ? "" : "?warehouse=", warehouse == NULL ? "" : warehouse);
    TRY(call(target, "GET", path, STR(""), diag, &answer));
    if (answer.status_code != 200)
        return refused(&answer, "could not read the configuration", diag);
    struct str prefix = member(bench, answer.body, "overrides", "prefix");
    if (prefix.data == NULL)
        prefix = member(bench, answer.body, "defaults", "prefix");
    target->prefix = bench_text(bench, "%.*s/v1%s%.*s", STR_ARG(base),
                                prefix.data == NULL ? "" : "/", STR_ARG(prefix));
    return OK;
}

/* Where tables of the namespace go: from a table that is made and dropped. */
static status read_location(struct bench_target *target, struct diag *diag)
{
    struct bench *bench = target->bench;
    struct bench_answer answer;
    struct buf body;
    buf_init(&body, bench->arena, 1 << 16);
    bench_create_body(&body, "where_are_you");
    TRY(call(target, "POST", bench_tables_path(target, bench->arena), buf_view(&body), diag,
             &answer));
    if (answer.status_code != 200)
        return refused(&answer, "could not create a table", diag);
    struct str location = member(bench, answer.body, "metadata", "location");
    ptrdiff_t slash = str_rfind(location, '/');
    if (slash > 0)
        target->location = arena_copy(bench->arena, str_slice(location, 0, (size_t)slash));
    return call(target, "DELETE", bench_table_path(target, STR("where_are_you"), bench->arena),
                STR(""), diag, &answer);
}

status bench_target_open(struct bench *bench, struct bench_server *server, const char *warehouse,
                         size_t clients, struct diag *diag, struct bench_target *out)
{
    struct bench_target target = {.bench = bench, .server = server};
    struct bench_answer answer = {.status_code = 0};
    struct str path;
    status_value result;
    TRY(bench_http_open(bench->env, server->host, server->port, clients, diag, &target.http));
    TRY_OUT(result, read_prefix(&target, warehouse, diag));
    path = bench_text(bench, "%.*s/namespaces", STR_ARG(target.prefix));
    TRY_OUT(result, call(&target, "POST", path,
                         STR("{\"namespace\":[\"bench\"],\"properties\":{}}"), diag, &answer));
    if (answer.status_code != 200 && answer.status_code != 409)
        TRY_OUT(result, refused(&answer, "could not create a namespace", diag));
    TRY_OUT(result, read_location(&target, diag));
    *out = target;
    return OK;
out:
    bench_http_close(target.http);
    return result;
}

void bench_target_close(struct bench_target *target)
{
    bench_http_close(target->http);
    target->http = NULL;
}

struct str bench_tables_path(struct bench_target *target, struct arena *arena)
{
    return arena_printf(arena, "%.*s/namespaces/bench/tables", STR_ARG(target->prefix));
}

struct str bench_table_path(struct bench_target *target, struct str table, struct arena *arena)
{
    return arena_printf(arena, "%.*s/namespaces/bench/tables/%.*s", STR_ARG(target->prefix),
                        STR_ARG(table));
}

status bench_register(struct bench_target *target, const char *name, uint32_t snapshots,
                      struct diag *diag, struct bench_table *out)
{
    struct bench *bench = target->bench;
    struct bench_answer answer;
    uint64_t bytes = 0;
    struct str table = bench_text(bench, "%s_%s", name, bench->run_id);
    struct str location = bench_text(bench, "%.*s/%s", STR_ARG(target->location), table.data);
    struct str file =
        bench_text(bench, "%.*s/metadata/00000-5d1c7a9e-3b2f-4a6e-9c8d-1e0f2a3b4c5d.metadata.json",
                   STR_ARG(location));
    struct str body =
        bench_text(bench, "{\"name\":\"%s\",\"metadata-location\":\"%s\"}", table.data, file.data);
    struct str path = bench_text(bench, "%.*s/namespaces/bench/register", STR_ARG(target->prefix));
    if (!str_starts(file, STR("file:/")))
        return FAIL(diag, UNSUPPORTED, "the warehouse at %.*s is not a folder of this machine",
                    STR_ARG(target->location));
    bench_progress(bench, "%s: a table with %" PRIu32 " snapshots", target->server->label,
                   snapshots);
    /* file:/a, file:///a: the path begins at the last of the leading slashes. */
    const char *local = file.data + 5;
    while (local[0] == '/' && local[1] == '/')
        local++;
    TRY(bench_write_metadata(bench, local, location, snapshots, diag, &bytes));
    TRY(call(target, "POST", path, body, diag, &answer));
    if (answer.status_code != 200)
        return refused(&answer, "could not register a table", diag);
    (void)snprintf(out->name, sizeof out->name, "%s", table.data);
    out->commits = 0;
    if (!bench_read_table(answer.body, out))
        return FAIL(diag, CORRUPT, "the answer to registerTable holds no table");
    return OK;
}

/* --- tables in bulk --- */

struct creation {
    struct bench_work work;
    struct bench_target *target;
    const char *prefix;
    uint64_t next;
    uint64_t count;
    uint64_t *current; /* of each client: the number it is creating */
    uint64_t *again;   /* numbers that were refused for the moment; at most one a client */
    size_t again_count;
    uint64_t failed;
    struct bench_answer first_failure;
};

static bool creation_next(struct bench_work *self, size_t client, struct buf *out)
{
    struct creation *creation = CONTAINER_OF(self, struct creation, work);
    char name[48];
    struct buf body;
    if (creation->next == creation->count && creation->again_count == 0)
        return false;
    uint64_t number =
        creation->again_count > 0 ? creation->again[--creation->again_count] : creation->next++;
    creation->current[client] = number;
    (void)snprintf(name, sizeof name, "%s%s_%06" PRIu64, creation->prefix,
                   creation->target->bench->run_id, number);
    if (creation->next % 1000 == 0)
        bench_progress(creation->target->bench, "%s: table %" PRIu64 " of %" PRIu64,
                       creation->target->server->label, creation->next, creation->count);
    buf_init(&body, out->arena, 1 << 16);
    bench_create_body(&body, name);
    bench_request(out, "POST", bench_tables_path(creation->target, out->arena), STR(""),
                  buf_view(&body));
    return true;
}

static void creation_done(struct bench_work *self, size_t client, const struct bench_answer *answer)
{
    struct creation *creation = CONTAINER_OF(self, struct creation, work);
    enum { TOO_MANY = 429, PAUSE_MS = 50 };
    if (answer->status_code == 200)
        return;
    if (answer->status_code == TOO_MANY) {
        /* The server pushes back until its files are written: wait as clients do, then go on. */
        creation->again[creation->again_count++] = creation->current[client];
        (void)poll(NULL, 0, PAUSE_MS);
        return;
    }
    if (creation->failed++ > 0)
        return;
    creation->first_failure = *answer;
    creation->first_failure.body = arena_copy(creation->target->bench->arena, answer->body);
}

status bench_create_tables(struct bench_target *target, const char *prefix, uint64_t count,
                           size_t clients, struct diag *diag, double *out_seconds)
{
    struct bench *bench = target->bench;
    struct creation creation = {
        .work = {creation_next, creation_done}, .target = target, .prefix = prefix, .count = count};
    uint64_t begin_ns = bench_now_ns(bench);
    creation.current = ARENA_ARRAY(bench->arena, uint64_t, clients);
    creation.again = ARENA_ARRAY(bench->arena, uint64_t, clients);
    if (creation.current == NULL || creation.again == NULL)
        return FAIL(diag, NOMEM, "could not create tables: no memory");
    TRY(bench_http_run(target->http, &creation.work, clients, bench->deadline_ns, diag));
    if (creation.failed > 0)
        return refused(&creation.first_failure, "could not create tables", diag);
    *out_seconds = (double)(bench_now_ns(bench) - begin_ns) / 1e9;
    return OK;
}
