/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view_test.c - views over a store in memory: every update, requirement and message, history, older
 * versions.
 *
 * Each world holds one view "v" in namespace "ns" (id 5) of warehouse "lake" at file:///lake. Its
 * two columns, SQL and times are those of create_body; the clock stands at 1000 ms and moves by one
 * for each change.
 */
#include "catalog/view.h"

#include "kv/store.h"
#include "leaf.h"

#include <stdio.h>

struct world {
    struct leaf leaf;
    struct kv_store *store;
    struct kv_snapshot *snapshot;
    struct prng prng;
    struct catalog_context context;
    struct catalog__place place;
    struct str level;
    uint64_t id;
    uint64_t now_ms;
    struct catalog_response response;
};

static const char *const create_body =
    "{\"name\":\"v\",\"location\":\"file:///lake/ns/v\",\"schema\":{\"type\":\"struct\","
    "\"schema-id\":7,\"fields\":[{\"id\":1,\"name\":\"a\",\"required\":false,\"type\":\"long\"},"
    "{\"id\":2,\"name\":\"b\",\"required\":false,\"type\":\"variant\"}]},\"view-version\":{"
    "\"version-id\":4,\"timestamp-ms\":500,\"schema-id\":7,\"summary\":{\"engine\":\"x\"},"
    "\"representations\":[{\"type\":\"sql\",\"sql\":\"select 1\",\"dialect\":\"spark\"}],"
    "\"default-namespace\":[\"ns\"],\"x-new\":[1]},\"properties\":{\"owner\":\"me\"}}";

static const char *const two_dialects =
    "\"summary\":{},\"default-namespace\":[\"ns\"],\"representations\":["
    "{\"type\":\"sql\",\"sql\":\"select 2\",\"dialect\":\"spark\"},"
    "{\"type\":\"sql\",\"sql\":\"select 2\",\"dialect\":\"trino\"}]";

static void world_open(struct world *world)
{
    *world = (struct world){.now_ms = 1000, .level = STR("ns")};
    leaf_init(&world->leaf);
    struct diag *diag = &world->leaf.diag;
    prng_init(&world->prng, 7);
    leaf_assert_ok(&world->leaf, mem_store_open(allocator_heap(), diag, &world->store));
    leaf_assert_ok(&world->leaf, kv_store_snapshot(world->store, diag, &world->snapshot));
    world->context = (struct catalog_context){
        .arena = &world->leaf.arena, .prng = &world->prng, .diag = diag, .stamp = {1000 << 16}};
    leaf_assert_ok(&world->leaf, kv_batch_create(&world->leaf.arena, &world->snapshot->reader, diag,
                                                 &world->context.batch));
    world->context.view = kv_batch_reader(world->context.batch);
    world->place = (struct catalog__place){
        .warehouse = {.id = 1, .name = STR("lake"), .location = STR("file:///lake")},
        .namespace_id = 5,
        .ident = {.levels = &world->level, .level_count = 1, .name = STR("v")},
        .dotted = STR("ns.v")};
}

static void world_close(struct world *world)
{
    kv_snapshot_close(world->snapshot);
    kv_store_close(world->store);
    leaf_deinit(&world->leaf);
}

/* "200", or "409 CommitFailedException: text". What a failure has put is taken back, as callers
 * do. */
static const char *outcome(struct world *world, status_value result, size_t mark)
{
    struct arena *arena = &world->leaf.arena;
    if (is_ok(result))
        return arena_printf(arena, "%d", world->response.http).data;
    struct str text =
        arena_printf(arena, "%d %s: %s", status_http(result.code), status_iceberg_type(result.code),
                     diag_message(&world->leaf.diag, result.code));
    kv_batch_rewind(world->context.batch, mark);
    diag_reset(&world->leaf.diag);
    return text.data;
}

static size_t begin(struct world *world)
{
    world->now_ms++;
    world->context.stamp = (hlc_stamp){world->now_ms << 16};
    world->response = (struct catalog_response){.http = 0};
    return kv_batch_mark(world->context.batch);
}

static const char *create(struct world *world, const char *body)
{
    size_t mark = begin(world);
    status_value result = view__create(&world->context, &world->place,
                                       leaf_json(&world->leaf, body), &world->response, &world->id);
    return outcome(world, result, mark);
}

static const char *replace_if(struct world *world, const char *requirements, const char *updates)
{
    size_t mark = begin(world);
    status_value result =
        view__replace(&world->context, &world->place, world->id,
                      requirements == NULL ? NULL : leaf_json(&world->leaf, requirements),
                      leaf_json(&world->leaf, updates), &world->response);
    return outcome(world, result, mark);
}

