/* SPDX-License-Identifier: Apache-2.0 */
/*
 * raft_replicate.c - entries in, durable, committed, handed out for applying.
 *
 * Completions are matched by (sequence, term, index), never by index alone: a later truncation and
 * re-append of the same index must not be acknowledged by the older write (the ABA race of etcd's
 * async_storage_writes_append_aba_race.txt).
 */
#include "raft/raft_internal.h"

void raft__append_entry(struct raft *raft, enum raft_entry_kind kind, struct str payload)
{
    const struct raft_entry entry = {
        .index = raft->log.last + 1, .term = raft->hard.term, .kind = kind, .payload = payload};
    raft__log_push(&raft->log, &entry);
}

status_value raft__propose(struct raft *raft, const struct raft_event *event, struct diag *diag,
                           struct raft_update *update)
{
    if (raft->role != RAFT_LEADER)
        return FAIL(diag, NOT_LEADER, "this node is not the leader");
    uint64_t bytes = raft->log.bytes;
    for (uint32_t i = 0; i < event->entry_count; i++)
        bytes += event->entries[i].payload.size;
    if (!raft__log_has_room(&raft->log, event->entry_count) || bytes > raft->unapplied_bytes_max)
        return FAIL(diag, EXHAUSTED, "too many writes are in flight; try again");
    if (raft->append_count == RAFT_APPENDS_MAX)
        return FAIL(diag, EXHAUSTED, "the log has too many writes in flight; try again");
    for (uint32_t i = 0; i < event->entry_count; i++)
        raft__append_entry(raft, event->entries[i].kind, event->entries[i].payload);
    (void)update; /* raft_step emits the append */
    return OK;
}

void raft__emit_append(struct raft *raft, struct raft_update *update)
{
    if (raft->append_first > raft->log.last && !update->hard_state_changed)
        return;
    ASSERT(raft->append_count < RAFT_APPENDS_MAX && update->append.sequence == 0);
    update->hard_state = raft->hard;
    update->append.sequence = ++raft->sequence;
    update->append.first = raft->append_first;
    update->append.count = (uint32_t)(raft->log.last + 1 - raft->append_first);
    raft->append_first = raft->log.last + 1;
    uint32_t slot = (raft->append_head + raft->append_count) % RAFT_APPENDS_MAX;
    raft->appends[slot] = (struct raft_append_record){raft->sequence, raft->log.last,
                                                      raft__log_term(raft, raft->log.last)};
    raft->append_count++;
}

static void note_durable(struct raft *raft, const struct raft_append_record *record)
{
    if (record->last > raft->log.last || record->last < raft->log.first - 1 ||
        raft__log_term(raft, record->last) != record->term)
        return; /* truncated meanwhile: the newer append of that index will report itself */
    raft->durable = u64_max(raft->durable, record->last);
    for (size_t i = 0; i < raft->voter_count; i++)
        if (raft->voters[i] == raft->id)
            raft->match[i] = raft->durable;
}

status_value raft__appended(struct raft *raft, uint64_t sequence, struct diag *diag,
                            struct raft_update *update)
{
    if (sequence > raft->sequence || sequence < raft->written)
        return FAIL(diag, INVALID, "a completion for append %llu, which was not asked for",
                    (unsigned long long)sequence);
    raft->written = sequence;
    while (raft->append_count > 0 && raft->appends[raft->append_head].sequence <= sequence) {
        note_durable(raft, &raft->appends[raft->append_head]);
        raft->append_head = (raft->append_head + 1) % RAFT_APPENDS_MAX;
        raft->append_count--;
    }
    raft__count_own_vote(raft, update);
    return OK;
}

/* The highest index that a majority holds durably: the quorum-th largest match. */
static uint64_t quorum_match(const struct raft *raft)
{
    uint64_t sorted[RAFT_VOTERS_MAX] = {0};
    for (size_t i = 0; i < raft->voter_count; i++) {
        size_t at = i;
        for (; at > 0 && sorted[at - 1] < raft->match[i]; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = raft->match[i];
    }
    return sorted[raft->voter_count / 2];
}

void raft__advance_commit(struct raft *raft)
{
    if (raft->role != RAFT_LEADER)
        return;
    uint64_t index = quorum_match(raft);
    if (index <= raft->commit || index < raft->term_start)
        return; /* I5: everything from term_start on is of the current term */
    ASSERT(raft__log_term(raft, index) == raft->hard.term);
    raft->commit = index;
}

void raft__emit_apply(struct raft *raft, struct raft_update *update)
{
    uint64_t last = u64_min(raft->commit, raft->durable);
    update->apply.first = raft->handed_out + 1;
    update->apply.last = raft->handed_out;
    if (last <= raft->handed_out)
        return;
    update->apply.last = last;
    raft->handed_out = last;
}
