/* Lock dates beside what the plan decides: over random policies, nights and zones no lock may outlast a decision. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/scratch.h"
#include "../lib/times.h"
#include <muniment/retention/plan.h>
#include <muniment/util/clock.h>
#include <string.h>

enum { DAY = 86400, HOUR = 3600, MOST = 400 };

/* Snapshots that live, with the dates until which they were locked when they were made. */
struct world {
    const struct policy *policy;
    const struct calendar *calendar;
    struct plan_snapshot snapshots[MOST];
    int64_t locks[MOST];
    size_t count;
    size_t ended;    /* so far */
    bool punctual;   /* whoever goes must have been locked until after the last run */
    int64_t earlier; /* run */
};

static void capture(struct world *world, int64_t when) {
    assert_true(world->count < MOST);
    uint8_t tiers = plan_birth_tiers(world->calendar, world->policy, world->snapshots, world->count, when);
    struct plan_snapshot *snapshot = &world->snapshots[world->count];
    *snapshot = (struct plan_snapshot){
        .started = when, .deadline = plan_deadline(world->policy, when), .bytes = 1, .units = 1, .complete = true
    };
    plan_birth_limits(world->policy, snapshot->limits);
    world->locks[world->count++] = plan_lock_until(world->calendar, world->policy, snapshot, tiers);
}

static void rotate(struct world *world, int64_t now) {
    struct err err = { 0 };
    struct plan_verdict verdicts[MOST];
    struct plan_summary summary;
    assert_success(
        plan_make(world->policy, world->calendar, world->snapshots, world->count, now, verdicts, &summary, &err), &err);
    size_t kept = 0;
    for (size_t i = 0; i < world->count; i++) {
        if (verdicts[i].keep) {
            world->snapshots[kept] = world->snapshots[i];
            world->locks[kept++] = world->locks[i];
            continue;
        }
        assert_true(world->locks[i] > world->snapshots[i].started);
        if (world->locks[i] > now)
            fail_msg("ended at %lld, locked until %lld: %s", (long long)now, (long long)world->locks[i],
                     verdicts[i].reason);
        if (world->punctual && world->locks[i] <= world->earlier)
            fail_msg("kept at %lld although its lock ended at %lld: %s", (long long)world->earlier,
                     (long long)world->locks[i], verdicts[i].reason);
        world->ended++;
    }
    world->count = kept;
    world->earlier = now;
}

static void a_lock_never_outlasts_the_plan(void **state) {
    (void)state;
    const char *const zones[] = { "UTC", "Europe/Copenhagen", "America/New_York", "Pacific/Apia", "Asia/Kathmandu" };
    size_t ended = 0;
    for (int round = 0; round < 150; round++) {
        struct calendar *calendar = open_zone(zones[draw(5)]);
        const struct policy policy = {
            .daily = (uint32_t)draw(9),
            .weekly = (uint32_t)draw(5),
            .monthly = (uint32_t)draw(4),
            .yearly = (uint32_t)draw(3),
            .max_age = draw(2) ? (int64_t)(1 + draw(100)) * DAY : 0,
            .strict = draw(2),
        };
        static struct world world;
        world = (struct world){ .policy = &policy, .calendar = calendar };
        uint64_t missed = draw(4);
        int64_t now = 1500000000 + (int64_t)draw(200000000);
        for (int run = 0; run < 250; run++) {
            now += (int64_t)draw(2) ? DAY : (int64_t)draw(2 * DAY) + 1;
            if (draw(10) >= missed)
                capture(&world, now);
            rotate(&world, now + (int64_t)draw(4) * HOUR);
            if (world.count > MOST - 10)
                break;
        }
        ended += world.ended;
        calendar_close(calendar);
    }
    assert_true(ended > 5000);
}

/* Every night at two: then whatever goes was locked until after the run of the night before. */
static void with_nightly_runs_a_lock_ends_with_the_snapshot(void **state) {
    (void)state;
    const struct policy policies[] = {
        { .daily = 7 },
        { .daily = 7, .weekly = 4, .monthly = 3 },
        { .weekly = 3 },
        { .monthly = 2, .yearly = 1 },
        { .daily = 7, .max_age = 30 * (int64_t)DAY },
        { .max_age = 20 * (int64_t)DAY },
        { .daily = 3, .strict = true },
    };
    const char *const zones[] = { "UTC", "Europe/Copenhagen", "America/New_York" };
    for (size_t p = 0; p < sizeof policies / sizeof *policies; p++)
        for (size_t z = 0; z < 3; z++) {
            struct calendar *calendar = open_zone(zones[z]);
            static struct world world;
            int64_t first = at("2023-11-05T03:10:00Z");
            world = (struct world){ .policy = &policies[p], .calendar = calendar, .punctual = true };
            world.earlier = first - DAY;
            for (int night = 0; night < 800; night++) {
                int64_t now = calendar_add_days(calendar, first, night);
                capture(&world, now);
                rotate(&world, now);
            }
            assert_true(world.ended > 600);
            calendar_close(calendar);
        }
}

static void dates_are_those_of_the_calendar(void **state) {
    (void)state;
    struct calendar *calendar = open_zone("Europe/Copenhagen");
    const struct policy policy = { .daily = 7, .weekly = 4, .monthly = 6 };
    struct policy capped = policy, none = { 0 };
    capped.max_age = 90 * (int64_t)DAY;
    const struct plan_snapshot snapshot = { .started = at("2026-03-25T01:00:00Z") };
    int64_t when = snapshot.started; /* a Wednesday; the clocks go forward on the 29th */
    assert_int_equal(plan_lock_until(calendar, &policy, &snapshot, 0), at("2026-03-25T23:00:00Z"));
    assert_int_equal(plan_lock_until(calendar, &policy, &snapshot, TIER_DAILY), at("2026-03-31T22:00:00Z"));
    assert_int_equal(plan_lock_until(calendar, &policy, &snapshot, TIER_DAILY | TIER_WEEKLY),
                     at("2026-04-19T22:00:00Z"));
    assert_int_equal(plan_lock_until(calendar, &policy, &snapshot, TIER_MONTHLY), at("2026-08-31T22:00:00Z"));
    assert_int_equal(plan_lock_until(calendar, &capped, &snapshot, TIER_MONTHLY), when + 88 * (int64_t)DAY);
    assert_int_equal(plan_lock_until(calendar, &none, &snapshot, 0), 0);
    none.max_age = 10 * (int64_t)DAY;
    assert_int_equal(plan_lock_until(calendar, &none, &snapshot, 0), when + 8 * (int64_t)DAY);
    none = (struct policy){ .yearly = UINT32_MAX };
    assert_true(plan_lock_until(calendar, &none, &snapshot, TIER_YEARLY) > when + 1000 * (int64_t)365 * DAY);
    calendar_close(calendar);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lock_never_outlasts_the_plan),
        cmocka_unit_test(with_nightly_runs_a_lock_ends_with_the_snapshot),
        cmocka_unit_test(dates_are_those_of_the_calendar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
