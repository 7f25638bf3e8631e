/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_property.c - the model is a sorted array, obviously right and slow; the run does what a
 * node does: evaluate over the state in flight, propose, apply some, renew the base, release.
 */
#include "store_property.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { PENDING_MAX = 6, HELD_MAX = 4, ARENA_BYTES = 1 << 30 };

static size_t model_position(const struct model *model, struct str key)
{
    size_t at = 0;
    while (at < model->count && str_cmp(model->rows[at].key, key) < 0)
        at++;
    return at;
}

const struct model_row *model_find(const struct model *model, struct str key)
{
    size_t at = model_position(model, key);
    return at < model->count && str_eq(model->rows[at].key, key) ? &model->rows[at] : NULL;
}

void model_set(struct model *model, struct str key, struct str value)
{
    size_t at = model_position(model, key);
    if (model_find(model, key) == NULL) {
        assert_true(model->count < MODEL_ROWS_MAX);
        memmove(&model->rows[at + 1], &model->rows[at],
                (model->count - at) * sizeof(model->rows[0]));
        model->count++;
    }
    model->rows[at] = (struct model_row){key, value};
}

void model_remove(struct model *model, struct str key)
{
    size_t at = model_position(model, key);
    if (model_find(model, key) == NULL)
        return;
    model->count--;
    memmove(&model->rows[at], &model->rows[at + 1], (model->count - at) * sizeof(model->rows[0]));
}

struct kv_digest model_digest(const struct model *model)
{
    struct kv_digest digest = {0, 0};
    for (size_t i = model->count; i-- > 0;)
        kv_digest_add(&digest, model->rows[i].key, model->rows[i].value);
    return digest;
}

struct str random_key(struct prng *prng, struct arena *arena)
{
    static const char letters[4] = {'\0', 'a', 'b', '\xff'};
    char key[KEY_SIZE_MAX];
    size_t size = 1 + prng_below(prng, 4);
    for (size_t i = 0; i < size; i++)
        key[i] = letters[prng_below(prng, 4)];
    if (size == 4 && key[0] == 'b') {
        memset(key + size, 'x', sizeof(key) - size);
        size = sizeof(key);
    }
    return arena_copy(arena, (struct str){key, size});
}

struct str random_value(struct prng *prng, struct arena *arena, size_t size_max)
{
    size_t size = prng_below(prng, size_max + 1);
    char *value = arena_alloc(arena, size + 1);
    assert_non_null(value);
    for (size_t i = 0; i < size; i++)
        value[i] = (char)prng_u64(prng);
    return (struct str){value, size};
}

void random_writes(struct prng *prng, struct arena *arena, size_t count, struct kv_batch *batch,
                   struct model *model)
{
    struct diag diag = {0};
    for (size_t i = 0; i < count; i++) {
        struct str key = random_key(prng, arena);
        if (prng_chance(prng, 1, 3)) {
            assert_true(is_ok(kv_delete(batch, key, &diag)));
            model_remove(model, key);
            continue;
        }
        size_t size_max = prng_chance(prng, 1, 40) ? 20000 : 80;
        struct str value = random_value(prng, arena, size_max);
        bool borrowed = prng_chance(prng, 1, 2);
        assert_true(is_ok(borrowed ? kv_put_borrowed(batch, key, value, &diag)
                                   : kv_put(batch, key, value, &diag)));
        model_set(model, key, value);
    }
}

void expect_get(struct kv_reader *reader, const struct model *model, struct prng *prng)
{
    struct diag diag = {0};
    struct arena arena;
    arena_init(&arena, allocator_heap(), ARENA_BYTES);
    struct str key = random_key(prng, &arena);
    const struct model_row *row = model_find(model, key);
    struct str value = STR("untouched");
    bool found = row == NULL;
    assert_true(is_ok(kv_get(reader, key, &diag, &value, &found)));
    assert_int_equal(found, row != NULL);
    assert_true(str_eq(value, row == NULL ? STR("untouched") : row->value));
    arena_deinit(&arena);
}

