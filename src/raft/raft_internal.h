/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * raft_internal.h - the state of the core, shared by the files of this folder.
 *
 * Invariants, checked by raft__check after every step:
 * I1  snapshot_index <= applied <= commit <= last; applied <= handed_out <= commit.
 * I2  the log holds [log.first, last] without gaps, terms never decrease and never exceed
 *     hard.term.
 * I3  durable <= last; a node counts itself for entry i only when i <= durable.
 * I4  hard.vote changes only together with hard.term, or from 0 (bug B2).
 * I5  only entries of the current term are committed by counting (Raft paper, figure 8; bug B15).
 * I6  a leader's no-op is the first entry of its term.
 */
#include "base/prng.h"
#include "raft/raft.h"

/* The entries in memory: a ring addressed by index. `base` is the entry before `first`. */
struct raft_log {
    struct raft_entry *ring;
    uint32_t capacity;
    uint64_t first; /* index of the oldest entry in memory */
    uint64_t last;  /* first - 1: empty */
    uint64_t base_term;
    uint64_t bytes; /* payload bytes in memory */
};

struct raft_pending_read {
    uint64_t id;
    uint64_t index;
};

struct raft {
    struct allocator *allocator;
    uint64_t id;
    uint64_t voters[RAFT_VOTERS_MAX];
    uint64_t match[RAFT_VOTERS_MAX]; /* leader: durable index of each voter */
    bool granted[RAFT_VOTERS_MAX];   /* candidate: votes received */
    size_t voter_count;
    enum raft_role role;
    struct raft_hard_state hard;
    uint64_t leader;
    struct raft_log log;
    uint64_t snapshot_index;
    uint64_t snapshot_term;
    uint64_t durable;
    uint64_t commit;
    uint64_t handed_out; /* last index given to the caller for applying */
    uint64_t applied;
    uint64_t term_start;    /* leader: index of its no-op */
    uint64_t sequence;      /* of the newest append asked for */
    uint64_t written;       /* newest sequence reported durable */
    uint64_t vote_sequence; /* the append that carries our own vote */
    uint64_t append_first;  /* first entry not yet in an append */
    struct raft_append_record {
        uint64_t sequence;
        uint64_t last;
        uint64_t term;
    } * appends; /* ring of appends in flight */
    uint32_t append_head;
    uint32_t append_count;
    struct raft_pending_read *reads;
    struct raft_read *ready_reads;
    uint32_t read_count;
    uint32_t reads_max;
    uint64_t unapplied_bytes_max;
    uint64_t election_timeout_ns;
    uint64_t election_deadline_ns;
    uint64_t now_ns;
    struct prng prng;
    bool started;
};

enum { RAFT_APPENDS_MAX = 1024 };

/* raft_log.c */
struct raft_entry *raft__log_at(const struct raft_log *log, uint64_t index);
uint64_t raft__log_term(const struct raft *raft, uint64_t index);
void raft__log_push(struct raft_log *log, const struct raft_entry *entry);
bool raft__log_has_room(const struct raft_log *log, uint32_t count);
/* Forgets entries up to and including `index`. */
void raft__log_drop_through(struct raft_log *log, uint64_t index);

/* raft_election.c */
void raft__campaign(struct raft *raft, struct raft_update *update);
void raft__count_own_vote(struct raft *raft, struct raft_update *update);
void raft__reset_election_timer(struct raft *raft);

/* raft_replicate.c */
status raft__propose(struct raft *raft, const struct raft_event *event, struct diag *diag,
                     struct raft_update *update);
void raft__append_entry(struct raft *raft, enum raft_entry_kind kind, struct str payload);
status raft__appended(struct raft *raft, uint64_t sequence, struct diag *diag,
                      struct raft_update *update);
void raft__advance_commit(struct raft *raft);
/* Puts everything not yet asked for into update->append. */
void raft__emit_append(struct raft *raft, struct raft_update *update);
void raft__emit_apply(struct raft *raft, struct raft_update *update);

/* raft_read.c */
status raft__read_index(struct raft *raft, uint64_t read_id, struct diag *diag);
void raft__emit_reads(struct raft *raft, struct raft_update *update);

/* raft_step.c */
void raft__check(const struct raft *raft);
