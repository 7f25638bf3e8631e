/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * raft.h - the consensus core: raft_step(raft, event, update).
 *
 * A pure step function: events carry time, completions of storage and messages of peers; updates
 * say what must be written, sent, applied. No I/O, no clock, no randomness, and no memory is taken
 * after raft_create: when a fixed capacity is reached the step answers EXHAUSTED and changes
 * nothing.
 *
 * Storage is asynchronous, a peer that answers: an update may carry an append with a sequence
 * number, and the core counts itself for an entry or a vote only after RAFT_APPENDED reports that
 * sequence. Appends are written in order as one stream with the hard state in front of the entries
 * of the same update. The core never owns payload bytes: the caller keeps the payload of every
 * entry at or above raft_pinned_from() alive.
 *
 * Version 0.1 runs groups of one voter; raft_create refuses more. Roles, events and updates are
 * those of the full protocol (Ongaro's dissertation; etcd's AsyncStorageWrites; cowsql's step
 * function).
 */
#include "base/alloc.h"
#include "base/status.h"
#include "base/str.h"

enum { RAFT_VOTERS_MAX = 7 };

enum raft_role { RAFT_FOLLOWER, RAFT_PRE_CANDIDATE, RAFT_CANDIDATE, RAFT_LEADER, RAFT_FAILED };

/* Numbers reach disk. */
enum raft_entry_kind { RAFT_ENTRY_NOOP = 1, RAFT_ENTRY_COMMAND = 2, RAFT_ENTRY_CONFIG = 3 };

struct raft_entry {
    uint64_t index; /* from 1 */
    uint64_t term;  /* from 1 */
    enum raft_entry_kind kind;
    struct str payload; /* borrowed */
};

/* Durable before anything that depends on it leaves the node. */
struct raft_hard_state {
    uint64_t term;
    uint64_t vote; /* node id, 0: none */
};

enum raft_message_type {
    RAFT_PRE_VOTE,
    RAFT_PRE_VOTE_RESULT,
    RAFT_VOTE,
    RAFT_VOTE_RESULT,
    RAFT_APPEND,
    RAFT_APPEND_RESULT,
    RAFT_HEARTBEAT,
    RAFT_HEARTBEAT_RESULT,
    RAFT_INSTALL_SNAPSHOT,
    RAFT_TIMEOUT_NOW
};

/* One message between members; which fields count depends on the type. */
struct raft_message {
    enum raft_message_type type;
    uint64_t from;
    uint64_t to;
    uint64_t term;
    uint64_t log_index; /* previous index, last index, or a reject's hint */
    uint64_t log_term;
    uint64_t commit;
    uint64_t read_position; /* heartbeats: confirms every read at or below it */
    bool reject;
    const struct raft_entry *entries;
    uint32_t entry_count;
};

enum raft_event_type {
    RAFT_EVENT_START,            /* after the log was restored */
    RAFT_EVENT_TICK,             /* time passed */
    RAFT_EVENT_RECEIVE,          /* `message` */
    RAFT_EVENT_PROPOSE,          /* `entries`: index and term are ignored */
    RAFT_EVENT_READ_INDEX,       /* `read_id`, chosen by the caller, never reused */
    RAFT_EVENT_APPENDED,         /* `sequence` is durable, and all before it */
    RAFT_EVENT_APPEND_FAILED,    /* the log cannot be written any more: final */
    RAFT_EVENT_APPLIED,          /* `index` is applied to the state */
    RAFT_EVENT_SNAPSHOT_TAKEN,   /* a durable snapshot of `index` exists */
    RAFT_EVENT_PEER_UNREACHABLE, /* `peer` */
    RAFT_EVENT_PEER_LOST,        /* `peer` closed its connection */
    RAFT_EVENT_PROPOSE_CONFIG,   /* `entries[0]` */
    RAFT_EVENT_TRANSFER,         /* leadership to `peer` */
    RAFT_EVENT_FORGET_LEADER
};

