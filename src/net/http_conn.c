/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_conn.c - the life of a connection: read, parse, hand to the handler, go on, time out, close.
 *
 *     IDLE -> READING -> HANDLING -> WRITING -> IDLE ...            -> LINGER -> CLOSED
 *                 \____ refused ____/   \___ must_close _______________/   (or at once)
 *
 * I1  One request at a time: input behind it waits in `pending`, at most one read of it, and then
 *     the socket is not read any more. So answers leave in the order of the requests.
 * I2  Reading goes on during HANDLING until bytes come: that tells a vanished client early, and
 *     spares two system calls per request.
 * I3  The memory of a connection is given back when libuv has closed the handle and no handler
 *     holds the exchange, whichever comes last.
 */
#include "net/http_internal.h"

#include <sys/socket.h>

enum { SPARE_MAX = 256 };

static uv_stream_t *stream_of(struct http_conn *conn)
{
    return (uv_stream_t *)&conn->tcp;
}

void http__conn_enter(struct http_conn *conn, enum conn_state state)
{
    ASSERT(conn->state != CONN_CLOSED);
    conn->state = state;
    conn->since_ms = http__now_ms(conn);
    conn->window_ms = state == CONN_WRITING ? conn->since_ms : 0;
    conn->window_bytes = conn->moved_bytes;
}

/* --- closing --- */

static void unlink_conn(struct http_conn *conn)
{
    if (conn->prev != NULL)
        conn->prev->next = conn->next;
    else
        conn->loop->conns = conn->next;
    if (conn->next != NULL)
        conn->next->prev = conn->prev;
}

void http__conn_release(struct http_conn *conn)
{
    struct http_loop *loop = conn->loop;
    if (!conn->handle_closed || conn->exchange_open)
        return;
    unlink_conn(conn);
    mem_free(conn->pending);
    http_request_reset(&conn->request);
    arena_deinit(&conn->arena);
    http__addresses_remove(loop->server->addresses, conn->address);
    metric_gauge_add(loop->server->metrics, METRIC_HTTP_CONNECTIONS, metric_labels(0, 0, 0), -1);
    atomic_fetch_sub(&loop->server->connections, 1);
    if (loop->spare_count < SPARE_MAX) {
        conn->next = loop->spare;
        loop->spare = conn;
        loop->spare_count++;
    } else {
        mem_free(conn);
    }
}

static void on_closed(uv_handle_t *handle)
{
    struct http_conn *conn = CONTAINER_OF(handle, struct http_conn, tcp);
    conn->handle_closed = true;
    http__conn_release(conn);
}

void http__conn_abort(struct http_conn *conn)
{
    bool is_answered = conn->state == CONN_WRITING;
    if (conn->state == CONN_CLOSED)
        return;
    conn->loop->out_size = 0;
    conn->state = CONN_CLOSED;
    uv_close((uv_handle_t *)&conn->tcp, on_closed);
    if (conn->exchange_open && is_answered && !conn->write_pending)
        http__answer_finish(conn);
}

/* All answers are in the kernel and the connection has to end. */
static void finish_connection(struct http_conn *conn)
{
    uv_os_fd_t fd;
    if (!conn->must_linger || conn->peer_ended || uv_fileno((uv_handle_t *)&conn->tcp, &fd) != 0) {
        http__conn_abort(conn);
        return;
    }
    /* Closing with unread input would reset the connection and could destroy the answer. */
    (void)shutdown(fd, SHUT_WR);
    http__conn_enter(conn, CONN_LINGER);
}

/* --- requests --- */

static void count_rejected(const struct http_conn *conn, const char *reason)
{
    struct metrics *metrics = conn->loop->server->metrics;
    uint32_t index = metrics_label(metrics, LABEL_REJECT_REASON, str_from(reason));
    metric_add(metrics, METRIC_HTTP_REJECTED, metric_labels(index, 0, 0), 1);
}

static const char *reason_of(int code)
{
    switch (code) {
    case 408: return "timeout";
    case 413:
    case 414:
    case 431: return "too_large";
    case 415:
    case 417:
    case 501:
    case 505: return "unsupported";
    case 503: return "overloaded";
    default: return "malformed";
    }
}

static bool is_plain_token(struct str s)
{
    for (size_t i = 0; i < s.size; i++) {
        if (s.data[i] <= ' ' || s.data[i] > '~')
            return false;
    }
    return s.size > 0 && s.size <= REQUEST_ID_MAX;
}

