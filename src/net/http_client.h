/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * http_client.h - a small blocking HTTP client for commands and tests. One thread at a time; the
 * connection is kept between requests. Follows no redirects; http and https only.
 */
#include "net/http.h"

struct http_client;
struct http_client_config {
    uint32_t connect_timeout_ms; /* 0: 5 s */
    uint32_t timeout_ms;         /* whole request; 0: 30 s */
    size_t body_bytes_max;       /* of an answer; 0: 64 MiB */
};
struct http_client_request {
    const char *method; /* "GET" */
    const char *url;
    const struct http_header *headers;
    size_t header_count;
    struct str body; /* sent when size > 0, or for POST, PUT and PATCH */
};
struct http_client_answer {
    int status_code;
    const struct http_header *headers; /* in the arena, as all of the answer */
    size_t header_count;
    struct str body;
};

/* `config` may be NULL. NOMEM, INTERNAL. */
status http_client_open(const struct http_client_config *config, struct diag *diag,
                        struct http_client **out);
/*
 * Any HTTP status is a success here; failures are INVALID (the url), UNAVAILABLE (nothing was
 * sent), COMMIT_UNKNOWN (sent, but no whole answer came), TOO_LARGE, NOMEM.
 */
status http_client_call(struct http_client *client, const struct http_client_request *request,
                        struct arena *arena, struct diag *diag, struct http_client_answer *out);
struct str http_client_header(const struct http_client_answer *answer, const char *name);
void http_client_close(struct http_client *client);
