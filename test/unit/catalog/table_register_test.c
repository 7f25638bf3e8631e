/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table_register_test.c - metadata files of every format version taken apart and put together
 * again: the document that is served says what the file said.
 */
#include "table_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define SCHEMA_JSON                                                                                \
    "{'type':'struct','schema-id':1,'x-schema':true,'identifier-field-ids':[1],'fields':["         \
    "{'id':1,'name':'id','required':true,'type':'long','x-field':{'a':[1]}},"                      \
    "{'id':2,'name':'m','required':false,'type':{'type':'map','key-id':3,'key':'string',"          \
    "'value-id':4,'value':'decimal(9,2)','value-required':false}}]}"
#define SPECS                                                                                      \
    "[{'spec-id':0,'fields':[]},{'spec-id':1,'fields':[{'name':'id_b','transform':'bucket[16]',"   \
    "'source-id':1,'field-id':1000},{'name':'odd','transform':'zorder[3]','source-id':1,"          \
    "'field-id':1001}]}]"
#define ORDERS                                                                                     \
    "[{'order-id':0,'fields':[]},{'order-id':2,'fields':[{'transform':'identity','source-id':1,"   \
    "'direction':'asc','null-order':'nulls-first'}]}]"
#define SNAPSHOTS                                                                                  \
    "[{'snapshot-id':7,'timestamp-ms':1600000000000,'sequence-number':1,'manifest-list':'a',"      \
    "'summary':{'operation':'append','x':'1'},'schema-id':0,'x-new':{'deep':[1,2.5,null]}},"       \
    "{'snapshot-id':3055729675574597004,'parent-snapshot-id':7,'timestamp-ms':1600000001000,"      \
    "'sequence-number':2,'manifest-list':'b','summary':{'operation':'append'},'schema-id':1}]"
#define LOGS                                                                                       \
    "'snapshot-log':[{'timestamp-ms':1600000000000,'snapshot-id':7},"                              \
    "{'timestamp-ms':1600000001000,'snapshot-id':3055729675574597004}],"                           \
    "'metadata-log':[{'timestamp-ms':1600000000000,'metadata-file':'file:///lake/r/m0.json'}]"
#define HEAD(version)                                                                              \
    "'format-version':" version ",'table-uuid':'9c12d441-03fe-4693-9a96-a0705ddf69c1',"            \
    "'location':'file:///lake/r','last-updated-ms':1600000002000,'last-column-id':4,"
#define MODERN                                                                                     \
    "'schemas':[{'type':'struct','schema-id':0,'fields':[]}," SCHEMA_JSON "],"                     \
    "'current-schema-id':1,'partition-specs':" SPECS ",'default-spec-id':1,"                       \
    "'last-partition-id':1001,'sort-orders':" ORDERS ",'default-sort-order-id':2,"                 \
    "'properties':{'owner':'x','write.metadata.previous-versions-max':'7'},"                       \
    "'statistics':[{'snapshot-id':7,'statistics-path':'s','file-size-in-bytes':4,"                 \
    "'file-footer-size-in-bytes':2,'blob-metadata':[],'x':1}],'partition-statistics':[],"          \
    "'refs':{'main':{'snapshot-id':3055729675574597004,'type':'branch','x-ref':7},"                \
    "'old \\\"tag\\\"':{'snapshot-id':7,'type':'tag','max-ref-age-ms':9}},"                        \
    "'current-snapshot-id':3055729675574597004,'snapshots':" SNAPSHOTS "," LOGS
#define UNKNOWN ",'x-future':{'big':123456789012345678901234567890,'list':[{'k':null}]},'x-b':-0.5"

static const char file_v2[] = "{" HEAD("2") "'last-sequence-number':2," MODERN UNKNOWN "}";
static const char file_v3[] =
    "{" HEAD("3") "'last-sequence-number':2,'next-row-id':55,'encryption-keys':[{'key-id':'k',"
                  "'encrypted-key-metadata':'eA=='}]," MODERN UNKNOWN "}";
static const char file_v4[] =
    "{" HEAD("4") "'last-sequence-number':2,'next-row-id':55," MODERN UNKNOWN "}";
