/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_http.c - an epoll loop over non-blocking sockets and a small HTTP/1.1 answer parser.
 *
 * A connection that the server closed while it was idle is opened anew, once per request; only a
 * request of which no answer byte has come is sent again.
 */
#include "cli/bench_http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_SIZE = 256 << 10, HEAD_MAX = 16 << 10, REQUEST_MAX = 1 << 30, TICK_MS = 100 };

enum phase { IDLE, SENDING, HEAD, BODY, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILER };

struct conn {
    int fd;
    enum phase phase;
    bool finished;
    bool reopened;
    bool is_head_request;
    struct arena arena; /* of the request */
    struct buf request;
    size_t sent;
    char head[HEAD_MAX];
    size_t head_size;
    char *kept;
    size_t kept_size;
    uint64_t left; /* of the body or chunk */
    char line[32]; /* a chunk's size */
    size_t line_size;
    struct bench_answer answer;
};

struct bench_http {
    struct env *env;
    struct sockaddr_in address;
    int epoll;
    char *read_buffer;
    struct conn *conns;
    size_t count;
};

static void end_signals(sigset_t *out)
{
    (void)sigemptyset(out);
    (void)sigaddset(out, SIGINT);
    (void)sigaddset(out, SIGTERM);
}

void bench_take_signals(void)
{
    sigset_t set;
    end_signals(&set);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
}

/* A pending signal stays pending, so that everybody who asks sees it. */
bool bench_interrupted(void)
{
    sigset_t pending;
    (void)sigpending(&pending);
    return sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGTERM) == 1;
}

static uint64_t now_ns(struct bench_http *http)
{
    return http->env->ops->monotonic_ns(http->env);
}

void bench_request(struct buf *out, const char *method, struct str path, struct str headers,
                   struct str body)
{
    buf_printf(out, "%s ", method);
    buf_str(out, path);
    buf_str(out, STR(" HTTP/1.1\r\nhost: localhost\r\naccept: application/json\r\n"));
    buf_str(out, headers);
    if (body.size > 0)
        buf_printf(out, "content-type: application/json\r\ncontent-length: %zu\r\n", body.size);
    else if (strcmp(method, "POST") == 0)
        buf_str(out, STR("content-length: 0\r\n"));
    buf_str(out, STR("\r\n"));
    buf_str(out, body);
}

static void disconnect(struct conn *conn)
{
    if (conn->fd >= 0)
        (void)close(conn->fd);
    conn->fd = -1;
}

static status open_connection(struct bench_http *http, struct conn *conn, struct diag *diag)
{
    const int one = 1;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};
    conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (conn->fd < 0)
        return FAIL(diag, UNAVAILABLE, "could not open a socket: %s", strerrordesc_np(errno));
    (void)setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(conn->fd, (const struct sockaddr *)&http->address, sizeof http->address) != 0)
        return FAIL(diag, UNAVAILABLE, "could not connect to port %u: %s",
                    (unsigned)ntohs(http->address.sin_port), strerrordesc_np(errno));
    if (epoll_ctl(http->epoll, EPOLL_CTL_ADD, conn->fd, &event) != 0)
        return FAIL(diag, UNAVAILABLE, "could not watch a socket: %s", strerrordesc_np(errno));
    return OK;
}

static status open_all(struct bench_http *http, size_t clients, struct diag *diag)
{
    http->epoll = epoll_create1(EPOLL_CLOEXEC);
    http->read_buffer = mem_alloc(READ_SIZE);
    http->conns = mem_zalloc(clients * sizeof *http->conns);
    if (http->epoll < 0 || http->read_buffer == NULL || http->conns == NULL)
        return FAIL(diag, NOMEM, "no memory for connections");
    for (; http->count < clients; http->count++) {
        struct conn *conn = &http->conns[http->count];
        arena_init(&conn->arena, allocator_heap(), REQUEST_MAX);
        conn->fd = -1;
    }
    for (size_t i = 0; i < clients; i++) {
        http->conns[i].kept = mem_alloc(BENCH_KEPT_BYTES);
        if (http->conns[i].kept == NULL)
            return FAIL(diag, NOMEM, "no memory for connections");
        TRY(open_connection(http, &http->conns[i], diag));
    }
    return OK;
}

