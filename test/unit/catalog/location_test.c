/* SPDX-License-Identifier: Apache-2.0 */
/*
 * location_test.c - one spelling for one place; nothing outside the warehouse passes.
 */
#include "catalog/catalog_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

struct scene {
    struct arena arena;
    struct diag diag;
    struct catalog_context context;
};

static void scene_open(struct scene *scene)
{
    *scene = (struct scene){.diag = {.count = 0}};
    arena_init(&scene->arena, allocator_heap(), 1 << 24);
    scene->context = (struct catalog_context){.arena = &scene->arena, .diag = &scene->diag};
}

static const char *canonical(struct scene *scene, struct str location)
{
    struct str out;
    diag_reset(&scene->diag);
    if (!is_ok(catalog__location_canonical(&scene->context, location, &out)))
        return NULL;
    return arena_copy(&scene->arena, out).data;
}

static void spellings_of_one_place(void **state)
{
    static const char *const pairs[][2] = {
        {"file:/tmp/x", "file:///tmp/x"},
        {"file:///tmp/x", "file:///tmp/x"},
        {"file:///tmp/x/", "file:///tmp/x"},
        {"FILE:/tmp/x", "file:///tmp/x"},
        {"s3://Bucket/a/B", "s3://bucket/a/B"},
        {"s3://bucket", "s3://bucket"},
        {"s3://bucket/", "s3://bucket"},
        {"gs://b.u-c_k/x", "gs://b.u-c_k/x"},
        {"abfss://c@a.dfs.core.windows.net/x", "abfss://c@a.dfs.core.windows.net/x"},
        {"file:///tmp/a b/%20/100%", "file:///tmp/a b/%20/100%"},
        {"file:///tmp/...", "file:///tmp/..."},
        {"file:///tmp/.x/x..y", "file:///tmp/.x/x..y"},
        {"file:///tmp/\xe6\xb9\x96", "file:///tmp/\xe6\xb9\x96"},
        {"s3://b/a:b@c", "s3://b/a:b@c"},
    };
    (void)state;
    struct scene scene;
    scene_open(&scene);
    for (size_t i = 0; i < COUNTOF(pairs); i++) {
        const char *out = canonical(&scene, str_from(pairs[i][0]));
        assert_non_null(out);
        assert_string_equal(out, pairs[i][1]);
    }
    arena_deinit(&scene.arena);
}

static const char *const refused[] = {
    "",
    "/",
    "/tmp/x",
    "tmp/x",
    "x",
    ":",
    "file",
    "file:",
    "file:/",
    "file://",
    "file:///",
    "file:tmp",
    "file://host/x",
    "file://localhost/x",
    "file:////x",
    "file:///a//b",
    "file:///a/x//",
    "file:///a/./b",
    "file:///a/../b",
    "file:///..",
    "file:///a/..",
    "file:///a/.",
    "file:///a/%2e%2e/b",
    "file:///a/%2E./b",
    "file:///a/.%2e",
    "file:///a/%2e",
    "file:///a/%252e%252e/b",
    "file:///a/%25252e%25252e/b",
    "file:///a/%2525252525252e/b",
    "file:///a/%2525252525252541",
    "file:///a/b%2fc",
    "file:///a/%2F..%2f",
    "file:///a/b%5cc",
    "file:///a\\b",
    "file:///a/%00",
    "file:///a/%0a",
    "file:///a/\n",
    "file:///a/\x7f",
    "file:///a?x",
    "file:///a#x",
    "s3://",
    "s3:///x",
    "s3:/b/x",
    "s3:b/x",
    "s3://b:80/x",
    "s3://u@b/x",
    "s3://../x",
    "s3://a..b/x",
    "s3://-a/x",
    "s3://b%2e/x",
    "s3a://b/x",
    "http://h/x",
    "hdfs://h/x",
    "abfss://a/x",
    "abfss://@a/x",
    "abfss://c@/x",
    "abfss://c@a@b/x",
    "file:///\xff",
    "file:///a/\xc0\xae\xc0\xae/b",
};

static void hostile_locations_are_refused(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    for (size_t i = 0; i < COUNTOF(refused); i++) {
        const char *out = canonical(&scene, str_from(refused[i]));
        if (out != NULL)
            fail_msg("%s passed as %s", refused[i], out);
        assert_int_equal(scene.diag.frames[0].code, STATUS_ILLEGAL_ARGUMENT);
        assert_true(str_is_utf8(str_from(scene.diag.frames[0].text)));
    }
    assert_null(canonical(&scene, STR("file:///a/\0b")));
    arena_deinit(&scene.arena);
}

