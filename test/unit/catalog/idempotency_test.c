/* SPDX-License-Identifier: Apache-2.0 */
/*
 * idempotency_test.c - a keyed request happens once; its outcome is told again.
 */
#include "catalog_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define KEYED_COMMIT(table, key, value)                                                            \
    "TABLE_COMMIT a/" table " key=" key                                                            \
    " {'requirements':[],'updates':[" FIXTURE_SET("k", value) "]}"

static void scene_open(struct fixture *f)
{
    fixture_open(f);
    EXPECT_BEGINS(f, FIXTURE_NAMESPACE("a"), "200");
    EXPECT_BEGINS(f, "TABLE_CREATE a " FIXTURE_TABLE("t"), "200");
}

static const char first_record[] = "C\0\0\0\1i";
static struct str records(void)
{
    return (struct str){first_record, 6};
}

/* Runs the line, then again: the same answer, told from the record. */
static void twice(struct fixture *f, const char *line, const char *wanted)
{
    EXPECT_BEGINS(f, line, wanted);
    const char *first = fixture_run(f, line);
    assert_int_equal(f->writes, 0);
    EXPECT(f, line, first);
    assert_int_equal(strncmp(first, wanted, strlen(wanted)), 0);
}

static void every_kind_of_answer_is_replayed(void **state)
{
    (void)state;
    struct fixture fixture;
    struct fixture *f = &fixture;
    scene_open(f);
    twice(f, "NAMESPACE_CREATE key=1 {'namespace':['b'],'properties':{'x':'y'}}",
          "200 {\"namespace\":[\"b\"],\"properties\":{\"x\":\"y\"}}");
    assert_true(f->was_replayed);
    twice(f, "NAMESPACE_PROPERTIES a key=2 {'updates':{'x':'1'}}",
          "200 {\"updated\":[\"x\"],\"removed\":[],\"missing\":[]}");
    twice(f, "TABLE_CREATE a key=3 " FIXTURE_TABLE("n"), "200");
    twice(f, KEYED_COMMIT("t", "4", "1"), "200");
    twice(f, "TABLE_RENAME key=5 " FIXTURE_RENAME("a", "n", "b", "m"), "204");
    twice(f, "VIEW_CREATE a key=6 " FIXTURE_VIEW("v"), "200");
    twice(f, "VIEW_RENAME key=7 " FIXTURE_RENAME("a", "v", "b", "w"), "204");
    twice(f, "TABLE_DROP b/m key=8", "204");
    twice(f, "VIEW_DROP b/w key=9", "204");
    twice(f, "NAMESPACE_DROP b key=10", "204");
    twice(
        f,
        "TRANSACTION_COMMIT key=11 {'table-changes':[{'identifier':{'namespace':['a'],'name':'t'},"
        "'updates':[" FIXTURE_SET("k", "5") "]}]}",
        "204");
    assert_int_equal(fixture_rows(f, records()), 11);
    fixture_close(f);
}

static void a_commit_is_applied_once(void **state)
{
    (void)state;
    struct fixture fixture;
    struct fixture *f = &fixture;
    scene_open(f);
    EXPECT(f, KEYED_COMMIT("t", "1", "1"), "200");
    assert_int_equal(f->await_count, 1);
    const char *log = fixture_run(f, "TABLE_LOAD a/t show=metadata-log");
    EXPECT(f, KEYED_COMMIT("t", "1", "1"), "200");
    assert_int_equal(f->await_count, 1); /* the file may still be missing */
    EXPECT(f, "TABLE_LOAD a/t show=metadata-log", log);
    fixture_close(f);
}

static void a_replay_shows_the_object_as_it_is_now(void **state)
{
    (void)state;
    struct fixture fixture;
    struct fixture *f = &fixture;
    scene_open(f);
    EXPECT(f, KEYED_COMMIT("t", "1", "1"), "200");
    EXPECT(f, KEYED_COMMIT("t", "2", "2"), "200");
    EXPECT(f, "TABLE_RENAME " FIXTURE_RENAME("a", "t", "a", "u"), "204");
    EXPECT(f,
           "TABLE_COMMIT a/t key=1 show=properties {'requirements':[],'updates':[" FIXTURE_SET(
               "k", "1") "]}",
           "200 {\"write.parquet.compression-codec\":\"zstd\",\"k\":\"2\"}");
    assert_true(f->was_replayed);
    fixture_close(f);
}

static void a_replay_for_an_object_that_is_gone(void **state)
{
    (void)state;
    struct fixture fixture;
    struct fixture *f = &fixture;
    scene_open(f);
    EXPECT(f, KEYED_COMMIT("t", "1", "1"), "200");
    EXPECT(f, "TABLE_UNREGISTER a/t key=2", "200");
    EXPECT(f, "TABLE_LOAD a/t", "404 NoSuchTableException: Table does not exist: a.t");
    EXPECT_BEGINS(f, KEYED_COMMIT("t", "1", "1"), "200 {\"metadata-location\":\"file:///lake/");
    EXPECT_BEGINS(f, "TABLE_UNREGISTER a/t key=2", "200 {\"metadata-location\":\"file:///lake/");
    fixture_close(f);
}

