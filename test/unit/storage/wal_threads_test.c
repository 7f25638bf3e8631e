/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wal_threads_test.c - wal_prepare and the facts on one thread while another appends, on a real
 * disk. Meant for the thread sanitizer.
 */
#include "storage/wal.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct helper {
    struct wal *wal;
    _Atomic bool stop;
    bool failed;
};

static void *prepare_all_the_time(void *argument)
{
    struct helper *helper = argument;
    struct diag diag = {0};
    while (!atomic_load(&helper->stop)) {
        if (!is_ok(wal_prepare(helper->wal, &diag)) || wal_failed(helper->wal))
            helper->failed = true;
        if (wal_capacity(helper->wal) == 0)
            (void)usleep(10);
        (void)usleep(50);
    }
    return NULL;
}

static void remove_folder(const char *dir)
{
    struct arena arena;
    arena_init(&arena, allocator_heap(), 1 << 20);
    struct env *env = env_linux();
    struct str *names = NULL;
    size_t count = 0;
    assert_true(is_ok(env->ops->dir_list(env, &arena, dir, NULL, &names, &count)));
    for (size_t i = 0; i < count; i++) {
        char path[512];
        (void)snprintf(path, sizeof path, "%s/%s", dir, names[i].data);
        assert_true(is_ok(env->ops->unlink(env, path, NULL)));
    }
    assert_int_equal(rmdir(dir), 0);
    arena_deinit(&arena);
}

static status_value count_entry(void *context, const struct wal_record *record, struct diag *diag)
{
    (void)record;
    (void)diag;
    (*(uint64_t *)context)++;
    return OK;
}

static void append_and_compact(struct wal *wal, uint64_t entries)
{
    static const char payload[6000] = {0};
    const struct wal_record first = {.kind = WAL_HARD_STATE, .term = 1};
    struct diag diag = {0};
    assert_true(is_ok(wal_append(wal, &first, 1, &diag)));
    for (uint64_t i = 1; i <= entries; i++) {
        const struct wal_record records[] = {
            {.kind = WAL_ENTRY, .index = i, .term = 1, .payload = {payload, sizeof payload}},
            {.kind = WAL_SNAPSHOT, .index = i, .term = 1}};
        assert_true(is_ok(wal_append(wal, records, 2, &diag)));
        if (i % 40 == 0)
            assert_true(is_ok(wal_compact(wal, i - 10, &diag)));
    }
}

static void a_helper_thread_prepares(void **state)
{
    (void)state;
    char dir[256];
    const char *base = getenv("TMPDIR");
    (void)snprintf(dir, sizeof dir, "%s/tarn-wal-XXXXXX", base == NULL ? "/tmp" : base);
    assert_non_null(mkdtemp(dir));
    struct wal_options options = {.create = true, .segment_size_bytes = 128 << 10, .node_id = 1};
    struct diag diag = {0};
    struct helper helper = {0};
    assert_true(is_ok(wal_open(env_linux(), dir, &options, &diag, &helper.wal)));
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, prepare_all_the_time, &helper), 0);
    append_and_compact(helper.wal, 400);
    atomic_store(&helper.stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_false(helper.failed);
    wal_close(helper.wal);
    assert_true(is_ok(wal_open(env_linux(), dir, &options, &diag, &helper.wal)));
    struct wal_state s = wal_state(helper.wal);
    uint64_t count = 0;
    assert_int_equal(s.last_index, 400);
    assert_true(is_ok(wal_read(helper.wal, 0, count_entry, &count, &diag)));
    assert_int_equal(count, 400 - s.first_index + 1);
    wal_close(helper.wal);
    remove_folder(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_helper_thread_prepares)};
    return cmocka_run_group_tests_name("wal threads", tests, NULL, NULL);
}
