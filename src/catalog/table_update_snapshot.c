/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table_update_snapshot.c - add-snapshot and remove-snapshots.
 *
 * The snapshot row keeps what the client sent, unknown members too, except for nulls and a parent
 * of -1, which readers do not expect. Stale sequence numbers and row ids are conflicts (409), not
 * bad requests: the client lost a race and must retry; an engine that reads 400 fails its job and
 * deletes its files.
 */
#include "catalog/table.h"

#include <inttypes.h>

struct snapshot_fields {
    int64_t id;
    int64_t timestamp_ms;
    int64_t sequence_number;
    bool has_parent;
    bool has_first_row, has_added_rows;
    int64_t first_row_id;
    int64_t added_rows;
};

static status parse_parent(const struct json *json, struct diag *diag,
                           struct snapshot_fields *snapshot)
{
    int64_t parent = TABLE_NO_SNAPSHOT;
    bool found = false;
    TRY(json_opt_i64(json, "parent-snapshot-id", "snapshot", diag, &parent, &found));
    snapshot->has_parent = found && parent != TABLE_NO_SNAPSHOT;
    return OK;
}

static status check_summary(const struct json *json, struct diag *diag)
{
    const struct json *summary = json_get(json, "summary");
    if (json_is_null(summary))
        return OK;
    if (!json_is(summary, JSON_OBJECT))
        return FAIL(diag, INVALID, "Cannot parse summary from non-object value");
    struct json_iter iter = json_iter(summary);
    struct str key;
    const struct json *value;
    while (json_next(&iter, &key, &value)) {
        if (!json_is(value, JSON_STRING))
            return FAIL(diag, INVALID, "snapshot: the summary value of %.*s is no string",
                        STR_ARG(key));
    }
    return OK;
}

static status check_manifests(const struct json *json, int32_t format_version, struct diag *diag)
{
    struct str path;
    bool found = false;
    TRY(json_opt_str(json, "manifest-list", "snapshot", diag, &path, &found));
    if (found || (format_version == 1 && json_is(json_get(json, "manifests"), JSON_ARRAY)))
        return OK;
    return FAIL(diag, INVALID, "snapshot: manifest-list is missing");
}

static status parse_snapshot(const struct json *json, int32_t format_version, struct diag *diag,
                             struct snapshot_fields *out)
{
    struct snapshot_fields snapshot = {.id = 0};
    bool found = false;
    TRY(json_need_i64(json, "snapshot-id", "snapshot", diag, &snapshot.id));
    TRY(json_need_i64(json, "timestamp-ms", "snapshot", diag, &snapshot.timestamp_ms));
    TRY(json_opt_i64(json, "sequence-number", "snapshot", diag, &snapshot.sequence_number, &found));
    TRY(json_opt_i64(json, "first-row-id", "snapshot", diag, &snapshot.first_row_id,
                     &snapshot.has_first_row));
    TRY(json_opt_i64(json, "added-rows", "snapshot", diag, &snapshot.added_rows,
                     &snapshot.has_added_rows));
    TRY(parse_parent(json, diag, &snapshot));
    TRY(check_summary(json, diag));
    TRY(check_manifests(json, format_version, diag));
    if (snapshot.id == TABLE_NO_SNAPSHOT)
        return FAIL(diag, INVALID, "snapshot: -1 is no snapshot id");
    if (snapshot.sequence_number < 0)
        return FAIL(diag, INVALID, "snapshot: the sequence number is negative");
    *out = snapshot;
    return OK;
}

static status check_table_is_ready(const struct table_edit *edit)
{
    struct diag *diag = edit->context->diag;
    if (!edit->creating)
        return OK; /* an existing table has all three */
    if (edit->now.current_schema_id < 0 && !edit->has_last_schema)
        return FAIL(diag, ILLEGAL_ARGUMENT,
                    "Attempting to add a snapshot before a schema is added");
    if (edit->now.default_spec_id < 0 && !edit->has_last_spec)
        return FAIL(diag, ILLEGAL_ARGUMENT,
                    "Attempting to add a snapshot before a partition spec is added");
    if (edit->now.default_order_id < 0 && !edit->has_last_order)
        return FAIL(diag, ILLEGAL_ARGUMENT,
                    "Attempting to add a snapshot before a sort order is added");
    return OK;
}

static void write_snapshot(const struct json *json, struct buf *out)
{
    struct json_writer writer;
    struct json_iter iter = json_iter(json);
    struct str key;
    const struct json *value;
    json_writer_init(&writer, out);
    jw_object(&writer);
    while (json_next(&iter, &key, &value)) {
        int64_t parent = 0;
        if (json_is_null(value))
            continue;
        if (str_is(key, "parent-snapshot-id") && json_as_i64(value, &parent) &&
            parent == TABLE_NO_SNAPSHOT)
            continue;
        jw_key_str(&writer, key);
        jw_value(&writer, value);
    }
    jw_end(&writer);
}

/* The same snapshot again is a retry of what already happened: a conflict, so that its files
 * live. */
static status fail_exists(struct table_edit *edit, int64_t id, uint64_t ordinal,
                          const struct buf *text)
{
    struct key key = table__key_u64(edit, PART_SNAPSHOT, ordinal);
    struct str row;
    bool found = false;
    const struct json *stored = NULL;
    const struct json *sent = NULL;
    TRY(table__get(edit, &key, &row, &found));
    if (found) {
        TRY(table__fragment(edit->context, row, &stored));
        TRY(table__fragment(edit->context, buf_view(text), &sent));
    }
    if (found && json_equal(stored, sent))
        return FAIL(edit->context->diag, COMMIT_FAILED, "Snapshot already exists for id: %" PRId64,
                    id);
    return FAIL(edit->context->diag, ILLEGAL_ARGUMENT, "Snapshot already exists for id: %" PRId64,
                id);
}

