/* SPDX-License-Identifier: Apache-2.0 */
/*
 * env_test.c - what env.h promises, asked of Linux and of the virtual disk alike, so that a test on
 * the one says something about the other.
 */
#include "env_sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct place {
    struct env *env;
    struct env_sim *sim; /* NULL on Linux */
    char dir[256];
    struct arena arena;
    struct diag diag;
};

static int setup_linux(void **state)
{
    struct place *p = mem_zalloc(sizeof *p);
    assert_non_null(p);
    const char *base = getenv("TMPDIR");
    (void)snprintf(p->dir, sizeof p->dir, "%s/tarn-env-XXXXXX", base == NULL ? "/tmp" : base);
    assert_non_null(mkdtemp(p->dir));
    p->env = env_linux();
    arena_init(&p->arena, allocator_heap(), 1 << 20);
    *state = p;
    return 0;
}

static int setup_sim(void **state)
{
    struct place *p = mem_zalloc(sizeof *p);
    assert_non_null(p);
    p->sim = env_sim_create(1);
    p->env = env_sim_env(p->sim);
    (void)snprintf(p->dir, sizeof p->dir, "work");
    assert_true(is_ok(p->env->ops->mkdir(p->env, p->dir, NULL)));
    arena_init(&p->arena, allocator_heap(), 1 << 20);
    *state = p;
    return 0;
}

static const char *path(struct place *p, const char *name)
{
    struct str s = arena_printf(&p->arena, "%s/%s", p->dir, name);
    assert_non_null(s.data);
    return s.data;
}

static int teardown(void **state)
{
    struct place *p = *state;
    struct str *names = NULL;
    size_t count = 0;
    assert_true(is_ok(p->env->ops->dir_list(p->env, &p->arena, p->dir, NULL, &names, &count)));
    for (size_t i = 0; i < count; i++) {
        if (!is_ok(p->env->ops->unlink(p->env, path(p, names[i].data), NULL)))
            assert_true(is_ok(p->env->ops->dir_remove(p->env, path(p, names[i].data), NULL)));
    }
    if (p->sim == NULL)
        assert_int_equal(rmdir(p->dir), 0);
    env_sim_destroy(p->sim);
    arena_deinit(&p->arena);
    mem_free(p);
    return 0;
}

#define CALL(p, name, ...) ((p)->env->ops->name((p)->env, __VA_ARGS__))
#define OKAY(expr) assert_int_equal((expr).code, STATUS_OK)
#define FAILS(name, expr) assert_int_equal((expr).code, STATUS_##name)

static struct env_file *open_file(struct place *p, const char *name, unsigned flags)
{
    struct env_file *file = NULL;
    OKAY(CALL(p, file_open, path(p, name), flags, &p->diag, &file));
    return file;
}

static void files_are_created_and_found(void **state)
{
    struct place *p = *state;
    struct env_file *file = NULL;
    FAILS(NOT_FOUND, CALL(p, file_open, path(p, "a"), ENV_OPEN_WRITE, &p->diag, &file));
    assert_non_null(strstr(diag_message(&p->diag, STATUS_NOT_FOUND), "/a"));
    FAILS(NOT_FOUND, CALL(p, file_open, path(p, "no/a"), ENV_OPEN_CREATE, &p->diag, &file));
    const unsigned fresh = ENV_OPEN_CREATE | ENV_OPEN_EXCLUSIVE | ENV_OPEN_WRITE;
    CALL(p, file_close, open_file(p, "a", fresh));
    FAILS(ALREADY_EXISTS, CALL(p, file_open, path(p, "a"), fresh, &p->diag, &file));
    CALL(p, file_close, open_file(p, "a", ENV_OPEN_CREATE | ENV_OPEN_WRITE));
    OKAY(CALL(p, unlink, path(p, "a"), &p->diag));
    FAILS(NOT_FOUND, CALL(p, unlink, path(p, "a"), &p->diag));
}

static void bytes_come_back(void **state)
{
    struct place *p = *state;
    struct env_file *file = open_file(p, "a", ENV_OPEN_CREATE | ENV_OPEN_WRITE);
    char data[32];
    size_t got;
    uint64_t size;
    OKAY(CALL(p, file_write, file, 3, "hello", 5, &p->diag));
    OKAY(CALL(p, file_size, file, &p->diag, &size));
    assert_int_equal(size, 8);
    OKAY(CALL(p, file_read, file, 0, data, sizeof data, &p->diag, &got));
    assert_int_equal(got, 8);
    assert_memory_equal(data, "\0\0\0hello", 8);
    OKAY(CALL(p, file_read, file, 8, data, sizeof data, &p->diag, &got));
    assert_int_equal(got, 0);
    OKAY(CALL(p, file_truncate, file, 4, &p->diag));
    OKAY(CALL(p, file_truncate, file, 6, &p->diag));
    OKAY(CALL(p, file_read, file, 2, data, sizeof data, &p->diag, &got));
    assert_int_equal(got, 4);
    assert_memory_equal(data, "\0h\0\0", 4);
    OKAY(CALL(p, file_sync, file, &p->diag));
    OKAY(CALL(p, dir_sync, p->dir, &p->diag));
    CALL(p, file_close, file);
}

