/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transaction.c - commits to several tables as one batch: all of them or none.
 *
 * X1  Names and requirements are checked against one state; the changes of one table are applied in
 *     the order of the request, each checked against what the one before it made, and make one
 *     metadata version together.
 * X2  A change with assert-create makes its table in the same batch. Such a table is visible to the
 *     changes after it, and its name row is put once.
 * X3  A failure names the table; the caller takes the whole batch back.
 *
 * Tables are independent of each other, so the changes are sorted by table (stable): n log n for a
 * request of any size.
 */
#include "catalog/operations.h"

#include <stdlib.h>

static bool is_create(const struct json *requirement)
{
    struct str type = {"", 0};
    return json_as_str(json_get(requirement, "type"), &type) &&
           str_eq_nocase(type, STR("assert-create"));
}

static bool asserts_create(const struct json *requirements)
{
    struct json_iter iter = json_iter(requirements);
    const struct json *requirement = NULL;
    while (json_next(&iter, NULL, &requirement)) {
        if (is_create(requirement))
            return true;
    }
    return false;
}

status transaction__place(struct catalog_context *context,
                          const struct catalog_warehouse *warehouse,
                          const struct catalog_ident *ident, const struct json *requirements,
                          struct catalog__place *out_place, uint64_t *out_id)
{
    if (!asserts_create(requirements))
        return names__object_find(context, warehouse, ident, CATALOG_TABLE_KIND, out_place, out_id);
    struct catalog__place place;
    uint64_t id = 0;
    bool found = false;
    TRY(catalog__place_find(context, warehouse, ident, &place));
    TRY(catalog__name_find(context, &place, CATALOG_TABLE_KIND, &id, &found));
    if (!found)
        TRY(catalog__name_must_be_free(context, &place, CATALOG_TABLE_KIND));
    *out_place = place;
    *out_id = found ? id : 0;
    return OK;
}

struct table_change {
    size_t position; /* in the request */
    struct catalog__place place;
    uint64_t id;  /* 0: to be created by it or by a change before it */
    bool missing; /* no such table unless a change before it creates it */
    struct table__commit_request change;
};

static int by_table(const void *a, const void *b)
{
    const struct table_change *x = a;
    const struct table_change *y = b;
    if (x->place.namespace_id != y->place.namespace_id)
        return x->place.namespace_id < y->place.namespace_id ? -1 : 1;
    int order = str_cmp(x->place.ident.name, y->place.ident.name);
    if (order != 0)
        return order;
    return x->position < y->position ? -1 : x->position > y->position;
}

static bool same_table(const struct table_change *a, const struct table_change *b)
{
    return a->place.namespace_id == b->place.namespace_id &&
           str_eq(a->place.ident.name, b->place.ident.name);
}

/* A change without assert-create may address a table that an earlier change creates: not yet
 * 404. */
static status change_place(struct catalog_context *context,
                           const struct catalog_warehouse *warehouse,
                           const struct catalog_ident *ident, struct table_change *change)
{
    status_value placed = transaction__place(context, warehouse, ident, change->change.requirements,
                                             &change->place, &change->id);
    if (placed.code != STATUS_NO_SUCH_TABLE)
        return placed;
    diag_reset(context->diag);
    placed = catalog__place_find(context, warehouse, ident, &change->place);
    if (placed.code == STATUS_NO_SUCH_NAMESPACE) {
        struct str dotted = {"", 0};
        diag_reset(context->diag);
        TRY(catalog__dotted(context, ident, &dotted));
        return names__missing(context, CATALOG_TABLE_KIND, dotted);
    }
    change->id = 0;
    change->missing = true;
    return placed;
}

static status changes_read(struct catalog_context *context,
                           const struct catalog_warehouse *warehouse, const struct json *array,
                           struct table_change *changes)
{
    static const char what[] = "a table change";
    struct json_iter iter = json_iter(array);
    const struct json *item = NULL;
    for (size_t i = 0; json_next(&iter, NULL, &item); i++) {
        const struct json *identifier = NULL;
        struct catalog_ident ident;
        TRY(json_need_object(item, "identifier", what, context->diag, &identifier));
        TRY(catalog__ident_parse(context, identifier, what, &ident));
        changes[i] = (struct table_change){.position = i};
        TRY(operation__changes(context, item, what, &changes[i].change));
        TRY(change_place(context, warehouse, &ident, &changes[i]));
    }
    return OK;
}

/* X3. The beginning of the message stays, since clients compare it. */
static status name_table(struct catalog_context *context, status_value failed, struct str dotted)
{
    char message[DIAG_TEXT];
    struct str text = str_from(diag_message(context->diag, failed.code));
    memcpy(message, text.data, u64_min(text.size, sizeof(message) - 1));
    message[u64_min(text.size, sizeof(message) - 1)] = '\0';
    if (status_class_of(failed.code) == CLASS_RETRY ||
        status_class_of(failed.code) == CLASS_FATAL ||
        memmem(text.data, text.size, dotted.data, dotted.size) != NULL)
        return failed;
    diag_reset(context->diag);
    return diag_fail(context->diag, failed.code, __FILE__, __LINE__, "%s (table %.*s)", message,
                     STR_ARG(dotted));
}

struct awaits {
    struct catalog_version *list;
    size_t count;
};

/* All changes of one table, which stand side by side and in order. */
static status table_commit(struct catalog_context *context, const struct table_change *changes,
                           size_t count, struct awaits *awaits)
{
    struct table__commit_request *list =
        ARENA_ARRAY(context->arena, struct table__commit_request, count);
    if (list == NULL)
        return FAIL(context->diag, NOMEM, "could not read a transaction: memory is exhausted");
    for (size_t i = 0; i < count; i++)
        list[i] = changes[i].change;
    if (changes[0].missing)
        return names__missing(context, CATALOG_TABLE_KIND, changes[0].place.dotted);
    struct catalog_response made = {0};
    uint64_t id = 0;
    status_value committed =
        table__commit(context, &changes[0].place, changes[0].id, list, count, &made, &id);
    if (!is_ok(committed))
        return name_table(context, committed, changes[0].place.dotted);
    if (changes[0].id == 0)
        TRY(catalog__name_put(context, &changes[0].place, CATALOG_TABLE_KIND, id));
    ASSERT(made.await_count <= count);
    if (made.await_count > 0)
        memcpy(awaits->list + awaits->count, made.await, made.await_count * sizeof(*awaits->list));
    awaits->count += made.await_count;
    return OK;
}

OPERATION(operation__transaction_commit)
{
    const struct json *body = NULL;
    const struct json *array = NULL;
    TRY(operation__body(context, request, &body));
    TRY(json_need_array(body, "table-changes", "a transaction", context->diag, &array));
    size_t count = json_size(array);
    struct table_change *changes = ARENA_ARRAY(context->arena, struct table_change, count + 1);
    struct awaits awaits = {.list = ARENA_ARRAY(context->arena, struct catalog_version, count + 1)};
    if (changes == NULL || awaits.list == NULL)
        return FAIL(context->diag, NOMEM, "could not read a transaction: memory is exhausted");
    TRY(changes_read(context, warehouse, array, changes));
    if (count > 1)
        qsort(changes, count, sizeof(*changes), by_table);
    for (size_t from = 0, to = 0; from < count; from = to) {
        while (to < count && same_table(&changes[from], &changes[to]))
            to++;
        TRY(table_commit(context, changes + from, to - from, &awaits));
    }
    out->http = 204;
    out->await = awaits.list;
    out->await_count = awaits.count;
    return OK;
}
