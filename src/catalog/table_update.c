/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table_update.c - the table of actions: an update's name, and the function that does it.
 *
 * An unknown action is refused (400): applying the rest of a request whose meaning is not fully
 * understood could lose data. Spec: REST OpenAPI "TableUpdate".
 */
#include "catalog/table.h"

struct action {
    const char *name;
    table_update_fn apply;
};
static const struct action actions[] = {
    {"add-snapshot", table__update_add_snapshot},
    {"set-snapshot-ref", table__update_set_ref},
    {"remove-snapshot-ref", table__update_remove_ref},
    {"remove-snapshots", table__update_remove_snapshots},
    {"add-schema", table__update_add_schema},
    {"set-current-schema", table__update_set_current_schema},
    {"remove-schemas", table__update_remove_schemas},
    {"add-spec", table__update_add_spec},
    {"set-default-spec", table__update_set_default_spec},
    {"remove-partition-specs", table__update_remove_specs},
    {"add-sort-order", table__update_add_order},
    {"set-default-sort-order", table__update_set_default_order},
    {"set-properties", table__update_set_properties},
    {"remove-properties", table__update_remove_properties},
    {"set-location", table__update_set_location},
    {"assign-uuid", table__update_assign_uuid},
    {"upgrade-format-version", table__update_format_version},
    {"set-statistics", table__update_set_statistics},
    {"remove-statistics", table__update_remove_statistics},
    {"set-partition-statistics", table__update_set_partition_statistics},
    {"remove-partition-statistics", table__update_remove_partition_statistics},
    {"add-encryption-key", table__update_add_key},
    {"remove-encryption-key", table__update_remove_key},
};

static status apply_one(struct table_edit *edit, const struct json *update)
{
    struct diag *diag = edit->context->diag;
    struct str name;
    if (!json_is(update, JSON_OBJECT))
        return FAIL(diag, INVALID, "Cannot parse metadata update from non-object value");
    if (!json_as_str(json_get(update, "action"), &name))
        return FAIL(diag, INVALID, "Cannot parse metadata update. Missing field: action");
    for (size_t i = 0; i < COUNTOF(actions); i++) {
        if (str_eq_nocase(name, str_from(actions[i].name)))
            return actions[i].apply(edit, update);
    }
    if (str_eq_nocase(name, STR("add-view-version")) ||
        str_eq_nocase(name, STR("set-current-view-version")))
        return FAIL(diag, INVALID, "Cannot apply the view update %.*s to a table", STR_ARG(name));
    return FAIL(diag, INVALID, "Cannot apply metadata update with unknown action: %.*s",
                STR_ARG(name));
}

status_value table__updates_apply(struct table_edit *edit, const struct json *updates)
{
    if (!json_is_null(updates) && !json_is(updates, JSON_ARRAY))
        return FAIL(edit->context->diag, INVALID, "updates must be an array");
    struct json_iter iter = json_iter(updates);
    const struct json *update;
    while (json_next(&iter, NULL, &update))
        TRY(apply_one(edit, update));
    return OK;
}
