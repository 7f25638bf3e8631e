/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_server_test.c - requests and answers: framing, order, bodies, streams, other threads.
 */
#include "http_test_support.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TEXT_MAX = 64 << 10 };
#define HOST "Host: t\r\n"

static void test_answers_and_keeps_the_connection(void **state)
{
    struct fixture f;
    char body[256];
    (void)state;
    fixture_open(&f, NULL, 2);
    int fd = raw_connect(&f);
    for (int i = 0; i < 3; i++) {
        raw_send(fd, "GET /echo/%20x?a=1&b HTTP/1.1\r\n" HOST "\r\n");
        assert_int_equal(raw_read_answer(fd, body, sizeof(body)), 200);
        assert_string_equal(body, "GET|/echo/%20x|a=1&b|0|");
    }
    (void)close(fd);
    fixture_close(&f);
}

static void test_bytes_may_be_split_anywhere(void **state)
{
    static const char text[] =
        "POST /echo HTTP/1.1\r\n" HOST "X-A: 1\r\nContent-Length: 5\r\n\r\nhello";
    struct fixture f;
    char body[256];
    (void)state;
    fixture_open(&f, NULL, 1);
    int fd = raw_connect(&f);
    for (size_t cut = 1; cut < sizeof(text) - 1; cut++) {
        raw_send_bytes(fd, text, cut);
        usleep(300);
        raw_send_bytes(fd, text + cut, sizeof(text) - 1 - cut);
        assert_int_equal(raw_read_answer(fd, body, sizeof(body)), 200);
        assert_string_equal(body, "POST|/echo||5|hello");
    }
    (void)close(fd);
    fixture_close(&f);
}

/* Answers come in order although every second one is given by another thread. */
static void test_pipelined_requests_are_answered_in_order(void **state)
{
    enum { REQUESTS = 200 };
    struct fixture f;
    char *text = test_alloc(TEXT_MAX);
    char body[256];
    char expected[64];
    size_t size = 0;
    (void)state;
    fixture_open(&f, NULL, 1);
    for (int i = 0; i < REQUESTS; i++)
        size +=
            (size_t)snprintf(text + size, TEXT_MAX - size, "GET /%s?%d HTTP/1.1\r\n" HOST "\r\n",
                             i % 2 == 0 ? "echo" : "thread", i);
    int fd = raw_connect(&f);
    raw_send_bytes(fd, text, size);
    for (int i = 0; i < REQUESTS; i++) {
        assert_int_equal(raw_read_answer(fd, body, sizeof(body)), 200);
        (void)snprintf(expected, sizeof(expected), "GET|/%s|%d|0|", i % 2 == 0 ? "echo" : "thread",
                       i);
        assert_string_equal(body, expected);
    }
    (void)close(fd);
    free(text);
    fixture_close(&f);
}

static void test_many_pipelined_big_answers(void **state)
{
    enum { REQUESTS = 8 };
    struct fixture f;
    char *body = test_alloc((1 << 20) + 1);
    (void)state;
    fixture_open(&f, NULL, 1);
    int fd = raw_connect(&f);
    for (int i = 0; i < REQUESTS; i++)
        raw_send(fd, "GET /big HTTP/1.1\r\n" HOST "\r\nGET /echo HTTP/1.1\r\n" HOST "\r\n");
    usleep(50000); /* the socket fills up: the answers have to wait */
    for (int i = 0; i < REQUESTS; i++) {
        assert_int_equal(raw_read_answer(fd, body, (1 << 20) + 1), 200);
        assert_int_equal(strlen(body), 1 << 20);
        assert_int_equal(raw_read_answer(fd, body, (1 << 20) + 1), 200);
        assert_string_equal(body, "GET|/echo||0|");
    }
    (void)close(fd);
    free(body);
    fixture_close(&f);
}

