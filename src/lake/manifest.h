/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * manifest.h - Iceberg's manifest lists and manifests, entry by entry.
 *
 * Spec: https://iceberg.apache.org/spec/#manifests and #manifest-lists, versions 1 to 3. What a
 * version lacks has the value that the spec gives it. Memory is the file and its largest block.
 */
#include "lake/avro.h"

enum manifest_content { MANIFEST_DATA, MANIFEST_DELETES };
/* One manifest, as a manifest list names it. */
struct manifest_file {
    struct str path; /* borrowed until the next call */
    int64_t length_bytes;
    enum manifest_content content;
    int64_t sequence_number; /* 0 in version 1 */
    int64_t snapshot_id;     /* that added it; 0 when not given */
};
struct manifest_list;
/* `file` is the whole file and is kept. INVALID, NOMEM. */
status manifest_list_open(struct arena *arena, struct str file, struct diag *diag,
                          struct manifest_list **out);
status manifest_list_next(struct manifest_list *list, struct diag *diag, struct manifest_file *out,
                          bool *out_found);
void manifest_list_close(struct manifest_list *list);

enum manifest_status { MANIFEST_EXISTING, MANIFEST_ADDED, MANIFEST_DELETED };
enum manifest_file_content {
    MANIFEST_FILE_DATA,
    MANIFEST_FILE_POSITION_DELETES, /* deletion vectors too: many entries may name one file */
    MANIFEST_FILE_EQUALITY_DELETES
};
/* One data or delete file, as a manifest names it. */
struct manifest_entry {
    enum manifest_status status_of;
    enum manifest_file_content content;
    struct str path; /* borrowed until the next call */
    int64_t record_count;
    int64_t size_bytes;
};
struct manifest;
/* As for lists. */
status manifest_open(struct arena *arena, struct str file, struct diag *diag,
                     struct manifest **out);
status manifest_next(struct manifest *manifest, struct diag *diag, struct manifest_entry *out,
                     bool *out_found);
void manifest_close(struct manifest *manifest);
