/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etag.c - entity tags: 16 hex digits of a hash over the metadata location and the mode, in quotes.
 *
 * A metadata location holds a UUID and never names two documents, so equal tags mean equal
 * documents. The two modes of a load (all snapshots, only those of refs) are two representations
 * and differ. Spec: RFC 9110 §8.8.3, §13.1.2. Clients send strong, weak and unquoted forms, and
 * lists.
 */
#include "catalog/catalog_internal.h"

#include <inttypes.h>

status_value catalog__etag(struct catalog_context *context, struct str metadata_location,
                           bool refs_only, struct str *out)
{
    uint64_t hash = str_hash(metadata_location);
    if (refs_only)
        hash = (hash ^ UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xff51afd7ed558ccd);
    struct str etag = arena_printf(context->arena, "\"%016" PRIx64 "\"", hash);
    if (etag.data == NULL)
        return FAIL(context->diag, NOMEM, "could not build an ETag: memory budget exhausted");
    *out = etag;
    return OK;
}

static struct str trim(struct str s)
{
    while (s.size > 0 && (s.data[0] == ' ' || s.data[0] == '\t'))
        s = str_from_pos(s, 1);
    while (s.size > 0 && (s.data[s.size - 1] == ' ' || s.data[s.size - 1] == '\t'))
        s.size--;
    return s;
}

/* The opaque part: without W/ and quotes. */
static struct str opaque(struct str tag)
{
    tag = trim(tag);
    if (str_starts(tag, STR("W/")))
        tag = str_from_pos(tag, 2);
    if (tag.size >= 2 && tag.data[0] == '"' && tag.data[tag.size - 1] == '"')
        tag = str_slice(tag, 1, tag.size - 1);
    return tag;
}

bool catalog__etag_matches(struct str if_none_match, struct str etag)
{
    struct str wanted = opaque(etag);
    struct str part;
    while (str_split(&if_none_match, ',', &part)) {
        struct str given = opaque(part);
        if (str_is(given, "*") || (given.size > 0 && str_eq(given, wanted)))
            return true;
    }
    return false;
}
