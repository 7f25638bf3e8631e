/* SPDX-License-Identifier: Apache-2.0 */
/*
 * body_cache_test.c - kept answers: the right bytes under the right key, within the budget, alive
 * while in use.
 */
#include "api/body_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { BODY_BYTES = 100 << 10, BUDGET_BYTES = 1 << 20 };

static struct hash128 key_of(uint64_t n)
{
    return (struct hash128){n * 7 + 1, n * 13 + 5};
}

/* Records a body of the letter `fill` in pieces. */
static void keep(struct body_cache *cache, uint64_t n, char fill, size_t size)
{
    struct body_recorder recorder = {.cache = cache, .key = key_of(n)};
    char piece[1000];
    memset(piece, fill, sizeof(piece));
    for (size_t at = 0; at < size; at += sizeof(piece))
        body_recorder_add(&recorder, piece, size - at < sizeof(piece) ? size - at : sizeof(piece));
    body_recorder_finish(&recorder);
}

static bool holds(struct body_cache *cache, uint64_t n, char fill, size_t size)
{
    const struct cached_body *body = body_cache_get(cache, key_of(n));
    bool same = body != NULL && body->size == size;
    for (size_t i = 0; same && i < size; i++)
        same = body->data[i] == fill;
    body_cache_release(cache, body);
    return same;
}

static struct body_cache *cache_of(size_t budget_bytes)
{
    struct body_cache *cache = NULL;
    assert_true(is_ok(body_cache_create(budget_bytes, NULL, &cache)));
    return cache;
}

static void bytes_come_back_under_their_key(void **state)
{
    struct body_cache *cache = cache_of(BUDGET_BYTES);
    (void)state;
    assert_null(body_cache_get(cache, key_of(1)));
    keep(cache, 1, 'a', BODY_BYTES);
    keep(cache, 2, 'b', BODY_BYTES + 7);
    assert_true(holds(cache, 1, 'a', BODY_BYTES));
    assert_true(holds(cache, 2, 'b', BODY_BYTES + 7));
    assert_null(body_cache_get(cache, key_of(3)));
    body_cache_destroy(cache);
}

static void least_recently_used_leaves_first(void **state)
{
    struct body_cache *cache = cache_of(BUDGET_BYTES);
    (void)state;
    for (uint64_t n = 0; n < 10; n++)
        keep(cache, n, 'x', BODY_BYTES);
    assert_true(holds(cache, 0, 'x', BODY_BYTES));
    keep(cache, 10, 'y', BODY_BYTES); /* one too many: 1 is the oldest in use */
    assert_true(holds(cache, 0, 'x', BODY_BYTES));
    assert_null(body_cache_get(cache, key_of(1)));
    assert_true(holds(cache, 10, 'y', BODY_BYTES));
    body_cache_destroy(cache);
}

static void body_in_use_outlives_its_entry(void **state)
{
    struct body_cache *cache = cache_of(BUDGET_BYTES);
    (void)state;
    keep(cache, 1, 'a', BODY_BYTES);
    const struct cached_body *body = body_cache_get(cache, key_of(1));
    assert_non_null(body);
    for (uint64_t n = 2; n < 20; n++)
        keep(cache, n, 'x', BODY_BYTES);
    assert_null(body_cache_get(cache, key_of(1)));
    assert_int_equal(body->data[BODY_BYTES - 1], 'a');
    body_cache_release(cache, body);
    body_cache_destroy(cache);
}

static void small_large_and_cut_bodies_are_not_kept(void **state)
{
    struct body_cache *cache = cache_of(BUDGET_BYTES);
    struct body_recorder recorder = {.cache = cache, .key = key_of(3)};
    char piece[1000] = "";
    (void)state;
    keep(cache, 1, 'a', 1000);
    keep(cache, 2, 'b', BUDGET_BYTES / 4 + 1);
    for (int i = 0; i < 100; i++)
        body_recorder_add(&recorder, piece, sizeof(piece));
    body_recorder_cancel(&recorder); /* the client went away */
    for (uint64_t n = 1; n <= 3; n++)
        assert_null(body_cache_get(cache, key_of(n)));
    body_cache_destroy(cache);
}

static void second_request_is_wanted(void **state)
{
    struct body_cache *cache = cache_of(BUDGET_BYTES);
    struct body_cache *none = cache_of(0);
    (void)state;
    assert_false(body_cache_wants(cache, key_of(1)));
    assert_true(body_cache_wants(cache, key_of(1)));
    assert_false(body_cache_wants(cache, key_of(2)));
    assert_false(body_cache_wants(none, key_of(1)));
    assert_false(body_cache_wants(none, key_of(1)));
    body_cache_destroy(cache);
    body_cache_destroy(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_come_back_under_their_key),
        cmocka_unit_test(least_recently_used_leaves_first),
        cmocka_unit_test(body_in_use_outlives_its_entry),
        cmocka_unit_test(small_large_and_cut_bodies_are_not_kept),
        cmocka_unit_test(second_request_is_wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