static status check_sequence(struct table_edit *edit, const struct snapshot_fields *snapshot)
{
    struct table_header *now = &edit->now;
    if (now->format_version == 1 && snapshot->sequence_number != 0)
        return FAIL(edit->context->diag, ILLEGAL_ARGUMENT,
                    "Sequence number must be 0 in v1: %" PRId64, snapshot->sequence_number);
    if (now->format_version > 1 && snapshot->has_parent &&
        snapshot->sequence_number <= now->last_sequence_number)
        return FAIL(edit->context->diag, COMMIT_FAILED,
                    "Validation failed, please retry: Cannot add snapshot with sequence number "
                    "%" PRId64 " older than last sequence number %" PRId64,
                    snapshot->sequence_number, now->last_sequence_number);
    now->last_sequence_number = i64_max(now->last_sequence_number, snapshot->sequence_number);
    return OK;
}

static status check_row_ids(struct table_edit *edit, const struct snapshot_fields *snapshot)
{
    struct diag *diag = edit->context->diag;
    struct table_header *now = &edit->now;
    if (now->format_version < 3)
        return OK;
    if (!snapshot->has_first_row)
        return FAIL(diag, ILLEGAL_ARGUMENT, "Cannot add a snapshot: first-row-id is null");
    if (snapshot->first_row_id < now->next_row_id)
        return FAIL(diag, COMMIT_FAILED,
                    "Validation failed, please retry: Cannot add a snapshot, first-row-id is "
                    "behind table next-row-id: %" PRId64 " < %" PRId64,
                    snapshot->first_row_id, now->next_row_id);
    if (!snapshot->has_added_rows || snapshot->added_rows < 0)
        return FAIL(diag, ILLEGAL_ARGUMENT,
                    "Cannot add a snapshot: added-rows is missing or negative");
    if (snapshot->added_rows > INT64_MAX - snapshot->first_row_id)
        return FAIL(diag, ILLEGAL_ARGUMENT, "Cannot add a snapshot: added-rows is too large");
    now->next_row_id = snapshot->first_row_id + snapshot->added_rows;
    return OK;
}

static status store_snapshot(struct table_edit *edit, const struct snapshot_fields *snapshot,
                             const struct buf *text)
{
    struct table_snapshot_index index = {.ordinal = edit->now.next_snapshot};
    struct key key = table__key_u64(edit, PART_SNAPSHOT, index.ordinal);
    TRY(table__append(edit, &key, buf_view(text)));
    TRY(table__index_put(edit, snapshot->id, index));
    edit->now.next_snapshot++;
    edit->now.snapshot_count++;
    edit->has_added = true;
    edit->added_id = snapshot->id;
    edit->added_ms = snapshot->timestamp_ms;
    edit->added_ordinal = index.ordinal;
    edit->changed = true;
    return OK;
}

status_value table__update_add_snapshot(struct table_edit *edit, const struct json *update)
{
    struct diag *diag = edit->context->diag;
    const struct json *json = NULL;
    struct snapshot_fields snapshot;
    struct table_snapshot_index index;
    bool exists = false;
    struct buf text;
    TRY(json_need_object(update, "snapshot", "add-snapshot", diag, &json));
    TRY(parse_snapshot(json, edit->now.format_version, diag, &snapshot));
    TRY(check_table_is_ready(edit));
    table__buf(edit, &text);
    write_snapshot(json, &text);
    TRY(buf_finish(&text, "snapshot", diag));
    TRY(table__index_get(edit, snapshot.id, &index, &exists));
    if (exists)
        return fail_exists(edit, snapshot.id, index.ordinal, &text);
    TRY(check_sequence(edit, &snapshot));
    TRY(check_row_ids(edit, &snapshot));
    return store_snapshot(edit, &snapshot, &text);
}

/* --- remove-snapshots --- */

static status delete_if_there(struct table_edit *edit, enum key_part part, int64_t id)
{
    struct key key = table__key_i64(edit, part, id);
    struct str row;
    bool found = false;
    TRY(table__get(edit, &key, &row, &found));
    return found ? table__delete(edit, &key) : OK;
}

static status remove_snapshot(struct table_edit *edit, int64_t id)
{
    struct table_snapshot_index index;
    bool found = false;
    TRY(table__index_get(edit, id, &index, &found));
    if (!found)
        return OK;
    struct key row = table__key_u64(edit, PART_SNAPSHOT, index.ordinal);
    struct key index_row = table__key_i64(edit, PART_SNAPSHOT_ID, id);
    TRY(table__delete(edit, &row));
    TRY(outbox__row_delete(edit->context, &index_row, 0));
    TRY(delete_if_there(edit, PART_STATISTICS, id));
    TRY(delete_if_there(edit, PART_PARTITION_STATISTICS, id));
    if (edit->has_added && edit->added_id == id)
        edit->has_added = false;
    edit->log_cut = u64_max(edit->log_cut, index.log_end);
    edit->now.snapshot_count--;
    edit->removed_count++;
    edit->changed = true;
    return OK;
}

status_value table__update_remove_snapshots(struct table_edit *edit, const struct json *update)
{
    struct diag *diag = edit->context->diag;
    const struct json *ids = NULL;
    TRY(json_need_array(update, "snapshot-ids", "remove-snapshots", diag, &ids));
    struct json_iter iter = json_iter(ids);
    const struct json *value;
    while (json_next(&iter, NULL, &value)) {
        int64_t id = 0;
        if (!json_as_i64(value, &id))
            return FAIL(diag, INVALID, "remove-snapshots: snapshot-ids must be integers");
        TRY(remove_snapshot(edit, id));
    }
    return OK;
}
