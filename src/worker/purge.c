/* SPDX-License-Identifier: Apache-2.0 */
/*
 * purge.c - deletes the files of one dropped table, in an order that a crash may interrupt
 * anywhere.
 *
 * Four passes over what the rows name: data and delete files; manifests; manifest lists; statistics
 * and metadata files. The first three read the manifest lists again each time instead of
 * remembering what they name, so memory does not grow with the table.
 *
 * I1  A file goes only after everything that only it leads to; the newest metadata file goes last.
 * I2  Nothing is deleted but what a file that was read to its end names. A manifest is read through
 *     once before the first of its files is deleted. What cannot be read stays, and so does
 *     everything it may name.
 * I3  A file that is gone was deleted by an earlier try, and everything it led to before it: each
 *     pass is durable before the next begins, so no power cut brings back what nothing leads to.
 */
#include "worker/purge.h"

#include "lake/manifest.h"
#include "worker/purge_set.h"

enum {
    FILE_BYTES_MAX = 256 << 20,
    FILE_ARENA_BYTES_MAX = FILE_BYTES_MAX + (64 << 20),
    ROW_ARENA_BYTES_MAX = 64 << 20,
    SEEN_MAX = 1 << 20,
    KEPT_MAX = 1 << 16
};

struct purge {
    struct object_store *store;
    struct kv_reader *view;
    const struct catalog_drop_job *job;
    struct catalog_warehouse warehouse;
    struct log *log;
    struct diag *diag;
    struct arena arena;          /* of the whole purge */
    struct arena list_arena;     /* of the manifest list at hand */
    struct arena manifest_arena; /* of the manifest at hand */
    struct arena name_arena;     /* of the location at hand */
    struct purge_set manifests;  /* of this pass; forgetting one only costs time */
    struct purge_set files;      /* likewise */
    struct purge_set kept;       /* lists and manifests that could not be read */
    uint64_t removed_count;
};

static void log_left(struct purge *purge, struct str location, const char *why)
{
    LOG(purge->log, WARN, "purge.skipped", "a file of a dropped table was left where it is",
        U64("object", purge->job->object_id), TEXT("location", location), CSTR("why", why));
}

/* In place of a set that forgets: when it is full it starts again. */
static status add_seen(struct purge *purge, struct purge_set *set, struct str name, bool *out_new)
{
    if (set->count == set->count_max)
        purge_set_clear(set);
    return purge_set_add(set, name, purge->diag, out_new);
}

/* A failure that the next try would meet again, for what the file or its name is. */
static bool is_final(status_value result)
{
    enum status_class class_ = status_class_of(result.code);
    return class_ == CLASS_DENIED || class_ == CLASS_INVALID;
}

static void keep_diag(struct purge *purge, const struct diag *diag)
{
    if (purge->diag != NULL)
        *purge->diag = *diag;
}

/* The store's name of a file, until the next call. ILLEGAL_ARGUMENT: it cannot be in this
 * warehouse. */
static status find_in_store(struct purge *purge, struct str location, struct diag *diag,
                            struct str *out)
{
    arena_reset(&purge->name_arena);
    return catalog_location_check(&purge->name_arena, &purge->warehouse, location, "File", diag,
                                  out);
}

static status remove_file(struct purge *purge, struct str location)
{
    struct diag diag = {.count = 0};
    struct str inside;
    status_value result = find_in_store(purge, location, &diag, &inside);
    if (is_ok(result))
        result = purge->store->ops->remove(purge->store, inside, &diag);
    if (is_ok(result)) {
        purge->removed_count++;
        return OK;
    }
    if (is_final(result)) {
        log_left(purge, location, diag_message(&diag, result.code));
        return OK;
    }
    keep_diag(purge, &diag);
    return result;
}

/* --- reading lists and manifests --- */

/* When so many cannot be read that they cannot be remembered, none may be deleted any more: the
 * purge fails. */
static status keep(struct purge *purge, struct str location, const char *why)
{
    bool added;
    log_left(purge, location, why);
    return purge_set_add(&purge->kept, location, purge->diag, &added);
}

/* The whole file in `arena`; *out_found is false when it is gone or stays (then it is in
 * `kept`). */
