/* SPDX-License-Identifier: Apache-2.0 */
/*
 * register.c - reading the metadata file that registerTable and registerView name.
 *
 * Runs on a pool thread, before the request is evaluated: evaluation must not block. The location
 * is checked against the warehouse before anything is opened.
 */
#include "api/call.h"
#include "object/gzip_source.h"

enum { METADATA_FILE_MAX_BYTES = 256 << 20 };

static status_value read_file(struct api_call *call, struct kv_reader *view, struct str location)
{
    struct arena *arena = call->exchange->arena;
    struct catalog_warehouse warehouse;
    struct object_store *store;
    struct str canonical;
    struct str bytes;
    TRY(catalog_warehouse_get(view, arena, call->request.warehouse, call->api->options, &call->diag,
                              &warehouse));
    TRY(catalog_location_check(arena, &warehouse, location, "metadata-location", &call->diag,
                               &canonical));
    TRY(stores_get(call->api->stores, &warehouse, &call->diag, &store));
    TRY(store->ops->read(store, canonical, METADATA_FILE_MAX_BYTES, arena, &call->diag, &bytes));
    if (gzip_is(bytes))
        TRY(gzip_inflate(bytes, METADATA_FILE_MAX_BYTES, arena, &call->diag, &bytes));
    call->request.metadata_file = bytes;
    return OK;
}

status_value call__read_metadata_file(struct api_call *call)
{
    struct str location;
    struct kv_snapshot *snapshot;
    TRY(json_need_str(call->request.body, "metadata-location", "register request", &call->diag,
                      &location));
    TRY(node_read(call->api->node, &call->diag, &snapshot));
    status_value result = read_file(call, &snapshot->reader, location);
    kv_snapshot_close(snapshot);
    return result;
}
