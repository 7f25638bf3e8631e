/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timefmt.c - proleptic Gregorian calendar from days since 1970 (Hinnant's civil_from_days).
 */
#include "base/timefmt.h"

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

/* "2026-11-23T14:59:28"; the remainders tell the compiler how long it can get. */
static void put_seconds(uint64_t unix_s, char *out, size_t size)
{
    struct civil c = civil_of(unix_s);
    (void)snprintf(out, size, "%04u-%02u-%02uT%02u:%02u:%02u", (unsigned)(c.year % 10000),
                   (unsigned)(c.month % 100), (unsigned)(c.day % 100), (unsigned)(c.hour % 100),
                   (unsigned)(c.minute % 100), (unsigned)(c.second % 100));
}

void timefmt_rfc3339_ns(uint64_t unix_ns, char out[TIMEFMT_SIZE])
{
    char seconds[20];
    put_seconds(unix_ns / 1000000000, seconds, sizeof(seconds));
    (void)snprintf(out, TIMEFMT_SIZE, "%s.%09uZ", seconds, (unsigned)(unix_ns % 1000000000));
}

void timefmt_iso_ms(uint64_t unix_ms, char out[TIMEFMT_SIZE])
{
    char seconds[20];
    put_seconds(unix_ms / 1000, seconds, sizeof(seconds));
    (void)snprintf(out, TIMEFMT_SIZE, "%s.%03u+00:00", seconds, (unsigned)(unix_ms % 1000));
}