status bench_http_open(struct env *env, struct str host, uint16_t port, size_t clients,
                       struct diag *diag, struct bench_http **out)
{
    char text[INET_ADDRSTRLEN] = "127.0.0.1";
    struct bench_http *http = mem_zalloc(sizeof *http);
    if (http == NULL)
        return FAIL(diag, NOMEM, "no memory for connections");
    http->env = env;
    http->epoll = -1;
    http->address.sin_family = AF_INET;
    http->address.sin_port = htons(port);
    if (!str_is(host, "localhost") && host.size < sizeof text) {
        memcpy(text, host.data, host.size);
        text[host.size] = 0;
    }
    status_value result;
    if (inet_pton(AF_INET, text, &http->address.sin_addr) != 1)
        result = FAIL(diag, INVALID, "'%s' is no IPv4 address", text);
    else
        result = open_all(http, clients, diag);
    if (is_ok(result))
        *out = http;
    else
        bench_http_close(http);
    return result;
}

void bench_http_close(struct bench_http *http)
{
    if (http == NULL)
        return;
    for (size_t i = 0; i < http->count; i++) {
        disconnect(&http->conns[i]);
        arena_deinit(&http->conns[i].arena);
        mem_free(http->conns[i].kept);
    }
    if (http->epoll >= 0)
        (void)close(http->epoll);
    mem_free(http->conns);
    mem_free(http->read_buffer);
    mem_free(http);
}

/* --- sending --- */

static status watch(struct bench_http *http, struct conn *conn, uint32_t events, struct diag *diag)
{
    struct epoll_event event = {.events = events, .data.ptr = conn};
    if (epoll_ctl(http->epoll, EPOLL_CTL_MOD, conn->fd, &event) == 0)
        return OK;
    return FAIL(diag, UNAVAILABLE, "could not watch a socket: %s", strerrordesc_np(errno));
}

static status send_more(struct bench_http *http, struct conn *conn, struct diag *diag)
{
    bool waited = conn->sent > 0;
    while (conn->sent < conn->request.size) {
        ssize_t sent = send(conn->fd, conn->request.data + conn->sent,
                            conn->request.size - conn->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EAGAIN)
            return watch(http, conn, EPOLLIN | EPOLLOUT, diag);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return FAIL(diag, UNAVAILABLE, "could not send a request: %s", strerrordesc_np(errno));
        conn->sent += (size_t)sent;
    }
    conn->phase = HEAD;
    return waited ? watch(http, conn, EPOLLIN, diag) : OK;
}

static void begin_answer(struct conn *conn)
{
    conn->sent = conn->head_size = conn->kept_size = conn->line_size = 0;
    conn->answer = (struct bench_answer){.server_ms = -1};
}

static status start_request(struct bench_http *http, struct conn *conn, struct bench_work *work,
                            struct diag *diag)
{
    arena_reset(&conn->arena);
    buf_init(&conn->request, &conn->arena, REQUEST_MAX);
    if (!work->next(work, (size_t)(conn - http->conns), &conn->request)) {
        conn->phase = IDLE;
        conn->finished = true;
        return OK;
    }
    TRY(buf_finish(&conn->request, "a request", diag));
    begin_answer(conn);
    conn->phase = SENDING;
    conn->reopened = false;
    conn->is_head_request = str_starts(buf_view(&conn->request), STR("HEAD "));
    conn->answer.sent_ns = now_ns(http);
    return send_more(http, conn, diag);
}

/* --- the answer --- */

static struct str trim(struct str s)
{
    while (s.size > 0 && s.data[0] == ' ')
        s = str_from_pos(s, 1);
    while (s.size > 0 && (s.data[s.size - 1] == ' ' || s.data[s.size - 1] == '\r'))
        s.size--;
    return s;
}

/* "commit;dur=0.123", also among others. Milliseconds with up to three decimals. */
static double read_timing(struct str value)
{
    const char *at = memmem(value.data, value.size, "commit;dur=", 11);
    double whole = 0;
    double scale = 1;
    bool fraction = false;
    if (at == NULL)
        return -1;
    for (at += 11; at < value.data + value.size; at++) {
        if (*at == '.' && !fraction) {
            fraction = true;
            continue;
        }
        if (*at < '0' || *at > '9')
            break;
        whole = whole * 10 + (*at - '0');
        scale *= fraction ? 10 : 1;
    }
    return whole / scale;
}

static void read_header(struct conn *conn, struct str name, struct str value, bool *out_chunked)
{
    if (str_eq_nocase(name, STR("content-length")))
        (void)str_to_u64(value, &conn->left);
    else if (str_eq_nocase(name, STR("transfer-encoding")))
        *out_chunked = str_eq_nocase(value, STR("chunked"));
    else if (str_eq_nocase(name, STR("etag")))
        conn->answer.etag = value;
    else if (str_eq_nocase(name, STR("server-timing")))
        conn->answer.server_ms = read_timing(value);
}

