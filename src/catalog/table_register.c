/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table_register.c - registerTable: a metadata.json of format v1 to v4 taken apart into rows.
 *
 * Fragments are stored as they are, unknown members too, and unknown top-level members go to the
 * header, so the document that is served says what the file said. What old writers left out is
 * filled in as Iceberg's reader does: v1 schema, spec, order and last-partition-id, a missing ref
 * main; and a uuid for a v1 table that never had one, because the protocol needs it.
 *
 * R1  What a commit relies on is checked here once: ids are unique, refs and the current snapshot
 *     exist, no sequence number is above the table's, the logs are in order of time.
 */
#include "catalog/table.h"

#include <inttypes.h>

static const char *const known_members[] = {"format-version",
                                            "table-uuid",
                                            "location",
                                            "last-sequence-number",
                                            "last-updated-ms",
                                            "last-column-id",
                                            "schema",
                                            "current-schema-id",
                                            "schemas",
                                            "partition-spec",
                                            "default-spec-id",
                                            "partition-specs",
                                            "last-partition-id",
                                            "default-sort-order-id",
                                            "sort-orders",
                                            "properties",
                                            "current-snapshot-id",
                                            "next-row-id",
                                            "encryption-keys",
                                            "refs",
                                            "snapshots",
                                            "statistics",
                                            "partition-statistics",
                                            "snapshot-log",
                                            "metadata-log"};

static const char document[] = "table metadata";

struct registration {
    struct table_edit *edit;
    const struct json *root;
    struct diag *diag;
};

/* --- helpers --- */

static status get_list(const struct registration *reg, const char *key, const struct json **out)
{
    const struct json *list = json_get(reg->root, key);
    if (json_is_null(list)) {
        *out = NULL;
        return OK;
    }
    if (!json_is(list, JSON_ARRAY))
        return FAIL(reg->diag, INVALID, "Cannot parse %s from non-array", key);
    *out = list;
    return OK;
}

static status must_have(const struct registration *reg, const void *value, const char *key)
{
    if (value != NULL || reg->edit->now.format_version == 1)
        return OK;
    return FAIL(reg->diag, INVALID, "%s must exist in format v%d", key,
                reg->edit->now.format_version);
}

static status put_json(struct table_edit *edit, const struct key *key, const struct json *json)
{
    struct buf text;
    table__buf(edit, &text);
    json_write(&text, json);
    return table__put_buf(edit, key, &text);
}

/* --- scalars --- */

static status read_uuid(struct registration *reg)
{
    struct table_edit *edit = reg->edit;
    struct uuid parsed;
    bool found = false;
    TRY(json_opt_str(reg->root, "table-uuid", document, reg->diag, &edit->now.uuid, &found));
    if (found && uuid_parse(edit->now.uuid, &parsed))
        return OK;
    if (found)
        return FAIL(reg->diag, INVALID, "table-uuid is not a UUID: %.*s", STR_ARG(edit->now.uuid));
    if (edit->now.format_version > 1)
        return FAIL(reg->diag, INVALID, "UUID is required in format v%d", edit->now.format_version);
    char text[UUID_TEXT_SIZE];
    uuid_format(uuid_v4(edit->context->prng), text);
    edit->now.uuid = arena_copy(edit->context->arena, (struct str){text, sizeof(text)});
    if (edit->now.uuid.data == NULL)
        return FAIL(reg->diag, NOMEM, "could not register the table");
    return OK;
}

/* From v4 on the location may be left to the catalog: it is where the metadata folder lies. */
static struct str location_of_file(struct str metadata_location)
{
    for (int i = 0; i < 2; i++) {
        ptrdiff_t slash = str_rfind(metadata_location, '/');
        if (slash <= 0)
            break;
        metadata_location = str_slice(metadata_location, 0, (size_t)slash);
    }
    return metadata_location;
}

static status read_location(struct registration *reg)
{
    struct table_header *now = &reg->edit->now;
    struct str location;
    bool found = false;
    TRY(json_opt_str(reg->root, "location", document, reg->diag, &location, &found));
    if (!found && now->format_version < 4)
        return FAIL(reg->diag, INVALID, "%s: location is missing", document);
    if (!found)
        location = location_of_file(now->metadata_location);
    return table__location_accept(reg->edit, location, "table location", &now->location);
}

