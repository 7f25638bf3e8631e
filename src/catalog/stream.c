/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream.c - writes a planned document (stream.h) piece by piece into the caller's buffers.
 *
 * S1  `parts` is what is to be written next, borrowed from the plan, a literal or the cursor's
 *     present row; the cursor moves only when all parts are written.
 * S2  Memory: the plan, one cursor per range, one row.
 */
#include "catalog/stream.h"

#include "catalog/table.h"
#include "catalog/view.h"

enum { PARTS_MAX = 5, PLAN_TEXT_MAX = 256 << 20 };

struct catalog_stream {
    struct stream_plan plan;
    size_t section; /* being written; plan.count at the end */
    bool inside;    /* of its rows: the range is open */
    bool any;       /* a row of it has been written */
    size_t ordinal; /* next of STREAM_ORDINALS */
    struct kv_cursor *cursor;
    struct str parts[PARTS_MAX];
    size_t part;
    size_t part_count;
};

/* --- building a plan --- */

static void fail_plan(struct stream_plan *plan, int32_t code)
{
    if (plan->failed == STATUS_OK)
        plan->failed = code;
}

static void add_section(struct stream_plan *plan, struct stream_section section)
{
    struct stream_section *grown =
        table__grow(plan->arena, plan->sections, plan->count, &plan->capacity, sizeof(section));
    if (grown == NULL) {
        fail_plan(plan, STATUS_NOMEM);
        return;
    }
    plan->sections = grown;
    plan->sections[plan->count++] = section;
}

static void flush_text(struct stream_plan *plan)
{
    if (plan->text.failed != STATUS_OK)
        fail_plan(plan, plan->text.failed);
    if (plan->text.size > 0)
        add_section(plan,
                    (struct stream_section){.kind = STREAM_TEXT, .text = buf_view(&plan->text)});
    buf_init(&plan->text, plan->arena, PLAN_TEXT_MAX);
}

static struct str keep(struct stream_plan *plan, struct str bytes)
{
    struct str copy = arena_copy(plan->arena, bytes);
    if (copy.data == NULL)
        fail_plan(plan, STATUS_NOMEM);
    return copy;
}

struct buf *stream_text(struct stream_plan *plan)
{
    return &plan->text;
}

void stream_begin(struct stream_plan *plan, struct str metadata_location)
{
    buf_init(&plan->text, plan->arena, PLAN_TEXT_MAX);
    if (!plan->wrapped)
        return;
    buf_byte(&plan->text, '{');
    if (metadata_location.size > 0) {
        buf_str(&plan->text, STR("\"metadata-location\":"));
        json_write_string(&plan->text, metadata_location);
        buf_byte(&plan->text, ',');
    }
    buf_str(&plan->text, STR("\"metadata\":"));
}

void stream_row(struct stream_plan *plan, struct str key)
{
    flush_text(plan);
    add_section(plan, (struct stream_section){.kind = STREAM_ROW, .text = keep(plan, key)});
}

static void add_range(struct stream_plan *plan, struct stream_section section, struct str end)
{
    flush_text(plan);
    section.text = keep(plan, section.text);
    if (end.size > 0)
        section.end = keep(plan, end);
    else if (!is_ok(kv_prefix_end(plan->arena, section.text, plan->diag, &section.end)))
        fail_plan(plan, STATUS_NOMEM);
    add_section(plan, section);
}

void stream_rows(struct stream_plan *plan, enum stream_kind kind, struct str from, struct str end)
{
    ASSERT(kind == STREAM_VALUES || kind == STREAM_MEMBERS);
    add_range(plan, (struct stream_section){.kind = kind, .text = from}, end);
}

void stream_rows_if_any(struct stream_plan *plan, struct str prefix, struct str open,
                        struct str close)
{
    struct stream_section section = {
        .kind = STREAM_VALUES, .text = prefix, .open = open, .close = close};
    add_range(plan, section, STR(""));
}

void stream_ordinals(struct stream_plan *plan, struct str prefix, const uint64_t *ordinals,
                     size_t count)
{
    flush_text(plan);
    add_section(plan, (struct stream_section){.kind = STREAM_ORDINALS,
                                              .text = keep(plan, prefix),
                                              .ordinals = ordinals,
                                              .ordinal_count = count});
}

