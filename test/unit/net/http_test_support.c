/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_test_support.c - the handler under test answers by path:
 *
 *     /echo          method, path, query, body length and body
 *     /header        the value of the request's x-test header
 *     /thread        as /echo, but from another thread
 *     /park          keeps the exchange in the fixture
 *     /empty         204
 *     /big           1 MiB of 'b', plain
 *     /stream/N      N bytes of a pattern, as a stream
 *     /stream-sized/N    the same with a content length
 *     /stream-fails/N    fails after N bytes
 *     /inject        a header value with a line break in it
 */
#include "http_test_support.h"

#include "base/buf.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct pattern {
    struct http_body body;
    struct fixture *f;
    uint64_t at;
    uint64_t size;
    bool fails;
};

static status_value pattern_fill(struct http_body *self, char *out, size_t capacity,
                                 size_t *out_size, bool *out_end)
{
    struct pattern *p = CONTAINER_OF(self, struct pattern, body);
    size_t n = u64_min(capacity, p->size - p->at);
    if (n > 7777)
        n = 7777; /* pieces of an odd size */
    for (size_t i = 0; i < n; i++)
        out[i] = (char)('a' + (p->at + i) % 23);
    p->at += n;
    if (p->fails && p->at == p->size)
        return FAIL(NULL, CORRUPT, "the pattern fails on purpose");
    *out_size = n;
    *out_end = p->at == p->size;
    return OK;
}

static void pattern_close(struct http_body *self)
{
    struct pattern *p = CONTAINER_OF(self, struct pattern, body);
    p->f->streams_open--;
}

static void answer_text(struct http_exchange *x, int code, struct str body)
{
    struct http_response response = {
        .status_code = code, .content_type = STR("text/plain"), .body = body};
    http_respond(x, &response);
}

static void answer_echo(struct http_exchange *x)
{
    struct buf buf;
    buf_init(&buf, x->arena, 64 << 20);
    buf_printf(&buf, "%s|%.*s|%.*s|%zu|", http_method_name(x->method), STR_ARG(x->path),
               STR_ARG(x->query), x->body.size);
    buf_str(&buf, x->body);
    answer_text(x, 200, buf_view(&buf));
}

static void *answer_in_thread(void *argument)
{
    answer_echo(argument);
    return NULL;
}

static void answer_stream(struct fixture *f, struct http_exchange *x, const char *number,
                          bool sized, bool fails)
{
    struct pattern *p = ARENA_NEW(x->arena, struct pattern);
    *p = (struct pattern){.body = {pattern_fill, pattern_close},
                          .f = f,
                          .size = strtoull(number, NULL, 10),
                          .fails = fails};
    f->streams_open++;
    struct http_response response = {.status_code = 200,
                                     .content_type = STR("text/plain"),
                                     .stream = &p->body,
                                     .has_content_length = sized,
                                     .content_length = p->size};
    http_respond(x, &response);
}

static void answer_big(struct http_exchange *x)
{
    char *data = arena_alloc(x->arena, 1 << 20);
    memset(data, 'b', 1 << 20);
    answer_text(x, 200, (struct str){data, 1 << 20});
}

static void answer_inject(struct http_exchange *x)
{
    struct http_header headers[] = {{STR("x-bad"), STR("a\r\nset-cookie: evil")},
                                    {STR("x-good"), STR("yes")}};
    struct http_response response = {.status_code = 200, .headers = headers, .header_count = 2};
    http_respond(x, &response);
}

static void handle(void *context, struct http_exchange *x)
{
    struct fixture *f = context;
    char path[256] = "";
    pthread_t thread;
    memcpy(path, x->path.data, u64_min(x->path.size, sizeof(path) - 1));
    x->route = 0;
    if (strcmp(path, "/park") == 0)
        f->parked = x;
    f->handled++;
    if (strcmp(path, "/park") == 0)
        return;
    if (strncmp(path, "/stream/", 8) == 0)
        answer_stream(f, x, path + 8, false, false);
    else if (strncmp(path, "/stream-sized/", 14) == 0)
        answer_stream(f, x, path + 14, true, false);
    else if (strncmp(path, "/stream-fails/", 14) == 0)
        answer_stream(f, x, path + 14, false, true);
    else if (strcmp(path, "/big") == 0)
        answer_big(x);
    else if (strcmp(path, "/empty") == 0)
        answer_text(x, 204, STR(""));
    else if (strcmp(path, "/inject") == 0)
        answer_inject(x);
    else if (strcmp(path, "/header") == 0)
        answer_text(x, 200, http_header_get(x, "X-Test"));
    else if (strcmp(path, "/thread") != 0)
        answer_echo(x);
    else if (pthread_create(&thread, NULL, answer_in_thread, x) == 0)
        (void)pthread_detach(thread);
}

