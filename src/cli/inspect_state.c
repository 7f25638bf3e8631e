/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inspect_state.c - tarn inspect state: rows counted by kind, or those of one table as JSON lines.
 */
#include "cli/args.h"
#include "cli/inspect.h"
#include "cli/name.h"
#include "kv/keys.h"
#include "storage/lmdb_store.h"

#include <inttypes.h>

enum { KIND_TEXT_MAX = 3 };

struct kind_count {
    char kind[KIND_TEXT_MAX + 1]; /* "M", "Cn", "CTh" */
    uint64_t rows;
    uint64_t key_bytes;
    uint64_t value_bytes;
};

struct counts {
    struct kind_count kinds[128];
    size_t count;
};

static const char *kind_text(const char *kind)
{
    static const struct {
        const char *kind;
        const char *text;
    } known[] = {{"M", "cluster facts"},
                 {"W", "warehouses"},
                 {"Cz", "counters"},
                 {"Cn", "namespaces"},
                 {"CN", "namespaces by id"},
                 {"Ct", "table names"},
                 {"Cv", "view names"},
                 {"Cx", "outbox: metadata.json to be published"},
                 {"Cq", "dropped tables to be purged"},
                 {"Ci", "idempotency records"},
                 {"Ce", "idempotency records by expiry"},
                 {"CTh", "table headers"},
                 {"CTp", "table properties"},
                 {"CTs", "schemas"},
                 {"CTd", "partition specs"},
                 {"CTo", "sort orders"},
                 {"CTn", "snapshots"},
                 {"CTi", "snapshots by id"},
                 {"CTr", "refs"},
                 {"CTl", "snapshot log"},
                 {"CTm", "metadata log"},
                 {"CTa", "statistics"},
                 {"CTb", "partition statistics"},
                 {"CTk", "encryption keys"},
                 {"CTu", "undo rows of unpublished versions"},
                 {"CVh", "view headers"},
                 {"CVv", "view versions"}};
    for (size_t i = 0; i < COUNTOF(known); i++) {
        if (strcmp(known[i].kind, kind) == 0)
            return known[i].text;
    }
    return "";
}

/* The letters of a key that say what it is. */
static void kind_of(struct str key, char out[KIND_TEXT_MAX + 1])
{
    size_t size = 0;
    out[size++] = key.data[0];
    if (key.data[0] == 'C' && key.size >= KEY_IN_SIZE) {
        char kind = key.data[KEY_IN_SIZE - 1];
        out[size++] = kind;
        if ((kind == KEY_TABLE || kind == KEY_VIEW) && key.size >= KEY_PART_SIZE)
            out[size++] = key.data[KEY_PART_SIZE - 1];
    }
    out[size] = 0;
}

static void count_row(struct counts *counts, struct str key, struct str value)
{
    char kind[KIND_TEXT_MAX + 1];
    size_t i = 0;
    kind_of(key, kind);
    while (i < counts->count && strcmp(counts->kinds[i].kind, kind) != 0)
        i++;
    if (i == COUNTOF(counts->kinds))
        return;
    if (i == counts->count) {
        memcpy(counts->kinds[i].kind, kind, sizeof kind);
        counts->count++;
    }
    counts->kinds[i].rows++;
    counts->kinds[i].key_bytes += key.size;
    counts->kinds[i].value_bytes += value.size;
}

static status count_all(struct cli *cli, struct kv_reader *reader, struct counts *counts,
                        struct diag *diag)
{
    struct kv_cursor *cursor = NULL;
    struct str key;
    struct str value;
    bool found = true;
    TRY(kv_scan(reader, cli->arena, STR("\0"), STR(""), diag, &cursor));
    status_value result = OK;
    while (is_ok(result = kv_next(cursor, diag, &key, &value, &found)) && found)
        count_row(counts, key, value);
    kv_close(cursor);
    return result;
}

static int print_counts(struct cli *cli, const struct kv_meta *meta, const struct counts *counts)
{
    static const char *const titles[] = {"kind", "#rows", "#key-bytes", "#value-bytes", "meaning"};
    struct print_table table;
    table_init(&table, cli, titles, 5);
    if (cli->format == CLI_TABLE)
        fprintf(cli->out,
                "applied %" PRIu64 " (term %" PRIu64 "), %" PRIu64 " rows, digest %016" PRIx64
                "%016" PRIx64 "\n\n",
                meta->applied_index, meta->applied_term, meta->row_count, meta->digest.high,
                meta->digest.low);
    for (size_t i = 0; i < counts->count; i++) {
        const struct kind_count *kind = &counts->kinds[i];
        const struct str cells[5] = {str_from(kind->kind),
                                     arena_printf(cli->arena, "%" PRIu64, kind->rows),
                                     arena_printf(cli->arena, "%" PRIu64, kind->key_bytes),
                                     arena_printf(cli->arena, "%" PRIu64, kind->value_bytes),
                                     str_from(kind_text(kind->kind))};
        table_row(&table, cells);
    }
    return table_print(&table);
}

/* --- one table --- */

/* The id in the JSON value of a name's row. */
static status id_of(struct cli *cli, struct kv_reader *reader, struct key key, const char *what,
                    struct str name, struct diag *diag, uint64_t *out)
{
    struct json_limits limits = json_limits_document();
    const struct json *json = NULL;
    struct str value;
    bool found = false;
    TRY(kv_get(reader, key_str(&key), diag, &value, &found));
    if (!found)
        return FAIL(diag, NO_SUCH_TABLE, "there is no %s '%.*s' in the state", what, STR_ARG(name));
    TRY(json_parse(cli->arena, value, &limits, diag, &json));
    if (!json_as_u64(json_get(json, "id"), out))
        return FAIL(diag, CORRUPT, "the row of '%.*s' has no id", STR_ARG(name));
    return OK;
}

