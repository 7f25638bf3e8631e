/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inflight.c - a row map whose nodes also stand in a queue, ordered by the index of their last
 * write.
 *
 * F1  The queue holds exactly the nodes of the map, indexes ascending from oldest to newest:
 *     release pops from the old end and costs only what it removes.
 * F2  A node's key and value both belong to the newest batch that wrote the key, so nothing points
 *     into a batch whose index is released.
 * F3  Spare nodes are kept for the next batches, SPARE_MAX of them; memory follows what is in
 *     flight.
 */
#include "kv/inflight.h"

#include "kv/row_map.h"

enum { SPARE_MAX = 4096 };

struct entry {
    struct row_node row; /* first: a map node is its entry */
    uint64_t index;
    struct entry *older;
    struct entry *newer; /* in the spare list: the next spare */
};

struct kv_inflight {
    struct row_map map;
    struct row_reader reader;
    struct allocator *allocator;
    struct entry *oldest;
    struct entry *newest;
    struct entry *spare;
    size_t spare_count;
};

static struct entry *entry_of(struct row_node *node)
{
    return CONTAINER_OF(node, struct entry, row);
}

status_value kv_inflight_create(struct allocator *allocator, struct diag *diag,
                                struct kv_inflight **out)
{
    struct kv_inflight *inflight = allocator->alloc(allocator, sizeof(*inflight));
    if (inflight == NULL)
        return FAIL(diag, NOMEM, "could not create the in-flight overlay: out of memory");
    *inflight = (struct kv_inflight){.allocator = allocator};
    kv__map_init(&inflight->map);
    kv__row_reader_init(&inflight->reader, &inflight->map, NULL);
    *out = inflight;
    return OK;
}

static void drop_spares(struct kv_inflight *inflight, size_t keep)
{
    while (inflight->spare_count > keep) {
        struct entry *entry = inflight->spare;
        inflight->spare = entry->newer;
        inflight->spare_count--;
        inflight->allocator->release(inflight->allocator, entry, sizeof(*entry));
    }
}

void kv_inflight_destroy(struct kv_inflight *inflight)
{
    if (inflight == NULL)
        return;
    kv_inflight_clear(inflight);
    drop_spares(inflight, 0);
    inflight->allocator->release(inflight->allocator, inflight, sizeof(*inflight));
}

void kv_inflight_set_base(struct kv_inflight *inflight, struct kv_reader *base)
{
    ASSERT(base != &inflight->reader.reader);
    inflight->reader.base = base;
}

struct kv_reader *kv_inflight_reader(struct kv_inflight *inflight)
{
    return &inflight->reader.reader;
}

/* So that adding a batch cannot fail half way. */
static bool reserve_spares(struct kv_inflight *inflight, size_t count)
{
    while (inflight->spare_count < count) {
        struct entry *entry = inflight->allocator->alloc(inflight->allocator, sizeof(*entry));
        if (entry == NULL)
            return false;
        entry->newer = inflight->spare;
        inflight->spare = entry;
        inflight->spare_count++;
    }
    return true;
}

static struct entry *take_spare(struct kv_inflight *inflight)
{
    struct entry *entry = inflight->spare;
    ASSERT(entry != NULL);
    inflight->spare = entry->newer;
    inflight->spare_count--;
    *entry = (struct entry){.index = 0};
    return entry;
}

static void queue_remove(struct kv_inflight *inflight, struct entry *entry)
{
    *(entry->older == NULL ? &inflight->oldest : &entry->older->newer) = entry->newer;
    *(entry->newer == NULL ? &inflight->newest : &entry->newer->older) = entry->older;
}

static void queue_append(struct kv_inflight *inflight, struct entry *entry, uint64_t index)
{
    entry->index = index;
    entry->older = inflight->newest;
    entry->newer = NULL;
    *(inflight->newest == NULL ? &inflight->oldest : &inflight->newest->newer) = entry;
    inflight->newest = entry;
}

static void add_write(struct kv_inflight *inflight, const struct kv_write *write, uint64_t index)
{
    struct row_path path;
    struct row_node *node = kv__map_find(&inflight->map, write->key, &path);
    struct entry *entry = node == NULL ? take_spare(inflight) : entry_of(node);
    if (node != NULL)
        queue_remove(inflight, entry);
    entry->row.key = write->key; /* equal bytes, but those of the newer batch (F2) */
    entry->row.value = write->value;
    entry->row.is_delete = write->is_delete;
    if (node == NULL)
        kv__map_link(&inflight->map, &path, &entry->row);
    queue_append(inflight, entry, index);
}

status_value kv_inflight_add(struct kv_inflight *inflight, const struct kv_batch *batch,
                             uint64_t index, struct diag *diag)
{
    ASSERT(inflight->newest == NULL || index >= inflight->newest->index);
    if (!reserve_spares(inflight, kv_batch_count(batch)))
        return FAIL(diag, NOMEM, "could not keep a batch in flight: out of memory");
    struct kv_batch_iter iter = kv_batch_writes(batch);
    struct kv_write write;
    while (kv_batch_next(&iter, &write))
        add_write(inflight, &write, index);
    return OK;
}

void kv_inflight_release(struct kv_inflight *inflight, uint64_t up_to_index)
{
    while (inflight->oldest != NULL && inflight->oldest->index <= up_to_index) {
        struct entry *entry = inflight->oldest;
        queue_remove(inflight, entry);
        kv__map_unlink(&inflight->map, &entry->row);
        entry->newer = inflight->spare;
        inflight->spare = entry;
        inflight->spare_count++;
    }
    drop_spares(inflight, SPARE_MAX);
}

void kv_inflight_clear(struct kv_inflight *inflight)
{
    kv_inflight_release(inflight, UINT64_MAX);
    ASSERT(inflight->map.count == 0);
}

size_t kv_inflight_count(const struct kv_inflight *inflight)
{
    return inflight->map.count;
}
