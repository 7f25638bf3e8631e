/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_test.c - the driver's own parts: samples, bodies, and the HTTP parser against a server that
 * sends its answers byte by byte.
 */
#include "cli/bench.h"

#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>
/* cmocka needs the ones above */
#include <cmocka.h>

static void ranks_of_samples(void **state)
{
    struct bench_samples samples = {NULL, 0, 0};
    (void)state;
    for (int i = 100; i > 0; i--)
        bench_samples_add(&samples, i);
    assert_true(bench_samples_rank(&samples, 0.5) > 50 && bench_samples_rank(&samples, 0.5) < 52);
    assert_true(bench_samples_rank(&samples, 1) > 99);
    bench_samples_deinit(&samples);
}

static const struct json *parse(struct arena *arena, struct str text)
{
    struct json_limits limits = json_limits_document();
    struct diag diag = {.count = 0};
    const struct json *json = NULL;
    assert_true(is_ok(json_parse(arena, text, &limits, &diag, &json)));
    return json;
}

static void a_commit_body_is_a_commit(void **state)
{
    struct arena arena;
    struct buf body;
    struct bench_table table = {.parent = 77, .sequence = 5};
    int64_t number = 0;
    (void)state;
    arena_init(&arena, allocator_heap(), 1 << 20);
    (void)snprintf(table.uuid, sizeof table.uuid, "123e4567-e89b-42d3-a456-426614174000");
    buf_init(&body, &arena, 1 << 16);
    bench_commit_body(&body, &table, 99, 1700000000000);
    const struct json *json = parse(&arena, buf_view(&body));
    const struct json *snapshot = json_get(json_at(json_get(json, "updates"), 0), "snapshot");
    assert_true(json_as_i64(json_get(snapshot, "parent-snapshot-id"), &number) && number == 77);
    assert_true(json_as_i64(json_get(snapshot, "sequence-number"), &number) && number == 6);
    assert_int_equal(json_size(json_get(snapshot, "summary")), 14);
    assert_int_equal(json_size(json_get(json, "requirements")), 2);
    table.parent = 0;
    buf_clear(&body);
    bench_commit_body(&body, &table, 99, 1700000000000);
    json = parse(&arena, buf_view(&body));
    snapshot = json_get(json_at(json_get(json, "updates"), 0), "snapshot");
    assert_null(json_get(snapshot, "parent-snapshot-id"));
    assert_true(json_is_null(json_get(json_at(json_get(json, "requirements"), 1), "snapshot-id")));
    arena_deinit(&arena);
}

static void a_table_is_read_from_the_head_of_an_answer(void **state)
{
    struct bench_table table = {.parent = 0};
    (void)state;
    assert_true(bench_read_table(
        STR("{\"metadata\":{\"table-uuid\": \"123e4567-e89b-42d3-a456-426614174000\","
            "\"last-sequence-number\":12,\"current-snapshot-id\": 9007199254740993,\"snap"),
        &table));
    assert_int_equal(table.sequence, 12);
    assert_true(table.parent == INT64_C(9007199254740993));
    assert_false(bench_read_table(STR("{}"), &table));
}

/* --- a server that says what it is told --- */

struct peer {
    int listener;
    uint16_t port;
    const char *answers[4];
    size_t count;
    bool by_byte;
    pthread_t thread;
};

static bool read_request(int fd)
{
    char text[4096];
    size_t size = 0;
    while (size < sizeof text - 1) {
        ssize_t n = recv(fd, text + size, 1, 0);
        if (n != 1)
            return false;
        text[++size] = 0;
        if (size >= 4 && memcmp(text + size - 4, "\r\n\r\n", 4) == 0)
            return true;
    }
    return false;
}

static void *serve(void *context)
{
    struct peer *peer = context;
    int fd = accept(peer->listener, NULL, NULL);
    for (size_t i = 0; i < peer->count && read_request(fd); i++) {
        size_t size = strlen(peer->answers[i]);
        size_t step = peer->by_byte ? 1 : size;
        for (size_t at = 0; at < size; at += step)
            (void)send(fd, peer->answers[i] + at, step, MSG_NOSIGNAL);
    }
    (void)close(fd);
    return NULL;
}

