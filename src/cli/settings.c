/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings.c - settings.def as a table: value texts in, a server_config out.
 *
 * All sources go through settings_apply, so a value means the same wherever it is written. Sources
 * are applied strongest last, a list (warehouses) is replaced as a whole. Rows that a stronger
 * source sets are skipped in the file, but their keys are still checked.
 */
#include "cli/settings.h"

#include "cli/args.h"
#include "cli/suggest.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

enum kind {
    TEXT,
    ADDRESS,
    WAREHOUSES,
    U32,
    U64,
    BYTES,
    DURATION_MS,
    DURATION_MS32,
    BOOL,
    LEVEL,
    FORMAT
};

struct setting {
    struct flag flag;
    enum kind kind;
    size_t offset; /* in struct settings */
};

static const struct setting rows[] = {
#define SETTING(key, kind, field, value, help)                                                     \
    {{key, 0, value, help}, kind, offsetof(struct settings, field)},
#include "cli/settings.def"
#undef SETTING
};
_Static_assert(COUNTOF(rows) <= SETTINGS_MAX, "settings.origins is too small");

const struct flag *settings_flag(size_t index)
{
    return index < COUNTOF(rows) ? &rows[index].flag : NULL;
}

int settings_find(struct str key)
{
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        if (str_is(key, rows[i].flag.name))
            return (int)i;
    }
    return -1;
}

void settings_environment_name(size_t index, char out[SETTINGS_NAME_MAX])
{
    const struct setting *row = &rows[index];
    (void)snprintf(out, SETTINGS_NAME_MAX, "TARN_%s%s", row->flag.name,
                   row->kind == WAREHOUSES ? "s" : "");
    for (char *c = out; *c != 0; c++) {
        if (*c == '-' || *c == '.')
            *c = '_';
        else if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 32);
    }
}

/* --- text to value --- */

struct unit {
    const char *name;
    uint64_t factor;
};

/* A number with one of the units behind it. */
static bool parse_unit(const char *text, const struct unit *units, size_t count, uint64_t *out)
{
    size_t digits = strspn(text, "0123456789");
    uint64_t number = 0;
    if (!str_to_u64((struct str){text, digits}, &number))
        return false;
    while (text[digits] == ' ')
        digits++;
    for (size_t i = 0; i < count; i++) {
        if (!str_eq_nocase(str_from(text + digits), str_from(units[i].name)))
            continue;
        if (number > UINT64_MAX / units[i].factor)
            return false;
        *out = number * units[i].factor;
        return true;
    }
    return false;
}

static bool parse_bytes(const char *text, uint64_t *out)
{
    static const struct unit units[] = {{"", 1},
                                        {"B", 1},
                                        {"KiB", UINT64_C(1) << 10},
                                        {"K", UINT64_C(1) << 10},
                                        {"MiB", UINT64_C(1) << 20},
                                        {"M", UINT64_C(1) << 20},
                                        {"GiB", UINT64_C(1) << 30},
                                        {"G", UINT64_C(1) << 30},
                                        {"TiB", UINT64_C(1) << 40}};
    return parse_unit(text, units, COUNTOF(units), out);
}

static bool parse_duration_ms(const char *text, uint64_t *out)
{
    static const struct unit units[] = {{"ms", 1},          {"s", 1000},
                                        {"m", 60 * 1000},   {"min", 60 * 1000},
                                        {"h", 3600 * 1000}, {"d", 24 * 3600 * 1000}};
    return parse_unit(text, units, COUNTOF(units), out);
}

static bool parse_address(const char *text, struct settings_address *out)
{
    struct str host = {text, 0};
    const char *colon = strrchr(text, ':');
    uint64_t port = 0;
    if (colon == NULL || !str_to_u64(str_from(colon + 1), &port) || port > UINT16_MAX)
        return false;
    host.size = (size_t)(colon - text);
    if (host.size >= 2 && host.data[0] == '[' && host.data[host.size - 1] == ']')
        host = str_slice(host, 1, host.size - 1);
    else if (str_find(host, ':') >= 0)
        return false; /* an IPv6 address needs its brackets */
    if (str_is(host, "localhost"))
        host = STR("127.0.0.1");
    if (host.size == 0 || host.size >= SETTINGS_HOST_MAX)
        return false;
    memcpy(out->host, host.data, host.size);
    out->host[host.size] = 0;
    out->port = (uint16_t)port;
    return true;
}

