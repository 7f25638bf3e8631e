/* SPDX-License-Identifier: Apache-2.0 */
/*
 * purge.c - deletes the files of one dropped table, in an order that a crash may interrupt anywhere.
 *
 * I1  A file goes only after everything that only it leads to: data files, then manifests, then
 *     manifest lists, then statistics and metadata files, the newest of these last.
 * I2  Nothing is deleted but what a file that was read in full names; what cannot be read stays,
 *     and so does everything it may name.
 */
#include "worker/purge.h"

enum { PURGE_ROW_ARENA_MAX_BYTES = 64 << 20 };

struct purge {
    struct object_store *store;
    struct kv_reader *view;
    const struct catalog_drop_job *job;
    struct log *log;
    struct diag *diag;
    struct arena arena;
};

/* A file that is not in this store belongs to somebody else: it stays. Every other failure ends the
 * pass, so that it is tried again. */
static status remove_file(struct purge *purge, struct str location)
{
    struct diag diag = {0};
    status_value result = purge->store->ops->remove(purge->store, location, &diag);
    if (is_ok(result))
        return OK;
    enum status_class class_ = status_class_of(result.code);
    if (class_ != CLASS_DENIED && class_ != CLASS_INVALID)
        return FAIL(purge->diag, IO, "%s", diag_message(&diag, result.code));
    LOG(purge->log, WARN, "purge.skipped", "a file of a dropped table was left where it is",
        U64("object", purge->job->object_id), TEXT("location", location),
        CSTR("why", diag_message(&diag, result.code)));
    return OK;
}

static status remove_listed(struct purge *purge, struct catalog_files *files)
{
    struct catalog_file file;
    bool found = true;
    while (found) {
        TRY(catalog_files_next(files, purge->diag, &file, &found));
        if (found)
            TRY(remove_file(purge, file.location));
    }
    return OK;
}

/* The files that rows name themselves. */
static status remove_other(struct purge *purge)
{
    struct catalog_files *files = NULL;
    TRY(catalog_files_open(purge->view, &purge->arena, purge->job, CATALOG_FILES_OTHER, purge->diag,
                           &files));
    status_value result = remove_listed(purge, files);
    catalog_files_close(files);
    return result;
}

static status run(struct purge *purge)
{
    bool may_delete = false;
    TRY(catalog_files_may_delete(purge->view, &purge->arena, purge->job, purge->diag, &may_delete));
    if (!may_delete) {
        LOG(purge->log, WARN, "purge.refused",
            "the files of a dropped table stay: its property gc.enabled is false",
            U64("object", purge->job->object_id));
        return OK;
    }
    return remove_other(purge);
}

status_value purge_files(struct object_store *store, struct kv_reader *view,
                         const struct catalog_drop_job *job, struct log *log, struct diag *diag)
{
    struct purge purge = {.store = store, .view = view, .job = job, .log = log, .diag = diag};
    arena_init(&purge.arena, allocator_heap(), PURGE_ROW_ARENA_MAX_BYTES);
    status_value result = run(&purge);
    arena_deinit(&purge.arena);
    return result;
}
