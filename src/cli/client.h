/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * client.h - a catalog as the verbs see it: paths below its prefix, JSON in and out, and failures
 * that are already told to the user.
 *
 * Functions that return an int return an exit code: CLI_OK, or what print_problem gave.
 */
#include "cli/name.h"
#include "cli/print.h"

struct http_client;
struct client {
    struct cli *cli;
    struct http_client *http;
    struct str uri;        /* as given, without a slash at the end */
    struct str prefix;     /* "" or "/" and the prefix, percent-encoded */
    struct str separator;  /* between levels of a namespace, percent-encoded */
    const char *warehouse; /* NULL: the server's default */
};

struct reply {
    int status_code;
    struct str body;
    const struct json *json; /* NULL when the body is not JSON */
};

/* --uri, TARN_URI or the default. */
const char *client_uri(const struct cli *cli);
/* Asks the catalog for its configuration (GET /v1/config). */
int client_open(struct cli *cli, struct client *out);
void client_close(struct client *client);

/* Levels 0..count as a path segment or as the `parent` of a query. */
void client_write_levels(struct client *client, struct buf *buf, const struct name *name,
                         size_t count);
/* One request; `path` begins with '/' and follows /v1 and the prefix. Any HTTP status is CLI_OK. */
int client_call(struct client *client, const char *method, struct str path, struct str body,
                struct reply *out);
/* The same, where a status other than 2xx is an error of the command. */
int client_need(struct client *client, const char *method, struct str path, struct str body,
                struct reply *out);
/* Tells the user of an answer that is an error; `fix` may be NULL. */
int client_refused(struct client *client, const char *method, struct str path,
                   const struct reply *reply, const char *fix);

/*
 * All members of a listing, page after page: every element of the array `member` is handed to
 * `visit` until it returns other than CLI_OK.
 */
typedef int client_visit(void *context, const struct json *item);
int client_list(struct client *client, struct str path, const char *member, client_visit *visit,
                void *context);

/* Paths, in the arena: "/namespaces/a%1Fb", "/namespaces/a%1Fb/tables", "…/tables/t". */
struct str client_namespace_path(struct client *client, const struct name *name, size_t levels);
struct str client_listing_path(struct client *client, const struct name *name, const char *kind);
struct str client_object_path(struct client *client, const struct name *name, const char *kind);
/* A namespace in an answer: a JSON array of levels, cut at NAME_LEVELS_MAX - 1. */
struct name client_levels(const struct json *levels);
/* The name as people type it: levels of a JSON array, and `last` if it is not empty. */
struct str client_name_text(struct client *client, const struct json *levels, struct str last);
