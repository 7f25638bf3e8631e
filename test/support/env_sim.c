/* SPDX-License-Identifier: Apache-2.0 */
/*
 * env_sim.c - the tree of files and folders of env_sim.h, and the table of env.h over it.
 *
 * N1  A node is reached by names in folders, now and durably; nodes live until the world ends, so
 *     an unlinked file that is open, or that a lost unlink brings back, is still there.
 * N2  now = durable + pending, in order; a sync makes pending durable and empties it.
 * N3  Bytes beyond a file's size are zero in both images.
 */
#include "env_sim.h"

#include "base/prng.h"

#include <stdio.h>
#include <stdlib.h>

enum { SECTOR = 512, BLOCK = 4096, NAME_SIZE = 128, CALL_COST_NS = 1000, WRITE_COST_NS = 120000 };

struct node;
struct entry {
    char name[NAME_SIZE];
    struct node *node;
};

struct entries {
    struct entry *items;
    size_t count;
    size_t capacity;
};

/* One atomic change of a folder: a name goes, a name comes, or both (rename). */
struct change {
    char removed[NAME_SIZE]; /* empty: none */
    char added[NAME_SIZE];
    struct node *node; /* behind `added` */
};

struct changes {
    struct change *items;
    size_t count;
    size_t capacity;
};

struct image {
    char *data;
    uint64_t size;
    uint64_t capacity;
};

/* A write to a sector, or a change of the size (sector == UINT64_MAX), since the last sync. */
struct pending {
    uint64_t sector;
    uint64_t size;
    char data[SECTOR];
};

struct pendings {
    struct pending *items;
    size_t count;
    size_t capacity;
};

struct node {
    struct node *next; /* all nodes of the world */
    struct node *copy; /* while a world is copied */
    bool is_folder;
    bool locked;
    struct image now;
    struct image durable;
    struct pendings pending;
    struct entries now_entries;
    struct entries durable_entries;
    struct changes changes;
};

struct env_file {
    struct node *node;
    struct env_file *next;
    unsigned flags;
    bool holds_lock;
};

struct env_sim {
    struct env env;
    struct node *nodes;
    struct node *root;
    struct env_file *open_files;
    struct env_sim_faults faults;
    uint64_t changes_seen;
    uint64_t writes_seen;
    uint64_t syncs_seen;
    uint64_t reads_seen;
    bool off;
    uint64_t disk_size;
    uint64_t boot;
    uint64_t now_ns;
    struct prng prng;
};

static struct env_sim *sim_of(struct env *env)
{
    return CONTAINER_OF(env, struct env_sim, env);
}

/* Room for one more item; a test without memory is over. */
static void *grow(void *items, size_t count, size_t *capacity, size_t item_size)
{
    if (count < *capacity)
        return items;
    *capacity = *capacity == 0 ? 8 : *capacity * 2;
    void *larger = mem_realloc(items, *capacity * item_size);
    ASSERT(larger != NULL);
    return larger;
}

/* --- images --- */

static void image_resize(struct image *image, uint64_t size)
{
    if (size > image->capacity) {
        uint64_t capacity = u64_max(size, image->capacity * 2);
        capacity = (capacity + SECTOR - 1) / SECTOR * SECTOR;
        image->data = mem_realloc(image->data, capacity);
        ASSERT(image->data != NULL);
        memset(image->data + image->capacity, 0, capacity - image->capacity);
        image->capacity = capacity;
    }
    if (size < image->size)
        memset(image->data + size, 0, image->size - size);
    image->size = size;
}

static void image_copy(struct image *to, const struct image *from)
{
    image_resize(to, 0);
    image_resize(to, from->size);
    if (from->size > 0)
        memcpy(to->data, from->data, from->size);
}

/* The sector's bytes that lie within the size. */
static void image_put(struct image *image, uint64_t sector, const char data[SECTOR])
{
    uint64_t from = sector * SECTOR;
    if (from < image->size)
        memcpy(image->data + from, data, u64_min(SECTOR, image->size - from));
}

