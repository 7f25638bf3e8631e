/* SPDX-License-Identifier: Apache-2.0 */
/*
 * raft_step.c - one event in, one update out; creation, restoring, and the invariants.
 *
 * Every event ends the same way: advance the commit index, emit what must be appended, what may be
 * applied and which reads are confirmed, then check the invariants of raft_internal.h.
 */
#include "raft/raft_internal.h"

#include <inttypes.h>

static status_value check_options(const struct raft_options *options, struct diag *diag)
{
    if (options->id == 0 || options->entries_max < 2 || options->reads_max == 0 ||
        options->election_timeout_ns == 0 || options->voter_count == 0)
        return FAIL(diag, INVALID, "impossible options for a consensus group");
    if (options->voter_count > 1)
        return FAIL(diag, NOT_IMPLEMENTED,
                    "groups of several voters are not offered by this version");
    if (options->voters[0] != options->id)
        return FAIL(diag, INVALID, "node %" PRIu64 " is not a voter of its group", options->id);
    return OK;
}

static void *zeroed(struct allocator *allocator, size_t size)
{
    void *memory = allocator->alloc(allocator, size);
    if (memory != NULL)
        memset(memory, 0, size);
    return memory;
}

static bool allocate_rings(struct raft *raft, const struct raft_options *options)
{
    raft->log.ring = zeroed(raft->allocator, sizeof(*raft->log.ring) * options->entries_max);
    raft->appends = zeroed(raft->allocator, sizeof(*raft->appends) * RAFT_APPENDS_MAX);
    raft->reads = zeroed(raft->allocator, sizeof(*raft->reads) * options->reads_max);
    raft->ready_reads = zeroed(raft->allocator, sizeof(*raft->ready_reads) * options->reads_max);
    return raft->log.ring != NULL && raft->appends != NULL && raft->reads != NULL &&
           raft->ready_reads != NULL;
}

status_value raft_create(struct allocator *allocator, const struct raft_options *options,
                         struct diag *diag, struct raft **out)
{
    TRY(check_options(options, diag));
    struct raft *raft = zeroed(allocator, sizeof(*raft));
    if (raft == NULL)
        return FAIL(diag, NOMEM, "could not allocate the consensus core");
    raft->allocator = allocator;
    raft->id = options->id;
    raft->voter_count = options->voter_count;
    memcpy(raft->voters, options->voters, sizeof(uint64_t) * options->voter_count);
    raft->log.capacity = options->entries_max;
    raft->log.first = 1;
    raft->append_first = 1;
    raft->reads_max = options->reads_max;
    raft->unapplied_bytes_max = options->unapplied_bytes_max;
    raft->election_timeout_ns = options->election_timeout_ns;
    raft->election_deadline_ns = UINT64_MAX;
    prng_init(&raft->prng, options->random_seed);
    if (!allocate_rings(raft, options)) {
        raft_destroy(raft);
        return FAIL(diag, NOMEM, "could not allocate a log of %" PRIu32 " entries",
                    options->entries_max);
    }
    *out = raft;
    return OK;
}

void raft_destroy(struct raft *raft)
{
    if (raft == NULL)
        return;
    struct allocator *allocator = raft->allocator;
    allocator->release(allocator, raft->log.ring, sizeof(*raft->log.ring) * raft->log.capacity);
    allocator->release(allocator, raft->appends, sizeof(*raft->appends) * RAFT_APPENDS_MAX);
    allocator->release(allocator, raft->reads, sizeof(*raft->reads) * raft->reads_max);
    allocator->release(allocator, raft->ready_reads, sizeof(*raft->ready_reads) * raft->reads_max);
    allocator->release(allocator, raft, sizeof(*raft));
}

