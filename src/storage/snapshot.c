/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot.c - taking, finding, checking and removing snapshots.
 *
 * S1  Order of taking: data files, their syncs, manifest, its sync, sync of the temporary folder,
 *     rename, sync of the parent. A crash before the rename leaves a "tmp-" folder.
 * S2  Order of removing: rename to "old-", sync of the parent, then the files and the folder.
 * S3  "tmp-" and "old-" folders are never read, and removed at start.
 * S4  Memory is one chunk and the list of chunk hashes, whatever the snapshot's size.
 */
#include "storage/snapshot.h"

#include "base/crc32c.h"
#include "storage/snapshot_manifest.h"

#include <stdio.h>
#include <xxhash.h>

enum { PATH_SIZE = 1024, MANIFEST_MAX = 64 << 20, WORK_MAX = 256 << 20 };
static const char manifest_name[] = "manifest";
static const char temporary_name[] = "tmp-take";

static status join(struct diag *diag, char out[PATH_SIZE], const char *dir, const char *name,
                   const char *file)
{
    const char *slash = file == NULL ? "" : "/";
    int size = snprintf(out, PATH_SIZE, "%s/%s%s%s", dir, name, slash, file == NULL ? "" : file);
    if (size < 0 || size >= PATH_SIZE)
        return FAIL(diag, INVALID, "the path of the snapshots is too long: %s", dir);
    return OK;
}

/* --- names --- */

static bool parse_name(struct str name, struct snapshot_ref *out)
{
    struct snapshot_ref found = {0};
    if (name.size != 41 || name.data[20] != '-' ||
        !str_to_u64(str_slice(name, 0, 20), &found.index) ||
        !str_to_u64(str_slice(name, 21, 41), &found.term))
        return false;
    memcpy(found.name, name.data, name.size);
    *out = found;
    return true;
}

static void make_name(const struct kv_meta *meta, char out[SNAPSHOT_NAME_SIZE])
{
    (void)snprintf(out, SNAPSHOT_NAME_SIZE, "%020llu-%020llu",
                   (unsigned long long)meta->applied_index, (unsigned long long)meta->applied_term);
}

status snapshot_list(struct env *env, struct arena *arena, const char *dir, struct diag *diag,
                     struct snapshot_ref **out, size_t *out_count)
{
    struct str *names = NULL;
    size_t count = 0;
    TRY(env->ops->dir_list(env, arena, dir, diag, &names, &count));
    struct snapshot_ref *refs = ARENA_ARRAY(arena, struct snapshot_ref, count + 1);
    if (refs == NULL)
        return FAIL(diag, NOMEM, "could not list the snapshots in %s: out of memory", dir);
    size_t found = 0;
    /* The names are sorted and of fixed width. */
    for (size_t i = count; i > 0; i--) {
        if (parse_name(names[i - 1], &refs[found]))
            found++;
    }
    *out = refs;
    *out_count = found;
    return OK;
}

/* --- removing --- */

static status remove_folder(struct env *env, struct arena *arena, const char *dir, const char *name,
                            struct diag *diag)
{
    char folder[PATH_SIZE];
    TRY(join(diag, folder, dir, name, NULL));
    struct str *names = NULL;
    size_t count = 0;
    TRY(env->ops->dir_list(env, arena, folder, diag, &names, &count));
    for (size_t i = 0; i < count; i++) {
        char path[PATH_SIZE];
        TRY(join(diag, path, dir, name, names[i].data));
        TRY(env->ops->unlink(env, path, diag));
    }
    return env->ops->dir_remove(env, folder, diag);
}

static status remove_snapshot(struct env *env, struct arena *arena, const char *dir,
                              const char *name, struct diag *diag)
{
    char old_name[SNAPSHOT_NAME_SIZE + 8];
    (void)snprintf(old_name, sizeof old_name, "old-%s", name);
    char from[PATH_SIZE];
    char to[PATH_SIZE];
    TRY(join(diag, from, dir, name, NULL));
    TRY(join(diag, to, dir, old_name, NULL));
    TRY(env->ops->rename(env, from, to, diag));
    TRY(env->ops->dir_sync(env, dir, diag));
    return remove_folder(env, arena, dir, old_name, diag);
}

