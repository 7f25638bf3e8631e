/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalog_fixture.c - evaluates a line as a node does: snapshot, batch, payload, apply.
 */
#include "catalog_fixture.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const op_names[] = {
#define CATALOG_OP(name, mutates, verb, path) [CATALOG_##name] = #name,
#include "catalog/operations.def"
#undef CATALOG_OP
};

enum { ARENA_BUDGET = 1 << 30, ANSWER_MAX = 1 << 26 };

static const char *error_text(struct fixture *fixture, status_value failed, const struct diag *diag)
{
    return arena_printf(&fixture->arena, "%d %s: %s", status_http(failed.code),
                        status_iceberg_type(failed.code), diag_message(diag, failed.code))
        .data;
}

static struct str stream_text(struct fixture *fixture, struct kv_reader *reader,
                              const struct catalog_response *response)
{
    struct diag diag = {.count = 0};
    struct catalog_stream *stream;
    struct buf buf;
    buf_init(&buf, &fixture->arena, ANSWER_MAX);
    ASSERT(is_ok(catalog_stream_open(reader, &fixture->arena, response, &diag, &stream)));
    for (bool end = false; !end;) {
        char piece[1000];
        size_t size;
        ASSERT(is_ok(catalog_stream_fill(stream, piece, sizeof(piece), &diag, &size, &end)));
        buf_append(&buf, piece, size);
    }
    catalog_stream_close(stream);
    return buf_view(&buf);
}

/* A member of the metadata, or the whole text when `show` is empty. */
static struct str shown(struct fixture *fixture, struct str text, struct str show)
{
    struct json_limits limits = json_limits_document();
    const struct json *json;
    struct diag diag = {.count = 0};
    if (show.size == 0)
        return text;
    ASSERT(is_ok(json_parse(&fixture->arena, text, &limits, &diag, &json)));
    const struct json *metadata = json_get(json, "metadata");
    const struct json *member = json_get_str(metadata, show);
    struct buf buf;
    buf_init(&buf, &fixture->arena, ANSWER_MAX);
    if (member == NULL)
        buf_str(&buf, STR("absent"));
    else
        json_write(&buf, member);
    return buf_view(&buf);
}

static const char *answer_text(struct fixture *fixture, struct kv_reader *reader,
                               const struct catalog_response *response, const struct str *show)
{
    struct str body = {"", 0};
    if (response->body == CATALOG_BODY_JSON)
        body = response->json;
    else if (response->body != CATALOG_BODY_NONE && show->data != NULL)
        body = shown(fixture, stream_text(fixture, reader, response), *show);
    return arena_printf(&fixture->arena, "%d%s%.*s", response->http, body.size > 0 ? " " : "",
                        STR_ARG(body))
        .data;
}

/* One change from snapshot to applied entry. */
struct change {
    struct kv_snapshot *snapshot;
    struct kv_reader *reader; /* of the snapshot, or of what is in flight over it */
    struct arena arena;
    struct catalog_context context;
    struct diag diag;
};

static status_value change_open(struct fixture *fixture, struct change *change)
{
    *change = (struct change){.diag = {.count = 0}};
    arena_init(&change->arena, fixture->allocator, fixture->budget_bytes);
    fixture->now_ms++;
    fixture->writes = 0;
    ASSERT(is_ok(kv_store_snapshot(fixture->store, &change->diag, &change->snapshot)));
    bool in_flight = fixture->inflight != NULL;
    change->reader = in_flight ? kv_inflight_reader(fixture->inflight) : &change->snapshot->reader;
    /* What is in flight is borrowed from its batch, so that must live as long as the fixture. */
    struct arena *arena = in_flight ? &fixture->arena : &change->arena;
    change->context = (struct catalog_context){.view = change->reader,
                                               .arena = arena,
                                               .prng = &fixture->prng,
                                               .stamp = {fixture->now_ms << 16},
                                               .options = &fixture->options,
                                               .diag = &change->diag};
    return kv_batch_create(arena, change->reader, &change->diag, &change->context.batch);
}

/* Applies the batch, if it holds anything, and looks at the state it makes. */
static void change_apply(struct fixture *fixture, struct change *change)
{
    struct diag diag = {.count = 0};
    if (fixture->inflight != NULL) {
        fixture->writes = kv_batch_count(change->context.batch);
        ASSERT(is_ok(
            kv_inflight_add(fixture->inflight, change->context.batch, ++fixture->index, &diag)));
        return;
    }
    if (!kv_batch_is_empty(change->context.batch)) {
        struct buf payload;
        buf_init(&payload, &fixture->arena, ANSWER_MAX);
        kv_payload_encode(change->context.batch, change->context.stamp, NULL, &payload);
        fixture->writes = kv_batch_count(change->context.batch);
        struct kv_entry entry = {
            .index = ++fixture->index, .term = 1, .payload = buf_view(&payload)};
        ASSERT(is_ok(kv_store_apply(fixture->store, &entry, 1, &diag)));
    }
    kv_snapshot_close(change->snapshot);
    ASSERT(is_ok(kv_store_snapshot(fixture->store, &diag, &change->snapshot)));
    change->reader = &change->snapshot->reader;
}