static const char file_v1[] = "{" HEAD(
    "1") "'schema':" SCHEMA_JSON ",'partition-spec':[{'name':'id_b','transform':"
         "'bucket[16]','source-id':1,'field-id':1000}],'schemas':[" SCHEMA_JSON "],"
         "'current-schema-id':1,'partition-specs':[{'spec-id':0,'fields':[{'name':'id_b','"
         "transform':"
         "'bucket[16]','source-id':1,'field-id':1000}]}],'default-spec-id':0,'last-partition-id':"
         "1000,"
         "'sort-orders':" ORDERS ",'default-sort-order-id':2,'properties':{},"
         "'statistics':[],'partition-statistics':[],"
         "'refs':{'main':{'snapshot-id':7,'type':'branch'}},'current-snapshot-id':7,'snapshots':["
         "{'snapshot-id':7,'timestamp-ms':1600000000000,'manifests':['m1','m2']}],"
         "'snapshot-log':[],'metadata-log':[]}";
/* Before v1 had ids of schemas, specs and orders. */
static const char file_v1_old[] =
    "{'format-version':1,'location':'file:///lake/r','last-updated-ms':1600000002000,"
    "'last-column-id':1,'schema':{'type':'struct','fields':[{'id':1,'name':'id','required':true,"
    "'type':'long'}]},'partition-spec':[{'name':'id_b','transform':'bucket[16]','source-id':1}],"
    "'current-snapshot-id':7,'snapshots':[{'snapshot-id':7,'timestamp-ms':1600000000000,"
    "'manifest-list':'m'}]}";

struct registration {
    const char *name;
    const char *location;
    const char *file;
    bool overwrite;
    status_value result;
    char message[700];
};

/* A register request; a failed one is thrown away, as a node would. */
static status_value evaluate(struct catalog_context *context, void *argument)
{
    struct registration *reg = argument;
    struct catalog_response response = {0};
    struct str level = STR("a");
    struct catalog_request request = {.op = CATALOG_TABLE_REGISTER, .ident = {&level, 1, STR("")}};
    struct json_limits limits = json_limits_request();
    struct diag *outer = context->diag;
    struct diag diag = {.count = 0};
    context->diag = &diag;
    struct str body = arena_printf(
        context->arena, "{\"name\":\"%s\",\"metadata-location\":\"%s\",\"overwrite\":%s}",
        reg->name, reg->location, reg->overwrite ? "true" : "false");
    request.metadata_file = str_from(reg->file);
    TRY(json_parse(context->arena, body, &limits, &diag, &request.body));
    size_t mark = kv_batch_mark(context->batch);
    reg->result = catalog_mutate(context, &request, &response);
    if (!is_ok(reg->result)) {
        snprintf(reg->message, sizeof(reg->message), "%d %s: %s", status_http(reg->result.code),
                 status_iceberg_type(reg->result.code), diag_message(&diag, reg->result.code));
        kv_batch_rewind(context->batch, mark);
    } else {
        snprintf(reg->message, sizeof(reg->message), "%d", response.http);
        assert_int_equal(response.await_count, 0); /* the file is there already */
    }
    context->diag = outer;
    return OK;
}

static const char *register_table(struct fixture *f, const char *name, const char *file,
                                  bool overwrite)
{
    struct registration *reg = ARENA_NEW(&f->arena, struct registration);
    reg->name = name;
    reg->location = "file:///lake/r/metadata/00041-x.metadata.json";
    reg->file = quoted(f, file);
    reg->overwrite = overwrite;
    table_change(f, evaluate, reg);
    return reg->message;
}

static const struct json *parse(struct fixture *f, const char *text)
{
    struct json_limits limits = json_limits_document();
    struct diag diag = {.count = 0};
    const struct json *json = NULL;
    assert_true(is_ok(json_parse(&f->arena, str_from(text), &limits, &diag, &json)));
    return json;
}

static const struct json *served(struct fixture *f, const char *name)
{
    char line[100];
    snprintf(line, sizeof(line), "TABLE_LOAD a/%s show=", name);
    return json_get(parse(f, fixture_run(f, arena_copy(&f->arena, str_from(line)).data) + 4),
                    "metadata");
}

