/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * wal.h - the write-ahead log: the one place where an acknowledged write is.
 *
 * A stream of records in zero-filled, recycled segment files, written with O_DIRECT|O_DSYNC in
 * checksummed, chained frames (wal_format.h). wal_append returns when everything is durable. After
 * a crash wal_open tells a torn tail, which it cuts, from corruption, which it refuses: what was
 * acknowledged is there, or the log does not open.
 *
 * One thread owns a wal and makes all calls, except wal_prepare, wal_capacity and wal_failed, which
 * any thread may call. An I/O error is final: from then on every call answers IO and the node must
 * stop.
 */
#include "env/env.h"

/* Numbers reach disk: append only. */
enum wal_kind {
    WAL_HARD_STATE = 1, /* term, vote */
    WAL_ENTRY = 2,      /* index, term, entry_kind, payload; the next index, always */
    WAL_TRUNCATE = 3,   /* index: the entries from there on never were */
    WAL_SNAPSHOT = 4,   /* index, term: a durable snapshot exists; the entries stay */
    WAL_INSTALL = 5     /* index, term: a snapshot replaces the log; the next entry is index + 1 */
};

struct wal_record {
    enum wal_kind kind;
    uint8_t entry_kind; /* the caller's, kept as it is */
    uint64_t index;
    uint64_t term;
    uint64_t vote;      /* node id, 0: none */
    struct str payload; /* borrowed */
};

enum { WAL_CLUSTER_ID_SIZE = 16, WAL_SEGMENT_SIZE_MIN = 64 << 10 };

struct wal_options {
    bool create;                 /* start a new log when there is none; else NOT_FOUND */
    uint64_t segment_size_bytes; /* for a new log: a multiple of 4096; 0: 64 MiB */
    uint32_t spare_segments;     /* kept zero-filled ahead of use by wal_prepare; 0: 1 */
    uint8_t cluster_id[WAL_CLUSTER_ID_SIZE];
    uint64_t node_id;
    struct allocator *allocator; /* kept, not owned; NULL: the heap */
};

/* What the log says after it was opened, kept up to date by appends. */
struct wal_state {
    uint64_t term;
    uint64_t vote;
    uint64_t snapshot_index; /* 0: none */
    uint64_t snapshot_term;
    uint64_t first_index; /* oldest readable entry; last_index + 1 when there is none */
    uint64_t last_index;  /* newest entry, or what it would be after an install; 0: none ever */
};

struct wal_stats {
    uint64_t bytes;         /* payload appended since open */
    uint64_t frames;        /* written since open */
    uint64_t segments;      /* that hold needed data, the active one included */
    uint64_t spares;        /* zero-filled or recycled, ready for use */
    uint64_t last_write_ns; /* duration of the newest frame write */
    bool torn_tail;         /* wal_open cut an unfinished frame */
};

struct wal;

/*
 * Opens and verifies the whole log in the folder `dir` (created if its parent exists), holding a
 * lock until wal_close. `env` and the allocator are kept. NOT_FOUND (no log and !create), CORRUPT
 * (durable data is damaged or missing: nothing was changed), UNAVAILABLE (in use by another
 * process), INVALID (another cluster's or node's log; impossible options), NOMEM, NOSPACE, IO.
 */
status wal_open(struct env *env, const char *dir, const struct wal_options *options,
                struct diag *diag, struct wal **out);
/* Writes what proves the newest frame, and frees. `wal` may be NULL. */
void wal_close(struct wal *wal);

/*
 * Appends all records in order and returns when they are durable. They usually are one frame and
 * one disk write. Refused before anything is written: INVALID (an index that is not the next one,
 * a term beyond the hard state, a truncation at or below the snapshot), TOO_LARGE (a payload over
 * wal_payload_max), NOSPACE, NOMEM, EXHAUSTED. IO: outcome unknown, the wal has failed for good.
 */
status wal_append(struct wal *wal, const struct wal_record *records, size_t count,
                  struct diag *diag);
/* The longest payload of one record: what a segment holds. */
size_t wal_payload_max(const struct wal *wal);

struct wal_state wal_state(const struct wal *wal);
struct wal_stats wal_stats(const struct wal *wal);

/* Called with each live entry; the payload is borrowed until return. A failure ends the reading. */
typedef status_value wal_visit(void *context, const struct wal_record *entry, struct diag *diag);
/*
 * Reads the live entries from max(from, first_index) to last_index in index order, one frame in
 * memory at a time. CORRUPT, IO, NOMEM, or what `visit` answered.
 */
status wal_read(struct wal *wal, uint64_t from, wal_visit *visit, void *context, struct diag *diag);

/*
 * Gives up the entries below `first_needed`, which a durable snapshot must cover (INVALID
 * otherwise): whole segments of them are recycled. One small durable write when that frees any.
 */
status wal_compact(struct wal *wal, uint64_t first_needed, struct diag *diag);

/*
 * Zero-fills and syncs the next segment if too few are ready. For idle time or a helper thread;
 * wal_append does it inline only if nobody did. NOSPACE is harmless (the disk is full; the log goes
 * on with what it has); IO is final.
 */
status wal_prepare(struct wal *wal, struct diag *diag);
/*
 * Makes the proof that the newest frame was durable durable itself. For idle time: one fsync, and
 * nothing when it is done already.
 */
status wal_settle(struct wal *wal, struct diag *diag);

/*
 * Bytes that can be appended without taking more disk space. Answer NOSPACE to clients while this
 * is below wal_reserve(): the rest is for votes, truncations and what frees space.
 */
uint64_t wal_capacity(const struct wal *wal);
uint64_t wal_reserve(const struct wal *wal);
bool wal_failed(const struct wal *wal);
