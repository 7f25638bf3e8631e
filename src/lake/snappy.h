/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * snappy.h - reads one raw snappy block (no frames), as Avro stores it.
 *
 * Format: https://github.com/google/snappy/blob/main/format_description.txt
 */
#include "base/buf.h"

/* Bytes the block unpacks to, as it claims. INVALID when even that cannot be read. */
status snappy_size(struct str packed, struct diag *diag, size_t *out_bytes);
/* Unpacks into `out`, which holds exactly snappy_size bytes. INVALID: every other length, or a copy
 * from before the start. */
status snappy_unpack(struct str packed, char *out, size_t size, struct diag *diag);
