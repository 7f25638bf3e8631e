/* SPDX-License-Identifier: Apache-2.0 */
/*
 * purge_test.c - what a dropped table leaves: everything its manifests name goes, nothing else
 * does, and a purge that fails anywhere can be run again.
 *
 * The table: two snapshots with the lists l1 {m1} and l2 {m1, m2}, m1 {d1, d2}, m2 {d2, d3}, a
 * statistics file s1, and its metadata files. A neighbour lies between them that nobody names.
 */
#include "worker/purge.h"

#include "kv/keys.h"
#include "lake_support.h"
#include "worker/janitor.h"
#include "worker/publisher.h"
#include "worker/purge_set.h"
#include "worker_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define LIST_SCHEMA                                                                                \
    "{\"type\":\"record\",\"name\":\"manifest_file\",\"fields\":["                                 \
    "{\"name\":\"manifest_path\",\"type\":\"string\",\"field-id\":500},"                           \
    "{\"name\":\"manifest_length\",\"type\":\"long\",\"field-id\":501}]}"
#define ENTRY_SCHEMA                                                                               \
    "{\"type\":\"record\",\"name\":\"manifest_entry\",\"fields\":["                                \
    "{\"name\":\"status\",\"type\":\"int\",\"field-id\":0},"                                       \
    "{\"name\":\"data_file\",\"field-id\":2,\"type\":{\"type\":\"record\",\"name\":\"r2\","        \
    "\"fields\":[{\"name\":\"file_path\",\"type\":\"string\",\"field-id\":100}]}}]}"
#define DATA "db/t/data/"
#define META "db/t/metadata/"

static const char *const table_files[] = {
    DATA "d1.parquet", DATA "d2.parquet", DATA "d3.parquet", META "m1.avro",
    META "m2.avro",    META "l1.avro",    META "l2.avro",    META "s1.puffin",
};

static const char *location(struct fixture *f, const char *path)
{
    if (path[0] == '/')
        return arena_printf(&f->arena, "file://%s", path).data;
    return arena_printf(&f->arena, "file://%s/%s", f->root, path).data;
}

/* Writes a list or manifest that names one or two files. */
static void write_avro(struct fixture *f, const char *path, bool is_list, const char *first,
                       const char *second)
{
    const char *names[] = {first, second};
    struct buf block;
    struct buf file;
    int64_t records = 0;
    buf_init(&block, &f->arena, 1 << 20);
    buf_init(&file, &f->arena, 1 << 20);
    for (size_t i = 0; i < COUNTOF(names) && names[i] != NULL; i++, records++) {
        if (!is_list)
            lake_long(&block, 1);
        lake_string(&block, str_from(location(f, names[i])));
        if (is_list)
            lake_long(&block, 100);
    }
    lake_file(&file, is_list ? LIST_SCHEMA : ENTRY_SCHEMA, "null", records, buf_view(&block));
    (void)worker_file(f, path, buf_view(&file));
}

static void add_snapshot(struct fixture *f, int id, const char *list)
{
    /* A snapshot may not lie in the past of its table. */
    uint64_t now_ms = env_linux()->ops->wall_ns(env_linux()) / 1000000;
    struct str body = arena_printf(
        &f->arena,
        "{'updates':[{'action':'add-snapshot','snapshot':{'snapshot-id':%d,'sequence-number':%d,"
        "'timestamp-ms':%llu,'manifest-list':'%s','summary':{'operation':'append'}}}]}",
        id, id, (unsigned long long)now_ms, location(f, list));
    (void)worker_run(f, CATALOG_TABLE_COMMIT, "db", "t", body.data);
}

static void add_statistics(struct fixture *f, int snapshot, const char *path)
{
    struct str body =
        arena_printf(&f->arena,
                     "{'updates':[{'action':'set-statistics','statistics':{'snapshot-id':%d,"
                     "'statistics-path':'%s','file-size-in-bytes':4,'file-footer-size-in-bytes':2,"
                     "'blob-metadata':[]}}]}",
                     snapshot, location(f, path));
    (void)worker_run(f, CATALOG_TABLE_COMMIT, "db", "t", body.data);
}

