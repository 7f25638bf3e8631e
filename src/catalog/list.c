/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list.c - lists of namespaces, tables and views, whole or by pages.
 *
 * A list is one range scan over name rows. Its text is built in one buffer: the part that all items
 * share is written once, a name is taken from its key, so 100,000 items cost no allocation each.
 *
 * P1  Without a page token the answer is everything and its next-page-token null, whatever pageSize
 *     says: clients that do not page would lose the rest in silence.
 * P2  A token is the key of the last item: what exists throughout is seen exactly once, however
 *     many others come and go. Pages are in key order.
 * P3  A token is bound to its listing and namespace and has a checksum; any other text is refused.
 *
 * Token: base64url of {version u8 = 1, kind u8, warehouse u32le, parent u64le, name, crc32c u32le}.
 */
#include "base/crc32c.h"
#include "catalog/operations.h"

enum {
    TOKEN_VERSION = 1,
    TOKEN_HEAD_SIZE = 1 + 1 + 4 + 8,
    TOKEN_CHECK_SIZE = 4,
    TOKEN_SIZE_MAX = TOKEN_HEAD_SIZE + KEY_SIZE_MAX + TOKEN_CHECK_SIZE,
    TOKEN_TEXT_MAX = (TOKEN_SIZE_MAX + 2) / 3 * 4
};

static const char base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void base64url_append(struct buf *out, struct str bytes)
{
    for (size_t i = 0; i < bytes.size; i += 3) {
        uint32_t group = 0;
        size_t have = bytes.size - i < 3 ? bytes.size - i : 3;
        for (size_t j = 0; j < 3; j++)
            group = group << 8 | (j < have ? (unsigned char)bytes.data[i + j] : 0u);
        for (size_t j = 0; j <= have; j++)
            buf_byte(out, base64url[group >> (18 - 6 * j) & 63]);
    }
}

/* Refuses padding, foreign characters and bits that no encoder leaves. */
static bool base64url_decode(struct str text, struct buf *out)
{
    for (size_t i = 0; i < text.size; i += 4) {
        uint32_t group = 0;
        size_t have = text.size - i < 4 ? text.size - i : 4;
        if (have == 1)
            return false;
        for (size_t j = 0; j < have; j++) {
            const char *at = text.data[i + j] == 0 ? NULL : strchr(base64url, text.data[i + j]);
            if (at == NULL)
                return false;
            group |= (uint32_t)(at - base64url) << (18 - 6 * j);
        }
        if (have < 4 && (group << (8 * have)) != 0)
            return false;
        for (size_t j = 0; j + 1 < have; j++)
            buf_byte(out, (char)(unsigned char)(group >> (16 - 8 * j)));
    }
    return true;
}

struct listing {
    enum key_kind kind;
    uint32_t warehouse;
    uint64_t parent;
};

static void token_head(struct buf *out, const struct listing *listing)
{
    buf_byte(out, TOKEN_VERSION);
    buf_byte(out, (char)listing->kind);
    buf_u32le(out, listing->warehouse);
    buf_u64le(out, listing->parent);
}

static status token_make(struct catalog_context *context, const struct listing *listing,
                         struct str name, struct str *out)
{
    struct buf bytes;
    struct buf text;
    buf_init(&bytes, context->arena, TOKEN_SIZE_MAX);
    buf_init(&text, context->arena, TOKEN_TEXT_MAX);
    token_head(&bytes, listing);
    buf_str(&bytes, name);
    buf_u32le(&bytes, crc32c(0, buf_view(&bytes)));
    TRY(buf_finish(&bytes, "a page token", context->diag));
    base64url_append(&text, buf_view(&bytes));
    TRY(buf_finish(&text, "a page token", context->diag));
    *out = buf_view(&text);
    return OK;
}

static bool token_is_of(struct str bytes, struct str head)
{
    if (bytes.size <= TOKEN_HEAD_SIZE + TOKEN_CHECK_SIZE)
        return false;
    size_t end = bytes.size - TOKEN_CHECK_SIZE;
    struct cursor check = cursor_of(str_from_pos(bytes, end));
    return str_starts(bytes, head) && cursor_u32le(&check) == crc32c(0, str_slice(bytes, 0, end));
}

static status token_read(struct catalog_context *context, const struct listing *listing,
                         struct str token, struct str *out_name)
{
    struct buf bytes;
    struct buf head;
    buf_init(&bytes, context->arena, TOKEN_SIZE_MAX);
    buf_init(&head, context->arena, TOKEN_HEAD_SIZE);
    token_head(&head, listing);
    bool valid = token.size <= TOKEN_TEXT_MAX && base64url_decode(token, &bytes);
    if (valid && (bytes.failed == STATUS_NOMEM || head.failed == STATUS_NOMEM))
        return FAIL(context->diag, NOMEM, "could not read a page token: memory is exhausted");
    if (!valid || bytes.failed != STATUS_OK || !token_is_of(buf_view(&bytes), buf_view(&head)))
        return FAIL(context->diag, INVALID,
                    "The page token is not one of this listing; start again with an empty one");
    *out_name = str_slice(buf_view(&bytes), TOKEN_HEAD_SIZE, bytes.size - TOKEN_CHECK_SIZE);
    return OK;
}

