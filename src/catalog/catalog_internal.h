/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * catalog_internal.h - what the files of this folder share and nobody else sees.
 *
 * Who does what: dispatch.c takes a request apart, answers idempotency records and calls the
 * operation; namespace.c and names.c resolve names to ids; table_*.c own the rows of a table,
 * view_*.c those of a view; schema.h, partition.h and sort.h are pure leaves over JSON fragments.
 */
#include "catalog/catalog.h"
#include "kv/keys.h"

/* --- names.c, namespace.c: names to ids --- */

enum catalog__kind { CATALOG_TABLE_KIND, CATALOG_VIEW_KIND };

/* Where an object is or will be. `dotted` is "ns1.ns2.name" for messages. */
struct catalog__place {
    struct catalog_warehouse warehouse;
    uint64_t namespace_id;
    struct catalog_ident ident;
    struct str dotted;
};

/* NO_SUCH_NAMESPACE "Namespace does not exist: a.b". No levels: the root, id 0. */
status catalog__namespace_find(struct catalog_context *context, uint32_t warehouse,
                               const struct catalog_ident *ident, uint64_t *out_id);
/* The namespace's own `location` property (canonical, inside the warehouse); empty when it has
 * none. */
status catalog__namespace_location(struct catalog_context *context,
                                   const struct catalog_warehouse *warehouse,
                                   const struct catalog_ident *ident, struct str *out);
/* Warehouse, namespace and dotted name of a request's ident. */
status catalog__place_find(struct catalog_context *context,
                           const struct catalog_warehouse *warehouse,
                           const struct catalog_ident *ident, struct catalog__place *out);
status catalog__name_find(struct catalog_context *context, const struct catalog__place *place,
                          enum catalog__kind kind, uint64_t *out_id, bool *out_found);
/* ALREADY_EXISTS with the texts of Iceberg's own catalogs when a table or a view has this name. */
status catalog__name_must_be_free(struct catalog_context *context,
                                  const struct catalog__place *place, enum catalog__kind wanted);
status catalog__name_put(struct catalog_context *context, const struct catalog__place *place,
                         enum catalog__kind kind, uint64_t id);
status catalog__name_delete(struct catalog_context *context, const struct catalog__place *place,
                            enum catalog__kind kind);
/* Ids of namespaces, tables and views come from one counter per warehouse and are never reused. */
status catalog__next_id(struct catalog_context *context, uint32_t warehouse, uint64_t *out_id);
/* "a.b.c" of an ident, in the arena. */
status catalog__dotted(struct catalog_context *context, const struct catalog_ident *ident,
                       struct str *out);
/* An identifier {"namespace":[..],"name":".."} or a namespace array of a body. */
status catalog__ident_parse(struct catalog_context *context, const struct json *json,
                            const char *what, struct catalog_ident *out);
status catalog__namespace_parse(struct catalog_context *context, const struct json *json,
                                const char *what, struct catalog_ident *out);

/* --- location.c: canonical locations --- */

/*
 * Canonical form of a location: known scheme (file, s3, gs, abfss), "file:/x" and "file:///x" are
 * one, no ".", "..", empty or control-character segments, no query, percent-escapes kept as bytes,
 * no trailing slash. ILLEGAL_ARGUMENT otherwise. In the arena.
 */
status catalog__location_canonical(struct catalog_context *context, struct str location,
                                   struct str *out);
/* Whether `location` (canonical) is `root` (canonical) or lies below it, on a segment boundary. */
bool catalog__location_within(struct str location, struct str root);
/* Canonical and inside the warehouse, else ILLEGAL_ARGUMENT that names both. */
status catalog__location_check(struct catalog_context *context,
                               const struct catalog_warehouse *warehouse, struct str location,
                               const char *what, struct str *out);

/* --- table_*.c --- */

/* createTable: `place` is free (already checked). Writes the table's rows and its outbox row. With
 * stage-create nothing is written and the response carries the metadata as JSON; *out_id is 0. The
 * caller puts the name row. */
status table__create(struct catalog_context *context, const struct catalog__place *place,
                     const struct json *body, struct catalog_response *out, uint64_t *out_id);
/* registerTable from the bytes of a metadata file. `old_id` != 0 overwrites that table (its rows
 * become a drop job without purge). The uuid is kept. */
