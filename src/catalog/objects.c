/* SPDX-License-Identifier: Apache-2.0 */
/*
 * objects.c - operations on one table or view: finds the name, lets table_*.c or view_*.c do the
 * work on the rows, and keeps the name row in step.
 *
 * O1  A name row exists exactly while its object is in the catalog: it is put by what creates the
 *     object and deleted by what drops it, in the same batch.
 * O2  Nothing is created under a name that a table or a view already has.
 */
#include "catalog/operations.h"

static status ident_of_body(struct catalog_context *context, const struct catalog_request *request,
                            const struct json *body, const char *what, struct catalog_ident *out)
{
    struct catalog_ident ident = request->ident;
    TRY(json_need_str(body, "name", what, context->diag, &ident.name));
    TRY(names__check(context, ident.name, "A table or view"));
    if (ident.level_count == 0)
        return FAIL(context->diag, INVALID, "cannot parse %s: no namespace", what);
    *out = ident;
    return OK;
}

status operation__changes(struct catalog_context *context, const struct json *body,
                          const char *what, struct table__commit_request *out)
{
    const struct json *requirements = json_get(body, "requirements");
    const struct json *updates = NULL;
    TRY(json_need_array(body, "updates", what, context->diag, &updates));
    if (!json_is_null(requirements) && !json_is(requirements, JSON_ARRAY))
        return FAIL(context->diag, INVALID, "cannot parse %s: requirements must be an array", what);
    *out = (struct table__commit_request){
        .requirements = json_is_null(requirements) ? NULL : requirements, .updates = updates};
    return OK;
}

/* --- tables --- */

OPERATION(operation__table_create)
{
    const struct json *body = NULL;
    struct catalog_ident ident;
    struct catalog__place place;
    uint64_t id = 0;
    TRY(operation__body(context, request, &body));
    TRY(ident_of_body(context, request, body, "a table request", &ident));
    TRY(catalog__place_find(context, warehouse, &ident, &place));
    TRY(catalog__name_must_be_free(context, &place, CATALOG_TABLE_KIND));
    TRY(table__create(context, &place, body, out, &id));
    if (id == 0) /* staged: nothing exists yet */
        return OK;
    return catalog__name_put(context, &place, CATALOG_TABLE_KIND, id);
}

/* The table that registerTable replaces; 0 when there is none. */
static status overwritten(struct catalog_context *context, const struct catalog__place *place,
                          bool overwrite, uint64_t *out_id)
{
    bool found = false;
    uint64_t id = 0;
    if (overwrite)
        TRY(catalog__name_find(context, place, CATALOG_TABLE_KIND, &id, &found));
    if (!found)
        TRY(catalog__name_must_be_free(context, place, CATALOG_TABLE_KIND));
    *out_id = found ? id : 0;
    return OK;
}

OPERATION(operation__table_register)
{
    const struct json *body = NULL;
    struct catalog_ident ident;
    struct catalog__place place;
    struct str location = {"", 0};
    bool overwrite = false;
    bool found = false;
    uint64_t old_id = 0;
    uint64_t id = 0;
    TRY(operation__body(context, request, &body));
    TRY(ident_of_body(context, request, body, "a register request", &ident));
    TRY(json_need_str(body, "metadata-location", "a register request", context->diag, &location));
    TRY(json_opt_bool(body, "overwrite", "a register request", context->diag, &overwrite, &found));
    TRY(catalog__place_find(context, warehouse, &ident, &place));
    TRY(overwritten(context, &place, overwrite, &old_id));
    TRY(catalog__location_check(context, warehouse, location, "The metadata location", &location));
    TRY(table__register(context, &place, location, request->metadata_file, old_id, out, &id));
    return catalog__name_put(context, &place, CATALOG_TABLE_KIND, id);
}

OPERATION(operation__table_load)
{
    struct catalog__place place;
    uint64_t id = 0;
    TRY(names__object_find(context, warehouse, &request->ident, CATALOG_TABLE_KIND, &place, &id));
    return table__load(context, request, &place, id, out);
}

OPERATION(operation__table_commit)
{
    const struct json *body = NULL;
    struct table__commit_request change = {.updates = NULL};
    struct catalog__place place;
    uint64_t id = 0;
    uint64_t made = 0;
    TRY(operation__body(context, request, &body));
    TRY(operation__changes(context, body, "a table commit", &change));
    TRY(transaction__place(context, warehouse, &request->ident, change.requirements, &place, &id));
    TRY(table__commit(context, &place, id, &change, 1, out, &made));
    return id != 0 ? OK : catalog__name_put(context, &place, CATALOG_TABLE_KIND, made);
}

