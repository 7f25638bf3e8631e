/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_test.c - /v1/config: prefix, endpoints, lifetime of keys.
 */
#include "catalog_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static const struct json *config(struct fixture *f, const char *line)
{
    struct json_limits limits = json_limits_document();
    struct diag diag = {.count = 0};
    const struct json *json;
    const char *answer = fixture_run(f, line);
    assert_int_equal(strncmp(answer, "200 ", 4), 0);
    assert_true(is_ok(json_parse(&f->arena, str_from(answer + 4), &limits, &diag, &json)));
    return json;
}

static void the_prefix_is_the_warehouse(void **state)
{
    (void)state;
    struct fixture fixture;
    struct str prefix;
    fixture_open(&fixture);
    fixture_warehouse(&fixture, "two", "file:///two", PUBLISH_SYNC);
    const struct json *json = config(&fixture, "CONFIG");
    assert_true(json_as_str(json_get(json_get(json, "overrides"), "prefix"), &prefix));
    assert_true(str_is(prefix, "lake"));
    assert_int_equal(json_size(json_get(json, "defaults")), 0);
    json = config(&fixture, "CONFIG warehouse=two");
    assert_true(json_as_str(json_get(json_get(json, "overrides"), "prefix"), &prefix));
    assert_true(str_is(prefix, "two"));
    assert_null(json_get(json_get(json, "overrides"), "namespace-separator"));
    EXPECT(&fixture, "CONFIG warehouse=none",
           "404 NoSuchWarehouseException: Warehouse does not exist: none");
    fixture.options.default_warehouse = STR("");
    assert_int_equal(json_size(json_get(config(&fixture, "CONFIG"), "overrides")), 0);
    EXPECT(
        &fixture, "NAMESPACE_LIST",
        "404 NoSuchWarehouseException: No warehouse was named and there is no default warehouse");
    fixture_close(&fixture);
}

static void endpoints_are_the_operations(void **state)
{
    static const char *const wanted[] = {
#define CATALOG_OP(name, mutates, verb, path) verb " " path,
#include "catalog/operations.def"
#undef CATALOG_OP
    };
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture);
    const struct json *list = json_get(config(&fixture, "CONFIG"), "endpoints");
    assert_int_equal(json_size(list), COUNTOF(wanted) - 1);
    for (size_t i = 1; i < COUNTOF(wanted); i++) {
        struct str item;
        assert_true(json_as_str(json_at(list, i - 1), &item));
        assert_true(str_is(item, wanted[i]));
    }
    assert_string_equal(wanted[0], "GET /v1/config");
    fixture_close(&fixture);
}

static void the_lifetime_is_a_duration_at_the_top(void **state)
{
    static const struct {
        uint64_t ms;
        const char *text;
    } cases[] = {{30 * 60 * 1000, "PT30M"},
                 {24 * 3600 * 1000, "PT24H"},
                 {90 * 60 * 1000, "PT1H30M"},
                 {1000, "PT1S"},
                 {3600 * 1000 + 1000, "PT1H1S"},
                 {1500, "PT1.500S"},
                 {1, "PT0.001S"},
                 {61 * 1000, "PT1M1S"}};
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct str text;
        fixture.options.idempotency_lifetime_ms = cases[i].ms;
        assert_true(
            json_as_str(json_get(config(&fixture, "CONFIG"), "idempotency-key-lifetime"), &text));
        assert_true(str_is(text, cases[i].text));
    }
    fixture.options.idempotency_lifetime_ms = 0;
    assert_null(json_get(config(&fixture, "CONFIG"), "idempotency-key-lifetime"));
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_prefix_is_the_warehouse),
        cmocka_unit_test(endpoints_are_the_operations),
        cmocka_unit_test(the_lifetime_is_a_duration_at_the_top),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
