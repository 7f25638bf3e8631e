/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table_cost_test.c - a commit costs its delta, not its history: the store is asked the same number
 * of questions and gets the same number of rows at 10 and at 5,000 snapshots. And no allocation
 * that fails leaves half a change.
 */
#include "failing_allocator.h"
#include "table_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

struct cost {
    size_t gets;
    size_t scans;
    size_t rows; /* stepped over by scans */
    size_t writes;
    size_t bytes_written;
};

/* A reader that counts what it is asked. */
struct counting_reader {
    struct kv_reader reader;
    struct kv_reader *base;
    struct cost *cost;
};
struct counting_cursor {
    struct kv_cursor cursor;
    struct kv_cursor *base;
    struct cost *cost;
};

static status_value count_get(struct kv_reader *self, struct str key, struct diag *diag,
                              struct str *out, bool *out_found)
{
    struct counting_reader *reader = CONTAINER_OF(self, struct counting_reader, reader);
    reader->cost->gets++;
    return kv_get(reader->base, key, diag, out, out_found);
}

static status_value count_next(struct kv_cursor *self, struct diag *diag, struct str *out_key,
                               struct str *out_value, bool *out_found)
{
    struct counting_cursor *cursor = CONTAINER_OF(self, struct counting_cursor, cursor);
    cursor->cost->rows++;
    return kv_next(cursor->base, diag, out_key, out_value, out_found);
}

static void count_close(struct kv_cursor *self)
{
    kv_close(CONTAINER_OF(self, struct counting_cursor, cursor)->base);
}

static status_value count_scan(struct kv_reader *self, struct arena *arena, struct str from,
                               struct str to, struct diag *diag, struct kv_cursor **out)
{
    static const struct kv_cursor_ops ops = {.next = count_next, .close = count_close};
    struct counting_reader *reader = CONTAINER_OF(self, struct counting_reader, reader);
    struct counting_cursor *cursor = ARENA_NEW(arena, struct counting_cursor);
    ASSERT(cursor != NULL);
    reader->cost->scans++;
    cursor->cursor.ops = &ops;
    cursor->cost = reader->cost;
    *out = &cursor->cursor;
    return kv_scan(reader->base, arena, from, to, diag, &cursor->base);
}

/* Evaluates the commit without applying it. */
static struct cost cost_of(struct fixture *f, const char *updates)
{
    static const struct kv_reader_ops ops = {.get = count_get, .scan = count_scan};
    struct cost cost = {.gets = 0};
    struct diag diag = {.count = 0};
    struct kv_snapshot *snapshot = NULL;
    struct catalog_response response = {0};
    struct str level = STR("a");
    struct catalog_request request = {.op = CATALOG_TABLE_COMMIT, .ident = {&level, 1, STR("t")}};
    struct json_limits limits = json_limits_request();
    char text[4000];
    snprintf(text, sizeof(text),
             "{'requirements':[{'type':'assert-ref-snapshot-id','ref':'dev','snapshot-id':null}],"
             "'updates':[%s]}",
             updates);
    ASSERT(is_ok(json_parse(&f->arena, str_from(quoted(f, text)), &limits, &diag, &request.body)));
    ASSERT(is_ok(kv_store_snapshot(f->store, &diag, &snapshot)));
    struct counting_reader reader = {{&ops}, &snapshot->reader, &cost};
    struct catalog_context context = {.view = &reader.reader,
                                      .arena = &f->arena,
                                      .prng = &f->prng,
                                      .stamp = {(f->now_ms + 1) << 16},
                                      .options = &f->options,
                                      .diag = &diag};
    ASSERT(is_ok(kv_batch_create(&f->arena, &reader.reader, &diag, &context.batch)));
    status_value result = catalog_mutate(&context, &request, &response);
    if (!is_ok(result))
        fail_msg("%s", diag_message(&diag, result.code));
    struct kv_batch_iter writes = kv_batch_writes(context.batch);
    struct kv_write write;
    while (kv_batch_next(&writes, &write)) {
        cost.writes++;
        cost.bytes_written += write.key.size + write.value.size;
    }
    kv_snapshot_close(snapshot);
    return cost;
}

static status_value publish_everything(struct catalog_context *context, void *argument)
{
    struct catalog_publish_job *jobs = NULL;
    size_t count = 0;
    (void)argument;
    TRY(catalog_outbox_list(context->view, context->arena, 10000, context->diag, &jobs, &count));
    for (size_t i = 0; i < count; i++)
        TRY(catalog_publish_done(context, &jobs[i].version));
    return OK;
}

/*
 * A table with this many snapshots, as many commits, and a full metadata log. What is made is
 * published every now and then: one batch for all of it would step over its own deletions, and
 * that costs the square of their number.
 */
