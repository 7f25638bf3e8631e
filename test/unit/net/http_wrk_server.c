/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_wrk_server.c - the server with a trivial handler, to be measured with wrk
 * (src/net/README.md).
 *
 *     http_wrk_server [threads]      prints its port, serves until stdin ends
 */
#include "net/http_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

/* GET answers 150 bytes, anything else echoes. */
static void handle(void *context, struct http_exchange *exchange)
{
    static const char text[] =
        "{\"defaults\":{},\"overrides\":{\"prefix\":\"lake\"},\"endpoints\":[\"GET /v1/config\","
        "\"GET /v1/{prefix}/namespaces\",\"POST /v1/{prefix}/namespaces\"],\"n\":123}";
    struct http_response response = {.status_code = 200,
                                     .content_type = STR("application/json"),
                                     .body = {text, sizeof(text) - 1}};
    (void)context;
    if (exchange->method != HTTP_METHOD_GET)
        response.body = exchange->body;
    http_respond(exchange, &response);
}

int main(int argc, char **argv)
{
    struct diag diag = {.count = 0};
    struct metrics *metrics;
    struct http_server *server;
    struct http_server_config config = {.host = "127.0.0.1",
                                        .threads = argc > 1 ? (uint32_t)atoi(argv[1]) : 1,
                                        .limits = http_limits_default()};
    if (!is_ok(metrics_create(&diag, &metrics)) ||
        !is_ok(http_server_open(&config, handle, NULL, NULL, metrics, &diag, &server))) {
        fprintf(stderr, "%s\n", diag.frames[0].text);
        return 1;
    }
    printf("%u\n", http_server_port(server));
    (void)fflush(stdout);
    while (getchar() != EOF) {
    }
    uint64_t requests = metric_read(metrics, METRIC_HTTP_SERVER_REQUEST_DURATION,
                                    metric_labels(HTTP_METHOD_GET, 0, metric_http_code(200)));
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    long cpu_us = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
                  usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
    printf("GET %llu, %llu ns CPU each\n", (unsigned long long)requests,
           (unsigned long long)cpu_us * 1000 / (requests == 0 ? 1 : requests));
    http_server_close(server);
    metrics_destroy(metrics);
    return 0;
}