static void test_half_closed_client_still_gets_its_answers(void **state)
{
    struct fixture f;
    char out[4096];
    (void)state;
    fixture_open(&f, NULL, 1);
    int fd = raw_connect(&f);
    raw_send(fd, "GET /thread?1 HTTP/1.1\r\n" HOST "\r\nGET /echo?2 HTTP/1.1\r\n" HOST "\r\n");
    (void)shutdown(fd, SHUT_WR);
    (void)raw_read_all(fd, out, sizeof(out));
    assert_non_null(strstr(out, "GET|/thread|1|0|"));
    assert_non_null(strstr(out, "GET|/echo|2|0|"));
    (void)close(fd);
    fixture_close(&f);
}

static void test_chunked_request_body(void **state)
{
    struct fixture f;
    char body[256];
    (void)state;
    fixture_open(&f, NULL, 1);
    assert_int_equal(raw_exchange(&f,
                                  "POST /echo HTTP/1.1\r\n" HOST
                                  "Transfer-Encoding: chunked\r\n\r\n"
                                  "4;ext=1\r\nabcd\r\n3\r\nefg\r\n0\r\nX-Trailer: t\r\n\r\n",
                                  body, sizeof(body)),
                     200);
    assert_string_equal(body, "POST|/echo||7|abcdefg");
    fixture_close(&f);
}

static void test_large_request_body_arrives_whole(void **state)
{
    enum { SIZE = 5 << 20 };
    struct fixture f;
    char head[128];
    char *data = test_alloc(SIZE);
    char *body = test_alloc(SIZE + 64);
    (void)state;
    fixture_open(&f, NULL, 1);
    for (size_t i = 0; i < SIZE; i++)
        data[i] = (char)('a' + i % 26);
    (void)snprintf(head, sizeof(head), "PUT /echo HTTP/1.1\r\n" HOST "Content-Length: %d\r\n\r\n",
                   SIZE);
    int fd = raw_connect(&f);
    raw_send(fd, head);
    raw_send_bytes(fd, data, SIZE);
    assert_int_equal(raw_read_answer(fd, body, SIZE + 64), 200);
    assert_memory_equal(body, "PUT|/echo||5242880|", 19);
    assert_memory_equal(body + 19, data, SIZE);
    (void)close(fd);
    free(data);
    free(body);
    fixture_close(&f);
}

