/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker_support.c - see worker_support.h.
 */
#include "worker_support.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { EVENTS_MAX = 512, EVENT_NAME = 32, TRIES = 1000, PAUSE_US = 10000 };

/* The log's memory; threads of the workers write here. */
struct recorder {
    struct fixture fixture; /* first member */
    pthread_mutex_t lock;
    char events[EVENTS_MAX][EVENT_NAME];
    size_t count;
};

static void record(struct log *self, const struct log_event *event)
{
    struct recorder *recorder = CONTAINER_OF(self, struct recorder, fixture.log);
    pthread_mutex_lock(&recorder->lock);
    if (recorder->count < EVENTS_MAX)
        (void)snprintf(recorder->events[recorder->count++], EVENT_NAME, "%s", event->name);
    pthread_mutex_unlock(&recorder->lock);
}

unsigned worker_logged(struct fixture *f, const char *event)
{
    struct recorder *recorder = CONTAINER_OF(f, struct recorder, fixture);
    unsigned found = 0;
    pthread_mutex_lock(&recorder->lock);
    for (size_t i = 0; i < recorder->count; i++)
        found += strcmp(recorder->events[i], event) == 0;
    pthread_mutex_unlock(&recorder->lock);
    return found;
}

/* --- changes --- */

struct change {
    struct node_task task;
    struct fixture *f;
    const struct catalog_request *request; /* NULL: the row, or the warehouse without a key */
    struct str key;
    struct str value;
    struct catalog_response response;
};

static status_value evaluate(struct node_task *self, struct node_evaluation *evaluation,
                             struct diag *diag)
{
    struct change *change = CONTAINER_OF(self, struct change, task);
    struct catalog_context context = {.batch = evaluation->batch,
                                      .view = kv_batch_reader(evaluation->batch),
                                      .arena = self->arena,
                                      .prng = evaluation->prng,
                                      .stamp = evaluation->stamp,
                                      .options = &change->f->options,
                                      .diag = diag};
    if (change->request != NULL)
        return catalog_mutate(&context, change->request, &change->response);
    if (change->key.size > 0)
        return kv_put(evaluation->batch, change->key, change->value, diag);
    struct str location = arena_printf(self->arena, "file://%s", change->f->root);
    return catalog_warehouse_put(&context, STR("lake"), location, PUBLISH_SYNC);
}

static void run_change(struct fixture *f, struct change *change)
{
    diag_reset(&f->diag);
    change->f = f;
    change->task = (struct node_task){.evaluate = evaluate, .arena = &f->arena, .diag = &f->diag};
    status_value result = node_run(f->node, &change->task, &f->diag, NULL);
    if (!is_ok(result))
        fail_msg("%s", diag_message(&f->diag, result.code));
}

void worker_put(struct fixture *f, struct str key, struct str value)
{
    struct change change = {.key = key, .value = value};
    run_change(f, &change);
}

static const struct json *parse_body(struct fixture *f, const char *body)
{
    struct str copy = arena_copy(&f->arena, str_from(body));
    struct json_limits limits = json_limits_request();
    const struct json *json = NULL;
    char *text = arena_alloc(&f->arena, copy.size + 1);
    assert_non_null(text);
    for (size_t i = 0; i < copy.size; i++)
        text[i] = copy.data[i] == '\'' ? '"' : copy.data[i];
    assert_true(
        is_ok(json_parse(&f->arena, (struct str){text, copy.size}, &limits, &f->diag, &json)));
    return json;
}

static struct catalog_response run_request(struct fixture *f, enum catalog_op op,
                                           const char *name_space, const char *name,
                                           const char *body, bool purge)
{
    struct str *levels = ARENA_ARRAY(&f->arena, struct str, 1);
    assert_non_null(levels);
    levels[0] = str_from(name_space);
    struct catalog_request request = {.op = op,
                                      .ident = {.levels = levels,
                                                .level_count = name_space[0] == '\0' ? 0 : 1,
                                                .name = str_from(name)},
                                      .body = body == NULL ? NULL : parse_body(f, body),
                                      .purge = purge};
    struct change change = {.request = &request};
    run_change(f, &change);
    return change.response;
}

struct catalog_response worker_run(struct fixture *f, enum catalog_op op, const char *name_space,
                                   const char *name, const char *body)
{
    return run_request(f, op, name_space, name, body, false);
}

struct catalog_response worker_drop(struct fixture *f, const char *name, bool purge)
{
    return run_request(f, CATALOG_TABLE_DROP, "db", name, NULL, purge);
}

struct catalog_response worker_table(struct fixture *f, const char *properties)
{
    (void)worker_run(f, CATALOG_NAMESPACE_CREATE, "", "", "{'namespace':['db']}");
    struct str body = arena_printf(
        &f->arena,
        "{'name':'t','properties':{%s},'schema':{'type':'struct','schema-id':0,'fields':["
        "{'id':1,'name':'id','required':true,'type':'long'}]}}",
        properties);
    return worker_run(f, CATALOG_TABLE_CREATE, "db", "", body.data);
}

/* --- looking --- */

