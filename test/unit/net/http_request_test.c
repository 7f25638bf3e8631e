/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_request_test.c - the parser alone: any split of the bytes gives the same request, any
 * failing allocation is survived.
 */
#include "net/http_request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const char text[] =
    "\r\nPOST /v1/x?y=1 HTTP/1.1\r\nHost: t\r\nX-Empty:\r\nX-Long: "
    "0123456789012345678901234567890123456789\r\nTransfer-Encoding: chunked\r\n\r\n"
    "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nGET /next";

struct failing {
    struct allocator allocator;
    int left; /* allocations until failure; -1: never */
};

static void *failing_alloc(struct allocator *self, size_t size)
{
    struct failing *f = CONTAINER_OF(self, struct failing, allocator);
    if (f->left == 0)
        return NULL;
    f->left -= f->left > 0 ? 1 : 0;
    return malloc(size);
}

static void failing_release(struct allocator *self, void *memory, size_t size)
{
    (void)self;
    (void)size;
    free(memory);
}

static size_t feed_in_pieces(struct http_request *request, size_t piece)
{
    size_t at = 0;
    size_t size = sizeof(text) - 1;
    while (at < size && request->phase != HTTP_PHASE_COMPLETE &&
           request->phase != HTTP_PHASE_REFUSED)
        at += http_request_feed(request, text + at, u64_min(piece, size - at));
    return at;
}

static void check_request(const struct http_request *request)
{
    struct str path;
    struct str query;
    assert_int_equal(request->phase, HTTP_PHASE_COMPLETE);
    assert_int_equal(request->method, HTTP_METHOD_POST);
    http_request_split_target(request, &path, &query);
    assert_true(str_is(path, "/v1/x"));
    assert_true(str_is(query, "y=1"));
    assert_int_equal(request->header_count, 4);
    assert_true(str_is(request->headers[1].name, "X-Empty"));
    assert_int_equal(request->headers[1].value.size, 0);
    assert_int_equal(request->headers[2].value.size, 40);
    assert_true(str_is((struct str){request->body, request->body_size}, "hello world"));
    assert_true(request->keep_alive);
}

static void test_any_split_gives_the_same_request(void **state)
{
    struct http_limits limits = http_limits_default();
    _Atomic size_t used = 0;
    struct arena arena;
    struct http_request request;
    (void)state;
    arena_init(&arena, allocator_heap(), 1 << 20);
    http_request_init(&request, &arena, &limits, &used);
    for (size_t piece = 1; piece < sizeof(text); piece++) {
        size_t consumed = feed_in_pieces(&request, piece);
        assert_int_equal(consumed, sizeof(text) - 1 - 9); /* the next request is left alone */
        check_request(&request);
        assert_true(used > 0);
        http_request_reset(&request);
        arena_reset(&arena);
        assert_int_equal(used, 0);
    }
    arena_deinit(&arena);
}

static void test_every_failing_allocation_is_a_refusal(void **state)
{
    struct http_limits limits = http_limits_default();
    _Atomic size_t used = 0;
    int failures = 0;
    (void)state;
    for (int nth = 0;; nth++) {
        struct failing f = {{failing_alloc, failing_release}, nth};
        struct arena arena;
        struct http_request request;
        arena_init(&arena, &f.allocator, 1 << 20);
        http_request_init(&request, &arena, &limits, &used);
        (void)feed_in_pieces(&request, 7);
        bool done = request.phase == HTTP_PHASE_COMPLETE;
        if (!done) {
            failures++;
            assert_int_equal(request.phase, HTTP_PHASE_REFUSED);
            assert_int_equal(request.refuse_code, 503);
        }
        http_request_reset(&request);
        arena_deinit(&arena);
        assert_int_equal(used, 0);
        if (done)
            break;
    }
    assert_true(failures >= 2);
}

static void test_folded_lines_are_found_at_any_split(void **state)
{
    static const char folded[] = "GET / HTTP/1.1\r\nHost: t\r\nX:\r\n y\r\n\r\n";
    struct http_limits limits = http_limits_default();
    _Atomic size_t used = 0;
    struct arena arena;
    struct http_request request;
    (void)state;
    arena_init(&arena, allocator_heap(), 1 << 20);
    http_request_init(&request, &arena, &limits, &used);
    for (size_t piece = 1; piece < sizeof(folded); piece++) {
        size_t at = 0;
        while (at < sizeof(folded) - 1 && request.phase < HTTP_PHASE_COMPLETE)
            at += http_request_feed(&request, folded + at, u64_min(piece, sizeof(folded) - 1 - at));
        assert_int_equal(request.phase, HTTP_PHASE_REFUSED);
        assert_int_equal(request.refuse_code, 400);
        http_request_reset(&request);
        arena_reset(&arena);
    }
    arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_split_gives_the_same_request),
        cmocka_unit_test(test_every_failing_allocation_is_a_refusal),
        cmocka_unit_test(test_folded_lines_are_found_at_any_split),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
