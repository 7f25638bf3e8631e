/* SPDX-License-Identifier: Apache-2.0 */
/*
 * object_test.c - local files behind the object store interface: whole or not at all, and never
 * outside.
 */
#include "object/object.h"

#include "base/prng.h"
#include "object/gzip_source.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char folder[64];
    char root[128];
    struct object_store *store;
    struct arena arena;
    struct diag diag;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    (void)snprintf(f->folder, sizeof(f->folder), "/tmp/tarn-object-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    (void)snprintf(f->root, sizeof(f->root), "file://%s/wh/lake", f->folder);
    arena_init(&f->arena, allocator_heap(), 64 << 20);
    assert_true(is_ok(object_store_open(str_from(f->root), &f->diag, &f->store)));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char command[128];
    object_store_close(f->store);
    arena_deinit(&f->arena);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", f->folder);
    int outcome = system(command);
    free(f);
    return outcome;
}

static struct str at(struct fixture *f, const char *path)
{
    return arena_printf(&f->arena, "%s/%s", f->root, path);
}

/* Bytes of a text, a few at a time; fails after `fail_after` pieces. */
struct text_source {
    struct object_source base;
    struct str left;
    size_t piece;
    int fail_after;
};

static status_value text_fill(struct object_source *self, char *out, size_t capacity,
                              struct diag *diag, size_t *out_size, bool *out_end)
{
    struct text_source *source = CONTAINER_OF(self, struct text_source, base);
    if (source->fail_after-- == 0)
        return FAIL(diag, IO, "the source failed");
    size_t size = source->left.size < source->piece ? source->left.size : source->piece;
    size = size < capacity ? size : capacity;
    memcpy(out, source->left.data, size);
    source->left = str_from_pos(source->left, size);
    *out_size = size;
    *out_end = source->left.size == 0;
    return OK;
}

static status_value put(struct fixture *f, struct str location, struct str text)
{
    struct text_source source = {{text_fill}, text, 1000, -1};
    return f->store->ops->put(f->store, location, &source.base, &f->diag);
}

static void put_then_read(void **state)
{
    struct fixture *f = *state;
    struct str text;
    uint64_t size = 0;
    struct str location = at(f, "ns/t-1/metadata/00000-a.metadata.json");
    assert_true(is_ok(put(f, location, STR("first"))));
    assert_true(is_ok(put(f, location, STR("second, longer"))));
    assert_true(is_ok(f->store->ops->sync(f->store, &location, 1, &f->diag)));
    assert_true(is_ok(f->store->ops->read(f->store, location, 100, &f->arena, &f->diag, &text)));
    assert_true(str_eq(text, STR("second, longer")));
    assert_true(is_ok(f->store->ops->size(f->store, location, &f->diag, &size)));
    assert_int_equal(size, 14);
    assert_int_equal(f->store->ops->read(f->store, location, 5, &f->arena, &f->diag, &text).code,
                     STATUS_TOO_LARGE);
    assert_true(is_ok(f->store->ops->remove(f->store, location, &f->diag)));
    assert_true(is_ok(f->store->ops->remove(f->store, location, &f->diag)));
    diag_reset(&f->diag);
    assert_int_equal(f->store->ops->read(f->store, location, 100, &f->arena, &f->diag, &text).code,
                     STATUS_NOT_FOUND);
    assert_non_null(strstr(diag_message(&f->diag, 0), "Failed to open input stream for file: "));
}