static bool outbox_is_empty(struct fixture *f)
{
    return worker_outbox(f) == 0;
}

static void publish(struct fixture *f)
{
    struct publisher *publisher = NULL;
    assert_true(is_ok(publisher_open(env_linux(), f->node, f->stores, &f->options, &f->log, NULL,
                                     &f->diag, &publisher)));
    assert_true(worker_until(f, outbox_is_empty));
    publisher_close(publisher);
}

/* Its first metadata file's path. */
static const char *make_table(struct fixture *f, const char *properties)
{
    struct catalog_response created = worker_table(f, properties);
    for (size_t i = 0; i < COUNTOF(table_files); i++)
        (void)worker_file(f, table_files[i], STR("data"));
    (void)worker_file(f, DATA "neighbour.parquet", STR("data"));
    write_avro(f, META "m1.avro", false, DATA "d1.parquet", DATA "d2.parquet");
    write_avro(f, META "m2.avro", false, DATA "d2.parquet", DATA "d3.parquet");
    write_avro(f, META "l1.avro", true, META "m1.avro", NULL);
    write_avro(f, META "l2.avro", true, META "m1.avro", META "m2.avro");
    add_snapshot(f, 1, META "l1.avro");
    add_snapshot(f, 2, META "l2.avro");
    add_statistics(f, 1, META "s1.puffin");
    publish(f);
    return worker_path(f, created.metadata_location);
}

/* The files that are left, as letters and digits: "d1 m2". */
static const char *files_left(struct fixture *f)
{
    struct buf out;
    buf_init(&out, &f->arena, 4096);
    for (size_t i = 0; i < COUNTOF(table_files); i++)
        if (worker_exists(f, table_files[i]))
            buf_printf(&out, "%s%.2s", out.size == 0 ? "" : " ", strrchr(table_files[i], '/') + 1);
    buf_byte(&out, '\0');
    return buf_view(&out).data;
}

static size_t count_metadata(struct fixture *f)
{
    char command[256];
    unsigned count = 0;
    (void)snprintf(command, sizeof(command),
                   "find '%s' -name '*.metadata.json' 2>/dev/null | wc -l", f->root);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    assert_int_equal(fscanf(pipe, "%u", &count), 1);
    (void)pclose(pipe);
    return count;
}

static bool no_jobs(struct fixture *f)
{
    return worker_jobs(f, NULL) == 0;
}

static void clean_up(struct fixture *f)
{
    struct janitor *janitor = NULL;
    assert_true(is_ok(
        janitor_open(env_linux(), f->node, f->stores, &f->options, &f->log, &f->diag, &janitor)));
    assert_true(worker_until(f, no_jobs));
    janitor_close(janitor);
}

/* Rows of all tables. */
static size_t count_rows(struct fixture *f)
{
    struct kv_snapshot *snapshot = NULL;
    struct kv_cursor *cursor = NULL;
    struct str key;
    struct str value;
    size_t count = 0;
    bool found = true;
    assert_true(is_ok(node_read(f->node, &f->diag, &snapshot)));
    assert_true(
        is_ok(kv_scan(&snapshot->reader, &f->arena, STR("C"), STR("D"), &f->diag, &cursor)));
    while (found) {
        assert_true(is_ok(kv_next(cursor, &f->diag, &key, &value, &found)));
        count += found && key.data[KEY_IN_SIZE - 1] == KEY_TABLE;
    }
    kv_close(cursor);
    kv_snapshot_close(snapshot);
    return count;
}

/* --- the janitor --- */

