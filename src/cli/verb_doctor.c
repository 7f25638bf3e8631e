/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_doctor.c - tarn doctor: is this machine, with these settings, fit to run a node?
 *
 * A check ends in PASS, WARN or FAIL, says what it saw, and what to do. It looks at the same
 * settings as `tarn serve` and changes nothing but temporary files that it removes.
 */
#include "base/timefmt.h"
#include "cli/args.h"
#include "cli/bench_machine.h"
#include "cli/client.h"
#include "cli/settings.h"
#include "net/http_client.h"
#include "object/object.h"
#include "storage/wal_measure.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum grade { PASS, WARN, FAIL_ };
enum { APPENDS = 300, FILES_WANTED = 4096, SLOW_APPEND_US = 10000, YEAR_2025_S = 1735689600 };

struct doctor {
    struct cli *cli;
    struct settings *settings;
    struct print_table table;
    unsigned failed;
    unsigned warned;
};

static void found(struct doctor *doctor, enum grade grade, const char *check, struct str seen,
                  const char *fix)
{
    static const char *const names[] = {"PASS", "WARN", "FAIL"};
    const struct str cells[4] = {str_from(names[grade]), str_from(check), seen,
                                 str_from(grade == PASS ? "" : fix)};
    table_row(&doctor->table, cells);
    doctor->failed += grade == FAIL_ ? 1 : 0;
    doctor->warned += grade == WARN ? 1 : 0;
}

#define SEEN(...) arena_printf(doctor->cli->arena, __VA_ARGS__)

static const char *data_folder(const struct doctor *doctor)
{
    return doctor->settings->server.data_dir;
}

/* The folder itself, or the nearest one above it that exists: it will be made at the first
 * start. */
static struct str existing_folder(struct doctor *doctor)
{
    struct stat facts;
    struct str path = arena_copy(doctor->cli->arena, str_from(data_folder(doctor)));
    while (path.size > 1 && stat(path.data, &facts) != 0) {
        ptrdiff_t slash = str_rfind(path, '/');
        if (slash <= 0)
            return slash == 0 ? STR("/") : STR(".");
        path = arena_copy(doctor->cli->arena, str_slice(path, 0, (size_t)slash));
    }
    return path;
}

static void check_data(struct doctor *doctor, struct str folder)
{
    const char *kind = bench_file_system(folder.data);
    if (access(folder.data, W_OK | X_OK) != 0) {
        found(doctor, FAIL_, "data folder",
              SEEN("%s cannot be written: %s", folder.data, bench_errno_text()),
              "give it to the user that runs tarn, or choose another with --data");
        return;
    }
    if (strcmp(kind, "tmpfs") == 0)
        found(doctor, WARN, "data folder", SEEN("%s is in memory (tmpfs)", folder.data),
              "nothing there survives a restart of the machine: choose a folder on a disk");
    else if (strcmp(kind, "nfs") == 0)
        found(doctor, WARN, "data folder", SEEN("%s is on a network file system", folder.data),
              "locks and durable writes are not dependable there: choose a local disk");
    else
        found(doctor, PASS, "data folder", SEEN("%s can be written (%s)", folder.data, kind), "");
}

static void check_space(struct doctor *doctor, struct str folder)
{
    struct diag diag = {.count = 0};
    uint64_t bytes = 0;
    uint64_t reserve = doctor->settings->server.node.disk_reserve_bytes;
    struct env *env = doctor->cli->env;
    if (!is_ok(env->ops->disk_free(env, folder.data, &diag, &bytes))) {
        found(doctor, WARN, "free space", SEEN("%s", diag_message(&diag, STATUS_IO)), "check it");
        return;
    }
    struct str seen = SEEN("%.1f GiB free, writes stop below %.1f GiB",
                           (double)bytes / (double)(1 << 30), (double)reserve / (double)(1 << 30));
    found(doctor,
          bytes < reserve       ? FAIL_
          : bytes < 4 * reserve ? WARN
                                : PASS,
          "free space", seen, "make room on that disk");
}

