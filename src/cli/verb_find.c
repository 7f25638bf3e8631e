/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_find.c - tarn find: names over all namespaces, tables and views.
 *
 * Walks the tree through the listing operations: nothing but the REST protocol is needed, so it
 * works against any catalog. A part of the catalog that may not be listed is skipped and makes the
 * exit code CLI_PARTIAL.
 */
#include "cli/args.h"
#include "cli/verb.h"

#include <fnmatch.h>

struct find {
    struct client *client;
    struct print_table table;
    struct str pattern;
    bool is_glob;
    uint64_t limit;
    const char *kind; /* of the names that are being visited */
    bool incomplete;
    bool truncated;
};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static struct str lowered(struct arena *arena, struct str text)
{
    char *copy = arena_alloc(arena, text.size + 1);
    if (copy == NULL)
        return STR("");
    for (size_t i = 0; i < text.size; i++)
        copy[i] = lower(text.data[i]);
    copy[text.size] = 0;
    return (struct str){copy, text.size};
}

static bool matches(struct find *find, struct str full, struct str last)
{
    struct str whole = lowered(find->client->cli->arena, full);
    if (!find->is_glob)
        return memmem(whole.data, whole.size, find->pattern.data, find->pattern.size) != NULL;
    struct str end = lowered(find->client->cli->arena, last);
    return fnmatch(find->pattern.data, whole.data, 0) == 0 ||
           fnmatch(find->pattern.data, end.data, 0) == 0;
}

static void offer(struct find *find, const char *kind, const struct json *levels, struct str last)
{
    struct str full = client_name_text(find->client, levels, last);
    struct str end = last;
    if (last.size == 0)
        (void)json_as_str(json_at(levels, json_size(levels) - 1), &end);
    if (!matches(find, full, end))
        return;
    if (find->table.rows == find->limit) {
        find->truncated = true;
        return;
    }
    const struct str cells[2] = {str_from(kind), full};
    table_row(&find->table, cells);
}

static int visit_object(void *context, const struct json *item)
{
    struct find *find = context;
    struct str name;
    if (json_as_str(json_get(item, "name"), &name))
        offer(find, find->kind, json_get(item, "namespace"), name);
    return CLI_OK;
}

static int visit_namespace(void *context, const struct json *levels);

static void list_namespaces(struct find *find, const struct name *parent)
{
    struct buf path;
    buf_init(&path, find->client->cli->arena, SIZE_MAX);
    buf_str(&path, STR("/namespaces"));
    if (parent->count > 0) {
        buf_str(&path, STR("?parent="));
        client_write_levels(find->client, &path, parent, parent->count);
    }
    if (client_list(find->client, buf_view(&path), "namespaces", visit_namespace, find) != CLI_OK)
        find->incomplete = true;
}

static int visit_namespace(void *context, const struct json *levels)
{
    static const char *const kinds[2][2] = {{"tables", "table"}, {"views", "view"}};
    struct find *find = context;
    struct name name = client_levels(levels);
    offer(find, "namespace", levels, STR(""));
    for (size_t i = 0; i < 2 && !find->truncated; i++) {
        find->kind = kinds[i][1];
        if (client_list(find->client, client_listing_path(find->client, &name, kinds[i][0]),
                        "identifiers", visit_object, find) != CLI_OK)
            find->incomplete = true;
    }
    if (!find->truncated)
        list_namespaces(find, &name);
    return CLI_OK;
}

int cli_find(struct cli *cli)
{
    static const char *const titles[] = {"kind", "name"};
    struct find find = {.limit = UINT64_MAX};
    struct client client;
    struct name root = {.count = 0};
    struct diag diag = {.count = 0};
    const char *pattern = cli->args->words[0];
    status_value parsed = args_u64(cli->args, "limit", &diag, &find.limit);
    if (!is_ok(parsed))
        return print_status(cli, parsed, &diag, NULL);
    int exit_code = client_open(cli, &client);
    if (exit_code != CLI_OK)
        return exit_code;
    find.client = &client;
    find.is_glob = strpbrk(pattern, "*?") != NULL;
    find.pattern = lowered(cli->arena, str_from(pattern));
    table_init(&find.table, cli, titles, 2);
    list_namespaces(&find, &root);
    client_close(&client);
    exit_code = table_print(&find.table);
    if (find.truncated)
        fprintf(cli->err, "more was found than --limit allows\n");
    if (exit_code != CLI_OK)
        return exit_code;
    return find.incomplete ? CLI_PARTIAL : CLI_OK;
}
