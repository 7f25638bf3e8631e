/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table_create_test.c - createTable, staged creates, loads and their ETags.
 */
#include "table_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static void ids_are_fresh(void **state)
{
    struct fixture f;
    (void)state;
    table_open(&f, 2);
    assert_string_equal(
        run_quoted(&f, "TABLE_CREATE a show=schemas {'name':'n','schema':{'type':'struct',"
                       "'schema-id':7,'identifier-field-ids':[20],'fields':["
                       "{'id':10,'name':'s','required':true,'type':{'type':'struct','fields':["
                       "{'id':11,'name':'x','required':true,'type':'int'}]}},"
                       "{'id':20,'name':'y','required':true,'type':'long'}]},"
                       "'partition-spec':{'spec-id':3,'fields':[{'field-id':5000,'source-id':20,"
                       "'name':'yb','transform':'bucket[8]'}]},"
                       "'write-order':{'order-id':9,'fields':[{'transform':'identity','source-id':"
                       "20,'direction':'desc','null-order':'nulls-last'}]}}"),
        "200 [{\"type\":\"struct\",\"schema-id\":0,\"identifier-field-ids\":[2],\"fields\":["
        "{\"id\":1,\"name\":\"s\",\"required\":true,\"type\":{\"type\":\"struct\",\"fields\":["
        "{\"id\":3,\"name\":\"x\",\"required\":true,\"type\":\"int\"}]}},{\"id\":2,\"name\":\"y\","
        "\"required\":true,\"type\":\"long\"}]}]");
    EXPECT(&f, "TABLE_LOAD a/n show=last-column-id", "200 3");
    assert_non_null(
        strstr(fixture_run(&f, "TABLE_LOAD a/n show=partition-specs"), "\"field-id\":1000"));
    EXPECT(&f, "TABLE_LOAD a/n show=last-partition-id", "200 1000");
    EXPECT(&f, "TABLE_LOAD a/n show=default-sort-order-id", "200 1");
    fixture_close(&f);
}

static void properties_and_version(void **state)
{
    struct fixture f;
    (void)state;
    table_open(&f, 2);
    assert_string_equal(run_quoted(&f,
                                   "TABLE_CREATE a show=properties {'name':'n','schema':" SCHEMA_TWO
                                   ",'properties':{'format-version':'3','uuid':'x','k':'v',"
                                   "'write.parquet.compression-codec':'gzip'}}"),
                        "200 {\"k\":\"v\",\"write.parquet.compression-codec\":\"gzip\"}");
    EXPECT(&f, "TABLE_LOAD a/n show=format-version", "200 3");
    EXPECT(&f, "TABLE_LOAD a/n show=next-row-id", "200 0");
    EXPECT(&f, "TABLE_LOAD a/n show=current-snapshot-id", "200 null");
    fixture_close(&f);
}

static void refusals(void **state)
{
    static const struct {
        const char *body;
        const char *want;
    } cases[] = {
        {"'properties':{'format-version':'4'}",
         "400 IllegalArgumentException: Cannot create table with format version v4: it is not "
         "adopted yet (use v3 or lower)"},
        {"'properties':{'format-version':'12'}",
         "400 IllegalArgumentException: Unsupported format version: v12 (supported: v4)"},
        {"'properties':{'format-version':'two'}",
         "400 IllegalArgumentException: format-version is no number"},
        {"'properties':{'k':7}",
         "400 IllegalArgumentException: create table request: the value of property k is no "
         "string"},
        {"'properties':[]",
         "400 BadRequestException: create table request: properties must be an object"},
        {"'location':'file:///elsewhere/t'",
         "400 IllegalArgumentException: table location file:///elsewhere/t is outside of the "
         "location file:///lake of warehouse lake"},
        {"'location':'file:///lake/../t'", "400 IllegalArgumentException: "},
        {"'partition-spec':{'fields':[{'name':'q','transform':'identity','source-id':40}]}",
         "400 IllegalArgumentException: "},
    };
    struct fixture f;
    (void)state;
    table_open(&f, 2);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        char line[2000];
        snprintf(line, sizeof(line), "TABLE_CREATE a {'name':'n','schema':" SCHEMA_TWO ",%s}",
                 cases[i].body);
        EXPECT_BEGINS(&f, quoted(&f, line), cases[i].want);
    }
    EXPECT_BEGINS(&f, "TABLE_CREATE a {\"name\":\"n\"}", "400 BadRequestException: ");
    EXPECT(&f, "TABLE_LOAD a/n", "404 NoSuchTableException: Table does not exist: a.n");
    fixture_close(&f);
}

/* A name that comes back must not get the old files (dropAfterRenameDoesntCorruptTable). */
static void default_locations_are_unique(void **state)
{
    static const char create[] =
        "TABLE_CREATE a show=location {'name':'n','schema':" SCHEMA_TWO "}";
    struct fixture f;
    (void)state;
    table_open(&f, 2);
    const char *first = run_quoted(&f, create);
    EXPECT(&f, "TABLE_DROP a/n", "204");
    const char *second = run_quoted(&f, create);
    assert_string_not_equal(first, second);
    EXPECT_BEGINS(&f, quoted(&f, create), "409 AlreadyExistsException: Table already exists: a.n");
    assert_ptr_equal(strstr(first, "\"file:///lake/a/n-"), first + 4);
    fixture_close(&f);
}

static void odd_names_make_plain_locations(void **state)
{
    struct fixture f;
    (void)state;
    table_open(&f, 2);
    const char *answer =
        run_quoted(&f, "TABLE_CREATE a show=location {'name':'../x y?é','schema':" SCHEMA_TWO "}");
    assert_non_null(strstr(answer, "\"file:///lake/a/_._x_y___-"));
    fixture_close(&f);
}