status_value stream_end(struct stream_plan *plan)
{
    if (plan->wrapped)
        buf_str(&plan->text, plan->with_config ? STR(",\"config\":{}}") : STR("}"));
    flush_text(plan);
    if (plan->failed == STATUS_TOO_LARGE)
        return FAIL(plan->diag, TOO_LARGE, "the document's header is too large");
    if (plan->failed != STATUS_OK)
        return FAIL(plan->diag, NOMEM, "could not plan a document: memory budget exhausted");
    return OK;
}

/* --- writing it --- */

static void add_part(struct catalog_stream *stream, struct str part)
{
    ASSERT(stream->part_count < PARTS_MAX);
    stream->parts[stream->part_count++] = part;
}

/* {"name":N,rest} becomes N:{rest}. */
static status add_member(struct catalog_stream *stream, struct str row, struct diag *diag)
{
    static const char head[] = "{\"name\":\"";
    size_t start = sizeof(head) - 2; /* at the name's opening quote */
    size_t at = start + 1;
    if (!str_starts(row, STR("{\"name\":\"")))
        return FAIL(diag, CORRUPT, "a ref row does not begin with its name");
    while (at < row.size && row.data[at] != '"')
        at += row.data[at] == '\\' ? 2 : 1;
    if (at + 2 >= row.size || row.data[at + 1] != ',')
        return FAIL(diag, CORRUPT, "a ref row holds nothing but its name");
    add_part(stream, str_slice(row, start, at + 1));
    add_part(stream, STR(":{"));
    add_part(stream, str_from_pos(row, at + 2));
    return OK;
}

static status add_row(struct catalog_stream *stream, struct str row, struct diag *diag)
{
    const struct stream_section *section = &stream->plan.sections[stream->section];
    add_part(stream, stream->any ? STR(",") : section->open);
    stream->any = true;
    if (section->kind == STREAM_MEMBERS)
        return add_member(stream, row, diag);
    add_part(stream, row);
    return OK;
}

static void end_section(struct catalog_stream *stream)
{
    if (stream->any)
        add_part(stream, stream->plan.sections[stream->section].close);
    kv_close(stream->cursor);
    stream->cursor = NULL;
    stream->inside = false;
    stream->any = false;
    stream->ordinal = 0;
    stream->section++;
}

static status next_of_range(struct catalog_stream *stream, struct diag *diag)
{
    const struct stream_section *section = &stream->plan.sections[stream->section];
    struct str key;
    struct str row;
    bool found = false;
    if (!stream->inside)
        TRY(kv_scan(stream->plan.reader, stream->plan.arena, section->text, section->end, diag,
                    &stream->cursor));
    stream->inside = true;
    TRY(kv_next(stream->cursor, diag, &key, &row, &found));
    if (found)
        return add_row(stream, row, diag);
    end_section(stream);
    return OK;
}

static status next_ordinal(struct catalog_stream *stream, struct diag *diag)
{
    const struct stream_section *section = &stream->plan.sections[stream->section];
    struct key key = {.size = 0};
    struct str row;
    bool found = false;
    if (stream->ordinal == section->ordinal_count) {
        end_section(stream);
        return OK;
    }
    key_bytes(&key, section->text);
    key_u64(&key, section->ordinals[stream->ordinal++]);
    TRY(kv_get(stream->plan.reader, key_str(&key), diag, &row, &found));
    return found ? add_row(stream, row, diag) : OK;
}

static status next_row(struct catalog_stream *stream, struct diag *diag)
{
    const struct stream_section *section = &stream->plan.sections[stream->section];
    struct str row;
    bool found = false;
    TRY(kv_get(stream->plan.reader, section->text, diag, &row, &found));
    if (found)
        add_part(stream, row);
    end_section(stream);
    return OK;
}

/* All parts are written: prepares the next ones. */
static status advance(struct catalog_stream *stream, struct diag *diag)
{
    const struct stream_section *section = &stream->plan.sections[stream->section];
    stream->part = 0;
    stream->part_count = 0;
    switch (section->kind) {
    case STREAM_TEXT:
        add_part(stream, section->text);
        end_section(stream);
        return OK;
    case STREAM_ROW: return next_row(stream, diag);
    case STREAM_VALUES:
    case STREAM_MEMBERS: return next_of_range(stream, diag);
    case STREAM_ORDINALS: return next_ordinal(stream, diag);
    }
    return OK;
}

