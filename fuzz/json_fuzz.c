/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_fuzz.c - any bytes as a JSON document: refused, or a document that is written and read back
 * as the same, byte for byte from the second writing on.
 */
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str written(struct arena *arena, const struct json *value)
{
    struct buf buf;
    buf_init(&buf, arena, 64 << 20);
    json_write(&buf, value);
    ASSERT(is_ok(buf_finish(&buf, "document", NULL)));
    return buf_view(&buf);
}

static void check_round_trip(struct arena *arena, const struct json *value)
{
    struct json_limits limits = json_limits_document();
    const struct json *again = NULL;
    struct str text = written(arena, value);
    ASSERT(str_is_utf8(text));
    ASSERT(is_ok(json_parse(arena, text, &limits, NULL, &again)));
    ASSERT(json_kind_of(again) == json_kind_of(value) && json_size(again) == json_size(value));
    ASSERT(str_eq(written(arena, again), text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_limits limits = json_limits_request();
    struct diag diag = {.count = 0};
    struct arena arena;
    const struct json *value = NULL;
    arena_init(&arena, allocator_heap(), 256 << 20);
    status_value result =
        json_parse(&arena, (struct str){(const char *)data, size}, &limits, &diag, &value);
    if (is_ok(result))
        check_round_trip(&arena, value);
    else
        ASSERT(diag.count > 0 && value == NULL);
    arena_deinit(&arena);
    return 0;
}
