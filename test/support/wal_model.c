/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wal_model.c - the model is an array of entries; payloads are made again from a seed to compare.
 */
#include "wal_model.h"

enum { PAYLOAD_MAX = 40000 };

static void fill_payload(char *out, const struct wal_model_entry *entry)
{
    struct prng prng;
    prng_init(&prng, entry->seed);
    for (uint32_t i = 0; i < entry->size; i += 8) {
        uint64_t bits = prng_u64(&prng);
        memcpy(out + i, &bits, u64_min(8, entry->size - i));
    }
}

static void model_apply(struct wal_model *model, const struct wal_record *record,
                        const struct wal_model_entry *entry)
{
    struct wal_state *state = &model->state;
    switch (record->kind) {
    case WAL_HARD_STATE:
        state->term = record->term;
        state->vote = record->vote;
        break;
    case WAL_ENTRY:
        state->last_index = record->index;
        model->entries[record->index % WAL_MODEL_ENTRIES] = *entry;
        break;
    case WAL_TRUNCATE: state->last_index = record->index - 1; break;
    case WAL_INSTALL:
        state->last_index = record->index;
        model->base = record->index;
        state->snapshot_index = record->index;
        state->snapshot_term = record->term;
        break;
    case WAL_SNAPSHOT:
        state->snapshot_index = record->index;
        state->snapshot_term = record->term;
        break;
    default: ASSERT(false);
    }
}

/* --- the walk --- */

struct wal_walk *wal_walk_create(uint64_t seed, struct allocator *allocator)
{
    struct wal_walk *walk = mem_zalloc(sizeof *walk);
    ASSERT(walk != NULL);
    walk->payloads = mem_alloc((size_t)WAL_MODEL_BATCH * (PAYLOAD_MAX + 8));
    ASSERT(walk->payloads != NULL);
    walk->sim = env_sim_create(seed);
    walk->options = (struct wal_options){.create = true,
                                         .segment_size_bytes = WAL_SEGMENT_SIZE_MIN,
                                         .node_id = 1,
                                         .allocator = allocator};
    prng_init(&walk->prng, seed);
    walk->may_be_absent = true;
    struct env *env = env_sim_env(walk->sim);
    ASSERT(is_ok(env->ops->mkdir(env, "data", NULL)) && is_ok(env->ops->dir_sync(env, ".", NULL)));
    return walk;
}

void wal_walk_destroy(struct wal_walk *walk)
{
    wal_close(walk->wal);
    env_sim_destroy(walk->sim);
    mem_free(walk->payloads);
    mem_free(walk);
}

void wal_walk_move(struct wal_walk *walk, struct env_sim *sim)
{
    wal_close(walk->wal);
    walk->wal = NULL;
    if (sim != walk->sim)
        env_sim_destroy(walk->sim);
    walk->sim = sim;
}

static status_value open_log(struct wal_walk *walk)
{
    diag_reset(&walk->diag);
    return wal_open(env_sim_env(walk->sim), "data/wal", &walk->options, &walk->diag, &walk->wal);
}

static void push(struct wal_walk *walk, struct wal_record record)
{
    ASSERT(walk->batch_count < WAL_MODEL_BATCH);
    walk->batch[walk->batch_count++] = record;
}

static uint32_t random_size(struct prng *prng)
{
    switch (prng_below(prng, 12)) {
    case 0: return (uint32_t)prng_below(prng, PAYLOAD_MAX);
    case 1: return 4096 - 88; /* ends exactly at a block */
    case 2:
    case 3: return (uint32_t)prng_below(prng, 9000);
    default: return (uint32_t)prng_below(prng, 300);
    }
}

static void push_entries(struct wal_walk *walk, uint64_t first, uint64_t term, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t at = walk->batch_count;
        struct wal_model_entry *entry = &walk->batch_entries[at];
        *entry = (struct wal_model_entry){term, prng_u64(&walk->prng), random_size(&walk->prng)};
        char *payload = walk->payloads + at * (PAYLOAD_MAX + 8);
        fill_payload(payload, entry);
        push(walk, (struct wal_record){.kind = WAL_ENTRY,
                                       .entry_kind = 2,
                                       .index = first + i,
                                       .term = term,
                                       .payload = {payload, entry->size}});
    }
}