status list__page(struct catalog_context *context, const struct catalog_request *request,
                  enum key_kind listing, uint32_t warehouse, uint64_t parent, struct list_page *out)
{
    struct list_page page = {.after = {"", 0}, .size_max = UINT64_MAX};
    struct listing of = {listing, warehouse, parent};
    if (request->has_page_size && request->page_size == 0)
        return FAIL(context->diag, INVALID, "pageSize must be at least 1");
    if (request->has_page_token) {
        page.size_max = u64_max(context->options->page_size_max, 1);
        if (request->has_page_size)
            page.size_max = u64_min(page.size_max, request->page_size);
    }
    if (request->has_page_token && request->page_token.size > 0)
        TRY(token_read(context, &of, request->page_token, &page.after));
    *out = page;
    return OK;
}

/* What stands before and after each name. */
struct frame {
    const char *member;
    struct str before;
    struct str after;
};

static status frame_make(struct catalog_context *context, const struct catalog_ident *ident,
                         bool is_namespace, struct frame *out)
{
    struct buf buf = rows__buf(context);
    buf_str(&buf, is_namespace ? STR("[") : STR("{\"namespace\":["));
    for (size_t i = 0; i < ident->level_count; i++) {
        if (i > 0)
            buf_byte(&buf, ',');
        json_write_string(&buf, ident->levels[i]);
    }
    if (!is_namespace)
        buf_str(&buf, STR("],\"name\":"));
    else if (ident->level_count > 0)
        buf_byte(&buf, ',');
    TRY(buf_finish(&buf, "a list", context->diag));
    *out = (struct frame){.member = is_namespace ? "namespaces" : "identifiers",
                          .before = buf_view(&buf),
                          .after = is_namespace ? STR("]") : STR("}")};
    return OK;
}

/* The whole name: from the key, or for a long one from the value. */
static status full_name(struct catalog_context *context, struct str in_key, struct str value,
                        struct str *out)
{
    const struct json *row = NULL;
    if (in_key.size <= KEY_NAME_MAX) {
        *out = in_key;
        return OK;
    }
    TRY(rows__parse(context, value, &row));
    return rows__str(context, row, "name", out);
}

struct progress {
    uint64_t count;
    struct key last;
    bool more;
};

static status items_write(struct catalog_context *context, struct kv_cursor *cursor,
                          const struct frame *frame, uint64_t size_max, struct buf *buf,
                          struct progress *progress)
{
    for (;;) {
        struct str key = {"", 0};
        struct str value = {"", 0};
        struct str name = {"", 0};
        bool found = false;
        TRY(kv_next(cursor, context->diag, &key, &value, &found));
        if (!found)
            return OK;
        if (progress->count == size_max) {
            progress->more = true;
            return OK;
        }
        struct str in_key = str_from_pos(key, KEY_OBJECT_SIZE);
        TRY(full_name(context, in_key, value, &name));
        if (progress->count++ > 0)
            buf_byte(buf, ',');
        buf_str(buf, frame->before);
        json_write_string(buf, name);
        buf_str(buf, frame->after);
        if (progress->count == size_max) {
            progress->last.size = 0;
            key_bytes(&progress->last, in_key);
        }
        if (buf->failed != STATUS_OK)
            return buf_finish(buf, "a list", context->diag);
    }
}

/* From the first name after the page before, to the end of the parent. */
static status scan_open(struct catalog_context *context, const struct listing *listing,
                        struct str after, struct kv_cursor **out)
{
    struct key from = key_in(listing->warehouse, listing->kind);
    key_u64(&from, listing->parent);
    struct str end = {"", 0};
    TRY(kv_prefix_end(context->arena, key_str(&from), context->diag, &end));
    if (after.size > 0) {
        key_bytes(&from, after);
        key_byte(&from, 0); /* the smallest key after it */
    }
    return kv_scan(context->view, context->arena, key_str(&from), end, context->diag, out);
}

static status list_write(struct catalog_context *context, const struct listing *listing,
                         const struct list_page *page, const struct frame *frame, struct buf *buf)
{
    struct progress progress = {.count = 0};
    struct kv_cursor *cursor = NULL;
    buf_printf(buf, "{\"%s\":[", frame->member);
    TRY(scan_open(context, listing, page->after, &cursor));
    status_value result = items_write(context, cursor, frame, page->size_max, buf, &progress);
    kv_close(cursor);
    TRY(result);
    buf_str(buf, STR("],\"next-page-token\":"));
    if (progress.more) {
        struct str token = {"", 0};
        TRY(token_make(context, listing, key_str(&progress.last), &token));
        json_write_string(buf, token);
    } else {
        buf_str(buf, STR("null"));
    }
    buf_byte(buf, '}');
    return OK;
}

static status list_children(struct catalog_context *context, const struct catalog_request *request,
                            const struct catalog_warehouse *warehouse,
                            const struct catalog_ident *parent, enum key_kind kind,
                            struct catalog_response *out)
{
    struct listing listing = {.kind = kind, .warehouse = warehouse->id};
    struct list_page page = {.size_max = 0};
    struct frame frame = {.member = NULL};
    TRY(catalog__namespace_find(context, warehouse->id, parent, &listing.parent));
    TRY(list__page(context, request, kind, warehouse->id, listing.parent, &page));
    TRY(frame_make(context, parent, kind == KEY_NAMESPACE, &frame));
    struct buf buf = rows__buf(context);
    TRY(list_write(context, &listing, &page, &frame, &buf));
    return operation__json(context, &buf, out);
}

OPERATION(operation__namespace_list)
{
    return list_children(context, request, warehouse, &request->parent, KEY_NAMESPACE, out);
}

OPERATION(operation__table_list)
{
    return list_children(context, request, warehouse, &request->ident, KEY_TABLE_NAME, out);
}

OPERATION(operation__view_list)
{
    return list_children(context, request, warehouse, &request->ident, KEY_VIEW_NAME, out);
}
