/* SPDX-License-Identifier: Apache-2.0 */
/*
 * namespace_properties.c - properties of a namespace: text to text, `location` canonical and inside
 * the warehouse.
 *
 * An update is a merge of sorted keys, so its cost is n log n whatever a client sends. The answer's
 * lists keep the order of the request; a key that is asked to go twice is reported once.
 */
#include "catalog/operations.h"

#include <stdlib.h>

enum { PROPERTIES_MAX = 10000 };

/* A property of the row or of the request. */
struct property {
    struct str key;
    struct str value;
    bool gone; /* removed or replaced */
};
struct sorted_property {
    struct property *property;
};
struct property_list {
    struct property *items; /* in their own order */
    size_t count;
    struct sorted_property *sorted; /* by key */
};

static int compare(const void *a, const void *b)
{
    const struct sorted_property *x = a;
    const struct sorted_property *y = b;
    return str_cmp(x->property->key, y->property->key);
}

static struct property *find(const struct property_list *list, struct str key)
{
    struct property wanted = {.key = key};
    struct sorted_property probe = {&wanted};
    if (list->count == 0)
        return NULL;
    struct sorted_property *found =
        bsearch(&probe, list->sorted, list->count, sizeof(probe), compare);
    return found == NULL ? NULL : found->property;
}

static status list_make(struct catalog_context *context, size_t count, struct property_list *out)
{
    struct property_list list = {.count = 0};
    list.items = ARENA_ARRAY(context->arena, struct property, count + 1);
    list.sorted = ARENA_ARRAY(context->arena, struct sorted_property, count + 1);
    if (list.items == NULL || list.sorted == NULL)
        return FAIL(context->diag, NOMEM, "could not read properties: memory is exhausted");
    *out = list;
    return OK;
}

static void list_sort(struct property_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        list->sorted[i].property = &list->items[i];
    if (list->count > 1)
        qsort(list->sorted, list->count, sizeof(*list->sorted), compare);
}

/* A map of strings; absent and null are the empty one. */
static status map_read(struct catalog_context *context, const struct json *map, const char *what,
                       struct property_list *out)
{
    struct property_list list = {.count = 0};
    if (!json_is_null(map) && !json_is(map, JSON_OBJECT))
        return FAIL(context->diag, INVALID, "cannot parse %s: it must be an object", what);
    TRY(list_make(context, json_size(map), &list));
    ASSERT(list.items != NULL && list.sorted != NULL);
    struct json_iter iter = json_iter(map);
    struct str key = {"", 0};
    const struct json *value = NULL;
    while (json_next(&iter, &key, &value)) {
        struct property *property = &list.items[list.count++];
        property->key = key;
        if (!json_as_str(value, &property->value))
            return FAIL(context->diag, INVALID,
                        "cannot parse %s: the value of %.*s must be a string", what,
                        (int)u64_min(key.size, 200), key.data);
    }
    list_sort(&list);
    *out = list;
    return OK;
}

static status check_location(struct catalog_context *context,
                             const struct catalog_warehouse *warehouse, struct property_list *list)
{
    struct property *location = find(list, STR("location"));
    if (location == NULL)
        return OK;
    return catalog__location_check(context, warehouse, location->value, "The namespace location",
                                   &location->value);
}

static void write_kept(const struct property_list *list, struct json_writer *w)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].gone)
            continue;
        jw_key_str(w, list->items[i].key);
        jw_str(w, list->items[i].value);
    }
}

status properties__write(struct catalog_context *context, const struct catalog_warehouse *warehouse,
                         const struct json *properties, struct json_writer *w)
{
    struct property_list list = {.count = 0};
    TRY(map_read(context, properties, "namespace properties", &list));
    TRY(check_location(context, warehouse, &list));
    jw_object(w);
    write_kept(&list, w);
    jw_end(w);
    return OK;
}

/* Distinct keys to remove, in the order of the request; `gone` says whether the namespace had
 * it. */
static status removals_read(struct catalog_context *context, const struct json *array,
                            struct property_list *out)
{
    struct property_list list = {.count = 0};
    if (!json_is_null(array) && !json_is(array, JSON_ARRAY))
        return FAIL(context->diag, INVALID, "cannot parse removals: they must be an array");
    TRY(list_make(context, json_size(array), &list));
    ASSERT(list.items != NULL && list.sorted != NULL);
    struct json_iter iter = json_iter(array);
    const struct json *value = NULL;
    while (json_next(&iter, NULL, &value)) {
        if (!json_as_str(value, &list.items[list.count++].key))
            return FAIL(context->diag, INVALID, "cannot parse removals: a key must be a string");
    }
    list_sort(&list);
    *out = list;
    return OK;
}

