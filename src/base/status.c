/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status.c - the status table and the birth place of failures.
 *
 * The table is indexed by the persisted number; a number that this build does not know (written by
 * a newer one) reads as INTERNAL instead of as success.
 */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct status_row {
    const char *name;
    const char *text;
    const char *iceberg_type;
    enum status_class class_;
    int http;
};

static const struct status_row table[] = {
#define STATUS(label, number, class_name, http_code, type, message)                                \
    [number] = {#label, message, type, CLASS_##class_name, http_code},
#include "base/status.def"
#undef STATUS
};

_Noreturn void assert_fail(const char *expr, const char *file, int line)
{
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expr);
    abort();
}

static const struct status_row *row_of(int32_t code)
{
    if (code < 0 || (size_t)code >= COUNTOF(table))
        return &table[STATUS_INTERNAL];
    return &table[code];
}

const char *status_text(int32_t code)
{
    return row_of(code)->text;
}

const char *status_name(int32_t code)
{
    return row_of(code)->name;
}

const char *status_iceberg_type(int32_t code)
{
    return row_of(code)->iceberg_type;
}

int status_http(int32_t code)
{
    return row_of(code)->http;
}

enum status_class status_class_of(int32_t code)
{
    return row_of(code)->class_;
}

void diag_reset(struct diag *diag)
{
    diag->count = 0;
}

const char *diag_message(const struct diag *diag, int32_t code)
{
    if (diag == NULL || diag->count == 0)
        return status_text(code);
    return diag->frames[0].text;
}

/* A message that was cut must still be UTF-8, since it goes into JSON: drops half a character. */
static void trim_cut(char *text, size_t size)
{
    size_t at = size;
    while (at > 0 && ((unsigned char)text[at - 1] & 0xc0) == 0x80)
        at--;
    unsigned char lead = at > 0 ? (unsigned char)text[at - 1] : 0;
    size_t wanted = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (at > 0 && size - (at - 1) < wanted)
        text[at - 1] = '\0';
}

status_value diag_fail(struct diag *diag, int32_t code, const char *file, int line,
                       const char *format, ...)
{
    ASSERT(code != STATUS_OK);
    if (diag != NULL && diag->count < DIAG_DEPTH) {
        va_list args;
        diag->frames[diag->count].file = file;
        diag->frames[diag->count].line = line;
        diag->frames[diag->count].code = code;
        va_start(args, format);
        int wanted = vsnprintf(diag->frames[diag->count].text, DIAG_TEXT, format, args);
        va_end(args);
        if (wanted >= DIAG_TEXT)
            trim_cut(diag->frames[diag->count].text, DIAG_TEXT - 1);
        diag->count++;
    }
    return (status_value){code};
}
