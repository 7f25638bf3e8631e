/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * worker_support.h - a real node, a warehouse "lake" and its files, all in one temporary folder.
 */
#include "node/node.h"
#include "worker/stores.h"

struct fixture {
    char folder[64];
    char root[128]; /* the warehouse's folder, a path */
    struct arena arena;
    struct diag diag;
    struct log log;
    struct node_options node_options;
    struct catalog_options options;
    struct node *node;
    struct stores *stores;
};

int worker_setup(void **state); /* *state is the fixture; the node runs */
int worker_teardown(void **state);
/* Stops the node and starts it again over the same folder. */
void worker_restart(struct fixture *f);

/* A request evaluated by the node; the response lives in the fixture. `body` has ' for ". An empty
 * name for what concerns the namespace. Fails the test unless it succeeds. */
struct catalog_response worker_run(struct fixture *f, enum catalog_op op, const char *name_space,
                                   const char *name, const char *body);
struct catalog_response worker_drop(struct fixture *f, const char *name, bool purge);
/* Creates namespace db and table db.t. */
struct catalog_response worker_table(struct fixture *f, const char *properties);
/* One row as it is. */
void worker_put(struct fixture *f, struct str key, struct str value);

/* Versions waiting in the outbox, and jobs of dropped objects. */
size_t worker_outbox(struct fixture *f);
size_t worker_jobs(struct fixture *f, struct catalog_drop_job *out_first);

/* A file below the warehouse; the folders above it are made. Returns its location. */
const char *worker_file(struct fixture *f, const char *path, struct str bytes);
bool worker_exists(struct fixture *f, const char *path);
/* A location's path below the root. */
const char *worker_path(struct fixture *f, struct str location);
struct str worker_read(struct fixture *f, const char *path);
/* How many events of this name were logged since the start, by every fixture. */
unsigned worker_logged(struct fixture *f, const char *event);
/* Tries for some seconds; false when it did not become true. */
bool worker_until(struct fixture *f, bool (*test)(struct fixture *f));
