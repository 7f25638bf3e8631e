/* SPDX-License-Identifier: Apache-2.0 */
/* trace_test.c - the W3C recommendation's own examples and what it forbids. */
#include "net/trace.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_a_valid_header_round_trips(void **state)
{
    static const char text[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    struct trace_context trace;
    char out[TRACE_PARENT_TEXT_SIZE];
    (void)state;
    assert_true(
        trace_parse(STR("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), &trace));
    assert_int_equal(trace.flags, 1);
    assert_int_equal(trace.trace_id[0], 0x4b);
    trace_format_parent(&trace, out);
    assert_memory_equal(out, text, sizeof(out));
}

static void test_invalid_headers_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "00",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-extra",
        "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x"};
    struct trace_context trace;
    (void)state;
    for (size_t i = 0; i < COUNTOF(bad); i++)
        assert_false(trace_parse(str_from(bad[i]), &trace));
    assert_true(
        trace_parse(STR("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00-more"), &trace));
}

static void test_new_traces_differ(void **state)
{
    struct prng prng;
    (void)state;
    prng_init(&prng, 1);
    struct trace_context a = trace_new(&prng);
    struct trace_context b = trace_new(&prng);
    assert_memory_not_equal(a.trace_id, b.trace_id, sizeof(a.trace_id));
    assert_int_equal(a.flags, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_valid_header_round_trips),
        cmocka_unit_test(test_invalid_headers_are_refused),
        cmocka_unit_test(test_new_traces_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
