/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_loop.c - one event loop in one thread: listener, inbox, the sweep for timeouts, its end.
 *
 * I1  Other threads only touch the inbox, the two wishes (drain, stop) and the wake-up, all under
 *     `lock`; the wake-up is sent inside it, so the loop cannot be gone in between.
 * I2  One wake-up serves all posts that arrive before the loop takes the inbox.
 * I3  The loop ends when a stop was asked for and its last connection is released.
 */
#include "env/env.h"
#include "net/http_internal.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 4096, SWEEP_MS_MIN = 10, SWEEP_MS_MAX = 1000 };

/* --- the inbox --- */

void http__loop_post(struct http_loop *loop, struct http_conn *conn,
                     void (*fn)(struct http_exchange *exchange))
{
    (void)pthread_mutex_lock(&loop->lock);
    ASSERT(conn->inbox_fn == NULL);
    conn->inbox_fn = fn;
    conn->inbox_next = NULL;
    bool was_empty = loop->inbox == NULL;
    if (was_empty)
        loop->inbox = conn;
    else
        loop->inbox_last->inbox_next = conn;
    loop->inbox_last = conn;
    if (was_empty)
        (void)uv_async_send(&loop->wakeup);
    (void)pthread_mutex_unlock(&loop->lock);
}

void http__loop_ask(struct http_loop *loop, bool drain, bool stop)
{
    (void)pthread_mutex_lock(&loop->lock);
    loop->drain_wanted |= drain;
    loop->stop_wanted |= stop;
    (void)uv_async_send(&loop->wakeup);
    (void)pthread_mutex_unlock(&loop->lock);
}

static void run_inbox(struct http_conn *conn)
{
    while (conn != NULL) {
        struct http_conn *next = conn->inbox_next;
        void (*fn)(struct http_exchange *) = conn->inbox_fn;
        conn->inbox_fn = NULL;
        fn(&conn->exchange);
        conn = next;
    }
}

static void each_conn(struct http_loop *loop, void (*visit)(struct http_conn *conn))
{
    for (struct http_conn *conn = loop->conns; conn != NULL;) {
        struct http_conn *next = conn->next;
        visit(conn);
        conn = next;
    }
}

