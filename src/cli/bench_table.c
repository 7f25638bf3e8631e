/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_table.c - the tables of the benchmarks and the requests an engine makes for them.
 *
 * An append-commit is what Java's and PyIceberg's writers send: two requirements, the snapshot with
 * a summary of 14 keys, and the branch. Its files need not exist: a catalog never reads them.
 */
#include "cli/bench.h"
#include "cli/bench_machine.h"

#include <inttypes.h>
#include <sys/stat.h>

/* The schema of a small fact table, as text inside JSON. */
static const char schema_json[] =
    "{\"type\":\"struct\",\"schema-id\":0,\"fields\":["
    "{\"id\":1,\"name\":\"id\",\"required\":false,\"type\":\"long\"},"
    "{\"id\":2,\"name\":\"customer_id\",\"required\":false,\"type\":\"long\"},"
    "{\"id\":3,\"name\":\"product_id\",\"required\":false,\"type\":\"long\"},"
    "{\"id\":4,\"name\":\"quantity\",\"required\":false,\"type\":\"int\"},"
    "{\"id\":5,\"name\":\"price\",\"required\":false,\"type\":\"decimal(12, 2)\"},"
    "{\"id\":6,\"name\":\"currency\",\"required\":false,\"type\":\"string\"},"
    "{\"id\":7,\"name\":\"country\",\"required\":false,\"type\":\"string\"},"
    "{\"id\":8,\"name\":\"channel\",\"required\":false,\"type\":\"string\"},"
    "{\"id\":9,\"name\":\"ordered_at\",\"required\":false,\"type\":\"timestamptz\"},"
    "{\"id\":10,\"name\":\"shipped_at\",\"required\":false,\"type\":\"timestamptz\"},"
    "{\"id\":11,\"name\":\"note\",\"required\":false,\"type\":\"string\"},"
    "{\"id\":12,\"name\":\"is_gift\",\"required\":false,\"type\":\"boolean\"}]}";
static const char spec_fields_json[] =
    "[{\"source-id\":9,\"field-id\":1000,\"name\":\"ordered_day\",\"transform\":\"day\"}]";

void bench_create_body(struct buf *out, const char *table)
{
    buf_printf(out,
               "{\"name\":\"%s\",\"schema\":%s,\"partition-spec\":{\"spec-id\":0,\"fields\":%s},"
               "\"properties\":{\"write.format.default\":\"parquet\"}}",
               table, schema_json, spec_fields_json);
}

int64_t bench_snapshot_id(struct prng *prng)
{
    return (int64_t)(prng_u64(prng) >> 1 | 1);
}

/* One snapshot; its number shapes the figures, so that summaries differ as real ones do. */
static void write_snapshot(struct buf *out, int64_t id, int64_t parent, uint64_t sequence,
                           uint64_t now_ms, const char *location)
{
    buf_printf(out, "{\"sequence-number\":%" PRIu64 ",\"snapshot-id\":%" PRId64 ",", sequence, id);
    if (parent != 0)
        buf_printf(out, "\"parent-snapshot-id\":%" PRId64 ",", parent);
    buf_printf(out,
               "\"timestamp-ms\":%" PRIu64 ",\"manifest-list\":\"%s/metadata/snap-%" PRId64
               "-1-0d8b1c2e-5f3a-4c7d-9e21-6a4b8c0d2e3f.avro\",\"schema-id\":0,",
               now_ms, location, id);
    buf_printf(out,
               "\"summary\":{\"operation\":\"append\",\"added-data-files\":\"4\","
               "\"added-records\":\"%" PRIu64 "\",\"added-files-size\":\"%" PRIu64 "\","
               "\"changed-partition-count\":\"1\",\"total-records\":\"%" PRIu64 "\","
               "\"total-files-size\":\"%" PRIu64 "\",\"total-data-files\":\"%" PRIu64 "\","
               "\"total-delete-files\":\"0\",\"total-position-deletes\":\"0\","
               "\"total-equality-deletes\":\"0\",\"engine-name\":\"spark\","
               "\"engine-version\":\"4.0.1\",\"app-id\":\"application_1761000000000_0042\"}}",
               10000 + sequence % 977, 1048576 + sequence % 65537, sequence * 10000,
               sequence * 1048576, sequence * 4);
}