static void grow(struct fixture *f, int snapshots)
{
    table_open(f, 2);
    table_commit(f, "",
                 "{'action':'set-properties','updates':{'write.metadata.previous-versions-max':'4',"
                 "'write.metadata.delete-after-commit.enabled':'true'}}",
                 NULL);
    for (int i = 1; i <= snapshots; i++) {
        char updates[1000];
        snprintf(
            updates, sizeof(updates),
            "{'action':'add-snapshot','snapshot':{'snapshot-id':%d,'parent-snapshot-id':%d,"
            "'sequence-number':%d,'timestamp-ms':1700000001000,'manifest-list':'m'}}," MAIN(% d),
            100000 + i, i == 1 ? -1 : 100000 + i - 1, i, 100000 + i);
        assert_string_equal(table_commit(f, "", updates, NULL), "200");
        if (i % 50 == 0)
            table_change(f, publish_everything, NULL);
    }
    table_change(f, publish_everything, NULL);
}

static const char append_next[] =
    "{'action':'add-snapshot','snapshot':{'snapshot-id':200000,'parent-snapshot-id':100001,"
    "'sequence-number':900000,'timestamp-ms':1700000001000,'manifest-list':'m'}}," MAIN(200000);

static void append_costs_the_same(void **state)
{
    struct fixture small;
    struct fixture large;
    (void)state;
    grow(&small, 10);
    grow(&large, 5000);
    struct cost a = cost_of(&small, append_next);
    struct cost b = cost_of(&large, append_next);
    assert_int_equal(a.gets, b.gets);
    assert_int_equal(a.scans, b.scans);
    assert_int_equal(a.rows, b.rows);
    assert_int_equal(a.writes, b.writes);
    /* Numbers have more digits, no more. */
    assert_in_range(b.bytes_written, a.bytes_written, a.bytes_written + 64);
    assert_in_range(a.writes, 6, 10);
    assert_in_range(a.gets, 5, 16);
    /* With an older version unpublished: two undo rows more for what changes, one for what is
     * cut. */
    table_commit(&small, "", "{'action':'set-properties','updates':{'k':'v'}}", NULL);
    table_commit(&large, "", "{'action':'set-properties','updates':{'k':'v'}}", NULL);
    struct cost c = cost_of(&small, append_next);
    struct cost d = cost_of(&large, append_next);
    assert_int_equal(c.gets, d.gets);
    assert_int_equal(c.rows, d.rows);
    assert_int_equal(c.writes, d.writes);
    assert_int_equal(c.writes, a.writes + 3);
    /* Removing three snapshots costs the same too: what it removes and the refs. */
    static const char expire[] =
        "{'action':'remove-snapshots','snapshot-ids':[100001,100002,100003]}";
    a = cost_of(&small, expire);
    b = cost_of(&large, expire);
    assert_int_equal(a.gets, b.gets);
    assert_int_equal(a.rows, b.rows);
    assert_int_equal(a.writes, b.writes);
    fixture_close(&small);
    fixture_close(&large);
}

/* --- allocations that fail --- */

static void survive(const char *line, bool is_commit)
{
    bool succeeded = false;
    for (uint64_t at = 1; !succeeded; at++) {
        struct fixture f;
        struct failing_allocator failing;
        table_open(&f, 2);
        size_t rows = fixture_rows(&f, STR("C"));
        const char *before = table_metadata(&f);
        failing_allocator_init(&failing, at);
        f.allocator = &failing.base;
        const char *answer = run_quoted(&f, line);
        succeeded = strncmp(answer, "200", 3) == 0;
        assert_int_equal(failing.live_bytes, 0);
        f.allocator = allocator_heap();
        if (!succeeded) {
            assert_ptr_equal(strstr(answer, "503 SlowDownException"), answer);
            assert_int_equal(fixture_rows(&f, STR("C")), rows);
            assert_string_equal(table_metadata(&f), before);
        } else if (is_commit) {
            assert_string_not_equal(table_metadata(&f), before);
        }
        fixture_close(&f);
    }
}

static void failing_allocations_change_nothing(void **state)
{
    (void)state;
    survive("TABLE_CREATE a {'name':'n','schema':" SCHEMA_TWO "}", false);
    survive("TABLE_CREATE a {'name':'n','stage-create':true,'schema':" SCHEMA_TWO "}", false);
    survive("TABLE_COMMIT a/t {'requirements':[],'updates':[" APPEND(
                10, -1, 1, 100) ","
                                "{'action':'add-schema','schema':" SCHEMA_THREE "},"
                                "{'action':'set-current-schema','schema-id':-1},"
                                "{'action':'set-properties','updates':{'a':'b','c':'d'}}]}",
            true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(append_costs_the_same),
        cmocka_unit_test(failing_allocations_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
