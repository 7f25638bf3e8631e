/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table_support.c - see table_support.h.
 */
#include "table_support.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { CHANGE_BUDGET = 1 << 28 };

const char *quoted(struct fixture *fixture, const char *text)
{
    struct str copy = arena_copy(&fixture->arena, str_from(text));
    char *at = (char *)(uintptr_t)copy.data;
    for (size_t i = 0; i < copy.size; i++)
        at[i] = at[i] == '\'' ? '"' : at[i];
    return copy.data;
}

const char *run_quoted(struct fixture *fixture, const char *line)
{
    return fixture_run(fixture, quoted(fixture, line));
}

TN_PRINTF(2, 3)
static const char *join(struct fixture *fixture, const char *format, ...)
{
    va_list args;
    va_list again;
    va_start(args, format);
    va_copy(again, args);
    int size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    ASSERT(size >= 0);
    char *room = arena_alloc(&fixture->arena, (size_t)size + 1);
    ASSERT(room != NULL);
    (void)vsnprintf(room, (size_t)size + 1, format, again);
    va_end(again);
    return room;
}

void table_open(struct fixture *fixture, int format_version)
{
    fixture_open(fixture);
    ASSERT(strncmp(run_quoted(fixture, "NAMESPACE_CREATE {'namespace':['a']}"), "200", 3) == 0);
    char line[2000];
    snprintf(line, sizeof(line),
             "TABLE_CREATE a {'name':'t','schema':" SCHEMA_TWO
             ",'properties':{'format-version':'%d'}}",
             format_version);
    const char *answer = run_quoted(fixture, line);
    if (strncmp(answer, "200", 3) != 0) {
        fprintf(stderr, "%s\n", answer);
        abort();
    }
}

const char *table_commit(struct fixture *fixture, const char *requirements, const char *updates,
                         const char *show)
{
    return run_quoted(fixture,
                      join(fixture, "TABLE_COMMIT a/t %s%s {'requirements':[%s],'updates':[%s]}",
                           show == NULL ? "" : "show=", show == NULL ? "" : show, requirements,
                           updates));
}

const char *table_metadata(struct fixture *fixture)
{
    const char *text = fixture_run(fixture, "TABLE_LOAD a/t show=");
    const char *from = strstr(text, "\"metadata\":{");
    ASSERT(from != NULL);
    struct str body = str_from(from + strlen("\"metadata\":"));
    ASSERT(str_ends(body, STR(",\"config\":{}}")));
    body.size -= strlen(",\"config\":{}}");
    return arena_copy(&fixture->arena, body).data;
}

void table_change(struct fixture *fixture, table_change_fn change, void *argument)
{
    struct arena arena;
    struct diag diag = {.count = 0};
    struct kv_snapshot *snapshot;
    struct buf payload;
    arena_init(&arena, allocator_heap(), CHANGE_BUDGET);
    fixture->now_ms++;
    ASSERT(is_ok(kv_store_snapshot(fixture->store, &diag, &snapshot)));
    struct catalog_context context = {.arena = &arena,
                                      .prng = &fixture->prng,
                                      .stamp = {fixture->now_ms << 16},
                                      .options = &fixture->options,
                                      .diag = &diag};
    ASSERT(is_ok(kv_batch_create(&arena, &snapshot->reader, &diag, &context.batch)));
    context.view = kv_batch_reader(context.batch);
    status_value result = change(&context, argument);
    if (!is_ok(result)) {
        fprintf(stderr, "change: %s\n", diag_message(&diag, result.code));
        abort();
    }
    buf_init(&payload, &arena, CHANGE_BUDGET);
    kv_payload_encode(context.batch, context.stamp, NULL, &payload);
    struct kv_entry entry = {.index = fixture->index + 1, .term = 1, .payload = buf_view(&payload)};
    if (!kv_batch_is_empty(context.batch)) {
        fixture->index++;
        ASSERT(is_ok(kv_store_apply(fixture->store, &entry, 1, &diag)));
    }
    kv_snapshot_close(snapshot);
    arena_deinit(&arena);
}

struct str table_drain(struct fixture *fixture, struct catalog_stream *stream, size_t piece)
{
    struct diag diag = {.count = 0};
    struct buf text;
    buf_init(&text, &fixture->arena, 1 << 28);
    for (bool end = false; !end;) {
        size_t size = 0;
        char *room = buf_reserve(&text, piece);
        ASSERT(room != NULL);
        ASSERT(is_ok(catalog_stream_fill(stream, room, piece, &diag, &size, &end)));
        ASSERT(size > 0 || end);
        text.size += size;
    }
    catalog_stream_close(stream);
    buf_byte(&text, '\0');
    ASSERT(text.failed == STATUS_OK);
    return (struct str){text.data, text.size - 1};
}
