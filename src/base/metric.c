/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metric.c - cells of atomics behind the table in metrics.def.
 *
 * I1  A metric's cells are one array; the cell of labels (a, b, c) is (a * capB + b) * capC + c.
 * I2  A cell is one word for counters and gauges, BUCKETS + 1 words (buckets, sum) for histograms.
 *     A histogram's count is the sum of its buckets, so count and buckets can never disagree.
 * I3  A gauge or counter is shown from its first recording on: bit 0 of `shown` is set with it.
 * I4  Label values are only ever appended; `value_count` is published after the value.
 */
#include "base/metric.h"

#include <stdatomic.h>

enum { LABELS_PER_METRIC = 3, VALUE_SIZE_MAX = 128 };

enum kind { KIND_COUNTER, KIND_COUNTER_NS, KIND_GAUGE, KIND_GAUGE_NS, KIND_HISTOGRAM };

/* Upper bounds in nanoseconds with the text Prometheus sees; the last bucket is +Inf. */
struct bound {
    uint64_t ns;
    const char *text;
};
static const struct bound bounds[] = {
    {500000, "0.0005"},    {1000000, "0.001"},  {2500000, "0.0025"}, {5000000, "0.005"},
    {10000000, "0.01"},    {25000000, "0.025"}, {50000000, "0.05"},  {75000000, "0.075"},
    {100000000, "0.1"},    {250000000, "0.25"}, {500000000, "0.5"},  {750000000, "0.75"},
    {1000000000, "1.0"},   {2500000000, "2.5"}, {5000000000, "5.0"}, {7500000000, "7.5"},
    {10000000000, "10.0"},
};
enum { BUCKETS = COUNTOF(bounds) + 1, HISTOGRAM_WORDS = BUCKETS + 1 };