static status remove_leftovers(struct env *env, struct arena *arena, const char *dir,
                               struct diag *diag)
{
    struct str *names = NULL;
    size_t count = 0;
    TRY(env->ops->dir_list(env, arena, dir, diag, &names, &count));
    for (size_t i = 0; i < count; i++) {
        if (str_starts(names[i], STR("tmp-")) || str_starts(names[i], STR("old-")))
            TRY(remove_folder(env, arena, dir, names[i].data, diag));
    }
    /* A final name that a killed process left in the cache must not vanish when it is relied on. */
    return env->ops->dir_sync(env, dir, diag);
}

status snapshot_start(struct env *env, const char *dir, struct diag *diag)
{
    TRY(env->ops->mkdir(env, dir, diag));
    char parent[PATH_SIZE];
    int size = snprintf(parent, sizeof parent, "%s", dir);
    if (size < 0 || size >= PATH_SIZE)
        return FAIL(diag, INVALID, "the path of the snapshots is too long: %s", dir);
    ptrdiff_t slash = str_rfind(str_from(dir), '/');
    if (slash < 0)
        memcpy(parent, ".", 2);
    else
        parent[slash == 0 ? 1 : slash] = '\0';
    TRY(env->ops->dir_sync(env, parent, diag));
    struct arena arena;
    arena_init(&arena, allocator_heap(), WORK_MAX);
    status_value result = remove_leftovers(env, &arena, dir, diag);
    arena_deinit(&arena);
    return result;
}

static status keep_newest(struct env *env, struct arena *arena, const char *dir, size_t keep,
                          struct diag *diag)
{
    struct snapshot_ref *refs = NULL;
    size_t count = 0;
    TRY(snapshot_list(env, arena, dir, diag, &refs, &count));
    for (size_t i = count; i > keep; i--)
        TRY(remove_snapshot(env, arena, dir, refs[i - 1].name, diag));
    return OK;
}

status snapshot_keep(struct env *env, const char *dir, size_t keep, struct diag *diag)
{
    struct arena arena;
    arena_init(&arena, allocator_heap(), WORK_MAX);
    status_value result = keep_newest(env, &arena, dir, keep == 0 ? 1 : keep, diag);
    arena_deinit(&arena);
    return result;
}

/* --- checksums --- */

struct summing {
    struct env *env;
    struct arena *arena; /* for chunk CRCs when they are kept */
    char *chunk;         /* SNAPSHOT_CHUNK_SIZE bytes */
    struct buf hashes;   /* 16 bytes for each chunk */
};

static status sum_chunk(struct summing *s, struct env_file *file, const char *path, uint64_t offset,
                        uint64_t size, struct diag *diag, uint32_t *out_crc)
{
    size_t got = 0;
    TRY(s->env->ops->file_read(s->env, file, offset, s->chunk, (size_t)size, diag, &got));
    if (got != size)
        return FAIL(diag, CORRUPT, "the snapshot file %s is cut short at %llu", path,
                    (unsigned long long)(offset + got));
    XXH128_hash_t hash = XXH3_128bits(s->chunk, (size_t)size);
    buf_u64le(&s->hashes, hash.low64);
    buf_u64le(&s->hashes, hash.high64);
    *out_crc = crc32c(0, (struct str){s->chunk, (size_t)size});
    return OK;
}

/* Fills in the CRCs, or with `expected` compares them. */
static status sum_chunks(struct summing *s, struct env_file *file, const char *path,
                         struct snapshot_file *facts, const struct snapshot_file *expected,
                         struct diag *diag)
{
    uint32_t *crcs = NULL;
    if (expected == NULL) {
        crcs = ARENA_ARRAY(s->arena, uint32_t, facts->chunk_count + 1);
        if (crcs == NULL)
            return FAIL(diag, NOMEM, "could not sum up %s: out of memory", path);
    }
    for (uint64_t i = 0; i < facts->chunk_count; i++) {
        uint64_t offset = i * SNAPSHOT_CHUNK_SIZE;
        uint32_t crc = 0;
        TRY(sum_chunk(s, file, path, offset,
                      u64_min(SNAPSHOT_CHUNK_SIZE, facts->size_bytes - offset), diag, &crc));
        if (expected == NULL)
            crcs[i] = crc;
        else if (crc != expected->chunk_crcs[i])
            return FAIL(diag, CORRUPT, "the snapshot file %s is damaged in the MiB at %llu", path,
                        (unsigned long long)offset);
    }
    facts->chunk_crcs = crcs;
    return OK;
}

