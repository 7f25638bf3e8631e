/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table_requirement.c - what a client says must still be true (REST OpenAPI
 * "TableRequirement").
 *
 * A requirement that does not hold is a conflict (409) with Iceberg's text; one that is not
 * understood, or is about views, is a bad request. Each reads the header or one ref row.
 */
#include "catalog/table.h"

#include <inttypes.h>

typedef status_value (*requirement_fn)(struct table_edit *edit, const struct json *requirement);

static status require_create(struct table_edit *edit, const struct json *requirement)
{
    (void)requirement;
    return FAIL(edit->context->diag, COMMIT_FAILED, "Requirement failed: table already exists");
}

static status require_uuid(struct table_edit *edit, const struct json *requirement)
{
    struct str uuid;
    TRY(json_need_str(requirement, "uuid", "assert-table-uuid", edit->context->diag, &uuid));
    if (str_eq_nocase(uuid, edit->now.uuid))
        return OK;
    return FAIL(edit->context->diag, COMMIT_FAILED,
                "Requirement failed: UUID does not match: expected %.*s != %.*s",
                STR_ARG(edit->now.uuid), STR_ARG(uuid));
}

static status compare_ref(struct table_edit *edit, const struct table_ref *ref, bool wants_one,
                          int64_t wanted)
{
    const char *type = ref->is_tag ? "tag" : "branch";
    if (!wants_one)
        return FAIL(edit->context->diag, COMMIT_FAILED,
                    "Requirement failed: %s %.*s was created concurrently", type,
                    STR_ARG(ref->name));
    if (ref->snapshot_id == wanted)
        return OK;
    return FAIL(edit->context->diag, COMMIT_FAILED,
                "Requirement failed: %s %.*s has changed: expected id %" PRId64 " != %" PRId64,
                type, STR_ARG(ref->name), wanted, ref->snapshot_id);
}

/* null, absent and -1 all say "there must be no such ref". */
static status require_ref(struct table_edit *edit, const struct json *requirement)
{
    struct diag *diag = edit->context->diag;
    struct str name;
    struct table_ref ref;
    int64_t wanted = TABLE_NO_SNAPSHOT;
    bool has_wanted = false;
    bool found = false;
    TRY(json_need_str(requirement, "ref", "assert-ref-snapshot-id", diag, &name));
    TRY(json_opt_i64(requirement, "snapshot-id", "assert-ref-snapshot-id", diag, &wanted,
                     &has_wanted));
    bool wants_one = has_wanted && wanted != TABLE_NO_SNAPSHOT;
    if (name.size > 0)
        TRY(table__ref_get(edit, name, &ref, &found));
    if (found)
        return compare_ref(edit, &ref, wants_one, wanted);
    if (!wants_one)
        return OK;
    return FAIL(diag, COMMIT_FAILED,
                "Requirement failed: branch or tag %.*s is missing, expected %" PRId64,
                STR_ARG(name), wanted);
}

static status require_number(struct table_edit *edit, const struct json *requirement,
                             const char *key, const char *what, int32_t present)
{
    int32_t wanted = 0;
    TRY(json_need_i32(requirement, key, "requirement", edit->context->diag, &wanted));
    if (wanted == present)
        return OK;
    return FAIL(edit->context->diag, COMMIT_FAILED,
                "Requirement failed: %s changed: expected id %d != %d", what, wanted, present);
}

static status require_field_id(struct table_edit *edit, const struct json *requirement)
{
    return require_number(edit, requirement, "last-assigned-field-id", "last assigned field id",
                          edit->now.last_column_id);
}

static status require_schema(struct table_edit *edit, const struct json *requirement)
{
    return require_number(edit, requirement, "current-schema-id", "current schema",
                          edit->now.current_schema_id);
}

static status require_partition_id(struct table_edit *edit, const struct json *requirement)
{
    return require_number(edit, requirement, "last-assigned-partition-id",
                          "last assigned partition id", edit->now.last_partition_id);
}

static status require_spec(struct table_edit *edit, const struct json *requirement)
{
    return require_number(edit, requirement, "default-spec-id", "default partition spec",
                          edit->now.default_spec_id);
}

static status require_order(struct table_edit *edit, const struct json *requirement)
{
    return require_number(edit, requirement, "default-sort-order-id", "default sort order",
                          edit->now.default_order_id);
}

static status require_view_uuid(struct table_edit *edit, const struct json *requirement)
{
    (void)requirement;
    return FAIL(edit->context->diag, INVALID, "Cannot validate AssertViewUUID against a table");
}

static const struct {
    const char *name;
    requirement_fn check;
} requirements_known[] = {
    {"assert-ref-snapshot-id", require_ref},
    {"assert-table-uuid", require_uuid},
    {"assert-create", require_create},
    {"assert-last-assigned-field-id", require_field_id},
    {"assert-current-schema-id", require_schema},
    {"assert-last-assigned-partition-id", require_partition_id},
    {"assert-default-spec-id", require_spec},
    {"assert-default-sort-order-id", require_order},
    {"assert-view-uuid", require_view_uuid},
};

static status check_one(struct table_edit *edit, const struct json *requirement)
{
    struct diag *diag = edit->context->diag;
    struct str type;
    if (!json_is(requirement, JSON_OBJECT))
        return FAIL(diag, INVALID, "Cannot parse update requirement from non-object value");
    if (!json_as_str(json_get(requirement, "type"), &type))
        return FAIL(diag, INVALID, "Cannot parse update requirement. Missing field: type");
    for (size_t i = 0; i < COUNTOF(requirements_known); i++) {
        if (str_eq_nocase(type, str_from(requirements_known[i].name)))
            return requirements_known[i].check(edit, requirement);
    }
    return FAIL(diag, INVALID, "Cannot check update requirement of unknown type: %.*s",
                STR_ARG(type));
}

status_value table__requirements_check(struct table_edit *edit, const struct json *requirements)
{
    if (!json_is_null(requirements) && !json_is(requirements, JSON_ARRAY))
        return FAIL(edit->context->diag, INVALID, "requirements must be an array");
    struct json_iter iter = json_iter(requirements);
    const struct json *requirement;
    while (json_next(&iter, NULL, &requirement))
        TRY(check_one(edit, requirement));
    return OK;
}
