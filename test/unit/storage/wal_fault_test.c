/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wal_fault_test.c - the n-th allocation, write, sync or read of a walk fails, for every n.
 *
 * The failing call says so, later calls of a failed log refuse at once, nothing leaks, and when the
 * log is opened again everything acknowledged is there.
 */
#include "failing_allocator.h"
#include "wal_model.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { STEPS = 25, SEEDS = 4 };

static void check(struct wal_walk *walk, const char *what, uint64_t seed, uint64_t n)
{
    status_value opened;
    const char *wrong = wal_walk_check(walk, &opened);
    if (wrong == NULL)
        return;
    print_error("%s %llu of walk %llu: %s; %s: %s\n", what, (unsigned long long)n,
                (unsigned long long)seed, wrong, status_name(opened.code),
                diag_message(&walk->diag, opened.code));
    fail();
}

/* True when the n-th allocation was never made. */
static bool fail_allocation(uint64_t seed, uint64_t n)
{
    struct failing_allocator allocator;
    failing_allocator_init(&allocator, n);
    struct wal_walk *walk = wal_walk_create(seed, &allocator.base);
    status_value result = wal_walk_run(walk, STEPS);
    if (walk->wal != NULL && !is_ok(result)) /* the same log goes on */
        assert_false(wal_failed(walk->wal));
    if (!is_ok(result))
        assert_int_equal(result.code, STATUS_NOMEM);
    bool reached = allocator.calls >= n;
    allocator.fail_at = 0;
    if (walk->wal != NULL)
        check(walk, "allocation", seed, n);
    wal_walk_move(walk, env_sim_after_power_cut(walk->sim, n));
    assert_int_equal(allocator.live_bytes, 0);
    check(walk, "allocation", seed, n);
    wal_walk_destroy(walk);
    assert_int_equal(allocator.live_bytes, 0);
    return !reached;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        uint64_t n = 1;
        while (!fail_allocation(seed, n))
            n++;
        assert_true(n > 10);
    }
}

enum kind { WRITE_IO, WRITE_NOSPACE, SYNC, READ, SHORT_READ };

static struct env_sim_faults fault_of(enum kind kind, uint64_t n)
{
    switch (kind) {
    case WRITE_IO: return (struct env_sim_faults){.write_error_at = n};
    case WRITE_NOSPACE:
        return (struct env_sim_faults){.write_error_at = n, .write_error_code = STATUS_NOSPACE};
    case SYNC: return (struct env_sim_faults){.sync_error_at = n};
    case READ: return (struct env_sim_faults){.read_error_at = n};
    case SHORT_READ: return (struct env_sim_faults){.short_read_at = n};
    default: return (struct env_sim_faults){0};
    }
}

static uint64_t calls_of(const struct env_sim *sim, enum kind kind)
{
    if (kind == SYNC)
        return env_sim_syncs(sim);
    return kind == READ || kind == SHORT_READ ? env_sim_reads(sim) : env_sim_writes(sim);
}

static void refuses_at_once(struct wal_walk *walk)
{
    assert_true(wal_failed(walk->wal));
    uint64_t before = env_sim_writes(walk->sim);
    struct wal_state s = wal_state(walk->wal);
    const struct wal_record record = {.kind = WAL_HARD_STATE, .term = s.term + 1};
    assert_int_equal(wal_append(walk->wal, &record, 1, &walk->diag).code, STATUS_IO);
    assert_int_equal(wal_compact(walk->wal, 0, &walk->diag).code, STATUS_IO);
    assert_int_equal(wal_prepare(walk->wal, &walk->diag).code, STATUS_IO);
    assert_int_equal(wal_settle(walk->wal, &walk->diag).code, STATUS_IO);
    assert_int_equal(env_sim_writes(walk->sim), before);
}

/* True when the n-th call of the kind was never made. */
static bool fail_call(uint64_t seed, enum kind kind, uint64_t n)
{
    struct wal_walk *walk = wal_walk_create(seed, NULL);
    struct env_sim_faults faults = fault_of(kind, n);
    env_sim_set_faults(walk->sim, &faults);
    status_value result = wal_walk_run(walk, STEPS);
    bool reached = calls_of(walk->sim, kind) >= n;
    /* A walk's closing settles at best effort, so a fault may also pass without a word. */
    if (walk->wal != NULL && result.code == STATUS_IO)
        refuses_at_once(walk);
    assert_true(is_ok(result) || result.code == STATUS_IO || result.code == STATUS_NOSPACE ||
                (kind == SHORT_READ && result.code == STATUS_CORRUPT));
    struct env_sim_faults none = {0};
    env_sim_set_faults(walk->sim, &none);
    wal_walk_move(walk, env_sim_after_power_cut(walk->sim, n));
    check(walk, "call", seed, n);
    assert_true(is_ok(wal_walk_run(walk, 5)));
    check(walk, "after call", seed, n);
    wal_walk_destroy(walk);
    return !reached;
}

static void fail_every_call(enum kind kind)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        uint64_t n = 1;
        while (!fail_call(seed, kind, n))
            n++;
        assert_true(n > 2);
    }
}

static void every_write_may_fail(void **state)
{
    (void)state;
    fail_every_call(WRITE_IO);
}

static void every_write_may_meet_a_full_disk(void **state)
{
    (void)state;
    fail_every_call(WRITE_NOSPACE);
}

static void every_sync_may_fail(void **state)
{
    (void)state;
    fail_every_call(SYNC);
}

static void every_read_may_fail(void **state)
{
    (void)state;
    fail_every_call(READ);
    fail_every_call(SHORT_READ);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(every_write_may_fail),
        cmocka_unit_test(every_write_may_meet_a_full_disk),
        cmocka_unit_test(every_sync_may_fail),
        cmocka_unit_test(every_read_may_fail),
    };
    return cmocka_run_group_tests_name("wal faults", tests, NULL, NULL);
}