static const char *replace(struct world *world, const char *updates)
{
    return replace_if(world, NULL, updates);
}

static const char *replace_one(struct world *world, const char *action, const char *members)
{
    return replace(world, arena_printf(&world->leaf.arena, "[{\"action\":\"%s\"%s%s}]", action,
                                       members[0] == '\0' ? "" : ",", members)
                              .data);
}

/* A new version with this SQL for spark, made the current one. */
static const char *replace_sql(struct world *world, const char *sql)
{
    return replace(
        world, arena_printf(&world->leaf.arena,
                            "[{\"action\":\"add-view-version\",\"view-version\":{"
                            "\"version-id\":1,\"timestamp-ms\":600,\"schema-id\":0,\"summary\":{},"
                            "\"representations\":[{\"type\":\"sql\",\"sql\":\"%s\","
                            "\"dialect\":\"spark\"}],\"default-namespace\":[\"ns\"]}},"
                            "{\"action\":\"set-current-view-version\",\"view-version-id\":-1}]",
                            sql)
                   .data);
}

static const char *metadata_from(struct world *world, struct kv_reader *reader)
{
    struct buf text;
    buf_init(&text, &world->leaf.arena, 1 << 20);
    leaf_assert_ok(&world->leaf, view__metadata_json(reader, &world->leaf.arena, 1, world->id,
                                                     &world->leaf.diag, &text));
    buf_byte(&text, '\0');
    return text.data;
}

static const char *metadata(struct world *world)
{
    return metadata_from(world, world->context.view);
}

/* A member of the metadata as text. */
static const char *member(struct world *world, const char *name)
{
    const struct json *json = leaf_json(&world->leaf, metadata(world));
    if (json_get(json, name) == NULL)
        return "absent";
    struct buf text;
    buf_init(&text, &world->leaf.arena, 1 << 20);
    json_write(&text, json_get(json, name));
    buf_byte(&text, '\0');
    return text.data;
}

/* Ids of the versions, in order: "1 2 3". */
static const char *version_ids(struct world *world, const char *list)
{
    struct buf text;
    buf_init(&text, &world->leaf.arena, 4096);
    const struct json *json = leaf_json(&world->leaf, member(world, list));
    for (size_t i = 0; i < json_size(json); i++) {
        int32_t id = -1;
        (void)json_as_i32(json_get(json_at(json, i), "version-id"), &id);
        buf_printf(&text, "%s%d", i > 0 ? " " : "", id);
    }
    buf_byte(&text, '\0');
    return text.data;
}

static void world_with_view(struct world *world)
{
    world_open(world);
    assert_string_equal(create(world, create_body), "200");
}

/* --- create --- */

static void test_create(void **state)
{
    (void)state;
    struct world world;
    world_with_view(&world);
    assert_string_equal(member(&world, "format-version"), "1");
    assert_string_equal(member(&world, "location"), "\"file:///lake/ns/v\"");
    assert_string_equal(member(&world, "properties"), "{\"owner\":\"me\"}");
    assert_string_equal(
        member(&world, "schemas"),
        "[{\"type\":\"struct\",\"schema-id\":0,\"fields\":[{\"id\":1,\"name\":\"a\","
        "\"required\":false,\"type\":\"long\"},{\"id\":2,\"name\":\"b\",\"required\":false,"
        "\"type\":\"variant\"}]}]");
    assert_string_equal(member(&world, "current-version-id"), "1");
    assert_string_equal(
        member(&world, "versions"),
        "[{\"version-id\":1,\"timestamp-ms\":500,\"schema-id\":0,\"summary\":{\"engine\":\"x\"},"
        "\"representations\":[{\"type\":\"sql\",\"sql\":\"select 1\",\"dialect\":\"spark\"}],"
        "\"default-namespace\":[\"ns\"],\"x-new\":[1]}]");
    assert_string_equal(member(&world, "version-log"), "[{\"timestamp-ms\":500,\"version-id\":1}]");
    assert_int_equal(world.response.body, CATALOG_BODY_VIEW);
    assert_int_equal(world.response.object_id, world.id);
    assert_true(world.response.with_config);
    assert_int_equal(world.response.await_count, 1);
    assert_true(world.response.await[0].is_view);
    assert_true(
        str_starts(world.response.metadata_location, STR("file:///lake/ns/v/metadata/00000-")));
    assert_true(str_ends(world.response.metadata_location, STR(".gz.metadata.json")));
    world_close(&world);
}

/* The create body with one piece of text exchanged. */
static const char *create_with(struct world *world, const char *from, const char *to)
{
    const char *at = strstr(create_body, from);
    assert_non_null(at);
    return create(world, arena_printf(&world->leaf.arena, "%.*s%s%s", (int)(at - create_body),
                                      create_body, to, at + strlen(from))
                             .data);
}