static void peer_start(struct peer *peer)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    const int one = 1;
    peer->listener = socket(AF_INET, SOCK_STREAM, 0);
    (void)setsockopt(peer->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    assert_int_equal(bind(peer->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(peer->listener, 1), 0);
    assert_int_equal(getsockname(peer->listener, (struct sockaddr *)&address, &size), 0);
    peer->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&peer->thread, NULL, serve, peer), 0);
}

static void call(struct bench_http *http, struct arena *arena, const char *method,
                 struct bench_answer *out)
{
    struct diag diag = {.count = 0};
    status_value called =
        bench_http_call(http, method, STR("/x"), STR(""), STR(""), arena, UINT64_MAX, &diag, out);
    if (!is_ok(called))
        fail_msg("%s", diag_message(&diag, called.code));
}

static void read_answers(bool by_byte)
{
    struct peer peer = {.by_byte = by_byte,
                        .count = 4,
                        .answers = {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"e\"\r\n"
                                    "Server-Timing: commit;dur=1.250\r\n\r\nhello",
                                    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
                                    "3\r\nabc\r\n1A;x=y\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n",
                                    "HTTP/1.1 304 Not Modified\r\n\r\n",
                                    "HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{}"}};
    struct bench_http *http = NULL;
    struct bench_answer answer;
    struct arena arena;
    struct diag diag = {.count = 0};
    arena_init(&arena, allocator_heap(), 1 << 20);
    peer_start(&peer);
    assert_true(is_ok(bench_http_open(env_linux(), STR("127.0.0.1"), peer.port, 1, &diag, &http)));
    call(http, &arena, "GET", &answer);
    assert_int_equal(answer.status_code, 200);
    assert_true(str_is(answer.body, "hello"));
    assert_true(str_is(answer.etag, "\"e\""));
    assert_true(answer.server_ms > 1.249 && answer.server_ms < 1.251);
    call(http, &arena, "GET", &answer);
    assert_true(str_is(answer.body, "abcabcdefghijklmnopqrstuvwxyz"));
    assert_int_equal(answer.body_bytes, 29);
    assert_true(answer.server_ms < 0);
    call(http, &arena, "GET", &answer);
    assert_int_equal(answer.status_code, 304);
    call(http, &arena, "GET", &answer);
    assert_int_equal(answer.status_code, 404);
    assert_true(answer.done_ns >= answer.first_byte_ns && answer.first_byte_ns >= answer.sent_ns);
    bench_http_close(http);
    (void)pthread_join(peer.thread, NULL);
    (void)close(peer.listener);
    arena_deinit(&arena);
}

static void answers_are_read_whole(void **state)
{
    (void)state;
    read_answers(false);
}

static void answers_are_read_byte_by_byte(void **state)
{
    (void)state;
    read_answers(true);
}

static void what_is_not_http_is_refused(void **state)
{
    struct peer peer = {.count = 1, .answers = {"SMTP ready\r\n\r\n"}};
    struct bench_http *http = NULL;
    struct bench_answer answer;
    struct arena arena;
    struct diag diag = {.count = 0};
    (void)state;
    arena_init(&arena, allocator_heap(), 1 << 20);
    peer_start(&peer);
    assert_true(is_ok(bench_http_open(env_linux(), STR("127.0.0.1"), peer.port, 1, &diag, &http)));
    status_value called = bench_http_call(http, "GET", STR("/"), STR(""), STR(""), &arena,
                                          UINT64_MAX, &diag, &answer);
    assert_int_equal(called.code, STATUS_CORRUPT);
    bench_http_close(http);
    (void)pthread_join(peer.thread, NULL);
    (void)close(peer.listener);
    arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_of_samples),
        cmocka_unit_test(a_commit_body_is_a_commit),
        cmocka_unit_test(a_table_is_read_from_the_head_of_an_answer),
        cmocka_unit_test(answers_are_read_whole),
        cmocka_unit_test(answers_are_read_byte_by_byte),
        cmocka_unit_test(what_is_not_http_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
