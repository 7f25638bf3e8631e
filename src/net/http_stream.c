/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_stream.c - bodies that are made while they are sent.
 *
 * The buffer has room for a chunk's frame around the data, so that a chunk is one piece of memory:
 *
 *     [gap: size in hex, CR LF][data ...][CR LF, and at the end 0 CR LF CR LF]
 *
 * A body that ends within the first buffer is sent like a plain one, with its length.
 */
#include "net/http_internal.h"

#include <stdio.h>

enum {
    CHUNK_GAP = 12,
    CHUNK_TAIL = 7,
    TURNS_MAX = 4 /* buffers sent in a row before other connections get a turn */
};

static char *data_of(const struct http_conn *conn)
{
    return conn->stream_buffer + CHUNK_GAP;
}

static bool stream_overruns(struct http_conn *conn, size_t size)
{
    if (!conn->response.has_content_length)
        return false;
    if (size > conn->stream_left)
        return true;
    conn->stream_left -= size;
    return conn->stream_ended && conn->stream_left > 0;
}

/* Fills the buffer until it is full or the body ends. */
static status_value gather(struct http_conn *conn, size_t *out_size)
{
    struct http_body *body = conn->response.stream;
    size_t capacity = conn->loop->server->limits.output_buffer_bytes;
    size_t size = 0;
    while (size < capacity && !conn->stream_ended) {
        size_t filled = 0;
        TRY(body->fill(body, data_of(conn) + size, capacity - size, &filled, &conn->stream_ended));
        ASSERT(filled <= capacity - size);
        if (filled == 0 && !conn->stream_ended)
            return FAIL(NULL, INTERNAL, "a body stream gave nothing");
        size += filled;
        if (stream_overruns(conn, filled))
            return FAIL(NULL, INTERNAL, "a body stream differs from its content length");
    }
    *out_size = size;
    return OK;
}

/* Puts the chunk's frame around the data in the buffer. */
static struct str frame_chunk(struct http_conn *conn, size_t size)
{
    char *data = data_of(conn);
    char frame[CHUNK_GAP + 1];
    struct str piece = {data, size};
    if (size > 0) {
        int width = snprintf(frame, sizeof(frame), "%zx\r\n", size);
        ASSERT(width > 0 && width <= CHUNK_GAP);
        memcpy(data - width, frame, (size_t)width);
        memcpy(data + size, "\r\n", 2);
        piece = (struct str){data - width, size + (size_t)width + 2};
    }
    if (conn->stream_ended) {
        memcpy(data + size + (size > 0 ? 2 : 0), "0\r\n\r\n", 5);
        piece.size += 5;
    }
    return piece;
}

static enum send_result send_data(struct http_conn *conn, size_t size, bool yield)
{
    struct str piece = {data_of(conn), size};
    if (conn->chunked)
        piece = frame_chunk(conn, size);
    enum send_result result = http__send(conn, piece, yield);
    if (result == SEND_DONE && conn->stream_ended)
        http__answer_finish(conn);
    return result;
}

void http__stream_continue(struct http_conn *conn)
{
    for (int turn = 1; turn <= TURNS_MAX; turn++) {
        size_t size = 0;
        if (!is_ok(gather(conn, &size))) {
            http__conn_abort(conn);
            return;
        }
        if (send_data(conn, size, turn == TURNS_MAX) != SEND_DONE || conn->stream_ended)
            return;
    }
}

static void stream_fails(struct http_conn *conn, int32_t code)
{
    struct str message = http_error_body(&conn->arena, status_http(code), status_iceberg_type(code),
                                         status_text(code));
    conn->response.stream->close(conn->response.stream);
    conn->response = (struct http_response){
        .status_code = status_http(code), .content_type = STR("application/json"), .body = message};
    http__answer(conn);
}

/* The whole body is in the buffer: from here on it is a plain body. */
static void begin_short(struct http_conn *conn, size_t size)
{
    conn->response.body = (struct str){data_of(conn), size};
    conn->response.stream->close(conn->response.stream);
    conn->response.stream = NULL;
    http__answer(conn);
}

static void begin_long(struct http_conn *conn, size_t size)
{
    struct http_loop *loop = conn->loop;
    enum http_framing framing = FRAME_CHUNKED;
    if (conn->response.has_content_length) {
        framing = FRAME_LENGTH;
    } else if (conn->request.is_http10) {
        framing = FRAME_UNTIL_CLOSE;
        conn->must_close = true;
    }
    conn->chunked = framing == FRAME_CHUNKED;
    size_t head =
        http__head_write(conn, framing, conn->response.content_length, loop->out + loop->out_size);
    if (head == 0) {
        http__conn_abort(conn);
        return;
    }
    loop->out_size += head;
    if (send_data(conn, size, false) == SEND_DONE)
        http__stream_continue(conn);
}

void http__stream_begin(struct http_conn *conn)
{
    size_t size = 0;
    conn->stream_ended = false;
    conn->stream_left = conn->response.content_length;
    conn->stream_buffer =
        mem_alloc(conn->loop->server->limits.output_buffer_bytes + CHUNK_GAP + CHUNK_TAIL);
    if (conn->stream_buffer == NULL) {
        stream_fails(conn, STATUS_NOMEM);
        return;
    }
    status_value result = gather(conn, &size);
    if (!is_ok(result))
        stream_fails(conn, result.code);
    else if (conn->stream_ended)
        begin_short(conn, size);
    else
        begin_long(conn, size);
}
