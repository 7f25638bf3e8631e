/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mem_store.c - the applied state in memory: an immutable treap with reference counts.
 *
 * T1  A published node never changes. A write copies the path from the root to its row (about
 *     2 log2 n nodes) and shares the rest; a snapshot is one more reference to a root and costs
 *     O(1).
 * T2  Keys are in search order, priorities in heap order. A priority is a hash of the key, so the
 *     shape depends on the content alone: no randomness, no rebalancing state.
 * T3  Only this file's writer publishes a root, under the store's spin lock, which guards {root,
 *     meta} for the few instructions of a swap; counts are atomic. So snapshots may be taken and
 *     closed on any thread if the allocator allows it. (The product's store is LMDB; this one
 *     serves tests and the simulator, and a lock of the operating system has no place in a pure
 *     folder.)
 * T4  apply works on a private root and publishes it at the end: a failure leaves nothing behind.
 */
#include "kv/store.h"

#include <stdatomic.h>
#include <xxhash.h>

struct row {
    atomic_size_t refs;
    size_t key_size;
    size_t value_size;
    char bytes[]; /* key, then value */
};

struct tree {
    atomic_size_t refs;
    uint64_t priority;
    struct row *row;
    struct tree *left;
    struct tree *right;
};

struct mem_store {
    struct kv_store store;
    struct allocator *allocator;
    atomic_flag lock; /* guards root and meta */
    struct tree *root;
    struct kv_meta meta;
    atomic_size_t open_snapshots;
};

struct mem_snapshot {
    struct kv_snapshot snapshot;
    struct mem_store *owner;
    struct tree *root;
};

static struct str row_key(const struct row *row)
{
    return (struct str){row->bytes, row->key_size};
}

static struct str row_value(const struct row *row)
{
    return (struct str){row->bytes + row->key_size, row->value_size};
}

/* --- references --- */

static struct tree *tree_ref(struct tree *tree)
{
    if (tree != NULL)
        atomic_fetch_add_explicit(&tree->refs, 1, memory_order_relaxed);
    return tree;
}

static bool ref_dropped(atomic_size_t *refs)
{
    return atomic_fetch_sub_explicit(refs, 1, memory_order_acq_rel) == 1;
}

static void row_unref(struct allocator *allocator, struct row *row)
{
    if (ref_dropped(&row->refs))
        allocator->release(allocator, row, sizeof(*row) + row->key_size + row->value_size);
}

static void tree_unref(struct allocator *allocator, struct tree *tree)
{
    while (tree != NULL && ref_dropped(&tree->refs)) {
        struct tree *right = tree->right;
        tree_unref(allocator, tree->left);
        row_unref(allocator, tree->row);
        allocator->release(allocator, tree, sizeof(*tree));
        tree = right;
    }
}

static struct row *row_new(struct allocator *allocator, struct str key, struct str value)
{
    struct row *row = allocator->alloc(allocator, sizeof(*row) + key.size + value.size);
    if (row == NULL)
        return NULL;
    atomic_init(&row->refs, 1);
    row->key_size = key.size;
    row->value_size = value.size;
    memcpy(row->bytes, key.data, key.size);
    if (value.size > 0)
        memcpy(row->bytes + key.size, value.data, value.size);
    return row;
}

/* Takes the references to left and right, also when it fails; shares the row. */
static struct tree *tree_new(struct allocator *allocator, struct row *row, struct tree *left,
                             struct tree *right)
{
    struct tree *tree = allocator->alloc(allocator, sizeof(*tree));
    if (tree == NULL) {
        tree_unref(allocator, left);
        tree_unref(allocator, right);
        return NULL;
    }
    atomic_init(&tree->refs, 1);
    atomic_fetch_add_explicit(&row->refs, 1, memory_order_relaxed);
    tree->priority = XXH3_64bits(row->bytes, row->key_size);
    tree->row = row;
    tree->left = left;
    tree->right = right;
    return tree;
}

/* --- reading --- */

/* The first row with key >= from (> from when `after`), or NULL. */
static const struct row *tree_seek(const struct tree *tree, struct str from, bool after)
{
    const struct row *best = NULL;
    while (tree != NULL) {
        int order = str_cmp(row_key(tree->row), from);
        bool fits = after ? order > 0 : order >= 0;
        if (fits)
            best = tree->row;
        tree = fits ? tree->left : tree->right;
    }
    return best;
}

static const struct row *tree_find(const struct tree *tree, struct str key)
{
    const struct row *row = tree_seek(tree, key, false);
    return row != NULL && str_eq(row_key(row), key) ? row : NULL;
}

/* --- writing: each returns a new tree (one reference) that shares what it can with the old --- */

