/* SPDX-License-Identifier: Apache-2.0 */
/* metric_test.c - recording, bounded labels, and both expositions. */
#include "base/metric.h"

#include "base_test_support.h"

#include <stdio.h>
#include <stdlib.h>

struct fixture {
    struct metrics *metrics;
    struct arena arena;
};

static void open_all(struct fixture *f)
{
    struct diag diag = {.count = 0};
    assert_true(is_ok(metrics_create(&diag, &f->metrics)));
    arena_init(&f->arena, allocator_heap(), 64 << 20);
}

static void close_all(struct fixture *f)
{
    metrics_destroy(f->metrics);
    arena_deinit(&f->arena);
}

/* NUL-terminated text. */
static const char *text_of(struct fixture *f, enum metrics_format format)
{
    struct buf buf;
    buf_init(&buf, &f->arena, 16 << 20);
    metrics_write(f->metrics, format, &buf);
    buf_byte(&buf, '\0');
    assert_true(is_ok(buf_finish(&buf, "metrics", NULL)));
    return buf.data;
}

static void record_some(struct fixture *f)
{
    uint32_t route = metrics_label(f->metrics, LABEL_HTTP_ROUTE, STR("/v1/{prefix}/namespaces"));
    metric_observe_ns(f->metrics, METRIC_HTTP_SERVER_REQUEST_DURATION,
                      metric_labels(0, route, metric_http_code(200)), 700000);
    metric_observe_ns(f->metrics, METRIC_HTTP_SERVER_REQUEST_DURATION,
                      metric_labels(0, route, metric_http_code(200)), UINT64_C(20000000000));
    metric_add(f->metrics, METRIC_WAL_BYTES, metric_labels(0, 0, 0), 4096);
    metric_set(f->metrics, METRIC_RAFT_TERM, metric_labels(0, 0, 0), 3);
    metric_set(f->metrics, METRIC_PROCESS_CPU, metric_labels(0, 0, 0), 1500000001);
    metric_gauge_add(f->metrics, METRIC_CATALOG_OBJECTS, metric_labels(2, 0, 0), -2);
}

static void test_text_for_prometheus(void **state)
{
    struct fixture f;
    (void)state;
    open_all(&f);
    assert_string_equal(text_of(&f, METRICS_TEXT), "");
    record_some(&f);
    const char *text = text_of(&f, METRICS_TEXT);
    assert_non_null(
        strstr(text, "# TYPE tarn_wal_bytes_total counter\ntarn_wal_bytes_total 4096\n"));
    assert_non_null(strstr(text, "# TYPE tarn_raft_term gauge\ntarn_raft_term 3\n"));
    assert_non_null(strstr(text, "process_cpu_seconds_total 1.500000001\n"));
    assert_non_null(strstr(text, "tarn_catalog_objects{kind=\"table\"} -2\n"));
#define SERIES                                                                                     \
    "{http_request_method=\"GET\",http_route=\"/v1/{prefix}/"                                      \
    "namespaces\",http_response_status_code=\"200\""
    assert_non_null(
        strstr(text, "http_server_request_duration_seconds_bucket" SERIES ",le=\"0.0005\"} 0\n"));
    assert_non_null(
        strstr(text, "http_server_request_duration_seconds_bucket" SERIES ",le=\"0.001\"} 1\n"));
    assert_non_null(
        strstr(text, "http_server_request_duration_seconds_bucket" SERIES ",le=\"+Inf\"} 2\n"));
    assert_non_null(
        strstr(text, "http_server_request_duration_seconds_sum" SERIES "} 20.000700000\n"));
    assert_non_null(strstr(text, "http_server_request_duration_seconds_count" SERIES "} 2\n"));
    assert_null(strstr(text, "# EOF"));
    close_all(&f);
}

static void test_openmetrics(void **state)
{
    struct fixture f;
    (void)state;
    open_all(&f);
    record_some(&f);
    const char *text = text_of(&f, METRICS_OPENMETRICS);
    assert_non_null(strstr(text, "# TYPE tarn_wal_bytes counter\n# UNIT tarn_wal_bytes bytes\n"
                                 "tarn_wal_bytes_total 4096\n"));
    assert_true(str_ends(str_from(text), STR("# EOF\n")));
    close_all(&f);
}

