/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answer.c - a finished call into an HTTP answer. Loop thread.
 *
 * Failures that surely did not happen and may work later (RETRY) carry Retry-After, so that clients
 * retry instead of treating a commit's outcome as unknown (catalogs.md a.9).
 */
#include "api/call.h"

#include <inttypes.h>
#include <stdio.h>

static status_value body_fill(struct http_body *self, char *out, size_t capacity, size_t *out_size,
                              bool *out_end)
{
    struct api_call *call = CONTAINER_OF(self, struct api_call, body);
    return catalog_stream_fill(call->stream, out, capacity, &call->diag, out_size, out_end);
}

static void body_close(struct http_body *self)
{
    struct api_call *call = CONTAINER_OF(self, struct api_call, body);
    catalog_stream_close(call->stream);
    kv_snapshot_close(call->snapshot);
}

/* The index of LABEL_OUTCOME (metrics.def lists them in this order). */
static uint32_t outcome_of(const struct api_call *call)
{
    enum { O_OK, O_CONFLICT, O_NOT_FOUND, O_INVALID, O_DENIED, O_RETRY, O_UNKNOWN, O_ERROR };
    switch (status_class_of(call->result.code)) {
    case CLASS_NONE: return O_OK;
    case CLASS_CONFLICT: return O_CONFLICT;
    case CLASS_NOT_FOUND: return O_NOT_FOUND;
    case CLASS_INVALID: return O_INVALID;
    case CLASS_DENIED: return O_DENIED;
    case CLASS_RETRY:
    case CLASS_CANCELLED: return O_RETRY;
    case CLASS_UNKNOWN: return O_UNKNOWN;
    case CLASS_FATAL: return O_ERROR;
    }
    return O_ERROR;
}

static void count(const struct api_call *call)
{
    const struct api *api = call->api;
    if (!call->matched)
        return;
    uint32_t operation = api->operation_labels[call->request.op];
    uint64_t now = api->env->ops->monotonic_ns(api->env);
    metric_add(api->metrics, METRIC_CATALOG_OPERATIONS,
               metric_labels(operation, outcome_of(call), 0), 1);
    metric_observe_ns(api->metrics, METRIC_CATALOG_OPERATION_DURATION,
                      metric_labels(operation, 0, 0), now - call->exchange->start_ns);
}

static void log_failure(const struct api_call *call)
{
    char trace[TRACE_ID_TEXT_SIZE];
    enum status_class class = status_class_of(call->result.code);
    if (class != CLASS_FATAL && class != CLASS_UNKNOWN)
        return;
    trace_format_id(&call->exchange->trace, trace);
    LOG(call->api->log, ERROR, "request.failed", "a request failed inside the server",
        TEXT("path", call->exchange->path), CSTR("code", status_name(call->result.code)),
        CSTR("why", diag_message(&call->diag, call->result.code)),
        TEXT("request_id", call->exchange->request_id),
        TEXT("trace_id", ((struct str){trace, sizeof(trace)})));
}

static struct str error_body(struct api_call *call, int http)
{
    return http_error_body(call->exchange->arena, http, status_iceberg_type(call->result.code),
                           diag_message(&call->diag, call->result.code));
}

static void answer_failure(struct api_call *call)
{
    static const struct http_header retry = {{"retry-after", 11}, {"1", 1}};
    int http = status_http(call->result.code);
    bool may_retry = status_class_of(call->result.code) == CLASS_RETRY;
    struct http_response response = {.status_code = http,
                                     .content_type = STR("application/json"),
                                     .headers = &retry,
                                     .header_count = may_retry ? 1 : 0};
    kv_snapshot_close(call->snapshot);
    log_failure(call);
    response.body = error_body(call, http);
    http_respond(call->exchange, &response);
}

static struct str commit_timing(struct api_call *call)
{
    uint64_t ns = call->evaluated_ns - call->exchange->start_ns;
    return arena_printf(call->exchange->arena, "commit;dur=%" PRIu64 ".%03" PRIu64, ns / 1000000,
                        ns / 1000 % 1000);
}

/* True when the body will come from a stream; the snapshot is then the stream's. */
static status_value open_body(struct api_call *call, struct http_response *response)
{
    response->body = call->response.json;
    if (call->response.body != CATALOG_BODY_TABLE && call->response.body != CATALOG_BODY_VIEW)
        return OK;
    TRY(catalog_stream_open(&call->snapshot->reader, call->exchange->arena, &call->response,
                            &call->diag, &call->stream));
    call->body = (struct http_body){body_fill, body_close};
    response->stream = &call->body;
    return OK;
}

static void answer_success(struct api_call *call)
{
    struct http_header headers[3];
    size_t count = 0;
    struct http_response response = {.status_code = call->response.http,
                                     .content_type = STR("application/json")};
    if (call->response.etag.size > 0)
        headers[count++] = (struct http_header){STR("etag"), call->response.etag};
    if (call->evaluated_ns != 0)
        headers[count++] = (struct http_header){STR("server-timing"), commit_timing(call)};
    if (call->response.replayed)
        headers[count++] = (struct http_header){STR("idempotency-replayed"), STR("true")};
    bool no_body = call->response.body == CATALOG_BODY_NONE;
    if (no_body)
        response.content_type = (struct str){"", 0};
    else
        call->result = open_body(call, &response);
    if (!is_ok(call->result)) {
        answer_failure(call);
        return;
    }
    if (response.stream == NULL)
        kv_snapshot_close(call->snapshot);
    response.headers = headers;
    response.header_count = count;
    http_respond(call->exchange, &response);
}

void call__answer(struct http_exchange *exchange)
{
    struct api_call *call = exchange->user;
    count(call);
    if (is_ok(call->result))
        answer_success(call);
    else
        answer_failure(call);
}
