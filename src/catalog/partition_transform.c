/* SPDX-License-Identifier: Apache-2.0 */
/*
 * partition_transform.c - the transforms of partition and sort fields, and the columns they read.
 *
 * Format: identity, bucket[N], truncate[W], year, month, day, hour, void, compared without regard
 * to case. Which source types each takes: Iceberg spec, "Partition Transforms". A transform of a
 * newer spec takes any primitive type here, for only its writers know better.
 *
 * I1  A transform's sources are set over schema_type by one bit per type.
 */
#include "catalog/partition_internal.h"

#define TYPE_BIT(name) (UINT32_C(1) << SCHEMA_##name)

static const uint32_t bits_timestamp =
    TYPE_BIT(TIMESTAMP) | TYPE_BIT(TIMESTAMPTZ) | TYPE_BIT(TIMESTAMP_NS) | TYPE_BIT(TIMESTAMPTZ_NS);
static const uint32_t bits_truncate =
    TYPE_BIT(INT) | TYPE_BIT(LONG) | TYPE_BIT(DECIMAL) | TYPE_BIT(STRING) | TYPE_BIT(BINARY);
static const uint32_t bits_bucket_only =
    TYPE_BIT(DATE) | TYPE_BIT(TIME) | TYPE_BIT(UUID) | TYPE_BIT(FIXED);

struct transform_row {
    const char *word;
    enum transform_kind kind;
    const char *parameter; /* what a message calls it; NULL: takes none */
};

static const struct transform_row transform_rows[] = {
    {"identity", TRANSFORM_IDENTITY, NULL},
    {"bucket", TRANSFORM_BUCKET, "number of buckets"},
    {"truncate", TRANSFORM_TRUNCATE, "truncate width"},
    {"year", TRANSFORM_YEAR, NULL},
    {"month", TRANSFORM_MONTH, NULL},
    {"day", TRANSFORM_DAY, NULL},
    {"hour", TRANSFORM_HOUR, NULL},
    {"void", TRANSFORM_VOID, NULL}};

/* Cuts "bucket[16]" into "bucket" and "16". */
static bool has_parameter(struct str text, struct str *out_word, struct str *out_parameter)
{
    ptrdiff_t open = str_find(text, '[');
    if (open < 0 || text.data[text.size - 1] != ']')
        return false;
    *out_word = str_slice(text, 0, (size_t)open);
    *out_parameter = str_slice(text, (size_t)open + 1, text.size - 1);
    return true;
}

status_value partition__transform_parse(struct str text, struct diag *diag,
                                        enum transform_kind *out)
{
    struct str word = text;
    struct str parameter = STR("");
    bool bracketed = has_parameter(text, &word, &parameter);
    *out = TRANSFORM_OTHER;
    for (size_t i = 0; i < COUNTOF(transform_rows); i++) {
        const struct transform_row *row = &transform_rows[i];
        if (!str_eq_nocase(word, str_from(row->word)) || bracketed != (row->parameter != NULL))
            continue;
        uint64_t number;
        if (bracketed && !str_to_u64(parameter, &number))
            return OK;
        if (bracketed && (number == 0 || number > INT32_MAX))
            return FAIL(diag, ILLEGAL_ARGUMENT, "Invalid %s: %.*s (must be > 0)", row->parameter,
                        STR_ARG(parameter));
        *out = row->kind;
        return OK;
    }
    return OK;
}

static uint32_t source_bits(enum transform_kind kind)
{
    switch (kind) {
    case TRANSFORM_BUCKET: return bits_truncate | bits_bucket_only | bits_timestamp;
    case TRANSFORM_TRUNCATE: return bits_truncate;
    case TRANSFORM_YEAR:
    case TRANSFORM_MONTH:
    case TRANSFORM_DAY: return bits_timestamp | TYPE_BIT(DATE);
    case TRANSFORM_HOUR: return bits_timestamp;
    case TRANSFORM_IDENTITY: return ~(TYPE_BIT(VARIANT) | TYPE_BIT(GEOMETRY) | TYPE_BIT(GEOGRAPHY));
    case TRANSFORM_VOID:
    case TRANSFORM_OTHER: break;
    }
    return UINT32_MAX;
}

bool partition__transform_applies(enum transform_kind kind, enum schema_type source)
{
    return (source_bits(kind) >> source & 1) != 0;
}

