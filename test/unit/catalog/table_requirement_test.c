/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table_requirement_test.c - every requirement, its text, and commits that create.
 */
#include "table_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define CONFLICT "409 CommitFailedException: Requirement failed: "
#define BAD "400 BadRequestException: "

struct requirement_case {
    const char *requirements;
    const char *want; /* NULL: holds */
};

/* The table has a snapshot 10 in main, a tag v1 on it, and the two columns of SCHEMA_TWO. */
static const struct requirement_case cases[] = {
    {"{'type':'assert-create'}", CONFLICT "table already exists"},
    {"{'type':'assert-table-uuid','uuid':'00000000-0000-4000-8000-000000000000'}",
     CONFLICT "UUID does not match: expected "},
    {"{'type':'assert-ref-snapshot-id','ref':'main','snapshot-id':10}", NULL},
    {"{'type':'assert-ref-snapshot-id','ref':'main','snapshot-id':11}",
     CONFLICT "branch main has changed: expected id 11 != 10"},
    {"{'type':'assert-ref-snapshot-id','ref':'main','snapshot-id':null}",
     CONFLICT "branch main was created concurrently"},
    {"{'type':'assert-ref-snapshot-id','ref':'main'}",
     CONFLICT "branch main was created concurrently"},
    {"{'type':'assert-ref-snapshot-id','ref':'v1','snapshot-id':-1}",
     CONFLICT "tag v1 was created concurrently"},
    {"{'type':'assert-ref-snapshot-id','ref':'v1','snapshot-id':9}",
     CONFLICT "tag v1 has changed: expected id 9 != 10"},
    {"{'type':'assert-ref-snapshot-id','ref':'x','snapshot-id':4}",
     CONFLICT "branch or tag x is missing, expected 4"},
    {"{'type':'assert-ref-snapshot-id','ref':'x','snapshot-id':null}", NULL},
    {"{'type':'assert-last-assigned-field-id','last-assigned-field-id':2}", NULL},
    {"{'type':'assert-last-assigned-field-id','last-assigned-field-id':3}",
     CONFLICT "last assigned field id changed: expected id 3 != 2"},
    {"{'type':'assert-current-schema-id','current-schema-id':0}", NULL},
    {"{'type':'assert-current-schema-id','current-schema-id':1}",
     CONFLICT "current schema changed: expected id 1 != 0"},
    {"{'type':'assert-last-assigned-partition-id','last-assigned-partition-id':999}", NULL},
    {"{'type':'assert-last-assigned-partition-id','last-assigned-partition-id':1000}",
     CONFLICT "last assigned partition id changed: expected id 1000 != 999"},
    {"{'type':'assert-default-spec-id','default-spec-id':0}", NULL},
    {"{'type':'assert-default-spec-id','default-spec-id':2}",
     CONFLICT "default partition spec changed: expected id 2 != 0"},
    {"{'type':'assert-default-sort-order-id','default-sort-order-id':0}", NULL},
    {"{'type':'assert-default-sort-order-id','default-sort-order-id':2}",
     CONFLICT "default sort order changed: expected id 2 != 0"},
    {"{'type':'assert-view-uuid','uuid':'x'}",
     BAD "Cannot validate AssertViewUUID against a table"},
    {"{'type':'assert-moon'}", BAD "Cannot check update requirement of unknown type: assert-moon"},
    {"{}", BAD "Cannot parse update requirement. Missing field: type"},
    {"3", BAD "Cannot parse update requirement from non-object value"},
    {"{'type':'assert-default-spec-id'}", BAD},
};

static void every_requirement(void **state)
{
    struct fixture f;
    (void)state;
    table_open(&f, 2);
    table_commit(&f, "", APPEND(10, -1, 1, 100) "," REF("v1", 10, "tag"), NULL);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        const char *want = cases[i].want == NULL ? "200" : cases[i].want;
        const char *answer = table_commit(&f, cases[i].requirements,
                                          "{'action':'set-properties','updates':{'k':'v'}}", NULL);
        if (strncmp(answer, want, strlen(want)) != 0)
            fail_msg("%s\nwanted: %s\nanswer: %s", cases[i].requirements, want, answer);
    }
    fixture_close(&f);
}

static void uuid_ignores_case(void **state)
{
    struct fixture f;
    (void)state;
    table_open(&f, 2);
    const char *uuid = fixture_run(&f, "TABLE_LOAD a/t show=table-uuid");
    char requirement[200];
    snprintf(requirement, sizeof(requirement), "{'type':'assert-table-uuid','uuid':%s}", uuid + 4);
    for (char *c = requirement + 36; *c != '\0'; c++)
        *c = *c >= 'a' && *c <= 'f' ? (char)(*c - 32) : *c;
    const char *answer = table_commit(&f, requirement, "", "table-uuid");
    assert_string_equal(answer, uuid);
    fixture_close(&f);
}

#define CREATE_UPDATES                                                                             \
    "{'action':'assign-uuid','uuid':'11111111-2222-4333-8444-555555555555'},"                      \
    "{'action':'upgrade-format-version','format-version':2},"                                      \
    "{'action':'add-schema','schema':" SCHEMA_TWO "},"                                             \
    "{'action':'set-current-schema','schema-id':-1},"                                              \
    "{'action':'add-spec','spec':{'spec-id':0,'fields':[]}},"                                      \
    "{'action':'set-default-spec','spec-id':-1},"                                                  \
    "{'action':'add-sort-order','sort-order':{'order-id':0,'fields':[]}},"                         \
    "{'action':'set-default-sort-order','sort-order-id':-1},"                                      \
    "{'action':'set-location','location':'file:///lake/made'},"                                    \
    "{'action':'set-properties','updates':{'k':'v'}}"