static void change_close(struct change *change)
{
    kv_snapshot_close(change->snapshot);
    arena_deinit(&change->arena);
}

/* --- lines --- */

struct line {
    struct catalog_request request;
    struct str show;
};

static struct catalog_ident ident_of(struct fixture *fixture, struct str text)
{
    struct catalog_ident ident = {.name = {"", 0}};
    ptrdiff_t slash = str_find(text, '/');
    if (slash >= 0) {
        ident.name = str_from_pos(text, (size_t)slash + 1);
        text = str_slice(text, 0, (size_t)slash);
    }
    struct str *levels = ARENA_ARRAY(&fixture->arena, struct str, text.size + 1);
    while (text.size > 0 && str_split(&text, '.', &levels[ident.level_count]))
        ident.level_count++;
    ident.levels = levels;
    return ident;
}

static enum catalog_op op_of(struct str name)
{
    for (size_t i = 0; i < COUNTOF(op_names); i++) {
        if (str_is(name, op_names[i]))
            return (enum catalog_op)i;
    }
    fprintf(stderr, "no such operation: %.*s\n", STR_ARG(name));
    ASSERT(false);
}

static uint64_t number_of(struct str text)
{
    uint64_t number;
    ASSERT(str_to_u64(text, &number));
    return number;
}

static void word_read(struct fixture *fixture, struct str word, struct line *line)
{
    struct catalog_request *request = &line->request;
    struct str value = word;
    struct str name;
    ASSERT(str_split(&value, '=', &name));
    if (str_is(name, "purge")) {
        request->purge = true;
    } else if (str_is(name, "refs")) {
        request->refs_only = true;
    } else if (str_is(name, "key")) {
        request->has_idempotency_key = true;
        memset(request->idempotency_key.bytes, (int)number_of(value), 16);
    } else if (str_is(name, "token")) {
        request->has_page_token = true;
        request->page_token = value;
    } else if (str_is(name, "size")) {
        request->has_page_size = true;
        request->page_size = number_of(value);
    } else if (str_is(name, "parent")) {
        request->parent = ident_of(fixture, value);
    } else if (str_is(name, "warehouse")) {
        request->warehouse = value;
    } else if (str_is(name, "etag")) {
        request->if_none_match = value;
    } else if (str_is(name, "show")) {
        line->show = value;
    } else {
        request->ident = ident_of(fixture, word);
    }
}

/* What an Idempotency-Key is bound to: operation, place and body, not the key itself. */
static void fingerprint_make(struct catalog_request *request, struct str body)
{
    uint64_t parts[2] = {str_hash(body) ^ ((uint64_t)request->op << 56),
                         str_hash(request->ident.name)};
    for (size_t i = 0; i < request->ident.level_count; i++)
        parts[1] = parts[1] * 31 + str_hash(request->ident.levels[i]);
    memcpy(request->fingerprint, parts, sizeof(parts));
}

/* Bodies may be written with ' for ", which reads better in C. */
static struct str body_of(struct fixture *fixture, struct str text)
{
    char *copy = arena_alloc(&fixture->arena, text.size);
    ASSERT(copy != NULL);
    for (size_t i = 0; i < text.size; i++)
        copy[i] = (char)(text.data[i] == '\'' ? '"' : text.data[i]);
    return (struct str){copy, text.size};
}

static status_value line_read(struct fixture *fixture, struct str text, struct diag *diag,
                              struct line *out)
{
    struct json_limits limits = json_limits_request();
    ptrdiff_t brace = str_find(text, '{');
    struct str body = brace < 0 ? STR("") : body_of(fixture, str_from_pos(text, (size_t)brace));
    struct str words = brace < 0 ? text : str_slice(text, 0, (size_t)brace);
    struct str word;
    *out = (struct line){.show = {NULL, 0}};
    ASSERT(str_split(&words, ' ', &word));
    out->request.op = op_of(word);
    while (str_split(&words, ' ', &word)) {
        if (word.size > 0)
            word_read(fixture, word, out);
    }
    if (body.size > 0)
        TRY(json_parse(&fixture->arena, body, &limits, diag, &out->request.body));
    fingerprint_make(&out->request, body);
    return OK;
}

