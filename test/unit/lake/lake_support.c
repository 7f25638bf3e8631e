/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lake_support.c - see lake_support.h.
 */
#include "lake_support.h"

#include "lake/manifest.h"

#include <dirent.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct str lake_fixture(const char *folder, const char *name)
{
    char path[1024];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        fail_msg("%s cannot be opened", path);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long size = ftell(file);
    assert_true(size >= 0);
    rewind(file);
    char *data = malloc(size == 0 ? 1 : (size_t)size);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, (size_t)size, file), size);
    (void)fclose(file);
    return (struct str){data, (size_t)size};
}

size_t lake_fixtures(const char *folder, void (*visit)(const char *folder, const char *name))
{
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, NULL, alphasort);
    size_t visited = 0;
    assert_true(count > 0);
    for (int i = 0; i < count; i++) {
        if (str_ends(str_from(entries[i]->d_name), STR(".avro"))) {
            visit(folder, entries[i]->d_name);
            visited++;
        }
        free(entries[i]);
    }
    free(entries);
    return visited;
}

static status list_lines(struct arena *arena, struct str file, struct buf *out, struct diag *diag)
{
    struct manifest_list *list = NULL;
    struct manifest_file line;
    bool found = true;
    TRY(manifest_list_open(arena, file, diag, &list));
    status_value result = OK;
    while (is_ok(result) && found) {
        result = manifest_list_next(list, diag, &line, &found);
        if (is_ok(result) && found)
            buf_printf(out, "list %.*s %" PRId64 " %d %" PRId64 " %" PRId64 "\n",
                       STR_ARG(line.path), line.length_bytes, (int)line.content,
                       line.sequence_number, line.snapshot_id);
    }
    manifest_list_close(list);
    return result;
}

static status entry_lines(struct arena *arena, struct str file, struct buf *out, struct diag *diag)
{
    struct manifest *manifest = NULL;
    struct manifest_entry line;
    bool found = true;
    TRY(manifest_open(arena, file, diag, &manifest));
    status_value result = OK;
    while (is_ok(result) && found) {
        result = manifest_next(manifest, diag, &line, &found);
        if (is_ok(result) && found)
            buf_printf(out, "entry %d %d %.*s %" PRId64 " %" PRId64 "\n", (int)line.status_of,
                       (int)line.content, STR_ARG(line.path), line.record_count, line.size_bytes);
    }
    manifest_close(manifest);
    return result;
}

status_value lake_transcript(const char *name, struct str file, struct allocator *allocator,
                             struct buf *out, struct diag *diag)
{
    struct arena arena;
    arena_init(&arena, allocator, 64 << 20);
    bool is_list = str_starts(str_from(name), STR("list"));
    status_value result =
        is_list ? list_lines(&arena, file, out, diag) : entry_lines(&arena, file, out, diag);
    arena_deinit(&arena);
    return result;
}

void lake_long(struct buf *buf, int64_t value)
{
    buf_varint(buf, (uint64_t)value << 1 ^ (uint64_t)(value >> 63));
}

void lake_string(struct buf *buf, struct str text)
{
    lake_long(buf, (int64_t)text.size);
    buf_str(buf, text);
}

void lake_file(struct buf *out, const char *schema, const char *codec, int64_t records,
               struct str block)
{
    static const char sync[] = "0123456789abcdef";
    buf_append(out, "Obj\1", 4);
    lake_long(out, 2);
    lake_string(out, STR("avro.schema"));
    lake_string(out, str_from(schema));
    lake_string(out, STR("avro.codec"));
    lake_string(out, str_from(codec));
    lake_long(out, 0);
    buf_append(out, sync, sizeof(sync) - 1);
    lake_long(out, records);
    lake_string(out, block);
    buf_append(out, sync, sizeof(sync) - 1);
}
