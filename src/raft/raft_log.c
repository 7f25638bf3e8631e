/* SPDX-License-Identifier: Apache-2.0 */
/*
 * raft_log.c - the entries that are in memory, a ring addressed by log index.
 */
#include "raft/raft_internal.h"

struct raft_entry *raft__log_at(const struct raft_log *log, uint64_t index)
{
    if (index < log->first || index > log->last)
        return NULL;
    struct raft_entry *entry = &log->ring[index % log->capacity];
    ASSERT(entry->index == index);
    return entry;
}

uint64_t raft__log_term(const struct raft *raft, uint64_t index)
{
    const struct raft_entry *entry = raft__log_at(&raft->log, index);
    if (entry != NULL)
        return entry->term;
    ASSERT(index == raft->log.first - 1);
    return raft->log.base_term;
}

bool raft__log_has_room(const struct raft_log *log, uint32_t count)
{
    return log->last + 1 - log->first + count <= log->capacity;
}

void raft__log_push(struct raft_log *log, const struct raft_entry *entry)
{
    ASSERT(entry->index == log->last + 1);
    ASSERT(raft__log_has_room(log, 1));
    log->ring[entry->index % log->capacity] = *entry;
    log->last = entry->index;
    log->bytes += entry->payload.size;
}

void raft__log_drop_through(struct raft_log *log, uint64_t index)
{
    ASSERT(index <= log->last);
    while (log->first <= index) {
        const struct raft_entry *entry = raft__log_at(log, log->first);
        log->bytes -= entry->payload.size;
        log->base_term = entry->term;
        log->first++;
    }
}

const struct raft_entry *raft_entry_at(const struct raft *raft, uint64_t index)
{
    return raft__log_at(&raft->log, index);
}