void bench_commit_body(struct buf *out, const struct bench_table *table, int64_t snapshot_id,
                       uint64_t now_ms)
{
    buf_printf(out, "{\"requirements\":[{\"type\":\"assert-table-uuid\",\"uuid\":\"%s\"},",
               table->uuid);
    buf_str(out, STR("{\"type\":\"assert-ref-snapshot-id\",\"ref\":\"main\",\"snapshot-id\":"));
    if (table->parent == 0)
        buf_str(out, STR("null"));
    else
        buf_i64(out, table->parent);
    buf_str(out, STR("}],\"updates\":[{\"action\":\"add-snapshot\",\"snapshot\":"));
    write_snapshot(out, snapshot_id, table->parent, table->sequence + 1, now_ms,
                   "file:///data/lake/bench/orders");
    buf_printf(out,
               "},{\"action\":\"set-snapshot-ref\",\"ref-name\":\"main\",\"type\":\"branch\","
               "\"snapshot-id\":%" PRId64 "}]}",
               snapshot_id);
}

/* The value behind the first "key": in text; "" when it is not there. */
static struct str text_behind(struct str text, const char *quoted_key)
{
    const char *at = memmem(text.data, text.size, quoted_key, strlen(quoted_key));
    if (at == NULL)
        return STR("");
    struct str rest = {at + strlen(quoted_key), 0};
    rest.size = text.size - (size_t)(rest.data - text.data);
    while (rest.size > 0 && (rest.data[0] == ' ' || rest.data[0] == '"'))
        rest = str_from_pos(rest, 1);
    size_t end = 0;
    while (end < rest.size && strchr("\",} ", rest.data[end]) == NULL)
        end++;
    rest.size = end;
    return rest;
}

bool bench_read_table(struct str body, struct bench_table *out)
{
    struct str uuid = text_behind(body, "\"table-uuid\":");
    if (uuid.size != UUID_TEXT_SIZE)
        return false;
    memcpy(out->uuid, uuid.data, UUID_TEXT_SIZE);
    out->uuid[UUID_TEXT_SIZE] = 0;
    out->parent = 0;
    out->sequence = 0;
    (void)str_to_u64(text_behind(body, "\"last-sequence-number\":"), &out->sequence);
    if (!str_to_i64(text_behind(body, "\"current-snapshot-id\":"), &out->parent) || out->parent < 0)
        out->parent = 0;
    return true;
}

/* --- a table with a long history, as a file --- */

struct history {
    FILE *file;
    struct arena arena; /* of one piece */
    struct prng prng;
    int64_t *ids;
    uint32_t count;
    uint64_t first_ms;
    const char *location;
};

static void write_header(struct history *history, const char *uuid)
{
    fprintf(history->file,
            "{\"format-version\":2,\"table-uuid\":\"%.36s\",\"location\":\"%s\","
            "\"last-sequence-number\":%" PRIu32 ",\"last-updated-ms\":%" PRIu64
            ",\"last-column-id\":12,\"current-schema-id\":0,\"schemas\":[%s],"
            "\"default-spec-id\":0,\"partition-specs\":[{\"spec-id\":0,\"fields\":%s}],"
            "\"last-partition-id\":1000,\"default-sort-order-id\":0,"
            "\"sort-orders\":[{\"order-id\":0,\"fields\":[]}],"
            "\"properties\":{\"write.format.default\":\"parquet\"},\"current-snapshot-id\":%" PRId64
            ",\"refs\":{\"main\":{\"snapshot-id\":%" PRId64
            ",\"type\":\"branch\"}},\"snapshots\":[",
            uuid, history->location, history->count,
            history->first_ms + (uint64_t)history->count * 1000, schema_json, spec_fields_json,
            history->ids[history->count - 1], history->ids[history->count - 1]);
}