static void test_create_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *from;
        const char *to;
        const char *answer;
    } rows[] = {
        {"\"schema\":", "\"scheme\":",
         "400 BadRequestException: cannot parse create view request: missing field schema"},
        {"\"view-version\":", "\"version\":",
         "400 BadRequestException: cannot parse create view request: missing field view-version"},
        {"file:///lake/ns/v", "file:///pond/v",
         "400 IllegalArgumentException: The location of the view file:///pond/v is outside of the "
         "location file:///lake of warehouse lake"},
        {"{\"owner\":\"me\"}", "{\"owner\":1}",
         "400 BadRequestException: cannot parse properties: the value of owner must be a string"},
        {"{\"owner\":\"me\"}", "{\"version.history.num-entries\":\"0\"}",
         "400 IllegalArgumentException: version.history.num-entries must be positive but was 0"},
        {"{\"owner\":\"me\"}", "{\"version.history.num-entries\":\"ten\"}",
         "400 IllegalArgumentException: version.history.num-entries must be a number but was ten"},
        {"{\"owner\":\"me\"}", "{\"write.metadata.compression-codec\":\"lz4\"}",
         "400 IllegalArgumentException: Invalid codec name: lz4"},
        {"\"sql\":\"select 1\",", "",
         "400 BadRequestException: cannot parse view representation: missing field sql"},
        {"{\"type\":\"sql\",\"sql\":\"select 1\",\"dialect\":\"spark\"}", "",
         "400 IllegalArgumentException: Invalid view version: it has no representations"},
        {"{\"type\":\"sql\",", "{\"type\":\"plan\",",
         "400 IllegalArgumentException: Found unsupported types in view representations: [plan]"},
        {"\"dialect\":\"spark\"}",
         "\"dialect\":\"trino\"},{\"type\":\"sql\",\"sql\":\"x\",\"dialect\":\"TRINO\"}",
         "400 IllegalArgumentException: Invalid view version: Cannot add multiple queries for "
         "dialect "
         "trino"},
        {"\"default-namespace\":[\"ns\"],", "",
         "400 BadRequestException: cannot parse view version: missing field default-namespace"},
        {"\"engine\":\"x\"", "\"engine\":{}",
         "400 BadRequestException: cannot parse view version: summary must hold strings"},
        {"\"long\"", "\"tall\"",
         "400 IllegalArgumentException: Cannot parse type string to primitive: tall"},
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct world world;
        world_open(&world);
        assert_string_equal(create_with(&world, rows[i].from, rows[i].to), rows[i].answer);
        assert_true(kv_batch_is_empty(world.context.batch));
        world_close(&world);
    }
}

static void put_namespace(struct world *world, const char *properties)
{
    struct key key = key_child(1, KEY_NAMESPACE, 0, STR("ns"));
    struct str row = arena_printf(&world->leaf.arena,
                                  "{\"id\":5,\"name\":\"ns\",\"properties\":%s}", properties);
    leaf_assert_ok(&world->leaf,
                   kv_put(world->context.batch, key_str(&key), row, &world->leaf.diag));
}

static void test_default_location(void **state)
{
    (void)state;
    static const struct {
        const char *properties;
        const char *location;
    } rows[] = {{"{}", "\"file:///lake/ns/v_1-"},
                {"{\"location\":\"file:///lake/other\"}", "\"file:///lake/other/v_1-"}};
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct world world;
        world_open(&world);
        put_namespace(&world, rows[i].properties);
        world.place.ident.name = STR("v.1");
        assert_string_equal(create_with(&world, "\"location\":\"file:///lake/ns/v\",", ""), "200");
        struct str location = str_from(member(&world, "location"));
        assert_true(str_starts(location, str_from(rows[i].location)));
        assert_int_equal(location.size, strlen(rows[i].location) + UUID_TEXT_SIZE + 1);
        world_close(&world);
    }
}

static void test_metadata_files(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    assert_string_equal(create_with(&world, "{\"owner\":\"me\"}",
                                    "{\"write.metadata.compression-codec\":\"none\","
                                    "\"write.metadata.path\":\"file:///lake/elsewhere\"}"),
                        "200");
    struct str first = world.response.metadata_location;
    assert_true(str_starts(first, STR("file:///lake/elsewhere/00000-")));
    assert_false(str_ends(first, STR(".gz.metadata.json")));
    assert_string_equal(
        replace_one(&world, "remove-properties", "\"removals\":[\"write.metadata.path\"]"), "200");
    assert_true(
        str_starts(world.response.metadata_location, STR("file:///lake/ns/v/metadata/00001-")));
    assert_string_equal(replace_one(&world, "set-properties",
                                    "\"updates\":{\"write.metadata.path\":\"file:///pond\"}"),
                        "400 IllegalArgumentException: The property write.metadata.path "
                        "file:///pond is outside of the "
                        "location file:///lake of warehouse lake");
    world_close(&world);
}

