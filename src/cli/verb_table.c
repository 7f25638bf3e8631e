/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_table.c - tarn table: what is in a table's metadata, and its name.
 */
#include "base/timefmt.h"
#include "cli/args.h"
#include "cli/verb.h"

static struct str number_text(struct cli *cli, const struct json *value)
{
    int64_t number = 0;
    if (!json_as_i64(value, &number))
        return (struct str){NULL, 0};
    return arena_printf(cli->arena, "%lld", (long long)number);
}

static struct str time_text(struct cli *cli, const struct json *value)
{
    char text[TIMEFMT_SIZE];
    uint64_t unix_ms = 0;
    if (!json_as_u64(value, &unix_ms))
        return (struct str){NULL, 0};
    timefmt_iso_ms(unix_ms, text);
    return arena_printf(cli->arena, "%.19sZ", text);
}

static struct str text_of(const struct json *object, const char *key)
{
    struct str text = {NULL, 0};
    (void)json_as_str(json_get(object, key), &text);
    return text;
}

/* Loads the table named by the first argument; `refs_only` leaves out snapshots nobody points
 * at. */
static int load(struct cli *cli, bool refs_only, struct client *client, struct name *out_name,
                struct reply *out)
{
    int exit_code = verb_begin(cli, true, out_name, client);
    if (exit_code != CLI_OK)
        return exit_code;
    struct str path = client_object_path(client, out_name, "tables");
    struct str query = refs_only ? STR("?snapshots=refs") : STR("");
    struct str full = arena_printf(cli->arena, "%.*s%.*s", STR_ARG(path), STR_ARG(query));
    exit_code = client_call(client, "GET", full, STR(""), out);
    if (exit_code == CLI_OK && out->status_code != 200)
        exit_code = verb_refused(client, "GET", path, out, out_name, "tables");
    if (exit_code == CLI_OK && !json_is(json_get(out->json, "metadata"), JSON_OBJECT))
        exit_code =
            print_problem(cli, CLI_FAILURE, "the catalog's answer holds no metadata", NULL, NULL);
    if (exit_code != CLI_OK)
        client_close(client);
    return exit_code;
}

static int load_metadata(struct cli *cli, bool refs_only, const struct json **out_metadata,
                         const struct json **out_result)
{
    struct client client;
    struct name name;
    struct reply reply;
    int exit_code = load(cli, refs_only, &client, &name, &reply);
    if (exit_code != CLI_OK)
        return exit_code;
    client_close(&client);
    *out_result = reply.json;
    *out_metadata = json_get(reply.json, "metadata");
    return CLI_OK;
}

int cli_table_ls(struct cli *cli)
{
    return verb_list(cli, "tables");
}

static void fact(struct print_table *table, const char *label, struct str value)
{
    const struct str cells[2] = {str_from(label), value};
    if (value.data != NULL)
        table_row(table, cells);
}

static const struct json *element_with(const struct json *array, const char *key, int64_t wanted)
{
    struct json_iter iter = json_iter(array);
    const struct json *element;
    int64_t id = 0;
    while (json_next(&iter, NULL, &element)) {
        if (json_as_i64(json_get(element, key), &id) && id == wanted)
            return element;
    }
    return NULL;
}

static const struct json *current_snapshot(const struct json *metadata)
{
    int64_t id = -1;
    if (!json_as_i64(json_get(metadata, "current-snapshot-id"), &id) || id == -1)
        return NULL;
    return element_with(json_get(metadata, "snapshots"), "snapshot-id", id);
}

static void snapshot_facts(struct cli *cli, struct print_table *table, const struct json *metadata)
{
    const struct json *snapshot = current_snapshot(metadata);
    const struct json *summary = json_get(snapshot, "summary");
    if (snapshot == NULL) {
        fact(table, "current snapshot", STR("none"));
        return;
    }
    fact(table, "current snapshot", number_text(cli, json_get(snapshot, "snapshot-id")));
    fact(table, "committed", time_text(cli, json_get(snapshot, "timestamp-ms")));
    fact(table, "operation", text_of(summary, "operation"));
    fact(table, "records", text_of(summary, "total-records"));
    fact(table, "data files", text_of(summary, "total-data-files"));
    fact(table, "bytes", text_of(summary, "total-files-size"));
}

