/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * server.h - `tarn serve`: a node, the publisher, the REST API on one port and the admin API on
 * another.
 */
#include "base/log.h"
#include "catalog/catalog.h"
#include "env/env.h"
#include "net/http_server.h"
#include "node/node.h"

struct server_warehouse {
    const char *name;
    const char *location; /* a path or file:// URI; NULL: DIR/warehouse/NAME */
    enum catalog_publish publish;
};

enum { SERVER_WAREHOUSES_MAX = 64 };
struct server_config {
    const char *data_dir;
    const char *listen_host;
    uint16_t listen_port; /* 0: the system chooses */
    const char *admin_host;
    uint16_t admin_port;
    uint32_t http_threads;
    struct http_limits limits;
    struct node_options node; /* data_dir is filled in from above */
    uint64_t idempotency_lifetime_ms;
    uint64_t page_size_max;
    uint32_t drain_timeout_ms;
    size_t body_cache_bytes;       /* finished answers of large tables kept in memory; 0: none */
    const char *default_warehouse; /* one of `warehouses` */
    struct server_warehouse warehouses[SERVER_WAREHOUSES_MAX];
    size_t warehouse_count;
    /* Loads look whether the metadata file they name is there (one more look-up for each). */
    bool verify_metadata_files;
    bool insecure; /* may listen off loopback without authentication */
    /* NULL, or where to write {"api":"http://..","admin":"http://..","pid":N} when ready. */
    const char *address_file;
};
/* Defaults: 127.0.0.1:8181, 127.0.0.1:8182, warehouse "lake" in the data folder, publish sync. */
void server_config_default(struct server_config *config);

struct server;
/* Checks the configuration (INVALID: what is wrong and what to do), opens everything, creates the
 * warehouses, and serves. `config`, `env` and `log` are kept. */
status server_open(const struct server_config *config, struct env *env, struct log *log,
                   struct diag *diag, struct server **out);
uint16_t server_port(const struct server *server);
uint16_t server_admin_port(const struct server *server);
/* True once the node has failed: the process should exit with an error. */
bool server_has_failed(const struct server *server);
/* Drains and closes everything. */
void server_close(struct server *server);
