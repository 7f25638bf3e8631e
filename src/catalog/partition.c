/* SPDX-License-Identifier: Apache-2.0 */
/*
 * partition.c - partition specs: parse, check, compare, number, rebind, write.
 *
 * Format: {"spec-id":0,"fields":[{"name","transform","source-id"|"source-ids","field-id"}]}
 * (Iceberg spec, Appendix C, "Partition Specs"). A field keeps the JSON it came from.
 *
 * Redundancy: two fields with the same sources and transform are refused (except void, which stands
 * for a field that was removed from a v1 table). Two different time transforms of one column are
 * not: clients reach them by evolving a spec in two steps, and Java's server takes them.
 */
#include "catalog/partition_internal.h"

#include <stdio.h>

enum { DESCRIPTION_SIZE = 256 };

struct description {
    char text[DESCRIPTION_SIZE];
};

/* "1000: ts_day: day(4)", as in Iceberg's messages. */
static void describe(const struct spec_field *field, struct description *out)
{
    (void)snprintf(out->text, sizeof(out->text), "%d: %.*s: %.*s(%d)", field->field_id,
                   STR_ARG(field->name), STR_ARG(field->transform), field->source_id);
}

static status_value parse_field_id(const struct json *json, struct spec_field *field,
                                   struct diag *diag)
{
    if (json_is_null(json_get(json, "field-id")))
        return OK;
    TRY(json_need_i32(json, "field-id", "partition field", diag, &field->field_id));
    if (field->field_id <= 0)
        return FAIL(diag, ILLEGAL_ARGUMENT, "Invalid partition field id: %d", field->field_id);
    return OK;
}

static status_value parse_field(struct arena *arena, const struct json *json, struct diag *diag,
                                struct spec_field *out)
{
    struct spec_field field = {.json = json};
    TRY(json_need_str(json, "name", "partition field", diag, &field.name));
    TRY(json_need_str(json, "transform", "partition field", diag, &field.transform));
    TRY(partition__sources_parse(arena, json, "partition", diag, &field.sources));
    TRY(parse_field_id(json, &field, diag));
    field.source_id = field.sources.ids[0];
    *out = field;
    return OK;
}

static status_value check_ids_complete(const struct spec *spec, struct diag *diag)
{
    size_t missing = 0;
    for (size_t i = 0; i < spec->field_count; i++)
        missing += spec->fields[i].field_id == 0;
    if (missing > 0 && missing < spec->field_count)
        return FAIL(diag, ILLEGAL_ARGUMENT,
                    "Cannot parse spec with missing field IDs: %zu missing of %zu fields.", missing,
                    spec->field_count);
    return OK;
}

static status_value parse_spec(struct arena *arena, struct spec *spec, struct diag *diag)
{
    const struct json *fields;
    if (!json_is_null(json_get(spec->json, "spec-id")))
        TRY(json_need_i32(spec->json, "spec-id", "partition spec", diag, &spec->id));
    TRY(json_need_array(spec->json, "fields", "partition spec", diag, &fields));
    spec->fields = ARENA_ARRAY(arena, struct spec_field, json_size(fields));
    if (spec->fields == NULL)
        return FAIL(diag, NOMEM, "could not hold %zu partition fields", json_size(fields));
    struct json_iter iter = json_iter(fields);
    const struct json *item;
    while (json_next(&iter, NULL, &item)) {
        TRY(parse_field(arena, item, diag, &spec->fields[spec->field_count]));
        spec->field_count++;
    }
    return check_ids_complete(spec, diag);
}

status_value spec_parse(struct arena *arena, const struct json *json, struct diag *diag,
                        struct spec **out)
{
    struct spec *spec = ARENA_NEW(arena, struct spec);
    if (spec == NULL)
        return FAIL(diag, NOMEM, "could not hold a partition spec");
    spec->json = json;
    TRY(parse_spec(arena, spec, diag));
    *out = spec;
    return OK;
}

/* --- checks --- */

