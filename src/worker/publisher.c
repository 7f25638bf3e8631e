/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publisher.c - from outbox rows to durable files.
 *
 * One thread runs rounds. A round: list the oldest outbox rows; write each file and tell its
 * waiters as soon as it is visible; flush all files of the round at once; propose the removal of
 * their outbox rows as one log entry; delete what write.metadata.delete-after-commit gave up.
 *
 * I1  An outbox row goes only after its file and folders are durable.
 * I2  Versions of one object are written and removed in ascending order (undo rows depend on it).
 * I3  A wait is on the list until it was answered; `ready` is called without the lock.
 */
#include "worker/publisher.h"

#include "object/gzip_source.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>

enum { ROUND_MAX = 256, WAIT_SECONDS = 10, ARENA_MAX_BYTES = 64 << 20 };

struct publisher {
    struct env *env;
    struct node *node;
    struct stores *stores;
    const struct catalog_options *options;
    struct log *log;
    struct metrics *metrics;
    struct node_listener listener;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct publisher_wait *waits;
    bool dirty; /* something was applied since the last scan */
    bool stop;
    atomic_uint_fast64_t backlog;
};

static uint64_t now_ns(const struct publisher *publisher)
{
    return publisher->env->ops->monotonic_ns(publisher->env);
}

static void on_applied(struct node_listener *self)
{
    struct publisher *publisher = CONTAINER_OF(self, struct publisher, listener);
    pthread_mutex_lock(&publisher->lock);
    bool was_dirty = publisher->dirty;
    publisher->dirty = true;
    pthread_mutex_unlock(&publisher->lock);
    if (!was_dirty)
        pthread_cond_signal(&publisher->wake);
}

void publisher_await(struct publisher *publisher, struct publisher_wait *wait)
{
    wait->deadline_ns = now_ns(publisher) + (uint64_t)WAIT_SECONDS * 1000000000;
    pthread_mutex_lock(&publisher->lock);
    bool stopped = publisher->stop;
    if (!stopped) {
        wait->next = publisher->waits;
        publisher->waits = wait;
        publisher->dirty = true;
    }
    pthread_mutex_unlock(&publisher->lock);
    if (stopped)
        wait->ready(wait, false);
    else
        pthread_cond_signal(&publisher->wake);
}

static bool same_object(const struct catalog_version *a, const struct catalog_version *b)
{
    return a->warehouse == b->warehouse && a->object_id == b->object_id;
}

/* Takes the waits that `test` selects off the list, then answers them. */
static void answer_waits(struct publisher *publisher, const struct catalog_version *published,
                         uint64_t expired_before_ns, bool all, bool visible)
{
    struct publisher_wait *ready = NULL;
    pthread_mutex_lock(&publisher->lock);
    for (struct publisher_wait **at = &publisher->waits; *at != NULL;) {
        struct publisher_wait *wait = *at;
        bool chosen = all || wait->deadline_ns < expired_before_ns ||
                      (published != NULL && same_object(&wait->version, published) &&
                       wait->version.version <= published->version);
        if (chosen) {
            *at = wait->next;
            wait->next = ready;
            ready = wait;
        } else {
            at = &wait->next;
        }
    }
    pthread_mutex_unlock(&publisher->lock);
    while (ready != NULL) {
        struct publisher_wait *next = ready->next;
        ready->ready(ready, visible);
        ready = next;
    }
}

struct stream_source {
    struct object_source base;
    struct catalog_stream *stream;
};

static status_value source_fill(struct object_source *self, char *out, size_t capacity,
                                struct diag *diag, size_t *out_size, bool *out_end)
{
    struct stream_source *source = CONTAINER_OF(self, struct stream_source, base);
    return catalog_stream_fill(source->stream, out, capacity, diag, out_size, out_end);
}

static status_value write_file(struct publisher *publisher, struct kv_reader *view,
                               struct arena *arena, const struct catalog_publish_job *job,
                               struct diag *diag)
{
    struct object_store *store;
    struct stream_source source = {.base.fill = source_fill};
    TRY(stores_get_by_id(publisher->stores, view, arena, job->version.warehouse, diag, &store));
    TRY(catalog_publish_open(view, arena, &job->version, diag, &source.stream));
    struct object_source *bytes = &source.base;
    status_value result = OK;
    struct gzip_source *gzip = NULL;
    if (job->gzip)
        result = gzip_source_open(&source.base, diag, &gzip, &bytes);
    if (is_ok(result))
        result = store->ops->put(store, job->metadata_location, bytes, diag);
    gzip_source_close(gzip);
    catalog_stream_close(source.stream);
    return result;
}

/* One round's jobs and what became of them. */
struct publish_round {
    struct kv_snapshot *snapshot;
    struct arena arena;
    struct diag diag;
    struct catalog_publish_job *jobs;
    size_t count;
    bool *written;
};

