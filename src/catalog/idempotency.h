/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * idempotency.h - a changing request with an Idempotency-Key happens once, however often it is
 * sent. Spec: REST OpenAPI, parameter idempotency-key; rules in idempotency.c.
 */
#include "catalog/names.h"

/*
 * The outcome of an earlier request with this key: its answer (*out_found), its refusal (as this
 * function's failure), INVALID when the key was used by another request, or nothing.
 */
status idempotency__replay(struct catalog_context *context,
                           const struct catalog_warehouse *warehouse,
                           const struct catalog_request *request, struct catalog_response *out,
                           bool *out_found);
/* Puts the record of an answer into the batch that has its effect; removes a few expired ones. */
status idempotency__record(struct catalog_context *context,
                           const struct catalog_warehouse *warehouse,
                           const struct catalog_request *request,
                           const struct catalog_response *response);
/* Whether the same request would fail the same way for ever, so that a record may keep it. */
bool idempotency__is_final(status_value failed);
/* Puts the record of a refusal; the message comes from the context's diag. */
status idempotency__record_failure(struct catalog_context *context,
                                   const struct catalog_warehouse *warehouse,
                                   const struct catalog_request *request, status_value failed);
