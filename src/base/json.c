/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.c - the strict reader on top of yyjson.
 *
 * I1  After a successful json_parse no object has two members of one name, nothing nests deeper
 *     than the limit, and no string or object is larger than its limit: everything behind it may
 *     rely on that.
 * I2  A `struct json` pointer IS a yyjson_val pointer; this file is the only one that knows.
 */
#include "base/json.h"

#include <yyjson.h>

static const yyjson_val *val_of(const struct json *value)
{
    return (const yyjson_val *)(const void *)value;
}

static yyjson_val *mut_val_of(const struct json *value)
{
    /* yyjson's getters take non-const pointers but only read. */
    return (yyjson_val *)(uintptr_t)val_of(value);
}

static const struct json *json_of(const yyjson_val *value)
{
    return (const struct json *)(const void *)value;
}

struct json_limits json_limits_request(void)
{
    return (struct json_limits){
        .depth_max = 64, .keys_max = 10000, .string_size_max = 16 << 20, .number_size_max = 1024};
}

struct json_limits json_limits_document(void)
{
    return (struct json_limits){.depth_max = 128,
                                .keys_max = 1000000,
                                .string_size_max = 64 << 20,
                                .number_size_max = 1024};
}

static void *alc_malloc(void *ctx, size_t size)
{
    return arena_alloc(ctx, size);
}

static void *alc_realloc(void *ctx, void *old, size_t old_size, size_t size)
{
    if (size <= old_size)
        return old;
    void *memory = arena_alloc(ctx, size);
    if (memory != NULL && old_size > 0)
        memcpy(memory, old, old_size);
    return memory;
}

static void alc_free(void *ctx, void *memory)
{
    (void)ctx;
    (void)memory;
}

/* Small objects are compared pairwise; larger ones through a table of hashes. */
enum { PAIRWISE_KEYS_MAX = 16 };

static bool has_duplicate_pairwise(yyjson_val *object)
{
    yyjson_obj_iter outer = yyjson_obj_iter_with(object);
    size_t seen = 0;
    for (yyjson_val *key = yyjson_obj_iter_next(&outer); key != NULL;
         key = yyjson_obj_iter_next(&outer), seen++) {
        yyjson_obj_iter inner = yyjson_obj_iter_with(object);
        for (size_t i = 0; i < seen; i++) {
            yyjson_val *other = yyjson_obj_iter_next(&inner);
            if (yyjson_get_len(other) == yyjson_get_len(key) &&
                memcmp(yyjson_get_str(other), yyjson_get_str(key), yyjson_get_len(key)) == 0)
                return true;
        }
    }
    return false;
}

static status_value has_duplicate_hashed(struct arena *arena, yyjson_val *object, bool *out)
{
    size_t slots = 64;
    while (slots < yyjson_obj_size(object) * 2)
        slots *= 2;
    struct str *table = ARENA_ARRAY(arena, struct str, slots);
    if (table == NULL)
        return FAIL(NULL, NOMEM, "json: key table");
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);
    for (yyjson_val *key = yyjson_obj_iter_next(&iter); key != NULL;
         key = yyjson_obj_iter_next(&iter)) {
        struct str name = {yyjson_get_str(key), yyjson_get_len(key)};
        size_t at = str_hash(name) & (slots - 1);
        for (; table[at].data != NULL; at = (at + 1) & (slots - 1)) {
            if (str_eq(table[at], name)) {
                *out = true;
                return OK;
            }
        }
        table[at] = name;
    }
    *out = false;
    return OK;
}

static status_value check_object(struct arena *arena, yyjson_val *object,
                                 const struct json_limits *limits, struct diag *diag)
{
    size_t size = yyjson_obj_size(object);
    if (size > limits->keys_max)
        return FAIL(diag, TOO_LARGE, "malformed JSON: an object has %zu members; the limit is %zu",
                    size, limits->keys_max);
    bool duplicate = false;
    if (size > PAIRWISE_KEYS_MAX)
        TRY(has_duplicate_hashed(arena, object, &duplicate));
    else
        duplicate = has_duplicate_pairwise(object);
    if (duplicate)
        return FAIL(diag, INVALID, "malformed JSON: an object has the same key twice");
    return OK;
}

