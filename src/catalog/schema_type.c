/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema_type.c - the words for types that are not struct, list or map.
 *
 * Format: a word of schema_types.def; four of them take parameters:
 * fixed[length], decimal(precision, scale), geometry(crs)?, geography(crs, algorithm)?.
 * Only the lower-case form is accepted: Java would read "LONG" too, but other readers of the stored
 * fragment would not.
 */
#include "catalog/schema_internal.h"

enum { DECIMAL_PRECISION_MAX = 38 };

struct type_row {
    struct str text;
    int32_t min_version;
};

static const struct type_row type_rows[] = {
#define SCHEMA_TYPE(name, text, min_version)                                                       \
    [SCHEMA_##name] = {{text, sizeof(text) - 1}, min_version},
#include "catalog/schema_types.def"
#undef SCHEMA_TYPE
};

static struct str trimmed(struct str s)
{
    while (s.size > 0 && s.data[0] == ' ')
        s = str_from_pos(s, 1);
    while (s.size > 0 && s.data[s.size - 1] == ' ')
        s.size--;
    return s;
}

/* The text between the brackets behind a word, when it ends with the closing one. */
static bool parameters_of(struct str text, struct str word, char open, char close, struct str *out)
{
    struct str rest = str_from_pos(text, word.size);
    if (rest.size < 2 || rest.data[0] != open || rest.data[rest.size - 1] != close)
        return false;
    *out = str_slice(rest, 1, rest.size - 1);
    return true;
}

static bool fixed_is_valid(struct str parameters)
{
    uint64_t length;
    return str_to_u64(trimmed(parameters), &length) && length <= INT32_MAX;
}

static bool decimal_is_valid(struct str parameters)
{
    struct str precision_text;
    uint64_t precision;
    uint64_t scale;
    struct str rest = parameters;
    return str_find(parameters, ',') >= 0 && str_split(&rest, ',', &precision_text) &&
           str_to_u64(trimmed(precision_text), &precision) && str_to_u64(trimmed(rest), &scale) &&
           precision >= 1 && precision <= DECIMAL_PRECISION_MAX && scale <= DECIMAL_PRECISION_MAX;
}

/* Coordinate systems are opaque; an unbalanced parenthesis would make the text ambiguous. */
static bool geo_is_valid(struct str parameters)
{
    return str_find(parameters, '(') < 0 && str_find(parameters, ')') < 0;
}

static bool parameterized_is_valid(enum schema_type type, struct str text)
{
    struct str word = type_rows[type].text;
    struct str parameters;
    if (type == SCHEMA_FIXED)
        return parameters_of(text, word, '[', ']', &parameters) && fixed_is_valid(parameters);
    if (type == SCHEMA_DECIMAL)
        return parameters_of(text, word, '(', ')', &parameters) && decimal_is_valid(parameters);
    ASSERT(type == SCHEMA_GEOMETRY || type == SCHEMA_GEOGRAPHY);
    return text.size == word.size ||
           (parameters_of(text, word, '(', ')', &parameters) && geo_is_valid(parameters));
}

static struct str word_of(struct str text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '(' || text.data[i] == '[')
            return str_slice(text, 0, i);
    }
    return text;
}

bool schema__type_parse(struct str text, enum schema_type *out)
{
    struct str word = word_of(text);
    for (size_t i = 0; i < COUNTOF(type_rows); i++) {
        enum schema_type type = (enum schema_type)i;
        if (!str_eq(word, type_rows[i].text))
            continue;
        bool has_parameters = type == SCHEMA_FIXED || type == SCHEMA_DECIMAL ||
                              type == SCHEMA_GEOMETRY || type == SCHEMA_GEOGRAPHY;
        if (has_parameters ? !parameterized_is_valid(type, text) : word.size != text.size)
            return false;
        *out = type;
        return true;
    }
    return false;
}

int32_t schema__type_min_version(enum schema_type type)
{
    return (size_t)type < COUNTOF(type_rows) ? type_rows[type].min_version : 1;
}

bool schema__type_is_primitive(enum schema_type type)
{
    return (size_t)type < COUNTOF(type_rows) && type != SCHEMA_VARIANT;
}

bool schema__type_same(struct str a, struct str b)
{
    size_t i = 0;
    size_t j = 0;
    for (;;) {
        while (i < a.size && a.data[i] == ' ')
            i++;
        while (j < b.size && b.data[j] == ' ')
            j++;
        if (i == a.size || j == b.size)
            return i == a.size && j == b.size;
        if (a.data[i++] != b.data[j++])
            return false;
    }
}
