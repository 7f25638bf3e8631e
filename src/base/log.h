/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * log.h - one structured event: a stable name, a constant text and typed fields.
 *
 * LOG(log, INFO, "wal.rotate", "segment rotated", U64("segment", n), NS("took", t));
 * Fields are built only when the level is on; all storage is the caller's stack. The sink decides
 * where the line goes; log_format_json makes the JSON line. Library folders stay silent above
 * DEBUG: the service that decides logs once.
 */
#include "base/status.h"
#include "base/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_kind { LOG_KIND_U64, LOG_KIND_I64, LOG_KIND_STR, LOG_KIND_BOOL, LOG_KIND_NS };
struct log_field {
    const char *key;
    enum log_kind kind;
    union {
        uint64_t u64;
        int64_t i64;
        struct str str;
        bool flag;
    } value;
};
struct log_event {
    enum log_level level;
    const char *name; /* raft.leader.elected */
    const char *text; /* constant, no interpolation */
    const struct log_field *fields;
    size_t field_count;
};
/* Safe to call from any thread: the sink must lock or queue. Never blocks on a slow reader. */
struct log {
    void (*emit)(struct log *self, const struct log_event *event);
    enum log_level threshold;
};

#define U64(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_U64, .value.u64 = (v)})
#define I64(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_I64, .value.i64 = (v)})
#define TEXT(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_STR, .value.str = (v)})
#define CSTR(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_STR, .value.str = str_from(v)})
#define FLAG(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_BOOL, .value.flag = (v)})
#define NS(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_NS, .value.u64 = (v)})

#define LOG(log_, level_, name_, text_, ...)                                                       \
    do {                                                                                           \
        struct log *sink_ = (log_);                                                                \
        if (sink_ != NULL && sink_->threshold <= LOG_##level_) {                                   \
            const struct log_field fields_[] = {{.key = NULL}, ##__VA_ARGS__};                     \
            const struct log_event event_ = {LOG_##level_, (name_), (text_), fields_ + 1,          \
                                             COUNTOF(fields_) - 1};                                \
            sink_->emit(sink_, &event_);                                                           \
        }                                                                                          \
    } while (0)

enum { LOG_LINE_MAX = 16384 };
/*
 * One JSON line with its newline into out (at most size bytes, at least 256); returns its length.
 * Too long a line is cut at a field boundary and marked "cut":true. `node` may be empty.
 */
size_t log_format_json(const struct log_event *event, uint64_t unix_ns, struct str node, char *out,
                       size_t size);
const char *log_level_name(enum log_level level);
bool log_level_parse(struct str text, enum log_level *out);