void expect_scan(struct kv_reader *reader, const struct model *model, struct str from,
                 struct str to)
{
    struct diag diag = {0};
    struct arena arena;
    arena_init(&arena, allocator_heap(), ARENA_BYTES);
    struct kv_cursor *cursor = NULL;
    assert_true(is_ok(kv_scan(reader, &arena, from, to, &diag, &cursor)));
    size_t at = model_position(model, from);
    struct str key;
    struct str value;
    for (bool found = true;; at++) {
        assert_true(is_ok(kv_next(cursor, &diag, &key, &value, &found)));
        bool expected = at < model->count && (to.size == 0 || str_cmp(model->rows[at].key, to) < 0);
        assert_int_equal(found, expected);
        if (!found)
            break;
        assert_true(str_eq(key, model->rows[at].key));
        assert_true(str_eq(value, model->rows[at].value));
    }
    kv_close(cursor);
    arena_deinit(&arena);
}

void expect_random_scan(struct kv_reader *reader, const struct model *model, struct prng *prng)
{
    struct arena arena;
    arena_init(&arena, allocator_heap(), ARENA_BYTES);
    struct str from = prng_chance(prng, 1, 4) ? STR("") : random_key(prng, &arena);
    struct str to = prng_chance(prng, 1, 4) ? STR("") : random_key(prng, &arena);
    if (to.size > 0 && prng_chance(prng, 1, 3)) {
        struct diag diag = {0};
        from = to;
        assert_true(is_ok(kv_prefix_end(&arena, from, &diag, &to)));
    }
    expect_scan(reader, model, from, to);
    arena_deinit(&arena);
}

void expect_meta(const struct kv_meta *meta, const struct model *model, uint64_t index)
{
    struct kv_digest digest = model_digest(model);
    assert_int_equal(meta->applied_index, index);
    assert_int_equal(meta->row_count, model->count);
    assert_int_equal(meta->digest.low, digest.low);
    assert_int_equal(meta->digest.high, digest.high);
}

struct str payload_of(const struct kv_batch *batch, uint64_t stamp, struct arena *arena)
{
    struct diag diag = {0};
    struct buf buf;
    buf_init(&buf, arena, ARENA_BYTES);
    kv_payload_encode(batch, (hlc_stamp){stamp}, NULL, &buf);
    assert_true(is_ok(buf_finish(&buf, "payload", &diag)));
    return buf_view(&buf);
}

/* --- the run --- */

struct pending {
    struct arena arena; /* of the batch: gone when its index is released */
    struct kv_entry entry;
    struct model after;
};
struct held {
    struct kv_snapshot *snapshot;
    struct model model;
};
struct run {
    struct kv_store *store;
    struct kv_inflight *inflight;
    struct kv_snapshot *base;
    struct prng prng;
    struct arena arena; /* keys and values of the models */
    struct model applied;
    struct model newest;
    struct model forgotten; /* what a rewind undoes */
    struct pending pending[PENDING_MAX];
    size_t pending_count;
    uint64_t last_index;
    struct held held[HELD_MAX];
};

static void renew_base(struct run *run)
{
    struct diag diag = {0};
    struct kv_snapshot *old = run->base;
    assert_true(is_ok(kv_store_snapshot(run->store, &diag, &run->base)));
    kv_inflight_set_base(run->inflight, &run->base->reader);
    kv_snapshot_close(old);
}

static void propose(struct run *run)
{
    struct diag diag = {0};
    struct pending *p = &run->pending[run->pending_count++];
    struct kv_batch *batch = NULL;
    arena_init(&p->arena, allocator_heap(), ARENA_BYTES);
    assert_true(
        is_ok(kv_batch_create(&p->arena, kv_inflight_reader(run->inflight), &diag, &batch)));
    random_writes(&run->prng, &run->arena, prng_below(&run->prng, 12), batch, &run->newest);
    if (prng_chance(&run->prng, 1, 3)) {
        run->forgotten = run->newest;
        size_t mark = kv_batch_mark(batch);
        random_writes(&run->prng, &run->arena, prng_below(&run->prng, 9), batch, &run->forgotten);
        expect_random_scan(kv_batch_reader(batch), &run->forgotten, &run->prng);
        kv_batch_rewind(batch, mark);
    }
    for (int i = 0; i < 4; i++)
        expect_get(kv_batch_reader(batch), &run->newest, &run->prng);
    expect_random_scan(kv_batch_reader(batch), &run->newest, &run->prng);
    run->last_index++;
    assert_true(is_ok(kv_inflight_add(run->inflight, batch, run->last_index, &diag)));
    struct str payload = payload_of(batch, run->last_index * 7, &p->arena);
    if (kv_batch_is_empty(batch) && prng_chance(&run->prng, 1, 2))
        payload = STR("");
    p->entry = (struct kv_entry){run->last_index, 1 + run->last_index / 50, payload};
    p->after = run->newest;
}

