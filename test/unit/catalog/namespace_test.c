/* SPDX-License-Identifier: Apache-2.0 */
/*
 * namespace_test.c - warehouses and namespaces, as requests and answers.
 */
#include "catalog_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct fixture *open_fixture(void)
{
    static struct fixture fixture;
    fixture_open(&fixture);
    return &fixture;
}

static void a_namespace_lives(void **state)
{
    (void)state;
    struct fixture *f = open_fixture();
    EXPECT(f, "NAMESPACE_CREATE {\"namespace\":[\"a\"],\"properties\":{\"owner\":\"ann\"}}",
           "200 {\"namespace\":[\"a\"],\"properties\":{\"owner\":\"ann\"}}");
    EXPECT(f, "NAMESPACE_LOAD a", "200 {\"namespace\":[\"a\"],\"properties\":{\"owner\":\"ann\"}}");
    EXPECT(f, "NAMESPACE_EXISTS a", "204");
    EXPECT(f, "NAMESPACE_DROP a", "204");
    EXPECT(f, "NAMESPACE_EXISTS a", "404 NoSuchNamespaceException: Namespace does not exist: a");
    EXPECT(f, "NAMESPACE_LOAD a", "404 NoSuchNamespaceException: Namespace does not exist: a");
    EXPECT(f, "NAMESPACE_DROP a", "404 NoSuchNamespaceException: Namespace does not exist: a");
    assert_int_equal(fixture_rows(f, STR("C")), 1); /* the counter of ids */
    EXPECT(f, "NAMESPACE_CREATE {\"namespace\":[\"a\"]}",
           "200 {\"namespace\":[\"a\"],\"properties\":{}}");
    fixture_close(f);
}

static void nested_namespaces_need_their_parent(void **state)
{
    (void)state;
    struct fixture *f = open_fixture();
    EXPECT(f, "NAMESPACE_CREATE {\"namespace\":[\"a\",\"b\",\"c\"]}",
           "404 NoSuchNamespaceException: Namespace does not exist: a.b");
    EXPECT_BEGINS(f, "NAMESPACE_CREATE {\"namespace\":[\"a\"]}", "200");
    EXPECT_BEGINS(f, "NAMESPACE_CREATE {\"namespace\":[\"a\",\"b\"]}", "200");
    EXPECT_BEGINS(f, "NAMESPACE_CREATE {\"namespace\":[\"a\",\"b\",\"c\"]}", "200");
    EXPECT(f, "NAMESPACE_LOAD a.b.c", "200 {\"namespace\":[\"a\",\"b\",\"c\"],\"properties\":{}}");
    EXPECT(f, "NAMESPACE_LIST", "200 {\"namespaces\":[[\"a\"]],\"next-page-token\":null}");
    EXPECT(f, "NAMESPACE_LIST parent=a",
           "200 {\"namespaces\":[[\"a\",\"b\"]],\"next-page-token\":null}");
    EXPECT(f, "NAMESPACE_LIST parent=a.x",
           "404 NoSuchNamespaceException: Namespace does not exist: a.x");
    EXPECT(f, "NAMESPACE_DROP a",
           "409 NamespaceNotEmptyException: Namespace a is not empty. Drop its namespaces first.");
    EXPECT(f, "NAMESPACE_DROP a.b.c", "204");
    EXPECT(f, "NAMESPACE_DROP a.b", "204");
    EXPECT(f, "NAMESPACE_DROP a", "204");
    fixture_close(f);
}

static void a_namespace_is_created_once(void **state)
{
    (void)state;
    struct fixture *f = open_fixture();
    EXPECT_BEGINS(f, "NAMESPACE_CREATE {\"namespace\":[\"a\"]}", "200");
    EXPECT(f, "NAMESPACE_CREATE {\"namespace\":[\"a\"]}",
           "409 AlreadyExistsException: Namespace already exists: a");
    assert_int_equal(f->writes, 0);
    EXPECT_BEGINS(f, "NAMESPACE_CREATE {\"namespace\":[\"a\",\"x\"]}", "200");
    EXPECT(f, "NAMESPACE_CREATE {\"namespace\":[\"a\",\"x\"]}",
           "409 AlreadyExistsException: Namespace already exists: a.x");
    fixture_close(f);
}

