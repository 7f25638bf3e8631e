/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * snapshot_manifest.h - the bytes of a snapshot's manifest. No I/O.
 *
 * Little-endian: "TSNP", format u32 = 1, chunk size u32, file count u32, cluster id, index u64,
 * term u64, stamp u64, digest low and high u64, row count u64, root low and high u64, extra size
 * u32 and bytes; for each file: name size u32 and bytes, size u64, a CRC-32C u32 for each chunk; at
 * the end the CRC-32C u32 of everything before.
 */
#include "base/buf.h"
#include "storage/snapshot.h"

/* Appends to the buf, whose failure the caller asks for. The name is not part of it. */
void snapshot__encode_manifest(const struct snapshot *in, struct buf *buf);
/* Everything in the arena, nothing borrowed. CORRUPT, NOMEM. */
status snapshot__decode_manifest(struct arena *arena, struct str bytes, struct diag *diag,
                                 struct snapshot *out);
static inline uint64_t snapshot_chunks(uint64_t size_bytes)
{
    return size_bytes / SNAPSHOT_CHUNK_SIZE + (size_bytes % SNAPSHOT_CHUNK_SIZE != 0);
}
/* A plain file name of a manifest: letters, digits, '.', '-', '_', not starting with '.'. */
bool snapshot__name_is_plain(struct str name);
