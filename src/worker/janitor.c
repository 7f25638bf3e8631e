/* SPDX-License-Identifier: Apache-2.0 */
/*
 * janitor.c - one thread that works off drop jobs.
 *
 * For each job: wait until the outbox of the object is empty (its last metadata file must exist, a
 * dropped table can be registered again); with purge, delete the files; then delete rows, a bounded
 * number for each log entry.
 */
#include "worker/janitor.h"

#include "kv/keys.h"
#include "worker/purge.h"

#include <inttypes.h>
#include <pthread.h>

enum { JOBS_MAX = 64, ROWS_MAX = 2000, ARENA_MAX_BYTES = 256 << 20 };

struct janitor {
    struct env *env;
    struct node *node;
    struct stores *stores;
    const struct catalog_options *options;
    struct log *log;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop;
};

struct step_task {
    struct node_task task;
    const struct janitor *janitor;
    const struct catalog_drop_job *job;
    bool done;
};

static status_value step_evaluate(struct node_task *self, struct node_evaluation *evaluation,
                                  struct diag *diag)
{
    struct step_task *step = CONTAINER_OF(self, struct step_task, task);
    struct catalog_context context = {.batch = evaluation->batch,
                                      .view = kv_batch_reader(evaluation->batch),
                                      .arena = self->arena,
                                      .prng = evaluation->prng,
                                      .stamp = evaluation->stamp,
                                      .options = step->janitor->options,
                                      .diag = diag};
    return catalog_drop_step(&context, step->job, ROWS_MAX, &step->done);
}

static bool is_stopping(struct janitor *janitor)
{
    pthread_mutex_lock(&janitor->lock);
    bool stop = janitor->stop;
    pthread_mutex_unlock(&janitor->lock);
    return stop;
}

static status_value delete_rows(struct janitor *janitor, const struct catalog_drop_job *job,
                                struct diag *diag)
{
    for (bool done = false; !done && !is_stopping(janitor);) {
        struct arena arena;
        arena_init(&arena, allocator_heap(), ARENA_MAX_BYTES);
        struct step_task step = {
            .task = {.evaluate = step_evaluate, .arena = &arena}, .janitor = janitor, .job = job};
        status_value result = node_run(janitor->node, &step.task, diag, NULL);
        done = step.done;
        arena_deinit(&arena);
        TRY(result);
    }
    return OK;
}

static status_value has_outbox(struct kv_reader *view, struct arena *arena,
                               const struct catalog_drop_job *job, struct diag *diag, bool *out)
{
    struct kv_cursor *cursor;
    struct str key;
    struct str value;
    struct key prefix = key_in(job->warehouse, KEY_OUTBOX);
    key_u64(&prefix, job->object_id);
    TRY(kv_scan_prefix(view, arena, key_str(&prefix), diag, &cursor));
    status_value result = kv_next(cursor, diag, &key, &value, out);
    kv_close(cursor);
    return result;
}

static status_value work_off(struct janitor *janitor, struct kv_reader *view, struct arena *arena,
                             const struct catalog_drop_job *job, struct diag *diag)
{
    bool waits = false;
    TRY(has_outbox(view, arena, job, diag, &waits));
    if (waits)
        return OK;
    if (job->purge) {
        struct object_store *store;
        TRY(stores_get_by_id(janitor->stores, view, arena, job->warehouse, diag, &store));
        TRY(purge_files(store, view, job, janitor->log, diag));
    }
    return delete_rows(janitor, job, diag);
}

static status_value run_round(struct janitor *janitor)
{
    struct kv_snapshot *snapshot = NULL;
    struct catalog_drop_job *jobs;
    struct arena arena;
    struct diag diag = {0};
    size_t count = 0;
    TRY(node_read(janitor->node, &diag, &snapshot));
    arena_init(&arena, allocator_heap(), ARENA_MAX_BYTES);
    status_value result =
        catalog_drop_list(&snapshot->reader, &arena, JOBS_MAX, &diag, &jobs, &count);
    for (size_t i = 0; is_ok(result) && i < count && !is_stopping(janitor); i++) {
        diag_reset(&diag);
        status_value outcome = work_off(janitor, &snapshot->reader, &arena, &jobs[i], &diag);
        if (!is_ok(outcome))
            LOG(janitor->log, WARN, "drop.failed",
                "what a dropped object left could not be removed; trying again",
                U64("object", jobs[i].object_id), CSTR("why", diag_message(&diag, outcome.code)));
    }
    arena_deinit(&arena);
    kv_snapshot_close(snapshot);
    return result;
}

static bool pause(struct janitor *janitor)
{
    uint64_t at = janitor->env->ops->monotonic_ns(janitor->env) + UINT64_C(1000000000);
    struct timespec until = {.tv_sec = (time_t)(at / 1000000000),
                             .tv_nsec = (long)(at % 1000000000)};
    pthread_mutex_lock(&janitor->lock);
    int outcome = 0;
    while (!janitor->stop && outcome == 0)
        outcome = pthread_cond_timedwait(&janitor->wake, &janitor->lock, &until);
    bool going = !janitor->stop;
    pthread_mutex_unlock(&janitor->lock);
    return going;
}

static void *janitor_main(void *argument)
{
    struct janitor *janitor = argument;
    while (pause(janitor)) {
        status_value result = run_round(janitor);
        if (!is_ok(result) && result.code != STATUS_UNAVAILABLE)
            LOG(janitor->log, WARN, "drop.round.failed", "drop jobs will be tried again",
                CSTR("code", status_name(result.code)));
    }
    return NULL;
}

status_value janitor_open(struct env *env, struct node *node, struct stores *stores,
                          const struct catalog_options *options, struct log *log, struct diag *diag,
                          struct janitor **out)
{
    pthread_condattr_t attributes;
    struct janitor *janitor = mem_zalloc(sizeof(*janitor));
    if (janitor == NULL)
        return FAIL(diag, NOMEM, "could not start the janitor");
    janitor->env = env;
    janitor->node = node;
    janitor->stores = stores;
    janitor->options = options;
    janitor->log = log;
    pthread_mutex_init(&janitor->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&janitor->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    if (pthread_create(&janitor->thread, NULL, janitor_main, janitor) != 0) {
        mem_free(janitor);
        return FAIL(diag, NOMEM, "could not start the janitor thread");
    }
    *out = janitor;
    return OK;
}

void janitor_close(struct janitor *janitor)
{
    if (janitor == NULL)
        return;
    pthread_mutex_lock(&janitor->lock);
    janitor->stop = true;
    pthread_cond_signal(&janitor->wake);
    pthread_mutex_unlock(&janitor->lock);
    pthread_join(janitor->thread, NULL);
    pthread_cond_destroy(&janitor->wake);
    pthread_mutex_destroy(&janitor->lock);
    mem_free(janitor);
}