static size_t copy_part(struct catalog_stream *stream, char *out, size_t room)
{
    struct str *part = &stream->parts[stream->part];
    size_t size = part->size < room ? part->size : room;
    if (size > 0)
        memcpy(out, part->data, size);
    *part = str_from_pos(*part, size);
    if (part->size == 0)
        stream->part++;
    return size;
}

status_value catalog_stream_fill(struct catalog_stream *stream, char *out, size_t capacity,
                                 struct diag *diag, size_t *out_size, bool *out_end)
{
    size_t size = 0;
    bool end = false;
    while (size < capacity && !end) {
        if (stream->part < stream->part_count)
            size += copy_part(stream, out + size, capacity - size);
        else if (stream->section < stream->plan.count)
            TRY(advance(stream, diag));
        else
            end = true;
    }
    *out_size = size;
    *out_end = end;
    return OK;
}

void catalog_stream_close(struct catalog_stream *stream)
{
    if (stream != NULL) {
        kv_close(stream->cursor);
        stream->cursor = NULL;
    }
}

static status plan_view(struct stream_plan *plan)
{
    stream_begin(plan, plan->metadata_location);
    TRY(view__metadata_json(plan->reader, plan->arena, plan->warehouse, plan->object_id, plan->diag,
                            stream_text(plan)));
    return stream_end(plan);
}

static status open_plan(struct catalog_stream *stream, bool is_view, struct diag *diag)
{
    stream->plan.diag = diag;
    TRY(is_view ? plan_view(&stream->plan) : table__plan(&stream->plan));
    ASSERT(stream->plan.count > 0);
    return OK;
}

status_value catalog_stream_open(struct kv_reader *reader, struct arena *arena,
                                 const struct catalog_response *response, struct diag *diag,
                                 struct catalog_stream **out)
{
    ASSERT(response->body == CATALOG_BODY_TABLE || response->body == CATALOG_BODY_VIEW);
    struct catalog_stream *stream = ARENA_NEW(arena, struct catalog_stream);
    if (stream == NULL)
        return FAIL(diag, NOMEM, "could not open a document: memory budget exhausted");
    stream->plan = (struct stream_plan){.reader = reader,
                                        .arena = arena,
                                        .warehouse = response->warehouse,
                                        .object_id = response->object_id,
                                        .refs_only = response->refs_only,
                                        .wrapped = true,
                                        .with_config = response->with_config,
                                        .metadata_location = response->metadata_location};
    TRY(open_plan(stream, response->body == CATALOG_BODY_VIEW, diag));
    *out = stream;
    return OK;
}

/* The older rows must give the older header, else undo rows are missing. */
static status check_version(struct kv_reader *reader, struct arena *arena,
                            const struct catalog_version *version, struct diag *diag)
{
    struct table_header header;
    if (version->is_view)
        return OK;
    TRY(table__header_get(reader, arena, version->warehouse, version->object_id, diag, &header));
    if (header.version == version->version)
        return OK;
    return FAIL(diag, NOT_FOUND, "version %llu of the table cannot be rebuilt any more",
                (unsigned long long)version->version);
}

status_value catalog_publish_open(struct kv_reader *reader, struct arena *arena,
                                  const struct catalog_version *version, struct diag *diag,
                                  struct catalog_stream **out)
{
    struct kv_reader *at = NULL;
    struct catalog_stream *stream = ARENA_NEW(arena, struct catalog_stream);
    if (stream == NULL)
        return FAIL(diag, NOMEM, "could not open a document: memory budget exhausted");
    TRY(outbox__reader_at(reader, arena, version, diag, &at));
    TRY(check_version(at, arena, version, diag));
    stream->plan = (struct stream_plan){.reader = at,
                                        .arena = arena,
                                        .warehouse = version->warehouse,
                                        .object_id = version->object_id};
    TRY(open_plan(stream, version->is_view, diag));
    *out = stream;
    return OK;
}
