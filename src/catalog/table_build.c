/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table_build.c - turns an edit into one new version of the table.
 *
 * B1  last-updated-ms never falls: it is the newest of the entry's stamp, the version before and
 *     the snapshot log.
 * B2  Snapshot log: snapshots that this edit made current only on the way leave no entry; an entry
 *     whose snapshot is removed takes everything before it along.
 * B3  The default spec and order are checked against the current schema only if one of the three
 *     changed: otherwise the check of an earlier version still stands.
 * B4  A snapshot that a branch or tag still points at cannot be removed (409). Java drops the ref
 *     with it and so loses a branch that was created while an expiry was planned.
 */
#include "catalog/table.h"

#include <inttypes.h>

int64_t table__now_ms(const struct table_edit *edit)
{
    int64_t now_ms = catalog_now_ms(edit->context);
    return i64_max(now_ms, i64_max(edit->base.last_updated_ms, edit->base.last_log_ms));
}

/* --- what must hold --- */

static status check_complete(const struct table_edit *edit)
{
    struct diag *diag = edit->context->diag;
    const struct table_header *now = &edit->now;
    if (now->uuid.size == 0)
        return FAIL(diag, ILLEGAL_ARGUMENT, "UUID is required in format v%d", now->format_version);
    if (now->location.size == 0)
        return FAIL(diag, ILLEGAL_ARGUMENT, "Cannot create table without a location");
    if (now->current_schema_id < 0)
        return FAIL(diag, ILLEGAL_ARGUMENT, "Cannot create table without a current schema");
    if (now->default_spec_id < 0)
        return FAIL(diag, ILLEGAL_ARGUMENT, "Partition specs cannot be null or empty");
    if (now->default_order_id < 0)
        return FAIL(diag, ILLEGAL_ARGUMENT, "Sort orders cannot be null or empty");
    return OK;
}

static status check_bindings(struct table_edit *edit)
{
    struct diag *diag = edit->context->diag;
    const struct schema *schema = NULL;
    const struct spec *spec = NULL;
    const struct sort_order *order = NULL;
    TRY(table__schema_find(edit, edit->now.current_schema_id, &schema));
    TRY(table__spec_find(edit, edit->now.default_spec_id, &spec));
    TRY(table__order_find(edit, edit->now.default_order_id, &order));
    if (schema == NULL || spec == NULL || order == NULL)
        return FAIL(diag, CORRUPT, "the table's current schema, spec or order has no row");
    /* Only sources: a column may get a partition field's name later, and Java checks no more. */
    TRY(spec_check_sources(spec, schema, diag));
    return sort_check_sources(order, schema, diag);
}

static status check_ref_row(struct table_edit *edit, struct str row)
{
    struct diag *diag = edit->context->diag;
    const struct json *json = NULL;
    struct table_ref ref;
    struct str name;
    struct table_snapshot_index index;
    bool found = false;
    TRY(table__fragment(edit->context, row, &json));
    TRY(json_need_str(json, "name", "snapshot ref", diag, &name));
    TRY(table__ref_parse(json, name, diag, &ref));
    TRY(table__index_get(edit, ref.snapshot_id, &index, &found));
    if (found)
        return OK;
    return FAIL(diag, COMMIT_FAILED,
                "Validation failed, please retry: Cannot remove snapshot %" PRId64
                ": %s %.*s points at it",
                ref.snapshot_id, ref.is_tag ? "tag" : "branch", STR_ARG(name));
}

static status check_refs(struct table_edit *edit)
{
    struct key prefix = table__key(edit, PART_REF);
    struct kv_cursor *cursor = NULL;
    struct str key;
    struct str row;
    bool found = false;
    TRY(kv_scan_prefix(edit->context->view, edit->context->arena, key_str(&prefix),
                       edit->context->diag, &cursor));
    status_value result = kv_next(cursor, edit->context->diag, &key, &row, &found);
    while (is_ok(result) && found) {
        result = check_ref_row(edit, row);
        if (is_ok(result))
            result = kv_next(cursor, edit->context->diag, &key, &row, &found);
    }
    kv_close(cursor);
    return result;
}

