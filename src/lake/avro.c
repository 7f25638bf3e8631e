/* SPDX-License-Identifier: Apache-2.0 */
/*
 * avro.c - the container: header, blocks, and values read by a plan.
 *
 * File: "Obj" 1, metadata (map of bytes), sync marker (16 bytes), then blocks: number of records,
 * number of bytes (both zigzag varints), the bytes, the sync marker again. A record is its fields'
 * values one after the other; without the schema no byte says what it is.
 *
 * I1  Every read goes through a cursor; a cursor that failed reads zeros and is checked once per
 *     record.
 * I2  Reading a block takes a number of steps that its size bounds, though values may have no bytes
 *     at all.
 * I3  A block's records use up its bytes exactly.
 */
#include "lake/avro_internal.h"

enum {
    SYNC_BYTES = 16,
    STEPS_PER_BYTE = AVRO_DEPTH_MAX, /* a byte may lie below so many records */
    STEPS_FREE = 1 << 16,
    BLOCK_ARENA_BYTES_MAX = INT32_MAX
};

struct avro_reader {
    struct cursor file; /* behind the last block read */
    struct str metadata;
    struct str sync;
    enum avro_codec codec;
    const struct avro_type *type;
    struct avro_plan *plan;
    const struct avro_want *wants;
    size_t want_count;
    struct arena block_arena;
    struct cursor block;
    uint64_t left;  /* records of the block */
    uint64_t steps; /* left for this block */
    struct avro_value *values;
};

static status wrong(struct diag *diag, const char *why)
{
    return FAIL(diag, INVALID, "an Avro file is damaged: %s", why);
}

static int64_t read_long(struct cursor *at)
{
    uint64_t raw = cursor_varint(at);
    return (int64_t)(raw >> 1) ^ -(int64_t)(raw & 1);
}

static struct str read_bytes(struct cursor *at)
{
    int64_t size = read_long(at);
    if (size < 0)
        at->failed = true;
    return size < 0 ? STR("") : cursor_bytes(at, (uint64_t)size);
}

/* --- skipping --- */

static void skip_value(struct avro_reader *reader, const struct avro_type *type, uint32_t depth);

/* Items come in runs: a count, then so many; a negative count is followed by the run's bytes. */
static void skip_items(struct avro_reader *reader, const struct avro_type *type, uint32_t depth)
{
    struct cursor *at = &reader->block;
    while (!at->failed) {
        int64_t count = read_long(at);
        if (count == 0)
            return;
        if (count < 0) {
            (void)read_bytes(at);
            continue;
        }
        for (int64_t i = 0; i < count && !at->failed; i++) {
            if (type->kind == AVRO_MAP)
                (void)read_bytes(at);
            skip_value(reader, type->parts[0].type, depth);
        }
    }
}

/* The branch of a union that follows; NULL when there is no such branch. */
static const struct avro_type *read_branch(struct avro_reader *reader, const struct avro_type *type,
                                           size_t *out_index)
{
    int64_t index = read_long(&reader->block);
    if (index < 0 || (uint64_t)index >= type->part_count)
        reader->block.failed = true;
    if (reader->block.failed)
        return NULL;
    *out_index = (size_t)index;
    return type->parts[index].type;
}

static void skip_parts(struct avro_reader *reader, const struct avro_type *type, uint32_t depth)
{
    size_t index;
    if (type->kind == AVRO_UNION) {
        const struct avro_type *branch = read_branch(reader, type, &index);
        if (branch != NULL)
            skip_value(reader, branch, depth);
        return;
    }
    for (size_t i = 0; i < type->part_count && !reader->block.failed; i++)
        skip_value(reader, type->parts[i].type, depth);
}

/* Counts the value; too many or too deep is a failure like running out of bytes. */
static bool step(struct avro_reader *reader, uint32_t depth)
{
    if (reader->steps == 0 || depth == AVRO_DEPTH_MAX)
        reader->block.failed = true;
    else
        reader->steps--;
    return !reader->block.failed;
}