static status find_table(struct cli *cli, struct kv_reader *reader, const struct name *name,
                         struct diag *diag, uint32_t *out_warehouse, uint64_t *out_id)
{
    const char *warehouse = args_get(cli->args, "warehouse");
    struct str warehouse_name = str_from(warehouse == NULL ? "lake" : warehouse);
    uint64_t id = 0;
    uint64_t parent = 0;
    TRY(id_of(cli, reader, key_warehouse(warehouse_name), "warehouse", warehouse_name, diag, &id));
    uint32_t space = (uint32_t)id;
    for (size_t i = 0; i + 1 < name->count; i++)
        TRY(id_of(cli, reader, key_child(space, KEY_NAMESPACE, parent, name->levels[i]),
                  "namespace", name->levels[i], diag, &parent));
    struct str last = name->levels[name->count - 1];
    TRY(id_of(cli, reader, key_child(space, KEY_TABLE_NAME, parent, last), "table", last, diag,
              out_id));
    *out_warehouse = space;
    return OK;
}

static void write_hex(struct buf *out, struct str bytes)
{
    for (size_t i = 0; i < bytes.size; i++)
        buf_printf(out, "%02x", (unsigned)(unsigned char)bytes.data[i]);
}

/* A value is JSON, or bytes that are shown in hexadecimal. */
static void print_row(struct cli *cli, struct arena *scratch, struct str key, struct str value)
{
    struct json_limits limits = json_limits_document();
    struct diag diag = {.count = 0};
    const struct json *json = NULL;
    struct buf line;
    struct buf hex;
    char part[2] = {key.data[KEY_PART_SIZE - 1], 0};
    struct json_writer w;
    buf_init(&line, scratch, SIZE_MAX);
    buf_init(&hex, scratch, SIZE_MAX);
    write_hex(&hex, str_from_pos(key, KEY_PART_SIZE));
    json_writer_init(&w, &line);
    jw_object(&w);
    jw_key(&w, "part");
    jw_cstr(&w, part);
    jw_key(&w, "key");
    jw_str(&w, buf_view(&hex));
    if (is_ok(json_parse(scratch, value, &limits, &diag, &json))) {
        jw_key(&w, "value");
        jw_value(&w, json);
    } else {
        buf_clear(&hex);
        write_hex(&hex, value);
        jw_key(&w, "bytes");
        jw_str(&w, buf_view(&hex));
    }
    jw_end(&w);
    buf_byte(&line, '\n');
    (void)fwrite(line.data, 1, line.size, cli->out);
}

static status dump_table(struct cli *cli, struct kv_reader *reader, const char *text,
                         struct diag *diag)
{
    struct name name;
    struct kv_cursor *cursor = NULL;
    struct arena scratch;
    struct str key;
    struct str value;
    uint32_t warehouse = 0;
    uint64_t id = 0;
    bool found = true;
    TRY(name_parse_object(cli->arena, str_from(text), diag, &name));
    TRY(find_table(cli, reader, &name, diag, &warehouse, &id));
    struct key prefix = key_object(warehouse, KEY_TABLE, id);
    TRY(kv_scan_prefix(reader, cli->arena, key_str(&prefix), diag, &cursor));
    arena_init(&scratch, allocator_heap(), (size_t)1 << 30);
    status_value result = OK;
    while (is_ok(result = kv_next(cursor, diag, &key, &value, &found)) && found) {
        print_row(cli, &scratch, key, value);
        arena_reset(&scratch);
    }
    arena_deinit(&scratch);
    kv_close(cursor);
    return result;
}

static status show(struct inspect *inspect, struct kv_store *store, struct diag *diag)
{
    struct cli *cli = inspect->cli;
    const char *table = args_get(cli->args, "table");
    struct kv_snapshot *snapshot = NULL;
    struct counts *counts = ARENA_NEW(cli->arena, struct counts);
    if (counts == NULL)
        return FAIL(diag, NOMEM, "no memory");
    TRY(kv_store_snapshot(store, diag, &snapshot));
    status_value result = table == NULL ? count_all(cli, &snapshot->reader, counts, diag)
                                        : dump_table(cli, &snapshot->reader, table, diag);
    if (is_ok(result) && table == NULL)
        (void)print_counts(cli, &snapshot->meta, counts);
    kv_snapshot_close(snapshot);
    return result;
}

int cli_inspect_state(struct cli *cli)
{
    struct inspect inspect;
    struct diag diag = {.count = 0};
    struct kv_store *store = NULL;
    struct lmdb_store_options options = {.create = false};
    int exit_code = inspect_open(cli, &inspect);
    if (exit_code != CLI_OK)
        return exit_code;
    status_value result =
        inspect.env->ops->boot_id(inspect.env, cli->arena, &diag, &options.boot_id);
    if (is_ok(result))
        result =
            lmdb_store_open(inspect.env, inspect.state, &options, allocator_heap(), &diag, &store);
    if (result.code == STATUS_CORRUPT)
        (void)FAIL(&diag, CORRUPT,
                   "the state is a cache: start the node once, it rebuilds it from "
                   "the snapshot and the log");
    if (is_ok(result))
        result = show(&inspect, store, &diag);
    kv_store_close(store);
    inspect_close(&inspect);
    return is_ok(result) ? CLI_OK : print_status(cli, result, &diag, NULL);
}
