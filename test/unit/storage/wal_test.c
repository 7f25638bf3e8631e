/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wal_test.c - the write-ahead log on a virtual disk: appends, rolls, recovery, refusals.
 */
#include "storage/wal.h"

#include "env_sim.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct world {
    struct env_sim *sim;
    struct wal *wal;
    struct diag diag;
    struct wal_options options;
};

static void check_ok(struct world *w, status_value result, int line)
{
    if (is_ok(result))
        return;
    print_error("line %d: %s: %s\n", line, status_name(result.code),
                diag_message(&w->diag, result.code));
    fail();
}
#define OKAY(w, expr) check_ok((w), (expr), __LINE__)
#define FAILS(name, expr) assert_int_equal((expr).code, STATUS_##name)

static int setup(void **state)
{
    struct world *w = mem_zalloc(sizeof *w);
    assert_non_null(w);
    w->sim = env_sim_create(1);
    w->options = (struct wal_options){
        .create = true, .segment_size_bytes = WAL_SEGMENT_SIZE_MIN, .node_id = 7};
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    wal_close(w->wal);
    env_sim_destroy(w->sim);
    mem_free(w);
    return 0;
}

static status_value try_open(struct world *w)
{
    diag_reset(&w->diag);
    return wal_open(env_sim_env(w->sim), "data/wal", &w->options, &w->diag, &w->wal);
}

static void open_wal(struct world *w)
{
    OKAY(w, env_sim_env(w->sim)->ops->mkdir(env_sim_env(w->sim), "data", &w->diag));
    OKAY(w, env_sim_env(w->sim)->ops->dir_sync(env_sim_env(w->sim), ".", &w->diag));
    OKAY(w, try_open(w));
}

static void reopen(struct world *w)
{
    wal_close(w->wal);
    w->wal = NULL;
    OKAY(w, try_open(w));
}

static void power_cut(struct world *w, uint64_t seed)
{
    struct env_sim *after = env_sim_after_power_cut(w->sim, seed);
    wal_close(w->wal);
    w->wal = NULL;
    env_sim_destroy(w->sim);
    w->sim = after;
}

static struct wal_record hard_state(uint64_t term, uint64_t vote)
{
    return (struct wal_record){.kind = WAL_HARD_STATE, .term = term, .vote = vote};
}

static struct wal_record entry(uint64_t index, uint64_t term, struct str payload)
{
    return (struct wal_record){
        .kind = WAL_ENTRY, .entry_kind = 2, .index = index, .term = term, .payload = payload};
}

static struct wal_record mark(enum wal_kind kind, uint64_t index, uint64_t term)
{
    return (struct wal_record){.kind = kind, .index = index, .term = term};
}

static status_value append_one(struct world *w, struct wal_record record)
{
    return wal_append(w->wal, &record, 1, &w->diag);
}

struct seen {
    uint64_t count;
    uint64_t first;
    uint64_t last;
    uint64_t bytes;
    char text[256];
    size_t text_size;
};

static status_value see(void *context, const struct wal_record *record, struct diag *diag)
{
    (void)diag;
    struct seen *seen = context;
    if (seen->count++ == 0)
        seen->first = record->index;
    else
        assert_int_equal(record->index, seen->last + 1);
    seen->last = record->index;
    seen->bytes += record->payload.size;
    for (size_t i = 0; i < record->payload.size && seen->text_size < sizeof seen->text - 1; i++)
        seen->text[seen->text_size++] = record->payload.data[i];
    return OK;
}

static struct seen read_all(struct world *w)
{
    struct seen seen = {0};
    OKAY(w, wal_read(w->wal, 0, see, &seen, &w->diag));
    return seen;
}

/* --- */

static void a_new_log_is_empty(void **state)
{
    struct world *w = *state;
    open_wal(w);
    struct wal_state s = wal_state(w->wal);
    assert_int_equal(s.last_index, 0);
    assert_int_equal(s.first_index, 1);
    assert_int_equal(s.term, 0);
    assert_int_equal(wal_capacity(w->wal), WAL_SEGMENT_SIZE_MIN - 4096);
    reopen(w);
    assert_int_equal(read_all(w).count, 0);
}

static void what_was_appended_is_read_back(void **state)
{
    struct world *w = *state;
    open_wal(w);
    const struct wal_record records[] = {hard_state(3, 7), entry(1, 3, STR("one ")),
                                         entry(2, 3, STR("two ")), entry(3, 3, STR(""))};
    OKAY(w, wal_append(w->wal, records, COUNTOF(records), &w->diag));
    OKAY(w, append_one(w, entry(4, 3, STR("four"))));
    assert_int_equal(wal_stats(w->wal).frames, 2);
    for (int round = 0; round < 2; round++) {
        struct seen seen = read_all(w);
        assert_int_equal(seen.count, 4);
        assert_string_equal(seen.text, "one two four");
        struct wal_state s = wal_state(w->wal);
        assert_int_equal(s.term, 3);
        assert_int_equal(s.vote, 7);
        assert_int_equal(s.first_index, 1);
        assert_int_equal(s.last_index, 4);
        power_cut(w, 5 + (uint64_t)round);
        OKAY(w, try_open(w));
    }
}

