/* SPDX-License-Identifier: Apache-2.0 */
/*
 * raft_test.c - the consensus core for a group of one: stories of events in, updates out.
 *
 * A small host stands in for the node: it keeps what was asked to be written until the story says
 * it is durable.
 */
#include "raft/raft.h"

#include "base/prng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct host {
    struct raft *raft;
    struct raft_update update;
    struct diag diag;
    uint64_t now_ns;
    uint64_t voter;
};

static struct raft_options options_of(const uint64_t *voter)
{
    return (struct raft_options){.id = *voter,
                                 .voters = voter,
                                 .voter_count = 1,
                                 .entries_max = 16,
                                 .unapplied_bytes_max = 1000,
                                 .reads_max = 4,
                                 .election_timeout_ns = 100,
                                 .random_seed = 7};
}

static void host_open(struct host *host)
{
    *host = (struct host){.voter = 11};
    struct raft_options options = options_of(&host->voter);
    assert_true(is_ok(raft_create(allocator_heap(), &options, &host->diag, &host->raft)));
}

static int32_t step(struct host *host, struct raft_event event)
{
    event.now_ns = ++host->now_ns;
    return raft_step(host->raft, &event, &host->diag, &host->update).code;
}

static int32_t propose(struct host *host, const char *text, uint32_t count)
{
    struct raft_entry entries[32];
    for (uint32_t i = 0; i < count; i++)
        entries[i] = (struct raft_entry){.kind = RAFT_ENTRY_COMMAND, .payload = str_from(text)};
    return step(host, (struct raft_event){
                          .type = RAFT_EVENT_PROPOSE, .entries = entries, .entry_count = count});
}

static int32_t written(struct host *host, uint64_t sequence)
{
    return step(host, (struct raft_event){.type = RAFT_EVENT_APPENDED, .sequence = sequence});
}

static int32_t applied(struct host *host, uint64_t index)
{
    return step(host, (struct raft_event){.type = RAFT_EVENT_APPLIED, .index = index});
}

/* Starts and leads: the vote durable, then the no-op. */
static void lead(struct host *host)
{
    assert_int_equal(step(host, (struct raft_event){.type = RAFT_EVENT_START}), STATUS_OK);
    assert_int_equal(written(host, host->update.append.sequence), STATUS_OK);
    assert_int_equal(written(host, host->update.append.sequence), STATUS_OK);
    assert_int_equal(applied(host, host->update.apply.last), STATUS_OK);
    assert_true(raft_is_ready(host->raft));
}

/* B1, B3: the vote counts only once term and vote are durable. */
static void single_voter_leads_after_its_vote_is_durable(void **state)
{
    struct host host;
    (void)state;
    host_open(&host);
    assert_int_equal(step(&host, (struct raft_event){.type = RAFT_EVENT_START}), STATUS_OK);
    assert_int_equal(raft_role(host.raft), RAFT_CANDIDATE);
    assert_true(host.update.hard_state_changed);
    assert_int_equal(host.update.hard_state.term, 1);
    assert_int_equal(host.update.hard_state.vote, 11);
    assert_int_equal(host.update.append.count, 0);
    assert_int_equal(propose(&host, "too early", 1), STATUS_NOT_LEADER);
    assert_int_equal(written(&host, 1), STATUS_OK);
    assert_int_equal(raft_role(host.raft), RAFT_LEADER);
    assert_int_equal(host.update.append.first, 1);
    assert_int_equal(host.update.append.count, 1);
    assert_int_equal(raft_entry_at(host.raft, 1)->kind, RAFT_ENTRY_NOOP);
    assert_false(raft_is_ready(host.raft));
    assert_int_equal(raft_commit_index(host.raft), 0);
    raft_destroy(host.raft);
}

static void entries_commit_after_their_own_disk(void **state)
{
    struct host host;
    (void)state;
    host_open(&host);
    lead(&host);
    assert_int_equal(propose(&host, "a", 2), STATUS_OK);
    uint64_t first = host.update.append.sequence;
    assert_int_equal(host.update.append.first, 2);
    assert_int_equal(host.update.append.count, 2);
    assert_true(host.update.apply.first > host.update.apply.last);
    assert_int_equal(propose(&host, "b", 1), STATUS_OK);
    uint64_t second = host.update.append.sequence;
    assert_int_equal(written(&host, first), STATUS_OK);
    assert_int_equal(host.update.apply.first, 2);
    assert_int_equal(host.update.apply.last, 3);
    assert_int_equal(raft_commit_index(host.raft), 3);
    assert_int_equal(written(&host, second), STATUS_OK);
    assert_int_equal(host.update.apply.first, 4);
    assert_int_equal(host.update.apply.last, 4);
    assert_int_equal(raft_pinned_from(host.raft), 2);
    assert_int_equal(applied(&host, 4), STATUS_OK);
    assert_int_equal(raft_pinned_from(host.raft), 5);
    raft_destroy(host.raft);
}

