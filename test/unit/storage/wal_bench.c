/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wal_bench.c - what an append costs beside a bare write of the same disk. Prints; no test.
 *
 * usage: storage_wal_bench DIR [COUNT]
 */
#include "storage/wal.h"
#include "storage/wal_measure.h"

#include <stdio.h>
#include <stdlib.h>

static double us(uint64_t ns)
{
    return (double)ns / (double)1000;
}

static int compare_ns(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void print_line(const char *what, uint64_t *ns, size_t count)
{
    qsort(ns, count, sizeof *ns, compare_ns);
    printf("%-32s p50 %6.1f us  p99 %6.1f us  p99.9 %6.1f us  max %7.1f us\n", what,
           us(ns[count / 2]), us(ns[count * 99 / 100]), us(ns[count * 999 / 1000]),
           us(ns[count - 1]));
}

static status_value append_many(struct wal *wal, struct env *env, size_t count, size_t size,
                                size_t batch, uint64_t *ns, struct diag *diag)
{
    static char payload[1 << 20] = {1};
    struct wal_record records[64];
    for (size_t i = 0; i < count; i++) {
        uint64_t next = wal_state(wal).last_index + 1;
        for (size_t k = 0; k < batch; k++)
            records[k] = (struct wal_record){.kind = WAL_ENTRY,
                                             .entry_kind = 2,
                                             .index = next + k,
                                             .term = 1,
                                             .payload = {payload, size}};
        uint64_t began = env->ops->monotonic_ns(env);
        TRY(wal_append(wal, records, batch, diag));
        ns[i] = env->ops->monotonic_ns(env) - began;
        TRY(wal_prepare(wal, diag)); /* as a helper thread would */
    }
    return OK;
}

static status_value run(const char *dir, size_t count, uint64_t *ns, struct diag *diag)
{
    struct env *env = env_linux();
    struct wal_measured bare;
    TRY(wal_measure(env, dir, (uint32_t)count, diag, &bare));
    printf("%-32s p50 %6.1f us  p99 %6.1f us  max %7.1f us\n", "bare 4 KiB write", us(bare.p50_ns),
           us(bare.p99_ns), us(bare.max_ns));
    char path[512];
    (void)snprintf(path, sizeof path, "%s/wal-bench", dir);
    struct wal_options options = {.create = true, .node_id = 1};
    struct wal *wal = NULL;
    uint64_t began = env->ops->monotonic_ns(env);
    TRY(wal_open(env, path, &options, diag, &wal));
    printf("open (64 MiB zero-fill): %.1f ms\n",
           us(env->ops->monotonic_ns(env) - began) / (double)1000);
    const struct wal_record first = {.kind = WAL_HARD_STATE, .term = 1, .vote = 1};
    TRY(wal_append(wal, &first, 1, diag));
    TRY(append_many(wal, env, count, 300, 1, ns, diag));
    print_line("append of 1 entry of 300 B", ns, count);
    TRY(append_many(wal, env, count, 300, 50, ns, diag));
    print_line("append of 50 entries of 300 B", ns, count);
    TRY(append_many(wal, env, count / 10 + 1, 256 << 10, 1, ns, diag));
    print_line("append of 1 entry of 256 KiB", ns, count / 10 + 1);
    uint64_t bytes = wal_stats(wal).bytes;
    wal_close(wal);
    began = env->ops->monotonic_ns(env);
    TRY(wal_open(env, path, &options, diag, &wal));
    printf("open and verify %.1f MiB in %llu segments: %.1f ms\n", (double)bytes / (1 << 20),
           (unsigned long long)wal_stats(wal).segments,
           us(env->ops->monotonic_ns(env) - began) / (double)1000);
    wal_close(wal);
    return OK;
}

int main(int argc, char **argv)
{
    uint64_t count = 2000;
    if (argc < 2 || (argc > 2 && !str_to_u64(str_from(argv[2]), &count)) || count > 65536)
        return 2;
    uint64_t *ns = mem_zalloc((size_t)count * sizeof *ns);
    struct diag diag = {0};
    status_value result = run(argv[1], (size_t)count, ns, &diag);
    mem_free(ns);
    if (!is_ok(result))
        fprintf(stderr, "%s\n", diag_message(&diag, result.code));
    return is_ok(result) ? 0 : 1;
}
