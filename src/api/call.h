/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * call.h - one REST call on its way: parse, evaluate, wait, answer. Lives in the exchange's arena.
 *
 * Life: api_handle (loop thread) -> [pool: read a file] -> evaluate (core thread, or loop thread
 * for reads) -> [publisher: wait for metadata.json] -> answer (loop thread). Whoever holds the call
 * owns the arena.
 */
#include "api/api.h"

struct api_call {
    struct api *api;
    struct http_exchange *exchange;
    struct catalog_request request;
    struct catalog_response response;
    struct diag diag;
    status_value result;
    struct kv_snapshot *snapshot; /* the body is read from it */
    struct node_task task;
    struct publisher_wait wait;
    size_t awaited; /* versions of response.await whose files are there */
    struct pool_task job;
    struct http_body body;
    struct catalog_stream *stream;
    const struct cached_body *cached; /* instead of the stream */
    size_t cached_sent;
    struct body_recorder recorder;
    struct prng prng;
    char reserve[2 * DIAG_TEXT]; /* for an error body when the arena is exhausted */
    bool matched;                /* request.op is known */
    uint64_t evaluated_ns;       /* durable and applied */
};

/* request.c: body, headers and names into call->request. */
status call__parse(struct api_call *call);
/* register.c: reads the metadata file named by the body into call->request.metadata_file.
 * Blocks. */
status call__read_metadata_file(struct api_call *call);
/* verify.c: answers after a look at the metadata file of a loaded object, on a pool thread. */
void call__verify(struct api_call *call);
/* answer.c: sends call->result and call->response. Loop thread; the call is gone afterwards. */
void call__answer(struct http_exchange *exchange);