/* --- updates --- */

static void test_assign_uuid(void **state)
{
    (void)state;
    struct world world;
    world_with_view(&world);
    struct str same = arena_printf(&world.leaf.arena, "\"uuid\":%s", member(&world, "view-uuid"));
    assert_string_equal(replace_one(&world, "assign-uuid", same.data), "200");
    assert_string_equal(
        replace_one(&world, "assign-uuid", "\"uuid\":\"9c12d441-03fe-4693-9a96-a0705ddf69c1\""),
        "400 IllegalArgumentException: Cannot reassign uuid");
    world_close(&world);
}

static void test_upgrade_format_version(void **state)
{
    (void)state;
    struct world world;
    world_with_view(&world);
    assert_string_equal(replace_one(&world, "upgrade-format-version", "\"format-version\":1"),
                        "200");
    assert_string_equal(replace_one(&world, "upgrade-format-version", "\"format-version\":0"),
                        "400 IllegalArgumentException: Cannot downgrade v1 view to v0");
    assert_string_equal(replace_one(&world, "upgrade-format-version", "\"format-version\":2"),
                        "400 IllegalArgumentException: Unsupported format version: 2");
    world_close(&world);
}

static void test_add_schema(void **state)
{
    (void)state;
    struct world world;
    world_with_view(&world);
    const char *other = "\"schema\":{\"type\":\"struct\",\"schema-id\":55,\"fields\":["
                        "{\"id\":1,\"name\":\"z\",\"required\":false,\"type\":\"int\"}]}";
    assert_string_equal(replace_one(&world, "add-schema", other), "200");
    assert_string_equal(replace_one(&world, "ADD-SCHEMA", other), "200");
    const struct json *schemas = leaf_json(&world.leaf, member(&world, "schemas"));
    int32_t id = 0;
    assert_int_equal(json_size(schemas), 2);
    assert_true(json_as_i32(json_get(json_at(schemas, 1), "schema-id"), &id));
    assert_int_equal(id, 1);
    assert_string_equal(replace_one(&world, "add-schema", "\"schema\":3"),
                        "400 BadRequestException: cannot parse add-schema: field schema must be an "
                        "object, not integer");
    world_close(&world);
}

static void test_set_location(void **state)
{
    (void)state;
    struct world world;
    world_with_view(&world);
    assert_string_equal(replace_one(&world, "set-location", "\"location\":\"file:/lake/moved/\""),
                        "200");
    assert_string_equal(member(&world, "location"), "\"file:/lake/moved\"");
    assert_true(
        str_starts(world.response.metadata_location, STR("file:/lake/moved/metadata/00001-")));
    assert_string_equal(replace_one(&world, "set-location", "\"location\":\"file:///lake2/v\""),
                        "400 IllegalArgumentException: The location of the view file:///lake2/v is "
                        "outside of the location file:///lake of warehouse lake");
    world_close(&world);
}

static void test_properties(void **state)
{
    (void)state;
    struct world world;
    world_with_view(&world);
    assert_string_equal(replace(&world,
                                "[{\"action\":\"set-properties\",\"updates\":{\"k\":\"1\"}},"
                                "{\"action\":\"set-properties\",\"updated\":{\"l\":\"2\"}}]"),
                        "200");
    assert_string_equal(member(&world, "properties"), "{\"owner\":\"me\",\"k\":\"1\",\"l\":\"2\"}");
    assert_string_equal(
        replace_one(&world, "remove-properties", "\"removals\":[\"k\",\"unheard\",\"l\"]"), "200");
    assert_string_equal(replace_one(&world, "remove-properties", "\"removed\":[\"owner\"]"), "200");
    assert_string_equal(member(&world, "properties"), "absent");
    assert_string_equal(
        replace_one(&world, "set-properties", ""),
        "400 BadRequestException: cannot parse set-properties: missing field updates");
    assert_string_equal(
        replace_one(&world, "remove-properties", "\"removals\":[1]"),
        "400 BadRequestException: cannot parse remove-properties: removals must hold "
        "strings");
    world_close(&world);
}

