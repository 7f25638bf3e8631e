/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wal_state.c - what a record does to the log's state, and where the live entries lie. Pure.
 *
 * The same steps check an append before it is written and the log when it is read back, so what is
 * accepted can always be recovered. The rules are those that Raft needs of its log:
 *
 * R1  The term never decreases; within a term the vote changes only from none to somebody.
 * R2  No entry has a term beyond the hard state's: the term is durable in front of its entries.
 * R3  Entries are consecutive; a truncation cuts a suffix and never reaches into a snapshot.
 * R4  A snapshot mark covers entries that are there; an install starts the log anew behind it.
 */
#include "storage/wal_internal.h"

static const char *step_hard_state(struct wal_state *state, const struct wal_record *record)
{
    if (record->term < state->term)
        return "the term goes backwards";
    if (record->term == state->term && state->vote != 0 && record->vote != state->vote)
        return "the vote changes within a term";
    state->term = record->term;
    state->vote = record->vote;
    return NULL;
}

static const char *step_entry(struct wal_state *state, const struct wal_record *record)
{
    if (record->index != state->last_index + 1)
        return "the entry is not the next one";
    if (record->term == 0 || record->term > state->term)
        return "the entry's term is not durable yet";
    state->last_index = record->index;
    return NULL;
}

static const char *step_truncate(struct wal_state *state, const struct wal_record *record)
{
    if (record->index == 0 || record->index > state->last_index + 1)
        return "the truncation starts beyond the end of the log";
    if (record->index <= state->snapshot_index)
        return "the truncation reaches into a snapshot";
    state->last_index = record->index - 1;
    return NULL;
}

static const char *step_snapshot(struct wal_state *state, const struct wal_record *record)
{
    bool install = record->kind == WAL_INSTALL;
    if (record->index == 0 || record->index < state->snapshot_index)
        return "the snapshot is older than the one before";
    if (!install && record->index > state->last_index)
        return "the snapshot covers entries that the log does not have";
    state->snapshot_index = record->index;
    state->snapshot_term = record->term;
    if (install)
        state->last_index = record->index;
    return NULL;
}

const char *wal__step(struct wal_state *state, const struct wal_record *record)
{
    if (record->kind != WAL_ENTRY && record->payload.size > 0)
        return "only entries have a payload";
    switch (record->kind) {
    case WAL_HARD_STATE: return step_hard_state(state, record);
    case WAL_ENTRY: return step_entry(state, record);
    case WAL_TRUNCATE: return step_truncate(state, record);
    case WAL_SNAPSHOT:
    case WAL_INSTALL: return step_snapshot(state, record);
    default: return "the kind of the record is not known";
    }
}

static void cut_from(struct wal_extents *extents, uint64_t index)
{
    while (extents->count > 0 && extents->items[extents->count - 1].first_index >= index)
        extents->count--;
    if (extents->count == 0)
        return;
    struct wal_extent *last = &extents->items[extents->count - 1];
    if (last->last_index >= index)
        last->last_index = index - 1;
    last->closed = true;
}

static void add_entry(struct wal_extents *extents, uint64_t index, struct wal_place place)
{
    if (extents->count > 0) {
        struct wal_extent *last = &extents->items[extents->count - 1];
        ASSERT(last->last_index + 1 == index);
        if (!last->closed && last->epoch == place.epoch && last->offset == place.offset) {
            last->last_index = index;
            return;
        }
    }
    ASSERT(extents->count < extents->capacity);
    extents->items[extents->count++] = (struct wal_extent){
        .first_index = index,
        .last_index = index,
        .epoch = place.epoch,
        .offset = place.offset,
        .skip = place.ordinal,
    };
}

void wal__track(struct wal_extents *extents, const struct wal_record *record,
                struct wal_place place)
{
    if (record->kind == WAL_ENTRY)
        add_entry(extents, record->index, place);
    else if (record->kind == WAL_TRUNCATE)
        cut_from(extents, record->index);
    else if (record->kind == WAL_INSTALL)
        extents->count = 0;
}

void wal__forget_epochs_below(struct wal_extents *extents, uint64_t epoch)
{
    size_t gone = 0;
    while (gone < extents->count && extents->items[gone].epoch < epoch)
        gone++;
    if (gone == 0)
        return;
    extents->count -= gone;
    memmove(extents->items, extents->items + gone, extents->count * sizeof(struct wal_extent));
}

uint64_t wal__first_index(const struct wal *wal)
{
    return wal->extents.count > 0 ? wal->extents.items[0].first_index : wal->state.last_index + 1;
}
