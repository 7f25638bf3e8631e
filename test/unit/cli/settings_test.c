/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings_test.c - four sources, their order, origins, and every kind of wrong value.
 */
#include "cli/settings.h"

#include "cli/args.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>
/* cmocka needs the ones above */
#include <cmocka.h>

struct fixture {
    struct arena arena;
    struct args args;
    struct cli cli;
    struct settings settings;
    struct diag diag;
    char file[64];
};

static int setup(void **state)
{
    struct fixture *fixture = mem_zalloc(sizeof *fixture);
    arena_init(&fixture->arena, allocator_heap(), 16 << 20);
    fixture->cli = (struct cli){.arena = &fixture->arena, .args = &fixture->args};
    (void)snprintf(fixture->file, sizeof fixture->file, "/tmp/tarn-settings-XXXXXX");
    int fd = mkstemp(fixture->file);
    *state = fixture;
    return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    (void)unlink(fixture->file);
    arena_deinit(&fixture->arena);
    mem_free(fixture);
    return 0;
}

static void flag(struct fixture *fixture, const char *name, const char *value)
{
    fixture->args.flags[fixture->args.flag_count++] =
        (struct args_flag){flag_named(str_from(name)), value};
}

static void yaml(struct fixture *fixture, const char *text)
{
    FILE *file = fopen(fixture->file, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    flag(fixture, "config", fixture->file);
}

static status_value load(struct fixture *fixture)
{
    diag_reset(&fixture->diag);
    return settings_load(&fixture->cli, &fixture->diag, &fixture->settings);
}

static const char *origin(struct fixture *fixture, const char *key)
{
    return fixture->settings.origins[settings_find(str_from(key))];
}

static void refused(struct fixture *fixture, const char *part)
{
    status_value loaded = load(fixture);
    assert_int_equal(loaded.code, STATUS_USAGE);
    if (strstr(fixture->diag.frames[0].text, part) == NULL)
        fail_msg("'%s' does not say '%s'", fixture->diag.frames[0].text, part);
}

static void defaults_are_the_servers(void **state)
{
    struct fixture *fixture = *state;
    assert_true(is_ok(load(fixture)));
    assert_string_equal(fixture->settings.server.listen_host, "127.0.0.1");
    assert_int_equal(fixture->settings.server.listen_port, 8181);
    assert_string_equal(fixture->settings.server.default_warehouse, "lake");
    assert_string_equal(origin(fixture, "listen"), "default");
}

static void the_stronger_source_wins(void **state)
{
    struct fixture *fixture = *state;
    yaml(fixture, "listen: 127.0.0.1:1\nadmin: 127.0.0.1:2\nthreads: 3\n");
    (void)setenv("TARN_ADMIN", "127.0.0.1:20", 1);
    (void)setenv("TARN_LISTEN", "127.0.0.1:10", 1);
    flag(fixture, "listen", "127.0.0.1:100");
    status_value loaded = load(fixture);
    (void)unsetenv("TARN_ADMIN");
    (void)unsetenv("TARN_LISTEN");
    assert_true(is_ok(loaded));
    assert_int_equal(fixture->settings.server.listen_port, 100);
    assert_int_equal(fixture->settings.server.admin_port, 20);
    assert_int_equal(fixture->settings.server.http_threads, 3);
    assert_string_equal(origin(fixture, "listen"), "flag --listen");
    assert_string_equal(origin(fixture, "admin"), "environment TARN_ADMIN");
    assert_non_null(strstr(origin(fixture, "threads"), ":3"));
}

static void nested_keys_and_units(void **state)
{
    struct fixture *fixture = *state;
    yaml(fixture, "limits:\n  body: 5MiB\n  idle-timeout: 90s\n  connections: 7\n"
                  "insecure: true\nlog-level: debug\nlog-format: text\n");
    assert_true(is_ok(load(fixture)));
    assert_int_equal(fixture->settings.server.limits.body_bytes_max, 5 << 20);
    assert_int_equal(fixture->settings.server.limits.idle_timeout_ms, 90000);
    assert_int_equal(fixture->settings.server.limits.connections_max, 7);
    assert_true(fixture->settings.server.insecure);
    assert_int_equal(fixture->settings.log_level, LOG_DEBUG);
    assert_int_equal(fixture->settings.log_format, LOG_FORMAT_TEXT);
}

static void warehouses_replace_the_default(void **state)
{
    struct fixture *fixture = *state;
    flag(fixture, "warehouse", "a=/data/a,publish=async");
    flag(fixture, "warehouse", "b=/data/b,c=d");
    assert_true(is_ok(load(fixture)));
    assert_int_equal(fixture->settings.server.warehouse_count, 2);
    assert_string_equal(fixture->settings.server.warehouses[0].name, "a");
    assert_string_equal(fixture->settings.server.warehouses[0].location, "/data/a");
    assert_int_equal(fixture->settings.server.warehouses[0].publish, PUBLISH_ASYNC);
    assert_string_equal(fixture->settings.server.warehouses[1].location, "/data/b,c=d");
    assert_string_equal(fixture->settings.server.default_warehouse, "a");
}

static void warehouses_in_yaml(void **state)
{
    struct fixture *fixture = *state;
    yaml(fixture, "warehouse:\n  a: {location: /data/a, publish: async}\n  b: /data/b\n"
                  "default-warehouse: b\n");
    assert_true(is_ok(load(fixture)));
    assert_int_equal(fixture->settings.server.warehouse_count, 2);
    assert_int_equal(fixture->settings.server.warehouses[0].publish, PUBLISH_ASYNC);
    assert_string_equal(fixture->settings.server.warehouses[1].location, "/data/b");
    assert_string_equal(fixture->settings.server.default_warehouse, "b");
}

static void unknown_keys_are_refused_with_their_line(void **state)
{
    struct fixture *fixture = *state;
    yaml(fixture, "data: /x\nlisen: 127.0.0.1:1\n");
    refused(fixture, ":2: there is no setting 'lisen'");
    assert_string_equal(fixture->diag.frames[1].text, "did you mean 'listen'?");
}

static void unknown_nested_keys_too(void **state)
{
    struct fixture *fixture = *state;
    yaml(fixture, "limits:\n  body: 1MiB\n  bodyy: 1MiB\n");
    refused(fixture, ":3: there is no setting 'limits.bodyy'");
}

static void keys_given_twice_are_refused(void **state)
{
    struct fixture *fixture = *state;
    yaml(fixture, "threads: 1\nadmin: 127.0.0.1:1\nthreads: 2\n");
    refused(fixture, ":3: 'threads' is there twice");
}

static void wrong_values_are_refused_with_their_line(void **state)
{
    struct fixture *fixture = *state;
    yaml(fixture, "admin: 127.0.0.1:1\nthreads: many\n");
    refused(fixture, ":2: 'many' is no value for threads");
}

static void wrong_yaml_is_refused_with_its_line(void **state)
{
    struct fixture *fixture = *state;
    yaml(fixture, "admin: [1\nb: {\n");
    refused(fixture, "not YAML");
}

static void wrong_shapes_are_refused(void **state)
{
    struct fixture *fixture = *state;
    yaml(fixture, "listen: [1, 2]\n");
    refused(fixture, "'listen' must be one value");
}

static void absent_files_are_refused(void **state)
{
    struct fixture *fixture = *state;
    flag(fixture, "config", "/nonexistent/tarn.yaml");
    refused(fixture, "could not read the settings file");
}

static void wrong_flags_are_refused(void **state)
{
    static const char *const wrong[][2] = {{"listen", "8181"},
                                           {"listen", "::1:8181"},
                                           {"listen", "host:99999"},
                                           {"threads", "-1"},
                                           {"limits.body", "5 parsecs"},
                                           {"drain-timeout", "5"},
                                           {"log-level", "loud"},
                                           {"log-format", "xml"},
                                           {"warehouse", "=/x"},
                                           {"limits.body", "99999999999999999999GiB"},
                                           {"warehouse", "a=/x,publish=maybe"}};
    struct fixture *fixture = *state;
    for (size_t i = 0; i < COUNTOF(wrong); i++) {
        fixture->args.flag_count = 0;
        flag(fixture, wrong[i][0], wrong[i][1]);
        refused(fixture, "is no value for");
        assert_int_equal(fixture->diag.count, 2);
    }
}

static void values_read_back_as_they_are_written(void **state)
{
    struct fixture *fixture = *state;
    char text[SETTINGS_VALUE_MAX];
    assert_true(is_ok(load(fixture)));
    for (size_t i = 0; settings_flag(i) != NULL; i++) {
        settings_value_text(&fixture->settings, i, text);
        if (text[0] == 0)
            continue;
        const char *copy = arena_copy(&fixture->arena, str_from(text)).data;
        assert_true(is_ok(
            settings_apply(&fixture->settings, &fixture->arena, i, copy, "test", &fixture->diag)));
        char again[SETTINGS_VALUE_MAX];
        settings_value_text(&fixture->settings, i, again);
        assert_string_equal(text, again);
    }
}

static void ipv6_addresses_need_brackets(void **state)
{
    struct fixture *fixture = *state;
    flag(fixture, "listen", "[::1]:9");
    assert_true(is_ok(load(fixture)));
    assert_string_equal(fixture->settings.server.listen_host, "::1");
    assert_int_equal(fixture->settings.server.listen_port, 9);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(defaults_are_the_servers),
        CASE(the_stronger_source_wins),
        CASE(nested_keys_and_units),
        CASE(warehouses_replace_the_default),
        CASE(warehouses_in_yaml),
        CASE(unknown_keys_are_refused_with_their_line),
        CASE(unknown_nested_keys_too),
        CASE(keys_given_twice_are_refused),
        CASE(wrong_values_are_refused_with_their_line),
        CASE(wrong_yaml_is_refused_with_its_line),
        CASE(wrong_shapes_are_refused),
        CASE(absent_files_are_refused),
        CASE(wrong_flags_are_refused),
        CASE(values_read_back_as_they_are_written),
        CASE(ipv6_addresses_need_brackets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
