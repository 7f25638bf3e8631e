/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * leaf.h - what the tests of the pure leaves share: an arena, a diag, JSON from text.
 */
#include "base/json.h"

/* clang-format off */
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

enum { LEAF_BUDGET_BYTES = 64 << 20 };

struct leaf {
    struct arena arena;
    struct diag diag;
};

static inline void leaf_init(struct leaf *leaf)
{
    *leaf = (struct leaf){.diag = {.count = 0}};
    arena_init(&leaf->arena, allocator_heap(), LEAF_BUDGET_BYTES);
}

static inline void leaf_deinit(struct leaf *leaf)
{
    arena_deinit(&leaf->arena);
}

static inline const struct json *leaf_json(struct leaf *leaf, const char *text)
{
    struct json_limits limits = json_limits_request();
    const struct json *json = NULL;
    status_value parsed = json_parse(&leaf->arena, str_from(text), &limits, &leaf->diag, &json);
    if (!is_ok(parsed))
        fail_msg("%s: %s", text, diag_message(&leaf->diag, parsed.code));
    return json;
}

static inline void leaf_assert_ok(struct leaf *leaf, status_value result)
{
    if (!is_ok(result))
        fail_msg("%s", diag_message(&leaf->diag, result.code));
}

/* The failure's code and its whole message; the diag is ready for the next one. */
static inline void leaf_assert_fails(struct leaf *leaf, status_value result, int32_t code,
                                     const char *message)
{
    assert_string_equal(diag_message(&leaf->diag, result.code), message);
    assert_int_equal(result.code, code);
    diag_reset(&leaf->diag);
}

static inline void assert_text(struct str actual, const char *expected)
{
    if (!str_is(actual, expected))
        fail_msg("got      %.*s\nexpected %s", STR_ARG(actual), expected);
}
