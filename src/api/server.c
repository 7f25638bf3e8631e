/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server.c - assembly: opens the parts of `tarn serve` in order and closes them in reverse.
 *
 * Order matters at the end: first no new requests (drain), then the background writers, then the
 * node. A request in flight always finds everything it needs.
 */
#include "api/server.h"

#include "api/admin.h"
#include "net/process_metrics.h"
#include "worker/janitor.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { POOL_THREADS = 2, POOL_QUEUE_MAX = 256, ADMIN_CONNECTIONS_MAX = 24 };

struct server {
    const struct server_config *config;
    struct env *env;
    struct log *log;
    struct metrics *metrics;
    struct node *node;
    struct stores *stores;
    struct publisher *publisher;
    struct janitor *janitor;
    struct pool *pool;
    struct body_cache *bodies;
    struct catalog_options catalog;
    struct api api;
    struct admin admin;
    struct http_server *http;
    struct http_server *admin_http;
    atomic_bool started;
    atomic_bool draining;
};

void server_config_default(struct server_config *config)
{
    *config = (struct server_config){.listen_host = "127.0.0.1",
                                     .listen_port = 8181,
                                     .admin_host = "127.0.0.1",
                                     .admin_port = 8182,
                                     .http_threads = 2,
                                     .limits = http_limits_default(),
                                     .node = node_options_default(),
                                     .idempotency_lifetime_ms = UINT64_C(30) * 60 * 1000,
                                     .page_size_max = 1000,
                                     .drain_timeout_ms = 20000,
                                     .body_cache_bytes = (size_t)256 << 20,
                                     .default_warehouse = "lake",
                                     .warehouses = {{"lake", NULL, PUBLISH_SYNC}},
                                     .warehouse_count = 1};
}

static bool is_loopback(const char *host)
{
    return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0 ||
           strcmp(host, "localhost") == 0;
}

static status_value check_config(const struct server_config *config, struct diag *diag)
{
    const char *hosts[] = {config->listen_host, config->admin_host};
    if (config->data_dir == NULL || config->data_dir[0] == '\0')
        return FAIL(diag, INVALID, "no data folder is given; say where with --data DIR");
    for (size_t i = 0; i < COUNTOF(hosts); i++)
        if (!is_loopback(hosts[i]) && !config->insecure)
            return FAIL(
                diag, INVALID,
                "refusing to listen on %s: this version has no authentication, so everybody "
                "who reaches the port could change tables; use 127.0.0.1, or say --insecure "
                "if the network is trusted",
                hosts[i]);
    if (config->warehouse_count == 0)
        return FAIL(diag, INVALID,
                    "no warehouse is configured; add one with --warehouse NAME=LOCATION");
    for (size_t i = 0; i < config->warehouse_count; i++)
        if (strcmp(config->warehouses[i].name, config->default_warehouse) == 0)
            return OK;
    return FAIL(diag, INVALID, "the default warehouse \"%s\" is not among the warehouses",
                config->default_warehouse);
}

/* --- warehouses --- */

struct warehouse_task {
    struct node_task task;
    const struct server *server;
    struct str name;
    struct str location;
    enum catalog_publish publish;
};

static status_value warehouse_evaluate(struct node_task *self, struct node_evaluation *evaluation,
                                       struct diag *diag)
{
    struct warehouse_task *wanted = CONTAINER_OF(self, struct warehouse_task, task);
    struct catalog_context context = {.batch = evaluation->batch,
                                      .view = kv_batch_reader(evaluation->batch),
                                      .arena = self->arena,
                                      .prng = evaluation->prng,
                                      .stamp = evaluation->stamp,
                                      .options = &wanted->server->catalog,
                                      .diag = diag};
    return catalog_warehouse_put(&context, wanted->name, wanted->location, wanted->publish);
}

static void warehouse_done(struct node_task *self, status_value result,
                           struct kv_snapshot *snapshot)
{
    (void)self;
    (void)result;
    kv_snapshot_close(snapshot);
}

/* A path becomes an absolute file:// location; the default lies in the data folder. */
static struct str warehouse_location(const struct server *server,
                                     const struct server_warehouse *warehouse, struct arena *arena)
{
    char *here = arena_alloc(arena, 4096);
    const char *location = warehouse->location;
    if (location != NULL && strstr(location, ":/") != NULL)
        return str_from(location);
    if (here == NULL || getcwd(here, 4096) == NULL)
        return (struct str){NULL, 0};
    if (location == NULL)
        location =
            arena_printf(arena, "%s/warehouse/%s", server->config->data_dir, warehouse->name).data;
    if (location == NULL)
        return (struct str){NULL, 0};
    while (strncmp(location, "./", 2) == 0)
        location += 2;
    if (location[0] == '/')
        return arena_printf(arena, "file://%s", location);
    return arena_printf(arena, "file://%s/%s", here, location);
}

