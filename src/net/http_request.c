/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_request.c - llhttp's callbacks, and the rules llhttp leaves to its user.
 *
 * I1  Everything the request points to lies in the arena or in `body`; nothing borrows input bytes,
 *     because a request outlives the read that brought it.
 * I2  The budget counts exactly body_capacity for this request.
 * I3  Framing is never guessed: Content-Length together with Transfer-Encoding, a coding other than
 *     chunked, two Host headers, or an HTTP/1.0 request with a coding are refused (RFC 9112 §6.1,
 *     §3.2), since a proxy in front may have read them another way. So are header lines that are
 *     folded over several lines (§5.2), which llhttp would join.
 */
#include "net/http_request.h"

enum {
    HEAD_FIRST = 1024,
    HEADERS_FIRST = 16,
    BODY_FIRST = 64 << 10,
    HEAD_OVERHEAD = 1 << 10, /* request line, line ends, a little padding */
    /* What chunk headers, extensions and trailers may cost on the wire. */
    CHUNK_OVERHEAD_FIXED = 64 << 10,
    CHUNK_OVERHEAD_FACTOR = 16
};

static struct http_request *request_of(llhttp_t *parser)
{
    return CONTAINER_OF(parser, struct http_request, parser);
}

static int refuse(struct http_request *request, int code, const char *text)
{
    if (request->phase != HTTP_PHASE_REFUSED) {
        request->phase = HTTP_PHASE_REFUSED;
        request->refuse_code = code;
        request->refuse_text = text;
    }
    return -1;
}

static void rebase(struct str *s, const char *old, char *new)
{
    if (s->data != NULL)
        s->data = new + (s->data - old);
}

static int head_grow(struct http_request *request, size_t need)
{
    size_t capacity = request->head_capacity == 0 ? HEAD_FIRST : request->head_capacity * 2;
    while (capacity < need)
        capacity *= 2;
    char *head = arena_alloc(request->arena, capacity);
    if (head == NULL)
        return refuse(request, 503, "the memory budget of the request is exhausted");
    if (request->head_size > 0)
        memcpy(head, request->head, request->head_size);
    rebase(&request->target, request->head, head);
    for (size_t i = 0; i < request->header_count; i++) {
        rebase(&request->headers[i].name, request->head, head);
        rebase(&request->headers[i].value, request->head, head);
    }
    request->head = head;
    request->head_capacity = capacity;
    return 0;
}

/* Appends to `s`, which is empty or ends where the head ends. */
static int head_append(struct http_request *request, struct str *s, const char *at, size_t size)
{
    if (request->head_size + size > request->head_capacity &&
        head_grow(request, request->head_size + size) != 0)
        return -1;
    if (s->data == NULL)
        s->data = request->head + request->head_size;
    memcpy(request->head + request->head_size, at, size);
    request->head_size += size;
    s->size += size;
    return 0;
}

static int on_message_begin(llhttp_t *parser)
{
    request_of(parser)->phase = HTTP_PHASE_HEAD;
    return 0;
}

static int on_url(llhttp_t *parser, const char *at, size_t size)
{
    struct http_request *request = request_of(parser);
    if (request->target.size + size > request->limits->target_bytes_max)
        return refuse(request, 414, "the request target is too long");
    return head_append(request, &request->target, at, size);
}

static int header_begin(struct http_request *request)
{
    if (request->header_count >= request->limits->header_count_max)
        return refuse(request, 431, "the request has too many headers");
    if (request->header_count == request->header_capacity) {
        size_t capacity =
            request->header_capacity == 0 ? HEADERS_FIRST : request->header_capacity * 2;
        struct http_header *headers = ARENA_ARRAY(request->arena, struct http_header, capacity);
        if (headers == NULL)
            return refuse(request, 503, "the memory budget of the request is exhausted");
        if (request->header_count > 0)
            memcpy(headers, request->headers, request->header_count * sizeof(*headers));
        request->headers = headers;
        request->header_capacity = capacity;
    }
    request->headers[request->header_count++] = (struct http_header){.name.data = NULL};
    request->value_done = false;
    return 0;
}

