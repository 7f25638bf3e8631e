/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream_test.c - a document comes out the same whatever the size of the pieces, in the order of
 * Iceberg's writer, and with memory that does not grow with the table. ETags and conditional loads.
 */
#include "table_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static const struct catalog_response *load(struct fixture *f, struct kv_snapshot *snapshot,
                                           bool refs_only, const char *if_none_match)
{
    struct diag diag = {.count = 0};
    struct catalog_response *response = ARENA_NEW(&f->arena, struct catalog_response);
    struct str *level = ARENA_NEW(&f->arena, struct str);
    *level = STR("a");
    struct catalog_request request = {.op = CATALOG_TABLE_LOAD,
                                      .ident = {level, 1, STR("t")},
                                      .refs_only = refs_only,
                                      .if_none_match = str_from(if_none_match)};
    struct catalog_context context = {
        .view = &snapshot->reader, .arena = &f->arena, .options = &f->options, .diag = &diag};
    assert_true(is_ok(catalog_read(&context, &request, response)));
    return response;
}

static struct str drain(struct fixture *f, struct kv_snapshot *snapshot,
                        const struct catalog_response *response, size_t piece)
{
    struct diag diag = {.count = 0};
    struct catalog_stream *stream = NULL;
    assert_true(is_ok(catalog_stream_open(&snapshot->reader, &f->arena, response, &diag, &stream)));
    return table_drain(f, stream, piece);
}

static struct kv_snapshot *snapshot_of(struct fixture *f)
{
    struct diag diag = {.count = 0};
    struct kv_snapshot *snapshot = NULL;
    assert_true(is_ok(kv_store_snapshot(f->store, &diag, &snapshot)));
    return snapshot;
}

static void pieces_of_any_size(void **state)
{
    static const size_t sizes[] = {1, 2, 3, 7, 64, 1000, 1 << 20};
    struct fixture f;
    (void)state;
    table_open(&f, 2);
    table_commit(&f, "", APPEND(10, -1, 1, 100) "," REF("v1", 10, "tag"), NULL);
    table_commit(&f, "", APPEND(11, 10, 2, 110), NULL);
    struct kv_snapshot *snapshot = snapshot_of(&f);
    const struct catalog_response *response = load(&f, snapshot, false, "");
    struct str whole = drain(&f, snapshot, response, 1 << 16);
    for (size_t i = 0; i < COUNTOF(sizes); i++)
        assert_true(str_eq(drain(&f, snapshot, response, sizes[i]), whole));
    kv_snapshot_close(snapshot);
    fixture_close(&f);
}

static void members_in_the_order_of_the_writer(void **state)
{
    static const char *const order[] = {"\"format-version\"",
                                        "\"table-uuid\"",
                                        "\"location\"",
                                        "\"last-sequence-number\"",
                                        "\"last-updated-ms\"",
                                        "\"last-column-id\"",
                                        "\"current-schema-id\"",
                                        "\"schemas\"",
                                        "\"default-spec-id\"",
                                        "\"partition-specs\"",
                                        "\"last-partition-id\"",
                                        "\"default-sort-order-id\"",
                                        "\"sort-orders\"",
                                        "\"properties\"",
                                        "\"current-snapshot-id\"",
                                        "\"next-row-id\"",
                                        "\"encryption-keys\"",
                                        "\"refs\"",
                                        "\"snapshots\"",
                                        "\"statistics\"",
                                        "\"partition-statistics\"",
                                        "\"snapshot-log\"",
                                        "\"metadata-log\""};
    struct fixture f;
    (void)state;
    table_open(&f, 3);
    table_commit(&f, "",
                 "{'action':'add-encryption-key','encryption-key':{'key-id':'k',"
                 "'encrypted-key-metadata':'eA=='}}",
                 NULL);
    const char *at = table_metadata(&f);
    for (size_t i = 0; i < COUNTOF(order); i++) {
        at = strstr(at, order[i]);
        if (at == NULL)
            fail_msg("%s is not where it should be", order[i]);
    }
    fixture_close(&f);
}

