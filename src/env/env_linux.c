/* SPDX-License-Identifier: Apache-2.0 */
/*
 * env_linux.c - the real world: Linux system calls behind the table of env.h.
 *
 * E1  A call interrupted by a signal (EINTR) is made again, except close(), whose descriptor is
 *     gone either way (dqlite 07e82007 lost a segment to an EINTR in fallocate).
 * E2  A read or write that moves fewer bytes than asked goes on where it stopped.
 * E3  file_sync is never made twice after an error: the kernel may have dropped the dirty pages and
 *     the second call would lie. The caller stops using the file.
 * E4  Nothing here is remembered between calls but the descriptor and its path, for messages.
 */
#include "env/env.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

struct env_file {
    int fd;
    char path[];
};

/* The codes that callers act on; everything else is IO. */
static status_value fail_errno(struct diag *diag, int error, const char *what, const char *path)
{
    const char *text = strerrordesc_np(error);
    if (text == NULL)
        text = "unknown error";
    switch (error) {
    case ENOENT: return FAIL(diag, NOT_FOUND, "could not %s %s: %s", what, path, text);
    case EEXIST: return FAIL(diag, ALREADY_EXISTS, "could not %s %s: %s", what, path, text);
    case ENOSPC:
    case EDQUOT: return FAIL(diag, NOSPACE, "could not %s %s: %s", what, path, text);
    case EMFILE:
    case ENFILE: return FAIL(diag, EXHAUSTED, "could not %s %s: %s", what, path, text);
    default: return FAIL(diag, IO, "could not %s %s: %s", what, path, text);
    }
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    ASSERT(clock_gettime(clock, &now) == 0);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static uint64_t linux_wall_ns(struct env *self)
{
    (void)self;
    return clock_ns(CLOCK_REALTIME);
}

static uint64_t linux_monotonic_ns(struct env *self)
{
    (void)self;
    return clock_ns(CLOCK_MONOTONIC);
}

static void linux_random(struct env *self, void *out, size_t size)
{
    (void)self;
    char *at = out;
    while (size > 0) {
        ssize_t n = getrandom(at, size, 0);
        if (n < 0) {
            ASSERT(errno == EINTR); /* without flags the kernel knows no other failure */
            continue;
        }
        at += n;
        size -= (size_t)n;
    }
}

static struct env_file *file_new(const char *path)
{
    size_t size = strlen(path) + 1;
    struct env_file *file = mem_zalloc(sizeof(struct env_file) + size);
    if (file != NULL)
        memcpy(file->path, path, size);
    return file;
}

static int open_retry(const char *path, int flags)
{
    int fd;
    do {
        fd = open(path, flags | O_CLOEXEC, 0600);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

static int open_flags(unsigned flags)
{
    int out = (flags & ENV_OPEN_WRITE) != 0 ? O_RDWR : O_RDONLY;
    if ((flags & ENV_OPEN_CREATE) != 0)
        out |= O_CREAT;
    if ((flags & ENV_OPEN_EXCLUSIVE) != 0)
        out |= O_EXCL;
    return out;
}

/* Some file systems (tmpfs before 6.6, some FUSE) refuse O_DIRECT with EINVAL: then O_DSYNC alone.
 * */
static int open_direct(const char *path, int flags)
{
    int fd = open_retry(path, flags | O_DIRECT | O_DSYNC);
    if (fd < 0 && errno == EINVAL) {
        /* A refused O_CREAT|O_DIRECT may have created the file all the same. */
        fd = open_retry(path, (flags & ~O_EXCL) | O_DSYNC);
    }
    return fd;
}

static status linux_file_open(struct env *self, const char *path, unsigned flags, struct diag *diag,
                              struct env_file **out)
{
    (void)self;
    struct env_file *file = file_new(path);
    if (file == NULL)
        return FAIL(diag, NOMEM, "could not open %s: out of memory", path);
    bool direct = (flags & ENV_OPEN_DIRECT_SYNC) != 0;
    file->fd = direct ? open_direct(path, open_flags(flags)) : open_retry(path, open_flags(flags));
    if (file->fd < 0) {
        int error = errno;
        mem_free(file);
        return fail_errno(diag, error, "open", path);
    }
    *out = file;
    return OK;
}

static void linux_file_close(struct env *self, struct env_file *file)
{
    (void)self;
    if (file == NULL)
        return;
    /* Everything that matters was synced before; a close error has no one left to act on it. */
    (void)close(file->fd);
    mem_free(file);
}

static status linux_file_read(struct env *self, struct env_file *file, uint64_t offset, void *data,
                              size_t size, struct diag *diag, size_t *out_size)
{
    (void)self;
    size_t done = 0;
    while (done < size) {
        ssize_t n = pread(file->fd, (char *)data + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno(diag, errno, "read", file->path);
        if (n == 0)
            break;
        done += (size_t)n;
        if (done < size && (done & 4095U) != 0)
            break; /* O_DIRECT at the end of a file whose size is not a multiple of the block */
    }
    *out_size = done;
    return OK;
}

static status linux_file_write(struct env *self, struct env_file *file, uint64_t offset,
                               const void *data, size_t size, struct diag *diag)
{
    (void)self;
    size_t done = 0;
    while (done < size) {
        ssize_t n =
            pwrite(file->fd, (const char *)data + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno(diag, errno, "write", file->path);
        if (n == 0)
            return FAIL(diag, IO, "could not write %s: the device takes no bytes", file->path);
        done += (size_t)n;
    }
    return OK;
}

static status linux_file_sync(struct env *self, struct env_file *file, struct diag *diag)
{
    (void)self;
    int rc;
    do {
        rc = fdatasync(file->fd);
    } while (rc < 0 && errno == EINTR); /* interrupted before it began: nothing was reported */
    return rc == 0 ? OK : fail_errno(diag, errno, "sync", file->path);
}

static status linux_file_size(struct env *self, struct env_file *file, struct diag *diag,
                              uint64_t *out)
{
    (void)self;
    struct stat info;
    if (fstat(file->fd, &info) != 0)
        return fail_errno(diag, errno, "stat", file->path);
    *out = (uint64_t)info.st_size;
    return OK;
}

static status linux_file_truncate(struct env *self, struct env_file *file, uint64_t size,
                                  struct diag *diag)
{
    (void)self;
    int rc;
    do {
        rc = ftruncate(file->fd, (off_t)size);
    } while (rc < 0 && errno == EINTR);
    return rc == 0 ? OK : fail_errno(diag, errno, "truncate", file->path);
}

static status linux_rename(struct env *self, const char *from, const char *to, struct diag *diag)
{
    (void)self;
    return rename(from, to) == 0 ? OK : fail_errno(diag, errno, "rename", from);
}

static status linux_unlink(struct env *self, const char *path, struct diag *diag)
{
    (void)self;
    return unlink(path) == 0 ? OK : fail_errno(diag, errno, "remove", path);
}

static status linux_mkdir(struct env *self, const char *path, struct diag *diag)
{
    (void)self;
    if (mkdir(path, 0700) == 0)
        return OK;
    int error = errno;
    struct stat info;
    if (error == EEXIST && stat(path, &info) == 0 && S_ISDIR(info.st_mode))
        return OK;
    return fail_errno(diag, error, "create folder", path);
}

static status linux_dir_sync(struct env *self, const char *path, struct diag *diag)
{
    (void)self;
    int fd = open_retry(path, O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return fail_errno(diag, errno, "open folder", path);
    int rc = fsync(fd);
    int error = errno;
    (void)close(fd);
    return rc == 0 ? OK : fail_errno(diag, error, "sync folder", path);
}

struct name_list {
    struct str *names;
    size_t count;
    size_t capacity;
};

static bool name_list_add(struct name_list *list, struct arena *arena, const char *name)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 16 : list->capacity * 2;
        struct str *names = ARENA_ARRAY(arena, struct str, capacity);
        if (names == NULL)
            return false;
        if (list->count > 0)
            memcpy(names, list->names, list->count * sizeof(struct str));
        list->names = names;
        list->capacity = capacity;
    }
    struct str copy = arena_copy(arena, str_from(name));
    if (copy.data == NULL)
        return false;
    list->names[list->count++] = copy;
    return true;
}

static int compare_names(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static status read_names(DIR *dir, struct arena *arena, const char *path, struct diag *diag,
                         struct name_list *list)
{
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (entry == NULL)
            return errno == 0 ? OK : fail_errno(diag, errno, "list folder", path);
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (!name_list_add(list, arena, entry->d_name))
            return FAIL(diag, NOMEM, "could not list %s: out of memory", path);
    }
}

static status linux_dir_list(struct env *self, struct arena *arena, const char *path,
                             struct diag *diag, struct str **out_names, size_t *out_count)
{
    (void)self;
    DIR *dir = opendir(path);
    if (dir == NULL)
        return fail_errno(diag, errno, "open folder", path);
    struct name_list list = {NULL, 0, 0};
    status_value result = read_names(dir, arena, path, diag, &list);
    (void)closedir(dir);
    TRY(result);
    if (list.count > 1)
        qsort(list.names, list.count, sizeof(struct str), compare_names);
    *out_names = list.names;
    *out_count = list.count;
    return OK;
}

static status linux_dir_remove(struct env *self, const char *path, struct diag *diag)
{
    (void)self;
    return rmdir(path) == 0 ? OK : fail_errno(diag, errno, "remove folder", path);
}

static status linux_disk_free(struct env *self, const char *path, struct diag *diag,
                              uint64_t *out_bytes)
{
    (void)self;
    struct statvfs info;
    int rc;
    do {
        rc = statvfs(path, &info);
    } while (rc < 0 && errno == EINTR);
    if (rc != 0)
        return fail_errno(diag, errno, "ask for the free space of", path);
    *out_bytes = (uint64_t)info.f_bavail * (uint64_t)info.f_frsize;
    return OK;
}

/* flock, not fcntl: a POSIX record lock vanishes when any descriptor of the file is closed. */
static status linux_file_lock(struct env *self, const char *path, struct diag *diag,
                              struct env_file **out)
{
    struct env_file *file = NULL;
    TRY(linux_file_open(self, path, ENV_OPEN_CREATE | ENV_OPEN_WRITE, diag, &file));
    int rc;
    do {
        rc = flock(file->fd, LOCK_EX | LOCK_NB);
    } while (rc < 0 && errno == EINTR);
    if (rc == 0) {
        *out = file;
        return OK;
    }
    int error = errno;
    linux_file_close(self, file);
    if (error == EWOULDBLOCK)
        return FAIL(diag, UNAVAILABLE, "%s is locked: another tarn process uses this folder", path);
    return fail_errno(diag, error, "lock", path);
}

static status linux_boot_id(struct env *self, struct arena *arena, struct diag *diag,
                            struct str *out)
{
    static const char *const path = "/proc/sys/kernel/random/boot_id";
    struct env_file *file = NULL;
    TRY(linux_file_open(self, path, 0, diag, &file));
    char text[64];
    size_t size = 0;
    status_value result = linux_file_read(self, file, 0, text, sizeof text, diag, &size);
    linux_file_close(self, file);
    TRY(result);
    while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\0'))
        size--;
    if (size == 0)
        return FAIL(diag, IO, "could not read %s: it is empty", path);
    struct str copy = arena_copy(arena, (struct str){text, size});
    if (copy.data == NULL)
        return FAIL(diag, NOMEM, "could not read %s: out of memory", path);
    *out = copy;
    return OK;
}

struct env *env_linux(void)
{
    static const struct env_ops ops = {
        .wall_ns = linux_wall_ns,
        .monotonic_ns = linux_monotonic_ns,
        .random = linux_random,
        .boot_id = linux_boot_id,
        .file_open = linux_file_open,
        .file_close = linux_file_close,
        .file_read = linux_file_read,
        .file_write = linux_file_write,
        .file_sync = linux_file_sync,
        .file_size = linux_file_size,
        .file_truncate = linux_file_truncate,
        .rename = linux_rename,
        .unlink = linux_unlink,
        .mkdir = linux_mkdir,
        .dir_sync = linux_dir_sync,
        .dir_list = linux_dir_list,
        .dir_remove = linux_dir_remove,
        .disk_free = linux_disk_free,
        .file_lock = linux_file_lock,
    };
    /* Really constant: the functions ignore `self`; the integer takes the qualifier off. */
    static const struct env env = {&ops};
    return (struct env *)(uintptr_t)&env;
}
