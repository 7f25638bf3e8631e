/* SPDX-License-Identifier: Apache-2.0 */
/*
 * functions.c - SQL functions: the namespace is looked up, and holds none.
 */
#include "catalog/operations.h"

OPERATION(operation__function_list)
{
    uint64_t id = 0;
    TRY(catalog__namespace_find(context, warehouse->id, &request->ident, &id));
    if (request->page_token.size > 0)
        return FAIL(context->diag, INVALID, "The page token is not one of this listing");
    struct buf buf = rows__buf(context);
    buf_str(&buf, STR("{\"identifiers\":[],\"next-page-token\":null}"));
    return operation__json(context, &buf, out);
}

OPERATION(operation__function_load)
{
    struct str dotted = {"", 0};
    (void)warehouse;
    (void)out;
    TRY(catalog__dotted(context, &request->ident, &dotted));
    return FAIL(context->diag, NO_SUCH_FUNCTION, "Function does not exist: %.*s", STR_ARG(dotted));
}
