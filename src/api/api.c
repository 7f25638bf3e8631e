/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api.c - the path of a REST call through the threads (see call.h).
 */
#include "api/api.h"

#include "api/call.h"

static struct catalog_context context_of(struct api_call *call, struct kv_reader *view)
{
    return (struct catalog_context){.view = view,
                                    .arena = call->exchange->arena,
                                    .prng = &call->prng,
                                    .options = call->api->options,
                                    .diag = &call->diag};
}

/* --- reads: on the loop thread, over a snapshot --- */

static void read_now(struct api_call *call)
{
    call->result = node_read(call->api->node, &call->diag, &call->snapshot);
    if (is_ok(call->result)) {
        struct catalog_context context = context_of(call, &call->snapshot->reader);
        context.stamp = call->snapshot->meta.stamp;
        call->result = catalog_read(&context, &call->request, &call->response);
    }
    bool loads = call->request.op == CATALOG_TABLE_LOAD || call->request.op == CATALOG_VIEW_LOAD;
    if (call->api->verify_metadata_files && loads && is_ok(call->result) &&
        call->response.metadata_location.size > 0)
        call__verify(call);
    else
        call__answer(call->exchange);
}

/* --- writes: evaluated on the core thread --- */

static uint64_t object_key(const struct catalog_response *response)
{
    return ((uint64_t)response->warehouse << 48) ^ response->object_id ^ (UINT64_C(1) << 63);
}

static status_value write_evaluate(struct node_task *self, struct node_evaluation *evaluation,
                                   struct diag *diag)
{
    struct api_call *call = CONTAINER_OF(self, struct api_call, task);
    struct catalog_context context = context_of(call, kv_batch_reader(evaluation->batch));
    (void)diag; /* is call->diag */
    context.batch = evaluation->batch;
    context.stamp = evaluation->stamp;
    context.prng = evaluation->prng;
    status_value result = catalog_mutate(&context, &call->request, &call->response);
    bool has_object = call->response.object_id != 0;
    evaluation->wants_snapshot = is_ok(result) && (call->response.body == CATALOG_BODY_TABLE ||
                                                   call->response.body == CATALOG_BODY_VIEW);
    evaluation->object_key = has_object ? object_key(&call->response) : 0;
    return result;
}

static void await_next(struct api_call *call);

static void file_ready(struct publisher_wait *wait, bool visible)
{
    struct api_call *call = CONTAINER_OF(wait, struct api_call, wait);
    if (!visible)
        LOG(call->api->log, WARN, "publish.late",
            "answered before the metadata file was there; the commit is durable",
            U64("object", wait->version.object_id), U64("version", wait->version.version));
    call->awaited++;
    await_next(call);
}

static void await_next(struct api_call *call)
{
    if (call->awaited == call->response.await_count) {
        http_exchange_post(call->exchange, call__answer);
        return;
    }
    call->wait = (struct publisher_wait){.version = call->response.await[call->awaited],
                                         .ready = file_ready};
    publisher_await(call->api->publisher, &call->wait);
}

/* A created table's folder, on a pool thread; without it the table is still there, so only a
 * warning. */
static void prepare_job(struct pool_task *job)
{
    struct api_call *call = CONTAINER_OF(job, struct api_call, job);
    struct arena *arena = call->exchange->arena;
    struct kv_snapshot *snapshot = NULL;
    struct catalog_warehouse warehouse;
    struct object_store *store;
    struct str folder;
    struct diag diag = {0};
    status_value result = node_read(call->api->node, &diag, &snapshot);
    if (is_ok(result))
        result = catalog_warehouse_get(&snapshot->reader, arena, call->request.warehouse,
                                       call->api->options, &diag, &warehouse);
    if (is_ok(result))
        result = stores_get(call->api->stores, &warehouse, &diag, &store);
    if (is_ok(result))
        result = catalog_location_check(arena, &warehouse, call->response.metadata_folder,
                                        "metadata folder", &diag, &folder);
    if (is_ok(result))
        result = store->ops->prepare(store, folder, &diag);
    kv_snapshot_close(snapshot);
    if (!is_ok(result))
        LOG(call->api->log, WARN, "table.folder.failed",
            "the folder of a new table could not be created; engines may fail to write to it",
            TEXT("folder", call->response.metadata_folder),
            CSTR("why", diag_message(&diag, result.code)));
    await_next(call);
}

static void write_done(struct node_task *self, status_value result, struct kv_snapshot *snapshot)
{
    struct api_call *call = CONTAINER_OF(self, struct api_call, task);
    call->result = result;
    call->snapshot = snapshot;
    call->evaluated_ns = call->api->env->ops->monotonic_ns(call->api->env);
    if (!is_ok(result))
        call->awaited = call->response.await_count = 0;
    call->job.run = prepare_job;
    bool prepares = is_ok(result) && call->response.metadata_folder.size > 0;
    if (!prepares || !is_ok(pool_submit(call->api->pool, &call->job, &call->diag)))
        await_next(call);
}

static void submit_write(struct api_call *call)
{
    call->task = (struct node_task){.evaluate = write_evaluate,
                                    .done = write_done,
                                    .arena = call->exchange->arena,
                                    .diag = &call->diag};
    memcpy(call->task.trace.bytes, call->exchange->trace.trace_id, 16);
    memcpy(call->task.trace.bytes + 16, call->exchange->trace.span_id, 8);
    call->task.trace.bytes[24] = call->exchange->trace.flags;
    /* Once submitted the call is the core thread's: it may be answered before node_submit
     * returns. */
    status_value submitted =
        publisher_backlog(call->api->publisher) >= PUBLISHER_BACKLOG_MAX
            ? FAIL(&call->diag, EXHAUSTED,
                   "the warehouse cannot take metadata files as fast as commits come; try again")
            : node_submit(call->api->node, &call->task, &call->diag);
    if (is_ok(submitted))
        return;
    call->result = submitted;
    http_exchange_post(call->exchange, call__answer);
}

/* --- registers: the file first, on a pool thread --- */

static void register_job(struct pool_task *job)
{
    struct api_call *call = CONTAINER_OF(job, struct api_call, job);
    call->result = call__read_metadata_file(call);
    if (is_ok(call->result))
        submit_write(call);
    else
        http_exchange_post(call->exchange, call__answer);
}

static void submit_register(struct api_call *call)
{
    call->job.run = register_job;
    status_value submitted = pool_submit(call->api->pool, &call->job, &call->diag);
    if (is_ok(submitted))
        return;
    call->result = submitted;
    call__answer(call->exchange);
}

void api_handle(void *context, struct http_exchange *exchange)
{
    struct api *api = context;
    struct api_call *call = ARENA_NEW(exchange->arena, struct api_call);
    if (call == NULL) {
        http_respond_status(exchange, STATUS_NOMEM, NULL);
        return;
    }
    call->api = api;
    call->exchange = exchange;
    exchange->user = call;
    call->result = call__parse(call);
    if (!is_ok(call->result))
        call__answer(exchange);
    else if (call->request.op == CATALOG_TABLE_REGISTER ||
             call->request.op == CATALOG_VIEW_REGISTER)
        submit_register(call);
    else if (catalog_op_mutates(call->request.op))
        submit_write(call);
    else
        read_now(call);
}
