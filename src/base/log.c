/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.c - the JSON line of an event. No allocation, no I/O, no clock.
 *
 * The members are ts, sev, sevn (OpenTelemetry severity), event, msg, node, then the event's own
 * fields at the top level.
 */
#include "base/log.h"

#include "base/timefmt.h"

#include <inttypes.h>
#include <stdio.h>

struct line {
    char *out;
    size_t size;
    size_t capacity;
    bool full;
};

static void put(struct line *line, const char *data, size_t size)
{
    if (line->full || line->capacity - line->size < size) {
        line->full = true;
        return;
    }
    memcpy(line->out + line->size, data, size);
    line->size += size;
}

static void put_cstr(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

static void put_string(struct line *line, struct str s)
{
    bool is_utf8 =
        str_is_utf8(s); /* otherwise its high bytes are escaped, so that the line is JSON */
    put(line, "\"", 1);
    for (size_t i = 0; i < s.size; i++) {
        unsigned char c = (unsigned char)s.data[i];
        char escaped[8];
        if (c == '"' || c == '\\') {
            const char pair[] = {'\\', (char)c};
            put(line, pair, 2);
        } else if (c < 0x20 || c == 0x7f || (c >= 0x80 && !is_utf8)) {
            (void)snprintf(escaped, sizeof(escaped), "\\u%04x", c);
            put(line, escaped, 6);
        } else {
            put(line, s.data + i, 1);
        }
    }
    put(line, "\"", 1);
}

static void put_field(struct line *line, const struct log_field *field)
{
    char number[32] = "";
    put_cstr(line, ",\"");
    put_cstr(line, field->key);
    put_cstr(line, field->kind == LOG_KIND_NS ? "_us\":" : "\":");
    switch (field->kind) {
    case LOG_KIND_U64: (void)snprintf(number, sizeof(number), "%" PRIu64, field->value.u64); break;
    case LOG_KIND_I64: (void)snprintf(number, sizeof(number), "%" PRId64, field->value.i64); break;
    case LOG_KIND_NS:
        (void)snprintf(number, sizeof(number), "%" PRIu64 ".%03" PRIu64, field->value.u64 / 1000,
                       field->value.u64 % 1000);
        break;
    case LOG_KIND_BOOL: put_cstr(line, field->value.flag ? "true" : "false"); break;
    case LOG_KIND_STR: put_string(line, field->value.str); break;
    }
    put_cstr(line, number);
}

static int severity_number(enum log_level level)
{
    static const int numbers[] = {
        [LOG_DEBUG] = 5, [LOG_INFO] = 9, [LOG_WARN] = 13, [LOG_ERROR] = 17};
    return numbers[level];
}

size_t log_format_json(const struct log_event *event, uint64_t unix_ns, struct str node, char *out,
                       size_t size)
{
    static const char tail[] = "}\n";
    static const char cut_tail[] = ",\"cut\":true}\n";
    char head[160];
    char time[TIMEFMT_SIZE];
    ASSERT(size >= 256);
    struct line line = {.out = out, .capacity = size - sizeof(cut_tail)};
    timefmt_rfc3339_ns(unix_ns, time);
    (void)snprintf(head, sizeof(head), "{\"ts\":\"%s\",\"sev\":\"%s\",\"sevn\":%d", time,
                   log_level_name(event->level), severity_number(event->level));
    put_cstr(&line, head);
    put_field(&line, &CSTR("event", event->name));
    put_field(&line, &CSTR("msg", event->text));
    if (node.size > 0)
        put_field(&line, &TEXT("node", node));
    for (size_t i = 0; i < event->field_count && !line.full; i++) {
        size_t before = line.size;
        put_field(&line, &event->fields[i]);
        if (line.full)
            line.size = before;
    }
    const char *end = line.full ? cut_tail : tail;
    memcpy(out + line.size, end, strlen(end));
    return line.size + strlen(end);
}

const char *log_level_name(enum log_level level)
{
    static const char *const names[] = {
        [LOG_DEBUG] = "DEBUG", [LOG_INFO] = "INFO", [LOG_WARN] = "WARN", [LOG_ERROR] = "ERROR"};
    return names[level];
}

bool log_level_parse(struct str text, enum log_level *out)
{
    for (int level = LOG_DEBUG; level <= LOG_ERROR; level++) {
        if (str_eq_nocase(text, str_from(log_level_name((enum log_level)level)))) {
            *out = (enum log_level)level;
            return true;
        }
    }
    return false;
}
