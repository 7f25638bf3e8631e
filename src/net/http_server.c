/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_server.c - the server as its owner sees it, and the ways back from a handler.
 */
#include "net/http_server.h"

#include "net/http_internal.h"

#include <sys/resource.h>

enum {
    THREADS_MAX = 64,
    DRAIN_POLL_MS = 2,
    DESCRIPTORS_WANTED = 1 << 16,
    DESCRIPTORS_MIN = 192,
    DESCRIPTORS_KEPT = 96 /* for files, loops and the admin port */
};

struct http_limits http_limits_default(void)
{
    return (struct http_limits){.header_bytes_max = 16 << 10,
                                .header_count_max = 100,
                                .target_bytes_max = 16 << 10,
                                .body_bytes_max = 32 << 20,
                                .arena_bytes_max = (size_t)1 << 30,
                                .output_buffer_bytes = 128 << 10,
                                .request_bytes_budget = 512 << 20,
                                .header_timeout_ms = 10000,
                                .idle_timeout_ms = 75000,
                                .rate_window_ms = 5000,
                                .min_rate_bytes_per_second = 1024,
                                .linger_timeout_ms = 2000,
                                .connections_max = 10000,
                                .connections_per_address_max = 1000};
}

static void free_server(struct http_server *server)
{
    http__addresses_destroy(server->addresses);
    mem_free(server->loops);
    mem_free(server);
}

static void stop_loops(struct http_server *server)
{
    for (uint32_t i = 0; i < server->loop_count; i++)
        http__loop_ask(&server->loops[i], true, true);
    for (uint32_t i = 0; i < server->loop_count; i++)
        http__loop_join(&server->loops[i]);
}

static status_value check_config(const struct http_server_config *config, struct diag *diag)
{
    if (config->threads < 1 || config->threads > THREADS_MAX)
        return FAIL(diag, INVALID, "cannot run %u HTTP threads; 1 to %d are possible",
                    config->threads, THREADS_MAX);
    if (config->limits.output_buffer_bytes < 4096 || config->limits.body_bytes_max > INT32_MAX ||
        config->limits.output_buffer_bytes > (256 << 10))
        return FAIL(diag, INVALID,
                    "cannot use these HTTP limits: body at most 2 GiB, output buffer "
                    "4 KiB to 256 KiB");
    return OK;
}

/*
 * As many connections as the process may have descriptors, less what else needs them. Without a
 * descriptor left to accept with, libuv tries again at once for ever, and nobody is served any
 * more.
 */
static status_value fit_descriptors(struct http_limits *limits, struct diag *diag)
{
    struct rlimit limit = {.rlim_cur = 0};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return FAIL(diag, IO, "could not read the limit of open files");
    rlim_t wanted = u64_min(limit.rlim_max, DESCRIPTORS_WANTED);
    if (limit.rlim_cur < wanted) {
        limit.rlim_cur = wanted;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
        (void)getrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur < DESCRIPTORS_MIN)
        return FAIL(diag, INVALID,
                    "cannot serve with a limit of %llu open files; raise it to %d or more "
                    "(ulimit -n)",
                    (unsigned long long)limit.rlim_cur, DESCRIPTORS_MIN);
    limits->connections_max =
        (uint32_t)u64_min(limits->connections_max, limit.rlim_cur - DESCRIPTORS_KEPT);
    return OK;
}

/* The first loop finds the port; the others share it. */
static status_value open_loops(struct http_server *server, const struct http_server_config *config,
                               struct diag *diag)
{
    server->port = config->port;
    for (uint32_t i = 0; i < config->threads; i++) {
        TRY(http__loop_open(&server->loops[i], server, config->host, server->port, diag,
                            &server->port));
        server->loop_count = i + 1;
    }
    for (uint32_t i = 0; i < config->threads; i++)
        TRY(http__loop_start(&server->loops[i], diag));
    return OK;
}