static void set_identity(struct http_conn *conn)
{
    struct http_exchange *exchange = &conn->exchange;
    struct prng *prng = &conn->loop->prng;
    struct str parent = http_header_get(exchange, "traceparent");
    struct str id = http_header_get(exchange, "x-request-id");
    if (parent.data == NULL || !trace_parse(parent, &exchange->trace))
        exchange->trace = trace_new(prng);
    if (id.data == NULL || !is_plain_token(id)) {
        struct trace_context random = trace_new(prng);
        trace_format_id(&random, conn->request_id_text);
        id = (struct str){conn->request_id_text, sizeof(conn->request_id_text)};
    }
    exchange->request_id = id;
}

static void fill_exchange(struct http_conn *conn)
{
    struct http_request *request = &conn->request;
    conn->exchange = (struct http_exchange){
        .method = request->method,
        .headers = request->headers,
        .header_count = request->header_count,
        .body = {request->body == NULL ? "" : request->body, request->body_size},
        .arena = &conn->arena,
        .client_address = str_from(conn->address_text)};
    conn->response = (struct http_response){.status_code = 0};
    http_request_split_target(request, &conn->exchange.path, &conn->exchange.query);
    set_identity(conn);
}

static void dispatch(struct http_conn *conn)
{
    struct http_server *server = conn->loop->server;
    fill_exchange(conn);
    conn->exchange.start_ns = uv_hrtime();
    conn->exchange_open = true;
    http__conn_enter(conn, CONN_HANDLING);
    metric_gauge_add(server->metrics, METRIC_HTTP_SERVER_ACTIVE_REQUESTS,
                     metric_labels((uint32_t)conn->exchange.method, 0, 0), 1);
    server->handler(server->context, &conn->exchange);
}

/* The server's own error answer, after which the connection cannot go on. */
static void refuse(struct http_conn *conn, int code, const char *text)
{
    static const struct http_header retry_later = {{"retry-after", 11}, {"1", 1}};
    count_rejected(conn, reason_of(code));
    LOG(conn->loop->server->log, DEBUG, "http.refused", "request refused", I64("status", code),
        CSTR("reason", text), CSTR("client", conn->address_text));
    conn->exchange = (struct http_exchange){.arena = &conn->arena};
    set_identity(conn);
    conn->response = (struct http_response){
        .status_code = code,
        .content_type = STR("application/json"),
        .headers = &retry_later,
        .header_count = code == 503 ? 1 : 0,
        .body = http_error_body(&conn->arena, code, http_error_type(code), text)};
    conn->request.keep_alive = false;
    conn->must_close = true;
    conn->must_linger = true;
    conn->exchange_open = true;
    http__conn_answered(conn);
}

static void say_continue(struct http_conn *conn)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct http_loop *loop = conn->loop;
    conn->request.expects_continue = false;
    if (conn->request.body_size > 0 || OUT_SCRATCH_SIZE - loop->out_size < sizeof(text))
        return; /* the client did not wait */
    memcpy(loop->out + loop->out_size, text, sizeof(text) - 1);
    loop->out_size += sizeof(text) - 1;
}

static void feed_step(struct http_conn *conn)
{
    switch (conn->request.phase) {
    case HTTP_PHASE_START:
    case HTTP_PHASE_HEAD: break;
    case HTTP_PHASE_BODY:
        if (conn->request.expects_continue)
            say_continue(conn);
        if (conn->window_ms == 0) {
            conn->window_ms = http__now_ms(conn);
            conn->window_bytes = conn->moved_bytes;
        }
        break;
    case HTTP_PHASE_COMPLETE: dispatch(conn); break;
    case HTTP_PHASE_REFUSED:
        refuse(conn, conn->request.refuse_code, conn->request.refuse_text);
        break;
    }
}

static bool can_parse(const struct http_conn *conn)
{
    return (conn->state == CONN_IDLE || conn->state == CONN_READING) && !conn->must_close;
}

/* Parses and dispatches; returns how many bytes were used. */
static size_t feed(struct http_conn *conn, const char *data, size_t size)
{
    struct http_conn *before = conn->loop->at_work;
    size_t used = 0;
    conn->loop->at_work = conn;
    conn->in_feed = true;
    while (used < size && can_parse(conn)) {
        if (conn->state == CONN_IDLE)
            http__conn_enter(conn, CONN_READING);
        size_t n = http_request_feed(&conn->request, data + used, size - used);
        used += n;
        conn->moved_bytes += n;
        feed_step(conn);
        if (conn->loop->out_size > OUT_SCRATCH_SIZE - ANSWER_ROOM)
            http__answer_flush(conn);
    }
    http__answer_flush(conn);
    conn->in_feed = false;
    conn->loop->at_work = before;
    return used;
}

