/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_server.c - the servers under test: a tarn of our own, the reference server, or one that
 * runs already. A server of ours dies with us, whatever happens to us.
 */
#include "cli/bench.h"
#include "cli/bench_machine.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    START_TIMEOUT_MS = 120000,
    STOP_TIMEOUT_MS = 30000,
    SETTLE_TIMEOUT_MS = 10000,
    POLL_MS = 1,
    ARGUMENTS_MAX = 32
};

static void close_quietly(int fd)
{
    if (fd >= 0)
        (void)close(fd);
}

/* The child's side of spawn; never returns. Settings of the user's environment stay out. */
static _Noreturn void become(const char *program, char *const *arguments, int out_fd, int err_fd,
                             bool keep_settings)
{
    char *environment[512];
    size_t count = 0;
    for (char **entry = environ; *entry != NULL && count + 1 < COUNTOF(environment); entry++) {
        if (keep_settings || strncmp(*entry, "TARN_", 5) != 0)
            environment[count++] = *entry;
    }
    environment[count] = NULL;
    sigset_t none;
    (void)sigemptyset(&none);
    (void)pthread_sigmask(SIG_SETMASK, &none, NULL);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null >= 0)
        (void)dup2(null, STDIN_FILENO);
    (void)dup2(out_fd, STDOUT_FILENO);
    (void)dup2(err_fd, STDERR_FILENO);
    (void)execve(program, arguments, environment);
    _exit(127);
}

static status spawn(const char *program, char *const *arguments, const char *log,
                    bool keep_settings, struct diag *diag, int *out_pid)
{
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0)
        return FAIL(diag, IO, "could not write %s: %s", log, bench_errno_text());
    pid_t pid = fork();
    if (pid == 0)
        become(program, arguments, fd, fd, keep_settings);
    close_quietly(fd);
    if (pid < 0)
        return FAIL(diag, IO, "could not start %s: %s", program, bench_errno_text());
    *out_pid = pid;
    return OK;
}

/* A small file's text in the arena; empty when it is not there yet. */
static struct str read_small(struct bench *bench, const char *path)
{
    char text[4096];
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return STR("");
    size_t size = fread(text, 1, sizeof text, file);
    (void)fclose(file);
    return arena_copy(bench->arena, (struct str){text, size});
}

/* "http://HOST:PORT/BASE" */
static bool parse_uri(struct bench *bench, struct str uri, struct bench_server *out)
{
    uint64_t port = 80;
    if (!str_starts(uri, STR("http://")))
        return false;
    struct str rest = str_from_pos(uri, 7);
    ptrdiff_t slash = str_find(rest, '/');
    struct str base = slash < 0 ? STR("") : str_from_pos(rest, (size_t)slash);
    struct str host = slash < 0 ? rest : str_slice(rest, 0, (size_t)slash);
    ptrdiff_t colon = str_rfind(host, ':');
    if (colon >= 0 && !str_to_u64(str_from_pos(host, (size_t)colon + 1), &port))
        return false;
    while (base.size > 0 && base.data[base.size - 1] == '/')
        base.size--;
    out->host = arena_copy(bench->arena, colon < 0 ? host : str_slice(host, 0, (size_t)colon));
    out->base = arena_copy(bench->arena, base);
    out->port = (uint16_t)port;
    return port > 0 && port <= UINT16_MAX;
}

/* The configuration, as the first thing every client asks for. */
static bool answers(struct bench *bench, const struct bench_server *server)
{
    struct bench_http *http = NULL;
    struct bench_answer answer = {.status_code = 0};
    struct diag diag = {.count = 0};
    struct str path = bench_text(bench, "%.*s/v1/config", STR_ARG(server->base));
    if (!is_ok(bench_http_open(bench->env, server->host, server->port, 1, &diag, &http)))
        return false;
    status_value called = bench_http_call(http, "GET", path, STR(""), STR(""), bench->arena,
                                          bench->deadline_ns, &diag, &answer);
    bench_http_close(http);
    return is_ok(called) && answer.status_code == 200;
}

static status ended(struct bench *bench, struct bench_server *server, const char *log,
                    struct diag *diag)
{
    struct str text = read_small(bench, log);
    server->pid = 0;
    return FAIL(diag, UNAVAILABLE, "the %s server ended at once: %.*s", server->label,
                (int)(text.size < 400 ? text.size : 400), text.data);
}

