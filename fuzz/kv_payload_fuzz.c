/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kv_payload_fuzz.c - any bytes as the payload of a log entry: refused or read inside their bounds,
 * and what was accepted is canonical: it encodes to the same bytes again, and applies.
 */
#include "kv/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(struct str bytes, struct kv_payload *payload, struct arena *arena)
{
    struct kv_batch *batch = NULL;
    struct kv_write write;
    bool found = true;
    ASSERT(is_ok(kv_batch_create(arena, NULL, NULL, &batch)));
    for (;;) {
        ASSERT(is_ok(kv_payload_next(payload, NULL, &write, &found)));
        if (!found)
            break;
        ASSERT(is_ok(write.is_delete ? kv_delete(batch, write.key, NULL)
                                     : kv_put(batch, write.key, write.value, NULL)));
    }
    struct buf again;
    buf_init(&again, arena, 1 << 28);
    kv_payload_encode(batch, payload->stamp, &payload->trace, &again);
    ASSERT(is_ok(buf_finish(&again, "payload", NULL)));
    /* A size may have been written with more bytes than it needs; nothing else may differ. */
    ASSERT(again.size <= bytes.size);
    ASSERT(again.size < bytes.size || memcmp(again.data, bytes.data, again.size) == 0);
}

static void check_applies(struct str bytes, bool valid)
{
    struct kv_store *store = NULL;
    struct kv_entry entry = {1, 1, bytes};
    ASSERT(is_ok(mem_store_open(allocator_heap(), NULL, &store)));
    ASSERT(is_ok(kv_store_apply(store, &entry, 1, NULL)) == (valid || bytes.size == 0));
    kv_store_close(store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str bytes = {(const char *)data, size};
    struct kv_payload payload;
    struct arena arena;
    arena_init(&arena, allocator_heap(), 1 << 28);
    bool valid = is_ok(kv_payload_check(bytes, NULL));
    if (valid) {
        ASSERT(is_ok(kv_payload_open(bytes, NULL, &payload)));
        check_round_trip(bytes, &payload, &arena);
    }
    check_applies(bytes, valid);
    arena_deinit(&arena);
    return 0;
}
