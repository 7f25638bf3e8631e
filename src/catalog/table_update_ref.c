/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table_update_ref.c - branches and tags: set-snapshot-ref, remove-snapshot-ref.
 *
 * Row: {"name":N,"snapshot-id":..,"type":..[,retention]}; the name comes first, because a streamed
 * document turns the rest into the ref's members. The ref "main" and current-snapshot-id are one
 * fact.
 */
#include "catalog/table.h"

#include <inttypes.h>

static status parse_type(const struct json *json, struct diag *diag, bool *out_is_tag)
{
    struct str type;
    TRY(json_need_str(json, "type", "snapshot ref", diag, &type));
    *out_is_tag = str_eq_nocase(type, STR("tag"));
    if (!*out_is_tag && !str_eq_nocase(type, STR("branch")))
        return FAIL(diag, ILLEGAL_ARGUMENT, "Invalid snapshot ref type: %.*s", STR_ARG(type));
    return OK;
}

static status check_retention(const struct table_ref *ref, struct diag *diag)
{
    if (ref->is_tag && ref->has_min_snapshots)
        return FAIL(diag, ILLEGAL_ARGUMENT, "Tags do not support setting minSnapshotsToKeep");
    if (ref->is_tag && ref->has_max_snapshot_age)
        return FAIL(diag, ILLEGAL_ARGUMENT, "Tags do not support setting maxSnapshotAgeMs");
    if (ref->has_min_snapshots &&
        (ref->min_snapshots_to_keep <= 0 || ref->min_snapshots_to_keep > INT32_MAX))
        return FAIL(diag, ILLEGAL_ARGUMENT, "Min snapshots to keep must be greater than 0");
    if (ref->has_max_snapshot_age && ref->max_snapshot_age_ms <= 0)
        return FAIL(diag, ILLEGAL_ARGUMENT, "Max snapshot age must be greater than 0 ms");
    if (ref->has_max_ref_age && ref->max_ref_age_ms <= 0)
        return FAIL(diag, ILLEGAL_ARGUMENT, "Max reference age must be greater than 0");
    return OK;
}

status_value table__ref_parse(const struct json *json, struct str name, struct diag *diag,
                              struct table_ref *out)
{
    struct table_ref ref = {.name = name};
    TRY(json_need_i64(json, "snapshot-id", "snapshot ref", diag, &ref.snapshot_id));
    TRY(parse_type(json, diag, &ref.is_tag));
    TRY(json_opt_i64(json, "min-snapshots-to-keep", "snapshot ref", diag,
                     &ref.min_snapshots_to_keep, &ref.has_min_snapshots));
    TRY(json_opt_i64(json, "max-snapshot-age-ms", "snapshot ref", diag, &ref.max_snapshot_age_ms,
                     &ref.has_max_snapshot_age));
    TRY(json_opt_i64(json, "max-ref-age-ms", "snapshot ref", diag, &ref.max_ref_age_ms,
                     &ref.has_max_ref_age));
    TRY(check_retention(&ref, diag));
    *out = ref;
    return OK;
}

status_value table__ref_get(struct table_edit *edit, struct str name, struct table_ref *out,
                            bool *out_found)
{
    struct key key = table__key_name(edit, PART_REF, name);
    struct str row;
    bool found = false;
    const struct json *json = NULL;
    TRY(table__get(edit, &key, &row, &found));
    if (found) {
        TRY(table__fragment(edit->context, row, &json));
        TRY(table__ref_parse(json, name, edit->context->diag, out));
    }
    *out_found = found;
    return OK;
}

static void write_optional(struct json_writer *writer, const char *key, bool has, int64_t value)
{
    if (has) {
        jw_key(writer, key);
        jw_i64(writer, value);
    }
}

status_value table__ref_put(struct table_edit *edit, const struct table_ref *ref)
{
    struct key key = table__key_name(edit, PART_REF, ref->name);
    struct buf text;
    struct json_writer writer;
    table__buf(edit, &text);
    json_writer_init(&writer, &text);
    jw_object(&writer);
    jw_key(&writer, "name");
    jw_str(&writer, ref->name);
    jw_key(&writer, "snapshot-id");
    jw_i64(&writer, ref->snapshot_id);
    jw_key(&writer, "type");
    jw_cstr(&writer, ref->is_tag ? "tag" : "branch");
    write_optional(&writer, "min-snapshots-to-keep", ref->has_min_snapshots,
                   ref->min_snapshots_to_keep);
    write_optional(&writer, "max-snapshot-age-ms", ref->has_max_snapshot_age,
                   ref->max_snapshot_age_ms);
    write_optional(&writer, "max-ref-age-ms", ref->has_max_ref_age, ref->max_ref_age_ms);
    jw_end(&writer);
    return table__put_buf(edit, &key, &text);
}