/* --- reading --- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct http_conn *conn = CONTAINER_OF(handle, struct http_conn, tcp);
    (void)suggested;
    *out = uv_buf_init(conn->loop->read_buffer, READ_BUFFER_SIZE);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf);

static void want_reading(struct http_conn *conn, bool wanted)
{
    if (wanted == conn->is_reading)
        return;
    conn->is_reading = wanted;
    if (!wanted)
        (void)uv_read_stop(stream_of(conn));
    else if (uv_read_start(stream_of(conn), on_alloc, on_read) != 0)
        http__conn_abort(conn);
}

/* After feeding: what now, given what is buffered and what is under way? */
static void settle(struct http_conn *conn)
{
    bool has_pending = conn->pending != NULL;
    if (conn->state == CONN_CLOSED)
        return;
    if (conn->state == CONN_IDLE && conn->must_close)
        finish_connection(conn);
    else if (conn->state == CONN_IDLE && conn->loop->is_draining && !has_pending)
        http__conn_abort(conn);
    else if (conn->peer_ended && !has_pending &&
             (conn->state == CONN_IDLE || conn->state == CONN_READING))
        http__conn_abort(conn);
    if (conn->state != CONN_CLOSED)
        want_reading(conn, !conn->peer_ended && !has_pending);
}

static void keep_pending(struct http_conn *conn, const char *data, size_t size)
{
    ASSERT(conn->pending == NULL);
    conn->pending = mem_alloc(size);
    if (conn->pending == NULL) {
        http__conn_abort(conn);
        return;
    }
    memcpy(conn->pending, data, size);
    conn->pending_at = 0;
    conn->pending_size = size;
}

static void on_input(struct http_conn *conn, const char *data, size_t size)
{
    if (conn->state == CONN_LINGER)
        return;
    size_t used = feed(conn, data, size);
    bool is_waiting = conn->state == CONN_HANDLING || conn->state == CONN_WRITING;
    if (used < size && is_waiting && !conn->must_close)
        keep_pending(conn, data + used, size - used);
    settle(conn);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    struct http_conn *conn = CONTAINER_OF(stream, struct http_conn, tcp);
    if (size > 0) {
        on_input(conn, buf->base, (size_t)size);
    } else if (size == UV_EOF) {
        conn->peer_ended = true;
        if (conn->state == CONN_LINGER)
            http__conn_abort(conn);
        settle(conn);
    } else if (size < 0) {
        http__conn_abort(conn);
    }
}

void http__conn_resume(struct http_conn *conn)
{
    if (conn->state == CONN_CLOSED)
        return;
    const char *data = conn->pending == NULL ? "" : conn->pending + conn->pending_at;
    size_t size = conn->pending == NULL ? 0 : conn->pending_size - conn->pending_at;
    size_t used = feed(conn, data, size);
    conn->pending_at += used;
    if (conn->pending != NULL && (used == size || conn->must_close)) {
        mem_free(conn->pending);
        conn->pending = NULL;
    }
    settle(conn);
}

void http__conn_answered(struct http_conn *conn)
{
    if (conn->state == CONN_CLOSED) {
        http__answer_finish(conn);
        return;
    }
    struct http_conn *before = conn->loop->at_work;
    conn->loop->at_work = conn;
    http__answer(conn);
    conn->loop->at_work = before;
    if (!conn->in_feed)
        http__conn_resume(conn);
}

/* --- time --- */

/* Bytes that really moved; what libuv still queues has not. */
static uint64_t moved(const struct http_conn *conn)
{
    if (conn->state != CONN_WRITING)
        return conn->moved_bytes;
    return conn->moved_bytes - uv_stream_get_write_queue_size((const uv_stream_t *)&conn->tcp);
}

static bool is_too_slow(struct http_conn *conn, uint64_t now_ms)
{
    const struct http_limits *limits = &conn->loop->server->limits;
    uint64_t elapsed_ms = now_ms - conn->window_ms;
    uint64_t now_bytes = moved(conn);
    if (conn->window_ms == 0 || elapsed_ms < limits->rate_window_ms)
        return false;
    if ((now_bytes - conn->window_bytes) * 1000 < limits->min_rate_bytes_per_second * elapsed_ms)
        return true;
    conn->window_ms = now_ms;
    conn->window_bytes = now_bytes;
    return false;
}

static void sweep_reading(struct http_conn *conn, uint64_t now_ms)
{
    const struct http_limits *limits = &conn->loop->server->limits;
    if (conn->request.phase == HTTP_PHASE_BODY) {
        if (is_too_slow(conn, now_ms))
            refuse(conn, 408, "the request body came too slowly");
    } else if (now_ms - conn->since_ms >= limits->header_timeout_ms) {
        refuse(conn, 408, "the request head came too slowly");
    }
}

