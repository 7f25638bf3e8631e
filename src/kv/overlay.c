/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overlay.c - puts and tombstones over a base reader; the last word on a key wins.
 */
#include "kv/row_map.h"

struct kv_overlay {
    struct row_map map;
    struct row_reader reader;
    struct arena *arena;
};

status_value kv_overlay_create(struct arena *arena, struct kv_reader *base, struct diag *diag,
                               struct kv_overlay **out)
{
    struct kv_overlay *overlay = ARENA_NEW(arena, struct kv_overlay);
    if (overlay == NULL)
        return FAIL(diag, NOMEM, "could not create an overlay: memory budget exhausted");
    overlay->arena = arena;
    kv__map_init(&overlay->map);
    kv__row_reader_init(&overlay->reader, &overlay->map, base);
    *out = overlay;
    return OK;
}

struct kv_reader *kv_overlay_reader(struct kv_overlay *overlay)
{
    return &overlay->reader.reader;
}

static status overlay_set(struct kv_overlay *overlay, struct str key, struct str value,
                          bool is_delete, struct diag *diag)
{
    ASSERT(key.size > 0 && key.size <= KEY_SIZE_MAX);
    struct row_path path;
    struct row_node *node = kv__map_find(&overlay->map, key, &path);
    if (node == NULL) {
        node = ARENA_NEW(overlay->arena, struct row_node);
        if (node == NULL)
            return FAIL(diag, NOMEM, "could not extend an overlay: memory budget exhausted");
        node->key = key;
        kv__map_link(&overlay->map, &path, node);
    }
    node->value = value;
    node->is_delete = is_delete;
    return OK;
}

status_value kv_overlay_put(struct kv_overlay *overlay, struct str key, struct str value,
                            struct diag *diag)
{
    return overlay_set(overlay, key, value, false, diag);
}

status_value kv_overlay_delete(struct kv_overlay *overlay, struct str key, struct diag *diag)
{
    return overlay_set(overlay, key, STR(""), true, diag);
}
