/* SPDX-License-Identifier: Apache-2.0 */
/*
 * local.c - objects as files below one folder.
 *
 * I1  Every open goes through openat2 with RESOLVE_BENEATH from the root's descriptor: the kernel
 *     refuses "..", absolute links and links that lead out, so no check of ours can be raced.
 * I2  A put writes "<name>.tarn-<unique>.tmp" beside the target and renames it: no reader ever sees
 *     part of it.
 */
#include "base/alloc.h"
#include "object/object.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct local_store {
    struct object_store base;
    int root_fd;
    char *root_uri; /* canonical, "file:///data/lake" */
    size_t root_uri_size;
    atomic_uint next_temporary;
};

enum { PATH_MAX_BYTES = 4096, COPY_BUFFER_BYTES = 256 << 10 };

static struct local_store *of(struct object_store *store)
{
    return CONTAINER_OF(store, struct local_store, base);
}

static status_value failed(struct diag *diag, int error, const char *what, struct str location)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        return FAIL(diag, NOT_FOUND, "Failed to open input stream for file: %.*s",
                    STR_ARG(location));
    case EXDEV:
    case ELOOP:
        return FAIL(diag, DENIED, "could not %s %.*s: a link leads out of the warehouse", what,
                    STR_ARG(location));
    case ENOSPC:
    case EDQUOT:
        return FAIL(diag, NOSPACE, "could not %s %.*s: the disk is full", what, STR_ARG(location));
    default:
        return FAIL(diag, IO, "could not %s %.*s: %s", what, STR_ARG(location),
                    strerrordesc_np(error));
    }
}

static bool has_odd_segment(struct str path)
{
    for (struct str segment; str_split(&path, '/', &segment);)
        if (segment.size == 0 || str_is(segment, ".") || str_is(segment, ".."))
            return true;
    return false;
}

/* The path below the root, NUL-terminated, in `out`. */
static status_value relative(const struct local_store *store, struct str location,
                             struct diag *diag, char out[PATH_MAX_BYTES])
{
    struct str root = {store->root_uri, store->root_uri_size};
    /* Manifests may name a file the short way, "file:/data"; the root is "file:///data". */
    bool is_short = str_starts(location, STR("file:/")) && !str_starts(location, STR("file://"));
    if (is_short)
        root = str_from_pos(root, STR("file://").size);
    if (is_short)
        location = str_from_pos(location, STR("file:").size);
    if (!str_starts(location, root) || location.size <= root.size + 1 ||
        location.data[root.size] != '/')
        return FAIL(diag, DENIED, "location %.*s is outside of the warehouse %.*s",
                    STR_ARG(location), STR_ARG(root));
    struct str path = str_from_pos(location, root.size + 1);
    if (path.size >= PATH_MAX_BYTES || memchr(path.data, '\0', path.size) != NULL ||
        has_odd_segment(path))
        return FAIL(diag, DENIED, "location %.*s cannot be a file path", STR_ARG(location));
    memcpy(out, path.data, path.size);
    out[path.size] = '\0';
    return OK;
}

