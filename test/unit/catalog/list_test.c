/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list_test.c - lists whole and by pages: nothing lost, nothing twice, foreign tokens refused.
 */
#include "catalog_fixture.h"
#include "kv/keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void create(struct fixture *f, const char *parent, const char *name)
{
    const char *answer =
        parent[0] == '\0'
            ? fixture_runf(f, "NAMESPACE_CREATE {\"namespace\":[\"%s\"]}", name)
            : fixture_runf(f, "NAMESPACE_CREATE {\"namespace\":[\"%s\",\"%s\"]}", parent, name);
    assert_int_equal(strncmp(answer, "200", 3), 0);
}

static void without_a_token_everything_comes(void **state)
{
    (void)state;
    struct fixture fixture;
    struct fixture *f = &fixture;
    fixture_open(f);
    f->options.page_size_max = 2;
    EXPECT(f, "NAMESPACE_LIST", "200 {\"namespaces\":[],\"next-page-token\":null}");
    EXPECT(f, "NAMESPACE_LIST token=", "200 {\"namespaces\":[],\"next-page-token\":null}");
    for (const char *const *name = (const char *const[]){"c", "a", "d", "b", "e", NULL};
         *name != NULL; name++)
        create(f, "", *name);
    const char *all =
        "200 {\"namespaces\":[[\"a\"],[\"b\"],[\"c\"],[\"d\"],[\"e\"]],\"next-page-token\":null}";
    EXPECT(f, "NAMESPACE_LIST", all);
    EXPECT(f, "NAMESPACE_LIST size=2", all);
    EXPECT_BEGINS(
        f, "NAMESPACE_LIST token=", "200 {\"namespaces\":[[\"a\"],[\"b\"]],\"next-page-token\":\"");
    EXPECT_BEGINS(f, "NAMESPACE_LIST token= size=1000",
                  "200 {\"namespaces\":[[\"a\"],[\"b\"]],\"next-page-token\":\"");
    f->options.page_size_max = 5;
    EXPECT(f, "NAMESPACE_LIST token= size=5", all);
    fixture_close(f);
}

/* The token of an answer, or NULL at the end. */
static const char *token_of(struct fixture *f, const char *answer)
{
    const char *at = strstr(answer, "\"next-page-token\":");
    assert_non_null(at);
    at += strlen("\"next-page-token\":");
    if (*at == 'n')
        return NULL;
    assert_int_equal(*at, '"');
    struct str token = {at + 1, strlen(at + 1) - strlen("\"}")};
    return arena_copy(&f->arena, token).data;
}

static void tokens_are_bound_to_their_listing(void **state)
{
    (void)state;
    struct fixture fixture;
    struct fixture *f = &fixture;
    fixture_open(f);
    create(f, "", "a");
    create(f, "", "b");
    create(f, "a", "x");
    create(f, "a", "y");
    const char *refusal =
        "400 BadRequestException: The page token is not one of this listing; start "
        "again with an empty one";
    const char *root = token_of(f, fixture_run(f, "NAMESPACE_LIST token= size=1"));
    const char *inner = token_of(f, fixture_run(f, "NAMESPACE_LIST parent=a token= size=1"));
    assert_string_equal(fixture_runf(f, "NAMESPACE_LIST token=%s", root),
                        "200 {\"namespaces\":[[\"b\"]],\"next-page-token\":null}");
    assert_string_equal(fixture_runf(f, "NAMESPACE_LIST parent=a token=%s", inner),
                        "200 {\"namespaces\":[[\"a\",\"y\"]],\"next-page-token\":null}");
    assert_string_equal(fixture_runf(f, "NAMESPACE_LIST parent=a token=%s", root), refusal);
    assert_string_equal(fixture_runf(f, "NAMESPACE_LIST token=%s", inner), refusal);
    assert_string_equal(fixture_runf(f, "TABLE_LIST a token=%s", inner), refusal);
    assert_string_equal(fixture_runf(f, "VIEW_LIST a token=%s", inner), refusal);
    fixture_warehouse(f, "two", "file:///two", PUBLISH_SYNC);
    assert_string_equal(fixture_runf(f, "NAMESPACE_LIST warehouse=two token=%s", root), refusal);
    fixture_close(f);
}

static void any_other_token_is_refused(void **state)
{
    (void)state;
    struct fixture fixture;
    struct fixture *f = &fixture;
    fixture_open(f);
    create(f, "", "a");
    create(f, "", "b");
    const char *good = token_of(f, fixture_run(f, "NAMESPACE_LIST token= size=1"));
    size_t size = strlen(good);
    char text[256];
    assert_true(size < sizeof(text));
    for (size_t i = 0; i < size; i++) {
        for (const char *c = "Aaz09-_=+/.~"; *c != '\0'; c++) {
            memcpy(text, good, size + 1);
            if (text[i] == *c)
                continue;
            text[i] = *c;
            assert_int_equal(strncmp(fixture_runf(f, "NAMESPACE_LIST token=%s", text), "400", 3),
                             0);
        }
        memcpy(text, good, i);
        text[i] = '\0';
        assert_int_equal(
            strncmp(fixture_runf(f, "NAMESPACE_LIST token=%s", text), i == 0 ? "200" : "400", 3),
            0);
    }
    assert_int_equal(strncmp(fixture_runf(f, "NAMESPACE_LIST token=%sA", good), "400", 3), 0);
    EXPECT(f, "NAMESPACE_LIST token= size=0",
           "400 BadRequestException: pageSize must be at least 1");
    fixture_close(f);
}

