/* SPDX-License-Identifier: Apache-2.0 */
/*
 * raft_election.c - becoming leader (dissertation §3.4).
 *
 * A candidate's own vote counts only once its new term and vote are durable (bugs B1, B3): campaign
 * asks for an append that carries the hard state, and its completion casts the vote. Pre-vote asks
 * the other voters first; a group of one has nobody to ask.
 */
#include "raft/raft_internal.h"

void raft__reset_election_timer(struct raft *raft)
{
    uint64_t jitter = prng_below(&raft->prng, raft->election_timeout_ns);
    /* A single voter has nobody to wait for. */
    uint64_t wait = raft->voter_count == 1 ? 0 : raft->election_timeout_ns + jitter;
    raft->election_deadline_ns = raft->now_ns + wait;
}

static size_t quorum(const struct raft *raft)
{
    return raft->voter_count / 2 + 1;
}

static size_t votes(const struct raft *raft)
{
    size_t count = 0;
    for (size_t i = 0; i < raft->voter_count; i++)
        count += raft->granted[i] ? 1 : 0;
    return count;
}

static void become_leader(struct raft *raft, struct raft_update *update)
{
    ASSERT(raft->role == RAFT_CANDIDATE && raft->hard.vote == raft->id);
    raft->role = RAFT_LEADER;
    raft->leader = raft->id;
    raft->election_deadline_ns = UINT64_MAX;
    for (size_t i = 0; i < raft->voter_count; i++)
        raft->match[i] = raft->voters[i] == raft->id ? raft->durable : 0;
    raft->term_start = raft->log.last + 1;
    raft__append_entry(raft, RAFT_ENTRY_NOOP, (struct str){"", 0});
    update->role_changed = true;
}

void raft__campaign(struct raft *raft, struct raft_update *update)
{
    /* One slot is kept for the no-op of the term to come. */
    if (!raft__log_has_room(&raft->log, 1)) {
        raft->election_deadline_ns = raft->now_ns + raft->election_timeout_ns;
        return;
    }
    raft->role = RAFT_CANDIDATE;
    raft->leader = 0;
    raft->hard.term++;
    raft->hard.vote = raft->id;
    for (size_t i = 0; i < raft->voter_count; i++)
        raft->granted[i] = false;
    raft->election_deadline_ns = raft->now_ns + raft->election_timeout_ns +
                                 prng_below(&raft->prng, raft->election_timeout_ns);
    update->hard_state_changed = true;
    update->role_changed = true;
    raft__emit_append(raft, update);
    raft->vote_sequence = update->append.sequence;
}

void raft__count_own_vote(struct raft *raft, struct raft_update *update)
{
    if (raft->role != RAFT_CANDIDATE || raft->vote_sequence == 0 ||
        raft->written < raft->vote_sequence)
        return;
    raft->vote_sequence = 0;
    for (size_t i = 0; i < raft->voter_count; i++)
        raft->granted[i] = raft->granted[i] || raft->voters[i] == raft->id;
    if (votes(raft) >= quorum(raft))
        become_leader(raft, update);
}
