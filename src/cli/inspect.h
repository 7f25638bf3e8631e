/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * inspect.h - a stopped node's folder, opened for looking only and locked while we look.
 */
#include "cli/print.h"
#include "cli/readonly.h"

struct inspect {
    struct cli *cli;
    struct readonly_env readonly;
    struct env *env; /* readonly's */
    const char *data;
    const char *wal;
    const char *state;
    const char *snapshots;
    char cluster_id[40];
    uint64_t node_id;
    struct env_file *lock;
};

/* Finds the folder by --data or TARN_DATA, locks it, reads who it belongs to. Exit codes. */
int inspect_open(struct cli *cli, struct inspect *out);
void inspect_close(struct inspect *inspect);