static const char *run_mutation(struct fixture *fixture, const struct line *line)
{
    struct change change;
    struct catalog_response response = {0};
    status_value result = change_open(fixture, &change);
    if (is_ok(result))
        result = catalog_mutate(&change.context, &line->request, &response);
    if (change.context.batch != NULL)
        change_apply(fixture, &change);
    fixture->was_replayed = response.replayed;
    fixture->await_count = response.await_count;
    const char *answer = is_ok(result) ? answer_text(fixture, change.reader, &response, &line->show)
                                       : error_text(fixture, result, &change.diag);
    change_close(&change);
    return answer;
}

static const char *run_read(struct fixture *fixture, const struct line *line)
{
    struct change change;
    struct catalog_response response = {0};
    /* A read needs no batch, so it may go on when there is no memory for one. */
    (void)is_ok(change_open(fixture, &change));
    diag_reset(&change.diag);
    change.context.batch = NULL;
    status_value result = catalog_read(&change.context, &line->request, &response);
    const char *answer = is_ok(result) ? answer_text(fixture, change.reader, &response, &line->show)
                                       : error_text(fixture, result, &change.diag);
    change_close(&change);
    return answer;
}

const char *fixture_run(struct fixture *fixture, const char *text)
{
    struct line line;
    struct diag diag = {.count = 0};
    status_value parsed = line_read(fixture, str_from(text), &diag, &line);
    if (!is_ok(parsed))
        return error_text(fixture, parsed, &diag);
    return catalog_op_mutates(line.request.op) ? run_mutation(fixture, &line)
                                               : run_read(fixture, &line);
}

const char *fixture_runf(struct fixture *fixture, const char *format, ...)
{
    char text[8192];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    ASSERT(size >= 0 && (size_t)size < sizeof(text));
    return fixture_run(fixture, arena_copy(&fixture->arena, str_from(text)).data);
}

const char *fixture_warehouse(struct fixture *fixture, const char *name, const char *location,
                              enum catalog_publish publish)
{
    struct change change;
    status_value result = change_open(fixture, &change);
    if (is_ok(result))
        result =
            catalog_warehouse_put(&change.context, str_from(name), str_from(location), publish);
    if (is_ok(result))
        change_apply(fixture, &change);
    const char *answer = is_ok(result) ? "200" : error_text(fixture, result, &change.diag);
    change_close(&change);
    return answer;
}

size_t fixture_rows(struct fixture *fixture, struct str prefix)
{
    struct diag diag = {.count = 0};
    struct kv_snapshot *snapshot;
    struct kv_cursor *cursor;
    struct str key;
    struct str value;
    size_t count = 0;
    ASSERT(is_ok(kv_store_snapshot(fixture->store, &diag, &snapshot)));
    ASSERT(is_ok(kv_scan_prefix(&snapshot->reader, &fixture->arena, prefix, &diag, &cursor)));
    for (bool found = true; found; count += found ? 1 : 0)
        ASSERT(is_ok(kv_next(cursor, &diag, &key, &value, &found)));
    kv_close(cursor);
    kv_snapshot_close(snapshot);
    return count;
}

void fixture_open(struct fixture *fixture)
{
    struct diag diag = {.count = 0};
    *fixture = (struct fixture){.allocator = allocator_heap(),
                                .budget_bytes = ARENA_BUDGET,
                                .options = {.default_warehouse = STR("lake"),
                                            .idempotency_lifetime_ms = 30 * 60 * 1000,
                                            .page_size_max = 1000},
                                .now_ms = 1700000000000};
    prng_init(&fixture->prng, 1);
    arena_init(&fixture->arena, allocator_heap(), ARENA_BUDGET);
    ASSERT(is_ok(mem_store_open(allocator_heap(), &diag, &fixture->store)));
    ASSERT(strcmp(fixture_warehouse(fixture, "lake", "file:///lake", PUBLISH_SYNC), "200") == 0);
}

void fixture_stop_applying(struct fixture *fixture)
{
    struct diag diag = {.count = 0};
    ASSERT(is_ok(kv_store_snapshot(fixture->store, &diag, &fixture->base)));
    ASSERT(is_ok(kv_inflight_create(allocator_heap(), &diag, &fixture->inflight)));
    kv_inflight_set_base(fixture->inflight, &fixture->base->reader);
}

void fixture_close(struct fixture *fixture)
{
    kv_inflight_destroy(fixture->inflight);
    kv_snapshot_close(fixture->base);
    kv_store_close(fixture->store);
    arena_deinit(&fixture->arena);
}