static int open_beneath(const struct local_store *store, const char *path, int flags)
{
    struct open_how how = {.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
                           .mode = (flags & O_CREAT) != 0 ? 0644 : 0,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    for (;;) {
        long fd = syscall(SYS_openat2, store->root_fd, path, &how, sizeof(how));
        if (fd >= 0 || (errno != EINTR && errno != EAGAIN))
            return (int)fd;
    }
}

/* Opens the folder of `path`, creating the missing ones; *out_name is the last component. */
static int open_parent(const struct local_store *store, char *path, const char **out_name)
{
    char *slash = path;
    int at = open_beneath(store, ".", O_PATH | O_DIRECTORY);
    while (at >= 0 && (slash = strchr(path, '/')) != NULL) {
        *slash = '\0';
        if (mkdirat(at, path, 0755) != 0 && errno != EEXIST) {
            close(at);
            return -1;
        }
        /* NOFOLLOW per step: a linked folder could be swapped for one outside. */
        int next = openat(at, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int error = errno;
        close(at);
        errno = error;
        at = next;
        path = slash + 1;
    }
    *out_name = path;
    return at;
}

static status_value read_all(int fd, size_t size, struct arena *arena, struct str location,
                             struct diag *diag, struct str *out)
{
    char *data = arena_alloc(arena, size + 1);
    size_t have = 0;
    if (data == NULL)
        return FAIL(diag, NOMEM, "could not read %.*s: %zu bytes exceed the request's memory",
                    STR_ARG(location), size);
    while (have < size) {
        ssize_t got = pread(fd, data + have, size - have, (off_t)have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return failed(diag, errno, "read", location);
        if (got == 0)
            break;
        have += (size_t)got;
    }
    data[have] = '\0';
    *out = (struct str){data, have};
    return OK;
}

static status_value local_read(struct object_store *self, struct str location, size_t size_max,
                               struct arena *arena, struct diag *diag, struct str *out)
{
    char path[PATH_MAX_BYTES];
    struct stat info;
    TRY(relative(of(self), location, diag, path));
    int fd = open_beneath(of(self), path, O_RDONLY);
    if (fd < 0)
        return failed(diag, errno, "read", location);
    status_value result = OK;
    if (fstat(fd, &info) != 0)
        result = failed(diag, errno, "read", location);
    else if (!S_ISREG(info.st_mode))
        result =
            FAIL(diag, NOT_FOUND, "Failed to open input stream for file: %.*s", STR_ARG(location));
    else if ((size_t)info.st_size > size_max)
        result = FAIL(diag, TOO_LARGE, "file %.*s has %lld bytes; the limit is %zu",
                      STR_ARG(location), (long long)info.st_size, size_max);
    else
        result = read_all(fd, (size_t)info.st_size, arena, location, diag, out);
    close(fd);
    return result;
}

static status_value write_all(int fd, const char *data, size_t size, struct str location,
                              struct diag *diag)
{
    while (size > 0) {
        ssize_t put = write(fd, data, size);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return failed(diag, errno, "write", location);
        data += put;
        size -= (size_t)put;
    }
    return OK;
}

static status_value copy_source(int fd, struct object_source *source, struct str location,
                                struct diag *diag)
{
    char *buffer = mem_alloc(COPY_BUFFER_BYTES);
    status_value result = OK;
    if (buffer == NULL)
        return FAIL(diag, NOMEM, "could not write %.*s: no memory", STR_ARG(location));
    for (bool end = false; !end && is_ok(result);) {
        size_t size = 0;
        result = source->fill(source, buffer, COPY_BUFFER_BYTES, diag, &size, &end);
        if (is_ok(result))
            result = write_all(fd, buffer, size, location, diag);
    }
    mem_free(buffer);
    return result;
}

static status_value put_beside(struct local_store *store, int folder, const char *name,
                               struct object_source *source, struct str location, struct diag *diag)
{
    char temporary[NAME_MAX + 1];
    int size = snprintf(temporary, sizeof(temporary), ".tarn-%d-%u.tmp", (int)getpid(),
                        atomic_fetch_add(&store->next_temporary, 1));
    ASSERT(size > 0 && (size_t)size < sizeof(temporary));
    int fd = openat(folder, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return failed(diag, errno, "create", location);
    status_value result = copy_source(fd, source, location, diag);
    if (close(fd) != 0 && is_ok(result))
        result = failed(diag, errno, "write", location);
    if (is_ok(result) && renameat(folder, temporary, folder, name) != 0)
        result = failed(diag, errno, "rename", location);
    if (!is_ok(result))
        (void)unlinkat(folder, temporary, 0);
    return result;
}

static status_value local_put(struct object_store *self, struct str location,
                              struct object_source *source, struct diag *diag)
{
    char path[PATH_MAX_BYTES];
    const char *name = path;
    TRY(relative(of(self), location, diag, path));
    int folder = open_parent(of(self), path, &name);
    if (folder < 0)
        return failed(diag, errno, "create the folder of", location);
    status_value result = put_beside(of(self), folder, name, source, location, diag);
    close(folder);
    return result;
}

static status_value local_prepare(struct object_store *self, struct str folder, struct diag *diag)
{
    char path[PATH_MAX_BYTES];
    const char *name = path;
    TRY(relative(of(self), folder, diag, path));
    int parent = open_parent(of(self), path, &name);
    if (parent < 0)
        return failed(diag, errno, "create the folder of", folder);
    status_value result = OK;
    if (mkdirat(parent, name, 0755) != 0 && errno != EEXIST)
        result = failed(diag, errno, "create", folder);
    close(parent);
    return result;
}

static status_value sync_path(const struct local_store *store, const char *path, int flags,
                              struct str location, struct diag *diag)
{
    int fd = open_beneath(store, path, O_RDONLY | flags);
    if (fd < 0)
        return failed(diag, errno, "sync", location);
    status_value result = fsync(fd) == 0 ? OK : failed(diag, errno, "sync", location);
    close(fd);
    return result;
}

static status_value sync_one(const struct local_store *store, struct str location,
                             struct diag *diag)
{
    char path[PATH_MAX_BYTES];
    TRY(relative(store, location, diag, path));
    TRY(sync_path(store, path, 0, location, diag));
    /* Every folder up to the root may be new. */
    for (char *slash = strrchr(path, '/'); slash != NULL; slash = strrchr(path, '/')) {
        *slash = '\0';
        TRY(sync_path(store, path, O_DIRECTORY, location, diag));
    }
    return sync_path(store, ".", O_DIRECTORY, location, diag);
}

static status_value local_sync(struct object_store *self, const struct str *locations, size_t count,
                               struct diag *diag)
{
    enum { ONE_BY_ONE_MAX = 2 }; /* beyond it one flush of the file system is cheaper */
    struct str root = {of(self)->root_uri, of(self)->root_uri_size};
    if (count == 0 || count > ONE_BY_ONE_MAX)
        return syncfs(of(self)->root_fd) == 0 ? OK : failed(diag, errno, "sync", root);
    for (size_t i = 0; i < count; i++)
        TRY(sync_one(of(self), locations[i], diag));
    return OK;
}

static status_value local_size(struct object_store *self, struct str location, struct diag *diag,
                               uint64_t *out_bytes)
{
    char path[PATH_MAX_BYTES];
    struct stat info;
    TRY(relative(of(self), location, diag, path));
    int fd = open_beneath(of(self), path, O_PATH);
    if (fd < 0)
        return failed(diag, errno, "look at", location);
    int outcome = fstat(fd, &info);
    int error = errno;
    close(fd);
    if (outcome != 0)
        return failed(diag, error, "look at", location);
    *out_bytes = (uint64_t)info.st_size;
    return OK;
}

static status_value local_remove(struct object_store *self, struct str location, struct diag *diag)
{
    char path[PATH_MAX_BYTES];
    TRY(relative(of(self), location, diag, path));
    char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    if (slash != NULL)
        *slash = '\0';
    int folder = open_beneath(of(self), slash == NULL ? "." : path, O_PATH | O_DIRECTORY);
    if (folder < 0 && (errno == ENOENT || errno == ENOTDIR))
        return OK;
    if (folder < 0)
        return failed(diag, errno, "remove", location);
    status_value result = OK;
    if (unlinkat(folder, name, 0) != 0 && errno != ENOENT)
        result = failed(diag, errno, "remove", location);
    close(folder);
    return result;
}

static void local_close(struct object_store *self)
{
    struct local_store *store = of(self);
    close(store->root_fd);
    mem_free(store->root_uri);
    mem_free(store);
}

static const struct object_store_ops local_ops = {.prepare = local_prepare,
                                                  .read = local_read,
                                                  .put = local_put,
                                                  .sync = local_sync,
                                                  .size = local_size,
                                                  .remove = local_remove,
                                                  .close = local_close};

/* mkdir -p of the root itself, which the operator chose. */
static status_value make_root(char *path, struct str root, struct diag *diag)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int outcome = mkdir(path, 0755);
        *slash = '/';
        if (outcome != 0 && errno != EEXIST)
            return failed(diag, errno, "create the folder of", root);
    }
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
        return failed(diag, errno, "create", root);
    return OK;
}

static status_value open_root(struct local_store *store, struct str root, struct diag *diag)
{
    char path[PATH_MAX_BYTES];
    struct str below = str_from_pos(root, STR("file://").size);
    if (below.size == 0 || below.data[0] != '/' || below.size >= sizeof(path))
        return FAIL(diag, ILLEGAL_ARGUMENT, "warehouse location %.*s is not an absolute path",
                    STR_ARG(root));
    memcpy(path, below.data, below.size);
    path[below.size] = '\0';
    TRY(make_root(path, root, diag));
    store->root_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->root_fd < 0)
        return failed(diag, errno, "open", root);
    return OK;
}

status_value object_store_open(struct str root, struct diag *diag, struct object_store **out)
{
    if (!str_starts(root, STR("file://")))
        return FAIL(diag, NOT_IMPLEMENTED,
                    "location %.*s: only file:// warehouses are offered by this version",
                    STR_ARG(root));
    struct local_store *store = mem_zalloc(sizeof(*store));
    char *uri = mem_zalloc(root.size + 1);
    status_value result = OK;
    if (store == NULL || uri == NULL)
        TRY_OUT(result, FAIL(diag, NOMEM, "could not open %.*s: no memory", STR_ARG(root)));
    TRY_OUT(result, open_root(store, root, diag));
    memcpy(uri, root.data, root.size);
    store->root_uri = uri;
    store->root_uri_size = root.size;
    store->base.ops = &local_ops;
    *out = &store->base;
    return OK;
out:
    mem_free(store);
    mem_free(uri);
    return result;
}