static bool parse_bool(const char *text, bool *out)
{
    static const char *const yes[] = {"true", "yes", "on", "1", ""};
    static const char *const no[] = {"false", "no", "off", "0"};
    for (size_t i = 0; i < COUNTOF(yes); i++) {
        if (strcmp(text, yes[i]) == 0)
            *out = true;
        if (strcmp(text, yes[i]) == 0)
            return true;
    }
    for (size_t i = 0; i < COUNTOF(no); i++) {
        if (strcmp(text, no[i]) == 0)
            *out = false;
        if (strcmp(text, no[i]) == 0)
            return true;
    }
    return false;
}

static bool parse_format(const char *text, enum settings_log_format *out)
{
    static const char *const names[] = {"auto", "json", "text"};
    for (size_t i = 0; i < COUNTOF(names); i++) {
        if (strcmp(text, names[i]) == 0)
            *out = (enum settings_log_format)i;
        if (strcmp(text, names[i]) == 0)
            return true;
    }
    return false;
}

/* NAME=LOCATION[,publish=sync|async] */
static bool parse_warehouse(struct arena *arena, struct str text, struct server_warehouse *out)
{
    ptrdiff_t equals = str_find(text, '=');
    ptrdiff_t comma = str_rfind(text, ',');
    struct str option = {NULL, 0};
    *out = (struct server_warehouse){.publish = PUBLISH_SYNC};
    if (comma > equals && str_starts(str_from_pos(text, (size_t)comma), STR(",publish="))) {
        option = str_from_pos(text, (size_t)comma + 9);
        text.size = (size_t)comma;
        if (str_is(option, "async"))
            out->publish = PUBLISH_ASYNC;
        else if (!str_is(option, "sync"))
            return false;
    }
    struct str name = equals < 0 ? text : str_slice(text, 0, (size_t)equals);
    struct str location = equals < 0 ? STR("") : str_from_pos(text, (size_t)equals + 1);
    if (name.size == 0)
        return false;
    out->name = arena_copy(arena, name).data;
    out->location = location.size == 0 ? NULL : arena_copy(arena, location).data;
    return out->name != NULL;
}

static bool add_warehouses(struct settings *settings, struct arena *arena, const char *text)
{
    struct str rest = str_from(text);
    struct str one;
    while (str_split(&rest, ';', &one)) {
        if (settings->server.warehouse_count == SERVER_WAREHOUSES_MAX ||
            !parse_warehouse(arena, one,
                             &settings->server.warehouses[settings->server.warehouse_count]))
            return false;
        settings->server.warehouse_count++;
    }
    return true;
}

static bool parse_u32(const char *text, uint32_t *out)
{
    uint64_t number = 0;
    if (!str_to_u64(str_from(text), &number) || number > UINT32_MAX)
        return false;
    *out = (uint32_t)number;
    return true;
}

static bool parse_duration32(const char *text, uint32_t *out)
{
    uint64_t number = 0;
    if (!parse_duration_ms(text, &number) || number > UINT32_MAX)
        return false;
    *out = (uint32_t)number;
    return true;
}

static bool parse_into(struct settings *settings, struct arena *arena, const struct setting *row,
                       const char *text)
{
    void *field = (char *)settings + row->offset;
    switch (row->kind) {
    case TEXT: *(const char **)field = text; return text[0] != 0;
    case ADDRESS: return parse_address(text, field);
    case WAREHOUSES: return add_warehouses(settings, arena, text);
    case U32: return parse_u32(text, field);
    case U64: return str_to_u64(str_from(text), field);
    case BYTES: return parse_bytes(text, field);
    case DURATION_MS: return parse_duration_ms(text, field);
    case DURATION_MS32: return parse_duration32(text, field);
    case BOOL: return parse_bool(text, field);
    case LEVEL: return log_level_parse(str_from(text), field);
    case FORMAT: return parse_format(text, field);
    }
    return false;
}

static const char *wanted_form(enum kind kind)
{
    switch (kind) {
    case TEXT: return "a text that is not empty";
    case ADDRESS: return "HOST:PORT, with an address for HOST: 127.0.0.1:8181, [::1]:8181";
    case WAREHOUSES: return "NAME=LOCATION or NAME=LOCATION,publish=async";
    case U32:
    case U64: return "a number";
    case BYTES: return "a size: 64MiB, 512KiB, 1GiB";
    case DURATION_MS:
    case DURATION_MS32: return "a time with its unit: 500ms, 30s, 5m, 1h";
    case BOOL: return "true or false";
    case LEVEL: return "debug, info, warn or error";
    case FORMAT: return "auto, json or text";
    }
    return "";
}

