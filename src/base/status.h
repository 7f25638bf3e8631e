/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * status.h - how fallible functions report failure.
 *
 * A `status` is a four-byte struct, not an int, so the compiler rejects returning a count as an
 * error, comparing it with 0, or ignoring it. A code exists only if some caller reacts to it; the
 * story of one failure (where, with which values) goes to the operation's `struct diag`, which is
 * passed down and never thread-local. The first frame is the primary message.
 *
 * Messages say what happened, why and what to do: "could not" may work later, "cannot" never will.
 */
#include "base/base.h"

enum status_class {
    CLASS_NONE,
    CLASS_RETRY,     /* did not happen; may work later */
    CLASS_CONFLICT,  /* did not happen; somebody else was first */
    CLASS_NOT_FOUND, /* did not happen; the object is absent */
    CLASS_INVALID,   /* did not happen; never will as asked */
    CLASS_DENIED,    /* did not happen; not allowed */
    CLASS_CANCELLED, /* did not happen; given up */
    CLASS_UNKNOWN,   /* may or may not have happened: never retry blindly */
    CLASS_FATAL      /* this process or its data needs attention */
};

typedef struct {
    int32_t code;
} status_value;
#define status TN_MUST_USE status_value

enum {
#define STATUS(name, number, class_, http, type, text) STATUS_##name = (number),
#include "base/status.def"
#undef STATUS
};
#define OK ((status_value){STATUS_OK})

enum { DIAG_DEPTH = 4, DIAG_TEXT = 640 };
struct diag {
    struct {
        const char *file;
        int32_t code;
        int line;
        char text[DIAG_TEXT];
    } frames[DIAG_DEPTH];
    uint32_t count;
};

static inline bool is_ok(status_value s)
{
    return s.code == STATUS_OK;
}

/* Facts of the status.def row; `code` may be any number (an unknown one reads as INTERNAL). */
const char *status_text(int32_t code);
const char *status_name(int32_t code);
const char *status_iceberg_type(int32_t code);
int status_http(int32_t code);
enum status_class status_class_of(int32_t code);

void diag_reset(struct diag *diag);
/* The primary message of the failure, or the status text when nothing was said. Borrowed. */
const char *diag_message(const struct diag *diag, int32_t code);
/* The one place every failure is born: set a breakpoint here. `diag` may be NULL. */
TN_COLD TN_PRINTF(5, 6) status_value
    diag_fail(struct diag *diag, int32_t code, const char *file, int line, const char *format, ...);

#define FAIL(diag, name, ...) diag_fail((diag), STATUS_##name, __FILE__, __LINE__, __VA_ARGS__)
#define TRY(expr)                                                                                  \
    do {                                                                                           \
        status_value try_ = (expr);                                                                \
        if (UNLIKELY(!is_ok(try_)))                                                                \
            return try_;                                                                           \
    } while (0)
/* For functions with something to release: jumps forward to `out`, never back. */
#define TRY_OUT(result, expr)                                                                      \
    do {                                                                                           \
        (result) = (expr);                                                                         \
        if (UNLIKELY(!is_ok(result)))                                                              \
            goto out;                                                                              \
    } while (0)
