/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * log_sink.h - where log events go: JSON lines to a file descriptor, or aligned text for people
 * when
 * it is a terminal. Callers never wait: a line is formatted into memory and a thread writes it.
 * When the reader is slower than the events, lines are dropped and counted, and the loss is logged.
 */
#include "base/log.h"
#include "base/metric.h"

struct log_sink_config {
    int fd; /* kept, not closed */
    enum log_level threshold;
    struct str node;               /* copied, at most 64 bytes; may be empty */
    uint32_t queue_bytes;          /* 0: 1 MiB; at least 64 KiB */
    uint32_t per_event_per_second; /* 0: 200; lines of one event name, above that suppressed */
    struct metrics *metrics;       /* kept; may be NULL: counts lines by what became of them */
    bool force_text;               /* text even if fd is no terminal */
    bool force_json;               /* JSON lines even if fd is a terminal */
};
struct log_sink;

/* NOMEM, IO. */
status log_sink_open(const struct log_sink_config *config, struct diag *diag,
                     struct log_sink **out);
/* The log to hand down. Valid until close. */
struct log *log_sink_log(struct log_sink *sink);
uint64_t log_sink_dropped(struct log_sink *sink);
/* Waits until everything emitted before the call has been written. */
void log_sink_flush(struct log_sink *sink);
/* Writes what is queued, then ends. Nobody may log any more. NULL is fine. */
void log_sink_close(struct log_sink *sink);
