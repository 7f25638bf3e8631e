/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_loopback.c - how fast bytes go from one process to another here, with nothing else: the
 * floor under every large answer.
 *
 * A child process writes the same bytes from one buffer, 256 KiB at a time, over a TCP connection
 * of the loopback; the parent reads them as the benchmarks' client does.
 */
#include "cli/bench.h"
#include "cli/bench_machine.h"

#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PIECE = 256 << 10 };

static _Noreturn void serve_bytes(int fd, uint64_t bytes, const char *piece)
{
    char request;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (recv(fd, &request, 1, 0) == 1) {
        for (uint64_t sent = 0; sent < bytes;) {
            uint64_t left = bytes - sent;
            ssize_t n = send(fd, piece, left < PIECE ? (size_t)left : PIECE, MSG_NOSIGNAL);
            if (n <= 0)
                _exit(1);
            sent += (uint64_t)n;
        }
    }
    _exit(0);
}

/* A connected pair of TCP sockets on the loopback. */
static status tcp_pair(struct diag *diag, int *out_here, int *out_there)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int here = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int there = -1;
    if (listener >= 0 && here >= 0 &&
        bind(listener, (const struct sockaddr *)&address, sizeof address) == 0 &&
        listen(listener, 1) == 0 &&
        getsockname(listener, (struct sockaddr *)&address, &size) == 0 &&
        connect(here, (const struct sockaddr *)&address, sizeof address) == 0)
        there = accept(listener, NULL, NULL);
    if (listener >= 0)
        (void)close(listener);
    if (there < 0) {
        if (here >= 0)
            (void)close(here);
        return FAIL(diag, UNAVAILABLE, "could not make a loopback connection: %s",
                    bench_errno_text());
    }
    *out_here = here;
    *out_there = there;
    return OK;
}

static bool read_once(struct bench *bench, int fd, uint64_t bytes, char *buffer,
                      struct bench_samples *samples)
{
    uint64_t begin_ns = bench_now_ns(bench);
    if (send(fd, "x", 1, MSG_NOSIGNAL) != 1)
        return false;
    for (uint64_t got = 0; got < bytes;) {
        ssize_t n = recv(fd, buffer, PIECE, 0);
        if (n <= 0)
            return false;
        got += (uint64_t)n;
    }
    bench_samples_add(samples, (double)(bench_now_ns(bench) - begin_ns) / 1e3);
    return true;
}

status bench_measure_loopback(struct bench *bench, uint64_t bytes, size_t times, struct diag *diag,
                              double *out_p50_us)
{
    struct bench_samples samples = {NULL, 0, 0};
    int here = -1;
    int there = -1;
    char *buffer = mem_zalloc(PIECE);
    if (buffer == NULL)
        return FAIL(diag, NOMEM, "no memory");
    status_value result = tcp_pair(diag, &here, &there);
    if (!is_ok(result)) {
        mem_free(buffer);
        return result;
    }
    pid_t child = fork();
    if (child == 0) {
        (void)close(here);
        serve_bytes(there, bytes, buffer);
    }
    (void)close(there);
    for (size_t i = 0; i < times + 2 && read_once(bench, here, bytes, buffer, &samples); i++) {
        if (i == 1)
            bench_samples_clear(&samples); /* the first two warm up */
    }
    (void)close(here);
    if (child > 0)
        (void)waitpid(child, NULL, 0);
    *out_p50_us = bench_samples_rank(&samples, 0.5);
    bench_samples_deinit(&samples);
    mem_free(buffer);
    return OK;
}
