/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot_power_cut_test.c - the power goes, the process dies, or a call fails at every step of
 * taking and removing snapshots: the old or the new one is there, whole, and nothing else.
 */
#include "base/prng.h"
#include "env_sim.h"
#include "storage/snapshot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const uint8_t cluster[SNAPSHOT_CLUSTER_ID_SIZE] = {1, 2, 3};
enum { FILE_SIZE = (2 << 20) + 777, PIECE = 512 << 10 };

struct writer {
    struct env *env;
    uint64_t index;
};

static void fill(char *out, size_t size, uint64_t seed)
{
    for (size_t i = 0; i < size; i++)
        out[i] = (char)(unsigned char)(seed * 31 + i / 512);
}

static status_value write_piece(struct writer *w, struct env_file *file, char *data,
                                struct diag *diag)
{
    for (uint64_t at = 0; at < FILE_SIZE; at += PIECE) {
        size_t size = (size_t)u64_min(PIECE, FILE_SIZE - at);
        fill(data, size, w->index + at);
        TRY(w->env->ops->file_write(w->env, file, at, data, size, diag));
    }
    return OK;
}

static status_value write_state(void *context, const char *folder, struct diag *diag,
                                struct kv_meta *out_meta)
{
    struct writer *w = context;
    char path[256];
    (void)snprintf(path, sizeof path, "%s/data.mdb", folder);
    struct env_file *file = NULL;
    TRY(w->env->ops->file_open(w->env, path, ENV_OPEN_CREATE | ENV_OPEN_WRITE, diag, &file));
    char *data = mem_alloc(PIECE);
    ASSERT(data != NULL);
    status_value result = write_piece(w, file, data, diag);
    mem_free(data);
    w->env->ops->file_close(w->env, file);
    *out_meta = (struct kv_meta){.applied_index = w->index,
                                 .applied_term = 3,
                                 .stamp = {99},
                                 .digest = {w->index, 5},
                                 .row_count = 42};
    return result;
}

static status_value take(struct env_sim *sim, uint64_t index, struct diag *diag)
{
    struct env *env = env_sim_env(sim);
    struct writer writer = {env, index};
    struct arena arena;
    arena_init(&arena, allocator_heap(), 64 << 20);
    struct snapshot snapshot;
    status_value result = snapshot_take(env, &arena, "data/snapshots", cluster, STR("voters"),
                                        write_state, &writer, diag, &snapshot);
    if (is_ok(result))
        assert_int_equal(snapshot.meta.applied_index, index);
    arena_deinit(&arena);
    return result;
}

static struct env_sim *world_with(uint64_t index)
{
    struct env_sim *sim = env_sim_create(index);
    struct env *env = env_sim_env(sim);
    assert_true(is_ok(env->ops->mkdir(env, "data", NULL)));
    assert_true(is_ok(env->ops->dir_sync(env, ".", NULL)));
    assert_true(is_ok(snapshot_start(env, "data/snapshots", NULL)));
    assert_true(is_ok(take(sim, index, NULL)));
    return sim;
}

/* Starts anew; returns the index of the newest snapshot after reading all of it. */
static uint64_t newest_after_start(struct env_sim *sim)
{
    struct env *env = env_sim_env(sim);
    struct diag diag = {0};
    struct arena arena;
    arena_init(&arena, allocator_heap(), 64 << 20);
    status_value result = snapshot_start(env, "data/snapshots", &diag);
    if (!is_ok(result))
        print_error("%s\n", diag_message(&diag, result.code));
    assert_true(is_ok(result));
    struct snapshot found;
    assert_true(is_ok(snapshot_newest(env, &arena, "data/snapshots", &diag, &found)));
    assert_true(is_ok(snapshot_verify(env, "data/snapshots", &found, &diag)));
    assert_int_equal(found.meta.digest.low, found.meta.applied_index);
    assert_int_equal(found.meta.row_count, 42);
    assert_true(str_is(found.extra, "voters"));
    struct str *names = NULL;
    size_t names_count = 0;
    struct snapshot_ref *refs = NULL;
    size_t refs_count = 0;
    assert_true(
        is_ok(env->ops->dir_list(env, &arena, "data/snapshots", &diag, &names, &names_count)));
    assert_true(is_ok(snapshot_list(env, &arena, "data/snapshots", &diag, &refs, &refs_count)));
    assert_int_equal(names_count, refs_count);
    struct snapshot other;
    for (size_t i = 0; i < refs_count; i++)
        assert_true(
            is_ok(snapshot_open(env, &arena, "data/snapshots", refs[i].name, &diag, &other)));
    uint64_t index = found.meta.applied_index;
    arena_deinit(&arena);
    return index;
}

static status_value take_and_keep(struct env_sim *sim, struct diag *diag)
{
    TRY(take(sim, 20, diag));
    return snapshot_keep(env_sim_env(sim), "data/snapshots", 1, diag);
}

