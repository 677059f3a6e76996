/* When snapshots are expected to go, beside when they do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/plan_world.h"
#include "../lib/times.h"
#include <muniment/util/memory.h>
#include <stdlib.h>

enum { DAY = 86400, HOUR = 3600 };

static void expiry(const struct plan_world *world, int64_t now, int64_t *expires) {
    plan_expiry(&world->policy, world->calendar, world->snapshots, world->verdicts, world->count, now, expires);
}

static void draw_policy(struct policy *policy) {
    *policy = (struct policy){ .daily = (uint32_t)draw(9),
                               .weekly = (uint32_t)draw(5),
                               .monthly = (uint32_t)draw(4),
                               .yearly = (uint32_t)draw(2),
                               .max_age = draw(2) ? (int64_t)(2 + draw(100)) * DAY : 0,
                               .interval = DAY,
                               .strict = draw(2) };
    if (policy->daily + policy->weekly + policy->monthly + policy->yearly == 0)
        policy->daily = 1;
}

/* Lives on night by night: whoever goes, goes when it was foreseen, and whoever was foreseen goes. */
static void what_was_foreseen_happens(void **state) {
    (void)state;
    const char *const zones[] = { "UTC", "Europe/Copenhagen", "America/New_York" };
    size_t gone = 0;
    for (int round = 0; round < 60; round++) {
        struct plan_world *world = plan_world_new(zones[draw(3)], 0, 0, 0);
        int64_t when = at("2026-01-01T02:00:00Z") + (int64_t)draw(400) * DAY;
        for (int i = 0; i < 80; i++) {
            if (i % 30 == 0)
                draw_policy(&world->policy);
            when += draw(5) ? DAY : (int64_t)draw(2 * DAY) + HOUR;
            plan_world_add(world, when)->complete = draw(8) != 0;
        }
        plan_world_make(world, when);

        int64_t expires[80] = { 0 }, now = when;
        size_t count = world->count;
        struct plan_snapshot *all = mem_array(count, sizeof *all);
        for (size_t i = 0; i < count; i++)
            all[i] = world->snapshots[i];
        expiry(world, now, expires);
        plan_world_apply(world);
        for (int night = 0; night < 1200; night++) {
            for (size_t i = 0; i < count; i++) {
                bool there = false;
                for (size_t j = 0; j < world->count && !there; j++)
                    there = world->snapshots[j].started == all[i].started;
                if (there == (expires[i] != 0 && expires[i] <= now))
                    fail_msg("round %d, night %d: snapshot %zu %s, but was foreseen to go at %lld, and it is %lld",
                             round, night, i, there ? "is there" : "is gone", (long long)expires[i], (long long)now);
                gone += night == 1199 && !there;
            }
            now = calendar_add_days(world->calendar, when, night + 1);
            plan_world_add(world, now);
            plan_world_make(world, now);
            plan_world_apply(world);
        }
        free(all);
        plan_world_free(world);
    }
    assert_true(gone > 4000);
}

static void what_is_held_or_has_no_end_is_not_foreseen(void **state) {
    (void)state;
    struct plan_world *world = plan_world_new("UTC", 2, 0, 0);
    int64_t expires[2] = { 5, 5 }, when = at("2026-01-01T02:00:00Z");
    plan_world_add(world, when)->held = true;
    plan_world_add(world, when + DAY);
    plan_world_make(world, when + DAY);
    expiry(world, when + DAY, expires);
    assert_int_equal(expires[0], 0);
    assert_int_equal(expires[1], when + 3 * DAY);

    world->policy = (struct policy){ .interval = DAY };
    world->count = 0;
    plan_world_add(world, when);
    plan_world_make(world, when);
    expiry(world, when, expires);
    assert_int_equal(expires[0], 0);
    plan_world_free(world);
}

static void other_intervals_are_followed(void **state) {
    (void)state;
    struct plan_world *world = plan_world_new("UTC", 2, 0, 0);
    int64_t expires[1] = { 0 }, when = at("2026-01-01T02:00:00Z");
    plan_world_add(world, when);
    plan_world_make(world, when);
    static const struct {
        int64_t interval, expires;
    } cases[] = { { HOUR, 2 * DAY }, { DAY, 2 * DAY }, { 36 * HOUR, 72 * HOUR }, { 7 * DAY, 14 * DAY } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        world->policy.interval = cases[i].interval;
        expiry(world, when, expires);
        assert_int_equal(expires[0], when + cases[i].expires);
    }
    world->policy.interval = INT64_MAX;
    expiry(world, when, expires);
    assert_int_equal(expires[0], 0);
    plan_world_free(world);
}

/* After three years of silence the guard holds all of them; the first run lets them go. */
static void a_guard_is_passed_with_the_first_run(void **state) {
    (void)state;
    struct plan_world *world = plan_world_new("UTC", 2, 0, 0);
    int64_t expires[3] = { 0 }, when = at("2026-01-01T02:00:00Z"), now = when + 1000 * (int64_t)DAY;
    for (int i = 0; i < 3; i++)
        plan_world_add(world, when + i * DAY);
    plan_world_make(world, now);
    assert_int_equal(world->summary.expire, 0);
    expiry(world, now, expires);
    assert_int_equal(expires[0], now + DAY);
    assert_int_equal(expires[1], now + DAY);
    assert_int_equal(expires[2], now + 2 * DAY);
    plan_world_free(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_foreseen_happens),
        cmocka_unit_test(what_is_held_or_has_no_end_is_not_foreseen),
        cmocka_unit_test(other_intervals_are_followed),
        cmocka_unit_test(a_guard_is_passed_with_the_first_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
