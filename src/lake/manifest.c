/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manifest.c - field-ids of manifest lists and manifests, and what their values must be.
 *
 * Only required fields of every version are required here; a value that the spec does not know
 * makes the file INVALID, since reading on would be guessing.
 */
#include "lake/manifest.h"

enum list_slot { LIST_PATH, LIST_LENGTH, LIST_CONTENT, LIST_SEQUENCE, LIST_SNAPSHOT, LIST_SLOTS };
static const struct avro_want list_wants[LIST_SLOTS] = {
    [LIST_PATH] = {{500}, 1, AVRO_WANT_BYTES, true},
    [LIST_LENGTH] = {{501}, 1, AVRO_WANT_I64, true},
    [LIST_CONTENT] = {{517}, 1, AVRO_WANT_I64, false},
    [LIST_SEQUENCE] = {{515}, 1, AVRO_WANT_I64, false},
    [LIST_SNAPSHOT] = {{503}, 1, AVRO_WANT_I64, false},
};

enum entry_slot { ENTRY_STATUS, ENTRY_CONTENT, ENTRY_PATH, ENTRY_RECORDS, ENTRY_SIZE, ENTRY_SLOTS };
static const struct avro_want entry_wants[ENTRY_SLOTS] = {
    [ENTRY_STATUS] = {{0}, 1, AVRO_WANT_I64, true},
    [ENTRY_CONTENT] = {{2, 134}, 2, AVRO_WANT_I64, false},
    [ENTRY_PATH] = {{2, 100}, 2, AVRO_WANT_BYTES, true},
    [ENTRY_RECORDS] = {{2, 103}, 2, AVRO_WANT_I64, false},
    [ENTRY_SIZE] = {{2, 104}, 2, AVRO_WANT_I64, false},
};

struct manifest_list {
    struct avro_reader *avro;
};
struct manifest {
    struct avro_reader *avro;
};

status_value manifest_list_open(struct arena *arena, struct str file, struct diag *diag,
                                struct manifest_list **out)
{
    struct manifest_list *list = ARENA_NEW(arena, struct manifest_list);
    if (list == NULL)
        return FAIL(diag, NOMEM, "could not read a manifest list: memory budget exhausted");
    TRY(avro_open(arena, file, list_wants, LIST_SLOTS, diag, &list->avro));
    *out = list;
    return OK;
}

void manifest_list_close(struct manifest_list *list)
{
    if (list != NULL)
        avro_close(list->avro);
}

status_value manifest_list_next(struct manifest_list *list, struct diag *diag,
                                struct manifest_file *out, bool *out_found)
{
    struct avro_value values[LIST_SLOTS];
    bool found = false;
    TRY(avro_next(list->avro, diag, values, &found));
    *out_found = found;
    if (!found)
        return OK;
    int64_t content = values[LIST_CONTENT].i64;
    if (content < MANIFEST_DATA || content > MANIFEST_DELETES)
        return FAIL(diag, INVALID, "a manifest list has an entry of an unknown content");
    if (values[LIST_PATH].bytes.size == 0)
        return FAIL(diag, INVALID, "a manifest list has an entry without a path");
    *out = (struct manifest_file){.path = values[LIST_PATH].bytes,
                                  .length_bytes = values[LIST_LENGTH].i64,
                                  .content = (enum manifest_content)content,
                                  .sequence_number = values[LIST_SEQUENCE].i64,
                                  .snapshot_id = values[LIST_SNAPSHOT].i64};
    return OK;
}

status_value manifest_open(struct arena *arena, struct str file, struct diag *diag,
                           struct manifest **out)
{
    struct manifest *manifest = ARENA_NEW(arena, struct manifest);
    if (manifest == NULL)
        return FAIL(diag, NOMEM, "could not read a manifest: memory budget exhausted");
    TRY(avro_open(arena, file, entry_wants, ENTRY_SLOTS, diag, &manifest->avro));
    *out = manifest;
    return OK;
}

void manifest_close(struct manifest *manifest)
{
    if (manifest != NULL)
        avro_close(manifest->avro);
}

status_value manifest_next(struct manifest *manifest, struct diag *diag, struct manifest_entry *out,
                           bool *out_found)
{
    struct avro_value values[ENTRY_SLOTS];
    bool found = false;
    TRY(avro_next(manifest->avro, diag, values, &found));
    *out_found = found;
    if (!found)
        return OK;
    int64_t status_of = values[ENTRY_STATUS].i64;
    int64_t content = values[ENTRY_CONTENT].i64;
    if (status_of < MANIFEST_EXISTING || status_of > MANIFEST_DELETED ||
        content < MANIFEST_FILE_DATA || content > MANIFEST_FILE_EQUALITY_DELETES)
        return FAIL(diag, INVALID, "a manifest has an entry of an unknown status or content");
    if (values[ENTRY_PATH].bytes.size == 0)
        return FAIL(diag, INVALID, "a manifest has an entry without a path");
    *out = (struct manifest_entry){.status_of = (enum manifest_status)status_of,
                                   .content = (enum manifest_file_content)content,
                                   .path = values[ENTRY_PATH].bytes,
                                   .record_count = values[ENTRY_RECORDS].i64,
                                   .size_bytes = values[ENTRY_SIZE].i64};
    return OK;
}
