/* SPDX-License-Identifier: Apache-2.0 */
/*
 * readonly.c - reads go to the real env; a write, a sync or a rename succeeds and does nothing.
 */
#include "cli/readonly.h"

static struct env *real(struct env *self)
{
    return CONTAINER_OF(self, struct readonly_env, env)->real;
}

static uint64_t wall_ns(struct env *self)
{
    return real(self)->ops->wall_ns(real(self));
}

static uint64_t monotonic_ns(struct env *self)
{
    return real(self)->ops->monotonic_ns(real(self));
}

static void random_bytes(struct env *self, void *out, size_t size)
{
    real(self)->ops->random(real(self), out, size);
}

static status boot_id(struct env *self, struct arena *arena, struct diag *diag, struct str *out)
{
    return real(self)->ops->boot_id(real(self), arena, diag, out);
}

static status file_open(struct env *self, const char *path, unsigned flags, struct diag *diag,
                        struct env_file **out)
{
    struct diag absent = {.count = 0};
    if ((flags & ENV_OPEN_CREATE) == 0)
        return real(self)->ops->file_open(real(self), path, 0, diag, out);
    /* A file that would be created now: what is written to it goes nowhere. */
    if (is_ok(real(self)->ops->file_open(real(self), path, 0, &absent, out)))
        return OK;
    return real(self)->ops->file_open(real(self), "/dev/null", 0, diag, out);
}

static void file_close(struct env *self, struct env_file *file)
{
    real(self)->ops->file_close(real(self), file);
}

static status file_read(struct env *self, struct env_file *file, uint64_t offset, void *data,
                        size_t size, struct diag *diag, size_t *out_size)
{
    return real(self)->ops->file_read(real(self), file, offset, data, size, diag, out_size);
}

static status file_write(struct env *self, struct env_file *file, uint64_t offset, const void *data,
                         size_t size, struct diag *diag)
{
    (void)self, (void)file, (void)offset, (void)data, (void)size, (void)diag;
    return OK;
}

static status file_sync(struct env *self, struct env_file *file, struct diag *diag)
{
    (void)self, (void)file, (void)diag;
    return OK;
}

static status file_size(struct env *self, struct env_file *file, struct diag *diag, uint64_t *out)
{
    return real(self)->ops->file_size(real(self), file, diag, out);
}

static status file_truncate(struct env *self, struct env_file *file, uint64_t size,
                            struct diag *diag)
{
    (void)self, (void)file, (void)size, (void)diag;
    return OK;
}

static status rename_file(struct env *self, const char *from, const char *to, struct diag *diag)
{
    (void)self, (void)from, (void)to, (void)diag;
    return OK;
}

static status on_path(struct env *self, const char *path, struct diag *diag)
{
    (void)self, (void)path, (void)diag;
    return OK;
}

static status dir_list(struct env *self, struct arena *arena, const char *path, struct diag *diag,
                       struct str **out_names, size_t *out_count)
{
    return real(self)->ops->dir_list(real(self), arena, path, diag, out_names, out_count);
}

static status disk_free(struct env *self, const char *path, struct diag *diag, uint64_t *out_bytes)
{
    return real(self)->ops->disk_free(real(self), path, diag, out_bytes);
}

static status file_lock(struct env *self, const char *path, struct diag *diag,
                        struct env_file **out)
{
    return real(self)->ops->file_lock(real(self), path, diag, out);
}

void readonly_env_init(struct readonly_env *readonly, struct env *real_env)
{
    static const struct env_ops ops = {.wall_ns = wall_ns,
                                       .monotonic_ns = monotonic_ns,
                                       .random = random_bytes,
                                       .boot_id = boot_id,
                                       .file_open = file_open,
                                       .file_close = file_close,
                                       .file_read = file_read,
                                       .file_write = file_write,
                                       .file_sync = file_sync,
                                       .file_size = file_size,
                                       .file_truncate = file_truncate,
                                       .rename = rename_file,
                                       .unlink = on_path,
                                       .mkdir = on_path,
                                       .dir_sync = on_path,
                                       .dir_list = dir_list,
                                       .dir_remove = on_path,
                                       .disk_free = disk_free,
                                       .file_lock = file_lock};
    readonly->env.ops = &ops;
    readonly->real = real_env;
}