static bool headers_too_large(const struct http_request *request, size_t more)
{
    size_t bytes = request->head_size - request->target.size + more;
    return bytes + 4 * request->header_count > request->limits->header_bytes_max;
}

static int on_header_field(llhttp_t *parser, const char *at, size_t size)
{
    struct http_request *request = request_of(parser);
    if (request->phase == HTTP_PHASE_BODY)
        return 0; /* trailers carry nothing tarn needs; their size is bounded with the chunks */
    if (request->value_done && header_begin(request) != 0)
        return -1;
    if (headers_too_large(request, size))
        return refuse(request, 431, "the request headers are too large");
    return head_append(request, &request->headers[request->header_count - 1].name, at, size);
}

static int on_header_value(llhttp_t *parser, const char *at, size_t size)
{
    struct http_request *request = request_of(parser);
    if (request->phase == HTTP_PHASE_BODY)
        return 0;
    if (headers_too_large(request, size))
        return refuse(request, 431, "the request headers are too large");
    return head_append(request, &request->headers[request->header_count - 1].value, at, size);
}

static int on_header_value_complete(llhttp_t *parser)
{
    struct http_request *request = request_of(parser);
    if (request->phase == HTTP_PHASE_BODY)
        return 0;
    struct str *value = &request->headers[request->header_count - 1].value;
    if (value->data == NULL)
        value->data = request->head + request->head_size;
    while (value->size > 0 &&
           (value->data[value->size - 1] == ' ' || value->data[value->size - 1] == '\t'))
        value->size--;
    request->value_done = true;
    return 0;
}

static enum http_method method_of(uint8_t method)
{
    switch (method) {
    case HTTP_GET: return HTTP_METHOD_GET;
    case HTTP_HEAD: return HTTP_METHOD_HEAD;
    case HTTP_POST: return HTTP_METHOD_POST;
    case HTTP_PUT: return HTTP_METHOD_PUT;
    case HTTP_PATCH: return HTTP_METHOD_PATCH;
    case HTTP_DELETE: return HTTP_METHOD_DELETE;
    case HTTP_OPTIONS: return HTTP_METHOD_OPTIONS;
    default: return HTTP_METHOD_OTHER;
    }
}

static int check_host(struct http_request *request)
{
    size_t hosts = 0;
    for (size_t i = 0; i < request->header_count; i++)
        hosts += str_eq_nocase(request->headers[i].name, STR("host")) ? 1U : 0U;
    if (hosts > 1 || (hosts == 0 && !request->is_http10))
        return refuse(request, 400, "an HTTP/1.1 request needs exactly one Host header");
    return 0;
}

static int check_codings(struct http_request *request)
{
    const struct http_header *headers = request->headers;
    struct str transfer =
        http_headers_find(headers, request->header_count, STR("transfer-encoding"));
    struct str content = http_headers_find(headers, request->header_count, STR("content-encoding"));
    if (transfer.data != NULL && request->is_http10)
        return refuse(request, 400, "HTTP/1.0 has no Transfer-Encoding");
    if (transfer.data != NULL && !str_eq_nocase(transfer, STR("chunked")))
        return refuse(request, 501, "the only transfer coding understood is chunked");
    if (content.data != NULL && !str_eq_nocase(content, STR("identity")))
        return refuse(request, 415, "compressed request bodies are not accepted");
    return 0;
}

static int check_expect(struct http_request *request)
{
    struct str expect = http_headers_find(request->headers, request->header_count, STR("expect"));
    if (expect.data == NULL || request->is_http10)
        return 0;
    if (!str_eq_nocase(expect, STR("100-continue")))
        return refuse(request, 417, "the only expectation understood is 100-continue");
    request->expects_continue = request->is_chunked || request->content_length > 0;
    return 0;
}

