/* SPDX-License-Identifier: Apache-2.0 */
/*
 * paths.c - names of metadata files.
 *
 * A name holds the version, so that people find the newest, and a random uuid, so that two writers
 * of one version (a commit and its retry on another leader) never write the same file.
 */
#include "catalog/catalog_internal.h"

status catalog__metadata_path(struct catalog_context *context, struct str base, uint64_t version,
                              bool gzip, struct str *out)
{
    char uuid[UUID_TEXT_SIZE];
    uuid_format(uuid_v4(context->prng), uuid);
    if (str_ends(base, STR("/")))
        base.size--;
    struct str path =
        arena_printf(context->arena, "%.*s/%05llu-%.*s%s.metadata.json", STR_ARG(base),
                     (unsigned long long)version, UUID_TEXT_SIZE, uuid, gzip ? ".gz" : "");
    if (path.data == NULL)
        return FAIL(context->diag, NOMEM, "could not name a metadata file: memory is exhausted");
    /* A location may be just short enough and its files' names not: no store would take them. */
    struct str canonical;
    TRY(catalog__location_canonical(context, path, &canonical));
    *out = path;
    return OK;
}