static void close_handle(void *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void end_if_done(struct http_loop *loop)
{
    if (!loop->is_stopping || loop->conns != NULL || loop->handles_closed)
        return;
    loop->handles_closed = true;
    close_handle(&loop->sweep);
    close_handle(&loop->wakeup);
}

static void on_wakeup(uv_async_t *async)
{
    struct http_loop *loop = CONTAINER_OF(async, struct http_loop, wakeup);
    (void)pthread_mutex_lock(&loop->lock);
    struct http_conn *inbox = loop->inbox;
    bool drain = loop->drain_wanted;
    bool stop = loop->stop_wanted;
    loop->inbox = NULL;
    (void)pthread_mutex_unlock(&loop->lock);
    run_inbox(inbox);
    if ((drain || stop) && !loop->is_draining) {
        loop->is_draining = true;
        close_handle(&loop->listener);
        each_conn(loop, http__conn_drain);
    }
    if (stop && !loop->is_stopping) {
        loop->is_stopping = true;
        each_conn(loop, http__conn_abort);
    }
    end_if_done(loop);
}

static void on_sweep(uv_timer_t *timer)
{
    struct http_loop *loop = CONTAINER_OF(timer, struct http_loop, sweep);
    uint64_t now_ms = uv_now(&loop->uv);
    if (loop->accept_waits)
        http__conn_accept(loop);
    for (struct http_conn *conn = loop->conns; conn != NULL;) {
        struct http_conn *next = conn->next;
        http__conn_sweep(conn, now_ms);
        conn = next;
    }
    end_if_done(loop);
}

/* --- start --- */

static uint64_t sweep_interval_ms(const struct http_limits *limits)
{
    uint64_t shortest = u64_min(limits->header_timeout_ms, limits->idle_timeout_ms);
    shortest = u64_min(shortest, u64_min(limits->rate_window_ms, limits->linger_timeout_ms));
    return u64_min(u64_max(shortest / 4, SWEEP_MS_MIN), SWEEP_MS_MAX);
}

static void on_connection(uv_stream_t *listener, int result)
{
    if (result == 0)
        http__conn_accept(CONTAINER_OF(listener, struct http_loop, listener));
}

static status_value parse_address(const char *host, uint16_t port, struct diag *diag,
                                  struct sockaddr_storage *out)
{
    if (uv_ip4_addr(host, port, (struct sockaddr_in *)out) == 0 ||
        uv_ip6_addr(host, port, (struct sockaddr_in6 *)out) == 0)
        return OK;
    return FAIL(diag, INVALID, "cannot listen on \"%s\": not an IPv4 or IPv6 address", host);
}

/* Accepted sockets inherit TCP_NODELAY, so no system call is spent on it per connection. */
static status_value make_socket(const struct sockaddr_storage *address, const char *host,
                                struct diag *diag, int *out_fd)
{
    int on = 1;
    socklen_t size =
        address->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return FAIL(diag, IO, "could not make a socket: %s",
                    uv_strerror(uv_translate_sys_error(errno)));
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
        bind(fd, (const struct sockaddr *)address, size) != 0) {
        int error = errno;
        (void)close(fd);
        return FAIL(diag, IO, "could not bind %s: %s", host,
                    uv_strerror(uv_translate_sys_error(error)));
    }
    *out_fd = fd;
    return OK;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof(address);
    (void)getsockname(fd, (struct sockaddr *)&address, &size);
    if (address.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

static status_value listen_on(struct http_loop *loop, const char *host, uint16_t port,
                              struct diag *diag, uint16_t *out_port)
{
    struct sockaddr_storage address;
    int fd;
    TRY(parse_address(host, port, diag, &address));
    TRY(make_socket(&address, host, diag, &fd));
    *out_port = port_of(fd);
    int error = uv_tcp_open(&loop->listener, fd);
    if (error == 0)
        error = uv_listen((uv_stream_t *)&loop->listener, BACKLOG, on_connection);
    else
        (void)close(fd);
    if (error != 0)
        return FAIL(diag, IO, "could not listen on %s port %u: %s", host, *out_port,
                    uv_strerror(error));
    return OK;
}

static status_value init_handles(struct http_loop *loop, struct diag *diag)
{
    if (uv_loop_init(&loop->uv) != 0)
        return FAIL(diag, IO, "could not make an event loop");
    uint64_t interval_ms = sweep_interval_ms(&loop->server->limits);
    (void)uv_tcp_init(&loop->uv, &loop->listener);
    (void)uv_timer_init(&loop->uv, &loop->sweep);
    (void)uv_timer_start(&loop->sweep, on_sweep, interval_ms, interval_ms);
    if (uv_async_init(&loop->uv, &loop->wakeup, on_wakeup) == 0)
        return OK;
    close_handle(&loop->listener);
    close_handle(&loop->sweep);
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
    (void)uv_loop_close(&loop->uv);
    return FAIL(diag, IO, "could not make an event loop's wake-up");
}

status_value http__loop_open(struct http_loop *loop, struct http_server *server, const char *host,
                             uint16_t port, struct diag *diag, uint16_t *out_port)
{
    uint64_t seed;
    loop->server = server;
    loop->read_buffer = mem_alloc(READ_BUFFER_SIZE);
    loop->out = mem_alloc(OUT_SCRATCH_SIZE);
    if (loop->read_buffer == NULL || loop->out == NULL) {
        mem_free(loop->read_buffer);
        mem_free(loop->out);
        return FAIL(diag, NOMEM, "could not allocate an event loop's buffers");
    }
    env_linux()->ops->random(env_linux(), &seed, sizeof(seed));
    prng_init(&loop->prng, seed);
    status_value result = init_handles(loop, diag);
    if (!is_ok(result)) {
        mem_free(loop->read_buffer);
        mem_free(loop->out);
        return result;
    }
    (void)pthread_mutex_init(&loop->lock, NULL);
    result = listen_on(loop, host, port, diag, out_port);
    if (!is_ok(result)) {
        loop->stop_wanted = true;
        (void)uv_async_send(&loop->wakeup);
        (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
        http__loop_join(loop);
    }
    return result;
}

static void *run_loop(void *argument)
{
    struct http_loop *loop = argument;
    loop->self = pthread_self();
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
    return NULL;
}

/* Signals are the main thread's; a write to a closed socket must not be one. */
status_value http__loop_start(struct http_loop *loop, struct diag *diag)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&loop->thread, NULL, run_loop, loop);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0)
        return FAIL(diag, IO, "could not start a thread: %s",
                    uv_strerror(uv_translate_sys_error(error)));
    (void)pthread_setname_np(loop->thread, "http");
    loop->is_running = true;
    return OK;
}

void http__loop_join(struct http_loop *loop)
{
    if (loop->is_running)
        (void)pthread_join(loop->thread, NULL);
    else
        (void)uv_run(&loop->uv, UV_RUN_DEFAULT); /* lets the handles close */
    /* The last poster may still be inside the lock. */
    (void)pthread_mutex_lock(&loop->lock);
    (void)pthread_mutex_unlock(&loop->lock);
    (void)pthread_mutex_destroy(&loop->lock);
    int error = uv_loop_close(&loop->uv);
    ASSERT(error == 0);
    while (loop->spare != NULL) {
        struct http_conn *conn = loop->spare;
        loop->spare = conn->next;
        mem_free(conn);
    }
    mem_free(loop->read_buffer);
    mem_free(loop->out);
}
