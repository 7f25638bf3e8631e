/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outbox.c - versions whose metadata.json is not yet known to be durable, and how to see them
 * again.
 *
 * Row x <id> <version>: {"metadata-location":..,"gzip":..,"view":..,"delete":[..]}.
 * Row u <version> <part..>: one byte, 0 the row was absent, 1 it was there, then its value before
 * `version` was committed.
 *
 * X1  While some version of an object is in the outbox, each later commit keeps what the rows it
 *     changes were. The rows as of version N are the present ones with the undo rows of all
 *     versions above N laid over them, the lowest version winning.
 * X2  Undo rows of versions up to the oldest one in the outbox are not needed: publishing N only
 *     needs those above N.
 * X3  Rows that a commit appends under a fresh ordinal have no undo row; a document is bounded by
 *     the ordinals in its header (table.h T2).
 */
#include "catalog/rows.h"
#include "catalog/stream.h"
#include "catalog/table.h"

/* --- making rows --- */

static status await_version(struct catalog_context *context, const struct catalog_version *version,
                            struct catalog_response *response)
{
    struct catalog_version *grown =
        ARENA_ARRAY(context->arena, struct catalog_version, response->await_count + 1);
    if (grown == NULL)
        return FAIL(context->diag, NOMEM, "could not extend the response: out of memory budget");
    if (response->await_count > 0)
        memcpy(grown, response->await, response->await_count * sizeof(*grown));
    grown[response->await_count++] = *version;
    response->await = grown;
    return OK;
}

status_value outbox__put(struct catalog_context *context, const struct catalog_warehouse *warehouse,
                         const struct catalog_version *version, struct str metadata_location,
                         bool gzip, const struct str *delete_after, size_t delete_count,
                         struct catalog_response *response)
{
    struct key key = key_outbox(version->warehouse, version->object_id, version->version);
    struct buf row = rows__buf(context);
    struct json_writer writer;
    json_writer_init(&writer, &row);
    jw_object(&writer);
    jw_key(&writer, "metadata-location");
    jw_str(&writer, metadata_location);
    jw_key(&writer, "gzip");
    jw_bool(&writer, gzip);
    jw_key(&writer, "view");
    jw_bool(&writer, version->is_view);
    jw_key(&writer, "delete");
    jw_array(&writer);
    for (size_t i = 0; i < delete_count; i++)
        jw_str(&writer, delete_after[i]);
    jw_end(&writer);
    jw_end(&writer);
    TRY(rows__put(context, &key, &row));
    return warehouse->publish == PUBLISH_SYNC ? await_version(context, version, response) : OK;
}

status_value outbox__pending(struct catalog_context *context, uint32_t warehouse,
                             uint64_t object_id, bool *out_pending)
{
    struct key prefix = key_object(warehouse, KEY_OUTBOX, object_id);
    return rows__any(context, &prefix, out_pending);
}

status_value catalog_outbox_pending(struct kv_reader *view, struct arena *arena, uint32_t warehouse,
                                    uint64_t object_id, struct diag *diag, bool *out_pending)
{
    struct catalog_context context = {.view = view, .arena = arena, .diag = diag};
    return outbox__pending(&context, warehouse, object_id, out_pending);
}

/* The undo row of an object's row: the version goes between the object and the part. */
static struct key undo_key(const struct key *row, uint64_t version)
{
    struct str bytes = key_str(row);
    struct key key = {.size = 0};
    ASSERT(bytes.size > KEY_OBJECT_SIZE);
    key_bytes(&key, str_slice(bytes, 0, KEY_OBJECT_SIZE));
    key_byte(&key, PART_UNDO);
    key_u64(&key, version);
    key_bytes(&key, str_from_pos(bytes, KEY_OBJECT_SIZE));
    return key;
}

/* Keeps what the row is now, unless this version has changed it before. */
static status keep_row(struct catalog_context *context, const struct key *row, uint64_t version)
{
    struct key key = undo_key(row, version);
    struct str value;
    bool found = false;
    TRY(kv_get(context->view, key_str(&key), context->diag, &value, &found));
    if (found)
        return OK;
    TRY(kv_get(context->view, key_str(row), context->diag, &value, &found));
    struct buf kept = rows__buf(context);
    buf_byte(&kept, found ? 1 : 0);
    if (found)
        buf_str(&kept, value);
    return rows__put(context, &key, &kept);
}

status_value outbox__row_put(struct catalog_context *context, const struct key *row,
                             struct str value, uint64_t undo_version)
{
    if (undo_version != 0)
        TRY(keep_row(context, row, undo_version));
    return kv_put(context->batch, key_str(row), value, context->diag);
}

status_value outbox__row_delete(struct catalog_context *context, const struct key *row,
                                uint64_t undo_version)
{
    if (undo_version != 0)
        TRY(keep_row(context, row, undo_version));
    return kv_delete(context->batch, key_str(row), context->diag);
}