/* --- nodes and names --- */

static struct node *node_new(struct env_sim *sim, bool is_folder)
{
    struct node *node = mem_zalloc(sizeof *node);
    ASSERT(node != NULL);
    node->is_folder = is_folder;
    node->next = sim->nodes;
    sim->nodes = node;
    return node;
}

static void node_free(struct node *node)
{
    mem_free(node->now.data);
    mem_free(node->durable.data);
    mem_free(node->pending.items);
    mem_free(node->now_entries.items);
    mem_free(node->durable_entries.items);
    mem_free(node->changes.items);
    mem_free(node);
}

static struct entry *find_entry(const struct entries *entries, struct str name)
{
    for (size_t i = 0; i < entries->count; i++) {
        if (str_is(name, entries->items[i].name))
            return &entries->items[i];
    }
    return NULL;
}

static void set_name(char out[NAME_SIZE], struct str name)
{
    ASSERT(name.size < NAME_SIZE);
    memset(out, 0, NAME_SIZE);
    if (name.size > 0)
        memcpy(out, name.data, name.size);
}

static void apply_change(struct entries *entries, const struct change *change)
{
    if (change->removed[0] != '\0') {
        struct entry *gone = find_entry(entries, str_from(change->removed));
        if (gone != NULL)
            *gone = entries->items[--entries->count];
    }
    if (change->added[0] == '\0')
        return;
    struct entry *entry = find_entry(entries, str_from(change->added));
    if (entry == NULL) {
        entries->items =
            grow(entries->items, entries->count, &entries->capacity, sizeof(struct entry));
        entry = &entries->items[entries->count++];
        set_name(entry->name, str_from(change->added));
    }
    entry->node = change->node;
}

static void folder_change(struct node *folder, struct str removed, struct str added,
                          struct node *node)
{
    struct changes *list = &folder->changes;
    list->items = grow(list->items, list->count, &list->capacity, sizeof(struct change));
    struct change *change = &list->items[list->count++];
    set_name(change->removed, removed);
    set_name(change->added, added);
    change->node = node;
    apply_change(&folder->now_entries, change);
}

/* The folder of the path's last name; NULL when it is absent. */
static struct node *find_parent(struct env_sim *sim, const char *path, struct str *out_name)
{
    struct node *folder = sim->root;
    struct str rest = str_from(path);
    struct str part;
    struct str name = {0};
    while (str_split(&rest, '/', &part)) {
        if (part.size == 0 || str_is(part, "."))
            continue;
        if (name.size > 0) {
            struct entry *entry = find_entry(&folder->now_entries, name);
            if (entry == NULL || !entry->node->is_folder)
                return NULL;
            folder = entry->node;
        }
        name = part;
    }
    *out_name = name;
    return folder;
}

static struct node *find_node(struct env_sim *sim, const char *path)
{
    struct str name;
    struct node *folder = find_parent(sim, path, &name);
    if (folder == NULL || name.size == 0)
        return folder;
    struct entry *entry = find_entry(&folder->now_entries, name);
    return entry == NULL ? NULL : entry->node;
}

/* --- faults --- */

enum fate { FATE_GOOD, FATE_PART, FATE_OFF };

/* Before every call that changes the disk. FATE_PART: this one is interrupted by the power cut. */
static enum fate change_fate(struct env_sim *sim)
{
    sim->now_ns += CALL_COST_NS;
    if (sim->off)
        return FATE_OFF;
    sim->changes_seen++;
    if (sim->faults.power_off_at == 0 || sim->changes_seen != sim->faults.power_off_at)
        return FATE_GOOD;
    sim->off = true;
    return FATE_PART;
}

static status power_off(struct diag *diag)
{
    return FAIL(diag, IO, "simulated: the power is off");
}

/* --- files --- */

