/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dispatch.c - takes a request to its operation: warehouse, names of the URL, idempotency,
 * roll-back.
 *
 * D1  After a failure the batch holds what it held before, but for the record of a deterministic
 *     refusal that came with an Idempotency-Key.
 * D2  `out` is written once, at the end, on success.
 * D3  The record of a keyed request is in the same batch as its effect, or neither is.
 */
#include "catalog/idempotency.h"
#include "catalog/operations.h"

typedef status_value operation_fn(struct catalog_context *, const struct catalog_request *,
                                  const struct catalog_warehouse *, struct catalog_response *);

struct operation {
    const char *name;
    const char *verb;
    const char *path;
    bool mutates;
};

static const struct operation operations[] = {
#define CATALOG_OP(name, mutates_, verb_, path_) [CATALOG_##name] = {#name, verb_, path_, mutates_},
#include "catalog/operations.def"
#undef CATALOG_OP
};

static operation_fn *const functions[CATALOG_OP_COUNT] = {
    [CATALOG_NAMESPACE_LIST] = operation__namespace_list,
    [CATALOG_NAMESPACE_CREATE] = operation__namespace_create,
    [CATALOG_NAMESPACE_LOAD] = operation__namespace_load,
    [CATALOG_NAMESPACE_EXISTS] = operation__namespace_exists,
    [CATALOG_NAMESPACE_DROP] = operation__namespace_drop,
    [CATALOG_NAMESPACE_PROPERTIES] = operation__namespace_properties,
    [CATALOG_TABLE_LIST] = operation__table_list,
    [CATALOG_TABLE_CREATE] = operation__table_create,
    [CATALOG_TABLE_REGISTER] = operation__table_register,
    [CATALOG_TABLE_LOAD] = operation__table_load,
    [CATALOG_TABLE_COMMIT] = operation__table_commit,
    [CATALOG_TABLE_DROP] = operation__table_drop,
    [CATALOG_TABLE_EXISTS] = operation__table_exists,
    [CATALOG_TABLE_UNREGISTER] = operation__table_unregister,
    [CATALOG_TABLE_METRICS] = operation__table_metrics,
    [CATALOG_TABLE_RENAME] = operation__table_rename,
    [CATALOG_TRANSACTION_COMMIT] = operation__transaction_commit,
    [CATALOG_VIEW_LIST] = operation__view_list,
    [CATALOG_VIEW_CREATE] = operation__view_create,
    [CATALOG_VIEW_LOAD] = operation__view_load,
    [CATALOG_VIEW_REPLACE] = operation__view_replace,
    [CATALOG_VIEW_DROP] = operation__view_drop,
    [CATALOG_VIEW_EXISTS] = operation__view_exists,
    [CATALOG_VIEW_RENAME] = operation__view_rename,
    [CATALOG_VIEW_REGISTER] = operation__view_register,
    [CATALOG_FUNCTION_LIST] = operation__function_list,
    [CATALOG_FUNCTION_LOAD] = operation__function_load,
};

bool catalog_op_mutates(enum catalog_op op)
{
    ASSERT(op < CATALOG_OP_COUNT);
    return operations[op].mutates;
}

const char *catalog_op_name(enum catalog_op op)
{
    ASSERT(op < CATALOG_OP_COUNT);
    return operations[op].name;
}

const char *catalog_op_verb(enum catalog_op op)
{
    ASSERT(op < CATALOG_OP_COUNT);
    return operations[op].verb;
}

const char *catalog_op_path(enum catalog_op op)
{
    ASSERT(op < CATALOG_OP_COUNT);
    return operations[op].path;
}

status operation__json(struct catalog_context *context, const struct buf *buf,
                       struct catalog_response *out)
{
    TRY(buf_finish(buf, "an answer", context->diag));
    out->http = 200;
    out->body = CATALOG_BODY_JSON;
    out->json = buf_view(buf);
    return OK;
}

status operation__body(struct catalog_context *context, const struct catalog_request *request,
                       const struct json **out)
{
    if (!json_is(request->body, JSON_OBJECT))
        return FAIL(context->diag, INVALID, "The request needs a JSON object as its body");
    *out = request->body;
    return OK;
}

static status warehouse_find(struct catalog_context *context, const struct catalog_request *request,
                             struct catalog_warehouse *out)
{
    return catalog_warehouse_get(context->view, context->arena, request->warehouse,
                                 context->options, context->diag, out);
}

static status run(struct catalog_context *context, const struct catalog_request *request,
                  const struct catalog_warehouse *warehouse, struct catalog_response *out)
{
    ASSERT(functions[request->op] != NULL);
    TRY(names__ident_check(context, &request->ident));
    TRY(names__ident_check(context, &request->parent));
    return functions[request->op](context, request, warehouse, out);
}

status catalog_read(struct catalog_context *context, const struct catalog_request *request,
                    struct catalog_response *out)
{
    ASSERT(!catalog_op_mutates(request->op));
    struct catalog_response made = {0};
    if (request->op == CATALOG_CONFIG) {
        TRY(operation__config(context, request, &made));
    } else {
        struct catalog_warehouse warehouse;
        TRY(warehouse_find(context, request, &warehouse));
        TRY(run(context, request, &warehouse, &made));
    }
    *out = made;
    return OK;
}

/* Runs the operation and, with a key, keeps its outcome in the same batch (D1, D3). */
static status run_and_record(struct catalog_context *context, const struct catalog_request *request,
                             const struct catalog_warehouse *warehouse, bool keyed,
                             struct catalog_response *made)
{
    size_t mark = kv_batch_mark(context->batch);
    status_value result = run(context, request, warehouse, made);
    if (is_ok(result) && keyed)
        result = idempotency__record(context, warehouse, request, made);
    if (is_ok(result))
        return OK;
    kv_batch_rewind(context->batch, mark);
    if (!keyed || !idempotency__is_final(result))
        return result;
    status_value recorded = idempotency__record_failure(context, warehouse, request, result);
    if (is_ok(recorded))
        return result;
    kv_batch_rewind(context->batch, mark);
    return recorded;
}

status catalog_mutate(struct catalog_context *context, const struct catalog_request *request,
                      struct catalog_response *out)
{
    ASSERT(catalog_op_mutates(request->op) && context->batch != NULL);
    context->view = kv_batch_reader(context->batch);
    struct catalog_warehouse warehouse;
    struct catalog_response made = {0};
    bool found = false;
    TRY(warehouse_find(context, request, &warehouse));
    bool keyed = request->has_idempotency_key && context->options->idempotency_lifetime_ms > 0;
    if (keyed)
        TRY(idempotency__replay(context, &warehouse, request, &made, &found));
    if (!found)
        TRY(run_and_record(context, request, &warehouse, keyed, &made));
    *out = made;
    return OK;
}