struct raft_event {
    enum raft_event_type type;
    uint64_t now_ns; /* monotonic; never decreases over events */
    const struct raft_entry *entries;
    uint32_t entry_count;
    const struct raft_message *message;
    uint64_t read_id;
    uint64_t sequence;
    uint64_t index;
    uint64_t peer;
};

/* What the caller must do, in this order: write `append`, send, apply, answer reads, set the timer.
 * Arrays are the core's and valid until the next step. */
struct raft_update {
    bool hard_state_changed;
    struct raft_hard_state hard_state;
    struct {
        uint64_t sequence;      /* 0: nothing to write */
        uint64_t truncate_from; /* 0: no truncation; else entries >= this go first */
        uint64_t first;         /* entries [first, first + count) are read with raft_entry_at */
        uint32_t count;
    } append;
    const struct raft_message *messages; /* may leave now */
    uint32_t message_count;
    const struct raft_message *messages_after; /* leave once append.sequence is durable */
    uint32_t message_after_count;
    struct {
        uint64_t first; /* committed and durable here, not handed out before */
        uint64_t last;  /* first > last: nothing */
    } apply;
    struct raft_read {
        uint64_t id;
        uint64_t index; /* answer once this index is applied */
    } const *reads;
    uint32_t read_count;
    bool role_changed;
    uint64_t compact_before;   /* != 0: entries below may be forgotten; the caller may keep more */
    uint64_t next_deadline_ns; /* deliver a TICK then; UINT64_MAX: no timer */
};

struct raft_options {
    uint64_t id; /* of this node, not 0; never reused for another life */
    const uint64_t *voters;
    size_t voter_count;
    uint32_t entries_max; /* not yet applied or pinned entries in memory */
    uint64_t unapplied_bytes_max;
    uint32_t reads_max; /* reads waiting for confirmation */
    uint64_t election_timeout_ns;
    uint64_t random_seed; /* for election jitter */
};

struct raft;
/* NOMEM; NOT_IMPLEMENTED for several voters; INVALID for impossible options. */
status raft_create(struct allocator *allocator, const struct raft_options *options,
                   struct diag *diag, struct raft **out);
void raft_destroy(struct raft *raft);

/*
 * Before START: what the log holds. First the hard state and the newest snapshot (index 0: none),
 * then the durable entries behind it in order. `applied` is what the state has applied (at least
 * the snapshot). CORRUPT when the pieces contradict each other: a gap, a term that decreases,
 * applied beyond the log.
 */
status raft_restore(struct raft *raft, struct raft_hard_state hard_state, uint64_t snapshot_index,
                    uint64_t snapshot_term, struct diag *diag);
status raft_restore_entry(struct raft *raft, const struct raft_entry *entry, struct diag *diag);
status raft_restore_applied(struct raft *raft, uint64_t applied, struct diag *diag);

/*
 * One event in, one update out. On failure the core is unchanged and the update empty: EXHAUSTED
 * (try later), NOT_LEADER, UNAVAILABLE (this core has failed), INVALID (an event that cannot be).
 */
status raft_step(struct raft *raft, const struct raft_event *event, struct diag *diag,
                 struct raft_update *out);

enum raft_role raft_role(const struct raft *raft);
const char *raft_role_name(enum raft_role role);
uint64_t raft_term(const struct raft *raft);
uint64_t raft_leader(const struct raft *raft); /* node id, 0: unknown */
uint64_t raft_last_index(const struct raft *raft);
uint64_t raft_commit_index(const struct raft *raft);
uint64_t raft_applied_index(const struct raft *raft);
/* A leader that has applied an entry of its own term: only then may it evaluate and answer
 * reads. */
bool raft_is_ready(const struct raft *raft);
/* Payloads of entries at or above this index must stay alive. */
uint64_t raft_pinned_from(const struct raft *raft);
/* The entry, or NULL when it is not in memory. */
const struct raft_entry *raft_entry_at(const struct raft *raft, uint64_t index);