static void test_add_view_version(void **state)
{
    (void)state;
    struct world world;
    world_with_view(&world);
    assert_string_equal(replace_sql(&world, "select 2"), "200");
    assert_string_equal(version_ids(&world, "versions"), "1 2");
    assert_string_equal(member(&world, "current-version-id"), "2");
    assert_string_equal(member(&world, "version-log"), "[{\"timestamp-ms\":500,\"version-id\":1},"
                                                       "{\"timestamp-ms\":600,\"version-id\":2}]");
    assert_string_equal(replace_sql(&world, "select 3"), "200");
    assert_string_equal(version_ids(&world, "version-log"), "1 2 3");
    /* An equal version is used again, also as "the last added one"; its entry has the time of
     * now. */
    assert_string_equal(replace_sql(&world, "select 2"), "200");
    assert_string_equal(version_ids(&world, "versions"), "1 2 3");
    assert_string_equal(member(&world, "version-log"), "[{\"timestamp-ms\":500,\"version-id\":1},"
                                                       "{\"timestamp-ms\":600,\"version-id\":2},"
                                                       "{\"timestamp-ms\":600,\"version-id\":3},"
                                                       "{\"timestamp-ms\":1004,\"version-id\":2}]");
    world_close(&world);
}

static const char *add_version(struct world *world, const char *ids, const char *rest)
{
    return replace_one(
        world, "add-view-version",
        arena_printf(&world->leaf.arena, "\"view-version\":{\"timestamp-ms\":700,%s,%s}", ids, rest)
            .data);
}

static void test_add_view_version_ids(void **state)
{
    (void)state;
    struct world world;
    world_with_view(&world);
    assert_string_equal(add_version(&world, "\"version-id\":9,\"schema-id\":0", two_dialects),
                        "200");
    assert_string_equal(version_ids(&world, "versions"), "1 9");
    assert_string_equal(member(&world, "current-version-id"), "1");
    assert_string_equal(add_version(&world, "\"version-id\":9,\"schema-id\":4", two_dialects),
                        "400 IllegalArgumentException: Cannot add version with unknown schema: 4");
    assert_string_equal(
        add_version(&world, "\"version-id\":9,\"schema-id\":-1", two_dialects),
        "400 IllegalArgumentException: Cannot set last added schema: no schema has been added");
    assert_string_equal(add_version(&world, "\"version-id\":-9,\"schema-id\":0", two_dialects),
                        "400 IllegalArgumentException: Invalid view version id: -9");
    assert_string_equal(
        replace(&world,
                arena_printf(&world.leaf.arena,
                             "[{\"action\":\"add-schema\",\"schema\":{\"fields\":[]}},"
                             "{\"action\":\"add-view-version\",\"view-version\":{\"version-id\":1,"
                             "\"timestamp-ms\":8,\"schema-id\":-1,%s}}]",
                             two_dialects)
                    .data),
        "200");
    assert_string_equal(version_ids(&world, "versions"), "1 9 10");
    assert_non_null(strstr(member(&world, "versions"), "\"version-id\":10,\"timestamp-ms\":8,"
                                                       "\"schema-id\":1"));
    world_close(&world);
}

static void test_set_current_view_version(void **state)
{
    (void)state;
    struct world world;
    world_with_view(&world);
    assert_string_equal(
        replace_one(&world, "set-current-view-version", "\"view-version-id\":5"),
        "400 IllegalArgumentException: Cannot set current version to unknown version: "
        "5");
    assert_string_equal(
        replace_one(&world, "set-current-view-version", "\"view-version-id\":-1"),
        "400 IllegalArgumentException: Cannot set last version id: no current version "
        "id has been set");
    assert_string_equal(replace_sql(&world, "select 2"), "200");
    assert_string_equal(replace_one(&world, "set-current-view-version", "\"view-version-id\":1"),
                        "200");
    assert_string_equal(version_ids(&world, "version-log"), "1 2 1");
    world_close(&world);
}

static void test_table_updates_are_refused(void **state)
{
    (void)state;
    static const char *const actions[] = {"set-current-schema",
                                          "add-spec",
                                          "set-default-spec",
                                          "add-sort-order",
                                          "set-default-sort-order",
                                          "add-snapshot",
                                          "set-snapshot-ref",
                                          "remove-snapshots",
                                          "remove-snapshot-ref",
                                          "set-statistics",
                                          "remove-statistics",
                                          "set-partition-statistics",
                                          "remove-partition-statistics",
                                          "remove-partition-specs",
                                          "remove-schemas",
                                          "add-encryption-key",
                                          "remove-encryption-key"};
    struct world world;
    world_with_view(&world);
    for (size_t i = 0; i < COUNTOF(actions); i++) {
        char wanted[128];
        (void)snprintf(wanted, sizeof(wanted),
                       "400 BadRequestException: Cannot apply update %s to a view", actions[i]);
        assert_string_equal(replace_one(&world, actions[i], ""), wanted);
    }
    assert_string_equal(replace_one(&world, "fly", ""),
                        "400 BadRequestException: cannot apply a view update: unknown action fly");
    assert_string_equal(replace(&world, "[{}]"),
                        "400 BadRequestException: cannot parse view update: missing field action");
    world_close(&world);
}

