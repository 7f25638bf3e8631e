/* SPDX-License-Identifier: Apache-2.0 */
/*
 * env_sim_test.c - the virtual disk keeps what was synced, may lose what was not, sector by sector,
 * and does all of it again for the same seed.
 */
#include "env_sim.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { SEEDS = 300 };

static struct env_sim *world(struct env_file **out_file)
{
    struct env_sim *sim = env_sim_create(1);
    struct env *env = env_sim_env(sim);
    char old[2048];
    memset(old, 'o', sizeof old);
    assert_true(
        is_ok(env->ops->file_open(env, "f", ENV_OPEN_CREATE | ENV_OPEN_WRITE, NULL, out_file)));
    assert_true(is_ok(env->ops->file_write(env, *out_file, 0, old, sizeof old, NULL)));
    assert_true(is_ok(env->ops->file_sync(env, *out_file, NULL)));
    assert_true(is_ok(env->ops->dir_sync(env, ".", NULL)));
    return sim;
}

static void what_is_not_synced_may_be_lost_by_sectors(void **state)
{
    (void)state;
    struct env_file *file = NULL;
    struct env_sim *sim = world(&file);
    struct env *env = env_sim_env(sim);
    char fresh[1024];
    memset(fresh, 'n', sizeof fresh);
    assert_true(is_ok(env->ops->file_write(env, file, 512, fresh, sizeof fresh, NULL)));
    unsigned seen[4] = {0};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct env_sim *after = env_sim_after_power_cut(sim, seed);
        assert_int_equal(env_sim_file_size(after, "f"), 2048);
        const char *data = env_sim_file_data(after, "f");
        assert_true(data[0] == 'o' && data[511] == 'o' && data[1536] == 'o');
        assert_true(data[512] == data[1023] && data[1024] == data[1535]);
        seen[(data[512] == 'n') + 2 * (data[1024] == 'n')]++;
        env_sim_destroy(after);
    }
    for (size_t i = 0; i < COUNTOF(seen); i++)
        assert_true(seen[i] > SEEDS / 20);
    assert_true(is_ok(env->ops->file_sync(env, file, NULL)));
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct env_sim *after = env_sim_after_power_cut(sim, seed);
        assert_int_equal(env_sim_file_data(after, "f")[512], 'n');
        env_sim_destroy(after);
    }
    env_sim_destroy(sim);
}

static void names_are_lost_and_come_back(void **state)
{
    (void)state;
    struct env_file *file = NULL;
    struct env_sim *sim = world(&file);
    struct env *env = env_sim_env(sim);
    assert_true(is_ok(env->ops->rename(env, "f", "g", NULL)));
    unsigned old_names = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct env_sim *after = env_sim_after_power_cut(sim, seed);
        bool old_name = env_sim_file_size(after, "f") > 0;
        assert_true(old_name != (env_sim_file_size(after, "g") > 0));
        old_names += old_name;
        env_sim_destroy(after);
    }
    assert_true(old_names > SEEDS / 10 && old_names < SEEDS * 9 / 10);
    assert_true(is_ok(env->ops->dir_sync(env, ".", NULL)));
    assert_true(is_ok(env->ops->unlink(env, "g", NULL)));
    assert_int_equal(env_sim_file_size(sim, "g"), 0);
    unsigned back = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct env_sim *after = env_sim_after_power_cut(sim, seed);
        back += env_sim_file_size(after, "g") == 2048;
        env_sim_destroy(after);
    }
    assert_true(back > SEEDS / 10 && back < SEEDS * 9 / 10);
    env_sim_destroy(sim);
}

static void a_direct_write_is_durable_alone(void **state)
{
    (void)state;
    struct env_sim *sim = env_sim_create(1);
    struct env *env = env_sim_env(sim);
    struct env_file *file = NULL;
    char *memory = mem_zalloc(2 * 4096);
    assert_non_null(memory);
    char *block = memory + (4096 - (uintptr_t)memory % 4096) % 4096;
    memset(block, 'd', 4096);
    assert_true(is_ok(env->ops->file_open(
        env, "f", ENV_OPEN_CREATE | ENV_OPEN_WRITE | ENV_OPEN_DIRECT_SYNC, NULL, &file)));
    assert_true(is_ok(env->ops->dir_sync(env, ".", NULL)));
    assert_true(is_ok(env->ops->file_write(env, file, 4096, block, 4096, NULL)));
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct env_sim *after = env_sim_after_power_cut(sim, seed);
        assert_int_equal(env_sim_file_size(after, "f"), 8192);
        assert_int_equal(env_sim_file_data(after, "f")[8191], 'd');
        env_sim_destroy(after);
    }
    mem_free(memory);
    env_sim_destroy(sim);
}

static void faults_hit_the_call_they_name(void **state)
{
    (void)state;
    struct env_file *file = NULL;
    struct env_sim *sim = world(&file);
    struct env *env = env_sim_env(sim);
    char data[512] = {0};
    size_t got = 0;
    struct env_sim_faults faults = {.write_error_at = 2,
                                    .write_error_code = STATUS_NOSPACE,
                                    .sync_error_at = 1,
                                    .short_read_at = 1,
                                    .read_error_at = 2,
                                    .power_off_at = 5};
    env_sim_set_faults(sim, &faults);
    assert_true(is_ok(env->ops->file_write(env, file, 0, data, 512, NULL)));
    assert_int_equal(env->ops->file_write(env, file, 0, data, 512, NULL).code, STATUS_NOSPACE);
    assert_int_equal(env->ops->file_sync(env, file, NULL).code, STATUS_IO);
    assert_true(is_ok(env->ops->file_read(env, file, 0, data, 512, NULL, &got)));
    assert_int_equal(got, 256);
    assert_int_equal(env->ops->file_read(env, file, 0, data, 512, NULL, &got).code, STATUS_IO);
    assert_true(is_ok(env->ops->file_sync(env, file, NULL)));
    assert_int_equal(env->ops->file_sync(env, file, NULL).code, STATUS_IO);
    assert_true(env_sim_is_off(sim));
    assert_int_equal(env->ops->file_read(env, file, 0, data, 512, NULL, &got).code, STATUS_IO);
    env_sim_destroy(sim);
}

static void the_same_seed_gives_the_same_disk(void **state)
{
    (void)state;
    struct env_file *file = NULL;
    struct env_sim *sim = world(&file);
    struct env *env = env_sim_env(sim);
    char fresh[2048];
    memset(fresh, 'n', sizeof fresh);
    assert_true(is_ok(env->ops->file_write(env, file, 0, fresh, sizeof fresh, NULL)));
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct env_sim *a = env_sim_after_power_cut(sim, seed);
        struct env_sim *b = env_sim_after_power_cut(sim, seed);
        assert_memory_equal(env_sim_file_data(a, "f"), env_sim_file_data(b, "f"), 2048);
        env_sim_destroy(a);
        env_sim_destroy(b);
    }
    env_sim_destroy(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_synced_may_be_lost_by_sectors),
        cmocka_unit_test(names_are_lost_and_come_back),
        cmocka_unit_test(a_direct_write_is_durable_alone),
        cmocka_unit_test(faults_hit_the_call_they_name),
        cmocka_unit_test(the_same_seed_gives_the_same_disk),
    };
    return cmocka_run_group_tests_name("env_sim", tests, NULL, NULL);
}
