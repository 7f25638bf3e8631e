/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node_keeper.c - the keeper thread: work on the log that no commit should wait for.
 *
 * It zero-fills segments ahead of use, and settles the log when nobody writes: the proof that the
 * newest frame was durable becomes durable itself, so that losing it later is told from a torn
 * tail.
 *
 * A full disk is not an error here: the log goes on with the segments it has, and the core refuses
 * writes before they run out. Other failures are met again, and told, by whoever writes next.
 */
#include "node/node_internal.h"

static status_value settle_when_idle(struct node *node, uint64_t *seen_writes, struct diag *diag)
{
    status_value result = OK;
    uint64_t writes = atomic_load(&node->log_writes);
    if (writes != *seen_writes || pthread_mutex_trylock(&node->wal_lock) != 0) {
        *seen_writes = writes;
        return OK;
    }
    result = wal_settle(node->wal, diag);
    pthread_mutex_unlock(&node->wal_lock);
    return result;
}

/* No room, memory or descriptor now; perhaps later. */
static bool is_passing(status_value result)
{
    return result.code == STATUS_NOSPACE || result.code == STATUS_NOMEM ||
           result.code == STATUS_EXHAUSTED;
}

void *node__keeper_main(void *argument)
{
    struct node *node = argument;
    const uint64_t pause_ns = UINT64_C(20000000);
    uint64_t seen_writes = 0;
    struct diag diag;
    while (!atomic_load(&node->closing)) {
        diag_reset(&diag);
        status_value result = wal_prepare(node->wal, &diag);
        atomic_store(&node->log_cannot_grow, is_passing(result));
        if (is_ok(result) || is_passing(result))
            result = settle_when_idle(node, &seen_writes, &diag);
        if (!is_ok(result))
            break;
        node__pause(node, pause_ns);
    }
    return NULL;
}