static void a_truncation_cuts_also_inside_a_frame(void **state)
{
    struct world *w = *state;
    open_wal(w);
    const struct wal_record records[] = {
        hard_state(1, 0),         entry(1, 1, STR("a")),    entry(2, 1, STR("b")),
        entry(3, 1, STR("c")),    mark(WAL_TRUNCATE, 2, 0), hard_state(2, 0),
        entry(2, 2, STR("B")),    entry(3, 2, STR("C")),    mark(WAL_TRUNCATE, 3, 0),
        mark(WAL_TRUNCATE, 3, 0), entry(3, 2, STR("D"))};
    OKAY(w, wal_append(w->wal, records, COUNTOF(records), &w->diag));
    assert_string_equal(read_all(w).text, "aBD");
    OKAY(w, append_one(w, mark(WAL_TRUNCATE, 1, 0)));
    OKAY(w, append_one(w, entry(1, 2, STR("x"))));
    reopen(w);
    assert_string_equal(read_all(w).text, "x");
}

static void what_breaks_the_rules_is_refused(void **state)
{
    struct world *w = *state;
    open_wal(w);
    FAILS(INVALID, append_one(w, entry(1, 1, STR("term 1 is not durable"))));
    OKAY(w, append_one(w, hard_state(2, 7)));
    FAILS(INVALID, append_one(w, hard_state(1, 7)));
    FAILS(INVALID, append_one(w, hard_state(2, 8)));
    FAILS(INVALID, append_one(w, entry(2, 2, STR("a gap"))));
    FAILS(INVALID, append_one(w, mark(WAL_TRUNCATE, 2, 0)));
    FAILS(INVALID, append_one(w, mark(WAL_SNAPSHOT, 1, 2)));
    OKAY(w, append_one(w, entry(1, 2, STR("fine"))));
    OKAY(w, append_one(w, mark(WAL_SNAPSHOT, 1, 2)));
    FAILS(INVALID, append_one(w, mark(WAL_TRUNCATE, 1, 0)));
    FAILS(INVALID, wal_compact(w->wal, 3, &w->diag));
    OKAY(w, wal_compact(w->wal, 2, &w->diag));
    assert_string_equal(read_all(w).text, "fine");
}

static struct str filler(size_t size)
{
    static char bytes[WAL_SEGMENT_SIZE_MIN] = {0};
    return (struct str){bytes, size};
}

static void segments_roll_and_are_recycled(void **state)
{
    struct world *w = *state;
    open_wal(w);
    OKAY(w, append_one(w, hard_state(1, 1)));
    for (uint64_t i = 1; i <= 100; i++) {
        OKAY(w, append_one(w, entry(i, 1, filler(5000))));
        if (i % 10 == 0) {
            OKAY(w, append_one(w, mark(WAL_SNAPSHOT, i, 1)));
            OKAY(w, wal_compact(w->wal, i - 4, &w->diag));
            struct seen seen = read_all(w);
            assert_true(seen.first <= i - 4);
            assert_int_equal(seen.last, i);
        }
        if (i % 25 == 0)
            reopen(w);
    }
    assert_true(wal_stats(w->wal).segments <= 3);
    assert_true(wal_stats(w->wal).spares <= 2);
    struct seen seen = read_all(w);
    assert_int_equal(seen.count, 100 - seen.first + 1);
}

static void a_batch_may_span_segments(void **state)
{
    struct world *w = *state;
    open_wal(w);
    struct wal_record records[20];
    records[0] = hard_state(1, 1);
    for (uint64_t i = 1; i < COUNTOF(records); i++)
        records[i] = entry(i, 1, filler(9000));
    OKAY(w, wal_append(w->wal, records, COUNTOF(records), &w->diag));
    assert_int_equal(wal_stats(w->wal).segments, 4);
    reopen(w);
    assert_int_equal(read_all(w).bytes, 19 * 9000);
}

static void an_entry_fills_a_segment_at_most(void **state)
{
    struct world *w = *state;
    open_wal(w);
    OKAY(w, append_one(w, hard_state(1, 1)));
    size_t max = wal_payload_max(w->wal);
    FAILS(TOO_LARGE, append_one(w, entry(1, 1, filler(max + 1))));
    OKAY(w, append_one(w, entry(1, 1, filler(max))));
    OKAY(w, append_one(w, entry(2, 1, filler(max))));
    reopen(w);
    assert_int_equal(read_all(w).bytes, 2 * max);
}

