/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node_keeper.c - the keeper thread: zero-fills log segments ahead of use, so that no commit waits
 * for it.
 *
 * A full disk is not an error here: the log goes on with the segments it has, and the core refuses
 * writes before they run out.
 */
#include "node/node_internal.h"

void *node__keeper_main(void *argument)
{
    struct node *node = argument;
    const uint64_t pause_ns = UINT64_C(20000000);
    struct diag diag;
    while (!atomic_load(&node->closing)) {
        diag_reset(&diag);
        status_value result = wal_prepare(node->wal, &diag);
        atomic_store(&node->log_cannot_grow, result.code == STATUS_NOSPACE);
        if (!is_ok(result) && result.code != STATUS_NOSPACE)
            break; /* the log thread meets the same failure and tells the core */
        node__pause(node, pause_ns);
    }
    return NULL;
}
