/* SPDX-License-Identifier: Apache-2.0 */
/*
 * idempotency.c - records of keyed requests.
 *
 * Rows of a warehouse: C wh i <key> {"fingerprint","expires", then either "code","message" of a
 * refusal or "http","body", "json" | "id","with-config","location",
 * "await":[[id,version,is-view]..]} and C wh e <expires> <key>, empty.
 *
 * I1  The two rows of a record come and go together. A record that is found counts, expired or not,
 *     until a later keyed request removes it: so no key has two records.
 * I2  The fingerprint binds a key to method, path and body; the same key with anything else is
 *     refused, for one of the two would be lost in silence.
 * I3  Answers and deterministic refusals (4xx) are kept; 5xx, 408, 429 and questions of who may do
 *     what (401, 403) are not, since they may end differently next time.
 * I4  Each record removes up to REMOVED_MAX expired ones: the state is bounded by the rate of keyed
 *     requests times their lifetime, without a timer.
 *
 * A replay of a table or view shows the object as it is now, with its ETag, also after a rename.
 * When the object is gone (or being removed) the recorded status comes with {"metadata-location":
 * ...} alone: the request did succeed, and the file tells what it had made.
 * Keys are kept per warehouse: the same key in another warehouse is another key.
 */
#include "catalog/idempotency.h"

enum { REMOVED_MAX = 4, GRACE_MS = 5 * 60 * 1000, FINGERPRINT_TEXT = 2 * CATALOG_FINGERPRINT_SIZE };

static struct str uuid_bytes(const struct uuid *uuid)
{
    return (struct str){(const char *)uuid->bytes, sizeof(uuid->bytes)};
}

static struct key record_key(uint32_t warehouse, const struct uuid *uuid)
{
    struct key key = key_in(warehouse, KEY_IDEMPOTENCY);
    key_bytes(&key, uuid_bytes(uuid));
    return key;
}

static struct key expiry_key(uint32_t warehouse, uint64_t expires_ms, const struct uuid *uuid)
{
    struct key key = key_in(warehouse, KEY_IDEMPOTENCY_EXPIRY);
    key_u64(&key, expires_ms);
    key_bytes(&key, uuid_bytes(uuid));
    return key;
}

static struct str fingerprint_text(const struct catalog_request *request,
                                   char out[FINGERPRINT_TEXT])
{
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < CATALOG_FINGERPRINT_SIZE; i++) {
        out[2 * i] = hex[request->fingerprint[i] >> 4];
        out[2 * i + 1] = hex[request->fingerprint[i] & 15];
    }
    return (struct str){out, FINGERPRINT_TEXT};
}

/* --- writing --- */

static void await_write(struct json_writer *w, const struct catalog_response *response)
{
    jw_key(w, "await");
    jw_array(w);
    for (size_t i = 0; i < response->await_count; i++) {
        jw_array(w);
        jw_u64(w, response->await[i].object_id);
        jw_u64(w, response->await[i].version);
        jw_bool(w, response->await[i].is_view);
        jw_end(w);
    }
    jw_end(w);
}

static void response_write(struct json_writer *w, const struct catalog_response *response)
{
    static const char *const bodies[] = {[CATALOG_BODY_NONE] = "none",
                                         [CATALOG_BODY_JSON] = "json",
                                         [CATALOG_BODY_TABLE] = "table",
                                         [CATALOG_BODY_VIEW] = "view"};
    jw_key(w, "http");
    jw_u64(w, (uint64_t)response->http);
    jw_key(w, "body");
    jw_cstr(w, bodies[response->body]);
    if (response->body == CATALOG_BODY_JSON) {
        jw_key(w, "json");
        jw_raw(w, response->json);
    } else if (response->body != CATALOG_BODY_NONE) {
        jw_key(w, "id");
        jw_u64(w, response->object_id);
        jw_key(w, "with-config");
        jw_bool(w, response->with_config);
        jw_key(w, "location");
        jw_str(w, response->metadata_location);
    }
    if (response->await_count > 0)
        await_write(w, response);
}

/* I4. Rows are deleted under an open scan, which kv.h allows. */
static status expired_delete(struct catalog_context *context, struct kv_cursor *cursor,
                             uint32_t warehouse)
{
    for (int i = 0; i < REMOVED_MAX; i++) {
        struct str key = {"", 0};
        struct str value = {"", 0};
        bool found = false;
        TRY(kv_next(cursor, context->diag, &key, &value, &found));
        if (!found || key_read_u64(key, KEY_IN_SIZE) > (uint64_t)catalog_now_ms(context))
            return OK;
        struct key index = {.size = 0};
        struct key record = key_in(warehouse, KEY_IDEMPOTENCY);
        key_bytes(&index, key);
        key_bytes(&record, str_from_pos(key, KEY_OBJECT_SIZE));
        TRY(kv_delete(context->batch, key_str(&record), context->diag));
        TRY(kv_delete(context->batch, key_str(&index), context->diag));
    }
    return OK;
}

