/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dispatch_test.c - every operation once, the texts that clients compare, and memory that runs out.
 */
#include "catalog_fixture.h"
#include "failing_allocator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define COMMIT(table, requirements, updates)                                                       \
    "TABLE_COMMIT " table " {'requirements':[" requirements "],'updates':[" updates "]}"

static void scene_open(struct fixture *f)
{
    fixture_open(f);
    EXPECT_BEGINS(f, FIXTURE_NAMESPACE("a"), "200");
    EXPECT(f, "TABLE_CREATE a " FIXTURE_TABLE("t"), "200");
    EXPECT(f, "VIEW_CREATE a " FIXTURE_VIEW("v"), "200");
}

static void a_table_lives(void **state)
{
    (void)state;
    struct fixture fixture;
    struct fixture *f = &fixture;
    scene_open(f);
    EXPECT(f, "TABLE_EXISTS a/t", "204");
    EXPECT_BEGINS(f, "TABLE_LOAD a/t show=", "200 {\"metadata-location\":\"file:///lake/");
    EXPECT(f, COMMIT("a/t", "", FIXTURE_SET("k", "1")), "200");
    assert_int_equal(f->await_count, 1);
    EXPECT(f, COMMIT("a/t", "", ""), "200");
    assert_int_equal(f->writes, 0);
    EXPECT(
        f, "TABLE_LIST a",
        "200 {\"identifiers\":[{\"namespace\":[\"a\"],\"name\":\"t\"}],\"next-page-token\":null}");
    EXPECT(f, "TABLE_DROP a/t", "204");
    EXPECT(f, "TABLE_EXISTS a/t", "404 NoSuchTableException: Table does not exist: a.t");
    EXPECT(f, "TABLE_DROP a/t", "404 NoSuchTableException: Table does not exist: a.t");
    EXPECT(f, COMMIT("a/t", "", FIXTURE_SET("k", "1")),
           "404 NoSuchTableException: Table does not exist: a.t");
    EXPECT(f, "TABLE_CREATE a " FIXTURE_TABLE("t"), "200");
    fixture_close(f);
}

static void a_view_lives(void **state)
{
    (void)state;
    struct fixture fixture;
    struct fixture *f = &fixture;
    scene_open(f);
    EXPECT(f, "VIEW_EXISTS a/v", "204");
    EXPECT(f, "VIEW_LOAD a/v", "200");
    EXPECT(f, "VIEW_REPLACE a/v {'updates':[" FIXTURE_SET("k", "1") "]}", "200");
    EXPECT(
        f, "VIEW_LIST a",
        "200 {\"identifiers\":[{\"namespace\":[\"a\"],\"name\":\"v\"}],\"next-page-token\":null}");
    EXPECT(f, "VIEW_DROP a/v", "204");
    EXPECT(f, "VIEW_EXISTS a/v", "404 NoSuchViewException: View does not exist: a.v");
    EXPECT(f, "VIEW_LOAD a/v", "404 NoSuchViewException: View does not exist: a.v");
    EXPECT(f, "VIEW_DROP a/v", "404 NoSuchViewException: View does not exist: a.v");
    EXPECT(f, "VIEW_REPLACE a/v {'updates':[]}",
           "404 NoSuchViewException: View does not exist: a.v");
    fixture_close(f);
}

static void tables_and_views_share_their_names(void **state)
{
    (void)state;
    struct fixture fixture;
    struct fixture *f = &fixture;
    scene_open(f);
    EXPECT(f, "TABLE_CREATE a " FIXTURE_TABLE("t"),
           "409 AlreadyExistsException: Table already exists: a.t");
    EXPECT(f, "TABLE_CREATE a " FIXTURE_TABLE("v"),
           "409 AlreadyExistsException: View with same name already exists: a.v");
    EXPECT(f, "VIEW_CREATE a " FIXTURE_VIEW("v"),
           "409 AlreadyExistsException: View already exists: a.v");
    EXPECT(f, "VIEW_CREATE a " FIXTURE_VIEW("t"),
           "409 AlreadyExistsException: Table with same name already exists: a.t");
    EXPECT(f, "TABLE_REGISTER a {'name':'t','metadata-location':'file:///lake/x.metadata.json'}",
           "409 AlreadyExistsException: Table already exists: a.t");
    EXPECT(f, "TABLE_REGISTER a {'name':'v','metadata-location':'file:///lake/x.metadata.json'}",
           "409 AlreadyExistsException: View with same name already exists: a.v");
    EXPECT(f, "VIEW_REGISTER a {'name':'t','metadata-location':'file:///lake/x.metadata.json'}",
           "409 AlreadyExistsException: Table with same name already exists: a.t");
    EXPECT(f, "TABLE_LOAD a/v", "404 NoSuchTableException: Table does not exist: a.v");
    EXPECT(f, "VIEW_LOAD a/t", "404 NoSuchViewException: View does not exist: a.t");
    EXPECT_BEGINS(f, "NAMESPACE_DROP a",
                  "409 NamespaceNotEmptyException: Namespace a is not empty.");
    fixture_close(f);
}

