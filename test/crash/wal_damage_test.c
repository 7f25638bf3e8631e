/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wal_damage_test.c - rot in durable data: flipped bits, zeroed and swapped sectors, lost files.
 *
 * A log that was settled either opens with exactly its content or refuses with CORRUPT. Nothing
 * acknowledged may silently be missing, whatever is damaged.
 */
#include "wal_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { WALKS = 25, DAMAGES = 200, STEPS = 40, SECTOR_BITS = 512 * 8 };

struct file {
    char path[64];
    uint64_t size;
};

struct files {
    struct file items[64];
    size_t count;
};

struct tally {
    unsigned unaffected;
    unsigned refused;
};

/* A settled log in a world where everything is durable. */
static struct wal_walk *settled_walk(uint64_t seed)
{
    struct wal_walk *walk = wal_walk_create(seed, NULL);
    assert_true(is_ok(wal_walk_run(walk, STEPS)));
    wal_close(walk->wal);
    walk->wal = NULL;
    return walk;
}

static void list_files(struct env_sim *sim, struct files *out)
{
    struct arena arena;
    arena_init(&arena, allocator_heap(), 1 << 20);
    struct str *names = NULL;
    size_t count = 0;
    struct env *env = env_sim_env(sim);
    assert_true(is_ok(env->ops->dir_list(env, &arena, "data/wal", NULL, &names, &count)));
    out->count = 0;
    for (size_t i = 0; i < count && out->count < COUNTOF(out->items); i++) {
        struct file *file = &out->items[out->count];
        (void)snprintf(file->path, sizeof file->path, "data/wal/%s", names[i].data);
        file->size = env_sim_file_size(sim, file->path);
        if (file->size > 0)
            out->count++;
    }
    arena_deinit(&arena);
    assert_true(out->count > 2);
}

static void remove_or_cut(struct env_sim *sim, const struct file *file, struct prng *prng)
{
    struct env *env = env_sim_env(sim);
    if (prng_chance(prng, 1, 2)) {
        assert_true(is_ok(env->ops->unlink(env, file->path, NULL)));
        return;
    }
    struct env_file *open = NULL;
    assert_true(is_ok(env->ops->file_open(env, file->path, ENV_OPEN_WRITE, NULL, &open)));
    assert_true(
        is_ok(env->ops->file_truncate(env, open, prng_below(prng, file->size / 512) * 512, NULL)));
    env->ops->file_close(env, open);
}

static void damage(struct env_sim *sim, const struct files *files, struct prng *prng)
{
    const struct file *a = &files->items[prng_below(prng, files->count)];
    const struct file *b = &files->items[prng_below(prng, files->count)];
    uint64_t sector_a = prng_below(prng, a->size / 512);
    uint64_t sector_b = prng_below(prng, b->size / 512);
    switch (prng_below(prng, 8)) {
    case 0: remove_or_cut(sim, a, prng); break;
    case 1:
    case 2: assert_true(env_sim_swap_sectors(sim, a->path, sector_a, b->path, sector_b)); break;
    case 3:
    case 4: assert_true(env_sim_zero_sector(sim, a->path, sector_a)); break;
    default:
        assert_true(
            env_sim_flip_bit(sim, a->path, sector_a * SECTOR_BITS + prng_below(prng, SECTOR_BITS)));
    }
}

static void judge(struct wal_walk *walk, struct tally *tally, uint64_t seed, unsigned number)
{
    status_value opened;
    const char *wrong = wal_walk_check(walk, &opened);
    /* Without its superblock there is "no log here"; a server that had one does not ask to create.
     * */
    if (opened.code == STATUS_CORRUPT || opened.code == STATUS_NOT_FOUND) {
        tally->refused++;
        return;
    }
    if (wrong != NULL) {
        print_error("walk %llu, damage %u: %s; %s: %s\n", (unsigned long long)seed, number, wrong,
                    status_name(opened.code), diag_message(&walk->diag, opened.code));
        fail();
    }
    tally->unaffected++;
}

