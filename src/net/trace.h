/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * trace.h - the identity of one trace as W3C Trace Context carries it
 * (https://www.w3.org/TR/trace-context/): 16 bytes of trace id, 8 of span id, one of flags.
 */
#include "base/prng.h"
#include "base/str.h"

enum { TRACE_ID_TEXT_SIZE = 32, TRACE_PARENT_TEXT_SIZE = 55 };
struct trace_context {
    uint8_t trace_id[16];
    uint8_t span_id[8];
    uint8_t flags; /* bit 0: sampled */
};

/* Reads a `traceparent` header. False for anything malformed, all-zero ids or version ff. */
bool trace_parse(struct str traceparent, struct trace_context *out);
/* A new trace with random ids, not sampled. */
struct trace_context trace_new(struct prng *prng);
/* 32 lower-case characters, no NUL. */
void trace_format_id(const struct trace_context *trace, char out[TRACE_ID_TEXT_SIZE]);
/* The `traceparent` header that continues this trace, 55 characters, no NUL. */
void trace_format_parent(const struct trace_context *trace, char out[TRACE_PARENT_TEXT_SIZE]);