/* Of two trees, all keys of `left` below those of `right`. False: out of memory. */
static bool tree_join(struct allocator *allocator, struct tree *left, struct tree *right,
                      struct tree **out)
{
    struct tree *inner = NULL;
    if (left == NULL || right == NULL) {
        *out = tree_ref(left == NULL ? right : left);
        return true;
    }
    bool left_on_top = left->priority >= right->priority;
    struct tree *top = left_on_top ? left : right;
    if (left_on_top ? !tree_join(allocator, left->right, right, &inner)
                    : !tree_join(allocator, left, right->left, &inner))
        return false;
    struct tree *joined = tree_new(allocator, top->row, left_on_top ? tree_ref(top->left) : inner,
                                   left_on_top ? inner : tree_ref(top->right));
    if (joined == NULL)
        return false;
    *out = joined;
    return true;
}

/* Without a key that is present. */
static bool tree_remove(struct allocator *allocator, struct tree *tree, struct str key,
                        struct tree **out)
{
    ASSERT(tree != NULL);
    int order = str_cmp(key, row_key(tree->row));
    if (order == 0)
        return tree_join(allocator, tree->left, tree->right, out);
    struct tree *child = NULL;
    if (!tree_remove(allocator, order < 0 ? tree->left : tree->right, key, &child))
        return false;
    struct tree *copy = order < 0 ? tree_new(allocator, tree->row, child, tree_ref(tree->right))
                                  : tree_new(allocator, tree->row, tree_ref(tree->left), child);
    if (copy == NULL)
        return false;
    *out = copy;
    return true;
}

/* `tree` and the child are fresh, nobody else holds them, so they may be turned in place. */
static struct tree *lift_left(struct tree *tree)
{
    struct tree *child = tree->left;
    if (child->priority <= tree->priority)
        return tree;
    tree->left = child->right;
    child->right = tree;
    return child;
}

static struct tree *lift_right(struct tree *tree)
{
    struct tree *child = tree->right;
    if (child->priority <= tree->priority)
        return tree;
    tree->right = child->left;
    child->left = tree;
    return child;
}

/* With a row in the place of its key. NULL: out of memory. */
static struct tree *tree_put(struct allocator *allocator, struct tree *tree, struct row *row)
{
    if (tree == NULL)
        return tree_new(allocator, row, NULL, NULL);
    int order = str_cmp(row_key(row), row_key(tree->row));
    if (order == 0)
        return tree_new(allocator, row, tree_ref(tree->left), tree_ref(tree->right));
    struct tree *child = tree_put(allocator, order < 0 ? tree->left : tree->right, row);
    if (child == NULL)
        return NULL;
    struct tree *copy = order < 0 ? tree_new(allocator, tree->row, child, tree_ref(tree->right))
                                  : tree_new(allocator, tree->row, tree_ref(tree->left), child);
    if (copy == NULL)
        return NULL;
    return order < 0 ? lift_left(copy) : lift_right(copy);
}

/* --- the store --- */

static struct mem_store *store_of(struct kv_store *store)
{
    return CONTAINER_OF(store, struct mem_store, store);
}

static void store_lock(struct mem_store *store)
{
    while (atomic_flag_test_and_set_explicit(&store->lock, memory_order_acquire))
        continue;
}

static void store_unlock(struct mem_store *store)
{
    atomic_flag_clear_explicit(&store->lock, memory_order_release);
}

/* Replaces *root (and its reference) by the tree after the write. */
static status apply_write(struct allocator *allocator, const struct kv_write *write,
                          struct tree **root, struct kv_meta *meta, struct diag *diag)
{
    const struct row *old = tree_find(*root, write->key);
    struct tree *next = NULL;
    if (write->is_delete) {
        if (old == NULL)
            return OK;
        if (!tree_remove(allocator, *root, write->key, &next))
            return FAIL(diag, NOMEM, "could not apply a delete: out of memory");
    } else {
        struct row *row = row_new(allocator, write->key, write->value);
        next = row == NULL ? NULL : tree_put(allocator, *root, row);
        if (row != NULL)
            row_unref(allocator, row);
        if (next == NULL)
            return FAIL(diag, NOMEM, "could not apply a put: out of memory");
        kv_digest_add(&meta->digest, write->key, write->value);
        meta->row_count++;
    }
    if (old != NULL) {
        kv_digest_remove(&meta->digest, row_key(old), row_value(old));
        meta->row_count--;
    }
    tree_unref(allocator, *root);
    *root = next;
    return OK;
}

static status apply_entry(struct allocator *allocator, const struct kv_entry *entry,
                          struct tree **root, struct kv_meta *meta, struct diag *diag)
{
    kv_meta_advance(meta, entry);
    if (entry->payload.size == 0)
        return OK;
    struct kv_payload payload;
    TRY(kv_payload_open(entry->payload, diag, &payload));
    meta->stamp = payload.stamp;
    for (;;) {
        struct kv_write write;
        bool found = false;
        TRY(kv_payload_next(&payload, diag, &write, &found));
        if (!found)
            return OK;
        TRY(apply_write(allocator, &write, root, meta, diag));
    }
}

static status mem_apply(struct kv_store *self, const struct kv_entry *entries, size_t count,
                        struct diag *diag)
{
    struct mem_store *store = store_of(self);
    struct kv_meta meta = store->meta;
    struct tree *root = tree_ref(store->root);
    status_value result = OK;
    for (size_t i = 0; i < count && is_ok(result); i++)
        result = apply_entry(store->allocator, &entries[i], &root, &meta, diag);
    if (is_ok(result)) {
        store_lock(store);
        struct tree *old = store->root;
        store->root = root;
        store->meta = meta;
        store_unlock(store);
        root = old;
    }
    tree_unref(store->allocator, root);
    return result;
}