status_value raft_restore(struct raft *raft, struct raft_hard_state hard_state,
                          uint64_t snapshot_index, uint64_t snapshot_term, struct diag *diag)
{
    ASSERT(!raft->started && raft->log.last == 0);
    if ((snapshot_index == 0) != (snapshot_term == 0) || snapshot_term > hard_state.term)
        return FAIL(diag, CORRUPT,
                    "the log's term %" PRIu64 " is behind its snapshot of term %" PRIu64,
                    hard_state.term, snapshot_term);
    raft->hard = hard_state;
    raft->snapshot_index = snapshot_index;
    raft->snapshot_term = snapshot_term;
    raft->log.first = snapshot_index + 1;
    raft->log.last = snapshot_index;
    raft->log.base_term = snapshot_term;
    raft->append_first = snapshot_index + 1;
    raft->durable = raft->commit = raft->handed_out = raft->applied = snapshot_index;
    return OK;
}

status_value raft_restore_entry(struct raft *raft, const struct raft_entry *entry,
                                struct diag *diag)
{
    ASSERT(!raft->started);
    if (entry->index != raft->log.last + 1)
        return FAIL(diag, CORRUPT, "the log jumps from entry %" PRIu64 " to %" PRIu64,
                    raft->log.last, entry->index);
    if (entry->term < raft__log_term(raft, raft->log.last) || entry->term > raft->hard.term)
        return FAIL(diag, CORRUPT, "entry %" PRIu64 " has the impossible term %" PRIu64,
                    entry->index, entry->term);
    /* One slot stays free for the no-op of the next term. */
    if (!raft__log_has_room(&raft->log, 2))
        return FAIL(diag, EXHAUSTED,
                    "the log holds more than %" PRIu32 " entries that are not applied",
                    raft->log.capacity);
    raft__log_push(&raft->log, entry);
    raft->append_first = raft->log.last + 1;
    raft->durable = raft->log.last;
    return OK;
}

status_value raft_restore_applied(struct raft *raft, uint64_t applied, struct diag *diag)
{
    ASSERT(!raft->started);
    if (applied > raft->log.last || applied < raft->applied)
        return FAIL(diag, CORRUPT,
                    "the state has applied entry %" PRIu64 " but the log holds %" PRIu64
                    " to %" PRIu64,
                    applied, raft->log.first, raft->log.last);
    raft->commit = raft->handed_out = raft->applied = applied;
    raft__log_drop_through(&raft->log, applied);
    return OK;
}

static status_value applied(struct raft *raft, uint64_t index, struct diag *diag)
{
    if (index < raft->applied || index > raft->handed_out)
        return FAIL(diag, INVALID, "entry %" PRIu64 " was not handed out for applying", index);
    raft->applied = index;
    raft__log_drop_through(&raft->log, index);
    return OK;
}

static status_value snapshot_taken(struct raft *raft, uint64_t index, struct diag *diag,
                                   struct raft_update *update)
{
    if (index > raft->applied || index < raft->snapshot_index)
        return FAIL(diag, INVALID, "a snapshot of entry %" PRIu64 ", which is not applied", index);
    raft->snapshot_index = index;
    update->compact_before = index + 1;
    return OK;
}

static void tick(struct raft *raft, struct raft_update *update)
{
    if (raft->role != RAFT_LEADER && raft->role != RAFT_FAILED &&
        raft->now_ns >= raft->election_deadline_ns)
        raft__campaign(raft, update);
}

static status_value start(struct raft *raft, struct diag *diag, struct raft_update *update)
{
    if (raft->started)
        return FAIL(diag, INVALID, "the consensus core was started already");
    raft->started = true;
    raft__reset_election_timer(raft);
    tick(raft, update);
    return OK;
}

