/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_ns.c - tarn ns: namespaces.
 */
#include "cli/args.h"
#include "cli/client.h"
#include "cli/verb.h"

int verb_begin(struct cli *cli, bool is_object, struct name *out_name, struct client *out_client)
{
    struct diag diag = {.count = 0};
    struct str text = str_from(cli->args->words[0]);
    status_value parsed = is_object ? name_parse_object(cli->arena, text, &diag, out_name)
                                    : name_parse(cli->arena, text, &diag, out_name);
    if (!is_ok(parsed))
        return print_status(cli, parsed, &diag, NULL);
    return client_open(cli, out_client);
}

struct ns_list {
    struct client *client;
    struct print_table *table;
    bool recursive;
};

static int list_below(struct ns_list *list, const struct name *parent);

static int list_one(void *context, const struct json *levels)
{
    struct ns_list *list = context;
    struct str cell = client_name_text(list->client, levels, STR(""));
    table_row(list->table, &cell);
    struct name name = client_levels(levels);
    return list->recursive ? list_below(list, &name) : CLI_OK;
}

static int list_below(struct ns_list *list, const struct name *parent)
{
    struct buf path;
    buf_init(&path, list->client->cli->arena, SIZE_MAX);
    buf_str(&path, STR("/namespaces"));
    buf_str(&path, parent->count > 0 ? STR("?parent=") : STR(""));
    client_write_levels(list->client, &path, parent, parent->count);
    return client_list(list->client, buf_view(&path), "namespaces", list_one, list);
}

int cli_ns_ls(struct cli *cli)
{
    static const char *const titles[] = {"namespace"};
    struct print_table table;
    struct client client;
    struct name name = {.count = 0};
    bool below = cli->args->word_count > 0;
    int exit_code = below ? verb_begin(cli, false, &name, &client) : client_open(cli, &client);
    if (exit_code != CLI_OK)
        return exit_code;
    struct ns_list list = {&client, &table, args_has(cli->args, "recursive")};
    table_init(&table, cli, titles, 1);
    exit_code = list_below(&list, &name);
    client_close(&client);
    return exit_code == CLI_OK ? table_print(&table) : exit_code;
}

int verb_print_properties(struct cli *cli, const struct json *properties)
{
    static const char *const titles[] = {"property", "value"};
    struct print_table table;
    struct json_iter iter = json_iter(properties);
    struct str cells[2];
    const struct json *value;
    table_init(&table, cli, titles, 2);
    while (json_next(&iter, &cells[0], &value)) {
        cells[1] = STR("");
        (void)json_as_str(value, &cells[1]);
        table_row(&table, cells);
    }
    return table_print(&table);
}

int cli_ns_get(struct cli *cli)
{
    struct client client;
    struct name name;
    struct reply reply;
    int exit_code = verb_begin(cli, false, &name, &client);
    if (exit_code != CLI_OK)
        return exit_code;
    struct str path = client_namespace_path(&client, &name, name.count);
    exit_code = client_call(&client, "GET", path, STR(""), &reply);
    if (exit_code == CLI_OK && reply.status_code != 200)
        exit_code = verb_refused(&client, "GET", path, &reply, &name, NULL);
    client_close(&client);
    if (exit_code != CLI_OK)
        return exit_code;
    if (cli->format == CLI_TABLE)
        return verb_print_properties(cli, json_get(reply.json, "properties"));
    print_json(cli, reply.body);
    return CLI_OK;
}

status verb_write_assignments(struct cli *cli, struct json_writer *w, const char *const *words,
                              size_t count, struct diag *diag)
{
    (void)cli;
    jw_object(w);
    for (size_t i = 0; i < count; i++) {
        const char *equals = strchr(words[i], '=');
        if (equals == NULL || equals == words[i])
            return FAIL(diag, USAGE, "'%s' is not KEY=VALUE", words[i]);
        jw_key_str(w, (struct str){words[i], (size_t)(equals - words[i])});
        jw_cstr(w, equals + 1);
    }
    jw_end(w);
    return OK;
}

/* All values of a flag that may be repeated. */
static size_t collect(const struct args *args, const char *flag, const char **out, size_t max)
{
    size_t count = 0;
    for (size_t i = 0; i < args->flag_count && count < max; i++) {
        if (strcmp(args->flags[i].flag->name, flag) == 0)
            out[count++] = args->flags[i].value;
    }
    return count;
}