OPERATION(operation__table_drop)
{
    struct catalog__place place;
    uint64_t id = 0;
    TRY(names__object_find(context, warehouse, &request->ident, CATALOG_TABLE_KIND, &place, &id));
    TRY(table__drop(context, &place, id, request->purge));
    TRY(catalog__name_delete(context, &place, CATALOG_TABLE_KIND));
    out->http = 204;
    return OK;
}

OPERATION(operation__table_exists)
{
    struct catalog__place place;
    uint64_t id = 0;
    TRY(names__object_find(context, warehouse, &request->ident, CATALOG_TABLE_KIND, &place, &id));
    out->http = 204;
    return OK;
}

/*
 * The answer is built from the rows before they become a drop job; the job removes them in later
 * entries, so the body streams from a snapshot of exactly this one. Later commits find no name.
 */
OPERATION(operation__table_unregister)
{
    struct catalog__place place;
    uint64_t id = 0;
    TRY(names__object_find(context, warehouse, &request->ident, CATALOG_TABLE_KIND, &place, &id));
    TRY(table__respond(context, &place, id, false, out));
    TRY(table__drop(context, &place, id, false));
    return catalog__name_delete(context, &place, CATALOG_TABLE_KIND);
}

/* --- views --- */

OPERATION(operation__view_create)
{
    const struct json *body = NULL;
    struct catalog_ident ident;
    struct catalog__place place;
    uint64_t id = 0;
    TRY(operation__body(context, request, &body));
    TRY(ident_of_body(context, request, body, "a view request", &ident));
    TRY(catalog__place_find(context, warehouse, &ident, &place));
    TRY(catalog__name_must_be_free(context, &place, CATALOG_VIEW_KIND));
    TRY(view__create(context, &place, body, out, &id));
    return catalog__name_put(context, &place, CATALOG_VIEW_KIND, id);
}

OPERATION(operation__view_register)
{
    const struct json *body = NULL;
    struct catalog_ident ident;
    struct catalog__place place;
    struct str location = {"", 0};
    uint64_t id = 0;
    TRY(operation__body(context, request, &body));
    TRY(ident_of_body(context, request, body, "a register request", &ident));
    TRY(json_need_str(body, "metadata-location", "a register request", context->diag, &location));
    TRY(catalog__place_find(context, warehouse, &ident, &place));
    TRY(catalog__name_must_be_free(context, &place, CATALOG_VIEW_KIND));
    TRY(catalog__location_check(context, warehouse, location, "The metadata location", &location));
    TRY(view__register(context, &place, location, request->metadata_file, out, &id));
    return catalog__name_put(context, &place, CATALOG_VIEW_KIND, id);
}

OPERATION(operation__view_load)
{
    struct catalog__place place;
    uint64_t id = 0;
    TRY(names__object_find(context, warehouse, &request->ident, CATALOG_VIEW_KIND, &place, &id));
    return view__respond(context, &place, id, true, out);
}

OPERATION(operation__view_replace)
{
    const struct json *body = NULL;
    struct table__commit_request change = {.updates = NULL};
    struct catalog__place place;
    uint64_t id = 0;
    TRY(operation__body(context, request, &body));
    TRY(operation__changes(context, body, "a view commit", &change));
    TRY(names__object_find(context, warehouse, &request->ident, CATALOG_VIEW_KIND, &place, &id));
    return view__replace(context, &place, id, change.requirements, change.updates, out);
}

OPERATION(operation__view_drop)
{
    struct catalog__place place;
    uint64_t id = 0;
    TRY(names__object_find(context, warehouse, &request->ident, CATALOG_VIEW_KIND, &place, &id));
    TRY(view__drop(context, &place, id));
    TRY(catalog__name_delete(context, &place, CATALOG_VIEW_KIND));
    out->http = 204;
    return OK;
}

OPERATION(operation__view_exists)
{
    struct catalog__place place;
    uint64_t id = 0;
    TRY(names__object_find(context, warehouse, &request->ident, CATALOG_VIEW_KIND, &place, &id));
    out->http = 204;
    return OK;
}
