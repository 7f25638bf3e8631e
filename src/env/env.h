/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * env.h - the one door to the world for everything the simulator must own: clock, randomness, disk.
 *
 * A table of functions. env_linux is the product; tests and the simulator bring their own with
 * virtual disks and clocks. All calls block the calling thread; threads and sockets belong to net/
 * and node/. Every failure says the path and the errno text in `diag`; an fsync or O_DSYNC write
 * error is final: the caller must stop using the file, for the kernel may have dropped the dirty
 * pages and would call a second try a success.
 */
#include "base/arena.h"

enum {
    ENV_OPEN_CREATE = 1 << 0,    /* create when absent */
    ENV_OPEN_EXCLUSIVE = 1 << 1, /* with CREATE: fail with ALREADY_EXISTS when present */
    ENV_OPEN_WRITE = 1 << 2,
    /* O_DIRECT|O_DSYNC; falls back to O_DSYNC where O_DIRECT is refused */
    ENV_OPEN_DIRECT_SYNC = 1 << 3
};

struct env_file; /* owned by the opener until env_file_close */
struct env;
struct env_ops {
    uint64_t (*wall_ns)(struct env *self);                    /* unix time */
    uint64_t (*monotonic_ns)(struct env *self);               /* CLOCK_MONOTONIC */
    void (*random)(struct env *self, void *out, size_t size); /* entropy; never fails */
    /* Identifies the running boot of the machine, so an unclean machine stop can be told. At most
     * 64 bytes. */
    status (*boot_id)(struct env *self, struct arena *arena, struct diag *diag, struct str *out);

    /* NOT_FOUND, ALREADY_EXISTS, NOSPACE, EXHAUSTED (no descriptor is left), IO */
    status (*file_open)(struct env *self, const char *path, unsigned flags, struct diag *diag,
                        struct env_file **out);
    void (*file_close)(struct env *self, struct env_file *file);
    /* Reads up to size bytes; a short count only at the end of the file. With DIRECT_SYNC: data,
     * offset and size must be 4096-aligned, as for writes. */
    status (*file_read)(struct env *self, struct env_file *file, uint64_t offset, void *data,
                        size_t size, struct diag *diag, size_t *out_size);
    /* Writes all of it or fails. With DIRECT_SYNC: data, offset and size must be 4096-aligned, and
     * success means durable. */
    status (*file_write)(struct env *self, struct env_file *file, uint64_t offset, const void *data,
                         size_t size, struct diag *diag);
    status (*file_sync)(struct env *self, struct env_file *file, struct diag *diag); /* fdatasync */
    status (*file_size)(struct env *self, struct env_file *file, struct diag *diag, uint64_t *out);
    status (*file_truncate)(struct env *self, struct env_file *file, uint64_t size,
                            struct diag *diag);
    status (*rename)(struct env *self, const char *from, const char *to, struct diag *diag);
    /* NOT_FOUND when absent. */
    status (*unlink)(struct env *self, const char *path, struct diag *diag);
    /* Creates one directory; success when it is there already. */
    status (*mkdir)(struct env *self, const char *path, struct diag *diag);
    /* Makes creations, renames and removals in the directory durable. */
    status (*dir_sync)(struct env *self, const char *path, struct diag *diag);
    /* Names (not paths) of the entries, without . and .., sorted bytewise, in the arena. */
    status (*dir_list)(struct env *self, struct arena *arena, const char *path, struct diag *diag,
                       struct str **out_names, size_t *out_count);
    status (*dir_remove)(struct env *self, const char *path, struct diag *diag); /* must be empty */
    status (*disk_free)(struct env *self, const char *path, struct diag *diag, uint64_t *out_bytes);
    /* Takes an exclusive advisory lock on a lock file, released by file_close. UNAVAILABLE when
     * held. */
    status (*file_lock)(struct env *self, const char *path, struct diag *diag,
                        struct env_file **out);
};
struct env {
    const struct env_ops *ops;
};

/* The real thing: a shared, stateless value. */
struct env *env_linux(void);
