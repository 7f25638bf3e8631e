/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch_test.c - overlays, batches and the in-flight overlay: what shadows what, what is forgotten,
 * and that running out of memory changes nothing.
 */
#include "failing_allocator.h"
#include "store_property.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct arena arena;
static struct diag diag;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, allocator_heap(), 1 << 28);
    diag_reset(&diag);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_deinit(&arena);
    return 0;
}

static struct kv_batch *batch_over(struct kv_reader *base)
{
    struct kv_batch *batch = NULL;
    assert_true(is_ok(kv_batch_create(&arena, base, &diag, &batch)));
    return batch;
}

static void put(struct kv_batch *batch, const char *key, const char *value)
{
    assert_true(is_ok(kv_put(batch, str_from(key), str_from(value), &diag)));
}

static void erase(struct kv_batch *batch, const char *key)
{
    assert_true(is_ok(kv_delete(batch, str_from(key), &diag)));
}

/* All rows as "a=1 b=2", with what each visit does to the batch. */
static struct str rows_of(struct kv_reader *reader)
{
    struct kv_cursor *cursor = NULL;
    struct buf text;
    buf_init(&text, &arena, 1 << 20);
    assert_true(is_ok(kv_scan(reader, &arena, STR(""), STR(""), &diag, &cursor)));
    struct str key;
    struct str value;
    for (bool found = true;;) {
        assert_true(is_ok(kv_next(cursor, &diag, &key, &value, &found)));
        if (!found)
            break;
        buf_printf(&text, "%s%.*s=%.*s", text.size == 0 ? "" : " ", STR_ARG(key), STR_ARG(value));
    }
    kv_close(cursor);
    return arena_copy(&arena, buf_view(&text));
}

static void expect_rows(struct kv_reader *reader, const char *expected)
{
    assert_string_equal(rows_of(reader).data, expected);
}

static void test_layers_shadow(void **state)
{
    (void)state;
    struct kv_batch *low = batch_over(NULL);
    put(low, "a", "1");
    put(low, "b", "1");
    put(low, "d", "1");
    struct kv_overlay *overlay = NULL;
    assert_true(is_ok(kv_overlay_create(&arena, kv_batch_reader(low), &diag, &overlay)));
    assert_true(is_ok(kv_overlay_put(overlay, STR("b"), STR("2"), &diag)));
    assert_true(is_ok(kv_overlay_put(overlay, STR("c"), STR("2"), &diag)));
    assert_true(is_ok(kv_overlay_delete(overlay, STR("d"), &diag)));
    struct kv_batch *top = batch_over(kv_overlay_reader(overlay));
    put(top, "d", "3");
    erase(top, "a");
    erase(top, "zz");
    expect_rows(kv_overlay_reader(overlay), "a=1 b=2 c=2");
    expect_rows(kv_batch_reader(top), "b=2 c=2 d=3");
    assert_int_equal(kv_batch_count(top), 3);
}

static void test_rewind_restores_earlier_values(void **state)
{
    (void)state;
    struct kv_batch *base = batch_over(NULL);
    put(base, "base", "0");
    struct kv_batch *batch = batch_over(kv_batch_reader(base));
    put(batch, "a", "1");
    put(batch, "b", "1");
    size_t first = kv_batch_mark(batch);
    put(batch, "a", "2");
    erase(batch, "b");
    erase(batch, "base");
    size_t second = kv_batch_mark(batch);
    put(batch, "a", "3");
    put(batch, "b", "3");
    put(batch, "c", "3");
    expect_rows(kv_batch_reader(batch), "a=3 b=3 c=3");
    kv_batch_rewind(batch, second);
    expect_rows(kv_batch_reader(batch), "a=2");
    kv_batch_rewind(batch, first);
    expect_rows(kv_batch_reader(batch), "a=1 b=1 base=0");
    kv_batch_rewind(batch, 0);
    assert_true(kv_batch_is_empty(batch));
    expect_rows(kv_batch_reader(batch), "base=0");
    put(batch, "again", "1");
    expect_rows(kv_batch_reader(batch), "again=1 base=0");
}

/* Each row met is rewritten, and what is put behind or ahead shows as promised. */
static void test_writing_while_scanning(void **state)
{
    (void)state;
    struct kv_batch *base = batch_over(NULL);
    put(base, "b", "1");
    put(base, "d", "1");
    put(base, "f", "1");
    struct kv_batch *batch = batch_over(kv_batch_reader(base));
    put(batch, "c", "1");
    struct kv_cursor *cursor = NULL;
    assert_true(is_ok(kv_scan(kv_batch_reader(batch), &arena, STR(""), STR("z"), &diag, &cursor)));
    const char *met[] = {"b", "c", "d", "e"};
    for (size_t i = 0; i < COUNTOF(met); i++) {
        struct str key;
        struct str value;
        bool found = false;
        assert_true(is_ok(kv_next(cursor, &diag, &key, &value, &found)));
        assert_true(found && str_is(key, met[i]));
        if (i == 0) {
            put(batch, "b", "2");
            put(batch, "a", "2");
            put(batch, "e", "2");
        } else {
            assert_true(is_ok(kv_delete(batch, key, &diag)));
        }
    }
    erase(batch, "f");
    bool found = true;
    assert_true(is_ok(kv_next(cursor, &diag, &(struct str){0}, &(struct str){0}, &found)));
    assert_false(found);
    kv_close(cursor);
    expect_rows(kv_batch_reader(batch), "a=2 b=2");
}