static void creations_need_their_namespace(void **state)
{
    (void)state;
    struct fixture fixture;
    struct fixture *f = &fixture;
    scene_open(f);
    const char *missing = "404 NoSuchNamespaceException: Namespace does not exist: z";
    EXPECT(f, "TABLE_CREATE z " FIXTURE_TABLE("t"), missing);
    EXPECT(f, "VIEW_CREATE z " FIXTURE_VIEW("v"), missing);
    EXPECT(f, "TABLE_REGISTER z {'name':'t','metadata-location':'file:///lake/x'}", missing);
    EXPECT(f, "VIEW_REGISTER z {'name':'t','metadata-location':'file:///lake/x'}", missing);
    EXPECT(f, COMMIT("z/t", "{'type':'assert-create'}", ""), missing);
    EXPECT(f, "TABLE_LOAD z/t", "404 NoSuchTableException: Table does not exist: z.t");
    EXPECT(f, "TABLE_DROP z/t", "404 NoSuchTableException: Table does not exist: z.t");
    EXPECT(f, "VIEW_LOAD z/t", "404 NoSuchViewException: View does not exist: z.t");
    fixture_close(f);
}

static void staged_tables_exist_after_their_commit(void **state)
{
    (void)state;
    struct fixture fixture;
    struct fixture *f = &fixture;
    scene_open(f);
    EXPECT_BEGINS(f, "TABLE_CREATE a {'name':'s','stage-create':true,'schema':" FIXTURE_SCHEMA "}",
                  "200 {");
    EXPECT_BEGINS(f, "TABLE_EXISTS a/s", "404");
    const char *create =
        COMMIT("a/s", "{'type':'assert-create'}", FIXTURE_CREATION("file:///lake/s"));
    EXPECT(f, create, "200");
    EXPECT(f, "TABLE_LOAD a/s show=location", "200 \"file:///lake/s\"");
    EXPECT(f, create, "409 CommitFailedException: Requirement failed: table already exists");
    EXPECT(f, COMMIT("a/v", "{'type':'assert-create'}", FIXTURE_CREATION("file:///lake/s2")),
           "409 AlreadyExistsException: View with same name already exists: a.v");
    fixture_close(f);
}

static void an_unregistered_table_answers_once_more(void **state)
{
    (void)state;
    struct fixture fixture;
    struct fixture *f = &fixture;
    scene_open(f);
    EXPECT(f, COMMIT("a/t", "", FIXTURE_SET("k", "1")), "200");
    EXPECT(f, "TABLE_UNREGISTER a/t show=properties",
           "200 {\"write.parquet.compression-codec\":\"zstd\",\"k\":\"1\"}");
    EXPECT_BEGINS(f, COMMIT("a/t", "", FIXTURE_SET("k", "2")), "404 NoSuchTableException");
    EXPECT_BEGINS(f, "TABLE_UNREGISTER a/t", "404 NoSuchTableException");
    fixture_close(f);
}

static void locations_of_registered_files_are_checked(void **state)
{
    static const char *const bad[] = {"file:///etc/passwd", "file:///lake/../etc/passwd", "x", "",
                                      "file:///lake2/x"};
    (void)state;
    struct fixture fixture;
    struct fixture *f = &fixture;
    scene_open(f);
    for (size_t i = 0; i < COUNTOF(bad); i++) {
        assert_int_equal(
            strncmp(
                fixture_runf(f, "TABLE_REGISTER a {'name':'r','metadata-location':'%s'}", bad[i]),
                "400 IllegalArgumentException: The metadata location ", 52),
            0);
        assert_int_equal(
            strncmp(
                fixture_runf(f, "VIEW_REGISTER a {'name':'r','metadata-location':'%s'}", bad[i]),
                "400 IllegalArgumentException: The metadata location ", 52),
            0);
    }
    fixture_close(f);
}

