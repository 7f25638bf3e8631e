/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view_fuzz.c - any text as the metadata file of a view that is registered: refused, or what is
 * served for it registers again and is served as the same text.
 */
#include "catalog/view.h"
#include "kv/store.h"

enum { BUDGET_BYTES = 1 << 28 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* False when the file is refused. */
static bool served(struct catalog_context *context, struct str file, struct str *out)
{
    static const struct str level = {"ns", 2};
    const struct catalog__place place = {
        .warehouse = {.id = 1, .name = STR("lake"), .location = STR("file:///lake")},
        .namespace_id = 5,
        .ident = {.levels = &level, .level_count = 1, .name = STR("v")},
        .dotted = STR("ns.v")};
    struct catalog_response response = {.http = 0};
    uint64_t id = 0;
    struct buf text;
    buf_init(&text, context->arena, BUDGET_BYTES);
    if (!is_ok(view__register(context, &place, STR("file:///lake/v/metadata/1-a.metadata.json"),
                              file, &response, &id)))
        return false;
    ASSERT(is_ok(
        view__metadata_json(kv_batch_reader(context->batch), context->arena, 1, id, NULL, &text)));
    *out = buf_view(&text);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct kv_store *store = NULL;
    struct kv_snapshot *snapshot = NULL;
    struct kv_batch *batch = NULL;
    struct prng prng;
    struct diag diag = {.count = 0};
    arena_init(&arena, allocator_heap(), BUDGET_BYTES);
    prng_init(&prng, 1);
    ASSERT(is_ok(mem_store_open(allocator_heap(), NULL, &store)));
    ASSERT(is_ok(kv_store_snapshot(store, NULL, &snapshot)));
    ASSERT(is_ok(kv_batch_create(&arena, &snapshot->reader, NULL, &batch)));
    struct catalog_context context = {.batch = batch,
                                      .view = kv_batch_reader(batch),
                                      .arena = &arena,
                                      .prng = &prng,
                                      .stamp = {1000 << 16},
                                      .diag = &diag};
    struct str first;
    struct str second;
    if (served(&context, (struct str){(const char *)data, size}, &first)) {
        ASSERT(served(&context, first, &second));
        ASSERT(str_eq(first, second));
    }
    kv_snapshot_close(snapshot);
    kv_store_close(store);
    arena_deinit(&arena);
    return 0;
}
