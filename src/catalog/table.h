/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * table.h - the table engine: the header row, the edit that a commit is, and its parts.
 *
 * An edit collects what one log entry does to one table. It reads through the context's view (which
 * shows the batch's own writes) and writes rows into the batch at once; only the header, the
 * properties, the snapshot log and the metadata log wait for table__build, which turns the edit
 * into ONE new version.
 *
 * T1  A row is read only when an update or requirement asks for it. An append reads the header, the
 *     snapshot's index row and one ref, whatever the history.
 * T2  Snapshot, snapshot-log and metadata-log ordinals are never used twice, so a document of an
 *     older version is bounded by the ordinals in that version's header and those rows need no undo
 *     rows.
 * T3  A snapshot was added by this edit exactly when its ordinal is not below base.next_snapshot.
 * T4  An index row is there exactly when its snapshot row is.
 *
 * Spec: https://iceberg.apache.org/spec/ "Table Metadata".
 */
#include "catalog/catalog_internal.h"
#include "catalog/partition.h"

enum {
    TABLE_FORMAT_DEFAULT = 2,
    TABLE_FORMAT_CREATE_MAX = 3, /* v4 is not adopted: it is read and served, not made */
    TABLE_FORMAT_READ_MAX = 4,
    TABLE_VERSIONS_MAX_DEFAULT = 100,
    TABLE_CLOCK_SKEW_MS = 60000,
    TABLE_NO_SNAPSHOT = -1,
    TABLE_VALUE_MAX = 64 << 20, /* bytes of one row */
    TABLE_ID_MAX = 2147000000 /* of a schema, spec or order; so that counting on never overflows */
};

/* Everything the header row holds. Strings are borrowed from the arena. */
struct table_header {
    int32_t format_version;
    struct str uuid;
    struct str location;
    int64_t last_sequence_number;
    int64_t last_updated_ms;
    int32_t last_column_id;
    int32_t current_schema_id;
    int32_t default_spec_id;
    int32_t last_partition_id;
    int32_t default_order_id;
    int64_t current_snapshot_id; /* TABLE_NO_SNAPSHOT */
    int64_t next_row_id;
    uint64_t version;
    struct str metadata_location; /* empty while a create is only staged */
    uint64_t next_snapshot;       /* ordinals: the first unused one */
    uint64_t snapshot_count;
    uint64_t first_log;
    uint64_t next_log;
    uint64_t dangling_log; /* newest registered entry without its snapshot, + 1; 0: none */
    int64_t last_log_ms;
    uint64_t first_metadata_log;
    uint64_t next_metadata_log;
    /* What every commit needs to know of the properties. */
    int32_t versions_max;     /* write.metadata.previous-versions-max */
    bool delete_after_commit; /* write.metadata.delete-after-commit.enabled */
    bool gzip;                /* write.metadata.compression-codec */
    struct str metadata_path; /* write.metadata.path; empty: <location>/metadata */
    struct str extra;         /* unknown top-level members: a JSON object, or empty */
};

/* An empty table before its first update. */
struct table_header table__header_initial(void);
status table__header_parse(struct arena *arena, struct str row, struct diag *diag,
                           struct table_header *out);
status table__header_write(const struct table_header *header, struct arena *arena,
                           struct diag *diag, struct str *out);
/* NO_SUCH_TABLE when there is no header row. */
status table__header_get(struct kv_reader *reader, struct arena *arena, uint32_t warehouse,
                         uint64_t id, struct diag *diag, struct table_header *out);

/* --- table_rows.c --- */

/* Rows of one kind held in memory: schemas, specs or orders, in id order as far as rows are. */
struct table_item {
    int32_t id;
    const void *value; /* const struct schema *, const struct spec *, const struct sort_order * */
};
struct table_items {
    bool loaded;
    size_t count;
    size_t capacity;
    struct table_item *items;
};

struct table_log_entry {
    int64_t timestamp_ms;
    int64_t snapshot_id;
    bool added; /* the snapshot came with this edit */
};

/* The index row of a snapshot. */
struct table_snapshot_index {
    uint64_t ordinal;
    uint64_t log_end; /* ordinal of its newest snapshot-log entry + 1; 0: none */
};

struct table_properties;

struct table_edit {
    struct catalog_context *context;
    const struct catalog__place *place;
    uint64_t id;
    bool creating;
    bool changed;
    uint64_t undo_version; /* not 0: older versions are unpublished, keep what rows were */
    struct table_header base;
    struct table_header now;

