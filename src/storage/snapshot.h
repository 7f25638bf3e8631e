/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * snapshot.h - durable copies of the applied state, each a folder with a manifest.
 *
 *   snapshots/INDEX-TERM/manifest      what and how much, with checksums (snapshot_manifest.h)
 *   snapshots/INDEX-TERM/...           the data files, as their writer made them
 *
 * A folder gets its final name by one rename after everything in it is durable, and loses it by one
 * rename before anything in it is removed: a folder with a final name is whole, at any crash.
 * Taking and removing is for one thread at a time; a snapshot that is open elsewhere must not be
 * removed. INDEX and TERM are those of the last applied entry, 20 decimal digits each.
 */
#include "env/env.h"
#include "kv/store.h"

enum {
    SNAPSHOT_CHUNK_SIZE = 1 << 20, /* the unit of checksums and of transfer */
    SNAPSHOT_NAME_SIZE = 48,
    SNAPSHOT_FILES_MAX = 8,
    SNAPSHOT_EXTRA_MAX = 64 << 10,
    SNAPSHOT_CLUSTER_ID_SIZE = 16
};

struct snapshot_file {
    struct str name;
    uint64_t size_bytes;
    const uint32_t *chunk_crcs; /* CRC-32C of each chunk; the last one may be short */
    uint64_t chunk_count;
};

/* XXH3-128 over the XXH3-128 of every chunk of every file in order. */
struct snapshot_hash {
    uint64_t low;
    uint64_t high;
};

struct snapshot {
    char name[SNAPSHOT_NAME_SIZE]; /* of the folder */
    uint8_t cluster_id[SNAPSHOT_CLUSTER_ID_SIZE];
    struct kv_meta meta; /* index, term, stamp, digest and row count of the state */
    struct str extra;    /* the caller's: membership of the group */
    struct snapshot_hash root;
    struct snapshot_file *files;
    size_t file_count;
};

/* Creates the folder if it is absent and removes what a crash left unfinished in it. IO, NOMEM. */
status snapshot_start(struct env *env, const char *dir, struct diag *diag);

/* Writes data files into the empty `folder` (through any door) and says what state they hold. */
typedef status_value snapshot_write(void *context, const char *folder, struct diag *diag,
                                    struct kv_meta *out_meta);
/*
 * Takes a snapshot: the caller's files, checksums, manifest, syncs, rename. The result lives in the
 * arena. A valid snapshot of the same index and term is kept and returned instead. What `write`
 * answers, NOSPACE, IO, NOMEM, INVALID (no files, or too many).
 */
status snapshot_take(struct env *env, struct arena *arena, const char *dir,
                     const uint8_t cluster_id[SNAPSHOT_CLUSTER_ID_SIZE], struct str extra,
                     snapshot_write *write, void *context, struct diag *diag, struct snapshot *out);

struct snapshot_ref {
    char name[SNAPSHOT_NAME_SIZE];
    uint64_t index;
    uint64_t term;
};
/* By name only, newest first, in the arena. */
status snapshot_list(struct env *env, struct arena *arena, const char *dir, struct diag *diag,
                     struct snapshot_ref **out, size_t *out_count);
/* Reads the manifest and compares names and sizes. CORRUPT, NOT_FOUND, NOMEM, IO. */
status snapshot_open(struct env *env, struct arena *arena, const char *dir, const char *name,
                     struct diag *diag, struct snapshot *out);
/* The newest one that opens; a damaged one is passed over. NOT_FOUND when there is none. */
status snapshot_newest(struct env *env, struct arena *arena, const char *dir, struct diag *diag,
                       struct snapshot *out);
/* Reads every byte and compares chunk checksums and root hash. CORRUPT, IO, NOMEM. */
status snapshot_verify(struct env *env, const char *dir, const struct snapshot *snapshot,
                       struct diag *diag);
/* DIR/NAME/FILE with a NUL, in the arena; data is NULL when out of memory. */
struct str snapshot_path(struct arena *arena, const char *dir, const struct snapshot *snapshot,
                         size_t file);
/* Removes all but the `keep` (at least 1) newest, durably. */
status snapshot_keep(struct env *env, const char *dir, size_t keep, struct diag *diag);
