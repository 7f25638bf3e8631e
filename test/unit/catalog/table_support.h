/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * table_support.h - what the table tests share: JSON in single quotes, a table "a.t", changes that
 * are no requests.
 */
#include "catalog_fixture.h"

#define SCHEMA_TWO                                                                                 \
    "{'type':'struct','schema-id':0,'fields':["                                                    \
    "{'id':1,'name':'id','required':true,'type':'long'},"                                          \
    "{'id':2,'name':'data','required':false,'type':'string'}]}"
#define SCHEMA_THREE                                                                               \
    "{'type':'struct','schema-id':9,'fields':["                                                    \
    "{'id':1,'name':'id','required':true,'type':'long'},"                                          \
    "{'id':2,'name':'data','required':false,'type':'string'},"                                     \
    "{'id':3,'name':'more','required':false,'type':'int'}]}"
/* Without the column "id". */
#define SCHEMA_LESS                                                                                \
    "{'type':'struct','fields':[{'id':2,'name':'data','required':false,'type':'string'}]}"

/* `at` is three digits of milliseconds. */
#define SNAPSHOT(id, parent, seq, at)                                                              \
    "{'action':'add-snapshot','snapshot':{'snapshot-id':" #id ",'parent-snapshot-id':" #parent     \
    ",'sequence-number':" #seq ",'timestamp-ms':1700000000" #at                                    \
    ",'manifest-list':'file:///lake/m" #id "','summary':{'operation':'append'}}}"
#define SNAPSHOT_V3(id, seq, first_row, rows)                                                      \
    "{'action':'add-snapshot','snapshot':{'snapshot-id':" #id ",'sequence-number':" #seq           \
    ",'timestamp-ms':1700000000100,'manifest-list':'file:///lake/m" #id                            \
    "','summary':{'operation':'append'},'first-row-id':" #first_row ",'added-rows':" #rows "}}"
#define REF(name, id, type)                                                                        \
    "{'action':'set-snapshot-ref','ref-name':'" name "','type':'" type "','snapshot-id':" #id "}"
#define MAIN(id) REF("main", id, "branch")
#define APPEND(id, parent, seq, at) SNAPSHOT(id, parent, seq, at) "," MAIN(id)

/* Copies with ' turned into ". Lives in the fixture's arena. */
const char *quoted(struct fixture *fixture, const char *text);
/* A line with ' for ", run. */
const char *run_quoted(struct fixture *fixture, const char *line);
/* Opens the fixture, makes namespace a and table a.t of the given format version. */
void table_open(struct fixture *fixture, int format_version);
/* Commits to a.t. `requirements` and `updates` are the elements of the lists; `show` as in a
 * line. */
const char *table_commit(struct fixture *fixture, const char *requirements, const char *updates,
                         const char *show);
/* The whole metadata of a.t as GET gives it, without location and config around it. */
const char *table_metadata(struct fixture *fixture);

/* A change that is no request: evaluated and applied like one. */
typedef status_value (*table_change_fn)(struct catalog_context *context, void *argument);
void table_change(struct fixture *fixture, table_change_fn change, void *argument);
/* Everything a stream gives, in the fixture's arena; closes it. */
struct str table_drain(struct fixture *fixture, struct catalog_stream *stream, size_t piece);