static void damage_is_refused_or_without_effect(void **state)
{
    (void)state;
    struct tally tally = {0};
    for (uint64_t seed = 1; seed <= WALKS; seed++) {
        struct prng prng;
        prng_init(&prng, seed);
        for (unsigned i = 0; i < DAMAGES / 10; i++) {
            struct wal_walk *walk = settled_walk(seed);
            walk->options.create = false;
            struct env_sim *whole = walk->sim;
            for (unsigned k = 0; k < 10; k++) {
                struct files files;
                struct env_sim *world = env_sim_after_power_cut(whole, seed);
                list_files(world, &files);
                damage(world, &files, &prng);
                walk->sim = world;
                judge(walk, &tally, seed, i * 10 + k);
                wal_close(walk->wal);
                walk->wal = NULL;
                env_sim_destroy(world);
            }
            walk->sim = whole;
            wal_walk_destroy(walk);
        }
    }
    print_message("%u refused, %u without effect\n", tally.refused, tally.unaffected);
    assert_true(tally.refused > 500);
    assert_true(tally.unaffected > 500);
}

/* Every bit of a frame's header and of its record is covered. */
static void every_bit_of_the_newest_frame_counts(void **state)
{
    (void)state;
    struct wal_walk *walk = wal_walk_create(1, NULL);
    assert_true(is_ok(wal_walk_run(walk, 0)));
    const struct wal_record records[] = {{.kind = WAL_HARD_STATE, .term = 1, .vote = 1}};
    assert_true(is_ok(wal_append(walk->wal, records, 1, NULL)));
    wal_close(walk->wal);
    walk->wal = NULL;
    struct env_sim *whole = walk->sim;
    for (uint64_t bit = 0; bit < (64 + 24) * 8; bit++) {
        walk->sim = env_sim_after_power_cut(whole, 1);
        assert_true(env_sim_flip_bit(walk->sim, "data/wal/0000000000000001.seg", 4096 * 8 + bit));
        status_value opened;
        (void)wal_walk_check(walk, &opened);
        assert_int_equal(opened.code, STATUS_CORRUPT);
        env_sim_destroy(walk->sim);
    }
    walk->sim = whole;
    wal_walk_destroy(walk);
}

/*
 * Rot and a power cut together, so that the ring may know nothing: a bad frame in front of a good
 * one was durable all the same.
 */
static void a_bad_frame_in_front_of_a_good_one_is_no_torn_tail(void **state)
{
    (void)state;
    struct wal_walk *walk = wal_walk_create(1, NULL);
    assert_true(is_ok(wal_walk_run(walk, 0)));
    for (uint64_t term = 1; term <= 6; term++) {
        const struct wal_record record = {.kind = WAL_HARD_STATE, .term = term};
        assert_true(is_ok(wal_append(walk->wal, &record, 1, NULL)));
    }
    struct env_sim *running = walk->sim;
    struct wal *wal = walk->wal;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        walk->wal = NULL;
        walk->sim = env_sim_after_power_cut(running, seed);
        uint64_t block = 1 + seed % 5; /* frames 1 to 5 of 6 */
        assert_true(env_sim_flip_bit(walk->sim, "data/wal/0000000000000001.seg",
                                     (block * 4096 + 30) * 8 + seed % 8));
        status_value opened;
        (void)wal_walk_check(walk, &opened);
        assert_int_equal(opened.code, STATUS_CORRUPT);
        env_sim_destroy(walk->sim);
    }
    walk->sim = running;
    walk->wal = wal;
    wal_walk_destroy(walk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damage_is_refused_or_without_effect),
        cmocka_unit_test(every_bit_of_the_newest_frame_counts),
        cmocka_unit_test(a_bad_frame_in_front_of_a_good_one_is_no_torn_tail),
    };
    return cmocka_run_group_tests_name("wal damage", tests, NULL, NULL);
}