static status sum_file(struct summing *s, const char *path, bool sync,
                       const struct snapshot_file *expected, struct diag *diag,
                       struct snapshot_file *facts)
{
    struct env *env = s->env;
    struct env_file *file = NULL;
    TRY(env->ops->file_open(env, path, sync ? ENV_OPEN_WRITE : 0, diag, &file));
    status_value result;
    TRY_OUT(result, env->ops->file_size(env, file, diag, &facts->size_bytes));
    facts->chunk_count = snapshot_chunks(facts->size_bytes);
    if (expected != NULL && expected->size_bytes != facts->size_bytes)
        TRY_OUT(result, FAIL(diag, CORRUPT, "the snapshot file %s has another size", path));
    if (sync)
        TRY_OUT(result, env->ops->file_sync(env, file, diag));
    TRY_OUT(result, sum_chunks(s, file, path, facts, expected, diag));
out:
    env->ops->file_close(env, file);
    return result;
}

static status root_of(struct summing *s, struct diag *diag, struct snapshot_hash *out)
{
    TRY(buf_finish(&s->hashes, "the list of chunk hashes", diag));
    XXH128_hash_t hash = XXH3_128bits(buf_view(&s->hashes).data, s->hashes.size);
    *out = (struct snapshot_hash){hash.low64, hash.high64};
    return OK;
}

static status summing_init(struct summing *s, struct env *env, struct arena *arena,
                           struct diag *diag)
{
    *s = (struct summing){.env = env, .arena = arena};
    s->chunk = arena_alloc(arena, SNAPSHOT_CHUNK_SIZE);
    buf_init(&s->hashes, arena, MANIFEST_MAX);
    if (s->chunk == NULL)
        return FAIL(diag, NOMEM, "could not sum up a snapshot: out of memory");
    return OK;
}

/* --- taking --- */

static status collect_files(struct summing *s, const char *dir, struct diag *diag,
                            struct snapshot *out)
{
    char folder[PATH_SIZE];
    TRY(join(diag, folder, dir, temporary_name, NULL));
    struct str *names = NULL;
    TRY(s->env->ops->dir_list(s->env, s->arena, folder, diag, &names, &out->file_count));
    if (out->file_count == 0 || out->file_count > SNAPSHOT_FILES_MAX)
        return FAIL(diag, INVALID, "cannot take a snapshot of %zu files", out->file_count);
    out->files = ARENA_ARRAY(s->arena, struct snapshot_file, out->file_count);
    if (out->files == NULL)
        return FAIL(diag, NOMEM, "could not take a snapshot: out of memory");
    for (size_t i = 0; i < out->file_count; i++) {
        char path[PATH_SIZE];
        if (!snapshot__name_is_plain(names[i]) || str_is(names[i], manifest_name))
            return FAIL(diag, INVALID, "a snapshot cannot have a file of this name: %s",
                        names[i].data);
        TRY(join(diag, path, dir, temporary_name, names[i].data));
        out->files[i].name = names[i];
        TRY(sum_file(s, path, true, NULL, diag, &out->files[i]));
    }
    return root_of(s, diag, &out->root);
}

static status write_manifest(struct env *env, struct arena *arena, const char *dir,
                             const struct snapshot *snapshot, struct diag *diag)
{
    struct buf buf;
    buf_init(&buf, arena, MANIFEST_MAX);
    snapshot__encode_manifest(snapshot, &buf);
    TRY(buf_finish(&buf, "the snapshot's manifest", diag));
    char path[PATH_SIZE];
    TRY(join(diag, path, dir, temporary_name, manifest_name));
    struct env_file *file = NULL;
    TRY(env->ops->file_open(env, path, ENV_OPEN_CREATE | ENV_OPEN_EXCLUSIVE | ENV_OPEN_WRITE, diag,
                            &file));
    status_value result;
    TRY_OUT(result, env->ops->file_write(env, file, 0, buf.data, buf.size, diag));
    TRY_OUT(result, env->ops->file_sync(env, file, diag));
out:
    env->ops->file_close(env, file);
    return result;
}

static status publish(struct env *env, const char *dir, const struct snapshot *snapshot,
                      struct diag *diag)
{
    char from[PATH_SIZE];
    char to[PATH_SIZE];
    TRY(join(diag, from, dir, temporary_name, NULL));
    TRY(join(diag, to, dir, snapshot->name, NULL));
    TRY(env->ops->dir_sync(env, from, diag));
    TRY(env->ops->rename(env, from, to, diag));
    return env->ops->dir_sync(env, dir, diag);
}

