/* SPDX-License-Identifier: Apache-2.0 */
/*
 * avro_test.c - files put together byte by byte: every kind of type to skip, every rule that a
 * damaged or hostile file breaks.
 */
#include "lake/avro.h"

#include "lake/snappy.h"
#include "lake_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include <cmocka.h>

struct fixture {
    struct arena arena;
    struct buf block; /* to be filled by the test */
    struct buf file;
    struct diag diag;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    arena_init(&f->arena, allocator_heap(), 256 << 20);
    buf_init(&f->block, &f->arena, 64 << 20);
    buf_init(&f->file, &f->arena, 64 << 20);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    arena_deinit(&f->arena);
    free(f);
    return 0;
}

/* The value with field-id 1 (a long) of each record, as "1,2,…", or the message of the failure. A
 * null is "-". */
static const char *read_file(struct fixture *f)
{
    static const struct avro_want want = {{1}, 1, AVRO_WANT_I64, false};
    struct avro_reader *reader = NULL;
    struct avro_value value;
    struct buf out;
    bool found = true;
    diag_reset(&f->diag);
    buf_init(&out, &f->arena, 1 << 20);
    status_value result = avro_open(&f->arena, buf_view(&f->file), &want, 1, &f->diag, &reader);
    while (is_ok(result) && found) {
        result = avro_next(reader, &f->diag, &value, &found);
        if (is_ok(result) && found && value.found)
            buf_printf(&out, "%lld,", (long long)value.i64);
        else if (is_ok(result) && found)
            buf_str(&out, STR("-,"));
    }
    avro_close(reader);
    buf_byte(&out, '\0');
    if (is_ok(result))
        return buf_view(&out).data;
    assert_int_equal(result.code, STATUS_INVALID);
    return diag_message(&f->diag, result.code);
}

static const char *read_block(struct fixture *f, const char *schema, const char *codec,
                              int64_t records)
{
    buf_clear(&f->file);
    lake_file(&f->file, schema, codec, records, buf_view(&f->block));
    return read_file(f);
}

/* A record of one field that is skipped, and the wanted one behind it. */
#define BEHIND(type)                                                                               \
    "{\"type\":\"record\",\"name\":\"r\",\"fields\":["                                             \
    "{\"name\":\"x\",\"type\":" type "},"                                                          \
    "{\"name\":\"v\",\"type\":\"long\",\"field-id\":1}]}"

/* --- what is not wanted is skipped --- */

struct skip_case {
    const char *schema;
    const char *bytes; /* of the skipped value */
    size_t size;
};
#define SKIP(type, bytes_)                                                                         \
    {                                                                                              \
        BEHIND(type), bytes_, sizeof(bytes_) - 1                                                   \
    }

static void test_every_type_is_skipped(void **state)
{
    static const struct skip_case cases[] = {
        SKIP("\"null\"", ""),
        SKIP("\"boolean\"", "\1"),
        SKIP("\"int\"", "\x80\1"),
        SKIP("\"long\"", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"),
        SKIP("\"float\"", "abcd"),
        SKIP("\"double\"", "abcdefgh"),
        SKIP("\"bytes\"", "\6abc"),
        SKIP("\"string\"", "\6abc"),
        SKIP("{\"type\":\"string\"}", "\6abc"),
        SKIP("{\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}}", "\2"),
        SKIP("{\"type\":\"fixed\",\"name\":\"f\",\"size\":3}", "abc"),
        SKIP("{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[\"A\",\"B\"]}", "\2"),
        SKIP("[\"null\",\"string\"]", "\0"),
        SKIP("[\"null\",\"string\"]", "\2\2a"),
        SKIP("{\"type\":\"array\",\"items\":\"int\"}", "\0"),
        SKIP("{\"type\":\"array\",\"items\":\"int\"}", "\4\2\2\2\6\0"),
        SKIP("{\"type\":\"array\",\"items\":\"int\"}", "\3\4\2\2\0"),
        SKIP("{\"type\":\"map\",\"values\":\"bytes\"}", "\2\2k\2v\0"),
        SKIP("{\"type\":\"map\",\"values\":\"bytes\"}", "\1\x8\2k\2v\0"),
        SKIP("{\"type\":\"record\",\"name\":\"n\",\"fields\":[]}", ""),
        SKIP("{\"type\":\"record\",\"name\":\"n\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"},"
             "{\"name\":\"b\",\"type\":[\"null\",\"n\"]}]}",
             "\2\2\4\0"),
        SKIP("{\"type\":\"record\",\"name\":\"n\",\"namespace\":\"o.p\",\"fields\":[{\"name\":"
             "\"a\",\"type\":[\"null\",\"n\",\"string\"]},{\"name\":\"b\",\"type\":[\"null\","
             "\"o.p.n\"]}]}",
             "\2\0\0\0"),
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        buf_clear(&f->block);
        for (int64_t record = 1; record <= 2; record++) {
            buf_append(&f->block, cases[i].bytes, cases[i].size);
            lake_long(&f->block, record * 1000);
        }
        const char *read = read_block(f, cases[i].schema, "null", 2);
        if (strcmp(read, "1000,2000,") != 0)
            fail_msg("%s: %s", cases[i].schema, read);
    }
}