static status_value check_scalar(yyjson_val *value, const struct json_limits *limits,
                                 struct diag *diag)
{
    if (yyjson_is_str(value) && yyjson_get_len(value) > limits->string_size_max)
        return FAIL(diag, TOO_LARGE, "malformed JSON: a string of %zu bytes; the limit is %zu",
                    yyjson_get_len(value), limits->string_size_max);
    if (yyjson_is_raw(value) && yyjson_get_len(value) > limits->number_size_max)
        return FAIL(diag, TOO_LARGE, "malformed JSON: a number of %zu characters; the limit is %zu",
                    yyjson_get_len(value), limits->number_size_max);
    return OK;
}

/* yyjson stores a document as one array of values in depth-first order; keys are values too. */
static status_value check_document(struct arena *arena, yyjson_doc *doc,
                                   const struct json_limits *limits, struct diag *diag)
{
    size_t count = yyjson_doc_get_val_count(doc);
    yyjson_val *value = yyjson_doc_get_root(doc);
    for (size_t i = 0; i < count; i++, value++) {
        if (yyjson_is_obj(value))
            TRY(check_object(arena, value, limits, diag));
        else if (!yyjson_is_arr(value))
            TRY(check_scalar(value, limits, diag));
    }
    return OK;
}

/* Before yyjson allocates anything: nesting depth by a scan that skips strings. */
static size_t nesting_depth(struct str text)
{
    size_t depth = 0;
    size_t deepest = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            depth++;
            deepest = depth > deepest ? depth : deepest;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return deepest;
}