static void skip_value(struct avro_reader *reader, const struct avro_type *type, uint32_t depth)
{
    struct cursor *at = &reader->block;
    if (!step(reader, depth))
        return;
    switch (type->kind) {
    case AVRO_NULL: break;
    case AVRO_BOOLEAN: (void)cursor_u8(at); break;
    case AVRO_INT:
    case AVRO_LONG:
    case AVRO_ENUM: (void)cursor_varint(at); break;
    case AVRO_FLOAT: (void)cursor_bytes(at, sizeof(float)); break;
    case AVRO_DOUBLE: (void)cursor_bytes(at, sizeof(double)); break;
    case AVRO_BYTES:
    case AVRO_STRING: (void)read_bytes(at); break;
    case AVRO_FIXED: (void)cursor_bytes(at, type->size); break;
    case AVRO_ARRAY:
    case AVRO_MAP: skip_items(reader, type, depth + 1); break;
    case AVRO_RECORD:
    case AVRO_UNION: skip_parts(reader, type, depth + 1); break;
    }
}

/* --- reading by plan --- */

static void keep_value(struct avro_reader *reader, const struct avro_plan *plan)
{
    struct avro_value *value = &reader->values[plan->slot];
    enum avro_kind kind = plan->type->kind;
    value->found = true;
    if (kind == AVRO_STRING || kind == AVRO_BYTES) {
        value->bytes = read_bytes(&reader->block);
        return;
    }
    value->i64 = read_long(&reader->block);
    if (kind == AVRO_INT && (value->i64 < INT32_MIN || value->i64 > INT32_MAX))
        reader->block.failed = true;
}

static void read_value(struct avro_reader *reader, const struct avro_type *type,
                       const struct avro_plan *plan, uint32_t depth)
{
    size_t index = 0;
    if (plan == NULL) {
        skip_value(reader, type, depth);
        return;
    }
    if (!step(reader, depth))
        return;
    if (plan->slot != AVRO_NO_SLOT) {
        keep_value(reader, plan);
    } else if (type->kind == AVRO_UNION) {
        const struct avro_type *branch = read_branch(reader, type, &index);
        if (branch != NULL)
            read_value(reader, branch, plan->parts[index], depth + 1);
    } else {
        for (size_t i = 0; i < type->part_count && !reader->block.failed; i++)
            read_value(reader, type->parts[i].type, plan->parts[i], depth + 1);
    }
}

/* --- blocks --- */

static status next_block(struct avro_reader *reader, struct diag *diag)
{
    int64_t count = read_long(&reader->file);
    struct str packed = read_bytes(&reader->file);
    struct str sync = cursor_bytes(&reader->file, SYNC_BYTES);
    struct str bytes;
    if (reader->file.failed || count < 0)
        return wrong(diag, "a block's header is not valid, or the file ends early");
    if (!str_eq(sync, reader->sync))
        return wrong(diag, "a sync marker is not where a block ends");
    arena_reset(&reader->block_arena);
    TRY(avro__unpack(reader->codec, &reader->block_arena, packed, diag, &bytes));
    reader->block = cursor_of(bytes);
    reader->left = (uint64_t)count;
    reader->steps = (uint64_t)bytes.size * STEPS_PER_BYTE + STEPS_FREE;
    return OK;
}

static status check_record(const struct avro_reader *reader, struct diag *diag)
{
    if (reader->block.failed)
        return wrong(diag, "a record does not fit its schema");
    if (reader->left == 0 && cursor_left(&reader->block) > 0)
        return wrong(diag, "bytes follow the last record of a block");
    for (size_t i = 0; i < reader->want_count; i++)
        if (reader->wants[i].required && !reader->values[i].found)
            return FAIL(diag, INVALID, "field %d of an Avro record is required, but null",
                        reader->wants[i].path[reader->wants[i].depth - 1]);
    return OK;
}

