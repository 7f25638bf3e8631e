/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_send.c - bytes into the socket: at once where it has room, through libuv's queue where not.
 *
 * I1  At most one uv_write per connection is under way; while it is, nothing else is sent and no
 *     further request is parsed.
 * I2  The loop's scratch is empty when http__send returns: its unsent rest moves to conn->rest.
 */
#include "net/http_internal.h"

static uv_stream_t *stream_of(struct http_conn *conn)
{
    return (uv_stream_t *)&conn->tcp;
}

static void on_written(uv_write_t *request, int result)
{
    struct http_conn *conn = CONTAINER_OF(request, struct http_conn, write_request);
    conn->write_pending = false;
    mem_free(conn->rest);
    conn->rest = NULL;
    if (conn->state == CONN_CLOSED) {
        if (conn->exchange_open)
            http__answer_finish(conn);
        return;
    }
    if (result < 0) {
        http__conn_abort(conn);
        return;
    }
    if (!conn->exchange_open)
        http__conn_enter(conn, conn->request.phase == HTTP_PHASE_START ? CONN_IDLE : CONN_READING);
    else if (conn->response.stream != NULL && !conn->stream_ended)
        http__stream_continue(conn);
    else
        http__answer_finish(conn);
    http__conn_resume(conn);
}

/* What try_write left over goes to libuv; the scratch part needs a home of its own. */
static enum send_result send_rest(struct http_conn *conn, struct str head, struct str tail)
{
    uv_buf_t bufs[2];
    unsigned count = 0;
    if (head.size > 0) {
        conn->rest = mem_alloc(head.size);
        if (conn->rest == NULL) {
            http__conn_abort(conn);
            return SEND_BROKEN;
        }
        memcpy(conn->rest, head.data, head.size);
        bufs[count++] = uv_buf_init(conn->rest, (unsigned)head.size);
    }
    if (tail.size > 0)
        bufs[count++] = uv_buf_init((char *)(uintptr_t)tail.data, (unsigned)tail.size);
    if (uv_write(&conn->write_request, stream_of(conn), bufs, count, on_written) != 0) {
        mem_free(conn->rest);
        conn->rest = NULL;
        http__conn_abort(conn);
        return SEND_BROKEN;
    }
    conn->write_pending = true;
    if (conn->state != CONN_WRITING)
        http__conn_enter(conn, CONN_WRITING);
    return SEND_PENDING;
}

enum send_result http__send(struct http_conn *conn, struct str tail, bool yield)
{
    struct str head = {conn->loop->out, conn->loop->out_size};
    uv_buf_t bufs[2] = {uv_buf_init(conn->loop->out, (unsigned)head.size),
                        uv_buf_init((char *)(uintptr_t)tail.data, (unsigned)tail.size)};
    ASSERT(!conn->write_pending);
    conn->loop->out_size = 0;
    if (conn->state == CONN_CLOSED)
        return SEND_BROKEN;
    if (head.size + tail.size == 0)
        return SEND_DONE;
    int result = UV_EAGAIN;
    if (!yield)
        result = uv_try_write(stream_of(conn), head.size > 0 ? bufs : bufs + 1,
                              head.size > 0 && tail.size > 0 ? 2 : 1);
    if (result < 0 && result != UV_EAGAIN) {
        http__conn_abort(conn);
        return SEND_BROKEN;
    }
    size_t sent = result < 0 ? 0 : (size_t)result;
    conn->moved_bytes += head.size + tail.size;
    if (sent == head.size + tail.size)
        return SEND_DONE;
    return send_rest(conn, str_from_pos(head, sent),
                     str_from_pos(tail, sent > head.size ? sent - head.size : 0));
}
