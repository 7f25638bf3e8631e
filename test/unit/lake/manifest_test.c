/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manifest_test.c - what real writers wrote, read as an independent reader reads it; and the same
 * files broken: cut anywhere, any byte changed, memory failing at each allocation.
 */
#include "base/prng.h"
#include "failing_allocator.h"
#include "lake_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { FIXTURES_MIN = 20, FLIPS_PER_FILE = 3000 };

static const char *fixtures(void)
{
    const char *folder = getenv("TARN_FIXTURES");
    if (folder == NULL)
        fail_msg("TARN_FIXTURES names no folder");
    return folder;
}

static void reads_as_expected(const char *folder, const char *name)
{
    char text_name[256];
    struct arena arena;
    struct buf lines;
    struct diag diag = {.count = 0};
    arena_init(&arena, allocator_heap(), 8 << 20);
    buf_init(&lines, &arena, 4 << 20);
    (void)snprintf(text_name, sizeof(text_name), "%.*s.txt", (int)strlen(name) - 5, name);
    struct str file = lake_fixture(folder, name);
    struct str wanted = lake_fixture(folder, text_name);
    status_value result = lake_transcript(name, file, allocator_heap(), &lines, &diag);
    if (!is_ok(result))
        fail_msg("%s: %s", name, diag_message(&diag, result.code));
    if (wanted.size == 0 || !str_eq(wanted, buf_view(&lines)))
        fail_msg("%s\nwanted:\n%.*s\nread:\n%.*s", name, STR_ARG(wanted),
                 STR_ARG(buf_view(&lines)));
    free((void *)(uintptr_t)file.data);
    free((void *)(uintptr_t)wanted.data);
    arena_deinit(&arena);
}

static void test_files_of_real_writers(void **state)
{
    (void)state;
    assert_true(lake_fixtures(fixtures(), reads_as_expected) >= FIXTURES_MIN);
}

/* Reads `file`, which need not be sound: OK or INVALID, nothing else. */
static status_value read_any(const char *name, struct str file)
{
    struct arena arena;
    struct buf lines;
    struct diag diag = {.count = 0};
    arena_init(&arena, allocator_heap(), 8 << 20);
    buf_init(&lines, &arena, 4 << 20);
    status_value result = lake_transcript(name, file, allocator_heap(), &lines, &diag);
    if (!is_ok(result) && result.code != STATUS_INVALID)
        fail_msg("%s: %s %s", name, status_name(result.code), diag_message(&diag, result.code));
    arena_deinit(&arena);
    return result;
}

static void cut_everywhere(const char *folder, const char *name)
{
    struct str file = lake_fixture(folder, name);
    size_t sound = 0;
    for (size_t size = 0; size < file.size; size++) {
        char *part =
            malloc(size == 0 ? 1 : size); /* of exactly this size: a sanitizer sees the end */
        assert_non_null(part);
        if (size > 0)
            memcpy(part, file.data, size);
        sound += is_ok(read_any(name, (struct str){part, size}));
        free(part);
    }
    /* A file may well end behind its header, or behind any of its blocks. */
    assert_true(sound < 32);
    free((void *)(uintptr_t)file.data);
}

static void test_cut_files_are_refused(void **state)
{
    (void)state;
    assert_true(lake_fixtures(fixtures(), cut_everywhere) >= FIXTURES_MIN);
}

static void flip_bytes(const char *folder, const char *name)
{
    struct str file = lake_fixture(folder, name);
    char *copy = malloc(file.size);
    struct prng prng;
    prng_init(&prng, 42);
    assert_non_null(copy);
    for (int i = 0; i < FLIPS_PER_FILE; i++) {
        memcpy(copy, file.data, file.size);
        for (uint64_t flips = 1 + prng_u64(&prng) % 3; flips > 0; flips--)
            copy[prng_u64(&prng) % file.size] = (char)(unsigned char)(prng_u64(&prng) & 0xff);
        (void)read_any(name, (struct str){copy, file.size});
    }
    free(copy);
    free((void *)(uintptr_t)file.data);
}

static void test_changed_bytes_do_no_harm(void **state)
{
    (void)state;
    assert_true(lake_fixtures(fixtures(), flip_bytes) >= FIXTURES_MIN);
}

static void fail_each_allocation(const char *folder, const char *name)
{
    struct str file = lake_fixture(folder, name);
    bool done = false;
    for (uint64_t at = 1; !done; at++) {
        struct failing_allocator heap;
        struct arena arena;
        struct buf lines;
        struct diag diag = {.count = 0};
        failing_allocator_init(&heap, at);
        arena_init(&arena, allocator_heap(), 8 << 20);
        buf_init(&lines, &arena, 4 << 20);
        status_value result = lake_transcript(name, file, &heap.base, &lines, &diag);
        assert_int_equal(heap.live_bytes, 0);
        done = is_ok(result);
        if (!done && result.code != STATUS_NOMEM)
            fail_msg("%s, allocation %d: %s", name, (int)at, status_name(result.code));
        arena_deinit(&arena);
    }
    free((void *)(uintptr_t)file.data);
}

static void test_memory_may_fail_anywhere(void **state)
{
    (void)state;
    assert_true(lake_fixtures(fixtures(), fail_each_allocation) >= FIXTURES_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_of_real_writers),
        cmocka_unit_test(test_cut_files_are_refused),
        cmocka_unit_test(test_changed_bytes_do_no_harm),
        cmocka_unit_test(test_memory_may_fail_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
