/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * json.h - JSON documents: a strict reader, and a writer into a buf.
 *
 * The reader refuses what would be ambiguous: duplicate keys, invalid UTF-8, trailing bytes,
 * nesting beyond the limit. Integers of 64 bits are exact; a number that fits neither is kept as
 * its text (kind JSON_NUMBER_TEXT), so unknown fields survive a round trip. Key order is kept.
 * yyjson does the parsing and is owned by this file pair; nobody else includes it.
 */
#include "base/buf.h"

struct json; /* one value inside a parsed document; borrowed from the document's arena */

struct json_limits {
    size_t depth_max;
    size_t keys_max;        /* in one object */
    size_t string_size_max; /* bytes */
    size_t number_size_max; /* characters */
};
/* For requests from the network, whose depth and sizes are somebody else's choice. */
struct json_limits json_limits_request(void);
/* For documents tarn reads from the lake (a metadata.json may hold many properties). */
struct json_limits json_limits_document(void);

enum json_kind {
    JSON_NULL,
    JSON_BOOL,
    JSON_INT, /* fits int64 or uint64 */
    JSON_REAL,
    JSON_NUMBER_TEXT, /* a number beyond both */
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

/* Parses one document. `text` is borrowed until return; the result lives in the arena. INVALID,
 * TOO_LARGE, NOMEM. */
status json_parse(struct arena *arena, struct str text, const struct json_limits *limits,
                  struct diag *diag, const struct json **out);

enum json_kind json_kind_of(const struct json *value);
const char *json_kind_name(enum json_kind kind);
/* Member of an object, or NULL (also when `object` is NULL or no object). */
const struct json *json_get(const struct json *object, const char *key);
const struct json *json_get_str(const struct json *object, struct str key);
/* Element of an array, or NULL. */
const struct json *json_at(const struct json *array, size_t index);
/* Members of an object or elements of an array; 0 otherwise. */
size_t json_size(const struct json *value);
static inline bool json_is(const struct json *value, enum json_kind kind)
{
    return value != NULL && json_kind_of(value) == kind;
}
bool json_is_null(const struct json *value); /* true for NULL and for JSON null */
/* False when the value is absent or of another kind (or does not fit). */
bool json_as_bool(const struct json *value, bool *out);
bool json_as_i64(const struct json *value, int64_t *out);
bool json_as_i32(const struct json *value, int32_t *out);
bool json_as_u64(const struct json *value, uint64_t *out);
bool json_as_str(const struct json *value, struct str *out);

/* Deep equality: objects compare without regard to key order. */
bool json_equal(const struct json *a, const struct json *b);

struct json_iter {
    const struct json *next;
    size_t left;
    bool is_object;
};
/* `value` may be NULL: iterates nothing. */
struct json_iter json_iter(const struct json *value);
/* For an object out_key is the key; for an array it is empty. out_key may be NULL. */
bool json_next(struct json_iter *iter, struct str *out_key, const struct json **out_value);

/* Required / optional members with the error a user needs: `what` names the object ("snapshot"). */
status json_need_str(const struct json *object, const char *key, const char *what,
                     struct diag *diag, struct str *out);
status json_need_i64(const struct json *object, const char *key, const char *what,
                     struct diag *diag, int64_t *out);
status json_need_i32(const struct json *object, const char *key, const char *what,
                     struct diag *diag, int32_t *out);
status json_need_array(const struct json *object, const char *key, const char *what,
                       struct diag *diag, const struct json **out);
status json_need_object(const struct json *object, const char *key, const char *what,
                        struct diag *diag, const struct json **out);
/* Absent or null leaves *out as it is and sets *out_found to false. A wrong kind is an error. */
status json_opt_str(const struct json *object, const char *key, const char *what, struct diag *diag,
                    struct str *out, bool *out_found);
status json_opt_i64(const struct json *object, const char *key, const char *what, struct diag *diag,
                    int64_t *out, bool *out_found);
status json_opt_bool(const struct json *object, const char *key, const char *what,
                     struct diag *diag, bool *out, bool *out_found);

/* Writes the value back, compact, key order and big numbers kept. */
void json_write(struct buf *buf, const struct json *value);
/* A quoted, escaped JSON string. */
void json_write_string(struct buf *buf, struct str s);

/*
 * A writer that places the commas. Usage:
 *   struct json_writer w; json_writer_init(&w, buf);
 *   jw_object(&w); jw_key(&w, "name"); jw_str(&w, name); jw_end(&w);
 */
enum { JSON_WRITER_DEPTH = 32 };
struct json_writer {
    struct buf *buf;
    uint32_t depth;
    bool after_key;
    bool is_object[JSON_WRITER_DEPTH];
    bool has_items[JSON_WRITER_DEPTH];
};
void json_writer_init(struct json_writer *w, struct buf *buf);
void jw_object(struct json_writer *w);
void jw_array(struct json_writer *w);
void jw_end(struct json_writer *w); /* closes the innermost object or array */
void jw_key(struct json_writer *w, const char *key);
void jw_key_str(struct json_writer *w, struct str key);
void jw_str(struct json_writer *w, struct str value);
void jw_cstr(struct json_writer *w, const char *value);
void jw_i64(struct json_writer *w, int64_t value);
void jw_u64(struct json_writer *w, uint64_t value);
void jw_bool(struct json_writer *w, bool value);
void jw_null(struct json_writer *w);
void jw_raw(struct json_writer *w, struct str json); /* finished JSON text */
void jw_value(struct json_writer *w, const struct json *value);