/* --- seeing an older version --- */

struct undo_row {
    struct undo_row *next;
    struct str key;
    struct str value;
    bool was_there;
};

static enum key_kind object_kind(const struct catalog_version *version)
{
    return version->is_view ? KEY_VIEW : KEY_TABLE;
}

static status read_undo_row(struct arena *arena, struct str key, struct str value,
                            struct diag *diag, struct undo_row **list)
{
    size_t rest = KEY_OBJECT_SIZE + 1 + 8;
    struct undo_row *row = ARENA_NEW(arena, struct undo_row);
    char *bytes = arena_alloc(arena, key.size);
    if (key.size <= rest || value.size == 0)
        return FAIL(diag, CORRUPT, "an undo row is too short");
    struct str copy = arena_copy(arena, str_from_pos(value, 1));
    if (row == NULL || bytes == NULL || copy.data == NULL)
        return FAIL(diag, NOMEM, "could not rebuild an older version: memory budget exhausted");
    memcpy(bytes, key.data, KEY_OBJECT_SIZE);
    memcpy(bytes + KEY_OBJECT_SIZE, key.data + rest, key.size - rest);
    row->key = (struct str){bytes, KEY_OBJECT_SIZE + key.size - rest};
    row->value = copy;
    row->was_there = value.data[0] != 0;
    row->next = *list;
    *list = row;
    return OK;
}

/* Undo rows of versions above this one, the newest version first. */
static status read_undo_rows(struct kv_reader *reader, struct arena *arena,
                             const struct catalog_version *version, struct diag *diag,
                             struct undo_row **out)
{
    struct key from =
        key_part(version->warehouse, object_kind(version), version->object_id, PART_UNDO);
    struct str end;
    struct str key;
    struct str value;
    bool found = false;
    struct kv_cursor *cursor = NULL;
    TRY(kv_prefix_end(arena, key_str(&from), diag, &end));
    key_u64(&from, version->version + 1);
    TRY(kv_scan(reader, arena, key_str(&from), end, diag, &cursor));
    status_value result = kv_next(cursor, diag, &key, &value, &found);
    while (is_ok(result) && found) {
        result = read_undo_row(arena, key, value, diag, out);
        if (is_ok(result))
            result = kv_next(cursor, diag, &key, &value, &found);
    }
    kv_close(cursor);
    return result;
}

status_value outbox__reader_at(struct kv_reader *reader, struct arena *arena,
                               const struct catalog_version *version, struct diag *diag,
                               struct kv_reader **out)
{
    struct undo_row *rows = NULL;
    struct kv_overlay *overlay = NULL;
    TRY(read_undo_rows(reader, arena, version, diag, &rows));
    TRY(kv_overlay_create(arena, reader, diag, &overlay));
    for (const struct undo_row *row = rows; row != NULL; row = row->next) {
        if (row->was_there)
            TRY(kv_overlay_put(overlay, row->key, row->value, diag));
        else
            TRY(kv_overlay_delete(overlay, row->key, diag));
    }
    *out = kv_overlay_reader(overlay);
    return OK;
}

/* --- jobs --- */

/*
 * Where a file goes: object stores take canonical locations only, while a table keeps the spelling
 * of its client ("file:/x"). What has no canonical form stays; the store will refuse it.
 */
static struct str file_location(struct catalog_context *context, struct str location)
{
    struct diag ignored = {.count = 0};
    struct catalog_context own = *context;
    struct str canonical;
    own.diag = &ignored;
    return is_ok(catalog__location_canonical(&own, location, &canonical)) ? canonical : location;
}

static status read_delete_list(struct catalog_context *context, const struct json *list,
                               struct catalog_publish_job *job)
{
    size_t count = json_size(list);
    struct str *files = ARENA_ARRAY(context->arena, struct str, count + 1);
    if (files == NULL)
        return FAIL(context->diag, NOMEM, "could not read the outbox: memory budget exhausted");
    struct json_iter iter = json_iter(list);
    const struct json *value;
    for (size_t i = 0; json_next(&iter, NULL, &value); i++) {
        struct str file;
        if (!json_as_str(value, &file))
            return FAIL(context->diag, CORRUPT, "an outbox row has a file that is no string");
        files[i] = file_location(context, file);
    }
    job->delete_after = files;
    job->delete_count = count;
    return OK;
}

static status read_job(struct catalog_context *context, struct str key, struct str value,
                       struct catalog_publish_job *out)
{
    struct catalog_publish_job job = {.gzip = false};
    const struct json *json = NULL;
    TRY(rows__parse(context, value, &json));
    TRY(rows__str(context, json, "metadata-location", &job.metadata_location));
    job.metadata_location = file_location(context, job.metadata_location);
    if (!json_as_bool(json_get(json, "gzip"), &job.gzip) ||
        !json_as_bool(json_get(json, "view"), &job.version.is_view))
        return FAIL(context->diag, CORRUPT, "an outbox row lacks its flags");
    TRY(read_delete_list(context, json_get(json, "delete"), &job));
    job.version.warehouse = key_read_u32(key, 1);
    job.version.object_id = key_read_u64(key, KEY_IN_SIZE);
    job.version.version = key_read_u64(key, KEY_OBJECT_SIZE);
    *out = job;
    return OK;
}