static void test_wanted_values(void **state)
{
    struct fixture *f = *state;
    lake_long(&f->block, INT64_MIN);
    lake_long(&f->block, INT64_MAX);
    lake_long(&f->block, -1);
    assert_string_equal(read_block(f,
                                   "{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":"
                                   "\"v\",\"type\":\"long\",\"field-id\":1}]}",
                                   "null", 3),
                        "-9223372036854775808,9223372036854775807,-1,");
    /* the union's order does not matter, a null is nothing, an int is as good as a long */
    buf_clear(&f->block);
    buf_append(&f->block, "\0\x8\2\4\4", 5);
    assert_string_equal(read_block(f,
                                   "{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":"
                                   "\"v\",\"type\":[\"int\",\"null\",\"long\"],\"field-id\":1}]}",
                                   "null", 3),
                        "4,-,2,");
    /* the schema lacks the field */
    buf_clear(&f->block);
    buf_append(&f->block, "\2", 1);
    assert_string_equal(read_block(f,
                                   "{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":"
                                   "\"v\",\"type\":\"int\",\"field-id\":2}]}",
                                   "null", 1),
                        "-,");
}

/* --- schemas that are refused --- */

static void test_wrong_schemas(void **state)
{
    static const char *const schemas[] = {
        "",
        "{",
        "null",
        "[]",
        "\"long\"",
        "\"nothing\"",
        "{\"type\":\"record\",\"name\":\"r\"}",
        "{\"type\":\"record\",\"fields\":[]}",
        "{\"type\":\"record\",\"name\":\"\",\"fields\":[]}",
        "{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"v\"}]}",
        "{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"type\":\"int\"}]}",
        "{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"v\",\"type\":\"int\","
        "\"field-id\":\"1\"}]}",
        BEHIND("[]"),
        BEHIND("[[\"int\"]]"),
        BEHIND("\"s\""),
        BEHIND("3"),
        BEHIND("{\"type\":\"array\"}"),
        BEHIND("{\"type\":\"map\"}"),
        BEHIND("{\"type\":\"fixed\",\"name\":\"f\"}"),
        BEHIND("{\"type\":\"fixed\",\"name\":\"f\",\"size\":-1}"),
        BEHIND("{\"type\":\"fixed\",\"name\":\"f\",\"size\":2147483647}"),
        BEHIND("{\"type\":\"enum\"}"),
        BEHIND("{\"type\":\"fixed\",\"name\":\"r\",\"size\":1}"),
        /* the wanted field: twice, as another type, as a list */
        "{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"v\",\"type\":\"long\","
        "\"field-id\":1},{\"name\":\"w\",\"type\":\"long\",\"field-id\":1}]}",
        "{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"v\",\"type\":\"string\","
        "\"field-id\":1}]}",
        "{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"v\",\"type\":{\"type\":"
        "\"array\",\"items\":\"long\"},\"field-id\":1}]}",
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNTOF(schemas); i++) {
        buf_clear(&f->block);
        (void)read_block(f, schemas[i], "null", 0);
        if (f->diag.count == 0)
            fail_msg("accepted: %s", schemas[i]);
    }
}

static void test_deep_schemas(void **state)
{
    struct fixture *f = *state;
    struct buf schema;
    for (int depth = 8; depth <= 128; depth += 120) {
        buf_init(&schema, &f->arena, 1 << 20);
        buf_str(&schema, STR("{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"x\","
                             "\"type\":"));
        for (int i = 0; i < depth; i++)
            buf_str(&schema, STR("{\"type\":\"array\",\"items\":"));
        buf_str(&schema, STR("\"int\""));
        for (int i = 0; i < depth; i++)
            buf_byte(&schema, '}');
        buf_str(&schema, STR("}]}"));
        buf_byte(&schema, '\0');
        (void)read_block(f, buf_view(&schema).data, "null", 0);
        assert_int_equal(f->diag.count > 0, depth > AVRO_DEPTH_MAX);
    }
}