static void plan_append(struct wal_walk *walk)
{
    struct wal_state *s = &walk->acked.state;
    uint64_t term = s->term;
    if (term == 0 || prng_chance(&walk->prng, 1, 8)) {
        term++;
        push(walk, (struct wal_record){
                       .kind = WAL_HARD_STATE, .term = term, .vote = prng_below(&walk->prng, 4)});
    }
    push_entries(walk, s->last_index + 1, term, 1 + prng_below(&walk->prng, 6));
}

static void plan_truncate(struct wal_walk *walk)
{
    const struct wal_state *s = &walk->acked.state;
    uint64_t lowest = u64_max(s->snapshot_index, walk->acked.base) + 1;
    uint64_t from = s->last_index + 1;
    if (from > lowest)
        from -= prng_below(&walk->prng, u64_min(from - lowest + 1, 9));
    push(walk, (struct wal_record){.kind = WAL_HARD_STATE, .term = s->term + 1});
    push(walk, (struct wal_record){.kind = WAL_TRUNCATE, .index = from});
    push_entries(walk, from, s->term + 1, prng_below(&walk->prng, 4));
}

static void plan_snapshot(struct wal_walk *walk)
{
    const struct wal_state *s = &walk->acked.state;
    if (s->last_index > s->snapshot_index) {
        uint64_t index = s->last_index - prng_below(&walk->prng, s->last_index - s->snapshot_index);
        push(walk, (struct wal_record){.kind = WAL_SNAPSHOT, .index = index, .term = s->term});
    } else {
        plan_append(walk);
    }
}

static void plan_install(struct wal_walk *walk)
{
    const struct wal_state *s = &walk->acked.state;
    uint64_t index = s->last_index + 1 + prng_below(&walk->prng, 50);
    push(walk, (struct wal_record){.kind = WAL_INSTALL, .index = index, .term = s->term});
    push_entries(walk, index + 1, s->term, s->term == 0 ? 0 : prng_below(&walk->prng, 3));
}

static void acknowledge(struct wal_walk *walk, size_t count)
{
    for (size_t i = 0; i < count; i++)
        model_apply(&walk->acked, &walk->batch[i], &walk->batch_entries[i]);
    walk->batch_count = 0;
}

static status_value append(struct wal_walk *walk, void (*plan)(struct wal_walk *walk))
{
    walk->batch_count = 0;
    plan(walk);
    TRY(wal_append(walk->wal, walk->batch, walk->batch_count, &walk->diag));
    acknowledge(walk, walk->batch_count);
    return OK;
}

static status_value compact(struct wal_walk *walk)
{
    struct wal_model *m = &walk->acked;
    uint64_t limit = m->state.snapshot_index + 1;
    uint64_t to = limit > 5 ? limit - prng_below(&walk->prng, 5) : limit;
    walk->compact_to = u64_max(m->first_needed, to);
    TRY(wal_compact(walk->wal, to, &walk->diag));
    m->first_needed = walk->compact_to;
    walk->compact_to = 0;
    return OK;
}

static status_value step(struct wal_walk *walk)
{
    uint64_t dice = prng_below(&walk->prng, 100);
    if (dice < 62)
        return append(walk, plan_append);
    if (dice < 70)
        return append(walk, plan_truncate);
    if (dice < 80)
        return append(walk, plan_snapshot);
    if (dice < 82)
        return append(walk, plan_install);
    if (dice < 90)
        return compact(walk);
    if (dice < 94)
        return wal_settle(walk->wal, &walk->diag);
    if (dice < 97)
        return wal_prepare(walk->wal, &walk->diag);
    wal_close(walk->wal);
    walk->wal = NULL;
    return open_log(walk);
}

