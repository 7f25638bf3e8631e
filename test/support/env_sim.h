/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * env_sim.h - a world in memory for tests: a disk that can lose power, a clock, chance from a seed.
 *
 * The disk keeps, for every file, what is durable and, sector by sector (512 bytes), every write
 * since the last sync; for every folder, each creation, renaming and removal since its last sync.
 * A power cut keeps any subset of them: each sector may show any of its versions, each operation
 * may have happened or not (harsher than any journalling file system). Sectors are written whole
 * or not.
 *
 * Deterministic: the same calls with the same seeds give the same bytes. One thread.
 */
#include "env/env.h"

struct env_sim;

/* The n-th call of a kind fails, counted from 1 from the moment the plan is set; 0: never. */
struct env_sim_faults {
    uint64_t power_off_at; /* n-th call that changes the disk: it happens in part; then all fail */
    uint64_t write_error_at;  /* n-th file_write: some sectors may be written, then the code */
    int32_t write_error_code; /* STATUS_IO or STATUS_NOSPACE; 0: IO */
    uint64_t sync_error_at;   /* n-th file_sync or dir_sync: unsynced data is dropped or not, IO */
    uint64_t read_error_at;   /* n-th file_read: IO */
    uint64_t short_read_at;   /* n-th file_read: half of what is there */
};

struct env_sim *env_sim_create(uint64_t seed);
void env_sim_destroy(struct env_sim *sim);
/* Borrowed; valid until the destruction. */
struct env *env_sim_env(struct env_sim *sim);

void env_sim_set_faults(struct env_sim *sim, const struct env_sim_faults *faults);
/* Calls that changed the disk (writes, syncs, folder operations) since the faults were set. */
uint64_t env_sim_changes(const struct env_sim *sim);
uint64_t env_sim_writes(const struct env_sim *sim);
uint64_t env_sim_syncs(const struct env_sim *sim);
uint64_t env_sim_reads(const struct env_sim *sim);
bool env_sim_is_off(const struct env_sim *sim);
/* file_write fails with NOSPACE when all files together would be larger. 0: no limit. */
void env_sim_set_disk_size(struct env_sim *sim, uint64_t bytes);
void env_sim_advance_ns(struct env_sim *sim, uint64_t ns);

/* The disk after a power cut now, as a world of its own: another boot, no open files. */
struct env_sim *env_sim_after_power_cut(struct env_sim *sim, uint64_t seed);
/*
 * The disk after the process was killed: what it wrote is still there, but no more durable than
 * before. The power is back on, files and locks of the old process are closed.
 */
struct env_sim *env_sim_after_kill(struct env_sim *sim);

/* Damage to durable and visible content alike. False when the file is shorter. */
bool env_sim_flip_bit(struct env_sim *sim, const char *path, uint64_t bit);
bool env_sim_zero_sector(struct env_sim *sim, const char *path, uint64_t sector);
/* The second file may be the first. */
bool env_sim_swap_sectors(struct env_sim *sim, const char *path_a, uint64_t sector_a,
                          const char *path_b, uint64_t sector_b);
/* Bytes of the file as seen now; 0 when absent. */
uint64_t env_sim_file_size(struct env_sim *sim, const char *path);
const char *env_sim_file_data(struct env_sim *sim, const char *path);