static void remember(struct node *node, uint64_t sector, uint64_t size, const char *data)
{
    struct pendings *list = &node->pending;
    list->items = grow(list->items, list->count, &list->capacity, sizeof(struct pending));
    struct pending *item = &list->items[list->count++];
    item->sector = sector;
    item->size = size;
    memset(item->data, 0, SECTOR);
    if (data != NULL)
        memcpy(item->data, data, SECTOR);
}

static void resize(struct node *node, uint64_t size)
{
    if (node->now.size == size)
        return;
    /* A truncation zeroes what it cuts, so the sectors behind must not come back. */
    image_resize(&node->now, size);
    remember(node, UINT64_MAX, size, NULL);
}

static void write_now(struct node *node, uint64_t offset, const char *data, size_t size)
{
    if (offset + size > node->now.size)
        resize(node, offset + size);
    memcpy(node->now.data + offset, data, size);
    for (uint64_t sector = offset / SECTOR; sector * SECTOR < offset + size; sector++)
        remember(node, sector, node->now.size, node->now.data + sector * SECTOR);
}

/* Some sectors of a write that did not end well. */
static void write_part(struct env_sim *sim, struct node *node, uint64_t offset, const char *data,
                       size_t size)
{
    uint64_t style = prng_below(&sim->prng, 4); /* coins, first half, second half, all */
    for (size_t done = 0; done < size;) {
        size_t step = (size_t)u64_min(SECTOR - (offset + done) % SECTOR, size - done);
        bool first_part = done < size / 2;
        if (style == 3 || (style == 0 ? prng_chance(&sim->prng, 1, 2) : (style == 1) == first_part))
            write_now(node, offset + done, data + done, step);
        done += step;
    }
}

static void sync_pending(struct node *node, const struct pending *item)
{
    if (item->sector == UINT64_MAX)
        image_resize(&node->durable, item->size);
    else
        image_put(&node->durable, item->sector, item->data);
}

static void sync_all(struct node *node)
{
    image_copy(&node->durable, &node->now);
    node->pending.count = 0;
}

/* A synchronous write: its sectors and the size they need are durable, others stay pending. */
static void sync_range(struct node *node, uint64_t offset, size_t size)
{
    struct pendings *list = &node->pending;
    uint64_t first = offset / SECTOR;
    uint64_t end = (offset + size + SECTOR - 1) / SECTOR;
    size_t kept = 0;
    if (node->durable.size < offset + size)
        image_resize(&node->durable, offset + size);
    for (size_t i = 0; i < list->count; i++) {
        struct pending *item = &list->items[i];
        if (item->sector >= first && item->sector < end)
            sync_pending(node, item);
        else if (item->sector != UINT64_MAX || item->size != node->durable.size)
            list->items[kept++] = *item;
    }
    list->count = kept;
}

static uint64_t disk_used(const struct env_sim *sim)
{
    uint64_t used = 0;
    for (const struct node *node = sim->nodes; node != NULL; node = node->next)
        used += node->now.size;
    return used;
}

static bool too_full(const struct env_sim *sim, const struct node *node, uint64_t end)
{
    return sim->disk_size > 0 && end > node->now.size &&
           disk_used(sim) + (end - node->now.size) > sim->disk_size;
}

static status sim_file_write(struct env *self, struct env_file *file, uint64_t offset,
                             const void *data, size_t size, struct diag *diag)
{
    struct env_sim *sim = sim_of(self);
    bool direct = (file->flags & ENV_OPEN_DIRECT_SYNC) != 0;
    ASSERT((file->flags & ENV_OPEN_WRITE) != 0);
    ASSERT(!direct || (offset % BLOCK == 0 && size % BLOCK == 0 && (uintptr_t)data % BLOCK == 0));
    enum fate fate = change_fate(sim);
    if (fate == FATE_OFF)
        return power_off(diag);
    sim->writes_seen++;
    sim->now_ns += direct ? WRITE_COST_NS : 0;
    if (fate == FATE_PART) {
        write_part(sim, file->node, offset, data, size);
        return power_off(diag);
    }
    if (sim->writes_seen == sim->faults.write_error_at) {
        write_part(sim, file->node, offset, data, size);
        if (sim->faults.write_error_code == STATUS_NOSPACE)
            return FAIL(diag, NOSPACE, "simulated: no space left on device");
        return FAIL(diag, IO, "simulated: write error");
    }
    if (too_full(sim, file->node, offset + size))
        return FAIL(diag, NOSPACE, "simulated: the disk is full");
    write_now(file->node, offset, data, size);
    if (direct)
        sync_range(file->node, offset, size);
    return OK;
}