static status create_body(struct cli *cli, const struct name *name, struct buf *out,
                          struct diag *diag)
{
    const char *words[256];
    size_t count = collect(cli->args, "property", words, COUNTOF(words));
    struct json_writer w;
    json_writer_init(&w, out);
    jw_object(&w);
    jw_key(&w, "namespace");
    jw_array(&w);
    for (size_t i = 0; i < name->count; i++)
        jw_str(&w, name->levels[i]);
    jw_end(&w);
    jw_key(&w, "properties");
    TRY(verb_write_assignments(cli, &w, words, count, diag));
    jw_end(&w);
    return OK;
}

int verb_send(struct client *client, const char *method, struct str path, struct str body,
              const struct name *name, const char *kind, const char *action)
{
    struct reply reply;
    struct cli *cli = client->cli;
    if (!cli->dry_run) {
        int exit_code = client_call(client, method, path, body, &reply);
        if (exit_code != CLI_OK)
            return exit_code;
        if (reply.status_code < 200 || reply.status_code > 299)
            return verb_refused(client, method, path, &reply, name, kind);
    }
    struct buf object;
    buf_init(&object, cli->arena, SIZE_MAX);
    name_write(&object, name, name->count);
    buf_byte(&object, 0);
    return print_done(cli, action, object.data);
}

int cli_ns_create(struct cli *cli)
{
    struct client client;
    struct name name;
    struct buf body;
    struct diag diag = {.count = 0};
    int exit_code = verb_begin(cli, false, &name, &client);
    if (exit_code != CLI_OK)
        return exit_code;
    buf_init(&body, cli->arena, SIZE_MAX);
    status_value built = create_body(cli, &name, &body, &diag);
    exit_code = is_ok(built) ? verb_send(&client, "POST", STR("/namespaces"), buf_view(&body),
                                         &name, NULL, "created namespace")
                             : print_status(cli, built, &diag, NULL);
    client_close(&client);
    return exit_code;
}

int cli_ns_drop(struct cli *cli)
{
    struct client client;
    struct name name;
    int exit_code = verb_begin(cli, false, &name, &client);
    if (exit_code != CLI_OK)
        return exit_code;
    if (print_confirm(cli, "drop namespace", cli->args->words[0], &exit_code))
        exit_code = verb_send(&client, "DELETE", client_namespace_path(&client, &name, name.count),
                              STR(""), &name, NULL, "dropped namespace");
    client_close(&client);
    return exit_code;
}

static status set_body(struct cli *cli, struct buf *out, struct diag *diag)
{
    const char *removals[256];
    size_t count = collect(cli->args, "remove", removals, COUNTOF(removals));
    struct json_writer w;
    if (count == 0 && cli->args->word_count < 2)
        return FAIL(diag, USAGE, "nothing to do: give KEY=VALUE or --remove KEY");
    json_writer_init(&w, out);
    jw_object(&w);
    jw_key(&w, "removals");
    jw_array(&w);
    for (size_t i = 0; i < count; i++)
        jw_cstr(&w, removals[i]);
    jw_end(&w);
    jw_key(&w, "updates");
    TRY(verb_write_assignments(cli, &w, cli->args->words + 1, cli->args->word_count - 1, diag));
    jw_end(&w);
    return OK;
}

int cli_ns_set(struct cli *cli)
{
    struct client client;
    struct name name;
    struct buf body;
    struct diag diag = {.count = 0};
    buf_init(&body, cli->arena, SIZE_MAX);
    status_value built = set_body(cli, &body, &diag);
    if (!is_ok(built))
        return print_status(cli, built, &diag, NULL);
    int exit_code = verb_begin(cli, false, &name, &client);
    if (exit_code != CLI_OK)
        return exit_code;
    struct str path = arena_printf(cli->arena, "%.*s/properties",
                                   STR_ARG(client_namespace_path(&client, &name, name.count)));
    exit_code = verb_send(&client, "POST", path, buf_view(&body), &name, NULL,
                          "set properties of namespace");
    client_close(&client);
    return exit_code;
}
