/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table_stream.c - the plan of a table's metadata document, members in the order of Iceberg's own
 * writer, unknown members last.
 *
 * current-snapshot-id of a table without one is -1 in v1 and v2 and null from v3 on: some readers
 * need exactly that. Ranges end at the header's ordinals, so a header of an older version over
 * newer rows still gives that version's document (table.h T2).
 */
#include "catalog/stream.h"
#include "catalog/table.h"

#include <stdlib.h>

struct planner {
    struct stream_plan *plan;
    struct table_header header;
};

static struct key part_key(const struct planner *planner, enum key_part part)
{
    return key_part(planner->plan->warehouse, KEY_TABLE, planner->plan->object_id, part);
}

static void text(struct planner *planner, const char *literal)
{
    buf_str(stream_text(planner->plan), str_from(literal));
}

static void number(struct planner *planner, const char *literal, int64_t value)
{
    text(planner, literal);
    buf_i64(stream_text(planner->plan), value);
}

static void all_rows(struct planner *planner, enum key_part part)
{
    struct key prefix = part_key(planner, part);
    stream_rows(planner->plan, STREAM_VALUES, key_str(&prefix), STR(""));
}

static void rows_below(struct planner *planner, enum key_part part, uint64_t end_ordinal)
{
    struct key from = part_key(planner, part);
    struct key end = from;
    key_u64(&end, end_ordinal);
    stream_rows(planner->plan, STREAM_VALUES, key_str(&from), key_str(&end));
}

static status get_row(struct planner *planner, enum key_part part, int32_t id,
                      const struct json **out)
{
    struct stream_plan *plan = planner->plan;
    struct json_limits limits = json_limits_document();
    struct key key = part_key(planner, part);
    struct str row;
    bool found = false;
    key_i32(&key, id);
    TRY(kv_get(plan->reader, key_str(&key), plan->diag, &row, &found));
    *out = NULL;
    return found ? json_parse(plan->arena, row, &limits, plan->diag, out) : OK;
}

/* --- the members --- */

static void plan_identity(struct planner *planner)
{
    const struct table_header *header = &planner->header;
    struct buf *out = stream_text(planner->plan);
    number(planner, "{\"format-version\":", header->format_version);
    text(planner, ",\"table-uuid\":");
    json_write_string(out, header->uuid);
    if (header->location.size > 0) {
        text(planner, ",\"location\":");
        json_write_string(out, header->location);
    }
    if (header->format_version > 1)
        number(planner, ",\"last-sequence-number\":", header->last_sequence_number);
    number(planner, ",\"last-updated-ms\":", header->last_updated_ms);
    number(planner, ",\"last-column-id\":", header->last_column_id);
}

static void plan_schemas(struct planner *planner)
{
    const struct table_header *header = &planner->header;
    if (header->format_version == 1) {
        struct key key = part_key(planner, PART_SCHEMA);
        key_i32(&key, header->current_schema_id);
        text(planner, ",\"schema\":");
        stream_row(planner->plan, key_str(&key));
    }
    number(planner, ",\"current-schema-id\":", header->current_schema_id);
    text(planner, ",\"schemas\":[");
    all_rows(planner, PART_SCHEMA);
    text(planner, "]");
}

/* v1 readers look for the fields of the default spec alone. */
static status plan_v1_spec(struct planner *planner)
{
    const struct json *spec = NULL;
    TRY(get_row(planner, PART_SPEC, planner->header.default_spec_id, &spec));
    const struct json *fields = json_get(spec, "fields");
    text(planner, ",\"partition-spec\":");
    if (fields != NULL)
        json_write(stream_text(planner->plan), fields);
    else
        text(planner, "[]");
    return OK;
}

static status plan_layout(struct planner *planner)
{
    const struct table_header *header = &planner->header;
    if (header->format_version == 1)
        TRY(plan_v1_spec(planner));
    number(planner, ",\"default-spec-id\":", header->default_spec_id);
    text(planner, ",\"partition-specs\":[");
    all_rows(planner, PART_SPEC);
    number(planner, "],\"last-partition-id\":", header->last_partition_id);
    number(planner, ",\"default-sort-order-id\":", header->default_order_id);
    text(planner, ",\"sort-orders\":[");
    all_rows(planner, PART_ORDER);
    text(planner, "]");
    return OK;
}

static status plan_properties(struct planner *planner)
{
    struct stream_plan *plan = planner->plan;
    struct key key = part_key(planner, PART_PROPERTIES);
    struct str row;
    bool found = false;
    TRY(kv_get(plan->reader, key_str(&key), plan->diag, &row, &found));
    text(planner, ",\"properties\":");
    if (found)
        stream_row(plan, key_str(&key));
    else
        text(planner, "{}");
    return OK;
}