/* --- the snapshot log --- */

/* Drops entries of intermediate snapshots; a removed one takes all older entries with it. */
static status filter_log(struct table_edit *edit)
{
    size_t kept = 0;
    for (size_t i = 0; i < edit->log_count; i++) {
        struct table_log_entry entry = edit->log[i];
        struct table_snapshot_index index;
        bool exists = true;
        if (edit->removed_count > 0)
            TRY(table__index_get(edit, entry.snapshot_id, &index, &exists));
        if (!exists) {
            edit->log_cut = edit->base.next_log;
            kept = 0;
        } else if (!entry.added || entry.snapshot_id == edit->now.current_snapshot_id) {
            edit->log[kept++] = entry;
        }
    }
    edit->log_count = kept;
    return OK;
}

static status cut_log(struct table_edit *edit)
{
    if (edit->removed_count > 0)
        edit->log_cut = u64_max(edit->log_cut, edit->base.dangling_log);
    edit->log_cut = u64_max(edit->log_cut, edit->now.first_log);
    for (uint64_t at = edit->now.first_log; at < edit->log_cut; at++) {
        struct key key = table__key_u64(edit, PART_LOG, at);
        TRY(table__delete(edit, &key));
    }
    edit->now.first_log = edit->log_cut;
    if (edit->now.dangling_log <= edit->now.first_log)
        edit->now.dangling_log = 0;
    return OK;
}

static status append_log(struct table_edit *edit, const struct table_log_entry *entry)
{
    struct table_header *now = &edit->now;
    struct table_snapshot_index index;
    struct buf text;
    bool found = false;
    if (now->next_log > now->first_log &&
        entry->timestamp_ms < now->last_log_ms - TABLE_CLOCK_SKEW_MS)
        return FAIL(edit->context->diag, ILLEGAL_ARGUMENT,
                    "Invalid snapshot timestamp %" PRId64
                    ": before last snapshot log entry at %" PRId64,
                    entry->timestamp_ms, now->last_log_ms);
    table__buf(edit, &text);
    buf_printf(&text, "{\"timestamp-ms\":%" PRId64 ",\"snapshot-id\":%" PRId64 "}",
               entry->timestamp_ms, entry->snapshot_id);
    TRY(buf_finish(&text, "snapshot log entry", edit->context->diag));
    struct key key = table__key_u64(edit, PART_LOG, now->next_log);
    TRY(table__append(edit, &key, buf_view(&text)));
    now->next_log++;
    now->last_log_ms = entry->timestamp_ms;
    if (edit->has_added && edit->added_id == entry->snapshot_id) {
        index = (struct table_snapshot_index){.ordinal = edit->added_ordinal};
    } else {
        TRY(table__index_get(edit, entry->snapshot_id, &index, &found));
        ASSERT(found); /* set-snapshot-ref and filter_log looked */
    }
    index.log_end = now->next_log;
    return table__index_put(edit, entry->snapshot_id, index);
}

/* After entries were left out, the newest must still be the current snapshot. */
static status check_log_end(struct table_edit *edit)
{
    struct table_snapshot_index index = {.log_end = 0};
    bool found = false;
    if (edit->now.current_snapshot_id == TABLE_NO_SNAPSHOT ||
        edit->now.next_log == edit->now.first_log) /* writers may leave the log out altogether */
        return OK;
    TRY(table__index_get(edit, edit->now.current_snapshot_id, &index, &found));
    if (found && index.log_end == edit->now.next_log)
        return OK;
    return FAIL(edit->context->diag, ILLEGAL_ARGUMENT,
                "Cannot set invalid snapshot log: latest entry is not the current snapshot");
}

static status build_log(struct table_edit *edit)
{
    size_t wanted = edit->log_count;
    TRY(filter_log(edit));
    if (edit->removed_count > 0 || edit->log_cut > 0)
        TRY(cut_log(edit));
    for (size_t i = 0; i < edit->log_count; i++)
        TRY(append_log(edit, &edit->log[i]));
    if (edit->removed_count > 0 || wanted != edit->log_count)
        TRY(check_log_end(edit));
    return OK;
}

