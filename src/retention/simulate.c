#include "plan_internal.h"
#include <muniment/util/memory.h>
#include <stdlib.h>

enum { SIMULATE_DAYS_MAX = 36600 };

/* What exists on the night, and what the plan says of it. */
struct world {
    struct plan plan;
    struct plan_snapshot *snapshots;
    struct plan_verdict *verdicts;
    size_t snapshot_capacity, standing_capacity, verdict_capacity;
};

static void world_capture(struct world *world, int64_t when) {
    struct plan *plan = &world->plan;
    size_t at = plan->count++;
    world->snapshots = mem_grow(world->snapshots, &world->snapshot_capacity, plan->count, sizeof *world->snapshots);
    world->verdicts = mem_grow(world->verdicts, &world->verdict_capacity, plan->count, sizeof *world->verdicts);
    plan->standings = mem_grow(plan->standings, &world->standing_capacity, plan->count, sizeof *plan->standings);
    plan->snapshots = world->snapshots;
    world->snapshots[at] = plan_newborn(plan->policy, when);
    plan_place(plan, at);
}

static void world_judge(struct world *world, int64_t now, bool say) {
    char guard[sizeof((struct plan_summary *)0)->guard];
    struct plan *plan = &world->plan;
    plan->now = now;
    plan_rank(plan);
    plan_guard(plan, guard, sizeof guard);
    for (size_t i = 0; i < plan->count; i++)
        plan_judge(plan, i, guard[0] != '\0', say, &world->verdicts[i]);
}

static void world_expire(struct world *world) {
    struct plan *plan = &world->plan;
    size_t kept = 0;
    for (size_t i = 0; i < plan->count; i++)
        if (world->verdicts[i].keep) {
            world->snapshots[kept] = world->snapshots[i];
            plan->standings[kept++] = plan->standings[i];
        }
    plan->count = kept;
}

static void measure(const struct world *world, int day, int64_t when, struct simulation_result *result) {
    size_t kept = 0;
    for (size_t i = 0; i < world->plan.count; i++) {
        if (!world->verdicts[i].keep)
            continue;
        kept++;
        if (when - world->snapshots[i].started > result->oldest_age) {
            result->oldest_age = when - world->snapshots[i].started;
            result->oldest_day = day;
        }
    }
    if (kept > result->most_snapshots)
        result->most_snapshots = kept;
}

/* In a night that is missed nothing runs, so nothing goes either. */
static void keep_all(struct world *world) {
    for (size_t i = 0; i < world->plan.count; i++)
        world->verdicts[i].keep = true;
}

int plan_simulate(const struct policy *policy, const struct calendar *calendar, int64_t start, int days,
                  bool (*missed)(void *context, int day),
                  int (*each)(void *context, const struct simulation_night *night, struct err *err), void *context,
                  struct simulation_result *result, struct err *err) {
    *result = (struct simulation_result){ 0 };
    if (days < 1 || days > SIMULATE_DAYS_MAX)
        return err_set(err, ERR_INVALID, "simulate %d days: between 1 and %d are possible", days, SIMULATE_DAYS_MAX);

    int status = 0;
    struct world world = { .plan = { .policy = policy, .calendar = calendar } };
    for (int day = 0; day < days && status == 0; day++) {
        struct simulation_night night = {
            .day = day,
            .when = calendar_add_days(calendar, start, day),
            .missed = missed && missed(context, day),
        };
        if (!night.missed)
            world_capture(&world, night.when);
        world_judge(&world, night.when, day == days - 1);
        if (night.missed)
            keep_all(&world);
        measure(&world, day, night.when, result);

        night.snapshots = world.snapshots;
        night.verdicts = world.verdicts;
        night.count = world.plan.count;
        if (each)
            status = each(context, &night, err);
        world_expire(&world);
    }
    free(world.snapshots);
    free(world.verdicts);
    free(world.plan.standings);
    return status < 0 ? -1 : 0;
}