static void refusals_stay_refusals(void **state)
{
    (void)state;
    struct fixture fixture;
    struct fixture *f = &fixture;
    scene_open(f);
    const char *line = "NAMESPACE_CREATE key=1 {'namespace':['a']}";
    EXPECT(f, line, "409 AlreadyExistsException: Namespace already exists: a");
    assert_int_equal(f->writes, 2); /* the record and its expiry, nothing else */
    EXPECT(f, "TABLE_DROP a/t", "204");
    EXPECT(f, "NAMESPACE_DROP a", "204");
    EXPECT(f, line, "409 AlreadyExistsException: Namespace already exists: a");
    assert_int_equal(f->writes, 0);
    EXPECT_BEGINS(f, FIXTURE_NAMESPACE("a"), "200");
    twice(f, "TABLE_DROP a/x key=2", "404 NoSuchTableException: Table does not exist: a.x");
    twice(f, "NAMESPACE_CREATE key=3 {}", "400 BadRequestException");
    twice(f, "NAMESPACE_PROPERTIES a key=4 {'removals':['b'],'updates':{'b':'1'}}", "422 ");
    fixture_close(f);
}

static void what_may_end_differently_is_not_recorded(void **state)
{
    (void)state;
    struct fixture fixture;
    struct fixture *f = &fixture;
    scene_open(f);
    EXPECT_BEGINS(f, "NAMESPACE_CREATE warehouse=none key=1 {'namespace':['b']}",
                  "404 NoSuchWarehouse");
    assert_int_equal(f->writes, 0);
    fixture_warehouse(f, "none", "file:///none", PUBLISH_SYNC);
    EXPECT_BEGINS(f, "NAMESPACE_CREATE warehouse=none key=1 {'namespace':['b']}", "200");
    fixture_close(f);
}

static void a_key_belongs_to_one_request(void **state)
{
    (void)state;
    struct fixture fixture;
    struct fixture *f = &fixture;
    scene_open(f);
    EXPECT_BEGINS(f, "TABLE_CREATE a " FIXTURE_TABLE("u"), "200");
    EXPECT(f, KEYED_COMMIT("t", "1", "1"), "200");
    const char *refusal =
        "400 BadRequestException: Idempotency-Key 01010101-0101-0101-0101-010101010101 was already "
        "used by a different request; a key belongs to one request, send a new one";
    EXPECT(f, KEYED_COMMIT("t", "1", "2"), refusal);
    assert_int_equal(f->writes, 0);
    EXPECT(f, KEYED_COMMIT("u", "1", "1"), refusal);
    EXPECT(f, "TABLE_DROP a/t key=1", refusal);
    EXPECT(f, KEYED_COMMIT("t", "1", "1"), "200"); /* the record is still the first one's */
    assert_true(f->was_replayed);
    fixture_close(f);
}

static void expired_records_go_in_small_steps(void **state)
{
    (void)state;
    struct fixture fixture;
    struct fixture *f = &fixture;
    scene_open(f);
    for (int i = 1; i <= 20; i++)
        fixture_runf(f, "TABLE_DROP a/none key=%d", i);
    assert_int_equal(fixture_rows(f, records()), 20);
    f->now_ms += 34 * 60 * 1000; /* after the lifetime, within the grace period */
    EXPECT_BEGINS(f, "TABLE_DROP a/none key=100", "404");
    assert_int_equal(fixture_rows(f, records()), 21);
    f->now_ms += 2 * 60 * 1000;
    EXPECT_BEGINS(f, "TABLE_DROP a/none key=20", "404");
    assert_int_equal(f->writes, 0); /* found, so it counts */
    for (int i = 0; i < 10; i++)
        fixture_runf(f, "TABLE_DROP a/none key=%d", 101 + i);
    assert_int_equal(fixture_rows(f, records()), 11);
    struct str expiries = {"C\0\0\0\1e", 6};
    assert_int_equal(fixture_rows(f, expiries), 11);
    fixture_close(f);
}

static void without_a_lifetime_keys_mean_nothing(void **state)
{
    (void)state;
    struct fixture fixture;
    struct fixture *f = &fixture;
    scene_open(f);
    f->options.idempotency_lifetime_ms = 0;
    EXPECT_BEGINS(f, "NAMESPACE_CREATE key=1 {'namespace':['b']}", "200");
    EXPECT_BEGINS(f, "NAMESPACE_CREATE key=1 {'namespace':['b']}", "409");
    assert_int_equal(fixture_rows(f, records()), 0);
    fixture_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_answer_is_replayed),
        cmocka_unit_test(a_commit_is_applied_once),
        cmocka_unit_test(a_replay_shows_the_object_as_it_is_now),
        cmocka_unit_test(a_replay_for_an_object_that_is_gone),
        cmocka_unit_test(refusals_stay_refusals),
        cmocka_unit_test(what_may_end_differently_is_not_recorded),
        cmocka_unit_test(a_key_belongs_to_one_request),
        cmocka_unit_test(expired_records_go_in_small_steps),
        cmocka_unit_test(without_a_lifetime_keys_mean_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