static void test_accept(void **state)
{
    (void)state;
    assert_int_equal(
        metrics_format_of(STR("application/openmetrics-text;version=1.0.0,text/plain;q=0.5")),
        METRICS_OPENMETRICS);
    assert_int_equal(metrics_format_of(STR("text/plain, application/openmetrics-text;q=0")),
                     METRICS_TEXT);
    assert_int_equal(metrics_format_of(STR("*/*")), METRICS_TEXT);
    assert_int_equal(metrics_format_of(STR("")), METRICS_TEXT);
}

static void test_label_values_are_bounded(void **state)
{
    struct fixture f;
    char name[32];
    uint32_t last = 0;
    struct metric_description row;
    (void)state;
    open_all(&f);
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(name, sizeof(name), "/route/%d", i);
        last = metrics_label(f.metrics, LABEL_HTTP_ROUTE, str_from(name));
        metric_observe_ns(f.metrics, METRIC_HTTP_SERVER_REQUEST_DURATION, metric_labels(0, last, 0),
                          1);
    }
    assert_int_equal(metrics_label(f.metrics, LABEL_HTTP_ROUTE, STR("/one/more")), last);
    assert_int_equal(metrics_label(f.metrics, LABEL_HTTP_ROUTE, STR("/route/5")),
                     metrics_label(f.metrics, LABEL_HTTP_ROUTE, STR("/route/5")));
    assert_non_null(strstr(text_of(&f, METRICS_TEXT), "http_route=\"_other\""));
    assert_true(metric_describe(METRIC_HTTP_SERVER_REQUEST_DURATION, &row));
    assert_int_equal(row.cardinality_max, 8 * 160 * 26);
    assert_false(metric_describe(METRIC_COUNT, &row));
    close_all(&f);
}

static void test_http_codes(void **state)
{
    (void)state;
    assert_int_equal(metric_http_code(200), 0);
    assert_int_equal(metric_http_code(999), metric_http_code(299)); /* both "_other" */
    assert_int_not_equal(metric_http_code(507), metric_http_code(299));
}

static void test_hostile_label_values_are_escaped(void **state)
{
    struct fixture f;
    (void)state;
    open_all(&f);
    uint32_t version = metrics_label(f.metrics, LABEL_VERSION, STR("a\"b\\c\nd"));
    metric_set(f.metrics, METRIC_BUILD_INFO,
               metric_labels(version, metrics_label(f.metrics, LABEL_COMMIT, STR("0")), 0), 1);
    assert_non_null(
        strstr(text_of(&f, METRICS_TEXT), "version=\"a\\\"b\\\\c\\nd\",commit=\"0\"} 1\n"));
    close_all(&f);
}

static void refresh(struct metrics *metrics, void *context)
{
    metric_set(metrics, METRIC_PROCESS_OPEN_FDS, metric_labels(0, 0, 0), *(int *)context);
}

static void test_gauges_are_refreshed_and_null_is_nothing(void **state)
{
    struct fixture f;
    int fds = 12;
    (void)state;
    open_all(&f);
    metrics_on_write(f.metrics, refresh, &fds);
    assert_non_null(strstr(text_of(&f, METRICS_TEXT), "process_open_fds 12\n"));
    metric_add(NULL, METRIC_WAL_BYTES, metric_labels(0, 0, 0), 1);
    metric_observe_ns(NULL, METRIC_WAL_FSYNC_DURATION, metric_labels(0, 0, 0), 1);
    close_all(&f);
}

/* Prometheus' own checker, where it is installed. */
static void test_promtool_agrees(void **state)
{
    char path[] = "/tmp/tarn-metrics-XXXXXX";
    char command[128];
    struct fixture f;
    (void)state;
    if (system("command -v promtool >/dev/null 2>&1") != 0)
        skip(); /* package prometheus is not installed */
    open_all(&f);
    record_some(&f);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    (void)fputs(text_of(&f, METRICS_TEXT), file);
    (void)fclose(file);
    (void)snprintf(command, sizeof(command), "promtool check metrics <%s", path);
    int result = system(command);
    (void)remove(path);
    assert_int_equal(result, 0);
    close_all(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_for_prometheus),
        cmocka_unit_test(test_openmetrics),
        cmocka_unit_test(test_accept),
        cmocka_unit_test(test_label_values_are_bounded),
        cmocka_unit_test(test_http_codes),
        cmocka_unit_test(test_hostile_label_values_are_escaped),
        cmocka_unit_test(test_gauges_are_refreshed_and_null_is_nothing),
        cmocka_unit_test(test_promtool_agrees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