/* origin-form, "*", or absolute-form, which is cut down to its path (RFC 9112 §3.2.2). */
static int check_target(struct http_request *request)
{
    struct str target = request->target;
    if (target.size > 0 && target.data[0] == '/')
        return 0;
    if (str_is(target, "*") && request->method == HTTP_METHOD_OPTIONS)
        return 0;
    size_t scheme = str_starts(target, STR("http://")) ? 7 : 8;
    if (scheme == 8 && !str_starts(target, STR("https://")))
        return refuse(request, 400, "the request target is not valid");
    ptrdiff_t slash = str_find(str_from_pos(target, scheme), '/');
    request->target = slash < 0 ? STR("/") : str_from_pos(target, scheme + (size_t)slash);
    return 0;
}

static int on_headers_complete(llhttp_t *parser)
{
    struct http_request *request = request_of(parser);
    request->method = method_of(parser->method);
    request->is_http10 = parser->http_major == 1 && parser->http_minor == 0;
    request->is_chunked = (parser->flags & F_CHUNKED) != 0;
    request->content_length = (parser->flags & F_CONTENT_LENGTH) != 0 ? parser->content_length : 0;
    parser->upgrade = 0; /* no other protocol is spoken here: RFC 9110 §7.8 lets us ignore it */
    if (parser->http_major != 1)
        return refuse(request, 505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    if (parser->method == HTTP_CONNECT)
        return refuse(request, 405, "CONNECT is not offered");
    if (check_host(request) != 0 || check_codings(request) != 0 || check_target(request) != 0 ||
        check_expect(request) != 0)
        return -1;
    if (request->content_length > request->limits->body_bytes_max)
        return refuse(request, 413, "the request body is too large");
    request->phase = HTTP_PHASE_BODY;
    return 0;
}

static bool budget_take(struct http_request *request, size_t bytes)
{
    size_t used = atomic_fetch_add_explicit(request->budget_used, bytes, memory_order_relaxed);
    if (used + bytes <= request->limits->request_bytes_budget)
        return true;
    atomic_fetch_sub_explicit(request->budget_used, bytes, memory_order_relaxed);
    return false;
}

static int body_grow(struct http_request *request, size_t need)
{
    size_t goal = request->is_chunked ? request->limits->body_bytes_max : request->content_length;
    size_t capacity = request->body_capacity == 0 ? BODY_FIRST : request->body_capacity * 2;
    capacity = u64_min(u64_max(capacity, need), goal);
    if (!budget_take(request, capacity))
        return refuse(request, 503, "too many request bytes are in flight");
    char *body = request->arena->allocator->alloc(request->arena->allocator, capacity);
    if (body == NULL) {
        atomic_fetch_sub_explicit(request->budget_used, capacity, memory_order_relaxed);
        return refuse(request, 503, "out of memory");
    }
    if (request->body_size > 0)
        memcpy(body, request->body, request->body_size);
    if (request->body != NULL)
        request->arena->allocator->release(request->arena->allocator, request->body,
                                           request->body_capacity);
    atomic_fetch_sub_explicit(request->budget_used, request->body_capacity, memory_order_relaxed);
    request->body = body;
    request->body_capacity = capacity;
    return 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t size)
{
    struct http_request *request = request_of(parser);
    if (size > request->limits->body_bytes_max - request->body_size)
        return refuse(request, 413, "the request body is too large");
    if (size > request->body_capacity - request->body_size &&
        body_grow(request, request->body_size + size) != 0)
        return -1;
    memcpy(request->body + request->body_size, at, size);
    request->body_size += size;
    return 0;
}

static int on_message_complete(llhttp_t *parser)
{
    struct http_request *request = request_of(parser);
    request->keep_alive = llhttp_should_keep_alive(parser) != 0;
    request->phase = HTTP_PHASE_COMPLETE;
    return HPE_PAUSED;
}

static const llhttp_settings_t parser_settings = {
    .on_message_begin = on_message_begin,
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_header_value_complete = on_header_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

void http_request_init(struct http_request *request, struct arena *arena,
                       const struct http_limits *limits, _Atomic size_t *budget_used)
{
    *request = (struct http_request){
        .limits = limits, .budget_used = budget_used, .arena = arena, .value_done = true};
    llhttp_init(&request->parser, HTTP_REQUEST, &parser_settings);
}

void http_request_reset(struct http_request *request)
{
    if (request->body != NULL) {
        request->arena->allocator->release(request->arena->allocator, request->body,
                                           request->body_capacity);
        atomic_fetch_sub_explicit(request->budget_used, request->body_capacity,
                                  memory_order_relaxed);
    }
    http_request_init(request, request->arena, request->limits, request->budget_used);
}

/* Chunk framing, extensions and trailers are bounded by the content they carry. */
static void check_body_wire_bytes(struct http_request *request, size_t consumed)
{
    request->body_wire_bytes += consumed;
    if (request->body_wire_bytes >
        CHUNK_OVERHEAD_FIXED + (CHUNK_OVERHEAD_FACTOR + 1) * request->body_size)
        (void)refuse(request, 400, "the chunk framing is larger than its content allows");
}

/* Walks line by line until the empty line that ends the head; counts what it walks over. */
static bool has_folded_line(struct http_request *request, const char *data, size_t size)
{
    size_t at = 0;
    while (at < size && request->scan != HTTP_SCAN_DONE) {
        bool is_break = data[at] == '\r' || data[at] == '\n';
        if (request->scan == HTTP_SCAN_LINE_START && (data[at] == ' ' || data[at] == '\t'))
            return true;
        if (request->scan == HTTP_SCAN_BEFORE && is_break) {
            at++; /* empty lines before a request are allowed (RFC 9112 §2.2) */
        } else if (request->scan == HTTP_SCAN_LINE_START && is_break) {
            request->scan = HTTP_SCAN_DONE;
        } else {
            const char *end = memchr(data + at, '\n', size - at);
            request->scan = end == NULL ? HTTP_SCAN_LINE : HTTP_SCAN_LINE_START;
            at = end == NULL ? size : (size_t)(end - data) + 1;
        }
    }
    request->head_wire_bytes += at;
    return false;
}

/* What llhttp would let pass. */
static bool has_bad_head(struct http_request *request, const char *data, size_t size)
{
    const struct http_limits *limits = request->limits;
    if (has_folded_line(request, data, size))
        return refuse(request, 400, "a header line is folded over several lines") != 0;
    if (request->head_wire_bytes >
        limits->header_bytes_max + limits->target_bytes_max + HEAD_OVERHEAD)
        return refuse(request, 431, "the request head is too large") != 0;
    return false;
}

size_t http_request_feed(struct http_request *request, const char *data, size_t size)
{
    enum http_phase before = request->phase;
    ASSERT(before != HTTP_PHASE_COMPLETE && before != HTTP_PHASE_REFUSED);
    if (has_bad_head(request, data, size))
        return size;
    llhttp_errno_t error = llhttp_execute(&request->parser, data, size);
    if (request->phase == HTTP_PHASE_REFUSED)
        return size;
    if (error == HPE_PAUSED) {
        ASSERT(request->phase == HTTP_PHASE_COMPLETE);
        return (size_t)(llhttp_get_error_pos(&request->parser) - data);
    }
    if (error != HPE_OK)
        (void)refuse(request, 400, "the request is not valid HTTP/1.1");
    else if (before == HTTP_PHASE_BODY)
        check_body_wire_bytes(request, size);
    return size;
}

void http_request_split_target(const struct http_request *request, struct str *out_path,
                               struct str *out_query)
{
    ptrdiff_t mark = str_find(request->target, '?');
    size_t at = mark < 0 ? request->target.size : (size_t)mark;
    *out_path = str_slice(request->target, 0, at);
    *out_query = str_from_pos(request->target, at + (mark < 0 ? 0 : 1));
}

struct str http_headers_find(const struct http_header *headers, size_t count, struct str name)
{
    for (size_t i = 0; i < count; i++) {
        if (str_eq_nocase(headers[i].name, name))
            return headers[i].value;
    }
    return (struct str){NULL, 0};
}