static void test_100_continue(void **state)
{
    struct fixture f;
    char out[64] = "";
    char body[256];
    (void)state;
    fixture_open(&f, NULL, 1);
    int fd = raw_connect(&f);
    raw_send(fd,
             "POST /echo HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    assert_int_equal(recv(fd, out, 25, MSG_WAITALL), 25);
    assert_string_equal(out, "HTTP/1.1 100 Continue\r\n\r\n");
    raw_send(fd, "ok");
    assert_int_equal(raw_read_answer(fd, body, sizeof(body)), 200);
    assert_string_equal(body, "POST|/echo||2|ok");
    (void)close(fd);
    fixture_close(&f);
}

static void test_head_has_the_length_but_no_body(void **state)
{
    struct fixture f;
    char out[4096];
    (void)state;
    fixture_open(&f, NULL, 1);
    int fd = raw_connect(&f);
    raw_send(fd, "HEAD /echo HTTP/1.1\r\n" HOST "\r\nHEAD /stream/100 HTTP/1.1\r\n" HOST "\r\n"
                 "GET /empty HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
    (void)raw_read_all(fd, out, sizeof(out));
    const char *first = strstr(out, "content-length: 14\r\n");
    const char *second = strstr(out, "transfer-encoding: chunked\r\n");
    const char *third = strstr(out, "HTTP/1.1 204 No Content\r\n");
    assert_non_null(first);
    assert_true(second > first && third > second);
    assert_null(strstr(out, "HEAD|"));
    assert_null(strstr(third, "content-length"));
    assert_non_null(strstr(third, "connection: close\r\n"));
    (void)close(fd);
    fixture_close(&f);
}

static void test_http10(void **state)
{
    struct fixture f;
    char out[8192];
    (void)state;
    fixture_open(&f, NULL, 1);
    int fd = raw_connect(&f);
    raw_send(fd, "GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_int_equal(raw_read_answer(fd, out, sizeof(out)), 200);
    raw_send(fd, "GET /stream/300000 HTTP/1.0\r\n\r\n");
    char *all = test_alloc(400000);
    size_t size = raw_read_all(fd, all, 400000);
    const char *body = strstr(all, "\r\n\r\n") + 4;
    assert_int_equal(size - (size_t)(body - all), 300000);
    assert_null(strstr(all, "transfer-encoding"));
    assert_non_null(strstr(all, "connection: close"));
    free(all);
    (void)close(fd);
    fixture_close(&f);
}

/* Reads a chunked body from fd and checks the pattern; returns its size, or -1 when cut off. */
static long long read_chunked_pattern(int fd)
{
    FILE *in = fdopen(dup(fd), "r");
    char line[256];
    long long total = 0;
    long long result = -1;
    char *data = test_alloc(1 << 20);
    while (fgets(line, sizeof(line), in) != NULL && strcmp(line, "\r\n") != 0) {
    }
    while (fgets(line, sizeof(line), in) != NULL) {
        size_t size = strtoull(line, NULL, 16);
        if (size == 0) {
            result = fgets(line, sizeof(line), in) != NULL ? total : -1;
            break;
        }
        assert_true(size < 1 << 20);
        if (fread(data, 1, size + 2, in) != size + 2)
            break;
        for (size_t i = 0; i < size; i += 97)
            assert_int_equal(data[i], 'a' + (total + (long long)i) % 23);
        total += (long long)size;
    }
    free(data);
    (void)fclose(in);
    return result;
}

static void test_a_long_stream_is_chunked_and_whole(void **state)
{
    struct fixture f;
    char body[256];
    (void)state;
    fixture_open(&f, NULL, 1);
    int fd = raw_connect(&f);
    raw_send(fd, "GET /stream/50000000 HTTP/1.1\r\n" HOST "\r\n");
    usleep(20000); /* lets the socket fill */
    assert_int_equal(read_chunked_pattern(fd), 50000000);
    raw_send(fd, "GET /echo HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(raw_read_answer(fd, body, sizeof(body)), 200);
    (void)close(fd);
    fixture_close(&f);
}

static void test_short_and_sized_streams_have_a_length(void **state)
{
    struct fixture f;
    char *body = test_alloc(1000001);
    (void)state;
    fixture_open(&f, NULL, 1);
    int fd = raw_connect(&f);
    raw_send(fd, "GET /stream/0 HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(raw_read_answer(fd, body, 10), 200);
    raw_send(fd, "GET /stream/30000 HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(raw_read_answer(fd, body, 30001), 200);
    assert_int_equal(strlen(body), 30000);
    raw_send(fd, "GET /stream-sized/1000000 HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(raw_read_answer(fd, body, 1000001), 200);
    assert_int_equal(strlen(body), 1000000);
    (void)close(fd);
    free(body);
    fixture_close(&f);
}

static void test_a_failing_stream_is_visible_to_the_client(void **state)
{
    struct fixture f;
    char body[4096];
    (void)state;
    fixture_open(&f, NULL, 1);
    /* before the first byte: a proper error */
    assert_int_equal(
        raw_exchange(&f, "GET /stream-fails/100 HTTP/1.1\r\n" HOST "\r\n", body, sizeof(body)),
        500);
    assert_non_null(strstr(body, "\"code\":500"));
    /* later: cut off without the final chunk */
    int fd = raw_connect(&f);
    raw_send(fd, "GET /stream-fails/3000000 HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(read_chunked_pattern(fd), -1);
    (void)close(fd);
    fixture_close(&f);
}

static void test_a_client_that_leaves_mid_stream_frees_it(void **state)
{
    struct fixture f;
    char some[1000];
    (void)state;
    fixture_open(&f, NULL, 1);
    for (int i = 0; i < 5; i++) {
        int fd = raw_connect(&f);
        raw_send(fd, "GET /stream/50000000 HTTP/1.1\r\n" HOST "\r\n");
        (void)recv(fd, some, sizeof(some), 0);
        (void)close(fd);
    }
    for (int i = 0; i < 200 && f.streams_open > 0; i++)
        usleep(10000);
    assert_int_equal(f.streams_open, 0);
    fixture_close(&f);
}

static void on_loop(struct http_exchange *x)
{
    bool *was_abandoned = x->user;
    *was_abandoned = http_exchange_is_abandoned(x);
    http_respond_status(x, STATUS_NO_SUCH_TABLE, NULL);
}

static void test_post_runs_on_the_loop_and_errors_have_icebergs_form(void **state)
{
    struct fixture f;
    char body[1024];
    bool was_abandoned = true;
    (void)state;
    fixture_open(&f, NULL, 1);
    int fd = raw_connect(&f);
    raw_send(fd, "GET /park HTTP/1.1\r\n" HOST "\r\n");
    fixture_wait_handled(&f, 1);
    f.parked->user = &was_abandoned;
    http_exchange_post(f.parked, on_loop);
    assert_int_equal(raw_read_answer(fd, body, sizeof(body)), 404);
    assert_string_equal(body, "{\"error\":{\"message\":\"no such table\","
                              "\"type\":\"NoSuchTableException\",\"code\":404}}");
    assert_false(was_abandoned);
    (void)close(fd);
    fixture_close(&f);
}

static void test_an_answer_after_the_client_reset_is_thrown_away(void **state)
{
    struct fixture f;
    struct linger hard = {.l_onoff = 1, .l_linger = 0};
    bool was_abandoned = false;
    (void)state;
    fixture_open(&f, NULL, 1);
    int fd = raw_connect(&f);
    raw_send(fd, "GET /park HTTP/1.1\r\n" HOST "\r\n");
    fixture_wait_handled(&f, 1);
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    (void)close(fd);
    usleep(50000);
    f.parked->user = &was_abandoned;
    http_exchange_post(f.parked, on_loop);
    for (int i = 0;
         i < 100 && metric_read(f.metrics, METRIC_HTTP_CONNECTIONS, metric_labels(0, 0, 0)) > 0;
         i++)
        usleep(10000);
    fixture_close(&f);
    assert_true(was_abandoned);
}

static void test_identity_headers(void **state)
{
    struct fixture f;
    char out[4096];
    (void)state;
    fixture_open(&f, NULL, 1);
    int fd = raw_connect(&f);
    raw_send(fd, "GET /inject HTTP/1.1\r\n" HOST "X-Request-Id: abc-1\r\n"
                 "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"
                 "Connection: close\r\n\r\n");
    (void)raw_read_all(fd, out, sizeof(out));
    assert_non_null(strstr(out, "x-request-id: abc-1\r\n"));
    assert_non_null(strstr(out, "x-tarn-trace-id: 0af7651916cd43dd8448eb211c80319c\r\n"));
    assert_non_null(strstr(out, "x-good: yes\r\n"));
    assert_null(strstr(out, "set-cookie"));
    (void)close(fd);
    fixture_close(&f);
}

static void test_header_lookup_and_empty_values(void **state)
{
    struct fixture f;
    char body[256];
    (void)state;
    fixture_open(&f, NULL, 1);
    assert_int_equal(
        raw_exchange(&f, "GET /header HTTP/1.1\r\n" HOST "x-none:\r\nx-TEST:  v 1 \t\r\n\r\n", body,
                     sizeof(body)),
        200);
    assert_string_equal(body, "v 1");
    assert_int_equal(
        raw_exchange(&f, "GET /header HTTP/1.1\r\n" HOST "x-test:\r\n\r\n", body, sizeof(body)),
        200);
    assert_string_equal(body, "");
    fixture_close(&f);
}

static void test_absolute_form_and_upgrade_offers(void **state)
{
    struct fixture f;
    char body[256];
    (void)state;
    fixture_open(&f, NULL, 1);
    assert_int_equal(
        raw_exchange(&f, "GET http://t/echo?q HTTP/1.1\r\n" HOST "\r\n", body, sizeof(body)), 200);
    assert_string_equal(body, "GET|/echo|q|0|");
    assert_int_equal(raw_exchange(&f,
                                  "GET /echo HTTP/1.1\r\n" HOST "Connection: Upgrade\r\n"
                                  "Upgrade: h2c\r\n\r\n",
                                  body, sizeof(body)),
                     200);
    fixture_close(&f);
}

static void *drain_later(void *argument)
{
    struct fixture *f = argument;
    struct diag diag = {.count = 0};
    return is_ok(http_server_drain(f->server, 5000, &diag)) ? f : NULL;
}

static void test_drain_finishes_what_is_in_flight(void **state)
{
    struct fixture f;
    struct diag diag = {.count = 0};
    char out[4096];
    pthread_t thread;
    void *drained = NULL;
    (void)state;
    fixture_open(&f, NULL, 2);
    int idle = raw_connect(&f);
    int busy = raw_connect(&f);
    raw_send(busy, "GET /park HTTP/1.1\r\n" HOST "\r\n");
    fixture_wait_handled(&f, 1);
    status_value result = http_server_drain(f.server, 50, &diag);
    assert_int_equal(result.code, STATUS_CANCELLED);
    assert_int_equal(pthread_create(&thread, NULL, drain_later, &f), 0);
    assert_true(raw_is_closed(idle, 2000));
    http_respond_status(f.parked, STATUS_EXHAUSTED, NULL);
    (void)raw_read_all(busy, out, sizeof(out));
    assert_non_null(strstr(out, "HTTP/1.1 429 "));
    assert_non_null(strstr(out, "connection: close\r\n"));
    assert_non_null(strstr(out, "retry-after: 1\r\n"));
    (void)pthread_join(thread, &drained);
    assert_ptr_equal(drained, &f);
    (void)close(idle);
    (void)close(busy);
    fixture_close(&f);
}

static void test_requests_are_measured(void **state)
{
    struct fixture f;
    char body[256];
    (void)state;
    fixture_open(&f, NULL, 1);
    (void)raw_exchange(&f, "GET /echo HTTP/1.1\r\n" HOST "\r\n", body, sizeof(body));
    struct metric_labels labels = metric_labels(HTTP_METHOD_GET, 0, metric_http_code(200));
    assert_int_equal(metric_read(f.metrics, METRIC_HTTP_SERVER_REQUEST_DURATION, labels), 1);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_and_keeps_the_connection),
        cmocka_unit_test(test_bytes_may_be_split_anywhere),
        cmocka_unit_test(test_pipelined_requests_are_answered_in_order),
        cmocka_unit_test(test_many_pipelined_big_answers),
        cmocka_unit_test(test_half_closed_client_still_gets_its_answers),
        cmocka_unit_test(test_chunked_request_body),
        cmocka_unit_test(test_large_request_body_arrives_whole),
        cmocka_unit_test(test_100_continue),
        cmocka_unit_test(test_head_has_the_length_but_no_body),
        cmocka_unit_test(test_http10),
        cmocka_unit_test(test_a_long_stream_is_chunked_and_whole),
        cmocka_unit_test(test_short_and_sized_streams_have_a_length),
        cmocka_unit_test(test_a_failing_stream_is_visible_to_the_client),
        cmocka_unit_test(test_a_client_that_leaves_mid_stream_frees_it),
        cmocka_unit_test(test_post_runs_on_the_loop_and_errors_have_icebergs_form),
        cmocka_unit_test(test_an_answer_after_the_client_reset_is_thrown_away),
        cmocka_unit_test(test_identity_headers),
        cmocka_unit_test(test_header_lookup_and_empty_values),
        cmocka_unit_test(test_absolute_form_and_upgrade_offers),
        cmocka_unit_test(test_drain_finishes_what_is_in_flight),
        cmocka_unit_test(test_requests_are_measured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
