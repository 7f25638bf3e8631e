/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timefmt.c - proleptic Gregorian calendar from days since 1970 (Hinnant's civil_from_days).
 */
#include "base/timefmt.h"

#include <inttypes.h>
#include <stdio.h>

struct civil {
    uint64_t year, month, day, hour, minute, second;
};

static struct civil civil_of(uint64_t unix_s)
{
    uint64_t days = unix_s / 86400 + 719468;
    uint64_t era = days / 146097;
    uint64_t day_of_era = days - era * 146097;
    uint64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint64_t shifted = (5 * day_of_year + 2) / 153;
    struct civil civil = {
        .hour = unix_s / 3600 % 24, .minute = unix_s / 60 % 60, .second = unix_s % 60};
    civil.day = day_of_year - (153 * shifted + 2) / 5 + 1;
    civil.month = shifted < 10 ? shifted + 3 : shifted - 9;
    civil.year = year_of_era + era * 400 + (civil.month <= 2 ? 1 : 0);
    return civil;
}

void timefmt_rfc3339_ns(uint64_t unix_ns, char out[TIMEFMT_SIZE])
{
    struct civil c = civil_of(unix_ns / 1000000000);
    (void)snprintf(out, TIMEFMT_SIZE,
                   "%04" PRIu64 "-%02" PRIu64 "-%02" PRIu64 "T%02" PRIu64 ":%02" PRIu64
                   ":%02" PRIu64 ".%09" PRIu64 "Z",
                   c.year % 10000, c.month, c.day, c.hour, c.minute, c.second,
                   unix_ns % 1000000000);
}

void timefmt_iso_ms(uint64_t unix_ms, char out[TIMEFMT_SIZE])
{
    struct civil c = civil_of(unix_ms / 1000);
    (void)snprintf(out, TIMEFMT_SIZE,
                   "%04" PRIu64 "-%02" PRIu64 "-%02" PRIu64 "T%02" PRIu64 ":%02" PRIu64
                   ":%02" PRIu64 ".%03" PRIu64 "+00:00",
                   c.year % 10000, c.month, c.day, c.hour, c.minute, c.second, unix_ms % 1000);
}
