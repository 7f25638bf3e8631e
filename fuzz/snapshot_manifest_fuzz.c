/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot_manifest_fuzz.c - any bytes as a manifest: refused or read inside their bounds, and what
 * is accepted encodes to the same bytes again. The input gets its checksum here, so that mutations
 * reach the fields behind it.
 */
#include "base/crc32c.h"
#include "storage/snapshot_manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct arena *arena, struct str bytes)
{
    struct snapshot snapshot;
    struct diag diag = {0};
    status_value result = snapshot__decode_manifest(arena, bytes, &diag, &snapshot);
    ASSERT(is_ok(result) || result.code == STATUS_CORRUPT || result.code == STATUS_NOMEM);
    if (!is_ok(result))
        return;
    struct buf again;
    buf_init(&again, arena, 1 << 28);
    snapshot__encode_manifest(&snapshot, &again);
    ASSERT(is_ok(buf_finish(&again, "manifest", NULL)));
    ASSERT(str_eq(buf_view(&again), bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    arena_init(&arena, allocator_heap(), (size_t)1 << 30);
    struct str input = {size == 0 ? "" : (const char *)data, size};
    check(&arena, input);
    struct buf sealed;
    buf_init(&sealed, &arena, 1 << 28);
    buf_str(&sealed, input);
    buf_u32le(&sealed, crc32c(0, input));
    if (is_ok(buf_finish(&sealed, "input", NULL)))
        check(&arena, buf_view(&sealed));
    arena_deinit(&arena);
    return 0;
}
