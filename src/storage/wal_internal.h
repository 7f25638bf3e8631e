/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * wal_internal.h - what the files of the write-ahead log share. wal.c has the invariants.
 */
#include "storage/wal_format.h"

#include <pthread.h>
#include <stdatomic.h>

enum { WAL_PATH_MAX = 1024, WAL_SPARES_MAX = 8, WAL_WINDOW = 1 << 20, WAL_FRAME_TARGET = 4 << 20 };

/* Memory at a multiple of 4096, as O_DIRECT wants it. */
struct wal_buffer {
    void *memory;
    size_t memory_size;
    char *data;
    size_t size;
};

struct wal_segment {
    uint64_t id; /* its file name */
    struct env_file *file;
    struct wal_segment_header header;
    uint64_t index_max; /* of every entry ever written into it in this epoch */
};

/* A growing array that takes memory only in wal__reserve, so that later steps cannot fail. */
struct wal_segments {
    struct wal_segment *items;
    size_t count;
    size_t capacity;
};

/* Live entries that lie one after the other in one frame. */
struct wal_extent {
    uint64_t first_index;
    uint64_t last_index;
    uint64_t epoch;
    uint32_t offset;
    uint32_t skip; /* records of the frame in front of first_index */
    bool closed;   /* cut by a truncation: later entries start an extent of their own */
};

struct wal_extents {
    struct wal_extent *items; /* ascending by index, without gaps */
    size_t count;
    size_t capacity;
};

/* A piece of a segment in memory, for reading. */
struct wal_window {
    struct wal_buffer buffer;
    const struct env_file *file; /* whose bytes these are; NULL: none */
    uint64_t offset;
    size_t size;
};

struct wal {
    struct env *env;
    struct allocator *allocator;
    struct wal_options options;
    char dir[WAL_PATH_MAX];
    struct env_file *lock;
    struct env_file *superblock_file;
    struct env_file *ring_file;
    struct wal_superblock superblock;
    uint64_t segment_size_bytes; /* the superblock's; constant, so other threads may read it */
    struct wal_state state;      /* first_index is derived from the extents */
    struct wal_segments live;    /* consecutive epochs; the last one is active */
    struct wal_extents extents;
    uint64_t next_seq;
    uint32_t chain;          /* header CRC of frame next_seq - 1 */
    uint64_t tail_offset;    /* in the active segment */
    struct wal_frame newest; /* the frame whose slot is not written yet */
    bool slot_pending;
    bool ring_dirty;
    struct wal_buffer out; /* the frame being written */
    struct wal_window in;
    struct wal_stats stats;
    bool mutex_ready;
    pthread_mutex_t mutex; /* guards spares, spare_count's changes, next_id, preparing */
    struct wal_segment spares[WAL_SPARES_MAX];
    uint64_t next_id;
    bool preparing;
    _Atomic uint32_t spare_count;
    _Atomic uint64_t tail_room; /* bytes left in the active segment */
    _Atomic bool failed;
};

/* memory: wal_memory.c */
bool wal__buffer_need(struct allocator *allocator, struct wal_buffer *buffer, size_t size);
void wal__buffer_free(struct allocator *allocator, struct wal_buffer *buffer);
bool wal__segments_reserve(struct wal *wal, size_t more);
bool wal__extents_reserve(struct wal *wal, size_t more);

/* files: wal_files.c */
/* Marks the log as failed for good unless `result` is OK; returns it. */
status_value wal__final(struct wal *wal, status_value result);
status wal__path(const struct wal *wal, const char *name, struct diag *diag,
                 char out[WAL_PATH_MAX]);
/* Exactly `size` bytes, or CORRUPT. */
status wal__read_exact(struct wal *wal, struct env_file *file, const char *what, uint64_t offset,
                       void *data, size_t size, struct diag *diag);
status wal__create_files(struct wal *wal, struct diag *diag);
/* Opens superblock and ring; fills wal->superblock and its count of damaged copies. */
status wal__open_files(struct wal *wal, struct diag *diag, unsigned *out_damaged);
status wal__write_superblock(struct wal *wal, const struct wal_superblock *next, struct diag *diag);
/* The pending slot, into the page cache: after the frame was durable, never before. */
status wal__write_slot(struct wal *wal, struct diag *diag);
status wal__sync_ring(struct wal *wal, struct diag *diag);

/* segments: wal_segment.c */
void wal__segment_name(uint64_t id, char out[32]);
bool wal__segment_id(struct str name, uint64_t *out);
/* A zero-filled, durable spare, made now whatever is there. */
status wal__add_spare(struct wal *wal, struct diag *diag);
/* Keeps a usable file for reuse, unless enough are kept; else removes it. Takes segment->file. */
void wal__recycle(struct wal *wal, const struct wal_segment *segment, bool usable);
/* Starts the next segment in a spare, which must be there. */
status wal__roll(struct wal *wal, struct diag *diag);
static inline struct wal_segment *wal__active(struct wal *wal)
{
    return wal->live.count == 0 ? NULL : &wal->live.items[wal->live.count - 1];
}

/* records: wal_state.c */
/* What the record makes of the state. NULL, or why the record cannot follow it. */
const char *wal__step(struct wal_state *state, const struct wal_record *record);
struct wal_place {
    uint64_t epoch;
    uint32_t offset;
    uint32_t ordinal; /* of the record in its frame */
};
/* Room for one more extent must be reserved. */
void wal__track(struct wal_extents *extents, const struct wal_record *record,
                struct wal_place place);
void wal__forget_epochs_below(struct wal_extents *extents, uint64_t epoch);
uint64_t wal__first_index(const struct wal *wal);

/* recovery and reading: wal_recover.c, wal_read.c */
status wal__recover(struct wal *wal, struct diag *diag);
/* `size` bytes of the segment at `offset`, both multiples of 4096; borrowed until the next call. */
status wal__window(struct wal *wal, struct env_file *file, uint64_t offset, size_t size,
                   struct diag *diag, const char **out);
