/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * kv.h - ordered keys and values: readers, cursors, batches. The replicated state machine is "apply
 * a batch of puts and deletes"; everything that decides WHAT to put lives above, in pure functions
 * (view, request, now) -> (batch, response).
 *
 * Readers stack: store snapshot <- overlay of batches in flight <- the batch being built. Each
 * layer is itself a kv_reader, so an evaluation reads its own writes and those of every earlier
 * proposal.
 *
 * Keys are at most KEY_SIZE_MAX bytes and order bytewise. Values are borrowed: from a store
 * snapshot until it is closed, from an overlay or batch until that is released.
 */
#include "base/buf.h"
#include "base/hlc.h"

enum { KEY_SIZE_MAX = 500 };

struct kv_cursor;
struct kv_reader;
struct kv_reader_ops {
    status (*get)(struct kv_reader *self, struct str key, struct diag *diag, struct str *out_value,
                  bool *out_found);
    /* Rows with from <= key < to, ascending; an empty `to` means "to the end". The cursor lives in
     * the arena and must be closed before its reader. `from` and `to` are borrowed until return.
     * A scan of an overlay or batch sees rows put ahead of it while it runs and none put behind it,
     * so "scan, and rewrite or delete what was found" works; a rewind needs its scans closed. */
    status (*scan)(struct kv_reader *self, struct arena *arena, struct str from, struct str to,
                   struct diag *diag, struct kv_cursor **out);
};
struct kv_reader {
    const struct kv_reader_ops *ops;
};

struct kv_cursor_ops {
    /* out_found == false at the end. Key and value are borrowed until the next call. */
    status (*next)(struct kv_cursor *self, struct diag *diag, struct str *out_key,
                   struct str *out_value, bool *out_found);
    void (*close)(struct kv_cursor *self);
};
struct kv_cursor {
    const struct kv_cursor_ops *ops;
};

static inline status kv_get(struct kv_reader *reader, struct str key, struct diag *diag,
                            struct str *out_value, bool *out_found)
{
    ASSERT(key.size > 0 && key.size <= KEY_SIZE_MAX);
    return reader->ops->get(reader, key, diag, out_value, out_found);
}
static inline status kv_scan(struct kv_reader *reader, struct arena *arena, struct str from,
                             struct str to, struct diag *diag, struct kv_cursor **out)
{
    return reader->ops->scan(reader, arena, from, to, diag, out);
}
static inline status kv_next(struct kv_cursor *cursor, struct diag *diag, struct str *out_key,
                             struct str *out_value, bool *out_found)
{
    return cursor->ops->next(cursor, diag, out_key, out_value, out_found);
}
static inline void kv_close(struct kv_cursor *cursor)
{
    if (cursor != NULL)
        cursor->ops->close(cursor);
}
/* Rows whose key starts with `prefix`. */
status kv_scan_prefix(struct kv_reader *reader, struct arena *arena, struct str prefix,
                      struct diag *diag, struct kv_cursor **out);
/* The smallest key greater than every key with this prefix, in the arena; empty when there is
 * none. */
status kv_prefix_end(struct arena *arena, struct str prefix, struct diag *diag, struct str *out);

/*
 * An overlay: an ordered map of puts and tombstones over a base reader, and itself a reader.
 * Keys and values are borrowed from whoever put them. Nodes come from the arena.
 */
struct kv_overlay;
/* `base` is kept; NULL reads as empty. NOMEM. */
status kv_overlay_create(struct arena *arena, struct kv_reader *base, struct diag *diag,
                         struct kv_overlay **out);
struct kv_reader *kv_overlay_reader(struct kv_overlay *overlay);
/* Key and value are borrowed for the life of the overlay. The last word on a key wins. NOMEM. */
status kv_overlay_put(struct kv_overlay *overlay, struct str key, struct str value,
                      struct diag *diag);
status kv_overlay_delete(struct kv_overlay *overlay, struct str key, struct diag *diag);

/*
 * A batch: the writes of one evaluation, readable at once. Later puts of a key replace earlier
 * ones. Keys and values are copied into the batch's arena by kv_put, so callers may reuse their
 * buffers; kv_put_borrowed keeps the caller's value bytes (they must live as long as the batch).
 */
struct kv_batch;
/* `base` is kept; NULL reads as empty. NOMEM. A put or delete that fails (NOMEM) changes
 * nothing. */
status kv_batch_create(struct arena *arena, struct kv_reader *base, struct diag *diag,
                       struct kv_batch **out);
struct kv_reader *kv_batch_reader(struct kv_batch *batch);
status kv_put(struct kv_batch *batch, struct str key, struct str value, struct diag *diag);
status kv_put_borrowed(struct kv_batch *batch, struct str key, struct str value, struct diag *diag);
status kv_delete(struct kv_batch *batch, struct str key, struct diag *diag);
bool kv_batch_is_empty(const struct kv_batch *batch);
size_t kv_batch_count(const struct kv_batch *batch); /* distinct keys */
/* Forgets everything put or deleted since the mark (from kv_batch_mark) and restores what those
 * keys were then: for undoing a failed sub-step. */
size_t kv_batch_mark(const struct kv_batch *batch);
void kv_batch_rewind(struct kv_batch *batch, size_t mark);

/* One write of a batch, in key order. */
struct kv_write {
    struct str key;
    struct str value;
    bool is_delete;
};
struct kv_batch_iter {
    const void *at;
};
struct kv_batch_iter kv_batch_writes(const struct kv_batch *batch);
bool kv_batch_next(struct kv_batch_iter *iter, struct kv_write *out);

/*
 * Payload of a log entry: {format u8 = 1, hlc u64le, trace id 16 bytes + span id 8 + flags 1 (zeros
 * when absent), count varint, then per write: op u8 (1 put, 2 delete), key size varint, key, value
 * size varint (0 for a delete), value}. Keys are strictly ascending; nothing follows the last
 * write.
 */
struct kv_trace {
    uint8_t bytes[25];
};
/* `trace` may be NULL. Failure shows in `out` (buf_finish). */
void kv_payload_encode(const struct kv_batch *batch, hlc_stamp stamp, const struct kv_trace *trace,
                       struct buf *out);
/* A cursor over a payload's writes; validates everything it reads. CORRUPT on any defect. */
struct kv_payload {
    struct cursor at;
    hlc_stamp stamp;
    struct kv_trace trace;
    uint64_t left; /* writes */
    struct str last_key;
};
/* `bytes` is borrowed by the cursor and by every write it gives. */
status kv_payload_open(struct str bytes, struct diag *diag, struct kv_payload *out);
status kv_payload_next(struct kv_payload *payload, struct diag *diag, struct kv_write *out,
                       bool *out_found);
/* Reads a whole payload. OK or CORRUPT: for what arrives from a peer, before it is kept. */
status kv_payload_check(struct str bytes, struct diag *diag);
