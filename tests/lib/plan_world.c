#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plan_world.h"
#include "scratch.h"
#include "times.h"
#include <muniment/util/memory.h>
#include <stdlib.h>

struct plan_world *plan_world_new(const char *zone, uint32_t daily, uint32_t weekly, uint32_t monthly) {
    struct plan_world *world = mem_zalloc(sizeof *world);
    world->policy = (struct policy){ .daily = daily, .weekly = weekly, .monthly = monthly, .interval = 86400 };
    plan_world_move(world, zone);
    return world;
}

void plan_world_free(struct plan_world *world) {
    calendar_close(world->calendar);
    free(world);
}

void plan_world_move(struct plan_world *world, const char *zone) {
    calendar_close(world->calendar);
    world->calendar = open_zone(zone);
}

struct plan_snapshot *plan_world_add(struct plan_world *world, int64_t started) {
    assert_true(world->count < PLAN_WORLD_MOST);
    struct plan_snapshot *snapshot = &world->snapshots[world->count++];
    *snapshot = (struct plan_snapshot){ .started = started,
                                        .deadline = plan_deadline(&world->policy, started),
                                        .bytes = 1000,
                                        .units = 3,
                                        .complete = true };
    plan_birth_limits(&world->policy, snapshot->limits);
    return snapshot;
}

void plan_world_make(struct plan_world *world, int64_t now) {
    struct err err = { 0 };
    assert_success(plan_make(&world->policy, world->calendar, world->snapshots, world->count, now, world->verdicts,
                             &world->summary, &err),
                   &err);
    assert_int_equal(world->summary.keep + world->summary.expire, world->count);
}

void plan_world_apply(struct plan_world *world) {
    size_t kept = 0;
    for (size_t i = 0; i < world->count; i++)
        if (world->verdicts[i].keep)
            world->snapshots[kept++] = world->snapshots[i];
    world->count = kept;
}

void plan_world_live(struct plan_world *world, const char *first, int nights) {
    int64_t start = at(first);
    for (int i = 0; i < nights; i++) {
        int64_t now = calendar_add_days(world->calendar, start, i);
        plan_world_add(world, now);
        plan_world_make(world, now);
        plan_world_apply(world);
    }
}

char *plan_world_days(const struct plan_world *world) {
    struct buffer days = { 0 };
    char day[16];
    for (size_t i = 0; i < world->count; i++)
        buffer_printf(&days, "%s%s", i > 0 ? " " : "",
                      calendar_format(world->calendar, PERIOD_DAY, world->snapshots[i].started, day));
    char *text = mem_string(buffer_text(&days));
    buffer_release(&days);
    return text;
}
