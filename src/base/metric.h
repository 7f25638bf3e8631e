/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * metric.h - counters, gauges and histograms of one node, and their text for Prometheus.
 *
 * The table is metrics.def. Each metric owns one cell for every combination of its labels' values,
 * allocated once, so recording is an array index and one or two relaxed atomic adds; any thread.
 * Every recording function accepts metrics == NULL and does nothing then.
 */
#include "base/buf.h"

enum metric_label {
#define LABEL(id, ...) LABEL_##id,
#include "base/metrics.def"
    LABEL_COUNT
};
enum metric_id {
#define METRIC(id, ...) METRIC_##id,
#include "base/metrics.def"
    METRIC_COUNT
};

struct metrics;
/* NOMEM. Freed with metrics_destroy (NULL is fine). */
status metrics_create(struct diag *diag, struct metrics **out);
void metrics_destroy(struct metrics *metrics);

/* Indices of label values, in the metric's order of labels; 0 for labels it does not have. */
struct metric_labels {
    uint32_t index[3];
};
static inline struct metric_labels metric_labels(uint32_t a, uint32_t b, uint32_t c)
{
    return (struct metric_labels){{a, b, c}};
}

/*
 * The index of a label's value; a new value is registered (copied) while there is room, beyond that
 * it is "_other". Any thread; meant for start-up or rare events, not for each request.
 */
uint32_t metrics_label(struct metrics *metrics, enum metric_label label, struct str value);
/* The index of an HTTP status code in LABEL_HTTP_CODE. */
uint32_t metric_http_code(int http_code);

void metric_add(struct metrics *metrics, enum metric_id id, struct metric_labels labels,
                uint64_t n);
void metric_set(struct metrics *metrics, enum metric_id id, struct metric_labels labels,
                int64_t value);
void metric_gauge_add(struct metrics *metrics, enum metric_id id, struct metric_labels labels,
                      int64_t delta);
void metric_observe_ns(struct metrics *metrics, enum metric_id id, struct metric_labels labels,
                       uint64_t ns);
/* The value of one counter or gauge, or the count of a histogram; for tests and health checks. */
uint64_t metric_read(const struct metrics *metrics, enum metric_id id, struct metric_labels labels);

/*
 * Adds a function that brings gauges up to date before each exposition (process figures, sizes).
 * At start only; at most METRICS_REFRESH_MAX. `context` is kept.
 */
enum { METRICS_REFRESH_MAX = 8 };
void metrics_on_write(struct metrics *metrics,
                      void (*refresh)(struct metrics *metrics, void *context), void *context);

enum metrics_format { METRICS_TEXT, METRICS_OPENMETRICS };
/* What the `Accept` header asks for; OpenMetrics only when it is named and not refused by q=0. */
enum metrics_format metrics_format_of(struct str accept);
const char *metrics_content_type(enum metrics_format format);
/* All samples that have ever been recorded. buf_finish() tells whether they fit. */
void metrics_write(struct metrics *metrics, enum metrics_format format, struct buf *buf);

/* One row of the table, for `tarn inspect metrics`. False beyond the last. */
struct metric_description {
    const char *name; /* as exposed, counters with _total */
    const char *kind; /* counter, gauge, histogram */
    const char *help;
    const char *labels[3]; /* NULL behind the last */
    size_t cardinality_max;
};
bool metric_describe(size_t index, struct metric_description *out);
