/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lmdb_store_test.c - the LMDB store against the model, across reopening, copies, a killed process,
 * and after a machine stop that it must notice.
 */
#include "storage/lmdb_store.h"

#include "failing_allocator.h"
#include "store_property.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATH_SIZE = 256 };
struct place {
    char directory[PATH_SIZE];
    char store[PATH_SIZE];
    char copy[PATH_SIZE];
    char other[PATH_SIZE];
    struct diag diag;
};

static void join(char out[PATH_SIZE], const char *directory, const char *name)
{
    assert_true(snprintf(out, PATH_SIZE, "%s/%s", directory, name) < PATH_SIZE);
}

static int set_up(void **state)
{
    struct place *place = mem_zalloc(sizeof(*place));
    const char *base = getenv("TMPDIR");
    join(place->directory, base == NULL ? "/tmp" : base, "tarn-lmdb-XXXXXX");
    if (mkdtemp(place->directory) == NULL)
        return -1;
    join(place->store, place->directory, "store");
    join(place->copy, place->directory, "copy");
    join(place->other, place->directory, "other");
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    struct env *env = env_linux();
    bool ok = is_ok(lmdb_store_remove(env, place->store, &place->diag)) &&
              is_ok(lmdb_store_remove(env, place->other, &place->diag));
    (void)unlink(place->copy);
    (void)rmdir(place->store);
    (void)rmdir(place->other);
    ok = ok && rmdir(place->directory) == 0;
    mem_free(place);
    return ok ? 0 : -1;
}

static struct lmdb_store_options options_of(const char *boot_id)
{
    return (struct lmdb_store_options){
        .boot_id = str_from(boot_id), .create = true, .map_size_bytes = 64 << 20};
}

static struct kv_store *open_store(struct place *place, const char *path, const char *boot_id)
{
    struct kv_store *store = NULL;
    struct lmdb_store_options options = options_of(boot_id);
    status_value result =
        lmdb_store_open(env_linux(), path, &options, allocator_heap(), &place->diag, &store);
    if (!is_ok(result))
        fail_msg("%s", diag_message(&place->diag, result.code));
    return store;
}

static int32_t open_code(struct place *place, const char *boot_id)
{
    struct kv_store *store = NULL;
    struct lmdb_store_options options = options_of(boot_id);
    status_value result = lmdb_store_open(env_linux(), place->store, &options, allocator_heap(),
                                          &place->diag, &store);
    kv_store_close(store);
    return result.code;
}

/* Entry `index` of a fixed history: the same bytes in every process. Also moves the model. */
static struct kv_entry history(uint64_t index, struct arena *arena, struct model *model)
{
    struct prng prng;
    struct kv_batch *batch = NULL;
    prng_init(&prng, 1000 + index);
    assert_true(is_ok(kv_batch_create(arena, NULL, NULL, &batch)));
    random_writes(&prng, arena, 6, batch, model);
    return (struct kv_entry){index, 1, payload_of(batch, index, arena)};
}

static void apply_history(struct kv_store *store, uint64_t from, uint64_t to, struct arena *arena,
                          struct model *model)
{
    struct diag diag = {0};
    for (uint64_t index = 1; index <= to; index++) {
        struct kv_entry entry = history(index, arena, model);
        if (index >= from)
            assert_true(is_ok(kv_store_apply(store, &entry, 1, &diag)));
    }
}

/* Rows, meta and digest of the store are those of the history up to `index`. */
static void expect_history(struct kv_store *store, uint64_t index)
{
    struct diag diag = {0};
    struct arena arena;
    struct kv_snapshot *snapshot = NULL;
    struct model *model = mem_zalloc(sizeof(*model));
    arena_init(&arena, allocator_heap(), 1 << 30);
    apply_history(NULL, index + 1, index, &arena, model);
    assert_true(is_ok(kv_store_snapshot(store, &diag, &snapshot)));
    expect_meta(&snapshot->meta, model, index);
    expect_scan(&snapshot->reader, model, STR(""), STR(""));
    kv_snapshot_close(snapshot);
    assert_true(is_ok(lmdb_store_verify(store, &diag)));
    arena_deinit(&arena);
    mem_free(model);
}

