/* SPDX-License-Identifier: Apache-2.0 */
/*
 * avro_plan.c - which values of a record to keep, found once for a file.
 *
 * A plan follows the schema only as far as something is wanted; everything else has no plan and is
 * skipped. Paths are followed through records and the branches of unions, never into arrays and
 * maps. Each record on the way uses up one field-id of a path, so a recursive schema ends too.
 */
#include "lake/avro_internal.h"

struct planner {
    struct arena *arena;
    struct diag *diag;
    const struct avro_want *wants;
    size_t count;
    uint32_t planned; /* wants that the schema has */
    size_t nodes;
};

static status make(struct planner *planner, const struct avro_type *type, uint32_t active,
                   size_t depth, struct avro_plan **out);

static status new_plan(struct planner *planner, const struct avro_type *type,
                       struct avro_plan **out)
{
    planner->nodes += type->part_count + 1;
    if (planner->nodes > AVRO_NODES_MAX)
        return FAIL(planner->diag, INVALID, "an Avro schema has too many ways to one field");
    struct avro_plan *plan = ARENA_NEW(planner->arena, struct avro_plan);
    if (plan != NULL)
        plan->parts = ARENA_ARRAY(planner->arena, struct avro_plan *, type->part_count + 1);
    if (plan == NULL || plan->parts == NULL)
        return FAIL(planner->diag, NOMEM, "could not read an Avro file: memory budget exhausted");
    plan->type = type;
    plan->slot = AVRO_NO_SLOT;
    *out = plan;
    return OK;
}

/* The active wants whose path goes through this field. */
static uint32_t wants_of_field(const struct planner *planner, const struct avro_part *field,
                               uint32_t active, size_t depth)
{
    uint32_t through = 0;
    for (size_t i = 0; i < planner->count && field->has_id; i++) {
        const struct avro_want *want = &planner->wants[i];
        if ((active >> i & 1) != 0 && depth < want->depth && want->path[depth] == field->id)
            through |= UINT32_C(1) << i;
    }
    return through;
}

static status make_record(struct planner *planner, struct avro_plan *plan, uint32_t active,
                          size_t depth)
{
    uint32_t met = 0;
    for (size_t i = 0; i < plan->type->part_count; i++) {
        const struct avro_part *field = &plan->type->parts[i];
        uint32_t through = wants_of_field(planner, field, active, depth);
        if ((through & met) != 0)
            return FAIL(planner->diag, INVALID, "an Avro record has two fields with the id %d",
                        field->id);
        met |= through;
        if (through != 0)
            TRY(make(planner, field->type, through, depth + 1, &plan->parts[i]));
    }
    return OK;
}

static bool fits(enum avro_want_kind want, enum avro_kind kind)
{
    if (want == AVRO_WANT_I64)
        return kind == AVRO_INT || kind == AVRO_LONG;
    return kind == AVRO_STRING || kind == AVRO_BYTES;
}

static status make_leaf(struct planner *planner, struct avro_plan *plan, uint32_t active,
                        size_t depth)
{
    for (size_t i = 0; i < planner->count; i++) {
        const struct avro_want *want = &planner->wants[i];
        if ((active >> i & 1) == 0)
            continue;
        if (want->depth != depth || plan->slot != AVRO_NO_SLOT ||
            !fits(want->kind, plan->type->kind))
            return FAIL(planner->diag, INVALID, "field %d of an Avro record has the wrong type",
                        want->path[want->depth - 1]);
        plan->slot = (int32_t)i;
        planner->planned |= UINT32_C(1) << i;
    }
    return OK;
}

/* `active` are the wants that lead here: `depth` field-ids of their paths are used up. */
static status make(struct planner *planner, const struct avro_type *type, uint32_t active,
                   size_t depth, struct avro_plan **out)
{
    struct avro_plan *plan;
    *out = NULL;
    if (type->kind == AVRO_NULL)
        return OK;
    TRY(new_plan(planner, type, &plan));
    *out = plan;
    if (type->kind == AVRO_RECORD)
        return make_record(planner, plan, active, depth);
    if (type->kind != AVRO_UNION)
        return make_leaf(planner, plan, active, depth);
    for (size_t i = 0; i < type->part_count; i++)
        TRY(make(planner, type->parts[i].type, active, depth, &plan->parts[i]));
    return OK;
}

status_value avro__plan_make(struct arena *arena, const struct avro_type *type,
                             const struct avro_want *wants, size_t want_count, struct diag *diag,
                             struct avro_plan **out)
{
    ASSERT(want_count > 0 && want_count < AVRO_WANTS_MAX);
    struct planner planner = {.arena = arena, .diag = diag, .wants = wants, .count = want_count};
    if (type->kind != AVRO_RECORD)
        return FAIL(diag, INVALID, "an Avro file holds no records");
    TRY(make(&planner, type, (UINT32_C(1) << want_count) - 1, 0, out));
    for (size_t i = 0; i < want_count; i++) {
        ASSERT(wants[i].depth > 0 && wants[i].depth <= AVRO_PATH_MAX);
        if (wants[i].required && (planner.planned >> i & 1) == 0)
            return FAIL(diag, INVALID, "an Avro file lacks the field %d",
                        wants[i].path[wants[i].depth - 1]);
    }
    return OK;
}
