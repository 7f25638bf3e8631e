/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process_metrics.c - reads getrusage and /proc/self; what cannot be read is left as it was.
 */
#include "net/process_metrics.h"

#include "env/env.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
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

/* The n-th (from 0) field of space-separated numbers, without its fraction. */
static bool field_of(struct str text, size_t n, uint64_t *out)
{
    struct str field;
    struct str whole;
    for (size_t i = 0; i <= n; i++) {
        if (!str_split(&text, ' ', &field))
            return false;
    }
    return str_split(&field, '.', &whole) && str_to_u64(whole, out);
}

static void refresh_memory(struct metrics *metrics)
{
    char text[128];
    uint64_t resident;
    struct str statm = {text, read_file("/proc/self/statm", text, sizeof(text))};
    if (field_of(statm, 1, &resident))
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

/*
 * Field 22 of stat: clock ticks from boot to the start. The name in field 2 may hold spaces, so
 * counting begins behind its parenthesis.
 */
static void refresh_start(struct metrics *metrics)
{
    char text[1024];
    uint64_t up_s;
    uint64_t ticks;
    struct str uptime = {text, read_file("/proc/uptime", text, sizeof(text))};
    if (!field_of(uptime, 0, &up_s))
        return;
    uint64_t boot_ns = env_linux()->ops->wall_ns(env_linux()) - up_s * 1000000000;
    struct str stat = {text, read_file("/proc/self/stat", text, sizeof(text))};
    ptrdiff_t name_end = str_rfind(stat, ')');
    if (name_end < 0 || !field_of(str_from_pos(stat, (size_t)name_end + 2), 19, &ticks))
        return;
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
