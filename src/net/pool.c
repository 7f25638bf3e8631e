/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.c - one lock, one queue, first in first out.
 *
 * I1  Every accepted task runs exactly once, also when the pool is closed right after.
 */
#include "net/pool.h"

#include "base/alloc.h"

#include <pthread.h>
#include <signal.h>

enum { THREADS_MAX = 64 };

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct pool_task *first;
    struct pool_task *last;
    uint32_t queued;
    uint32_t queue_max;
    uint32_t thread_count;
    bool is_closing;
    pthread_t threads[THREADS_MAX];
};

/* NULL when the pool is closing and nothing is left. */
static struct pool_task *take(struct pool *pool)
{
    (void)pthread_mutex_lock(&pool->lock);
    while (pool->first == NULL && !pool->is_closing)
        (void)pthread_cond_wait(&pool->work, &pool->lock);
    struct pool_task *task = pool->first;
    if (task != NULL) {
        pool->first = task->next;
        pool->queued--;
    }
    (void)pthread_mutex_unlock(&pool->lock);
    return task;
}

static void *run_thread(void *argument)
{
    struct pool *pool = argument;
    for (struct pool_task *task = take(pool); task != NULL; task = take(pool))
        task->run(task);
    return NULL;
}

static status_value start_threads(struct pool *pool, uint32_t threads, struct diag *diag)
{
    sigset_t all;
    sigset_t before;
    int error = 0;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's */
    while (pool->thread_count < threads && error == 0) {
        error = pthread_create(&pool->threads[pool->thread_count], NULL, run_thread, pool);
        if (error == 0)
            (void)pthread_setname_np(pool->threads[pool->thread_count++], "pool");
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0)
        return FAIL(diag, IO, "could not start a pool thread: error %d", error);
    return OK;
}

status_value pool_open(uint32_t threads, uint32_t queue_max, struct diag *diag, struct pool **out)
{
    if (threads < 1 || threads > THREADS_MAX || queue_max < 1)
        return FAIL(diag, INVALID, "cannot run a pool of %u threads; 1 to %d are possible", threads,
                    THREADS_MAX);
    struct pool *pool = mem_zalloc(sizeof(*pool));
    if (pool == NULL)
        return FAIL(diag, NOMEM, "could not allocate a thread pool");
    (void)pthread_mutex_init(&pool->lock, NULL);
    (void)pthread_cond_init(&pool->work, NULL);
    pool->queue_max = queue_max;
    status_value result = start_threads(pool, threads, diag);
    if (!is_ok(result)) {
        pool_close(pool);
        return result;
    }
    *out = pool;
    return OK;
}

status_value pool_submit(struct pool *pool, struct pool_task *task, struct diag *diag)
{
    status_value result = OK;
    (void)pthread_mutex_lock(&pool->lock);
    if (pool->is_closing) {
        result = FAIL(diag, CANCELLED, "the thread pool is closing");
    } else if (pool->queued >= pool->queue_max) {
        result = FAIL(diag, EXHAUSTED, "could not queue work: %u tasks wait already", pool->queued);
    } else {
        task->next = NULL;
        if (pool->first == NULL)
            pool->first = task;
        else
            pool->last->next = task;
        pool->last = task;
        pool->queued++;
        (void)pthread_cond_signal(&pool->work);
    }
    (void)pthread_mutex_unlock(&pool->lock);
    return result;
}

void pool_close(struct pool *pool)
{
    if (pool == NULL)
        return;
    (void)pthread_mutex_lock(&pool->lock);
    pool->is_closing = true;
    (void)pthread_cond_broadcast(&pool->work);
    (void)pthread_mutex_unlock(&pool->lock);
    for (uint32_t i = 0; i < pool->thread_count; i++)
        (void)pthread_join(pool->threads[i], NULL);
    (void)pthread_cond_destroy(&pool->work);
    (void)pthread_mutex_destroy(&pool->lock);
    mem_free(pool);
}
