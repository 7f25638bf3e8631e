/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * catalog.h - the Iceberg catalog as pure functions: (view, request, now) -> (batch, response).
 *
 * No I/O, no clock, no threads: the caller hands in a reader or a batch, a stamp, randomness and
 * memory. catalog_mutate runs on the core thread for every changing operation; catalog_read on any
 * thread over a snapshot. A whole table is never built in memory here: its answer is a stream over
 * rows.
 *
 * Spec: Iceberg REST OpenAPI (test/openapi/rest-catalog-open-api.yaml) and the Iceberg table and
 * view specs.
 */
#include "base/json.h"
#include "base/uuid.h"
#include "kv/kv.h"

/* Every operation of the REST protocol that this catalog knows. */
enum catalog_op {
#define CATALOG_OP(name, mutates, verb, path) CATALOG_##name,
#include "catalog/operations.def"
#undef CATALOG_OP
    CATALOG_OP_COUNT
};

/* A namespace, or an object in one. Levels and name are decoded, exact, non-empty. */
struct catalog_ident {
    const struct str *levels;
    size_t level_count;
    struct str name; /* empty for a namespace */
};

enum { CATALOG_NAMESPACE_LEVELS_MAX = 64, CATALOG_FINGERPRINT_SIZE = 16 };

struct catalog_request {
    enum catalog_op op;
    struct str warehouse; /* name from the path prefix; empty means the default warehouse */
    struct catalog_ident ident;
    const struct json *body; /* parsed with json_limits_request; NULL when there is none */
    /* Query parameters. */
    bool has_page_token;
    struct str page_token;
    bool has_page_size;
    uint64_t page_size;
    struct catalog_ident parent; /* listNamespaces; level_count 0 means the root */
    bool refs_only;              /* snapshots=refs */
    bool purge;                  /* purgeRequested=true */
    struct str if_none_match;    /* header value, empty when absent */
    /* registerTable, registerView: the metadata file named in the body, read by the caller. */
    struct str metadata_file;
    /* Idempotency-Key, with a hash of method, path and body that it is bound to. */
    bool has_idempotency_key;
    struct uuid idempotency_key;
    uint8_t fingerprint[CATALOG_FINGERPRINT_SIZE];
};

struct catalog_options {
    struct str default_warehouse;
    uint64_t idempotency_lifetime_ms; /* advertised; records live a grace period longer */
    uint64_t page_size_max;           /* when a client pages */
};

/*
 * What one call may use. For a read `batch` is NULL and `view` is the snapshot's reader. For a
 * change the entry point sets `view` to the batch's reader, so that everything below reads its own
 * writes.
 */
struct catalog_context {
    struct kv_batch *batch;
    struct kv_reader *view;
    struct arena *arena; /* the request's; everything in the response lives here */
    struct prng *prng;
    hlc_stamp stamp; /* of the entry being built; hlc_ms() never goes backwards */
    const struct catalog_options *options;
    struct diag *diag;
};

static inline int64_t catalog_now_ms(const struct catalog_context *context)
{
    return (int64_t)hlc_ms(context->stamp);
}

enum catalog_body {
    CATALOG_BODY_NONE,
    CATALOG_BODY_JSON,  /* `json` */
    CATALOG_BODY_TABLE, /* {"metadata-location","metadata"[,"config"]}, streamed from a snapshot */
    CATALOG_BODY_VIEW   /* likewise */
};

/* One metadata.json that must exist before a publish=sync answer may leave. */
struct catalog_version {
    uint32_t warehouse;
    uint64_t object_id;
    uint64_t version;
    bool is_view;
};

struct catalog_response {
    int http; /* status code of success; failures come as `status` with diag */
    enum catalog_body body;
    struct str json;
    uint32_t warehouse;
    uint64_t object_id;
    bool refs_only;
    bool with_config; /* LoadTableResult carries "config", a commit answer does not */
    struct str etag;  /* empty: none */
    /* Of a TABLE or VIEW body: where its metadata.json is (idempotency records keep it). */
    struct str metadata_location;
    /* Of a created or staged table: a folder that must exist before the answer leaves, since some
     * engines write into it without creating it. Empty: none. */
    struct str metadata_folder;
    /* Versions this operation made, in a warehouse with publish=sync. */
    const struct catalog_version *await;
    size_t await_count;
    bool replayed; /* answered from an idempotency record */
};

/*
 * Evaluates a changing operation: the batch receives every row the operation writes, the outbox
 * rows and the idempotency record. On failure nothing may be proposed, except that a deterministic
 * failure of a request with an Idempotency-Key leaves the batch holding just its record
 * (kv_batch_is_empty tells).
 */
status catalog_mutate(struct catalog_context *context, const struct catalog_request *request,
                      struct catalog_response *out);
/* Evaluates a reading operation. A table answers 304 through out->http. */
status catalog_read(struct catalog_context *context, const struct catalog_request *request,
                    struct catalog_response *out);
bool catalog_op_mutates(enum catalog_op op);
/* TABLE_COMMIT and the like, for labels. */
const char *catalog_op_name(enum catalog_op op);
/* The spec's "VERB path" of an operation, as published in `endpoints`. */
const char *catalog_op_verb(enum catalog_op op);
const char *catalog_op_path(enum catalog_op op);

/*
 * A body of CATALOG_BODY_TABLE or _VIEW, or a metadata.json, produced piece by piece. The reader (a
 * snapshot) and the arena must outlive the stream; memory used is bounded by the largest row.
 */