static struct kv_store *store_with_history(struct place *place, uint64_t index)
{
    struct arena arena;
    struct model *model = mem_zalloc(sizeof(*model));
    arena_init(&arena, allocator_heap(), 1 << 30);
    struct kv_store *store = open_store(place, place->store, "boot-1");
    apply_history(store, 1, index, &arena, model);
    arena_deinit(&arena);
    mem_free(model);
    return store;
}

static void test_against_model(void **state)
{
    struct place *place = *state;
    for (uint64_t seed = 11; seed <= 12; seed++) {
        struct kv_store *store = open_store(place, place->store, "boot-1");
        run_store_property(store, seed, 300);
        assert_true(is_ok(lmdb_store_verify(store, &place->diag)));
        kv_store_close(store);
        assert_true(is_ok(lmdb_store_remove(env_linux(), place->store, &place->diag)));
    }
}

/* The two stores agree on the digest of the same entries. */
static void test_digest_equals_that_of_memory(void **state)
{
    struct place *place = *state;
    struct arena arena;
    struct kv_store *memory = NULL;
    struct model *model = mem_zalloc(sizeof(*model));
    arena_init(&arena, allocator_heap(), 1 << 30);
    assert_true(is_ok(mem_store_open(allocator_heap(), &place->diag, &memory)));
    apply_history(memory, 1, 40, &arena, model);
    struct kv_store *store = store_with_history(place, 40);
    struct kv_meta a = kv_store_meta(memory);
    struct kv_meta b = kv_store_meta(store);
    assert_memory_equal(&a, &b, sizeof(a));
    kv_store_close(store);
    kv_store_close(memory);
    arena_deinit(&arena);
    mem_free(model);
}

static void test_reopens_where_it_was(void **state)
{
    struct place *place = *state;
    struct kv_store *store = store_with_history(place, 20);
    assert_true(is_ok(lmdb_store_close(store, &place->diag)));
    store = open_store(place, place->store, "boot-2"); /* clean: another boot may open it */
    expect_history(store, 20);
    kv_store_close(store);
}

static void test_a_bad_entry_applies_nothing(void **state)
{
    struct place *place = *state;
    struct arena arena;
    struct model *model = mem_zalloc(sizeof(*model));
    arena_init(&arena, allocator_heap(), 1 << 28);
    struct kv_store *store = store_with_history(place, 5);
    for (uint64_t index = 1; index <= 5; index++)
        (void)history(index, &arena, model);
    struct kv_entry entries[2] = {history(6, &arena, model), history(7, &arena, model)};
    struct str whole = entries[1].payload;
    entries[1].payload.size -= 1;
    assert_int_equal(kv_store_apply(store, entries, 2, &place->diag).code, STATUS_CORRUPT);
    expect_history(store, 5);
    entries[1].payload = whole;
    assert_true(is_ok(kv_store_apply(store, entries, 2, &place->diag)));
    expect_history(store, 7);
    kv_store_close(store);
    arena_deinit(&arena);
    mem_free(model);
}

/* --- trust --- */

/* Runs `body` in a process that then ends without closing anything. */
static void in_dying_process(struct place *place, void (*body)(struct place *place))
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        body(place);
        _exit(0);
    }
    int code = -1;
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_int_equal(code, 0);
}

static void apply_ten(struct place *place)
{
    (void)store_with_history(place, 10);
}

static enum lmdb_store_trust trust_of(struct place *place, const char *boot_id)
{
    enum lmdb_store_trust trust;
    assert_true(is_ok(
        lmdb_store_trust(env_linux(), place->store, str_from(boot_id), &place->diag, &trust)));
    return trust;
}