/* Polls `find` until it knows the address and the server answers there. */
static status wait_ready(struct bench *bench, struct bench_server *server, const char *log,
                         bool (*find)(struct bench *, const char *, struct bench_server *),
                         const char *file, uint64_t begin_ns, struct diag *diag)
{
    bool found = false;
    for (;;) {
        double elapsed_ms = (double)(bench_now_ns(bench) - begin_ns) / 1e6;
        int state = 0;
        if (waitpid(server->pid, &state, WNOHANG) == server->pid)
            return ended(bench, server, log, diag);
        if (bench_interrupted())
            return FAIL(diag, CANCELLED, "interrupted");
        if (elapsed_ms > START_TIMEOUT_MS)
            return FAIL(diag, UNAVAILABLE, "the %s server did not start in %d s", server->label,
                        START_TIMEOUT_MS / 1000);
        found = found || find(bench, file, server);
        if (found && answers(bench, server)) {
            server->start_ms = (double)(bench_now_ns(bench) - begin_ns) / 1e6;
            return OK;
        }
        bench_sleep_ms(POLL_MS);
    }
}

static bool find_address_file(struct bench *bench, const char *path, struct bench_server *server)
{
    struct str text = read_small(bench, path);
    struct json_limits limits = json_limits_document();
    struct diag diag = {.count = 0};
    const struct json *json = NULL;
    struct bench_server admin = {.port = 0};
    struct str uri;
    if (text.size == 0 || !is_ok(json_parse(bench->arena, text, &limits, &diag, &json)))
        return false;
    if (json_as_str(json_get(json, "admin"), &uri) && parse_uri(bench, uri, &admin))
        server->admin_port = admin.port;
    return json_as_str(json_get(json, "api"), &uri) && parse_uri(bench, uri, server);
}

status bench_start_tarn(struct bench *bench, const char *name, struct diag *diag,
                        struct bench_server *out)
{
    struct str home = bench_text(bench, "%s/%s", bench->folder, name);
    struct str address = bench_text(bench, "%s/address", home.data);
    struct str data = bench_text(bench, "%s/data", home.data);
    struct str sync = bench_text(bench, "sync=%s/sync,publish=sync", home.data);
    struct str async = bench_text(bench, "async=%s/async,publish=async", home.data);
    struct str log = bench_text(bench, "%s/log", home.data);
    const char *words[] = {"tarn",
                           "serve",
                           "--data",
                           data.data,
                           "--listen",
                           "127.0.0.1:0",
                           "--admin",
                           "127.0.0.1:0",
                           "--warehouse",
                           sync.data,
                           "--warehouse",
                           async.data,
                           "--address-file",
                           address.data,
                           "--log-level",
                           "warn",
                           "--limits.connections-per-client",
                           "1000",
                           "--limits.request-memory",
                           "4GiB",
                           NULL};
    char *arguments[ARGUMENTS_MAX];
    struct bench_server server = {.label = "tarn", .data = home.data};
    (void)mkdir(home.data, 0755);
    (void)remove(address.data);
    memcpy(arguments, words, sizeof words);
    bench_progress(bench, "starting tarn");
    uint64_t begin_ns = bench_now_ns(bench);
    TRY(spawn("/proc/self/exe", arguments, log.data, false, diag, &server.pid));
    status_value ready =
        wait_ready(bench, &server, log.data, find_address_file, address.data, begin_ns, diag);
    if (is_ok(ready))
        *out = server;
    else
        bench_stop(bench, &server);
    return ready;
}

/* The script's own line: "ready http://127.0.0.1:PORT". */
static bool find_ready_line(struct bench *bench, const char *path, struct bench_server *server)
{
    struct str text = read_small(bench, path);
    const char *at = memmem(text.data, text.size, "ready ", 6);
    const char *end = at == NULL ? NULL : memchr(at, '\n', text.size - (size_t)(at - text.data));
    if (end == NULL)
        return false;
    return parse_uri(bench, (struct str){at + 6, (size_t)(end - at) - 6}, server);
}

static const char *reference_script(struct bench *bench)
{
    const char *script = args_get(bench->cli->args, "reference-run");
    if (script == NULL)
        script = getenv("TARN_REFERENCE_RUN");
    return script == NULL ? "bench/reference/run" : script;
}

