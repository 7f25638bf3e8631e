/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transaction_test.c - several tables at once: all or none, in order, one version each.
 */
#include "catalog_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define CHANGE(name, requirements, updates)                                                        \
    "{'identifier':{'namespace':['a'],'name':'" name "'},'requirements':[" requirements            \
    "],'updates':[" updates "]}"
#define TRANSACT(changes) "TRANSACTION_COMMIT {'table-changes':[" changes "]}"
#define STALE "{'type':'assert-default-spec-id','default-spec-id':9}"
#define MUST_NOT_EXIST "{'type':'assert-create'}"

static void scene_open(struct fixture *f)
{
    fixture_open(f);
    EXPECT_BEGINS(f, FIXTURE_NAMESPACE("a"), "200");
    EXPECT_BEGINS(f, "TABLE_CREATE a " FIXTURE_TABLE("t"), "200");
    EXPECT_BEGINS(f, "TABLE_CREATE a " FIXTURE_TABLE("u"), "200");
}

/* Members of a metadata-log: one per version but the first. */
static size_t versions(struct fixture *f, const char *table)
{
    size_t count = 0;
    const char *log = fixture_runf(f, "TABLE_LOAD %s show=metadata-log", table);
    for (const char *at = log; (at = strstr(at, "\"metadata-file\"")) != NULL; at++)
        count++;
    return count;
}

static void two_tables_at_once(void **state)
{
    (void)state;
    struct fixture fixture;
    struct fixture *f = &fixture;
    scene_open(f);
    EXPECT(
        f,
        TRANSACT(CHANGE("t", "", FIXTURE_SET("k", "1")) "," CHANGE("u", "", FIXTURE_SET("k", "2"))),
        "204");
    assert_int_equal(f->await_count, 2);
    EXPECT(f, "TABLE_LOAD a/t show=properties",
           "200 {\"write.parquet.compression-codec\":\"zstd\",\"k\":\"1\"}");
    EXPECT(f, "TABLE_LOAD a/u show=properties",
           "200 {\"write.parquet.compression-codec\":\"zstd\",\"k\":\"2\"}");
    EXPECT(f, TRANSACT(""), "204");
    assert_int_equal(f->writes, 0);
    fixture_close(f);
}

static void a_conflict_changes_nothing(void **state)
{
    (void)state;
    struct fixture fixture;
    struct fixture *f = &fixture;
    scene_open(f);
    EXPECT(f, TRANSACT(CHANGE("t", "", FIXTURE_SET("k", "1")) "," CHANGE("u", STALE, "")),
           "409 CommitFailedException: Requirement failed: default partition spec changed: "
           "expected id "
           "9 != 0 (table a.u)");
    assert_int_equal(f->writes, 0);
    assert_int_equal(versions(f, "a/t"), 0);
    fixture_close(f);
}

static void missing_tables_fail_it(void **state)
{
    (void)state;
    struct fixture fixture;
    struct fixture *f = &fixture;
    scene_open(f);
    EXPECT(
        f,
        TRANSACT(CHANGE("t", "", FIXTURE_SET("k", "1")) "," CHANGE("x", "", FIXTURE_SET("k", "1"))),
        "404 NoSuchTableException: Table does not exist: a.x");
    assert_int_equal(f->writes, 0);
    EXPECT(f,
           "TRANSACTION_COMMIT {'table-changes':[{'identifier':{'namespace':['z'],'name':'x'},"
           "'updates':[]}]}",
           "404 NoSuchTableException: Table does not exist: z.x");
    EXPECT(f,
           "TRANSACTION_COMMIT {'table-changes':[{'identifier':{'namespace':['z'],'name':'x'},"
           "'requirements':[" MUST_NOT_EXIST "],'updates':[]}]}",
           "404 NoSuchNamespaceException: Namespace does not exist: z");
    fixture_close(f);
}

static void one_table_twice_is_one_version(void **state)
{
    (void)state;
    struct fixture fixture;
    struct fixture *f = &fixture;
    scene_open(f);
    EXPECT(f,
           TRANSACT(CHANGE("t", "", FIXTURE_SET("k", "1")) "," CHANGE(
               "u", "", FIXTURE_SET("k", "1")) "," CHANGE("t", "", FIXTURE_SET("k", "2"))),
           "204");
    assert_int_equal(f->await_count, 2);
    EXPECT(f, "TABLE_LOAD a/t show=properties",
           "200 {\"write.parquet.compression-codec\":\"zstd\",\"k\":\"2\"}");
    assert_int_equal(versions(f, "a/t"), 1);
    fixture_close(f);
}

#define WIDER                                                                                      \
    "{'action':'add-schema','schema':{'type':'struct','fields':[{'id':1,'name':'id','type':'long'" \
    ","                                                                                            \
    "'required':true},{'id':2,'name':'x','type':'int','required':false}]}},"                       \
    "{'action':'set-current-schema','schema-id':-1}"