    struct table_items schemas;
    struct table_items specs;
    struct table_items orders;
    bool has_last_schema, has_last_spec, has_last_order; /* what -1 means */
    int32_t last_schema_id, last_spec_id, last_order_id;
    bool bindings_changed; /* current schema, default spec or default order */

    struct table_properties *properties; /* NULL until an update needs them */

    struct table_log_entry *log; /* entries this edit appends */
    size_t log_count, log_capacity;
    bool has_added; /* the newest added snapshot, so that its ref needs no read */
    int64_t added_id;
    int64_t added_ms;
    uint64_t added_ordinal;
    uint64_t removed_count; /* snapshots removed */
    uint64_t log_cut;       /* log entries below this ordinal go */
};

/* Of an existing table. NO_SUCH_TABLE. */
status table__edit_open(struct table_edit *edit, struct catalog_context *context,
                        const struct catalog__place *place, uint64_t id);
/* Of a table that comes into being, with the format version it starts from. */
void table__edit_create(struct table_edit *edit, struct catalog_context *context,
                        const struct catalog__place *place, uint64_t id, int32_t format_version);

struct key table__key(const struct table_edit *edit, enum key_part part);
struct key table__key_i32(const struct table_edit *edit, enum key_part part, int32_t id);
struct key table__key_i64(const struct table_edit *edit, enum key_part part, int64_t id);
struct key table__key_u64(const struct table_edit *edit, enum key_part part, uint64_t ordinal);
struct key table__key_name(const struct table_edit *edit, enum key_part part, struct str name);

status table__get(struct table_edit *edit, const struct key *key, struct str *out, bool *out_found);
/* Writes and deletes that keep the row's present value for unpublished versions. */
status table__put(struct table_edit *edit, const struct key *key, struct str value);
status table__delete(struct table_edit *edit, const struct key *key);
/* A row with an ordinal, or one no document shows: needs no undo (T2). */
status table__append(struct table_edit *edit, const struct key *key, struct str value);
/* A fragment read back from a row. CORRUPT when it is no JSON. */
status table__fragment(struct catalog_context *context, struct str row, const struct json **out);
/* A finished buffer as a row; NOMEM, TOO_LARGE. */
status table__put_buf(struct table_edit *edit, const struct key *key, const struct buf *value);
void table__buf(struct table_edit *edit, struct buf *buf);
/* Room for one more element of `size` bytes; NULL when the arena is spent. */
void *table__grow(struct arena *arena, void *items, size_t count, size_t *capacity, size_t size);

status table__index_get(struct table_edit *edit, int64_t snapshot_id,
                        struct table_snapshot_index *out, bool *out_found);
status table__index_put(struct table_edit *edit, int64_t snapshot_id,
                        struct table_snapshot_index index);
struct table_snapshot_index table__index_decode(struct str row);

/* The list with all rows of its kind (read at first use), and one item of it (reads one row if not
 * yet loaded; *out stays as it is when there is none). */
status table__schemas(struct table_edit *edit, struct table_items **out);
status table__specs(struct table_edit *edit, struct table_items **out);
status table__orders(struct table_edit *edit, struct table_items **out);
status table__schema_find(struct table_edit *edit, int32_t id, const struct schema **out);
/* The schema a new spec or order refers to: the current one, or while none is set (DuckDB creates
 * tables with set-current-schema last) the one this request added. ILLEGAL_ARGUMENT "Cannot <what>
 * before ...". */
status table__schema_to_bind(struct table_edit *edit, const char *what, const struct schema **out);
status table__spec_find(struct table_edit *edit, int32_t id, const struct spec **out);
status table__order_find(struct table_edit *edit, int32_t id, const struct sort_order **out);
status table__items_add(struct table_edit *edit, struct table_items *items, int32_t id,
                        const void *value);
void table__items_remove(struct table_items *items, int32_t id);
/* The parsed item, or NULL. */
const void *table__items_find(const struct table_items *items, int32_t id);

/* --- table_properties.c --- */

/* A string map that keeps its order. Loads the row at first use. */
status table__properties(struct table_edit *edit, struct table_properties **out);
status table__property_set(struct table_edit *edit, struct str key, struct str value);
status table__property_remove(struct table_edit *edit, struct str key);
/* False when absent. The properties must have been loaded. */
bool table__property_get(const struct table_edit *edit, const char *key, struct str *out);
bool table__property_is_reserved(struct str key);
/* Copies all members of a JSON object of strings; reserved names are left out. ILLEGAL_ARGUMENT. */
status table__properties_set_all(struct table_edit *edit, const struct json *map, const char *what);
/* Writes the row and copies what commits need into the header, when the properties changed. */
status table__properties_store(struct table_edit *edit);

