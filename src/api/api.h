/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * api.h - the Iceberg REST API over a node: one handler for the HTTP server.
 */
#include "api/body_cache.h"
#include "catalog/catalog.h"
#include "net/http.h"
#include "net/pool.h"
#include "node/node.h"
#include "worker/publisher.h"

struct api {
    struct node *node;
    struct publisher *publisher;
    struct stores *stores;
    struct pool *pool; /* for reading files that clients name */
    struct body_cache *bodies;
    const struct catalog_options *options;
    struct env *env;
    struct log *log;
    struct metrics *metrics;
    bool verify_metadata_files; /* a load answers 404 when the file it names is gone */
    uint32_t route_labels[CATALOG_OP_COUNT];
    uint32_t operation_labels[CATALOG_OP_COUNT];
};

/* An http_handler; `context` is a struct api that outlives the server. */
void api_handle(void *context, struct http_exchange *exchange);
