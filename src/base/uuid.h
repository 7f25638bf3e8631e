/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * uuid.h - RFC 9562 identifiers. Randomness is handed in: the caller owns the source.
 */
#include "base/prng.h"
#include "base/str.h"

enum { UUID_TEXT_SIZE = 36 };
struct uuid {
    uint8_t bytes[16];
};

/* Version 4 from the generator's next 128 bits. */
struct uuid uuid_v4(struct prng *prng);
/* Version 7: unix milliseconds, then random. */
struct uuid uuid_v7(uint64_t unix_ms, struct prng *prng);
/* Writes 36 lower-case characters, no NUL. */
void uuid_format(struct uuid uuid, char out[UUID_TEXT_SIZE]);
/* Accepts upper and lower case, only the 8-4-4-4-12 form, any version. */
bool uuid_parse(struct str text, struct uuid *out);