static void test_requirements(void **state)
{
    (void)state;
    struct world world;
    world_with_view(&world);
    const char *uuid = member(&world, "view-uuid");
    struct str good =
        arena_printf(&world.leaf.arena, "[{\"type\":\"assert-view-uuid\",\"uuid\":%s}]", uuid);
    assert_string_equal(replace_if(&world, good.data, "[]"), "200");
    char wanted[256];
    (void)snprintf(
        wanted, sizeof(wanted),
        "409 CommitFailedException: Requirement failed: view UUID does not match: expected "
        "%.36s != 9c12d441-03fe-4693-9a96-a0705ddf69c1",
        uuid + 1);
    assert_string_equal(replace_if(&world,
                                   "[{\"type\":\"assert-view-uuid\","
                                   "\"uuid\":\"9c12d441-03fe-4693-9a96-a0705ddf69c1\"}]",
                                   "[]"),
                        wanted);
    assert_string_equal(
        replace_if(&world, "[{\"type\":\"assert-table-uuid\",\"uuid\":\"x\"}]", "[]"),
        "400 BadRequestException: Cannot validate assert-table-uuid against a view");
    assert_string_equal(
        replace_if(&world, "[{\"type\":\"assert-weather\"}]", "[]"),
        "400 BadRequestException: cannot check a view requirement: unknown type assert-weather");
    world_close(&world);
}

/* --- rules at the end --- */

static void test_no_change_makes_no_version(void **state)
{
    (void)state;
    struct world world;
    world_with_view(&world);
    struct str before = world.response.metadata_location;
    size_t rows = kv_batch_count(world.context.batch);
    assert_string_equal(replace(&world, "[]"), "200");
    assert_string_equal(replace_one(&world, "set-properties", "\"updates\":{\"owner\":\"me\"}"),
                        "200");
    assert_string_equal(replace_one(&world, "remove-properties", "\"removals\":[\"none\"]"), "200");
    assert_string_equal(replace_one(&world, "set-current-view-version", "\"view-version-id\":1"),
                        "200");
    assert_true(str_eq(world.response.metadata_location, before));
    assert_int_equal(world.response.await_count, 0);
    assert_int_equal(kv_batch_count(world.context.batch), rows);
    world_close(&world);
}

static void test_dialects_are_not_lost(void **state)
{
    (void)state;
    struct world world;
    world_with_view(&world);
    assert_string_equal(add_version(&world, "\"version-id\":1,\"schema-id\":0", two_dialects),
                        "200");
    assert_string_equal(replace_one(&world, "set-current-view-version", "\"view-version-id\":2"),
                        "200");
    assert_string_equal(
        replace_sql(&world, "select 3"),
        "400 IllegalArgumentException: Cannot replace view due to loss of view dialects "
        "(replace.drop-dialect.allowed=false):\nPrevious dialects: [spark, trino]\n"
        "New dialects: [spark]");
    assert_string_equal(replace_one(&world, "set-properties",
                                    "\"updates\":{\"replace.drop-dialect.allowed\":\"true\"}"),
                        "200");
    assert_string_equal(replace_sql(&world, "select 3"), "200");
    assert_string_equal(member(&world, "current-version-id"), "3");
    world_close(&world);
}

static void test_history_is_trimmed(void **state)
{
    (void)state;
    struct world world;
    world_with_view(&world);
    assert_string_equal(replace_one(&world, "set-properties",
                                    "\"updates\":{\"version.history.num-entries\":\"3\"}"),
                        "200");
    for (int i = 2; i <= 4; i++) {
        char sql[32];
        (void)snprintf(sql, sizeof(sql), "select %d", i);
        assert_string_equal(replace_sql(&world, sql), "200");
    }
    assert_string_equal(version_ids(&world, "versions"), "2 3 4");
    assert_string_equal(version_ids(&world, "version-log"), "2 3 4");
    /* The current version stays although it is the oldest; the log is cut behind the one that
     * goes. */
    assert_string_equal(replace_one(&world, "set-current-view-version", "\"view-version-id\":2"),
                        "200");
    assert_string_equal(add_version(&world, "\"version-id\":1,\"schema-id\":0", two_dialects),
                        "200");
    assert_string_equal(version_ids(&world, "versions"), "2 4 5");
    assert_string_equal(version_ids(&world, "version-log"), "4 2");
    world_close(&world);
}

