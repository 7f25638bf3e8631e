/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_client.c - libcurl's easy interface, with limits.
 *
 * A request that may have reached the server but got no whole answer is COMMIT_UNKNOWN: the caller
 * must not repeat it blindly. curl tells by the bytes it has sent.
 */
#include "net/http_client.h"

#include "base/alloc.h"
#include "base/buf.h"

#include <curl/curl.h>

enum { HEADERS_MAX = 128, HEADER_BYTES_MAX = 256 << 10 };

struct http_client {
    CURL *curl;
    struct http_client_config config;
    char error[CURL_ERROR_SIZE];
};

struct call {
    struct arena *arena;
    struct buf body;
    struct http_header *headers;
    size_t header_count;
    size_t header_bytes;
};

static status_value with_defaults(const struct http_client_config *config,
                                  struct http_client *client)
{
    if (config != NULL)
        client->config = *config;
    if (client->config.connect_timeout_ms == 0)
        client->config.connect_timeout_ms = 5000;
    if (client->config.timeout_ms == 0)
        client->config.timeout_ms = 30000;
    if (client->config.body_bytes_max == 0)
        client->config.body_bytes_max = 64 << 20;
    return OK;
}

status_value http_client_open(const struct http_client_config *config, struct diag *diag,
                              struct http_client **out)
{
    struct http_client *client = mem_zalloc(sizeof(*client));
    if (client == NULL)
        return FAIL(diag, NOMEM, "could not allocate the HTTP client");
    TRY(with_defaults(config, client));
    if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
        client->curl = curl_easy_init();
    if (client->curl == NULL) {
        mem_free(client);
        return FAIL(diag, INTERNAL, "could not start libcurl");
    }
    *out = client;
    return OK;
}

void http_client_close(struct http_client *client)
{
    if (client == NULL)
        return;
    curl_easy_cleanup(client->curl);
    curl_global_cleanup();
    mem_free(client);
}

static size_t on_body(char *data, size_t one, size_t size, void *context)
{
    struct call *call = context;
    buf_append(&call->body, data, one * size);
    return call->body.failed == STATUS_OK ? one * size : 0;
}

/* One line; a status line begins the headers anew (100 Continue comes before the answer). */
static size_t on_header(char *data, size_t one, size_t size, void *context)
{
    struct call *call = context;
    struct str line = {data, one * size};
    call->header_bytes += line.size;
    if (call->header_bytes > HEADER_BYTES_MAX)
        return 0;
    if (str_starts(line, STR("HTTP/"))) {
        call->header_count = 0;
        return line.size;
    }
    ptrdiff_t colon = str_find(line, ':');
    if (colon < 0)
        return line.size;
    if (call->header_count == HEADERS_MAX)
        return 0;
    struct str value = str_from_pos(line, (size_t)colon + 1);
    while (value.size > 0 && (value.data[0] == ' ' || value.data[0] == '\t'))
        value = str_from_pos(value, 1);
    while (value.size > 0 && strchr("\r\n \t", value.data[value.size - 1]) != NULL)
        value.size--;
    struct http_header header = {arena_copy(call->arena, str_slice(line, 0, (size_t)colon)),
                                 arena_copy(call->arena, value)};
    if (header.name.data == NULL || header.value.data == NULL)
        return 0;
    call->headers[call->header_count++] = header;
    return line.size;
}

/* curl answers every bad option with an error; one that is known at build time cannot fail. */
#define SET(curl, option, value) (void)curl_easy_setopt((curl), (option), (value))

static void set_limits(struct http_client *client)
{
    SET(client->curl, CURLOPT_ERRORBUFFER, client->error);
    SET(client->curl, CURLOPT_NOSIGNAL, 1L);
    SET(client->curl, CURLOPT_NOPROXY, "*");
    SET(client->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    SET(client->curl, CURLOPT_FOLLOWLOCATION, 0L);
    SET(client->curl, CURLOPT_PATH_AS_IS, 1L);
    SET(client->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)client->config.connect_timeout_ms);
    SET(client->curl, CURLOPT_TIMEOUT_MS, (long)client->config.timeout_ms);
    SET(client->curl, CURLOPT_USERAGENT, "tarn/" TARN_VERSION);
}