struct catalog_stream;
status catalog_stream_open(struct kv_reader *reader, struct arena *arena,
                           const struct catalog_response *response, struct diag *diag,
                           struct catalog_stream **out);
/* Fills up to capacity bytes (at least 1 unless at the end). */
status catalog_stream_fill(struct catalog_stream *stream, char *out, size_t capacity,
                           struct diag *diag, size_t *out_size, bool *out_end);
void catalog_stream_close(struct catalog_stream *stream);

/* --- warehouses --- */

enum catalog_publish { PUBLISH_SYNC, PUBLISH_ASYNC };
struct catalog_warehouse {
    uint32_t id;
    struct str name;
    struct str location; /* canonical, without a trailing slash: file:///data/lake */
    enum catalog_publish publish;
};
/* NO_SUCH_WAREHOUSE. An empty name means the default of `options`. */
status catalog_warehouse_get(struct kv_reader *view, struct arena *arena, struct str name,
                             const struct catalog_options *options, struct diag *diag,
                             struct catalog_warehouse *out);
/*
 * Creates it, or updates location and publish of an existing one. ILLEGAL_ARGUMENT: the name is not
 * usable in a URL, the location is not canonical or overlaps another warehouse's, or it would
 * change while the warehouse holds namespaces.
 */
status catalog_warehouse_put(struct catalog_context *context, struct str name, struct str location,
                             enum catalog_publish publish);
/* All of them, in the arena, by name. */
status catalog_warehouse_list(struct kv_reader *view, struct arena *arena, struct diag *diag,
                              struct catalog_warehouse **out, size_t *out_count);

/*
 * Canonical form of a location and whether it lies inside the warehouse (ILLEGAL_ARGUMENT
 * otherwise; `what` begins the message). For callers that read a file named by a client, before
 * they read it.
 */
status catalog_location_check(struct arena *arena, const struct catalog_warehouse *warehouse,
                              struct str location, const char *what, struct diag *diag,
                              struct str *out);

/* --- outbox: metadata.json files still to be made durable (see outbox.c) --- */

struct catalog_publish_job {
    struct catalog_version version;
    struct str metadata_location; /* where the file goes, canonical */
    bool gzip;
    const struct str *delete_after; /* metadata files to delete once this one is durable */
    size_t delete_count;
};
/* Up to `max` jobs over all warehouses, oldest version of an object first, in the arena. */
status catalog_outbox_list(struct kv_reader *view, struct arena *arena, size_t max,
                           struct diag *diag, struct catalog_publish_job **out, size_t *out_count);
status catalog_outbox_get(struct kv_reader *view, struct arena *arena,
                          const struct catalog_version *version, struct diag *diag,
                          struct catalog_publish_job *out, bool *out_found);
/* Whether a version of the object is still in the outbox, so that its file may be missing. */
status catalog_outbox_pending(struct kv_reader *view, struct arena *arena, uint32_t warehouse,
                              uint64_t object_id, struct diag *diag, bool *out_pending);
/* The exact metadata.json of that version, also when newer versions exist already. */
status catalog_publish_open(struct kv_reader *reader, struct arena *arena,
                            const struct catalog_version *version, struct diag *diag,
                            struct catalog_stream **out);
/* The file is durable: removes the outbox row and undo rows nobody needs any more. */
status catalog_publish_done(struct catalog_context *context, const struct catalog_version *version);

/* --- dropped objects: rows (and, with purge, files) to be removed in the background --- */

struct catalog_drop_job {
    uint32_t warehouse;
    uint64_t object_id;
    bool is_view;
    bool purge;
};
status catalog_drop_list(struct kv_reader *view, struct arena *arena, size_t max, struct diag *diag,
                         struct catalog_drop_job **out, size_t *out_count);
/* Deletes up to `max_rows` rows of a dropped object; the job's own row goes last. The object must
 * have no outbox rows left. */
status catalog_drop_step(struct catalog_context *context, const struct catalog_drop_job *job,
                         size_t max_rows, bool *out_done);

/* The files that the rows of a dropped object name. */
enum catalog_files_which {
    CATALOG_FILES_CONTENT, /* manifest lists, or the manifests of a v1 snapshot without a list */
    CATALOG_FILES_OTHER    /* statistics, then metadata files, the newest last */
};
enum catalog_file_kind {
    CATALOG_FILE_MANIFEST_LIST,
    CATALOG_FILE_MANIFEST,
    CATALOG_FILE_STATISTICS,
    CATALOG_FILE_METADATA
};
struct catalog_file {
    enum catalog_file_kind kind;
    struct str location; /* as the client wrote it */
};
struct catalog_files;
/* Reader, arena and job must outlive it. Memory is that of the largest row. A file may come
 * twice. */
status catalog_files_open(struct kv_reader *view, struct arena *arena,
                          const struct catalog_drop_job *job, enum catalog_files_which which,
                          struct diag *diag, struct catalog_files **out);
/* The location is borrowed until the next call. */
status catalog_files_next(struct catalog_files *files, struct diag *diag, struct catalog_file *out,
                          bool *out_found);
/* NULL is fine. */
void catalog_files_close(struct catalog_files *files);
/* False when the object's properties say gc.enabled=false: its files may belong to others too. */
status catalog_files_may_delete(struct kv_reader *view, struct arena *arena,
                                const struct catalog_drop_job *job, struct diag *diag, bool *out);
