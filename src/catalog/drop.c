/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drop.c - dropped objects: the drop writes one row, the rest goes in the background, step by step.
 *
 * Row q <id>: {"view":bool,"purge":bool}.
 *
 * D1  A dropped object's rows stay until its outbox is empty: the last versions are still
 *     published, because a table that was dropped without purge may be registered again from its
 *     metadata file.
 * D2  The job's row is deleted last, in the step that finds no other row.
 */
#include "catalog/rows.h"

static struct key drop_key(uint32_t warehouse, uint64_t id)
{
    return key_object(warehouse, KEY_PURGE, id);
}

status_value drop__put(struct catalog_context *context, uint32_t warehouse, uint64_t id,
                       bool is_view, bool purge)
{
    struct key key = drop_key(warehouse, id);
    struct buf row = rows__buf(context);
    buf_printf(&row, "{\"view\":%s,\"purge\":%s}", is_view ? "true" : "false",
               purge ? "true" : "false");
    return rows__put(context, &key, &row);
}

status_value table__drop(struct catalog_context *context, const struct catalog__place *place,
                         uint64_t id, bool purge)
{
    return drop__put(context, place->warehouse.id, id, false, purge);
}

static status read_job(struct catalog_context *context, struct str key, struct str value,
                       struct catalog_drop_job *out)
{
    struct catalog_drop_job job = {.warehouse = key_read_u32(key, 1),
                                   .object_id = key_read_u64(key, KEY_IN_SIZE)};
    const struct json *json = NULL;
    TRY(rows__parse(context, value, &json));
    if (!json_as_bool(json_get(json, "view"), &job.is_view) ||
        !json_as_bool(json_get(json, "purge"), &job.purge))
        return FAIL(context->diag, CORRUPT, "a drop row lacks its flags");
    *out = job;
    return OK;
}

/* Takes the job unless the object still has versions to publish. */
static status take_job(struct catalog_context *context, struct str key, struct str value,
                       struct catalog_drop_job *jobs, size_t *count)
{
    struct catalog_drop_job job;
    bool pending = false;
    TRY(read_job(context, key, value, &job));
    TRY(outbox__pending(context, job.warehouse, job.object_id, &pending));
    if (!pending)
        jobs[(*count)++] = job;
    return OK;
}

static status list_warehouse(struct catalog_context *context, uint32_t warehouse,
                             struct catalog_drop_job *jobs, size_t max, size_t *count)
{
    struct key prefix = key_in(warehouse, KEY_PURGE);
    struct kv_cursor *cursor = NULL;
    struct str key;
    struct str value;
    bool found = true;
    status_value result = OK;
    TRY(kv_scan_prefix(context->view, context->arena, key_str(&prefix), context->diag, &cursor));
    while (is_ok(result) && found && *count < max) {
        result = kv_next(cursor, context->diag, &key, &value, &found);
        if (is_ok(result) && found)
            result = take_job(context, key, value, jobs, count);
    }
    kv_close(cursor);
    return result;
}

status_value catalog_drop_list(struct kv_reader *view, struct arena *arena, size_t max,
                               struct diag *diag, struct catalog_drop_job **out, size_t *out_count)
{
    struct catalog_context context = {.view = view, .arena = arena, .diag = diag};
    struct catalog_warehouse *warehouses = NULL;
    size_t warehouse_count = 0;
    size_t count = 0;
    struct catalog_drop_job *jobs = ARENA_ARRAY(arena, struct catalog_drop_job, max + 1);
    if (jobs == NULL)
        return FAIL(diag, NOMEM, "could not list dropped objects: memory budget exhausted");
    TRY(catalog_warehouse_list(view, arena, diag, &warehouses, &warehouse_count));
    for (size_t i = 0; i < warehouse_count; i++)
        TRY(list_warehouse(&context, warehouses[i].id, jobs, max, &count));
    *out = jobs;
    *out_count = count;
    return OK;
}

static status delete_rows(struct catalog_context *context, struct kv_cursor *cursor,
                          size_t max_rows, bool *out_empty)
{
    struct str key;
    struct str value;
    bool found = true;
    for (size_t i = 0; i < max_rows; i++) {
        TRY(kv_next(cursor, context->diag, &key, &value, &found));
        if (!found)
            break;
        TRY(kv_delete(context->batch, key, context->diag));
    }
    *out_empty = !found;
    return OK;
}

status_value catalog_drop_step(struct catalog_context *context, const struct catalog_drop_job *job,
                               size_t max_rows, bool *out_done)
{
    struct catalog_context own = *context;
    struct kv_cursor *cursor = NULL;
    bool pending = false;
    bool empty = false;
    own.view = kv_batch_reader(context->batch);
    TRY(outbox__pending(&own, job->warehouse, job->object_id, &pending));
    if (pending)
        return FAIL(own.diag, UNAVAILABLE, "could not remove object %llu: it is still published",
                    (unsigned long long)job->object_id);
    struct key prefix =
        key_object(job->warehouse, job->is_view ? KEY_VIEW : KEY_TABLE, job->object_id);
    TRY(kv_scan_prefix(own.view, own.arena, key_str(&prefix), own.diag, &cursor));
    status_value result = delete_rows(&own, cursor, max_rows, &empty);
    kv_close(cursor);
    TRY(result);
    struct key key = drop_key(job->warehouse, job->object_id);
    if (empty)
        TRY(kv_delete(own.batch, key_str(&key), own.diag));
    *out_done = empty;
    return OK;
}