static status sim_file_read(struct env *self, struct env_file *file, uint64_t offset, void *data,
                            size_t size, struct diag *diag, size_t *out_size)
{
    struct env_sim *sim = sim_of(self);
    bool direct = (file->flags & ENV_OPEN_DIRECT_SYNC) != 0;
    ASSERT(!direct || (offset % BLOCK == 0 && size % BLOCK == 0 && (uintptr_t)data % BLOCK == 0));
    sim->now_ns += CALL_COST_NS;
    if (sim->off)
        return power_off(diag);
    sim->reads_seen++;
    if (sim->reads_seen == sim->faults.read_error_at)
        return FAIL(diag, IO, "simulated: read error");
    const struct image *image = &file->node->now;
    size_t got = offset >= image->size ? 0 : (size_t)u64_min(size, image->size - offset);
    if (sim->reads_seen == sim->faults.short_read_at)
        got /= 2;
    if (got > 0)
        memcpy(data, image->data + offset, got);
    *out_size = got;
    return OK;
}

/* An error in a sync: each pending write is durable or dropped, and nobody can tell (fsyncgate). */
static void sync_part(struct env_sim *sim, struct node *node)
{
    for (size_t i = 0; i < node->pending.count; i++) {
        if (prng_chance(&sim->prng, 1, 2))
            sync_pending(node, &node->pending.items[i]);
    }
    node->pending.count = 0;
    for (size_t i = 0; i < node->changes.count; i++) {
        if (prng_chance(&sim->prng, 1, 2))
            apply_change(&node->durable_entries, &node->changes.items[i]);
    }
    node->changes.count = 0;
}

/* Decides for a sync of `node`; true when it shall happen. */
static bool may_sync(struct env_sim *sim, struct node *node, struct diag *diag,
                     status_value *out_result)
{
    enum fate fate = change_fate(sim);
    if (fate != FATE_GOOD) { /* interrupted: everything stays pending */
        *out_result = power_off(diag);
        return false;
    }
    sim->syncs_seen++;
    if (sim->syncs_seen != sim->faults.sync_error_at)
        return true;
    sync_part(sim, node);
    *out_result = FAIL(diag, IO, "simulated: sync error");
    return false;
}

static status sim_file_sync(struct env *self, struct env_file *file, struct diag *diag)
{
    status_value result;
    if (!may_sync(sim_of(self), file->node, diag, &result))
        return result;
    sync_all(file->node);
    return OK;
}

static status sim_file_size(struct env *self, struct env_file *file, struct diag *diag,
                            uint64_t *out)
{
    (void)self;
    (void)diag;
    *out = file->node->now.size;
    return OK;
}

static status sim_file_truncate(struct env *self, struct env_file *file, uint64_t size,
                                struct diag *diag)
{
    if (change_fate(sim_of(self)) != FATE_GOOD)
        return power_off(diag);
    resize(file->node, size);
    return OK;
}