static void capacity_is_a_return_code(void **state)
{
    struct host host;
    char big[2000];
    (void)state;
    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    host_open(&host);
    lead(&host);
    assert_int_equal(propose(&host, big, 1), STATUS_EXHAUSTED);
    assert_int_equal(propose(&host, "a", 17), STATUS_EXHAUSTED);
    assert_int_equal(raft_last_index(host.raft), 1);
    assert_int_equal(propose(&host, "a", 16), STATUS_OK);
    assert_int_equal(propose(&host, "a", 1), STATUS_EXHAUSTED);
    assert_int_equal(written(&host, host.update.append.sequence + 3), STATUS_OK);
    raft_destroy(host.raft);
}

static void reads_wait_for_the_term_and_never_for_others(void **state)
{
    struct host host;
    (void)state;
    host_open(&host);
    assert_int_equal(step(&host, (struct raft_event){.type = RAFT_EVENT_START}), STATUS_OK);
    assert_int_equal(written(&host, 1), STATUS_OK);
    assert_int_equal(step(&host, (struct raft_event){.type = RAFT_EVENT_READ_INDEX, .read_id = 5}),
                     STATUS_OK);
    assert_int_equal(host.update.read_count, 0);
    assert_int_equal(written(&host, 2), STATUS_OK);
    assert_int_equal(host.update.read_count, 1);
    assert_int_equal(host.update.reads[0].id, 5);
    assert_int_equal(host.update.reads[0].index, 1);
    raft_destroy(host.raft);
}

static void failed_log_is_final(void **state)
{
    struct host host;
    (void)state;
    host_open(&host);
    lead(&host);
    assert_int_equal(step(&host, (struct raft_event){.type = RAFT_EVENT_APPEND_FAILED}), STATUS_OK);
    assert_int_equal(raft_role(host.raft), RAFT_FAILED);
    assert_int_equal(propose(&host, "a", 1), STATUS_UNAVAILABLE);
    raft_destroy(host.raft);
}

static void restart_continues_the_log(void **state)
{
    struct host host;
    (void)state;
    host_open(&host);
    const struct raft_hard_state hard = {.term = 5, .vote = 11};
    assert_true(is_ok(raft_restore(host.raft, hard, 100, 4, &host.diag)));
    struct raft_entry entry = {
        .index = 101, .term = 5, .kind = RAFT_ENTRY_COMMAND, .payload = STR("x")};
    assert_true(is_ok(raft_restore_entry(host.raft, &entry, &host.diag)));
    entry.index = 103;
    assert_int_equal(raft_restore_entry(host.raft, &entry, &host.diag).code, STATUS_CORRUPT);
    entry.index = 102;
    entry.term = 6;
    assert_int_equal(raft_restore_entry(host.raft, &entry, &host.diag).code, STATUS_CORRUPT);
    assert_int_equal(raft_restore_applied(host.raft, 102, &host.diag).code, STATUS_CORRUPT);
    assert_true(is_ok(raft_restore_applied(host.raft, 101, &host.diag)));
    assert_int_equal(step(&host, (struct raft_event){.type = RAFT_EVENT_START}), STATUS_OK);
    assert_int_equal(host.update.hard_state.term, 6);
    assert_int_equal(written(&host, 1), STATUS_OK);
    assert_int_equal(host.update.append.first, 102);
    assert_int_equal(raft_entry_at(host.raft, 102)->term, 6);
    raft_destroy(host.raft);
}

/* Entries of an older term commit only behind one of the current term (B15). */
static void older_terms_commit_behind_the_no_op(void **state)
{
    struct host host;
    (void)state;
    host_open(&host);
    assert_true(is_ok(raft_restore(host.raft, (struct raft_hard_state){3, 11}, 0, 0, &host.diag)));
    const struct raft_entry entry = {1, 3, RAFT_ENTRY_COMMAND, STR("old")};
    assert_true(is_ok(raft_restore_entry(host.raft, &entry, &host.diag)));
    assert_int_equal(step(&host, (struct raft_event){.type = RAFT_EVENT_START}), STATUS_OK);
    assert_int_equal(written(&host, 1), STATUS_OK);
    assert_int_equal(raft_commit_index(host.raft), 0);
    assert_int_equal(written(&host, 2), STATUS_OK);
    assert_int_equal(raft_commit_index(host.raft), 2);
    assert_int_equal(host.update.apply.first, 1);
    assert_int_equal(host.update.apply.last, 2);
    raft_destroy(host.raft);
}

static void snapshots_let_the_log_forget(void **state)
{
    struct host host;
    (void)state;
    host_open(&host);
    lead(&host);
    assert_int_equal(propose(&host, "a", 3), STATUS_OK);
    assert_int_equal(written(&host, host.update.append.sequence), STATUS_OK);
    const struct raft_event early = {.type = RAFT_EVENT_SNAPSHOT_TAKEN, .index = 4};
    assert_int_equal(step(&host, early), STATUS_INVALID);
    assert_int_equal(applied(&host, 4), STATUS_OK);
    assert_int_equal(step(&host, early), STATUS_OK);
    assert_int_equal(host.update.compact_before, 5);
    raft_destroy(host.raft);
}

