/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table_update_test.c - every update and its messages, one table of cases: what the table is, what
 * has been committed, what is committed now, and the answer.
 */
#include "table_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

struct update_case {
    const char *name;
    int version;
    const char *setup; /* commits, separated by '|' */
    const char *updates;
    const char *show; /* member of the new metadata; NULL: the status alone */
    const char *want;
};

#define BUCKET_SPEC                                                                                \
    "{'action':'add-spec','spec':{'fields':[{'name':'id_bucket','transform':'bucket[4]',"          \
    "'source-id':1}]}}"
#define SET_SPEC(id) "{'action':'set-default-spec','spec-id':" #id "}"
#define ID_ORDER                                                                                   \
    "{'action':'add-sort-order','sort-order':{'order-id':5,'fields':[{'transform':'identity',"     \
    "'source-id':1,'direction':'asc','null-order':'nulls-first'}]}}"
#define SET_ORDER(id) "{'action':'set-default-sort-order','sort-order-id':" #id "}"
#define ADD_SCHEMA(schema) "{'action':'add-schema','schema':" schema ",'last-column-id':1}"
#define SET_SCHEMA(id) "{'action':'set-current-schema','schema-id':" #id "}"
#define STATISTICS(id)                                                                             \
    "{'action':'set-statistics','statistics':{'snapshot-id':" #id                                  \
    ",'statistics-path':'file:///lake/s','file-size-in-bytes':9,'file-footer-size-in-bytes':4,"    \
    "'blob-metadata':[{'type':'x','snapshot-id':" #id ",'sequence-number':1,'fields':[1]}]}}"
#define PARTITION_STATISTICS(id)                                                                   \
    "{'action':'set-partition-statistics','partition-statistics':{'snapshot-id':" #id              \
    ",'statistics-path':'file:///lake/p','file-size-in-bytes':9}}"
#define KEY(id)                                                                                    \
    "{'action':'add-encryption-key','encryption-key':{'key-id':'" id                               \
    "','encrypted-key-metadata':'a2V5'}}"
#define PROPERTY(key, value) "{'action':'set-properties','updates':{'" key "':'" value "'}}"
#define BAD "400 BadRequestException: "
#define ILLEGAL "400 IllegalArgumentException: "
#define CONFLICT "409 CommitFailedException: "