static status read_scalars(struct registration *reg)
{
    struct table_header *now = &reg->edit->now;
    struct diag *diag = reg->diag;
    bool found = false;
    TRY(json_need_i32(reg->root, "format-version", document, diag, &now->format_version));
    if (now->format_version < 1 || now->format_version > TABLE_FORMAT_READ_MAX)
        return FAIL(diag, INVALID, "Cannot read unsupported version %d", now->format_version);
    TRY(read_uuid(reg));
    TRY(read_location(reg));
    TRY(json_need_i64(reg->root, "last-updated-ms", document, diag, &now->last_updated_ms));
    TRY(json_need_i32(reg->root, "last-column-id", document, diag, &now->last_column_id));
    if (now->format_version > 1)
        TRY(json_need_i64(reg->root, "last-sequence-number", document, diag,
                          &now->last_sequence_number));
    if (now->format_version >= 3)
        TRY(json_need_i64(reg->root, "next-row-id", document, diag, &now->next_row_id));
    TRY(json_opt_i64(reg->root, "current-snapshot-id", document, diag, &now->current_snapshot_id,
                     &found));
    if (now->last_column_id < 0 || now->last_sequence_number < 0 || now->next_row_id < 0)
        return FAIL(diag, INVALID, "%s: a counter is negative", document);
    return OK;
}

static bool is_known(struct str name)
{
    for (size_t i = 0; i < COUNTOF(known_members); i++) {
        if (str_is(name, known_members[i]))
            return true;
    }
    return false;
}

static status read_extra(struct registration *reg)
{
    struct json_iter iter = json_iter(reg->root);
    struct json_writer writer;
    struct buf text;
    struct str name;
    const struct json *value;
    size_t count = 0;
    table__buf(reg->edit, &text);
    json_writer_init(&writer, &text);
    jw_object(&writer);
    while (json_next(&iter, &name, &value)) {
        if (is_known(name))
            continue;
        jw_key_str(&writer, name);
        jw_value(&writer, value);
        count++;
    }
    jw_end(&writer);
    TRY(buf_finish(&text, "unknown members", reg->diag));
    if (count > 0)
        reg->edit->now.extra = buf_view(&text);
    return OK;
}

/* --- schemas, specs, orders --- */

/* A row per element of the list, by the id it carries. */
static status put_items(struct registration *reg, const struct json *list, const char *id_key,
                        enum key_part part)
{
    struct json_iter iter = json_iter(list);
    const struct json *item;
    while (json_next(&iter, NULL, &item)) {
        struct str row;
        int32_t id = 0;
        bool found = false;
        TRY(json_need_i32(item, id_key, document, reg->diag, &id));
        if (id < 0 || id > TABLE_ID_MAX)
            return FAIL(reg->diag, INVALID, "%s: %s %d is out of range", document, id_key, id);
        struct key key = table__key_i32(reg->edit, part, id);
        TRY(table__get(reg->edit, &key, &row, &found));
        if (found)
            return FAIL(reg->diag, INVALID, "%s: %s %d is used twice", document, id_key, id);
        TRY(put_json(reg->edit, &key, item));
    }
    return OK;
}

/* v1 before schemas had ids: the one schema, with the id it has or 0. */
static status read_v1_schema(struct registration *reg)
{
    struct table_edit *edit = reg->edit;
    const struct json *json = NULL;
    struct schema *schema = NULL;
    struct buf text;
    TRY(json_need_object(reg->root, "schema", document, reg->diag, &json));
    TRY(schema_parse(edit->context->arena, json, reg->diag, &schema));
    edit->now.current_schema_id = schema_id(schema);
    struct key key = table__key_i32(edit, PART_SCHEMA, edit->now.current_schema_id);
    table__buf(edit, &text);
    schema_write(schema, edit->now.current_schema_id, &text);
    return table__put_buf(edit, &key, &text);
}

