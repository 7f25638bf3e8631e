/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crc32c.c - ISA-L's kernel with the usual pre- and post-inversion, in steps its int length allows.
 */
#include "base/crc32c.h"

#include <isa-l/crc.h>

enum { STEP_MAX = 1 << 30 };

uint32_t crc32c(uint32_t crc, struct str bytes)
{
    unsigned char *at = (unsigned char *)(uintptr_t)bytes.data; /* the kernel only reads */
    crc = ~crc;
    while (bytes.size > 0) {
        int step = bytes.size > STEP_MAX ? STEP_MAX : (int)bytes.size;
        crc = crc32_iscsi(at, step, crc);
        at += step;
        bytes.size -= (size_t)step;
    }
    return ~crc;
}