static status_value check_name(const struct spec_field *field, const struct schema *schema,
                               struct diag *diag)
{
    if (field->name.size == 0)
        return FAIL(diag, ILLEGAL_ARGUMENT, "Cannot use empty partition name: ");
    const struct schema_field *column = schema_field_by_name(schema, field->name);
    bool source_is_gone = schema_field_by_id(schema, field->source_id) == NULL;
    if (column != NULL && column->id != field->source_id && !source_is_gone)
        return FAIL(diag, ILLEGAL_ARGUMENT,
                    "Cannot create identity partition sourced from different field in schema: %.*s",
                    STR_ARG(field->name));
    return OK;
}

static status_value check_pair(const struct spec_field *a, const struct spec_field *b,
                               struct diag *diag)
{
    if (str_eq(a->name, b->name))
        return FAIL(diag, ILLEGAL_ARGUMENT, "Cannot use partition name more than once: %.*s",
                    STR_ARG(a->name));
    if (a->field_id != 0 && a->field_id == b->field_id)
        return FAIL(diag, ILLEGAL_ARGUMENT, "Cannot use partition field id more than once: %d",
                    a->field_id);
    if (partition__sources_same(&a->sources, &b->sources) &&
        str_eq_nocase(a->transform, b->transform) && !str_eq_nocase(a->transform, STR("void"))) {
        struct description first;
        struct description second;
        describe(a, &first);
        describe(b, &second);
        return FAIL(diag, ILLEGAL_ARGUMENT, "Cannot add redundant partition: %s conflicts with %s",
                    first.text, second.text);
    }
    return OK;
}

static status_value check_sequential(const struct spec *spec, struct diag *diag)
{
    for (size_t i = 0; i < spec->field_count; i++) {
        if (spec->fields[i].field_id != PARTITION_FIRST_FIELD_ID + (int32_t)i)
            return FAIL(diag, ILLEGAL_ARGUMENT,
                        "Spec does not use sequential IDs that are required in v1: field %.*s has "
                        "id %d",
                        STR_ARG(spec->fields[i].name), spec->fields[i].field_id);
    }
    return OK;
}

status_value spec_check_sources(const struct spec *spec, const struct schema *schema,
                                struct diag *diag)
{
    for (size_t i = 0; i < spec->field_count; i++) {
        const struct spec_field *field = &spec->fields[i];
        struct description described;
        describe(field, &described);
        const struct partition__use use = {.what = "partition",
                                           .described = described.text,
                                           .transform = field->transform,
                                           .sources = &field->sources};
        TRY(partition__check_sources(schema, &use, diag));
    }
    return OK;
}

status_value spec_validate(const struct spec *spec, const struct schema *schema,
                           int32_t format_version, struct diag *diag)
{
    if (spec->field_count > PARTITION_FIELDS_MAX)
        return FAIL(diag, ILLEGAL_ARGUMENT, "Invalid partition spec: %zu fields; the limit is %d",
                    spec->field_count, PARTITION_FIELDS_MAX);
    for (size_t i = 0; i < spec->field_count; i++) {
        TRY(check_name(&spec->fields[i], schema, diag));
        for (size_t j = 0; j < i; j++)
            TRY(check_pair(&spec->fields[j], &spec->fields[i], diag));
    }
    TRY(spec_check_sources(spec, schema, diag));
    return format_version == 1 ? check_sequential(spec, diag) : OK;
}

/* --- compare, number, rebind --- */

static bool same_partition(const struct spec_field *a, const struct spec_field *b)
{
    return partition__sources_same(&a->sources, &b->sources) &&
           str_eq_nocase(a->transform, b->transform);
}

bool spec_compatible(const struct spec *a, const struct spec *b)
{
    if (a->field_count != b->field_count)
        return false;
    for (size_t i = 0; i < a->field_count; i++) {
        if (!same_partition(&a->fields[i], &b->fields[i]) ||
            !str_eq(a->fields[i].name, b->fields[i].name))
            return false;
    }
    return true;
}