static void short_form_is_the_same_file(void **state)
{
    struct fixture *f = *state;
    struct str text;
    struct str brief = arena_printf(&f->arena, "file:%s/wh/lake/a/b", f->folder);
    struct str outside = arena_printf(&f->arena, "file:%s/wh/lake2/b", f->folder);
    assert_true(is_ok(put(f, at(f, "a/b"), STR("content"))));
    assert_true(is_ok(f->store->ops->read(f->store, brief, 100, &f->arena, &f->diag, &text)));
    assert_true(str_eq(text, STR("content")));
    assert_int_equal(f->store->ops->read(f->store, outside, 100, &f->arena, &f->diag, &text).code,
                     STATUS_DENIED);
    assert_true(is_ok(f->store->ops->remove(f->store, brief, &f->diag)));
    assert_int_equal(
        f->store->ops->read(f->store, at(f, "a/b"), 100, &f->arena, &f->diag, &text).code,
        STATUS_NOT_FOUND);
}

static size_t entries(const char *path)
{
    size_t count = 0;
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir))
        count += entry->d_name[0] != '.' || strlen(entry->d_name) > 2 ? 1 : 0;
    closedir(dir);
    return count;
}

static void failing_source_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    char folder[256];
    char text[5000];
    struct str out;
    memset(text, 'x', sizeof(text));
    assert_true(is_ok(put(f, at(f, "d/keep"), STR("old"))));
    for (int n = 0; n < 5; n++) {
        struct text_source source = {{text_fill}, {text, sizeof(text)}, 1000, n};
        assert_int_equal(f->store->ops->put(f->store, at(f, "d/keep"), &source.base, &f->diag).code,
                         STATUS_IO);
    }
    assert_true(
        is_ok(f->store->ops->read(f->store, at(f, "d/keep"), 100, &f->arena, &f->diag, &out)));
    assert_true(str_eq(out, STR("old")));
    (void)snprintf(folder, sizeof(folder), "%s/wh/lake/d", f->folder);
    assert_int_equal(entries(folder), 1);
}

static void nothing_outside_is_reached(void **state)
{
    struct fixture *f = *state;
    char path[256];
    struct str text;
    (void)snprintf(path, sizeof(path), "%s/secret", f->folder);
    FILE *secret = fopen(path, "w");
    assert_non_null(secret);
    fputs("secret", secret);
    fclose(secret);
    (void)snprintf(path, sizeof(path), "%s/wh/lake/out", f->folder);
    assert_int_equal(symlink("../..", path), 0);
    (void)snprintf(path, sizeof(path), "%s/wh/lake/abs", f->folder);
    assert_int_equal(symlink(f->folder, path), 0);
    const char *inside[] = {"../../secret", "out/secret", "abs/secret", "x/../../../secret"};
    for (size_t i = 0; i < COUNTOF(inside); i++) {
        struct str location = at(f, inside[i]);
        assert_false(
            is_ok(f->store->ops->read(f->store, location, 100, &f->arena, &f->diag, &text)));
        assert_false(is_ok(put(f, location, STR("overwritten"))));
        (void)!is_ok(f->store->ops->remove(f->store, location, &f->diag));
    }
    const struct str other[] = {arena_printf(&f->arena, "%s2/x", f->root),
                                arena_printf(&f->arena, "file://%s/secret", f->folder),
                                STR("s3://bucket/x"), str_from(f->root)};
    for (size_t i = 0; i < COUNTOF(other); i++)
        assert_int_equal(
            f->store->ops->read(f->store, other[i], 100, &f->arena, &f->diag, &text).code,
            STATUS_DENIED);
    (void)snprintf(path, sizeof(path), "%s/secret", f->folder);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_size, 6);
}

static void only_files_are_offered(void **state)
{
    struct fixture *f = *state;
    struct object_store *store;
    assert_int_equal(object_store_open(STR("s3://bucket/lake"), &f->diag, &store).code,
                     STATUS_NOT_IMPLEMENTED);
    assert_int_equal(object_store_open(STR("file://host/lake"), &f->diag, &store).code,
                     STATUS_ILLEGAL_ARGUMENT);
}