status settings_apply(struct settings *settings, struct arena *arena, size_t index,
                      const char *text, const char *origin, struct diag *diag)
{
    const struct setting *row = &rows[index];
    /* The first warehouse of a source replaces those of the weaker sources. */
    if (row->kind == WAREHOUSES &&
        (settings->origins[index] == NULL || strcmp(settings->origins[index], origin) != 0))
        settings->server.warehouse_count = 0;
    settings->origins[index] = origin;
    if (parse_into(settings, arena, row, text))
        return OK;
    status_value failed =
        FAIL(diag, USAGE, "%s: '%s' is no value for %s", origin, text, row->flag.name);
    (void)FAIL(diag, USAGE, "write %s", wanted_form(row->kind));
    return failed;
}

/* --- value to text --- */

static void bytes_text(uint64_t value, char *out)
{
    static const char *const units[] = {"", "KiB", "MiB", "GiB"};
    size_t unit = 0;
    while (unit < 3 && value > 0 && value % 1024 == 0) {
        value /= 1024;
        unit++;
    }
    (void)snprintf(out, SETTINGS_VALUE_MAX, "%" PRIu64 "%s", value, units[unit]);
}

static void duration_text(uint64_t value, char *out)
{
    bool minutes = value >= 60000 && value % 60000 == 0;
    bool seconds = value > 0 && value % 1000 == 0;
    (void)snprintf(out, SETTINGS_VALUE_MAX, "%" PRIu64 "%s",
                   minutes   ? value / 60000
                   : seconds ? value / 1000
                             : value,
                   minutes   ? "m"
                   : seconds ? "s"
                             : "ms");
}

static void warehouses_text(const struct settings *settings, char *out)
{
    size_t used = 0;
    out[0] = 0;
    for (size_t i = 0; i < settings->server.warehouse_count && used < SETTINGS_VALUE_MAX; i++) {
        const struct server_warehouse *one = &settings->server.warehouses[i];
        int size = snprintf(out + used, SETTINGS_VALUE_MAX - used, "%s%s=%s%s", i == 0 ? "" : ";",
                            one->name, one->location == NULL ? "" : one->location,
                            one->publish == PUBLISH_ASYNC ? ",publish=async" : "");
        used += size < 0 ? 0 : (size_t)size;
    }
}

static void address_text(const struct settings_address *address, char *out)
{
    bool brackets = strchr(address->host, ':') != NULL;
    (void)snprintf(out, SETTINGS_VALUE_MAX, "%s%s%s:%u", brackets ? "[" : "", address->host,
                   brackets ? "]" : "", (unsigned)address->port);
}

void settings_value_text(const struct settings *settings, size_t index,
                         char out[SETTINGS_VALUE_MAX])
{
    static const char *const formats[] = {"auto", "json", "text"};
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    const void *field = (const char *)settings + rows[index].offset;
    const char *text = NULL;
    switch (rows[index].kind) {
    case TEXT:
        text = *(const char *const *)field;
        (void)snprintf(out, SETTINGS_VALUE_MAX, "%s", text == NULL ? "" : text);
        break;
    case ADDRESS: address_text(field, out); break;
    case WAREHOUSES: warehouses_text(settings, out); break;
    case U32: (void)snprintf(out, SETTINGS_VALUE_MAX, "%" PRIu32, *(const uint32_t *)field); break;
    case U64: (void)snprintf(out, SETTINGS_VALUE_MAX, "%" PRIu64, *(const uint64_t *)field); break;
    case BYTES: bytes_text(*(const uint64_t *)field, out); break;
    case DURATION_MS: duration_text(*(const uint64_t *)field, out); break;
    case DURATION_MS32: duration_text(*(const uint32_t *)field, out); break;
    case BOOL:
        (void)snprintf(out, SETTINGS_VALUE_MAX, "%s", *(const bool *)field ? "true" : "false");
        break;
    case LEVEL:
        (void)snprintf(out, SETTINGS_VALUE_MAX, "%s", levels[*(const enum log_level *)field]);
        break;
    case FORMAT:
        (void)snprintf(out, SETTINGS_VALUE_MAX, "%s",
                       formats[*(const enum settings_log_format *)field]);
        break;
    }
}

/* --- sources --- */

static void set_defaults(struct settings *out)
{
    *out = (struct settings){.log_level = LOG_INFO};
    server_config_default(&out->server);
    (void)snprintf(out->listen.host, SETTINGS_HOST_MAX, "%s", out->server.listen_host);
    (void)snprintf(out->admin.host, SETTINGS_HOST_MAX, "%s", out->server.admin_host);
    out->listen.port = out->server.listen_port;
    out->admin.port = out->server.admin_port;
    for (size_t i = 0; i < COUNTOF(rows); i++)
        out->origins[i] = "default";
}

