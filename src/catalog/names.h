/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * names.h - what the operations on names share beyond catalog_internal.h.
 */
#include "catalog/rows.h"

/* INVALID unless it can be the name of something; `what` begins the message ("A namespace"). */
status names__check(struct catalog_context *context, struct str name, const char *what);
/* The same for each part of an ident that came with a URL. */
status names__ident_check(struct catalog_context *context, const struct catalog_ident *ident);

/* A name row; *out is NULL when there is none. */
status names__row(struct catalog_context *context, const struct key *key, struct str name,
                  const struct json **out, uint64_t *out_id);
/* The row, id and parent's id of a namespace; NO_SUCH_NAMESPACE. The root has no row and id 0. */
status names__namespace_row(struct catalog_context *context, uint32_t warehouse,
                            const struct catalog_ident *ident, const struct json **out,
                            uint64_t *out_id, uint64_t *out_parent);

/* "Table does not exist: a.b" or "View does not exist: a.b". */
status names__missing(struct catalog_context *context, enum catalog__kind kind, struct str dotted);
/*
 * An object that must exist. A missing namespace reads as a missing object: Java's dropTable and
 * tableExists take NoSuchTableException as "no", and would let the other one escape.
 */
status names__object_find(struct catalog_context *context,
                          const struct catalog_warehouse *warehouse,
                          const struct catalog_ident *ident, enum catalog__kind kind,
                          struct catalog__place *out_place, uint64_t *out_id);