static status_value set_headers(const struct http_client_request *request, struct arena *arena,
                                struct diag *diag, struct curl_slist **list)
{
    struct curl_slist *next = curl_slist_append(NULL, "Expect:");
    *list = next;
    for (size_t i = 0; i < request->header_count && next != NULL; i++) {
        struct str line = arena_printf(arena, "%.*s: %.*s", STR_ARG(request->headers[i].name),
                                       STR_ARG(request->headers[i].value));
        next = line.data == NULL ? NULL : curl_slist_append(*list, line.data);
        *list = next == NULL ? *list : next;
    }
    if (next == NULL)
        return FAIL(diag, NOMEM, "could not allocate request headers");
    return OK;
}

static void set_request(CURL *curl, const struct http_client_request *request)
{
    bool sends_body = request->body.size > 0 || strcmp(request->method, "POST") == 0 ||
                      strcmp(request->method, "PUT") == 0 || strcmp(request->method, "PATCH") == 0;
    SET(curl, CURLOPT_URL, request->url);
    if (strcmp(request->method, "HEAD") == 0) {
        SET(curl, CURLOPT_NOBODY, 1L);
        return;
    }
    if (sends_body) {
        SET(curl, CURLOPT_POST, 1L);
        SET(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.size);
        SET(curl, CURLOPT_POSTFIELDS, request->body.data == NULL ? "" : request->body.data);
    }
    SET(curl, CURLOPT_CUSTOMREQUEST, request->method);
}

static status_value explain(struct http_client *client, CURLcode code, const struct call *call,
                            const char *url, struct diag *diag)
{
    const char *why = client->error[0] != '\0' ? client->error : curl_easy_strerror(code);
    long sent = 0;
    if (call->body.failed == STATUS_TOO_LARGE)
        return FAIL(diag, TOO_LARGE, "the answer of %s is larger than %zu bytes", url,
                    client->config.body_bytes_max);
    if (call->body.failed != STATUS_OK || code == CURLE_OUT_OF_MEMORY)
        return FAIL(diag, NOMEM, "could not hold the answer of %s", url);
    if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL)
        return FAIL(diag, INVALID, "cannot use the address %s: %s", url, why);
    (void)curl_easy_getinfo(client->curl, CURLINFO_REQUEST_SIZE, &sent);
    if (sent == 0)
        return FAIL(diag, UNAVAILABLE, "could not reach %s: %s", url, why);
    return FAIL(diag, COMMIT_UNKNOWN, "%s gave no whole answer: %s", url, why);
}

status_value http_client_call(struct http_client *client, const struct http_client_request *request,
                              struct arena *arena, struct diag *diag,
                              struct http_client_answer *out)
{
    struct call call = {.arena = arena,
                        .headers = ARENA_ARRAY(arena, struct http_header, HEADERS_MAX)};
    struct curl_slist *headers = NULL;
    long status_code = 0;
    if (call.headers == NULL)
        return FAIL(diag, NOMEM, "could not allocate answer headers");
    buf_init(&call.body, arena, client->config.body_bytes_max);
    client->error[0] = '\0';
    curl_easy_reset(client->curl); /* keeps the connection */
    set_limits(client);
    set_request(client->curl, request);
    status_value result = set_headers(request, arena, diag, &headers);
    if (is_ok(result)) {
        SET(client->curl, CURLOPT_HTTPHEADER, headers);
        SET(client->curl, CURLOPT_WRITEFUNCTION, on_body);
        SET(client->curl, CURLOPT_WRITEDATA, &call);
        SET(client->curl, CURLOPT_HEADERFUNCTION, on_header);
        SET(client->curl, CURLOPT_HEADERDATA, &call);
        CURLcode code = curl_easy_perform(client->curl);
        (void)curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status_code);
        if (code != CURLE_OK)
            result = explain(client, code, &call, request->url, diag);
    }
    curl_slist_free_all(headers);
    if (is_ok(result))
        *out = (struct http_client_answer){.status_code = (int)status_code,
                                           .headers = call.headers,
                                           .header_count = call.header_count,
                                           .body = buf_view(&call.body)};
    return result;
}

struct str http_client_header(const struct http_client_answer *answer, const char *name)
{
    for (size_t i = 0; i < answer->header_count; i++) {
        if (str_eq_nocase(answer->headers[i].name, str_from(name)))
            return answer->headers[i].value;
    }
    return (struct str){NULL, 0};
}