status bench_start_reference(struct bench *bench, struct diag *diag, struct bench_server *out)
{
    const char *script = reference_script(bench);
    struct str home = bench_text(bench, "%s/reference", bench->folder);
    struct str log = bench_text(bench, "%s/log", home.data);
    const char *words[] = {script,    "--port",      "0",      "--dir",
                           home.data, "--java-opts", "-Xmx4g", NULL};
    char *arguments[COUNTOF(words)];
    struct bench_server server = {.label = "reference", .data = home.data};
    const char *uri = args_get(bench->cli->args, "reference-uri");
    if (uri != NULL)
        return bench_use_uri(bench, uri, "reference", diag, out);
    if (access(script, X_OK) != 0) {
        status_value failed = FAIL(diag, NOT_FOUND, "there is no reference server at %s", script);
        (void)FAIL(diag, NOT_FOUND,
                   "run it from the project's folder, or say --reference-run FILE");
        return failed;
    }
    (void)mkdir(home.data, 0755);
    memcpy(arguments, words, sizeof words);
    bench_progress(bench, "starting the reference server");
    uint64_t begin_ns = bench_now_ns(bench);
    TRY(spawn(script, arguments, log.data, true, diag, &server.pid));
    status_value ready =
        wait_ready(bench, &server, log.data, find_ready_line, log.data, begin_ns, diag);
    if (is_ok(ready))
        *out = server;
    else
        bench_stop(bench, &server);
    return ready;
}

status bench_use_uri(struct bench *bench, const char *uri, const char *label, struct diag *diag,
                     struct bench_server *out)
{
    struct bench_server server = {.label = label};
    if (!parse_uri(bench, str_from(uri), &server))
        return FAIL(diag, USAGE, "'%s' is not http://HOST:PORT", uri);
    if (!answers(bench, &server))
        return FAIL(diag, UNAVAILABLE, "no catalog answers at %s", uri);
    *out = server;
    return OK;
}

status bench_open_server(struct bench *bench, struct diag *diag, struct bench_server *out)
{
    const char *uri = args_get(bench->cli->args, "uri");
    if (uri != NULL)
        return bench_use_uri(bench, uri, "server", diag, out);
    return bench_start_tarn(bench, "tarn", diag, out);
}

void bench_stop(struct bench *bench, struct bench_server *server)
{
    int state = 0;
    uint64_t begin_ns = bench_now_ns(bench);
    if (server->pid == 0)
        return;
    (void)kill(server->pid, SIGTERM);
    while (waitpid(server->pid, &state, WNOHANG) == 0) {
        if ((bench_now_ns(bench) - begin_ns) / 1000000 > STOP_TIMEOUT_MS)
            (void)kill(server->pid, SIGKILL);
        bench_sleep_ms(POLL_MS);
    }
    server->pid = 0;
}

/* The gauge's value in the text of /metrics; 0 when it is not there. */
static uint64_t pending_files(struct str metrics)
{
    static const char name[] = "\ntarn_publish_pending ";
    const char *at = memmem(metrics.data, metrics.size, name, sizeof name - 1);
    uint64_t pending = 0;
    if (at == NULL)
        return 0;
    at += sizeof name - 1;
    (void)str_to_u64((struct str){at, strspn(at, "0123456789")}, &pending);
    return pending;
}

void bench_settle(struct bench *bench, const struct bench_server *server)
{
    struct bench_http *http = NULL;
    struct bench_answer answer = {.status_code = 0};
    struct diag diag = {.count = 0};
    uint64_t end_ns = bench_now_ns(bench) + SETTLE_TIMEOUT_MS * UINT64_C(1000000);
    struct arena arena;
    if (server->admin_port == 0 ||
        !is_ok(bench_http_open(bench->env, server->host, server->admin_port, 1, &diag, &http)))
        return;
    arena_init(&arena, allocator_heap(), 1 << 20);
    for (uint64_t pending = 1; pending > 0 && bench_now_ns(bench) < end_ns;) {
        arena_reset(&arena);
        if (!is_ok(bench_http_call(http, "GET", STR("/metrics"), STR(""), STR(""), &arena,
                                   bench->deadline_ns, &diag, &answer)))
            break;
        pending = pending_files(answer.body);
        if (pending > 0)
            bench_sleep_ms(POLL_MS);
    }
    arena_deinit(&arena);
    bench_http_close(http);
}

static uint64_t resident_of(int pid, unsigned depth)
{
    char path[64];
    char text[4096];
    (void)snprintf(path, sizeof path, "/proc/%d/status", pid);
    uint64_t bytes = bench_proc_bytes(path, "VmRSS");
    (void)snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
    FILE *file = fopen(path, "re");
    size_t size = file == NULL ? 0 : fread(text, 1, sizeof text, file);
    if (file != NULL)
        (void)fclose(file);
    struct str rest = {text, size};
    struct str word;
    uint64_t child = 0;
    while (depth > 0 && str_split(&rest, ' ', &word)) {
        if (str_to_u64(word, &child) && child > 0 && child < INT32_MAX)
            bytes += resident_of((int)child, depth - 1);
    }
    return bytes;
}

uint64_t bench_resident(const struct bench_server *server)
{
    return server->pid == 0 ? 0 : resident_of(server->pid, 3);
}
