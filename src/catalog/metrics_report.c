/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics_report.c - what a client measured while it scanned or committed: checked here, logged by
 * the layer above, stored nowhere.
 *
 * A report type that is not known is accepted without a look at its members: Java's parser reads it
 * as UNKNOWN, so newer clients may send new ones, and losing a measurement must not fail their
 * query.
 */
#include "catalog/operations.h"

struct member {
    const char *name;
    enum json_kind kind;
};

static const struct member scan_members[] = {
    {"table-name", JSON_STRING},
    {"snapshot-id", JSON_INT},
    {"schema-id", JSON_INT},
    {"projected-field-ids", JSON_ARRAY},
    {"projected-field-names", JSON_ARRAY},
    {"metrics", JSON_OBJECT},
};
static const struct member commit_members[] = {
    {"table-name", JSON_STRING}, {"snapshot-id", JSON_INT}, {"sequence-number", JSON_INT},
    {"operation", JSON_STRING},  {"metrics", JSON_OBJECT},
};

static status members_check(struct catalog_context *context, const struct json *body,
                            const char *what, const struct member *members, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct json *value = json_get(body, members[i].name);
        if (value == NULL)
            return FAIL(context->diag, INVALID, "cannot parse %s: missing field %s", what,
                        members[i].name);
        if (!json_is(value, members[i].kind))
            return FAIL(context->diag, INVALID, "cannot parse %s: field %s must be %s, not %s",
                        what, members[i].name, json_kind_name(members[i].kind),
                        json_kind_name(json_kind_of(value)));
    }
    return OK;
}

OPERATION(operation__table_metrics)
{
    const struct json *body = NULL;
    struct str type = {"", 0};
    struct catalog__place place;
    uint64_t id = 0;
    TRY(operation__body(context, request, &body));
    TRY(json_need_str(body, "report-type", "a metrics report", context->diag, &type));
    if (str_is(type, "scan-report")) {
        TRY(members_check(context, body, "a scan report", scan_members, COUNTOF(scan_members)));
        if (json_get(body, "filter") == NULL)
            return FAIL(context->diag, INVALID, "cannot parse a scan report: missing field filter");
    }
    if (str_is(type, "commit-report"))
        TRY(members_check(context, body, "a commit report", commit_members,
                          COUNTOF(commit_members)));
    TRY(names__object_find(context, warehouse, &request->ident, CATALOG_TABLE_KIND, &place, &id));
    out->http = 204;
    return OK;
}