static status expired_remove(struct catalog_context *context, uint32_t warehouse)
{
    struct key prefix = key_in(warehouse, KEY_IDEMPOTENCY_EXPIRY);
    struct kv_cursor *cursor = NULL;
    TRY(kv_scan_prefix(context->view, context->arena, key_str(&prefix), context->diag, &cursor));
    status_value result = expired_delete(context, cursor, warehouse);
    kv_close(cursor);
    return result;
}

struct outcome {
    const struct catalog_response *response; /* NULL: a refusal */
    int32_t code;
    struct str message;
};

static status record_put(struct catalog_context *context, const struct catalog_warehouse *warehouse,
                         const struct catalog_request *request, const struct outcome *outcome)
{
    char fingerprint[FINGERPRINT_TEXT];
    uint64_t expires_ms =
        (uint64_t)catalog_now_ms(context) + context->options->idempotency_lifetime_ms + GRACE_MS;
    struct buf buf = rows__buf(context);
    struct json_writer w;
    json_writer_init(&w, &buf);
    jw_object(&w);
    jw_key(&w, "fingerprint");
    jw_str(&w, fingerprint_text(request, fingerprint));
    jw_key(&w, "expires");
    jw_u64(&w, expires_ms);
    if (outcome->response != NULL) {
        response_write(&w, outcome->response);
    } else {
        jw_key(&w, "code");
        jw_i64(&w, outcome->code);
        jw_key(&w, "message");
        jw_str(&w, outcome->message);
    }
    jw_end(&w);
    struct key record = record_key(warehouse->id, &request->idempotency_key);
    struct key index = expiry_key(warehouse->id, expires_ms, &request->idempotency_key);
    TRY(expired_remove(context, warehouse->id));
    TRY(rows__put(context, &record, &buf));
    return kv_put(context->batch, key_str(&index), STR(""), context->diag);
}

status idempotency__record(struct catalog_context *context,
                           const struct catalog_warehouse *warehouse,
                           const struct catalog_request *request,
                           const struct catalog_response *response)
{
    struct outcome outcome = {.response = response};
    return record_put(context, warehouse, request, &outcome);
}

bool idempotency__is_final(status_value failed)
{
    int http = status_http(failed.code);
    enum status_class kind = status_class_of(failed.code);
    return http >= 400 && http < 500 && kind != CLASS_RETRY && kind != CLASS_DENIED;
}

status idempotency__record_failure(struct catalog_context *context,
                                   const struct catalog_warehouse *warehouse,
                                   const struct catalog_request *request, status_value failed)
{
    struct str message = str_from(diag_message(context->diag, failed.code));
    if (!str_is_utf8(message))
        message = str_from(status_text(failed.code));
    struct outcome outcome = {.code = failed.code, .message = message};
    struct diag *reported = context->diag;
    struct diag inner = {.count = 0};
    context->diag = &inner; /* the refusal stays the primary message unless recording fails */
    status_value recorded = record_put(context, warehouse, request, &outcome);
    context->diag = reported;
    if (!is_ok(recorded) && reported != NULL)
        *reported = inner;
    return recorded;
}

/* --- replaying --- */

static status object_exists(struct catalog_context *context, uint32_t warehouse, bool is_view,
                            uint64_t id, bool *out)
{
    struct key header = key_part(warehouse, is_view ? KEY_VIEW : KEY_TABLE, id, PART_HEADER);
    struct key dropped = key_object(warehouse, KEY_PURGE, id);
    struct str value = {"", 0};
    bool has_rows = false;
    bool is_dropped = false;
    TRY(kv_get(context->view, key_str(&header), context->diag, &value, &has_rows));
    TRY(kv_get(context->view, key_str(&dropped), context->diag, &value, &is_dropped));
    *out = has_rows && !is_dropped;
    return OK;
}

/* The object of a table or view answer is gone: what is left to say. */
static status gone_replay(struct catalog_context *context, const struct json *record,
                          struct catalog_response *out)
{
    struct str location = {"", 0};
    TRY(rows__str(context, record, "location", &location));
    struct buf buf = rows__buf(context);
    struct json_writer w;
    json_writer_init(&w, &buf);
    jw_object(&w);
    jw_key(&w, "metadata-location");
    jw_str(&w, location);
    jw_end(&w);
    TRY(buf_finish(&buf, "an answer", context->diag));
    out->body = CATALOG_BODY_JSON;
    out->json = buf_view(&buf);
    return OK;
}

