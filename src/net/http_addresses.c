/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_addresses.c - how many connections each client address has open.
 *
 * An open-addressed table with linear probing, sized at start to twice the connections that can
 * exist, so it never grows and never fills. Removal shifts followers back (Knuth 6.4, algorithm R).
 */
#include "net/http_internal.h"

struct slot {
    uint8_t address[16];
    uint32_t count; /* 0: free */
};
struct http_addresses {
    pthread_mutex_t lock;
    size_t mask;
    uint32_t per_address_max;
    struct slot slots[];
};

status_value http__addresses_create(uint32_t connections_max, uint32_t per_address_max,
                                    struct diag *diag, struct http_addresses **out)
{
    size_t slots = 64;
    while (slots < 2 * (size_t)connections_max)
        slots *= 2;
    struct http_addresses *table =
        mem_zalloc(sizeof(struct http_addresses) + slots * sizeof(struct slot));
    if (table == NULL)
        return FAIL(diag, NOMEM, "could not make the table of client addresses");
    (void)pthread_mutex_init(&table->lock, NULL);
    table->mask = slots - 1;
    table->per_address_max = per_address_max;
    *out = table;
    return OK;
}

void http__addresses_destroy(struct http_addresses *table)
{
    if (table == NULL)
        return;
    (void)pthread_mutex_destroy(&table->lock);
    mem_free(table);
}

static size_t home_of(const struct http_addresses *table, const uint8_t address[16])
{
    return str_hash((struct str){(const char *)address, 16}) & table->mask;
}

/* The slot of the address, or the free slot where it belongs. */
static size_t find(const struct http_addresses *table, const uint8_t address[16])
{
    size_t at = home_of(table, address);
    while (table->slots[at].count > 0 && memcmp(table->slots[at].address, address, 16) != 0)
        at = (at + 1) & table->mask;
    return at;
}

bool http__addresses_add(struct http_addresses *table, const uint8_t address[16])
{
    (void)pthread_mutex_lock(&table->lock);
    struct slot *slot = &table->slots[find(table, address)];
    bool admitted = slot->count < table->per_address_max;
    if (admitted) {
        memcpy(slot->address, address, 16);
        slot->count++;
    }
    (void)pthread_mutex_unlock(&table->lock);
    return admitted;
}

static void close_gap(struct http_addresses *table, size_t gap)
{
    size_t at = (gap + 1) & table->mask;
    for (; table->slots[at].count > 0; at = (at + 1) & table->mask) {
        size_t home = home_of(table, table->slots[at].address);
        if (((at - home) & table->mask) < ((at - gap) & table->mask))
            continue; /* its home lies behind the gap: it may not move before it */
        table->slots[gap] = table->slots[at];
        table->slots[at].count = 0;
        gap = at;
    }
}

void http__addresses_remove(struct http_addresses *table, const uint8_t address[16])
{
    (void)pthread_mutex_lock(&table->lock);
    size_t at = find(table, address);
    ASSERT(table->slots[at].count > 0);
    if (--table->slots[at].count == 0)
        close_gap(table, at);
    (void)pthread_mutex_unlock(&table->lock);
}