static status read_schemas(struct registration *reg)
{
    struct table_edit *edit = reg->edit;
    const struct json *list = NULL;
    const struct schema *schema = NULL;
    TRY(get_list(reg, "schemas", &list));
    TRY(must_have(reg, list, "schemas"));
    if (list == NULL) {
        TRY(read_v1_schema(reg));
    } else {
        TRY(json_need_i32(reg->root, "current-schema-id", document, reg->diag,
                          &edit->now.current_schema_id));
        TRY(put_items(reg, list, "schema-id", PART_SCHEMA));
    }
    TRY(table__schema_find(edit, edit->now.current_schema_id, &schema));
    if (schema == NULL)
        return FAIL(reg->diag, INVALID, "Cannot find schema with current-schema-id=%d",
                    edit->now.current_schema_id);
    edit->now.last_column_id =
        (int32_t)i64_max(edit->now.last_column_id, schema_highest_field_id(schema));
    return OK;
}

/* v1 before specs had ids: the list of fields is spec 0, field ids count from 1000. */
static status read_v1_spec(struct registration *reg)
{
    struct table_edit *edit = reg->edit;
    const struct json *fields = NULL;
    const struct json *json = NULL;
    struct spec *spec = NULL;
    struct buf text;
    TRY(json_need_array(reg->root, "partition-spec", document, reg->diag, &fields));
    table__buf(edit, &text);
    buf_str(&text, STR("{\"spec-id\":0,\"fields\":"));
    json_write(&text, fields);
    buf_byte(&text, '}');
    TRY(buf_finish(&text, "partition spec", reg->diag));
    TRY(table__fragment(edit->context, buf_view(&text), &json));
    TRY(spec_parse(edit->context->arena, json, reg->diag, &spec));
    spec_assign_field_ids(spec, NULL, 0, PARTITION_LAST_ID_UNPARTITIONED);
    struct key key = table__key_i32(edit, PART_SPEC, 0);
    buf_clear(&text);
    spec_write(spec, 0, &text);
    edit->now.default_spec_id = 0;
    return table__put_buf(edit, &key, &text);
}

/* The highest field id of all specs: what last-partition-id must not be below. */
static status highest_partition_id(struct table_edit *edit, int32_t *out)
{
    struct table_items *specs = NULL;
    int32_t highest = PARTITION_LAST_ID_UNPARTITIONED;
    TRY(table__specs(edit, &specs));
    for (size_t i = 0; i < specs->count; i++) {
        int32_t id = spec_highest_field_id(specs->items[i].value);
        highest = id > highest ? id : highest;
    }
    *out = highest;
    return OK;
}

static status read_specs(struct registration *reg)
{
    struct table_edit *edit = reg->edit;
    const struct json *list = NULL;
    const struct spec *spec = NULL;
    int32_t highest = 0;
    TRY(get_list(reg, "partition-specs", &list));
    TRY(must_have(reg, list, "partition-specs"));
    if (list == NULL) {
        TRY(read_v1_spec(reg));
    } else {
        TRY(json_need_i32(reg->root, "default-spec-id", document, reg->diag,
                          &edit->now.default_spec_id));
        TRY(put_items(reg, list, "spec-id", PART_SPEC));
    }
    TRY(table__spec_find(edit, edit->now.default_spec_id, &spec));
    if (spec == NULL)
        return FAIL(reg->diag, INVALID, "Cannot find partition spec with default-spec-id=%d",
                    edit->now.default_spec_id);
    TRY(must_have(reg, json_get(reg->root, "last-partition-id"), "last-partition-id"));
    TRY(highest_partition_id(edit, &highest));
    (void)json_as_i32(json_get(reg->root, "last-partition-id"), &edit->now.last_partition_id);
    if (edit->now.last_partition_id < highest)
        edit->now.last_partition_id = highest;
    return OK;
}

static status read_orders(struct registration *reg)
{
    struct table_edit *edit = reg->edit;
    const struct json *list = NULL;
    const struct sort_order *order = NULL;
    TRY(get_list(reg, "sort-orders", &list));
    TRY(must_have(reg, list, "sort-orders"));
    if (list == NULL) {
        struct key key = table__key_i32(edit, PART_ORDER, 0);
        edit->now.default_order_id = 0;
        TRY(table__append(edit, &key, STR("{\"order-id\":0,\"fields\":[]}")));
    } else {
        TRY(json_need_i32(reg->root, "default-sort-order-id", document, reg->diag,
                          &edit->now.default_order_id));
        TRY(put_items(reg, list, "order-id", PART_ORDER));
    }
    TRY(table__order_find(edit, edit->now.default_order_id, &order));
    if (order == NULL)
        return FAIL(reg->diag, INVALID, "Cannot find sort order with default-sort-order-id=%d",
                    edit->now.default_order_id);
    return OK;
}

