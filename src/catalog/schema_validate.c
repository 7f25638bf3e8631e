/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema_validate.c - what a table of a format version may take up.
 *
 * Rules: types and defaults by version, kinds of defaults, identifier fields, reserved ids
 * (Iceberg spec, "Default values", "Identifier Field IDs", "Reserved Field IDs").
 * Evolution rules (promotion, required to optional) are not checked, as in Java.
 */
#include "catalog/schema_internal.h"

#include <stdarg.h>
#include <stdio.h>

enum { DEFAULTS_MIN_VERSION = 3, TEXT_SIZE = 512 };

/* A small text that is cut when full; messages need no more. */
struct text {
    char data[TEXT_SIZE];
    size_t size;
};

static TN_PRINTF(2, 3) void text_add(struct text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int added = vsnprintf(text->data + text->size, TEXT_SIZE - text->size, format, args);
    va_end(args);
    text->size = added < 0 ? text->size : text->size + (size_t)added;
    if (text->size >= TEXT_SIZE)
        text->size = TEXT_SIZE - 1;
}

static void text_add_value(struct text *text, const struct json *value)
{
    struct str s;
    int64_t number;
    bool flag;
    if (json_as_str(value, &s))
        text_add(text, "%.*s", STR_ARG(s));
    else if (json_as_i64(value, &number))
        text_add(text, "%lld", (long long)number);
    else if (json_as_bool(value, &flag))
        text_add(text, "%s", flag ? "true" : "false");
    else
        text_add(text, "%s", json_kind_name(json_kind_of(value)));
}

/* --- the list of problems that depend on the format version --- */

static bool has_version_problem(const struct schema_field *field, int32_t version)
{
    return schema__type_min_version(field->type) > version ||
           (version < DEFAULTS_MIN_VERSION &&
            !json_is_null(json_get(field->json, "initial-default")));
}

static void describe_version_problem(const struct schema_field *field, int32_t version,
                                     struct text *text)
{
    int32_t needed = schema__type_min_version(field->type);
    if (needed > version) {
        text_add(text, "\n- Invalid type for %.*s: %.*s is not supported until v%d",
                 STR_ARG(field->full_name), STR_ARG(field->type_text), needed);
        return;
    }
    text_add(text, "\n- Invalid initial default for %.*s: non-null default (",
             STR_ARG(field->full_name));
    text_add_value(text, json_get(field->json, "initial-default"));
    text_add(text, ") is not supported until v%d", DEFAULTS_MIN_VERSION);
}

/* The problem with the smallest field id above `after`. */
static const struct schema_field *next_version_problem(const struct schema *schema, int32_t version,
                                                       int64_t after)
{
    const struct schema_field *best = NULL;
    for (size_t i = 0; i < schema->count; i++) {
        const struct schema_field *field = &schema->fields[i];
        if (field->id > after && (best == NULL || field->id < best->id) &&
            has_version_problem(field, version))
            best = field;
    }
    return best;
}

static status_value check_version(const struct schema *schema, int32_t version, struct diag *diag)
{
    struct text text = {.size = 0};
    const struct schema_field *problem = next_version_problem(schema, version, INT64_MIN);
    while (problem != NULL && text.size < TEXT_SIZE - 1) {
        describe_version_problem(problem, version, &text);
        problem = next_version_problem(schema, version, problem->id);
    }
    if (text.size > 0)
        return FAIL(diag, ILLEGAL_ARGUMENT, "Invalid schema for v%d:%s", version, text.data);
    return OK;
}

/* --- defaults --- */

static bool default_kind_matches(enum schema_type type, const struct json *value)
{
    int32_t int_value;
    switch (type) {
    case SCHEMA_BOOLEAN: return json_is(value, JSON_BOOL);
    case SCHEMA_INT: return json_as_i32(value, &int_value);
    case SCHEMA_LONG: return json_is(value, JSON_INT);
    case SCHEMA_FLOAT:
    case SCHEMA_DOUBLE: return json_is(value, JSON_INT) || json_is(value, JSON_REAL);
    case SCHEMA_DECIMAL:
    case SCHEMA_DATE:
    case SCHEMA_TIME:
    case SCHEMA_TIMESTAMP:
    case SCHEMA_TIMESTAMPTZ:
    case SCHEMA_TIMESTAMP_NS:
    case SCHEMA_TIMESTAMPTZ_NS:
    case SCHEMA_STRING:
    case SCHEMA_UUID:
    case SCHEMA_FIXED:
    case SCHEMA_BINARY: return json_is(value, JSON_STRING);
    case SCHEMA_VARIANT:
    case SCHEMA_UNKNOWN:
    case SCHEMA_GEOMETRY:
    case SCHEMA_GEOGRAPHY:
    case SCHEMA_STRUCT:
    case SCHEMA_LIST:
    case SCHEMA_MAP: return false;
    }
    return false;
}