status_value table__build_rows(struct table_edit *edit)
{
    if (!edit->changed)
        return OK;
    if (edit->creating)
        TRY(check_complete(edit));
    if (edit->bindings_changed)
        TRY(check_bindings(edit));
    if (edit->removed_count > 0)
        TRY(check_refs(edit));
    TRY(build_log(edit));
    TRY(table__properties_store(edit));
    edit->now.last_updated_ms = i64_max(table__now_ms(edit), edit->now.last_log_ms);
    return OK;
}

/* --- the version --- */

static status cut_metadata_log(struct table_edit *edit, struct str **out_files, size_t *out_count)
{
    struct table_header *now = &edit->now;
    uint64_t length = now->next_metadata_log - now->first_metadata_log;
    uint64_t keep = (uint64_t)now->versions_max - 1;
    size_t count = length > keep ? (size_t)(length - keep) : 0;
    struct str *files = ARENA_ARRAY(edit->context->arena, struct str, count + 1);
    if (files == NULL)
        return FAIL(edit->context->diag, NOMEM, "could not trim the metadata log");
    size_t file_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct key key = table__key_u64(edit, PART_METADATA_LOG, now->first_metadata_log + i);
        struct str row;
        bool found = false;
        const struct json *json = NULL;
        TRY(table__get(edit, &key, &row, &found));
        if (found && now->delete_after_commit) {
            TRY(table__fragment(edit->context, row, &json));
            TRY(json_need_str(json, "metadata-file", "metadata log entry", edit->context->diag,
                              &files[file_count++]));
        }
        if (found)
            TRY(table__delete(edit, &key));
    }
    now->first_metadata_log += count;
    *out_files = files;
    *out_count = file_count;
    return OK;
}

static status append_metadata_log(struct table_edit *edit)
{
    struct buf text;
    table__buf(edit, &text);
    buf_printf(&text,
               "{\"timestamp-ms\":%" PRId64 ",\"metadata-file\":", edit->base.last_updated_ms);
    json_write_string(&text, edit->base.metadata_location);
    buf_byte(&text, '}');
    TRY(buf_finish(&text, "metadata log entry", edit->context->diag));
    struct key key = table__key_u64(edit, PART_METADATA_LOG, edit->now.next_metadata_log++);
    return table__append(edit, &key, buf_view(&text));
}

status_value table__metadata_folder(struct table_edit *edit, struct str *out)
{
    struct str folder = edit->now.metadata_path;
    if (folder.size == 0)
        folder = arena_printf(edit->context->arena, "%.*s/metadata", STR_ARG(edit->now.location));
    if (folder.data == NULL)
        return FAIL(edit->context->diag, NOMEM, "could not name the metadata folder");
    *out = folder;
    return OK;
}

static status choose_metadata_location(struct table_edit *edit)
{
    struct table_header *now = &edit->now;
    struct str base;
    TRY(table__metadata_folder(edit, &base));
    now->version = edit->creating ? 0 : edit->base.version + 1;
    return catalog__metadata_path(edit->context, base, now->version, now->gzip,
                                  &now->metadata_location);
}

status_value table__header_put(struct table_edit *edit)
{
    struct str row;
    struct key key = table__key(edit, PART_HEADER);
    TRY(table__header_write(&edit->now, edit->context->arena, edit->context->diag, &row));
    return table__put(edit, &key, row);
}

status_value table__build_version(struct table_edit *edit, struct catalog_response *response)
{
    struct str *files = NULL;
    size_t file_count = 0;
    if (!edit->changed)
        return OK;
    if (!edit->creating) {
        TRY(cut_metadata_log(edit, &files, &file_count));
        TRY(append_metadata_log(edit));
    }
    TRY(choose_metadata_location(edit));
    TRY(table__header_put(edit));
    struct catalog_version version = {.warehouse = edit->place->warehouse.id,
                                      .object_id = edit->id,
                                      .version = edit->now.version};
    return outbox__put(edit->context, &edit->place->warehouse, &version,
                       edit->now.metadata_location, edit->now.gzip, files, file_count, response);
}
