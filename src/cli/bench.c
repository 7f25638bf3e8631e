/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench.c - tarn bench: options, the machine, results.
 */
#include "cli/bench.h"

#include "cli/bench_machine.h"

#include <ftw.h>
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

enum { MINUTE_S = 60 };

struct benchmark {
    const char *name;
    int (*run)(struct bench *bench);
    uint32_t minutes; /* time limit */
    double seconds;   /* of one measurement, by default */
};

static const struct benchmark benchmarks[] = {
    {"commit", bench_commit, 15, 4}, {"history", bench_history, 20, 4},
    {"load", bench_load, 15, 4},     {"list", bench_list, 15, 4},
    {"start", bench_start, 15, 4},   {"reference", bench_reference, 30, 8},
};

uint64_t bench_now_ns(const struct bench *bench)
{
    return bench->env->ops->monotonic_ns(bench->env);
}

void bench_sleep_ms(uint32_t ms)
{
    (void)poll(NULL, 0, (int)ms);
}

void bench_progress(struct bench *bench, const char *format, ...)
{
    va_list args;
    if (!bench->shows_progress)
        return;
    va_start(args, format);
    fputs("\r\033[K", bench->cli->err);
    (void)vfprintf(bench->cli->err, format, args);
    va_end(args);
    fflush(bench->cli->err);
}

struct str bench_text(struct bench *bench, const char *format, ...)
{
    char text[4096];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return arena_copy(bench->arena, str_from(text));
}

/* --- results --- */

static struct bench_value *find_value(struct bench *bench, struct str case_name, const char *metric)
{
    for (struct bench_value *value = bench->first; value != NULL; value = value->next) {
        if (str_eq(value->case_name, case_name) && strcmp(value->metric, metric) == 0)
            return value;
    }
    return NULL;
}

static struct bench_value *add_value(struct bench *bench, struct str case_name, const char *metric,
                                     const char *unit)
{
    struct bench_value *value = ARENA_NEW(bench->arena, struct bench_value);
    if (value == NULL)
        return NULL;
    value->case_name = arena_copy(bench->arena, case_name);
    value->metric = metric;
    value->unit = unit;
    value->capacity = bench->repeat;
    value->values = ARENA_ARRAY(bench->arena, double, value->capacity);
    if (bench->last == NULL)
        bench->first = value;
    else
        bench->last->next = value;
    bench->last = value;
    return value;
}

void bench_record(struct bench *bench, struct str case_name, const char *metric, double value,
                  const char *unit)
{
    struct bench_value *entry = find_value(bench, case_name, metric);
    if (!isfinite(value))
        return;
    if (entry == NULL)
        entry = add_value(bench, case_name, metric, unit);
    if (entry != NULL && entry->values != NULL && entry->count < entry->capacity)
        entry->values[entry->count++] = value;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y ? 1 : 0;
}

