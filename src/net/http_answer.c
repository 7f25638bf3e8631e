/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_answer.c - from a response to bytes on their way.
 *
 * Small answers are collected in the loop's scratch, so that all answers to one read of pipelined
 * requests leave in one system call; the exchange is over as soon as its bytes are there. A larger
 * body goes out from where it lies, behind the scratch, and keeps its exchange until written.
 */
#include "net/http_internal.h"

static bool has_no_body(const struct http_conn *conn)
{
    int code = conn->response.status_code;
    return conn->request.method == HTTP_METHOD_HEAD || code == 204 || code == 304 || code < 200;
}

static void close_stream(struct http_conn *conn)
{
    if (conn->response.stream != NULL)
        conn->response.stream->close(conn->response.stream);
    conn->response.stream = NULL;
}

static void count(const struct http_conn *conn)
{
    const struct http_server *server = conn->loop->server;
    const struct http_exchange *exchange = &conn->exchange;
    if (exchange->start_ns == 0)
        return; /* refused before a handler saw it */
    metric_gauge_add(server->metrics, METRIC_HTTP_SERVER_ACTIVE_REQUESTS,
                     metric_labels((uint32_t)exchange->method, 0, 0), -1);
    metric_observe_ns(server->metrics, METRIC_HTTP_SERVER_REQUEST_DURATION,
                      metric_labels((uint32_t)exchange->method, exchange->route,
                                    metric_http_code(conn->response.status_code)),
                      uv_hrtime() - exchange->start_ns);
}

void http__answer_finish(struct http_conn *conn)
{
    ASSERT(conn->exchange_open && !conn->write_pending);
    close_stream(conn);
    count(conn);
    mem_free(conn->stream_buffer);
    conn->stream_buffer = NULL;
    http_request_reset(&conn->request);
    arena_reset(&conn->arena);
    conn->exchange_open = false;
    if (conn->state == CONN_CLOSED)
        http__conn_release(conn);
    else
        http__conn_enter(conn, CONN_IDLE);
}

void http__answer_flush(struct http_conn *conn)
{
    if (conn->loop->out_size > 0)
        (void)http__send(conn, STR(""), false);
}

/* Head into the scratch. An answer whose own headers do not fit becomes a 500 without them. */
static void put_head(struct http_conn *conn, enum http_framing framing, uint64_t length)
{
    struct http_loop *loop = conn->loop;
    size_t size = http__head_write(conn, framing, length, loop->out + loop->out_size);
    if (size == 0) {
        conn->response.header_count = 0;
        conn->response.content_type = STR("");
        conn->response.status_code = 500;
        size = http__head_write(conn, framing, length, loop->out + loop->out_size);
        ASSERT(size > 0);
    }
    loop->out_size += size;
}

static void answer_without_body(struct http_conn *conn)
{
    const struct http_response *response = &conn->response;
    int code = response->status_code;
    if (code == 204 || code == 304 || code < 200)
        put_head(conn, FRAME_NONE, 0);
    else if (response->stream == NULL)
        put_head(conn, FRAME_LENGTH, response->body.size);
    else if (response->has_content_length)
        put_head(conn, FRAME_LENGTH, response->content_length);
    else
        put_head(conn, conn->request.is_http10 ? FRAME_NONE : FRAME_CHUNKED, 0);
    http__answer_finish(conn);
}

static void answer_with_text(struct http_conn *conn)
{
    struct http_loop *loop = conn->loop;
    struct str body = conn->response.body;
    put_head(conn, FRAME_LENGTH, body.size);
    if (body.size <= SMALL_BODY_MAX) {
        if (body.size > 0)
            memcpy(loop->out + loop->out_size, body.data, body.size);
        loop->out_size += body.size;
        http__answer_finish(conn);
    } else if (http__send(conn, body, false) == SEND_DONE) {
        http__answer_finish(conn);
    }
}

void http__answer(struct http_conn *conn)
{
    ASSERT(conn->exchange_open && conn->state != CONN_CLOSED);
    ASSERT(OUT_SCRATCH_SIZE - conn->loop->out_size >= ANSWER_ROOM);
    http__conn_enter(conn, CONN_WRITING);
    if (conn->loop->is_draining || !conn->request.keep_alive)
        conn->must_close = true;
    if (has_no_body(conn))
        answer_without_body(conn);
    else if (conn->response.stream != NULL)
        http__stream_begin(conn);
    else
        answer_with_text(conn);
}