static void report(struct publisher *publisher, const struct catalog_publish_job *job,
                   const char *event, const char *text, const struct diag *diag, status_value why)
{
    LOG(publisher->log, WARN, event, text, TEXT("location", job->metadata_location),
        U64("version", job->version.version), CSTR("why", diag_message(diag, why.code)));
}

/* A version whose predecessor failed in this round waits for the next round (I2). */
static bool is_blocked(const struct publish_round *round, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (!round->written[i] && same_object(&round->jobs[i].version, &round->jobs[at].version))
            return true;
    return false;
}

static size_t write_files(struct publisher *publisher, struct publish_round *round)
{
    size_t written = 0;
    size_t failures = 0;
    for (size_t i = 0; i < round->count; i++) {
        const struct catalog_publish_job *job = &round->jobs[i];
        struct arena arena;
        if (failures > 0 && is_blocked(round, i))
            continue;
        diag_reset(&round->diag);
        arena_init(&arena, allocator_heap(), ARENA_MAX_BYTES);
        status_value result =
            write_file(publisher, &round->snapshot->reader, &arena, job, &round->diag);
        arena_deinit(&arena);
        round->written[i] = is_ok(result);
        if (is_ok(result)) {
            written++;
            answer_waits(publisher, &job->version, 0, false, true);
        } else {
            failures++;
            report(publisher, job, "publish.failed",
                   "a metadata file could not be written; retrying", &round->diag, result);
        }
    }
    return written;
}

/* Flushes the files of each warehouse with one call; a failed flush keeps its rows. */
static status_value sync_files(struct publisher *publisher, struct publish_round *round)
{
    struct str *locations = ARENA_ARRAY(&round->arena, struct str, round->count);
    bool *handled = ARENA_ARRAY(&round->arena, bool, round->count);
    if (locations == NULL || handled == NULL)
        return FAIL(&round->diag, NOMEM, "could not flush metadata files: no memory");
    for (size_t i = 0; i < round->count; i++) {
        struct object_store *store;
        size_t count = 0;
        uint32_t warehouse = round->jobs[i].version.warehouse;
        if (handled[i] || !round->written[i])
            continue;
        for (size_t k = i; k < round->count; k++) {
            if (round->jobs[k].version.warehouse != warehouse || !round->written[k])
                continue;
            handled[k] = true;
            locations[count++] = round->jobs[k].metadata_location;
        }
        TRY(stores_get_by_id(publisher->stores, &round->snapshot->reader, &round->arena, warehouse,
                             &round->diag, &store));
        TRY(store->ops->sync(store, locations, count, &round->diag));
    }
    return OK;
}

struct done_task {
    struct node_task task;
    struct publisher *publisher;
    struct publish_round *round;
};

static status_value done_evaluate(struct node_task *self, struct node_evaluation *evaluation,
                                  struct diag *diag)
{
    struct done_task *done = CONTAINER_OF(self, struct done_task, task);
    struct catalog_context context = {.batch = evaluation->batch,
                                      .view = kv_batch_reader(evaluation->batch),
                                      .arena = self->arena,
                                      .prng = evaluation->prng,
                                      .stamp = evaluation->stamp,
                                      .options = done->publisher->options,
                                      .diag = diag};
    for (size_t i = 0; i < done->round->count; i++)
        if (done->round->written[i])
            TRY(catalog_publish_done(&context, &done->round->jobs[i].version));
    return OK;
}

static void remove_given_up(struct publisher *publisher, struct publish_round *round)
{
    for (size_t i = 0; i < round->count; i++) {
        const struct catalog_publish_job *job = &round->jobs[i];
        struct object_store *store;
        if (!round->written[i] || job->delete_count == 0)
            continue;
        status_value result =
            stores_get_by_id(publisher->stores, &round->snapshot->reader, &round->arena,
                             job->version.warehouse, &round->diag, &store);
        for (size_t k = 0; k < job->delete_count && is_ok(result); k++)
            result = store->ops->remove(store, job->delete_after[k], &round->diag);
        if (!is_ok(result))
            report(publisher, job, "publish.cleanup.failed",
                   "an old metadata file could not be deleted; it stays", &round->diag, result);
    }
}

static status_value finish_round(struct publisher *publisher, struct publish_round *round)
{
    struct done_task done = {.task = {.evaluate = done_evaluate, .arena = &round->arena},
                             .publisher = publisher,
                             .round = round};
    TRY(sync_files(publisher, round));
    /* Before the row goes: a crash in between repeats the deletion, it cannot forget it. */
    remove_given_up(publisher, round);
    return node_run(publisher->node, &done.task, &round->diag, NULL);
}

