/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * bench_machine.h - the machine a number was measured on.
 */
#include <stdint.h>
#include <stdio.h>

/* Processor, cores, memory, kernel, and the file system below `folder`. */
void bench_print_machine(FILE *out, const char *folder);
/* "ext4", "tmpfs", ...; "unknown" when it is none that we know by name. */
const char *bench_file_system(const char *folder);
/* The text of errno. */
const char *bench_errno_text(void);
/* A number of kB in a /proc file behind `key`, in bytes; 0 when it is not there. */
uint64_t bench_proc_bytes(const char *path, const char *key);