/* Whether the state has the warehouse just so: then nothing is written, also not on a full disk. */
static bool has_warehouse(struct server *server, const struct warehouse_task *wanted)
{
    struct catalog_warehouse present;
    struct kv_snapshot *snapshot;
    if (!is_ok(node_read(server->node, NULL, &snapshot)))
        return false;
    bool same = is_ok(catalog_warehouse_get(&snapshot->reader, wanted->task.arena, wanted->name,
                                            &server->catalog, NULL, &present)) &&
                str_eq(present.location, wanted->location) && present.publish == wanted->publish;
    kv_snapshot_close(snapshot);
    return same;
}

static status_value put_warehouse(struct server *server, const struct server_warehouse *warehouse,
                                  struct diag *diag)
{
    struct arena arena;
    struct warehouse_task wanted = {.task = {.evaluate = warehouse_evaluate,
                                             .done = warehouse_done,
                                             .arena = &arena,
                                             .diag = diag},
                                    .server = server,
                                    .name = str_from(warehouse->name),
                                    .publish = warehouse->publish};
    status_value result = OK;
    arena_init(&arena, allocator_heap(), 1 << 20);
    wanted.location = warehouse_location(server, warehouse, &arena);
    if (wanted.location.data == NULL)
        result = FAIL(diag, NOMEM, "could not make the location of a warehouse");
    else if (!has_warehouse(server, &wanted))
        result = node_run(server->node, &wanted.task, diag, NULL);
    arena_deinit(&arena);
    return result;
}

static status_value open_warehouses(struct server *server, struct diag *diag)
{
    struct kv_snapshot *snapshot;
    struct catalog_warehouse *all;
    struct object_store *store;
    struct arena arena;
    size_t count;
    for (size_t i = 0; i < server->config->warehouse_count; i++)
        TRY(put_warehouse(server, &server->config->warehouses[i], diag));
    TRY(node_read(server->node, diag, &snapshot));
    arena_init(&arena, allocator_heap(), 16 << 20);
    status_value result = catalog_warehouse_list(&snapshot->reader, &arena, diag, &all, &count);
    for (size_t i = 0; is_ok(result) && i < count; i++)
        result = stores_get(server->stores, &all[i], diag, &store);
    arena_deinit(&arena);
    kv_snapshot_close(snapshot);
    return result;
}

/* --- opening --- */

static status_value open_metrics(struct server *server, struct diag *diag)
{
    TRY(metrics_create(diag, &server->metrics));
    for (int op = 0; op < CATALOG_OP_COUNT; op++) {
        enum catalog_op operation = (enum catalog_op)op;
        struct str path = str_from(catalog_op_path(operation));
        struct str name = str_from(catalog_op_name(operation));
        server->api.route_labels[op] = metrics_label(server->metrics, LABEL_HTTP_ROUTE, path);
        server->api.operation_labels[op] = metrics_label(server->metrics, LABEL_OPERATION, name);
    }
    metrics_on_write(server->metrics, process_metrics_refresh, NULL);
    return OK;
}

static status_value open_http(struct server *server, struct diag *diag)
{
    const struct server_config *config = server->config;
    const struct http_server_config api = {.host = config->listen_host,
                                           .port = config->listen_port,
                                           .threads = config->http_threads,
                                           .limits = config->limits};
    struct http_server_config admin = {.host = config->admin_host,
                                       .port = config->admin_port,
                                       .threads = 1,
                                       .limits = config->limits};
    /* Probes and scrapes need few, and descriptors are kept for so many (net/http_server.c). */
    admin.limits.connections_max =
        (uint32_t)u64_min(admin.limits.connections_max, ADMIN_CONNECTIONS_MAX);
    server->admin =
        (struct admin){&server->api, server->metrics, &server->started, &server->draining};
    TRY(http_server_open(&admin, admin_handle, &server->admin, server->log, NULL, diag,
                         &server->admin_http));
    return http_server_open(&api, api_handle, &server->api, server->log, server->metrics, diag,
                            &server->http);
}

/* The info metrics, which say who is measured. */
static void name_node(struct server *server)
{
    struct node_status node;
    char id[24];
    node_status(server->node, &node);
    (void)snprintf(id, sizeof(id), "%" PRIu64, node.node_id);
    uint32_t version = metrics_label(server->metrics, LABEL_VERSION, STR(TARN_VERSION));
    uint32_t cluster = metrics_label(server->metrics, LABEL_CLUSTER, str_from(node.cluster_id));
    uint32_t name = metrics_label(server->metrics, LABEL_NODE, str_from(id));
    uint32_t commit = metrics_label(server->metrics, LABEL_COMMIT, STR("unknown"));
    metric_set(server->metrics, METRIC_BUILD_INFO, metric_labels(version, commit, 0), 1);
    metric_set(server->metrics, METRIC_NODE_INFO, metric_labels(cluster, name, 0), 1);
}