static const struct update_case cases[] = {
    /* uuid */
    {"assign-uuid other", 2, "",
     "{'action':'assign-uuid','uuid':'00000000-0000-4000-8000-000000000000'}", NULL,
     ILLEGAL "Cannot reassign uuid: the table is "},
    {"assign-uuid no uuid", 2, "", "{'action':'assign-uuid','uuid':'x'}", NULL,
     ILLEGAL "assign-uuid: not a UUID: x"},

    /* format version */
    {"upgrade", 1, "", "{'action':'upgrade-format-version','format-version':3}", "format-version",
     "200 3"},
    {"upgrade v3 row id", 2, "", "{'action':'upgrade-format-version','format-version':3}",
     "next-row-id", "200 0"},
    {"upgrade v3 null", 2, "", "{'action':'upgrade-format-version','format-version':3}",
     "current-snapshot-id", "200 null"},
    {"upgrade equal", 2, "", "{'action':'upgrade-format-version','format-version':2}",
     "metadata-log", "200 []"},
    {"upgrade unknown", 2, "", "{'action':'upgrade-format-version','format-version':5}", NULL,
     ILLEGAL "Cannot upgrade table to unsupported format version: v5 (supported: v4)"},
    {"upgrade v4", 3, "", "{'action':'upgrade-format-version','format-version':4}", NULL,
     ILLEGAL "Cannot upgrade table to format version v4: it is not adopted yet (use v3 or lower)"},
    {"downgrade", 3, "", "{'action':'upgrade-format-version','format-version':2}", NULL,
     ILLEGAL "Cannot downgrade v3 table to v2"},

    /* schemas; last-column-id of the request is ignored */
    {"add-schema", 2, "", ADD_SCHEMA(SCHEMA_THREE) "," SET_SCHEMA(-1), "current-schema-id",
     "200 1"},
    {"add-schema last column", 2, "", ADD_SCHEMA(SCHEMA_THREE), "last-column-id", "200 3"},
    {"add-schema smaller", 2, ADD_SCHEMA(SCHEMA_THREE), ADD_SCHEMA(SCHEMA_LESS), "last-column-id",
     "200 3"},
    {"add-schema again -1", 2, ADD_SCHEMA(SCHEMA_THREE),
     ADD_SCHEMA(SCHEMA_THREE) "," SET_SCHEMA(-1), "current-schema-id", "200 1"},
    {"add-schema same", 2, "", ADD_SCHEMA(SCHEMA_TWO), "metadata-log", "200 []"},
    {"add-schema missing", 2, "", "{'action':'add-schema'}", NULL, BAD},
    {"add-schema variant", 2, "",
     ADD_SCHEMA("{'type':'struct','fields':[{'id':7,'name':'v','required':false,"
                "'type':'variant'}]}"),
     NULL,
     ILLEGAL "Invalid schema for v2:\n- Invalid type for v: variant is not supported until v3"},
    {"set-current-schema -1", 2, "", SET_SCHEMA(-1), NULL,
     ILLEGAL "Cannot set last added schema: no schema has been added"},
    {"set-current-schema unknown", 2, "", SET_SCHEMA(7), NULL,
     ILLEGAL "Cannot set current schema to unknown schema: 7"},
    {"remove-schemas current", 2, "", "{'action':'remove-schemas','schema-ids':[0]}", NULL,
     ILLEGAL "Cannot remove the current schema"},
    {"remove-schemas", 2, ADD_SCHEMA(SCHEMA_THREE) "," SET_SCHEMA(-1),
     "{'action':'remove-schemas','schema-ids':[0,77]}", "last-column-id", "200 3"},
    {"remove-schemas unknown", 2, "", "{'action':'remove-schemas','schema-ids':[77]}",
     "metadata-log", "200 []"},

    /* specs */
    {"add-spec", 2, "", BUCKET_SPEC "," SET_SPEC(-1), "default-spec-id", "200 1"},
    {"add-spec fields", 2, "", BUCKET_SPEC, "partition-specs",
     "200 [{\"spec-id\":0,\"fields\":[]},{\"spec-id\":1,\"fields\":[{\"name\":\"id_bucket\","
     "\"transform\":\"bucket[4]\",\"source-id\":1,\"field-id\":1000}]}]"},
    {"add-spec last id", 2, "", BUCKET_SPEC, "last-partition-id", "200 1000"},
    {"add-spec same", 2, BUCKET_SPEC, BUCKET_SPEC "," SET_SPEC(-1), "default-spec-id", "200 1"},
    {"add-spec not from 1000 again", 2, BUCKET_SPEC,
     "{'action':'add-spec','spec':{'fields':[{'name':'d','transform':'identity','source-id':2}]}}",
     "last-partition-id", "200 1001"},
    {"add-spec source", 2, "",
     "{'action':'add-spec','spec':{'fields':[{'name':'x','transform':'identity','source-id':9}]}}",
     NULL, ILLEGAL "Cannot find source column for partition field"},
    {"add-spec ids", 2, "",
     "{'action':'add-spec','spec':{'fields':[{'field-id':1000,'name':'x','transform':'identity',"
     "'source-id':1},{'name':'y','transform':'identity','source-id':2}]}}",
     NULL, ILLEGAL "Cannot parse spec with missing field IDs: 1 missing of 2 fields."},
    {"set-default-spec -1", 2, "", SET_SPEC(-1), NULL,
     ILLEGAL "Cannot set last added spec: no spec has been added"},
    {"set-default-spec unknown", 2, "", SET_SPEC(4), NULL,
     ILLEGAL "Cannot set default partition spec to unknown spec: 4"},
    {"remove default spec", 2, "", "{'action':'remove-partition-specs','spec-ids':[0]}", NULL,
     ILLEGAL "Cannot remove the default partition spec"},
    {"remove spec", 2, BUCKET_SPEC, "{'action':'remove-partition-specs','spec-ids':[1,8]}",
     "partition-specs", "200 [{\"spec-id\":0,\"fields\":[]}]"},
    {"drop column of default spec", 2, BUCKET_SPEC "," SET_SPEC(-1),
     ADD_SCHEMA(SCHEMA_LESS) "," SET_SCHEMA(-1), NULL,
     ILLEGAL "Cannot find source column for partition field: "},
    {"drop column of old spec", 2, BUCKET_SPEC, ADD_SCHEMA(SCHEMA_LESS) "," SET_SCHEMA(-1),
     "current-schema-id", "200 1"},

    /* orders */
    {"add-sort-order", 2, "", ID_ORDER "," SET_ORDER(-1), "default-sort-order-id", "200 1"},
    {"add-sort-order empty", 2, "",
     "{'action':'add-sort-order','sort-order':{'order-id':0,'fields':[]}}," SET_ORDER(-1),
     "metadata-log", "200 []"},
    {"add-sort-order reserved", 2, "",
     "{'action':'add-sort-order','sort-order':{'order-id':0,'fields':[{'transform':'identity',"
     "'source-id':1,'direction':'asc','null-order':'nulls-first'}]}}",
     NULL, ILLEGAL "Sort order ID 0 is reserved for unsorted order"},
    {"set-default-sort-order -1", 2, "", SET_ORDER(-1), NULL,
     ILLEGAL "Cannot set last added sort order: no sort order has been added"},
    {"set-default-sort-order unknown", 2, "", SET_ORDER(4), NULL,
     ILLEGAL "Cannot set default sort order to unknown sort order: 4"},
    {"drop column of default order", 2, ID_ORDER "," SET_ORDER(-1),
     ADD_SCHEMA(SCHEMA_LESS) "," SET_SCHEMA(-1), NULL, ILLEGAL "Cannot find source column"},

    /* snapshots */
    {"append", 2, "", APPEND(10, -1, 1, 100), "current-snapshot-id", "200 10"},
    {"parent -1 is none", 2, "", SNAPSHOT(10, -1, 1, 100), "snapshots",
     "200 [{\"snapshot-id\":10,\"sequence-number\":1,\"timestamp-ms\":1700000000100,"
     "\"manifest-list\":\"file:///lake/m10\",\"summary\":{\"operation\":\"append\"}}]"},
    {"parent null is none", 2, "", SNAPSHOT(10, null, 1, 100), "last-sequence-number", "200 1"},
    {"order is kept", 2, APPEND(30, -1, 1, 100) "|" APPEND(20, 30, 2, 110), APPEND(10, 20, 3, 120),
     "snapshot-log",
     "200 [{\"timestamp-ms\":1700000000100,\"snapshot-id\":30},{\"timestamp-ms\":1700000000110,"
     "\"snapshot-id\":20},{\"timestamp-ms\":1700000000120,\"snapshot-id\":10}]"},
    {"snapshot exists, other content", 2, APPEND(10, -1, 1, 100), SNAPSHOT(10, 10, 2, 110), NULL,
     ILLEGAL "Snapshot already exists for id: 10"},
    {"snapshot exists, same content", 2, APPEND(10, -1, 1, 100), SNAPSHOT(10, -1, 1, 100), NULL,
     CONFLICT "Snapshot already exists for id: 10"},
    {"stale sequence number", 2, APPEND(10, -1, 5, 100), SNAPSHOT(11, 10, 5, 110), NULL,
     CONFLICT "Validation failed, please retry: Cannot add snapshot with sequence number 5 older "
              "than last sequence number 5"},
    {"root snapshot may repeat a number", 2, APPEND(10, -1, 5, 100), SNAPSHOT(11, -1, 3, 110),
     "last-sequence-number", "200 5"},
    {"v1 sequence number", 1, "", SNAPSHOT(10, -1, 1, 100), NULL,
     ILLEGAL "Sequence number must be 0 in v1: 1"},
    {"v1 no sequence number", 1, "", APPEND(10, -1, 0, 100), "current-snapshot-id", "200 10"},
    {"manifest-list missing", 2, "",
     "{'action':'add-snapshot','snapshot':{'snapshot-id':1,'timestamp-ms':1700000000100,"
     "'sequence-number':1}}",
     NULL, BAD "snapshot: manifest-list is missing"},
    {"summary no string", 2, "",
     "{'action':'add-snapshot','snapshot':{'snapshot-id':1,'timestamp-ms':1700000000100,"
     "'sequence-number':1,'manifest-list':'m','summary':{'operation':1}}}",
     NULL, BAD "snapshot: the summary value of operation is no string"},
    {"v3 rows", 3, "", SNAPSHOT_V3(10, 1, 0, 7), "next-row-id", "200 7"},
    {"v3 rows by max", 3, SNAPSHOT_V3(10, 1, 0, 7), SNAPSHOT_V3(11, 2, 20, 5), "next-row-id",
     "200 25"},
    {"v3 rows behind", 3, SNAPSHOT_V3(10, 1, 0, 7), SNAPSHOT_V3(11, 2, 3, 5), NULL,
     CONFLICT "Validation failed, please retry: Cannot add a snapshot, first-row-id is behind "
              "table next-row-id: 3 < 7"},
    {"v3 no first row", 3, "", SNAPSHOT(10, -1, 1, 100), NULL,
     ILLEGAL "Cannot add a snapshot: first-row-id is null"},
    {"v3 negative rows", 3, "", SNAPSHOT_V3(10, 1, 0, -1), NULL,
     ILLEGAL "Cannot add a snapshot: added-rows is missing or negative"},
    {"snapshot time far behind the log", 2, APPEND(10, -1, 1, 900),
     "{'action':'add-snapshot','snapshot':{'snapshot-id':11,'parent-snapshot-id':10,"
     "'sequence-number':2,'timestamp-ms':1699999930000,'manifest-list':'m'}}," MAIN(11),
     NULL,
     ILLEGAL "Invalid snapshot timestamp 1699999930000: before last snapshot log entry at "
             "1700000000900"},
    {"snapshot time a little behind", 2, APPEND(10, -1, 1, 900),
     "{'action':'add-snapshot','snapshot':{'snapshot-id':11,'parent-snapshot-id':10,"
     "'sequence-number':2,'timestamp-ms':1699999999000,'manifest-list':'m'}}," MAIN(11),
     "last-updated-ms", "200 1700000000900"},
    {"big ids stay exact", 2, "", APPEND(9223372036854775807, -1, 1, 100), "current-snapshot-id",
     "200 9223372036854775807"},

    /* refs */
    {"intermediate snapshot leaves no log entry", 2, "",
     APPEND(10, -1, 1, 100) "," APPEND(11, 10, 2, 110), "snapshot-log",
     "200 [{\"timestamp-ms\":1700000000110,\"snapshot-id\":11}]"},
    {"an added snapshot that is not the last", 2, "",
     SNAPSHOT(10, -1, 1, 100) "," SNAPSHOT(11, 10, 2, 110) "," MAIN(10), "snapshot-log",
     "200 [{\"timestamp-ms\":1700000000100,\"snapshot-id\":10}]"},
    {"intermediate snapshot that is not the last", 2, "",
     SNAPSHOT(10, -1, 1, 100) "," SNAPSHOT(11, 10, 2, 110) "," MAIN(10) "," MAIN(11),
     "snapshot-log", "200 [{\"timestamp-ms\":1700000000110,\"snapshot-id\":11}]"},
    {"a removed snapshot clears what this commit logged before it", 2,
     APPEND(10, -1, 1, 100) "|" APPEND(11, 10, 2, 110),
     MAIN(10) "," MAIN(11) "," APPEND(12, 11, 3, 120) ",{'action':'remove-snapshots',"
                                                      "'snapshot-ids':[11]}",
     "snapshot-log", "200 [{\"timestamp-ms\":1700000000120,\"snapshot-id\":12}]"},
    {"rollback logs the time of the commit", 2, APPEND(10, -1, 1, 100) "|" APPEND(11, 10, 2, 110),
     MAIN(10), "snapshot-log",
     "200 [{\"timestamp-ms\":1700000000100,\"snapshot-id\":10},{\"timestamp-ms\":1700000000110,"
     "\"snapshot-id\":11},{\"timestamp-ms\":1700000000110,\"snapshot-id\":10}]"},
    {"unknown snapshot", 2, "", MAIN(5), NULL, ILLEGAL "Cannot set main to unknown snapshot: 5"},
    {"main a tag", 2, APPEND(10, -1, 1, 100), REF("main", 10, "tag"), NULL,
     ILLEGAL "Cannot set main to a tag, it must be a branch"},
    {"ref type", 2, APPEND(10, -1, 1, 100), REF("x", 10, "twig"), NULL,
     ILLEGAL "Invalid snapshot ref type: twig"},
    {"same ref", 2, "", SNAPSHOT(10, -1, 1, 100) "," MAIN(10) "," MAIN(10), "snapshot-log",
     "200 [{\"timestamp-ms\":1700000000100,\"snapshot-id\":10}]"},
    {"retention", 2, APPEND(10, -1, 1, 100),
     "{'action':'set-snapshot-ref','ref-name':'b','type':'BRANCH','snapshot-id':10,"
     "'min-snapshots-to-keep':2,'max-snapshot-age-ms':3,'max-ref-age-ms':4}",
     "refs",
     "200 {\"b\":{\"snapshot-id\":10,\"type\":\"branch\",\"min-snapshots-to-keep\":2,"
     "\"max-snapshot-age-ms\":3,\"max-ref-age-ms\":4},\"main\":{\"snapshot-id\":10,"
     "\"type\":\"branch\"}}"},
    {"tag keeps no snapshots", 2, APPEND(10, -1, 1, 100),
     "{'action':'set-snapshot-ref','ref-name':'b','type':'tag','snapshot-id':10,"
     "'min-snapshots-to-keep':2}",
     NULL, ILLEGAL "Tags do not support setting minSnapshotsToKeep"},
    {"tag has no snapshot age", 2, APPEND(10, -1, 1, 100),
     "{'action':'set-snapshot-ref','ref-name':'b','type':'tag','snapshot-id':10,"
     "'max-snapshot-age-ms':2}",
     NULL, ILLEGAL "Tags do not support setting maxSnapshotAgeMs"},
    {"retention 0", 2, APPEND(10, -1, 1, 100),
     "{'action':'set-snapshot-ref','ref-name':'b','type':'branch','snapshot-id':10,"
     "'min-snapshots-to-keep':0}",
     NULL, ILLEGAL "Min snapshots to keep must be greater than 0"},
    {"age 0", 2, APPEND(10, -1, 1, 100),
     "{'action':'set-snapshot-ref','ref-name':'b','type':'branch','snapshot-id':10,"
     "'max-snapshot-age-ms':0}",
     NULL, ILLEGAL "Max snapshot age must be greater than 0 ms"},
    {"ref age 0", 2, APPEND(10, -1, 1, 100),
     "{'action':'set-snapshot-ref','ref-name':'b','type':'tag','snapshot-id':10,"
     "'max-ref-age-ms':0}",
     NULL, ILLEGAL "Max reference age must be greater than 0"},
    {"odd ref name", 2, APPEND(10, -1, 1, 100), REF("a\\\\\\\"/b", 10, "tag"), "refs",
     "200 {\"a\\\\\\\"/b\":{\"snapshot-id\":10,\"type\":\"tag\"},\"main\":{\"snapshot-id\":10,"
     "\"type\":\"branch\"}}"},
    {"remove main", 2, APPEND(10, -1, 1, 100), "{'action':'remove-snapshot-ref','ref-name':'main'}",
     "current-snapshot-id", "200 -1"},
    {"remove main v3", 3, SNAPSHOT_V3(10, 1, 0, 7) "," MAIN(10),
     "{'action':'remove-snapshot-ref','ref-name':'main'}", "current-snapshot-id", "200 null"},
    {"remove unknown ref", 2, "", "{'action':'remove-snapshot-ref','ref-name':'x'}", "metadata-log",
     "200 []"},

    /* remove-snapshots */
    {"expire", 2, APPEND(10, -1, 1, 100) "|" APPEND(11, 10, 2, 110),
     "{'action':'remove-snapshots','snapshot-ids':[10,99]}", "snapshot-log",
     "200 [{\"timestamp-ms\":1700000000110,\"snapshot-id\":11}]"},
    {"expire in the middle clears what is before", 2,
     APPEND(10, -1, 1, 100) "|" APPEND(11, 10, 2, 110) "|" APPEND(12, 11, 3, 120),
     "{'action':'remove-snapshots','snapshot-ids':[11]}", "snapshot-log",
     "200 [{\"timestamp-ms\":1700000000120,\"snapshot-id\":12}]"},
    {"expire unknown", 2, "", "{'action':'remove-snapshots','snapshot-ids':[99]}", "metadata-log",
     "200 []"},
    {"expire the current", 2, APPEND(10, -1, 1, 100),
     "{'action':'remove-snapshots','snapshot-ids':[10]}", NULL,
     CONFLICT "Validation failed, please retry: Cannot remove snapshot 10: branch main points "
              "at it"},
    {"expire the head of a tag", 2,
     APPEND(10, -1, 1, 100) "," REF("v1", 10, "tag") "|" APPEND(11, 10, 2, 110),
     "{'action':'remove-snapshots','snapshot-ids':[10]}", NULL,
     CONFLICT "Validation failed, please retry: Cannot remove snapshot 10: tag v1 points at it"},
    {"expire with its ref", 2,
     APPEND(10, -1, 1, 100) "," REF("v1", 10, "tag") "|" APPEND(11, 10, 2, 110),
     "{'action':'remove-snapshots','snapshot-ids':[10]},"
     "{'action':'remove-snapshot-ref','ref-name':'v1'}",
     "refs", "200 {\"main\":{\"snapshot-id\":11,\"type\":\"branch\"}}"},
    {"expire drops statistics", 2,
     APPEND(10, -1, 1, 100) "," STATISTICS(10) "," PARTITION_STATISTICS(10) "|" APPEND(11, 10, 2,
                                                                                       110),
     "{'action':'remove-snapshots','snapshot-ids':[10]}", "statistics", "200 []"},
    {"expire drops partition statistics", 2,
     APPEND(10, -1, 1, 100) "," PARTITION_STATISTICS(10) "|" APPEND(11, 10, 2, 110),
     "{'action':'remove-snapshots','snapshot-ids':[10]}", "partition-statistics", "200 []"},
    {"add and remove in one", 2, APPEND(10, -1, 1, 100),
     SNAPSHOT(11, 10, 2, 110) ",{'action':'remove-snapshots','snapshot-ids':[11]}",
     "last-sequence-number", "200 2"},
    {"roll back and remove", 2, APPEND(10, -1, 1, 100) "|" APPEND(11, 10, 2, 110),
     MAIN(10) ",{'action':'remove-snapshots','snapshot-ids':[11]}", "snapshot-log",
     "200 [{\"timestamp-ms\":1700000000110,\"snapshot-id\":10}]"},
    {"replace", 2, APPEND(10, -1, 1, 100),
     "{'action':'remove-snapshot-ref','ref-name':'main'}," ADD_SCHEMA(SCHEMA_THREE) "," SET_SCHEMA(
         -1) "," APPEND(11, -1, 2, 110),
     "snapshot-log",
     "200 [{\"timestamp-ms\":1700000000100,\"snapshot-id\":10},{\"timestamp-ms\":1700000000110,"
     "\"snapshot-id\":11}]"},

    /* properties, location */
    {"set-properties", 2, "", PROPERTY("k", "v"), "properties",
     "200 {\"write.parquet.compression-codec\":\"zstd\",\"k\":\"v\"}"},
    {"set-properties legacy", 2, "", "{'action':'set-properties','updated':{'k':'v'}}",
     "properties", "200 {\"write.parquet.compression-codec\":\"zstd\",\"k\":\"v\"}"},
    {"several set-properties", 2, "", PROPERTY("k", "v") "," PROPERTY("k", "w"), "properties",
     "200 {\"write.parquet.compression-codec\":\"zstd\",\"k\":\"w\"}"},
    {"reserved properties", 2, "", PROPERTY("format-version", "3"), "metadata-log", "200 []"},
    {"no string", 2, "", "{'action':'set-properties','updates':{'k':1}}", NULL,
     ILLEGAL "set-properties: the value of property k is no string"},
    {"equal value is no change", 2, PROPERTY("k", "v"), PROPERTY("k", "v"), "properties",
     "200 {\"write.parquet.compression-codec\":\"zstd\",\"k\":\"v\"}"},
    {"last property goes", 2, "",
     "{'action':'remove-properties','removals':['write.parquet.compression-codec','x']}",
     "properties", "200 {}"},
    {"remove-properties legacy", 2, "",
     "{'action':'remove-properties','removed':['write.parquet.compression-codec']}", "properties",
     "200 {}"},
    {"codec", 2, "", PROPERTY("write.metadata.compression-codec", "lz4"), NULL,
     ILLEGAL "Invalid codec name: lz4"},
    {"metadata path outside", 2, "", PROPERTY("write.metadata.path", "file:///other"), NULL,
     ILLEGAL "write.metadata.path file:///other is outside of the location file:///lake"},
    {"data path outside", 2, "", PROPERTY("write.data.path", "s3://b/x"), NULL,
     ILLEGAL "write.data.path s3://b/x is outside of the location file:///lake"},
    {"object path dots", 2, "", PROPERTY("write.object-storage.path", "file:///lake/../x"), NULL,
     ILLEGAL},
    {"set-location", 2, "", "{'action':'set-location','location':'file:/lake/x/'}", "location",
     "200 \"file:/lake/x\""},
    {"set-location outside", 2, "", "{'action':'set-location','location':'file:///lake2/x'}", NULL,
     ILLEGAL "table location file:///lake2/x is outside of the location file:///lake"},

    /* statistics, keys */
    {"set-statistics", 2, "", STATISTICS(7), "statistics",
     "200 [{\"snapshot-id\":7,\"statistics-path\":\"file:///lake/s\",\"file-size-in-bytes\":9,"
     "\"file-footer-size-in-bytes\":4,\"blob-metadata\":[{\"type\":\"x\",\"snapshot-id\":7,"
     "\"sequence-number\":1,\"fields\":[1]}]}]"},
    {"set-statistics mismatch", 2, "",
     "{'action':'set-statistics','snapshot-id':8,'statistics':{'snapshot-id':7,"
     "'statistics-path':'p','file-size-in-bytes':9,'file-footer-size-in-bytes':4,"
     "'blob-metadata':[]}}",
     NULL, ILLEGAL "snapshot-id does not match the snapshot-id of the statistics"},
    {"set-statistics incomplete", 2, "",
     "{'action':'set-statistics','statistics':{'snapshot-id':7}}", NULL, BAD},
    {"remove-statistics", 2, STATISTICS(7), "{'action':'remove-statistics','snapshot-id':7}",
     "statistics", "200 []"},
    {"remove-statistics unknown", 2, "", "{'action':'remove-statistics','snapshot-id':7}",
     "metadata-log", "200 []"},
    {"set-partition-statistics", 2, "", PARTITION_STATISTICS(7), "partition-statistics",
     "200 [{\"snapshot-id\":7,\"statistics-path\":\"file:///lake/p\",\"file-size-in-bytes\":9}]"},
    {"remove-partition-statistics", 2, PARTITION_STATISTICS(7),
     "{'action':'remove-partition-statistics','snapshot-id':7}", "partition-statistics", "200 []"},
    {"add-encryption-key", 3, "", KEY("k1") "," KEY("k1"), "encryption-keys",
     "200 [{\"key-id\":\"k1\",\"encrypted-key-metadata\":\"a2V5\"}]"},
    {"remove-encryption-key", 3, KEY("k1"), "{'action':'remove-encryption-key','key-id':'k1'}",
     "encryption-keys", "200 absent"},
    {"remove-encryption-key unknown", 3, "", "{'action':'remove-encryption-key','key-id':'k1'}",
     "metadata-log", "200 []"},

    /* the request */
    {"upper case", 2, "", "{'action':'SET-LOCATION','location':'file:///lake/y'}", "location",
     "200 \"file:///lake/y\""},
    {"unknown action", 2, "", "{'action':'fly'}", NULL,
     BAD "Cannot apply metadata update with unknown action: fly"},
    {"view action", 2, "", "{'action':'add-view-version'}", NULL,
     BAD "Cannot apply the view update add-view-version to a table"},
    {"no action", 2, "", "{}", NULL, BAD "Cannot parse metadata update. Missing field: action"},
    {"no object", 2, "", "7", NULL, BAD "Cannot parse metadata update from non-object value"},
    {"nothing", 2, "", "", "metadata-log", "200 []"},
    {"all or nothing", 2, "", PROPERTY("k", "v") ",{'action':'fly'}", NULL, BAD},
};

static void run_setup(struct fixture *f, const char *name, const char *setup)
{
    struct str rest = str_from(setup);
    struct str part;
    while (rest.size > 0 && str_split(&rest, '|', &part)) {
        const char *answer = table_commit(f, "", arena_copy(&f->arena, part).data, NULL);
        if (strncmp(answer, "200", 3) != 0)
            fail_msg("%s: setup: %s", name, answer);
    }
}

static void every_update(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct fixture f;
        table_open(&f, cases[i].version);
        run_setup(&f, cases[i].name, cases[i].setup);
        const char *before = table_metadata(&f);
        const char *answer = table_commit(&f, "", cases[i].updates, cases[i].show);
        bool exact = cases[i].show != NULL;
        if (exact ? strcmp(answer, cases[i].want) != 0
                  : strncmp(answer, cases[i].want, strlen(cases[i].want)) != 0)
            fail_msg("%s\nwanted: %s\nanswer: %s", cases[i].name, cases[i].want, answer);
        if (strncmp(answer, "200", 3) != 0)
            assert_string_equal(table_metadata(&f), before);
        fixture_close(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_update),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
