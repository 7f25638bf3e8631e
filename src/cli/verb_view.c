/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_view.c - tarn view: views and their SQL.
 */
#include "cli/command.h"
#include "cli/verb.h"

int cli_view_ls(struct cli *cli)
{
    return verb_list(cli, "views");
}

int cli_view_rename(struct cli *cli)
{
    return verb_rename(cli, "views");
}

int cli_view_drop(struct cli *cli)
{
    return verb_drop(cli, "views", "view");
}

static const struct json *current_version(const struct json *metadata)
{
    struct json_iter iter = json_iter(json_get(metadata, "versions"));
    const struct json *version;
    int64_t current = 0;
    int64_t id = 0;
    if (!json_as_i64(json_get(metadata, "current-version-id"), &current))
        return NULL;
    while (json_next(&iter, NULL, &version)) {
        if (json_as_i64(json_get(version, "version-id"), &id) && id == current)
            return version;
    }
    return NULL;
}

static void print_sql(struct cli *cli, const struct json *version)
{
    struct json_iter iter = json_iter(json_get(version, "representations"));
    const struct json *representation;
    struct str text;
    while (json_next(&iter, NULL, &representation)) {
        if (json_as_str(json_get(representation, "dialect"), &text)) {
            fputs("-- ", cli->out);
            print_safe(cli->out, text);
            fputc('\n', cli->out);
        }
        if (json_as_str(json_get(representation, "sql"), &text)) {
            print_safe(cli->out, text);
            fputc('\n', cli->out);
        }
    }
}

int cli_view_get(struct cli *cli)
{
    struct client client;
    struct name name;
    struct reply reply;
    int exit_code = verb_begin(cli, true, &name, &client);
    if (exit_code != CLI_OK)
        return exit_code;
    struct str path = client_object_path(&client, &name, "views");
    exit_code = client_call(&client, "GET", path, STR(""), &reply);
    if (exit_code == CLI_OK && reply.status_code != 200)
        exit_code = verb_refused(&client, "GET", path, &reply, &name, "views");
    client_close(&client);
    if (exit_code != CLI_OK)
        return exit_code;
    if (cli->format == CLI_JSON)
        print_json(cli, reply.body);
    else
        print_sql(cli, current_version(json_get(reply.json, "metadata")));
    return CLI_OK;
}
