/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * base.h - the vocabulary every file may rely on. Depends on the C library's headers only.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TN_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define TN_MUST_USE __attribute__((warn_unused_result))
#define TN_COLD __attribute__((cold, noinline))
#define TN_CLEANUP(fn) __attribute__((cleanup(fn)))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define COUNTOF(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(p, type, member) ((type *)(void *)((char *)(p)-offsetof(type, member)))

_Noreturn TN_COLD void assert_fail(const char *expr, const char *file, int line);

/* On in every build: an assertion states what has been proved; a violated proof stops the
 * process. */
#define ASSERT(x) (LIKELY(x) ? (void)0 : assert_fail(#x, __FILE__, __LINE__))

static inline uint64_t u64_min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t u64_max(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static inline int64_t i64_max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}
