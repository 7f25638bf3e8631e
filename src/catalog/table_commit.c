/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table_commit.c - updateTable: requirements, updates, one new version.
 *
 * A transaction may change one table several times; each change set is checked against what the
 * ones before it made, and all together are one version. A commit with assert-create makes the
 * table.
 */
#include "catalog/table.h"

static bool asserts_create(const struct json *requirements)
{
    struct json_iter iter = json_iter(requirements);
    const struct json *requirement;
    struct str type;
    while (json_next(&iter, NULL, &requirement)) {
        if (json_as_str(json_get(requirement, "type"), &type) &&
            str_eq_nocase(type, STR("assert-create")))
            return true;
    }
    return false;
}

static status fail_create_requirements(struct catalog_context *context,
                                       const struct json *requirements)
{
    struct buf names;
    struct json_iter iter = json_iter(requirements);
    const struct json *requirement;
    buf_init(&names, context->arena, 400);
    while (json_next(&iter, NULL, &requirement)) {
        struct str type = STR("?");
        (void)json_as_str(json_get(requirement, "type"), &type);
        buf_str(&names, names.size == 0 ? STR("") : STR(", "));
        buf_str(&names, type);
    }
    return FAIL(context->diag, ILLEGAL_ARGUMENT, "Invalid create requirements: [%.*s]",
                STR_ARG(buf_view(&names)));
}

/* The format version a new table starts from: the first one that is asked for, else the default. */
static status first_format_version(struct catalog_context *context, const struct json *updates,
                                   int32_t *out)
{
    struct json_iter iter = json_iter(updates);
    const struct json *update;
    struct str action;
    int32_t version = TABLE_FORMAT_DEFAULT;
    while (json_next(&iter, NULL, &update)) {
        if (!json_as_str(json_get(update, "action"), &action) ||
            !str_eq_nocase(action, STR("upgrade-format-version")))
            continue;
        TRY(json_need_i32(update, "format-version", "upgrade-format-version", context->diag,
                          &version));
        break;
    }
    if (version < 1 || version > TABLE_FORMAT_READ_MAX)
        return FAIL(context->diag, ILLEGAL_ARGUMENT,
                    "Unsupported format version: v%d (supported: v%d)", version,
                    TABLE_FORMAT_READ_MAX);
    if (version > TABLE_FORMAT_CREATE_MAX)
        return FAIL(context->diag, ILLEGAL_ARGUMENT,
                    "Cannot create table with format version v%d: it is not adopted yet "
                    "(use v%d or lower)",
                    version, TABLE_FORMAT_CREATE_MAX);
    *out = version;
    return OK;
}

static status open_created(struct table_edit *edit, struct catalog_context *context,
                           const struct catalog__place *place,
                           const struct table__commit_request *first)
{
    int32_t format_version = 0;
    uint64_t id = 0;
    if (!asserts_create(first->requirements))
        return FAIL(context->diag, NO_SUCH_TABLE, "Table does not exist: %.*s",
                    STR_ARG(place->dotted));
    if (json_size(first->requirements) != 1)
        return fail_create_requirements(context, first->requirements);
    TRY(first_format_version(context, first->updates, &format_version));
    TRY(catalog__next_id(context, place->warehouse.id, &id));
    table__edit_create(edit, context, place, id, format_version);
    edit->changed = true;
    return OK;
}

static status apply_changes(struct table_edit *edit, const struct table__commit_request *changes,
                            size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!edit->creating || i > 0)
            TRY(table__requirements_check(edit, changes[i].requirements));
        TRY(table__updates_apply(edit, changes[i].updates));
    }
    return OK;
}

status_value table__commit(struct catalog_context *context, const struct catalog__place *place,
                           uint64_t id, const struct table__commit_request *changes,
                           size_t change_count, struct catalog_response *out, uint64_t *out_id)
{
    ASSERT(change_count > 0);
    struct table_edit *edit = ARENA_NEW(context->arena, struct table_edit);
    if (edit == NULL)
        return FAIL(context->diag, NOMEM, "could not begin the commit: memory budget exhausted");
    if (id == 0)
        TRY(open_created(edit, context, place, &changes[0]));
    else
        TRY(table__edit_open(edit, context, place, id));
    TRY(apply_changes(edit, changes, change_count));
    TRY(table__build_rows(edit));
    TRY(table__build_version(edit, out));
    TRY(table__respond_header(context, place, edit->id, &edit->now, false, false, out));
    *out_id = edit->id;
    return OK;
}
