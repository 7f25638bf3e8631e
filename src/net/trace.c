/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace.c - `00-<32 hex>-<16 hex>-<2 hex>`, lower case only, as the recommendation demands.
 *
 * A version above 00 may carry more fields behind another dash; they are ignored.
 */
#include "net/trace.h"

static const char hex_digits[] = "0123456789abcdef";

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

static bool hex_decode(struct str text, uint8_t *out)
{
    for (size_t i = 0; i < text.size; i += 2) {
        int high = hex_value(text.data[i]);
        int low = hex_value(text.data[i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i / 2] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static void hex_encode(const uint8_t *bytes, size_t size, char *out)
{
    for (size_t i = 0; i < size; i++) {
        out[2 * i] = hex_digits[bytes[i] >> 4];
        out[2 * i + 1] = hex_digits[bytes[i] & 15];
    }
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
    uint8_t any = 0;
    for (size_t i = 0; i < size; i++)
        any |= bytes[i];
    return any == 0;
}

bool trace_parse(struct str text, struct trace_context *out)
{
    struct trace_context trace;
    uint8_t version;
    if (text.size < TRACE_PARENT_TEXT_SIZE || text.data[2] != '-' || text.data[35] != '-' ||
        text.data[52] != '-')
        return false;
    if (!hex_decode(str_slice(text, 0, 2), &version) || version == 0xff)
        return false;
    if (text.size > TRACE_PARENT_TEXT_SIZE &&
        (version == 0 || text.data[TRACE_PARENT_TEXT_SIZE] != '-'))
        return false;
    if (!hex_decode(str_slice(text, 3, 35), trace.trace_id) ||
        !hex_decode(str_slice(text, 36, 52), trace.span_id) ||
        !hex_decode(str_slice(text, 53, 55), &trace.flags))
        return false;
    if (is_zero(trace.trace_id, sizeof(trace.trace_id)) ||
        is_zero(trace.span_id, sizeof(trace.span_id)))
        return false;
    *out = trace;
    return true;
}

struct trace_context trace_new(struct prng *prng)
{
    struct trace_context trace = {.flags = 0};
    uint64_t words[3] = {prng_u64(prng), prng_u64(prng), prng_u64(prng) | 1};
    words[1] |= 1; /* neither id may be zero */
    memcpy(trace.trace_id, words, sizeof(trace.trace_id));
    memcpy(trace.span_id, &words[2], sizeof(trace.span_id));
    return trace;
}

void trace_format_id(const struct trace_context *trace, char out[TRACE_ID_TEXT_SIZE])
{
    hex_encode(trace->trace_id, sizeof(trace->trace_id), out);
}

void trace_format_parent(const struct trace_context *trace, char out[TRACE_PARENT_TEXT_SIZE])
{
    memcpy(out, "00-", 3);
    hex_encode(trace->trace_id, sizeof(trace->trace_id), out + 3);
    out[35] = '-';
    hex_encode(trace->span_id, sizeof(trace->span_id), out + 36);
    out[52] = '-';
    hex_encode(&trace->flags, 1, out + 53);
}
