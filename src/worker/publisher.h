/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * publisher.h - writes metadata.json files: the outbox of the catalog, emptied.
 *
 * Every committed version has an outbox row until its file is durable. Whoever commits may wait for
 * its file (publish = sync); everything else is found by scanning the outbox, also after a restart,
 * so no committed version stays without its file. Versions of one object are written in order.
 */
#include "base/metric.h"
#include "node/node.h"
#include "worker/stores.h"

struct publisher;
/* Versions handled in one round; a backlog of so many pushes back on writers. */
enum { PUBLISHER_BACKLOG_MAX = 8192 };
/* Starts the threads. Everything handed in is kept. */
status publisher_open(struct env *env, struct node *node, struct stores *stores,
                      const struct catalog_options *options, struct log *log,
                      struct metrics *metrics, struct diag *diag, struct publisher **out);
/* Finishes what is being written; the rest stays in the outbox for the next start. Every wait is
 * called. */
void publisher_close(struct publisher *publisher);

/* One caller waiting for one version's file, embedded in its owner. */
struct publisher_wait {
    struct catalog_version version;
    /* Called exactly once, on a thread of the publisher: the file is visible, or (visible == false)
     * it could not be written in time. The commit is durable either way and the publisher keeps
     * trying. */
    void (*ready)(struct publisher_wait *self, bool visible);
    struct publisher_wait *next;
    uint64_t deadline_ns;
};
/* Keeps `wait` until ready is called. */
void publisher_await(struct publisher *publisher, struct publisher_wait *wait);
/* Versions known to be unpublished; for admission: a backlog that grows without end must push
 * back. */
uint64_t publisher_backlog(const struct publisher *publisher);
