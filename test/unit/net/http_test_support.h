/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * http_test_support.h - a server on the loopback and a raw client, for the tests of net/.
 */
#include "net/http_server.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct fixture {
    struct http_server *server;
    struct metrics *metrics;
    _Atomic int streams_open; /* bodies handed out and not closed yet */
    _Atomic int handled;
    struct http_exchange *parked; /* of GET /park, guarded by `handled` counting up */
};

/* Starts a server with the test handler (see http_test_support.c) and these limits. */
void fixture_open(struct fixture *f, const struct http_limits *limits, uint32_t threads);
void fixture_close(struct fixture *f);
/* Waits until the handler has seen that many requests; f->parked may be read then. */
void fixture_wait_handled(struct fixture *f, int count);

/* Zeroed heap memory; fails the test instead of returning NULL. free() it. */
void *test_alloc(size_t size);

int raw_connect(const struct fixture *f);
void raw_send(int fd, const char *text);
void raw_send_bytes(int fd, const void *data, size_t size);
/* Reads until the peer closes (or 5 s pass); the result is NUL-terminated and static to the
 * caller's buffer. Returns the bytes read. */
size_t raw_read_all(int fd, char *out, size_t size);
/*
 * Reads one answer with a content-length; returns its status code, the body in `body`. 0:
 * closed.
 */
int raw_read_answer(int fd, char *body, size_t size);
/* One connection: sends, reads one answer, closes. */
int raw_exchange(const struct fixture *f, const char *text, char *body, size_t size);
bool raw_is_closed(int fd, int timeout_ms);
