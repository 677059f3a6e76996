#include "plan_internal.h"
#include <muniment/util/memory.h>
#include <stdlib.h>

enum { SIMULATE_DAYS_MAX = 36600 };

/* What exists on the night, and what the plan says of it. */
struct world {
    struct plan_snapshot *snapshots;
    struct plan_verdict *verdicts;
    size_t count;
    size_t snapshot_capacity, verdict_capacity;
};

static void world_capture(struct world *world, const struct policy *policy, int64_t when) {
    world->snapshots =
        mem_grow(world->snapshots, &world->snapshot_capacity, world->count + 1, sizeof *world->snapshots);
    world->verdicts = mem_grow(world->verdicts, &world->verdict_capacity, world->count + 1, sizeof *world->verdicts);
    world->snapshots[world->count++] = (struct plan_snapshot){
        .started = when, .deadline = plan_deadline(policy, when), .bytes = 1, .units = 1, .complete = true
    };
    plan_birth_limits(policy, world->snapshots[world->count - 1].limits);
}

static void world_expire(struct world *world) {
    size_t kept = 0;
    for (size_t i = 0; i < world->count; i++)
        if (world->verdicts[i].keep)
            world->snapshots[kept++] = world->snapshots[i];
    world->count = kept;
}

static void measure(const struct world *world, int day, int64_t when, struct simulation_result *result) {
    size_t kept = 0;
    for (size_t i = 0; i < world->count; i++) {
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
    for (size_t i = 0; i < world->count; i++)
        world->verdicts[i].keep = true;
}

int plan_simulate(const struct policy *policy, const struct calendar *calendar, int64_t start, int days,
                  bool (*missed)(void *context, int day),
                  int (*each)(void *context, const struct simulation_night *night, struct err *err), void *context,
                  struct simulation_result *result, struct err *err) {
    *result = (struct simulation_result){ 0 };
    if (days < 1 || days > SIMULATE_DAYS_MAX)
        return err_set(err, ERR_INVALID, "simulate %d days: between 1 and %d are possible", days, SIMULATE_DAYS_MAX);

    int status = -1;
    struct world world = { 0 };
    for (int day = 0; day < days; day++) {
        struct simulation_night night = {
            .day = day,
            .when = calendar_add_days(calendar, start, day),
            .missed = missed && missed(context, day),
        };
        if (!night.missed)
            world_capture(&world, policy, night.when);

        struct plan_summary summary;
        if (plan_make(policy, calendar, world.snapshots, world.count, night.when, world.verdicts, &summary, err) < 0)
            goto out;
        if (night.missed)
            keep_all(&world);
        measure(&world, day, night.when, result);

        night.snapshots = world.snapshots;
        night.verdicts = world.verdicts;
        night.count = world.count;
        if (each && each(context, &night, err) < 0)
            goto out;
        world_expire(&world);
    }
    status = 0;
out:
    free(world.snapshots);
    free(world.verdicts);
    return status;
}
