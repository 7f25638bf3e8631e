/* SPDX-License-Identifier: Apache-2.0 */
/*
 * power_cut_fs.c - the three roles of power_cut_fs.sh.
 *
 *   write DIR ACK   appends to a log in DIR until it fails; ACK, on another file system, always
 *                   holds the last index that was acknowledged
 *   cut MOUNT       stops the file system at once, without flushing its journal: a power cut
 *   check DIR ACK   opens the log after a remount: everything acknowledged must be there
 */
#include "storage/wal.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define FS_SHUTDOWN _IOR('X', 125, uint32_t)
enum { NO_LOG_FLUSH = 2, PAYLOAD_MAX = 20000 };

static int die(const char *what, status_value result, const struct diag *diag)
{
    fprintf(stderr, "%s: %s: %s\n", what, status_name(result.code),
            diag_message(diag, result.code));
    return 1;
}

static size_t payload_of(uint64_t index, char *out)
{
    size_t size = (size_t)(index * 7919 % PAYLOAD_MAX);
    memset(out, (int)(index % 251), size);
    return size;
}

static status_value open_log(const char *dir, struct diag *diag, struct wal **out)
{
    struct wal_options options = {.create = true, .segment_size_bytes = 1 << 20, .node_id = 1};
    return wal_open(env_linux(), dir, &options, diag, out);
}

static status_value append_next(struct wal *wal, char *payload, uint64_t *index, struct diag *diag)
{
    struct wal_record records[3] = {{.kind = WAL_HARD_STATE, .term = 1, .vote = 1}};
    size_t count = 1;
    struct str bytes = {payload, payload_of(*index, payload)};
    records[count++] = (struct wal_record){
        .kind = WAL_ENTRY, .entry_kind = 2, .index = *index, .term = 1, .payload = bytes};
    bool mark = *index % 50 == 0;
    if (mark)
        records[count++] = (struct wal_record){.kind = WAL_SNAPSHOT, .index = *index, .term = 1};
    TRY(wal_append(wal, records, count, diag));
    if (mark)
        TRY(wal_compact(wal, *index - 20, diag));
    (*index)++;
    return OK;
}

static int run_writer(const char *dir, const char *ack_path)
{
    static char payload[PAYLOAD_MAX];
    struct diag diag = {0};
    struct wal *wal = NULL;
    status_value result = open_log(dir, &diag, &wal);
    if (!is_ok(result))
        return die("open", result, &diag);
    int ack = open(ack_path, O_RDWR | O_CREAT, 0600);
    uint64_t index = wal_state(wal).last_index + 1;
    do {
        result = append_next(wal, payload, &index, &diag);
        uint64_t acked = index - 1;
        if (is_ok(result) && pwrite(ack, &acked, sizeof acked, 0) != sizeof acked)
            return 1;
    } while (is_ok(result));
    wal_close(wal);
    return result.code == STATUS_IO ? 0 : die("append", result, &diag);
}

static int run_cut(const char *mount)
{
    uint32_t flags = NO_LOG_FLUSH;
    int fd = open(mount, O_RDONLY);
    return fd >= 0 && ioctl(fd, FS_SHUTDOWN, &flags) == 0 ? 0 : 1;
}

static status_value check_entry(void *context, const struct wal_record *record, struct diag *diag)
{
    static char expected[PAYLOAD_MAX];
    uint64_t *last = context;
    size_t size = payload_of(record->index, expected);
    if (record->payload.size != size || memcmp(record->payload.data, expected, size) != 0 ||
        (*last != 0 && record->index != *last + 1))
        return FAIL(diag, CORRUPT, "entry %llu is wrong", (unsigned long long)record->index);
    *last = record->index;
    return OK;
}

static int run_check(const char *dir, const char *ack_path)
{
    uint64_t acked = 0;
    int ack = open(ack_path, O_RDONLY);
    if (pread(ack, &acked, sizeof acked, 0) != sizeof acked)
        return 1;
    struct diag diag = {0};
    struct wal *wal = NULL;
    status_value result = open_log(dir, &diag, &wal);
    uint64_t last = 0;
    if (is_ok(result))
        result = wal_read(wal, 0, check_entry, &last, &diag);
    wal_close(wal);
    if (!is_ok(result))
        return die("check", result, &diag);
    printf("acknowledged %llu, found %llu\n", (unsigned long long)acked, (unsigned long long)last);
    return last >= acked ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "write") == 0)
        return run_writer(argv[2], argv[3]);
    if (argc == 3 && strcmp(argv[1], "cut") == 0)
        return run_cut(argv[2]);
    if (argc == 4 && strcmp(argv[1], "check") == 0)
        return run_check(argv[2], argv[3]);
    fprintf(stderr, "usage: power_cut_fs write DIR ACK | cut MOUNT | check DIR ACK\n");
    return 2;
}