static void test_another_boot_distrusts_a_dirty_store(void **state)
{
    struct place *place = *state;
    assert_int_equal(trust_of(place, "boot-1"), LMDB_STORE_ABSENT);
    in_dying_process(place, apply_ten);
    assert_int_equal(trust_of(place, "boot-2"), LMDB_STORE_UNTRUSTED);
    assert_int_equal(trust_of(place, ""), LMDB_STORE_UNTRUSTED);
    assert_int_equal(open_code(place, "boot-2"), STATUS_CORRUPT);
    assert_int_equal(open_code(place, "boot-10"), STATUS_CORRUPT);
    assert_int_equal(trust_of(place, "boot-1"), LMDB_STORE_TRUSTED);
    struct kv_store *store = open_store(place, place->store, "boot-1");
    expect_history(store, 10);
    kv_store_close(store);
    assert_int_equal(trust_of(place, "boot-2"), LMDB_STORE_TRUSTED);
    assert_true(is_ok(lmdb_store_remove(env_linux(), place->store, &place->diag)));
    assert_int_equal(trust_of(place, "boot-2"), LMDB_STORE_ABSENT);
}

static void test_a_damaged_mark_is_no_trust(void **state)
{
    struct place *place = *state;
    char mark[PATH_SIZE];
    join(mark, place->store, "mark");
    kv_store_close(store_with_history(place, 3));
    static const char *const damaged[] = {"", "tarn lmdb 1\n", "state clean\n",
                                          "tarn lmdb 2\nboot boot-1\nstate clean\n",
                                          "tarn lmdb 1\nboot boot-1\nstate clean"};
    for (size_t i = 0; i < COUNTOF(damaged); i++) {
        FILE *file = fopen(mark, "w");
        assert_non_null(file);
        assert_true(fputs(damaged[i], file) >= 0);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(trust_of(place, "boot-1"), LMDB_STORE_UNTRUSTED);
    }
    assert_int_equal(unlink(mark), 0);
    assert_int_equal(open_code(place, "boot-1"), STATUS_CORRUPT);
}