/* Answers waits whose outbox row is gone: published by an earlier round. */
static void answer_finished(struct publisher *publisher, struct publish_round *round)
{
    for (;;) {
        struct catalog_version version = {0};
        struct catalog_publish_job job;
        bool found = true;
        pthread_mutex_lock(&publisher->lock);
        for (struct publisher_wait *wait = publisher->waits; wait != NULL && found;
             wait = wait->next) {
            version = wait->version;
            if (!is_ok(catalog_outbox_get(&round->snapshot->reader, &round->arena, &version,
                                          &round->diag, &job, &found)))
                found = true;
        }
        pthread_mutex_unlock(&publisher->lock);
        if (found)
            return;
        answer_waits(publisher, &version, 0, false, true);
    }
}

static status_value run_round(struct publisher *publisher, size_t *out_done)
{
    struct publish_round *round = mem_zalloc(sizeof(*round));
    if (round == NULL)
        return FAIL(NULL, NOMEM, "could not start a publishing round");
    arena_init(&round->arena, allocator_heap(), ARENA_MAX_BYTES);
    size_t written = 0;
    status_value result = OK;
    TRY_OUT(result, node_read(publisher->node, &round->diag, &round->snapshot));
    TRY_OUT(result, catalog_outbox_list(&round->snapshot->reader, &round->arena, ROUND_MAX,
                                        &round->diag, &round->jobs, &round->count));
    atomic_store(&publisher->backlog, round->count);
    round->written = ARENA_ARRAY(&round->arena, bool, round->count + 1);
    if (round->written == NULL)
        TRY_OUT(result, FAIL(&round->diag, NOMEM, "could not start a publishing round"));
    written = write_files(publisher, round);
    answer_finished(publisher, round);
    if (written > 0)
        TRY_OUT(result, finish_round(publisher, round));
    *out_done = written;
out:
    if (!is_ok(result) && result.code != STATUS_UNAVAILABLE)
        LOG(publisher->log, WARN, "publish.round.failed", "metadata files will be tried again",
            CSTR("why", diag_message(&round->diag, result.code)));
    kv_snapshot_close(round->snapshot);
    arena_deinit(&round->arena);
    mem_free(round);
    return result;
}

/* Until something is applied; with a pause after failures so that a broken store is not
 * hammered. */
static bool wait_for_work(struct publisher *publisher, bool failed)
{
    uint64_t until = now_ns(publisher) + (failed ? UINT64_C(500000000) : UINT64_C(1000000000));
    struct timespec at = {.tv_sec = (time_t)(until / 1000000000),
                          .tv_nsec = (long)(until % 1000000000)};
    pthread_mutex_lock(&publisher->lock);
    int outcome = 0;
    while (!publisher->stop && (failed || !publisher->dirty) && outcome == 0)
        outcome = pthread_cond_timedwait(&publisher->wake, &publisher->lock, &at);
    publisher->dirty = false;
    bool going = !publisher->stop;
    pthread_mutex_unlock(&publisher->lock);
    return going;
}

static void *publisher_main(void *argument)
{
    struct publisher *publisher = argument;
    bool failed = false;
    while (wait_for_work(publisher, failed)) {
        size_t done = 0;
        failed = !is_ok(run_round(publisher, &done));
        if (done == ROUND_MAX) {
            pthread_mutex_lock(&publisher->lock);
            publisher->dirty = true;
            pthread_mutex_unlock(&publisher->lock);
        }
        answer_waits(publisher, NULL, now_ns(publisher), false, false);
    }
    answer_waits(publisher, NULL, 0, true, false);
    return NULL;
}

status_value publisher_open(struct env *env, struct node *node, struct stores *stores,
                            const struct catalog_options *options, struct log *log,
                            struct metrics *metrics, struct diag *diag, struct publisher **out)
{
    struct publisher *publisher = mem_zalloc(sizeof(*publisher));
    pthread_condattr_t attributes;
    if (publisher == NULL)
        return FAIL(diag, NOMEM, "could not start the publisher");
    publisher->env = env;
    publisher->node = node;
    publisher->stores = stores;
    publisher->options = options;
    publisher->log = log;
    publisher->metrics = metrics;
    publisher->listener.applied = on_applied;
    publisher->dirty = true;
    pthread_mutex_init(&publisher->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&publisher->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    if (pthread_create(&publisher->thread, NULL, publisher_main, publisher) != 0) {
        mem_free(publisher);
        return FAIL(diag, NOMEM, "could not start the publisher thread");
    }
    node_listen(node, &publisher->listener);
    *out = publisher;
    return OK;
}

void publisher_close(struct publisher *publisher)
{
    if (publisher == NULL)
        return;
    node_listen(publisher->node, NULL);
    pthread_mutex_lock(&publisher->lock);
    publisher->stop = true;
    pthread_cond_signal(&publisher->wake);
    pthread_mutex_unlock(&publisher->lock);
    pthread_join(publisher->thread, NULL);
    pthread_cond_destroy(&publisher->wake);
    pthread_mutex_destroy(&publisher->lock);
    mem_free(publisher);
}

uint64_t publisher_backlog(const struct publisher *publisher)
{
    return atomic_load(&publisher->backlog);
}
