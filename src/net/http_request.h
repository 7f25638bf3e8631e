/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * http_request.h - bytes of a connection to one checked request. No socket, no clock: the fuzzer
 * and the tests feed it bytes split anywhere.
 */
#include "base/log.h"
#include "net/http.h"
#include "net/http_server.h"

#include <llhttp.h>
#include <stdatomic.h>

enum http_phase {
    HTTP_PHASE_START, /* nothing of the request seen */
    HTTP_PHASE_HEAD,
    HTTP_PHASE_BODY,
    HTTP_PHASE_COMPLETE,
    HTTP_PHASE_REFUSED /* refuse_code and refuse_text say why; the connection cannot go on */
};

/* Where the search for folded header lines stands. */
enum http_scan { HTTP_SCAN_BEFORE, HTTP_SCAN_LINE, HTTP_SCAN_LINE_START, HTTP_SCAN_DONE };

struct http_request {
    llhttp_t parser;
    const struct http_limits *limits;
    _Atomic size_t *budget_used; /* shared by all requests of a server */
    struct arena *arena;
    enum http_phase phase;
    enum http_scan scan;
    enum http_method method;
    bool value_done; /* the next name byte begins a new header */
    bool keep_alive;
    bool is_http10;
    bool expects_continue;
    int refuse_code;
    const char *refuse_text;
    /* head: one growing block; target and headers point into it */
    char *head;
    size_t head_size;
    size_t head_capacity;
    size_t head_wire_bytes; /* as received, so that padding counts too */
    size_t body_wire_bytes;
    struct str target;
    struct http_header *headers;
    size_t header_count;
    size_t header_capacity;
    /* body: one block from the arena's allocator, charged to the budget by its capacity */
    char *body;
    size_t body_size;
    size_t body_capacity;
    uint64_t content_length; /* as announced; 0 when chunked or absent */
    bool is_chunked;
};

/* `arena`, `limits` and `budget_used` are kept. */
void http_request_init(struct http_request *request, struct arena *arena,
                       const struct http_limits *limits, _Atomic size_t *budget_used);
/* Gives the body back and makes ready for the next request. The owner resets the arena. */
void http_request_reset(struct http_request *request);
/* Reads up to `size` bytes, at most to the end of this request; returns how many were consumed. */
size_t http_request_feed(struct http_request *request, const char *data, size_t size);
/* Of a complete request: path without the query. */
void http_request_split_target(const struct http_request *request, struct str *out_path,
                               struct str *out_query);
/* The first header of that name, or data == NULL. */
struct str http_headers_find(const struct http_header *headers, size_t count, struct str name);
