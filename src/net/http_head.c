/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_head.c - status line and headers of an answer.
 *
 * Names and values that a handler gives are checked: a CR, LF or NUL in them would let stored data
 * (a table property, a caller's request id) forge headers. Such a header is left out.
 */
#include "env/env.h"
#include "net/http_internal.h"

#include <stdio.h>
#include <time.h>

struct head {
    char *out;
    size_t size;
    bool full;
};

static void put(struct head *head, struct str s)
{
    if (s.size > (size_t)ANSWER_HEAD_MAX - head->size) {
        head->full = true;
        return;
    }
    memcpy(head->out + head->size, s.data, s.size);
    head->size += s.size;
}

static void put_u64(struct head *head, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    put(head, (struct str){digits + at, sizeof(digits) - at});
}

static bool is_safe(struct str s)
{
    for (size_t i = 0; i < s.size; i++) {
        if (s.data[i] == '\r' || s.data[i] == '\n' || s.data[i] == '\0')
            return false;
    }
    return true;
}

static void put_header(struct head *head, struct str name, struct str value)
{
    if (!is_safe(name) || !is_safe(value))
        return;
    put(head, name);
    put(head, STR(": "));
    put(head, value);
    put(head, STR("\r\n"));
}

static void put_status_line(struct head *head, int code)
{
    if (code == 200) {
        put(head, STR("HTTP/1.1 200 OK\r\n"));
        return;
    }
    put(head, STR("HTTP/1.1 "));
    put_u64(head, (uint64_t)code);
    put(head, STR(" "));
    put(head, str_from(http_reason(code)));
    put(head, STR("\r\n"));
}

static void put_framing(struct head *head, enum http_framing framing, uint64_t length)
{
    if (framing == FRAME_CHUNKED)
        put(head, STR("transfer-encoding: chunked\r\n"));
    if (framing != FRAME_LENGTH)
        return;
    put(head, STR("content-length: "));
    put_u64(head, length);
    put(head, STR("\r\n"));
}

static void put_connection(struct head *head, const struct http_conn *conn)
{
    if (conn->must_close)
        put(head, STR("connection: close\r\n"));
    else if (conn->request.is_http10)
        put(head, STR("connection: keep-alive\r\n"));
}

static void put_identity(struct head *head, const struct http_conn *conn)
{
    char trace_id[TRACE_ID_TEXT_SIZE];
    if (conn->exchange.request_id.size == 0)
        return; /* refused before it had one */
    put_header(head, STR("x-request-id"), conn->exchange.request_id);
    trace_format_id(&conn->exchange.trace, trace_id);
    put(head, STR("x-tarn-trace-id: "));
    put(head, (struct str){trace_id, sizeof(trace_id)});
    put(head, STR("\r\n"));
}

/* Twice a second is enough for a header of whole seconds. */
void http__head_refresh_date(struct http_loop *loop)
{
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    uint64_t now_ms = uv_now(&loop->uv);
    struct tm tm;
    if (loop->date_ms != 0 && now_ms - loop->date_ms < 500)
        return;
    time_t now = (time_t)(env_linux()->ops->wall_ns(env_linux()) / 1000000000);
    if (gmtime_r(&now, &tm) == NULL)
        return;
    (void)snprintf(loop->date, sizeof(loop->date), "date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n",
                   days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour,
                   tm.tm_min, tm.tm_sec);
    loop->date_ms = now_ms;
}

size_t http__head_write(struct http_conn *conn, enum http_framing framing, uint64_t length,
                        char *out)
{
    const struct http_response *response = &conn->response;
    struct head head = {.out = out};
    http__head_refresh_date(conn->loop);
    put_status_line(&head, response->status_code);
    put(&head, str_from(conn->loop->date));
    if (response->content_type.size > 0)
        put_header(&head, STR("content-type"), response->content_type);
    put_framing(&head, framing, length);
    put_connection(&head, conn);
    put_identity(&head, conn);
    for (size_t i = 0; i < response->header_count; i++)
        put_header(&head, response->headers[i].name, response->headers[i].value);
    put(&head, STR("\r\n"));
    return head.full ? 0 : head.size;
}
