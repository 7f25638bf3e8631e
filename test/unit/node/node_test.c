/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node_test.c - a node on a real folder: order, durability over restarts, rebuilding, limits.
 */
#include "node/node.h"

#include <dirent.h>
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char folder[64];
    struct node_options options;
    struct node *node;
    struct diag diag;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    (void)snprintf(f->folder, sizeof(f->folder), "/tmp/tarn-node-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    f->options = node_options_default();
    f->options.data_dir = str_from(f->folder);
    f->options.segment_size_bytes = 1 << 20;
    f->options.map_size_bytes = 256 << 20;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char command[128];
    node_close(f->node);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", f->folder);
    int outcome = system(command);
    free(f);
    return outcome;
}

static void start(struct fixture *f)
{
    diag_reset(&f->diag);
    status_value result = node_open(env_linux(), &f->options, NULL, NULL, &f->diag, &f->node);
    if (!is_ok(result))
        fail_msg("%s", diag_message(&f->diag, result.code));
}

static void stop(struct fixture *f)
{
    node_close(f->node);
    f->node = NULL;
}

/* Adds one to the counter under `key` and puts its new value under key#value; refuses beyond
 * `limit`. */
struct increment {
    struct node_task task;
    struct arena arena;
    struct diag diag;
    char key[24];
    uint64_t limit;
    uint64_t value;
    size_t pad;
    bool wants_snapshot;
    bool only_looks; /* changes nothing */
};

static uint64_t parse(struct str text)
{
    uint64_t value = 0;
    assert_true(str_to_u64(str_slice(text, 0, 20), &value));
    return value;
}

static status_value increment(struct node_task *self, struct node_evaluation *evaluation,
                              struct diag *diag)
{
    struct increment *add = CONTAINER_OF(self, struct increment, task);
    struct kv_reader *view = kv_batch_reader(evaluation->batch);
    struct str value = {NULL, 0};
    bool found = false;
    TRY(kv_get(view, str_from(add->key), diag, &value, &found));
    add->value = (found ? parse(value) : 0) + 1;
    if (add->value > add->limit)
        return FAIL(diag, COMMIT_FAILED, "the counter is at its limit");
    if (add->only_looks) {
        add->value--;
        evaluation->wants_snapshot = true;
        evaluation->object_key = 1;
        return OK;
    }
    char *text = arena_zalloc(self->arena, 21 + add->pad);
    char name[64];
    assert_non_null(text);
    (void)snprintf(text, 21, "%020" PRIu64, add->value);
    (void)snprintf(name, sizeof(name), "%s#%020" PRIu64, add->key, add->value);
    TRY(kv_put(evaluation->batch, str_from(add->key), (struct str){text, 20 + add->pad}, diag));
    TRY(kv_put(evaluation->batch, str_from(name), STR("x"), diag));
    evaluation->wants_snapshot = add->wants_snapshot;
    evaluation->object_key = add->wants_snapshot ? 1 : 0;
    return OK;
}

static void increment_init(struct increment *add, const char *key)
{
    *add = (struct increment){.limit = UINT64_MAX};
    (void)snprintf(add->key, sizeof(add->key), "%s", key);
    arena_init(&add->arena, allocator_heap(), 1 << 20);
    add->task = (struct node_task){.evaluate = increment, .arena = &add->arena, .diag = &add->diag};
}

static uint64_t run_increment(struct fixture *f, const char *key)
{
    struct increment add;
    increment_init(&add, key);
    status_value result = node_run(f->node, &add.task, &f->diag, NULL);
    arena_deinit(&add.arena);
    assert_int_equal(result.code, STATUS_OK);
    return add.value;
}

static uint64_t read_counter(struct fixture *f, const char *key)
{
    struct kv_snapshot *snapshot;
    struct str value;
    bool found = false;
    assert_true(is_ok(node_read(f->node, &f->diag, &snapshot)));
    assert_true(is_ok(kv_get(&snapshot->reader, str_from(key), &f->diag, &value, &found)));
    uint64_t counter = found ? parse(value) : 0;
    kv_snapshot_close(snapshot);
    return counter;
}

static void writes_survive_restarts(void **state)
{
    struct fixture *f = *state;
    for (uint64_t round = 0; round < 5; round++) {
        start(f);
        assert_int_equal(read_counter(f, "a"), round * 20);
        for (int i = 0; i < 20; i++)
            (void)run_increment(f, "a");
        assert_int_equal(read_counter(f, "a"), round * 20 + 20);
        stop(f);
    }
}

static void second_process_is_refused(void **state)
{
    struct fixture *f = *state;
    struct node *other = NULL;
    start(f);
    status_value result = node_open(env_linux(), &f->options, NULL, NULL, &f->diag, &other);
    assert_int_equal(result.code, STATUS_UNAVAILABLE);
    assert_null(other);
}

enum { WRITERS = 8, WRITES = 200 };

static void *write_many(void *argument)
{
    struct fixture *f = argument;
    for (int i = 0; i < WRITES; i++)
        (void)run_increment(f, "shared");
    return NULL;
}

