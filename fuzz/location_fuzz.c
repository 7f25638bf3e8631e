/* SPDX-License-Identifier: Apache-2.0 */
/*
 * location_fuzz.c - any bytes as a location: refused, or canonical for good and without a way out
 * of its warehouse, however often somebody decodes percent-escapes later.
 */
#include "catalog/catalog_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static size_t decode(char *text, size_t size)
{
    size_t to = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '%' && size - i > 2 && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0) {
            text[to++] = (char)(unsigned char)(digit(text[i + 1]) * 16 + digit(text[i + 2]));
            i += 2;
        } else {
            text[to++] = text[i];
        }
    }
    return to;
}

/* Segments after the root, walked as a file system walks them. */
static bool leaves(struct str path)
{
    int depth = 0;
    struct str segment;
    while (path.size > 0 && str_split(&path, '/', &segment)) {
        if (str_is(segment, ".."))
            depth--;
        else if (segment.size > 0 && !str_is(segment, "."))
            depth++;
        if (depth < 0)
            return true;
    }
    return false;
}

static void check_inside(struct arena *arena, struct str location, struct str root)
{
    char *text = arena_alloc(arena, location.size + 1);
    ASSERT(text != NULL);
    memcpy(text, location.data, location.size);
    size_t size = location.size;
    for (int i = 0; i < 8; i++) {
        ASSERT(!leaves(str_from_pos((struct str){text, size}, root.size)));
        size = decode(text, size);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const roots[] = {"file:///lake", "s3://bucket", "s3://bucket/a"};
    struct arena arena;
    struct str once;
    struct str again;
    arena_init(&arena, allocator_heap(), 1 << 24);
    struct diag diag = {.count = 0};
    struct catalog_context context = {.arena = &arena, .diag = &diag};
    struct str input = {(const char *)data, size};
    if (is_ok(catalog__location_canonical(&context, input, &once))) {
        ASSERT(is_ok(catalog__location_canonical(&context, once, &again)));
        ASSERT(str_eq(once, again));
        for (size_t i = 0; i < COUNTOF(roots); i++) {
            struct catalog_warehouse warehouse = {.location = str_from(roots[i])};
            if (is_ok(catalog__location_check(&context, &warehouse, input, "x", &again)))
                check_inside(&arena, again, warehouse.location);
        }
    } else {
        ASSERT(str_is_utf8(str_from(diag_message(&diag, STATUS_ILLEGAL_ARGUMENT))));
    }
    arena_deinit(&arena);
    return 0;
}
