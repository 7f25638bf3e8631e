/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view_store.c - writes the rows of a view that an edit has changed.
 *
 * Every row goes through outbox__row_put and outbox__row_delete, so that a version whose
 * metadata.json is not written yet can still be read (outbox.c).
 */
#include "catalog/view_internal.h"

struct writer {
    const struct view__edit *edit;
    uint32_t warehouse;
    uint64_t id;
    uint64_t undo_version;
};

static struct key row_key(const struct writer *w, enum key_part part)
{
    return key_part(w->warehouse, KEY_VIEW, w->id, part);
}

static void start(const struct writer *w, struct buf *out)
{
    buf_init(out, w->edit->view->arena, VIEW_ROW_MAX);
}

static status_value put(const struct writer *w, const struct key *key, const struct buf *value)
{
    TRY(buf_finish(value, "a row of a view", w->edit->view->diag));
    return outbox__row_put(w->edit->context, key, buf_view(value), w->undo_version);
}

static status_value store_schemas(const struct writer *w)
{
    const struct view *view = w->edit->view;
    for (size_t i = 0; i < view->schemas.count; i++) {
        const struct view__schema *schema = view__schema_at(view, i);
        if (schema->mark != VIEW_NEW)
            continue;
        struct key key = row_key(w, PART_SCHEMA);
        key_i32(&key, schema->id);
        struct buf text;
        start(w, &text);
        schema_write(schema->schema, schema->id, &text);
        TRY(put(w, &key, &text));
    }
    return OK;
}

static status_value store_versions(const struct writer *w)
{
    const struct view *view = w->edit->view;
    for (size_t i = 0; i < view->versions.count; i++) {
        const struct view__version *version = view__version_at(view, i);
        struct key key = row_key(w, PART_VIEW_VERSION);
        key_i32(&key, version->id);
        struct buf text;
        start(w, &text);
        json_write(&text, version->json);
        if (version->mark == VIEW_NEW)
            TRY(put(w, &key, &text));
        else if (version->mark == VIEW_GONE)
            TRY(outbox__row_delete(w->edit->context, &key, w->undo_version));
    }
    return OK;
}

static status_value store_log(const struct writer *w)
{
    const struct view *view = w->edit->view;
    for (size_t i = 0; i < view->log.count; i++) {
        const struct view__entry *entry = view__entry_at(view, i);
        struct key key = row_key(w, PART_LOG);
        key_u64(&key, entry->ordinal);
        struct buf text;
        start(w, &text);
        view__write_entry(entry, &text);
        if (entry->mark == VIEW_NEW)
            TRY(put(w, &key, &text));
        else if (entry->mark == VIEW_GONE)
            TRY(outbox__row_delete(w->edit->context, &key, w->undo_version));
    }
    return OK;
}

static status_value store_properties(const struct writer *w)
{
    if (!w->edit->properties_changed)
        return OK;
    struct key key = row_key(w, PART_PROPERTIES);
    struct buf text;
    start(w, &text);
    view__write_properties(w->edit->view, &text);
    return put(w, &key, &text);
}

static status_value store_header(const struct writer *w)
{
    struct key key = row_key(w, PART_HEADER);
    struct buf text;
    start(w, &text);
    view__write_header(w->edit->view, &text);
    return put(w, &key, &text);
}

status_value view__store(const struct view__edit *edit, uint64_t id, uint64_t undo_version)
{
    const struct writer w = {.edit = edit,
                             .warehouse = edit->place->warehouse.id,
                             .id = id,
                             .undo_version = undo_version};
    TRY(store_header(&w));
    TRY(store_properties(&w));
    TRY(store_schemas(&w));
    TRY(store_versions(&w));
    return store_log(&w);
}
