/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client.c - requests to a catalog over net/http_client.
 */
#include "cli/client.h"

#include "cli/args.h"
#include "net/http_client.h"

#include <stdlib.h>

enum { PAGE_SIZE = 1000 };

const char *client_uri(const struct cli *cli)
{
    const char *uri = args_get(cli->args, "uri");
    if (uri == NULL)
        uri = getenv("TARN_URI");
    return uri == NULL || uri[0] == 0 ? "http://127.0.0.1:8181" : uri;
}

static enum cli_exit exit_of_http(int code)
{
    switch (code) {
    case 401:
    case 403: return CLI_DENIED;
    case 404: return CLI_NOT_FOUND;
    case 409: return CLI_CONFLICT;
    case 408:
    case 429:
    case 502:
    case 503:
    case 504: return CLI_UNAVAILABLE;
    default: return CLI_FAILURE;
    }
}

int client_refused(struct client *client, const char *method, struct str path,
                   const struct reply *reply, const char *fix)
{
    const struct json *error = json_get(reply->json, "error");
    struct str message = STR("");
    struct str type = STR("no error body");
    struct arena *arena = client->cli->arena;
    (void)json_as_str(json_get(error, "message"), &message);
    (void)json_as_str(json_get(error, "type"), &type);
    struct str what = message.size > 0
                          ? arena_copy(arena, message)
                          : arena_printf(arena, "the catalog answered HTTP %d", reply->status_code);
    struct str cause = arena_printf(arena, "HTTP %d %.*s, from %s %.*s/v1%.*s%.*s",
                                    reply->status_code, STR_ARG(type), method, STR_ARG(client->uri),
                                    STR_ARG(client->prefix), STR_ARG(path));
    return print_problem(client->cli, exit_of_http(reply->status_code), what.data, cause.data, fix);
}

static int unreachable(struct client *client, status_value failed, const struct diag *diag)
{
    struct str what = arena_printf(client->cli->arena, "no answer from the catalog at %.*s",
                                   STR_ARG(client->uri));
    enum cli_exit exit_code =
        failed.code == STATUS_COMMIT_UNKNOWN ? CLI_UNAVAILABLE : exit_of_status(failed.code);
    return print_problem(client->cli, exit_code, what.data, diag_message(diag, failed.code),
                         "start a node (`tarn serve --data DIR`), or name another with --uri or "
                         "TARN_URI");
}

static void read_json(struct client *client, struct reply *reply)
{
    struct json_limits limits = json_limits_document();
    struct diag diag = {.count = 0};
    reply->json = NULL;
    if (reply->body.size > 0 &&
        !is_ok(json_parse(client->cli->arena, reply->body, &limits, &diag, &reply->json)))
        reply->json = NULL;
}

static int send_request(struct client *client, const char *method, const char *url, struct str body,
                        struct reply *out)
{
    const struct http_header headers[] = {{STR("content-type"), STR("application/json")},
                                          {STR("accept"), STR("application/json")},
                                          {STR("user-agent"), STR("tarn/" TARN_VERSION)}};
    struct http_client_request request = {
        .method = method, .url = url, .headers = headers, .header_count = 3, .body = body};
    struct http_client_answer answer;
    struct diag diag = {.count = 0};
    status_value called =
        http_client_call(client->http, &request, client->cli->arena, &diag, &answer);
    if (!is_ok(called))
        return unreachable(client, called, &diag);
    *out = (struct reply){.status_code = answer.status_code, .body = answer.body};
    read_json(client, out);
    return CLI_OK;
}

int client_call(struct client *client, const char *method, struct str path, struct str body,
                struct reply *out)
{
    struct str url = arena_printf(client->cli->arena, "%.*s/v1%.*s%.*s", STR_ARG(client->uri),
                                  STR_ARG(client->prefix), STR_ARG(path));
    return send_request(client, method, url.data, body, out);
}

int client_need(struct client *client, const char *method, struct str path, struct str body,
                struct reply *out)
{
    int exit_code = client_call(client, method, path, body, out);
    if (exit_code == CLI_OK && (out->status_code < 200 || out->status_code > 299))
        return client_refused(client, method, path, out, NULL);
    return exit_code;
}

/* A server's override wins over its default. */
static bool config_text(const struct json *config, const char *key, struct str *out)
{
    return json_as_str(json_get(json_get(config, "overrides"), key), out) ||
           json_as_str(json_get(json_get(config, "defaults"), key), out);
}