static void long_locations_are_refused(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    static char text[5000];
    memset(text, 'x', sizeof(text));
    memcpy(text, "file:///", 8);
    assert_null(canonical(&scene, (struct str){text, 5000}));
    assert_null(canonical(&scene, (struct str){text, 8 + 1025}));
    assert_non_null(canonical(&scene, (struct str){text, 8 + 1024}));
    arena_deinit(&scene.arena);
}

static void containment_ends_at_a_segment(void **state)
{
    (void)state;
    assert_true(catalog__location_within(STR("file:///a/b"), STR("file:///a/b")));
    assert_true(catalog__location_within(STR("file:///a/b/c"), STR("file:///a/b")));
    assert_false(catalog__location_within(STR("file:///a/bc"), STR("file:///a/b")));
    assert_false(catalog__location_within(STR("file:///a"), STR("file:///a/b")));
    assert_false(catalog__location_within(STR("s3://a/b"), STR("file:///a")));
    assert_true(catalog__location_within(STR("s3://a/b"), STR("s3://a")));
    assert_false(catalog__location_within(STR("s3://ab"), STR("s3://a")));
}

static void a_check_names_the_location_and_the_warehouse(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    struct catalog_warehouse lake = {.name = STR("lake"), .location = STR("file:///lake")};
    struct str out;
    assert_true(is_ok(catalog__location_check(&scene.context, &lake, STR("file:/lake/t/"),
                                              "The table location", &out)));
    assert_true(str_is(out, "file:///lake/t"));
    assert_int_equal(catalog__location_check(&scene.context, &lake, STR("file:///lake2/t"),
                                             "The table location", &out)
                         .code,
                     STATUS_ILLEGAL_ARGUMENT);
    assert_string_equal(scene.diag.frames[0].text,
                        "The table location file:///lake2/t is outside of "
                        "the location file:///lake of warehouse lake");
    arena_deinit(&scene.arena);
}

/* Decodes once more than anybody should, and walks the segments as a file system would. */
static bool escapes(struct str canonical_location, size_t root_size)
{
    int depth = 0;
    struct str rest = str_from_pos(canonical_location, root_size);
    struct str segment;
    while (rest.size > 0 && str_split(&rest, '/', &segment)) {
        if (str_is(segment, ".."))
            depth--;
        else if (segment.size > 0 && !str_is(segment, "."))
            depth++;
        if (depth < 0)
            return true;
    }
    return false;
}

static size_t decode(char *data, size_t size)
{
    size_t to = 0;
    for (size_t i = 0; i < size; i++) {
        unsigned value;
        if (data[i] == '%' && i + 2 < size && sscanf(data + i + 1, "%2x", &value) == 1) {
            data[to++] = (char)(unsigned char)value;
            i += 2;
        } else {
            data[to++] = data[i];
        }
    }
    return to;
}

/* Random texts of the alphabet that attacks are made of. */
static void canonical_is_a_fixed_point_and_stays_inside(void **state)
{
    static const char *const pieces[] = {
        "/",    "..", ".",        "%2e",   "%2E%2e", "%252e", "%2f", "a",    "//",
        "lake", "x",  "%",        "\\",    "%5c",    "?",     "#",   "\x01", " ",
        "%25",  "2e", "\xc3\xa4", "lake2", "@",      ":",     "%00"};
    (void)state;
    struct prng prng;
    prng_init(&prng, 7);
    size_t passed = 0;
    for (int round = 0; round < 200000; round++) {
        struct scene scene;
        char text[256] = "file:///lake";
        size_t size = strlen(text) + prng_below(&prng, 2);
        text[strlen(text)] = '/';
        for (uint64_t n = prng_below(&prng, 9); n > 0; n--) {
            const char *piece = pieces[prng_below(&prng, COUNTOF(pieces))];
            memcpy(text + size, piece, strlen(piece));
            size += strlen(piece);
        }
        scene_open(&scene);
        const char *once = canonical(&scene, (struct str){text, size});
        if (once != NULL) {
            char bytes[256];
            passed++;
            assert_string_equal(canonical(&scene, str_from(once)), once);
            if (catalog__location_within(str_from(once), STR("file:///lake"))) {
                size_t left = strlen(once);
                memcpy(bytes, once, left);
                for (int i = 0; i < 8; i++) {
                    assert_false(escapes((struct str){bytes, left}, strlen("file:///lake")));
                    left = decode(bytes, left);
                }
            }
        }
        arena_deinit(&scene.arena);
    }
    assert_true(passed > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spellings_of_one_place),
        cmocka_unit_test(hostile_locations_are_refused),
        cmocka_unit_test(long_locations_are_refused),
        cmocka_unit_test(containment_ends_at_a_segment),
        cmocka_unit_test(a_check_names_the_location_and_the_warehouse),
        cmocka_unit_test(canonical_is_a_fixed_point_and_stays_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