static void direct_files_take_blocks(void **state)
{
    struct place *p = *state;
    struct env_file *file =
        open_file(p, "direct", ENV_OPEN_CREATE | ENV_OPEN_WRITE | ENV_OPEN_DIRECT_SYNC);
    char *memory = mem_zalloc(3 * 4096);
    assert_non_null(memory);
    char *block = memory + (4096 - (uintptr_t)memory % 4096) % 4096;
    size_t got;
    memset(block, 7, 4096);
    OKAY(CALL(p, file_write, file, 4096, block, 4096, &p->diag));
    memset(block, 1, 8192);
    OKAY(CALL(p, file_read, file, 0, block, 8192, &p->diag, &got));
    assert_int_equal(got, 8192);
    assert_int_equal(block[0], 0);
    assert_int_equal(block[4096], 7);
    OKAY(CALL(p, file_read, file, 4096, block, 8192, &p->diag, &got));
    assert_int_equal(got, 4096);
    CALL(p, file_close, file);
    mem_free(memory);
}

static void folders_list_in_order(void **state)
{
    struct place *p = *state;
    struct str *names = NULL;
    size_t count = 0;
    CALL(p, file_close, open_file(p, "b", ENV_OPEN_CREATE | ENV_OPEN_WRITE));
    CALL(p, file_close, open_file(p, "a", ENV_OPEN_CREATE | ENV_OPEN_WRITE));
    OKAY(CALL(p, mkdir, path(p, "c"), &p->diag));
    OKAY(CALL(p, mkdir, path(p, "c"), &p->diag));
    OKAY(CALL(p, dir_list, &p->arena, p->dir, &p->diag, &names, &count));
    assert_int_equal(count, 3);
    assert_true(str_is(names[0], "a") && str_is(names[1], "b") && str_is(names[2], "c"));
    FAILS(NOT_FOUND, CALL(p, dir_list, &p->arena, path(p, "no"), &p->diag, &names, &count));
    FAILS(ALREADY_EXISTS, CALL(p, mkdir, path(p, "a"), &p->diag));
    FAILS(NOT_FOUND, CALL(p, mkdir, path(p, "no/c"), &p->diag));
    CALL(p, file_close, open_file(p, "c/x", ENV_OPEN_CREATE | ENV_OPEN_WRITE));
    FAILS(IO, CALL(p, dir_remove, path(p, "c"), &p->diag));
    OKAY(CALL(p, unlink, path(p, "c/x"), &p->diag));
    OKAY(CALL(p, dir_remove, path(p, "c"), &p->diag));
}

static void a_rename_replaces(void **state)
{
    struct place *p = *state;
    struct env_file *file = open_file(p, "new", ENV_OPEN_CREATE | ENV_OPEN_WRITE);
    uint64_t size;
    OKAY(CALL(p, file_write, file, 0, "12345", 5, &p->diag));
    CALL(p, file_close, file);
    CALL(p, file_close, open_file(p, "old", ENV_OPEN_CREATE | ENV_OPEN_WRITE));
    OKAY(CALL(p, rename, path(p, "new"), path(p, "old"), &p->diag));
    FAILS(NOT_FOUND, CALL(p, rename, path(p, "new"), path(p, "old"), &p->diag));
    file = open_file(p, "old", 0);
    OKAY(CALL(p, file_size, file, &p->diag, &size));
    assert_int_equal(size, 5);
    CALL(p, file_close, file);
}

static void a_lock_is_exclusive(void **state)
{
    struct place *p = *state;
    struct env_file *first = NULL;
    struct env_file *second = NULL;
    OKAY(CALL(p, file_lock, path(p, "lock"), &p->diag, &first));
    FAILS(UNAVAILABLE, CALL(p, file_lock, path(p, "lock"), &p->diag, &second));
    CALL(p, file_close, first);
    OKAY(CALL(p, file_lock, path(p, "lock"), &p->diag, &second));
    CALL(p, file_close, second);
}

static void the_world_has_a_clock_chance_and_a_boot(void **state)
{
    struct place *p = *state;
    uint64_t began = p->env->ops->monotonic_ns(p->env);
    uint64_t free_bytes = 0;
    struct str boot;
    struct str again;
    uint64_t a = 0;
    uint64_t b = 0;
    p->env->ops->random(p->env, &a, sizeof a);
    p->env->ops->random(p->env, &b, sizeof b);
    assert_true(a != b);
    OKAY(CALL(p, boot_id, &p->arena, &p->diag, &boot));
    OKAY(CALL(p, boot_id, &p->arena, &p->diag, &again));
    assert_true(str_eq(boot, again) && boot.size > 0 && boot.size <= 64);
    OKAY(CALL(p, disk_free, p->dir, &p->diag, &free_bytes));
    assert_true(free_bytes > 0);
    assert_true(p->env->ops->monotonic_ns(p->env) >= began);
    assert_true(p->env->ops->wall_ns(p->env) > UINT64_C(1600000000000000000));
}

#define BOTH(test)                                                                                 \
    cmocka_unit_test_setup_teardown(test, setup_linux, teardown),                                  \
        cmocka_unit_test_setup_teardown(test, setup_sim, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(files_are_created_and_found),
        BOTH(bytes_come_back),
        BOTH(direct_files_take_blocks),
        BOTH(folders_list_in_order),
        BOTH(a_rename_replaces),
        BOTH(a_lock_is_exclusive),
        BOTH(the_world_has_a_clock_chance_and_a_boot),
    };
    return cmocka_run_group_tests_name("env", tests, NULL, NULL);
}
