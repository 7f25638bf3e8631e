/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows.c - small JSON rows. What does not read back as it was written is CORRUPT, not INVALID: no
 * client can have caused it.
 */
#include "catalog/rows.h"

static status corrupt(struct catalog_context *context, const char *member)
{
    return FAIL(context->diag, CORRUPT, "a catalog row is damaged: %s is missing or not valid",
                member);
}

status rows__parse(struct catalog_context *context, struct str value, const struct json **out)
{
    struct json_limits limits = json_limits_document();
    status_value parsed = json_parse(context->arena, value, &limits, context->diag, out);
    if (parsed.code == STATUS_INVALID || parsed.code == STATUS_TOO_LARGE) {
        diag_reset(context->diag);
        return FAIL(context->diag, CORRUPT, "a catalog row is damaged: it is not JSON");
    }
    return parsed;
}

status rows__get(struct catalog_context *context, const struct key *key, const struct json **out)
{
    struct str value = {"", 0};
    bool found = false;
    TRY(kv_get(context->view, key_str(key), context->diag, &value, &found));
    if (found)
        return rows__parse(context, value, out);
    *out = NULL;
    return OK;
}

status rows__put(struct catalog_context *context, const struct key *key, const struct buf *buf)
{
    TRY(buf_finish(buf, "a catalog row", context->diag));
    return kv_put(context->batch, key_str(key), buf_view(buf), context->diag);
}

status rows__any(struct catalog_context *context, const struct key *prefix, bool *out)
{
    struct kv_cursor *cursor = NULL;
    TRY(kv_scan_prefix(context->view, context->arena, key_str(prefix), context->diag, &cursor));
    struct str key = {"", 0};
    struct str value = {"", 0};
    status_value result = kv_next(cursor, context->diag, &key, &value, out);
    kv_close(cursor);
    return result;
}

status rows__u64(struct catalog_context *context, const struct json *row, const char *member,
                 uint64_t *out)
{
    return json_as_u64(json_get(row, member), out) ? OK : corrupt(context, member);
}

status rows__str(struct catalog_context *context, const struct json *row, const char *member,
                 struct str *out)
{
    return json_as_str(json_get(row, member), out) ? OK : corrupt(context, member);
}

status rows__next(struct catalog_context *context, const struct key *counter, uint64_t *out)
{
    struct str value = {"", 0};
    bool found = false;
    uint64_t last = 0;
    TRY(kv_get(context->view, key_str(counter), context->diag, &value, &found));
    if (found && !str_to_u64(value, &last))
        return corrupt(context, "a counter");
    struct buf buf = rows__buf(context);
    buf_u64(&buf, last + 1);
    TRY(rows__put(context, counter, &buf));
    *out = last + 1;
    return OK;
}
