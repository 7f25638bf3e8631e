/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * purge.h - the files of a dropped table, deleted by what its metadata, manifest lists and
 * manifests name.
 */
#include "base/log.h"
#include "catalog/catalog.h"
#include "object/object.h"

/*
 * Deletes data and delete files, then manifests, then manifest lists, then statistics and metadata
 * files of the table whose rows are in `view`. Every step may be repeated: what is gone already is
 * fine, so a killed purge goes on from the start. Files outside of the store are left alone and
 * logged. Memory is bounded by the largest manifest. A manifest that cannot be read keeps its data
 * files (logged): nothing is ever guessed.
 */
status purge_files(struct object_store *store, struct kv_reader *view,
                   const struct catalog_drop_job *job, struct log *log, struct diag *diag);
