/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table_header.c - the header row of a table: scalars, ordinals and unknown members, as JSON.
 *
 * Format: one object; member names and kinds are the table below, in this order. A member that is
 * absent keeps the value of an empty table, so members may be added without touching stored rows.
 * "extra" holds the top-level members of a registered metadata file that tarn does not know, as
 * they were.
 */
#include "catalog/table.h"

enum field_kind { FIELD_I32, FIELD_I64, FIELD_U64, FIELD_STR, FIELD_BOOL };

struct header_field {
    const char *name;
    enum field_kind kind;
    size_t offset;
};
#define FIELD(name_, kind_, member_)                                                               \
    {                                                                                              \
        name_, FIELD_##kind_, offsetof(struct table_header, member_)                               \
    }
static const struct header_field fields[] = {
    FIELD("format-version", I32, format_version),
    FIELD("table-uuid", STR, uuid),
    FIELD("location", STR, location),
    FIELD("last-sequence-number", I64, last_sequence_number),
    FIELD("last-updated-ms", I64, last_updated_ms),
    FIELD("last-column-id", I32, last_column_id),
    FIELD("current-schema-id", I32, current_schema_id),
    FIELD("default-spec-id", I32, default_spec_id),
    FIELD("last-partition-id", I32, last_partition_id),
    FIELD("default-sort-order-id", I32, default_order_id),
    FIELD("current-snapshot-id", I64, current_snapshot_id),
    FIELD("next-row-id", I64, next_row_id),
    FIELD("version", U64, version),
    FIELD("metadata-location", STR, metadata_location),
    FIELD("next-snapshot", U64, next_snapshot),
    FIELD("snapshot-count", U64, snapshot_count),
    FIELD("first-log", U64, first_log),
    FIELD("next-log", U64, next_log),
    FIELD("dangling-log", U64, dangling_log),
    FIELD("last-log-ms", I64, last_log_ms),
    FIELD("first-metadata-log", U64, first_metadata_log),
    FIELD("next-metadata-log", U64, next_metadata_log),
    FIELD("versions-max", I32, versions_max),
    FIELD("delete-after-commit", BOOL, delete_after_commit),
    FIELD("gzip", BOOL, gzip),
    FIELD("metadata-path", STR, metadata_path),
};

struct table_header table__header_initial(void)
{
    return (struct table_header){.format_version = TABLE_FORMAT_DEFAULT,
                                 .current_schema_id = -1,
                                 .default_spec_id = -1,
                                 .last_partition_id = PARTITION_LAST_ID_UNPARTITIONED,
                                 .default_order_id = -1,
                                 .current_snapshot_id = TABLE_NO_SNAPSHOT,
                                 .versions_max = TABLE_VERSIONS_MAX_DEFAULT};
}

static bool read_field(const struct header_field *field, const struct json *value,
                       struct table_header *header)
{
    void *at = (char *)header + field->offset;
    switch (field->kind) {
    case FIELD_I32: return json_as_i32(value, at);
    case FIELD_I64: return json_as_i64(value, at);
    case FIELD_U64: return json_as_u64(value, at);
    case FIELD_STR: return json_as_str(value, at);
    case FIELD_BOOL: return json_as_bool(value, at);
    }
    return false;
}

/* Members come in the table's order, so the search starts where the last one ended. */
static const struct header_field *find_field(struct str name, size_t *hint)
{
    for (size_t tries = 0; tries < COUNTOF(fields); tries++) {
        size_t at = (*hint + tries) % COUNTOF(fields);
        if (str_is(name, fields[at].name)) {
            *hint = at + 1;
            return &fields[at];
        }
    }
    return NULL;
}

static status read_extra(struct arena *arena, const struct json *value, struct diag *diag,
                         struct str *out)
{
    struct buf text;
    buf_init(&text, arena, TABLE_VALUE_MAX);
    json_write(&text, value);
    TRY(buf_finish(&text, "unknown members of the table", diag));
    *out = buf_view(&text);
    return OK;
}

status_value table__header_parse(struct arena *arena, struct str row, struct diag *diag,
                                 struct table_header *out)
{
    struct json_limits limits = json_limits_document();
    const struct json *json = NULL;
    TRY(json_parse(arena, row, &limits, diag, &json));
    struct table_header header = table__header_initial();
    struct json_iter iter = json_iter(json);
    struct str name;
    const struct json *value;
    size_t hint = 0;
    while (json_next(&iter, &name, &value)) {
        const struct header_field *field = find_field(name, &hint);
        if (field != NULL && !read_field(field, value, &header))
            return FAIL(diag, CORRUPT, "table header: %s has the wrong kind", field->name);
        if (field == NULL && str_is(name, "extra"))
            TRY(read_extra(arena, value, diag, &header.extra));
    }
    if (header.uuid.size == 0)
        return FAIL(diag, CORRUPT, "table header: no table-uuid");
    *out = header;
    return OK;
}

static void write_field(struct buf *out, const struct header_field *field,
                        const struct table_header *header)
{
    const void *at = (const char *)header + field->offset;
    buf_byte(out, '"');
    buf_str(out, str_from(field->name));
    buf_append(out, "\":", 2);
    switch (field->kind) {
    case FIELD_I32: buf_i64(out, *(const int32_t *)at); break;
    case FIELD_I64: buf_i64(out, *(const int64_t *)at); break;
    case FIELD_U64: buf_u64(out, *(const uint64_t *)at); break;
    case FIELD_STR: json_write_string(out, *(const struct str *)at); break;
    case FIELD_BOOL: buf_str(out, *(const bool *)at ? STR("true") : STR("false")); break;
    }
}

status_value table__header_write(const struct table_header *header, struct arena *arena,
                                 struct diag *diag, struct str *out)
{
    struct buf text;
    buf_init(&text, arena, TABLE_VALUE_MAX);
    for (size_t i = 0; i < COUNTOF(fields); i++) {
        buf_byte(&text, i == 0 ? '{' : ',');
        write_field(&text, &fields[i], header);
    }
    if (header->extra.size > 0) {
        buf_str(&text, STR(",\"extra\":"));
        buf_str(&text, header->extra);
    }
    buf_byte(&text, '}');
    TRY(buf_finish(&text, "table header", diag));
    *out = buf_view(&text);
    return OK;
}

status_value table__header_get(struct kv_reader *reader, struct arena *arena, uint32_t warehouse,
                               uint64_t id, struct diag *diag, struct table_header *out)
{
    struct key key = key_part(warehouse, KEY_TABLE, id, PART_HEADER);
    struct str row;
    bool found = false;
    TRY(kv_get(reader, key_str(&key), diag, &row, &found));
    if (!found)
        return FAIL(diag, NO_SUCH_TABLE, "the table with id %llu is gone", (unsigned long long)id);
    return table__header_parse(arena, row, diag, out);
}
