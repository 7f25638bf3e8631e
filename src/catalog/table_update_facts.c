/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table_update_facts.c - what a table is: uuid, format version, location, properties.
 *
 * A table's uuid is given once, at its creation: changing it later would let another table pass for
 * this one. A location is kept as the client wrote it, but only if its canonical form is in the
 * warehouse.
 */
#include "catalog/table.h"

status_value table__update_assign_uuid(struct table_edit *edit, const struct json *update)
{
    struct diag *diag = edit->context->diag;
    struct str uuid;
    struct uuid parsed;
    TRY(json_need_str(update, "uuid", "assign-uuid", diag, &uuid));
    if (!uuid_parse(uuid, &parsed))
        return FAIL(diag, ILLEGAL_ARGUMENT, "assign-uuid: not a UUID: %.*s", STR_ARG(uuid));
    if (str_eq_nocase(uuid, edit->now.uuid))
        return OK;
    if (!edit->creating)
        return FAIL(diag, ILLEGAL_ARGUMENT, "Cannot reassign uuid: the table is %.*s",
                    STR_ARG(edit->now.uuid));
    edit->now.uuid = uuid;
    edit->changed = true;
    return OK;
}

status_value table__update_format_version(struct table_edit *edit, const struct json *update)
{
    struct diag *diag = edit->context->diag;
    int32_t wanted = 0;
    int32_t present = edit->now.format_version;
    TRY(json_need_i32(update, "format-version", "upgrade-format-version", diag, &wanted));
    if (wanted == present)
        return OK;
    if (wanted > TABLE_FORMAT_READ_MAX)
        return FAIL(diag, ILLEGAL_ARGUMENT,
                    "Cannot upgrade table to unsupported format version: v%d (supported: v%d)",
                    wanted, TABLE_FORMAT_READ_MAX);
    if (wanted < present)
        return FAIL(diag, ILLEGAL_ARGUMENT, "Cannot downgrade v%d table to v%d", present, wanted);
    if (wanted > TABLE_FORMAT_CREATE_MAX)
        return FAIL(diag, ILLEGAL_ARGUMENT,
                    "Cannot upgrade table to format version v%d: it is not adopted yet "
                    "(use v%d or lower)",
                    wanted, TABLE_FORMAT_CREATE_MAX);
    edit->now.format_version = wanted;
    edit->changed = true;
    return OK;
}

status_value table__location_accept(struct table_edit *edit, struct str location, const char *what,
                                    struct str *out)
{
    struct str canonical;
    TRY(catalog__location_check(edit->context, &edit->place->warehouse, location, what,
                                &canonical));
    if (location.size > 1 && location.data[location.size - 1] == '/')
        location.size--;
    *out = location;
    return OK;
}

status_value table__update_set_location(struct table_edit *edit, const struct json *update)
{
    struct diag *diag = edit->context->diag;
    struct str location;
    TRY(json_need_str(update, "location", "set-location", diag, &location));
    TRY(table__location_accept(edit, location, "table location", &location));
    if (str_eq(location, edit->now.location))
        return OK;
    edit->now.location = location;
    edit->changed = true;
    return OK;
}

/* The member under its name or, from old clients, its legacy name. */
static const struct json *member_or_legacy(const struct json *update, const char *name,
                                           const char *legacy)
{
    const struct json *value = json_get(update, name);
    return value != NULL ? value : json_get(update, legacy);
}

status_value table__update_set_properties(struct table_edit *edit, const struct json *update)
{
    const struct json *map = member_or_legacy(update, "updates", "updated");
    if (!json_is(map, JSON_OBJECT))
        return FAIL(edit->context->diag, INVALID, "set-properties: updates must be an object");
    return table__properties_set_all(edit, map, "set-properties");
}

status_value table__update_remove_properties(struct table_edit *edit, const struct json *update)
{
    const struct json *list = member_or_legacy(update, "removals", "removed");
    if (!json_is(list, JSON_ARRAY))
        return FAIL(edit->context->diag, INVALID, "remove-properties: removals must be an array");
    struct json_iter iter = json_iter(list);
    const struct json *value;
    while (json_next(&iter, NULL, &value)) {
        struct str key;
        if (!json_as_str(value, &key))
            return FAIL(edit->context->diag, INVALID,
                        "remove-properties: removals must be strings");
        TRY(table__property_remove(edit, key));
    }
    return OK;
}