status table__register(struct catalog_context *context, const struct catalog__place *place,
                       struct str metadata_location, struct str metadata_file, uint64_t old_id,
                       struct catalog_response *out, uint64_t *out_id);
/*
 * Applies sets of requirements and updates (REST OpenAPI "CommitTableRequest"), in order and each
 * against what the one before made, as ONE new version of the table `id`; with id 0 the first set
 * commits a staged create (assert-create). `requirements` may be NULL (none). *out_id is the
 * table's id; no effective change leaves the batch as it was.
 */
struct table__commit_request {
    const struct json *requirements;
    const struct json *updates;
};
status table__commit(struct catalog_context *context, const struct catalog__place *place,
                     uint64_t id, const struct table__commit_request *changes, size_t change_count,
                     struct catalog_response *out, uint64_t *out_id);
status table__load(struct catalog_context *context, const struct catalog_request *request,
                   const struct catalog__place *place, uint64_t id, struct catalog_response *out);
/* Response of an existing table: body, ETag as GET ?snapshots=all would give. */
status table__respond(struct catalog_context *context, const struct catalog__place *place,
                      uint64_t id, bool with_config, struct catalog_response *out);
/* Makes the rows a drop job (the name row is the caller's). */
status table__drop(struct catalog_context *context, const struct catalog__place *place, uint64_t id,
                   bool purge);

/* --- view_*.c: the same for views --- */

status view__create(struct catalog_context *context, const struct catalog__place *place,
                    const struct json *body, struct catalog_response *out, uint64_t *out_id);
status view__register(struct catalog_context *context, const struct catalog__place *place,
                      struct str metadata_location, struct str metadata_file,
                      struct catalog_response *out, uint64_t *out_id);
status view__replace(struct catalog_context *context, const struct catalog__place *place,
                     uint64_t id, const struct json *requirements, const struct json *updates,
                     struct catalog_response *out);
status view__respond(struct catalog_context *context, const struct catalog__place *place,
                     uint64_t id, bool with_config, struct catalog_response *out);
status view__drop(struct catalog_context *context, const struct catalog__place *place, uint64_t id);

/* --- drop.c --- */

/* Makes all rows of the object a drop job: one row now, the rest in the background. */
status drop__put(struct catalog_context *context, uint32_t warehouse, uint64_t id, bool is_view,
                 bool purge);

/* --- outbox.c --- */

/* The commit makes `version` of the object: puts its outbox row (and asks the response to wait for
 * the file when the warehouse publishes synchronously). */
status outbox__put(struct catalog_context *context, const struct catalog_warehouse *warehouse,
                   const struct catalog_version *version, struct str metadata_location, bool gzip,
                   const struct str *delete_after, size_t delete_count,
                   struct catalog_response *response);
/* Whether some version of the object is still unpublished, so that row changes must leave undo
 * rows. */
status outbox__pending(struct catalog_context *context, uint32_t warehouse, uint64_t object_id,
                       bool *out_pending);
/*
 * Row writes of an object's commit. With `undo_version` != 0 the row's present value (or its
 * absence) is kept in an undo row of that version first; kv_put / kv_delete otherwise.
 */
status outbox__row_put(struct catalog_context *context, const struct key *row, struct str value,
                       uint64_t undo_version);
status outbox__row_delete(struct catalog_context *context, const struct key *row,
                          uint64_t undo_version);
/* A reader of one object's rows as they were at `version`. */
status outbox__reader_at(struct kv_reader *reader, struct arena *arena,
                         const struct catalog_version *version, struct diag *diag,
                         struct kv_reader **out);

/* "<base>/00003-<uuid>.metadata.json", or .gz.metadata.json; base is write.metadata.path or
 * <location>/metadata. ILLEGAL_ARGUMENT if that has no canonical form. */
status catalog__metadata_path(struct catalog_context *context, struct str base, uint64_t version,
                              bool gzip, struct str *out);
/* The ETag of a representation, in quotes: hex of a hash of metadata location and mode. */
status catalog__etag(struct catalog_context *context, struct str metadata_location, bool refs_only,
                     struct str *out);
/* Whether an If-None-Match value (strong, weak or unquoted tags, a list, "*") names this ETag. */
bool catalog__etag_matches(struct str if_none_match, struct str etag);
