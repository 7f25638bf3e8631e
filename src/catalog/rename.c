/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rename.c - gives a table or view another name, also in another namespace of the warehouse.
 *
 * Only the name row moves: id, rows, location and files stay, so a rename costs the same for every
 * table, and later commits find the object under its new name.
 */
#include "catalog/operations.h"

static bool same_place(const struct catalog__place *a, const struct catalog__place *b)
{
    return a->namespace_id == b->namespace_id && str_eq(a->ident.name, b->ident.name);
}

static status must_be_free(struct catalog_context *context, const struct catalog__place *source,
                           const struct catalog__place *destination)
{
    static const struct {
        enum catalog__kind kind;
        const char *text;
    } kinds[] = {{CATALOG_VIEW_KIND, "View"}, {CATALOG_TABLE_KIND, "Table"}};
    for (size_t i = 0; i < COUNTOF(kinds); i++) {
        uint64_t id = 0;
        bool found = false;
        TRY(catalog__name_find(context, destination, kinds[i].kind, &id, &found));
        if (found)
            return FAIL(context->diag, ALREADY_EXISTS,
                        "Cannot rename %.*s to %.*s. %s already exists", STR_ARG(source->dotted),
                        STR_ARG(destination->dotted), kinds[i].text);
    }
    return OK;
}

static status object_rename(struct catalog_context *context, const struct catalog_request *request,
                            const struct catalog_warehouse *warehouse, enum catalog__kind kind,
                            struct catalog_response *out)
{
    const struct json *body = NULL;
    struct catalog_ident from;
    struct catalog_ident to;
    struct catalog__place source;
    struct catalog__place destination;
    uint64_t id = 0;
    TRY(operation__body(context, request, &body));
    TRY(catalog__ident_parse(context, json_get(body, "source"), "a rename source", &from));
    TRY(catalog__ident_parse(context, json_get(body, "destination"), "a rename destination", &to));
    TRY(names__object_find(context, warehouse, &from, kind, &source, &id));
    TRY(catalog__place_find(context, warehouse, &to, &destination));
    out->http = 204;
    if (same_place(&source, &destination))
        return OK;
    TRY(must_be_free(context, &source, &destination));
    TRY(catalog__name_delete(context, &source, kind));
    return catalog__name_put(context, &destination, kind, id);
}

OPERATION(operation__table_rename)
{
    return object_rename(context, request, warehouse, CATALOG_TABLE_KIND, out);
}

OPERATION(operation__view_rename)
{
    return object_rename(context, request, warehouse, CATALOG_VIEW_KIND, out);
}