static void round_trip(const char *file)
{
    struct fixture f;
    table_open(&f, 2);
    assert_string_equal(register_table(&f, "r", file, false), "200");
    const struct json *want = parse(&f, quoted(&f, file));
    const struct json *got = served(&f, "r");
    struct json_iter iter = json_iter(want);
    struct str key;
    const struct json *value;
    while (json_next(&iter, &key, &value)) {
        if (!json_equal(value, json_get_str(got, key)))
            fail_msg("%.*s differs: %s", STR_ARG(key), fixture_run(&f, "TABLE_LOAD a/r show="));
    }
    assert_int_equal(json_size(want), json_size(got));
    fixture_close(&f);
}

static void documents_round_trip(void **state)
{
    (void)state;
    round_trip(file_v1);
    round_trip(file_v2);
    round_trip(file_v3);
    round_trip(file_v4);
}

static void old_v1_is_completed(void **state)
{
    struct fixture f;
    (void)state;
    table_open(&f, 2);
    assert_string_equal(register_table(&f, "r", file_v1_old, false), "200");
    EXPECT(&f, "TABLE_LOAD a/r show=current-schema-id", "200 0");
    EXPECT_BEGINS(&f, "TABLE_LOAD a/r show=table-uuid", "200 \"");
    EXPECT(&f, "TABLE_LOAD a/r show=last-partition-id", "200 1000");
    EXPECT(&f, "TABLE_LOAD a/r show=sort-orders", "200 [{\"order-id\":0,\"fields\":[]}]");
    EXPECT(&f, "TABLE_LOAD a/r show=partition-spec",
           "200 [{\"name\":\"id_b\",\"transform\":\"bucket[16]\",\"source-id\":1,"
           "\"field-id\":1000}]");
    EXPECT(&f, "TABLE_LOAD a/r show=refs",
           "200 {\"main\":{\"snapshot-id\":7,\"type\":\"branch\"}}");
    EXPECT(&f, "TABLE_LOAD a/r show=last-sequence-number", "200 absent");
    EXPECT(&f, "TABLE_LOAD a/r show=properties", "200 {}");
    assert_true(json_is(json_get(served(&f, "r"), "schema"), JSON_OBJECT));
    fixture_close(&f);
}

/* A registered table is a table: commits go on from its version and its history. */
static void commits_follow(void **state)
{
    struct fixture f;
    (void)state;
    table_open(&f, 2);
    assert_string_equal(register_table(&f, "r", file_v2, false), "200");
    assert_string_equal(
        run_quoted(&f, "TABLE_COMMIT a/r show=snapshot-log {'requirements':[{'type':'assert-ref-"
                       "snapshot-id','ref':'main','snapshot-id':3055729675574597004},{'type':"
                       "'assert-table-uuid','uuid':'9C12D441-03fe-4693-9a96-a0705ddf69c1'}],"
                       "'updates':[" APPEND(20, 7, 3, 100) "]}"),
        "200 [{\"timestamp-ms\":1600000000000,\"snapshot-id\":7},{\"timestamp-ms\":1600000001000,"
        "\"snapshot-id\":3055729675574597004},{\"timestamp-ms\":1700000000100,"
        "\"snapshot-id\":20}]");
    const char *text = fixture_run(&f, "TABLE_LOAD a/r show=");
    assert_non_null(strstr(text, "file:///lake/r/metadata/00042-"));
    assert_non_null(strstr(text, "\"x-future\":{\"big\":123456789012345678901234567890"));
    assert_non_null(
        strstr(text, "\"metadata-file\":\"file:///lake/r/metadata/00041-x.metadata.json\""));
    assert_string_equal(run_quoted(&f,
                                   "TABLE_COMMIT a/r show=snapshot-log {'updates':[{'action':"
                                   "'remove-snapshots','snapshot-ids':[3055729675574597004]}]}"),
                        "200 [{\"timestamp-ms\":1700000000100,\"snapshot-id\":20}]");
    fixture_close(&f);
}

/* A transform that tarn does not know does not stop the schema from evolving. */
static void unknown_transforms_stay(void **state)
{
    struct fixture f;
    (void)state;
    table_open(&f, 2);
    assert_string_equal(register_table(&f, "r", file_v2, false), "200");
    assert_string_equal(
        run_quoted(&f, "TABLE_COMMIT a/r show=current-schema-id {'updates':[{'action':'add-schema',"
                       "'schema':{'type':'struct','fields':[{'id':1,'name':'id','required':true,"
                       "'type':'long'},{'id':9,'name':'n','required':false,'type':'int'}]}},"
                       "{'action':'set-current-schema','schema-id':-1}]}"),
        "200 2");
    fixture_close(&f);
}

