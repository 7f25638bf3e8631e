/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * http.h - one HTTP exchange as a handler sees it: the request, the answer, and the way back.
 *
 * A handler is called on a loop thread with a complete request and must not block. It answers with
 * http_respond(), at once or later from any thread. Every exchange must be answered exactly once.
 * Everything reachable from the exchange lives until the answer has been written; after
 * http_respond() the caller may not touch the exchange any more.
 */
#include "base/arena.h"
#include "net/trace.h"

enum http_method {
    HTTP_METHOD_GET,
    HTTP_METHOD_HEAD,
    HTTP_METHOD_POST,
    HTTP_METHOD_PUT,
    HTTP_METHOD_PATCH,
    HTTP_METHOD_DELETE,
    HTTP_METHOD_OPTIONS,
    HTTP_METHOD_OTHER
};
const char *http_method_name(enum http_method method);

struct http_header {
    struct str name;
    struct str value;
};

/*
 * A body that is made while it is sent. `fill` writes 1..capacity bytes, or sets *out_end (with or
 * without bytes). It runs on the loop thread and must not block. A failure before the first byte is
 * answered as an error; later it closes the connection without the final chunk, so that the client
 * can tell. `close` is called exactly once, on the loop thread, however the exchange ends.
 */
struct http_body {
    status (*fill)(struct http_body *self, char *out, size_t capacity, size_t *out_size,
                   bool *out_end);
    void (*close)(struct http_body *self);
};

/*
 * `headers` is copied; the texts and `body` are borrowed until the answer is written: from the
 * exchange's arena or static. `stream` wins over `body` and is taken. content_type may be empty.
 * Framing headers (content-length, transfer-encoding, connection, date) are the server's.
 */
struct http_response {
    int status_code;
    struct str content_type;
    const struct http_header *headers;
    size_t header_count;
    struct str body;
    struct http_body *stream;
    bool has_content_length; /* only with a stream: its exact size is known */
    uint64_t content_length;
};

struct http_exchange {
    enum http_method method;
    struct str path;  /* raw, begins with '/', not percent-decoded; "*" for OPTIONS * */
    struct str query; /* raw, behind the '?'; empty when absent */
    const struct http_header *headers;
    size_t header_count;
    struct str body;
    struct arena *arena;       /* one owner at a time: whoever holds the exchange */
    struct str client_address; /* text without the port */
    struct str request_id;     /* the caller's x-request-id, or a new one */
    struct trace_context trace;
    uint64_t start_ns; /* CLOCK_MONOTONIC when the request was complete */
    uint32_t route;    /* set by the handler: the id for metrics; 0 means unmatched */
    void *user;        /* the handler's own */
};

typedef void (*http_handler)(void *context, struct http_exchange *exchange);

/* Any thread. See the rules at the top. */
void http_respond(struct http_exchange *exchange, const struct http_response *response);
/* An error answer made from a status (status.def) and the story in `diag` (may be NULL). */
void http_respond_status(struct http_exchange *exchange, int32_t code, const struct diag *diag);
/*
 * Runs fn(exchange) on the exchange's loop thread. Any thread. The caller gives the exchange away;
 * at most one post may be outstanding.
 */
void http_exchange_post(struct http_exchange *exchange, void (*fn)(struct http_exchange *exchange));
/* Loop thread only: the client is gone; the answer must still be given and is thrown away. */
bool http_exchange_is_abandoned(const struct http_exchange *exchange);

/* Case-insensitive; the first match. An absent header yields data == NULL. */
struct str http_header_get(const struct http_exchange *exchange, const char *name);

/* {"error":{"message","type","code"}} in the arena (Iceberg's ErrorModel). size 0: no memory. */
struct str http_error_body(struct arena *arena, int http_code, const char *type,
                           const char *message);
/* The error type Iceberg clients expect for an HTTP code that no status row produced. */
const char *http_error_type(int http_code);
const char *http_reason(int http_code);