static status sim_file_open(struct env *self, const char *path, unsigned flags, struct diag *diag,
                            struct env_file **out)
{
    struct env_sim *sim = sim_of(self);
    struct str name;
    struct node *folder = find_parent(sim, path, &name);
    if (sim->off)
        return power_off(diag);
    if (folder == NULL || name.size == 0)
        return FAIL(diag, NOT_FOUND, "could not open %s: no such folder", path);
    struct entry *entry = find_entry(&folder->now_entries, name);
    struct node *node = entry == NULL ? NULL : entry->node;
    if (node != NULL && (flags & ENV_OPEN_EXCLUSIVE) != 0)
        return FAIL(diag, ALREADY_EXISTS, "could not create %s: it exists", path);
    if (node == NULL && (flags & ENV_OPEN_CREATE) == 0)
        return FAIL(diag, NOT_FOUND, "could not open %s: no such file", path);
    if (node == NULL) {
        enum fate fate = change_fate(sim);
        if (fate == FATE_OFF)
            return power_off(diag);
        node = node_new(sim, false);
        folder_change(folder, STR(""), name, node);
        if (fate == FATE_PART)
            return power_off(diag);
    }
    if (node->is_folder)
        return FAIL(diag, IO, "could not open %s: it is a folder", path);
    struct env_file *file = mem_zalloc(sizeof *file);
    ASSERT(file != NULL);
    *file = (struct env_file){.node = node, .next = sim->open_files, .flags = flags};
    sim->open_files = file;
    *out = file;
    return OK;
}

static void sim_file_close(struct env *self, struct env_file *file)
{
    struct env_sim *sim = sim_of(self);
    struct env_file **at = &sim->open_files;
    while (*at != file) {
        ASSERT(*at != NULL);
        at = &(*at)->next;
    }
    *at = file->next;
    if (file->holds_lock)
        file->node->locked = false;
    mem_free(file);
}

static status sim_file_lock(struct env *self, const char *path, struct diag *diag,
                            struct env_file **out)
{
    struct env_file *file = NULL;
    TRY(sim_file_open(self, path, ENV_OPEN_CREATE | ENV_OPEN_WRITE, diag, &file));
    if (file->node->locked) {
        sim_file_close(self, file);
        return FAIL(diag, UNAVAILABLE, "%s is locked", path);
    }
    file->node->locked = true;
    file->holds_lock = true;
    *out = file;
    return OK;
}

/* --- folders --- */

static status sim_rename(struct env *self, const char *from, const char *to, struct diag *diag)
{
    struct env_sim *sim = sim_of(self);
    struct str old_name;
    struct str new_name;
    struct node *folder = find_parent(sim, from, &old_name);
    struct node *target = find_parent(sim, to, &new_name);
    enum fate fate = change_fate(sim);
    if (fate == FATE_OFF)
        return power_off(diag);
    struct entry *entry = folder == NULL ? NULL : find_entry(&folder->now_entries, old_name);
    if (entry == NULL || target == NULL)
        return FAIL(diag, NOT_FOUND, "could not rename %s: no such file", from);
    struct node *node = entry->node;
    struct entry *over = find_entry(&target->now_entries, new_name);
    if (over != NULL && over->node->is_folder && over->node->now_entries.count > 0)
        return FAIL(diag, ALREADY_EXISTS, "could not rename to %s: it is not empty", to);
    if (folder == target) {
        folder_change(folder, old_name, new_name, node);
    } else {
        folder_change(target, STR(""), new_name, node);
        folder_change(folder, old_name, STR(""), NULL);
    }
    return fate == FATE_PART ? power_off(diag) : OK;
}

static status remove_name(struct env *self, const char *path, bool is_folder, struct diag *diag)
{
    struct env_sim *sim = sim_of(self);
    struct str name;
    struct node *folder = find_parent(sim, path, &name);
    enum fate fate = change_fate(sim);
    if (fate == FATE_OFF)
        return power_off(diag);
    struct entry *entry = folder == NULL ? NULL : find_entry(&folder->now_entries, name);
    if (entry == NULL)
        return FAIL(diag, NOT_FOUND, "could not remove %s: no such file", path);
    if (entry->node->is_folder != is_folder)
        return FAIL(diag, IO, "could not remove %s: wrong kind", path);
    if (is_folder && entry->node->now_entries.count > 0)
        return FAIL(diag, IO, "could not remove %s: not empty", path);
    folder_change(folder, name, STR(""), NULL);
    return fate == FATE_PART ? power_off(diag) : OK;
}

static status sim_unlink(struct env *self, const char *path, struct diag *diag)
{
    return remove_name(self, path, false, diag);
}