static status_value open_parts(struct server *server, struct diag *diag)
{
    const struct server_config *config = server->config;
    struct node_options options = config->node;
    options.data_dir = str_from(config->data_dir);
    /* With one loop thread everybody would wait, and no tasks would gather to share a write. */
    options.run_lonely_tasks_inline = config->http_threads > 1;
    server->catalog =
        (struct catalog_options){.default_warehouse = str_from(config->default_warehouse),
                                 .idempotency_lifetime_ms = config->idempotency_lifetime_ms,
                                 .page_size_max = config->page_size_max};
    TRY(check_config(config, diag));
    TRY(open_metrics(server, diag));
    TRY(node_open(server->env, &options, server->log, server->metrics, diag, &server->node));
    TRY(stores_create(diag, &server->stores));
    TRY(open_warehouses(server, diag));
    TRY(body_cache_create(config->body_cache_bytes, diag, &server->bodies));
    TRY(pool_open(POOL_THREADS, POOL_QUEUE_MAX, diag, &server->pool));
    TRY(publisher_open(server->env, server->node, server->stores, &server->catalog, server->log,
                       server->metrics, diag, &server->publisher));
    TRY(janitor_open(server->env, server->node, server->stores, &server->catalog, server->log, diag,
                     &server->janitor));
    server->api.node = server->node;
    server->api.publisher = server->publisher;
    server->api.stores = server->stores;
    server->api.pool = server->pool;
    server->api.bodies = server->bodies;
    server->api.options = &server->catalog;
    server->api.env = server->env;
    server->api.log = server->log;
    server->api.metrics = server->metrics;
    server->api.verify_metadata_files = config->verify_metadata_files;
    metrics_on_write(server->metrics, admin_refresh, &server->api);
    name_node(server);
    return open_http(server, diag);
}

/* Through a temporary name, so whoever waits for the file never reads half of it. */
static status_value replace_file(struct env *env, const char *path, struct str text,
                                 struct arena *arena, struct diag *diag)
{
    struct env_file *file;
    struct str temporary = arena_printf(arena, "%s.new", path);
    if (temporary.data == NULL)
        return FAIL(diag, NOMEM, "could not write %s: no memory", path);
    TRY(env->ops->file_open(env, temporary.data, ENV_OPEN_CREATE | ENV_OPEN_WRITE, diag, &file));
    status_value result = env->ops->file_truncate(env, file, 0, diag);
    if (is_ok(result))
        result = env->ops->file_write(env, file, 0, text.data, text.size, diag);
    env->ops->file_close(env, file);
    TRY(result);
    return env->ops->rename(env, temporary.data, path, diag);
}

static status_value write_address_file(const struct server *server, struct diag *diag)
{
    const struct server_config *config = server->config;
    struct arena arena;
    if (config->address_file == NULL)
        return OK;
    arena_init(&arena, allocator_heap(), 1 << 16);
    struct str text =
        arena_printf(&arena, "{\"api\":\"http://%s:%u\",\"admin\":\"http://%s:%u\",\"pid\":%d}\n",
                     config->listen_host, server_port(server), config->admin_host,
                     server_admin_port(server), (int)getpid());
    status_value result = text.data == NULL
                              ? FAIL(diag, NOMEM, "could not write the address file: no memory")
                              : replace_file(server->env, config->address_file, text, &arena, diag);
    arena_deinit(&arena);
    return result;
}

status_value server_open(const struct server_config *config, struct env *env, struct log *log,
                         struct diag *diag, struct server **out)
{
    struct server *server = mem_zalloc(sizeof(*server));
    if (server == NULL)
        return FAIL(diag, NOMEM, "could not allocate the server");
    server->config = config;
    server->env = env;
    server->log = log;
    status_value result = open_parts(server, diag);
    if (is_ok(result))
        result = write_address_file(server, diag);
    if (!is_ok(result)) {
        server_close(server);
        return result;
    }
    atomic_store(&server->started, true);
    *out = server;
    return OK;
}

uint16_t server_port(const struct server *server)
{
    return http_server_port(server->http);
}

uint16_t server_admin_port(const struct server *server)
{
    return http_server_port(server->admin_http);
}

bool server_has_failed(const struct server *server)
{
    struct node_status node;
    node_status(server->node, &node);
    return node.has_failed;
}

void server_close(struct server *server)
{
    struct diag diag = {0};
    if (server == NULL)
        return;
    atomic_store(&server->draining, true);
    if (server->http != NULL &&
        !is_ok(http_server_drain(server->http, server->config->drain_timeout_ms, &diag)))
        LOG(server->log, WARN, "drain.cut", "connections were cut at the end of the drain time",
            CSTR("why", diag_message(&diag, STATUS_CANCELLED)));
    /* Cuts connections and waits for answers, so whoever gives them is still there. */
    http_server_close(server->http);
    http_server_close(server->admin_http);
    janitor_close(server->janitor);
    publisher_close(server->publisher);
    pool_close(server->pool);
    body_cache_destroy(server->bodies);
    node_close(server->node);
    stores_destroy(server->stores);
    metrics_destroy(server->metrics);
    mem_free(server);
}