static bool ref_equal(const struct table_ref *a, const struct table_ref *b)
{
    return a->snapshot_id == b->snapshot_id && a->is_tag == b->is_tag &&
           a->has_min_snapshots == b->has_min_snapshots &&
           a->min_snapshots_to_keep == b->min_snapshots_to_keep &&
           a->has_max_snapshot_age == b->has_max_snapshot_age &&
           a->max_snapshot_age_ms == b->max_snapshot_age_ms &&
           a->has_max_ref_age == b->has_max_ref_age && a->max_ref_age_ms == b->max_ref_age_ms;
}

/* Time of a snapshot that this edit added but not last: from its row. */
static status added_timestamp(struct table_edit *edit, uint64_t ordinal, int64_t *out)
{
    struct key key = table__key_u64(edit, PART_SNAPSHOT, ordinal);
    struct str row;
    bool found = false;
    const struct json *json = NULL;
    TRY(table__get(edit, &key, &row, &found));
    ASSERT(found); /* T4 */
    TRY(table__fragment(edit->context, row, &json));
    return json_need_i64(json, "timestamp-ms", "snapshot", edit->context->diag, out);
}

/* Finds the snapshot and what the log would say of it. */
static status find_snapshot(struct table_edit *edit, const struct table_ref *ref,
                            struct table_log_entry *out)
{
    struct table_log_entry entry = {.snapshot_id = ref->snapshot_id};
    if (edit->has_added && edit->added_id == ref->snapshot_id) {
        entry.added = true;
        entry.timestamp_ms = edit->added_ms;
    } else {
        struct table_snapshot_index index;
        bool found = false;
        TRY(table__index_get(edit, ref->snapshot_id, &index, &found));
        if (!found)
            return FAIL(edit->context->diag, ILLEGAL_ARGUMENT,
                        "Cannot set %.*s to unknown snapshot: %" PRId64, STR_ARG(ref->name),
                        ref->snapshot_id);
        entry.added = index.ordinal >= edit->base.next_snapshot; /* T3 */
        entry.timestamp_ms = table__now_ms(edit);
        if (entry.added)
            TRY(added_timestamp(edit, index.ordinal, &entry.timestamp_ms));
    }
    *out = entry;
    return OK;
}

static status move_main(struct table_edit *edit, const struct table_log_entry *entry)
{
    struct table_log_entry *grown =
        table__grow(edit->context->arena, edit->log, edit->log_count, &edit->log_capacity,
                    sizeof(struct table_log_entry));
    if (grown == NULL)
        return FAIL(edit->context->diag, NOMEM, "could not extend the snapshot log");
    edit->log = grown;
    edit->log[edit->log_count++] = *entry;
    edit->now.current_snapshot_id = entry->snapshot_id;
    return OK;
}

status_value table__update_set_ref(struct table_edit *edit, const struct json *update)
{
    struct diag *diag = edit->context->diag;
    struct str name;
    struct table_ref ref;
    struct table_ref old;
    struct table_log_entry entry;
    bool found = false;
    TRY(json_need_str(update, "ref-name", "set-snapshot-ref", diag, &name));
    if (name.size == 0)
        return FAIL(diag, INVALID, "set-snapshot-ref: ref-name is empty");
    TRY(table__ref_parse(update, name, diag, &ref));
    TRY(table__ref_get(edit, name, &old, &found));
    if (found && ref_equal(&old, &ref))
        return OK;
    bool is_main = str_is(name, "main");
    if (is_main && ref.is_tag)
        return FAIL(diag, ILLEGAL_ARGUMENT, "Cannot set main to a tag, it must be a branch");
    TRY(find_snapshot(edit, &ref, &entry));
    TRY(table__ref_put(edit, &ref));
    edit->changed = true;
    return is_main ? move_main(edit, &entry) : OK;
}

status_value table__update_remove_ref(struct table_edit *edit, const struct json *update)
{
    struct str name;
    struct table_ref old;
    bool found = false;
    TRY(json_need_str(update, "ref-name", "remove-snapshot-ref", edit->context->diag, &name));
    if (name.size == 0)
        return OK;
    TRY(table__ref_get(edit, name, &old, &found));
    if (!found)
        return OK;
    struct key key = table__key_name(edit, PART_REF, name);
    TRY(table__delete(edit, &key));
    if (str_is(name, "main"))
        edit->now.current_snapshot_id = TABLE_NO_SNAPSHOT;
    edit->changed = true;
    return OK;
}
