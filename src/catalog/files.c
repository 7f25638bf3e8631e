/* SPDX-License-Identifier: Apache-2.0 */
/*
 * files.c - the files that an object's rows name: manifest lists, statistics, metadata files.
 *
 * Rows are read one by one; the row at hand is parsed in an arena of its own, so that a table with
 * a million snapshots costs the memory of one. A row without a location names no file.
 */
#include "catalog/catalog_internal.h"
#include "kv/keys.h"

enum { FILES_ROW_BYTES_MAX = 512 << 20 };

struct files_source {
    enum key_part part;
    enum catalog_file_kind kind;
    const char *member;
};

static const struct files_source content_sources[] = {
    {PART_SNAPSHOT, CATALOG_FILE_MANIFEST_LIST, "manifest-list"},
};
/* The newest metadata file comes last: it is the way to all the others. */
static const struct files_source other_sources[] = {
    {PART_STATISTICS, CATALOG_FILE_STATISTICS, "statistics-path"},
    {PART_PARTITION_STATISTICS, CATALOG_FILE_STATISTICS, "statistics-path"},
    {PART_METADATA_LOG, CATALOG_FILE_METADATA, "metadata-file"},
    {PART_HEADER, CATALOG_FILE_METADATA, "metadata-location"},
};

struct catalog_files {
    struct kv_reader *view;
    struct arena *arena;
    struct arena row; /* of the row at hand */
    const struct catalog_drop_job *job;
    const struct files_source *sources;
    size_t left;                /* sources, the current one included */
    struct kv_cursor *cursor;   /* of the current source; NULL before its first row */
    struct json_iter manifests; /* of a v1 snapshot without a manifest list */
};

static enum key_kind files_kind(const struct catalog_drop_job *job)
{
    return job->is_view ? KEY_VIEW : KEY_TABLE;
}

status_value catalog_files_open(struct kv_reader *view, struct arena *arena,
                                const struct catalog_drop_job *job, enum catalog_files_which which,
                                struct diag *diag, struct catalog_files **out)
{
    struct catalog_files *files = ARENA_NEW(arena, struct catalog_files);
    if (files == NULL)
        return FAIL(diag, NOMEM, "could not list the files of an object: memory is exhausted");
    bool content = which == CATALOG_FILES_CONTENT;
    files->view = view;
    files->arena = arena;
    files->job = job;
    files->sources = content ? content_sources : other_sources;
    files->left = content ? COUNTOF(content_sources) : COUNTOF(other_sources);
    files->manifests = json_iter(NULL);
    arena_init(&files->row, allocator_heap(), FILES_ROW_BYTES_MAX);
    *out = files;
    return OK;
}

void catalog_files_close(struct catalog_files *files)
{
    if (files == NULL)
        return;
    kv_close(files->cursor);
    files->cursor = NULL;
    arena_deinit(&files->row);
}

static status parse_row(struct arena *arena, struct str row, struct diag *diag,
                        const struct json **out)
{
    struct json_limits limits = json_limits_document();
    return json_parse(arena, row, &limits, diag, out);
}

/* The next row of the current source; at its end the source is done. */
static status next_row(struct catalog_files *files, struct diag *diag, const struct json **out,
                       bool *out_found)
{
    const struct catalog_drop_job *job = files->job;
    struct key prefix =
        key_part(job->warehouse, files_kind(job), job->object_id, files->sources->part);
    struct str key;
    struct str row;
    if (files->cursor == NULL)
        TRY(kv_scan_prefix(files->view, files->arena, key_str(&prefix), diag, &files->cursor));
    TRY(kv_next(files->cursor, diag, &key, &row, out_found));
    if (!*out_found) {
        kv_close(files->cursor);
        files->cursor = NULL;
        files->sources++;
        files->left--;
        return OK;
    }
    arena_reset(&files->row);
    return parse_row(&files->row, row, diag, out);
}

static bool next_manifest(struct catalog_files *files, struct str *out)
{
    const struct json *value;
    while (json_next(&files->manifests, NULL, &value)) {
        if (json_as_str(value, out) && out->size > 0)
            return true;
    }
    return false;
}

/* The location in a row of `source`; a v1 snapshot may hold a list of manifests instead. */
static bool read_location(struct catalog_files *files, const struct files_source *source,
                          const struct json *row, struct str *out)
{
    if (json_as_str(json_get(row, source->member), out) && out->size > 0)
        return true;
    if (source->kind == CATALOG_FILE_MANIFEST_LIST)
        files->manifests = json_iter(json_get(row, "manifests"));
    return false;
}

status_value catalog_files_next(struct catalog_files *files, struct diag *diag,
                                struct catalog_file *out, bool *out_found)
{
    struct catalog_file file = {.kind = CATALOG_FILE_MANIFEST};
    bool found = next_manifest(files, &file.location);
    while (!found && files->left > 0) {
        const struct files_source *source = files->sources;
        const struct json *row = NULL;
        bool has_row = false;
        TRY(next_row(files, diag, &row, &has_row));
        if (!has_row)
            continue;
        file.kind = source->kind;
        found = read_location(files, source, row, &file.location);
        if (!found) {
            file.kind = CATALOG_FILE_MANIFEST;
            found = next_manifest(files, &file.location);
        }
    }
    if (found)
        *out = file;
    *out_found = found;
    return OK;
}

status_value catalog_files_may_delete(struct kv_reader *view, struct arena *arena,
                                      const struct catalog_drop_job *job, struct diag *diag,
                                      bool *out)
{
    struct key key = key_part(job->warehouse, files_kind(job), job->object_id, PART_PROPERTIES);
    const struct json *properties = NULL;
    struct str gc = {NULL, 0};
    struct str row;
    bool found = false;
    TRY(kv_get(view, key_str(&key), diag, &row, &found));
    if (found)
        TRY(parse_row(arena, row, diag, &properties));
    *out =
        !json_as_str(json_get(properties, "gc.enabled"), &gc) || !str_eq_nocase(gc, STR("false"));
    return OK;
}
