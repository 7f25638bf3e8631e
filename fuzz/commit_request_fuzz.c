/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commit_request_fuzz.c - any lines as bodies of updateTable, one after the other. The first byte
 * chooses the table's format version. A commit is refused with 4xx or makes a version; every
 * version that was made can be rebuilt from the rows of the last one, byte by byte, and its file
 * goes where the answer says, in that location's canonical spelling.
 */
#include "catalog/catalog_internal.h"
#include "catalog_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { COMMITS_MAX = 20 };

struct made {
    struct str location;
    struct str document;
};

static const char create[] =
    "TABLE_CREATE a "
    "{\"name\":\"t\",\"properties\":{\"format-version\":\"%d\"},\"schema\":{\"type\":"
    "\"struct\",\"fields\":[{\"id\":1,\"name\":\"id\",\"required\":true,\"type\":\"long\"},{\"id\":"
    "2,"
    "\"name\":\"data\",\"required\":false,\"type\":\"string\"}]}}";

/* The location and the bare document of a load's answer. */
static struct made loaded(struct fixture *f)
{
    struct str text = str_from(fixture_run(f, "TABLE_LOAD a/t show="));
    struct str head = STR("200 {\"metadata-location\":");
    struct str tail = STR(",\"config\":{}}");
    struct json_limits limits = json_limits_document();
    struct diag diag = {.count = 0};
    const struct json *json = NULL;
    ASSERT(str_starts(text, head) && str_ends(text, tail));
    ASSERT(is_ok(json_parse(&f->arena, str_from_pos(text, 4), &limits, &diag, &json)));
    struct made made = {.location = STR("")};
    ASSERT(json_as_str(json_get(json, "metadata-location"), &made.location));
    struct buf quoted;
    buf_init(&quoted, &f->arena, 1 << 20);
    json_write_string(&quoted, made.location);
    size_t from = head.size + quoted.size + sizeof(",\"metadata\":") - 1;
    made.document = str_slice(text, from, text.size - tail.size);
    return made;
}

static struct str drain(struct fixture *f, struct catalog_stream *stream)
{
    struct diag diag = {.count = 0};
    struct buf text;
    buf_init(&text, &f->arena, 1 << 28);
    for (bool end = false; !end;) {
        char piece[777];
        size_t size = 0;
        ASSERT(is_ok(catalog_stream_fill(stream, piece, sizeof(piece), &diag, &size, &end)));
        buf_append(&text, piece, size);
    }
    catalog_stream_close(stream);
    return buf_view(&text);
}

/* Where the file of a location goes; an answer keeps the spelling of its client. */
static struct str canonical(struct fixture *f, struct str location)
{
    struct diag diag = {.count = 0};
    struct catalog_context context = {.arena = &f->arena, .diag = &diag};
    struct str out;
    ASSERT(is_ok(catalog__location_canonical(&context, location, &out)));
    return out;
}

static void check_versions(struct fixture *f, const struct made *made, size_t count)
{
    struct diag diag = {.count = 0};
    struct kv_snapshot *snapshot = NULL;
    struct catalog_publish_job *jobs = NULL;
    size_t job_count = 0;
    ASSERT(is_ok(kv_store_snapshot(f->store, &diag, &snapshot)));
    ASSERT(is_ok(catalog_outbox_list(&snapshot->reader, &f->arena, COMMITS_MAX + 1, &diag, &jobs,
                                     &job_count)));
    ASSERT(job_count == count);
    for (size_t i = 0; i < job_count; i++) {
        struct catalog_stream *stream = NULL;
        ASSERT(str_eq(jobs[i].metadata_location, canonical(f, made[i].location)));
        ASSERT(is_ok(
            catalog_publish_open(&snapshot->reader, &f->arena, &jobs[i].version, &diag, &stream)));
        ASSERT(str_eq(drain(f, stream), made[i].document));
    }
    kv_snapshot_close(snapshot);
}

/* Commits one line; returns whether it was answered as it must be. */
static void commit(struct fixture *f, struct str body, struct made *made, size_t *count)
{
    struct str line = arena_printf(&f->arena, "TABLE_COMMIT a/t %.*s", STR_ARG(body));
    const char *answer = fixture_run(f, line.data);
    ASSERT(answer[0] == '2' || answer[0] == '4');
    struct made now = loaded(f);
    bool is_new = !str_eq(now.location, made[*count - 1].location);
    ASSERT(answer[0] == '2' || !is_new);
    ASSERT(is_new || str_eq(now.document, made[*count - 1].document));
    if (is_new)
        made[(*count)++] = now;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fixture f;
    struct made made[COMMITS_MAX + 1];
    size_t count = 1;
    struct str line;
    if (size == 0 || memchr(data, 0, size) != NULL)
        return 0;
    fixture_open(&f);
    fixture_run(&f, "NAMESPACE_CREATE {\"namespace\":[\"a\"]}");
    fixture_runf(&f, create, data[0] % 3 + 1);
    made[0] = loaded(&f);
    struct str rest = {(const char *)data + 1, size - 1};
    while (count <= COMMITS_MAX && str_split(&rest, '\n', &line)) {
        if (line.size > 0 && line.data[0] == '{')
            commit(&f, line, made, &count);
    }
    check_versions(&f, made, count);
    fixture_close(&f);
    return 0;
}
