/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * row_map.h - the ordered map below overlay, batch and in-flight overlay, and the reader that
 * merges it over a base reader. Private to kv/.
 *
 * The map is a skip list of nodes that its user allocates: it never allocates itself, so linking
 * and unlinking cannot fail. Keys and values are borrowed.
 */
#include "kv/kv.h"

enum { ROW_HEIGHT_MAX = 8 };

struct row_node {
    struct str key;
    struct str value;
    bool is_delete; /* a tombstone: hides the base's row */
    uint8_t height;
    struct row_node *next[ROW_HEIGHT_MAX];
};
struct row_map {
    struct row_node head; /* before every key; its own key is never looked at */
    uint64_t inserted;    /* ever; the heights of nodes come from it */
    size_t count;
};
/* Where a key is or would be: at each level the last node before it. Valid until the map
 * changes. */
struct row_path {
    struct row_node *before[ROW_HEIGHT_MAX];
};

void kv__map_init(struct row_map *map);
/* The node with exactly this key, or NULL. */
struct row_node *kv__map_find(struct row_map *map, struct str key, struct row_path *out_path);
/* Links a node whose key is set and absent, at the path kv__map_find gave for that key. */
void kv__map_link(struct row_map *map, struct row_path *path, struct row_node *node);
void kv__map_unlink(struct row_map *map, struct row_node *node);

/*
 * Reads the map over the base; `base` may be NULL, which reads as empty.
 * A scan sees rows that are put ahead of it while it runs and none behind it, so "scan, and rewrite
 * or delete what was found" works. Nodes must not be unlinked while a scan is open.
 */
struct row_reader {
    struct kv_reader reader;
    struct row_map *map;
    struct kv_reader *base;
};
void kv__row_reader_init(struct row_reader *reader, struct row_map *map, struct kv_reader *base);