static void property_facts(struct cli *cli, struct print_table *table, const struct json *metadata)
{
    struct json_iter iter = json_iter(json_get(metadata, "properties"));
    struct str key;
    const struct json *value;
    while (json_next(&iter, &key, &value)) {
        struct str text = STR("");
        (void)json_as_str(value, &text);
        fact(table, arena_printf(cli->arena, "property %.*s", STR_ARG(key)).data, text);
    }
}

int cli_table_get(struct cli *cli)
{
    static const char *const titles[] = {"fact", "value"};
    const struct json *metadata;
    const struct json *result;
    struct print_table table;
    int exit_code = load_metadata(cli, cli->format == CLI_TABLE, &metadata, &result);
    if (exit_code != CLI_OK)
        return exit_code;
    if (cli->format == CLI_JSON) {
        print_json_value(cli, result);
        return CLI_OK;
    }
    table_init(&table, cli, titles, 2);
    fact(&table, "uuid", text_of(metadata, "table-uuid"));
    fact(&table, "format version", number_text(cli, json_get(metadata, "format-version")));
    fact(&table, "location", text_of(metadata, "location"));
    fact(&table, "metadata", text_of(result, "metadata-location"));
    fact(&table, "last updated", time_text(cli, json_get(metadata, "last-updated-ms")));
    fact(&table, "schema", number_text(cli, json_get(metadata, "current-schema-id")));
    fact(&table, "partition spec", number_text(cli, json_get(metadata, "default-spec-id")));
    fact(&table, "sequence number", number_text(cli, json_get(metadata, "last-sequence-number")));
    snapshot_facts(cli, &table, metadata);
    property_facts(cli, &table, metadata);
    return table_print(&table);
}

/* A nested type as its JSON, a primitive one as its name. */
static struct str type_text(struct cli *cli, const struct json *type)
{
    struct str text;
    struct buf buf;
    if (json_as_str(type, &text))
        return text;
    buf_init(&buf, cli->arena, SIZE_MAX);
    json_write(&buf, type);
    return buf_view(&buf);
}

static const struct json *by_id(const struct json *metadata, const char *id_key, const char *list,
                                const char *element_key)
{
    int64_t id = 0;
    if (!json_as_i64(json_get(metadata, id_key), &id))
        return NULL;
    return element_with(json_get(metadata, list), element_key, id);
}

static void print_columns(struct cli *cli, const struct json *schema)
{
    static const char *const titles[] = {"#id", "column", "type", "required", "doc"};
    struct print_table table;
    struct json_iter iter = json_iter(json_get(schema, "fields"));
    const struct json *field;
    table_init(&table, cli, titles, 5);
    while (json_next(&iter, NULL, &field)) {
        bool required = false;
        (void)json_as_bool(json_get(field, "required"), &required);
        const struct str cells[5] = {number_text(cli, json_get(field, "id")),
                                     text_of(field, "name"),
                                     type_text(cli, json_get(field, "type")),
                                     required ? STR("yes") : STR("no"), text_of(field, "doc")};
        table_row(&table, cells);
    }
    (void)table_print(&table);
}

static struct str column_name(const struct json *schema, const struct json *source)
{
    int64_t id = 0;
    if (!json_as_i64(source, &id))
        return STR("?");
    struct str name = text_of(element_with(json_get(schema, "fields"), "id", id), "name");
    return name.data == NULL ? STR("?") : name;
}

static void print_fields(struct cli *cli, const char *title, const struct json *fields,
                         const struct json *schema)
{
    struct json_iter iter = json_iter(fields);
    const struct json *field;
    bool any = false;
    while (json_next(&iter, NULL, &field)) {
        struct str direction = text_of(field, "direction");
        fputs(any ? ", " : title, cli->out);
        any = true;
        print_safe(cli->out, text_of(field, "transform"));
        fputc('(', cli->out);
        print_safe(cli->out, column_name(schema, json_get(field, "source-id")));
        fputc(')', cli->out);
        fputs(direction.data == NULL ? "" : " ", cli->out);
        print_safe(cli->out, direction);
    }
    fputs(any ? "\n" : "", cli->out);
}