static void test_purge_removes_exactly_what_is_named(void **state)
{
    struct fixture *f = *state;
    const char *metadata = make_table(f, "");
    assert_true(worker_exists(f, metadata));
    assert_string_equal(files_left(f), "d1 d2 d3 m1 m2 l1 l2 s1");
    (void)worker_drop(f, "t", true);
    assert_true(count_rows(f) > 0);
    clean_up(f);
    assert_string_equal(files_left(f), "");
    assert_int_equal(count_metadata(f), 0);
    assert_true(worker_exists(f, DATA "neighbour.parquet"));
    assert_int_equal(count_rows(f), 0);
    assert_int_equal(worker_logged(f, "purge.skipped"), 0);
    assert_int_equal(worker_logged(f, "purge.done"), 1);
}

static void test_a_drop_without_purge_keeps_files(void **state)
{
    struct fixture *f = *state;
    const char *metadata = make_table(f, "");
    (void)worker_drop(f, "t", false);
    clean_up(f);
    assert_string_equal(files_left(f), "d1 d2 d3 m1 m2 l1 l2 s1");
    assert_true(worker_exists(f, metadata));
    assert_int_equal(count_rows(f), 0);
}

static void test_gc_disabled_keeps_files(void **state)
{
    struct fixture *f = *state;
    const char *metadata = make_table(f, "'gc.enabled':'FALSE'");
    (void)worker_drop(f, "t", true);
    clean_up(f);
    assert_string_equal(files_left(f), "d1 d2 d3 m1 m2 l1 l2 s1");
    assert_true(worker_exists(f, metadata));
    assert_int_equal(worker_logged(f, "purge.refused"), 1);
    assert_int_equal(count_rows(f), 0);
}

static void test_the_janitor_waits_for_the_outbox(void **state)
{
    struct fixture *f = *state;
    struct janitor *janitor = NULL;
    (void)worker_table(f, "");
    (void)worker_drop(f, "t", true);
    assert_int_equal(worker_outbox(f), 1);
    assert_true(is_ok(
        janitor_open(env_linux(), f->node, f->stores, &f->options, &f->log, &f->diag, &janitor)));
    publish(f);
    assert_true(worker_until(f, no_jobs));
    janitor_close(janitor);
    assert_int_equal(count_rows(f), 0);
    assert_int_equal(count_metadata(f), 0);
}

static void test_a_view_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    (void)worker_run(f, CATALOG_NAMESPACE_CREATE, "", "", "{'namespace':['db']}");
    (void)worker_run(f, CATALOG_VIEW_CREATE, "db", "",
                     "{'name':'v','schema':{'type':'struct','schema-id':0,'fields':["
                     "{'id':1,'name':'id','required':true,'type':'long'}]},'properties':{},"
                     "'view-version':{'version-id':1,'timestamp-ms':1700000000000,'schema-id':0,"
                     "'summary':{},'default-namespace':['db'],'representations':["
                     "{'type':'sql','sql':'SELECT 1','dialect':'spark'}]}}");
    publish(f);
    (void)worker_run(f, CATALOG_VIEW_DROP, "db", "v", NULL);
    assert_int_equal(worker_jobs(f, NULL), 1);
    clean_up(f);
}

/* --- what cannot be read, and what is elsewhere --- */

static void test_a_damaged_manifest_keeps_its_files(void **state)
{
    struct fixture *f = *state;
    (void)make_table(f, "");
    struct str m2 = worker_read(f, META "m2.avro");
    (void)worker_file(f, META "m2.avro", str_slice(m2, 0, m2.size - 1));
    (void)worker_drop(f, "t", true);
    clean_up(f);
    assert_string_equal(files_left(f), "d3 m2"); /* d2 is named by m1 too */
    assert_int_equal(worker_logged(f, "purge.skipped"), 1);
    assert_int_equal(count_rows(f), 0);
}

static void test_a_damaged_list_keeps_its_manifests(void **state)
{
    struct fixture *f = *state;
    (void)make_table(f, "");
    (void)worker_file(f, META "l2.avro", STR("no Avro at all"));
    (void)worker_drop(f, "t", true);
    clean_up(f);
    assert_string_equal(files_left(f), "d3 m2 l2");
    assert_int_equal(worker_logged(f, "purge.skipped"), 1);
}

