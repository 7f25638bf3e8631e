/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * janitor.h - removes what dropped tables and views left: rows in steps, and with purge their
 * files.
 *
 * A drop is one small log entry that leaves a job row; the janitor finds jobs by scanning, so it
 * goes on after a restart where it stopped. Files are deleted by what the table's manifests list,
 * never by a prefix.
 */
#include "node/node.h"
#include "worker/stores.h"

struct janitor;
/* Starts its thread. Everything handed in is kept. */
status janitor_open(struct env *env, struct node *node, struct stores *stores,
                    const struct catalog_options *options, struct log *log, struct diag *diag,
                    struct janitor **out);
void janitor_close(struct janitor *janitor);