/* --- blocks that are refused --- */

static const char damaged_record[] = "an Avro file is damaged: a record does not fit its schema";

static void expect_damaged(struct fixture *f, const char *schema, const char *bytes, size_t size,
                           int64_t records)
{
    buf_clear(&f->block);
    buf_append(&f->block, bytes, size);
    assert_string_equal(read_block(f, schema, "null", records), damaged_record);
}

static void test_wrong_records(void **state)
{
    static const char overlong[] = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\1";
    static const char int_too_large[] = "\x80\x80\x80\x80\x10";
    static const char recursive[] =
        BEHIND("{\"type\":\"record\",\"name\":\"n\",\"fields\":[{\"name\":\"a\",\"type\":\"n\"}]}");
    struct fixture *f = *state;
    expect_damaged(f, BEHIND("\"null\""), overlong, sizeof(overlong) - 1, 1);
    expect_damaged(f, BEHIND("\"null\""), "", 0, 1);
    expect_damaged(f, BEHIND("\"string\""), "\1\2", 2, 1); /* -1 bytes */
    expect_damaged(f, BEHIND("\"string\""), "\x80\x80\x80\x80\x80\x80\2", 7, 1);
    expect_damaged(f, BEHIND("[\"null\",\"int\"]"), "\4\2\2", 3, 1); /* no such branch */
    expect_damaged(f, BEHIND("[\"null\",\"int\"]"), "\1\2\2", 3, 1);
    expect_damaged(f, BEHIND("{\"type\":\"array\",\"items\":\"int\"}"), "\x7f\2", 2, 1);
    expect_damaged(f, recursive, "\2", 1, 1); /* a record that holds itself without end */
    expect_damaged(f,
                   "{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"v\",\"type\":"
                   "\"int\",\"field-id\":1}]}",
                   int_too_large, sizeof(int_too_large) - 1, 1);
    buf_clear(&f->block);
    buf_append(&f->block, "\2\2", 2);
    assert_string_equal(read_block(f, BEHIND("\"null\""), "null", 1),
                        "an Avro file is damaged: bytes follow the last record of a block");
    assert_string_equal(read_block(f, BEHIND("\"null\""), "null", 0),
                        "an Avro file is damaged: a block without records has bytes");
    (void)read_block(f, BEHIND("\"null\""), "null", -1);
    assert_true(f->diag.count > 0);
    (void)read_block(f, BEHIND("\"null\""), "lzma", 1);
    assert_true(f->diag.count > 0);
}

/* A count costs a few bytes, so what it counts must not be free. */
static void test_counts_without_bytes_end(void **state)
{
    struct fixture *f = *state;
    lake_long(&f->block, INT64_MAX);
    lake_long(&f->block, 0);
    lake_long(&f->block, 1);
    assert_string_equal(read_block(f, BEHIND("{\"type\":\"array\",\"items\":\"null\"}"), "null", 1),
                        damaged_record);
    buf_clear(&f->block);
    (void)read_block(f, "{\"type\":\"record\",\"name\":\"r\",\"fields\":[]}", "null", INT64_MAX);
    assert_true(f->diag.count > 0);
}

/* --- codecs --- */

static void unpacks(struct fixture *f, const char *codec)
{
    const char *read = read_block(f, BEHIND("\"string\""), codec, 1);
    if (strcmp(read, "7,") != 0)
        fail_msg("%s: %s", codec, read);
}

static void refuses(struct fixture *f, const char *codec, const char *part)
{
    const char *read = read_block(f, BEHIND("\"string\""), codec, 1);
    if (strstr(read, part) == NULL)
        fail_msg("%s: %s\nwanted: %s", codec, read, part);
}

static struct str plain(struct fixture *f, size_t size)
{
    struct buf out;
    char *text = arena_zalloc(&f->arena, size + 1);
    buf_init(&out, &f->arena, 64 << 20);
    assert_non_null(text);
    lake_string(&out, (struct str){text, size});
    lake_long(&out, 7);
    return buf_view(&out);
}