static void test_missing_files_are_no_failure(void **state)
{
    struct fixture *f = *state;
    char command[256];
    (void)make_table(f, "");
    (void)snprintf(command, sizeof(command), "cd '%s' && rm %s %s %s", f->root, META "l1.avro",
                   META "m1.avro", DATA "d3.parquet");
    assert_int_equal(system(command), 0);
    (void)worker_drop(f, "t", true);
    clean_up(f);
    assert_string_equal(files_left(f), "d1"); /* only the missing m1 knew it */
    assert_int_equal(worker_logged(f, "purge.skipped"), 0);
}

static void test_files_outside_of_the_warehouse_stay(void **state)
{
    struct fixture *f = *state;
    char outside[128];
    (void)make_table(f, "");
    (void)worker_file(f, "../outside.parquet", STR("data"));
    (void)snprintf(outside, sizeof(outside), "%s/outside.parquet", f->folder);
    write_avro(f, META "m1.avro", false, outside, "../outside.parquet");
    (void)worker_drop(f, "t", true);
    clean_up(f);
    assert_true(worker_exists(f, "../outside.parquet"));
    assert_string_equal(files_left(f), "d1");
    assert_int_equal(worker_logged(f, "purge.skipped"), 2);
    assert_int_equal(count_rows(f), 0);
}

/* A snapshot of version 1 may name manifests itself. */
static void test_manifests_without_a_list(void **state)
{
    struct fixture *f = *state;
    struct catalog_drop_job job;
    (void)make_table(f, "");
    (void)worker_drop(f, "t", true);
    assert_int_equal(worker_jobs(f, &job), 1);
    struct str row = arena_printf(&f->arena, "{\"snapshot-id\":2,\"manifests\":[\"%s\",\"%s\"]}",
                                  location(f, META "m1.avro"), location(f, META "m2.avro"));
    for (uint64_t ordinal = 0; ordinal < 2; ordinal++) {
        struct key key = key_part(job.warehouse, KEY_TABLE, job.object_id, PART_SNAPSHOT);
        key_u64(&key, ordinal);
        worker_put(f, key_str(&key), row);
    }
    clean_up(f);
    assert_string_equal(files_left(f), "l1 l2"); /* no row names the lists any more */
}

/* --- failing stores --- */

/* A store whose n-th call fails. */
struct failing_store {
    struct object_store base;
    struct object_store *inner;
    unsigned calls;
    unsigned fail_at;
    bool syncing; /* the failure came while removals were made durable */
};

static status_value maybe_fail(struct failing_store *store, struct diag *diag)
{
    if (++store->calls == store->fail_at)
        return FAIL(diag, IO, "the store fails");
    return OK;
}

static status_value failing_read(struct object_store *self, struct str location_, size_t size_max,
                                 struct arena *arena, struct diag *diag, struct str *out)
{
    struct failing_store *store = CONTAINER_OF(self, struct failing_store, base);
    TRY(maybe_fail(store, diag));
    return store->inner->ops->read(store->inner, location_, size_max, arena, diag, out);
}

static status_value failing_remove(struct object_store *self, struct str location_,
                                   struct diag *diag)
{
    struct failing_store *store = CONTAINER_OF(self, struct failing_store, base);
    TRY(maybe_fail(store, diag));
    return store->inner->ops->remove(store->inner, location_, diag);
}

static status_value failing_sync(struct object_store *self, const struct str *locations,
                                 size_t count, struct diag *diag)
{
    struct failing_store *store = CONTAINER_OF(self, struct failing_store, base);
    store->syncing = true;
    TRY(maybe_fail(store, diag));
    store->syncing = false;
    return store->inner->ops->sync(store->inner, locations, count, diag);
}

static const struct object_store_ops failing_ops = {
    .read = failing_read, .remove = failing_remove, .sync = failing_sync};