static void check_appends(struct doctor *doctor, struct str folder)
{
    struct wal_measured measured;
    struct diag diag = {.count = 0};
    status_value result = wal_measure(doctor->cli->env, folder.data, APPENDS, &diag, &measured);
    if (!is_ok(result)) {
        found(doctor, FAIL_, "durable writes", SEEN("%s", diag_message(&diag, result.code)),
              "a node cannot run where it cannot write durably");
        return;
    }
    uint64_t p99_us = measured.p99_ns / 1000;
    struct str seen =
        SEEN("4 KiB: median %" PRIu64 " us, 99%% %" PRIu64 " us", measured.p50_ns / 1000, p99_us);
    found(doctor, p99_us > SLOW_APPEND_US ? WARN : PASS, "durable writes", seen,
          "each commit waits for one: a disk with power-loss protection is much faster");
}

static void check_files(struct doctor *doctor)
{
    struct rlimit limit = {0, 0};
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    found(doctor, limit.rlim_cur < FILES_WANTED ? WARN : PASS, "open files",
          SEEN("up to %" PRIu64, (uint64_t)limit.rlim_cur),
          "raise it: ulimit -n 65536, or LimitNOFILE= in the service");
}

static bool port_is_free(const struct settings_address *address)
{
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons(address->port)};
    const int one = 1;
    if (inet_pton(AF_INET, address->host, &where.sin_addr) != 1)
        return true;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    bool is_free = fd >= 0 && bind(fd, (const struct sockaddr *)&where, sizeof where) == 0;
    if (fd >= 0)
        (void)close(fd);
    return is_free;
}

/* A tarn that answers there is as good as a free port: it may be the one that is being checked. */
static bool is_alive(struct doctor *doctor)
{
    struct http_client *http = NULL;
    struct http_client_answer answer = {.status_code = 0};
    struct http_client_config config = {.connect_timeout_ms = 500, .timeout_ms = 1000};
    struct diag diag = {.count = 0};
    struct str url = SEEN("http://%s:%u/livez", doctor->settings->admin.host,
                          (unsigned)doctor->settings->admin.port);
    struct http_client_request request = {.method = "GET", .url = url.data};
    if (!is_ok(http_client_open(&config, &diag, &http)))
        return false;
    status_value called = http_client_call(http, &request, doctor->cli->arena, &diag, &answer);
    http_client_close(http);
    return is_ok(called) && answer.status_code == 200;
}

static void check_ports(struct doctor *doctor)
{
    const struct settings_address *listen = &doctor->settings->listen;
    const struct settings_address *admin = &doctor->settings->admin;
    struct str seen = SEEN("%s:%u and %s:%u", listen->host, (unsigned)listen->port, admin->host,
                           (unsigned)admin->port);
    if (port_is_free(listen) && port_is_free(admin))
        found(doctor, PASS, "ports", SEEN("%.*s are free", STR_ARG(seen)), "");
    else if (is_alive(doctor))
        found(doctor, PASS, "ports", SEEN("%.*s: a node is running there", STR_ARG(seen)), "");
    else
        found(doctor, FAIL_, "ports", SEEN("%.*s are not both free", STR_ARG(seen)),
              "choose others with --listen and --admin, or stop who has them (ss -ltnp)");
}

static status probe_fill(struct object_source *self, char *out, size_t capacity, struct diag *diag,
                         size_t *out_size, bool *out_end)
{
    (void)self;
    (void)diag;
    *out_size = capacity < 4 ? capacity : 4;
    memcpy(out, "tarn", *out_size);
    *out_end = true;
    return OK;
}

static status probe_store(struct doctor *doctor, const char *root, struct diag *diag)
{
    struct object_source source = {probe_fill};
    struct object_store *store = NULL;
    struct str text = STR("");
    struct str location = SEEN("%s/.tarn-doctor-%d", root, (int)getpid());
    TRY(object_store_open(str_from(root), diag, &store));
    status_value result = store->ops->put(store, location, &source, diag);
    if (is_ok(result))
        result = store->ops->read(store, location, 64, doctor->cli->arena, diag, &text);
    if (is_ok(result) && !str_is(text, "tarn"))
        result = FAIL(diag, CORRUPT, "what was read is not what was written");
    if (is_ok(result))
        result = store->ops->remove(store, location, diag);
    object_store_close(store);
    return result;
}