static void *put_many(void *argument)
{
    struct fixture *f = argument;
    struct diag diag = {0};
    for (int i = 0; i < 200; i++) {
        char text[3000];
        memset(text, 'a' + i % 26, sizeof(text));
        struct text_source source = {{text_fill}, {text, sizeof(text)}, 512, -1};
        char location[256];
        int size = snprintf(location, sizeof(location), "%s/same/object", f->root);
        struct str where = {location, (size_t)size};
        if (!is_ok(f->store->ops->put(f->store, where, &source.base, &diag)))
            return argument;
    }
    return NULL;
}

static void concurrent_puts_are_whole(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[4];
    struct str text;
    assert_true(is_ok(put(f, at(f, "same/object"), STR("start"))));
    for (size_t i = 0; i < COUNTOF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, put_many, f), 0);
    for (int i = 0; i < 200; i++) {
        assert_true(is_ok(
            f->store->ops->read(f->store, at(f, "same/object"), 4000, &f->arena, &f->diag, &text)));
        for (size_t k = 1; k < text.size && text.size != 5; k++)
            assert_int_equal(text.data[k], text.data[0]);
    }
    for (size_t i = 0; i < COUNTOF(threads); i++) {
        void *failed = NULL;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
}

static void gzip_round_trip(void **state)
{
    struct fixture *f = *state;
    struct prng prng;
    prng_init(&prng, 3);
    for (size_t size = 0; size < 400000; size = size * 3 + 1) {
        char *text = arena_alloc(&f->arena, size + 1);
        struct gzip_source *gzip;
        struct object_source *compressed;
        struct str bytes;
        struct str back;
        for (size_t i = 0; i < size; i++)
            text[i] = (char)('a' + prng_below(&prng, 4));
        struct text_source source = {{text_fill}, {text, size}, 777, -1};
        assert_true(is_ok(gzip_source_open(&source.base, &f->diag, &gzip, &compressed)));
        assert_true(is_ok(f->store->ops->put(f->store, at(f, "z.gz"), compressed, &f->diag)));
        gzip_source_close(gzip);
        assert_true(is_ok(
            f->store->ops->read(f->store, at(f, "z.gz"), 1 << 20, &f->arena, &f->diag, &bytes)));
        assert_true(gzip_is(bytes));
        assert_true(is_ok(gzip_inflate(bytes, 1 << 20, &f->arena, &f->diag, &back)));
        assert_true(str_eq(back, (struct str){text, size}));
        if (size > 100)
            assert_int_equal(gzip_inflate(str_slice(bytes, 0, bytes.size - 9), 1 << 20, &f->arena,
                                          &f->diag, &back)
                                 .code,
                             STATUS_INVALID);
    }
}

static void gzip_bombs_are_refused(void **state)
{
    struct fixture *f = *state;
    size_t size = 8 << 20;
    char *zeros = arena_zalloc(&f->arena, size);
    struct text_source source = {{text_fill}, {zeros, size}, 100000, -1};
    struct gzip_source *gzip;
    struct object_source *compressed;
    struct str bytes;
    struct str back;
    assert_true(is_ok(gzip_source_open(&source.base, &f->diag, &gzip, &compressed)));
    assert_true(is_ok(f->store->ops->put(f->store, at(f, "bomb.gz"), compressed, &f->diag)));
    gzip_source_close(gzip);
    assert_true(is_ok(
        f->store->ops->read(f->store, at(f, "bomb.gz"), 1 << 20, &f->arena, &f->diag, &bytes)));
    assert_int_equal(gzip_inflate(bytes, 1 << 20, &f->arena, &f->diag, &back).code,
                     STATUS_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(put_then_read, setup, teardown),
        cmocka_unit_test_setup_teardown(short_form_is_the_same_file, setup, teardown),
        cmocka_unit_test_setup_teardown(failing_source_leaves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_outside_is_reached, setup, teardown),
        cmocka_unit_test_setup_teardown(only_files_are_offered, setup, teardown),
        cmocka_unit_test_setup_teardown(concurrent_puts_are_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(gzip_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(gzip_bombs_are_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