void fixture_open(struct fixture *f, const struct http_limits *limits, uint32_t threads)
{
    struct diag diag = {.count = 0};
    struct http_server_config config = {.host = "127.0.0.1",
                                        .threads = threads,
                                        .limits = limits == NULL ? http_limits_default() : *limits};
    memset(f, 0, sizeof(*f));
    assert_true(is_ok(metrics_create(&diag, &f->metrics)));
    status_value opened = http_server_open(&config, handle, f, NULL, f->metrics, &diag, &f->server);
    if (!is_ok(opened))
        fail_msg("%s", diag_message(&diag, opened.code));
}

void fixture_close(struct fixture *f)
{
    http_server_close(f->server);
    assert_int_equal(f->streams_open, 0);
    assert_int_equal(metric_read(f->metrics, METRIC_HTTP_CONNECTIONS, metric_labels(0, 0, 0)), 0);
    for (uint32_t method = 0; method <= HTTP_METHOD_OTHER; method++)
        assert_int_equal(metric_read(f->metrics, METRIC_HTTP_SERVER_ACTIVE_REQUESTS,
                                     metric_labels(method, 0, 0)),
                         0);
    metrics_destroy(f->metrics);
}

void fixture_wait_handled(struct fixture *f, int count)
{
    for (int i = 0; i < 500 && f->handled < count; i++)
        usleep(10000);
    assert_int_equal(f->handled, count);
}

void *test_alloc(size_t size)
{
    void *memory = calloc(1, size);
    assert_non_null(memory);
    return memory;
}

int raw_connect(const struct fixture *f)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(http_server_port(f->server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval timeout = {.tv_sec = 5};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

void raw_send_bytes(int fd, const void *data, size_t size)
{
    const char *at = data;
    while (size > 0) {
        ssize_t n = send(fd, at, size, MSG_NOSIGNAL);
        if (n <= 0)
            return; /* the server may have closed; the test sees that when reading */
        at += n;
        size -= (size_t)n;
    }
}

void raw_send(int fd, const char *text)
{
    raw_send_bytes(fd, text, strlen(text));
}

size_t raw_read_all(int fd, char *out, size_t size)
{
    size_t at = 0;
    while (at < size - 1) {
        ssize_t n = recv(fd, out + at, size - 1 - at, 0);
        if (n <= 0)
            break;
        at += (size_t)n;
    }
    out[at] = '\0';
    return at;
}

/* Byte by byte: the rest may belong to the next answer. */
static bool read_head(int fd, char *head, size_t size)
{
    for (size_t at = 0; at < size - 1; at++) {
        if (recv(fd, head + at, 1, 0) != 1)
            return false;
        head[at + 1] = '\0';
        if (at >= 3 && memcmp(head + at - 3, "\r\n\r\n", 4) == 0)
            return true;
    }
    return false;
}

int raw_read_answer(int fd, char *body, size_t size)
{
    char head[8192];
    body[0] = '\0';
    if (!read_head(fd, head, sizeof(head)))
        return 0;
    int code = atoi(head + 9);
    const char *length = strstr(head, "content-length: ");
    size_t left = length == NULL ? 0 : strtoull(length + 16, NULL, 10);
    size_t at = 0;
    assert_true(left < size);
    while (at < left) {
        ssize_t n = recv(fd, body + at, left - at, 0);
        if (n <= 0)
            return 0;
        at += (size_t)n;
    }
    body[at] = '\0';
    return code;
}

int raw_exchange(const struct fixture *f, const char *text, char *body, size_t size)
{
    int fd = raw_connect(f);
    raw_send(fd, text);
    int code = raw_read_answer(fd, body, size);
    (void)close(fd);
    return code;
}

bool raw_is_closed(int fd, int timeout_ms)
{
    char byte;
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return poll(&poll_fd, 1, timeout_ms) == 1 && recv(fd, &byte, 1, 0) <= 0;
}