static void test_prefix_end(void **state)
{
    (void)state;
    struct str end;
    assert_true(is_ok(kv_prefix_end(&arena, STR("ab"), &diag, &end)));
    assert_true(str_is(end, "ac"));
    assert_true(is_ok(kv_prefix_end(&arena, STR("a\xff\xff"), &diag, &end)));
    assert_true(str_is(end, "b"));
    assert_true(is_ok(kv_prefix_end(&arena, STR("\xff\xff"), &diag, &end)));
    assert_int_equal(end.size, 0);
    struct kv_batch *batch = batch_over(NULL);
    put(batch, "a", "0");
    put(batch, "ab", "1");
    put(batch, "abc", "2");
    put(batch, "ac", "3");
    struct kv_cursor *cursor = NULL;
    assert_true(is_ok(kv_scan_prefix(kv_batch_reader(batch), &arena, STR("ab"), &diag, &cursor)));
    for (int row = 1; row <= 3; row++) {
        struct str key;
        struct str value;
        bool found = false;
        assert_true(is_ok(kv_next(cursor, &diag, &key, &value, &found)));
        assert_int_equal(found, row <= 2);
        if (found)
            assert_int_equal(value.data[0], '0' + row);
    }
    kv_close(cursor);
}

static void test_inflight_newest_wins_and_leaves(void **state)
{
    (void)state;
    struct kv_inflight *inflight = NULL;
    assert_true(is_ok(kv_inflight_create(allocator_heap(), &diag, &inflight)));
    struct kv_reader *view = kv_inflight_reader(inflight);
    struct kv_batch *applied = batch_over(NULL);
    put(applied, "base", "0");
    kv_inflight_set_base(inflight, kv_batch_reader(applied));
    struct kv_batch *first = batch_over(view);
    put(first, "a", "1");
    put(first, "b", "1");
    assert_true(is_ok(kv_inflight_add(inflight, first, 5, &diag)));
    struct kv_batch *second = batch_over(view);
    put(second, "b", "2");
    erase(second, "base");
    expect_rows(view, "a=1 b=1 base=0");
    assert_true(is_ok(kv_inflight_add(inflight, second, 6, &diag)));
    expect_rows(view, "a=1 b=2");
    kv_inflight_release(inflight, 5);
    assert_int_equal(kv_inflight_count(inflight), 2);
    expect_rows(view, "b=2");
    kv_inflight_release(inflight, 6);
    expect_rows(view, "base=0");
    kv_inflight_destroy(inflight);
}

/* What the inflight overlay holds after a release must not point into the released batch. */
static void test_inflight_forgets_released_batches(void **state)
{
    (void)state;
    struct kv_inflight *inflight = NULL;
    struct kv_batch *old = NULL;
    struct failing_allocator scribbling; /* over what is released */
    struct arena short_lived;
    failing_allocator_init(&scribbling, 0);
    arena_init(&short_lived, &scribbling.base, 1 << 20);
    assert_true(is_ok(kv_inflight_create(allocator_heap(), &diag, &inflight)));
    assert_true(is_ok(kv_batch_create(&short_lived, NULL, &diag, &old)));
    put(old, "k", "1");
    assert_true(is_ok(kv_inflight_add(inflight, old, 1, &diag)));
    struct kv_batch *newer = batch_over(NULL);
    put(newer, "k", "2");
    assert_true(is_ok(kv_inflight_add(inflight, newer, 2, &diag)));
    kv_inflight_release(inflight, 1);
    arena_deinit(&short_lived);
    expect_rows(kv_inflight_reader(inflight), "k=2");
    kv_inflight_destroy(inflight);
}

static void test_inflight_does_not_grow(void **state)
{
    (void)state;
    struct failing_allocator failing;
    failing_allocator_init(&failing, 0);
    struct kv_inflight *inflight = NULL;
    assert_true(is_ok(kv_inflight_create(&failing.base, &diag, &inflight)));
    struct kv_batch *batch = batch_over(NULL);
    for (char key[] = "a"; key[0] <= 'z'; key[0]++)
        put(batch, key, "v");
    size_t held_after_first = 0;
    for (uint64_t index = 1; index <= 1000; index++) {
        assert_true(is_ok(kv_inflight_add(inflight, batch, index, &diag)));
        if (index == 3)
            held_after_first = failing.live_bytes;
        if (index % 2 == 0)
            kv_inflight_release(inflight, index);
    }
    assert_int_equal(failing.live_bytes, held_after_first);
    kv_inflight_destroy(inflight);
    assert_int_equal(failing.live_bytes, 0);
}

