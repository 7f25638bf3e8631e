/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb.c - listing, renaming and dropping are the same for tables and views; names that were not
 * found get a suggestion from what is there.
 */
#include "cli/verb.h"

#include "cli/args.h"
#include "cli/suggest.h"

struct near {
    struct suggest suggest;
    bool is_namespace;
};

static int offer(void *context, const struct json *item)
{
    struct near *near = context;
    struct str word;
    const struct json *name =
        near->is_namespace ? json_at(item, json_size(item) - 1) : json_get(item, "name");
    if (json_as_str(name, &word))
        suggest_offer(&near->suggest, word);
    return CLI_OK;
}

/* Only a hint: what fails here is not told. */
static struct str nearest(struct client *client, const struct name *name, size_t levels,
                          const char *kind)
{
    struct near near = {suggest_for(name->levels[levels - 1]), kind == NULL};
    struct name parent = *name;
    struct reply reply;
    struct buf path;
    struct json_iter iter;
    const struct json *item;
    parent.count = levels - 1;
    buf_init(&path, client->cli->arena, SIZE_MAX);
    if (kind != NULL) {
        buf_str(&path, client_listing_path(client, &parent, kind));
    } else {
        buf_str(&path, STR("/namespaces"));
        buf_str(&path, parent.count > 0 ? STR("?parent=") : STR(""));
        client_write_levels(client, &path, &parent, parent.count);
    }
    if (client_call(client, "GET", buf_view(&path), STR(""), &reply) != CLI_OK ||
        reply.status_code != 200)
        return STR("");
    iter = json_iter(json_get(reply.json, kind == NULL ? "namespaces" : "identifiers"));
    while (json_next(&iter, NULL, &item))
        (void)offer(&near, item);
    if (near.suggest.best.data == NULL)
        return STR("");
    parent.levels[parent.count++] = near.suggest.best;
    struct buf text;
    buf_init(&text, client->cli->arena, SIZE_MAX);
    name_write(&text, &parent, parent.count);
    return buf_view(&text);
}

int verb_refused(struct client *client, const char *method, struct str path,
                 const struct reply *reply, const struct name *name, const char *kind)
{
    struct str type = STR("");
    struct str found = STR("");
    const char *fix = NULL;
    (void)json_as_str(json_get(json_get(reply->json, "error"), "type"), &type);
    bool lacks_namespace = str_is(type, "NoSuchNamespaceException");
    if (reply->status_code == 404 && lacks_namespace && kind != NULL)
        found = nearest(client, name, name->count - 1, NULL);
    else if (reply->status_code == 404)
        found = nearest(client, name, name->count, kind);
    if (found.size > 0)
        fix = arena_printf(client->cli->arena, "did you mean '%.*s'?", STR_ARG(found)).data;
    else if (str_is(type, "NamespaceNotEmptyException"))
        fix = "drop what is in it first: see `tarn find`, `tarn table ls` and `tarn view ls`";
    return client_refused(client, method, path, reply, fix);
}

struct listing {
    struct client *client;
    struct print_table table;
};

static int list_item(void *context, const struct json *item)
{
    struct listing *listing = context;
    struct str name = STR("");
    (void)json_as_str(json_get(item, "name"), &name);
    struct str cell = client_name_text(listing->client, json_get(item, "namespace"), name);
    table_row(&listing->table, &cell);
    return CLI_OK;
}

int verb_list(struct cli *cli, const char *kind)
{
    const char *const titles[] = {strcmp(kind, "tables") == 0 ? "table" : "view"};
    struct listing listing;
    struct client client;
    struct name name;
    struct reply reply;
    int exit_code = verb_begin(cli, false, &name, &client);
    if (exit_code != CLI_OK)
        return exit_code;
    listing.client = &client;
    table_init(&listing.table, cli, titles, 1);
    /* Some servers answer an empty list for a namespace that does not exist. */
    struct str path = client_namespace_path(&client, &name, name.count);
    exit_code = client_call(&client, "GET", path, STR(""), &reply);
    if (exit_code == CLI_OK && reply.status_code != 200)
        exit_code = verb_refused(&client, "GET", path, &reply, &name, NULL);
    if (exit_code == CLI_OK)
        exit_code = client_list(&client, client_listing_path(&client, &name, kind), "identifiers",
                                list_item, &listing);
    client_close(&client);
    return exit_code == CLI_OK ? table_print(&listing.table) : exit_code;
}

static void write_identifier(struct json_writer *w, const char *key, const struct name *name)
{
    jw_key(w, key);
    jw_object(w);
    jw_key(w, "namespace");
    jw_array(w);
    for (size_t i = 0; i + 1 < name->count; i++)
        jw_str(w, name->levels[i]);
    jw_end(w);
    jw_key(w, "name");
    jw_str(w, name->levels[name->count - 1]);
    jw_end(w);
}

/* A new name without a namespace stays in the old one. */
static status target_name(struct cli *cli, const struct name *source, struct diag *diag,
                          struct name *out)
{
    struct name target;
    TRY(name_parse(cli->arena, str_from(cli->args->words[1]), diag, &target));
    if (target.count == 1) {
        struct str last = target.levels[0];
        target = *source;
        target.levels[target.count - 1] = last;
    }
    *out = target;
    return OK;
}

int verb_rename(struct cli *cli, const char *kind)
{
    struct client client;
    struct name source;
    struct name target;
    struct buf body;
    struct json_writer w;
    struct diag diag = {.count = 0};
    int exit_code = verb_begin(cli, true, &source, &client);
    if (exit_code != CLI_OK)
        return exit_code;
    status_value parsed = target_name(cli, &source, &diag, &target);
    if (!is_ok(parsed)) {
        client_close(&client);
        return print_status(cli, parsed, &diag, NULL);
    }
    buf_init(&body, cli->arena, SIZE_MAX);
    json_writer_init(&w, &body);
    jw_object(&w);
    write_identifier(&w, "source", &source);
    write_identifier(&w, "destination", &target);
    jw_end(&w);
    struct str path = arena_printf(cli->arena, "/%s/rename", kind);
    exit_code = verb_send(&client, "POST", path, buf_view(&body), &source, kind, "renamed");
    client_close(&client);
    return exit_code;
}

int verb_drop(struct cli *cli, const char *kind, const char *what)
{
    struct client client;
    struct name name;
    bool purge = args_has(cli->args, "purge");
    int exit_code = verb_begin(cli, true, &name, &client);
    if (exit_code != CLI_OK)
        return exit_code;
    struct str action =
        arena_printf(cli->arena, "drop %s%s", what, purge ? " and delete its files:" : "");
    struct str path =
        arena_printf(cli->arena, "%.*s%s", STR_ARG(client_object_path(&client, &name, kind)),
                     purge ? "?purgeRequested=true" : "");
    struct str done = arena_printf(cli->arena, "dropped %s", what);
    if (print_confirm(cli, action.data, cli->args->words[0], &exit_code))
        exit_code = verb_send(&client, "DELETE", path, STR(""), &name, kind, done.data);
    client_close(&client);
    return exit_code;
}
