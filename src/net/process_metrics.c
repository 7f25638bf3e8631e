/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process_metrics.c - reads getrusage and /proc/self; what cannot be read is left as it was.
 */
#include "net/process_metrics.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static uint64_t ns_of(const struct timeval *time)
{
    return (uint64_t)time->tv_sec * 1000000000 + (uint64_t)time->tv_usec * 1000;
}

static void set(struct metrics *metrics, enum metric_id id, uint64_t value)
{
    metric_set(metrics, id, metric_labels(0, 0, 0), (int64_t)value);
}

static size_t read_file(const char *path, char *out, size_t size)
{
    FILE *file = fopen(path, "re");
    size_t n = 0;
    if (file != NULL) {
        n = fread(out, 1, size - 1, file);
        (void)fclose(file);
    }
    out[n] = '\0';
    return n;
}

static void refresh_memory(struct metrics *metrics)
{
    char text[128];
    uint64_t total;
    uint64_t resident;
    if (read_file("/proc/self/statm", text, sizeof(text)) > 0 &&
        sscanf(text, "%" SCNu64 " %" SCNu64, &total, &resident) == 2)
        set(metrics, METRIC_PROCESS_RESIDENT_MEMORY, resident * (uint64_t)sysconf(_SC_PAGESIZE));
}

static void refresh_descriptors(struct metrics *metrics)
{
    struct rlimit limit;
    uint64_t count = 0;
    DIR *dir = opendir("/proc/self/fd");
    if (dir != NULL) {
        while (readdir(dir) != NULL)
            count++;
        (void)closedir(dir);
        set(metrics, METRIC_PROCESS_OPEN_FDS, count - 3); /* . and .. and the folder itself */
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        set(metrics, METRIC_PROCESS_MAX_FDS, limit.rlim_cur);
}

/* Field 22 of stat: clock ticks between boot and the start; the name in field 2 may hold spaces. */
static void refresh_start(struct metrics *metrics)
{
    char text[1024];
    struct timespec wall;
    struct timespec boot;
    uint64_t ticks = 0;
    (void)read_file("/proc/self/stat", text, sizeof(text));
    char *at = strrchr(text, ')');
    if (at == NULL || sscanf(at + 1, " %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s"
                                     " %*s %*s %*s %*s %" SCNu64, &ticks) != 1)
        return;
    (void)clock_gettime(CLOCK_REALTIME, &wall);
    (void)clock_gettime(CLOCK_BOOTTIME, &boot);
    uint64_t boot_ns = (uint64_t)(wall.tv_sec - boot.tv_sec) * 1000000000;
    set(metrics, METRIC_PROCESS_START_TIME,
        boot_ns + ticks * (1000000000 / (uint64_t)sysconf(_SC_CLK_TCK)));
}

void process_metrics_refresh(struct metrics *metrics, void *context)
{
    struct rusage usage;
    (void)context;
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        set(metrics, METRIC_PROCESS_CPU, ns_of(&usage.ru_utime) + ns_of(&usage.ru_stime));
    refresh_memory(metrics);
    refresh_descriptors(metrics);
    refresh_start(metrics);
}