/* --- memory that runs out at the n-th allocation, for each n --- */

static void test_batch_out_of_memory_changes_nothing(void **state)
{
    (void)state;
    char value[5000];
    memset(value, 'v', sizeof(value));
    bool complete = false;
    for (uint64_t n = 1; !complete; n++) {
        struct failing_allocator failing;
        failing_allocator_init(&failing, n);
        struct arena small;
        arena_init(&small, &failing.base, 1 << 20);
        struct kv_batch *batch = NULL;
        complete = is_ok(kv_batch_create(&small, NULL, &diag, &batch));
        for (unsigned char i = 0; i < 20 && complete; i++) {
            struct str key = {(const char *)&i, 1};
            struct str bytes = {value, sizeof(value)};
            size_t count = kv_batch_count(batch);
            size_t mark = kv_batch_mark(batch);
            status_value result = kv_put(batch, key, bytes, &diag);
            complete = is_ok(result);
            if (complete)
                continue;
            assert_int_equal(result.code, STATUS_NOMEM);
            assert_int_equal(kv_batch_count(batch), count);
            assert_int_equal(kv_batch_mark(batch), mark);
        }
        arena_deinit(&small);
        assert_int_equal(failing.live_bytes, 0);
        assert_true(n < 1000);
    }
}

static void test_overlay_out_of_memory_changes_nothing(void **state)
{
    (void)state;
    bool complete = false;
    for (uint64_t n = 1; !complete; n++) {
        struct failing_allocator failing;
        failing_allocator_init(&failing, n);
        struct arena small;
        arena_init(&small, &failing.base, 1 << 20);
        struct kv_overlay *overlay = NULL;
        unsigned char keys[200];
        unsigned char count = 0;
        complete = is_ok(kv_overlay_create(&small, NULL, &diag, &overlay));
        while (complete && count < sizeof(keys)) {
            keys[count] = count;
            struct str key = {(const char *)&keys[count], 1};
            complete = is_ok(kv_overlay_put(overlay, key, STR("v"), &diag));
            if (complete)
                count++;
        }
        for (unsigned i = 0; overlay != NULL && i < 256; i++) {
            struct str value;
            bool found = false;
            unsigned char byte = (unsigned char)i;
            struct str key = {(const char *)&byte, 1};
            assert_true(is_ok(kv_get(kv_overlay_reader(overlay), key, &diag, &value, &found)));
            assert_int_equal(found, i < count);
        }
        arena_deinit(&small);
        assert_int_equal(failing.live_bytes, 0);
    }
}

static void test_inflight_out_of_memory_changes_nothing(void **state)
{
    (void)state;
    struct kv_batch *first = batch_over(NULL);
    put(first, "a", "1");
    put(first, "b", "1");
    struct kv_batch *second = batch_over(NULL);
    put(second, "b", "2");
    put(second, "c", "2");
    put(second, "d", "2");
    bool complete = false;
    for (uint64_t n = 1; !complete; n++) {
        struct failing_allocator failing;
        failing_allocator_init(&failing, n);
        struct kv_inflight *inflight = NULL;
        bool created = is_ok(kv_inflight_create(&failing.base, &diag, &inflight));
        bool one = created && is_ok(kv_inflight_add(inflight, first, 1, &diag));
        bool two = one && is_ok(kv_inflight_add(inflight, second, 2, &diag));
        if (created)
            expect_rows(kv_inflight_reader(inflight), two   ? "a=1 b=2 c=2 d=2"
                                                      : one ? "a=1 b=1"
                                                            : "");
        kv_inflight_destroy(inflight);
        assert_int_equal(failing.live_bytes, 0);
        complete = two;
    }
}

static void test_batch_against_model(void **state)
{
    (void)state;
    struct prng prng;
    struct model *model = mem_zalloc(sizeof(*model));
    prng_init(&prng, 42);
    struct kv_batch *batch = batch_over(NULL);
    for (int round = 0; round < 200; round++) {
        random_writes(&prng, &arena, 10, batch, model);
        expect_get(kv_batch_reader(batch), model, &prng);
        expect_random_scan(kv_batch_reader(batch), model, &prng);
    }
    expect_scan(kv_batch_reader(batch), model, STR(""), STR(""));
    mem_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_layers_shadow, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rewind_restores_earlier_values, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_writing_while_scanning, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_prefix_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_inflight_newest_wins_and_leaves, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_inflight_forgets_released_batches, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_inflight_does_not_grow, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_batch_out_of_memory_changes_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_overlay_out_of_memory_changes_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_inflight_out_of_memory_changes_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_batch_against_model, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
