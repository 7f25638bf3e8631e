/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table_update_spec.c - partition specs: add-spec, set-default-spec, remove-partition-specs.
 *
 * Fields without ids take the id of an equal field of an older spec, else the next one; Java starts
 * again from 1000, which can give one id to two different transforms.
 */
#include "catalog/table.h"

static bool find_compatible(const struct table_items *specs, const struct spec *spec,
                            int32_t *out_id)
{
    for (size_t i = 0; i < specs->count; i++) {
        if (spec_compatible(specs->items[i].value, spec)) {
            *out_id = specs->items[i].id;
            return true;
        }
    }
    return false;
}

static status number_fields(struct table_edit *edit, struct spec *spec)
{
    const struct spec **older =
        ARENA_ARRAY(edit->context->arena, const struct spec *, edit->specs.count + 1);
    if (older == NULL)
        return FAIL(edit->context->diag, NOMEM, "could not number the partition fields");
    for (size_t i = 0; i < edit->specs.count; i++)
        older[i] = edit->specs.items[i].value;
    spec_assign_field_ids(spec, older, edit->specs.count, edit->now.last_partition_id);
    return OK;
}

static status store_spec(struct table_edit *edit, const struct spec *spec, int32_t id)
{
    struct key key = table__key_i32(edit, PART_SPEC, id);
    struct buf text;
    table__buf(edit, &text);
    spec_write(spec, id, &text);
    TRY(table__put_buf(edit, &key, &text));
    edit->changed = true;
    return table__items_add(edit, &edit->specs, id, spec);
}

static int32_t next_id(const struct table_items *items, int32_t first)
{
    int32_t next = first;
    for (size_t i = 0; i < items->count; i++) {
        if (items->items[i].id >= next && items->items[i].id < INT32_MAX)
            next = items->items[i].id + 1;
    }
    return next;
}

static status add_new_spec(struct table_edit *edit, struct spec *spec, const struct schema *schema,
                           int32_t *out_id)
{
    TRY(number_fields(edit, spec));
    TRY(spec_validate(spec, schema, edit->now.format_version, edit->context->diag));
    *out_id = next_id(&edit->specs, 0);
    TRY(store_spec(edit, spec, *out_id));
    int32_t highest = spec_highest_field_id(spec);
    if (highest > edit->now.last_partition_id)
        edit->now.last_partition_id = highest;
    return OK;
}

status_value table__spec_add(struct table_edit *edit, struct spec *spec,
                             const struct schema *schema)
{
    struct table_items *specs = NULL;
    TRY(table__specs(edit, &specs));
    int32_t id = 0;
    if (!find_compatible(specs, spec, &id))
        TRY(add_new_spec(edit, spec, schema, &id));
    edit->has_last_spec = true;
    edit->last_spec_id = id;
    return OK;
}

status_value table__update_add_spec(struct table_edit *edit, const struct json *update)
{
    const struct json *json = NULL;
    struct spec *spec = NULL;
    const struct schema *schema = NULL;
    TRY(json_need_object(update, "spec", "add-spec", edit->context->diag, &json));
    TRY(spec_parse(edit->context->arena, json, edit->context->diag, &spec));
    TRY(table__schema_to_bind(edit, "add a partition spec", &schema));
    return table__spec_add(edit, spec, schema);
}

status_value table__update_set_default_spec(struct table_edit *edit, const struct json *update)
{
    struct diag *diag = edit->context->diag;
    int32_t id = 0;
    TRY(json_need_i32(update, "spec-id", "set-default-spec", diag, &id));
    if (id == -1) {
        if (!edit->has_last_spec)
            return FAIL(diag, ILLEGAL_ARGUMENT,
                        "Cannot set last added spec: no spec has been added");
        id = edit->last_spec_id;
    }
    if (id == edit->now.default_spec_id)
        return OK;
    const struct spec *spec = NULL;
    TRY(table__spec_find(edit, id, &spec));
    if (spec == NULL)
        return FAIL(diag, ILLEGAL_ARGUMENT, "Cannot set default partition spec to unknown spec: %d",
                    id);
    edit->now.default_spec_id = id;
    edit->bindings_changed = true;
    edit->changed = true;
    return OK;
}

static status remove_spec(struct table_edit *edit, int32_t id)
{
    struct key key = table__key_i32(edit, PART_SPEC, id);
    struct str row;
    bool found = false;
    TRY(table__get(edit, &key, &row, &found));
    if (!found)
        return OK;
    TRY(table__delete(edit, &key));
    table__items_remove(&edit->specs, id);
    if (edit->has_last_spec && edit->last_spec_id == id)
        edit->has_last_spec = false;
    edit->changed = true;
    return OK;
}

status_value table__update_remove_specs(struct table_edit *edit, const struct json *update)
{
    struct diag *diag = edit->context->diag;
    const struct json *ids = NULL;
    TRY(json_need_array(update, "spec-ids", "remove-partition-specs", diag, &ids));
    struct json_iter iter = json_iter(ids);
    const struct json *value;
    while (json_next(&iter, NULL, &value)) {
        int32_t id = 0;
        if (!json_as_i32(value, &id))
            return FAIL(diag, INVALID, "remove-partition-specs: spec-ids must be integers");
        if (id == edit->now.default_spec_id)
            return FAIL(diag, ILLEGAL_ARGUMENT, "Cannot remove the default partition spec");
        TRY(remove_spec(edit, id));
    }
    return OK;
}
