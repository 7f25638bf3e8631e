/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * settings.h - the settings of `tarn serve`, from four sources: flags over the environment over a
 * YAML file over defaults. Every value remembers where it comes from.
 */
#include "api/server.h"
#include "cli/command.h"

enum {
    SETTINGS_MAX = 64,
    SETTINGS_NAME_MAX = 64,
    SETTINGS_VALUE_MAX = 4096,
    SETTINGS_HOST_MAX = 128
};

enum settings_log_format { LOG_FORMAT_AUTO, LOG_FORMAT_JSON, LOG_FORMAT_TEXT };

struct settings_address {
    char host[SETTINGS_HOST_MAX]; /* without brackets */
    uint16_t port;
};

struct settings {
    struct server_config server; /* what server_open wants; complete after settings_load */
    struct settings_address listen;
    struct settings_address admin;
    enum log_level log_level;
    enum settings_log_format log_format;
    const char *file; /* the YAML file that was read; NULL: none */
    const char
        *origins[SETTINGS_MAX]; /* "default", "flag --x", "environment TARN_X", "file.yaml:3" */
};

/*
 * Reads all sources. Texts live in the cli's arena. USAGE: a value that cannot be, an unknown key
 * (with its line), a file that cannot be read; frame 1 of diag says what to do.
 */
status settings_load(struct cli *cli, struct diag *diag, struct settings *out);

/* Rows of settings.def by number; settings_flag gives NULL behind the last. */
const struct flag *settings_flag(size_t index);
void settings_environment_name(size_t index, char out[SETTINGS_NAME_MAX]);
/* The value as it would be written in a flag; "" when there is none. */
void settings_value_text(const struct settings *settings, size_t index,
                         char out[SETTINGS_VALUE_MAX]);
void settings_default_text(size_t index, char out[SETTINGS_VALUE_MAX]);

/* One value as text into its place; `origin` is kept. */
status settings_apply(struct settings *settings, struct arena *arena, size_t index,
                      const char *text, const char *origin, struct diag *diag);
/* The row of a key, or -1. */
int settings_find(struct str key);
/* Applies a YAML file (settings_yaml.c). `skip[i]`: a stronger source has set row i. */
status settings_read_yaml(struct settings *settings, struct arena *arena, const char *path,
                          const bool *skip, struct diag *diag);
/* The TARN_ variables of the environment that no setting has: offers each to `visit`. */
void settings_unknown_environment(void (*visit)(void *context, const char *name), void *context);
