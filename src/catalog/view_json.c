/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view_json.c - a view as metadata.json, and the JSON of its rows.
 *
 * Member order is that of Java's ViewMetadataParser; unknown members of a registered file come
 * last.
 */
#include "catalog/view_internal.h"

void view__write_entry(const struct view__entry *entry, struct buf *out)
{
    if (entry->json != NULL) {
        json_write(out, entry->json);
        return;
    }
    buf_printf(out, "{\"timestamp-ms\":%lld,\"version-id\":%d}", (long long)entry->timestamp_ms,
               entry->version_id);
}

void view__write_properties(const struct view *view, struct buf *out)
{
    bool is_first = true;
    buf_byte(out, '{');
    for (size_t i = 0; i < view->properties.count; i++) {
        const struct view__property *property = view__property_at(view, i);
        if (property->is_gone)
            continue;
        if (!is_first)
            buf_byte(out, ',');
        is_first = false;
        json_write_string(out, property->name);
        buf_byte(out, ':');
        json_write_string(out, property->value);
    }
    buf_byte(out, '}');
}

void view__write_header(const struct view *view, struct buf *out)
{
    const struct view__header *header = &view->header;
    struct json_writer w;
    json_writer_init(&w, out);
    jw_object(&w);
    jw_key(&w, "view-uuid");
    jw_str(&w, header->uuid);
    jw_key(&w, "format-version");
    jw_i64(&w, header->format_version);
    jw_key(&w, "location");
    jw_str(&w, header->location);
    jw_key(&w, "current-version-id");
    jw_i64(&w, header->current_version_id);
    jw_key(&w, "version");
    jw_u64(&w, header->version);
    jw_key(&w, "metadata-location");
    jw_str(&w, header->metadata_location);
    jw_key(&w, "next-log");
    jw_u64(&w, header->next_log);
    if (header->extra != NULL) {
        jw_key(&w, "extra");
        jw_value(&w, header->extra);
    }
    jw_end(&w);
}

static void write_schemas(const struct view *view, struct buf *out)
{
    buf_str(out, STR(",\"schemas\":["));
    for (size_t i = 0; i < view->schemas.count; i++) {
        const struct view__schema *schema = view__schema_at(view, i);
        if (i > 0)
            buf_byte(out, ',');
        schema_write(schema->schema, schema->id, out);
    }
    buf_byte(out, ']');
}

static void write_versions(const struct view *view, struct buf *out)
{
    bool is_first = true;
    buf_printf(out, ",\"current-version-id\":%d,\"versions\":[", view->header.current_version_id);
    for (size_t i = 0; i < view->versions.count; i++) {
        const struct view__version *version = view__version_at(view, i);
        if (version->mark == VIEW_GONE)
            continue;
        if (!is_first)
            buf_byte(out, ',');
        is_first = false;
        json_write(out, version->json);
    }
    buf_byte(out, ']');
}

static void write_log(const struct view *view, struct buf *out)
{
    bool is_first = true;
    buf_str(out, STR(",\"version-log\":["));
    for (size_t i = 0; i < view->log.count; i++) {
        const struct view__entry *entry = view__entry_at(view, i);
        if (entry->mark == VIEW_GONE)
            continue;
        if (!is_first)
            buf_byte(out, ',');
        is_first = false;
        view__write_entry(entry, out);
    }
    buf_byte(out, ']');
}

void view__write_metadata(const struct view *view, struct buf *out)
{
    buf_str(out, STR("{\"view-uuid\":"));
    json_write_string(out, view->header.uuid);
    buf_printf(out, ",\"format-version\":%d,\"location\":", view->header.format_version);
    json_write_string(out, view->header.location);
    if (view->properties.count > 0) {
        buf_str(out, STR(",\"properties\":"));
        view__write_properties(view, out);
    }
    write_schemas(view, out);
    write_versions(view, out);
    write_log(view, out);
    struct json_iter iter = json_iter(view->header.extra);
    struct str key;
    const struct json *value;
    while (json_next(&iter, &key, &value)) {
        buf_byte(out, ',');
        json_write_string(out, key);
        buf_byte(out, ':');
        json_write(out, value);
    }
    buf_byte(out, '}');
}

status_value view__metadata_json(struct kv_reader *reader, struct arena *arena, uint32_t warehouse,
                                 uint64_t id, struct diag *diag, struct buf *out)
{
    struct view view;
    view__init(&view, arena, diag);
    TRY(view__load(&view, reader, warehouse, id));
    view__write_metadata(&view, out);
    return buf_finish(out, "a view", diag);
}