static status read_file(struct purge *purge, struct arena *arena, struct str location,
                        struct str *out, bool *out_found)
{
    struct diag diag = {.count = 0};
    struct str inside;
    *out_found = false;
    arena_reset(arena);
    status_value result = find_in_store(purge, location, &diag, &inside);
    if (is_ok(result))
        result = purge->store->ops->read(purge->store, inside, FILE_BYTES_MAX, arena, &diag, out);
    if (result.code == STATUS_NOT_FOUND)
        return OK;
    if (is_final(result))
        return keep(purge, location, diag_message(&diag, result.code));
    if (!is_ok(result)) {
        keep_diag(purge, &diag);
        return result;
    }
    *out_found = true;
    return OK;
}

/* Calls `visit` for each entry; INVALID when the file is damaged, at whatever place. */
typedef status_value (*visit_fn)(struct purge *purge, struct str path);

static status_value visit_nothing(struct purge *purge, struct str path)
{
    (void)purge;
    (void)path;
    return OK;
}

static status walk_manifest(struct purge *purge, struct str bytes, struct diag *diag,
                            visit_fn visit)
{
    struct manifest *manifest = NULL;
    struct manifest_entry entry;
    bool found = true;
    TRY(manifest_open(&purge->manifest_arena, bytes, diag, &manifest));
    status_value result = OK;
    while (is_ok(result) && found) {
        result = manifest_next(manifest, diag, &entry, &found);
        if (is_ok(result) && found)
            result = visit(purge, entry.path);
    }
    manifest_close(manifest);
    return result;
}

static status walk_list(struct purge *purge, struct str bytes, struct diag *diag, visit_fn visit)
{
    struct manifest_list *list = NULL;
    struct manifest_file file;
    bool found = true;
    TRY(manifest_list_open(&purge->list_arena, bytes, diag, &list));
    status_value result = OK;
    while (is_ok(result) && found) {
        result = manifest_list_next(list, diag, &file, &found);
        if (is_ok(result) && found)
            result = visit(purge, file.path);
    }
    manifest_list_close(list);
    return result;
}

typedef status_value (*walk_fn)(struct purge *purge, struct str bytes, struct diag *diag,
                                visit_fn visit);

/* Walks a file that is sound from beginning to end, and keeps one that is not (I2). */
static status walk_sound(struct purge *purge, struct str location, struct str bytes, walk_fn walk,
                         visit_fn visit)
{
    struct diag diag = {.count = 0};
    status_value sound = walk(purge, bytes, &diag, visit_nothing);
    if (sound.code == STATUS_INVALID)
        return keep(purge, location, diag_message(&diag, sound.code));
    if (!is_ok(sound)) {
        keep_diag(purge, &diag);
        return sound;
    }
    return walk(purge, bytes, purge->diag, visit);
}

/* --- passes --- */

static status_value remove_data_file(struct purge *purge, struct str path)
{
    bool fresh = false;
    TRY(add_seen(purge, &purge->files, path, &fresh));
    return fresh ? remove_file(purge, path) : OK;
}

/* The first pass: the files that a manifest names. */
static status_value remove_data_files(struct purge *purge, struct str manifest)
{
    struct str bytes;
    bool fresh = false;
    bool found = false;
    TRY(add_seen(purge, &purge->manifests, manifest, &fresh));
    if (!fresh)
        return OK;
    TRY(read_file(purge, &purge->manifest_arena, manifest, &bytes, &found));
    if (!found)
        return OK;
    return walk_sound(purge, manifest, bytes, walk_manifest, remove_data_file);
}

/* The second pass. */
static status_value remove_manifest(struct purge *purge, struct str manifest)
{
    bool fresh = false;
    if (purge_set_has(&purge->kept, manifest))
        return OK;
    TRY(add_seen(purge, &purge->manifests, manifest, &fresh));
    return fresh ? remove_file(purge, manifest) : OK;
}

/* Calls `visit` for each manifest of a list, or of a v1 snapshot. */
static status visit_content(struct purge *purge, const struct catalog_file *file, visit_fn visit)
{
    struct str bytes;
    bool found = false;
    if (file->kind == CATALOG_FILE_MANIFEST)
        return visit(purge, file->location);
    if (purge_set_has(&purge->kept, file->location))
        return OK;
    TRY(read_file(purge, &purge->list_arena, file->location, &bytes, &found));
    return found ? walk_sound(purge, file->location, bytes, walk_list, visit) : OK;
}

