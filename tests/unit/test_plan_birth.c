/* Policies that change: what a snapshot was born with binds as long as it lives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/plan_world.h"
#include "../lib/times.h"
#include <stdlib.h>
#include <string.h>

enum { DAY = 86400 };

static void assert_days(struct plan_world *world, const char *expected) {
    char *days = plan_world_days(world);
    assert_string_equal(days, expected);
    free(days);
}

static void more_tiers_do_not_lengthen_the_life_of_what_exists(void **state) {
    (void)state;
    struct plan_world *world = plan_world_new("UTC", 3, 0, 0);
    plan_world_live(world, "2026-03-02T02:00:00Z", 10);
    assert_days(world, "2026-03-09 2026-03-10 2026-03-11");
    world->policy.daily = 7;
    world->policy.monthly = 12;
    plan_world_live(world, "2026-03-12T02:00:00Z", 2);
    assert_days(world, "2026-03-11 2026-03-12 2026-03-13");
    plan_world_live(world, "2026-03-14T02:00:00Z", 1);
    assert_string_equal(world->verdicts[0].reason, "beyond 3 daily (at birth)");
    assert_days(world, "2026-03-12 2026-03-13 2026-03-14");
    plan_world_live(world, "2026-03-15T02:00:00Z", 60);
    assert_non_null(strstr(world->verdicts[0].reason, "monthly 3 of 12"));
    assert_days(world, "2026-03-12 2026-04-01 2026-05-01 2026-05-07 2026-05-08 2026-05-09 2026-05-10 2026-05-11 "
                       "2026-05-12 2026-05-13");
    plan_world_free(world);
}

static void fewer_tiers_shorten_the_life_of_what_exists(void **state) {
    (void)state;
    struct plan_world *world = plan_world_new("UTC", 7, 0, 0);
    plan_world_live(world, "2026-03-02T02:00:00Z", 10);
    world->policy.daily = 2;
    plan_world_live(world, "2026-03-12T02:00:00Z", 1);
    assert_string_equal(world->verdicts[0].reason, "beyond 2 daily");
    assert_days(world, "2026-03-11 2026-03-12");
    plan_world_free(world);
}

/* The mistake stood for a day in which nothing was rotated; its one snapshot keeps it, the others do not. */
static void a_mistake_that_is_put_right_thins_out_nothing(void **state) {
    (void)state;
    struct plan_world *world = plan_world_new("UTC", 7, 4, 6);
    plan_world_live(world, "2026-01-01T02:00:00Z", 100);
    char *before = plan_world_days(world);
    struct policy right = world->policy;
    world->policy = (struct policy){ .daily = 1, .interval = DAY };
    plan_world_add(world, at("2026-04-11T02:00:00Z"));
    world->policy = right;
    plan_world_add(world, at("2026-04-12T02:00:00Z"));
    plan_world_make(world, at("2026-04-12T02:00:00Z"));
    plan_world_apply(world);

    /* The oldest daily made room for one more, as on any night; the one of the mistake is gone. */
    char *after = plan_world_days(world);
    assert_null(strstr(after, "2026-04-11"));
    size_t lost = 0;
    for (char *rest = before, *day = strsep(&rest, " "); day; day = strsep(&rest, " "))
        lost += strstr(after, day) == NULL;
    assert_int_equal(lost, 1);
    free(before);
    free(after);
    plan_world_free(world);
}

static void a_policy_without_tiers_takes_those_at_birth(void **state) {
    (void)state;
    struct plan_world *world = plan_world_new("UTC", 2, 0, 0);
    plan_world_live(world, "2026-03-02T02:00:00Z", 5);
    world->policy = (struct policy){ .max_age = 100 * DAY, .interval = DAY };
    plan_world_live(world, "2026-03-07T02:00:00Z", 2);
    assert_days(world, "2026-03-07 2026-03-08");

    /* And the other way round: today's tiers bind what was born without. */
    world->policy = (struct policy){ .daily = 2, .max_age = 100 * DAY, .interval = DAY };
    plan_world_live(world, "2026-03-09T02:00:00Z", 1);
    assert_days(world, "2026-03-08 2026-03-09");
    plan_world_free(world);
}

/* The year's first snapshot was promised to go with the next year; a later one of the year takes over. */
static void a_period_in_which_the_policy_grew_is_not_lost(void **state) {
    (void)state;
    struct plan_world *world = plan_world_new("UTC", 2, 0, 0);
    world->policy.yearly = 1;
    plan_world_live(world, "2025-12-30T02:00:00Z", 180);
    assert_days(world, "2026-01-01 2026-06-26 2026-06-27");
    world->policy.yearly = 5;
    plan_world_live(world, "2026-06-28T02:00:00Z", 365);
    assert_days(world, "2026-06-28 2027-01-01 2027-06-26 2027-06-27");
    plan_world_free(world);
}

static void a_snapshot_is_born_into_a_tier_that_is_held_for_less_time(void **state) {
    (void)state;
    struct plan_world *world = plan_world_new("UTC", 0, 1, 0);
    plan_world_add(world, at("2026-03-02T02:00:00Z"));
    int64_t later = at("2026-03-04T02:00:00Z");
    assert_int_equal(plan_birth_tiers(world->calendar, &world->policy, world->snapshots, 1, later), 0);
    world->policy.weekly = 8;
    assert_int_equal(plan_birth_tiers(world->calendar, &world->policy, world->snapshots, 1, later), TIER_WEEKLY);
    plan_world_free(world);
}

static void a_lock_follows_the_limits_at_birth(void **state) {
    (void)state;
    struct plan_world *world = plan_world_new("UTC", 3, 0, 0);
    world->policy.max_age = 60 * (int64_t)DAY;
    const struct plan_snapshot snapshot = *plan_world_add(world, at("2026-03-02T02:00:00Z"));
    world->policy.daily = 30;
    assert_int_equal(plan_lock_until(world->calendar, &world->policy, &snapshot, TIER_DAILY),
                     at("2026-03-05T00:00:00Z"));
    world->policy.daily = 2;
    assert_int_equal(plan_lock_until(world->calendar, &world->policy, &snapshot, TIER_DAILY),
                     at("2026-03-04T00:00:00Z"));

    /* And the deadline: with 4 d at birth it goes a quarter of that before it. */
    struct plan_snapshot capped = snapshot;
    capped.deadline = capped.started + 4 * DAY;
    world->policy.daily = 30;
    capped.limits[0] = 30;
    assert_int_equal(plan_lock_until(world->calendar, &world->policy, &capped, TIER_DAILY), capped.started + 3 * DAY);
    plan_world_free(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_tiers_do_not_lengthen_the_life_of_what_exists),
        cmocka_unit_test(fewer_tiers_shorten_the_life_of_what_exists),
        cmocka_unit_test(a_mistake_that_is_put_right_thins_out_nothing),
        cmocka_unit_test(a_policy_without_tiers_takes_those_at_birth),
        cmocka_unit_test(a_period_in_which_the_policy_grew_is_not_lost),
        cmocka_unit_test(a_snapshot_is_born_into_a_tier_that_is_held_for_less_time),
        cmocka_unit_test(a_lock_follows_the_limits_at_birth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
