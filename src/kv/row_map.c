/* SPDX-License-Identifier: Apache-2.0 */
/*
 * row_map.c - a skip list (Pugh, 1990) whose heights are a function of the insertion count.
 *
 * S1  Level 0 holds every node in strictly ascending key order; level i + 1 is a subsequence of
 *     level i.
 * S2  No randomness: the same calls give the same list in every process, so a run can be replayed.
 *     The count is mixed before use; a plain counter would line up with periodic insertion
 *     patterns.
 */
#include "kv/row_map.h"

void kv__map_init(struct row_map *map)
{
    *map = (struct row_map){.head = {.height = ROW_HEIGHT_MAX}};
}

/* Each level holds a quarter of the one below. The mixer is the finalizer of splitmix64. */
static uint8_t height_of(uint64_t count)
{
    uint64_t mixed = count * UINT64_C(0x9E3779B97F4A7C15);
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94D049BB133111EB);
    mixed ^= mixed >> 31;
    mixed |= UINT64_C(1) << (2 * (ROW_HEIGHT_MAX - 1));
    return (uint8_t)(1 + __builtin_ctzll(mixed) / 2);
}

struct row_node *kv__map_find(struct row_map *map, struct str key, struct row_path *out_path)
{
    struct row_node *node = &map->head;
    for (unsigned level = ROW_HEIGHT_MAX; level-- > 0;) {
        while (node->next[level] != NULL && str_cmp(node->next[level]->key, key) < 0)
            node = node->next[level];
        out_path->before[level] = node;
    }
    struct row_node *found = node->next[0];
    return found != NULL && str_eq(found->key, key) ? found : NULL;
}

void kv__map_link(struct row_map *map, struct row_path *path, struct row_node *node)
{
    struct row_node *after = path->before[0]->next[0];
    ASSERT(after == NULL || str_cmp(node->key, after->key) < 0);
    map->inserted++;
    node->height = height_of(map->inserted);
    for (unsigned level = 0; level < node->height; level++) {
        node->next[level] = path->before[level]->next[level];
        path->before[level]->next[level] = node;
    }
    map->count++;
}

void kv__map_unlink(struct row_map *map, struct row_node *node)
{
    struct row_path path;
    struct row_node *found = kv__map_find(map, node->key, &path);
    ASSERT(found == node);
    for (unsigned level = 0; level < node->height; level++) {
        ASSERT(path.before[level]->next[level] == node);
        path.before[level]->next[level] = node->next[level];
    }
    map->count--;
}
