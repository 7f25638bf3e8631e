/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table_update_schema.c - add-schema, set-current-schema, remove-schemas.
 *
 * The id in a sent schema and last-column-id are ignored: a schema that equals a stored one takes
 * its id, any other takes the next; last-column-id is the highest id ever seen and never falls.
 */
#include "catalog/table.h"

static int32_t next_schema_id(const struct table_edit *edit)
{
    int32_t next = edit->now.current_schema_id;
    if (edit->schemas.count == 0)
        return 0;
    for (size_t i = 0; i < edit->schemas.count; i++) {
        if (edit->schemas.items[i].id >= next)
            next = edit->schemas.items[i].id + 1;
    }
    return next;
}

static bool find_same(const struct table_items *schemas, const struct schema *schema,
                      int32_t *out_id)
{
    for (size_t i = 0; i < schemas->count; i++) {
        if (schema_same(schemas->items[i].value, schema)) {
            *out_id = schemas->items[i].id;
            return true;
        }
    }
    return false;
}

static status store_schema(struct table_edit *edit, const struct schema *schema, int32_t id)
{
    struct key key = table__key_i32(edit, PART_SCHEMA, id);
    struct buf text;
    table__buf(edit, &text);
    schema_write(schema, id, &text);
    TRY(table__put_buf(edit, &key, &text));
    edit->changed = true;
    return table__items_add(edit, &edit->schemas, id, schema);
}

status_value table__schema_add(struct table_edit *edit, const struct schema *schema)
{
    struct table_items *schemas = NULL;
    TRY(schema_validate(schema, edit->now.format_version, edit->context->diag));
    TRY(table__schemas(edit, &schemas));
    int32_t id = 0;
    if (!find_same(schemas, schema, &id)) {
        id = next_schema_id(edit);
        TRY(store_schema(edit, schema, id));
    }
    int32_t highest = schema_highest_field_id(schema);
    if (highest > edit->now.last_column_id) {
        edit->now.last_column_id = highest;
        edit->changed = true;
    }
    edit->has_last_schema = true;
    edit->last_schema_id = id;
    return OK;
}

status_value table__update_add_schema(struct table_edit *edit, const struct json *update)
{
    const struct json *json = NULL;
    struct schema *schema = NULL;
    TRY(json_need_object(update, "schema", "add-schema", edit->context->diag, &json));
    TRY(schema_parse(edit->context->arena, json, edit->context->diag, &schema));
    return table__schema_add(edit, schema);
}

status_value table__update_set_current_schema(struct table_edit *edit, const struct json *update)
{
    struct diag *diag = edit->context->diag;
    int32_t id = 0;
    TRY(json_need_i32(update, "schema-id", "set-current-schema", diag, &id));
    if (id == -1) {
        if (!edit->has_last_schema)
            return FAIL(diag, ILLEGAL_ARGUMENT,
                        "Cannot set last added schema: no schema has been added");
        id = edit->last_schema_id;
    }
    if (id == edit->now.current_schema_id)
        return OK;
    const struct schema *schema = NULL;
    TRY(table__schema_find(edit, id, &schema));
    if (schema == NULL)
        return FAIL(diag, ILLEGAL_ARGUMENT, "Cannot set current schema to unknown schema: %d", id);
    edit->now.current_schema_id = id;
    edit->bindings_changed = true;
    edit->changed = true;
    return OK;
}

static status remove_schema(struct table_edit *edit, int32_t id)
{
    struct key key = table__key_i32(edit, PART_SCHEMA, id);
    struct str row;
    bool found = false;
    TRY(table__get(edit, &key, &row, &found));
    if (!found)
        return OK;
    TRY(table__delete(edit, &key));
    table__items_remove(&edit->schemas, id);
    if (edit->has_last_schema && edit->last_schema_id == id)
        edit->has_last_schema = false;
    edit->changed = true;
    return OK;
}

status_value table__update_remove_schemas(struct table_edit *edit, const struct json *update)
{
    struct diag *diag = edit->context->diag;
    const struct json *ids = NULL;
    TRY(json_need_array(update, "schema-ids", "remove-schemas", diag, &ids));
    struct json_iter iter = json_iter(ids);
    const struct json *value;
    while (json_next(&iter, NULL, &value)) {
        int32_t id = 0;
        if (!json_as_i32(value, &id))
            return FAIL(diag, INVALID, "remove-schemas: schema-ids must be integers");
        if (id == edit->now.current_schema_id)
            return FAIL(diag, ILLEGAL_ARGUMENT, "Cannot remove the current schema");
        TRY(remove_schema(edit, id));
    }
    return OK;
}

status_value table__schema_to_bind(struct table_edit *edit, const char *what,
                                   const struct schema **out)
{
    const struct schema *schema = NULL;
    TRY(table__schema_find(edit, edit->now.current_schema_id, &schema));
    if (schema == NULL && edit->has_last_schema)
        TRY(table__schema_find(edit, edit->last_schema_id, &schema));
    if (schema == NULL)
        return FAIL(edit->context->diag, ILLEGAL_ARGUMENT,
                    "Cannot %s before a current schema is set", what);
    *out = schema;
    return OK;
}
