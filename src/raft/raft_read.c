/* SPDX-License-Identifier: Apache-2.0 */
/*
 * raft_read.c - linearizable reads without a log write (dissertation §6.4, ReadIndex).
 *
 * A read takes the commit index of the moment it arrives and waits (a) until the leader has
 * committed an entry of its own term (bug B26) and (b) until a majority has confirmed the
 * leadership after the read arrived. In a group of one the leader is that majority. Ids are the
 * caller's and never reused (B28).
 */
#include "raft/raft_internal.h"

status_value raft__read_index(struct raft *raft, uint64_t read_id, struct diag *diag)
{
    if (raft->role != RAFT_LEADER)
        return FAIL(diag, NOT_LEADER, "this node is not the leader");
    if (raft->read_count == raft->reads_max)
        return FAIL(diag, EXHAUSTED, "too many reads are waiting; try again");
    raft->reads[raft->read_count++] = (struct raft_pending_read){read_id, raft->commit};
    return OK;
}

void raft__emit_reads(struct raft *raft, struct raft_update *update)
{
    if (raft->role != RAFT_LEADER || raft->commit < raft->term_start || raft->read_count == 0)
        return;
    for (uint32_t i = 0; i < raft->read_count; i++) {
        uint64_t index = u64_max(raft->reads[i].index, raft->term_start);
        raft->ready_reads[i] = (struct raft_read){raft->reads[i].id, index};
    }
    update->reads = raft->ready_reads;
    update->read_count = raft->read_count;
    raft->read_count = 0;
}