static status sim_dir_remove(struct env *self, const char *path, struct diag *diag)
{
    return remove_name(self, path, true, diag);
}

static status sim_mkdir(struct env *self, const char *path, struct diag *diag)
{
    struct env_sim *sim = sim_of(self);
    struct str name;
    struct node *folder = find_parent(sim, path, &name);
    if (sim->off)
        return power_off(diag);
    if (folder == NULL)
        return FAIL(diag, NOT_FOUND, "could not create %s: no such folder", path);
    struct entry *entry = name.size == 0 ? NULL : find_entry(&folder->now_entries, name);
    if (name.size == 0 || (entry != NULL && entry->node->is_folder))
        return OK;
    if (entry != NULL)
        return FAIL(diag, ALREADY_EXISTS, "could not create %s: a file is there", path);
    enum fate fate = change_fate(sim);
    if (fate == FATE_OFF)
        return power_off(diag);
    folder_change(folder, STR(""), name, node_new(sim, true));
    return fate == FATE_PART ? power_off(diag) : OK;
}

static status sim_dir_sync(struct env *self, const char *path, struct diag *diag)
{
    struct env_sim *sim = sim_of(self);
    struct node *folder = find_node(sim, path);
    if (folder == NULL || !folder->is_folder)
        return FAIL(diag, NOT_FOUND, "could not sync %s: no such folder", path);
    status_value result;
    if (!may_sync(sim, folder, diag, &result))
        return result;
    for (size_t i = 0; i < folder->changes.count; i++)
        apply_change(&folder->durable_entries, &folder->changes.items[i]);
    folder->changes.count = 0;
    return OK;
}