/* The head lies in conn->head without the empty line. */
static status read_head(struct conn *conn, struct diag *diag)
{
    struct str rest = {conn->head, conn->head_size};
    struct str line;
    uint64_t code = 0;
    bool chunked = false;
    conn->left = 0;
    if (!str_split(&rest, '\n', &line) || line.size < 12 || !str_starts(line, STR("HTTP/1.")) ||
        !str_to_u64(str_slice(line, 9, 12), &code))
        return FAIL(diag, CORRUPT, "the server's answer is not HTTP");
    conn->answer.status_code = (int)code;
    while (str_split(&rest, '\n', &line)) {
        ptrdiff_t colon = str_find(line, ':');
        if (colon > 0)
            read_header(conn, str_slice(line, 0, (size_t)colon),
                        trim(str_from_pos(line, (size_t)colon + 1)), &chunked);
    }
    bool bodiless = code == 204 || code == 304 || conn->is_head_request;
    if (bodiless)
        conn->left = 0;
    conn->phase = chunked && !bodiless ? CHUNK_SIZE : BODY;
    return OK;
}

/* Each eats from `data` and returns how much. */
static size_t eat_head(struct conn *conn, const char *data, size_t size, bool *out_complete)
{
    size_t before = conn->head_size;
    size_t room = HEAD_MAX - before;
    size_t take = size < room ? size : room;
    memcpy(conn->head + before, data, take);
    size_t from = before < 3 ? 0 : before - 3;
    const char *end = memmem(conn->head + from, before + take - from, "\r\n\r\n", 4);
    *out_complete = end != NULL;
    if (end == NULL) {
        conn->head_size += take;
        return take;
    }
    conn->head_size = (size_t)(end - conn->head);
    return conn->head_size + 4 - before;
}

static size_t eat_body(struct conn *conn, const char *data, size_t size)
{
    size_t take = size < conn->left ? size : (size_t)conn->left;
    size_t room = BENCH_KEPT_BYTES - conn->kept_size;
    size_t keep = take < room ? take : room;
    memcpy(conn->kept + conn->kept_size, data, keep);
    conn->kept_size += keep;
    conn->left -= take;
    conn->answer.body_bytes += take;
    return take;
}

/* One line of chunk framing; *out_line is set when it is complete. */
static size_t eat_line(struct conn *conn, const char *data, size_t size, bool *out_complete)
{
    for (size_t i = 0; i < size; i++) {
        if (data[i] == '\n') {
            *out_complete = true;
            return i + 1;
        }
        if (conn->line_size < sizeof conn->line && data[i] != '\r')
            conn->line[conn->line_size++] = data[i];
    }
    return size;
}

static uint64_t hex_of(const char *text, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10)
                                                : 16U;
        if (digit == 16)
            break;
        value = value << 4 | digit;
    }
    return value;
}

static size_t eat_framing(struct conn *conn, const char *data, size_t size, bool *out_whole)
{
    bool complete = false;
    size_t eaten = eat_line(conn, data, size, &complete);
    if (!complete)
        return eaten;
    if (conn->phase == CHUNK_SIZE) {
        conn->left = hex_of(conn->line, conn->line_size);
        conn->phase = conn->left == 0 ? TRAILER : CHUNK_DATA;
    } else if (conn->phase == CHUNK_END) {
        conn->phase = CHUNK_SIZE;
    } else {
        *out_whole = conn->line_size == 0; /* the empty line behind the trailer */
    }
    conn->line_size = 0;
    return eaten;
}

/* Eats one piece; *out_whole is set when the answer is complete. */
static status eat(struct conn *conn, const char *data, size_t size, size_t *out_eaten,
                  bool *out_whole, struct diag *diag)
{
    bool complete = false;
    switch (conn->phase) {
    case HEAD:
        *out_eaten = eat_head(conn, data, size, &complete);
        if (!complete && conn->head_size == HEAD_MAX)
            return FAIL(diag, CORRUPT, "the head of the server's answer is too long");
        if (complete)
            TRY(read_head(conn, diag));
        *out_whole = complete && conn->phase == BODY && conn->left == 0;
        return OK;
    case BODY:
        *out_eaten = eat_body(conn, data, size);
        *out_whole = conn->left == 0;
        return OK;
    case CHUNK_DATA:
        *out_eaten = eat_body(conn, data, size);
        conn->phase = conn->left == 0 ? CHUNK_END : CHUNK_DATA;
        return OK;
    case CHUNK_SIZE:
    case CHUNK_END:
    case TRAILER: *out_eaten = eat_framing(conn, data, size, out_whole); return OK;
    case IDLE:
    case SENDING: break;
    }
    return FAIL(diag, CORRUPT, "the server sent bytes that nobody asked for");
}