static void deflate_block(struct fixture *f, struct str bytes)
{
    z_stream zlib = {.zalloc = NULL};
    assert_int_equal(deflateInit2(&zlib, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    size_t room = deflateBound(&zlib, bytes.size);
    char *out = arena_alloc(&f->arena, room);
    assert_non_null(out);
    zlib.next_in = (unsigned char *)(uintptr_t)bytes.data; /* zlib only reads it */
    zlib.avail_in = (uInt)bytes.size;
    zlib.next_out = (unsigned char *)out;
    zlib.avail_out = (uInt)room;
    assert_int_equal(deflate(&zlib, Z_FINISH), Z_STREAM_END);
    buf_clear(&f->block);
    buf_append(&f->block, out, room - zlib.avail_out);
    (void)deflateEnd(&zlib);
}

static void test_deflate(void **state)
{
    struct fixture *f = *state;
    deflate_block(f, plain(f, 300000));
    unpacks(f, "deflate");
    buf_append(&f->block, "abc", 3); /* the rest of a zlib stream's checksum */
    unpacks(f, "deflate");
    buf_append(&f->block, "def", 3);
    refuses(f, "deflate", "bytes follow its end");
    f->block.size /= 2;
    refuses(f, "deflate", "it ends early");
    f->block.size = 0;
    refuses(f, "deflate", "it ends early");
    buf_append(&f->block, "\xff\xff", 2);
    refuses(f, "deflate", "wrong data");
}

static void zstandard_block(struct fixture *f, struct str bytes)
{
    size_t room = ZSTD_compressBound(bytes.size);
    char *out = arena_alloc(&f->arena, room);
    assert_non_null(out);
    size_t size = ZSTD_compress(out, room, bytes.data, bytes.size, 3);
    assert_false(ZSTD_isError(size));
    buf_append(&f->block, out, size);
}

static void test_zstandard(void **state)
{
    struct fixture *f = *state;
    struct str bytes = plain(f, 300000);
    zstandard_block(f, bytes);
    unpacks(f, "zstandard");
    f->block.size--;
    refuses(f, "zstandard", "it ends early");
    f->block.size = 0;
    refuses(f, "zstandard", "it ends early");
    zstandard_block(f, str_slice(bytes, 0, 1000)); /* two frames */
    zstandard_block(f, str_from_pos(bytes, 1000));
    unpacks(f, "zstandard");
    buf_str(&f->block, STR("x"));
    refuses(f, "zstandard", "cannot be unpacked");
}

/* 200 MB of zeros in a few kilobytes: more than any manifest has. */
static void test_a_bomb_is_refused(void **state)
{
    struct fixture *f = *state;
    size_t size = 120 << 20;
    char *zeros = arena_zalloc(&f->arena, size);
    assert_non_null(zeros);
    zstandard_block(f, (struct str){zeros, size});
    assert_true(f->block.size * AVRO_RATIO_MAX < size);
    refuses(f, "zstandard", "it would grow beyond all bounds");
    buf_clear(&f->block);
    buf_append(&f->block, "\xff\xff\xff\x7f\0a", 6); /* snappy: 256 MB, it says */
    buf_append(&f->block, "crc!", 4);
    refuses(f, "snappy", "it would grow beyond all bounds");
}

/* --- snappy --- */

static void snappy_block(struct fixture *f, const char *bytes, size_t size, struct str unpacked)
{
    uint32_t crc = (uint32_t)crc32_z(0, (const unsigned char *)unpacked.data, unpacked.size);
    buf_clear(&f->block);
    buf_append(&f->block, bytes, size);
    for (int shift = 24; shift >= 0; shift -= 8)
        buf_byte(&f->block, (char)(unsigned char)(crc >> shift & 0xff));
}

static void test_snappy(void **state)
{
    /* literal "\x14ab", copy 8 bytes from 2 before, literal "\x0e" */
    static const char packed[] = "\x0c\x08\x14"
                                 "ab\x11\x02\x00\x0e";
    struct fixture *f = *state;
    snappy_block(f, packed, sizeof(packed) - 1,
                 STR("\x14"
                     "ababababab\x0e"));
    unpacks(f, "snappy");
    f->block.data[f->block.size - 1] ^= 1;
    refuses(f, "snappy", "its checksum is wrong");
    f->block.size = 3;
    refuses(f, "snappy", "it has no checksum");
}

struct snappy_case {
    const char *bytes;
    size_t size;
    const char *unpacked; /* NULL: refused */
};
#define SNAPPY(bytes_, unpacked_)                                                                  \
    {                                                                                              \
        bytes_, sizeof(bytes_) - 1, unpacked_                                                      \
    }

static const struct snappy_case snappy_cases[] = {
    SNAPPY("\0", ""),
    SNAPPY("\3\x8"
           "abc",
           "abc"),
    SNAPPY("\3\xf0\2"
           "abc",
           "abc"), /* literal, size in one more byte */
    SNAPPY("\3\xf4\2\0"
           "abc",
           "abc"), /* two */
    SNAPPY("\3\xf8\2\0\0"
           "abc",
           "abc"), /* three */
    SNAPPY("\3\xfc\2\0\0\0"
           "abc",
           "abc"), /* four */
    SNAPPY("\7\x8"
           "abc\1\3",
           "abcabca"), /* copy of 4, offset 3 in 11 bits */
    SNAPPY("\5\x0"
           "a\xe\1\0",
           "aaaaa"), /* copy of 4, offset 1 in 16 bits */
    SNAPPY("\4\x0"
           "a\xb\1\0\0\0",
           "aaaa"), /* copy of 3, offset 1 in 32 bits */
    SNAPPY("", NULL),
    SNAPPY("\x80", NULL),
    SNAPPY("\xff\xff\xff\xff\xff\1", NULL), /* more than 32 bits */
    SNAPPY("\3\x8"
           "ab",
           NULL),
    SNAPPY("\2\x8"
           "abc",
           NULL),
    SNAPPY("\4\x8"
           "abc",
           NULL),
    SNAPPY("\3\xfc\2\0\0", NULL),
    SNAPPY("\3\xfc\xff\xff\xff\xff"
           "abc",
           NULL),
    SNAPPY("\5\x0"
           "a\xe\2\0",
           NULL), /* from before the start */
    SNAPPY("\5\x0"
           "a\xe\0\0",
           NULL), /* from nowhere */
    SNAPPY("\4\x0"
           "a\xe\1\0",
           NULL), /* over the end */
    SNAPPY("\5\x0"
           "a\xe\1",
           NULL),
    SNAPPY("\5\x0"
           "a\1",
           NULL),
};

static void test_snappy_elements(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNTOF(snappy_cases); i++) {
        struct str packed = {snappy_cases[i].bytes, snappy_cases[i].size};
        char out[64] = {0};
        size_t size = 0;
        status_value result = snappy_size(packed, NULL, &size);
        if (is_ok(result) && size <= sizeof(out))
            result = snappy_unpack(packed, out, size, NULL);
        if (is_ok(result) != (snappy_cases[i].unpacked != NULL))
            fail_msg("case %zu: %s", i, status_name(result.code));
        if (is_ok(result))
            assert_true(str_is((struct str){out, size}, snappy_cases[i].unpacked));
        else
            assert_int_equal(result.code, STATUS_INVALID);
    }
}

/* --- the container --- */

static void test_container(void **state)
{
    static const struct avro_want want = {{1}, 1, AVRO_WANT_I64, false};
    struct fixture *f = *state;
    struct avro_reader *reader = NULL;
    struct str value;
    assert_string_equal(read_file(f), "this is not an Avro file: it does not begin with Obj");
    lake_long(&f->block, 3);
    assert_string_equal(read_block(f, BEHIND("\"null\""), "null", 1), "3,");
    assert_true(is_ok(avro_open(&f->arena, buf_view(&f->file), &want, 1, &f->diag, &reader)));
    assert_true(avro_metadata(reader, STR("avro.codec"), &value));
    assert_true(str_is(value, "null"));
    assert_false(avro_metadata(reader, STR("avro"), &value));
    avro_close(reader);
    f->file.data[f->file.size - 1] ^= 1;
    assert_string_equal(read_file(f),
                        "an Avro file is damaged: a sync marker is not where a block ends");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_every_type_is_skipped),
        TEST(test_wanted_values),
        TEST(test_wrong_schemas),
        TEST(test_deep_schemas),
        TEST(test_wrong_records),
        TEST(test_counts_without_bytes_end),
        TEST(test_deflate),
        TEST(test_zstandard),
        TEST(test_a_bomb_is_refused),
        TEST(test_snappy),
        TEST(test_snappy_elements),
        TEST(test_container),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
