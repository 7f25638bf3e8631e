/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rename_test.c - new names for tables and views.
 */
#include "catalog_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void scene_open(struct fixture *f)
{
    fixture_open(f);
    EXPECT_BEGINS(f, FIXTURE_NAMESPACE("a"), "200");
    EXPECT_BEGINS(f, FIXTURE_NAMESPACE("b"), "200");
    EXPECT_BEGINS(f, "TABLE_CREATE a " FIXTURE_TABLE("t"), "200");
    EXPECT_BEGINS(f, "VIEW_CREATE a " FIXTURE_VIEW("v"), "200");
}

static void a_table_gets_another_name(void **state)
{
    (void)state;
    struct fixture fixture;
    struct fixture *f = &fixture;
    scene_open(f);
    const char *uuid = fixture_run(f, "TABLE_LOAD a/t show=table-uuid");
    EXPECT(f, "TABLE_RENAME " FIXTURE_RENAME("a", "t", "a", "u"), "204");
    assert_int_equal(f->writes, 2);
    EXPECT(f, "TABLE_LOAD a/t", "404 NoSuchTableException: Table does not exist: a.t");
    EXPECT(f, "TABLE_LOAD a/u show=table-uuid", uuid);
    EXPECT(f, "TABLE_RENAME " FIXTURE_RENAME("a", "u", "b", "u"), "204");
    EXPECT(f, "TABLE_LOAD b/u show=table-uuid", uuid);
    EXPECT(f, "TABLE_LIST a", "200 {\"identifiers\":[],\"next-page-token\":null}");
    EXPECT(
        f, "TABLE_LIST b",
        "200 {\"identifiers\":[{\"namespace\":[\"b\"],\"name\":\"u\"}],\"next-page-token\":null}");
    EXPECT_BEGINS(f, "TABLE_COMMIT b/u {'requirements':[],'updates':[" FIXTURE_SET("k", "1") "]}",
                  "200");
    fixture_close(f);
}

static void a_view_gets_another_name(void **state)
{
    (void)state;
    struct fixture fixture;
    struct fixture *f = &fixture;
    scene_open(f);
    EXPECT(f, "VIEW_RENAME " FIXTURE_RENAME("a", "v", "b", "w"), "204");
    EXPECT(f, "VIEW_EXISTS a/v", "404 NoSuchViewException: View does not exist: a.v");
    EXPECT(f, "VIEW_EXISTS b/w", "204");
    EXPECT(f, "VIEW_LOAD b/w", "200");
    fixture_close(f);
}

static void a_name_is_given_once(void **state)
{
    (void)state;
    struct fixture fixture;
    struct fixture *f = &fixture;
    scene_open(f);
    EXPECT_BEGINS(f, "TABLE_CREATE a " FIXTURE_TABLE("t2"), "200");
    EXPECT_BEGINS(f, "VIEW_CREATE a " FIXTURE_VIEW("v2"), "200");
    EXPECT(f, "TABLE_RENAME " FIXTURE_RENAME("a", "t", "a", "t2"),
           "409 AlreadyExistsException: Cannot rename a.t to a.t2. Table already exists");
    EXPECT(f, "TABLE_RENAME " FIXTURE_RENAME("a", "t", "a", "v"),
           "409 AlreadyExistsException: Cannot rename a.t to a.v. View already exists");
    EXPECT(f, "VIEW_RENAME " FIXTURE_RENAME("a", "v", "a", "t"),
           "409 AlreadyExistsException: Cannot rename a.v to a.t. Table already exists");
    EXPECT(f, "VIEW_RENAME " FIXTURE_RENAME("a", "v", "a", "v2"),
           "409 AlreadyExistsException: Cannot rename a.v to a.v2. View already exists");
    EXPECT(f, "TABLE_RENAME " FIXTURE_RENAME("a", "t", "a", "t"), "204");
    assert_int_equal(f->writes, 0);
    fixture_close(f);
}

static void both_ends_must_exist(void **state)
{
    (void)state;
    struct fixture fixture;
    struct fixture *f = &fixture;
    scene_open(f);
    EXPECT(f, "TABLE_RENAME " FIXTURE_RENAME("a", "x", "a", "y"),
           "404 NoSuchTableException: Table does not exist: a.x");
    EXPECT(f, "TABLE_RENAME " FIXTURE_RENAME("z", "x", "a", "y"),
           "404 NoSuchTableException: Table does not exist: z.x");
    EXPECT(f, "TABLE_RENAME " FIXTURE_RENAME("a", "v", "a", "y"),
           "404 NoSuchTableException: Table does not exist: a.v");
    EXPECT(f, "VIEW_RENAME " FIXTURE_RENAME("a", "t", "a", "y"),
           "404 NoSuchViewException: View does not exist: a.t");
    EXPECT(f, "TABLE_RENAME " FIXTURE_RENAME("a", "t", "z", "t"),
           "404 NoSuchNamespaceException: Namespace does not exist: z");
    EXPECT(f, "VIEW_RENAME " FIXTURE_RENAME("a", "v", "z", "v"),
           "404 NoSuchNamespaceException: Namespace does not exist: z");
    EXPECT_BEGINS(f, "TABLE_RENAME {'source':{'namespace':['a'],'name':'t'}}", "400 Bad");
    EXPECT_BEGINS(f, "TABLE_RENAME {}", "400 Bad");
    fixture_close(f);
}

static void a_name_given_up_can_be_taken(void **state)
{
    (void)state;
    struct fixture fixture;
    struct fixture *f = &fixture;
    scene_open(f);
    const char *first = fixture_run(f, "TABLE_LOAD a/t show=location");
    EXPECT(f, "TABLE_RENAME " FIXTURE_RENAME("a", "t", "a", "u"), "204");
    EXPECT_BEGINS(f, "TABLE_CREATE a " FIXTURE_TABLE("t"), "200");
    assert_string_not_equal(fixture_run(f, "TABLE_LOAD a/t show=location"), first);
    EXPECT(f, "TABLE_LOAD a/u show=location", first);
    EXPECT(f, "TABLE_DROP a/t purge", "204");
    EXPECT(f, "TABLE_RENAME " FIXTURE_RENAME("a", "u", "a", "t"), "204");
    EXPECT(f, "TABLE_LOAD a/t show=location", first);
    fixture_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_gets_another_name),    cmocka_unit_test(a_view_gets_another_name),
        cmocka_unit_test(a_name_is_given_once),         cmocka_unit_test(both_ends_must_exist),
        cmocka_unit_test(a_name_given_up_can_be_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
