/* SPDX-License-Identifier: Apache-2.0 */
/*
 * str.c - operations on borrowed byte runs. Pure; nothing here allocates.
 */
#include "base/str.h"

int str_cmp(struct str a, struct str b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);
    if (order != 0)
        return order;
    return a.size < b.size ? -1 : a.size > b.size;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool str_eq_nocase(struct str a, struct str b)
{
    if (a.size != b.size)
        return false;
    for (size_t i = 0; i < a.size; i++)
        if (lower(a.data[i]) != lower(b.data[i]))
            return false;
    return true;
}

bool str_starts(struct str s, struct str prefix)
{
    return s.size >= prefix.size && str_eq((struct str){s.data, prefix.size}, prefix);
}

bool str_ends(struct str s, struct str suffix)
{
    return s.size >= suffix.size &&
           str_eq((struct str){s.data + (s.size - suffix.size), suffix.size}, suffix);
}

ptrdiff_t str_find(struct str s, char c)
{
    const char *at = s.size == 0 ? NULL : memchr(s.data, c, s.size);
    return at == NULL ? -1 : at - s.data;
}

ptrdiff_t str_rfind(struct str s, char c)
{
    const char *at = s.size == 0 ? NULL : memrchr(s.data, c, s.size);
    return at == NULL ? -1 : at - s.data;
}

struct str str_from_pos(struct str s, size_t from)
{
    if (from > s.size)
        from = s.size;
    return (struct str){s.data + from, s.size - from};
}

struct str str_slice(struct str s, size_t from, size_t to)
{
    ASSERT(from <= to && to <= s.size);
    return (struct str){s.data + from, to - from};
}

bool str_split(struct str *rest, char separator, struct str *out_part)
{
    if (rest->data == NULL)
        return false;
    ptrdiff_t at = str_find(*rest, separator);
    if (at < 0) {
        *out_part = *rest;
        *rest = (struct str){NULL, 0};
        return true;
    }
    *out_part = str_slice(*rest, 0, (size_t)at);
    *rest = str_from_pos(*rest, (size_t)at + 1);
    return true;
}

bool str_to_u64(struct str s, uint64_t *out)
{
    if (s.size == 0)
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < s.size; i++) {
        if (s.data[i] < '0' || s.data[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(s.data[i] - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

bool str_to_i64(struct str s, int64_t *out)
{
    bool negative = s.size > 0 && s.data[0] == '-';
    uint64_t magnitude;
    if (!str_to_u64(str_from_pos(s, negative ? 1 : 0), &magnitude))
        return false;
    if (magnitude > (uint64_t)INT64_MAX + (negative ? 1 : 0))
        return false;
    *out = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

static size_t utf8_tail(unsigned char lead, unsigned char second)
{
    if (lead < 0x80)
        return 1;
    if (lead >= 0xc2 && lead <= 0xdf)
        return 2;
    if (lead == 0xe0)
        return second >= 0xa0 ? 3 : 0;
    if (lead == 0xed)
        return second <= 0x9f ? 3 : 0;
    if (lead >= 0xe1 && lead <= 0xef)
        return 3;
    if (lead == 0xf0)
        return second >= 0x90 ? 4 : 0;
    if (lead == 0xf4)
        return second <= 0x8f ? 4 : 0;
    return lead >= 0xf1 && lead <= 0xf3 ? 4 : 0;
}

bool str_is_utf8(struct str s)
{
    size_t i = 0;
    while (i < s.size) {
        unsigned char second = i + 1 < s.size ? (unsigned char)s.data[i + 1] : 0;
        size_t length = utf8_tail((unsigned char)s.data[i], second);
        if (length == 0 || s.size - i < length)
            return false;
        for (size_t k = 1; k < length; k++)
            if (((unsigned char)s.data[i + k] & 0xc0) != 0x80)
                return false;
        i += length;
    }
    return true;
}

uint64_t str_hash(struct str s)
{
    /* FNV-1a with a final mix: for in-memory tables only, never stored. */
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < s.size; i++)
        hash = (hash ^ (unsigned char)s.data[i]) * UINT64_C(1099511628211);
    return hash ^ (hash >> 29);
}