static void bad_names_are_refused(void **state)
{
    (void)state;
    struct fixture fixture;
    struct fixture *f = &fixture;
    scene_open(f);
    EXPECT_BEGINS(f, "TABLE_CREATE a " FIXTURE_TABLE(""), "400 BadRequestException");
    EXPECT_BEGINS(f, "TABLE_CREATE a " FIXTURE_TABLE("\\u001f"), "400 BadRequestException");
    EXPECT_BEGINS(f, "TABLE_CREATE a {'schema':" FIXTURE_SCHEMA "}", "400 BadRequestException");
    EXPECT_BEGINS(f, "VIEW_CREATE a " FIXTURE_VIEW(""), "400 BadRequestException");
    EXPECT_BEGINS(f, "TABLE_LOAD a\xff/t", "400 BadRequestException");
    EXPECT_BEGINS(f, "NAMESPACE_LIST parent=\xff", "400 BadRequestException");
    EXPECT_BEGINS(f, "TABLE_COMMIT a/t {'requirements':{},'updates':[]}",
                  "400 BadRequestException");
    EXPECT_BEGINS(f, "TABLE_COMMIT a/t {'requirements':[]}", "400 BadRequestException");
    EXPECT_BEGINS(f, "TABLE_COMMIT a/t", "400 BadRequestException");
    fixture_close(f);
}

static void long_names_in_messages_stay_utf8(void **state)
{
    (void)state;
    struct fixture fixture;
    struct fixture *f = &fixture;
    scene_open(f);
    char name[1200];
    for (size_t shift = 0; shift < 4; shift++) {
        memset(name, 'x', shift);
        for (size_t i = shift; i + 4 < sizeof(name); i += 4)
            memcpy(name + i, "\xf0\x9f\xa6\x86", 4);
        name[1000 + shift] = '\0';
        const char *line = fixture_runf(f, "TABLE_DROP a/%s key=%zu", name, shift + 1);
        assert_int_equal(strncmp(line, "404", 3), 0);
        assert_true(str_is_utf8(str_from(line)));
        assert_string_equal(fixture_runf(f, "TABLE_DROP a/%s key=%zu", name, shift + 1), line);
    }
    fixture_close(f);
}

static void metrics_reports_are_checked(void **state)
{
    static const char scan[] = "{'report-type':'scan-report','table-name':'a.t','snapshot-id':1,"
                               "'filter':true,'schema-id':0,'projected-field-ids':[1],"
                               "'projected-field-names':['id'],'metrics':{}}";
    static const char commit[] =
        "{'report-type':'commit-report','table-name':'a.t','snapshot-id':1,"
        "'sequence-number':1,'operation':'append','metrics':{}}";
    (void)state;
    struct fixture fixture;
    struct fixture *f = &fixture;
    scene_open(f);
    assert_string_equal(fixture_runf(f, "TABLE_METRICS a/t %s", scan), "204");
    assert_string_equal(fixture_runf(f, "TABLE_METRICS a/t %s", commit), "204");
    assert_string_equal(fixture_runf(f, "TABLE_METRICS a/x %s", scan),
                        "404 NoSuchTableException: Table does not exist: a.x");
    EXPECT(f, "TABLE_METRICS a/t {'report-type':'of-the-future'}", "204");
    EXPECT_BEGINS(f, "TABLE_METRICS a/t {}", "400 BadRequestException");
    EXPECT(f, "TABLE_METRICS a/t {'report-type':'commit-report','table-name':'a.t'}",
           "400 BadRequestException: cannot parse a commit report: missing field snapshot-id");
    EXPECT(f, "TABLE_METRICS a/t {'report-type':'scan-report','table-name':1}",
           "400 BadRequestException: cannot parse a scan report: field table-name must be string, "
           "not integer");
    fixture_close(f);
}

static void every_operation_has_its_facts(void **state)
{
    (void)state;
    for (int op = 0; op < CATALOG_OP_COUNT; op++) {
        const char *verb = catalog_op_verb((enum catalog_op)op);
        const char *path = catalog_op_path((enum catalog_op)op);
        bool reads = strcmp(verb, "GET") == 0 || strcmp(verb, "HEAD") == 0;
        assert_int_equal(strncmp(path, "/v1/", 4), 0);
        assert_true(reads || catalog_op_mutates((enum catalog_op)op) ||
                    op == CATALOG_TABLE_METRICS);
        assert_true(!reads || !catalog_op_mutates((enum catalog_op)op));
    }
}

