/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.c - /v1/config: what a client must know before its first request.
 *
 * `endpoints` is operations.def and nothing else: an operation that is not listed is one that Java
 * clients do not use, a listed one that is missing breaks them. The lifetime of idempotency keys
 * stands at the top level, where clients look for it, not among the overrides.
 */
#include "catalog/operations.h"

/* ISO 8601, in the largest units that are exact: PT30M, PT24H, PT1.5S. */
static void duration_write(struct buf *buf, uint64_t ms)
{
    uint64_t seconds = ms / 1000;
    buf_str(buf, STR("PT"));
    if (seconds >= 3600) {
        buf_u64(buf, seconds / 3600);
        buf_byte(buf, 'H');
    }
    if (seconds % 3600 >= 60) {
        buf_u64(buf, seconds % 3600 / 60);
        buf_byte(buf, 'M');
    }
    if (ms % 1000 != 0)
        buf_printf(buf, "%u.%03uS", (unsigned)(seconds % 60), (unsigned)(ms % 1000));
    else if (seconds % 60 != 0 || seconds == 0)
        buf_printf(buf, "%uS", (unsigned)(seconds % 60));
}

static void endpoints_write(struct json_writer *w, struct buf *scratch)
{
    jw_array(w);
    for (int op = 0; op < CATALOG_OP_COUNT; op++) {
        if (op == CATALOG_CONFIG)
            continue;
        buf_clear(scratch);
        buf_printf(scratch, "%s %s", catalog_op_verb((enum catalog_op)op),
                   catalog_op_path((enum catalog_op)op));
        jw_str(w, buf_view(scratch));
    }
    jw_end(w);
}

status operation__config(struct catalog_context *context, const struct catalog_request *request,
                         struct catalog_response *out)
{
    struct catalog_warehouse warehouse = {.name = {"", 0}};
    bool named = request->warehouse.size > 0 || context->options->default_warehouse.size > 0;
    if (named)
        TRY(catalog_warehouse_get(context->view, context->arena, request->warehouse,
                                  context->options, context->diag, &warehouse));
    struct buf buf = rows__buf(context);
    struct buf scratch = rows__buf(context);
    struct json_writer w;
    json_writer_init(&w, &buf);
    jw_object(&w);
    jw_key(&w, "defaults");
    jw_object(&w);
    jw_end(&w);
    jw_key(&w, "overrides");
    jw_object(&w);
    if (named) {
        jw_key(&w, "prefix");
        jw_str(&w, warehouse.name);
    }
    jw_end(&w);
    jw_key(&w, "endpoints");
    endpoints_write(&w, &scratch);
    TRY(buf_finish(&scratch, "the configuration", context->diag));
    if (context->options->idempotency_lifetime_ms > 0) {
        buf_clear(&scratch);
        duration_write(&scratch, context->options->idempotency_lifetime_ms);
        TRY(buf_finish(&scratch, "the configuration", context->diag));
        jw_key(&w, "idempotency-key-lifetime");
        jw_str(&w, buf_view(&scratch));
    }
    jw_end(&w);
    return operation__json(context, &buf, out);
}