static void plan_state(struct planner *planner)
{
    const struct table_header *header = &planner->header;
    bool has_current = header->current_snapshot_id != TABLE_NO_SNAPSHOT;
    if (has_current || header->format_version < 3)
        number(planner, ",\"current-snapshot-id\":", header->current_snapshot_id);
    else
        text(planner, ",\"current-snapshot-id\":null");
    if (header->format_version >= 3)
        number(planner, ",\"next-row-id\":", header->next_row_id);
    struct key keys = part_key(planner, PART_ENCRYPTION_KEY);
    stream_rows_if_any(planner->plan, key_str(&keys), STR(",\"encryption-keys\":["), STR("]"));
    text(planner, ",\"refs\":{");
    struct key refs = part_key(planner, PART_REF);
    stream_rows(planner->plan, STREAM_MEMBERS, key_str(&refs), STR(""));
    text(planner, "}");
}

/* --- snapshots that refs point at --- */

struct ordinals {
    uint64_t *items;
    size_t count;
    size_t capacity;
};

static status add_ordinal(struct planner *planner, int64_t snapshot_id, struct ordinals *list)
{
    struct stream_plan *plan = planner->plan;
    struct key key = part_key(planner, PART_SNAPSHOT_ID);
    struct str row;
    bool found = false;
    key_i64(&key, snapshot_id);
    TRY(kv_get(plan->reader, key_str(&key), plan->diag, &row, &found));
    if (!found)
        return OK;
    uint64_t *grown =
        table__grow(plan->arena, list->items, list->count, &list->capacity, sizeof(uint64_t));
    if (grown == NULL)
        return FAIL(plan->diag, NOMEM, "could not list the table's refs");
    list->items = grown;
    list->items[list->count++] = table__index_decode(row).ordinal;
    return OK;
}

static status collect_ordinals(struct planner *planner, struct kv_cursor *cursor,
                               struct ordinals *list)
{
    struct stream_plan *plan = planner->plan;
    struct json_limits limits = json_limits_document();
    struct str key;
    struct str row;
    bool found = false;
    TRY(kv_next(cursor, plan->diag, &key, &row, &found));
    while (found) {
        const struct json *json = NULL;
        int64_t id = 0;
        TRY(json_parse(plan->arena, row, &limits, plan->diag, &json));
        TRY(json_need_i64(json, "snapshot-id", "snapshot ref", plan->diag, &id));
        TRY(add_ordinal(planner, id, list));
        TRY(kv_next(cursor, plan->diag, &key, &row, &found));
    }
    return OK;
}

static int compare_ordinals(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

static void sort_unique(struct ordinals *list)
{
    size_t kept = 0;
    if (list->count > 1)
        qsort(list->items, list->count, sizeof(uint64_t), compare_ordinals);
    for (size_t i = 0; i < list->count; i++) {
        if (kept == 0 || list->items[kept - 1] != list->items[i])
            list->items[kept++] = list->items[i];
    }
    list->count = kept;
}

static status plan_referenced(struct planner *planner)
{
    struct stream_plan *plan = planner->plan;
    struct ordinals list = {.count = 0};
    struct key refs = part_key(planner, PART_REF);
    struct key prefix = part_key(planner, PART_SNAPSHOT);
    struct kv_cursor *cursor = NULL;
    TRY(kv_scan_prefix(plan->reader, plan->arena, key_str(&refs), plan->diag, &cursor));
    status_value result = collect_ordinals(planner, cursor, &list);
    kv_close(cursor);
    TRY(result);
    sort_unique(&list);
    stream_ordinals(plan, key_str(&prefix), list.items, list.count);
    return OK;
}

static status plan_history(struct planner *planner)
{
    const struct table_header *header = &planner->header;
    text(planner, ",\"snapshots\":[");
    if (planner->plan->refs_only)
        TRY(plan_referenced(planner));
    else
        rows_below(planner, PART_SNAPSHOT, header->next_snapshot);
    text(planner, "],\"statistics\":[");
    all_rows(planner, PART_STATISTICS);
    text(planner, "],\"partition-statistics\":[");
    all_rows(planner, PART_PARTITION_STATISTICS);
    text(planner, "],\"snapshot-log\":[");
    rows_below(planner, PART_LOG, header->next_log);
    text(planner, "],\"metadata-log\":[");
    rows_below(planner, PART_METADATA_LOG, header->next_metadata_log);
    text(planner, "]");
    return OK;
}

/* The members of a JSON object's text, or nothing. */
static struct str members_of(struct str object)
{
    return object.size > 2 ? str_slice(object, 1, object.size - 1) : STR("");
}

static void plan_extra(struct planner *planner)
{
    struct str members = members_of(planner->header.extra);
    if (members.size > 0) {
        text(planner, ",");
        buf_str(stream_text(planner->plan), members);
    }
    text(planner, "}");
}

status_value table__plan(struct stream_plan *plan)
{
    struct planner planner = {.plan = plan};
    TRY(table__header_get(plan->reader, plan->arena, plan->warehouse, plan->object_id, plan->diag,
                          &planner.header));
    stream_begin(plan, planner.header.metadata_location);
    plan_identity(&planner);
    plan_schemas(&planner);
    TRY(plan_layout(&planner));
    TRY(plan_properties(&planner));
    plan_state(&planner);
    TRY(plan_history(&planner));
    plan_extra(&planner);
    return stream_end(plan);
}
