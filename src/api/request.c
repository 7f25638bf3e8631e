/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request.c - an HTTP request into a catalog request.
 */
#include "api/call.h"
#include "api/route.h"
#include "base/hash.h"

/* Binds an Idempotency-Key to method, path, query and body: the same key may not mean two
 * things. */
static void fingerprint(const struct http_exchange *exchange, uint8_t out[CATALOG_FINGERPRINT_SIZE])
{
    struct hash128 hash = hash128(exchange->body, 0);
    const struct str parts[] = {str_from(http_method_name(exchange->method)), exchange->path,
                                exchange->query};
    for (size_t i = 0; i < COUNTOF(parts); i++) {
        /* The seed chains the parts, so their order and borders count. */
        struct hash128 part = hash128(parts[i], hash.low + i);
        hash.low ^= part.high;
        hash.high ^= part.low;
    }
    memcpy(out, &hash.low, 8);
    memcpy(out + 8, &hash.high, 8);
}

static status_value parse_key(struct api_call *call)
{
    struct str key = http_header_get(call->exchange, "idempotency-key");
    if (key.data == NULL || !catalog_op_mutates(call->request.op))
        return OK;
    if (!uuid_parse(key, &call->request.idempotency_key))
        return FAIL(&call->diag, INVALID, "header Idempotency-Key must be a UUID, not \"%.*s\"",
                    (int)(key.size > 100 ? 100 : key.size), key.data);
    call->request.has_idempotency_key = true;
    fingerprint(call->exchange, call->request.fingerprint);
    return OK;
}

static status_value parse_body(struct api_call *call)
{
    struct json_limits limits = json_limits_request();
    bool takes_body = call->exchange->method == HTTP_METHOD_POST;
    if (!takes_body || call->exchange->body.size == 0)
        return OK;
    return json_parse(call->exchange->arena, call->exchange->body, &limits, &call->diag,
                      &call->request.body);
}

status_value call__parse(struct api_call *call)
{
    TRY(api_route_match(call->exchange, &call->diag, &call->request));
    call->exchange->route = call->api->route_labels[call->request.op];
    call->matched = true;
    struct str if_none_match = http_header_get(call->exchange, "if-none-match");
    if (if_none_match.data != NULL)
        call->request.if_none_match = if_none_match;
    TRY(parse_key(call));
    return parse_body(call);
}
