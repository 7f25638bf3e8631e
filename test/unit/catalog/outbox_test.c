/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outbox_test.c - the outbox: what a commit leaves, every unpublished version rebuilt byte by byte
 * from newer rows, what publishing removes; dropped tables.
 */
#include "kv/keys.h"
#include "table_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

enum { JOBS_MAX = 200 };

struct remembered {
    const char *location;
    const char *document;
};

static struct catalog_publish_job *jobs_of(struct fixture *f, struct kv_snapshot **out_snapshot,
                                           size_t *out_count)
{
    struct diag diag = {.count = 0};
    struct catalog_publish_job *jobs = NULL;
    ASSERT(is_ok(kv_store_snapshot(f->store, &diag, out_snapshot)));
    ASSERT(is_ok(catalog_outbox_list(&(*out_snapshot)->reader, &f->arena, JOBS_MAX, &diag, &jobs,
                                     out_count)));
    return jobs;
}

static size_t pending(struct fixture *f)
{
    struct kv_snapshot *snapshot = NULL;
    size_t count = 0;
    jobs_of(f, &snapshot, &count);
    kv_snapshot_close(snapshot);
    return count;
}

static status_value done(struct catalog_context *context, void *argument)
{
    return catalog_publish_done(context, argument);
}

static void publish_nth(struct fixture *f, size_t n)
{
    struct kv_snapshot *snapshot = NULL;
    size_t count = 0;
    struct catalog_publish_job *jobs = jobs_of(f, &snapshot, &count);
    kv_snapshot_close(snapshot);
    assert_true(n < count);
    table_change(f, done, &jobs[n].version);
}

static void publish_all(struct fixture *f)
{
    while (pending(f) > 0)
        publish_nth(f, 0);
}

static const char *location_of(struct fixture *f)
{
    struct str text = str_from(fixture_run(f, "TABLE_LOAD a/t show="));
    struct str head = STR("200 {\"metadata-location\":\"");
    ASSERT(str_starts(text, head));
    struct str rest = str_from_pos(text, head.size);
    return arena_copy(&f->arena, str_slice(rest, 0, (size_t)str_find(rest, '"'))).data;
}

static size_t undo_rows(struct fixture *f)
{
    struct diag diag = {.count = 0};
    struct kv_snapshot *snapshot = NULL;
    struct kv_cursor *cursor = NULL;
    struct str key;
    struct str value;
    size_t count = 0;
    ASSERT(is_ok(kv_store_snapshot(f->store, &diag, &snapshot)));
    ASSERT(is_ok(kv_scan_prefix(&snapshot->reader, &f->arena, STR("C"), &diag, &cursor)));
    for (bool found = true; found;) {
        ASSERT(is_ok(kv_next(cursor, &diag, &key, &value, &found)));
        if (found && key.size > KEY_OBJECT_SIZE && key.data[KEY_IN_SIZE - 1] == KEY_TABLE &&
            key.data[KEY_OBJECT_SIZE] == PART_UNDO)
            count++;
    }
    kv_close(cursor);
    kv_snapshot_close(snapshot);
    return count;
}

/* --- random histories --- */