static status_value check_source(const struct schema *schema, int32_t source_id,
                                 const struct partition__use *use, enum transform_kind kind,
                                 struct diag *diag)
{
    const struct schema_field *source = schema_field_by_id(schema, source_id);
    if (source == NULL)
        return FAIL(diag, ILLEGAL_ARGUMENT, "Cannot find source column for %s field: %s", use->what,
                    use->described);
    if (!source->is_primitive)
        return FAIL(diag, ILLEGAL_ARGUMENT, "Cannot %s by non-primitive source field: %.*s",
                    use->what, STR_ARG(source->type_text));
    if (!partition__transform_applies(kind, source->type))
        return FAIL(diag, ILLEGAL_ARGUMENT, "Invalid source type %.*s for transform: %.*s",
                    STR_ARG(source->type_text), STR_ARG(use->transform));
    if (!source->parent_is_struct)
        return FAIL(diag, ILLEGAL_ARGUMENT, "Invalid %s field parent: %.*s lies in a list or map",
                    use->what, STR_ARG(source->full_name));
    return OK;
}

status_value partition__check_sources(const struct schema *schema, const struct partition__use *use,
                                      struct diag *diag)
{
    enum transform_kind kind;
    TRY(partition__transform_parse(use->transform, diag, &kind));
    if (kind == TRANSFORM_VOID)
        return OK; /* its column may be gone */
    for (size_t i = 0; i < use->sources->count; i++)
        TRY(check_source(schema, use->sources->ids[i], use, kind, diag));
    return OK;
}

static status_value plural_sources(struct arena *arena, const struct json *ids, const char *what,
                                   struct diag *diag, struct field_sources *out)
{
    struct field_sources sources = {.is_list = true};
    if (!json_is(ids, JSON_ARRAY) || json_size(ids) == 0)
        return FAIL(diag, INVALID, "cannot parse %s field: source-ids must be an array with ids",
                    what);
    sources.ids = ARENA_ARRAY(arena, int32_t, json_size(ids));
    if (sources.ids == NULL)
        return FAIL(diag, NOMEM, "could not hold %zu source ids", json_size(ids));
    struct json_iter iter = json_iter(ids);
    const struct json *item;
    while (json_next(&iter, NULL, &item)) {
        if (!json_as_i32(item, &sources.ids[sources.count++]))
            return FAIL(diag, INVALID,
                        "cannot parse %s field: source-ids must hold 32-bit integers", what);
    }
    *out = sources;
    return OK;
}

status_value partition__sources_parse(struct arena *arena, const struct json *field,
                                      const char *what, struct diag *diag,
                                      struct field_sources *out)
{
    const struct json *plural = json_get(field, "source-ids");
    if (!json_is_null(plural) && json_is_null(json_get(field, "source-id")))
        return plural_sources(arena, plural, what, diag, out);
    int32_t id;
    TRY(json_need_i32(field, "source-id", what, diag, &id));
    struct field_sources sources = {.count = 1, .ids = ARENA_NEW(arena, int32_t)};
    if (sources.ids == NULL)
        return FAIL(diag, NOMEM, "could not hold a source id");
    sources.ids[0] = id;
    *out = sources;
    return OK;
}

bool partition__sources_same(const struct field_sources *a, const struct field_sources *b)
{
    return a->count == b->count && memcmp(a->ids, b->ids, a->count * sizeof(a->ids[0])) == 0;
}

status_value partition__sources_rebind(struct arena *arena, const struct field_sources *sources,
                                       const struct schema *from, const struct schema *to,
                                       const char *what, struct diag *diag,
                                       struct field_sources *out)
{
    struct field_sources bound = *sources;
    bound.ids = ARENA_ARRAY(arena, int32_t, sources->count);
    if (bound.ids == NULL)
        return FAIL(diag, NOMEM, "could not hold %zu source ids", sources->count);
    for (size_t i = 0; i < sources->count; i++) {
        const struct schema_field *old = schema_field_by_id(from, sources->ids[i]);
        const struct schema_field *field =
            old == NULL ? NULL : schema_field_by_name(to, old->full_name);
        if (field == NULL)
            return FAIL(diag, ILLEGAL_ARGUMENT, "Cannot find source column for %s field: %d", what,
                        sources->ids[i]);
        bound.ids[i] = field->id;
    }
    *out = bound;
    return OK;
}

static void write_id_list(struct json_writer *w, const struct field_sources *sources)
{
    jw_array(w);
    for (size_t i = 0; i < sources->count; i++)
        jw_i64(w, sources->ids[i]);
    jw_end(w);
}

void partition__write_member(struct json_writer *w, struct str key, const struct json *value,
                             const struct field_sources *sources)
{
    jw_key_str(w, key);
    if (str_is(key, "source-id") && !sources->is_list)
        jw_i64(w, sources->ids[0]);
    else if (str_is(key, "source-ids") && sources->is_list)
        write_id_list(w, sources);
    else
        jw_value(w, value);
}
