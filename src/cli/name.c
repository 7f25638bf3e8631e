/* SPDX-License-Identifier: Apache-2.0 */
/*
 * name.c - dotted names with quotes, to and from text and URL paths.
 */
#include "cli/name.h"

static status bad_name(struct str text, const char *why, struct diag *diag)
{
    return FAIL(diag, USAGE, "'%.*s' is not a name: %s", STR_ARG(text), why);
}

/* Reads one level from `*at`, without the dot behind it. */
static status read_level(struct arena *arena, struct str text, size_t *at, struct diag *diag,
                         struct str *out)
{
    struct buf level;
    bool quoted = text.data[*at] == '"';
    size_t i = *at + (quoted ? 1 : 0);
    buf_init(&level, arena, text.size);
    for (;; i++) {
        if (i == text.size && quoted)
            return bad_name(text, "a quote is not closed", diag);
        if (i == text.size || (!quoted && text.data[i] == '.'))
            break;
        if (quoted && text.data[i] == '"' && (i + 1 == text.size || text.data[++i] != '"'))
            break;
        buf_byte(&level, text.data[i]);
    }
    if (quoted && i + 1 == text.size && text.data[i] == '"')
        i++;
    if (i < text.size && text.data[i] != '.')
        return bad_name(text, "a dot must follow the closing quote", diag);
    if (level.size == 0)
        return bad_name(text, "a level of it is empty", diag);
    TRY(buf_finish(&level, "a name", diag));
    *out = buf_view(&level);
    *at = i;
    return OK;
}

status name_parse(struct arena *arena, struct str text, struct diag *diag, struct name *out)
{
    struct name name = {.count = 0};
    size_t at = 0;
    if (!str_is_utf8(text))
        return bad_name(text, "it is not UTF-8", diag);
    do {
        if (at == text.size)
            return bad_name(text, "a level of it is empty", diag);
        if (name.count == NAME_LEVELS_MAX)
            return bad_name(text, "too many levels", diag);
        TRY(read_level(arena, text, &at, diag, &name.levels[name.count]));
        name.count++;
    } while (at++ < text.size);
    *out = name;
    return OK;
}

status name_parse_object(struct arena *arena, struct str text, struct diag *diag, struct name *out)
{
    struct name name;
    TRY(name_parse(arena, text, diag, &name));
    if (name.count < 2) {
        status_value failed = bad_name(text, "the namespace is missing", diag);
        (void)FAIL(diag, USAGE, "write NAMESPACE.NAME; quote a level that holds a dot: \"a.b\".c");
        return failed;
    }
    *out = name;
    return OK;
}

void name_write(struct buf *buf, const struct name *name, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct str level = name->levels[i];
        bool quote = str_find(level, '.') >= 0 || str_find(level, '"') >= 0;
        if (i > 0)
            buf_byte(buf, '.');
        if (!quote) {
            buf_str(buf, level);
            continue;
        }
        buf_byte(buf, '"');
        for (size_t j = 0; j < level.size; j++) {
            if (level.data[j] == '"')
                buf_byte(buf, '"');
            buf_byte(buf, level.data[j]);
        }
        buf_byte(buf, '"');
    }
}

void name_write_encoded(struct buf *buf, struct str text)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '_' || c == '.' || c == '~';
        if (plain) {
            buf_byte(buf, (char)c);
            continue;
        }
        buf_byte(buf, '%');
        buf_byte(buf, hex[c >> 4]);
        buf_byte(buf, hex[c & 15]);
    }
}
