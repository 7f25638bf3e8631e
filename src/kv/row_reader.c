/* SPDX-License-Identifier: Apache-2.0 */
/*
 * row_reader.c - one ordered view of a row map over a base reader.
 *
 * M1  `passed` is the last map node that was returned or skipped (or the head): the next candidate
 *     is always passed->next[0], so rows linked ahead of the scan while it runs are met.
 * M2  A base row is peeked and consumed only when its key is the smaller one; a map node with the
 *     same key wins and consumes both. A tombstone consumes and returns nothing.
 * M3  Before the base moves past a row that was returned, `passed` moves over map nodes up to that
 *     key: a row that the caller rewrote or deleted during the scan is not met again.
 */
#include "kv/row_map.h"

struct merge_cursor {
    struct kv_cursor cursor;
    struct row_node *passed;
    struct kv_cursor *base; /* NULL: no base */
    struct str to;          /* empty: no bound */
    struct str base_key;
    struct str base_value;
    bool base_peeked;
    bool base_returned; /* the peeked row is the one the caller holds */
    bool base_ended;
};

static struct merge_cursor *merge_of(struct kv_cursor *cursor)
{
    return CONTAINER_OF(cursor, struct merge_cursor, cursor);
}

static struct row_node *candidate(const struct merge_cursor *m)
{
    struct row_node *node = m->passed->next[0];
    if (node == NULL || (m->to.size > 0 && str_cmp(node->key, m->to) >= 0))
        return NULL;
    return node;
}

/* Lets go of the base row that the last call returned (M3). */
static void pass_returned(struct merge_cursor *m)
{
    if (!m->base_returned)
        return;
    while (m->passed->next[0] != NULL && str_cmp(m->passed->next[0]->key, m->base_key) <= 0)
        m->passed = m->passed->next[0];
    m->base_returned = false;
    m->base_peeked = false;
}

static status peek_base(struct merge_cursor *m, struct diag *diag)
{
    if (m->base_peeked || m->base_ended)
        return OK;
    bool found = false;
    TRY(kv_next(m->base, diag, &m->base_key, &m->base_value, &found));
    m->base_peeked = found;
    m->base_ended = !found;
    return OK;
}

static status merge_next(struct kv_cursor *self, struct diag *diag, struct str *out_key,
                         struct str *out_value, bool *out_found)
{
    struct merge_cursor *m = merge_of(self);
    pass_returned(m);
    for (;;) {
        TRY(peek_base(m, diag));
        struct row_node *node = candidate(m);
        if (node == NULL && !m->base_peeked)
            break;
        int order = node == NULL ? 1 : m->base_peeked ? str_cmp(node->key, m->base_key) : -1;
        if (order > 0) {
            m->base_returned = true;
            *out_key = m->base_key;
            *out_value = m->base_value;
            *out_found = true;
            return OK;
        }
        if (order == 0)
            m->base_peeked = false;
        m->passed = node;
        if (!node->is_delete) {
            *out_key = node->key;
            *out_value = node->value;
            *out_found = true;
            return OK;
        }
    }
    *out_found = false;
    return OK;
}

static void merge_close(struct kv_cursor *self)
{
    kv_close(merge_of(self)->base);
}

static const struct kv_cursor_ops merge_ops = {.next = merge_next, .close = merge_close};

static struct row_reader *reader_of(struct kv_reader *reader)
{
    return CONTAINER_OF(reader, struct row_reader, reader);
}

static status row_get(struct kv_reader *self, struct str key, struct diag *diag,
                      struct str *out_value, bool *out_found)
{
    struct row_reader *reader = reader_of(self);
    struct row_path path;
    struct row_node *node = kv__map_find(reader->map, key, &path);
    if (node == NULL && reader->base != NULL)
        return kv_get(reader->base, key, diag, out_value, out_found);
    *out_found = node != NULL && !node->is_delete;
    if (*out_found)
        *out_value = node->value;
    return OK;
}

static status row_scan(struct kv_reader *self, struct arena *arena, struct str from, struct str to,
                       struct diag *diag, struct kv_cursor **out)
{
    struct row_reader *reader = reader_of(self);
    struct merge_cursor *m = ARENA_NEW(arena, struct merge_cursor);
    struct str bound = arena_copy(arena, to);
    if (m == NULL || bound.data == NULL)
        return FAIL(diag, NOMEM, "could not open a scan: memory budget exhausted");
    struct row_path path;
    (void)kv__map_find(reader->map, from, &path);
    m->cursor.ops = &merge_ops;
    m->passed = path.before[0];
    m->to = bound;
    m->base_ended = reader->base == NULL;
    if (reader->base != NULL)
        TRY(kv_scan(reader->base, arena, from, to, diag, &m->base));
    *out = &m->cursor;
    return OK;
}

static const struct kv_reader_ops row_ops = {.get = row_get, .scan = row_scan};

void kv__row_reader_init(struct row_reader *reader, struct row_map *map, struct kv_reader *base)
{
    *reader = (struct row_reader){.reader = {.ops = &row_ops}, .map = map, .base = base};
}

status_value kv_prefix_end(struct arena *arena, struct str prefix, struct diag *diag,
                           struct str *out)
{
    size_t size = prefix.size;
    while (size > 0 && (unsigned char)prefix.data[size - 1] == 0xff)
        size--;
    if (size == 0) {
        *out = STR("");
        return OK;
    }
    char *end = arena_alloc(arena, size);
    if (end == NULL)
        return FAIL(diag, NOMEM, "could not bound a scan: memory budget exhausted");
    memcpy(end, prefix.data, size);
    end[size - 1] = (char)((unsigned char)end[size - 1] + 1);
    *out = (struct str){end, size};
    return OK;
}

status_value kv_scan_prefix(struct kv_reader *reader, struct arena *arena, struct str prefix,
                            struct diag *diag, struct kv_cursor **out)
{
    struct str end;
    TRY(kv_prefix_end(arena, prefix, diag, &end));
    return kv_scan(reader, arena, prefix, end, diag, out);
}
