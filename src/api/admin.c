/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin.c - health checks and metrics.
 */
#include "api/admin.h"

#include <inttypes.h>

enum { CHECK_LIVE = 1 << 0, CHECK_READY = 1 << 1, CHECK_START = 1 << 2 };

struct check {
    const char *name;
    const char *trouble; /* what is wrong and what to do, when it fails */
    unsigned endpoints;
    bool passes;
};

enum { CHECK_COUNT = 6 };

static void run_checks(const struct admin *admin, struct check out[CHECK_COUNT])
{
    struct node_status node;
    node_status(admin->api->node, &node);
    const struct check checks[CHECK_COUNT] = {
        {"started", "the node is still recovering its log", CHECK_READY | CHECK_START,
         atomic_load(admin->started)},
        {"log", "the write-ahead log cannot be written; see the logs, fix the disk, restart",
         CHECK_LIVE | CHECK_READY, !node.has_failed},
        {"leader", "no leader is known, so writes wait", CHECK_READY, node.is_ready},
        {"disk", "the disk is nearly full: writes are refused until space is freed", CHECK_READY,
         !node.disk_full},
        {"publish", "metadata files pile up: the warehouse's storage is slow or failing",
         CHECK_READY, publisher_backlog(admin->api->publisher) < PUBLISHER_BACKLOG_MAX},
        {"drain", "the node is shutting down", CHECK_READY, !atomic_load(admin->draining)},
    };
    memcpy(out, checks, sizeof(checks));
}

static void health(const struct admin *admin, struct http_exchange *exchange, unsigned endpoint)
{
    struct check checks[CHECK_COUNT];
    struct buf text;
    bool passes = true;
    buf_init(&text, exchange->arena, 16384);
    run_checks(admin, checks);
    for (size_t i = 0; i < CHECK_COUNT; i++)
        passes = passes && ((checks[i].endpoints & endpoint) == 0 || checks[i].passes);
    bool verbose = !passes || str_starts(exchange->query, STR("verbose"));
    for (size_t i = 0; i < CHECK_COUNT && verbose; i++) {
        if ((checks[i].endpoints & endpoint) == 0)
            continue;
        buf_printf(&text, "[%s] %s%s%s\n", checks[i].passes ? "ok" : "FAIL", checks[i].name,
                   checks[i].passes ? "" : ": ", checks[i].passes ? "" : checks[i].trouble);
    }
    buf_str(&text, passes ? STR("ok\n") : STR("failed\n"));
    const struct http_response response = {.status_code = passes ? 200 : 503,
                                           .content_type = STR("text/plain; charset=utf-8"),
                                           .body = buf_view(&text)};
    http_respond(exchange, &response);
}

/* Indices of LABEL_ENDPOINT. */
enum { ENDPOINT_LIVE, ENDPOINT_READY };

static void set_health(const struct admin *admin)
{
    struct check checks[CHECK_COUNT];
    run_checks(admin, checks);
    for (size_t i = 0; i < CHECK_COUNT; i++) {
        uint32_t name = metrics_label(admin->metrics, LABEL_CHECK, str_from(checks[i].name));
        if ((checks[i].endpoints & CHECK_LIVE) != 0)
            metric_set(admin->metrics, METRIC_HEALTH_CHECK, metric_labels(ENDPOINT_LIVE, name, 0),
                       checks[i].passes);
        if ((checks[i].endpoints & CHECK_READY) != 0)
            metric_set(admin->metrics, METRIC_HEALTH_CHECK, metric_labels(ENDPOINT_READY, name, 0),
                       checks[i].passes);
    }
}

static void expose_metrics(const struct admin *admin, struct http_exchange *exchange)
{
    struct buf text;
    struct diag diag = {0};
    struct str accept = http_header_get(exchange, "accept");
    enum metrics_format format =
        metrics_format_of(accept.data == NULL ? (struct str){"", 0} : accept);
    buf_init(&text, exchange->arena, 8 << 20);
    set_health(admin);
    metrics_write(admin->metrics, format, &text);
    status_value result = buf_finish(&text, "the metrics", &diag);
    if (!is_ok(result)) {
        http_respond_status(exchange, result.code, &diag);
        return;
    }
    const struct http_response response = {.status_code = 200,
                                           .content_type = str_from(metrics_content_type(format)),
                                           .body = buf_view(&text)};
    http_respond(exchange, &response);
}

void admin_handle(void *context, struct http_exchange *exchange)
{
    const struct admin *admin = context;
    struct diag diag = {0};
    if (exchange->method != HTTP_METHOD_GET && exchange->method != HTTP_METHOD_HEAD) {
        http_respond_status(exchange, STATUS_METHOD_NOT_ALLOWED, NULL);
    } else if (str_is(exchange->path, "/livez")) {
        health(admin, exchange, CHECK_LIVE);
    } else if (str_is(exchange->path, "/readyz") || str_is(exchange->path, "/healthz")) {
        health(admin, exchange, CHECK_READY);
    } else if (str_is(exchange->path, "/startupz")) {
        health(admin, exchange, CHECK_START);
    } else if (str_is(exchange->path, "/metrics")) {
        expose_metrics(admin, exchange);
    } else {
        status_value none =
            FAIL(&diag, NOT_FOUND,
                 "no such route on the admin port; try /livez /readyz /startupz /metrics");
        http_respond_status(exchange, none.code, &diag);
    }
}

enum { STATE_AREA_USED, STATE_AREA_FILE }; /* indices of LABEL_STATE_AREA */

static void set(struct metrics *metrics, enum metric_id id, uint64_t value)
{
    metric_set(metrics, id, metric_labels(0, 0, 0), (int64_t)value);
}

void admin_refresh(struct metrics *metrics, void *context)
{
    const struct api *api = context;
    struct node_status node;
    node_status(api->node, &node);
    set(metrics, METRIC_RAFT_LEADER_KNOWN, node.is_ready);
    set(metrics, METRIC_RAFT_IS_LEADER, node.is_ready);
    set(metrics, METRIC_RAFT_IS_VOTER, 1);
    set(metrics, METRIC_RAFT_TERM, node.term);
    set(metrics, METRIC_RAFT_LAST_INDEX, node.last_index);
    set(metrics, METRIC_RAFT_COMMIT_INDEX, node.commit_index);
    set(metrics, METRIC_RAFT_APPLIED_INDEX, node.applied_index);
    set(metrics, METRIC_RAFT_FAILURE_TOLERANCE, 0);
    set(metrics, METRIC_RAFT_PROPOSALS_PENDING, node.last_index - node.applied_index);
    set(metrics, METRIC_PUBLISH_PENDING, publisher_backlog(api->publisher));
    set(metrics, METRIC_WAL_SIZE, node.log_bytes);
    metric_set(metrics, METRIC_STATE_SIZE, metric_labels(STATE_AREA_FILE, 0, 0),
               (int64_t)node.state_bytes);
}
