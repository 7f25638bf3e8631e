/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * bench.h - what the benchmarks share: options, servers, tables, results.
 *
 * Every number is recorded under (case, metric); a case that is repeated records it again, and the
 * median is reported. Ratios are made from numbers of the same run.
 */
#include "base/prng.h"
#include "base/uuid.h"
#include "cli/args.h"
#include "cli/bench_http.h"
#include "cli/print.h"

struct bench_value {
    struct bench_value *next;
    struct str case_name;
    const char *metric;
    const char *unit;
    double *values; /* one per repetition */
    size_t count;
    size_t capacity;
};

struct bench {
    struct cli *cli;
    struct env *env;
    struct arena *arena; /* the process's */
    const char *name;
    bool quick;
    bool shows_progress;
    uint32_t repeat;
    double seconds; /* of one measurement */
    uint64_t tables;
    uint32_t sizes[16];
    size_t size_count;
    uint64_t deadline_ns;
    struct prng prng; /* same seed each run: same bodies */
    char run_id[9];   /* random: names of different runs do not meet on one server */
    uint64_t tables_made;
    char *folder; /* temporary, removed at the end */
    struct bench_value *first;
    struct bench_value *last;
};

uint64_t bench_now_ns(const struct bench *bench);
void bench_sleep_ms(uint32_t ms);
TN_PRINTF(2, 3) void bench_progress(struct bench *bench, const char *format, ...);
void bench_record(struct bench *bench, struct str case_name, const char *metric, double value,
                  const char *unit);
/* The median so far; NaN when there is none. */
double bench_median(struct bench *bench, struct str case_name, const char *metric);
TN_PRINTF(2, 3) struct str bench_text(struct bench *bench, const char *format, ...);

/* --- samples of one measurement --- */
struct bench_samples {
    double *values;
    size_t count;
    size_t capacity;
};
void bench_samples_add(struct bench_samples *samples, double value);
/* Sorts. `rank` in 0..1; NaN when there are none. */
double bench_samples_rank(struct bench_samples *samples, double rank);
void bench_samples_clear(struct bench_samples *samples);
void bench_samples_deinit(struct bench_samples *samples);

/* --- servers --- */
struct bench_server {
    const char *label; /* "tarn", "reference" */
    int pid;           /* 0: not ours */
    struct str host;
    uint16_t port;
    uint16_t admin_port; /* on the same host; 0: unknown */
    struct str base;     /* path before /v1, "" mostly */
    const char *data;    /* its folder; NULL: unknown */
    double start_ms;     /* from exec to the first 200 */
};
/* Its own node in FOLDER/NAME, with the warehouses "sync" and "async" below FOLDER/NAME. */
status bench_start_tarn(struct bench *bench, const char *name, struct diag *diag,
                        struct bench_server *out);
/* The reference server through its script. NOT_FOUND: there is no script or Java. */
status bench_start_reference(struct bench *bench, struct diag *diag, struct bench_server *out);
/* The server of --uri. */
status bench_use_uri(struct bench *bench, const char *uri, const char *label, struct diag *diag,
                     struct bench_server *out);
/* TERM, then KILL. Does nothing to a server that is not ours. */
void bench_stop(struct bench *bench, struct bench_server *server);
/*
 * Waits until the server has no metadata.json left to write, so that what one case left behind is
 * not measured in the next. Only where the server says (tarn_publish_pending); at most some
 * seconds.
 */
void bench_settle(struct bench *bench, const struct bench_server *server);
/* Resident memory with all its children, in bytes; 0 when it cannot be told. */
uint64_t bench_resident(const struct bench_server *server);
/* --uri's, or a node of its own. */
status bench_open_server(struct bench *bench, struct diag *diag, struct bench_server *out);

/* --- a warehouse of a server, with connections to it --- */
struct bench_target {
    struct bench *bench;
    struct bench_server *server;
    struct bench_http *http;
    struct str prefix;   /* "/v1" or "/v1/PREFIX" */
    struct str location; /* file://... of the bench's namespace; data == NULL: unknown */
};
/* Opens `clients` connections, reads the configuration of `warehouse` (NULL: the default) and makes
 * a namespace "bench". */
status bench_target_open(struct bench *bench, struct bench_server *server, const char *warehouse,
                         size_t clients, struct diag *diag, struct bench_target *out);
void bench_target_close(struct bench_target *target);
struct str bench_table_path(struct bench_target *target, struct str table, struct arena *arena);
struct str bench_tables_path(struct bench_target *target, struct arena *arena);

/* --- tables and commits --- */
struct bench_table {
    char name[48];
    char uuid[UUID_TEXT_SIZE + 1];
    int64_t parent; /* 0: no snapshot yet */
    uint64_t sequence;
    uint64_t commits;
};
void bench_create_body(struct buf *out, const char *table);
void bench_commit_body(struct buf *out, const struct bench_table *table, int64_t snapshot_id,
                       uint64_t now_ms);
/* Positive, never 0. */
int64_t bench_snapshot_id(struct prng *prng);
/* uuid, current snapshot and sequence number from the beginning of a LoadTableResult. */
bool bench_read_table(struct str body, struct bench_table *out);
/* Writes a metadata.json of a table with `snapshots` snapshots. IO. */
status bench_write_metadata(struct bench *bench, const char *path, struct str location,
                            uint32_t snapshots, struct diag *diag, uint64_t *out_bytes);
/* A table with that many snapshots, through registerTable. */
status bench_register(struct bench_target *target, const char *name, uint32_t snapshots,
                      struct diag *diag, struct bench_table *out);

/* The benchmarks. */
int bench_commit(struct bench *bench);
int bench_history(struct bench *bench);
int bench_load(struct bench *bench);
int bench_list(struct bench *bench);
int bench_start(struct bench *bench);
int bench_reference(struct bench *bench);

/* Tells of a failure; for the ends of the benchmarks. */
int bench_failed(struct bench *bench, status_value failed, const struct diag *diag);

/* One measurement of append-commits; also used by the reference benchmark. */
struct bench_commit_result {
    double commits_per_second;
    double p50_us;
    double p99_us;
    double server_p50_us; /* negative: the server does not say */
    double conflicts_per_second;
    uint64_t errors;
    struct str first_error;
};
status bench_measure_commits(struct bench_target *target, size_t clients, bool one_table,
                             double seconds, struct diag *diag, struct bench_commit_result *out);
void bench_record_commits(struct bench *bench, struct str case_name, bool one_table,
                          const struct bench_commit_result *result);
/* p50 in microseconds of loading a table `times` times; snapshots=refs, or If-None-Match. */
enum bench_load_kind { BENCH_LOAD_ALL, BENCH_LOAD_REFS, BENCH_LOAD_NOT_MODIFIED };
status bench_measure_load(struct bench_target *target, const struct bench_table *table,
                          enum bench_load_kind kind, size_t times, struct diag *diag,
                          double *out_p50_us, uint64_t *out_bytes);
/* Creates tables "PREFIX000000"... over `clients` connections. */
status bench_create_tables(struct bench_target *target, const char *prefix, uint64_t count,
                           size_t clients, struct diag *diag, double *out_seconds);
/* p50 in microseconds of moving that many bytes over a loopback connection, nothing else. */
status bench_measure_loopback(struct bench *bench, uint64_t bytes, size_t times, struct diag *diag,
                              double *out_p50_us);
