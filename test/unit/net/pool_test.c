/* SPDX-License-Identifier: Apache-2.0 */
/* pool_test.c - tasks run once each, a full queue refuses, closing runs what is queued. */
#include "net/pool.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

struct work {
    struct pool_task task;
    _Atomic int *counter;
    pthread_mutex_t *gate; /* may be NULL */
};

static void run_work(struct pool_task *task)
{
    struct work *work = CONTAINER_OF(task, struct work, task);
    if (work->gate != NULL) {
        (void)pthread_mutex_lock(work->gate);
        (void)pthread_mutex_unlock(work->gate);
    }
    ++*work->counter;
}

static void test_close_runs_what_is_queued(void **state)
{
    enum { TASKS = 200 };
    struct work work[TASKS];
    struct diag diag = {.count = 0};
    _Atomic int counter = 0;
    struct pool *pool;
    (void)state;
    assert_true(is_ok(pool_open(4, TASKS, &diag, &pool)));
    for (int i = 0; i < TASKS; i++) {
        work[i] = (struct work){.task.run = run_work, .counter = &counter};
        assert_true(is_ok(pool_submit(pool, &work[i].task, &diag)));
    }
    pool_close(pool);
    assert_int_equal(counter, TASKS);
}

static void test_a_full_queue_refuses(void **state)
{
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    struct work work[4];
    struct diag diag = {.count = 0};
    _Atomic int counter = 0;
    struct pool *pool;
    int accepted = 0;
    status_value last = OK;
    (void)state;
    assert_true(is_ok(pool_open(1, 2, &diag, &pool)));
    (void)pthread_mutex_lock(&gate);
    for (int i = 0; i < 4 && is_ok(last); i++) {
        work[i] = (struct work){.task.run = run_work, .counter = &counter, .gate = &gate};
        last = pool_submit(pool, &work[i].task, &diag);
        accepted += is_ok(last) ? 1 : 0;
        usleep(20000); /* the thread takes the first one */
    }
    assert_int_equal(last.code, STATUS_EXHAUSTED);
    assert_int_equal(accepted, 3);
    (void)pthread_mutex_unlock(&gate);
    pool_close(pool);
    assert_int_equal(counter, accepted);
}

static void test_a_pool_needs_threads(void **state)
{
    struct diag diag = {.count = 0};
    struct pool *pool;
    (void)state;
    assert_int_equal(pool_open(0, 1, &diag, &pool).code, STATUS_INVALID);
    pool_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_close_runs_what_is_queued),
        cmocka_unit_test(test_a_full_queue_refuses),
        cmocka_unit_test(test_a_pool_needs_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
