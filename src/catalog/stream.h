/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * stream.h - a document as a plan: pieces of text and ranges of rows, in the order they are
 * written.
 *
 * The planner of tables reads the header row, calls stream_begin with the metadata location,
 * appends the members of the document with the calls below, and calls stream_end. Nothing but the
 * header's text is held in memory; rows are read one by one while the stream is filled. A view is
 * small: its document is one text.
 *
 *   stream_begin(plan, metadata_location);
 *   buf_str(stream_text(plan), STR("{\"format-version\":1,\"schemas\":["));
 *   stream_rows(plan, prefix, end, STREAM_VALUES);
 *   buf_byte(stream_text(plan), ']'); ...
 *   stream_end(plan);
 */
#include "catalog/catalog_internal.h"

enum stream_kind {
    STREAM_TEXT,
    STREAM_ROW,     /* the value of one row, or nothing */
    STREAM_VALUES,  /* values of rows, with commas */
    STREAM_MEMBERS, /* values {"name":N,rest} as N:{rest}, with commas */
    STREAM_ORDINALS /* values of rows with the given ordinals, with commas */
};
struct stream_section {
    enum stream_kind kind;
    struct str text; /* TEXT; of the others: the key, or where a range begins */
    struct str end;  /* of a range */
    struct str open; /* before the first row, only if there is one */
    struct str close;
    const uint64_t *ordinals;
    size_t ordinal_count;
};
struct stream_plan {
    struct kv_reader *reader;
    struct arena *arena;
    struct diag *diag;
    uint32_t warehouse;
    uint64_t object_id;
    bool refs_only;
    bool wrapped;     /* {"metadata-location":..,"metadata":{..}}; else the bare document */
    bool with_config; /* wrapped and with "config":{} */
    struct str metadata_location; /* of a view; a table's header knows its own */
    struct stream_section *sections;
    size_t count;
    size_t capacity;
    struct buf text; /* not yet a section */
    int32_t failed;  /* STATUS_OK or the first failure of building the plan */
};

void stream_begin(struct stream_plan *plan, struct str metadata_location);
struct buf *stream_text(struct stream_plan *plan);
/* The value of one row; `key` is copied. */
void stream_row(struct stream_plan *plan, struct str key);
/* Rows from <= key < end (both copied; an empty end: all rows that begin with `from`). */
void stream_rows(struct stream_plan *plan, enum stream_kind kind, struct str from, struct str end);
/* Like stream_rows, with text that is written only when there is a row. Texts are literals. */
void stream_rows_if_any(struct stream_plan *plan, struct str prefix, struct str open,
                        struct str close);
/* Rows <prefix><ordinal:u64>; `ordinals` are kept. */
void stream_ordinals(struct stream_plan *plan, struct str prefix, const uint64_t *ordinals,
                     size_t count);
status stream_end(struct stream_plan *plan);

/* table_stream.c; NO_SUCH_TABLE when the header is gone. */
status table__plan(struct stream_plan *plan);
