/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names_test.c - names to ids, name rows, metadata file names: the functions that operations share.
 */
#include "catalog/names.h"

#include "catalog_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* A change that stays open, so that functions below the operations can be called. */
struct scene {
    struct arena arena;
    struct diag diag;
    struct prng prng;
    struct catalog_options options;
    struct catalog_context context;
    struct catalog_warehouse lake;
};

static void scene_open(struct scene *scene)
{
    *scene = (struct scene){.options = {.default_warehouse = STR("lake")}};
    arena_init(&scene->arena, allocator_heap(), 1 << 24);
    prng_init(&scene->prng, 1);
    scene->context = (struct catalog_context){.arena = &scene->arena,
                                              .prng = &scene->prng,
                                              .options = &scene->options,
                                              .diag = &scene->diag};
    struct catalog_context *context = &scene->context;
    assert_true(is_ok(kv_batch_create(&scene->arena, NULL, &scene->diag, &context->batch)));
    assert_true(
        is_ok(catalog_warehouse_put(context, STR("lake"), STR("file:///lake"), PUBLISH_SYNC)));
    assert_true(is_ok(catalog_warehouse_get(context->view, &scene->arena, STR(""), &scene->options,
                                            &scene->diag, &scene->lake)));
}

static const struct json *parse(struct scene *scene, const char *text)
{
    struct json_limits limits = json_limits_request();
    const struct json *json;
    assert_true(is_ok(json_parse(&scene->arena, str_from(text), &limits, &scene->diag, &json)));
    return json;
}

static void ids_are_never_reused(void **state)
{
    (void)state;
    struct scene scene;
    uint64_t last = 0;
    scene_open(&scene);
    for (uint64_t i = 1; i <= 100; i++) {
        uint64_t id;
        assert_true(is_ok(catalog__next_id(&scene.context, 1, &id)));
        assert_true(id > last);
        last = id;
    }
    uint64_t other;
    assert_true(is_ok(catalog__next_id(&scene.context, 2, &other)));
    assert_int_equal(other, 1);
    arena_deinit(&scene.arena);
}

static void name_rows_of_one_place(void **state)
{
    (void)state;
    struct scene scene;
    uint64_t id;
    bool found;
    scene_open(&scene);
    struct str level = STR("a");
    struct catalog__place place = {.warehouse = scene.lake,
                                   .namespace_id = 7,
                                   .ident = {&level, 1, STR("t")},
                                   .dotted = STR("a.t")};
    struct catalog_context *context = &scene.context;
    assert_true(is_ok(catalog__name_must_be_free(context, &place, CATALOG_TABLE_KIND)));
    assert_true(is_ok(catalog__name_put(context, &place, CATALOG_TABLE_KIND, 9)));
    assert_true(is_ok(catalog__name_find(context, &place, CATALOG_TABLE_KIND, &id, &found)));
    assert_true(found && id == 9);
    assert_true(is_ok(catalog__name_find(context, &place, CATALOG_VIEW_KIND, &id, &found)));
    assert_false(found);
    assert_int_equal(catalog__name_must_be_free(context, &place, CATALOG_TABLE_KIND).code,
                     STATUS_ALREADY_EXISTS);
    assert_string_equal(scene.diag.frames[0].text, "Table already exists: a.t");
    diag_reset(&scene.diag);
    assert_int_equal(catalog__name_must_be_free(context, &place, CATALOG_VIEW_KIND).code,
                     STATUS_ALREADY_EXISTS);
    assert_string_equal(scene.diag.frames[0].text, "Table with same name already exists: a.t");
    diag_reset(&scene.diag);
    assert_true(is_ok(catalog__name_delete(context, &place, CATALOG_TABLE_KIND)));
    assert_true(is_ok(catalog__name_put(context, &place, CATALOG_VIEW_KIND, 10)));
    assert_int_equal(catalog__name_must_be_free(context, &place, CATALOG_TABLE_KIND).code,
                     STATUS_ALREADY_EXISTS);
    assert_string_equal(scene.diag.frames[0].text, "View with same name already exists: a.t");
    diag_reset(&scene.diag);
    assert_int_equal(catalog__name_must_be_free(context, &place, CATALOG_VIEW_KIND).code,
                     STATUS_ALREADY_EXISTS);
    assert_string_equal(scene.diag.frames[0].text, "View already exists: a.t");
    arena_deinit(&scene.arena);
}

/* A long name's key holds a hash: a row that is another name's is never taken for this one's. */
static void a_row_of_another_name_is_not_used(void **state)
{
    (void)state;
    struct scene scene;
    uint64_t id;
    bool found;
    scene_open(&scene);
    struct str level = STR("a");
    struct catalog__place place = {
        .warehouse = scene.lake, .namespace_id = 7, .ident = {&level, 1, STR("t")}};
    struct key key = key_child(scene.lake.id, KEY_TABLE_NAME, 7, STR("t"));
    assert_true(is_ok(kv_put(scene.context.batch, key_str(&key),
                             STR("{\"id\":3,\"name\":\"other\"}"), &scene.diag)));
    assert_int_equal(
        catalog__name_find(&scene.context, &place, CATALOG_TABLE_KIND, &id, &found).code,
        STATUS_INVALID);
    assert_true(is_ok(kv_put(scene.context.batch, key_str(&key), STR("{\"id\":3"), &scene.diag)));
    assert_int_equal(
        catalog__name_find(&scene.context, &place, CATALOG_TABLE_KIND, &id, &found).code,
        STATUS_CORRUPT);
    arena_deinit(&scene.arena);
}

