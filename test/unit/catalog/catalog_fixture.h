/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * catalog_fixture.h - a catalog over a store in memory, driven by lines of text.
 *
 *   OPERATION [namespace[/name]] [word…] [JSON body]
 *
 * OPERATION is a row of operations.def; levels of a namespace are separated by dots; words are
 * key=N (an Idempotency-Key), purge, refs, token=TEXT, size=N, parent=a.b, warehouse=NAME,
 * etag=TEXT and show=MEMBER (of a table's metadata; an empty one shows the whole answer). The
 * answer is text too: "204", "200 {…}" or "409 AlreadyExistsException: Table already exists: a.t".
 * A ' in the body stands for ". Time is a counter and chance is seeded, so equal lines give equal
 * answers.
 */
#include "catalog/catalog.h"
#include "kv/inflight.h"
#include "kv/store.h"

/* Bodies and parts of bodies. */
#define FIXTURE_SCHEMA                                                                             \
    "{'type':'struct','schema-id':0,'fields':[{'id':1,'name':'id','type':'long','required':true}]" \
    "}"
#define FIXTURE_NAMESPACE(level) "NAMESPACE_CREATE {'namespace':['" level "']}"
#define FIXTURE_TABLE(name) "{'name':'" name "','schema':" FIXTURE_SCHEMA "}"
#define FIXTURE_VIEW(name)                                                                         \
    "{'name':'" name "','schema':" FIXTURE_SCHEMA ",'properties':{},'view-version':{"              \
    "'version-id':1,'timestamp-ms':1700000000000,'schema-id':0,'summary':{},"                      \
    "'default-namespace':['a'],"                                                                   \
    "'representations':[{'type':'sql','sql':'SELECT 1','dialect':'spark'}]}}"
#define FIXTURE_SET(key, value) "{'action':'set-properties','updates':{'" key "':'" value "'}}"
#define FIXTURE_RENAME(from_ns, from, to_ns, to)                                                   \
    "{'source':{'namespace':['" from_ns "'],'name':'" from "'},"                                   \
    "'destination':{'namespace':['" to_ns "'],'name':'" to "'}}"
/* What a client sends to create a table that it staged. */
#define FIXTURE_CREATION(location)                                                                 \
    "{'action':'assign-uuid','uuid':'2f8b1f6e-3d5c-4d6e-9a3b-1d2c3b4a5f60'},"                      \
    "{'action':'upgrade-format-version','format-version':2},"                                      \
    "{'action':'add-schema','schema':" FIXTURE_SCHEMA ",'last-column-id':1},"                      \
    "{'action':'set-current-schema','schema-id':-1},"                                              \
    "{'action':'add-spec','spec':{'spec-id':0,'fields':[]}},"                                      \
    "{'action':'set-default-spec','spec-id':-1},"                                                  \
    "{'action':'add-sort-order','sort-order':{'order-id':0,'fields':[]}},"                         \
    "{'action':'set-default-sort-order','sort-order-id':-1},"                                      \
    "{'action':'set-location','location':'" location "'},"                                         \
    "{'action':'set-properties','updates':{}}"

struct fixture {
    struct kv_store *store;
    struct arena arena;
    struct allocator *allocator; /* of each request; the heap unless a test sets another */
    size_t budget_bytes;         /* of each request's arena */
    struct prng prng;
    struct catalog_options options;
    uint64_t now_ms;
    uint64_t index;
    bool was_replayed;
    size_t await_count;
    size_t writes;                /* rows of the last change that were applied */
    struct kv_inflight *inflight; /* see fixture_stop_applying */
    struct kv_snapshot *base;
};

/* With a warehouse "lake" at file:///lake, the default one. */
void fixture_open(struct fixture *fixture);
void fixture_close(struct fixture *fixture);
/* From here on changes stay in flight: later lines read them through an overlay, the store stays as
 * it is. Everything must answer as if they were applied. */
void fixture_stop_applying(struct fixture *fixture);
/* The answer lives until fixture_close. */
const char *fixture_run(struct fixture *fixture, const char *line);
TN_PRINTF(2, 3) const char *fixture_runf(struct fixture *fixture, const char *format, ...);
/* Fails the test unless the answer is exactly `wanted`. */
#define EXPECT(fixture, line, wanted) assert_string_equal(fixture_run((fixture), (line)), (wanted))
/* … begins with `wanted`. */
#define EXPECT_BEGINS(fixture, line, wanted)                                                       \
    do {                                                                                           \
        const char *answer_ = fixture_run((fixture), (line));                                      \
        if (strncmp(answer_, (wanted), strlen(wanted)) != 0)                                       \
            fail_msg("%s\nwanted: %s\nanswer: %s", (line), (wanted), answer_);                     \
    } while (0)

/* catalog_warehouse_put as a change of its own; the answer is "200" or an error as above. */
const char *fixture_warehouse(struct fixture *fixture, const char *name, const char *location,
                              enum catalog_publish publish);
/* Rows of the store whose key begins so. */
size_t fixture_rows(struct fixture *fixture, struct str prefix);