static void strangers_are_ignored(void **state)
{
    struct host host;
    const struct raft_message vote = {.type = RAFT_VOTE, .from = 99, .to = 11, .term = 1000};
    (void)state;
    host_open(&host);
    lead(&host);
    assert_int_equal(step(&host, (struct raft_event){.type = RAFT_EVENT_RECEIVE, .message = &vote}),
                     STATUS_OK);
    assert_int_equal(raft_term(host.raft), 1);
    assert_int_equal(raft_role(host.raft), RAFT_LEADER);
    raft_destroy(host.raft);
}

static void impossible_options_are_refused(void **state)
{
    const uint64_t voters[] = {11, 12, 13};
    struct raft_options options = options_of(voters);
    struct diag diag = {0};
    struct raft *raft = NULL;
    (void)state;
    options.voter_count = 3;
    assert_int_equal(raft_create(allocator_heap(), &options, &diag, &raft).code,
                     STATUS_NOT_IMPLEMENTED);
    options = options_of(voters);
    options.id = 12;
    assert_int_equal(raft_create(allocator_heap(), &options, &diag, &raft).code, STATUS_INVALID);
    assert_null(raft);
}

/* Fails the n-th allocation. */
struct failing {
    struct allocator base;
    unsigned left;
};

static void *failing_alloc(struct allocator *self, size_t size)
{
    struct failing *failing = CONTAINER_OF(self, struct failing, base);
    if (failing->left == 0)
        return NULL;
    failing->left--;
    return allocator_heap()->alloc(allocator_heap(), size);
}

static void failing_release(struct allocator *self, void *memory, size_t size)
{
    (void)self;
    allocator_heap()->release(allocator_heap(), memory, size);
}

static void creation_survives_every_failed_allocation(void **state)
{
    const uint64_t voter = 11;
    (void)state;
    for (unsigned n = 0;; n++) {
        struct failing failing = {{failing_alloc, failing_release}, n};
        struct raft_options options = options_of(&voter);
        struct raft *raft = NULL;
        status_value result = raft_create(&failing.base, &options, NULL, &raft);
        if (is_ok(result)) {
            assert_true(n >= 5);
            raft_destroy(raft);
            return;
        }
        assert_int_equal(result.code, STATUS_NOMEM);
        assert_null(raft);
    }
}

/* Random runs against a model: what is handed out for applying is every durable proposal, once, in
 * order. */
static void random_runs_apply_everything_once_in_order(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct host host;
        struct prng prng;
        uint64_t asked[64];
        size_t head = 0;
        size_t tail = 0;
        uint64_t handed_out = 1;
        uint64_t durable = 1;
        uint64_t last = 1;
        prng_init(&prng, seed);
        host_open(&host);
        lead(&host);
        for (int i = 0; i < 200; i++) {
            if (prng_chance(&prng, 1, 2) && tail - head < 60) {
                uint32_t count = (uint32_t)prng_below(&prng, 3) + 1;
                if (propose(&host, "p", count) == STATUS_OK) {
                    asked[tail++ % 64] = host.update.append.sequence;
                    last += count;
                }
            } else if (head < tail) {
                size_t skip = prng_below(&prng, tail - head);
                head += skip;
                assert_int_equal(written(&host, asked[head++ % 64]), STATUS_OK);
                durable = host.update.apply.last;
            } else {
                continue;
            }
            if (host.update.apply.first <= host.update.apply.last) {
                assert_int_equal(host.update.apply.first, handed_out + 1);
                handed_out = host.update.apply.last;
                assert_int_equal(applied(&host, handed_out), STATUS_OK);
            }
            assert_true(handed_out <= last && durable <= last);
        }
        if (head < tail)
            assert_int_equal(written(&host, asked[(tail - 1) % 64]), STATUS_OK);
        assert_int_equal(raft_commit_index(host.raft), last);
        raft_destroy(host.raft);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(single_voter_leads_after_its_vote_is_durable),
        cmocka_unit_test(entries_commit_after_their_own_disk),
        cmocka_unit_test(capacity_is_a_return_code),
        cmocka_unit_test(reads_wait_for_the_term_and_never_for_others),
        cmocka_unit_test(failed_log_is_final),
        cmocka_unit_test(restart_continues_the_log),
        cmocka_unit_test(older_terms_commit_behind_the_no_op),
        cmocka_unit_test(snapshots_let_the_log_forget),
        cmocka_unit_test(strangers_are_ignored),
        cmocka_unit_test(impossible_options_are_refused),
        cmocka_unit_test(creation_survives_every_failed_allocation),
        cmocka_unit_test(random_runs_apply_everything_once_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
