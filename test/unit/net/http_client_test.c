/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_client_test.c - the client against our own server: answers, limits, the classes of
 * failure.
 */
#include "net/http_client.h"

#include "http_test_support.h"

#include <stdio.h>

struct client_fixture {
    struct fixture server;
    struct http_client *client;
    struct arena arena;
    char url[128];
};

static void open_all(struct client_fixture *c, const struct http_client_config *config)
{
    struct diag diag = {.count = 0};
    fixture_open(&c->server, NULL, 1);
    assert_true(is_ok(http_client_open(config, &diag, &c->client)));
    arena_init(&c->arena, allocator_heap(), 64 << 20);
}

static void close_all(struct client_fixture *c)
{
    http_client_close(c->client);
    arena_deinit(&c->arena);
    fixture_close(&c->server);
}

static status_value call(struct client_fixture *c, const char *method, const char *path,
                         struct str body, struct http_client_answer *out)
{
    struct diag diag = {.count = 0};
    struct http_header header = {STR("X-Test"), STR("from the client")};
    struct http_client_request request = {
        .method = method, .url = c->url, .headers = &header, .header_count = 1, .body = body};
    (void)snprintf(c->url, sizeof(c->url), "http://127.0.0.1:%u%s",
                   http_server_port(c->server.server), path);
    return http_client_call(c->client, &request, &c->arena, &diag, out);
}

static void test_calls(void **state)
{
    struct client_fixture c;
    struct http_client_answer answer;
    (void)state;
    open_all(&c, NULL);
    assert_true(is_ok(call(&c, "GET", "/echo?x=%2F", STR(""), &answer)));
    assert_int_equal(answer.status_code, 200);
    assert_true(str_is(answer.body, "GET|/echo|x=%2F|0|"));
    assert_true(str_is(http_client_header(&answer, "Content-Type"), "text/plain"));
    assert_true(is_ok(call(&c, "POST", "/echo", STR("data"), &answer)));
    assert_true(str_is(answer.body, "POST|/echo||4|data"));
    assert_true(is_ok(call(&c, "DELETE", "/echo", STR(""), &answer)));
    assert_true(str_is(answer.body, "DELETE|/echo||0|"));
    assert_true(is_ok(call(&c, "HEAD", "/echo", STR(""), &answer)));
    assert_int_equal(answer.body.size, 0);
    assert_true(is_ok(call(&c, "GET", "/header", STR(""), &answer)));
    assert_true(str_is(answer.body, "from the client"));
    assert_true(is_ok(call(&c, "GET", "/stream/3000000", STR(""), &answer)));
    assert_int_equal(answer.body.size, 3000000);
    close_all(&c);
}

static void test_failures_have_their_class(void **state)
{
    struct http_client_config config = {.timeout_ms = 200, .body_bytes_max = 1000};
    struct client_fixture c;
    struct http_client_answer answer;
    struct diag diag = {.count = 0};
    struct http_client_request bad = {.method = "GET", .url = "ftp://t/"};
    struct http_client_request nobody = {.method = "GET", .url = "http://127.0.0.1:1/"};
    (void)state;
    open_all(&c, &config);
    assert_int_equal(http_client_call(c.client, &bad, &c.arena, &diag, &answer).code,
                     STATUS_INVALID);
    assert_int_equal(http_client_call(c.client, &nobody, &c.arena, &diag, &answer).code,
                     STATUS_UNAVAILABLE);
    assert_int_equal(call(&c, "GET", "/big", STR(""), &answer).code, STATUS_TOO_LARGE);
    assert_int_equal(call(&c, "POST", "/park", STR("x"), &answer).code, STATUS_COMMIT_UNKNOWN);
    fixture_wait_handled(&c.server, 2); /* /big and /park */
    http_respond_status(c.server.parked, STATUS_CANCELLED, NULL);
    close_all(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_failures_have_their_class),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
