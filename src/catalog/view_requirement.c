/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view_requirement.c - what must hold before a view is changed: only assert-view-uuid.
 */
#include "catalog/view_internal.h"

static const char *const table_requirements[] = {"assert-create",
                                                 "assert-table-uuid",
                                                 "assert-ref-snapshot-id",
                                                 "assert-last-assigned-field-id",
                                                 "assert-current-schema-id",
                                                 "assert-last-assigned-partition-id",
                                                 "assert-default-spec-id",
                                                 "assert-default-sort-order-id"};

static status_value check_uuid(const struct view *view, const struct json *requirement)
{
    struct str uuid;
    TRY(json_need_str(requirement, "uuid", "assert-view-uuid", view->diag, &uuid));
    if (!str_eq_nocase(uuid, view->header.uuid))
        return FAIL(view->diag, COMMIT_FAILED,
                    "Requirement failed: view UUID does not match: expected %.*s != %.*s",
                    STR_ARG(view->header.uuid), STR_ARG(uuid));
    return OK;
}

static status_value check_one(const struct view *view, const struct json *requirement)
{
    struct str type;
    TRY(json_need_str(requirement, "type", "view requirement", view->diag, &type));
    if (str_eq_nocase(type, STR("assert-view-uuid")))
        return check_uuid(view, requirement);
    for (size_t i = 0; i < COUNTOF(table_requirements); i++) {
        if (str_eq_nocase(type, str_from(table_requirements[i])))
            return FAIL(view->diag, INVALID, "Cannot validate %s against a view",
                        table_requirements[i]);
    }
    return FAIL(view->diag, INVALID, "cannot check a view requirement: unknown type %.*s",
                STR_ARG(type));
}

status_value view__check_requirements(const struct view *view, const struct json *requirements)
{
    struct json_iter iter = json_iter(requirements);
    const struct json *requirement;
    while (json_next(&iter, NULL, &requirement))
        TRY(check_one(view, requirement));
    return OK;
}