static status object_replay(struct catalog_context *context,
                            const struct catalog_warehouse *warehouse,
                            const struct catalog_request *request, const struct json *record,
                            bool is_view, struct catalog_response *out)
{
    uint64_t id = 0;
    bool exists = false;
    bool with_config = false;
    struct catalog__place place = {.warehouse = *warehouse, .ident = request->ident};
    TRY(rows__u64(context, record, "id", &id));
    (void)json_as_bool(json_get(record, "with-config"), &with_config);
    TRY(object_exists(context, warehouse->id, is_view, id, &exists));
    if (!exists)
        return gone_replay(context, record, out);
    TRY(catalog__dotted(context, &request->ident, &place.dotted));
    if (is_view)
        return view__respond(context, &place, id, with_config, out);
    return table__respond(context, &place, id, with_config, out);
}

static status json_replay(struct catalog_context *context, const struct json *record,
                          struct catalog_response *out)
{
    struct buf buf = rows__buf(context);
    json_write(&buf, json_get(record, "json"));
    TRY(buf_finish(&buf, "an answer", context->diag));
    out->body = CATALOG_BODY_JSON;
    out->json = buf_view(&buf);
    return OK;
}

/* Files that the first answer waited for and that are still not there are waited for again. */
static status await_replay(struct catalog_context *context,
                           const struct catalog_warehouse *warehouse, const struct json *record,
                           struct catalog_response *out)
{
    const struct json *array = json_get(record, "await");
    size_t count = 0;
    struct catalog_version *list =
        ARENA_ARRAY(context->arena, struct catalog_version, json_size(array) + 1);
    if (list == NULL)
        return FAIL(context->diag, NOMEM, "could not replay an answer: memory is exhausted");
    struct json_iter iter = json_iter(array);
    const struct json *item = NULL;
    while (json_next(&iter, NULL, &item)) {
        struct catalog_version *version = &list[count];
        struct str value = {"", 0};
        bool pending = false;
        version->warehouse = warehouse->id;
        (void)json_as_u64(json_at(item, 0), &version->object_id);
        (void)json_as_u64(json_at(item, 1), &version->version);
        (void)json_as_bool(json_at(item, 2), &version->is_view);
        struct key key = key_outbox(warehouse->id, version->object_id, version->version);
        TRY(kv_get(context->view, key_str(&key), context->diag, &value, &pending));
        count += pending ? 1 : 0;
    }
    out->await = list;
    out->await_count = count;
    return OK;
}

static status answer_replay(struct catalog_context *context,
                            const struct catalog_warehouse *warehouse,
                            const struct catalog_request *request, const struct json *record,
                            struct catalog_response *out)
{
    struct catalog_response made = {0};
    struct str body = {"", 0};
    uint64_t http = 0;
    TRY(rows__u64(context, record, "http", &http));
    TRY(rows__str(context, record, "body", &body));
    if (str_is(body, "json"))
        TRY(json_replay(context, record, &made));
    if (str_is(body, "table") || str_is(body, "view"))
        TRY(object_replay(context, warehouse, request, record, str_is(body, "view"), &made));
    TRY(await_replay(context, warehouse, record, &made));
    made.http = (int)http;
    made.replayed = true;
    *out = made;
    return OK;
}

static status refusal_replay(struct catalog_context *context, const struct json *record,
                             int64_t code)
{
    struct str message = {"", 0};
    TRY(rows__str(context, record, "message", &message));
    return diag_fail(context->diag, code == STATUS_OK ? STATUS_INTERNAL : (int32_t)code, __FILE__,
                     __LINE__, "%.*s", STR_ARG(message));
}

status idempotency__replay(struct catalog_context *context,
                           const struct catalog_warehouse *warehouse,
                           const struct catalog_request *request, struct catalog_response *out,
                           bool *out_found)
{
    char fingerprint[FINGERPRINT_TEXT];
    struct str stored = {"", 0};
    const struct json *record = NULL;
    int64_t code = 0;
    struct key key = record_key(warehouse->id, &request->idempotency_key);
    TRY(rows__get(context, &key, &record));
    if (record == NULL) {
        *out_found = false;
        return OK;
    }
    TRY(rows__str(context, record, "fingerprint", &stored));
    if (!str_eq(stored, fingerprint_text(request, fingerprint))) {
        char text[UUID_TEXT_SIZE];
        uuid_format(request->idempotency_key, text);
        return FAIL(
            context->diag, INVALID,
            "Idempotency-Key %.*s was already used by a different request; a key belongs to "
            "one request, send a new one",
            UUID_TEXT_SIZE, text);
    }
    if (json_as_i64(json_get(record, "code"), &code))
        return refusal_replay(context, record, code);
    TRY(answer_replay(context, warehouse, request, record, out));
    *out_found = true;
    return OK;
}