struct metric_row {
    const char *name;
    const char *help;
    enum kind kind;
    enum metric_label labels[LABELS_PER_METRIC];
};
static const struct metric_row rows[METRIC_COUNT] = {
#define METRIC(id, kind_name, metric_name, a, b, c, help_text)                                     \
    [METRIC_##id] = {metric_name, help_text, KIND_##kind_name, {LABEL_##a, LABEL_##b, LABEL_##c}},
#include "base/metrics.def"
};

struct label_row {
    const char *name;
    size_t capacity;
    const char *const *values; /* NULL-terminated */
};
#define LABEL(id, label_name, capacity_max, ...)                                                   \
    static const char *const values_of_##id[] = {__VA_ARGS__, NULL};
#include "base/metrics.def"
static const struct label_row label_rows[LABEL_COUNT] = {
#define LABEL(id, label_name, capacity_max, ...)                                                   \
    [LABEL_##id] = {label_name, capacity_max, values_of_##id},
#include "base/metrics.def"
};

struct label_set {
    struct str *values;
    _Atomic uint32_t value_count;
};
struct refresh {
    void (*fn)(struct metrics *metrics, void *context);
    void *context;
};
struct metrics {
    atomic_flag lock; /* for registering values: rare and short */
    struct label_set labels[LABEL_COUNT];
    _Atomic uint64_t *cells[METRIC_COUNT];
    _Atomic bool *shown[METRIC_COUNT]; /* one per combination; not for histograms */
    struct arena arena;
    struct refresh refreshes[METRICS_REFRESH_MAX];
    size_t refresh_count;
};

/* --- the table --- */

static size_t capacity_of(enum metric_id id, size_t position)
{
    return label_rows[rows[id].labels[position]].capacity;
}

static size_t combinations_of(enum metric_id id)
{
    return capacity_of(id, 0) * capacity_of(id, 1) * capacity_of(id, 2);
}

static size_t words_of(enum metric_id id)
{
    return rows[id].kind == KIND_HISTOGRAM ? (size_t)HISTOGRAM_WORDS : 1;
}

static size_t combination_of(enum metric_id id, struct metric_labels labels)
{
    size_t at = 0;
    for (size_t i = 0; i < LABELS_PER_METRIC; i++) {
        ASSERT(labels.index[i] < capacity_of(id, i));
        at = at * capacity_of(id, i) + labels.index[i];
    }
    return at;
}

static bool is_counter(enum kind kind)
{
    return kind == KIND_COUNTER || kind == KIND_COUNTER_NS;
}

bool metric_describe(size_t index, struct metric_description *out)
{
    static const char *const counters[METRIC_COUNT] = {
#define METRIC(id, kind_name, metric_name, ...) [METRIC_##id] = metric_name "_total",
#include "base/metrics.def"
    };
    if (index >= METRIC_COUNT)
        return false;
    const struct metric_row *row = &rows[index];
    *out = (struct metric_description){.name = is_counter(row->kind) ? counters[index] : row->name,
                                       .kind = is_counter(row->kind)         ? "counter"
                                               : row->kind == KIND_HISTOGRAM ? "histogram"
                                                                             : "gauge",
                                       .help = row->help,
                                       .cardinality_max = combinations_of((enum metric_id)index)};
    for (size_t i = 0; i < LABELS_PER_METRIC && row->labels[i] != LABEL_NONE; i++)
        out->labels[i] = label_rows[row->labels[i]].name;
    return true;
}

/* --- creation and label values --- */

static bool fill_labels(struct metrics *metrics)
{
    for (size_t label = 0; label < LABEL_COUNT; label++) {
        struct label_set *set = &metrics->labels[label];
        set->values = ARENA_ARRAY(&metrics->arena, struct str, label_rows[label].capacity);
        if (set->values == NULL)
            return false;
        uint32_t count = 0;
        for (; label_rows[label].values[count] != NULL; count++) {
            ASSERT(count < label_rows[label].capacity);
            set->values[count] = str_from(label_rows[label].values[count]);
        }
        atomic_store(&set->value_count, count);
    }
    return true;
}

static bool fill_cells(struct metrics *metrics)
{
    for (size_t id = 0; id < METRIC_COUNT; id++) {
        size_t combinations = combinations_of((enum metric_id)id);
        metrics->cells[id] = mem_zalloc(combinations * words_of((enum metric_id)id) * 8);
        metrics->shown[id] = ARENA_ARRAY(&metrics->arena, _Atomic bool, combinations);
        if (metrics->cells[id] == NULL || metrics->shown[id] == NULL)
            return false;
    }
    return true;
}

status_value metrics_create(struct diag *diag, struct metrics **out)
{
    struct metrics *metrics = mem_zalloc(sizeof(*metrics));
    if (metrics == NULL)
        return FAIL(diag, NOMEM, "could not allocate the metrics");
    arena_init(&metrics->arena, allocator_heap(), 16 << 20);
    atomic_flag_clear(&metrics->lock);
    if (!fill_labels(metrics) || !fill_cells(metrics)) {
        metrics_destroy(metrics);
        return FAIL(diag, NOMEM, "could not allocate the metrics");
    }
    *out = metrics;
    return OK;
}

void metrics_destroy(struct metrics *metrics)
{
    if (metrics == NULL)
        return;
    for (size_t id = 0; id < METRIC_COUNT; id++)
        mem_free(metrics->cells[id]);
    arena_deinit(&metrics->arena);
    mem_free(metrics);
}

static bool find_value(const struct label_set *set, struct str value, uint32_t *out)
{
    uint32_t count = atomic_load_explicit(&set->value_count, memory_order_acquire);
    for (uint32_t i = 0; i < count; i++) {
        if (str_eq(set->values[i], value)) {
            *out = i;
            return true;
        }
    }
    return false;
}

/* The last index is kept for "_other" where values are not fixed. */
static uint32_t register_value(struct metrics *metrics, struct label_set *set, size_t capacity,
                               struct str value)
{
    uint32_t index;
    if (find_value(set, value, &index))
        return index;
    index = atomic_load(&set->value_count);
    if (index + 1 >= capacity && capacity > 1)
        value = STR("_other");
    if (find_value(set, value, &index))
        return index;
    index = atomic_load(&set->value_count);
    struct str copy =
        arena_copy(&metrics->arena, str_slice(value, 0, u64_min(value.size, VALUE_SIZE_MAX)));
    if (index >= capacity || copy.data == NULL)
        return (uint32_t)capacity - 1;
    set->values[index] = copy;
    atomic_store_explicit(&set->value_count, index + 1, memory_order_release);
    return index;
}

uint32_t metrics_label(struct metrics *metrics, enum metric_label label, struct str value)
{
    uint32_t index;
    if (metrics == NULL || find_value(&metrics->labels[label], value, &index))
        return metrics == NULL ? 0 : index;
    while (atomic_flag_test_and_set_explicit(&metrics->lock, memory_order_acquire)) {
    }
    index = register_value(metrics, &metrics->labels[label], label_rows[label].capacity, value);
    atomic_flag_clear_explicit(&metrics->lock, memory_order_release);
    return index;
}

uint32_t metric_http_code(int http_code)
{
    const char *const *values = values_of_HTTP_CODE;
    const char text[] = {(char)('0' + http_code / 100 % 10), (char)('0' + http_code / 10 % 10),
                         (char)('0' + http_code % 10), '\0'};
    uint32_t i = 0;
    for (; values[i + 1] != NULL; i++) {
        if (memcmp(values[i], text, sizeof(text)) == 0)
            return i;
    }
    return i; /* "_other" */
}

/* --- recording --- */

static _Atomic uint64_t *cell_of(const struct metrics *metrics, enum metric_id id,
                                 size_t combination)
{
    return metrics->cells[id] + combination * words_of(id);
}

static void record(struct metrics *metrics, enum metric_id id, struct metric_labels labels,
                   uint64_t value, bool adds)
{
    if (metrics == NULL)
        return;
    size_t at = combination_of(id, labels);
    ASSERT(rows[id].kind != KIND_HISTOGRAM);
    if (adds)
        atomic_fetch_add_explicit(cell_of(metrics, id, at), value, memory_order_relaxed);
    else
        atomic_store_explicit(cell_of(metrics, id, at), value, memory_order_relaxed);
    if (!atomic_load_explicit(&metrics->shown[id][at], memory_order_relaxed))
        atomic_store_explicit(&metrics->shown[id][at], true, memory_order_relaxed);
}

void metric_add(struct metrics *metrics, enum metric_id id, struct metric_labels labels, uint64_t n)
{
    record(metrics, id, labels, n, true);
}

void metric_set(struct metrics *metrics, enum metric_id id, struct metric_labels labels,
                int64_t value)
{
    record(metrics, id, labels, (uint64_t)value, false);
}

void metric_gauge_add(struct metrics *metrics, enum metric_id id, struct metric_labels labels,
                      int64_t delta)
{
    record(metrics, id, labels, (uint64_t)delta, true);
}

void metric_observe_ns(struct metrics *metrics, enum metric_id id, struct metric_labels labels,
                       uint64_t ns)
{
    size_t bucket = 0;
    if (metrics == NULL)
        return;
    ASSERT(rows[id].kind == KIND_HISTOGRAM);
    while (bucket < COUNTOF(bounds) && ns > bounds[bucket].ns)
        bucket++;
    _Atomic uint64_t *cell = cell_of(metrics, id, combination_of(id, labels));
    atomic_fetch_add_explicit(cell + bucket, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(cell + BUCKETS, ns, memory_order_relaxed);
}

static uint64_t histogram_count(const _Atomic uint64_t *cell)
{
    uint64_t total = 0;
    for (size_t i = 0; i < BUCKETS; i++)
        total += atomic_load_explicit(cell + i, memory_order_relaxed);
    return total;
}

uint64_t metric_read(const struct metrics *metrics, enum metric_id id, struct metric_labels labels)
{
    const _Atomic uint64_t *cell = cell_of(metrics, id, combination_of(id, labels));
    if (rows[id].kind == KIND_HISTOGRAM)
        return histogram_count(cell);
    return atomic_load_explicit(cell, memory_order_relaxed);
}

/* --- exposition --- */

void metrics_on_write(struct metrics *metrics,
                      void (*refresh)(struct metrics *metrics, void *context), void *context)
{
    ASSERT(metrics->refresh_count < METRICS_REFRESH_MAX);
    metrics->refreshes[metrics->refresh_count++] = (struct refresh){refresh, context};
}

enum metrics_format metrics_format_of(struct str accept)
{
    struct str part;
    while (str_split(&accept, ',', &part)) {
        while (part.size > 0 && part.data[0] == ' ')
            part = str_from_pos(part, 1);
        if (str_starts(part, STR("application/openmetrics-text")))
            return str_ends(part, STR("q=0")) ? METRICS_TEXT : METRICS_OPENMETRICS;
    }
    return METRICS_TEXT;
}

const char *metrics_content_type(enum metrics_format format)
{
    return format == METRICS_OPENMETRICS
               ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
               : "text/plain; version=0.0.4; charset=utf-8";
}

static void write_seconds(struct buf *buf, uint64_t ns)
{
    char digits[9];
    uint64_t rest = ns % 1000000000;
    buf_u64(buf, ns / 1000000000);
    buf_byte(buf, '.');
    for (size_t i = sizeof(digits); i-- > 0; rest /= 10)
        digits[i] = (char)('0' + rest % 10);
    buf_append(buf, digits, sizeof(digits));
}

static void write_escaped(struct buf *buf, struct str value)
{
    for (size_t i = 0; i < value.size; i++) {
        char c = value.data[i];
        if (c == '\\' || c == '"')
            buf_byte(buf, '\\');
        if (c == '\n')
            buf_str(buf, STR("\\n"));
        else
            buf_byte(buf, c);
    }
}

/* Name, suffix and {labels}; `le` is the bucket's bound or NULL. */
static void write_series(const struct metrics *metrics, enum metric_id id, size_t combination,
                         const char *suffix, const char *le, struct buf *buf)
{
    size_t index[LABELS_PER_METRIC];
    char separator = '{';
    for (size_t i = LABELS_PER_METRIC; i-- > 0; combination /= capacity_of(id, i))
        index[i] = combination % capacity_of(id, i);
    buf_str(buf, str_from(rows[id].name));
    buf_str(buf, str_from(suffix));
    for (size_t i = 0; i < LABELS_PER_METRIC && rows[id].labels[i] != LABEL_NONE; i++) {
        buf_byte(buf, separator);
        buf_str(buf, str_from(label_rows[rows[id].labels[i]].name));
        buf_str(buf, STR("=\""));
        write_escaped(buf, metrics->labels[rows[id].labels[i]].values[index[i]]);
        buf_byte(buf, '"');
        separator = ',';
    }
    if (le != NULL) {
        buf_byte(buf, separator);
        buf_str(buf, STR("le=\""));
        buf_str(buf, str_from(le));
        buf_byte(buf, '"');
        separator = ',';
    }
    buf_str(buf, separator == ',' ? STR("} ") : STR(" "));
}

static void write_histogram(const struct metrics *metrics, enum metric_id id, size_t combination,
                            struct buf *buf)
{
    const _Atomic uint64_t *cell = cell_of(metrics, id, combination);
    uint64_t running = 0;
    for (size_t i = 0; i < BUCKETS; i++) {
        running += atomic_load_explicit(cell + i, memory_order_relaxed);
        write_series(metrics, id, combination, "_bucket",
                     i < COUNTOF(bounds) ? bounds[i].text : "+Inf", buf);
        buf_u64(buf, running);
        buf_byte(buf, '\n');
    }
    write_series(metrics, id, combination, "_sum", NULL, buf);
    write_seconds(buf, atomic_load_explicit(cell + BUCKETS, memory_order_relaxed));
    buf_byte(buf, '\n');
    write_series(metrics, id, combination, "_count", NULL, buf);
    buf_u64(buf, running);
    buf_byte(buf, '\n');
}

static void write_value(const struct metrics *metrics, enum metric_id id, size_t combination,
                        struct buf *buf)
{
    enum kind kind = rows[id].kind;
    uint64_t value = atomic_load_explicit(cell_of(metrics, id, combination), memory_order_relaxed);
    write_series(metrics, id, combination, is_counter(kind) ? "_total" : "", NULL, buf);
    if (kind == KIND_COUNTER_NS || kind == KIND_GAUGE_NS)
        write_seconds(buf, value);
    else if (kind == KIND_COUNTER)
        buf_u64(buf, value);
    else
        buf_i64(buf, (int64_t)value);
    buf_byte(buf, '\n');
}

/* In OpenMetrics a counter is declared without _total and a unit is said; in the old text not. */
static void write_head(enum metric_id id, enum metrics_format format, struct buf *buf)
{
    struct metric_description row;
    (void)metric_describe(id, &row);
    bool open = format == METRICS_OPENMETRICS;
    struct str name = str_from(open ? rows[id].name : row.name);
    buf_str(buf, STR("# HELP "));
    buf_str(buf, name);
    buf_byte(buf, ' ');
    write_escaped(buf, str_from(row.help));
    buf_str(buf, STR("\n# TYPE "));
    buf_str(buf, name);
    buf_byte(buf, ' ');
    buf_str(buf, str_from(row.kind));
    buf_byte(buf, '\n');
    struct str unit = str_ends(name, STR("_seconds")) ? STR("seconds") : STR("");
    if (str_ends(name, STR("_bytes")))
        unit = STR("bytes");
    if (!open || unit.size == 0)
        return;
    buf_str(buf, STR("# UNIT "));
    buf_str(buf, name);
    buf_byte(buf, ' ');
    buf_str(buf, unit);
    buf_byte(buf, '\n');
}

static bool is_shown(const struct metrics *metrics, enum metric_id id, size_t combination)
{
    if (rows[id].kind == KIND_HISTOGRAM)
        return histogram_count(cell_of(metrics, id, combination)) > 0;
    return atomic_load_explicit(&metrics->shown[id][combination], memory_order_relaxed);
}

static void write_metric(const struct metrics *metrics, enum metric_id id,
                         enum metrics_format format, struct buf *buf)
{
    bool has_head = false;
    size_t combinations = combinations_of(id);
    for (size_t at = 0; at < combinations; at++) {
        if (!is_shown(metrics, id, at))
            continue;
        if (!has_head)
            write_head(id, format, buf);
        has_head = true;
        if (rows[id].kind == KIND_HISTOGRAM)
            write_histogram(metrics, id, at, buf);
        else
            write_value(metrics, id, at, buf);
    }
}

void metrics_write(struct metrics *metrics, enum metrics_format format, struct buf *buf)
{
    for (size_t i = 0; i < metrics->refresh_count; i++)
        metrics->refreshes[i].fn(metrics, metrics->refreshes[i].context);
    for (size_t id = 0; id < METRIC_COUNT; id++)
        write_metric(metrics, (enum metric_id)id, format, buf);
    if (format == METRICS_OPENMETRICS)
        buf_str(buf, STR("# EOF\n"));
}