int cli_table_schema(struct cli *cli)
{
    const struct json *metadata;
    const struct json *result;
    int exit_code = load_metadata(cli, true, &metadata, &result);
    if (exit_code != CLI_OK)
        return exit_code;
    const struct json *schema = by_id(metadata, "current-schema-id", "schemas", "schema-id");
    const struct json *spec = by_id(metadata, "default-spec-id", "partition-specs", "spec-id");
    const struct json *order = by_id(metadata, "default-sort-order-id", "sort-orders", "order-id");
    if (schema == NULL)
        return print_problem(cli, CLI_FAILURE, "the table has no current schema", NULL, NULL);
    if (cli->format == CLI_JSON) {
        print_json_value(cli, schema);
        return CLI_OK;
    }
    print_columns(cli, schema);
    print_fields(cli, "partitioned by ", json_get(spec, "fields"), schema);
    print_fields(cli, "ordered by ", json_get(order, "fields"), schema);
    return CLI_OK;
}

/* Newest first: snapshots are kept in the order they were added. */
int cli_table_history(struct cli *cli)
{
    static const char *const titles[] = {"committed", "#snapshot", "#parent", "#sequence",
                                         "operation", "#records",  "#added"};
    struct print_table table;
    struct diag diag = {.count = 0};
    uint64_t limit = UINT64_MAX;
    const struct json *metadata;
    const struct json *result;
    status_value parsed = args_u64(cli->args, "limit", &diag, &limit);
    if (!is_ok(parsed))
        return print_status(cli, parsed, &diag, NULL);
    int exit_code = load_metadata(cli, false, &metadata, &result);
    if (exit_code != CLI_OK)
        return exit_code;
    const struct json *snapshots = json_get(metadata, "snapshots");
    size_t count = json_size(snapshots);
    const struct json **newest_last = ARENA_ARRAY(cli->arena, const struct json *, count + 1);
    struct json_iter iter = json_iter(snapshots);
    for (size_t i = 0; newest_last != NULL && json_next(&iter, NULL, &newest_last[i]);)
        i++;
    table_init(&table, cli, titles, 7);
    for (size_t i = count; newest_last != NULL && i > 0 && table.rows < limit; i--) {
        const struct json *snapshot = newest_last[i - 1];
        const struct json *summary = json_get(snapshot, "summary");
        const struct str cells[7] = {time_text(cli, json_get(snapshot, "timestamp-ms")),
                                     number_text(cli, json_get(snapshot, "snapshot-id")),
                                     number_text(cli, json_get(snapshot, "parent-snapshot-id")),
                                     number_text(cli, json_get(snapshot, "sequence-number")),
                                     text_of(summary, "operation"),
                                     text_of(summary, "total-records"),
                                     text_of(summary, "added-records")};
        table_row(&table, cells);
    }
    return table_print(&table);
}

int cli_table_refs(struct cli *cli)
{
    static const char *const titles[] = {"ref", "type", "#snapshot", "#max-ref-age-ms"};
    struct print_table table;
    const struct json *metadata;
    const struct json *result;
    const struct json *ref;
    struct str cells[4];
    int exit_code = load_metadata(cli, true, &metadata, &result);
    if (exit_code != CLI_OK)
        return exit_code;
    struct json_iter iter = json_iter(json_get(metadata, "refs"));
    table_init(&table, cli, titles, 4);
    while (json_next(&iter, &cells[0], &ref)) {
        cells[1] = text_of(ref, "type");
        cells[2] = number_text(cli, json_get(ref, "snapshot-id"));
        cells[3] = number_text(cli, json_get(ref, "max-ref-age-ms"));
        table_row(&table, cells);
    }
    return table_print(&table);
}

/* --- properties --- */

