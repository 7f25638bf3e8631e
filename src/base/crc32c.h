/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * crc32c.h - CRC-32C (Castagnoli), hardware-assisted by ISA-L.
 */
#include "base/str.h"

/* Starts at 0; feed the result back in to continue over more bytes. */
uint32_t crc32c(uint32_t crc, struct str bytes);
