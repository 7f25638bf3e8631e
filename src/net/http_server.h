/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * http_server.h - an HTTP/1.1 server: N event loops in N threads, one listener each (SO_REUSEPORT).
 */
#include "base/log.h"
#include "base/metric.h"
#include "net/http.h"

/* All have defaults (http_limits_default); reasons in reference notes on slow and large clients. */
struct http_limits {
    size_t header_bytes_max;
    size_t header_count_max;
    size_t target_bytes_max;
    size_t body_bytes_max;
    size_t arena_bytes_max;      /* one request */
    size_t output_buffer_bytes;  /* one connection, while it streams */
    size_t request_bytes_budget; /* bodies of all requests in flight */
    uint32_t header_timeout_ms;
    uint32_t idle_timeout_ms;
    uint32_t rate_window_ms; /* a body or an answer must move min_rate bytes/s in each window */
    uint32_t min_rate_bytes_per_second;
    uint32_t linger_timeout_ms; /* after an early error answer: reads on, so the client sees it */
    uint32_t connections_max;   /* lowered to what the process's descriptors allow */
    uint32_t connections_per_address_max;
};
struct http_limits http_limits_default(void);

struct http_server_config {
    const char *host; /* an address, not a name */
    uint16_t port;    /* 0: the system chooses; see http_server_port */
    uint32_t threads; /* 1..64 */
    struct http_limits limits;
};

struct http_server;
/*
 * Binds, starts the threads and serves until closed. `handler` is called on the loop threads;
 * `context`, `log` and `metrics` are kept (log and metrics may be NULL). INVALID, IO, NOMEM.
 */
status http_server_open(const struct http_server_config *config, http_handler handler,
                        void *context, struct log *log, struct metrics *metrics, struct diag *diag,
                        struct http_server **out);
uint16_t http_server_port(const struct http_server *server);
/*
 * Stops accepting, closes idle connections, lets requests in flight finish (their answers say
 * `Connection: close`) and waits for that. CANCELLED when connections are left after timeout_ms.
 */
status http_server_drain(struct http_server *server, uint32_t timeout_ms, struct diag *diag);
/*
 * Cuts all connections, waits until every exchange has been answered, frees everything. The owner
 * must make sure that whoever holds exchanges still answers them. NULL is fine.
 */
void http_server_close(struct http_server *server);
