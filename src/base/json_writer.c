/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_writer.c - JSON text into a buf, with the commas placed by the writer.
 *
 * I1  depth < JSON_WRITER_DEPTH; after_key is set only directly after a key in an object.
 */
#include "base/json.h"

static const char *escape_of(unsigned char c)
{
    switch (c) {
    case '"': return "\\\"";
    case '\\': return "\\\\";
    case '\b': return "\\b";
    case '\f': return "\\f";
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
    default: return NULL;
    }
}

void json_write_string(struct buf *buf, struct str s)
{
    static const char hex[] = "0123456789abcdef";
    size_t plain = 0;
    buf_byte(buf, '"');
    for (size_t i = 0; i < s.size; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        buf_append(buf, s.data + plain, i - plain);
        plain = i + 1;
        const char *short_form = escape_of(c);
        if (short_form != NULL) {
            buf_append(buf, short_form, 2);
        } else {
            const char escaped[] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
            buf_append(buf, escaped, sizeof(escaped));
        }
    }
    buf_append(buf, s.data + plain, s.size - plain);
    buf_byte(buf, '"');
}

void json_writer_init(struct json_writer *w, struct buf *buf)
{
    *w = (struct json_writer){.buf = buf};
}

static void before_value(struct json_writer *w)
{
    if (w->after_key) {
        w->after_key = false;
        return;
    }
    if (w->depth == 0)
        return;
    ASSERT(!w->is_object[w->depth - 1]);
    if (w->has_items[w->depth - 1])
        buf_byte(w->buf, ',');
    w->has_items[w->depth - 1] = true;
}

static void open_level(struct json_writer *w, bool is_object)
{
    before_value(w);
    ASSERT(w->depth < JSON_WRITER_DEPTH);
    w->is_object[w->depth] = is_object;
    w->has_items[w->depth] = false;
    w->depth++;
    buf_byte(w->buf, is_object ? '{' : '[');
}

void jw_object(struct json_writer *w)
{
    open_level(w, true);
}

void jw_array(struct json_writer *w)
{
    open_level(w, false);
}

void jw_end(struct json_writer *w)
{
    ASSERT(w->depth > 0 && !w->after_key);
    w->depth--;
    buf_byte(w->buf, w->is_object[w->depth] ? '}' : ']');
}

void jw_key_str(struct json_writer *w, struct str key)
{
    ASSERT(w->depth > 0 && w->is_object[w->depth - 1] && !w->after_key);
    if (w->has_items[w->depth - 1])
        buf_byte(w->buf, ',');
    w->has_items[w->depth - 1] = true;
    json_write_string(w->buf, key);
    buf_byte(w->buf, ':');
    w->after_key = true;
}

void jw_key(struct json_writer *w, const char *key)
{
    jw_key_str(w, str_from(key));
}

void jw_str(struct json_writer *w, struct str value)
{
    before_value(w);
    json_write_string(w->buf, value);
}

void jw_cstr(struct json_writer *w, const char *value)
{
    jw_str(w, str_from(value));
}

void jw_i64(struct json_writer *w, int64_t value)
{
    before_value(w);
    buf_i64(w->buf, value);
}

void jw_u64(struct json_writer *w, uint64_t value)
{
    before_value(w);
    buf_u64(w->buf, value);
}

void jw_bool(struct json_writer *w, bool value)
{
    before_value(w);
    buf_str(w->buf, value ? STR("true") : STR("false"));
}

void jw_null(struct json_writer *w)
{
    before_value(w);
    buf_str(w->buf, STR("null"));
}

void jw_raw(struct json_writer *w, struct str json)
{
    before_value(w);
    buf_str(w->buf, json);
}

void jw_value(struct json_writer *w, const struct json *value)
{
    before_value(w);
    json_write(w->buf, value);
}