static void concurrent_writers_lose_nothing(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[WRITERS];
    start(f);
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, f), 0);
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(read_counter(f, "shared"), WRITERS * WRITES);
    stop(f);
    start(f);
    assert_int_equal(read_counter(f, "shared"), WRITERS * WRITES);
}

/* Many tasks of one object in flight at once: each answer shows exactly its own state. */
struct pipelined {
    struct increment add;
    atomic_int *left;
    uint64_t seen;
    status_value result;
};

static void pipelined_done(struct node_task *self, status_value result,
                           struct kv_snapshot *snapshot)
{
    struct increment *add = CONTAINER_OF(self, struct increment, task);
    struct pipelined *p = CONTAINER_OF(add, struct pipelined, add);
    struct str value;
    bool found = false;
    p->result = result;
    if (snapshot != NULL) {
        status_value got = kv_get(&snapshot->reader, str_from(add->key), NULL, &value, &found);
        p->seen = is_ok(got) && found ? parse(value) : 0;
    }
    kv_snapshot_close(snapshot);
    atomic_fetch_sub(p->left, 1);
}

static void answers_show_their_own_state(void **state)
{
    enum { COUNT = 300 };
    struct fixture *f = *state;
    struct pipelined *all = calloc(COUNT, sizeof(*all));
    atomic_int left = COUNT;
    assert_non_null(all);
    start(f);
    for (int i = 0; i < COUNT; i++) {
        increment_init(&all[i].add, "one");
        all[i].add.wants_snapshot = true;
        all[i].add.limit = 250;
        all[i].add.task.done = pipelined_done;
        all[i].left = &left;
        assert_true(is_ok(node_submit(f->node, &all[i].add.task, &f->diag)));
    }
    while (atomic_load(&left) > 0)
        usleep(1000);
    for (uint64_t i = 0; i < COUNT; i++) {
        assert_int_equal(all[i].result.code, i < 250 ? STATUS_OK : STATUS_COMMIT_FAILED);
        assert_int_equal(all[i].seen, i < 250 ? i + 1 : 0);
        arena_deinit(&all[i].add.arena);
    }
    free(all);
}

/* Tasks that change nothing between tasks that do: everybody sees the state at his own place. */
static void looking_tasks_see_their_place(void **state)
{
    enum { COUNT = 900 };
    struct fixture *f = *state;
    struct pipelined *all = calloc(COUNT, sizeof(*all));
    atomic_int left = COUNT;
    assert_non_null(all);
    start(f);
    for (int i = 0; i < COUNT; i++) {
        increment_init(&all[i].add, "one");
        all[i].add.wants_snapshot = true;
        all[i].add.only_looks = i % 3 != 0;
        all[i].add.task.done = pipelined_done;
        all[i].left = &left;
        assert_true(is_ok(node_submit(f->node, &all[i].add.task, &f->diag)));
    }
    while (atomic_load(&left) > 0)
        usleep(1000);
    for (uint64_t i = 0; i < COUNT; i++) {
        assert_int_equal(all[i].result.code, STATUS_OK);
        assert_int_equal(all[i].seen, i / 3 + 1);
        arena_deinit(&all[i].add.arena);
    }
    free(all);
}

static size_t count_entries(const char *folder, const char *name)
{
    char path[128];
    size_t count = 0;
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir))
        count += entry->d_name[0] != '.' ? 1 : 0;
    closedir(dir);
    return count;
}

static void write_padded(struct fixture *f, int count)
{
    for (int i = 0; i < count; i++) {
        struct increment add;
        increment_init(&add, "big");
        add.pad = 60000;
        assert_int_equal(node_run(f->node, &add.task, &f->diag, NULL).code, STATUS_OK);
        arena_deinit(&add.arena);
    }
}

static struct kv_digest digest_of(struct fixture *f)
{
    struct node_status now;
    node_status(f->node, &now);
    return now.digest;
}

static void remove_state(struct fixture *f)
{
    char command[128];
    (void)snprintf(command, sizeof(command), "rm -rf '%s/state'", f->folder);
    assert_int_equal(system(command), 0);
}

static void lost_state_is_rebuilt(void **state)
{
    struct fixture *f = *state;
    struct node_status now = {0};
    f->options.snapshot_after_bytes = 2 << 20;
    start(f);
    write_padded(f, 200);
    for (int i = 0; i < 500 && now.snapshot_index == 0; i++) {
        usleep(10000);
        node_status(f->node, &now);
    }
    assert_true(now.snapshot_index > 0);
    write_padded(f, 10);
    struct kv_digest before = digest_of(f);
    stop(f);
    size_t snapshots = count_entries(f->folder, "snapshots");
    assert_true(snapshots >= 1 && snapshots <= 2);
    remove_state(f);
    start(f);
    struct kv_digest after = digest_of(f);
    assert_int_equal(before.low, after.low);
    assert_int_equal(before.high, after.high);
    assert_int_equal(read_counter(f, "big"), 210);
}