static status list_warehouse(struct catalog_context *context, uint32_t warehouse,
                             struct catalog_publish_job *jobs, size_t max, size_t *count)
{
    struct key prefix = key_in(warehouse, KEY_OUTBOX);
    struct kv_cursor *cursor = NULL;
    struct str key;
    struct str value;
    bool found = *count < max;
    TRY(kv_scan_prefix(context->view, context->arena, key_str(&prefix), context->diag, &cursor));
    status_value result = OK;
    while (found && *count < max) {
        result = kv_next(cursor, context->diag, &key, &value, &found);
        if (is_ok(result) && found)
            result = read_job(context, key, value, &jobs[*count]);
        if (!is_ok(result))
            break;
        *count += found ? 1 : 0;
    }
    kv_close(cursor);
    return result;
}

status_value catalog_outbox_list(struct kv_reader *view, struct arena *arena, size_t max,
                                 struct diag *diag, struct catalog_publish_job **out,
                                 size_t *out_count)
{
    struct catalog_context context = {.view = view, .arena = arena, .diag = diag};
    struct catalog_warehouse *warehouses = NULL;
    size_t warehouse_count = 0;
    size_t count = 0;
    struct catalog_publish_job *jobs = ARENA_ARRAY(arena, struct catalog_publish_job, max + 1);
    if (jobs == NULL)
        return FAIL(diag, NOMEM, "could not list the outbox: memory budget exhausted");
    TRY(catalog_warehouse_list(view, arena, diag, &warehouses, &warehouse_count));
    for (size_t i = 0; i < warehouse_count; i++)
        TRY(list_warehouse(&context, warehouses[i].id, jobs, max, &count));
    *out = jobs;
    *out_count = count;
    return OK;
}

status_value catalog_outbox_get(struct kv_reader *view, struct arena *arena,
                                const struct catalog_version *version, struct diag *diag,
                                struct catalog_publish_job *out, bool *out_found)
{
    struct catalog_context context = {.view = view, .arena = arena, .diag = diag};
    struct key key = key_outbox(version->warehouse, version->object_id, version->version);
    struct str value;
    bool found = false;
    TRY(kv_get(view, key_str(&key), diag, &value, &found));
    if (found)
        TRY(read_job(&context, key_str(&key), value, out));
    *out_found = found;
    return OK;
}

/* --- done --- */

/* The oldest version that is still in the outbox; UINT64_MAX when there is none. */
static status oldest_version(struct catalog_context *context, const struct catalog_version *version,
                             uint64_t *out)
{
    struct key prefix = key_object(version->warehouse, KEY_OUTBOX, version->object_id);
    struct kv_cursor *cursor = NULL;
    struct str key;
    struct str value;
    bool found = false;
    TRY(kv_scan_prefix(context->view, context->arena, key_str(&prefix), context->diag, &cursor));
    status_value result = kv_next(cursor, context->diag, &key, &value, &found);
    if (is_ok(result))
        *out = found ? key_read_u64(key, KEY_OBJECT_SIZE) : UINT64_MAX;
    kv_close(cursor);
    return result;
}

/* Deletes undo rows of versions up to `last` (X2). */
static status forget_undo(struct catalog_context *context, const struct catalog_version *version,
                          uint64_t last)
{
    struct key prefix =
        key_part(version->warehouse, object_kind(version), version->object_id, PART_UNDO);
    struct kv_cursor *cursor = NULL;
    struct str key;
    struct str value;
    bool found = false;
    TRY(kv_scan_prefix(context->view, context->arena, key_str(&prefix), context->diag, &cursor));
    status_value result = kv_next(cursor, context->diag, &key, &value, &found);
    while (is_ok(result) && found && key_read_u64(key, KEY_PART_SIZE) <= last) {
        result = kv_delete(context->batch, key, context->diag);
        if (is_ok(result))
            result = kv_next(cursor, context->diag, &key, &value, &found);
    }
    kv_close(cursor);
    return result;
}

status_value catalog_publish_done(struct catalog_context *context,
                                  const struct catalog_version *version)
{
    struct catalog_context own = *context;
    uint64_t oldest = 0;
    own.view = kv_batch_reader(context->batch);
    struct key key = key_outbox(version->warehouse, version->object_id, version->version);
    TRY(kv_delete(own.batch, key_str(&key), own.diag));
    TRY(oldest_version(&own, version, &oldest));
    return forget_undo(&own, version, oldest);
}
