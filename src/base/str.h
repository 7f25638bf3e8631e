/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * str.h - a borrowed run of bytes with its length. Never assumed to end in NUL.
 */
#include "base/base.h"

#include <string.h>

struct str {
    const char *data;
    size_t size;
};

/* Only for string literals. */
#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})
/* For printf's %.*s */
#define STR_ARG(s) ((int)(s).size), ((s).data)

static inline struct str str_from(const char *zero_terminated)
{
    return (struct str){zero_terminated, zero_terminated == NULL ? 0 : strlen(zero_terminated)};
}

static inline bool str_eq(struct str a, struct str b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool str_is(struct str a, const char *zero_terminated)
{
    return str_eq(a, str_from(zero_terminated));
}

/* Bytewise; a prefix sorts before its extensions. Returns <0, 0 or >0. */
int str_cmp(struct str a, struct str b);
/* ASCII only. */
bool str_eq_nocase(struct str a, struct str b);
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
/* Position of the first `c`, or -1. */
ptrdiff_t str_find(struct str s, char c);
/* Position of the last `c`, or -1. */
ptrdiff_t str_rfind(struct str s, char c);
/* Bytes [from, s.size); from is clamped. */
struct str str_from_pos(struct str s, size_t from);
struct str str_slice(struct str s, size_t from, size_t to);
/* Cuts `*rest` at the first `separator`; returns the part before it. False when nothing is left. */
bool str_split(struct str *rest, char separator, struct str *out_part);
/* Decimal, no sign for u64, optional '-' for i64; the whole string must be consumed. */
bool str_to_u64(struct str s, uint64_t *out);
bool str_to_i64(struct str s, int64_t *out);
bool str_is_utf8(struct str s);
uint64_t str_hash(struct str s);