static void damaged_newest_snapshot_falls_back(void **state)
{
    struct fixture *f = *state;
    char command[256];
    f->options.snapshot_after_bytes = 2 << 20;
    start(f);
    for (int i = 0; i < 6; i++) {
        write_padded(f, 60);
        usleep(100000);
    }
    struct kv_digest before = digest_of(f);
    stop(f);
    assert_int_equal(count_entries(f->folder, "snapshots"), 2);
    remove_state(f);
    (void)snprintf(command, sizeof(command),
                   "s=$(ls -d %s/snapshots/* | sort | tail -1); printf XXXX | dd of=$s/data.mdb "
                   "bs=1 seek=9000 conv=notrunc 2>/dev/null",
                   f->folder);
    assert_int_equal(system(command), 0);
    start(f);
    struct kv_digest after = digest_of(f);
    assert_int_equal(before.low, after.low);
    assert_int_equal(before.high, after.high);
}

static void missing_log_is_refused(void **state)
{
    struct fixture *f = *state;
    char command[128];
    start(f);
    (void)run_increment(f, "a");
    stop(f);
    (void)snprintf(command, sizeof(command), "rm -rf '%s/wal'", f->folder);
    assert_int_equal(system(command), 0);
    status_value result = node_open(env_linux(), &f->options, NULL, NULL, &f->diag, &f->node);
    assert_int_equal(result.code, STATUS_CORRUPT);
    assert_non_null(strstr(diag_message(&f->diag, 0), "backup"));
    f->node = NULL;
}

static void lonely_tasks_run_inline(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[WRITERS];
    f->options.run_lonely_tasks_inline = true;
    start(f);
    for (int i = 0; i < 50; i++)
        (void)run_increment(f, "shared");
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, f), 0);
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(read_counter(f, "shared"), WRITERS * WRITES + 50);
    stop(f);
    start(f);
    assert_int_equal(read_counter(f, "shared"), WRITERS * WRITES + 50);
}

static void too_many_tasks_are_refused(void **state)
{
    struct fixture *f = *state;
    enum { COUNT = 64 };
    struct pipelined *all = calloc(COUNT, sizeof(*all));
    atomic_int left = COUNT;
    int refused = 0;
    assert_non_null(all);
    f->options.tasks_max = 4;
    start(f);
    for (int i = 0; i < COUNT; i++) {
        increment_init(&all[i].add, "t");
        all[i].add.task.done = pipelined_done;
        all[i].left = &left;
        status_value result = node_submit(f->node, &all[i].add.task, &f->diag);
        if (is_ok(result))
            continue;
        assert_int_equal(result.code, STATUS_EXHAUSTED);
        refused++;
        atomic_fetch_sub(&left, 1);
    }
    while (atomic_load(&left) > 0)
        usleep(1000);
    assert_true(refused > 0);
    assert_int_equal(read_counter(f, "t"), (uint64_t)(COUNT - refused));
    for (int i = 0; i < COUNT; i++)
        arena_deinit(&all[i].add.arena);
    free(all);
}

static void full_disk_refuses_writes_and_serves_reads(void **state)
{
    struct fixture *f = *state;
    struct increment add;
    start(f);
    (void)run_increment(f, "a");
    stop(f);
    f->options.disk_reserve_bytes = UINT64_MAX;
    start(f);
    increment_init(&add, "a");
    assert_int_equal(node_run(f->node, &add.task, &f->diag, NULL).code, STATUS_NOSPACE);
    arena_deinit(&add.arena);
    assert_int_equal(read_counter(f, "a"), 1);
}

/* A child writes and reports each acknowledged value through shared memory until it is killed. */
static void killed_node_keeps_what_it_acknowledged(void **state)
{
    struct fixture *f = *state;
    atomic_uint_fast64_t *acknowledged =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(acknowledged != MAP_FAILED);
    for (int round = 0; round < 10; round++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            start(f);
            for (;;)
                atomic_store(acknowledged, run_increment(f, "k"));
        }
        usleep(30000 + (useconds_t)round * 7000);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        uint64_t promised = atomic_load(acknowledged);
        start(f);
        uint64_t kept = read_counter(f, "k");
        assert_true(kept >= promised && kept <= promised + 1);
        atomic_store(acknowledged, kept);
        stop(f);
    }
    munmap(acknowledged, 4096);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(writes_survive_restarts, setup, teardown),
        cmocka_unit_test_setup_teardown(second_process_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(concurrent_writers_lose_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(answers_show_their_own_state, setup, teardown),
        cmocka_unit_test_setup_teardown(looking_tasks_see_their_place, setup, teardown),
        cmocka_unit_test_setup_teardown(lost_state_is_rebuilt, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_newest_snapshot_falls_back, setup, teardown),
        cmocka_unit_test_setup_teardown(missing_log_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(lonely_tasks_run_inline, setup, teardown),
        cmocka_unit_test_setup_teardown(too_many_tasks_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(full_disk_refuses_writes_and_serves_reads, setup, teardown),
        cmocka_unit_test_setup_teardown(killed_node_keeps_what_it_acknowledged, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