static void test_damaged_data_is_corrupt(void **state)
{
    struct place *place = *state;
    char data[PATH_SIZE];
    join(data, place->store, "data.mdb");
    kv_store_close(store_with_history(place, 3));
    FILE *file = fopen(data, "w");
    assert_non_null(file);
    for (int i = 0; i < 4096; i++)
        assert_true(fputs("not a database. ", file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(open_code(place, "boot-1"), STATUS_CORRUPT);
}

static void test_absent_without_create(void **state)
{
    struct place *place = *state;
    struct kv_store *store = NULL;
    struct lmdb_store_options options = options_of("boot-1");
    options.create = false;
    assert_int_equal(
        lmdb_store_open(env_linux(), place->store, &options, allocator_heap(), &place->diag, &store)
            .code,
        STATUS_NOT_FOUND);
    assert_null(store);
}

/* Applies the history for ever and tells each applied index to the pipe. */
static void apply_until_killed(struct place *place, int pipe_end)
{
    struct arena arena;
    struct model *model = mem_zalloc(sizeof(*model));
    arena_init(&arena, allocator_heap(), 1 << 30);
    struct kv_store *store = open_store(place, place->store, "boot-1");
    for (uint64_t index = 1;; index++) {
        struct kv_entry entry = history(index, &arena, model);
        if (index <= kv_store_meta(store).applied_index)
            continue;
        if (!is_ok(kv_store_apply(store, &entry, 1, &place->diag)) ||
            write(pipe_end, &index, sizeof(index)) != sizeof(index))
            _exit(1);
    }
}

/* Kills the process at some moment; whatever was acknowledged is in the store, and nothing half. */
static void test_killed_process_leaves_an_applied_prefix(void **state)
{
    struct place *place = *state;
    uint64_t acknowledged = 0;
    for (unsigned round = 0; round < 6; round++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            (void)close(ends[0]);
            apply_until_killed(place, ends[1]);
        }
        (void)close(ends[1]);
        for (unsigned wanted = 1 + round * 7; wanted > 0; wanted--)
            assert_int_equal(read(ends[0], &acknowledged, sizeof(acknowledged)),
                             sizeof(acknowledged));
        assert_int_equal(kill(child, SIGKILL), 0);
        int code = 0;
        assert_int_equal(waitpid(child, &code, 0), child);
        assert_true(WIFSIGNALED(code));
        while (read(ends[0], &acknowledged, sizeof(acknowledged)) == sizeof(acknowledged))
            continue;
        (void)close(ends[0]);
        struct kv_store *store = open_store(place, place->store, "boot-1");
        uint64_t index = kv_store_meta(store).applied_index;
        assert_true(index == acknowledged || index == acknowledged + 1);
        expect_history(store, index);
        kv_store_close(store);
    }
}

/* --- copies --- */

static void test_copy_and_restore(void **state)
{
    struct place *place = *state;
    struct kv_meta copied;
    struct kv_meta read;
    struct kv_store *restored = NULL;
    struct lmdb_store_options options = options_of("boot-1");
    struct kv_store *store = store_with_history(place, 12);
    assert_true(is_ok(lmdb_store_copy(store, place->copy, &place->diag, &copied)));
    struct kv_meta meta = kv_store_meta(store);
    assert_memory_equal(&copied, &meta, sizeof(meta));
    assert_int_equal(lmdb_store_copy(store, place->copy, &place->diag, &copied).code,
                     STATUS_ALREADY_EXISTS);
    assert_true(is_ok(lmdb_store_copy_meta(place->copy, &place->diag, &read)));
    assert_memory_equal(&read, &copied, sizeof(read));
    assert_true(is_ok(lmdb_store_restore(env_linux(), place->copy, place->other, &options,
                                         allocator_heap(), &place->diag, &restored)));
    expect_history(restored, 12);
    struct arena arena;
    struct model *model = mem_zalloc(sizeof(*model));
    arena_init(&arena, allocator_heap(), 1 << 28);
    apply_history(restored, 13, 20, &arena, model);
    expect_history(restored, 20);
    expect_history(store, 12);
    kv_store_close(restored);
    restored = NULL;
    assert_int_equal(lmdb_store_restore(env_linux(), place->copy, place->other, &options,
                                        allocator_heap(), &place->diag, &restored)
                         .code,
                     STATUS_ALREADY_EXISTS);
    assert_null(restored);
    kv_store_close(store);
    arena_deinit(&arena);
    mem_free(model);
}

struct copier {
    struct kv_store *store;
    const char *path;
    status_value result;
    struct kv_meta meta;
};

static void *run_copier(void *argument)
{
    struct copier *copier = argument;
    copier->result = lmdb_store_copy(copier->store, copier->path, NULL, &copier->meta);
    return NULL;
}

static void test_copy_while_applying(void **state)
{
    struct place *place = *state;
    struct arena arena;
    struct model *model = mem_zalloc(sizeof(*model));
    struct kv_store *restored = NULL;
    struct lmdb_store_options options = options_of("boot-1");
    arena_init(&arena, allocator_heap(), 1 << 30);
    struct kv_store *store = store_with_history(place, 30);
    struct copier copier = {.store = store, .path = place->copy};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run_copier, &copier), 0);
    apply_history(store, 31, 90, &arena, model);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(is_ok(copier.result));
    assert_true(copier.meta.applied_index >= 30);
    assert_true(is_ok(lmdb_store_restore(env_linux(), place->copy, place->other, &options,
                                         allocator_heap(), &place->diag, &restored)));
    expect_history(restored, copier.meta.applied_index);
    expect_history(store, 90);
    kv_store_close(restored);
    kv_store_close(store);
    arena_deinit(&arena);
    mem_free(model);
}

/* --- limits --- */