static status finish(struct bench_http *http, struct conn *conn, struct bench_work *work,
                     struct diag *diag)
{
    conn->answer.done_ns = now_ns(http);
    conn->answer.body = (struct str){conn->kept, conn->kept_size};
    conn->phase = IDLE;
    work->done(work, (size_t)(conn - http->conns), &conn->answer);
    return start_request(http, conn, work, diag);
}

/* The server closed a connection that was idle: common for servers with short keep-alive times. */
static status reopen(struct bench_http *http, struct conn *conn, struct diag *diag)
{
    if (conn->phase == IDLE) {
        disconnect(conn);
        return open_connection(http, conn, diag);
    }
    if (conn->reopened || conn->phase > HEAD || conn->head_size > 0)
        return FAIL(diag, UNAVAILABLE, "the server closed a connection in the middle of an answer");
    disconnect(conn);
    conn->reopened = true;
    TRY(open_connection(http, conn, diag));
    begin_answer(conn);
    conn->answer.sent_ns = now_ns(http);
    conn->phase = SENDING;
    return send_more(http, conn, diag);
}

static status on_readable(struct bench_http *http, struct conn *conn, struct bench_work *work,
                          struct diag *diag)
{
    ssize_t size = recv(conn->fd, http->read_buffer, READ_SIZE, MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return OK;
    if (size <= 0)
        return reopen(http, conn, diag);
    if (conn->answer.first_byte_ns == 0)
        conn->answer.first_byte_ns = now_ns(http);
    for (size_t at = 0; at < (size_t)size;) {
        size_t eaten = 0;
        bool whole = false;
        TRY(eat(conn, http->read_buffer + at, (size_t)size - at, &eaten, &whole, diag));
        at += eaten;
        if (!whole)
            continue;
        if (at < (size_t)size)
            return FAIL(diag, CORRUPT, "the server sent more than one answer");
        return finish(http, conn, work, diag);
    }
    return OK;
}

static bool all_finished(const struct bench_http *http, size_t clients)
{
    for (size_t i = 0; i < clients; i++) {
        if (!http->conns[i].finished)
            return false;
    }
    return true;
}

static status on_events(struct bench_http *http, struct bench_work *work,
                        const struct epoll_event *events, int count, struct diag *diag)
{
    for (int i = 0; i < count; i++) {
        struct conn *conn = events[i].data.ptr;
        if ((events[i].events & EPOLLOUT) != 0 && conn->phase == SENDING)
            TRY(send_more(http, conn, diag));
        if ((events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
            TRY(on_readable(http, conn, work, diag));
    }
    return OK;
}

status bench_http_run(struct bench_http *http, struct bench_work *work, size_t clients,
                      uint64_t deadline_ns, struct diag *diag)
{
    struct epoll_event events[64];
    ASSERT(clients <= http->count);
    for (size_t i = 0; i < clients; i++) {
        http->conns[i].finished = false;
        TRY(start_request(http, &http->conns[i], work, diag));
    }
    while (!all_finished(http, clients)) {
        int count = epoll_wait(http->epoll, events, (int)COUNTOF(events), TICK_MS);
        if (count < 0 && errno != EINTR)
            return FAIL(diag, UNAVAILABLE, "could not wait: %s", strerrordesc_np(errno));
        if (bench_interrupted())
            return FAIL(diag, CANCELLED, "interrupted");
        if (now_ns(http) > deadline_ns)
            return FAIL(diag, UNAVAILABLE, "the time limit of the benchmark is over");
        TRY(on_events(http, work, events, count, diag));
    }
    return OK;
}

struct single {
    struct bench_work work;
    struct arena *arena;
    const char *method;
    struct str path;
    struct str headers;
    struct str body;
    bool sent;
    struct bench_answer answer;
};

static bool single_next(struct bench_work *self, size_t client, struct buf *out)
{
    struct single *single = CONTAINER_OF(self, struct single, work);
    (void)client;
    if (single->sent)
        return false;
    single->sent = true;
    bench_request(out, single->method, single->path, single->headers, single->body);
    return true;
}

static void single_done(struct bench_work *self, size_t client, const struct bench_answer *answer)
{
    struct single *single = CONTAINER_OF(self, struct single, work);
    (void)client;
    single->answer = *answer;
    single->answer.body = arena_copy(single->arena, answer->body);
    single->answer.etag = arena_copy(single->arena, answer->etag);
}

status bench_http_call(struct bench_http *http, const char *method, struct str path,
                       struct str headers, struct str body, struct arena *arena,
                       uint64_t deadline_ns, struct diag *diag, struct bench_answer *out)
{
    struct single single = {.work = {single_next, single_done},
                            .arena = arena,
                            .method = method,
                            .path = path,
                            .headers = headers,
                            .body = body};
    TRY(bench_http_run(http, &single.work, 1, deadline_ns, diag));
    *out = single.answer;
    return OK;
}