static bool spec_uses_id(const struct spec *spec, int32_t field_id)
{
    for (size_t i = 0; i < spec->field_count; i++) {
        if (spec->fields[i].field_id == field_id)
            return true;
    }
    return false;
}

/* The id of an equal field of an older spec that `spec` does not use yet, or 0. */
static int32_t older_field_id(const struct spec *spec, const struct spec_field *field,
                              const struct spec *const *older, size_t older_count)
{
    for (size_t i = 0; i < older_count; i++) {
        for (size_t j = 0; j < older[i]->field_count; j++) {
            const struct spec_field *candidate = &older[i]->fields[j];
            if (candidate->field_id != 0 && same_partition(candidate, field) &&
                !spec_uses_id(spec, candidate->field_id))
                return candidate->field_id;
        }
    }
    return 0;
}

void spec_assign_field_ids(struct spec *spec, const struct spec *const *older, size_t older_count,
                           int32_t last_partition_id)
{
    int32_t last = last_partition_id;
    for (size_t i = 0; i < spec->field_count; i++) {
        struct spec_field *field = &spec->fields[i];
        if (field->field_id != 0)
            continue;
        field->field_id = older_field_id(spec, field, older, older_count);
        if (field->field_id == 0 && last < INT32_MAX)
            field->field_id = ++last;
    }
}

int32_t spec_highest_field_id(const struct spec *spec)
{
    int32_t highest = PARTITION_LAST_ID_UNPARTITIONED;
    for (size_t i = 0; i < spec->field_count; i++) {
        if (spec->fields[i].field_id > highest)
            highest = spec->fields[i].field_id;
    }
    return highest;
}

status_value spec_rebind(struct arena *arena, const struct spec *spec, const struct schema *from,
                         const struct schema *to, struct diag *diag, struct spec **out)
{
    struct spec *bound = ARENA_NEW(arena, struct spec);
    struct spec_field *fields = ARENA_ARRAY(arena, struct spec_field, spec->field_count);
    if (bound == NULL || fields == NULL)
        return FAIL(diag, NOMEM, "could not hold a partition spec");
    *bound = *spec;
    bound->id = 0;
    bound->fields = fields;
    for (size_t i = 0; i < spec->field_count; i++) {
        fields[i] = spec->fields[i];
        TRY(partition__sources_rebind(arena, &spec->fields[i].sources, from, to, "partition", diag,
                                      &fields[i].sources));
        fields[i].source_id = fields[i].sources.ids[0];
        fields[i].field_id = PARTITION_FIRST_FIELD_ID + (int32_t)i;
    }
    *out = bound;
    return OK;
}

/* --- write --- */

static void write_field(struct json_writer *w, const struct spec_field *field)
{
    bool has_id = false;
    struct json_iter iter = json_iter(field->json);
    struct str key;
    const struct json *value;
    jw_object(w);
    while (json_next(&iter, &key, &value)) {
        if (!str_is(key, "field-id")) {
            partition__write_member(w, key, value, &field->sources);
        } else if (field->field_id != 0) {
            jw_key_str(w, key);
            jw_i64(w, field->field_id);
            has_id = true;
        }
    }
    if (!has_id && field->field_id != 0) {
        jw_key(w, "field-id");
        jw_i64(w, field->field_id);
    }
    jw_end(w);
}

void spec_write(const struct spec *spec, int32_t id, struct buf *out)
{
    struct json_writer w;
    json_writer_init(&w, out);
    jw_object(&w);
    jw_key(&w, "spec-id");
    jw_i64(&w, id);
    struct json_iter iter = json_iter(spec->json);
    struct str key;
    const struct json *value;
    while (json_next(&iter, &key, &value)) {
        if (str_is(key, "spec-id"))
            continue;
        jw_key_str(&w, key);
        if (!str_is(key, "fields")) {
            jw_value(&w, value);
            continue;
        }
        jw_array(&w);
        for (size_t i = 0; i < spec->field_count; i++)
            write_field(&w, &spec->fields[i]);
        jw_end(&w);
    }
    jw_end(&w);
}
