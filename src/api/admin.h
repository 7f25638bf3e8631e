/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * admin.h - the admin port: /livez /readyz /startupz with named checks, and /metrics.
 *
 * `?verbose` lists every check; a failing endpoint always does. `/livez` asks only whether the
 * process can go on; `/readyz` whether it should get requests; `/startupz` whether it has finished
 * starting.
 */
#include "api/api.h"

#include <stdatomic.h>

struct admin {
    struct api *api;
    struct metrics *metrics;
    atomic_bool *started;
    atomic_bool *draining;
};

/* An http_handler; `context` is a struct admin that outlives the server. */
void admin_handle(void *context, struct http_exchange *exchange);
/* Brings the gauges that come from the node up to date. A metrics refresh function; `context` is a
 * struct api. */
void admin_refresh(struct metrics *metrics, void *context);