static void idents_are_parsed(void **state)
{
    static const char *const bad[] = {"{}",
                                      "{\"namespace\":[\"a\"]}",
                                      "{\"name\":\"t\"}",
                                      "{\"namespace\":[],\"name\":\"t\"}",
                                      "{\"namespace\":[\"a\"],\"name\":\"\"}",
                                      "{\"namespace\":[\"a\"],\"name\":1}",
                                      "{\"namespace\":[\"\"],\"name\":\"t\"}",
                                      "{\"namespace\":[\"a\"],\"name\":\"\\u001f\"}"};
    (void)state;
    struct scene scene;
    struct catalog_ident ident;
    struct str dotted;
    scene_open(&scene);
    const struct json *json = parse(&scene, "{\"namespace\":[\"a\",\"b\"],\"name\":\"t\"}");
    assert_true(is_ok(catalog__ident_parse(&scene.context, json, "x", &ident)));
    assert_true(is_ok(catalog__dotted(&scene.context, &ident, &dotted)));
    assert_true(str_is(dotted, "a.b.t"));
    for (size_t i = 0; i < COUNTOF(bad); i++) {
        json = parse(&scene, bad[i]);
        assert_int_equal(catalog__ident_parse(&scene.context, json, "x", &ident).code,
                         STATUS_INVALID);
        diag_reset(&scene.diag);
    }
    assert_int_equal(catalog__ident_parse(&scene.context, NULL, "x", &ident).code, STATUS_INVALID);
    arena_deinit(&scene.arena);
}

static void namespaces_are_not_too_deep(void **state)
{
    (void)state;
    struct scene scene;
    struct catalog_ident ident;
    char text[512] = "[\"a\"";
    scene_open(&scene);
    for (int i = 1; i < CATALOG_NAMESPACE_LEVELS_MAX; i++)
        strcat(text, ",\"a\"");
    size_t size = strlen(text);
    memcpy(text + size, "]", 2);
    assert_true(is_ok(catalog__namespace_parse(&scene.context, parse(&scene, text), "x", &ident)));
    assert_int_equal(ident.level_count, CATALOG_NAMESPACE_LEVELS_MAX);
    memcpy(text + size, ",\"a\"]", 6);
    assert_int_equal(
        catalog__namespace_parse(&scene.context, parse(&scene, text), "x", &ident).code,
        STATUS_INVALID);
    arena_deinit(&scene.arena);
}

static void the_location_of_a_namespace(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture);
    fixture_run(&fixture, "NAMESPACE_CREATE {\"namespace\":[\"a\"],"
                          "\"properties\":{\"location\":\"file:///lake/here\"}}");
    fixture_run(&fixture, "NAMESPACE_CREATE {\"namespace\":[\"b\"]}");
    struct diag diag = {.count = 0};
    struct kv_snapshot *snapshot;
    assert_true(is_ok(kv_store_snapshot(fixture.store, &diag, &snapshot)));
    struct catalog_context context = {
        .view = &snapshot->reader, .arena = &fixture.arena, .diag = &diag};
    struct catalog_warehouse lake = {.id = 1};
    struct str a = STR("a");
    struct str b = STR("b");
    struct str location;
    struct catalog_ident ident = {&a, 1, {"", 0}};
    assert_true(is_ok(catalog__namespace_location(&context, &lake, &ident, &location)));
    assert_true(str_is(location, "file:///lake/here"));
    ident.levels = &b;
    assert_true(is_ok(catalog__namespace_location(&context, &lake, &ident, &location)));
    assert_int_equal(location.size, 0);
    kv_snapshot_close(snapshot);
    fixture_close(&fixture);
}

static void metadata_files_are_named_by_version_and_uuid(void **state)
{
    (void)state;
    struct scene scene;
    struct str first;
    struct str second;
    struct uuid uuid;
    scene_open(&scene);
    struct str base = STR("file:///lake/t/metadata");
    assert_true(is_ok(catalog__metadata_path(&scene.context, base, 3, false, &first)));
    assert_true(is_ok(catalog__metadata_path(&scene.context, base, 123456, true, &second)));
    assert_true(str_starts(first, STR("file:///lake/t/metadata/00003-")));
    assert_true(str_ends(first, STR(".metadata.json")));
    assert_true(uuid_parse(str_slice(first, base.size + 7, base.size + 7 + UUID_TEXT_SIZE), &uuid));
    assert_true(str_starts(second, STR("file:///lake/t/metadata/123456-")));
    assert_true(str_ends(second, STR(".gz.metadata.json")));
    arena_deinit(&scene.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_never_reused),
        cmocka_unit_test(name_rows_of_one_place),
        cmocka_unit_test(a_row_of_another_name_is_not_used),
        cmocka_unit_test(idents_are_parsed),
        cmocka_unit_test(namespaces_are_not_too_deep),
        cmocka_unit_test(the_location_of_a_namespace),
        cmocka_unit_test(metadata_files_are_named_by_version_and_uuid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
