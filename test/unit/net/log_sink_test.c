/* SPDX-License-Identifier: Apache-2.0 */
/* log_sink_test.c - whole lines, none lost silently, callers never blocked. */
#include "net/log_sink.h"

#include "base/json.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct log_sink *open_sink(int fd, uint32_t per_second, bool text)
{
    struct log_sink_config config = {.fd = fd,
                                     .threshold = LOG_INFO,
                                     .node = STR("n1"),
                                     .per_event_per_second = per_second,
                                     .force_text = text};
    struct diag diag = {.count = 0};
    struct log_sink *sink;
    assert_true(is_ok(log_sink_open(&config, &diag, &sink)));
    return sink;
}

static int temporary_file(void)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    int fd = dup(fileno(file));
    (void)fclose(file);
    return fd;
}

static size_t read_back(int fd, char *out, size_t size)
{
    ssize_t n = pread(fd, out, size - 1, 0);
    assert_true(n >= 0);
    out[n] = '\0';
    (void)close(fd);
    return (size_t)n;
}

enum { THREADS = 4, LINES = 2000 };

static void *log_lines(void *argument)
{
    for (int i = 0; i < LINES; i++)
        LOG(argument, INFO, "test.line", "a line", I64("i", i), CSTR("quote", "\"\n"));
    return NULL;
}

static void test_lines_from_many_threads_stay_whole(void **state)
{
    pthread_t threads[THREADS];
    int fd = temporary_file();
    struct log_sink *sink = open_sink(fd, 1000000, false);
    struct json_limits limits = json_limits_request();
    struct arena arena;
    char *out = malloc(8 << 20);
    int lines = 0;
    (void)state;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_lines, log_sink_log(sink)), 0);
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    uint64_t dropped = log_sink_dropped(sink);
    log_sink_close(sink);
    struct str rest = {out, read_back(fd, out, 8 << 20)};
    struct str line;
    arena_init(&arena, allocator_heap(), 1 << 20);
    while (str_split(&rest, '\n', &line) && line.size > 0) {
        const struct json *value;
        struct str name;
        assert_true(is_ok(json_parse(&arena, line, &limits, NULL, &value)));
        assert_true(json_as_str(json_get(value, "event"), &name));
        lines += str_is(name, "test.line") ? 1 : 0;
        arena_reset(&arena);
    }
    assert_int_equal((uint64_t)lines + dropped, THREADS * LINES);
    assert_true(lines > 0);
    arena_deinit(&arena);
    free(out);
}

static void test_a_flood_of_one_event_is_counted_not_written(void **state)
{
    int fd = temporary_file();
    struct log_sink *sink = open_sink(fd, 10, false);
    char out[16000];
    size_t lines = 0;
    (void)state;
    for (int i = 0; i < 500; i++)
        LOG(log_sink_log(sink), INFO, "flood", "again");
    LOG(log_sink_log(sink), INFO, "other", "passes");
    LOG(log_sink_log(sink), DEBUG, "quiet", "below the threshold");
    usleep(1100000); /* a new second */
    LOG(log_sink_log(sink), INFO, "flood", "again");
    log_sink_flush(sink);
    log_sink_close(sink);
    (void)read_back(fd, out, sizeof(out));
    for (const char *at = out; (at = strstr(at, "\"event\":\"flood\"")) != NULL; at++)
        lines++;
    assert_true(lines >= 11 && lines <= 21); /* the flood may straddle two seconds */
    assert_non_null(strstr(out, "\"n_suppressed\":4"));
    assert_non_null(strstr(out, "\"event\":\"other\""));
    assert_null(strstr(out, "quiet"));
}

static void test_a_reader_that_stops_costs_lines_not_time(void **state)
{
    int fds[2];
    char text[4096];
    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    struct log_sink *sink = open_sink(fds[1], 1000000, false);
    memset(text, 'x', sizeof(text));
    for (int i = 0; i < 2000; i++)
        LOG(log_sink_log(sink), INFO, "big", "fills the queue",
            TEXT("x", ((struct str){text, sizeof(text)})));
    assert_true(log_sink_dropped(sink) > 0);
    (void)close(fds[0]); /* the writer gets EPIPE instead of waiting for ever */
    log_sink_close(sink);
    (void)close(fds[1]);
}

static void test_text_is_aligned_and_safe(void **state)
{
    int fd = temporary_file();
    struct log_sink *sink = open_sink(fd, 0, true);
    char out[4096];
    (void)state;
    LOG(log_sink_log(sink), INFO, "node.ready", "serving", CSTR("at", "a\nb\x1b[0m"),
        NS("took", 1500000));
    log_sink_close(sink);
    (void)read_back(fd, out, sizeof(out));
    assert_non_null(
        strstr(out, " INFO  node.ready               serving  at=a\\x0ab\\x1b[0m  took=1.500ms\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_from_many_threads_stay_whole),
        cmocka_unit_test(test_a_flood_of_one_event_is_counted_not_written),
        cmocka_unit_test(test_a_reader_that_stops_costs_lines_not_time),
        cmocka_unit_test(test_text_is_aligned_and_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