static void write_snapshots(struct history *history)
{
    for (uint32_t i = 0; i < history->count; i++) {
        struct buf piece;
        arena_reset(&history->arena);
        buf_init(&piece, &history->arena, 1 << 16);
        write_snapshot(&piece, history->ids[i], i == 0 ? 0 : history->ids[i - 1], i + 1,
                       history->first_ms + (uint64_t)i * 1000, history->location);
        fputs(i == 0 ? "" : ",", history->file);
        (void)fwrite(piece.data, 1, piece.size, history->file);
    }
}

static void write_logs(struct history *history)
{
    uint32_t logged = history->count < 100 ? history->count : 100;
    fputs("],\"statistics\":[],\"partition-statistics\":[],\"snapshot-log\":[", history->file);
    for (uint32_t i = 0; i < history->count; i++)
        fprintf(history->file, "%s{\"timestamp-ms\":%" PRIu64 ",\"snapshot-id\":%" PRId64 "}",
                i == 0 ? "" : ",", history->first_ms + (uint64_t)i * 1000, history->ids[i]);
    fputs("],\"metadata-log\":[", history->file);
    for (uint32_t i = 0; i < logged; i++)
        fprintf(history->file,
                "%s{\"timestamp-ms\":%" PRIu64 ",\"metadata-file\":\"%s/metadata/%05" PRIu32
                "-7b0c5a3e-1d2f-4e6a-8b9c-0f1e2d3c4b5a.metadata.json\"}",
                i == 0 ? "" : ",",
                history->first_ms + (uint64_t)(history->count - logged + i) * 1000,
                history->location, history->count - logged + i);
    fputs("]}", history->file);
}

static status make_parents(const char *path, struct diag *diag)
{
    char folder[4096];
    size_t size = strlen(path);
    if (size >= sizeof folder)
        return FAIL(diag, INVALID, "too long a path: %s", path);
    memcpy(folder, path, size + 1);
    for (size_t i = 1; i < size; i++) {
        if (folder[i] != '/')
            continue;
        folder[i] = 0;
        (void)mkdir(folder, 0755);
        folder[i] = '/';
    }
    return OK;
}

status bench_write_metadata(struct bench *bench, const char *path, struct str location,
                            uint32_t snapshots, struct diag *diag, uint64_t *out_bytes)
{
    char uuid[UUID_TEXT_SIZE];
    struct history history = {.count = snapshots, .location = location.data};
    uint64_t now_ms = bench->env->ops->wall_ns(bench->env) / 1000000;
    history.first_ms = now_ms - (uint64_t)snapshots * 1000 - 120000;
    history.ids = ARENA_ARRAY(bench->arena, int64_t, snapshots);
    if (history.ids == NULL)
        return FAIL(diag, NOMEM, "no memory for %" PRIu32 " snapshots", snapshots);
    for (uint32_t i = 0; i < snapshots; i++)
        history.ids[i] = bench_snapshot_id(&bench->prng);
    uuid_format(uuid_v4(&bench->prng), uuid);
    TRY(make_parents(path, diag));
    history.file = fopen(path, "we");
    if (history.file == NULL)
        return FAIL(diag, IO, "could not write %s: %s", path, bench_errno_text());
    arena_init(&history.arena, allocator_heap(), 1 << 20);
    write_header(&history, uuid);
    write_snapshots(&history);
    write_logs(&history);
    arena_deinit(&history.arena);
    long size = ftell(history.file);
    if (fclose(history.file) != 0 || size < 0)
        return FAIL(diag, IO, "could not write %s: %s", path, bench_errno_text());
    *out_bytes = (uint64_t)size;
    return OK;
}
