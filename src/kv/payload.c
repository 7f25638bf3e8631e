/* SPDX-License-Identifier: Apache-2.0 */
/*
 * payload.c - the bytes of a log entry (format in kv.h): written from a batch, read with distrust.
 *
 * P1  Keys are strictly ascending: a batch has each key once, in order.
 * P2  op is 1 (put) or 2 (delete); a delete has an empty value. Nothing follows the last write.
 */
#include "kv/kv.h"

enum { PAYLOAD_FORMAT = 1, OP_PUT = 1, OP_DELETE = 2 };

void kv_payload_encode(const struct kv_batch *batch, hlc_stamp stamp, const struct kv_trace *trace,
                       struct buf *out)
{
    static const struct kv_trace no_trace = {{0}};
    const struct kv_trace *written = trace == NULL ? &no_trace : trace;
    buf_byte(out, PAYLOAD_FORMAT);
    buf_u64le(out, stamp.value);
    buf_append(out, written->bytes, sizeof(written->bytes));
    buf_varint(out, kv_batch_count(batch));
    struct kv_batch_iter iter = kv_batch_writes(batch);
    struct kv_write write;
    while (kv_batch_next(&iter, &write)) {
        buf_byte(out, write.is_delete ? OP_DELETE : OP_PUT);
        buf_varint(out, write.key.size);
        buf_str(out, write.key);
        buf_varint(out, write.value.size);
        buf_str(out, write.value);
    }
}

status_value kv_payload_open(struct str bytes, struct diag *diag, struct kv_payload *out)
{
    struct kv_payload payload = {.at = cursor_of(bytes)};
    uint8_t format = cursor_u8(&payload.at);
    payload.stamp.value = cursor_u64le(&payload.at);
    struct str trace = cursor_bytes(&payload.at, sizeof(payload.trace.bytes));
    payload.left = cursor_varint(&payload.at);
    if (payload.at.failed)
        return FAIL(diag, CORRUPT, "log entry payload of %zu bytes ends in its header", bytes.size);
    if (format != PAYLOAD_FORMAT)
        return FAIL(diag, CORRUPT, "log entry payload has unknown format %u", (unsigned)format);
    if (payload.left == 0 && cursor_left(&payload.at) > 0)
        return FAIL(diag, CORRUPT, "log entry payload has bytes after its last write");
    memcpy(payload.trace.bytes, trace.data, sizeof(payload.trace.bytes));
    *out = payload;
    return OK;
}

static status check_write(const struct kv_payload *payload, const struct kv_write *write,
                          uint8_t op, struct diag *diag)
{
    if (payload->at.failed)
        return FAIL(diag, CORRUPT, "log entry payload ends inside a write");
    if (op != OP_PUT && op != OP_DELETE)
        return FAIL(diag, CORRUPT, "log entry payload has unknown operation %u", (unsigned)op);
    if (write->key.size == 0 || write->key.size > KEY_SIZE_MAX)
        return FAIL(diag, CORRUPT, "log entry payload has a key of %zu bytes", write->key.size);
    if (write->is_delete && write->value.size > 0)
        return FAIL(diag, CORRUPT, "log entry payload has a delete with a value");
    if (str_cmp(payload->last_key, write->key) >= 0)
        return FAIL(diag, CORRUPT, "log entry payload has keys out of order");
    if (payload->left == 1 && cursor_left(&payload->at) > 0)
        return FAIL(diag, CORRUPT, "log entry payload has bytes after its last write");
    return OK;
}

status_value kv_payload_next(struct kv_payload *payload, struct diag *diag, struct kv_write *out,
                             bool *out_found)
{
    if (payload->left == 0) {
        *out_found = false;
        return OK;
    }
    struct kv_write write = {.key = STR("")};
    uint8_t op = cursor_u8(&payload->at);
    write.is_delete = op == OP_DELETE;
    write.key = cursor_bytes(&payload->at, cursor_varint(&payload->at));
    write.value = cursor_bytes(&payload->at, cursor_varint(&payload->at));
    TRY(check_write(payload, &write, op, diag));
    payload->last_key = write.key;
    payload->left--;
    *out = write;
    *out_found = true;
    return OK;
}

status_value kv_payload_check(struct str bytes, struct diag *diag)
{
    struct kv_payload payload;
    struct kv_write write;
    TRY(kv_payload_open(bytes, diag, &payload));
    for (bool found = true; found;)
        TRY(kv_payload_next(&payload, diag, &write, &found));
    return OK;
}