static void commit_answers_have_no_config(void **state)
{
    struct fixture f;
    (void)state;
    table_open(&f, 2);
    const char *commit = table_commit(&f, "", APPEND(10, -1, 1, 100), "");
    assert_null(strstr(commit, "\"config\""));
    assert_non_null(strstr(fixture_run(&f, "TABLE_LOAD a/t show="), ",\"config\":{}}"));
    fixture_close(&f);
}

/* The arena of the stream takes the plan and a few cursors, not the rows. */
static void memory_is_bounded(void **state)
{
    struct fixture f;
    struct arena arena;
    struct diag diag = {.count = 0};
    struct catalog_stream *stream = NULL;
    char piece[256];
    size_t total = 0;
    (void)state;
    table_open(&f, 2);
    for (int i = 1; i <= 2000; i++) {
        char updates[400];
        snprintf(updates, sizeof(updates),
                 "{'action':'add-snapshot','snapshot':{'snapshot-id':%d,'sequence-number':%d,"
                 "'timestamp-ms':1700000001000,'manifest-list':'m','parent-snapshot-id':1}}",
                 i, i);
        assert_string_equal(table_commit(&f, "", updates, NULL), "200");
    }
    struct kv_snapshot *snapshot = snapshot_of(&f);
    const struct catalog_response *response = load(&f, snapshot, false, "");
    arena_init(&arena, allocator_heap(), 64 << 10);
    assert_true(is_ok(catalog_stream_open(&snapshot->reader, &arena, response, &diag, &stream)));
    for (bool end = false; !end;) {
        size_t size = 0;
        assert_true(is_ok(catalog_stream_fill(stream, piece, sizeof(piece), &diag, &size, &end)));
        total += size;
    }
    assert_true(total > 200000);
    catalog_stream_close(stream);
    arena_deinit(&arena);
    kv_snapshot_close(snapshot);
    fixture_close(&f);
}

/* --- ETags --- */

static void etags(void **state)
{
    struct fixture f;
    (void)state;
    table_open(&f, 2);
    struct kv_snapshot *snapshot = snapshot_of(&f);
    struct str all = load(&f, snapshot, false, "")->etag;
    struct str refs = load(&f, snapshot, true, "")->etag;
    assert_int_equal(all.size, 18);
    assert_int_equal(all.data[0], '"');
    assert_false(str_eq(all, refs));
    char list[200];
    static const char *const forms[] = {"%.*s", "W/%.*s", "\"x\", %.*s", "x,W/%.*s ,y", "*"};
    for (size_t i = 0; i < COUNTOF(forms); i++) {
        int size = snprintf(list, sizeof(list), "%s", forms[i]);
        assert_true(size > 0);
        char header[200];
        const char *spot = strstr(list, "%.*s");
        if (spot == NULL)
            snprintf(header, sizeof(header), "%s", list);
        else
            snprintf(header, sizeof(header), "%.*s%.*s%s", (int)(spot - list), list, STR_ARG(all),
                     spot + 4);
        const struct catalog_response *response = load(&f, snapshot, false, header);
        assert_int_equal(response->http, 304);
        assert_int_equal(response->body, CATALOG_BODY_NONE);
        assert_true(str_eq(response->etag, all));
    }
    /* Unquoted, as the reference sends it. */
    struct str bare = arena_copy(&f.arena, str_slice(all, 1, all.size - 1));
    assert_int_equal(load(&f, snapshot, false, bare.data)->http, 304);
    assert_int_equal(load(&f, snapshot, true, bare.data)->http, 200);
    assert_int_equal(load(&f, snapshot, false, "\"\",,W/")->http, 200);
    kv_snapshot_close(snapshot);
    table_commit(&f, "", APPEND(10, -1, 1, 100), NULL);
    snapshot = snapshot_of(&f);
    assert_int_equal(load(&f, snapshot, false, bare.data)->http, 200);
    kv_snapshot_close(snapshot);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_of_any_size),
        cmocka_unit_test(members_in_the_order_of_the_writer),
        cmocka_unit_test(commit_answers_have_no_config),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(etags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
