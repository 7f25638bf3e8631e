/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table_update_files.c - statistics, partition statistics and encryption keys (Iceberg
 * spec, "Table Statistics", "Partition Statistics", "Encryption Keys").
 *
 * One row per snapshot or key, the fragment as the client sent it. A statistics file may name a
 * snapshot that is not there (writers commit it late); it goes when its snapshot goes.
 */
#include "catalog/table.h"

static status check_blob(const struct json *blob, struct diag *diag)
{
    struct str type;
    int64_t number = 0;
    const struct json *fields = NULL;
    TRY(json_need_str(blob, "type", "blob-metadata", diag, &type));
    TRY(json_need_i64(blob, "snapshot-id", "blob-metadata", diag, &number));
    TRY(json_need_i64(blob, "sequence-number", "blob-metadata", diag, &number));
    TRY(json_need_array(blob, "fields", "blob-metadata", diag, &fields));
    return OK;
}

static status check_statistics(const struct json *json, struct diag *diag)
{
    int64_t number = 0;
    const struct json *blobs = NULL;
    TRY(json_need_i64(json, "file-footer-size-in-bytes", "statistics", diag, &number));
    TRY(json_need_array(json, "blob-metadata", "statistics", diag, &blobs));
    struct json_iter iter = json_iter(blobs);
    const struct json *blob;
    while (json_next(&iter, NULL, &blob))
        TRY(check_blob(blob, diag));
    return OK;
}

/* Members that both kinds have. */
static status parse_file(const struct json *json, const char *what, struct diag *diag,
                         int64_t *out_snapshot_id)
{
    struct str path;
    int64_t size = 0;
    TRY(json_need_i64(json, "snapshot-id", what, diag, out_snapshot_id));
    TRY(json_need_str(json, "statistics-path", what, diag, &path));
    return json_need_i64(json, "file-size-in-bytes", what, diag, &size);
}

static status put_if_changed(struct table_edit *edit, const struct key *key,
                             const struct json *json)
{
    struct buf text;
    struct str row;
    bool found = false;
    table__buf(edit, &text);
    json_write(&text, json);
    TRY(buf_finish(&text, "statistics", edit->context->diag));
    TRY(table__get(edit, key, &row, &found));
    if (found && str_eq(row, buf_view(&text)))
        return OK;
    edit->changed = true;
    return table__put(edit, key, buf_view(&text));
}

status_value table__update_set_statistics(struct table_edit *edit, const struct json *update)
{
    struct diag *diag = edit->context->diag;
    const struct json *json = NULL;
    int64_t id = 0;
    int64_t outer_id = 0;
    bool has_outer = false;
    TRY(json_need_object(update, "statistics", "set-statistics", diag, &json));
    TRY(parse_file(json, "statistics", diag, &id));
    TRY(check_statistics(json, diag));
    TRY(json_opt_i64(update, "snapshot-id", "set-statistics", diag, &outer_id, &has_outer));
    if (has_outer && outer_id != id)
        return FAIL(diag, ILLEGAL_ARGUMENT,
                    "snapshot-id does not match the snapshot-id of the statistics");
    struct key key = table__key_i64(edit, PART_STATISTICS, id);
    return put_if_changed(edit, &key, json);
}

status_value table__update_set_partition_statistics(struct table_edit *edit,
                                                    const struct json *update)
{
    struct diag *diag = edit->context->diag;
    const struct json *json = NULL;
    int64_t id = 0;
    TRY(json_need_object(update, "partition-statistics", "set-partition-statistics", diag, &json));
    TRY(parse_file(json, "partition-statistics", diag, &id));
    struct key key = table__key_i64(edit, PART_PARTITION_STATISTICS, id);
    return put_if_changed(edit, &key, json);
}

static status delete_row(struct table_edit *edit, const struct key *key)
{
    struct str row;
    bool found = false;
    TRY(table__get(edit, key, &row, &found));
    if (!found)
        return OK;
    edit->changed = true;
    return table__delete(edit, key);
}

status_value table__update_remove_statistics(struct table_edit *edit, const struct json *update)
{
    int64_t id = 0;
    TRY(json_need_i64(update, "snapshot-id", "remove-statistics", edit->context->diag, &id));
    struct key key = table__key_i64(edit, PART_STATISTICS, id);
    return delete_row(edit, &key);
}

status_value table__update_remove_partition_statistics(struct table_edit *edit,
                                                       const struct json *update)
{
    int64_t id = 0;
    TRY(json_need_i64(update, "snapshot-id", "remove-partition-statistics", edit->context->diag,
                      &id));
    struct key key = table__key_i64(edit, PART_PARTITION_STATISTICS, id);
    return delete_row(edit, &key);
}

status_value table__update_add_key(struct table_edit *edit, const struct json *update)
{
    struct diag *diag = edit->context->diag;
    const struct json *json = NULL;
    struct str id;
    struct str bytes;
    struct str row;
    bool found = false;
    TRY(json_need_object(update, "encryption-key", "add-encryption-key", diag, &json));
    TRY(json_need_str(json, "key-id", "encryption-key", diag, &id));
    TRY(json_need_str(json, "encrypted-key-metadata", "encryption-key", diag, &bytes));
    struct key key = table__key_name(edit, PART_ENCRYPTION_KEY, id);
    TRY(table__get(edit, &key, &row, &found));
    if (found)
        return OK; /* a key never changes */
    struct buf text;
    table__buf(edit, &text);
    json_write(&text, json);
    edit->changed = true;
    return table__put_buf(edit, &key, &text);
}

status_value table__update_remove_key(struct table_edit *edit, const struct json *update)
{
    struct str id;
    TRY(json_need_str(update, "key-id", "remove-encryption-key", edit->context->diag, &id));
    struct key key = table__key_name(edit, PART_ENCRYPTION_KEY, id);
    return delete_row(edit, &key);
}