static status_value purge_through(struct fixture *f, struct failing_store *store)
{
    struct kv_snapshot *snapshot = NULL;
    struct catalog_drop_job job;
    store->base.ops = &failing_ops;
    diag_reset(&f->diag);
    assert_int_equal(worker_jobs(f, &job), 1);
    assert_true(is_ok(node_read(f->node, &f->diag, &snapshot)));
    assert_true(is_ok(stores_get_by_id(f->stores, &snapshot->reader, &f->arena, job.warehouse,
                                       &f->diag, &store->inner)));
    status_value result = purge_files(&store->base, &snapshot->reader, &job, &f->log, &f->diag);
    kv_snapshot_close(snapshot);
    return result;
}

/* Fails at each call in turn; every time the next purge goes on from what is left. */
static void test_a_purge_may_fail_anywhere(void **state)
{
    struct fixture *f = *state;
    unsigned failures = 0;
    status_value result;
    (void)make_table(f, "");
    (void)worker_drop(f, "t", true);
    do {
        struct failing_store store = {.fail_at = failures + 1};
        result = purge_through(f, &store);
        if (!is_ok(result)) {
            assert_int_equal(result.code, STATUS_IO);
            assert_string_equal(diag_message(&f->diag, result.code), "the store fails");
            /* The last call makes the removal of the metadata files durable. */
            assert_true(count_metadata(f) > 0 || store.syncing);
            failures++;
        }
    } while (!is_ok(result));
    assert_true(failures >= 10);
    assert_string_equal(files_left(f), "");
    assert_int_equal(count_metadata(f), 0);
    assert_true(worker_exists(f, DATA "neighbour.parquet"));
}

static void test_a_purge_may_be_repeated(void **state)
{
    struct fixture *f = *state;
    struct failing_store store = {.fail_at = 0};
    (void)make_table(f, "");
    (void)worker_drop(f, "t", true);
    assert_true(is_ok(purge_through(f, &store)));
    unsigned calls = store.calls;
    assert_true(is_ok(purge_through(f, &store)));
    assert_true(store.calls > calls);
    assert_string_equal(files_left(f), "");
    assert_int_equal(worker_logged(f, "purge.skipped"), 0);
}

/* --- the set --- */

static void test_the_set(void **state)
{
    enum { NAMES = 5000 };
    struct purge_set set;
    char name[16];
    bool fresh = false;
    (void)state;
    purge_set_init(&set, NAMES);
    assert_false(purge_set_has(&set, STR("0")));
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < NAMES; i++) {
            (void)snprintf(name, sizeof(name), "%d", i);
            assert_true(is_ok(purge_set_add(&set, str_from(name), NULL, &fresh)));
            assert_int_equal(fresh, round == 0);
            assert_true(purge_set_has(&set, str_from(name)));
        }
    }
    assert_int_equal(purge_set_add(&set, STR("x"), NULL, &fresh).code, STATUS_EXHAUSTED);
    assert_false(purge_set_has(&set, STR("x")));
    purge_set_clear(&set);
    assert_false(purge_set_has(&set, STR("0")));
    assert_true(is_ok(purge_set_add(&set, STR("x"), NULL, &fresh)));
    assert_true(fresh);
    purge_set_deinit(&set);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, worker_setup, worker_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_purge_removes_exactly_what_is_named),
        TEST(test_a_drop_without_purge_keeps_files),
        TEST(test_gc_disabled_keeps_files),
        TEST(test_the_janitor_waits_for_the_outbox),
        TEST(test_a_view_leaves_nothing),
        TEST(test_a_damaged_manifest_keeps_its_files),
        TEST(test_a_damaged_list_keeps_its_manifests),
        TEST(test_missing_files_are_no_failure),
        TEST(test_files_outside_of_the_warehouse_stay),
        TEST(test_manifests_without_a_list),
        TEST(test_a_purge_may_fail_anywhere),
        TEST(test_a_purge_may_be_repeated),
        cmocka_unit_test(test_the_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
