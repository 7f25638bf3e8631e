/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_sink.c - two buffers: callers format into one while the thread writes the other.
 *
 * I1  A caller holds the lock for one formatted line at most; the thread writes without it.
 * I2  A line is either wholly in a buffer or dropped and counted; lines never mix.
 * I3  Per event name, at most N lines a second pass; the next one that passes carries n_suppressed.
 *     The table of names has a fixed size; two names that share a slot share a limit.
 */
#include "net/log_sink.h"

#include "base/alloc.h"
#include "base/timefmt.h"
#include "env/env.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum {
    QUEUE_DEFAULT = 1 << 20,
    QUEUE_MIN = 64 << 10,
    RATE_DEFAULT = 200,
    RATE_SLOTS = 256,
    FIELDS_MAX = 64,
    NODE_MAX = 64
};

struct rate {
    uint64_t second;
    uint32_t passed;
    uint32_t suppressed;
};
struct log_sink {
    struct log log; /* first: emit finds the sink through it */
    int fd;
    bool is_text;
    uint32_t rate_max;
    size_t capacity;
    char node[NODE_MAX];
    size_t node_size;
    struct metrics *metrics;
    uint32_t signal_log;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t filled;
    pthread_cond_t written;
    char *active; /* callers append here */
    size_t active_size;
    char *spare; /* the thread's */
    bool is_writing;
    bool is_closing;
    uint64_t dropped;
    uint64_t dropped_told;
    struct rate rates[RATE_SLOTS];
};

static uint64_t wall_ns(void)
{
    return env_linux()->ops->wall_ns(env_linux());
}

/* --- text for people --- */

struct line {
    char *out;
    size_t size;
    size_t capacity;
};

TN_PRINTF(2, 3) static void put(struct line *line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t room = line->capacity - line->size;
    int n = vsnprintf(line->out + line->size, room, format, arguments);
    va_end(arguments);
    if (n > 0)
        line->size += u64_min((uint64_t)n, room - 1);
}

/* Control characters could forge lines or drive the terminal. */
static void put_text(struct line *line, struct str s)
{
    for (size_t i = 0; i < s.size; i++) {
        unsigned char c = (unsigned char)s.data[i];
        put(line, c < 0x20 || c == 0x7f ? "\\x%02x" : "%c", c);
    }
}

static void put_field(struct line *line, const struct log_field *field)
{
    put(line, "  %s=", field->key);
    switch (field->kind) {
    case LOG_KIND_U64: put(line, "%" PRIu64, field->value.u64); break;
    case LOG_KIND_I64: put(line, "%" PRId64, field->value.i64); break;
    case LOG_KIND_BOOL: put(line, "%s", field->value.flag ? "true" : "false"); break;
    case LOG_KIND_NS:
        put(line, "%" PRIu64 ".%03" PRIu64 "ms", field->value.u64 / 1000000,
            field->value.u64 / 1000 % 1000);
        break;
    case LOG_KIND_STR: put_text(line, field->value.str); break;
    }
}

static size_t format_text(const struct log_event *event, uint64_t unix_ns, char *out, size_t size)
{
    static const char *const colours[] = {[LOG_DEBUG] = "\x1b[90m",
                                          [LOG_INFO] = "",
                                          [LOG_WARN] = "\x1b[33m",
                                          [LOG_ERROR] = "\x1b[31m"};
    const char *colour = colours[event->level];
    char time[TIMEFMT_SIZE];
    struct line line = {.out = out, .capacity = size - 1};
    timefmt_rfc3339_ns(unix_ns, time);
    put(&line, "%.12s %s%-5s%s %-24s %s", time + 11, colour, log_level_name(event->level),
        colour[0] == '\0' ? "" : "\x1b[0m", event->name, event->text);
    for (size_t i = 0; i < event->field_count; i++)
        put_field(&line, &event->fields[i]);
    line.out[line.size++] = '\n';
    return line.size;
}

