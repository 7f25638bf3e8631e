/* SPDX-License-Identifier: Apache-2.0 */
/*
 * avro_fuzz.c - any bytes as a manifest and as a manifest list: read twice with the same result, or
 * refused; never anything else, and never without end.
 */
#include "base/hash.h"
#include "lake/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    int32_t code;
    uint64_t entries;
    uint64_t hash;
};

static void add(struct outcome *outcome, struct str path)
{
    outcome->entries++;
    outcome->hash = hash128(path, outcome->hash).low;
}

static struct outcome read_manifest(struct arena *arena, struct str file)
{
    struct outcome outcome = {.code = STATUS_OK};
    struct manifest *manifest = NULL;
    struct manifest_entry entry;
    bool found = true;
    status_value result = manifest_open(arena, file, NULL, &manifest);
    while (is_ok(result) && found) {
        result = manifest_next(manifest, NULL, &entry, &found);
        if (is_ok(result) && found)
            add(&outcome, entry.path);
    }
    manifest_close(manifest);
    outcome.code = result.code;
    return outcome;
}

static struct outcome read_list(struct arena *arena, struct str file)
{
    struct outcome outcome = {.code = STATUS_OK};
    struct manifest_list *list = NULL;
    struct manifest_file entry;
    bool found = true;
    status_value result = manifest_list_open(arena, file, NULL, &list);
    while (is_ok(result) && found) {
        result = manifest_list_next(list, NULL, &entry, &found);
        if (is_ok(result) && found)
            add(&outcome, entry.path);
    }
    manifest_list_close(list);
    outcome.code = result.code;
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outcome (*const readers[])(struct arena *, struct str) = {read_manifest, read_list};
    struct str file = {(const char *)data, size};
    for (size_t i = 0; i < COUNTOF(readers); i++) {
        struct arena arena;
        arena_init(&arena, allocator_heap(), 256 << 20);
        struct outcome once = readers[i](&arena, file);
        arena_reset(&arena);
        struct outcome again = readers[i](&arena, file);
        ASSERT(once.code == STATUS_OK || once.code == STATUS_INVALID || once.code == STATUS_NOMEM);
        ASSERT(once.code == again.code && once.entries == again.entries && once.hash == again.hash);
        arena_deinit(&arena);
    }
    return 0;
}