/* --- table_requirement.c, table_update*.c --- */

status table__requirements_check(struct table_edit *edit, const struct json *requirements);
status table__updates_apply(struct table_edit *edit, const struct json *updates);

typedef status_value (*table_update_fn)(struct table_edit *edit, const struct json *update);
status table__update_add_schema(struct table_edit *edit, const struct json *update);
status table__update_set_current_schema(struct table_edit *edit, const struct json *update);
status table__update_remove_schemas(struct table_edit *edit, const struct json *update);
status table__update_add_spec(struct table_edit *edit, const struct json *update);
status table__update_set_default_spec(struct table_edit *edit, const struct json *update);
status table__update_remove_specs(struct table_edit *edit, const struct json *update);
status table__update_add_order(struct table_edit *edit, const struct json *update);
status table__update_set_default_order(struct table_edit *edit, const struct json *update);
status table__update_add_snapshot(struct table_edit *edit, const struct json *update);
status table__update_remove_snapshots(struct table_edit *edit, const struct json *update);
status table__update_set_ref(struct table_edit *edit, const struct json *update);
status table__update_remove_ref(struct table_edit *edit, const struct json *update);
status table__update_set_statistics(struct table_edit *edit, const struct json *update);
status table__update_remove_statistics(struct table_edit *edit, const struct json *update);
status table__update_set_partition_statistics(struct table_edit *edit, const struct json *update);
status table__update_remove_partition_statistics(struct table_edit *edit,
                                                 const struct json *update);
status table__update_add_key(struct table_edit *edit, const struct json *update);
status table__update_remove_key(struct table_edit *edit, const struct json *update);
status table__update_assign_uuid(struct table_edit *edit, const struct json *update);
status table__update_format_version(struct table_edit *edit, const struct json *update);
status table__update_set_location(struct table_edit *edit, const struct json *update);
status table__update_set_properties(struct table_edit *edit, const struct json *update);
status table__update_remove_properties(struct table_edit *edit, const struct json *update);

/* What updates and createTable share. */
status table__schema_add(struct table_edit *edit, const struct schema *schema);
status table__spec_add(struct table_edit *edit, struct spec *spec, const struct schema *schema);
status table__order_add(struct table_edit *edit, const struct sort_order *order,
                        const struct schema *schema);
/* A location that a client chose: canonical and inside the warehouse; kept as written, without one
 * trailing slash. ILLEGAL_ARGUMENT. */
status table__location_accept(struct table_edit *edit, struct str location, const char *what,
                              struct str *out);

/* A ref as its row holds it. */
struct table_ref {
    struct str name;
    int64_t snapshot_id;
    bool is_tag;
    bool has_min_snapshots, has_max_snapshot_age, has_max_ref_age;
    int64_t min_snapshots_to_keep;
    int64_t max_snapshot_age_ms;
    int64_t max_ref_age_ms;
};
/* `what` names the object in messages. Checks types and retention. */
status table__ref_parse(const struct json *json, struct str name, struct diag *diag,
                        struct table_ref *out);
status table__ref_get(struct table_edit *edit, struct str name, struct table_ref *out,
                      bool *out_found);
status table__ref_put(struct table_edit *edit, const struct table_ref *ref);

/* --- table_build.c --- */

/* The time of this edit: never before anything the table has recorded. */
int64_t table__now_ms(const struct table_edit *edit);
/* Checks what must hold and completes the rows; an edit without a change leaves nothing. */
status table__build_rows(struct table_edit *edit);
/* Gives the edit its version: metadata log, metadata location, header row, outbox row. */
status table__build_version(struct table_edit *edit, struct catalog_response *response);
/* The header row of `now`. */
/* <location>/metadata, or write.metadata.path. */
status table__metadata_folder(struct table_edit *edit, struct str *out);
status table__header_put(struct table_edit *edit);

/* --- table_load.c --- */

/* The answer of a table whose header is known. */
status table__respond_header(struct catalog_context *context, const struct catalog__place *place,
                             uint64_t id, const struct table_header *header, bool with_config,
                             bool refs_only, struct catalog_response *out);