static status properties_body(struct cli *cli, const struct json *metadata, bool set,
                              struct buf *out, struct diag *diag)
{
    const char *const *words = cli->args->words + 2;
    size_t count = cli->args->word_count - 2;
    struct json_writer w;
    if (count == 0)
        return FAIL(diag, USAGE, "nothing to do: give %s", set ? "KEY=VALUE" : "KEY");
    json_writer_init(&w, out);
    jw_object(&w);
    jw_key(&w, "requirements");
    jw_array(&w);
    jw_object(&w);
    jw_key(&w, "type");
    jw_cstr(&w, "assert-table-uuid");
    jw_key(&w, "uuid");
    jw_str(&w, text_of(metadata, "table-uuid"));
    jw_end(&w);
    jw_end(&w);
    jw_key(&w, "updates");
    jw_array(&w);
    jw_object(&w);
    jw_key(&w, "action");
    jw_cstr(&w, set ? "set-properties" : "remove-properties");
    jw_key(&w, set ? "updates" : "removals");
    if (set) {
        TRY(verb_write_assignments(cli, &w, words, count, diag));
    } else {
        jw_array(&w);
        for (size_t i = 0; i < count; i++)
            jw_cstr(&w, words[i]);
        jw_end(&w);
    }
    jw_end(&w);
    jw_end(&w);
    jw_end(&w);
    return buf_finish(out, "the request", diag);
}

static int change_properties(struct cli *cli, struct client *client, const struct name *name,
                             const struct reply *reply, bool set)
{
    struct buf body;
    struct diag diag = {.count = 0};
    buf_init(&body, cli->arena, SIZE_MAX);
    status_value built = properties_body(cli, json_get(reply->json, "metadata"), set, &body, &diag);
    if (!is_ok(built))
        return print_status(cli, built, &diag, NULL);
    return verb_send(client, "POST", client_object_path(client, name, "tables"), buf_view(&body),
                     name, "tables", set ? "set properties of" : "removed properties of");
}

int cli_table_properties(struct cli *cli)
{
    const char *action = cli->args->words[0];
    struct client client;
    struct name name;
    struct reply reply;
    bool set = strcmp(action, "set") == 0;
    if (!set && strcmp(action, "remove") != 0 && strcmp(action, "get") != 0)
        return print_no_choice(cli, "action");
    /* The table is the second word here; load() looks at the first. */
    const struct args *all = cli->args;
    struct args *moved = ARENA_NEW(cli->arena, struct args);
    if (moved == NULL)
        return CLI_FAILURE;
    *moved = *all;
    moved->words[0] = all->words[1];
    cli->args = moved;
    int exit_code = load(cli, true, &client, &name, &reply);
    cli->args = all;
    if (exit_code != CLI_OK)
        return exit_code;
    const struct json *properties = json_get(json_get(reply.json, "metadata"), "properties");
    if (strcmp(action, "get") != 0)
        exit_code = change_properties(cli, &client, &name, &reply, set);
    else if (cli->format == CLI_JSON)
        print_json_value(cli, properties);
    else
        exit_code = verb_print_properties(cli, properties);
    client_close(&client);
    return exit_code;
}

int cli_table_rename(struct cli *cli)
{
    return verb_rename(cli, "tables");
}

int cli_table_drop(struct cli *cli)
{
    return verb_drop(cli, "tables", "table");
}

int cli_table_register(struct cli *cli)
{
    struct client client;
    struct name name;
    struct buf body;
    struct json_writer w;
    int exit_code = verb_begin(cli, true, &name, &client);
    if (exit_code != CLI_OK)
        return exit_code;
    buf_init(&body, cli->arena, SIZE_MAX);
    json_writer_init(&w, &body);
    jw_object(&w);
    jw_key(&w, "name");
    jw_str(&w, name.levels[name.count - 1]);
    jw_key(&w, "metadata-location");
    jw_cstr(&w, cli->args->words[1]);
    jw_key(&w, "overwrite");
    jw_bool(&w, args_has(cli->args, "overwrite"));
    jw_end(&w);
    struct str path = arena_printf(cli->arena, "%.*s/register",
                                   STR_ARG(client_namespace_path(&client, &name, name.count - 1)));
    exit_code = verb_send(&client, "POST", path, buf_view(&body), &name, NULL, "registered table");
    client_close(&client);
    return exit_code;
}