static int compare_names(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static status sim_dir_list(struct env *self, struct arena *arena, const char *path,
                           struct diag *diag, struct str **out_names, size_t *out_count)
{
    struct env_sim *sim = sim_of(self);
    const struct node *folder = find_node(sim, path);
    if (sim->off)
        return power_off(diag);
    if (folder == NULL || !folder->is_folder)
        return FAIL(diag, NOT_FOUND, "could not list %s: no such folder", path);
    size_t count = folder->now_entries.count;
    struct str *names = ARENA_ARRAY(arena, struct str, count + 1);
    if (names == NULL)
        return FAIL(diag, NOMEM, "could not list %s: out of memory", path);
    for (size_t i = 0; i < count; i++) {
        names[i] = arena_copy(arena, str_from(folder->now_entries.items[i].name));
        if (names[i].data == NULL)
            return FAIL(diag, NOMEM, "could not list %s: out of memory", path);
    }
    if (count > 1)
        qsort(names, count, sizeof(struct str), compare_names);
    *out_names = names;
    *out_count = count;
    return OK;
}

static status sim_disk_free(struct env *self, const char *path, struct diag *diag,
                            uint64_t *out_bytes)
{
    struct env_sim *sim = sim_of(self);
    if (find_node(sim, path) == NULL)
        return FAIL(diag, NOT_FOUND, "%s: no such folder", path);
    uint64_t used = disk_used(sim);
    if (sim->disk_size == 0)
        *out_bytes = (uint64_t)1 << 40;
    else
        *out_bytes = used > sim->disk_size ? 0 : sim->disk_size - used;
    return OK;
}

/* --- clock, chance, boot --- */

static uint64_t sim_wall_ns(struct env *self)
{
    return 1700000000000000000U + sim_of(self)->now_ns;
}

static uint64_t sim_monotonic_ns(struct env *self)
{
    return sim_of(self)->now_ns;
}

static void sim_random(struct env *self, void *out, size_t size)
{
    char *at = out;
    for (size_t i = 0; i < size; i++)
        at[i] = (char)(unsigned char)prng_u64(&sim_of(self)->prng);
}

static status sim_boot_id(struct env *self, struct arena *arena, struct diag *diag, struct str *out)
{
    struct str id = arena_printf(arena, "boot-%llu", (unsigned long long)sim_of(self)->boot);
    if (id.data == NULL)
        return FAIL(diag, NOMEM, "out of memory");
    *out = id;
    return OK;
}

/* --- worlds --- */

static const struct env_ops sim_ops = {
    .wall_ns = sim_wall_ns,
    .monotonic_ns = sim_monotonic_ns,
    .random = sim_random,
    .boot_id = sim_boot_id,
    .file_open = sim_file_open,
    .file_close = sim_file_close,
    .file_read = sim_file_read,
    .file_write = sim_file_write,
    .file_sync = sim_file_sync,
    .file_size = sim_file_size,
    .file_truncate = sim_file_truncate,
    .rename = sim_rename,
    .unlink = sim_unlink,
    .mkdir = sim_mkdir,
    .dir_sync = sim_dir_sync,
    .dir_list = sim_dir_list,
    .dir_remove = sim_dir_remove,
    .disk_free = sim_disk_free,
    .file_lock = sim_file_lock,
};

struct env_sim *env_sim_create(uint64_t seed)
{
    struct env_sim *sim = mem_zalloc(sizeof *sim);
    ASSERT(sim != NULL);
    sim->env.ops = &sim_ops;
    sim->boot = seed;
    prng_init(&sim->prng, seed);
    sim->root = node_new(sim, true);
    return sim;
}

void env_sim_destroy(struct env_sim *sim)
{
    if (sim == NULL)
        return;
    while (sim->open_files != NULL)
        sim_file_close(&sim->env, sim->open_files);
    while (sim->nodes != NULL) {
        struct node *node = sim->nodes;
        sim->nodes = node->next;
        node_free(node);
    }
    mem_free(sim);
}

struct env *env_sim_env(struct env_sim *sim)
{
    return &sim->env;
}

void env_sim_set_faults(struct env_sim *sim, const struct env_sim_faults *faults)
{
    sim->faults = *faults;
    sim->changes_seen = 0;
    sim->writes_seen = 0;
    sim->syncs_seen = 0;
    sim->reads_seen = 0;
}

uint64_t env_sim_changes(const struct env_sim *sim)
{
    return sim->changes_seen;
}

uint64_t env_sim_writes(const struct env_sim *sim)
{
    return sim->writes_seen;
}

uint64_t env_sim_syncs(const struct env_sim *sim)
{
    return sim->syncs_seen;
}

uint64_t env_sim_reads(const struct env_sim *sim)
{
    return sim->reads_seen;
}

bool env_sim_is_off(const struct env_sim *sim)
{
    return sim->off;
}

void env_sim_set_disk_size(struct env_sim *sim, uint64_t bytes)
{
    sim->disk_size = bytes;
}

void env_sim_advance_ns(struct env_sim *sim, uint64_t ns)
{
    sim->now_ns += ns;
}

/* How a power cut treats what is pending: all of it, none, or a coin for each. */
static bool survives(struct prng *prng, uint64_t mood)
{
    return mood == 0 ? false : mood == 1 ? true : prng_chance(prng, 1, 2);
}

static void cut_file(struct node *to, const struct node *from, struct prng *prng)
{
    uint64_t mood = prng_below(prng, 6);
    image_copy(&to->now, &from->durable);
    for (size_t i = 0; i < from->pending.count; i++) {
        const struct pending *item = &from->pending.items[i];
        if (!survives(prng, mood))
            continue;
        if (item->sector == UINT64_MAX) {
            image_resize(&to->now, item->size);
            continue;
        }
        /* A sector that survives brings along the size that it needs. */
        uint64_t end = u64_min((item->sector + 1) * SECTOR, item->size);
        if (to->now.size < end)
            image_resize(&to->now, end);
        image_put(&to->now, item->sector, item->data);
    }
    image_copy(&to->durable, &to->now);
}

static struct node *cut_node(struct env_sim *world, struct node *from, struct prng *prng)
{
    if (from->copy != NULL)
        return from->copy;
    struct node *to = node_new(world, from->is_folder);
    from->copy = to;
    if (!from->is_folder) {
        cut_file(to, from, prng);
        return to;
    }
    uint64_t mood = prng_below(prng, 6);
    for (size_t i = 0; i < from->durable_entries.count; i++) {
        struct change keep = {.node = from->durable_entries.items[i].node};
        set_name(keep.added, str_from(from->durable_entries.items[i].name));
        apply_change(&to->now_entries, &keep);
    }
    for (size_t i = 0; i < from->changes.count; i++) {
        if (survives(prng, mood))
            apply_change(&to->now_entries, &from->changes.items[i]);
    }
    for (size_t i = 0; i < to->now_entries.count; i++) {
        struct entry *entry = &to->now_entries.items[i];
        entry->node = cut_node(world, entry->node, prng);
        struct change keep = {.node = entry->node};
        set_name(keep.added, str_from(entry->name));
        apply_change(&to->durable_entries, &keep);
    }
    return to;
}

struct env_sim *env_sim_after_power_cut(struct env_sim *sim, uint64_t seed)
{
    struct env_sim *world = env_sim_create(seed);
    world->boot = sim->boot + 1;
    world->now_ns = sim->now_ns;
    world->disk_size = sim->disk_size;
    for (struct node *node = sim->nodes; node != NULL; node = node->next)
        node->copy = NULL;
    struct prng prng;
    prng_init(&prng, seed);
    world->root = cut_node(world, sim->root, &prng);
    return world;
}

struct env_sim *env_sim_after_kill(struct env_sim *sim)
{
    while (sim->open_files != NULL)
        sim_file_close(&sim->env, sim->open_files);
    sim->off = false;
    sim->faults = (struct env_sim_faults){0};
    return sim;
}

/* --- damage --- */

static bool damage(struct env_sim *sim, const char *path, uint64_t offset, uint64_t size,
                   struct node **out)
{
    struct node *node = find_node(sim, path);
    if (node == NULL || node->is_folder || offset + size > node->now.size)
        return false;
    *out = node;
    return true;
}

bool env_sim_flip_bit(struct env_sim *sim, const char *path, uint64_t bit)
{
    struct node *node;
    if (!damage(sim, path, bit / 8, 1, &node))
        return false;
    char mask = (char)(unsigned char)(1U << (bit % 8));
    node->now.data[bit / 8] = (char)(node->now.data[bit / 8] ^ mask);
    if (bit / 8 < node->durable.size)
        node->durable.data[bit / 8] = node->now.data[bit / 8];
    return true;
}

static void put_everywhere(struct node *node, uint64_t sector, const char data[SECTOR])
{
    image_put(&node->now, sector, data);
    image_put(&node->durable, sector, data);
}

bool env_sim_zero_sector(struct env_sim *sim, const char *path, uint64_t sector)
{
    static const char zeros[SECTOR] = {0};
    struct node *node;
    if (!damage(sim, path, sector * SECTOR, SECTOR, &node))
        return false;
    put_everywhere(node, sector, zeros);
    return true;
}

bool env_sim_swap_sectors(struct env_sim *sim, const char *path_a, uint64_t sector_a,
                          const char *path_b, uint64_t sector_b)
{
    struct node *a;
    struct node *b;
    if (!damage(sim, path_a, sector_a * SECTOR, SECTOR, &a) ||
        !damage(sim, path_b, sector_b * SECTOR, SECTOR, &b))
        return false;
    char kept[SECTOR];
    memcpy(kept, a->now.data + sector_a * SECTOR, SECTOR);
    put_everywhere(a, sector_a, b->now.data + sector_b * SECTOR);
    put_everywhere(b, sector_b, kept);
    return true;
}

uint64_t env_sim_file_size(struct env_sim *sim, const char *path)
{
    const struct node *node = find_node(sim, path);
    return node == NULL ? 0 : node->now.size;
}

const char *env_sim_file_data(struct env_sim *sim, const char *path)
{
    const struct node *node = find_node(sim, path);
    return node == NULL ? NULL : node->now.data;
}