status_value http_server_open(const struct http_server_config *config, http_handler handler,
                              void *context, struct log *log, struct metrics *metrics,
                              struct diag *diag, struct http_server **out)
{
    struct http_limits limits = config->limits;
    TRY(check_config(config, diag));
    TRY(fit_descriptors(&limits, diag));
    struct http_server *server = mem_zalloc(sizeof(*server));
    struct http_loop *loops = mem_zalloc(config->threads * sizeof(*loops));
    if (server == NULL || loops == NULL) {
        mem_free(server);
        mem_free(loops);
        return FAIL(diag, NOMEM, "could not allocate the HTTP server");
    }
    server->limits = limits;
    server->handler = handler;
    server->context = context;
    server->log = log;
    server->metrics = metrics;
    server->loops = loops;
    status_value result = http__addresses_create(
        limits.connections_max, limits.connections_per_address_max, diag, &server->addresses);
    if (is_ok(result))
        result = open_loops(server, config, diag);
    if (!is_ok(result)) {
        stop_loops(server);
        free_server(server);
        return result;
    }
    *out = server;
    return OK;
}

uint16_t http_server_port(const struct http_server *server)
{
    return server->port;
}

status_value http_server_drain(struct http_server *server, uint32_t timeout_ms, struct diag *diag)
{
    uint64_t deadline_ns = uv_hrtime() + (uint64_t)timeout_ms * 1000000;
    for (uint32_t i = 0; i < server->loop_count; i++)
        http__loop_ask(&server->loops[i], true, false);
    while (atomic_load(&server->connections) > 0) {
        if (uv_hrtime() >= deadline_ns)
            return FAIL(diag, CANCELLED, "%zu HTTP connections were still busy after %u ms",
                        atomic_load(&server->connections), timeout_ms);
        uv_sleep(DRAIN_POLL_MS);
    }
    return OK;
}

void http_server_close(struct http_server *server)
{
    if (server == NULL)
        return;
    stop_loops(server);
    free_server(server);
}

/* --- the ways back from a handler --- */

/* On the loop thread, and the scratch is not another connection's at this moment. */
static bool can_answer_here(const struct http_conn *conn)
{
    const struct http_loop *loop = conn->loop;
    return pthread_equal(pthread_self(), loop->self) != 0 &&
           (loop->at_work == NULL || loop->at_work == conn);
}

static void answer_on_loop(struct http_exchange *exchange)
{
    http__conn_answered(http__conn_of(exchange));
}

void http_respond(struct http_exchange *exchange, const struct http_response *response)
{
    struct http_conn *conn = http__conn_of(exchange);
    struct http_header *headers = NULL;
    ASSERT(conn->exchange_open && conn->response.status_code == 0 && response->status_code >= 200);
    if (response->header_count > 0)
        headers = ARENA_ARRAY(exchange->arena, struct http_header, response->header_count);
    conn->response = *response;
    conn->response.headers = headers;
    if (headers != NULL)
        memcpy(headers, response->headers, response->header_count * sizeof(*headers));
    else
        conn->response.header_count = 0;
    if (can_answer_here(conn))
        http__conn_answered(conn);
    else
        http__loop_post(conn->loop, conn, answer_on_loop);
}

void http_respond_status(struct http_exchange *exchange, int32_t code, const struct diag *diag)
{
    static const struct http_header retry_later = {{"retry-after", 11}, {"1", 1}};
    int http_code = status_http(code);
    struct diag nothing = {.count = 0};
    struct http_response response = {
        .status_code = http_code,
        .content_type = STR("application/json"),
        .headers = &retry_later,
        .header_count = http_code == 503 || http_code == 429 ? 1 : 0,
        .body = http_error_body(exchange->arena, http_code, status_iceberg_type(code),
                                diag_message(diag == NULL ? &nothing : diag, code))};
    http_respond(exchange, &response);
}

void http_exchange_post(struct http_exchange *exchange, void (*fn)(struct http_exchange *exchange))
{
    struct http_conn *conn = http__conn_of(exchange);
    http__loop_post(conn->loop, conn, fn);
}

bool http_exchange_is_abandoned(const struct http_exchange *exchange)
{
    return http__conn_of(exchange)->state == CONN_CLOSED;
}

struct str http_header_get(const struct http_exchange *exchange, const char *name)
{
    return http_headers_find(exchange->headers, exchange->header_count, str_from(name));
}