static void test_full_map_grows_or_refuses(void **state)
{
    struct place *place = *state;
    struct arena arena;
    struct kv_store *store = NULL;
    struct kv_batch *batch = NULL;
    struct kv_snapshot *snapshot = NULL;
    struct lmdb_store_stats before;
    struct lmdb_store_stats after;
    struct lmdb_store_options options = options_of("boot-1");
    options.map_size_bytes = 128 << 10;
    arena_init(&arena, allocator_heap(), 1 << 28);
    assert_true(is_ok(lmdb_store_open(env_linux(), place->store, &options, allocator_heap(),
                                      &place->diag, &store)));
    assert_true(is_ok(kv_batch_create(&arena, NULL, &place->diag, &batch)));
    struct str value = {ARENA_ARRAY(&arena, char, 1 << 20), 1 << 20};
    assert_true(is_ok(kv_put_borrowed(batch, STR("k"), value, &place->diag)));
    struct kv_entry entry = {1, 1, payload_of(batch, 1, &arena)};
    lmdb_store_stats(store, &before);
    assert_true(is_ok(kv_store_snapshot(store, &place->diag, &snapshot)));
    assert_int_equal(kv_store_apply(store, &entry, 1, &place->diag).code, STATUS_NOSPACE);
    assert_int_equal(kv_store_meta(store).applied_index, 0);
    kv_snapshot_close(snapshot);
    assert_true(is_ok(kv_store_apply(store, &entry, 1, &place->diag)));
    lmdb_store_stats(store, &after);
    assert_true(after.map_size_bytes > before.map_size_bytes);
    assert_true(after.file_size_bytes > value.size);
    assert_true(is_ok(lmdb_store_verify(store, &place->diag)));
    kv_store_close(store);
    store = open_store(place, place->store, "boot-1"); /* the asked size is too small again */
    assert_int_equal(kv_store_meta(store).row_count, 1);
    kv_store_close(store);
    arena_deinit(&arena);
}

static void test_stats_show_the_oldest_snapshot(void **state)
{
    struct place *place = *state;
    struct kv_snapshot *snapshots[3] = {NULL};
    struct lmdb_store_stats stats;
    struct kv_store *store = open_store(place, place->store, "boot-1");
    for (uint64_t index = 1; index <= 3; index++) {
        struct kv_entry no_op = {index, 1, STR("")};
        assert_true(is_ok(kv_store_snapshot(store, &place->diag, &snapshots[index - 1])));
        assert_true(is_ok(kv_store_apply(store, &no_op, 1, &place->diag)));
    }
    lmdb_store_stats(store, &stats);
    assert_int_equal(stats.snapshots_open, 3);
    assert_int_equal(stats.oldest_snapshot_lag, 3);
    kv_snapshot_close(snapshots[0]);
    lmdb_store_stats(store, &stats);
    assert_int_equal(stats.oldest_snapshot_lag, 2);
    kv_snapshot_close(snapshots[2]);
    kv_snapshot_close(snapshots[1]);
    lmdb_store_stats(store, &stats);
    assert_int_equal(stats.snapshots_open, 0);
    assert_int_equal(stats.oldest_snapshot_lag, 0);
    kv_store_close(store);
}

static void test_too_many_snapshots_are_refused(void **state)
{
    struct place *place = *state;
    struct kv_store *store = NULL;
    struct kv_snapshot *snapshots[4] = {NULL};
    struct kv_snapshot *refused = NULL;
    struct lmdb_store_options options = options_of("boot-1");
    options.readers_max = COUNTOF(snapshots);
    assert_true(is_ok(lmdb_store_open(env_linux(), place->store, &options, allocator_heap(),
                                      &place->diag, &store)));
    for (size_t i = 0; i < COUNTOF(snapshots); i++)
        assert_true(is_ok(kv_store_snapshot(store, &place->diag, &snapshots[i])));
    assert_int_equal(kv_store_snapshot(store, &place->diag, &refused).code, STATUS_EXHAUSTED);
    for (size_t i = 0; i < COUNTOF(snapshots); i++)
        kv_snapshot_close(snapshots[i]);
    assert_true(is_ok(kv_store_snapshot(store, &place->diag, &refused)));
    kv_snapshot_close(refused);
    kv_store_close(store);
}

