/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answer.c - a finished call into an HTTP answer. Loop thread.
 *
 * Failures that surely did not happen and may work later (RETRY) carry Retry-After, so that clients
 * retry instead of treating a commit's outcome as unknown.
 */
#include "api/call.h"

#include <inttypes.h>
#include <stdio.h>

static status_value stream_fill(struct http_body *self, char *out, size_t capacity,
                                size_t *out_size, bool *out_end)
{
    struct api_call *call = CONTAINER_OF(self, struct api_call, body);
    TRY(catalog_stream_fill(call->stream, out, capacity, &call->diag, out_size, out_end));
    body_recorder_add(&call->recorder, out, *out_size);
    if (*out_end)
        body_recorder_finish(&call->recorder);
    return OK;
}

static void stream_close(struct http_body *self)
{
    struct api_call *call = CONTAINER_OF(self, struct api_call, body);
    body_recorder_cancel(&call->recorder);
    catalog_stream_close(call->stream);
    kv_snapshot_close(call->snapshot);
}

static status_value cached_fill(struct http_body *self, char *out, size_t capacity,
                                size_t *out_size, bool *out_end)
{
    struct api_call *call = CONTAINER_OF(self, struct api_call, body);
    size_t left = call->cached->size - call->cached_sent;
    size_t size = left < capacity ? left : capacity;
    memcpy(out, call->cached->data + call->cached_sent, size);
    call->cached_sent += size;
    *out_size = size;
    *out_end = call->cached_sent == call->cached->size;
    return OK;
}

