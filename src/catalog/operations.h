/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * operations.h - one function for each row of operations.def, called by dispatch.c.
 *
 * All have the same shape: the warehouse is found, names in the URL are checked, `out` starts as
 * zeros, and what a failing one has put into the batch is taken back by the caller.
 */
#include "catalog/names.h"

#define OPERATION(name)                                                                            \
    status name(struct catalog_context *context, const struct catalog_request *request,            \
                const struct catalog_warehouse *warehouse, struct catalog_response *out)

/* namespace.c, namespace_properties.c */
OPERATION(operation__namespace_create);
OPERATION(operation__namespace_load);
OPERATION(operation__namespace_exists);
OPERATION(operation__namespace_drop);
OPERATION(operation__namespace_properties);
/* list.c */
OPERATION(operation__namespace_list);
OPERATION(operation__table_list);
OPERATION(operation__view_list);
/* objects.c */
OPERATION(operation__table_create);
OPERATION(operation__table_register);
OPERATION(operation__table_load);
OPERATION(operation__table_commit);
OPERATION(operation__table_drop);
OPERATION(operation__table_exists);
OPERATION(operation__table_unregister);
OPERATION(operation__view_create);
OPERATION(operation__view_register);
OPERATION(operation__view_load);
OPERATION(operation__view_replace);
OPERATION(operation__view_drop);
OPERATION(operation__view_exists);
/* rename.c */
OPERATION(operation__table_rename);
OPERATION(operation__view_rename);
/* transaction.c */
OPERATION(operation__transaction_commit);
/* metrics_report.c */
OPERATION(operation__table_metrics);
/* functions.c */
OPERATION(operation__function_list);
OPERATION(operation__function_load);

/* config.c: the one operation that needs no warehouse. */
status operation__config(struct catalog_context *context, const struct catalog_request *request,
                         struct catalog_response *out);

/* A finished JSON answer of status 200. */
status operation__json(struct catalog_context *context, const struct buf *buf,
                       struct catalog_response *out);
/* INVALID when the request has no JSON object as its body. */
status operation__body(struct catalog_context *context, const struct catalog_request *request,
                       const struct json **out);

/* `updates` and the optional `requirements` of a commit. */
status operation__changes(struct catalog_context *context, const struct json *body,
                          const char *what, struct table__commit_request *out);

/* list.c: a page token of `listing` (a key kind) in the namespace; where the page starts. */
struct list_page {
    struct str after;  /* last name (as in its key) of the page before; empty: from the beginning */
    uint64_t size_max; /* UINT64_MAX: everything */
};
status list__page(struct catalog_context *context, const struct catalog_request *request,
                  enum key_kind listing, uint32_t warehouse, uint64_t parent,
                  struct list_page *out);

/* transaction.c: the place of a table to be committed; *out_id is 0 when the commit is to create
 * it. */
status transaction__place(struct catalog_context *context,
                          const struct catalog_warehouse *warehouse,
                          const struct catalog_ident *ident, const struct json *requirements,
                          struct catalog__place *out_place, uint64_t *out_id);

/* namespace_properties.c */
/* Writes the properties of a create request as an object; values are strings, `location` is
 * checked. */
status properties__write(struct catalog_context *context, const struct catalog_warehouse *warehouse,
                         const struct json *properties, struct json_writer *w);
/* Puts the two rows of a namespace. */
status namespace__row_put(struct catalog_context *context, uint32_t warehouse, uint64_t parent,
                          uint64_t id, struct str name, struct str properties);