status_value avro_next(struct avro_reader *reader, struct diag *diag, struct avro_value *values,
                       bool *out_found)
{
    while (reader->left == 0 && cursor_left(&reader->file) > 0) {
        TRY(next_block(reader, diag));
        if (reader->left == 0 && cursor_left(&reader->block) > 0)
            return wrong(diag, "a block without records has bytes");
    }
    *out_found = reader->left > 0;
    if (reader->left == 0)
        return OK;
    reader->left--;
    memset(reader->values, 0, sizeof(*values) * reader->want_count);
    read_value(reader, reader->type, reader->plan, 0);
    TRY(check_record(reader, diag));
    memcpy(values, reader->values, sizeof(*values) * reader->want_count);
    return OK;
}

/* --- the header --- */

struct metadata_iter {
    struct cursor at;
    uint64_t left; /* entries of the run */
};

/* False at the end, or when the cursor failed. */
static bool next_metadata(struct metadata_iter *iter, struct str *out_key, struct str *out_value)
{
    if (iter->left == 0) {
        int64_t count = read_long(&iter->at);
        if (count < 0)
            (void)read_long(&iter->at);
        iter->left = count < 0 ? 0 - (uint64_t)count : (uint64_t)count;
    }
    if (iter->left == 0)
        return false;
    iter->left--;
    *out_key = read_bytes(&iter->at);
    *out_value = read_bytes(&iter->at);
    return !iter->at.failed;
}

bool avro_metadata(const struct avro_reader *reader, struct str key, struct str *out)
{
    struct metadata_iter iter = {.at = cursor_of(reader->metadata)};
    struct str name;
    struct str value;
    while (next_metadata(&iter, &name, &value)) {
        if (str_eq(name, key)) {
            *out = value;
            return true;
        }
    }
    return false;
}

static status read_header(struct avro_reader *reader, struct str file, struct diag *diag)
{
    static const char magic[] = {'O', 'b', 'j', 1};
    struct metadata_iter iter = {.at = cursor_of(file)};
    struct str ignored_key;
    struct str ignored_value;
    if (!str_eq(cursor_bytes(&iter.at, sizeof(magic)), (struct str){magic, sizeof(magic)}))
        return FAIL(diag, INVALID, "this is not an Avro file: it does not begin with Obj");
    while (next_metadata(&iter, &ignored_key, &ignored_value))
        ;
    size_t end = file.size - cursor_left(&iter.at);
    reader->metadata = str_slice(file, sizeof(magic), end);
    reader->sync = cursor_bytes(&iter.at, SYNC_BYTES);
    if (iter.at.failed)
        return wrong(diag, "its header is not valid, or the file ends early");
    reader->file = iter.at;
    return OK;
}

static status open_reader(struct avro_reader *reader, struct arena *arena, struct str file,
                          struct diag *diag)
{
    struct str schema;
    struct str codec = STR("null");
    TRY(read_header(reader, file, diag));
    if (!avro_metadata(reader, STR("avro.schema"), &schema))
        return wrong(diag, "it has no schema");
    (void)avro_metadata(reader, STR("avro.codec"), &codec);
    TRY(avro__codec_parse(codec, diag, &reader->codec));
    TRY(avro__schema_parse(arena, schema, diag, &reader->type));
    return avro__plan_make(arena, reader->type, reader->wants, reader->want_count, diag,
                           &reader->plan);
}

status_value avro_open(struct arena *arena, struct str file, const struct avro_want *wants,
                       size_t want_count, struct diag *diag, struct avro_reader **out)
{
    struct avro_reader *reader = ARENA_NEW(arena, struct avro_reader);
    if (reader != NULL)
        reader->values = ARENA_ARRAY(arena, struct avro_value, want_count + 1);
    if (reader == NULL || reader->values == NULL)
        return FAIL(diag, NOMEM, "could not read an Avro file: memory budget exhausted");
    reader->wants = wants;
    reader->want_count = want_count;
    arena_init(&reader->block_arena, arena->allocator, BLOCK_ARENA_BYTES_MAX);
    TRY(open_reader(reader, arena, file, diag));
    *out = reader;
    return OK;
}

void avro_close(struct avro_reader *reader)
{
    if (reader != NULL)
        arena_deinit(&reader->block_arena);
}