static void cached_close(struct http_body *self)
{
    struct api_call *call = CONTAINER_OF(self, struct api_call, body);
    body_cache_release(call->api->bodies, call->cached);
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

/* The index of LABEL_REQUIREMENT that a refusal names. */
static uint32_t requirement_of(const char *message)
{
    static const char *const texts[] = {"table already exists",
                                        "UUID does not match",
                                        "branch or tag",
                                        "last assigned field id changed",
                                        "current schema changed",
                                        "last assigned partition id changed",
                                        "default partition spec changed",
                                        "default sort order changed",
                                        "view UUID does not match"};
    const char *view = strstr(message, texts[COUNTOF(texts) - 1]);
    for (uint32_t i = 0; i + 1 < COUNTOF(texts) && view == NULL; i++)
        if (strstr(message, texts[i]) != NULL)
            return i;
    bool is_ref = strstr(message, "branch ") != NULL || strstr(message, "tag ") != NULL;
    return view == NULL && is_ref ? 2 : (uint32_t)COUNTOF(texts) - 1;
}

static void count_commit(const struct api_call *call)
{
    enum { IDEMPOTENCY_RECORDED, IDEMPOTENCY_REPLAYED };
    struct metrics *metrics = call->api->metrics;
    const char *message = diag_message(&call->diag, call->result.code);
    if (call->result.code == STATUS_COMMIT_FAILED && strstr(message, "Requirement failed") != NULL)
        metric_add(metrics, METRIC_CATALOG_COMMIT_CONFLICTS,
                   metric_labels(requirement_of(message), 0, 0), 1);
    if (call->request.has_idempotency_key && is_ok(call->result))
        metric_add(metrics, METRIC_CATALOG_IDEMPOTENCY,
                   metric_labels(
                       call->response.replayed ? IDEMPOTENCY_REPLAYED : IDEMPOTENCY_RECORDED, 0, 0),
                   1);
}

static void log_request(const struct api_call *call, uint64_t took_ns)
{
    char trace[TRACE_ID_TEXT_SIZE];
    if (call->api->log == NULL || call->api->log->threshold > LOG_DEBUG)
        return;
    trace_format_id(&call->exchange->trace, trace);
    LOG(call->api->log, DEBUG, "request.done", "a request was answered",
        CSTR("method", http_method_name(call->exchange->method)),
        TEXT("path", call->exchange->path), CSTR("code", status_name(call->result.code)),
        NS("dur", took_ns), TEXT("request_id", call->exchange->request_id),
        TEXT("trace_id", ((struct str){trace, sizeof(trace)})));
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
    count_commit(call);
    log_request(call, now - call->exchange->start_ns);
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

/* Without the arena, which may be what has run out. */
static struct str reserve_error_body(struct api_call *call, int http)
{
    struct json_writer w;
    struct buf text = {
        .data = call->reserve, .capacity = sizeof(call->reserve), .max = sizeof(call->reserve)};
    json_writer_init(&w, &text);
    jw_object(&w);
    jw_key(&w, "error");
    jw_object(&w);
    jw_key(&w, "message");
    jw_cstr(&w, diag_message(&call->diag, call->result.code));
    jw_key(&w, "type");
    jw_cstr(&w, status_iceberg_type(call->result.code));
    jw_key(&w, "code");
    jw_i64(&w, http);
    jw_end(&w);
    jw_end(&w);
    return text.failed == STATUS_OK ? buf_view(&text) : STR("{}");
}

static struct str error_body(struct api_call *call, int http)
{
    struct str body =
        http_error_body(call->exchange->arena, http, status_iceberg_type(call->result.code),
                        diag_message(&call->diag, call->result.code));
    return body.size > 0 ? body : reserve_error_body(call, http);
}

/* Out of memory because of its own size: trying again will not help, so this is no 503. */
static void blame_large_request(struct api_call *call)
{
    const struct arena *arena = call->exchange->arena;
    if (call->result.code != STATUS_NOMEM || arena->used_bytes < arena->budget_bytes / 4)
        return;
    diag_reset(&call->diag);
    call->result =
        FAIL(&call->diag, TOO_LARGE,
             "the request needs more memory than the %zu bytes that limits.request-memory "
             "allows; raise the limit or send less",
             arena->budget_bytes);
}

static void answer_failure(struct api_call *call)
{
    static const struct http_header retry = {{"retry-after", 11}, {"1", 1}};
    kv_snapshot_close(call->snapshot);
    blame_large_request(call);
    log_failure(call);
    int http = status_http(call->result.code);
    bool may_retry = status_class_of(call->result.code) == CLASS_RETRY;
    const struct http_response response = {.status_code = http,
                                           .content_type = STR("application/json"),
                                           .headers = &retry,
                                           .header_count = may_retry ? 1 : 0,
                                           .body = error_body(call, http)};
    http_respond(call->exchange, &response);
}

static struct str commit_timing(struct api_call *call)
{
    uint64_t ns = call->evaluated_ns - call->exchange->start_ns;
    return arena_printf(call->exchange->arena, "commit;dur=%" PRIu64 ".%03" PRIu64, ns / 1000000,
                        ns / 1000 % 1000);
}

/* An ETag names the version and the mode; the object's id keeps two tables on one metadata file
 * apart. */
static struct hash128 body_key(const struct catalog_response *response)
{
    uint64_t seed = response->object_id * 4 + response->warehouse * UINT64_C(0x9e3779b97f4a7c15) +
                    (response->with_config ? 1 : 0);
    return hash128(response->etag, seed);
}

/* A table that was loaded before is sent from memory. */
static bool open_cached(struct api_call *call, struct http_response *response)
{
    struct body_cache *bodies = call->api->bodies;
    if (call->request.op != CATALOG_TABLE_LOAD || call->response.etag.size == 0)
        return false;
    struct hash128 key = body_key(&call->response);
    call->cached = body_cache_get(bodies, key);
    if (call->cached == NULL) {
        if (body_cache_wants(bodies, key))
            call->recorder = (struct body_recorder){.cache = bodies, .key = key};
        return false;
    }
    kv_snapshot_close(call->snapshot);
    call->body = (struct http_body){cached_fill, cached_close};
    response->has_content_length = true;
    response->content_length = call->cached->size;
    return true;
}

static status_value open_body(struct api_call *call, struct http_response *response)
{
    response->body = call->response.json;
    if (call->response.body != CATALOG_BODY_TABLE && call->response.body != CATALOG_BODY_VIEW)
        return OK;
    if (!open_cached(call, response)) {
        TRY(catalog_stream_open(&call->snapshot->reader, call->exchange->arena, &call->response,
                                &call->diag, &call->stream));
        call->body = (struct http_body){stream_fill, stream_close};
    }
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
    /* A change has happened by now: nothing may say that it surely did not. */
    if (!is_ok(call->result) && catalog_op_mutates(call->request.op))
        call->result = FAIL(&call->diag, COMMIT_UNKNOWN,
                            "the commit was applied, but its answer could not be read");
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