void settings_default_text(size_t index, char out[SETTINGS_VALUE_MAX])
{
    struct settings *settings = mem_zalloc(sizeof *settings);
    out[0] = 0;
    if (settings == NULL)
        return;
    set_defaults(settings);
    settings_value_text(settings, index, out);
    mem_free(settings);
}

static status read_flags(struct cli *cli, struct settings *settings, struct diag *diag)
{
    for (size_t i = 0; i < cli->args->flag_count; i++) {
        const struct args_flag *given = &cli->args->flags[i];
        int row = flag_is_setting(given->flag) ? settings_find(str_from(given->flag->name)) : -1;
        if (row < 0)
            continue;
        struct str origin = arena_printf(cli->arena, "flag --%s", given->flag->name);
        TRY(settings_apply(settings, cli->arena, (size_t)row, given->value, origin.data, diag));
    }
    return OK;
}

static status read_environment(struct cli *cli, struct settings *settings, const bool *skip,
                               struct diag *diag)
{
    char name[SETTINGS_NAME_MAX];
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        settings_environment_name(i, name);
        const char *text = getenv(name);
        if (text == NULL || skip[i])
            continue;
        struct str origin = arena_printf(cli->arena, "environment %s", name);
        TRY(settings_apply(settings, cli->arena, i, text, origin.data, diag));
    }
    return OK;
}

static void mark_flags(const struct args *args, bool *out_set)
{
    for (size_t i = 0; i < COUNTOF(rows); i++)
        out_set[i] = args_has(args, rows[i].flag.name);
}

static void mark_environment(bool *out_set)
{
    char name[SETTINGS_NAME_MAX];
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        settings_environment_name(i, name);
        out_set[i] = out_set[i] || getenv(name) != NULL;
    }
}

/* server_config borrows its texts from the settings. */
static void finish(struct settings *settings)
{
    int row = settings_find(STR("default-warehouse"));
    settings->server.listen_host = settings->listen.host;
    settings->server.listen_port = settings->listen.port;
    settings->server.admin_host = settings->admin.host;
    settings->server.admin_port = settings->admin.port;
    /* Who names warehouses but no default means the first. */
    if (row >= 0 && strcmp(settings->origins[row], "default") == 0 &&
        settings->server.warehouse_count > 0)
        settings->server.default_warehouse = settings->server.warehouses[0].name;
}

status settings_load(struct cli *cli, struct diag *diag, struct settings *out)
{
    bool by_flag[SETTINGS_MAX] = {false};
    bool stronger[SETTINGS_MAX] = {false};
    const char *file = args_get(cli->args, "config");
    set_defaults(out);
    mark_flags(cli->args, by_flag);
    mark_flags(cli->args, stronger);
    mark_environment(stronger);
    if (file == NULL)
        file = getenv("TARN_CONFIG");
    if (file != NULL && file[0] != 0) {
        TRY(settings_read_yaml(out, cli->arena, file, stronger, diag));
        out->file = file;
    }
    TRY(read_environment(cli, out, by_flag, diag));
    TRY(read_flags(cli, out, diag));
    finish(out);
    return OK;
}

static bool is_known_variable(const char *name)
{
    static const char *const others[] = {
        "TARN_CONFIG",          "TARN_URI",    "TARN_WAREHOUSE", "TARN_REFERENCE_RUN",
        "TARN_REFERENCE_CACHE", "TARN_PYTHON", "TARN_JOBS",      "TARN_BINARY"};
    char known[SETTINGS_NAME_MAX];
    for (size_t i = 0; i < COUNTOF(others); i++) {
        if (strcmp(name, others[i]) == 0)
            return true;
    }
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        settings_environment_name(i, known);
        if (strcmp(name, known) == 0)
            return true;
    }
    return false;
}

void settings_unknown_environment(void (*visit)(void *context, const char *name), void *context)
{
    for (char **entry = environ; entry != NULL && *entry != NULL; entry++) {
        char name[SETTINGS_NAME_MAX];
        size_t size = strcspn(*entry, "=");
        if (strncmp(*entry, "TARN_", 5) != 0 || size >= sizeof name)
            continue;
        memcpy(name, *entry, size);
        name[size] = 0;
        if (!is_known_variable(name))
            visit(context, name);
    }
}