/* Looks whether this very snapshot is there: a valid one is returned, a damaged one removed. */
static status find_same(struct env *env, struct arena *arena, const char *dir,
                        struct snapshot *wanted, struct diag *diag, bool *out_found)
{
    struct snapshot same;
    struct diag first = {0};
    status_value result = snapshot_open(env, arena, dir, wanted->name, &first, &same);
    *out_found = is_ok(result);
    if (is_ok(result)) {
        *wanted = same;
        return OK;
    }
    if (result.code == STATUS_CORRUPT)
        return remove_snapshot(env, arena, dir, wanted->name, diag);
    if (result.code != STATUS_NOT_FOUND && diag != NULL)
        *diag = first;
    return result.code == STATUS_NOT_FOUND ? OK : result;
}

static status take_in(struct env *env, struct arena *arena, const char *dir,
                      struct snapshot *snapshot, snapshot_write *write, void *context,
                      struct diag *diag)
{
    char folder[PATH_SIZE];
    TRY(join(diag, folder, dir, temporary_name, NULL));
    TRY(remove_leftovers(env, arena, dir, diag));
    TRY(env->ops->mkdir(env, folder, diag));
    TRY(write(context, folder, diag, &snapshot->meta));
    make_name(&snapshot->meta, snapshot->name);
    bool found = false;
    TRY(find_same(env, arena, dir, snapshot, diag, &found));
    if (found)
        return remove_folder(env, arena, dir, temporary_name, diag);
    struct summing s;
    TRY(summing_init(&s, env, arena, diag));
    TRY(collect_files(&s, dir, diag, snapshot));
    TRY(write_manifest(env, arena, dir, snapshot, diag));
    return publish(env, dir, snapshot, diag);
}

status snapshot_take(struct env *env, struct arena *arena, const char *dir,
                     const uint8_t cluster_id[SNAPSHOT_CLUSTER_ID_SIZE], struct str extra,
                     snapshot_write *write, void *context, struct diag *diag, struct snapshot *out)
{
    struct snapshot snapshot = {.extra = arena_copy(arena, extra)};
    if (snapshot.extra.data == NULL)
        return FAIL(diag, NOMEM, "could not take a snapshot: out of memory");
    if (extra.size > SNAPSHOT_EXTRA_MAX)
        return FAIL(diag, INVALID, "cannot keep %zu bytes beside a snapshot", extra.size);
    memcpy(snapshot.cluster_id, cluster_id, SNAPSHOT_CLUSTER_ID_SIZE);
    status_value result = take_in(env, arena, dir, &snapshot, write, context, diag);
    if (!is_ok(result)) {
        struct diag ignored = {0}; /* what stays behind is removed at the next start */
        status_value cleaned = remove_leftovers(env, arena, dir, &ignored);
        (void)cleaned;
        return result;
    }
    *out = snapshot;
    return OK;
}

/* --- finding and checking --- */

static status read_manifest(struct env *env, struct arena *arena, const char *path,
                            struct diag *diag, struct str *out)
{
    struct env_file *file = NULL;
    TRY(env->ops->file_open(env, path, 0, diag, &file));
    uint64_t size = 0;
    size_t got = 0;
    char *data = NULL;
    status_value result;
    TRY_OUT(result, env->ops->file_size(env, file, diag, &size));
    if (size > MANIFEST_MAX)
        TRY_OUT(result, FAIL(diag, CORRUPT, "the manifest %s is too large", path));
    data = arena_alloc(arena, (size_t)size + 1);
    if (data == NULL)
        TRY_OUT(result, FAIL(diag, NOMEM, "could not read %s: out of memory", path));
    TRY_OUT(result, env->ops->file_read(env, file, 0, data, (size_t)size, diag, &got));
    *out = (struct str){data, got};
out:
    env->ops->file_close(env, file);
    return result;
}