static void apply_some(struct run *run)
{
    struct diag diag = {0};
    struct kv_entry entries[PENDING_MAX];
    size_t count = 1 + prng_below(&run->prng, run->pending_count);
    for (size_t i = 0; i < count; i++)
        entries[i] = run->pending[i].entry;
    assert_true(is_ok(kv_store_apply(run->store, entries, count, &diag)));
    run->applied = run->pending[count - 1].after;
    struct kv_meta meta = kv_store_meta(run->store);
    expect_meta(&meta, &run->applied, entries[count - 1].index);
    assert_int_equal(meta.applied_term, entries[count - 1].term);
    renew_base(run);
    kv_inflight_release(run->inflight, entries[count - 1].index);
    for (size_t i = 0; i < count; i++)
        arena_deinit(&run->pending[i].arena);
    run->pending_count -= count;
    memmove(run->pending, run->pending + count, run->pending_count * sizeof(run->pending[0]));
    expect_random_scan(&run->base->reader, &run->applied, &run->prng);
    if (run->pending_count == 0)
        assert_int_equal(kv_inflight_count(run->inflight), 0);
}

static void lose_leadership(struct run *run)
{
    kv_inflight_clear(run->inflight);
    for (size_t i = 0; i < run->pending_count; i++)
        arena_deinit(&run->pending[i].arena);
    run->last_index -= run->pending_count;
    run->pending_count = 0;
    run->newest = run->applied;
    expect_scan(kv_inflight_reader(run->inflight), &run->newest, STR(""), STR(""));
}

static void swap_held(struct run *run)
{
    struct diag diag = {0};
    struct held *held = &run->held[prng_below(&run->prng, HELD_MAX)];
    if (held->snapshot != NULL) {
        expect_scan(&held->snapshot->reader, &held->model, STR(""), STR(""));
        expect_meta(&held->snapshot->meta, &held->model, held->snapshot->meta.applied_index);
        kv_snapshot_close(held->snapshot);
    }
    held->model = run->applied;
    assert_true(is_ok(kv_store_snapshot(run->store, &diag, &held->snapshot)));
}

void run_store_property(struct kv_store *store, uint64_t seed, unsigned steps)
{
    struct diag diag = {0};
    struct run *run = mem_zalloc(sizeof(*run));
    assert_non_null(run);
    run->store = store;
    prng_init(&run->prng, seed);
    arena_init(&run->arena, allocator_heap(), ARENA_BYTES);
    assert_true(is_ok(kv_inflight_create(allocator_heap(), &diag, &run->inflight)));
    renew_base(run);
    for (unsigned step = 0; step < steps; step++) {
        propose(run);
        if (run->pending_count == PENDING_MAX || prng_chance(&run->prng, 1, 3))
            apply_some(run);
        expect_random_scan(kv_inflight_reader(run->inflight), &run->newest, &run->prng);
        if (prng_chance(&run->prng, 1, 5))
            swap_held(run);
        if (prng_chance(&run->prng, 1, 40))
            lose_leadership(run);
    }
    lose_leadership(run);
    for (size_t i = 0; i < HELD_MAX; i++)
        kv_snapshot_close(run->held[i].snapshot);
    kv_inflight_destroy(run->inflight);
    kv_snapshot_close(run->base);
    arena_deinit(&run->arena);
    mem_free(run);
}
