/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stores.c - a list of open stores behind a lock; there are as many as warehouses, so a list will
 * do.
 *
 * A warehouse whose location changed gets a new store; the old one stays until the end, since
 * others may be using it.
 */
#include "worker/stores.h"

#include <inttypes.h>
#include <pthread.h>

struct stores_entry {
    struct stores_entry *next;
    uint32_t warehouse;
    char *location;
    struct object_store *store;
};

struct stores {
    pthread_mutex_t lock;
    struct stores_entry *entries; /* newest first */
};

status_value stores_create(struct diag *diag, struct stores **out)
{
    struct stores *stores = mem_zalloc(sizeof(*stores));
    if (stores == NULL)
        return FAIL(diag, NOMEM, "could not allocate the list of object stores");
    pthread_mutex_init(&stores->lock, NULL);
    *out = stores;
    return OK;
}

void stores_destroy(struct stores *stores)
{
    if (stores == NULL)
        return;
    for (struct stores_entry *entry = stores->entries; entry != NULL;) {
        struct stores_entry *next = entry->next;
        object_store_close(entry->store);
        mem_free(entry->location);
        mem_free(entry);
        entry = next;
    }
    pthread_mutex_destroy(&stores->lock);
    mem_free(stores);
}

static status_value open_entry(struct stores *stores, const struct catalog_warehouse *warehouse,
                               struct diag *diag, struct object_store **out)
{
    struct stores_entry *entry = mem_zalloc(sizeof(*entry));
    char *location = mem_zalloc(warehouse->location.size + 1);
    status_value result = OK;
    if (entry == NULL || location == NULL)
        TRY_OUT(result, FAIL(diag, NOMEM, "could not open the store of warehouse %.*s",
                             STR_ARG(warehouse->name)));
    TRY_OUT(result, object_store_open(warehouse->location, diag, &entry->store));
    memcpy(location, warehouse->location.data, warehouse->location.size);
    entry->location = location;
    entry->warehouse = warehouse->id;
    entry->next = stores->entries;
    stores->entries = entry;
    *out = entry->store;
    return OK;
out:
    mem_free(entry);
    mem_free(location);
    return result;
}

status_value stores_get(struct stores *stores, const struct catalog_warehouse *warehouse,
                        struct diag *diag, struct object_store **out)
{
    status_value result = OK;
    struct object_store *found = NULL;
    pthread_mutex_lock(&stores->lock);
    for (struct stores_entry *entry = stores->entries; entry != NULL; entry = entry->next) {
        if (entry->warehouse == warehouse->id && str_is(warehouse->location, entry->location)) {
            found = entry->store;
            break;
        }
    }
    if (found == NULL)
        result = open_entry(stores, warehouse, diag, &found);
    pthread_mutex_unlock(&stores->lock);
    if (is_ok(result))
        *out = found;
    return result;
}

status_value stores_get_by_id(struct stores *stores, struct kv_reader *view, struct arena *arena,
                              uint32_t warehouse, struct diag *diag, struct object_store **out)
{
    struct catalog_warehouse *all;
    size_t count;
    TRY(catalog_warehouse_list(view, arena, diag, &all, &count));
    for (size_t i = 0; i < count; i++)
        if (all[i].id == warehouse)
            return stores_get(stores, &all[i], diag, out);
    return FAIL(diag, NO_SUCH_WAREHOUSE, "warehouse number %" PRIu32 " does not exist", warehouse);
}