void http__conn_sweep(struct http_conn *conn, uint64_t now_ms)
{
    const struct http_limits *limits = &conn->loop->server->limits;
    switch (conn->state) {
    case CONN_IDLE:
        if (now_ms - conn->since_ms >= limits->idle_timeout_ms)
            http__conn_abort(conn);
        break;
    case CONN_READING: sweep_reading(conn, now_ms); break;
    case CONN_WRITING:
        if (is_too_slow(conn, now_ms)) {
            count_rejected(conn, "slow_reader");
            http__conn_abort(conn);
        }
        break;
    case CONN_LINGER:
        if (now_ms - conn->since_ms >= limits->linger_timeout_ms)
            http__conn_abort(conn);
        break;
    case CONN_HANDLING:
    case CONN_CLOSED: break;
    }
}

void http__conn_drain(struct http_conn *conn)
{
    if (conn->state == CONN_IDLE || conn->state == CONN_LINGER)
        http__conn_abort(conn);
}

/* --- accepting --- */

static bool read_address(struct http_conn *conn)
{
    struct sockaddr_storage storage;
    int size = sizeof(storage);
    if (uv_tcp_getpeername(&conn->tcp, (struct sockaddr *)&storage, &size) != 0)
        return false;
    if (storage.ss_family == AF_INET6) {
        struct sockaddr_in6 *six = (struct sockaddr_in6 *)&storage;
        memcpy(conn->address, &six->sin6_addr, 16);
        return uv_ip6_name(six, conn->address_text, sizeof(conn->address_text)) == 0;
    }
    struct sockaddr_in *four = (struct sockaddr_in *)&storage;
    memcpy(conn->address, (uint8_t[12]){[10] = 0xff, [11] = 0xff}, 12);
    memcpy(conn->address + 12, &four->sin_addr, 4);
    return uv_ip4_name(four, conn->address_text, sizeof(conn->address_text)) == 0;
}

static struct http_conn *take_memory(struct http_loop *loop)
{
    struct http_conn *conn = loop->spare;
    if (conn == NULL)
        return mem_zalloc(sizeof(struct http_conn));
    loop->spare = conn->next;
    loop->spare_count--;
    memset(conn, 0, sizeof(*conn));
    return conn;
}

static void on_refused_closed(uv_handle_t *handle)
{
    mem_free(CONTAINER_OF(handle, struct http_conn, tcp));
}

/* Beyond the limits of connections: a word of explanation if it fits, then the end. */
static void turn_away(struct http_conn *conn)
{
    static const char text[] =
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\n"
        "connection: close\r\ncontent-length: 85\r\n\r\n"
        "{\"error\":{\"message\":\"too many connections\","
        "\"type\":\"SlowDownException\",\"code\":503}}  \n";
    uv_buf_t buf = uv_buf_init((char *)(uintptr_t)text, sizeof(text) - 1);
    count_rejected(conn, "overloaded");
    (void)uv_try_write(stream_of(conn), &buf, 1);
    uv_close((uv_handle_t *)&conn->tcp, on_refused_closed);
}

static bool admit(struct http_conn *conn)
{
    struct http_server *server = conn->loop->server;
    if (!read_address(conn))
        return false;
    if (atomic_fetch_add(&server->connections, 1) < server->limits.connections_max &&
        http__addresses_add(server->addresses, conn->address))
        return true;
    atomic_fetch_sub(&server->connections, 1);
    return false;
}

static void link_conn(struct http_conn *conn)
{
    conn->next = conn->loop->conns;
    if (conn->next != NULL)
        conn->next->prev = conn;
    conn->loop->conns = conn;
}

void http__conn_accept(struct http_loop *loop)
{
    struct http_server *server = loop->server;
    struct http_conn *conn = take_memory(loop);
    loop->accept_waits = conn == NULL; /* then the sweep tries again */
    if (conn == NULL)
        return;
    conn->loop = loop;
    (void)uv_tcp_init(&loop->uv, &conn->tcp);
    if (uv_accept((uv_stream_t *)&loop->listener, stream_of(conn)) != 0) {
        uv_close((uv_handle_t *)&conn->tcp, on_refused_closed);
        return;
    }
    if (!admit(conn)) {
        turn_away(conn);
        return;
    }
    arena_init(&conn->arena, allocator_heap(), server->limits.arena_bytes_max);
    http_request_init(&conn->request, &conn->arena, &server->limits, &server->budget_used);
    link_conn(conn);
    metric_gauge_add(server->metrics, METRIC_HTTP_CONNECTIONS, metric_labels(0, 0, 0), 1);
    http__conn_enter(conn, CONN_IDLE);
    settle(conn);
}