static status read_properties(struct registration *reg)
{
    const struct json *map = json_get(reg->root, "properties");
    struct table_properties *properties = NULL;
    struct json_iter iter = json_iter(map);
    struct str key;
    struct str text;
    const struct json *value;
    if (!json_is_null(map) && !json_is(map, JSON_OBJECT))
        return FAIL(reg->diag, INVALID, "%s: properties must be an object", document);
    TRY(table__properties(reg->edit, &properties));
    while (json_next(&iter, &key, &value)) {
        if (!json_as_str(value, &text))
            return FAIL(reg->diag, INVALID, "%s: the value of property %.*s is no string", document,
                        STR_ARG(key));
        TRY(table__property_set(reg->edit, key, text));
    }
    return table__properties_store(reg->edit);
}

/* --- snapshots and refs --- */

static status read_snapshot(struct registration *reg, const struct json *json)
{
    struct table_edit *edit = reg->edit;
    struct table_snapshot_index index = {.ordinal = edit->now.next_snapshot};
    int64_t id = 0;
    int64_t sequence_number = 0;
    int64_t timestamp_ms = 0;
    bool found = false;
    TRY(json_need_i64(json, "snapshot-id", "snapshot", reg->diag, &id));
    TRY(json_need_i64(json, "timestamp-ms", "snapshot", reg->diag, &timestamp_ms));
    TRY(json_opt_i64(json, "sequence-number", "snapshot", reg->diag, &sequence_number, &found));
    if (sequence_number > edit->now.last_sequence_number)
        return FAIL(reg->diag, INVALID,
                    "Invalid snapshot with sequence number %" PRId64
                    " greater than last sequence number %" PRId64,
                    sequence_number, edit->now.last_sequence_number);
    TRY(table__index_get(edit, id, &index, &found));
    if (found || id == TABLE_NO_SNAPSHOT)
        return FAIL(reg->diag, INVALID, "%s: snapshot id %" PRId64 " is invalid or used twice",
                    document, id);
    struct key key = table__key_u64(edit, PART_SNAPSHOT, index.ordinal);
    TRY(put_json(edit, &key, json));
    edit->now.next_snapshot++;
    edit->now.snapshot_count++;
    return table__index_put(edit, id, index);
}

static status read_snapshots(struct registration *reg)
{
    const struct json *list = NULL;
    TRY(get_list(reg, "snapshots", &list));
    struct json_iter iter = json_iter(list);
    const struct json *json;
    while (json_next(&iter, NULL, &json))
        TRY(read_snapshot(reg, json));
    struct table_snapshot_index index;
    bool found = false;
    int64_t current = reg->edit->now.current_snapshot_id;
    if (current == TABLE_NO_SNAPSHOT)
        return OK;
    TRY(table__index_get(reg->edit, current, &index, &found));
    if (!found)
        return FAIL(reg->diag, INVALID, "Invalid table metadata: Cannot find current version");
    return OK;
}

/* The row begins with the name; the members follow as they were. */
static status put_ref(struct table_edit *edit, struct str name, const struct json *json)
{
    struct key key = table__key_name(edit, PART_REF, name);
    struct json_writer writer;
    struct json_iter iter = json_iter(json);
    struct str member;
    const struct json *value;
    struct buf text;
    table__buf(edit, &text);
    json_writer_init(&writer, &text);
    jw_object(&writer);
    jw_key(&writer, "name");
    jw_str(&writer, name);
    while (json_next(&iter, &member, &value)) {
        if (str_is(member, "name"))
            continue; /* a row has one name; Iceberg's refs have no such member */
        jw_key_str(&writer, member);
        jw_value(&writer, value);
    }
    jw_end(&writer);
    return table__put_buf(edit, &key, &text);
}

