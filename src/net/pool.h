/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * pool.h - a few threads for work that blocks (object stores), behind a queue with a limit.
 */
#include "base/status.h"

/*
 * Embedded in the caller's work; kept by the pool until `run` is called, then the caller's
 * again.
 */
struct pool_task {
    void (*run)(struct pool_task *self);
    struct pool_task *next;
};
struct pool;

/* Starts `threads` threads (1..64). INVALID, NOMEM, IO. */
status pool_open(uint32_t threads, uint32_t queue_max, struct diag *diag, struct pool **out);
/* Any thread. EXHAUSTED when queue_max tasks wait already; CANCELLED when the pool is closing. */
status pool_submit(struct pool *pool, struct pool_task *task, struct diag *diag);
/* Runs what is queued, then ends the threads. NULL is fine. */
void pool_close(struct pool *pool);