static void test_ten_versions_by_default(void **state)
{
    (void)state;
    struct world world;
    world_with_view(&world);
    for (int i = 2; i <= 12; i++) {
        char sql[32];
        (void)snprintf(sql, sizeof(sql), "select %d", i);
        assert_string_equal(replace_sql(&world, sql), "200");
    }
    assert_string_equal(version_ids(&world, "versions"), "3 4 5 6 7 8 9 10 11 12");
    assert_string_equal(version_ids(&world, "version-log"), "3 4 5 6 7 8 9 10 11 12");
    world_close(&world);
}

/* --- older versions, answers, drop --- */

static void test_older_versions_can_be_read_until_they_are_published(void **state)
{
    (void)state;
    enum { VERSIONS = 6 };
    struct world world;
    world_with_view(&world);
    const char *documents[VERSIONS] = {metadata(&world)};
    assert_string_equal(replace_one(&world, "set-properties",
                                    "\"updates\":{\"version.history.num-entries\":\"2\"}"),
                        "200");
    documents[1] = metadata(&world);
    for (size_t i = 2; i < VERSIONS; i++) {
        char sql[32];
        (void)snprintf(sql, sizeof(sql), "select %zu", i);
        assert_string_equal(replace_sql(&world, sql), "200");
        documents[i] = metadata(&world);
    }
    for (size_t i = 0; i < VERSIONS; i++) {
        const struct catalog_version version = {
            .warehouse = 1, .object_id = world.id, .version = i, .is_view = true};
        struct kv_reader *at;
        leaf_assert_ok(&world.leaf, outbox__reader_at(world.context.view, &world.leaf.arena,
                                                      &version, &world.leaf.diag, &at));
        assert_string_equal(metadata_from(&world, at), documents[i]);
    }
    world_close(&world);
}

static void test_respond_and_drop(void **state)
{
    (void)state;
    struct world world;
    world_with_view(&world);
    struct str location = world.response.metadata_location;
    size_t mark = begin(&world);
    assert_string_equal(
        outcome(&world,
                view__respond(&world.context, &world.place, world.id, false, &world.response),
                mark),
        "200");
    assert_true(str_eq(world.response.metadata_location, location));
    assert_false(world.response.with_config);
    assert_string_equal(
        outcome(&world, view__respond(&world.context, &world.place, 99, true, &world.response),
                mark),
        "404 NoSuchViewException: the view with id 99 is gone");
    leaf_assert_ok(&world.leaf, view__drop(&world.context, &world.place, world.id));
    struct key key = key_object(1, KEY_PURGE, world.id);
    struct str row;
    bool found;
    leaf_assert_ok(&world.leaf,
                   kv_get(world.context.view, key_str(&key), &world.leaf.diag, &row, &found));
    assert_true(found);
    world_close(&world);
}

/* --- register --- */

static const char *const file_text =
    "{\"view-uuid\":\"9c12d441-03fe-4693-9a96-a0705ddf69c1\",\"format-version\":1,"
    "\"location\":\"file:///lake/ns/old\",\"properties\":{\"k\":\"1\"},\"schemas\":["
    "{\"type\":\"struct\",\"schema-id\":3,\"fields\":[]}],\"current-version-id\":8,\"versions\":["
    "{\"version-id\":8,\"timestamp-ms\":5,\"schema-id\":3,\"summary\":{},\"representations\":["
    "{\"type\":\"sql\",\"sql\":\"select 1\",\"dialect\":\"spark\"}],\"default-namespace\":[]}],"
    "\"version-log\":[{\"version-id\":8,\"timestamp-ms\":5,\"x\":1}],\"x-top\":{\"y\":[null]}}";

static const char *register_file(struct world *world, const char *text)
{
    size_t mark = begin(world);
    status_value result =
        view__register(&world->context, &world->place,
                       STR("file:///lake/ns/old/metadata/00006-u.gz.metadata.json"), str_from(text),
                       &world->response, &world->id);
    return outcome(world, result, mark);
}

static void test_register_keeps_the_file(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    assert_string_equal(register_file(&world, file_text), "200");
    assert_string_equal(metadata(&world), file_text);
    assert_int_equal(world.response.await_count, 0);
    assert_true(str_is(world.response.metadata_location,
                       "file:///lake/ns/old/metadata/00006-u.gz.metadata.json"));
    assert_string_equal(
        replace(&world,
                "[{\"action\":\"add-schema\",\"schema\":{\"fields\":[{\"id\":1,\"name\":\"q\","
                "\"required\":true,\"type\":\"int\"}]}}]"),
        "200");
    assert_true(
        str_starts(world.response.metadata_location, STR("file:///lake/ns/old/metadata/00007-")));
    assert_string_equal(member(&world, "x-top"), "{\"y\":[null]}");
    assert_string_equal(version_ids(&world, "version-log"), "8");
    world_close(&world);
}