static status_value dispatch(struct raft *raft, const struct raft_event *event, struct diag *diag,
                             struct raft_update *update)
{
    switch (event->type) {
    case RAFT_EVENT_START: return start(raft, diag, update);
    case RAFT_EVENT_TICK: tick(raft, update); return OK;
    case RAFT_EVENT_PROPOSE: return raft__propose(raft, event, diag, update);
    case RAFT_EVENT_READ_INDEX: return raft__read_index(raft, event->read_id, diag);
    case RAFT_EVENT_APPENDED: return raft__appended(raft, event->sequence, diag, update);
    case RAFT_EVENT_APPEND_FAILED:
        raft->role = RAFT_FAILED;
        raft->leader = 0;
        update->role_changed = true;
        return OK;
    case RAFT_EVENT_APPLIED: return applied(raft, event->index, diag);
    case RAFT_EVENT_SNAPSHOT_TAKEN: return snapshot_taken(raft, event->index, diag, update);
    case RAFT_EVENT_RECEIVE:
    case RAFT_EVENT_PEER_UNREACHABLE:
    case RAFT_EVENT_PEER_LOST:
        return OK; /* a group of one has no peers: whoever speaks is not a member (bug B36) */
    case RAFT_EVENT_FORGET_LEADER: return OK; /* only followers forget */
    case RAFT_EVENT_PROPOSE_CONFIG:
    case RAFT_EVENT_TRANSFER:
        return FAIL(diag, NOT_IMPLEMENTED, "a group of one has no membership to change");
    }
    return FAIL(diag, INVALID, "unknown event");
}

status_value raft_step(struct raft *raft, const struct raft_event *event, struct diag *diag,
                       struct raft_update *out)
{
    *out = (struct raft_update){.apply = {1, 0}, .next_deadline_ns = UINT64_MAX};
    if (raft->role == RAFT_FAILED)
        return FAIL(diag, UNAVAILABLE, "the log of this node cannot be written; restart it");
    if (!raft->started && event->type != RAFT_EVENT_START)
        return FAIL(diag, INVALID, "the consensus core is not started");
    raft->now_ns = u64_max(raft->now_ns, event->now_ns);
    TRY(dispatch(raft, event, diag, out));
    if (out->append.sequence == 0 && raft->append_count < RAFT_APPENDS_MAX)
        raft__emit_append(raft, out);
    raft__advance_commit(raft);
    raft__emit_apply(raft, out);
    raft__emit_reads(raft, out);
    out->next_deadline_ns = raft->election_deadline_ns;
    raft__check(raft);
    return OK;
}

void raft__check(const struct raft *raft)
{
    ASSERT(raft->snapshot_index <= raft->applied && raft->applied <= raft->handed_out);
    ASSERT(raft->handed_out <= raft->commit && raft->commit <= raft->log.last);
    ASSERT(raft->handed_out <= raft->durable && raft->durable <= raft->log.last);
    ASSERT(raft->log.first <= raft->log.last + 1 && raft->append_first <= raft->log.last + 1);
    ASSERT(raft__log_term(raft, raft->log.last) <= raft->hard.term);
    ASSERT(raft->role != RAFT_LEADER || raft->hard.vote == raft->id);
    ASSERT(raft->written <= raft->sequence);
}

enum raft_role raft_role(const struct raft *raft)
{
    return raft->role;
}

const char *raft_role_name(enum raft_role role)
{
    static const char *const names[] = {[RAFT_FOLLOWER] = "follower",
                                        [RAFT_PRE_CANDIDATE] = "pre-candidate",
                                        [RAFT_CANDIDATE] = "candidate",
                                        [RAFT_LEADER] = "leader",
                                        [RAFT_FAILED] = "failed"};
    return names[role];
}

uint64_t raft_term(const struct raft *raft)
{
    return raft->hard.term;
}

uint64_t raft_leader(const struct raft *raft)
{
    return raft->leader;
}

uint64_t raft_last_index(const struct raft *raft)
{
    return raft->log.last;
}

uint64_t raft_commit_index(const struct raft *raft)
{
    return raft->commit;
}

uint64_t raft_applied_index(const struct raft *raft)
{
    return raft->applied;
}

bool raft_is_ready(const struct raft *raft)
{
    return raft->role == RAFT_LEADER && raft->applied >= raft->term_start;
}

uint64_t raft_pinned_from(const struct raft *raft)
{
    return raft->log.first;
}