/* One random update; half of them fit the table as it is, the others are refused. */
static const char *random_update(struct fixture *f, struct prng *prng, int step)
{
    char *text = arena_alloc(&f->arena, 1000);
    int id = (int)prng_below(prng, (uint64_t)step + 1) + 1;
    const char *current = fixture_run(f, "TABLE_LOAD a/t show=current-snapshot-id") + 4;
    switch (prng_below(prng, 14)) {
    case 0:
    case 1:
    case 2:
    case 3:
        snprintf(text, 1000,
                 "{'action':'add-snapshot','snapshot':{'snapshot-id':%d,'parent-snapshot-id':%s,"
                 "'sequence-number':%d,'timestamp-ms':%llu,'manifest-list':'m'}},"
                 "{'action':'set-snapshot-ref','ref-name':'%s','type':'branch','snapshot-id':%d}",
                 step + 1, current, step + 1, (unsigned long long)f->now_ms,
                 prng_chance(prng, 3, 4) ? "main" : "dev", step + 1);
        break;
    case 4:
        snprintf(text, 1000, "{'action':'set-properties','updates':{'k%d':'%d'}}", id % 5, step);
        break;
    case 5:
        snprintf(text, 1000, "{'action':'remove-properties','removals':['k%d']}", id % 5);
        break;
    case 6:
        snprintf(text, 1000,
                 "{'action':'add-schema','schema':{'type':'struct','fields':[{'id':1,'name':'id',"
                 "'required':true,'type':'long'},{'id':%d,'name':'c%d','required':false,"
                 "'type':'int'}]}},{'action':'set-current-schema','schema-id':-1}",
                 id + 2, id);
        break;
    case 7:
        snprintf(text, 1000,
                 "{'action':'add-spec','spec':{'fields':[{'name':'p%d','transform':'bucket[%d]',"
                 "'source-id':1}]}},{'action':'set-default-spec','spec-id':-1}",
                 id, id);
        break;
    case 8:
        snprintf(text, 1000, "{'action':'remove-partition-specs','spec-ids':[%d,0]}", id % 4);
        break;
    case 9:
        snprintf(text, 1000,
                 "{'action':'set-snapshot-ref','ref-name':'%s','type':'branch','snapshot-id':%d}",
                 prng_chance(prng, 1, 2) ? "main" : "b", id);
        break;
    case 10:
        snprintf(text, 1000, "{'action':'remove-snapshot-ref','ref-name':'%s'}",
                 prng_chance(prng, 1, 2) ? "dev" : "b");
        break;
    case 11:
        snprintf(text, 1000, "{'action':'remove-snapshots','snapshot-ids':[%d,%d,%d]}", id, id + 1,
                 id / 2);
        break;
    case 12:
        snprintf(text, 1000,
                 "{'action':'set-partition-statistics','partition-statistics':{'snapshot-id':%d,"
                 "'statistics-path':'p','file-size-in-bytes':%d}}",
                 id, step);
        break;
    default: snprintf(text, 1000, "{'action':'remove-schemas','schema-ids':[%d]}", id % 3); break;
    }
    return text;
}

/* Each version that is still in the outbox is what it was when it was made. */
static void check_all(struct fixture *f, const struct remembered *made, size_t made_count)
{
    struct diag diag = {.count = 0};
    struct kv_snapshot *snapshot = NULL;
    size_t count = 0;
    struct catalog_publish_job *jobs = jobs_of(f, &snapshot, &count);
    for (size_t i = 0; i < count; i++) {
        struct catalog_stream *stream = NULL;
        const struct remembered *want = NULL;
        for (size_t m = 0; m < made_count; m++) {
            if (str_is(jobs[i].metadata_location, made[m].location))
                want = &made[m];
        }
        assert_non_null(want);
        assert_true(is_ok(
            catalog_publish_open(&snapshot->reader, &f->arena, &jobs[i].version, &diag, &stream)));
        assert_string_equal(table_drain(f, stream, 97).data, want->document);
    }
    kv_snapshot_close(snapshot);
}

static void random_history(uint64_t seed)
{
    static struct remembered made[400];
    struct fixture f;
    struct prng prng;
    size_t count = 0;
    prng_init(&prng, seed);
    table_open(&f, 2);
    if (prng_chance(&prng, 1, 2))
        table_commit(&f, "",
                     "{'action':'set-properties','updates':{'write.metadata.previous-versions-max':"
                     "'3','write.metadata.delete-after-commit.enabled':'true'}}",
                     NULL);
    publish_all(&f);
    for (int step = 0; step < 60; step++) {
        const char *updates = random_update(&f, &prng, step);
        const char *answer = table_commit(&f, "", updates, NULL);
        const char *location = location_of(&f);
        if (strcmp(answer, "200") == 0 &&
            (count == 0 || strcmp(made[count - 1].location, location) != 0))
            made[count++] = (struct remembered){location, table_metadata(&f)};
        size_t left = pending(&f);
        if (left > 0 && prng_chance(&prng, 1, 2))
            publish_nth(&f, prng_chance(&prng, 3, 4) ? 0 : (size_t)prng_below(&prng, left));
        check_all(&f, made, count);
    }
    assert_true(count > 15);
    publish_all(&f);
    assert_int_equal(undo_rows(&f), 0);
    fixture_close(&f);
}

static void unpublished_versions_are_rebuilt(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 25; seed++)
        random_history(seed);
}

/* --- single facts --- */

