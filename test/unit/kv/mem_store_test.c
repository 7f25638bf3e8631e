/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mem_store_test.c - the store in memory against the model, and under failing allocators.
 */
#include "failing_allocator.h"
#include "store_property.h"

#include <setjmp.h>
#include <stdarg.h>
#include <xxhash.h>

#include <cmocka.h>

static void test_against_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct diag diag = {0};
        struct failing_allocator counting;
        struct kv_store *store = NULL;
        failing_allocator_init(&counting, 0);
        assert_true(is_ok(mem_store_open(&counting.base, &diag, &store)));
        run_store_property(store, seed, 300);
        kv_store_close(store);
        assert_int_equal(counting.live_bytes, 0);
    }
}

static struct kv_entry entry_of(struct prng *prng, struct arena *arena, uint64_t index,
                                struct model *model)
{
    struct diag diag = {0};
    struct kv_batch *batch = NULL;
    assert_true(is_ok(kv_batch_create(arena, NULL, &diag, &batch)));
    random_writes(prng, arena, 6, batch, model);
    return (struct kv_entry){index, 1, payload_of(batch, index, arena)};
}

static void test_digest_forgets_order_and_history(void **state)
{
    (void)state;
    struct kv_digest a = {0, 0};
    struct kv_digest b = {0, 0};
    kv_digest_add(&a, STR("k"), STR("v"));
    kv_digest_add(&a, STR("kv"), STR(""));
    kv_digest_add(&b, STR("kv"), STR(""));
    kv_digest_add(&b, STR("x"), STR("gone"));
    kv_digest_add(&b, STR("k"), STR("v"));
    assert_memory_not_equal(&a, &b, sizeof(a));
    kv_digest_remove(&b, STR("x"), STR("gone"));
    assert_memory_equal(&a, &b, sizeof(a));
    kv_digest_remove(&a, STR("k"), STR("v"));
    kv_digest_remove(&a, STR("kv"), STR(""));
    assert_int_equal(a.low | a.high, 0);
    kv_digest_add(&a, STR("k"), STR("v"));
    kv_digest_add(&b, STR("kv"), STR(""));
    assert_memory_not_equal(&a, &b, sizeof(a));
}

/* The formula of store.h, on both sides of where the hashing changes its way. */
static void test_digest_is_the_documented_hash(void **state)
{
    (void)state;
    char row[4 + 1 + 4096] = {1, 0, 0, 0, 'k'};
    memset(row + 5, 'v', sizeof(row) - 5);
    for (size_t size = 0; size <= 4096; size += size < 2030 || size > 2060 ? 37 : 1) {
        struct kv_digest digest = {0, 0};
        kv_digest_add(&digest, STR("k"), (struct str){row + 5, size});
        XXH128_hash_t hash = XXH3_128bits(row, 5 + size);
        assert_int_equal(digest.low, hash.low64);
        assert_int_equal(digest.high, hash.high64);
    }
}

static void test_a_bad_entry_applies_nothing(void **state)
{
    (void)state;
    struct diag diag = {0};
    struct arena arena;
    struct prng prng;
    struct kv_store *store = NULL;
    struct model *model = mem_zalloc(sizeof(*model));
    arena_init(&arena, allocator_heap(), 1 << 28);
    prng_init(&prng, 1);
    assert_true(is_ok(mem_store_open(allocator_heap(), &diag, &store)));
    struct kv_entry entries[2] = {entry_of(&prng, &arena, 1, model),
                                  entry_of(&prng, &arena, 2, model)};
    struct kv_entry whole = entries[1];
    entries[1].payload.size -= 1;
    assert_int_equal(kv_store_apply(store, entries, 2, &diag).code, STATUS_CORRUPT);
    struct kv_meta meta = kv_store_meta(store);
    assert_int_equal(meta.applied_index, 0);
    assert_int_equal(meta.row_count, 0);
    entries[1] = whole;
    assert_true(is_ok(kv_store_apply(store, entries, 2, &diag)));
    meta = kv_store_meta(store);
    expect_meta(&meta, model, 2);
    kv_store_close(store);
    mem_free(model);
    arena_deinit(&arena);
}

/* The n-th allocation fails: the entry is applied whole, or not at all and can be applied again. */
static void apply_with_failures(struct kv_store *store, struct failing_allocator *failing,
                                const struct kv_entry *entry)
{
    struct diag diag = {0};
    struct kv_meta before = kv_store_meta(store);
    for (uint64_t n = 1;; n++) {
        failing->calls = 0;
        failing->fail_at = n;
        uint64_t held = failing->live_bytes;
        status_value result = kv_store_apply(store, entry, 1, &diag);
        failing->fail_at = 0;
        if (is_ok(result))
            break;
        struct kv_meta after = kv_store_meta(store);
        assert_int_equal(result.code, STATUS_NOMEM);
        assert_memory_equal(&after, &before, sizeof(after));
        assert_int_equal(failing->live_bytes, held);
    }
}

static void test_out_of_memory_applies_nothing(void **state)
{
    (void)state;
    struct diag diag = {0};
    struct arena arena;
    struct prng prng;
    struct kv_store *store = NULL;
    struct kv_snapshot *snapshot = NULL;
    struct model *model = mem_zalloc(sizeof(*model));
    struct failing_allocator failing;
    arena_init(&arena, allocator_heap(), 1 << 28);
    prng_init(&prng, 77);
    failing_allocator_init(&failing, 1);
    assert_int_equal(mem_store_open(&failing.base, &diag, &store).code, STATUS_NOMEM);
    assert_true(is_ok(mem_store_open(&failing.base, &diag, &store)));
    for (uint64_t index = 1; index <= 25; index++) {
        struct kv_entry entry = entry_of(&prng, &arena, index, model);
        apply_with_failures(store, &failing, &entry);
    }
    failing.fail_at = failing.calls + 1;
    assert_int_equal(kv_store_snapshot(store, &diag, &snapshot).code, STATUS_NOMEM);
    assert_true(is_ok(kv_store_snapshot(store, &diag, &snapshot)));
    expect_meta(&snapshot->meta, model, 25);
    expect_scan(&snapshot->reader, model, STR(""), STR(""));
    kv_snapshot_close(snapshot);
    kv_store_close(store);
    assert_int_equal(failing.live_bytes, 0);
    mem_free(model);
    arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_model),
        cmocka_unit_test(test_digest_forgets_order_and_history),
        cmocka_unit_test(test_digest_is_the_documented_hash),
        cmocka_unit_test(test_a_bad_entry_applies_nothing),
        cmocka_unit_test(test_out_of_memory_applies_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