static status check_files(struct env *env, struct arena *arena, const char *dir,
                          const struct snapshot *snapshot, struct diag *diag)
{
    for (size_t i = 0; i < snapshot->file_count; i++) {
        struct str path = snapshot_path(arena, dir, snapshot, i);
        if (path.data == NULL)
            return FAIL(diag, NOMEM, "could not open a snapshot: out of memory");
        struct env_file *file = NULL;
        status_value result = env->ops->file_open(env, path.data, 0, diag, &file);
        if (result.code == STATUS_NOT_FOUND)
            return FAIL(diag, CORRUPT, "the snapshot file %s is missing", path.data);
        TRY(result);
        uint64_t size = 0;
        result = env->ops->file_size(env, file, diag, &size);
        env->ops->file_close(env, file);
        TRY(result);
        if (size != snapshot->files[i].size_bytes)
            return FAIL(diag, CORRUPT, "the snapshot file %s has %llu bytes instead of %llu",
                        path.data, (unsigned long long)size,
                        (unsigned long long)snapshot->files[i].size_bytes);
    }
    return OK;
}

static status folder_exists(struct env *env, struct arena *arena, const char *folder,
                            struct diag *diag)
{
    struct str *names = NULL;
    size_t count = 0;
    return env->ops->dir_list(env, arena, folder, diag, &names, &count);
}

status snapshot_open(struct env *env, struct arena *arena, const char *dir, const char *name,
                     struct diag *diag, struct snapshot *out)
{
    struct snapshot_ref ref;
    if (!parse_name(str_from(name), &ref))
        return FAIL(diag, INVALID, "not the name of a snapshot: %s", name);
    char path[PATH_SIZE];
    TRY(join(diag, path, dir, name, NULL));
    TRY(folder_exists(env, arena, path, diag));
    TRY(join(diag, path, dir, name, manifest_name));
    struct str bytes = {0};
    status_value result = read_manifest(env, arena, path, diag, &bytes);
    if (result.code == STATUS_NOT_FOUND)
        return FAIL(diag, CORRUPT, "the snapshot %s/%s has no manifest", dir, name);
    TRY(result);
    struct snapshot found;
    TRY(snapshot__decode_manifest(arena, bytes, diag, &found));
    if (found.meta.applied_index != ref.index || found.meta.applied_term != ref.term)
        return FAIL(diag, CORRUPT, "the manifest of the snapshot %s/%s is another's", dir, name);
    memcpy(found.name, ref.name, sizeof found.name);
    TRY(check_files(env, arena, dir, &found, diag));
    *out = found;
    return OK;
}

status snapshot_newest(struct env *env, struct arena *arena, const char *dir, struct diag *diag,
                       struct snapshot *out)
{
    struct snapshot_ref *refs = NULL;
    size_t count = 0;
    TRY(snapshot_list(env, arena, dir, diag, &refs, &count));
    for (size_t i = 0; i < count; i++) {
        status_value result = snapshot_open(env, arena, dir, refs[i].name, diag, out);
        if (result.code != STATUS_CORRUPT)
            return result;
    }
    return FAIL(diag, NOT_FOUND, "there is no valid snapshot in %s", dir);
}

static status verify_in(struct env *env, struct arena *arena, const char *dir,
                        const struct snapshot *snapshot, struct diag *diag)
{
    struct summing s;
    TRY(summing_init(&s, env, arena, diag));
    for (size_t i = 0; i < snapshot->file_count; i++) {
        struct snapshot_file facts = {0};
        struct str path = snapshot_path(arena, dir, snapshot, i);
        if (path.data == NULL)
            return FAIL(diag, NOMEM, "could not verify a snapshot: out of memory");
        TRY(sum_file(&s, path.data, false, &snapshot->files[i], diag, &facts));
    }
    struct snapshot_hash root;
    TRY(root_of(&s, diag, &root));
    if (root.low != snapshot->root.low || root.high != snapshot->root.high)
        return FAIL(diag, CORRUPT, "the snapshot %s/%s has another root hash", dir, snapshot->name);
    return OK;
}

status snapshot_verify(struct env *env, const char *dir, const struct snapshot *snapshot,
                       struct diag *diag)
{
    struct arena arena;
    arena_init(&arena, allocator_heap(), WORK_MAX);
    status_value result = verify_in(env, &arena, dir, snapshot, diag);
    arena_deinit(&arena);
    return result;
}

struct str snapshot_path(struct arena *arena, const char *dir, const struct snapshot *snapshot,
                         size_t file)
{
    ASSERT(file < snapshot->file_count);
    return arena_printf(arena, "%s/%s/%.*s", dir, snapshot->name,
                        STR_ARG(snapshot->files[file].name));
}
