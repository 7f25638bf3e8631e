/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wal_power_cut_test.c - thousands of power cuts at any moment of random walks of the log.
 *
 * A walk runs once to count the calls that change the disk; then again and again, with the power
 * cut in the middle of one of them. Every image of the disk that this may leave must open, hold
 * everything acknowledged and nothing else but a prefix of what was in flight, and go on.
 */
#include "wal_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { WALKS = 45, CUTS_PER_WALK = 30, IMAGES_PER_CUT = 3, STEPS = 40 };

static void check(struct wal_walk *walk, uint64_t seed, uint64_t cut, uint64_t image)
{
    status_value opened;
    const char *wrong = wal_walk_check(walk, &opened);
    if (wrong == NULL)
        return;
    print_error("walk %llu, cut at %llu, image %llu: %s; %s: %s\n", (unsigned long long)seed,
                (unsigned long long)cut, (unsigned long long)image, wrong, status_name(opened.code),
                diag_message(&walk->diag, opened.code));
    fail();
}

static uint64_t count_changes(uint64_t seed)
{
    struct wal_walk *walk = wal_walk_create(seed, NULL);
    struct env_sim_faults none = {0};
    env_sim_set_faults(walk->sim, &none);
    assert_true(is_ok(wal_walk_run(walk, STEPS)));
    check(walk, seed, 0, 0);
    uint64_t changes = env_sim_changes(walk->sim);
    wal_walk_destroy(walk);
    return changes;
}

static struct wal_walk *walk_until_cut(uint64_t seed, uint64_t cut)
{
    struct wal_walk *walk = wal_walk_create(seed, NULL);
    struct env_sim_faults faults = {.power_off_at = cut};
    env_sim_set_faults(walk->sim, &faults);
    status_value result = wal_walk_run(walk, STEPS);
    /* Failures that the log only meets in wal_close do not reach the walk. */
    assert_true(is_ok(result) || result.code == STATUS_IO || result.code == STATUS_CORRUPT);
    assert_int_not_equal(result.code, STATUS_CORRUPT);
    return walk;
}

/* One image, then a few more steps and another cut, to see that a recovered log is a whole log. */
static uint64_t try_image(uint64_t seed, uint64_t cut, uint64_t image)
{
    struct wal_walk *walk = walk_until_cut(seed, cut);
    wal_walk_move(walk, env_sim_after_power_cut(walk->sim, seed * 1000003 + cut * 1009 + image));
    check(walk, seed, cut, image);
    struct env_sim_faults again = {.power_off_at = 1 + prng_below(&walk->prng, 30)};
    env_sim_set_faults(walk->sim, &again);
    (void)is_ok(wal_walk_run(walk, 12));
    wal_walk_move(walk, env_sim_after_power_cut(walk->sim, seed * 31 + cut * 17 + image));
    check(walk, seed, cut, image + 100);
    wal_walk_destroy(walk);
    return 2;
}

static void a_power_cut_loses_nothing_acknowledged(void **state)
{
    (void)state;
    uint64_t images = 0;
    for (uint64_t seed = 1; seed <= WALKS; seed++) {
        uint64_t changes = count_changes(seed);
        struct prng prng;
        prng_init(&prng, seed);
        for (unsigned i = 0; i < CUTS_PER_WALK; i++) {
            uint64_t cut = 1 + prng_below(&prng, changes);
            for (uint64_t image = 0; image < IMAGES_PER_CUT; image++)
                images += try_image(seed, cut, image);
        }
    }
    print_message("%llu crash images\n", (unsigned long long)images);
    assert_true(images >= 5000);
}

/* Every single call of one walk that also rolls, recycles and reopens. */
static void a_power_cut_at_every_call(void **state)
{
    (void)state;
    for (uint64_t seed = 1001; seed <= 1003; seed++) {
        uint64_t changes = count_changes(seed);
        for (uint64_t cut = 1; cut <= changes; cut++)
            (void)try_image(seed, cut, 0);
    }
}

/* What a killed process left in the page cache and the next one read must survive a power cut. */
static void a_kill_and_then_a_power_cut(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        uint64_t changes = count_changes(seed);
        struct prng prng;
        prng_init(&prng, seed);
        for (unsigned i = 0; i < 30; i++) {
            uint64_t cut = 1 + prng_below(&prng, changes);
            struct wal_walk *walk = walk_until_cut(seed, cut);
            wal_close(walk->wal);
            walk->wal = NULL;
            wal_walk_move(walk, env_sim_after_kill(walk->sim));
            check(walk, seed, cut, 0);
            assert_true(is_ok(wal_walk_run(walk, (unsigned)(i % 3) * 8)));
            wal_walk_move(walk, env_sim_after_power_cut(walk->sim, seed + cut));
            check(walk, seed, cut, 1);
            wal_walk_destroy(walk);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_power_cut_loses_nothing_acknowledged),
        cmocka_unit_test(a_power_cut_at_every_call),
        cmocka_unit_test(a_kill_and_then_a_power_cut),
    };
    return cmocka_run_group_tests_name("wal power cuts", tests, NULL, NULL);
}
