/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * timefmt.h - calendar text of a unix time, by arithmetic (no libc time zone state).
 */
#include "base/base.h"

enum { TIMEFMT_SIZE = 40 };
/* RFC 3339 in UTC with nanoseconds: 2026-11-23T14:59:28.123456789Z, NUL-terminated. */
void timefmt_rfc3339_ns(uint64_t unix_ns, char out[TIMEFMT_SIZE]);
/* 2026-11-23T14:59:28.123+00:00, NUL-terminated (Iceberg's created-at form). */
void timefmt_iso_ms(uint64_t unix_ms, char out[TIMEFMT_SIZE]);
