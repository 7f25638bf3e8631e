/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * verb.h - what the verbs on catalog objects share.
 */
#include "cli/client.h"

/* Parses the first argument (is_object: a table or view), then opens the catalog. */
int verb_begin(struct cli *cli, bool is_object, struct name *out_name, struct client *out_client);
/*
 * One mutation and its line of success; with --dry-run nothing is sent. `kind` is "tables", "views"
 * or NULL for a namespace: what a near name is searched in when the object is not found.
 */
int verb_send(struct client *client, const char *method, struct str path, struct str body,
              const struct name *name, const char *kind, const char *action);
/* client_refused, with "did you mean" for a name that was not found. */
int verb_refused(struct client *client, const char *method, struct str path,
                 const struct reply *reply, const struct name *name, const char *kind);
int verb_print_properties(struct cli *cli, const struct json *properties);
/* {"key":"value",...} from KEY=VALUE words. USAGE. */
status verb_write_assignments(struct cli *cli, struct json_writer *w, const char *const *words,
                              size_t count, struct diag *diag);
/* One column of names: a listing of tables or views. */
int verb_list(struct cli *cli, const char *kind);
int verb_rename(struct cli *cli, const char *kind);
int verb_drop(struct cli *cli, const char *kind, const char *what);