static status must_be_disjoint(struct catalog_context *context, const struct property_list *updates,
                               const struct property_list *removals)
{
    for (size_t i = 0; i < removals->count; i++) {
        struct str key = removals->items[i].key;
        if (find(updates, key) != NULL)
            return FAIL(context->diag, UNPROCESSABLE, "Cannot update and remove one property: %.*s",
                        (int)u64_min(key.size, 200), key.data);
    }
    return OK;
}

struct change {
    struct property_list present;
    struct property_list updates;
    struct property_list removals;
    size_t kept_count;
};

/* Marks what goes; replaced values move into their old place, so the order is stable. */
static void apply(struct change *change)
{
    for (size_t i = 0; i < change->updates.count; i++) {
        struct property *old = find(&change->present, change->updates.items[i].key);
        if (old != NULL) {
            old->value = change->updates.items[i].value;
            change->updates.items[i].gone = true;
        }
    }
    for (size_t i = 0; i < change->removals.count; i++) {
        struct property *old = find(&change->present, change->removals.items[i].key);
        if (old != NULL)
            old->gone = true;
    }
    for (size_t i = 0; i < change->present.count; i++)
        change->kept_count += change->present.items[i].gone ? 0 : 1;
    for (size_t i = 0; i < change->updates.count; i++)
        change->kept_count += change->updates.items[i].gone ? 0 : 1;
}

/* Removed (`wanted` true) or missing keys, each once. */
static void write_removals(const struct change *change, bool wanted, struct json_writer *w)
{
    jw_array(w);
    for (size_t i = 0; i < change->removals.count; i++) {
        struct property *removal = &change->removals.items[i];
        bool had = find(&change->present, removal->key) != NULL;
        struct property *first = find(&change->removals, removal->key);
        if (had != wanted || first->gone)
            continue;
        first->gone = true;
        jw_str(w, removal->key);
    }
    jw_end(w);
}

static status respond(struct catalog_context *context, const struct change *change,
                      struct catalog_response *out)
{
    struct buf buf = rows__buf(context);
    struct json_writer w;
    json_writer_init(&w, &buf);
    jw_object(&w);
    jw_key(&w, "updated");
    jw_array(&w);
    for (size_t i = 0; i < change->updates.count; i++)
        jw_str(&w, change->updates.items[i].key);
    jw_end(&w);
    jw_key(&w, "removed");
    write_removals(change, true, &w);
    jw_key(&w, "missing");
    write_removals(change, false, &w);
    jw_end(&w);
    return operation__json(context, &buf, out);
}

static status change_read(struct catalog_context *context, const struct catalog_request *request,
                          const struct catalog_warehouse *warehouse, struct change *out)
{
    const struct json *body = NULL;
    struct change change = {.kept_count = 0};
    TRY(operation__body(context, request, &body));
    TRY(map_read(context, json_get(body, "updates"), "updates", &change.updates));
    TRY(removals_read(context, json_get(body, "removals"), &change.removals));
    TRY(must_be_disjoint(context, &change.updates, &change.removals));
    TRY(check_location(context, warehouse, &change.updates));
    *out = change;
    return OK;
}

static status change_put(struct catalog_context *context, const struct catalog_request *request,
                         uint32_t warehouse, uint64_t id, uint64_t parent,
                         const struct change *change)
{
    struct buf buf = rows__buf(context);
    struct json_writer w;
    json_writer_init(&w, &buf);
    jw_object(&w);
    write_kept(&change->present, &w);
    write_kept(&change->updates, &w);
    jw_end(&w);
    TRY(buf_finish(&buf, "namespace properties", context->diag));
    struct str name = request->ident.levels[request->ident.level_count - 1];
    return namespace__row_put(context, warehouse, parent, id, name, buf_view(&buf));
}

OPERATION(operation__namespace_properties)
{
    struct change change;
    const struct json *row = NULL;
    uint64_t id = 0;
    uint64_t parent = 0;
    if (request->ident.level_count == 0)
        return FAIL(context->diag, INVALID, "The request names no namespace");
    TRY(change_read(context, request, warehouse, &change));
    TRY(names__namespace_row(context, warehouse->id, &request->ident, &row, &id, &parent));
    TRY(map_read(context, json_get(row, "properties"), "stored properties", &change.present));
    apply(&change);
    if (change.kept_count > PROPERTIES_MAX)
        return FAIL(context->diag, INVALID, "A namespace has at most %d properties",
                    PROPERTIES_MAX);
    TRY(change_put(context, request, warehouse->id, id, parent, &change));
    return respond(context, &change, out);
}
