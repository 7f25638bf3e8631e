/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * bench_http.h - many keep-alive HTTP/1.1 connections in one thread, each with one request at a
 * time: a closed loop of N clients.
 *
 * Made for measuring: a request's clock starts when its first byte is handed to the kernel and
 * stops when the last byte of the answer was read; of a body only the first bytes are kept, the
 * rest is read and counted. It reads what catalogs send: Content-Length and chunked bodies.
 */
#include "base/buf.h"
#include "env/env.h"

struct bench_answer {
    int status_code;
    uint64_t body_bytes; /* without chunk framing */
    struct str body;     /* its first BENCH_KEPT_BYTES; borrowed until the callback returns */
    struct str etag;     /* likewise */
    double server_ms;    /* "server-timing: commit;dur=MS"; negative when absent */
    uint64_t sent_ns;
    uint64_t first_byte_ns;
    uint64_t done_ns;
};
enum { BENCH_KEPT_BYTES = 64 << 10, BENCH_CLIENTS_MAX = 256 };

/* What one run does. Clients count from 0. */
struct bench_work {
    /* Writes the client's next request with bench_request; false: the client has finished. */
    bool (*next)(struct bench_work *self, size_t client, struct buf *out);
    void (*done)(struct bench_work *self, size_t client, const struct bench_answer *answer);
};

/*
 * The driver takes SIGINT and SIGTERM as an end that cleans up: they are blocked, and looked for
 * between events. True once one has come.
 */
void bench_take_signals(void);
bool bench_interrupted(void);

struct bench_http;
/* Connects `clients` connections to an IPv4 address. UNAVAILABLE, NOMEM. `env` is kept. */
status bench_http_open(struct env *env, struct str host, uint16_t port, size_t clients,
                       struct diag *diag, struct bench_http **out);
/* NULL is fine. */
void bench_http_close(struct bench_http *http);

/* Runs until every one of the first `clients` has finished. CANCELLED when interrupted, UNAVAILABLE
 * after deadline_ns (monotonic) or when the server is gone; CORRUPT for what is not HTTP. */
status bench_http_run(struct bench_http *http, struct bench_work *work, size_t clients,
                      uint64_t deadline_ns, struct diag *diag);
/* One request over the first connection; texts of the answer live in the arena. */
status bench_http_call(struct bench_http *http, const char *method, struct str path,
                       struct str headers, struct str body, struct arena *arena,
                       uint64_t deadline_ns, struct diag *diag, struct bench_answer *out);

/* `headers` are finished lines with their CRLF; a body of size 0 is none. */
void bench_request(struct buf *out, const char *method, struct str path, struct str headers,
                   struct str body);
