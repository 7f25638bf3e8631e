/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * http_internal.h - what the files of the HTTP server share. Not for other folders.
 *
 * Threads: a connection belongs to its loop's thread. Only the members named "shared" are touched
 * by others, under the loop's lock or as atomics.
 */
#include "net/http_request.h"

#include <pthread.h>
#include <uv.h>

enum {
    READ_BUFFER_SIZE = 64 << 10,
    OUT_SCRATCH_SIZE = 64 << 10,
    /* An answer is started only with this much room in the scratch: head and a small body fit. */
    ANSWER_ROOM = 32 << 10,
    ANSWER_HEAD_MAX = 15 << 10,
    SMALL_BODY_MAX = 16 << 10,
    ADDRESS_TEXT_SIZE = 46,
    REQUEST_ID_MAX = 128
};

enum conn_state {
    CONN_IDLE,     /* between requests */
    CONN_READING,  /* a request has begun */
    CONN_HANDLING, /* a handler has the exchange */
    CONN_WRITING,  /* the exchange is answered (or done), bytes are on their way */
    CONN_LINGER,   /* answered early; reads and drops what the client still sends */
    CONN_CLOSED    /* uv_close called; freed when that and the exchange are done */
};

struct http_conn {
    uv_tcp_t tcp; /* first: freed through the handle */
    struct http_loop *loop;
    struct http_conn *prev;
    struct http_conn *next;
    struct http_exchange exchange;
    struct http_request request;
    struct arena arena;
    struct http_response response; /* valid from http_respond on */
    enum conn_state state;
    bool exchange_open; /* between dispatch (or refusal) and http__answer_finish */
    bool is_reading;    /* uv_read_start is in force */
    bool must_close;    /* after this answer */
    bool must_linger;   /* with must_close: input is left unread */
    bool peer_ended;    /* the client has sent its FIN */
    bool handle_closed; /* libuv is done with `tcp` */
    bool in_feed;       /* the feeding loop is on the stack: do not resume from below it */
    bool write_pending; /* write_request is in libuv's hands */
    bool chunked;       /* this stream uses chunks */
    bool stream_ended;
    uint64_t since_ms;  /* when `state` was entered */
    uint64_t window_ms; /* start of the current rate window; 0: none yet */
    uint64_t window_bytes;
    uint64_t moved_bytes; /* read (CONN_READING) or handed to libuv (CONN_WRITING) */
    uint64_t stream_left; /* of an announced content length */
    char *pending;        /* input behind the request in flight, from pending_at on */
    size_t pending_at;
    size_t pending_size;
    char *stream_buffer;
    char *rest; /* unsent rest of the scratch while write_pending */
    uv_write_t write_request;
    uint8_t address[16];
    char address_text[ADDRESS_TEXT_SIZE];
    char request_id_text[32];
    /* shared: a node of the loop's inbox */
    struct http_conn *inbox_next;
    void (*inbox_fn)(struct http_exchange *exchange);
};

struct http_loop {
    uv_loop_t uv;
    uv_tcp_t listener;
    uv_timer_t sweep;
    uv_async_t wakeup;
    pthread_t thread; /* the owner's, for joining */
    pthread_t self;   /* set by the thread itself */
    struct http_server *server;
    struct http_conn *conns;
    struct http_conn *at_work; /* the scratch holds its bytes; nobody else may be answered now */
    struct http_conn *spare;   /* closed connections kept for reuse, linked by next */
    size_t spare_count;
    struct prng prng;
    bool is_running; /* has a thread */
    bool accept_waits;
    bool is_draining;
    bool is_stopping;
    bool handles_closed;
    char date[64];
    uint64_t date_ms; /* when `date` was made, uv_now time; 0: never */
    char *read_buffer;
    char *out; /* scratch: bytes for the connection at work, always empty between connections */
    size_t out_size;
    /* shared */
    pthread_mutex_t lock;
    struct http_conn *inbox;
    struct http_conn *inbox_last;
    bool drain_wanted;
    bool stop_wanted;
};

struct http_addresses;
struct http_server {
    struct http_limits limits;
    http_handler handler;
    void *context;
    struct log *log;
    struct metrics *metrics;
    struct http_loop *loops;
    uint32_t loop_count;
    uint16_t port;
    struct http_addresses *addresses;
    _Atomic size_t budget_used;
    _Atomic size_t connections;
};

/* http_conn.c */
void http__conn_accept(struct http_loop *loop);
/* conn->response is set: sends it, then goes on with the connection. */
void http__conn_answered(struct http_conn *conn);
void http__conn_sweep(struct http_conn *conn, uint64_t now_ms);
void http__conn_drain(struct http_conn *conn);
/* Closes now. Ends an answered exchange, unless libuv still reads from it. */
void http__conn_abort(struct http_conn *conn);
/* Goes on with the input that waited, after an answer. */
void http__conn_resume(struct http_conn *conn);
void http__conn_enter(struct http_conn *conn, enum conn_state state);
/* Gives the memory back once neither libuv nor a handler has a part in it. */
void http__conn_release(struct http_conn *conn);

/* http_answer.c: from a response to bytes in the kernel. */
void http__answer(struct http_conn *conn);
/* Sends what is in the scratch. Afterwards it is empty. */
void http__answer_flush(struct http_conn *conn);
/* The exchange is over: counts it and frees what it held. */
void http__answer_finish(struct http_conn *conn);

/* http_send.c */
enum send_result { SEND_DONE, SEND_PENDING, SEND_BROKEN };
/*
 * Sends the scratch, then `tail` (borrowed until written). SEND_PENDING: libuv has the rest
 * and `tail` must stay. SEND_BROKEN: the connection has been aborted. `yield` hands everything to
 * libuv even if the socket has room, so that other connections get a turn.
 */
enum send_result http__send(struct http_conn *conn, struct str tail, bool yield);

/* http_stream.c */
void http__stream_begin(struct http_conn *conn);
void http__stream_continue(struct http_conn *conn);

/* http_head.c */
void http__head_refresh_date(struct http_loop *loop);
/* The head of an answer into `out` (ANSWER_HEAD_MAX bytes); 0 when it does not fit. */
enum http_framing { FRAME_LENGTH, FRAME_CHUNKED, FRAME_UNTIL_CLOSE, FRAME_NONE };
size_t http__head_write(struct http_conn *conn, enum http_framing framing, uint64_t length,
                        char *out);

/* http_addresses.c: connections per client address. Any thread. */
status http__addresses_create(uint32_t connections_max, uint32_t per_address_max, struct diag *diag,
                              struct http_addresses **out);
void http__addresses_destroy(struct http_addresses *addresses);
bool http__addresses_add(struct http_addresses *addresses, const uint8_t address[16]);
void http__addresses_remove(struct http_addresses *addresses, const uint8_t address[16]);

/* http_loop.c */
status http__loop_open(struct http_loop *loop, struct http_server *server, const char *host,
                       uint16_t port, struct diag *diag, uint16_t *out_port);
status http__loop_start(struct http_loop *loop, struct diag *diag);
void http__loop_ask(struct http_loop *loop, bool drain, bool stop);
void http__loop_join(struct http_loop *loop); /* and frees what it holds */
void http__loop_post(struct http_loop *loop, struct http_conn *conn,
                     void (*fn)(struct http_exchange *exchange));

static inline struct http_conn *http__conn_of(const struct http_exchange *exchange)
{
    return (struct http_conn *)((uintptr_t)exchange - offsetof(struct http_conn, exchange));
}

static inline uint64_t http__now_ms(const struct http_conn *conn)
{
    return uv_now(&conn->loop->uv);
}