static void bad_names_are_refused(void **state)
{
    static const char *const bodies[] = {"{}",
                                         "{\"namespace\":[]}",
                                         "{\"namespace\":[\"\"]}",
                                         "{\"namespace\":[\"a\",\"\"]}",
                                         "{\"namespace\":[1]}",
                                         "{\"namespace\":\"text\"}",
                                         "{\"namespace\":null}",
                                         "{\"namespace\":[\"a\\u001fb\"]}",
                                         "{\"namespace\":[\"a\\u0000\"]}",
                                         "{\"namespace\":[\"a\"],\"properties\":[]}",
                                         "{\"namespace\":[\"a\"],\"properties\":{\"a\":1}}",
                                         "{\"namespace\":[\"a\"],\"properties\":{\"a\":null}}"};
    (void)state;
    struct fixture *f = open_fixture();
    for (size_t i = 0; i < COUNTOF(bodies); i++) {
        const char *answer = fixture_runf(f, "NAMESPACE_CREATE %s", bodies[i]);
        assert_int_equal(strncmp(answer, "400 BadRequestException: ", 25), 0);
        assert_int_equal(f->writes, 0);
    }
    EXPECT(f, "NAMESPACE_CREATE",
           "400 BadRequestException: The request needs a JSON object as its body");
    fixture_close(f);
}

static void odd_and_long_names_work(void **state)
{
    (void)state;
    struct fixture *f = open_fixture();
    static char name[3000];
    memset(name, 'n', sizeof(name) - 1);
    fixture_runf(f, "NAMESPACE_CREATE {\"namespace\":[\"%s\"]}", name);
    name[2990] = 'm';
    assert_int_equal(strncmp(fixture_runf(f, "NAMESPACE_EXISTS %s", name), "404", 3), 0);
    assert_int_equal(
        strncmp(fixture_runf(f, "NAMESPACE_CREATE {\"namespace\":[\"%s\"]}", name), "200", 3), 0);
    assert_string_equal(fixture_runf(f, "NAMESPACE_EXISTS %s", name), "204");
    const char *list = fixture_run(f, "NAMESPACE_LIST");
    assert_int_equal(strlen(list),
                     strlen("200 {\"namespaces\":[[\"\"],[\"\"]],\"next-page-token\":null}") +
                         2 * 2999);
    EXPECT(f, "NAMESPACE_CREATE {\"namespace\":[\"a/b%41 \\u0027\\\"\\\\\"]}",
           "200 {\"namespace\":[\"a/b%41 '\\\"\\\\\"],\"properties\":{}}");
    fixture_close(f);
}

static void properties_are_updated(void **state)
{
    (void)state;
    struct fixture *f = open_fixture();
    fixture_run(
        f, "NAMESPACE_CREATE {\"namespace\":[\"a\"],\"properties\":{\"x\":\"1\",\"y\":\"2\"}}");
    EXPECT(f,
           "NAMESPACE_PROPERTIES a {\"removals\":[\"x\",\"zz\",\"x\",\"zz\"],"
           "\"updates\":{\"y\":\"3\",\"w\":\"4\"}}",
           "200 {\"updated\":[\"y\",\"w\"],\"removed\":[\"x\"],\"missing\":[\"zz\"]}");
    EXPECT(f, "NAMESPACE_LOAD a",
           "200 {\"namespace\":[\"a\"],\"properties\":{\"y\":\"3\",\"w\":\"4\"}}");
    EXPECT(f, "NAMESPACE_PROPERTIES a {\"removals\":[\"y\",\"w\"]}",
           "200 {\"updated\":[],\"removed\":[\"y\",\"w\"],\"missing\":[]}");
    EXPECT(f, "NAMESPACE_LOAD a", "200 {\"namespace\":[\"a\"],\"properties\":{}}");
    fixture_close(f);
}

static void bad_property_updates_are_refused(void **state)
{
    (void)state;
    struct fixture *f = open_fixture();
    fixture_run(f, "NAMESPACE_CREATE {\"namespace\":[\"a\"]}");
    EXPECT(f, "NAMESPACE_PROPERTIES a {\"removals\":[\"b\"],\"updates\":{\"b\":\"5\"}}",
           "422 UnprocessableEntityException: Cannot update and remove one property: b");
    EXPECT(f, "NAMESPACE_PROPERTIES x {\"removals\":[\"b\"]}",
           "404 NoSuchNamespaceException: Namespace does not exist: x");
    EXPECT_BEGINS(f, "NAMESPACE_PROPERTIES a {\"removals\":{}}", "400 BadRequestException");
    EXPECT_BEGINS(f, "NAMESPACE_PROPERTIES a {\"removals\":[1]}", "400 BadRequestException");
    EXPECT_BEGINS(f, "NAMESPACE_PROPERTIES a {\"updates\":[]}", "400 BadRequestException");
    EXPECT_BEGINS(f, "NAMESPACE_PROPERTIES a {\"updates\":{\"k\":true}}",
                  "400 BadRequestException");
    fixture_close(f);
}

