/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_serve.c - tarn serve: settings, log, signals and the life of a server.
 *
 * Signals are blocked in every thread and taken by this one with a time limit, so there is no
 * handler and no race. The first SIGTERM or SIGINT drains; while that runs a thread of its own
 * waits for a second one, which ends the process at once with the exit code a shell gives for a
 * signal.
 */
#include "cli/args.h"
#include "cli/print.h"
#include "cli/settings.h"
#include "net/log_sink.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { FAILURE_CHECK_MS = 200, SIGNAL_EXIT_BASE = 128 };

/* sd_notify(3): one datagram to the socket that the service manager named; "@" is abstract. */
static void notify_manager(const char *message)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = getenv("NOTIFY_SOCKET");
    size_t size = path == NULL ? 0 : strlen(path);
    if (size < 2 || size >= sizeof address.sun_path || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(address.sun_path, path, size);
    if (path[0] == '@')
        address.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    (void)sendto(fd, message, strlen(message), MSG_NOSIGNAL, (const struct sockaddr *)&address,
                 length);
    (void)close(fd);
}

static void signals_to_take(sigset_t *out)
{
    (void)sigemptyset(out);
    (void)sigaddset(out, SIGTERM);
    (void)sigaddset(out, SIGINT);
}

static void *second_signal(void *unused)
{
    sigset_t set;
    int number = SIGTERM;
    (void)unused;
    signals_to_take(&set);
    (void)sigwait(&set, &number);
    _exit(SIGNAL_EXIT_BASE + number);
}

static void watch_second_signal(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, second_signal, NULL) == 0)
        (void)pthread_detach(thread);
}

/* Until a signal asks for the end (true), or the node has failed (false). */
static bool wait_for_end(const struct server *server)
{
    const struct timespec tick = {0, FAILURE_CHECK_MS * 1000000L};
    sigset_t set;
    signals_to_take(&set);
    while (!server_has_failed(server)) {
        if (sigtimedwait(&set, NULL, &tick) > 0)
            return true;
    }
    return false;
}

static void say_hello(struct cli *cli, const struct settings *settings, const struct server *server)
{
    const char *host = settings->listen.host;
    bool brackets = strchr(host, ':') != NULL;
    if (isatty(fileno(cli->err)) != 1)
        return;
    fprintf(cli->err,
            "tarn " TARN_VERSION " serves http://%s%s%s:%u (health: http://%s:%u/readyz)  "
            "Ctrl-C stops it\n",
            brackets ? "[" : "", host, brackets ? "]" : "", (unsigned)server_port(server),
            settings->admin.host, (unsigned)server_admin_port(server));
}

static int run_server(struct cli *cli, struct settings *settings, struct log *log)
{
    struct server *server = NULL;
    struct diag diag = {.count = 0};
    status_value opened = server_open(&settings->server, cli->env, log, &diag, &server);
    if (!is_ok(opened)) {
        int exit_code = print_status(cli, opened, &diag, NULL);
        return exit_code == CLI_UNAVAILABLE ? exit_code : CLI_FAILURE;
    }
    say_hello(cli, settings, server);
    notify_manager("READY=1");
    bool asked = wait_for_end(server);
    notify_manager("STOPPING=1");
    watch_second_signal();
    if (asked && isatty(fileno(cli->err)) == 1)
        fputs("stopping; once more to stop at once\n", cli->err);
    server_close(server);
    if (!asked)
        return print_problem(cli, CLI_FAILURE, "the node has failed and cannot write any more",
                             "its log could not be written; the log lines above say why",
                             "mend the disk, then start it again");
    return CLI_OK;
}

static int open_sink(struct cli *cli, const struct settings *settings, struct log_sink **out)
{
    struct diag diag = {.count = 0};
    struct log_sink_config config = {
        .fd = fileno(cli->err),
        .threshold = settings->log_level,
        .force_text = settings->log_format == LOG_FORMAT_TEXT,
        .force_json = settings->log_format == LOG_FORMAT_JSON,
    };
    status_value opened = log_sink_open(&config, &diag, out);
    return is_ok(opened) ? CLI_OK : print_status(cli, opened, &diag, NULL);
}

int cli_serve(struct cli *cli)
{
    struct diag diag = {.count = 0};
    struct log_sink *sink = NULL;
    sigset_t set;
    struct settings *settings = ARENA_NEW(cli->arena, struct settings);
    if (settings == NULL)
        return CLI_FAILURE;
    status_value loaded = settings_load(cli, &diag, settings);
    if (is_ok(loaded) && settings->server.data_dir == NULL) {
        loaded = FAIL(&diag, USAGE, "no data folder is given");
        (void)FAIL(&diag, USAGE, "say where the node keeps its data: tarn serve --data DIR");
    }
    if (!is_ok(loaded))
        return print_status(cli, loaded, &diag, NULL);
    /* Before any thread starts: they inherit the mask. */
    signals_to_take(&set);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGHUP, SIG_IGN);
    int exit_code = open_sink(cli, settings, &sink);
    if (exit_code != CLI_OK)
        return exit_code;
    exit_code = run_server(cli, settings, log_sink_log(sink));
    log_sink_close(sink);
    return exit_code;
}