static status read_ref(struct registration *reg, struct str name, const struct json *json)
{
    struct table_ref ref;
    struct table_snapshot_index index;
    bool found = false;
    int64_t current = reg->edit->now.current_snapshot_id;
    if (!json_is(json, JSON_OBJECT) || name.size == 0)
        return FAIL(reg->diag, INVALID, "Cannot parse ref %.*s from non-object", STR_ARG(name));
    TRY(table__ref_parse(json, name, reg->diag, &ref));
    TRY(table__index_get(reg->edit, ref.snapshot_id, &index, &found));
    if (!found)
        return FAIL(reg->diag, INVALID,
                    "Snapshot for reference %.*s does not exist in the existing snapshots list",
                    STR_ARG(name));
    if (str_is(name, "main") && current == TABLE_NO_SNAPSHOT)
        return FAIL(reg->diag, INVALID,
                    "Current snapshot is not set, but main branch exists: %" PRId64,
                    ref.snapshot_id);
    if (str_is(name, "main") && ref.snapshot_id != current)
        return FAIL(reg->diag, INVALID,
                    "Current snapshot ID does not match main branch (%" PRId64 " != %" PRId64 ")",
                    current, ref.snapshot_id);
    return put_ref(reg->edit, name, json);
}

static status read_refs(struct registration *reg)
{
    const struct json *refs = json_get(reg->root, "refs");
    struct json_iter iter = json_iter(refs);
    struct str name;
    const struct json *json;
    if (!json_is_null(refs) && !json_is(refs, JSON_OBJECT))
        return FAIL(reg->diag, INVALID, "Cannot parse refs from non-object");
    while (json_next(&iter, &name, &json))
        TRY(read_ref(reg, name, json));
    int64_t current = reg->edit->now.current_snapshot_id;
    if (current == TABLE_NO_SNAPSHOT || json_get(refs, "main") != NULL)
        return OK;
    struct table_ref main_ref = {.name = STR("main"), .snapshot_id = current};
    return table__ref_put(reg->edit, &main_ref);
}

/* --- logs and files --- */

static status read_log_entry(struct registration *reg, const struct json *json)
{
    struct table_edit *edit = reg->edit;
    struct table_header *now = &edit->now;
    struct table_snapshot_index index;
    int64_t id = 0;
    int64_t timestamp_ms = 0;
    bool found = false;
    TRY(json_need_i64(json, "snapshot-id", "snapshot-log", reg->diag, &id));
    TRY(json_need_i64(json, "timestamp-ms", "snapshot-log", reg->diag, &timestamp_ms));
    if (now->next_log > 0 && timestamp_ms < now->last_log_ms - TABLE_CLOCK_SKEW_MS)
        return FAIL(reg->diag, INVALID, "%s: the snapshot-log is not sorted by time", document);
    struct key key = table__key_u64(edit, PART_LOG, now->next_log++);
    TRY(put_json(edit, &key, json));
    now->last_log_ms = timestamp_ms;
    TRY(table__index_get(edit, id, &index, &found));
    if (!found) {
        now->dangling_log = now->next_log;
        return OK;
    }
    index.log_end = now->next_log;
    return table__index_put(edit, id, index);
}

static status read_snapshot_log(struct registration *reg)
{
    const struct json *list = NULL;
    TRY(get_list(reg, "snapshot-log", &list));
    struct json_iter iter = json_iter(list);
    const struct json *json;
    while (json_next(&iter, NULL, &json))
        TRY(read_log_entry(reg, json));
    const struct table_header *now = &reg->edit->now;
    if (now->next_log > 0 && now->last_updated_ms < now->last_log_ms - TABLE_CLOCK_SKEW_MS)
        return FAIL(reg->diag, INVALID,
                    "Invalid update timestamp %" PRId64
                    ": before last snapshot log entry at %" PRId64,
                    now->last_updated_ms, now->last_log_ms);
    return OK;
}

