/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify.c - whether the metadata file that a load names is really there.
 *
 * tarn answers loads from its own state, so a file that somebody took away would not be missed
 * until an engine without a catalog looks for it. With verify-metadata-files a load answers 404
 * NotFoundException instead, as catalogs do that read the file. With publish=async a version still
 * in the outbox is fine: its file is on its way; with publish=sync nobody has heard of a version
 * before its file was there.
 */
#include "api/call.h"

static status_value look(struct api_call *call)
{
    struct arena *arena = call->exchange->arena;
    struct kv_reader *view = &call->snapshot->reader;
    struct catalog_warehouse warehouse;
    struct object_store *store;
    struct str location;
    uint64_t size = 0;
    bool pending = false;
    TRY(catalog_warehouse_get(view, arena, call->request.warehouse, call->api->options, &call->diag,
                              &warehouse));
    if (warehouse.publish == PUBLISH_ASYNC)
        TRY(catalog_outbox_pending(view, arena, call->response.warehouse, call->response.object_id,
                                   &call->diag, &pending));
    if (pending)
        return OK;
    TRY(catalog_location_check(arena, &warehouse, call->response.metadata_location,
                               "metadata-location", &call->diag, &location));
    TRY(stores_get(call->api->stores, &warehouse, &call->diag, &store));
    if (is_ok(store->ops->size(store, location, NULL, &size)))
        return OK;
    /* In the words the table has it: clients compare. */
    return FAIL(&call->diag, NOT_FOUND, "Failed to open input stream for file: %.*s",
                STR_ARG(call->response.metadata_location));
}

static void verify_job(struct pool_task *job)
{
    struct api_call *call = CONTAINER_OF(job, struct api_call, job);
    call->result = look(call);
    http_exchange_post(call->exchange, call__answer);
}

void call__verify(struct api_call *call)
{
    call->job.run = verify_job;
    status_value submitted = pool_submit(call->api->pool, &call->job, &call->diag);
    if (is_ok(submitted))
        return;
    call->result = submitted;
    call__answer(call->exchange);
}