static void given_location_is_kept(void **state)
{
    struct fixture f;
    (void)state;
    table_open(&f, 2);
    assert_string_equal(run_quoted(&f, "TABLE_CREATE a show=location {'name':'n','location':"
                                       "'file:/lake/mine/','schema':" SCHEMA_TWO "}"),
                        "200 \"file:/lake/mine\"");
    assert_non_null(strstr(fixture_run(&f, "TABLE_LOAD a/n show="),
                           "\"metadata-location\":\"file:/lake/mine/metadata/00000-"));
    fixture_close(&f);
}

static void staging_leaves_nothing(void **state)
{
    struct fixture f;
    (void)state;
    table_open(&f, 2);
    size_t rows = fixture_rows(&f, STR("C"));
    const char *answer = run_quoted(
        &f, "TABLE_CREATE a show= {'name':'n','stage-create':true,'schema':" SCHEMA_TWO "}");
    assert_ptr_equal(strstr(answer, "200 {\"metadata\":{\"format-version\":2,"), answer);
    assert_non_null(strstr(answer, "\"created-at\":\"2023-11-14T22:13:20."));
    assert_non_null(strstr(answer, ",\"config\":{}}"));
    assert_int_equal(fixture_rows(&f, STR("C")), rows);
    assert_int_equal(f.await_count, 0);
    EXPECT_BEGINS(&f, "TABLE_LOAD a/n", "404 ");
    EXPECT_BEGINS(
        &f, quoted(&f, "TABLE_CREATE a {'name':'t','stage-create':true,'schema':" SCHEMA_TWO "}"),
        "409 AlreadyExistsException");
    fixture_close(&f);
}

/* --- loads --- */

static void snapshots_of_refs(void **state)
{
    struct fixture f;
    (void)state;
    table_open(&f, 2);
    table_commit(&f, "", APPEND(30, -1, 1, 100), NULL);
    table_commit(&f, "", APPEND(10, 30, 2, 110) "," REF("v1", 10, "tag"), NULL);
    table_commit(&f, "", APPEND(20, 10, 3, 120) "," REF("b", 30, "branch"), NULL);
    table_commit(&f, "", REF("b", 20, "branch"), NULL);
    const char *text = fixture_run(&f, "TABLE_LOAD a/t refs show=snapshots");
    assert_null(strstr(text, "\"snapshot-id\":30"));
    const char *ten = strstr(text, "\"snapshot-id\":10");
    assert_non_null(ten);
    assert_true(strstr(text, "\"snapshot-id\":20") > ten);
    assert_null(strstr(strstr(text, "\"snapshot-id\":20") + 1, "\"snapshot-id\":20"));
    /* The log is whole in both modes. */
    assert_string_equal(fixture_run(&f, "TABLE_LOAD a/t refs show=snapshot-log"),
                        fixture_run(&f, "TABLE_LOAD a/t show=snapshot-log"));
    fixture_close(&f);
}

/* More than any first size of the map; overwritten, removed, and set again. */
static void many_properties(void **state)
{
    enum { COUNT = 3000 };
    static char updates[COUNT * 32];
    struct fixture f;
    (void)state;
    table_open(&f, 2);
    int size = snprintf(updates, sizeof(updates), "{'action':'set-properties','updates':{'p0':'v'");
    for (int i = 1; i < COUNT; i++)
        size += snprintf(updates + size, sizeof(updates) - (size_t)size, ",'p%d':'v%d'", i, i);
    snprintf(updates + size, sizeof(updates) - (size_t)size, "}}");
    const char *first = table_commit(&f, "", updates, "properties");
    assert_non_null(strstr(first, "\"p2999\":\"v2999\""));
    assert_string_equal(table_commit(&f, "", updates, "properties"), first);
    const char *second =
        table_commit(&f, "",
                     "{'action':'remove-properties','removals':['p7','p2999']},"
                     "{'action':'set-properties','updates':{'p7':'again','p8':'new'}}",
                     "properties");
    assert_non_null(strstr(second, "\"p6\":\"v6\",\"p7\":\"again\",\"p8\":\"new\",\"p9\""));
    assert_null(strstr(second, "p2999"));
    fixture_close(&f);
}

/* A ref's name may be longer than a key; two that differ only far behind stay two. */
static void long_ref_names(void **state)
{
    char name[600];
    char updates[2000];
    struct fixture f;
    (void)state;
    table_open(&f, 2);
    memset(name, 'n', sizeof(name));
    for (int i = 0; i < 2; i++) {
        name[598] = (char)('a' + i);
        name[599] = '\0';
        snprintf(updates, sizeof(updates),
                 "{'action':'set-snapshot-ref','ref-name':'%s','type':'tag','snapshot-id':10}",
                 name);
        if (i == 0)
            table_commit(&f, "", SNAPSHOT(10, -1, 1, 100), NULL);
        const char *refs = table_commit(&f, "", updates, "refs");
        assert_non_null(strstr(refs, name));
        assert_int_equal(strlen(refs), 4 + 2 + (size_t)(i + 1) * (599 + 34) + (size_t)i);
    }
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_fresh),
        cmocka_unit_test(properties_and_version),
        cmocka_unit_test(refusals),
        cmocka_unit_test(default_locations_are_unique),
        cmocka_unit_test(odd_names_make_plain_locations),
        cmocka_unit_test(given_location_is_kept),
        cmocka_unit_test(staging_leaves_nothing),
        cmocka_unit_test(snapshots_of_refs),
        cmocka_unit_test(many_properties),
        cmocka_unit_test(long_ref_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