static void no_undo_when_all_is_published(void **state)
{
    struct fixture f;
    (void)state;
    table_open(&f, 2);
    assert_int_equal(f.await_count, 1);
    publish_all(&f);
    table_commit(&f, "", APPEND(10, -1, 1, 100), NULL);
    assert_int_equal(undo_rows(&f), 0);
    table_commit(&f, "", APPEND(11, 10, 2, 110), NULL);
    /* Header and ref; what has an ordinal needs none. */
    assert_int_equal(undo_rows(&f), 2);
    publish_nth(&f, 0);
    assert_int_equal(undo_rows(&f), 0);
    fixture_close(&f);
}

static void published_versions_are_gone(void **state)
{
    struct fixture f;
    struct diag diag = {.count = 0};
    struct kv_snapshot *snapshot = NULL;
    struct catalog_publish_job job;
    struct catalog_stream *stream = NULL;
    size_t count = 0;
    bool found = true;
    (void)state;
    table_open(&f, 2);
    struct catalog_publish_job *jobs = jobs_of(&f, &snapshot, &count);
    kv_snapshot_close(snapshot);
    assert_int_equal(count, 1);
    table_commit(&f, "", APPEND(10, -1, 1, 100), NULL);
    publish_nth(&f, 0);
    assert_true(is_ok(kv_store_snapshot(f.store, &diag, &snapshot)));
    assert_true(is_ok(
        catalog_outbox_get(&snapshot->reader, &f.arena, &jobs[0].version, &diag, &job, &found)));
    assert_false(found);
    assert_int_equal(
        catalog_publish_open(&snapshot->reader, &f.arena, &jobs[0].version, &diag, &stream).code,
        STATUS_NOT_FOUND);
    kv_snapshot_close(snapshot);
    fixture_close(&f);
}

static void old_files_are_named_for_deletion(void **state)
{
    struct fixture f;
    struct kv_snapshot *snapshot = NULL;
    size_t count = 0;
    (void)state;
    table_open(&f, 2);
    const char *first = location_of(&f);
    table_commit(&f, "",
                 "{'action':'set-properties','updates':{'write.metadata.previous-versions-max':'1',"
                 "'write.metadata.delete-after-commit.enabled':'true',"
                 "'write.metadata.compression-codec':'gzip'}}",
                 NULL);
    table_commit(&f, "", APPEND(10, -1, 1, 100), NULL);
    struct catalog_publish_job *jobs = jobs_of(&f, &snapshot, &count);
    assert_int_equal(count, 3);
    assert_false(jobs[0].gzip);
    assert_int_equal(jobs[1].delete_count, 0);
    assert_true(jobs[2].gzip);
    assert_true(str_ends(jobs[2].metadata_location, STR(".gz.metadata.json")));
    assert_int_equal(jobs[2].delete_count, 1);
    assert_true(str_is(jobs[2].delete_after[0], first));
    kv_snapshot_close(snapshot);
    fixture_close(&f);
}

/* The table says what its client said; the file goes where that is. */
static void files_have_canonical_locations(void **state)
{
    struct fixture f;
    struct kv_snapshot *snapshot = NULL;
    size_t count = 0;
    (void)state;
    table_open(&f, 2);
    table_commit(&f, "",
                 "{'action':'set-location','location':'file:/lake/x'},{'action':'set-properties',"
                 "'updates':{'write.metadata.previous-versions-max':'1',"
                 "'write.metadata.delete-after-commit.enabled':'true'}}",
                 NULL);
    const char *location = location_of(&f);
    assert_ptr_equal(strstr(location, "file:/lake/x/metadata/00001-"), location);
    table_commit(&f, "", APPEND(10, -1, 1, 100), NULL);
    table_commit(&f, "", APPEND(11, 10, 2, 110), NULL);
    struct catalog_publish_job *jobs = jobs_of(&f, &snapshot, &count);
    assert_int_equal(count, 4);
    assert_true(str_starts(jobs[1].metadata_location, STR("file:///lake/x/metadata/00001-")));
    assert_int_equal(jobs[3].delete_count, 1);
    assert_true(str_eq(jobs[3].delete_after[0], jobs[1].metadata_location));
    kv_snapshot_close(snapshot);
    fixture_close(&f);
}