static void an_install_starts_the_log_anew(void **state)
{
    struct world *w = *state;
    open_wal(w);
    OKAY(w, append_one(w, hard_state(1, 1)));
    for (uint64_t i = 1; i <= 20; i++)
        OKAY(w, append_one(w, entry(i, 1, filler(5000))));
    OKAY(w, append_one(w, mark(WAL_INSTALL, 1000, 1)));
    assert_int_equal(wal_state(w->wal).first_index, 1001);
    OKAY(w, wal_compact(w->wal, 1001, &w->diag));
    OKAY(w, append_one(w, entry(1001, 1, STR("next"))));
    reopen(w);
    assert_string_equal(read_all(w).text, "next");
    assert_int_equal(wal_state(w->wal).snapshot_index, 1000);
    assert_int_equal(wal_state(w->wal).first_index, 1001);
}

static void a_full_disk_refuses_and_compaction_helps(void **state)
{
    struct world *w = *state;
    open_wal(w);
    env_sim_set_disk_size(w->sim, 5 * WAL_SEGMENT_SIZE_MIN);
    OKAY(w, append_one(w, hard_state(1, 1)));
    uint64_t index = 0;
    status_value result = OK;
    while (is_ok(result)) {
        OKAY(w, wal_settle(w->wal, &w->diag));
        result = append_one(w, entry(++index, 1, filler(5000)));
        assert_true(index < 1000);
    }
    assert_int_equal(result.code, STATUS_NOSPACE);
    assert_false(wal_failed(w->wal));
    assert_true(wal_capacity(w->wal) < wal_reserve(w->wal));
    index--;
    assert_int_equal(read_all(w).count, index);
    /* Small records go on, and what they allow frees space. */
    OKAY(w, append_one(w, mark(WAL_SNAPSHOT, index, 1)));
    OKAY(w, wal_compact(w->wal, index + 1, &w->diag));
    OKAY(w, append_one(w, entry(index + 1, 1, filler(5000))));
    reopen(w);
    assert_int_equal(read_all(w).last, index + 1);
}

static void another_owner_is_refused(void **state)
{
    struct world *w = *state;
    w->options.create = false;
    FAILS(NOT_FOUND, try_open(w));
    w->options.create = true;
    open_wal(w);
    struct wal *second = NULL;
    FAILS(UNAVAILABLE, wal_open(env_sim_env(w->sim), "data/wal", &w->options, &w->diag, &second));
    wal_close(w->wal);
    w->wal = NULL;
    w->options.node_id = 8;
    FAILS(INVALID, try_open(w));
    w->options.node_id = 7;
    w->options.cluster_id[0] = 1;
    FAILS(INVALID, try_open(w));
}

static void a_prepared_segment_is_used(void **state)
{
    struct world *w = *state;
    open_wal(w);
    OKAY(w, wal_prepare(w->wal, &w->diag));
    OKAY(w, wal_prepare(w->wal, &w->diag));
    assert_int_equal(wal_stats(w->wal).spares, 1);
    OKAY(w, append_one(w, hard_state(1, 1)));
    struct env_sim_faults none = {0};
    env_sim_set_faults(w->sim, &none);
    for (uint64_t i = 1; i <= 9; i++)
        OKAY(w, append_one(w, entry(i, 1, filler(8000))));
    assert_int_equal(wal_stats(w->wal).segments, 2);
    assert_int_equal(wal_stats(w->wal).spares, 0);
    /* 9 frames, 9 slots, a header and a superblock: no zero-fill in the way. */
    assert_int_equal(env_sim_writes(w->sim), 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_log_is_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_appended_is_read_back, setup, teardown),
        cmocka_unit_test_setup_teardown(a_truncation_cuts_also_inside_a_frame, setup, teardown),
        cmocka_unit_test_setup_teardown(what_breaks_the_rules_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(segments_roll_and_are_recycled, setup, teardown),
        cmocka_unit_test_setup_teardown(a_batch_may_span_segments, setup, teardown),
        cmocka_unit_test_setup_teardown(an_entry_fills_a_segment_at_most, setup, teardown),
        cmocka_unit_test_setup_teardown(an_install_starts_the_log_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_refuses_and_compaction_helps, setup, teardown),
        cmocka_unit_test_setup_teardown(another_owner_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_prepared_segment_is_used, setup, teardown),
    };
    return cmocka_run_group_tests_name("wal", tests, NULL, NULL);
}