static status read_metadata_log(struct registration *reg)
{
    const struct json *list = NULL;
    TRY(get_list(reg, "metadata-log", &list));
    struct json_iter iter = json_iter(list);
    const struct json *json;
    int64_t last_ms = INT64_MIN;
    while (json_next(&iter, NULL, &json)) {
        struct str file;
        int64_t timestamp_ms = 0;
        TRY(json_need_i64(json, "timestamp-ms", "metadata-log", reg->diag, &timestamp_ms));
        TRY(json_need_str(json, "metadata-file", "metadata-log", reg->diag, &file));
        if (last_ms != INT64_MIN && timestamp_ms < last_ms - TABLE_CLOCK_SKEW_MS)
            return FAIL(reg->diag, INVALID, "%s: the metadata-log is not sorted by time", document);
        last_ms = timestamp_ms;
        struct key key =
            table__key_u64(reg->edit, PART_METADATA_LOG, reg->edit->now.next_metadata_log++);
        TRY(put_json(reg->edit, &key, json));
    }
    return OK;
}

static status read_files(struct registration *reg, const char *name, enum key_part part)
{
    const struct json *list = NULL;
    TRY(get_list(reg, name, &list));
    struct json_iter iter = json_iter(list);
    const struct json *json;
    while (json_next(&iter, NULL, &json)) {
        struct str path;
        int64_t id = 0;
        TRY(json_need_i64(json, "snapshot-id", name, reg->diag, &id));
        TRY(json_need_str(json, "statistics-path", name, reg->diag, &path));
        struct key key = table__key_i64(reg->edit, part, id);
        TRY(put_json(reg->edit, &key, json));
    }
    return OK;
}

static status read_keys(struct registration *reg)
{
    const struct json *list = NULL;
    TRY(get_list(reg, "encryption-keys", &list));
    struct json_iter iter = json_iter(list);
    const struct json *json;
    while (json_next(&iter, NULL, &json)) {
        struct str id;
        TRY(json_need_str(json, "key-id", "encryption-keys", reg->diag, &id));
        struct key key = table__key_name(reg->edit, PART_ENCRYPTION_KEY, id);
        TRY(put_json(reg->edit, &key, json));
    }
    return OK;
}

/* --- the whole --- */

/* The number a file name begins with ("00003-<uuid>.metadata.json"), as Iceberg reads it; else
 * 0. */
static uint64_t version_of_file(struct str metadata_location)
{
    struct str name =
        str_from_pos(metadata_location, (size_t)(str_rfind(metadata_location, '/') + 1));
    ptrdiff_t dash = str_find(name, '-');
    uint64_t version = 0;
    if (dash <= 0 || !str_to_u64(str_slice(name, 0, (size_t)dash), &version))
        return 0;
    return version > INT32_MAX ? 0 : version;
}

static status read_document(struct registration *reg)
{
    TRY(read_scalars(reg));
    TRY(read_schemas(reg));
    TRY(read_specs(reg));
    TRY(read_orders(reg));
    TRY(read_properties(reg));
    TRY(read_snapshots(reg));
    TRY(read_refs(reg));
    TRY(read_snapshot_log(reg));
    TRY(read_metadata_log(reg));
    TRY(read_files(reg, "statistics", PART_STATISTICS));
    TRY(read_files(reg, "partition-statistics", PART_PARTITION_STATISTICS));
    TRY(read_keys(reg));
    return read_extra(reg);
}

status_value table__register(struct catalog_context *context, const struct catalog__place *place,
                             struct str metadata_location, struct str metadata_file,
                             uint64_t old_id, struct catalog_response *out, uint64_t *out_id)
{
    struct json_limits limits = json_limits_document();
    struct table_edit *edit = ARENA_NEW(context->arena, struct table_edit);
    struct registration reg = {.edit = edit, .diag = context->diag};
    uint64_t id = 0;
    if (edit == NULL)
        return FAIL(context->diag, NOMEM, "could not register the table: memory budget exhausted");
    TRY(json_parse(context->arena, metadata_file, &limits, context->diag, &reg.root));
    if (!json_is(reg.root, JSON_OBJECT))
        return FAIL(context->diag, INVALID, "Cannot parse metadata from a non-object");
    TRY(catalog__next_id(context, place->warehouse.id, &id));
    table__edit_create(edit, context, place, id, TABLE_FORMAT_DEFAULT);
    edit->now.metadata_location = metadata_location;
    edit->now.version = version_of_file(metadata_location);
    TRY(read_document(&reg));
    TRY(table__header_put(edit));
    if (old_id != 0)
        TRY(table__drop(context, place, old_id, false));
    TRY(table__respond_header(context, place, id, &edit->now, true, false, out));
    *out_id = id;
    return OK;
}
