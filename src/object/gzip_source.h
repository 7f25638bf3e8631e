/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * gzip_source.h - a source that compresses another source, and the way back for whole objects.
 */
#include "object/object.h"

struct gzip_source;
/* `inner` is kept; *out_source is the compressed stream. NOMEM. */
status gzip_source_open(struct object_source *inner, struct diag *diag, struct gzip_source **out,
                        struct object_source **out_source);
void gzip_source_close(struct gzip_source *gzip); /* NULL is fine */
/* Decompresses into the arena, at most size_max bytes and at most 1,000 times the input. INVALID,
 * TOO_LARGE. */
status gzip_inflate(struct str compressed, size_t size_max, struct arena *arena, struct diag *diag,
                    struct str *out);
/* Whether the bytes begin with gzip's magic number. */
bool gzip_is(struct str bytes);