/* --- callers --- */

/* True when the line may pass; *out_suppressed are those that did not since the last. */
static bool rate_allows(struct log_sink *sink, const char *name, uint64_t now_ns,
                        uint32_t *out_suppressed)
{
    struct rate *rate = &sink->rates[str_hash(str_from(name)) % RATE_SLOTS];
    uint64_t second = now_ns / 1000000000;
    if (rate->second != second) {
        rate->second = second;
        rate->passed = 0;
    }
    if (rate->passed >= sink->rate_max) {
        rate->suppressed++;
        return false;
    }
    rate->passed++;
    *out_suppressed = rate->suppressed;
    rate->suppressed = 0;
    return true;
}

static void count_item(struct log_sink *sink, const char *result)
{
    uint32_t index = metrics_label(sink->metrics, LABEL_ITEM_RESULT, str_from(result));
    metric_add(sink->metrics, METRIC_TELEMETRY_ITEMS, metric_labels(sink->signal_log, index, 0), 1);
}

/* Under the lock. */
static void append(struct log_sink *sink, const struct log_event *event, uint64_t now_ns)
{
    char *out = sink->active + sink->active_size;
    if (sink->capacity - sink->active_size < LOG_LINE_MAX) {
        sink->dropped++;
        count_item(sink, "dropped");
        return;
    }
    bool was_empty = sink->active_size == 0;
    if (sink->is_text)
        sink->active_size += format_text(event, now_ns, out, LOG_LINE_MAX);
    else
        sink->active_size += log_format_json(
            event, now_ns, (struct str){sink->node, sink->node_size}, out, LOG_LINE_MAX);
    count_item(sink, "ok");
    if (was_empty)
        (void)pthread_cond_signal(&sink->filled);
}

static void append_with_count(struct log_sink *sink, const struct log_event *event, uint64_t now_ns,
                              uint32_t suppressed)
{
    struct log_field fields[FIELDS_MAX];
    struct log_event more = *event;
    size_t count = u64_min(event->field_count, FIELDS_MAX - 1);
    fields[0] = U64("n_suppressed", suppressed);
    if (count > 0)
        memcpy(fields + 1, event->fields, count * sizeof(*fields));
    more.fields = fields;
    more.field_count = count + 1;
    append(sink, &more, now_ns);
}

static void emit(struct log *log, const struct log_event *event)
{
    struct log_sink *sink = CONTAINER_OF(log, struct log_sink, log);
    uint64_t now_ns = wall_ns();
    uint32_t suppressed = 0;
    (void)pthread_mutex_lock(&sink->lock);
    if (!rate_allows(sink, event->name, now_ns, &suppressed))
        count_item(sink, "suppressed");
    else if (suppressed > 0)
        append_with_count(sink, event, now_ns, suppressed);
    else
        append(sink, event, now_ns);
    (void)pthread_mutex_unlock(&sink->lock);
}

/* --- the thread --- */

static void write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; /* nowhere to complain: the log itself is broken */
        data += n;
        size -= (size_t)n;
    }
}

/* Under the lock: says once what was lost since the last time. */
static void tell_dropped(struct log_sink *sink)
{
    const struct log_field field = U64("n_dropped", sink->dropped - sink->dropped_told);
    const struct log_event event = {LOG_WARN, "log.dropped", "log lines were dropped", &field, 1};
    if (sink->dropped == sink->dropped_told)
        return;
    sink->dropped_told = sink->dropped;
    append(sink, &event, wall_ns());
}

