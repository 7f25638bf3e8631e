/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view_build.c - what holds at the end of every change of a view.
 *
 * Order (as Java's ViewMetadata.Builder.build): log entry of the final current version, dialects,
 * number of versions kept, log entries of versions that went. Schemas are never removed.
 */
#include "catalog/view_internal.h"

static bool property_is(const struct view *view, const char *name, struct str wanted)
{
    const struct str *value = view__property(view, name);
    return value != NULL && str_eq_nocase(*value, wanted);
}

static status_value check_dialects(const struct view__edit *edit, const struct json *now)
{
    static const char *const property = "replace.drop-dialect.allowed";
    struct view *view = edit->view;
    if (edit->before == NULL || property_is(view, property, STR("true")) ||
        view__dialects_kept(edit->before, now))
        return OK;
    struct buf text;
    buf_init(&text, view->arena, VIEW_ROW_MAX);
    buf_str(&text, STR("Previous dialects: "));
    view__write_dialects(edit->before, &text);
    buf_str(&text, STR("\nNew dialects: "));
    view__write_dialects(now, &text);
    TRY(buf_finish(&text, "a list of dialects", view->diag));
    return FAIL(view->diag, ILLEGAL_ARGUMENT,
                "Cannot replace view due to loss of view dialects (%s=false):\n%.*s", property,
                STR_ARG(buf_view(&text)));
}

static status_value history_size(const struct view *view, size_t *out)
{
    static const char *const property = "version.history.num-entries";
    const struct str *text = view__property(view, property);
    int64_t size = VIEW_HISTORY_DEFAULT;
    if (text != NULL && !str_to_i64(*text, &size))
        return FAIL(view->diag, ILLEGAL_ARGUMENT, "%s must be a number but was %.*s", property,
                    STR_ARG(*text));
    if (size <= 0)
        return FAIL(view->diag, ILLEGAL_ARGUMENT, "%s must be positive but was %lld", property,
                    (long long)size);
    *out = (size_t)size;
    return OK;
}

/* Versions that may not go: those of this request and the current one. */
static size_t count_protected(const struct view *view)
{
    size_t count = 0;
    for (size_t i = 0; i < view->versions.count; i++) {
        const struct view__version *version = view__version_at(view, i);
        count += version->mark == VIEW_NEW || version->id == view->header.current_version_id;
    }
    return count;
}

/* Keeps the current version and the newest others (V1: the last ones). */
static void expire_versions(struct view *view, size_t keep)
{
    size_t others_kept = 1;
    for (size_t i = view->versions.count; i > 0; i--) {
        struct view__version *version = view__version_at(view, i - 1);
        if (version->id == view->header.current_version_id)
            continue;
        if (others_kept == keep)
            version->mark = VIEW_GONE;
        else
            others_kept++;
    }
}

/* An entry of a version that is gone takes everything before it along. */
static void trim_log(struct view *view)
{
    size_t first_kept = 0;
    for (size_t i = 0; i < view->log.count; i++) {
        if (view__version_find(view, view__entry_at(view, i)->version_id) == NULL)
            first_kept = i + 1;
    }
    for (size_t i = 0; i < first_kept; i++)
        view__entry_at(view, i)->mark = VIEW_GONE;
}

status_value view__build(struct view__edit *edit)
{
    struct view *view = edit->view;
    struct view__header *header = &view->header;
    const struct view__version *current =
        header->has_current ? view__version_find(view, header->current_version_id) : NULL;
    if (current == NULL)
        return FAIL(view->diag, ILLEGAL_ARGUMENT, "Invalid view: no versions were added");
    TRY(check_dialects(edit, current->json));
    if (edit->has_entry) {
        edit->entry.ordinal = header->next_log++;
        TRY(view__add_entry(view, edit->entry));
    }
    size_t keep = 0;
    TRY(history_size(view, &keep));
    size_t protected = count_protected(view);
    keep = keep > protected ? keep : protected;
    if (view->versions.count <= keep)
        return OK;
    expire_versions(view, keep);
    trim_log(view);
    return OK;
}

status_value view__metadata_is_gzip(const struct view *view, bool *out)
{
    static const char *const property = "write.metadata.compression-codec";
    bool is_none = property_is(view, property, STR("none"));
    if (view__property(view, property) != NULL && !is_none &&
        !property_is(view, property, STR("gzip")))
        return FAIL(view->diag, ILLEGAL_ARGUMENT, "Invalid codec name: %.*s",
                    STR_ARG(*view__property(view, property)));
    *out = !is_none;
    return OK;
}

status_value view__metadata_folder(const struct view *view, struct str *out)
{
    const struct str *path = view__property(view, "write.metadata.path");
    struct str folder =
        path != NULL ? *path
                     : arena_printf(view->arena, "%.*s/metadata", STR_ARG(view->header.location));
    if (folder.data == NULL)
        return FAIL(view->diag, NOMEM, "could not name a metadata file: memory is exhausted");
    *out = folder;
    return OK;
}