static status remove_named(struct purge *purge, const struct catalog_file *file)
{
    bool stays = file->kind == CATALOG_FILE_MANIFEST || purge_set_has(&purge->kept, file->location);
    return stays ? OK : remove_file(purge, file->location);
}

/* One pass over what the rows name. Without `visit` the named files themselves go. */
static status run_pass(struct purge *purge, enum catalog_files_which which, visit_fn visit)
{
    uint64_t removed_before = purge->removed_count;
    struct catalog_files *files = NULL;
    struct catalog_file file;
    status_value result = OK;
    bool found = true;
    purge_set_clear(&purge->manifests);
    TRY(catalog_files_open(purge->view, &purge->arena, purge->job, which, purge->diag, &files));
    while (is_ok(result) && found) {
        result = catalog_files_next(files, purge->diag, &file, &found);
        if (is_ok(result) && found)
            result =
                visit == NULL ? remove_named(purge, &file) : visit_content(purge, &file, visit);
    }
    catalog_files_close(files);
    if (is_ok(result) && purge->removed_count > removed_before)
        result = purge->store->ops->sync(purge->store, NULL, 0, purge->diag); /* I3 */
    return result;
}

static status find_warehouse(struct purge *purge)
{
    struct catalog_warehouse *all = NULL;
    size_t count = 0;
    TRY(catalog_warehouse_list(purge->view, &purge->arena, purge->diag, &all, &count));
    for (size_t i = 0; i < count; i++) {
        if (all[i].id == purge->job->warehouse) {
            purge->warehouse = all[i];
            return OK;
        }
    }
    return FAIL(purge->diag, NO_SUCH_WAREHOUSE, "the warehouse of a dropped table is gone");
}

static status run(struct purge *purge)
{
    bool may_delete = false;
    TRY(find_warehouse(purge));
    TRY(catalog_files_may_delete(purge->view, &purge->arena, purge->job, purge->diag, &may_delete));
    if (!may_delete) {
        LOG(purge->log, WARN, "purge.refused",
            "the files of a dropped table stay: its property gc.enabled is false",
            U64("object", purge->job->object_id));
        return OK;
    }
    TRY(run_pass(purge, CATALOG_FILES_CONTENT, remove_data_files));
    TRY(run_pass(purge, CATALOG_FILES_CONTENT, remove_manifest));
    TRY(run_pass(purge, CATALOG_FILES_CONTENT, NULL));
    TRY(run_pass(purge, CATALOG_FILES_OTHER, NULL));
    LOG(purge->log, INFO, "purge.done", "the files of a dropped table are deleted",
        U64("object", purge->job->object_id), U64("files", purge->removed_count));
    return OK;
}

status_value purge_files(struct object_store *store, struct kv_reader *view,
                         const struct catalog_drop_job *job, struct log *log, struct diag *diag)
{
    struct purge purge = {.store = store, .view = view, .job = job, .log = log, .diag = diag};
    arena_init(&purge.arena, allocator_heap(), ROW_ARENA_BYTES_MAX);
    arena_init(&purge.list_arena, allocator_heap(), FILE_ARENA_BYTES_MAX);
    arena_init(&purge.manifest_arena, allocator_heap(), FILE_ARENA_BYTES_MAX);
    arena_init(&purge.name_arena, allocator_heap(), ROW_ARENA_BYTES_MAX);
    purge_set_init(&purge.manifests, SEEN_MAX);
    purge_set_init(&purge.files, SEEN_MAX);
    purge_set_init(&purge.kept, KEPT_MAX);
    status_value result = run(&purge);
    purge_set_deinit(&purge.kept);
    purge_set_deinit(&purge.files);
    purge_set_deinit(&purge.manifests);
    arena_deinit(&purge.name_arena);
    arena_deinit(&purge.manifest_arena);
    arena_deinit(&purge.list_arena);
    arena_deinit(&purge.arena);
    return result;
}
