/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch.c - the writes of one evaluation: a row map over the base, and a history to rewind by.
 *
 * B1  `history` holds one record for each put or delete, newest first, with what the key was
 *     before; `change_count` is its length and a mark is a value of it.
 * B2  A put that fails changes nothing: all memory is taken before the map is touched.
 */
#include "kv/row_map.h"

struct change {
    struct change *older;
    struct row_node *node;
    struct str value_before;
    bool is_delete_before;
    bool is_new; /* the key was not in the batch */
};

struct kv_batch {
    struct row_map map;
    struct row_reader reader;
    struct arena *arena;
    struct change *history;
    size_t change_count;
};

status_value kv_batch_create(struct arena *arena, struct kv_reader *base, struct diag *diag,
                             struct kv_batch **out)
{
    struct kv_batch *batch = ARENA_NEW(arena, struct kv_batch);
    if (batch == NULL)
        return FAIL(diag, NOMEM, "could not create a batch: memory budget exhausted");
    batch->arena = arena;
    kv__map_init(&batch->map);
    kv__row_reader_init(&batch->reader, &batch->map, base);
    *out = batch;
    return OK;
}

struct kv_reader *kv_batch_reader(struct kv_batch *batch)
{
    return &batch->reader.reader;
}

static struct row_node *new_node(struct kv_batch *batch, struct str key)
{
    struct row_node *node = ARENA_NEW(batch->arena, struct row_node);
    struct str copy = arena_copy(batch->arena, key);
    if (node == NULL || copy.data == NULL)
        return NULL;
    node->key = copy;
    return node;
}

static status batch_set(struct kv_batch *batch, struct str key, struct str value, bool is_delete,
                        struct diag *diag)
{
    ASSERT(key.size > 0 && key.size <= KEY_SIZE_MAX);
    struct row_path path;
    struct row_node *node = kv__map_find(&batch->map, key, &path);
    bool is_new = node == NULL;
    if (is_new)
        node = new_node(batch, key);
    struct change *change = ARENA_NEW(batch->arena, struct change);
    if (node == NULL || change == NULL || value.data == NULL)
        return FAIL(diag, NOMEM, "could not extend a batch: memory budget exhausted");
    *change = (struct change){batch->history, node, node->value, node->is_delete, is_new};
    batch->history = change;
    batch->change_count++;
    if (is_new)
        kv__map_link(&batch->map, &path, node);
    node->value = value;
    node->is_delete = is_delete;
    return OK;
}

status_value kv_put(struct kv_batch *batch, struct str key, struct str value, struct diag *diag)
{
    return batch_set(batch, key, arena_copy(batch->arena, value), false, diag);
}

status_value kv_put_borrowed(struct kv_batch *batch, struct str key, struct str value,
                             struct diag *diag)
{
    if (value.size == 0)
        value = STR("");
    return batch_set(batch, key, value, false, diag);
}

status_value kv_delete(struct kv_batch *batch, struct str key, struct diag *diag)
{
    return batch_set(batch, key, STR(""), true, diag);
}

bool kv_batch_is_empty(const struct kv_batch *batch)
{
    return batch->map.count == 0;
}

size_t kv_batch_count(const struct kv_batch *batch)
{
    return batch->map.count;
}

size_t kv_batch_mark(const struct kv_batch *batch)
{
    return batch->change_count;
}

void kv_batch_rewind(struct kv_batch *batch, size_t mark)
{
    ASSERT(mark <= batch->change_count);
    while (batch->change_count > mark) {
        struct change *change = batch->history;
        if (change->is_new)
            kv__map_unlink(&batch->map, change->node);
        change->node->value = change->value_before;
        change->node->is_delete = change->is_delete_before;
        batch->history = change->older;
        batch->change_count--;
    }
}

struct kv_batch_iter kv_batch_writes(const struct kv_batch *batch)
{
    return (struct kv_batch_iter){batch->map.head.next[0]};
}

bool kv_batch_next(struct kv_batch_iter *iter, struct kv_write *out)
{
    const struct row_node *node = iter->at;
    if (node == NULL)
        return false;
    *out = (struct kv_write){node->key, node->value, node->is_delete};
    iter->at = node->next[0];
    return true;
}
