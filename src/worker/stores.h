/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * stores.h - the open object stores, one for each warehouse. Any thread.
 */
#include "catalog/catalog.h"
#include "object/object.h"

struct stores;
status stores_create(struct diag *diag, struct stores **out);
/* Closes every store; nobody may use one any more. NULL is fine. */
void stores_destroy(struct stores *stores);
/* The store of a warehouse, opened at first use. Borrowed until stores_destroy. */
status stores_get(struct stores *stores, const struct catalog_warehouse *warehouse,
                  struct diag *diag, struct object_store **out);
/* By id, through the warehouses in `view`. NO_SUCH_WAREHOUSE. */
status stores_get_by_id(struct stores *stores, struct kv_reader *view, struct arena *arena,
                        uint32_t warehouse, struct diag *diag, struct object_store **out);