#define SCHEMA_IS(id) "{'type':'assert-current-schema-id','current-schema-id':" id "}"

static void later_changes_see_earlier_ones(void **state)
{
    (void)state;
    struct fixture fixture;
    struct fixture *f = &fixture;
    scene_open(f);
    EXPECT_BEGINS(f,
                  TRANSACT(CHANGE("t", SCHEMA_IS("0"), WIDER) "," CHANGE("t", SCHEMA_IS("0"), "")),
                  "409 CommitFailedException: Requirement failed: current schema changed");
    EXPECT(f, TRANSACT(CHANGE("t", SCHEMA_IS("0"), WIDER) "," CHANGE("t", SCHEMA_IS("1"), "")),
           "204");
    EXPECT(f, "TABLE_LOAD a/t show=current-schema-id", "200 1");
    fixture_close(f);
}

static void tables_may_be_created(void **state)
{
    (void)state;
    struct fixture fixture;
    struct fixture *f = &fixture;
    scene_open(f);
    EXPECT(f,
           TRANSACT(CHANGE("new", MUST_NOT_EXIST,
                           FIXTURE_CREATION("file:///lake/new")) "," CHANGE("t", STALE, "")),
           "409 CommitFailedException: Requirement failed: default partition spec changed: "
           "expected id "
           "9 != 0 (table a.t)");
    EXPECT_BEGINS(f, "TABLE_EXISTS a/new", "404");
    EXPECT(f,
           TRANSACT(CHANGE("new", MUST_NOT_EXIST, FIXTURE_CREATION("file:///lake/new")) "," CHANGE(
               "new", "", FIXTURE_SET("k", "1")) "," CHANGE("t", "", FIXTURE_SET("k", "1"))),
           "204");
    EXPECT(f, "TABLE_LOAD a/new show=properties", "200 {\"k\":\"1\"}");
    assert_int_equal(versions(f, "a/new"), 0);
    EXPECT(f, TRANSACT(CHANGE("new", MUST_NOT_EXIST, FIXTURE_CREATION("file:///lake/new"))),
           "409 CommitFailedException: Requirement failed: table already exists (table a.new)");
    fixture_close(f);
}

static void a_table_is_not_created_twice(void **state)
{
    (void)state;
    struct fixture fixture;
    struct fixture *f = &fixture;
    scene_open(f);
    EXPECT_BEGINS(
        f,
        TRANSACT(CHANGE("new", MUST_NOT_EXIST, FIXTURE_CREATION("file:///lake/n")) "," CHANGE(
            "new", MUST_NOT_EXIST, FIXTURE_CREATION("file:///lake/n"))),
        "409 CommitFailedException: Requirement failed: table already exists");
    EXPECT_BEGINS(f, "TABLE_EXISTS a/new", "404");
    EXPECT_BEGINS(f,
                  TRANSACT(CHANGE("new", "", FIXTURE_SET("k", "1")) "," CHANGE(
                      "new", MUST_NOT_EXIST, FIXTURE_CREATION("file:///lake/n"))),
                  "404 NoSuchTableException: Table does not exist: a.new");
    EXPECT_BEGINS(f, "VIEW_CREATE a " FIXTURE_VIEW("v"), "200");
    EXPECT(f, TRANSACT(CHANGE("v", MUST_NOT_EXIST, FIXTURE_CREATION("file:///lake/n"))),
           "409 AlreadyExistsException: View with same name already exists: a.v");
    fixture_close(f);
}

static void bad_transactions_are_refused(void **state)
{
    static const char *const bodies[] = {
        "{}",
        "{'table-changes':{}}",
        "{'table-changes':[{'updates':[]}]}",
        "{'table-changes':[1]}",
        "{'table-changes':[{'identifier':{'namespace':['a']},'updates':[]}]}",
        "{'table-changes':[{'identifier':{'namespace':['a'],'name':'t'}}]}",
        "{'table-changes':[" CHANGE("t", "", FIXTURE_SET("k", "1")) "," CHANGE(
            "t", "", "{'action':'no-such-update'}") "]}"};
    (void)state;
    struct fixture fixture;
    struct fixture *f = &fixture;
    scene_open(f);
    for (size_t i = 0; i < COUNTOF(bodies); i++) {
        const char *answer = fixture_runf(f, "TRANSACTION_COMMIT %s", bodies[i]);
        if (strncmp(answer, "400 ", 4) != 0)
            fail_msg("%s: %s", bodies[i], answer);
        assert_int_equal(f->writes, 0);
    }
    fixture_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_tables_at_once),
        cmocka_unit_test(a_conflict_changes_nothing),
        cmocka_unit_test(missing_tables_fail_it),
        cmocka_unit_test(one_table_twice_is_one_version),
        cmocka_unit_test(later_changes_see_earlier_ones),
        cmocka_unit_test(tables_may_be_created),
        cmocka_unit_test(a_table_is_not_created_twice),
        cmocka_unit_test(bad_transactions_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