status_value wal_walk_run(struct wal_walk *walk, unsigned steps)
{
    if (walk->wal == NULL)
        TRY(open_log(walk));
    walk->may_be_absent = false;
    for (unsigned i = 0; i < steps; i++)
        TRY(step(walk));
    return OK;
}

/* --- comparing --- */

struct compare {
    const struct wal_model *model;
    const char *wrong;
    uint64_t next;
    char *scratch;
};

static status_value compare_entry(void *context, const struct wal_record *record, struct diag *diag)
{
    (void)diag;
    struct compare *c = context;
    const struct wal_model_entry *entry = &c->model->entries[record->index % WAL_MODEL_ENTRIES];
    if (record->index != c->next)
        c->wrong = "an entry is missing or out of order";
    else if (record->index <= c->model->base || record->index > c->model->state.last_index)
        c->wrong = "an entry is there that should not be";
    else if (record->term != entry->term || record->payload.size != entry->size ||
             record->entry_kind != 2)
        c->wrong = "an entry has another term or size";
    if (c->wrong == NULL) {
        fill_payload(c->scratch, entry);
        if (entry->size > 0 && memcmp(c->scratch, record->payload.data, entry->size) != 0)
            c->wrong = "an entry has other bytes";
    }
    c->next++;
    return c->wrong == NULL ? OK : (status_value){STATUS_CANCELLED};
}

static bool same_state(const struct wal_state *a, const struct wal_state *b)
{
    return a->term == b->term && a->vote == b->vote && a->last_index == b->last_index &&
           a->snapshot_index == b->snapshot_index && a->snapshot_term == b->snapshot_term;
}

static const char *compare_log(struct wal_walk *walk, const struct wal_model *model)
{
    struct wal_state found = wal_state(walk->wal);
    if (!same_state(&found, &model->state))
        return "the state is another";
    uint64_t oldest = u64_max(model->first_needed, model->base + 1);
    if (found.first_index > u64_max(oldest, 1) && found.first_index <= model->state.last_index)
        return "needed entries are gone";
    /* The batch's payloads may still be needed, so the scratch is behind them. */
    struct compare c = {model, NULL, found.first_index, mem_alloc(PAYLOAD_MAX + 8)};
    ASSERT(c.scratch != NULL);
    status_value result = wal_read(walk->wal, 0, compare_entry, &c, &walk->diag);
    mem_free(c.scratch);
    if (c.wrong != NULL)
        return c.wrong;
    if (!is_ok(result))
        return "the log cannot be read";
    return c.next == model->state.last_index + 1 ? NULL : "entries are missing at the end";
}

/* How many records of the batch in flight became durable: any number, in order. */
static bool find_prefix(struct wal_walk *walk, size_t *out_count)
{
    struct wal_state found = wal_state(walk->wal);
    struct wal_model *probe = mem_alloc(sizeof *probe);
    ASSERT(probe != NULL);
    *probe = walk->acked;
    bool matches = false;
    for (size_t count = 0; count <= walk->batch_count; count++) {
        if (count > 0)
            model_apply(probe, &walk->batch[count - 1], &walk->batch_entries[count - 1]);
        if (same_state(&found, &probe->state) && compare_log(walk, probe) == NULL) {
            *out_count = count;
            matches = true;
        }
    }
    mem_free(probe);
    return matches;
}

const char *wal_walk_check(struct wal_walk *walk, status_value *out_open)
{
    *out_open = OK;
    if (walk->wal == NULL)
        *out_open = open_log(walk);
    if (!is_ok(*out_open))
        return "the log does not open";
    walk->acked.first_needed = u64_max(walk->acked.first_needed, walk->compact_to);
    walk->compact_to = 0;
    size_t count = 0;
    if (!find_prefix(walk, &count)) {
        const char *why = compare_log(walk, &walk->acked);
        return why == NULL ? "the log is wrong" : why;
    }
    acknowledge(walk, count);
    walk->batch_count = 0;
    return NULL;
}
