/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publisher.c - from outbox rows to durable files.
 *
 * One thread. A file that somebody waits for is written at once and he is told as soon as it is
 * visible. Everything else belongs to rounds, at most a few in a second: list the outbox, write
 * what is not written yet, flush all files with one call, delete what
 * write.metadata.delete-after-commit gave up, and propose the removal of the outbox rows as one log
 * entry. The pace keeps the flushes of thousands of commits from competing with the log for the
 * disk.
 *
 * I1  An outbox row goes only after its file and folders are durable.
 * I2  Versions of one object are removed in ascending order (undo rows depend on it).
 * I3  A wait is on the list until it was answered; `ready` is called without the lock. It answers
 *     for its own version only: newer files may be there first.
 * I4  The set of written versions may forget (the file is written again), never invent.
 */
#include "worker/publisher.h"

#include "object/gzip_source.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>

enum { WAIT_SECONDS = 10, ARENA_MAX_BYTES = 256 << 20, WRITTEN_SLOTS = 1 << 15 };
static const uint64_t round_pace_ns = UINT64_C(200000000);
static const uint64_t retry_pace_ns = UINT64_C(500000000);

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
    bool dirty;   /* something was applied since the last round */
    bool waiting; /* somebody came to wait */
    bool stop;
    atomic_uint_fast64_t backlog;
    struct catalog_version *written; /* visible, not yet durable: a hash table, by slot_of */
};

static uint64_t now_ns(const struct publisher *publisher)
{
    return publisher->env->ops->monotonic_ns(publisher->env);
}

static void on_applied(struct node_listener *self)
{
    struct publisher *publisher = CONTAINER_OF(self, struct publisher, listener);
    pthread_mutex_lock(&publisher->lock);
    publisher->dirty = true;
    pthread_mutex_unlock(&publisher->lock);
}