static void function_lists_are_empty(void **state)
{
    (void)state;
    struct fixture fixture;
    struct fixture *f = &fixture;
    fixture_open(f);
    create(f, "", "a");
    EXPECT(f, "FUNCTION_LIST a", "200 {\"identifiers\":[],\"next-page-token\":null}");
    EXPECT(f, "FUNCTION_LIST a token=", "200 {\"identifiers\":[],\"next-page-token\":null}");
    EXPECT_BEGINS(f, "FUNCTION_LIST a token=x", "400");
    EXPECT(f, "FUNCTION_LIST b", "404 NoSuchNamespaceException: Namespace does not exist: b");
    EXPECT(f, "FUNCTION_LOAD a/f", "404 NoSuchFunctionException: Function does not exist: a.f");
    EXPECT(f, "TABLE_LIST b", "404 NoSuchNamespaceException: Namespace does not exist: b");
    EXPECT(f, "VIEW_LIST b", "404 NoSuchNamespaceException: Namespace does not exist: b");
    fixture_close(f);
}

/* 100,000 tables in one answer: linear, and no memory per item beside the answer itself. */
static void a_long_list_costs_its_own_size(void **state)
{
    (void)state;
    struct fixture fixture;
    struct diag diag = {.count = 0};
    struct kv_snapshot *snapshot;
    struct arena rows;
    struct arena request;
    fixture_open(&fixture);
    EXPECT_BEGINS(&fixture, FIXTURE_NAMESPACE("a"), "200");
    assert_true(is_ok(kv_store_snapshot(fixture.store, &diag, &snapshot)));
    arena_init(&rows, allocator_heap(), 1 << 28);
    arena_init(&request, allocator_heap(), 1 << 28);
    struct kv_batch *batch;
    assert_true(is_ok(kv_batch_create(&rows, &snapshot->reader, &diag, &batch)));
    for (unsigned i = 0; i < 100000; i++) {
        char name[32];
        char value[64];
        size_t size = (size_t)snprintf(name, sizeof(name), "table_%06u", i);
        struct key key = key_child(1, KEY_TABLE_NAME, 1, (struct str){name, size});
        size = (size_t)snprintf(value, sizeof(value), "{\"id\":%u,\"name\":\"%s\"}", i + 2, name);
        assert_true(is_ok(kv_put(batch, key_str(&key), (struct str){value, size}, &diag)));
    }
    struct str level = STR("a");
    struct catalog_request list = {.op = CATALOG_TABLE_LIST, .ident = {&level, 1, {"", 0}}};
    struct catalog_response response;
    struct catalog_context context = {.view = kv_batch_reader(batch),
                                      .arena = &request,
                                      .options = &fixture.options,
                                      .diag = &diag};
    assert_true(is_ok(catalog_read(&context, &list, &response)));
    size_t item = strlen("{\"namespace\":[\"a\"],\"name\":\"table_000000\"},");
    assert_int_equal(response.json.size,
                     strlen("{\"identifiers\":[],\"next-page-token\":null}") + 100000 * item - 1);
    /* A buffer that doubles in an arena leaves its smaller selves behind: at most four times. */
    assert_true(request.used_bytes < 5 * response.json.size);
    arena_deinit(&request);
    arena_deinit(&rows);
    kv_snapshot_close(snapshot);
    fixture_close(&fixture);
}

enum { NAMES = 60 };

/* What the walk has seen of each number; names are the numbers in four digits. */
static void count_seen(const char *answer, unsigned seen[NAMES])
{
    const char *end = strstr(answer, "],\"next-page-token\"");
    for (const char *at = answer; (at = strchr(at, '[')) != NULL && at < end; at++) {
        if (at[1] == '"')
            seen[strtoul(at + 2, NULL, 10)]++;
    }
}

/* Random names come and go between pages of every size; those that stay are seen exactly once. */
static void paging_never_loses_or_doubles(void **state)
{
    (void)state;
    struct prng prng;
    prng_init(&prng, 3);
    for (unsigned size = 1; size <= NAMES + 1; size++) {
        struct fixture fixture;
        bool present[NAMES] = {false};
        bool stayed[NAMES];
        unsigned seen[NAMES] = {0};
        fixture_open(&fixture);
        for (unsigned i = 0; i < NAMES; i++) {
            char name[16];
            snprintf(name, sizeof(name), "%04u", i);
            present[i] = prng_chance(&prng, 1, 2);
            if (present[i])
                create(&fixture, "", name);
        }
        memcpy(stayed, present, sizeof(stayed));
        const char *token = "";
        while (token != NULL) {
            const char *answer =
                fixture_runf(&fixture, "NAMESPACE_LIST token=%s size=%u", token, size);
            count_seen(answer, seen);
            token = token_of(&fixture, answer);
            for (int change = 0; change < 3; change++) {
                unsigned i = (unsigned)prng_below(&prng, NAMES);
                char name[16];
                snprintf(name, sizeof(name), "%04u", i);
                if (present[i])
                    fixture_runf(&fixture, "NAMESPACE_DROP %s", name);
                else
                    create(&fixture, "", name);
                present[i] = !present[i];
                stayed[i] = false;
            }
        }
        for (unsigned i = 0; i < NAMES; i++) {
            assert_true(seen[i] <= 1);
            assert_true(seen[i] == 1 || !stayed[i]);
        }
        fixture_close(&fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_token_everything_comes),
        cmocka_unit_test(tokens_are_bound_to_their_listing),
        cmocka_unit_test(any_other_token_is_refused),
        cmocka_unit_test(function_lists_are_empty),
        cmocka_unit_test(a_long_list_costs_its_own_size),
        cmocka_unit_test(paging_never_loses_or_doubles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