static double median(double *values, size_t count)
{
    if (count == 0)
        return (double)NAN;
    qsort(values, count, sizeof *values, compare_doubles);
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

double bench_median(struct bench *bench, struct str case_name, const char *metric)
{
    struct bench_value *value = find_value(bench, case_name, metric);
    return value == NULL ? (double)NAN : median(value->values, value->count);
}

static struct str number_text(struct bench *bench, double value)
{
    double size = fabs(value);
    return bench_text(bench, size >= 1000 ? "%.0f" : size >= 10 ? "%.1f" : "%.3f", value);
}

static void print_lines(struct bench *bench)
{
    for (struct bench_value *value = bench->first; value != NULL; value = value->next) {
        struct buf line;
        struct json_writer w;
        buf_init(&line, bench->arena, 4096);
        json_writer_init(&w, &line);
        jw_object(&w);
        jw_key(&w, "bench");
        jw_cstr(&w, bench->name);
        jw_key(&w, "case");
        jw_str(&w, value->case_name);
        jw_key(&w, "metric");
        jw_cstr(&w, value->metric);
        jw_key(&w, "value");
        jw_raw(&w, bench_text(bench, "%.6g", median(value->values, value->count)));
        jw_key(&w, "unit");
        jw_cstr(&w, value->unit);
        jw_end(&w);
        buf_byte(&line, '\n');
        (void)fwrite(line.data, 1, line.size, bench->cli->out);
    }
}

static void report(struct bench *bench)
{
    static const char *const titles[] = {"case", "metric", "#median", "unit", "#of"};
    struct print_table table;
    if (bench->cli->format == CLI_JSON) {
        print_lines(bench);
        return;
    }
    table_init(&table, bench->cli, titles, 5);
    for (struct bench_value *value = bench->first; value != NULL; value = value->next) {
        const struct str cells[5] = {value->case_name, str_from(value->metric),
                                     number_text(bench, median(value->values, value->count)),
                                     str_from(value->unit), bench_text(bench, "%zu", value->count)};
        table_row(&table, cells);
    }
    (void)table_print(&table);
}

/* --- samples --- */

void bench_samples_add(struct bench_samples *samples, double value)
{
    if (samples->count == samples->capacity) {
        size_t capacity = samples->capacity == 0 ? 4096 : samples->capacity * 2;
        double *grown = mem_realloc(samples->values, capacity * sizeof *grown);
        if (grown == NULL)
            return;
        samples->values = grown;
        samples->capacity = capacity;
    }
    samples->values[samples->count++] = value;
}

double bench_samples_rank(struct bench_samples *samples, double rank)
{
    if (samples->count == 0)
        return (double)NAN;
    qsort(samples->values, samples->count, sizeof *samples->values, compare_doubles);
    size_t at = (size_t)(rank * (double)samples->count);
    return samples->values[at < samples->count ? at : samples->count - 1];
}

void bench_samples_clear(struct bench_samples *samples)
{
    samples->count = 0;
}

void bench_samples_deinit(struct bench_samples *samples)
{
    mem_free(samples->values);
    *samples = (struct bench_samples){NULL, 0, 0};
}

/* --- the run --- */

static status read_sizes(struct bench *bench, const char *text, struct diag *diag)
{
    struct str rest = str_from(text);
    struct str one;
    uint64_t size = 0;
    bench->size_count = 0;
    while (str_split(&rest, ',', &one)) {
        if (bench->size_count == COUNTOF(bench->sizes) || !str_to_u64(one, &size) || size == 0 ||
            size > 1000000)
            return FAIL(diag, USAGE, "--sizes: '%s' is not a list of numbers up to 1000000", text);
        bench->sizes[bench->size_count++] = (uint32_t)size;
    }
    return OK;
}

static void default_options(struct bench *bench, const struct benchmark *benchmark)
{
    static const uint32_t sizes[] = {10, 1000, 10000, 50000};
    static const uint32_t quick_sizes[] = {10, 200};
    const uint32_t *chosen = bench->quick ? quick_sizes : sizes;
    bench->size_count = bench->quick ? COUNTOF(quick_sizes) : COUNTOF(sizes);
    memcpy(bench->sizes, chosen, bench->size_count * sizeof chosen[0]);
    bench->repeat = bench->quick ? 1 : 3;
    bench->seconds = bench->quick ? 0.3 : benchmark->seconds;
    bench->tables = bench->quick ? 300 : 100000;
}

static status read_options(struct bench *bench, const struct benchmark *benchmark,
                           struct diag *diag)
{
    const struct args *args = bench->cli->args;
    const char *sizes = args_get(args, "sizes");
    uint64_t repeat;
    uint64_t seconds = 0;
    bench->quick = args_has(args, "quick");
    default_options(bench, benchmark);
    repeat = bench->repeat;
    TRY(args_u64(args, "repeat", diag, &repeat));
    TRY(args_u64(args, "seconds", diag, &seconds));
    TRY(args_u64(args, "tables", diag, &bench->tables));
    if (sizes != NULL)
        TRY(read_sizes(bench, sizes, diag));
    if (repeat < 1 || repeat > 100 || bench->tables < 1 || bench->tables > 10000000)
        return FAIL(diag, USAGE, "--repeat is 1 to 100, --tables 1 to 10000000");
    bench->repeat = (uint32_t)repeat;
    if (seconds > 0)
        bench->seconds = (double)seconds;
    return OK;
}

static status make_folder(struct bench *bench, struct diag *diag)
{
    const char *parent = args_get(bench->cli->args, "data");
    if (parent == NULL)
        parent = getenv("TMPDIR");
    if (parent == NULL || parent[0] == 0)
        parent = "/var/tmp"; /* /tmp is often memory, where nothing is durable */
    struct str path = arena_printf(bench->arena, "%s/tarn-bench.XXXXXX", parent);
    char *text = arena_alloc(bench->arena, path.size + 1);
    if (path.data == NULL || text == NULL)
        return FAIL(diag, NOMEM, "no memory");
    memcpy(text, path.data, path.size + 1);
    if (mkdtemp(text) == NULL)
        return FAIL(diag, IO, "could not make a temporary folder in %s: %s", parent,
                    bench_errno_text());
    bench->folder = text;
    return OK;
}

static int remove_entry(const char *path, const struct stat *entry, int type, struct FTW *walk)
{
    (void)entry;
    (void)type;
    (void)walk;
    (void)remove(path);
    return 0;
}

int bench_failed(struct bench *bench, status_value failed, const struct diag *diag)
{
    bench_progress(bench, "%s", "");
    return print_status(bench->cli, failed, diag, NULL);
}

static int run(struct bench *bench, const struct benchmark *benchmark)
{
    struct diag diag = {.count = 0};
    bench_take_signals();
    status_value made = make_folder(bench, &diag);
    if (!is_ok(made))
        return print_status(bench->cli, made, &diag, NULL);
    if (bench->cli->format == CLI_TABLE)
        bench_print_machine(bench->cli->out, bench->folder);
    int exit_code = benchmark->run(bench);
    bench_progress(bench, "%s", "");
    /* What was measured before a failure is worth seeing. */
    if (bench->first != NULL)
        report(bench);
    (void)fflush(bench->cli->out);
    bench_progress(bench, "removing %s", bench->folder); /* 100,000 tables are 300,000 entries */
    (void)nftw(bench->folder, remove_entry, 32, FTW_DEPTH | FTW_PHYS);
    bench_progress(bench, "%s", "");
    return exit_code;
}

static void make_run_id(struct bench *bench)
{
    uint32_t id = 0;
    bench->env->ops->random(bench->env, &id, sizeof id);
    (void)snprintf(bench->run_id, sizeof bench->run_id, "%08" PRIx32, id);
}

int cli_bench(struct cli *cli)
{
    const char *name = cli->args->words[0];
    const struct benchmark *found = NULL;
    struct diag diag = {.count = 0};
    struct bench *bench = ARENA_NEW(cli->arena, struct bench);
    for (size_t i = 0; i < COUNTOF(benchmarks); i++) {
        if (strcmp(name, benchmarks[i].name) == 0)
            found = &benchmarks[i];
    }
    if (bench == NULL || found == NULL)
        return print_no_choice(cli, "benchmark");
    *bench = (struct bench){.cli = cli, .env = cli->env, .arena = cli->arena, .name = name};
    bench->shows_progress = isatty(fileno(cli->err)) == 1;
    prng_init(&bench->prng, 1);
    make_run_id(bench);
    bench->deadline_ns =
        bench_now_ns(bench) + (uint64_t)found->minutes * MINUTE_S * UINT64_C(1000000000);
    status_value read = read_options(bench, found, &diag);
    if (!is_ok(read))
        return print_status(cli, read, &diag, NULL);
    return run(bench, found);
}