static void check_warehouse(struct doctor *doctor, const struct server_warehouse *warehouse)
{
    struct diag diag = {.count = 0};
    char here[4096];
    const char *check = SEEN("warehouse %s", warehouse->name).data;
    const char *location = warehouse->location;
    struct stat facts;
    if (location == NULL)
        location = SEEN("%s/warehouse/%s", data_folder(doctor), warehouse->name).data;
    if (strstr(location, ":/") == NULL && location[0] != '/' && getcwd(here, sizeof here) != NULL)
        location = SEEN("%s/%s", here, location).data;
    /* A probe must not create the folders of a node that was never started. */
    if (location[0] == '/' && stat(location, &facts) != 0) {
        found(doctor, PASS, check, SEEN("%s will be made at the first start", location), "");
        return;
    }
    const char *root = location[0] == '/' ? SEEN("file://%s", location).data : location;
    status_value result = probe_store(doctor, root, &diag);
    if (is_ok(result))
        found(doctor, PASS, check, SEEN("%s: write, read, delete", root), "");
    else
        found(doctor, FAIL_, check, SEEN("%s: %s", root, diag_message(&diag, result.code)),
              "check the location and its rights");
}

static void check_clock(struct doctor *doctor)
{
    struct env *env = doctor->cli->env;
    uint64_t now_s = env->ops->wall_ns(env) / UINT64_C(1000000000);
    char text[TIMEFMT_SIZE];
    timefmt_rfc3339_ns(now_s * UINT64_C(1000000000), text);
    found(doctor, now_s < YEAR_2025_S ? FAIL_ : PASS, "clock", SEEN("%.19sZ", text),
          "set the clock: table metadata carries its time (timedatectl, chrony)");
}

static void unknown_variable(void *context, const char *name)
{
    struct doctor *doctor = context;
    found(doctor, WARN, "settings", SEEN("no setting has the variable %s", name),
          "`tarn config show` lists all settings; docs/cli.md has their variables");
}

static void check_exposure(struct doctor *doctor)
{
    bool local = strncmp(doctor->settings->listen.host, "127.", 4) == 0 ||
                 strcmp(doctor->settings->listen.host, "::1") == 0;
    if (local)
        return;
    found(doctor, doctor->settings->server.insecure ? WARN : FAIL_, "exposure",
          SEEN("listens on %s without authentication", doctor->settings->listen.host),
          "this version has none: put it behind a proxy that has, or listen on 127.0.0.1");
}

static int examine(struct doctor *doctor)
{
    struct settings *settings = doctor->settings;
    settings_unknown_environment(unknown_variable, doctor);
    found(doctor, PASS, "settings",
          SEEN("valid%s%s", settings->file == NULL ? "" : ", file ",
               settings->file == NULL ? "" : settings->file),
          "");
    if (data_folder(doctor) == NULL) {
        settings->server.data_dir = ".";
        found(doctor, WARN, "data folder", SEEN("none is given; the current folder is checked"),
              "say where the data will be: tarn doctor --data DIR");
    }
    struct str folder = existing_folder(doctor);
    check_data(doctor, folder);
    check_space(doctor, folder);
    if (access(folder.data, W_OK) == 0)
        check_appends(doctor, folder);
    check_files(doctor);
    check_ports(doctor);
    check_exposure(doctor);
    for (size_t i = 0; i < settings->server.warehouse_count; i++)
        check_warehouse(doctor, &settings->server.warehouses[i]);
    check_clock(doctor);
    (void)table_print(&doctor->table);
    return doctor->failed > 0 ? CLI_FAILURE : CLI_OK;
}

int cli_doctor(struct cli *cli)
{
    static const char *const titles[] = {"grade", "check", "seen", "fix"};
    struct diag diag = {.count = 0};
    struct doctor doctor = {.cli = cli, .settings = ARENA_NEW(cli->arena, struct settings)};
    if (doctor.settings == NULL)
        return CLI_FAILURE;
    status_value loaded = settings_load(cli, &diag, doctor.settings);
    if (!is_ok(loaded))
        return print_status(cli, loaded, &diag, NULL);
    table_init(&doctor.table, cli, titles, 4);
    return examine(&doctor);
}