#define ASSERT_CREATE "{'type':'assert-create'}"
#define COMMIT_NEW(requirements, updates)                                                          \
    "TABLE_COMMIT a/new show=table-uuid {'requirements':[" requirements "],'updates':[" updates "]}"

static void commit_creates(void **state)
{
    struct fixture f;
    (void)state;
    table_open(&f, 2);
    assert_string_equal(
        run_quoted(&f, COMMIT_NEW(ASSERT_CREATE, CREATE_UPDATES "," APPEND(10, -1, 1, 100))),
        "200 \"11111111-2222-4333-8444-555555555555\"");
    assert_int_equal(f.await_count, 1);
    EXPECT(&f, "TABLE_LOAD a/new show=current-snapshot-id", "200 10");
    EXPECT(&f, "TABLE_LOAD a/new show=metadata-log", "200 []");
    EXPECT(&f, "TABLE_LOAD a/new show=last-column-id", "200 2");
    EXPECT(&f, "TABLE_LOAD a/new show=current-schema-id", "200 0");
    /* The loser of a race. */
    assert_string_equal(run_quoted(&f, COMMIT_NEW(ASSERT_CREATE, CREATE_UPDATES)),
                        "409 CommitFailedException: Requirement failed: table already exists");
    fixture_close(&f);
}

static void commit_creates_only_whole_tables(void **state)
{
    static const struct {
        const char *updates;
        const char *want;
    } missing[] = {
        {"{'action':'set-location','location':'file:///lake/x'}",
         "400 IllegalArgumentException: UUID is required in format v2"},
        {"{'action':'assign-uuid','uuid':'11111111-2222-4333-8444-555555555555'}",
         "400 IllegalArgumentException: Cannot create table without a location"},
        {"{'action':'assign-uuid','uuid':'11111111-2222-4333-8444-555555555555'},"
         "{'action':'set-location','location':'file:///lake/x'}",
         "400 IllegalArgumentException: Cannot create table without a current schema"},
        {APPEND(10, -1, 1, 100),
         "400 IllegalArgumentException: Attempting to add a snapshot before a schema is added"},
        {"{'action':'upgrade-format-version','format-version':4}",
         "400 IllegalArgumentException: Cannot create table with format version v4: it is not "
         "adopted yet (use v3 or lower)"},
        {"{'action':'upgrade-format-version','format-version':9}",
         "400 IllegalArgumentException: Unsupported format version: v9 (supported: v4)"},
        {"{'action':'add-spec','spec':{'fields':[]}}",
         "400 IllegalArgumentException: Cannot add a partition spec before a current schema is "
         "set"},
    };
    struct fixture f;
    (void)state;
    table_open(&f, 2);
    for (size_t i = 0; i < COUNTOF(missing); i++) {
        char line[2000];
        snprintf(line, sizeof(line), COMMIT_NEW(ASSERT_CREATE, "%s"), missing[i].updates);
        assert_string_equal(run_quoted(&f, line), missing[i].want);
    }
    EXPECT_BEGINS(&f, "TABLE_LOAD a/new", "404 NoSuchTableException");
    assert_string_equal(
        run_quoted(&f, COMMIT_NEW(ASSERT_CREATE ",{'type':'assert-table-uuid','uuid':'x'}", "")),
        "400 IllegalArgumentException: Invalid create requirements: [assert-create, "
        "assert-table-uuid]");
    assert_string_equal(run_quoted(&f, COMMIT_NEW("", CREATE_UPDATES)),
                        "404 NoSuchTableException: Table does not exist: a.new");
    fixture_close(&f);
}

/* Changes of one table in a transaction: checked one after the other, one version. */
static void transaction_makes_one_version(void **state)
{
    static const char line[] =
        "TRANSACTION_COMMIT {'table-changes':["
        "{'identifier':{'namespace':['a'],'name':'t'},'requirements':["
        "{'type':'assert-ref-snapshot-id','ref':'main','snapshot-id':null}],"
        "'updates':[" APPEND(
            10, -1, 1, 100) "]},"
                            "{'identifier':{'namespace':['a'],'name':'t'},'requirements':["
                            "{'type':'assert-ref-snapshot-id','ref':'main','snapshot-id':10}],"
                            "'updates':[" APPEND(11, 10, 2, 110) "]}]}";
    struct fixture f;
    (void)state;
    table_open(&f, 2);
    assert_string_equal(run_quoted(&f, line), "204");
    assert_int_equal(f.await_count, 1);
    EXPECT(&f, "TABLE_LOAD a/t show=current-snapshot-id", "200 11");
    EXPECT(&f, "TABLE_LOAD a/t show=snapshot-log",
           "200 [{\"timestamp-ms\":1700000000110,\"snapshot-id\":11}]");
    assert_non_null(strstr(fixture_run(&f, "TABLE_LOAD a/t show="), "/metadata/00001-"));
    const char *before = table_metadata(&f);
    EXPECT_BEGINS(&f, quoted(&f, line), "409 CommitFailedException");
    assert_string_equal(table_metadata(&f), before);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_requirement),
        cmocka_unit_test(uuid_ignores_case),
        cmocka_unit_test(commit_creates),
        cmocka_unit_test(commit_creates_only_whole_tables),
        cmocka_unit_test(transaction_makes_one_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