static bool takes_no_default(const struct schema_field *field)
{
    return !field->is_primitive || field->type == SCHEMA_UNKNOWN ||
           field->type == SCHEMA_GEOMETRY || field->type == SCHEMA_GEOGRAPHY;
}

static status_value check_default(const struct schema_field *field, const char *key,
                                  struct diag *diag)
{
    const struct json *value = json_get(field->json, key);
    if (json_is_null(value))
        return OK;
    struct text text = {.size = 0};
    text_add_value(&text, value);
    if (takes_no_default(field))
        return FAIL(diag, ILLEGAL_ARGUMENT, "Invalid default value for %.*s: %s (must be null)",
                    STR_ARG(field->type_text), text.data);
    if (!default_kind_matches(field->type, value))
        return FAIL(diag, ILLEGAL_ARGUMENT, "Cannot parse default as a %.*s value: %s",
                    STR_ARG(field->type_text), text.data);
    return OK;
}

static status_value check_field(const struct schema_field *field, struct diag *diag)
{
    if (field->id < 0 || field->id > SCHEMA__FIELD_ID_MAX)
        return FAIL(diag, ILLEGAL_ARGUMENT,
                    "Invalid schema: field id %d of %.*s is not in the range 0 to %d", field->id,
                    STR_ARG(field->full_name), SCHEMA__FIELD_ID_MAX);
    if (field->required && field->type == SCHEMA_UNKNOWN)
        return FAIL(diag, ILLEGAL_ARGUMENT, "Cannot create required field with unknown type: %.*s",
                    STR_ARG(field->name));
    TRY(check_default(field, "initial-default", diag));
    return check_default(field, "write-default", diag);
}

/* --- identifier fields --- */

static status_value check_identifier_itself(const struct schema_field *field, struct diag *diag)
{
    const char *why = NULL;
    if (!field->is_primitive)
        why = "not a primitive type field";
    else if (!field->required)
        why = "not a required field";
    else if (field->type == SCHEMA_FLOAT || field->type == SCHEMA_DOUBLE)
        why = "must not be float or double field";
    if (why != NULL)
        return FAIL(diag, ILLEGAL_ARGUMENT, "Cannot add field %.*s as an identifier field: %s",
                    STR_ARG(field->name), why);
    return OK;
}

/* From the inside out; parents come before children in the schema, so this ends. */
static status_value check_identifier_parents(const struct schema *schema,
                                             const struct schema_field *field, struct diag *diag)
{
    const struct schema_field *parent = field;
    while (parent->parent_id != -1) {
        parent = schema_field_by_id(schema, parent->parent_id);
        ASSERT(parent != NULL);
        if (parent->type != SCHEMA_STRUCT)
            return FAIL(diag, ILLEGAL_ARGUMENT,
                        "Cannot add field %.*s as an identifier field: must not be nested in %d: "
                        "%.*s: %.*s",
                        STR_ARG(field->name), parent->id, STR_ARG(parent->full_name),
                        STR_ARG(parent->type_text));
        if (!parent->required)
            return FAIL(diag, ILLEGAL_ARGUMENT,
                        "Cannot add field %.*s as an identifier field: must not be nested in an "
                        "optional field %d: %.*s",
                        STR_ARG(field->name), parent->id, STR_ARG(parent->full_name));
    }
    return OK;
}

static status_value check_identifier(const struct schema *schema, int32_t id, struct diag *diag)
{
    const struct schema_field *field = schema_field_by_id(schema, id);
    if (field == NULL)
        return FAIL(diag, ILLEGAL_ARGUMENT,
                    "Cannot add fieldId %d as an identifier field: field does not exist", id);
    TRY(check_identifier_itself(field, diag));
    return check_identifier_parents(schema, field, diag);
}

status_value schema_validate(const struct schema *schema, int32_t format_version, struct diag *diag)
{
    for (size_t i = 0; i < schema->count; i++)
        TRY(check_field(&schema->fields[i], diag));
    for (size_t i = 0; i < schema->identifier_count; i++)
        TRY(check_identifier(schema, schema->identifiers[i], diag));
    return check_version(schema, format_version, diag);
}