static void test_register_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *from;
        const char *to;
        const char *answer;
    } rows[] = {
        {"\"format-version\":1", "\"format-version\":2",
         "400 IllegalArgumentException: Unsupported format version: 2"},
        {"9c12", "9c1",
         "400 IllegalArgumentException: cannot parse view metadata: view-uuid is not a "
         "UUID"},
        {"\"current-version-id\":8", "\"current-version-id\":7",
         "400 IllegalArgumentException: Cannot find current version 7 in view versions"},
        {"\"schema-id\":3,\"summary\"", "\"schema-id\":4,\"summary\"",
         "400 IllegalArgumentException: Cannot find current schema with id 4 in schemas"},
        {"[{\"version-id\":8,\"timestamp-ms\":5,\"schema-id\"",
         "[{\"version-id\":2147483647,\"timestamp-ms\":5,\"schema-id\"",
         "400 IllegalArgumentException: Invalid view version id: 2147483647"},
        {"\"versions\":[", "\"revisions\":[",
         "400 BadRequestException: cannot parse view metadata: missing field versions"},
        {"file:///lake/ns/old", "file:///else",
         "400 IllegalArgumentException: The location of the view file:///else is outside of the "
         "location file:///lake of warehouse lake"},
        {"{\"view-uuid\"", "{{\"view-uuid\"",
         "400 BadRequestException: malformed JSON at byte 1: unexpected character, expected a "
         "string "
         "key"},
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct world world;
        world_open(&world);
        const char *at = strstr(file_text, rows[i].from);
        assert_non_null(at);
        struct str text = arena_printf(&world.leaf.arena, "%.*s%s%s", (int)(at - file_text),
                                       file_text, rows[i].to, at + strlen(rows[i].from));
        const char *answer = register_file(&world, text.data);
        if (strncmp(rows[i].answer, "400 BadRequestException: malformed", 34) == 0)
            assert_memory_equal(answer, rows[i].answer, 34);
        else
            assert_string_equal(answer, rows[i].answer);
        assert_true(kv_batch_is_empty(world.context.batch));
        world_close(&world);
    }
}

/* --- shortage of memory --- */

static void test_every_shortage_of_memory_is_survived(void **state)
{
    (void)state;
    struct world world;
    world_with_view(&world);
    const struct json *updates =
        leaf_json(&world.leaf, "[{\"action\":\"set-properties\",\"updates\":{\"a\":\"b\"}},"
                               "{\"action\":\"add-schema\",\"schema\":{\"fields\":[]}}]");
    size_t failures = 0;
    bool done = false;
    for (size_t budget = 0; !done; budget += 512, failures++) {
        struct arena arena;
        arena_init(&arena, allocator_heap(), budget);
        struct diag diag = {.count = 0};
        struct catalog_context context = world.context;
        struct catalog_response response = {.http = 0};
        context.arena = &arena;
        context.diag = &diag;
        size_t mark = kv_batch_mark(context.batch);
        status_value result =
            view__replace(&context, &world.place, world.id, NULL, updates, &response);
        done = is_ok(result);
        assert_true(done || result.code == STATUS_NOMEM);
        kv_batch_rewind(context.batch, mark);
        arena_deinit(&arena);
    }
    assert_true(failures > 5);
    assert_string_equal(version_ids(&world, "versions"), "1");
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create),
        cmocka_unit_test(test_create_refuses),
        cmocka_unit_test(test_default_location),
        cmocka_unit_test(test_metadata_files),
        cmocka_unit_test(test_assign_uuid),
        cmocka_unit_test(test_upgrade_format_version),
        cmocka_unit_test(test_add_schema),
        cmocka_unit_test(test_set_location),
        cmocka_unit_test(test_properties),
        cmocka_unit_test(test_add_view_version),
        cmocka_unit_test(test_add_view_version_ids),
        cmocka_unit_test(test_set_current_view_version),
        cmocka_unit_test(test_table_updates_are_refused),
        cmocka_unit_test(test_requirements),
        cmocka_unit_test(test_no_change_makes_no_version),
        cmocka_unit_test(test_dialects_are_not_lost),
        cmocka_unit_test(test_history_is_trimmed),
        cmocka_unit_test(test_ten_versions_by_default),
        cmocka_unit_test(test_older_versions_can_be_read_until_they_are_published),
        cmocka_unit_test(test_respond_and_drop),
        cmocka_unit_test(test_register_keeps_the_file),
        cmocka_unit_test(test_register_refuses),
        cmocka_unit_test(test_every_shortage_of_memory_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