/* The log is optional: a table without one can expire its snapshots. */
static void no_log_no_complaint(void **state)
{
    static const char file[] =
        "{" HEAD("1") "'schema':{'type':'struct','fields':[]},'partition-spec':[],"
                      "'current-snapshot-id':5,'snapshots':[{'snapshot-id':5,'timestamp-ms':1,"
                      "'manifest-list':'a'},{'snapshot-id':6,'timestamp-ms':1,"
                      "'manifest-list':'a'}]}";
    struct fixture f;
    (void)state;
    table_open(&f, 2);
    assert_string_equal(register_table(&f, "r", file, false), "200");
    assert_string_equal(run_quoted(&f, "TABLE_COMMIT a/r show=snapshot-log {'updates':[{'action':"
                                       "'remove-snapshots','snapshot-ids':[6]}]}"),
                        "200 []");
    fixture_close(&f);
}

/* An entry of the log without its snapshot goes when an expiry walks the log. */
static void dangling_log_entries(void **state)
{
    static const char file[] =
        "{" HEAD("2") "'last-sequence-number':3,'schemas':[" SCHEMA_JSON "],'current-schema-id':1,"
                      "'partition-specs':[{'spec-id':0,'fields':[]}],'default-spec-id':0,'last-"
                      "partition-id':999,"
                      "'sort-orders':[{'order-id':0,'fields':[]}],'default-sort-order-id':0,"
                      "'current-snapshot-id':3,'snapshots':["
                      "{'snapshot-id':1,'timestamp-ms':1600000000000,'sequence-number':1,'manifest-"
                      "list':'a'},"
                      "{'snapshot-id':2,'timestamp-ms':1600000000000,'sequence-number':2,'manifest-"
                      "list':'a'},"
                      "{'snapshot-id':3,'timestamp-ms':1600000000000,'sequence-number':3,'manifest-"
                      "list':'a'}],"
                      "'snapshot-log':[{'timestamp-ms':1600000000000,'snapshot-id':1},"
                      "{'timestamp-ms':1600000000000,'snapshot-id':99},"
                      "{'timestamp-ms':1600000000000,'snapshot-id':2},"
                      "{'timestamp-ms':1600000000000,'snapshot-id':3}]}";
    struct fixture f;
    (void)state;
    table_open(&f, 2);
    assert_string_equal(register_table(&f, "r", file, false), "200");
    assert_string_equal(run_quoted(&f, "TABLE_COMMIT a/r show=snapshot-log {'updates':[{'action':"
                                       "'remove-snapshots','snapshot-ids':[1]}]}"),
                        "200 [{\"timestamp-ms\":1600000000000,\"snapshot-id\":2},"
                        "{\"timestamp-ms\":1600000000000,\"snapshot-id\":3}]");
    fixture_close(&f);
}

static void overwrite_replaces_the_rows(void **state)
{
    struct fixture f;
    (void)state;
    table_open(&f, 2);
    assert_string_equal(register_table(&f, "t", file_v2, false),
                        "409 AlreadyExistsException: Table already exists: a.t");
    assert_string_equal(register_table(&f, "t", file_v2, true), "200");
    EXPECT(&f, "TABLE_LOAD a/t show=table-uuid", "200 \"9c12d441-03fe-4693-9a96-a0705ddf69c1\"");
    fixture_close(&f);
}

