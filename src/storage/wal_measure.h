/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * wal_measure.h - what a bare durable append costs on a disk: the floor under every commit.
 */
#include "env/env.h"

struct wal_measured {
    uint64_t p50_ns;
    uint64_t p99_ns;
    uint64_t max_ns;
};

/*
 * Writes `count` (1 to 65536) blocks of 4 KiB one after the other, each durable, into a zero-filled
 * temporary file in `dir`, as the log writes its frames, and removes the file. NOSPACE, IO, NOMEM.
 */
status wal_measure(struct env *env, const char *dir, uint32_t count, struct diag *diag,
                   struct wal_measured *out);