void publisher_await(struct publisher *publisher, struct publisher_wait *wait)
{
    wait->deadline_ns = now_ns(publisher) + (uint64_t)WAIT_SECONDS * 1000000000;
    pthread_mutex_lock(&publisher->lock);
    bool stopped = publisher->stop;
    if (!stopped) {
        wait->next = publisher->waits;
        publisher->waits = wait;
        publisher->waiting = true;
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

/* --- versions whose file is visible --- */

static struct catalog_version *slot_of(struct publisher *publisher,
                                       const struct catalog_version *version)
{
    uint64_t mixed = (version->object_id * UINT64_C(0x9e3779b97f4a7c15)) ^
                     (version->version * UINT64_C(0xbf58476d1ce4e5b9)) ^ version->warehouse;
    return &publisher->written[(mixed ^ (mixed >> 29)) % WRITTEN_SLOTS];
}

static bool is_written(struct publisher *publisher, const struct catalog_version *version)
{
    const struct catalog_version *slot = slot_of(publisher, version);
    return same_object(slot, version) && slot->version == version->version;
}

/* A version that falls on another's slot replaces it: the other will be written again. */
static void note_written(struct publisher *publisher, const struct catalog_version *version)
{
    *slot_of(publisher, version) = *version;
}

/* --- waits --- */

/* Takes waits off the list and answers them: those for a published version, those whose time is up,
 * or all. */
static void answer_waits(struct publisher *publisher, const struct catalog_version *published,
                         uint64_t expired_before_ns, bool all, bool visible)
{
    struct publisher_wait *ready = NULL;
    pthread_mutex_lock(&publisher->lock);
    for (struct publisher_wait **at = &publisher->waits; *at != NULL;) {
        struct publisher_wait *wait = *at;
        bool chosen = all || wait->deadline_ns < expired_before_ns ||
                      (published != NULL && same_object(&wait->version, published) &&
                       wait->version.version == published->version);
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

/* Indices of LABEL_PROVIDER, LABEL_STORE_OPERATION and LABEL_STORE_RESULT. */
enum { STORE_FILE = 0, STORE_PUT = 1, STORE_OK = 0, STORE_ERROR = 3 };

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
    uint64_t begin = now_ns(publisher);
    if (is_ok(result))
        result = store->ops->put(store, job->metadata_location, bytes, diag);
    metric_observe_ns(publisher->metrics, METRIC_OBJSTORE_REQUEST_DURATION,
                      metric_labels(STORE_FILE, STORE_PUT, is_ok(result) ? STORE_OK : STORE_ERROR),
                      now_ns(publisher) - begin);
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

static status_value write_job(struct publisher *publisher, struct kv_reader *view,
                              const struct catalog_publish_job *job, struct diag *diag)
{
    struct arena arena;
    if (is_written(publisher, &job->version))
        return OK;
    diag_reset(diag);
    arena_init(&arena, allocator_heap(), ARENA_MAX_BYTES);
    status_value result = write_file(publisher, view, &arena, job, diag);
    arena_deinit(&arena);
    if (is_ok(result))
        note_written(publisher, &job->version);
    else
        report(publisher, job, "publish.failed",
               "a metadata file could not be written; trying again", diag, result);
    return result;
}

static size_t write_files(struct publisher *publisher, struct publish_round *round)
{
    size_t written = 0;
    size_t failures = 0;
    for (size_t i = 0; i < round->count; i++) {
        const struct catalog_publish_job *job = &round->jobs[i];
        if (failures > 0 && is_blocked(round, i))
            continue;
        round->written[i] =
            is_ok(write_job(publisher, &round->snapshot->reader, job, &round->diag));
        if (round->written[i]) {
            written++;
            answer_waits(publisher, &job->version, 0, false, true);
        } else {
            failures++;
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

/* Makes deletions durable, once for each warehouse (jobs come by warehouse). Otherwise a power cut
 * after the rows are gone would bring back files that nobody knows. */
static status_value sync_deletions(struct publisher *publisher, struct publish_round *round)
{
    const struct catalog_publish_job *synced = NULL;
    for (size_t i = 0; i < round->count; i++) {
        const struct catalog_publish_job *job = &round->jobs[i];
        struct object_store *store;
        if (!round->written[i] || job->delete_count == 0 ||
            (synced != NULL && synced->version.warehouse == job->version.warehouse))
            continue;
        TRY(stores_get_by_id(publisher->stores, &round->snapshot->reader, &round->arena,
                             job->version.warehouse, &round->diag, &store));
        TRY(store->ops->sync(store, NULL, 0, &round->diag));
        synced = job;
    }
    return OK;
}

static status_value finish_round(struct publisher *publisher, struct publish_round *round)
{
    struct done_task done = {.task = {.evaluate = done_evaluate, .arena = &round->arena},
                             .publisher = publisher,
                             .round = round};
    status_value synced = sync_files(publisher, round);
    if (!is_ok(synced)) {
        /* A file may have been taken away meanwhile: write them all again. */
        memset(publisher->written, 0, sizeof(*publisher->written) * WRITTEN_SLOTS);
        return synced;
    }
    /* Before the row goes: a crash in between repeats the deletion, it cannot forget it. */
    remove_given_up(publisher, round);
    TRY(sync_deletions(publisher, round));
    return node_run(publisher->node, &done.task, &round->diag, NULL);
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
    TRY_OUT(result,
            catalog_outbox_list(&round->snapshot->reader, &round->arena, PUBLISHER_BACKLOG_MAX,
                                &round->diag, &round->jobs, &round->count));
    atomic_store(&publisher->backlog, round->count);
    round->written = ARENA_ARRAY(&round->arena, bool, round->count + 1);
    if (round->written == NULL)
        TRY_OUT(result, FAIL(&round->diag, NOMEM, "could not start a publishing round"));
    written = write_files(publisher, round);
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

/* One waited-for version: gone from the outbox means durable since an earlier round. */
static status_value serve_wait(struct publisher *publisher, const struct catalog_version *version,
                               struct kv_reader *view, struct arena *arena)
{
    struct catalog_publish_job job;
    struct diag diag = {0};
    bool found = false;
    TRY(catalog_outbox_get(view, arena, version, &diag, &job, &found));
    if (found)
        TRY(write_job(publisher, view, &job, &diag));
    answer_waits(publisher, version, 0, false, true);
    return OK;
}

/* The versions waited for at this moment, in the arena. */
static size_t list_waits(struct publisher *publisher, struct arena *arena,
                         struct catalog_version **out)
{
    size_t count = 0;
    pthread_mutex_lock(&publisher->lock);
    for (const struct publisher_wait *wait = publisher->waits; wait != NULL; wait = wait->next)
        count++;
    *out = ARENA_ARRAY(arena, struct catalog_version, count + 1);
    count = 0;
    for (const struct publisher_wait *wait = publisher->waits; *out != NULL && wait != NULL;
         wait = wait->next)
        (*out)[count++] = wait->version;
    publisher->waiting = false;
    pthread_mutex_unlock(&publisher->lock);
    return count;
}

static bool serve_waits(struct publisher *publisher)
{
    struct kv_snapshot *snapshot = NULL;
    struct catalog_version *versions = NULL;
    struct arena arena;
    bool all_served = true;
    arena_init(&arena, allocator_heap(), ARENA_MAX_BYTES);
    size_t count = list_waits(publisher, &arena, &versions);
    bool readable = count == 0 || is_ok(node_read(publisher->node, NULL, &snapshot));
    for (size_t i = 0; readable && i < count; i++)
        all_served =
            is_ok(serve_wait(publisher, &versions[i], &snapshot->reader, &arena)) && all_served;
    kv_snapshot_close(snapshot);
    arena_deinit(&arena);
    return readable && all_served;
}

/* Returns false at the end. */
static bool wait_for_work(struct publisher *publisher, uint64_t next_round_ns)
{
    struct timespec at = {.tv_sec = (time_t)(next_round_ns / 1000000000),
                          .tv_nsec = (long)(next_round_ns % 1000000000)};
    pthread_mutex_lock(&publisher->lock);
    int outcome = 0;
    while (!publisher->stop && !publisher->waiting && outcome == 0)
        outcome = pthread_cond_timedwait(&publisher->wake, &publisher->lock, &at);
    bool going = !publisher->stop;
    pthread_mutex_unlock(&publisher->lock);
    return going;
}

static bool take_dirty(struct publisher *publisher)
{
    pthread_mutex_lock(&publisher->lock);
    bool dirty = publisher->dirty;
    publisher->dirty = false;
    pthread_mutex_unlock(&publisher->lock);
    return dirty;
}

static void *publisher_main(void *argument)
{
    struct publisher *publisher = argument;
    uint64_t next_round_ns = 0;
    bool unfinished = true;
    while (wait_for_work(publisher, next_round_ns)) {
        unfinished = !serve_waits(publisher) || unfinished;
        uint64_t now = now_ns(publisher);
        if (now >= next_round_ns) {
            size_t done = 0;
            bool failed = false;
            if (take_dirty(publisher) || unfinished) {
                failed = !is_ok(run_round(publisher, &done));
                unfinished = failed || done < atomic_load(&publisher->backlog);
            }
            next_round_ns = now + (unfinished ? retry_pace_ns : round_pace_ns);
        }
        answer_waits(publisher, NULL, now, false, false);
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
    atomic_store(&publisher->backlog, 1); /* unknown until the first round has looked */
    publisher->written = mem_zalloc(sizeof(*publisher->written) * WRITTEN_SLOTS);
    if (publisher->written == NULL) {
        mem_free(publisher);
        return FAIL(diag, NOMEM, "could not start the publisher");
    }
    pthread_mutex_init(&publisher->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&publisher->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    if (pthread_create(&publisher->thread, NULL, publisher_main, publisher) != 0) {
        mem_free(publisher->written);
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
    mem_free(publisher->written);
    mem_free(publisher);
}

uint64_t publisher_backlog(const struct publisher *publisher)
{
    return atomic_load(&publisher->backlog);
}