/* A location is refused when the files below it would have none: their job would never end. */
static void files_have_room_below_a_location(void **state)
{
    struct fixture f;
    struct kv_snapshot *snapshot = NULL;
    size_t count = 0;
    char location[4076];
    char updates[5000];
    (void)state;
    table_open(&f, 2);
    memset(location, 'x', sizeof(location));
    location[sizeof(location) - 1] = 0;
    memcpy(location, "file:///lake", 12);
    for (size_t i = 12; i < 4000; i += 900)
        location[i] = '/';
    snprintf(updates, sizeof(updates), "{'action':'set-location','location':'%s'}", location);
    const char *answer = table_commit(&f, "", updates, NULL);
    static const char wanted[] = "400 IllegalArgumentException: The location is not valid: it is "
                                 "longer than 4096 bytes: ";
    assert_ptr_equal(strstr(answer, wanted), answer);
    location[3900] = 0;
    snprintf(updates, sizeof(updates), "{'action':'set-location','location':'%s'}", location);
    assert_string_equal(table_commit(&f, "", updates, NULL), "200");
    (void)jobs_of(&f, &snapshot, &count);
    assert_int_equal(count, 2);
    kv_snapshot_close(snapshot);
    fixture_close(&f);
}

static void lists_stop_at_their_limit(void **state)
{
    struct fixture f;
    struct diag diag = {.count = 0};
    struct kv_snapshot *snapshot = NULL;
    struct catalog_publish_job *jobs = NULL;
    size_t count = 0;
    (void)state;
    table_open(&f, 2);
    table_commit(&f, "", APPEND(10, -1, 1, 100), NULL);
    assert_true(is_ok(kv_store_snapshot(f.store, &diag, &snapshot)));
    assert_true(is_ok(catalog_outbox_list(&snapshot->reader, &f.arena, 1, &diag, &jobs, &count)));
    assert_int_equal(count, 1);
    assert_int_equal(jobs[0].version.version, 0);
    kv_snapshot_close(snapshot);
    fixture_close(&f);
}

/* --- drops --- */

struct step {
    struct catalog_drop_job job;
    size_t max_rows;
    bool done;
};

static status_value drop_step(struct catalog_context *context, void *argument)
{
    struct step *step = argument;
    return catalog_drop_step(context, &step->job, step->max_rows, &step->done);
}

static size_t drop_jobs(struct fixture *f, struct catalog_drop_job *out_first)
{
    struct diag diag = {.count = 0};
    struct kv_snapshot *snapshot = NULL;
    struct catalog_drop_job *jobs = NULL;
    size_t count = 0;
    ASSERT(is_ok(kv_store_snapshot(f->store, &diag, &snapshot)));
    ASSERT(is_ok(catalog_drop_list(&snapshot->reader, &f->arena, 10, &diag, &jobs, &count)));
    if (count > 0)
        *out_first = jobs[0];
    kv_snapshot_close(snapshot);
    return count;
}

static void drops_wait_for_the_outbox_and_go_in_steps(void **state)
{
    struct fixture f;
    struct step step = {.max_rows = 3};
    int steps = 0;
    (void)state;
    table_open(&f, 2);
    table_commit(&f, "", APPEND(10, -1, 1, 100), NULL);
    EXPECT(&f, "TABLE_DROP a/t purge", "204");
    assert_int_equal(f.writes, 2); /* the name and one job row */
    assert_int_equal(drop_jobs(&f, &step.job), 0);
    publish_all(&f);
    assert_int_equal(drop_jobs(&f, &step.job), 1);
    assert_true(step.job.purge);
    assert_false(step.job.is_view);
    for (; !step.done; steps++)
        table_change(&f, drop_step, &step);
    assert_true(steps > 2);
    assert_int_equal(drop_jobs(&f, &step.job), 0);
    struct key prefix = key_object(1, KEY_TABLE, step.job.object_id);
    assert_int_equal(fixture_rows(&f, key_str(&prefix)), 0);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unpublished_versions_are_rebuilt),
        cmocka_unit_test(no_undo_when_all_is_published),
        cmocka_unit_test(published_versions_are_gone),
        cmocka_unit_test(old_files_are_named_for_deletion),
        cmocka_unit_test(files_have_canonical_locations),
        cmocka_unit_test(files_have_room_below_a_location),
        cmocka_unit_test(lists_stop_at_their_limit),
        cmocka_unit_test(drops_wait_for_the_outbox_and_go_in_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
