/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_limits_test.c - what the server refuses: malformed, too large, too slow, too many.
 */
#include "http_test_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define HOST "Host: t\r\n"

struct refusal {
    const char *request;
    int code;
};

/* Each of these has been used to make two parties disagree on where a request ends. */
static void test_malformed_requests_are_refused(void **state)
{
    static const struct refusal cases[] = {
        {"nonsense\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST
         "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         400},
        {"POST / HTTP/1.1\r\n" HOST
         "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
         400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 2\r\n\r\na", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: +5\r\n\r\nhello", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5x\r\n\r\nhello", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, identity\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
        {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n-1\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "X : 1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "X: 1\r\n folded\r\n\r\n", 400},
        {"GET / HTTP/1.1\nHost: t\n\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "X: a\rb\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "X: a\x01\r\n\r\n", 400},
        {"GET /a\x01 HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET relative HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET / HTTP/2.0\r\n" HOST "\r\n", 505},
        {"GET / HTTP/1.2\r\n" HOST "\r\n", 400},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
        {"CONNECT t:443 HTTP/1.1\r\n" HOST "\r\n", 405},
        {"POST / HTTP/1.1\r\n" HOST "Expect: magic\r\nContent-Length: 1\r\n\r\n", 417},
        {"POST / HTTP/1.1\r\n" HOST "Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\n", 415},
    };
    struct fixture f;
    char body[1024];
    char code[32];
    (void)state;
    fixture_open(&f, NULL, 1);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        int got = raw_exchange(&f, cases[i].request, body, sizeof(body));
        if (got != cases[i].code)
            fail_msg("%s\nwas answered %d, not %d", cases[i].request, got, cases[i].code);
        (void)snprintf(code, sizeof(code), "\"code\":%d}}", cases[i].code);
        assert_non_null(strstr(body, code));
        assert_non_null(strstr(body, "{\"error\":{\"message\":\""));
    }
    assert_int_equal(f.handled, 0);
    fixture_close(&f);
}

static void test_too_large_requests_are_refused(void **state)
{
    struct http_limits limits = http_limits_default();
    struct fixture f;
    char body[1024];
    char *text = test_alloc(1 << 20);
    (void)state;
    limits.body_bytes_max = 1000;
    fixture_open(&f, &limits, 1);
    (void)snprintf(text, 1 << 20, "GET /%0*d HTTP/1.1\r\n" HOST "\r\n", 17 << 10, 0);
    assert_int_equal(raw_exchange(&f, text, body, sizeof(body)), 414);
    (void)snprintf(text, 1 << 20, "GET / HTTP/1.1\r\n" HOST "X: %0*d\r\n\r\n", 17 << 10, 0);
    assert_int_equal(raw_exchange(&f, text, body, sizeof(body)), 431);
    (void)snprintf(text, 1 << 20, "GET / HTTP/1.1\r\n" HOST "X: %*s1\r\n\r\n", 200 << 10, "");
    assert_int_equal(raw_exchange(&f, text, body, sizeof(body)), 431);
    size_t at = (size_t)snprintf(text, 1 << 20, "GET / HTTP/1.1\r\n" HOST);
    for (int i = 0; i < 100; i++)
        at += (size_t)snprintf(text + at, (1 << 20) - at, "X-%d: 1\r\n", i);
    (void)snprintf(text + at, (1 << 20) - at, "\r\n");
    assert_int_equal(raw_exchange(&f, text, body, sizeof(body)), 431);
    assert_int_equal(raw_exchange(&f, "POST / HTTP/1.1\r\n" HOST "Content-Length: 1001\r\n\r\n",
                                  body, sizeof(body)),
                     413);
    at = (size_t)snprintf(text, 1 << 20,
                          "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
    (void)snprintf(text + at, (1 << 20) - at, "3e9\r\n%0*d\r\n0\r\n\r\n", 1001, 0);
    assert_int_equal(raw_exchange(&f, text, body, sizeof(body)), 413);
    assert_int_equal(f.handled, 0);
    free(text);
    fixture_close(&f);
}

/* The client sends everything before it reads: a plain close would have reset its connection. */
static void test_an_early_refusal_reaches_a_client_that_is_still_sending(void **state)
{
    enum { SIZE = 3 << 20 };
    struct http_limits limits = http_limits_default();
    struct fixture f;
    char body[1024];
    char *data = test_alloc(SIZE);
    (void)state;
    limits.body_bytes_max = 1000;
    fixture_open(&f, &limits, 1);
    int fd = raw_connect(&f);
    raw_send(fd, "POST / HTTP/1.1\r\n" HOST "Content-Length: 3145728\r\n\r\n");
    raw_send_bytes(fd, data, SIZE);
    assert_int_equal(raw_read_answer(fd, body, sizeof(body)), 413);
    (void)close(fd);
    free(data);
    fixture_close(&f);
}

static void test_chunk_framing_may_not_dwarf_its_content(void **state)
{
    struct fixture f;
    char out[4096];
    (void)state;
    fixture_open(&f, NULL, 1);
    int fd = raw_connect(&f);
    raw_send(fd, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1;");
    for (int i = 0; i < 4000; i++)
        raw_send(fd, "extensionextensionextensionextensionextensionextension");
    (void)raw_read_all(fd, out, sizeof(out));
    if (strstr(out, "HTTP/1.1 400 ") == NULL)
        fail_msg("answered: %s", out);
    (void)close(fd);
    fixture_close(&f);
}

static struct http_limits short_times(void)
{
    struct http_limits limits = http_limits_default();
    limits.header_timeout_ms = 200;
    limits.idle_timeout_ms = 300;
    limits.rate_window_ms = 200;
    limits.linger_timeout_ms = 100;
    return limits;
}

static void test_slow_heads_and_bodies_get_408(void **state)
{
    struct http_limits limits = short_times();
    struct fixture f;
    char body[1024];
    (void)state;
    fixture_open(&f, &limits, 1);
    int head = raw_connect(&f);
    int post = raw_connect(&f);
    raw_send(head, "GET / HTTP/1.1\r\n");
    raw_send(post, "POST / HTTP/1.1\r\n" HOST "Content-Length: 100\r\n\r\n");
    for (int i = 0; i < 8; i++) {
        raw_send(head, "X: 1\r\n");
        raw_send(post, "x");
        usleep(50000);
    }
    assert_int_equal(raw_read_answer(head, body, sizeof(body)), 408);
    assert_non_null(strstr(body, "RequestTimeoutException"));
    assert_int_equal(raw_read_answer(post, body, sizeof(body)), 408);
    assert_true(raw_is_closed(head, 2000));
    assert_true(raw_is_closed(post, 2000));
    (void)close(head);
    (void)close(post);
    fixture_close(&f);
}

static void test_idle_connections_are_closed_quietly(void **state)
{
    struct http_limits limits = short_times();
    struct fixture f;
    char body[1024];
    (void)state;
    fixture_open(&f, &limits, 1);
    int fresh = raw_connect(&f);
    int used = raw_connect(&f);
    raw_send(used, "GET /echo HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(raw_read_answer(used, body, sizeof(body)), 200);
    assert_true(raw_is_closed(fresh, 2000));
    assert_true(raw_is_closed(used, 2000));
    (void)close(fresh);
    (void)close(used);
    fixture_close(&f);
}

static void test_a_reader_that_stops_is_cut(void **state)
{
    struct http_limits limits = short_times();
    struct fixture f;
    (void)state;
    fixture_open(&f, &limits, 1);
    int fd = raw_connect(&f);
    raw_send(fd, "GET /stream/50000000 HTTP/1.1\r\n" HOST "\r\n");
    for (int i = 0; i < 300 && (f.handled == 0 || f.streams_open > 0); i++)
        usleep(10000);
    assert_int_equal(f.streams_open, 0);
    (void)close(fd);
    fixture_close(&f);
}

static void test_connection_limits(void **state)
{
    struct http_limits limits = http_limits_default();
    struct fixture f;
    char body[1024];
    int fds[3];
    (void)state;
    limits.connections_per_address_max = 3;
    fixture_open(&f, &limits, 1);
    for (int i = 0; i < 3; i++) {
        fds[i] = raw_connect(&f);
        raw_send(fds[i], "GET /echo HTTP/1.1\r\n" HOST "\r\n");
        assert_int_equal(raw_read_answer(fds[i], body, sizeof(body)), 200);
    }
    int extra = raw_connect(&f);
    assert_int_equal(raw_read_answer(extra, body, sizeof(body)), 503);
    assert_true(raw_is_closed(extra, 1000));
    assert_non_null(strstr(body, "SlowDownException"));
    (void)close(extra);
    (void)close(fds[0]);
    usleep(50000);
    assert_int_equal(raw_exchange(&f, "GET /echo HTTP/1.1\r\n" HOST "\r\n", body, sizeof(body)),
                     200);
    (void)close(fds[1]);
    (void)close(fds[2]);
    fixture_close(&f);
}

static void test_the_budget_of_request_bytes(void **state)
{
    struct http_limits limits = http_limits_default();
    struct fixture f;
    char out[2048];
    (void)state;
    limits.request_bytes_budget = 100 << 10;
    fixture_open(&f, &limits, 1);
    int first = raw_connect(&f);
    raw_send(first, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 65000\r\n\r\nx");
    usleep(50000);
    int second = raw_connect(&f);
    raw_send(second, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 65000\r\n\r\nx");
    (void)shutdown(second, SHUT_WR);
    (void)raw_read_all(second, out, sizeof(out));
    assert_non_null(strstr(out, "HTTP/1.1 503 "));
    assert_non_null(strstr(out, "retry-after: 1\r\n"));
    (void)close(first);
    (void)close(second);
    usleep(50000);
    assert_int_equal(raw_exchange(&f, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc",
                                  out, sizeof(out)),
                     200);
    fixture_close(&f);
}

static void test_bad_configurations_are_refused(void **state)
{
    struct http_server_config config = {
        .host = "localhost", .threads = 1, .limits = http_limits_default()};
    struct http_server *server = NULL;
    struct diag diag = {.count = 0};
    (void)state;
    assert_int_equal(http_server_open(&config, NULL, NULL, NULL, NULL, &diag, &server).code,
                     STATUS_INVALID);
    config.host = "127.0.0.1";
    config.threads = 0;
    assert_int_equal(http_server_open(&config, NULL, NULL, NULL, NULL, &diag, &server).code,
                     STATUS_INVALID);
    config.threads = 1;
    config.host = "192.0.2.1"; /* TEST-NET-1: nobody's */
    assert_int_equal(http_server_open(&config, NULL, NULL, NULL, NULL, &diag, &server).code,
                     STATUS_IO);
    assert_null(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_malformed_requests_are_refused),
        cmocka_unit_test(test_too_large_requests_are_refused),
        cmocka_unit_test(test_an_early_refusal_reaches_a_client_that_is_still_sending),
        cmocka_unit_test(test_chunk_framing_may_not_dwarf_its_content),
        cmocka_unit_test(test_slow_heads_and_bodies_get_408),
        cmocka_unit_test(test_idle_connections_are_closed_quietly),
        cmocka_unit_test(test_a_reader_that_stops_is_cut),
        cmocka_unit_test(test_connection_limits),
        cmocka_unit_test(test_the_budget_of_request_bytes),
        cmocka_unit_test(test_bad_configurations_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
