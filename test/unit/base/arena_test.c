/* SPDX-License-Identifier: Apache-2.0 */
/* arena_test.c - alignment, budget, failing allocations, everything given back. */
#include "base_test_support.h"

static void test_memory_is_aligned_and_distinct(void **state)
{
    struct arena arena;
    char *before = NULL;
    (void)state;
    arena_init(&arena, allocator_heap(), 1 << 20);
    for (size_t size = 1; size < 3000; size += 37) {
        char *memory = arena_alloc(&arena, size);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % 16, 0);
        memset(memory, 0xee, size);
        assert_ptr_not_equal(memory, before);
        before = memory;
    }
    arena_deinit(&arena);
}

static void test_the_budget_holds(void **state)
{
    struct failing f = failing_after(-1);
    struct arena arena;
    (void)state;
    arena_init(&arena, &f.allocator, 100000);
    while (arena_alloc(&arena, 1000) != NULL)
        assert_true(f.out_bytes <= 100000);
    assert_true(f.out_bytes > 50000);
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_null(arena_alloc(&arena, SIZE_MAX - 8));
    arena_reset(&arena);
    assert_int_equal(f.out_bytes, 0);
    assert_non_null(arena_alloc(&arena, 1000));
    arena_deinit(&arena);
    assert_int_equal(f.out_bytes, 0);
}

static void test_every_failure_is_clean(void **state)
{
    (void)state;
    for (int nth = 0; nth < 8; nth++) {
        struct failing f = failing_after(nth);
        struct arena arena;
        arena_init(&arena, &f.allocator, 1 << 24);
        size_t given = 0;
        while (arena_zalloc(&arena, 5000) != NULL)
            given++;
        assert_true(given >= (size_t)nth);
        assert_null(arena_alloc(&arena, 1 << 20));
        arena_deinit(&arena);
        assert_int_equal(f.out_bytes, 0);
    }
}

static void test_text(void **state)
{
    struct arena arena;
    (void)state;
    arena_init(&arena, allocator_heap(), 1 << 20);
    assert_string_equal(arena_copy(&arena, STR("abc")).data, "abc");
    struct str text = arena_printf(&arena, "%s-%d", "n", 7);
    assert_true(str_is(text, "n-7"));
    arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_is_aligned_and_distinct),
        cmocka_unit_test(test_the_budget_holds),
        cmocka_unit_test(test_every_failure_is_clean),
        cmocka_unit_test(test_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