size_t worker_outbox(struct fixture *f)
{
    struct kv_snapshot *snapshot = NULL;
    struct catalog_publish_job *jobs = NULL;
    size_t count = 0;
    assert_true(is_ok(node_read(f->node, &f->diag, &snapshot)));
    assert_true(
        is_ok(catalog_outbox_list(&snapshot->reader, &f->arena, 1000, &f->diag, &jobs, &count)));
    kv_snapshot_close(snapshot);
    return count;
}

size_t worker_jobs(struct fixture *f, struct catalog_drop_job *out_first)
{
    struct kv_snapshot *snapshot = NULL;
    struct catalog_drop_job *jobs = NULL;
    size_t count = 0;
    assert_true(is_ok(node_read(f->node, &f->diag, &snapshot)));
    assert_true(
        is_ok(catalog_drop_list(&snapshot->reader, &f->arena, 10, &f->diag, &jobs, &count)));
    kv_snapshot_close(snapshot);
    if (count > 0 && out_first != NULL)
        *out_first = jobs[0];
    return count;
}

bool worker_until(struct fixture *f, bool (*test)(struct fixture *f))
{
    for (int i = 0; i < TRIES; i++) {
        if (test(f))
            return true;
        (void)usleep(PAUSE_US);
    }
    return false;
}

/* --- files --- */

static struct str full_path(struct fixture *f, const char *path)
{
    struct str full = arena_printf(&f->arena, "%s/%s", f->root, path);
    assert_non_null(full.data);
    return full;
}

const char *worker_file(struct fixture *f, const char *path, struct str bytes)
{
    struct str full = full_path(f, path);
    char *name = (char *)(uintptr_t)full.data; /* the arena's, so ours */
    for (char *at = strchr(name + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
        *at = '\0';
        (void)mkdir(name, 0755);
        *at = '/';
    }
    FILE *file = fopen(name, "wb");
    if (file == NULL)
        fail_msg("%s cannot be made", name);
    assert_int_equal(fwrite(bytes.data, 1, bytes.size, file), bytes.size);
    assert_int_equal(fclose(file), 0);
    return arena_printf(&f->arena, "file://%s", name).data;
}

bool worker_exists(struct fixture *f, const char *path)
{
    return access(full_path(f, path).data, F_OK) == 0;
}

const char *worker_path(struct fixture *f, struct str location)
{
    struct str root = arena_printf(&f->arena, "file://%s/", f->root);
    assert_true(str_starts(location, root));
    return arena_copy(&f->arena, str_from_pos(location, root.size)).data;
}

struct str worker_read(struct fixture *f, const char *path)
{
    char *bytes = arena_zalloc(&f->arena, 1 << 20);
    assert_non_null(bytes);
    FILE *file = fopen(full_path(f, path).data, "rb");
    if (file == NULL)
        fail_msg("%s cannot be read", path);
    size_t size = fread(bytes, 1, (1 << 20) - 1, file);
    (void)fclose(file);
    return (struct str){bytes, size};
}

/* --- the world --- */

static void start(struct fixture *f)
{
    struct change warehouse = {.request = NULL};
    diag_reset(&f->diag);
    status_value result = node_open(env_linux(), &f->node_options, NULL, NULL, &f->diag, &f->node);
    if (!is_ok(result))
        fail_msg("%s", diag_message(&f->diag, result.code));
    assert_true(is_ok(stores_create(&f->diag, &f->stores)));
    run_change(f, &warehouse);
}

static void stop(struct fixture *f)
{
    node_close(f->node);
    stores_destroy(f->stores);
    f->node = NULL;
    f->stores = NULL;
}

void worker_restart(struct fixture *f)
{
    stop(f);
    start(f);
}

int worker_setup(void **state)
{
    struct recorder *recorder = calloc(1, sizeof(*recorder));
    assert_non_null(recorder);
    struct fixture *f = &recorder->fixture;
    (void)pthread_mutex_init(&recorder->lock, NULL);
    (void)snprintf(f->folder, sizeof(f->folder), "/tmp/tarn-worker-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    (void)snprintf(f->root, sizeof(f->root), "%s/lake", f->folder);
    arena_init(&f->arena, allocator_heap(), 512 << 20);
    f->log = (struct log){.emit = record, .threshold = LOG_INFO};
    f->options = (struct catalog_options){
        .default_warehouse = STR("lake"), .idempotency_lifetime_ms = 60000, .page_size_max = 1000};
    f->node_options = node_options_default();
    f->node_options.data_dir = arena_printf(&f->arena, "%s/node", f->folder);
    f->node_options.segment_size_bytes = 1 << 20;
    f->node_options.map_size_bytes = 256 << 20;
    start(f);
    *state = f;
    return 0;
}

int worker_teardown(void **state)
{
    struct recorder *recorder = *state;
    struct fixture *f = &recorder->fixture;
    char command[128];
    stop(f);
    arena_deinit(&f->arena);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", f->folder);
    int outcome = system(command);
    (void)pthread_mutex_destroy(&recorder->lock);
    free(recorder);
    return outcome;
}