status_value json_parse(struct arena *arena, struct str text, const struct json_limits *limits,
                        struct diag *diag, const struct json **out)
{
    if (text.size == 0)
        return FAIL(diag, INVALID, "malformed JSON: the body is empty");
    if (nesting_depth(text) > limits->depth_max)
        return FAIL(diag, INVALID, "malformed JSON: nested deeper than %zu levels",
                    limits->depth_max);
    yyjson_alc alc = {alc_malloc, alc_realloc, alc_free, arena};
    yyjson_read_err error;
    char *input = (char *)(uintptr_t)text.data; /* not written without YYJSON_READ_INSITU */
    yyjson_doc *doc = yyjson_read_opts(input, text.size, YYJSON_READ_BIGNUM_AS_RAW, &alc, &error);
    if (doc == NULL && error.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
        return FAIL(diag, NOMEM,
                    "could not read a JSON document of %zu bytes: memory budget exhausted",
                    text.size);
    if (doc == NULL)
        return FAIL(diag, INVALID, "malformed JSON at byte %zu: %s", error.pos, error.msg);
    TRY(check_document(arena, doc, limits, diag));
    *out = json_of(yyjson_doc_get_root(doc));
    return OK;
}

enum json_kind json_kind_of(const struct json *value)
{
    yyjson_val *m = mut_val_of(value);
    if (yyjson_is_str(m))
        return JSON_STRING;
    if (yyjson_is_obj(m))
        return JSON_OBJECT;
    if (yyjson_is_arr(m))
        return JSON_ARRAY;
    if (yyjson_is_int(m))
        return JSON_INT;
    if (yyjson_is_bool(m))
        return JSON_BOOL;
    if (yyjson_is_real(m))
        return JSON_REAL;
    if (yyjson_is_raw(m))
        return JSON_NUMBER_TEXT;
    ASSERT(yyjson_is_null(m));
    return JSON_NULL;
}

const char *json_kind_name(enum json_kind kind)
{
    static const char *const names[] = {
        [JSON_NULL] = "null",   [JSON_BOOL] = "boolean",       [JSON_INT] = "integer",
        [JSON_REAL] = "number", [JSON_NUMBER_TEXT] = "number", [JSON_STRING] = "string",
        [JSON_ARRAY] = "array", [JSON_OBJECT] = "object"};
    return names[kind];
}

const struct json *json_get(const struct json *object, const char *key)
{
    return json_get_str(object, str_from(key));
}

const struct json *json_get_str(const struct json *object, struct str key)
{
    return json_of(yyjson_obj_getn(mut_val_of(object), key.data, key.size));
}

const struct json *json_at(const struct json *array, size_t index)
{
    return json_of(yyjson_arr_get(mut_val_of(array), index));
}

size_t json_size(const struct json *value)
{
    yyjson_val *v = mut_val_of(value);
    return yyjson_is_arr(v) || yyjson_is_obj(v) ? yyjson_get_len(v) : 0;
}

bool json_is_null(const struct json *value)
{
    return value == NULL || yyjson_is_null(mut_val_of(value));
}

bool json_as_bool(const struct json *value, bool *out)
{
    if (!json_is(value, JSON_BOOL))
        return false;
    *out = yyjson_get_bool(mut_val_of(value));
    return true;
}

bool json_as_i64(const struct json *value, int64_t *out)
{
    yyjson_val *v = mut_val_of(value);
    if (yyjson_is_sint(v)) {
        *out = yyjson_get_sint(v);
        return true;
    }
    if (!yyjson_is_uint(v) || yyjson_get_uint(v) > (uint64_t)INT64_MAX)
        return false;
    *out = (int64_t)yyjson_get_uint(v);
    return true;
}

bool json_as_i32(const struct json *value, int32_t *out)
{
    int64_t wide;
    if (!json_as_i64(value, &wide) || wide < INT32_MIN || wide > INT32_MAX)
        return false;
    *out = (int32_t)wide;
    return true;
}

bool json_as_u64(const struct json *value, uint64_t *out)
{
    yyjson_val *v = mut_val_of(value);
    if (!yyjson_is_uint(v))
        return false;
    *out = yyjson_get_uint(v);
    return true;
}

bool json_as_str(const struct json *value, struct str *out)
{
    yyjson_val *v = mut_val_of(value);
    if (!yyjson_is_str(v))
        return false;
    *out = (struct str){yyjson_get_str(v), yyjson_get_len(v)};
    return true;
}

bool json_equal(const struct json *a, const struct json *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return yyjson_equals(mut_val_of(a), mut_val_of(b));
}

struct json_iter json_iter(const struct json *value)
{
    yyjson_val *v = mut_val_of(value);
    struct json_iter iter = {.is_object = yyjson_is_obj(v), .left = json_size(value)};
    if (iter.left > 0)
        iter.next = json_of(v + 1);
    return iter;
}

bool json_next(struct json_iter *iter, struct str *out_key, const struct json **out_value)
{
    if (iter->left == 0)
        return false;
    yyjson_val *at = mut_val_of(iter->next);
    struct str key = {"", 0};
    if (iter->is_object) {
        key = (struct str){yyjson_get_str(at), yyjson_get_len(at)};
        at++;
    }
    if (out_key != NULL)
        *out_key = key;
    *out_value = json_of(at);
    iter->left--;
    iter->next = json_of(unsafe_yyjson_get_next(at));
    return true;
}

void json_write(struct buf *buf, const struct json *value)
{
    yyjson_alc alc = {alc_malloc, alc_realloc, alc_free, buf->arena};
    size_t size = 0;
    yyjson_write_err error;
    if (buf->failed != STATUS_OK)
        return;
    char *text = yyjson_val_write_opts(mut_val_of(value), YYJSON_WRITE_NOFLAG, &alc, &size, &error);
    if (text == NULL) {
        buf->failed = STATUS_NOMEM;
        return;
    }
    buf_append(buf, text, size);
}