static void refusals(void **state)
{
    static const struct {
        const char *file;
        const char *want;
    } cases[] = {
        {"[]", "400 BadRequestException: Cannot parse metadata from a non-object"},
        {"{", "400 BadRequestException: malformed JSON"},
        {"", "400 BadRequestException"},
        {"{'format-version':9}", "400 BadRequestException: Cannot read unsupported version 9"},
        {"{'format-version':2,'location':'file:///lake/r'}",
         "400 BadRequestException: UUID is required in format v2"},
        {"{'format-version':2,'table-uuid':'x','location':'file:///lake/r'}",
         "400 BadRequestException: table-uuid is not a UUID: x"},
        {"{'format-version':2,'table-uuid':'9c12d441-03fe-4693-9a96-a0705ddf69c1',"
         "'location':'s3://other/r'}",
         "400 IllegalArgumentException: table location s3://other/r is outside"},
        {"{" HEAD("2") "'last-sequence-number':2}",
         "400 BadRequestException: schemas must exist in format v2"},
        {"{" HEAD("2") "'last-sequence-number':2,'schemas':[],'current-schema-id':4}",
         "400 BadRequestException: Cannot find schema with current-schema-id=4"},
        {"{" HEAD("2") "'last-sequence-number':1," MODERN "}",
         "400 BadRequestException: Invalid snapshot with sequence number 2 greater than last "
         "sequence number 1"},
        {"{" HEAD("3") "'last-sequence-number':2," MODERN "}", "400 BadRequestException"},
        {"{" HEAD("1") "'schema':{'type':'struct','fields':[]},'partition-spec':[],"
                       "'current-snapshot-id':5}",
         "400 BadRequestException: Invalid table metadata: Cannot find current version"},
        {"{" HEAD("1") "'schema':{'type':'struct','fields':[]},'partition-spec':[],'refs':{'b':{"
                       "'snapshot-id':5,'type':'branch'}}}",
         "400 BadRequestException: Snapshot for reference b does not exist in the existing "
         "snapshots list"},
        {"{" HEAD("1") "'schema':{'type':'struct','fields':[]},'partition-spec':[],"
                       "'snapshots':[{'snapshot-id':5,'timestamp-ms':1,'manifest-list':'a'}],"
                       "'refs':{'main':{'snapshot-id':5,'type':'branch'}}}",
         "400 BadRequestException: Current snapshot is not set, but main branch exists: 5"},
        {"{" HEAD("1") "'schema':{'type':'struct','fields':[]},'partition-spec':[],"
                       "'snapshots':[{'snapshot-id':5,'timestamp-ms':1,'manifest-list':'a'},"
                       "{'snapshot-id':5,'timestamp-ms':1,'manifest-list':'a'}]}",
         "400 BadRequestException: table metadata: snapshot id 5 is invalid or used twice"},
        {"{" HEAD("1") "'schema':{'type':'struct','fields':[]},'partition-spec':[],"
                       "'metadata-log':[{'timestamp-ms':900000,'metadata-file':'x'},"
                       "{'timestamp-ms':1,'metadata-file':'x'}]}",
         "400 BadRequestException: table metadata: the metadata-log is not sorted by time"},
    };
    struct fixture f;
    (void)state;
    table_open(&f, 2);
    size_t rows = fixture_rows(&f, STR("C"));
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        const char *answer = register_table(&f, "r", cases[i].file, false);
        if (strncmp(answer, cases[i].want, strlen(cases[i].want)) != 0)
            fail_msg("%s\nwanted: %s\nanswer: %s", cases[i].file, cases[i].want, answer);
    }
    assert_int_equal(fixture_rows(&f, STR("C")), rows);
    fixture_close(&f);
}

/* v4 may leave the location to the catalog. */
static void v4_without_location(void **state)
{
    static const char file[] =
        "{'format-version':4,'table-uuid':'9c12d441-03fe-4693-9a96-a0705ddf69c1',"
        "'last-updated-ms':1600000002000,'last-column-id':4,'last-sequence-number':2,"
        "'next-row-id':55," MODERN "}";
    struct fixture f;
    (void)state;
    table_open(&f, 2);
    assert_string_equal(register_table(&f, "r", file, false), "200");
    EXPECT(&f, "TABLE_LOAD a/r show=location", "200 \"file:///lake/r\"");
    EXPECT(&f,
           "TABLE_COMMIT a/r show=format-version {\"updates\":[{\"action\":"
           "\"upgrade-format-version\",\"format-version\":4}]}",
           "200 4");
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_round_trip),
        cmocka_unit_test(old_v1_is_completed),
        cmocka_unit_test(commits_follow),
        cmocka_unit_test(unknown_transforms_stay),
        cmocka_unit_test(no_log_no_complaint),
        cmocka_unit_test(dangling_log_entries),
        cmocka_unit_test(overwrite_replaces_the_rows),
        cmocka_unit_test(refusals),
        cmocka_unit_test(v4_without_location),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