static struct kv_meta mem_meta(struct kv_store *self)
{
    struct mem_store *store = store_of(self);
    store_lock(store);
    struct kv_meta meta = store->meta;
    store_unlock(store);
    return meta;
}

static void mem_close(struct kv_store *self)
{
    struct mem_store *store = store_of(self);
    ASSERT(atomic_load(&store->open_snapshots) == 0);
    tree_unref(store->allocator, store->root);
    store->allocator->release(store->allocator, store, sizeof(*store));
}

/* --- snapshots --- */

struct mem_cursor {
    struct kv_cursor cursor;
    const struct tree *root;
    struct str from;
    struct str to;
    bool after; /* `from` was returned already */
};

static status mem_cursor_next(struct kv_cursor *self, struct diag *diag, struct str *out_key,
                              struct str *out_value, bool *out_found)
{
    (void)diag;
    struct mem_cursor *cursor = CONTAINER_OF(self, struct mem_cursor, cursor);
    const struct row *row = tree_seek(cursor->root, cursor->from, cursor->after);
    *out_found = row != NULL && (cursor->to.size == 0 || str_cmp(row_key(row), cursor->to) < 0);
    if (!*out_found)
        return OK;
    cursor->from = row_key(row);
    cursor->after = true;
    *out_key = row_key(row);
    *out_value = row_value(row);
    return OK;
}

static void mem_cursor_close(struct kv_cursor *self)
{
    (void)self;
}

static const struct kv_cursor_ops mem_cursor_ops = {.next = mem_cursor_next,
                                                    .close = mem_cursor_close};

static struct mem_snapshot *snapshot_of(struct kv_reader *reader)
{
    return CONTAINER_OF(reader, struct mem_snapshot, snapshot.reader);
}

static status mem_get(struct kv_reader *self, struct str key, struct diag *diag,
                      struct str *out_value, bool *out_found)
{
    (void)diag;
    const struct row *row = tree_find(snapshot_of(self)->root, key);
    *out_found = row != NULL;
    if (row != NULL)
        *out_value = row_value(row);
    return OK;
}

static status mem_scan(struct kv_reader *self, struct arena *arena, struct str from, struct str to,
                       struct diag *diag, struct kv_cursor **out)
{
    struct mem_cursor *cursor = ARENA_NEW(arena, struct mem_cursor);
    struct str first = arena_copy(arena, from);
    struct str bound = arena_copy(arena, to);
    if (cursor == NULL || first.data == NULL || bound.data == NULL)
        return FAIL(diag, NOMEM, "could not open a scan: memory budget exhausted");
    *cursor = (struct mem_cursor){{&mem_cursor_ops}, snapshot_of(self)->root, first, bound, false};
    *out = &cursor->cursor;
    return OK;
}

static const struct kv_reader_ops mem_reader_ops = {.get = mem_get, .scan = mem_scan};

static void mem_snapshot_close(struct kv_snapshot *self)
{
    struct mem_snapshot *snapshot = snapshot_of(&self->reader);
    struct mem_store *store = snapshot->owner;
    tree_unref(store->allocator, snapshot->root);
    store->allocator->release(store->allocator, snapshot, sizeof(*snapshot));
    atomic_fetch_sub(&store->open_snapshots, 1);
}

static status mem_snapshot(struct kv_store *self, struct diag *diag, struct kv_snapshot **out)
{
    struct mem_store *store = store_of(self);
    struct mem_snapshot *snapshot = store->allocator->alloc(store->allocator, sizeof(*snapshot));
    if (snapshot == NULL)
        return FAIL(diag, NOMEM, "could not open a snapshot: out of memory");
    snapshot->owner = store;
    snapshot->snapshot.reader.ops = &mem_reader_ops;
    snapshot->snapshot.close = mem_snapshot_close;
    store_lock(store);
    snapshot->root = tree_ref(store->root);
    snapshot->snapshot.meta = store->meta;
    store_unlock(store);
    atomic_fetch_add(&store->open_snapshots, 1);
    *out = &snapshot->snapshot;
    return OK;
}

static const struct kv_store_ops mem_store_ops = {
    .apply = mem_apply, .snapshot = mem_snapshot, .meta = mem_meta, .close = mem_close};

status_value mem_store_open(struct allocator *allocator, struct diag *diag, struct kv_store **out)
{
    struct mem_store *store = allocator->alloc(allocator, sizeof(*store));
    if (store == NULL)
        return FAIL(diag, NOMEM, "could not open a store in memory: out of memory");
    *store = (struct mem_store){
        .store = {.ops = &mem_store_ops}, .allocator = allocator, .lock = ATOMIC_FLAG_INIT};
    atomic_init(&store->open_snapshots, 0);
    *out = &store->store;
    return OK;
}
