/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lmdb_store_bench.c - what one commit costs in the LMDB store: an entry of six rows (a table's
 * header, a snapshot, a log entry, an outbox row ...) applied alone, and opening and closing a
 * snapshot.
 *
 * usage: storage_lmdb_store_bench DIRECTORY [TABLES]     the directory must not exist
 */
#include "base/prng.h"
#include "kv/keys.h"
#include "storage/lmdb_store.h"

#include <stdio.h>
#include <stdlib.h>

enum { APPLIES = 20000, FILL_PER_ENTRY = 200 };

static uint64_t now_ns(void)
{
    return env_linux()->ops->monotonic_ns(env_linux());
}

static void must(status_value result, const struct diag *diag)
{
    if (is_ok(result))
        return;
    (void)fprintf(stderr, "%s\n", diag_message(diag, result.code));
    exit(1);
}

static void put_part(struct kv_batch *batch, uint64_t table, enum key_part part, uint64_t ordinal,
                     size_t size, struct diag *diag)
{
    char value[1024] = {0};
    struct key key = key_part(1, KEY_TABLE, table, part);
    key_u64(&key, ordinal);
    must(kv_put(batch, key_str(&key), (struct str){value, size}, diag), diag);
}

static struct kv_entry finish(struct kv_batch *batch, uint64_t index, struct arena *arena,
                              struct diag *diag)
{
    struct buf buf;
    buf_init(&buf, arena, 1 << 24);
    kv_payload_encode(batch, (hlc_stamp){index}, NULL, &buf);
    must(buf_finish(&buf, "payload", diag), diag);
    return (struct kv_entry){index, 1, buf_view(&buf)};
}

/* The rows that an append changes: six. */
static struct kv_entry commit_of(uint64_t table, uint64_t index, struct arena *arena,
                                 struct diag *diag)
{
    struct kv_batch *batch = NULL;
    must(kv_batch_create(arena, NULL, diag, &batch), diag);
    put_part(batch, table, PART_HEADER, 0, 400, diag);
    put_part(batch, table, PART_SNAPSHOT, index, 600, diag);
    put_part(batch, table, PART_SNAPSHOT_ID, index, 16, diag);
    put_part(batch, table, PART_REF, 0, 80, diag);
    put_part(batch, table, PART_LOG, index, 60, diag);
    struct key key = key_outbox(1, table, index);
    must(kv_put(batch, key_str(&key), STR("{}"), diag), diag);
    return finish(batch, index, arena, diag);
}

static uint64_t fill(struct kv_store *store, uint64_t tables, struct arena *arena,
                     struct diag *diag)
{
    uint64_t index = 0;
    for (uint64_t table = 0; table < tables; table += FILL_PER_ENTRY) {
        struct kv_batch *batch = NULL;
        must(kv_batch_create(arena, NULL, diag, &batch), diag);
        for (uint64_t i = 0; i < FILL_PER_ENTRY; i++) {
            put_part(batch, table + i, PART_HEADER, 0, 400, diag);
            put_part(batch, table + i, PART_SCHEMA, 0, 900, diag);
        }
        struct kv_entry entry = finish(batch, ++index, arena, diag);
        must(kv_store_apply(store, &entry, 1, diag), diag);
        arena_reset(arena);
    }
    return index;
}

static void measure_snapshots(struct kv_store *store, struct diag *diag)
{
    uint64_t start = now_ns();
    for (int i = 0; i < 1000000; i++) {
        struct kv_snapshot *snapshot = NULL;
        must(kv_store_snapshot(store, diag, &snapshot), diag);
        kv_snapshot_close(snapshot);
    }
    printf("snapshot open and close: %.0f ns\n", (double)(now_ns() - start) / 1000000);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void measure_applies(struct kv_store *store, uint64_t index, uint64_t tables,
                            struct arena *arena, struct diag *diag)
{
    struct prng prng;
    prng_init(&prng, 1);
    uint64_t *took = mem_alloc(APPLIES * sizeof(*took));
    uint64_t total = 0;
    for (int i = 0; i < APPLIES; i++) {
        struct kv_entry entry = commit_of(prng_below(&prng, tables), ++index, arena, diag);
        uint64_t start = now_ns();
        must(kv_store_apply(store, &entry, 1, diag), diag);
        took[i] = now_ns() - start;
        total += took[i];
        arena_reset(arena);
    }
    qsort(took, APPLIES, sizeof(*took), compare);
    printf("apply of 6 rows over %llu tables: mean %.1f us, p50 %.1f us, p99 %.1f us\n",
           (unsigned long long)tables, (double)total / APPLIES / 1000,
           (double)took[APPLIES / 2] / 1000, (double)took[APPLIES * 99 / 100] / 1000);
    mem_free(took);
}

int main(int argc, char **argv)
{
    struct diag diag = {0};
    struct arena arena;
    struct kv_store *store = NULL;
    uint64_t tables = 100000;
    struct lmdb_store_options options = {.boot_id = STR("bench"), .create = true};
    if (argc < 2 || (argc > 2 && !str_to_u64(str_from(argv[2]), &tables)) || tables == 0)
        return 2;
    arena_init(&arena, allocator_heap(), 1 << 28);
    must(lmdb_store_open(env_linux(), argv[1], &options, allocator_heap(), &diag, &store), &diag);
    uint64_t index = fill(store, tables, &arena, &diag);
    measure_applies(store, index, tables, &arena, &diag);
    measure_snapshots(store, &diag);
    kv_store_close(store);
    must(lmdb_store_remove(env_linux(), argv[1], &diag), &diag);
    must(env_linux()->ops->dir_remove(env_linux(), argv[1], &diag), &diag);
    arena_deinit(&arena);
    return 0;
}