static void a_power_cut_at_every_step(void **state)
{
    (void)state;
    bool done = false;
    unsigned old_ones = 0;
    unsigned images = 0;
    for (uint64_t cut = 1; !done; cut++) {
        struct env_sim *sim = world_with(10);
        struct env_sim_faults faults = {.power_off_at = cut};
        env_sim_set_faults(sim, &faults);
        struct diag diag = {0};
        status_value taken = take(sim, 20, &diag);
        status_value kept = taken;
        if (is_ok(taken))
            kept = snapshot_keep(env_sim_env(sim), "data/snapshots", 1, &diag);
        done = is_ok(kept) && !env_sim_is_off(sim);
        for (uint64_t seed = 0; seed < 6; seed++, images++) {
            struct env_sim *after = env_sim_after_power_cut(sim, cut * 100 + seed);
            uint64_t index = newest_after_start(after);
            assert_true(index == 20 || (index == 10 && !is_ok(taken)));
            old_ones += index == 10;
            assert_true(is_ok(take_and_keep(after, &diag)));
            assert_int_equal(newest_after_start(after), 20);
            env_sim_destroy(after);
        }
        env_sim_destroy(sim);
    }
    print_message("%u images, %u with the old snapshot\n", images, old_ones);
    assert_true(images > 60 && old_ones > 30);
}

static void a_killed_process_leaves_no_half(void **state)
{
    (void)state;
    bool done = false;
    for (uint64_t cut = 1; !done; cut++) {
        struct env_sim *sim = world_with(10);
        struct env_sim_faults faults = {.power_off_at = cut};
        env_sim_set_faults(sim, &faults);
        struct diag diag = {0};
        done = is_ok(take_and_keep(sim, &diag)) && !env_sim_is_off(sim);
        sim = env_sim_after_kill(sim);
        uint64_t index = newest_after_start(sim);
        /* What was seen after the restart is still there after a power cut. */
        struct env_sim *after = env_sim_after_power_cut(sim, cut);
        assert_int_equal(newest_after_start(after), index);
        env_sim_destroy(after);
        env_sim_destroy(sim);
    }
}

static void every_failing_call_leaves_the_old_one(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        bool done = false;
        for (uint64_t n = 1; !done; n++) {
            struct env_sim *sim = world_with(10);
            struct env_sim_faults faults = {0};
            if (kind == 0)
                faults = (struct env_sim_faults){.write_error_at = n,
                                                 .write_error_code = STATUS_NOSPACE};
            else if (kind == 1)
                faults.sync_error_at = n;
            else
                faults.read_error_at = n;
            env_sim_set_faults(sim, &faults);
            struct diag diag = {0};
            status_value result = take(sim, 20, &diag);
            done = is_ok(result);
            struct env_sim *after = env_sim_after_power_cut(sim, n);
            uint64_t index = newest_after_start(after);
            assert_true(index == 20 || !is_ok(result));
            env_sim_destroy(after);
            env_sim_destroy(sim);
        }
    }
}

static void damage_is_found(void **state)
{
    (void)state;
    static const char data[] = "data/snapshots/00000000000000000010-00000000000000000003/data.mdb";
    static const char manifest[] =
        "data/snapshots/00000000000000000010-00000000000000000003/manifest";
    struct env_sim *sim = world_with(10);
    struct env *env = env_sim_env(sim);
    struct arena arena;
    arena_init(&arena, allocator_heap(), 64 << 20);
    struct prng prng;
    prng_init(&prng, 1);
    struct snapshot found;
    struct diag diag = {0};
    assert_true(is_ok(snapshot_newest(env, &arena, "data/snapshots", &diag, &found)));
    for (int i = 0; i < 50; i++) {
        uint64_t bit = prng_below(&prng, (uint64_t)FILE_SIZE * 8);
        assert_true(env_sim_flip_bit(sim, data, bit));
        diag_reset(&diag);
        assert_int_equal(snapshot_verify(env, "data/snapshots", &found, &diag).code,
                         STATUS_CORRUPT);
        assert_non_null(strstr(diag_message(&diag, STATUS_CORRUPT), "damaged in the MiB at"));
        assert_true(env_sim_flip_bit(sim, data, bit));
    }
    assert_true(is_ok(snapshot_verify(env, "data/snapshots", &found, &diag)));
    for (uint64_t bit = 0; bit < env_sim_file_size(sim, manifest) * 8; bit++) {
        assert_true(env_sim_flip_bit(sim, manifest, bit));
        assert_int_equal(
            snapshot_open(env, &arena, "data/snapshots", found.name, &diag, &found).code,
            STATUS_CORRUPT);
        assert_true(env_sim_flip_bit(sim, manifest, bit));
    }
    /* A damaged snapshot is replaced when the same one is taken again. */
    assert_true(env_sim_flip_bit(sim, manifest, 7));
    assert_int_equal(snapshot_newest(env, &arena, "data/snapshots", &diag, &found).code,
                     STATUS_NOT_FOUND);
    assert_true(is_ok(take(sim, 10, &diag)));
    assert_int_equal(newest_after_start(sim), 10);
    arena_deinit(&arena);
    env_sim_destroy(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_power_cut_at_every_step),
        cmocka_unit_test(a_killed_process_leaves_no_half),
        cmocka_unit_test(every_failing_call_leaves_the_old_one),
        cmocka_unit_test(damage_is_found),
    };
    return cmocka_run_group_tests_name("snapshots", tests, NULL, NULL);
}