static void *run_thread(void *argument)
{
    struct log_sink *sink = argument;
    (void)pthread_mutex_lock(&sink->lock);
    for (;;) {
        while (sink->active_size == 0 && !sink->is_closing)
            (void)pthread_cond_wait(&sink->filled, &sink->lock);
        if (sink->active_size == 0)
            break;
        char *full = sink->active;
        size_t size = sink->active_size;
        sink->active = sink->spare;
        sink->active_size = 0;
        sink->is_writing = true;
        tell_dropped(sink);
        (void)pthread_mutex_unlock(&sink->lock);
        write_all(sink->fd, full, size);
        (void)pthread_mutex_lock(&sink->lock);
        sink->spare = full;
        sink->is_writing = false;
        (void)pthread_cond_broadcast(&sink->written);
    }
    (void)pthread_mutex_unlock(&sink->lock);
    return NULL;
}

/* --- open and close --- */

static void free_sink(struct log_sink *sink)
{
    (void)pthread_cond_destroy(&sink->written);
    (void)pthread_cond_destroy(&sink->filled);
    (void)pthread_mutex_destroy(&sink->lock);
    mem_free(sink->active);
    mem_free(sink->spare);
    mem_free(sink);
}

static status_value start_thread(struct log_sink *sink, struct diag *diag)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&sink->thread, NULL, run_thread, sink);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0)
        return FAIL(diag, IO, "could not start the log thread: error %d", error);
    (void)pthread_setname_np(sink->thread, "log");
    return OK;
}

status_value log_sink_open(const struct log_sink_config *config, struct diag *diag,
                           struct log_sink **out)
{
    struct log_sink *sink = mem_zalloc(sizeof(*sink));
    if (sink == NULL)
        return FAIL(diag, NOMEM, "could not allocate the log");
    sink->log = (struct log){.emit = emit, .threshold = config->threshold};
    sink->fd = config->fd;
    sink->is_text = !config->force_json && (config->force_text || isatty(config->fd) == 1);
    sink->rate_max =
        config->per_event_per_second == 0 ? RATE_DEFAULT : config->per_event_per_second;
    sink->capacity = config->queue_bytes == 0 ? QUEUE_DEFAULT : config->queue_bytes;
    sink->capacity = u64_max(sink->capacity, QUEUE_MIN);
    sink->node_size = u64_min(config->node.size, NODE_MAX);
    if (sink->node_size > 0)
        memcpy(sink->node, config->node.data, sink->node_size);
    sink->metrics = config->metrics;
    sink->signal_log = metrics_label(config->metrics, LABEL_SIGNAL, STR("log"));
    (void)pthread_mutex_init(&sink->lock, NULL);
    (void)pthread_cond_init(&sink->filled, NULL);
    (void)pthread_cond_init(&sink->written, NULL);
    sink->active = mem_alloc(sink->capacity);
    sink->spare = mem_alloc(sink->capacity);
    status_value result = OK;
    if (sink->active == NULL || sink->spare == NULL)
        result = FAIL(diag, NOMEM, "could not allocate the log queue");
    else
        result = start_thread(sink, diag);
    if (!is_ok(result))
        free_sink(sink);
    else
        *out = sink;
    return result;
}

struct log *log_sink_log(struct log_sink *sink)
{
    return &sink->log;
}

uint64_t log_sink_dropped(struct log_sink *sink)
{
    (void)pthread_mutex_lock(&sink->lock);
    uint64_t dropped = sink->dropped;
    (void)pthread_mutex_unlock(&sink->lock);
    return dropped;
}

void log_sink_flush(struct log_sink *sink)
{
    (void)pthread_mutex_lock(&sink->lock);
    while (sink->active_size > 0 || sink->is_writing)
        (void)pthread_cond_wait(&sink->written, &sink->lock);
    (void)pthread_mutex_unlock(&sink->lock);
}

void log_sink_close(struct log_sink *sink)
{
    if (sink == NULL)
        return;
    (void)pthread_mutex_lock(&sink->lock);
    sink->is_closing = true;
    (void)pthread_cond_signal(&sink->filled);
    (void)pthread_mutex_unlock(&sink->lock);
    (void)pthread_join(sink->thread, NULL);
    free_sink(sink);
}