static const char *const lines[] = {
    "CONFIG",
    "NAMESPACE_CREATE key=1 {'namespace':['b'],'properties':{'location':'file:///lake/b'}}",
    "NAMESPACE_PROPERTIES b key=2 {'removals':['x'],'updates':{'y':'z'}}",
    "NAMESPACE_LOAD b",
    "NAMESPACE_LIST token= size=1",
    "TABLE_CREATE b key=3 " FIXTURE_TABLE("t"),
    "TABLE_CREATE b key=3 " FIXTURE_TABLE("t"),
    "TABLE_LIST b",
    "TABLE_LOAD b/t",
    "TABLE_COMMIT b/t key=4 {'updates':[" FIXTURE_SET("k", "1") "]}",
    "TABLE_COMMIT b/t key=5 {'requirements':[{'type':'assert-create'}],'updates':[]}",
    "TABLE_COMMIT b/s key=6 "
    "{'requirements':[{'type':'assert-create'}],'updates':[" FIXTURE_CREATION(
        "file:///lake/s") "]}",
    "TRANSACTION_COMMIT key=7 {'table-changes':[{'identifier':{'namespace':['b'],'name':'t'},"
    "'updates':[" FIXTURE_SET("k", "2") "]}]}",
    "TABLE_RENAME key=8 " FIXTURE_RENAME("b", "t", "b", "u"),
    "VIEW_CREATE b key=9 " FIXTURE_VIEW("v"),
    "VIEW_LOAD b/v",
    "VIEW_REPLACE b/v key=10 {'updates':[" FIXTURE_SET("k", "1") "]}",
    "TABLE_UNREGISTER b/u key=11",
    "TABLE_COMMIT b/t key=4 {'updates':[" FIXTURE_SET("k", "1") "]}",
    "VIEW_DROP b/v key=12",
    "TABLE_DROP b/s key=13",
    "NAMESPACE_DROP b key=14",
};

/* One line with too little memory, then more and more; `limit` sets the n-th. */
static void run_until_it_fits(struct fixture *smooth, struct fixture *rough, const char *line,
                              void (*limit)(struct fixture *, size_t))
{
    const char *wanted = fixture_run(smooth, line);
    const char *answer = "503";
    uint64_t index = rough->index;
    for (size_t n = 1; strncmp(answer, "503", 3) == 0; n++) {
        assert_int_equal(rough->index, index);
        limit(rough, n);
        rough->now_ms = smooth->now_ms - 1;
        answer = fixture_run(rough, line);
    }
    if (strncmp(answer, wanted, 4) != 0)
        fail_msg("%s\nwanted: %s\nanswer: %s", line, wanted, answer);
}

static void run_lines_until_they_fit(void (*limit)(struct fixture *, size_t))
{
    struct fixture smooth;
    struct fixture rough;
    fixture_open(&smooth);
    fixture_open(&rough);
    for (size_t i = 0; i < COUNTOF(lines); i++)
        run_until_it_fits(&smooth, &rough, lines[i], limit);
    rough.allocator = allocator_heap();
    rough.budget_bytes = smooth.budget_bytes;
    assert_int_equal(fixture_rows(&rough, STR("C")), fixture_rows(&smooth, STR("C")));
    fixture_close(&smooth);
    fixture_close(&rough);
}

static struct failing_allocator failing;

static void limit_calls(struct fixture *fixture, size_t n)
{
    assert_int_equal(failing.live_bytes, 0);
    failing_allocator_init(&failing, n);
    fixture->allocator = &failing.base;
}

static void limit_bytes(struct fixture *fixture, size_t n)
{
    fixture->budget_bytes = n * 64;
}

/*
 * For every operation the first, second … allocation fails, or memory ends after ever more bytes:
 * the answer is 503 and nothing is applied, until there is enough; then the answer and the rows are
 * those of a run that never failed.
 */
static void every_allocation_may_fail(void **state)
{
    (void)state;
    run_lines_until_they_fit(limit_calls);
}

static void memory_may_end_at_any_byte(void **state)
{
    (void)state;
    run_lines_until_they_fit(limit_bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_lives),
        cmocka_unit_test(a_view_lives),
        cmocka_unit_test(tables_and_views_share_their_names),
        cmocka_unit_test(creations_need_their_namespace),
        cmocka_unit_test(staged_tables_exist_after_their_commit),
        cmocka_unit_test(an_unregistered_table_answers_once_more),
        cmocka_unit_test(locations_of_registered_files_are_checked),
        cmocka_unit_test(bad_names_are_refused),
        cmocka_unit_test(long_names_in_messages_stay_utf8),
        cmocka_unit_test(metrics_reports_are_checked),
        cmocka_unit_test(every_operation_has_its_facts),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(memory_may_end_at_any_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
