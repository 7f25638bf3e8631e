/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * lake_support.h - files of test/fixtures/avro, and Avro files put together byte by byte.
 */
#include "base/arena.h"
#include "base/buf.h"

/* The whole file, in memory of exactly its size so that a sanitizer sees its end; free() it. */
struct str lake_fixture(const char *folder, const char *name);
/* Calls `visit` for each NAME.avro of the folder and returns how many there are. */
size_t lake_fixtures(const char *folder, void (*visit)(const char *folder, const char *name));

/* Reads a manifest or a list (by the file's name) as the lines of NAME.txt. */
status lake_transcript(const char *name, struct str file, struct allocator *allocator,
                       struct buf *out, struct diag *diag);

/* Avro's own numbers and strings. */
void lake_long(struct buf *buf, int64_t value);
void lake_string(struct buf *buf, struct str text);
/* A file with this schema and codec, and one block with these bytes as they are. */
void lake_file(struct buf *out, const char *schema, const char *codec, int64_t records,
               struct str block);
