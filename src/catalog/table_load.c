/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table_load.c - answers about a table: which rows to stream, and whether the client has them
 * already.
 *
 * The body is not built here; the response names the table and the caller streams it (stream.h). An
 * ETag names a metadata location and a mode, so a conditional load costs one row.
 */
#include "catalog/table.h"

status_value table__respond_header(struct catalog_context *context,
                                   const struct catalog__place *place, uint64_t id,
                                   const struct table_header *header, bool with_config,
                                   bool refs_only, struct catalog_response *out)
{
    struct str etag;
    TRY(catalog__etag(context, header->metadata_location, refs_only, &etag));
    out->http = 200;
    out->body = CATALOG_BODY_TABLE;
    out->warehouse = place->warehouse.id;
    out->object_id = id;
    out->refs_only = refs_only;
    out->with_config = with_config;
    out->metadata_location = header->metadata_location;
    out->etag = etag;
    return OK;
}

static status respond(struct catalog_context *context, const struct catalog__place *place,
                      uint64_t id, bool with_config, bool refs_only, struct catalog_response *out)
{
    struct table_header header;
    TRY(table__header_get(context->view, context->arena, place->warehouse.id, id, context->diag,
                          &header));
    return table__respond_header(context, place, id, &header, with_config, refs_only, out);
}

status_value table__respond(struct catalog_context *context, const struct catalog__place *place,
                            uint64_t id, bool with_config, struct catalog_response *out)
{
    return respond(context, place, id, with_config, false, out);
}

status_value table__load(struct catalog_context *context, const struct catalog_request *request,
                         const struct catalog__place *place, uint64_t id,
                         struct catalog_response *out)
{
    struct catalog_response response = *out;
    TRY(respond(context, place, id, true, request->refs_only, &response));
    if (catalog__etag_matches(request->if_none_match, response.etag)) {
        response.http = 304;
        response.body = CATALOG_BODY_NONE;
    }
    *out = response;
    return OK;
}
