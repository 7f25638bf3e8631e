/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table_metadata_fuzz.c - any bytes as a metadata.json to register. What is taken is served as a
 * document that can be registered again and then is served the same, and a commit on it is answered
 * with 2xx or 4xx.
 */
#include "catalog_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool register_file(struct fixture *f, const char *name, struct str file)
{
    struct diag diag = {.count = 0};
    struct arena arena;
    struct kv_snapshot *snapshot = NULL;
    struct catalog_response response = {0};
    struct str level = STR("a");
    struct catalog_request request = {
        .op = CATALOG_TABLE_REGISTER, .ident = {&level, 1, STR("")}, .metadata_file = file};
    struct json_limits limits = json_limits_request();
    struct buf payload;
    arena_init(&arena, allocator_heap(), 1 << 28);
    struct str body = arena_printf(
        &arena, "{\"name\":\"%s\",\"metadata-location\":\"file:///lake/m/00007-x.metadata.json\"}",
        name);
    ASSERT(is_ok(json_parse(&arena, body, &limits, &diag, &request.body)));
    ASSERT(is_ok(kv_store_snapshot(f->store, &diag, &snapshot)));
    struct catalog_context context = {.view = &snapshot->reader,
                                      .arena = &arena,
                                      .prng = &f->prng,
                                      .stamp = {++f->now_ms << 16},
                                      .options = &f->options,
                                      .diag = &diag};
    ASSERT(is_ok(kv_batch_create(&arena, &snapshot->reader, &diag, &context.batch)));
    status_value result = catalog_mutate(&context, &request, &response);
    ASSERT(is_ok(result) || status_http(result.code) / 100 == 4);
    buf_init(&payload, &arena, 1 << 28);
    kv_payload_encode(context.batch, context.stamp, NULL, &payload);
    struct kv_entry entry = {.index = f->index + 1, .term = 1, .payload = buf_view(&payload)};
    if (is_ok(result)) {
        f->index++;
        ASSERT(is_ok(kv_store_apply(f->store, &entry, 1, &diag)));
    }
    kv_snapshot_close(snapshot);
    arena_deinit(&arena);
    return is_ok(result);
}

static struct str document_of(struct fixture *f, const char *line)
{
    struct str text = str_from(fixture_run(f, line));
    struct str head = STR("200 {\"metadata-location\":\"file:///lake/m/00007-x.metadata.json\","
                          "\"metadata\":");
    struct str tail = STR(",\"config\":{}}");
    ASSERT(str_starts(text, head) && str_ends(text, tail));
    return str_slice(text, head.size, text.size - tail.size);
}

static void commit(struct fixture *f, const char *updates)
{
    const char *answer = fixture_runf(f, "TABLE_COMMIT a/t {\"updates\":[%s]}", updates);
    ASSERT(answer[0] == '2' || answer[0] == '4');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fixture f;
    fixture_open(&f);
    fixture_run(&f, "NAMESPACE_CREATE {\"namespace\":[\"a\"]}");
    if (register_file(&f, "t", (struct str){(const char *)data, size})) {
        struct str first = document_of(&f, "TABLE_LOAD a/t show=");
        ASSERT(register_file(&f, "u", first));
        ASSERT(str_eq(document_of(&f, "TABLE_LOAD a/u show="), first));
        commit(&f, "{\"action\":\"set-properties\",\"updates\":{\"k\":\"v\"}}");
        commit(&f, "{\"action\":\"add-snapshot\",\"snapshot\":{\"snapshot-id\":987654321,"
                   "\"sequence-number\":9000000000,\"timestamp-ms\":1700000000500,"
                   "\"manifest-list\":\"m\",\"first-row-id\":9000000000,\"added-rows\":1}},"
                   "{\"action\":\"set-snapshot-ref\",\"ref-name\":\"main\",\"type\":\"branch\","
                   "\"snapshot-id\":987654321}");
        commit(&f, "{\"action\":\"add-schema\",\"schema\":{\"type\":\"struct\",\"fields\":[]}},"
                   "{\"action\":\"set-current-schema\",\"schema-id\":-1}");
        commit(&f, "{\"action\":\"remove-snapshots\",\"snapshot-ids\":[1,2,7]}");
        ASSERT(fixture_run(&f, "TABLE_LOAD a/t show=")[0] == '2');
        ASSERT(fixture_run(&f, "TABLE_LOAD a/t refs show=")[0] == '2');
    }
    fixture_close(&f);
    return 0;
}