static void test_out_of_memory(void **state)
{
    struct place *place = *state;
    struct kv_store *store = NULL;
    struct kv_snapshot *snapshot = NULL;
    struct failing_allocator failing;
    struct lmdb_store_options options = options_of("boot-1");
    failing_allocator_init(&failing, 1);
    assert_int_equal(
        lmdb_store_open(env_linux(), place->store, &options, &failing.base, &place->diag, &store)
            .code,
        STATUS_NOMEM);
    assert_true(is_ok(
        lmdb_store_open(env_linux(), place->store, &options, &failing.base, &place->diag, &store)));
    failing.fail_at = failing.calls + 1;
    assert_int_equal(kv_store_snapshot(store, &place->diag, &snapshot).code, STATUS_NOMEM);
    assert_true(is_ok(kv_store_snapshot(store, &place->diag, &snapshot)));
    kv_snapshot_close(snapshot);
    failing.fail_at = failing.calls + 1;
    assert_true(is_ok(kv_store_snapshot(store, &place->diag, &snapshot))); /* the kept one */
    kv_snapshot_close(snapshot);
    kv_store_close(store);
    assert_int_equal(failing.live_bytes, 0);
}

/* --- threads --- */

struct reading {
    struct kv_store *store;
    _Atomic bool *stop;
    uint64_t snapshots;
};

/* Every snapshot is whole: its rows have the digest of its meta row, and indexes never go back. */
static void *run_reading(void *argument)
{
    struct reading *reading = argument;
    uint64_t last = 0;
    while (!atomic_load(reading->stop)) {
        struct kv_snapshot *snapshot = NULL;
        struct kv_meta meta;
        ASSERT(is_ok(kv_store_snapshot(reading->store, NULL, &snapshot)));
        meta = snapshot->meta;
        kv_snapshot_close(snapshot);
        ASSERT(meta.applied_index >= last);
        last = meta.applied_index;
        ASSERT(is_ok(lmdb_store_verify(reading->store, NULL)));
        reading->snapshots++;
    }
    return NULL;
}

static void test_readers_on_other_threads(void **state)
{
    struct place *place = *state;
    struct arena arena;
    struct model *model = mem_zalloc(sizeof(*model));
    _Atomic bool stop = false;
    struct kv_store *store = open_store(place, place->store, "boot-1");
    struct reading readings[3];
    pthread_t threads[3];
    arena_init(&arena, allocator_heap(), 1 << 30);
    for (size_t i = 0; i < COUNTOF(threads); i++) {
        readings[i] = (struct reading){store, &stop, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, run_reading, &readings[i]), 0);
    }
    apply_history(store, 1, 150, &arena, model);
    atomic_store(&stop, true);
    for (size_t i = 0; i < COUNTOF(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    expect_history(store, 150);
    kv_store_close(store);
    arena_deinit(&arena);
    mem_free(model);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_against_model),
        CASE(test_digest_equals_that_of_memory),
        CASE(test_reopens_where_it_was),
        CASE(test_a_bad_entry_applies_nothing),
        CASE(test_another_boot_distrusts_a_dirty_store),
        CASE(test_a_damaged_mark_is_no_trust),
        CASE(test_damaged_data_is_corrupt),
        CASE(test_absent_without_create),
        CASE(test_killed_process_leaves_an_applied_prefix),
        CASE(test_copy_and_restore),
        CASE(test_copy_while_applying),
        CASE(test_full_map_grows_or_refuses),
        CASE(test_stats_show_the_oldest_snapshot),
        CASE(test_too_many_snapshots_are_refused),
        CASE(test_out_of_memory),
        CASE(test_readers_on_other_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