static int read_config(struct client *client)
{
    struct arena *arena = client->cli->arena;
    struct buf path;
    struct reply reply;
    struct str prefix;
    buf_init(&path, arena, SIZE_MAX);
    buf_str(&path, STR("/config"));
    if (client->warehouse != NULL) {
        buf_str(&path, STR("?warehouse="));
        name_write_encoded(&path, str_from(client->warehouse));
    }
    int exit_code = client_need(client, "GET", buf_view(&path), STR(""), &reply);
    if (exit_code != CLI_OK)
        return exit_code;
    if (!json_is(reply.json, JSON_OBJECT))
        return print_problem(client->cli, CLI_FAILURE, "this is not an Iceberg REST catalog",
                             "its /v1/config is not a JSON object", "check --uri or TARN_URI");
    if (config_text(reply.json, "prefix", &prefix))
        client->prefix = arena_printf(arena, "/%.*s", STR_ARG(prefix));
    (void)config_text(reply.json, "namespace-separator", &client->separator);
    return CLI_OK;
}

int client_open(struct cli *cli, struct client *out)
{
    struct diag diag = {.count = 0};
    struct http_client_config config = {.timeout_ms = 120000, .body_bytes_max = (size_t)1 << 31};
    struct str uri = str_from(client_uri(cli));
    while (uri.size > 0 && uri.data[uri.size - 1] == '/')
        uri.size--;
    *out = (struct client){.cli = cli, .uri = uri, .prefix = STR(""), .separator = STR("%1F")};
    out->warehouse = args_get(cli->args, "warehouse");
    if (out->warehouse == NULL)
        out->warehouse = getenv("TARN_WAREHOUSE");
    status_value opened = http_client_open(&config, &diag, &out->http);
    if (!is_ok(opened))
        return print_status(cli, opened, &diag, NULL);
    int exit_code = read_config(out);
    if (exit_code != CLI_OK)
        client_close(out);
    return exit_code;
}

void client_close(struct client *client)
{
    if (client->http != NULL)
        http_client_close(client->http);
    client->http = NULL;
}

static int visit_page(const struct reply *reply, const char *member, client_visit *visit,
                      void *context)
{
    struct json_iter iter = json_iter(json_get(reply->json, member));
    const struct json *item;
    while (json_next(&iter, NULL, &item)) {
        int exit_code = visit(context, item);
        if (exit_code != CLI_OK)
            return exit_code;
    }
    return CLI_OK;
}

int client_list(struct client *client, struct str path, const char *member, client_visit *visit,
                void *context)
{
    struct str token = STR("");
    char join = str_find(path, '?') >= 0 ? '&' : '?';
    for (;;) {
        struct buf page;
        struct reply reply;
        buf_init(&page, client->cli->arena, SIZE_MAX);
        buf_str(&page, path);
        buf_printf(&page, "%cpageSize=%d&pageToken=", join, PAGE_SIZE);
        name_write_encoded(&page, token);
        int exit_code = client_need(client, "GET", buf_view(&page), STR(""), &reply);
        if (exit_code == CLI_OK)
            exit_code = visit_page(&reply, member, visit, context);
        if (exit_code != CLI_OK)
            return exit_code;
        if (!json_as_str(json_get(reply.json, "next-page-token"), &token) || token.size == 0)
            return CLI_OK;
    }
}

/*
 * The server's own separator: the specification makes every server accept %1F, but a servlet
 * container in front of one may refuse control characters in a path.
 */
void client_write_levels(struct client *client, struct buf *buf, const struct name *name,
                         size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_str(buf, client->separator);
        name_write_encoded(buf, name->levels[i]);
    }
}

static struct str path_with(struct client *client, const struct name *name, size_t levels,
                            const char *kind, bool with_object)
{
    struct buf path;
    buf_init(&path, client->cli->arena, SIZE_MAX);
    buf_str(&path, STR("/namespaces/"));
    client_write_levels(client, &path, name, levels);
    if (kind != NULL)
        buf_printf(&path, "/%s", kind);
    if (with_object) {
        buf_byte(&path, '/');
        name_write_encoded(&path, name->levels[name->count - 1]);
    }
    return buf_view(&path);
}

struct str client_namespace_path(struct client *client, const struct name *name, size_t levels)
{
    return path_with(client, name, levels, NULL, false);
}

struct str client_listing_path(struct client *client, const struct name *name, const char *kind)
{
    return path_with(client, name, name->count, kind, false);
}

struct str client_object_path(struct client *client, const struct name *name, const char *kind)
{
    return path_with(client, name, name->count - 1, kind, true);
}

struct name client_levels(const struct json *levels)
{
    struct name name = {.count = 0};
    struct json_iter iter = json_iter(levels);
    const struct json *level;
    while (name.count + 1 < NAME_LEVELS_MAX && json_next(&iter, NULL, &level)) {
        if (json_as_str(level, &name.levels[name.count]))
            name.count++;
    }
    return name;
}

struct str client_name_text(struct client *client, const struct json *levels, struct str last)
{
    struct name name = client_levels(levels);
    struct buf text;
    if (last.size > 0)
        name.levels[name.count++] = last;
    buf_init(&text, client->cli->arena, SIZE_MAX);
    name_write(&text, &name, name.count);
    return buf_view(&text);
}
