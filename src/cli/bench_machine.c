/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_machine.c - facts from /proc, uname and statfs.
 */
#include "cli/bench_machine.h"

#include "base/str.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

const char *bench_errno_text(void)
{
    const char *text = strerrordesc_np(errno);
    return text == NULL ? "unknown error" : text;
}

const char *bench_file_system(const char *folder)
{
    static const struct {
        uint64_t magic;
        const char *name;
    } known[] = {{0xEF53, "ext4"},      {0x58465342, "xfs"},       {0x9123683E, "btrfs"},
                 {0x01021994, "tmpfs"}, {0x794C7630, "overlayfs"}, {0x6969, "nfs"},
                 {0x2FC12FC1, "zfs"},   {0xF2F52010, "f2fs"},      {0x65735546, "fuse"}};
    struct statfs facts;
    if (statfs(folder, &facts) != 0)
        return "unknown";
    for (size_t i = 0; i < COUNTOF(known); i++) {
        if ((uint64_t)facts.f_type == known[i].magic)
            return known[i].name;
    }
    return "unknown";
}

static void value_of(const char *path, const char *key, char *out, size_t size)
{
    char line[512];
    FILE *file = fopen(path, "re");
    out[0] = 0;
    if (file == NULL)
        return;
    while (out[0] == 0 && fgets(line, sizeof line, file) != NULL) {
        const char *colon = strchr(line, ':');
        if (colon == NULL || strncmp(line, key, strlen(key)) != 0)
            continue;
        colon += 1 + strspn(colon + 1, " \t");
        (void)snprintf(out, size, "%.*s", (int)strcspn(colon, "\n"), colon);
    }
    (void)fclose(file);
}

uint64_t bench_proc_bytes(const char *path, const char *key)
{
    char text[128];
    uint64_t kilobytes = 0;
    value_of(path, key, text, sizeof text);
    if (!str_to_u64((struct str){text, strspn(text, "0123456789")}, &kilobytes))
        return 0;
    return kilobytes * 1024;
}

void bench_print_machine(FILE *out, const char *folder)
{
    char model[256];
    struct utsname kernel;
    const char *file_system = bench_file_system(folder);
    value_of("/proc/cpuinfo", "model name", model, sizeof model);
    if (uname(&kernel) != 0)
        kernel.release[0] = 0;
    fprintf(out, "machine: %ld cores, %s, %.1f GiB memory, Linux %s\n",
            sysconf(_SC_NPROCESSORS_ONLN), model,
            (double)bench_proc_bytes("/proc/meminfo", "MemTotal") / (double)(1 << 30),
            kernel.release);
    fprintf(out, "folder:  %s (%s)%s\n", folder, file_system,
            strcmp(file_system, "tmpfs") == 0 ? "  this is memory: nothing here is durable" : "");
    fputs("method:  a client thread on the same machine, closed loop, one request per connection\n",
          out);
}