static void a_namespace_location_stays_in_the_warehouse(void **state)
{
    (void)state;
    struct fixture *f = open_fixture();
    EXPECT(
        f,
        "NAMESPACE_CREATE {\"namespace\":[\"a\"],\"properties\":{\"location\":\"file:/lake/x/\"}}",
        "200 {\"namespace\":[\"a\"],\"properties\":{\"location\":\"file:///lake/x\"}}");
    EXPECT(f,
           "NAMESPACE_CREATE {\"namespace\":[\"b\"],\"properties\":{\"location\":\"file:/etc\"}}",
           "400 IllegalArgumentException: The namespace location file:///etc is outside of the "
           "location file:///lake of warehouse lake");
    EXPECT_BEGINS(f, "NAMESPACE_PROPERTIES a {\"updates\":{\"location\":\"file:///lake/../x\"}}",
                  "400 IllegalArgumentException: The namespace location is not valid");
    EXPECT_BEGINS(f, "NAMESPACE_PROPERTIES a {\"updates\":{\"location\":\"file:/lake/y\"}}", "200");
    EXPECT(f, "NAMESPACE_LOAD a",
           "200 {\"namespace\":[\"a\"],\"properties\":{\"location\":\"file:///lake/y\"}}");
    fixture_close(f);
}

static void warehouses_do_not_overlap(void **state)
{
    (void)state;
    struct fixture *f = open_fixture();
    assert_string_equal(fixture_warehouse(f, "two", "file:///lake2", PUBLISH_ASYNC), "200");
    assert_string_equal(fixture_warehouse(f, "in", "file:///lake/in", PUBLISH_SYNC),
                        "400 IllegalArgumentException: The location file:///lake/in overlaps the "
                        "location file:///lake of warehouse lake");
    assert_string_equal(fixture_warehouse(f, "all", "file:///lake2/", PUBLISH_SYNC),
                        "400 IllegalArgumentException: The location file:///lake2 overlaps the "
                        "location file:///lake2 of warehouse two");
    assert_string_equal(fixture_warehouse(f, "two", "file:///lake3", PUBLISH_SYNC), "200");
    fixture_run(f, "NAMESPACE_CREATE warehouse=two {\"namespace\":[\"a\"]}");
    assert_string_equal(fixture_warehouse(f, "two", "file:///lake3", PUBLISH_ASYNC), "200");
    assert_string_equal(fixture_warehouse(f, "two", "file:///lake4", PUBLISH_SYNC),
                        "400 IllegalArgumentException: The location of warehouse two cannot change "
                        "while it is not empty");
    for (const char *const *bad =
             (const char *const[]){"", "a/b", "tables", ".", "a b", "%41", NULL};
         *bad != NULL; bad++)
        assert_int_equal(strncmp(fixture_warehouse(f, *bad, "file:///w", PUBLISH_SYNC), "400", 3),
                         0);
    fixture_close(f);
}

static void warehouses_are_separate_and_listed(void **state)
{
    (void)state;
    struct fixture *f = open_fixture();
    struct diag diag = {.count = 0};
    struct kv_snapshot *snapshot;
    struct catalog_warehouse *list;
    size_t count;
    fixture_warehouse(f, "aaa", "s3://bucket/x", PUBLISH_ASYNC);
    EXPECT_BEGINS(f, "NAMESPACE_CREATE warehouse=aaa {\"namespace\":[\"a\"]}", "200");
    EXPECT(f, "NAMESPACE_EXISTS a", "404 NoSuchNamespaceException: Namespace does not exist: a");
    EXPECT(f, "NAMESPACE_EXISTS a warehouse=aaa", "204");
    EXPECT(f, "NAMESPACE_EXISTS a warehouse=zzz",
           "404 NoSuchWarehouseException: Warehouse does not exist: zzz");
    assert_true(is_ok(kv_store_snapshot(f->store, &diag, &snapshot)));
    assert_true(is_ok(catalog_warehouse_list(&snapshot->reader, &f->arena, &diag, &list, &count)));
    assert_int_equal(count, 2);
    assert_true(str_is(list[0].name, "aaa") && list[0].publish == PUBLISH_ASYNC && list[0].id == 2);
    assert_true(str_is(list[1].name, "lake") && str_is(list[1].location, "file:///lake"));
    kv_snapshot_close(snapshot);
    fixture_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_namespace_lives),
        cmocka_unit_test(nested_namespaces_need_their_parent),
        cmocka_unit_test(a_namespace_is_created_once),
        cmocka_unit_test(bad_names_are_refused),
        cmocka_unit_test(odd_and_long_names_work),
        cmocka_unit_test(properties_are_updated),
        cmocka_unit_test(bad_property_updates_are_refused),
        cmocka_unit_test(a_namespace_location_stays_in_the_warehouse),
        cmocka_unit_test(warehouses_do_not_overlap),
        cmocka_unit_test(warehouses_are_separate_and_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
