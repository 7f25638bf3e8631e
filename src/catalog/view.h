/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * view.h - what other files of this folder need of views beyond catalog_internal.h.
 */
#include "catalog/catalog_internal.h"

/*
 * Appends the whole metadata.json of a view to `out`. `reader` shows the view's rows as they are
 * now or as they were at a version (outbox__reader_at). NO_SUCH_VIEW when the header is gone.
 */
status view__metadata_json(struct kv_reader *reader, struct arena *arena, uint32_t warehouse,
                           uint64_t id, struct diag *diag, struct buf *out);
