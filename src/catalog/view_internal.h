/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * view_internal.h - a view in memory, and the edit that a request makes to it.
 *
 * A view is small (its history is trimmed), so it is read whole, changed in memory and stored by
 * writing the rows that differ. view_rows.c reads and stores, view_update*.c change, view_build.c
 * applies the rules that hold at the end of a commit, view_commit.c and view_register.c are the
 * operations.
 *
 * V1  `versions` and `log` are in the order of their keys; new ones are appended with larger keys.
 * V2  Log ordinals are never used twice.
 * V3  Every version's schema-id is that of a schema of the view (a registered file may break this).
 *
 * Rows (keys.h, 'V'): h {"view-uuid","format-version","location","current-version-id","version",
 * "metadata-location","next-log","extra"?}; p {name: value}; s, v, l: fragments of metadata.json.
 *
 * Spec: https://iceberg.apache.org/view-spec/
 */
#include "catalog/schema.h"
#include "catalog/view.h"

enum {
    VIEW_FORMAT_VERSION = 1,
    VIEW_FIRST_VERSION_ID = 1,
    VIEW_LAST_ADDED = -1,
    VIEW_HISTORY_DEFAULT = 10,
    VIEW_REPRESENTATIONS_MAX = 1000,
    VIEW_SCHEMA_FORMAT = INT32_MAX, /* views take the types of every table format */
    VIEW_ID_MAX = 2147000000,       /* so that counting on never overflows */
    VIEW_SEGMENT_MAX = 100,
    VIEW_ROW_MAX = 64 << 20
};

enum view__mark { VIEW_KEPT, VIEW_NEW, VIEW_GONE };

struct view__schema {
    int32_t id;
    enum view__mark mark;
    struct schema *schema;
};
struct view__version {
    int32_t id;
    enum view__mark mark;
    const struct json *json; /* the finished fragment, with its own ids */
};
struct view__entry {
    uint64_t ordinal;
    enum view__mark mark;
    int32_t version_id;
    const struct json *json; /* NULL for a new one */
    int64_t timestamp_ms;    /* of a new one */
};
struct view__property {
    struct str name;
    struct str value;
    bool is_gone;
};

/* A growing array; elements are copied when it grows. */
struct view__list {
    void *items;
    size_t count;
    size_t capacity;
};

struct view__header {
    struct str uuid;
    struct str location;
    struct str metadata_location;
    int32_t format_version;
    int32_t current_version_id;
    bool has_current; /* false only while a view is being created */
    uint64_t version; /* of the metadata file */
    uint64_t next_log;
    const struct json *extra; /* top-level members of a registered file that tarn does not know */
};

struct view {
    struct arena *arena;
    struct diag *diag;
    struct view__header header;
    struct view__list schemas;    /* of struct view__schema */
    struct view__list versions;   /* of struct view__version */
    struct view__list log;        /* of struct view__entry */
    struct view__list properties; /* of struct view__property */
};

static inline struct view__schema *view__schema_at(const struct view *view, size_t i)
{
    ASSERT(i < view->schemas.count);
    return &((struct view__schema *)view->schemas.items)[i];
}
static inline struct view__version *view__version_at(const struct view *view, size_t i)
{
    ASSERT(i < view->versions.count);
    return &((struct view__version *)view->versions.items)[i];
}
static inline struct view__entry *view__entry_at(const struct view *view, size_t i)
{
    ASSERT(i < view->log.count);
    return &((struct view__entry *)view->log.items)[i];
}
static inline struct view__property *view__property_at(const struct view *view, size_t i)
{
    ASSERT(i < view->properties.count);
    return &((struct view__property *)view->properties.items)[i];
}

/* --- view_rows.c --- */

void view__init(struct view *view, struct arena *arena, struct diag *diag);
status view__add_schema(struct view *view, struct view__schema schema);
status view__add_version(struct view *view, struct view__version version);
status view__add_entry(struct view *view, struct view__entry entry);
/* NO_SUCH_VIEW when there is no header row. */
status view__load(struct view *view, struct kv_reader *reader, uint32_t warehouse, uint64_t id);
/* The value of a property, or NULL. */
const struct str *view__property(const struct view *view, const char *name);
/* The setting of a name; *out_changed tells whether that was something new. */
status view__property_set(struct view *view, struct str name, struct str value, bool *out_changed);
/* NULL when there is none (any more). */
const struct view__schema *view__schema_find(const struct view *view, int32_t id);
struct view__version *view__version_find(const struct view *view, int32_t id);

/* --- view_json.c --- */

void view__write_entry(const struct view__entry *entry, struct buf *out);
void view__write_properties(const struct view *view, struct buf *out);
void view__write_header(const struct view *view, struct buf *out);
void view__write_metadata(const struct view *view, struct buf *out);

/* --- view_version.c: view versions as JSON --- */

/* Kinds of members, at least one representation. INVALID, ILLEGAL_ARGUMENT. */
status view__version_check(const struct json *version, struct diag *diag);
/* What a new version must be: only SQL, one query for a dialect. */
status view__version_check_new(const struct json *version, struct diag *diag);
/* They behave the same: ids and times do not count. */
bool view__version_same(const struct json *a, const struct json *b);
int32_t view__version_schema_id(const struct json *version);
/* The fragment with these ids. In the arena. */
status view__version_with_ids(struct arena *arena, const struct json *version, int32_t id,
                              int32_t schema_id, struct diag *diag, const struct json **out);
/* Whether `now` has every SQL dialect of `before` (case does not count). */
bool view__dialects_kept(const struct json *before, const struct json *now);
/* "[spark, trino]" */
void view__write_dialects(const struct json *version, struct buf *out);

/* --- view_update.c, view_requirement.c --- */

struct view__edit {
    struct catalog_context *context;
    const struct catalog__place *place;
    struct view *view;
    const struct json *before; /* the current version the edit began with; NULL when creating */
    bool changed;
    bool properties_changed;
    bool has_schema; /* "last added": what the last add-schema of this request came to */
    int32_t schema_id;
    bool has_version;
    int32_t version_id;
    bool has_entry; /* one entry of the log for the final current version */
    struct view__entry entry;
};
status view__apply(struct view__edit *edit, const struct json *updates);
status view__check_requirements(const struct view *view, const struct json *requirements);
/* The steps that creating a view takes as well. */
status view__edit_location(struct view__edit *edit, struct str location);
status view__edit_properties(struct view__edit *edit, const struct json *properties);
status view__edit_schema(struct view__edit *edit, const struct json *schema);
status view__edit_version(struct view__edit *edit, const struct json *version, int32_t wanted_id,
                          int32_t schema_id);
status view__edit_current(struct view__edit *edit, int32_t version_id);

/* --- view_build.c --- */

/* Dialects, history, whole-object rules. */
status view__build(struct view__edit *edit);
/* Whether metadata files are compressed, and the folder they go to (in the arena). */
status view__metadata_is_gzip(const struct view *view, bool *out);
status view__metadata_folder(const struct view *view, struct str *out);

/* --- view_commit.c --- */

/* The answer of an operation that leaves a view behind. */
status view__answer(const struct catalog__place *place, uint64_t id, struct str metadata_location,
                    bool with_config, struct catalog_response *out);

/* --- view_store.c --- */

/* Writes what the edit has changed; with undo_version != 0 old values are kept for it. */
status view__store(const struct view__edit *edit, uint64_t id, uint64_t undo_version);
