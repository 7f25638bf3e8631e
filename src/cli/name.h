/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * name.h - names as people type them: ns1.ns2.table, with "..." around a level that holds a dot.
 *
 * In quotes a doubled quote stands for one: "a.b"."say ""hi""".orders. A name must not be empty.
 */
#include "base/buf.h"

enum { NAME_LEVELS_MAX = 32 };
struct name {
    struct str levels[NAME_LEVELS_MAX];
    size_t count;
};

/* USAGE with what is wrong with it. Levels live in the arena. */
status name_parse(struct arena *arena, struct str text, struct diag *diag, struct name *out);
/* At least two levels: a namespace and a name in it. */
status name_parse_object(struct arena *arena, struct str text, struct diag *diag, struct name *out);
/* Writes levels 0..count as a person would type them. */
void name_write(struct buf *buf, const struct name *name, size_t count);
/* One percent-encoded path segment or query value. */
void name_write_encoded(struct buf *buf, struct str text);
