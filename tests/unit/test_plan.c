#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/plan_world.h"
#include "../lib/scratch.h"
#include "../lib/times.h"
#include <muniment/retention/plan.h>
#include <muniment/util/clock.h>
#include <stdlib.h>
#include <string.h>

enum { DAY = 86400, HOUR = 3600 };

static void add_nights(struct plan_world *world, const char *first, int nights) {
    int64_t start = at(first);
    for (int i = 0; i < nights; i++)
        plan_world_add(world, calendar_add_days(world->calendar, start, i));
}

static int64_t newest(const struct plan_world *world) {
    return world->snapshots[world->count - 1].started;
}

/* --- named cases ---------------------------------------------------------------------------------------------------
 */

static void each_tier_keeps_the_first_of_its_newest_periods(void **state) {
    (void)state;
    struct plan_world *world = plan_world_new("UTC", 3, 2, 2);
    add_nights(world, "2026-01-01T02:00:00Z", 60); /* to Sunday, 2026-03-01 */
    plan_world_make(world, newest(world));
    const char *const kept[] = { "2026-02-01T02:00:00Z", "2026-02-16T02:00:00Z", "2026-02-23T02:00:00Z",
                                 "2026-02-27T02:00:00Z", "2026-02-28T02:00:00Z", "2026-03-01T02:00:00Z" };
    plan_world_apply(world);
    assert_int_equal(world->count, 6);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(world->snapshots[i].started, at(kept[i]));
    plan_world_make(world, newest(world));
    assert_int_equal(world->summary.expire, 0);
    assert_string_equal(world->verdicts[5].reason, "daily 1 of 3, monthly 1 of 2");
    assert_string_equal(world->verdicts[1].reason, "weekly 2 of 2");
    assert_int_equal(world->verdicts[0].tiers, TIER_MONTHLY);
    plan_world_free(world);
}

static void a_gap_thins_out_nothing(void **state) {
    (void)state;
    struct plan_world *world = plan_world_new("UTC", 7, 0, 0);
    add_nights(world, "2026-01-01T02:00:00Z", 7);
    plan_world_add(world, at("2026-06-01T02:00:00Z")); /* after five months of silence */
    plan_world_make(world, newest(world));
    assert_int_equal(world->summary.expire, 1); /* one new daily, one old one goes */
    assert_false(world->verdicts[0].keep);
    assert_string_equal(world->verdicts[0].reason, "beyond 7 daily");
    plan_world_free(world);
}

static void a_silent_source_loses_nothing_to_the_calendar(void **state) {
    (void)state;
    struct plan_world *world = plan_world_new("UTC", 2, 0, 0);
    add_nights(world, "2026-01-01T02:00:00Z", 5);
    plan_world_make(world, at("2026-02-01T00:00:00Z"));
    assert_int_equal(world->summary.expire, 0);
    assert_non_null(strstr(world->summary.guard, "old"));
    assert_non_null(strstr(world->verdicts[0].reason, "guard"));
    plan_world_free(world);
}

static void later_snapshots_of_a_day_stay_until_it_is_over(void **state) {
    (void)state;
    struct plan_world *world = plan_world_new("Europe/Copenhagen", 7, 0, 0);
    plan_world_add(world, at("2026-05-01T02:00:00Z"));
    plan_world_add(world, at("2026-05-01T10:00:00Z"));
    plan_world_add(world, at("2026-05-01T12:00:00Z"));
    plan_world_make(world, at("2026-05-01T21:59:59Z"));
    assert_int_equal(world->summary.expire, 0);
    plan_world_make(world, at("2026-05-01T22:00:00Z")); /* midnight there */
    assert_true(world->verdicts[0].keep);
    assert_false(world->verdicts[1].keep);
    assert_true(world->verdicts[2].keep); /* the newest complete one */
    world->policy.strict = true;
    plan_world_make(world, at("2026-05-01T22:00:00Z"));
    assert_false(world->verdicts[2].keep);
    plan_world_free(world);
}

static void a_partial_snapshot_never_takes_a_tier(void **state) {
    (void)state;
    struct plan_world *world = plan_world_new("UTC", 7, 4, 6);
    plan_world_add(world, at("2026-05-04T02:00:00Z"))->complete = false;
    plan_world_make(world, newest(world));
    assert_true(world->verdicts[0].keep);
    assert_int_equal(world->verdicts[0].tiers, 0);
    plan_world_add(world, at("2026-05-05T02:00:00Z"));
    plan_world_add(world, at("2026-05-06T02:00:00Z"))->complete = false;
    plan_world_make(world, newest(world));
    assert_false(world->verdicts[0].keep); /* a complete one came */
    assert_int_equal(world->verdicts[1].tiers, TIER_DAILY | TIER_WEEKLY | TIER_MONTHLY);
    assert_true(world->verdicts[2].keep);
    plan_world_free(world);
}

static void partial_snapshots_alone_all_stay(void **state) {
    (void)state;
    struct plan_world *world = plan_world_new("UTC", 1, 0, 0);
    add_nights(world, "2026-05-01T02:00:00Z", 5);
    for (size_t i = 0; i < world->count; i++)
        world->snapshots[i].complete = false;
    plan_world_make(world, newest(world));
    assert_int_equal(world->summary.expire, 0);
    assert_non_null(strstr(world->summary.guard, "no complete"));
    plan_world_free(world);
}

static void a_stale_newest_snapshot_stops_the_tiers(void **state) {
    (void)state;
    struct plan_world *world = plan_world_new("UTC", 2, 0, 0);
    add_nights(world, "2026-05-01T02:00:00Z", 4);
    plan_world_make(world, newest(world) + DAY + DAY / 2);
    assert_int_equal(world->summary.expire, 2);
    plan_world_make(world, newest(world) + DAY + DAY / 2 + 1);
    assert_int_equal(world->summary.expire, 0);
    plan_world_free(world);
}

static void a_shrunken_newest_snapshot_stops_the_tiers_until_it_is_the_rule(void **state) {
    (void)state;
    struct plan_world *world = plan_world_new("UTC", 2, 0, 0);
    add_nights(world, "2026-05-01T02:00:00Z", 8);
    world->snapshots[7].bytes = 500;
    plan_world_make(world, newest(world));
    assert_string_equal(world->summary.guard, "");
    world->snapshots[7].bytes = 499;
    plan_world_make(world, newest(world));
    assert_int_equal(world->summary.expire, 0);
    assert_non_null(strstr(world->summary.guard, "499"));

    /* Four nights later most of those it is compared with are as small. */
    for (int i = 1; i <= 4; i++)
        plan_world_add(world, newest(world) + DAY)->bytes = 499;
    plan_world_make(world, newest(world));
    assert_string_equal(world->summary.guard, "");
    assert_int_equal(world->summary.keep, 2);
    plan_world_free(world);
}

static void a_lost_database_stops_the_tiers_for_a_week(void **state) {
    (void)state;
    struct plan_world *world = plan_world_new("UTC", 1, 0, 0);
    add_nights(world, "2026-05-01T02:00:00Z", 3);
    for (int night = 0; night < 7; night++) {
        plan_world_add(world, newest(world) + DAY)->units = 2;
        plan_world_make(world, newest(world));
        assert_int_equal(world->summary.expire, 0);
        assert_non_null(strstr(world->summary.guard, "lost"));
        plan_world_apply(world);
    }
    plan_world_add(world, newest(world) + DAY)->units = 2;
    plan_world_make(world, newest(world));
    assert_int_equal(world->summary.keep, 1);
    plan_world_free(world);
}

static void max_age_beats_tiers_and_guard(void **state) {
    (void)state;
    struct plan_world *world = plan_world_new("UTC", 100, 100, 100);
    world->policy.max_age = 30 * DAY;
    add_nights(world, "2026-01-01T02:00:00Z", 40);
    world->snapshots[39].bytes = 1; /* the guard is up */
    plan_world_make(world, newest(world));
    assert_string_not_equal(world->summary.guard, "");
    for (size_t i = 0; i < world->count; i++)
        assert_int_equal(world->verdicts[i].keep, i >= 12); /* 28 days: two before the deadline */
    assert_non_null(strstr(world->verdicts[0].reason, "max_age 30 d reached"));
    assert_int_equal(world->summary.next_expiry, world->snapshots[12].started + 30 * DAY);
    plan_world_free(world);
}

static void a_hold_beats_max_age(void **state) {
    (void)state;
    struct plan_world *world = plan_world_new("UTC", 7, 0, 0);
    world->policy.max_age = 30 * DAY;
    plan_world_add(world, at("2026-01-01T02:00:00Z"))->held = true;
    add_nights(world, "2026-06-01T02:00:00Z", 8);
    plan_world_make(world, newest(world));
    assert_true(world->verdicts[0].keep);
    assert_true(world->verdicts[0].past_deadline);
    assert_false(world->verdicts[1].keep); /* the hold takes no tier, and gives none */
    assert_true(world->verdicts[2].keep);
    plan_world_free(world);
}

static void the_last_good_copy_outlives_its_deadline_unless_strict(void **state) {
    (void)state;
    struct plan_world *world = plan_world_new("UTC", 7, 0, 0);
    world->policy.max_age = 30 * DAY;
    add_nights(world, "2026-01-01T02:00:00Z", 3);
    plan_world_add(world, at("2026-01-04T02:00:00Z"))->complete = false;
    plan_world_make(world, at("2026-06-01T00:00:00Z"));
    assert_false(world->verdicts[1].keep);
    assert_true(world->verdicts[2].keep);
    assert_true(world->verdicts[2].past_deadline);
    assert_non_null(strstr(world->verdicts[2].reason, "last good copy"));
    assert_false(world->verdicts[3].keep);
    world->policy.strict = true;
    plan_world_make(world, at("2026-06-01T00:00:00Z"));
    assert_int_equal(world->summary.keep, 0);
    plan_world_free(world);
}

static void the_deadline_at_birth_binds(void **state) {
    (void)state;
    struct plan_world *world = plan_world_new("UTC", 100, 0, 0);
    world->policy.max_age = 30 * DAY;
    add_nights(world, "2026-01-01T02:00:00Z", 40);
    world->policy.max_age = 365 * DAY; /* longer: too late for these */
    plan_world_make(world, newest(world));
    assert_int_equal(world->summary.expire, 12);
    world->policy.max_age = 0; /* none any more: the same */
    plan_world_make(world, newest(world));
    assert_int_equal(world->summary.expire, 12);
    world->policy.max_age = 20 * DAY; /* shorter: at once */
    plan_world_make(world, newest(world));
    assert_int_equal(world->summary.expire, 22);
    assert_int_equal(world->verdicts[39].deadline, newest(world) + 20 * DAY);
    plan_world_free(world);
}

static void without_tiers_only_max_age_ends_snapshots(void **state) {
    (void)state;
    struct plan_world *world = plan_world_new("UTC", 0, 0, 0);
    add_nights(world, "2026-01-01T02:00:00Z", 40);
    plan_world_make(world, newest(world));
    assert_int_equal(world->summary.expire, 0);
    world->policy.max_age = 20 * DAY;
    plan_world_make(world, newest(world));
    assert_int_equal(world->summary.expire, 22);
    plan_world_free(world);
}

static void days_of_23_and_25_hours_are_days(void **state) {
    (void)state;
    struct plan_world *world = plan_world_new("Europe/Copenhagen", 100, 0, 0);
    add_nights(world, "2026-03-26T01:30:00Z", 6); /* 02:30, which 2026-03-29 lacks */
    add_nights(world, "2026-10-23T00:30:00Z", 5); /* 02:30, which 2026-10-25 has twice */
    plan_world_make(world, newest(world));
    for (size_t i = 0; i < world->count; i++)
        assert_int_equal(world->verdicts[i].tiers, TIER_DAILY);
    plan_world_free(world);
}

static void week_53_belongs_to_the_old_year(void **state) {
    (void)state;
    struct plan_world *world = plan_world_new("UTC", 0, 2, 0);
    add_nights(world, "2026-12-28T02:00:00Z", 9); /* W53 from Monday on, W01 from 2027-01-04 */
    plan_world_make(world, newest(world));
    plan_world_apply(world);
    assert_int_equal(world->snapshots[0].started, at("2026-12-28T02:00:00Z"));
    assert_int_equal(world->snapshots[1].started, at("2027-01-04T02:00:00Z"));
    plan_world_free(world);
}

static void a_leap_day_counts_as_any_other(void **state) {
    (void)state;
    struct plan_world *world = plan_world_new("UTC", 3, 0, 1);
    add_nights(world, "2028-02-27T02:00:00Z", 4);
    plan_world_make(world, newest(world));
    assert_false(world->verdicts[0].keep);
    assert_int_equal(world->verdicts[2].tiers, TIER_DAILY); /* 2028-02-29 */
    assert_int_equal(world->verdicts[3].tiers, TIER_DAILY | TIER_MONTHLY);
    plan_world_free(world);
}

static void a_clock_that_was_set_back_changes_nothing(void **state) {
    (void)state;
    struct err err = { 0 };
    struct plan_world *world = plan_world_new("UTC", 1, 0, 0);
    add_nights(world, "2026-05-01T02:00:00Z", 3);
    int64_t now = newest(world) - DAY;
    plan_world_make(world, now);
    assert_failure(plan_make(&world->policy, world->calendar, world->snapshots, world->count, now - 1, world->verdicts,
                             &world->summary, &err),
                   ERR_REFUSED, &err);
    plan_world_free(world);
}

static void snapshots_out_of_order_are_refused(void **state) {
    (void)state;
    struct err err = { 0 };
    struct plan_world *world = plan_world_new("UTC", 1, 0, 0);
    plan_world_add(world, at("2026-05-02T02:00:00Z"));
    plan_world_add(world, at("2026-05-01T02:00:00Z"));
    assert_failure(plan_make(&world->policy, world->calendar, world->snapshots, world->count,
                             at("2026-05-02T02:00:00Z"), world->verdicts, &world->summary, &err),
                   ERR_INVALID, &err);
    plan_world_free(world);
}

static void tiers_at_birth_are_those_the_plan_gives(void **state) {
    (void)state;
    struct plan_world *world = plan_world_new("Europe/Copenhagen", 7, 4, 6);
    world->policy.yearly = 1;
    add_nights(world, "2025-11-20T02:00:00Z", 100);
    for (size_t i = 0; i < 100; i++) {
        int64_t when = world->snapshots[i].started;
        uint8_t tiers = plan_birth_tiers(world->calendar, &world->policy, world->snapshots, i, when);
        world->count = i + 1;
        plan_world_make(world, when);
        assert_int_equal(tiers, world->verdicts[i].tiers);
        assert_int_equal(plan_birth_tiers(world->calendar, &world->policy, world->snapshots, i + 1, when + 60), 0);
    }
    plan_world_free(world);
}

static void slack_is_two_runs_or_a_quarter(void **state) {
    (void)state;
    struct policy policy = { .max_age = 90 * DAY };
    assert_int_equal(plan_slack(&policy), 2 * DAY);
    policy.max_age = 4 * DAY;
    assert_int_equal(plan_slack(&policy), DAY);
    policy.interval = HOUR;
    assert_int_equal(plan_slack(&policy), 2 * HOUR);
    policy.max_age = 0;
    assert_int_equal(plan_slack(&policy), 0);
}

/* --- reach and simulation ------------------------------------------------------------------------------------------
 */

static bool never(void *context, int day) {
    (void)context;
    (void)day;
    return false;
}

static bool two_of_three(void *context, int day) {
    (void)context;
    return day % 3 != 0;
}

/* The most snapshots of each tier that a night shows. */
static int count_tiers(void *context, const struct simulation_night *night, struct err *err) {
    uint32_t *most = context;
    (void)err;
    for (int kind = 0; kind < 4; kind++) {
        uint32_t count = 0;
        for (size_t i = 0; i < night->count; i++)
            count += night->verdicts[i].keep && night->verdicts[i].tiers >> kind & 1;
        most[kind] = count > most[kind] ? count : most[kind];
    }
    return 0;
}

static void seven_four_six_reaches_183_days(void **state) {
    (void)state;
    struct policy policy = { .daily = 7, .weekly = 4, .monthly = 6 };
    struct policy_reach reach;
    plan_reach(&policy, &reach);
    assert_int_equal(reach.tiers_reach, 183 * DAY);
    assert_int_equal(reach.oldest_age, 183 * DAY);
    assert_int_equal(reach.erasure_horizon, 184 * DAY);
    policy.max_age = 90 * DAY;
    policy.purge_within = 7 * DAY;
    plan_reach(&policy, &reach);
    assert_int_equal(reach.oldest_age, 87 * DAY);
    assert_int_equal(reach.erasure_horizon, 90 * DAY);
    assert_int_equal(reach.daily_effective, 7);
    assert_int_equal(reach.weekly_effective, 4);
    assert_int_equal(reach.monthly_effective, 3);
}

static void reach_is_what_simulation_finds(void **state) {
    (void)state;
    struct err err = { 0 };
    struct calendar *calendar = open_zone("UTC");
    const struct policy policies[] = {
        { .daily = 7, .weekly = 4, .monthly = 6 },
        { .daily = 7, .weekly = 4, .monthly = 6, .max_age = 90 * DAY },
        { .daily = 7, .weekly = 4, .monthly = 6, .max_age = 30 * DAY },
        { .daily = 30 },
        { .weekly = 60, .max_age = 200 * DAY },
        { .monthly = 3, .yearly = 2 },
        { .max_age = 14 * DAY },
        { .daily = 5, .max_age = 3 * DAY },
    };
    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
        struct policy_reach reach;
        struct simulation_result result;
        uint32_t most[4] = { 0 };
        plan_reach(&policies[i], &reach);
        assert_success(plan_simulate(&policies[i], calendar, at("2026-01-01T02:00:00Z"), 4 * 366, never, count_tiers,
                                     most, &result, &err),
                       &err);
        assert_int_equal(result.oldest_age, reach.oldest_age);
        if (policies[i].max_age != 0 && policies[i].max_age < 60 * DAY)
            continue; /* where max_age ends a first, the next of its period that still exists takes its tier */
        assert_int_equal(most[0], reach.daily_effective);
        assert_int_equal(most[1], reach.weekly_effective);
        assert_int_equal(most[2], reach.monthly_effective);
        assert_int_equal(most[3], reach.yearly_effective);
    }
    calendar_close(calendar);
}

static void a_policy_without_an_end_reaches_for_ever(void **state) {
    (void)state;
    struct policy policy = { 0 };
    struct policy_reach reach;
    plan_reach(&policy, &reach);
    assert_int_equal(reach.oldest_age, -1);
    assert_int_equal(reach.erasure_horizon, -1);

    policy = (struct policy){ .yearly = UINT32_MAX, .weekly = UINT32_MAX, .max_age = INT64_MAX };
    plan_reach(&policy, &reach); /* no sum overflows */
}

struct ages {
    int64_t limit, oldest;
};

static int watch_ages(void *context, const struct simulation_night *night, struct err *err) {
    struct ages *ages = context;
    for (size_t i = 0; i < night->count; i++) {
        int64_t age = night->when - night->snapshots[i].started;
        if (age > ages->limit && night->snapshots[i].complete)
            return err_set(err, ERR_STALE, "a snapshot is %lld seconds old", (long long)age);
        ages->oldest = age > ages->oldest ? age : ages->oldest;
    }
    return 0;
}

static bool every_eighth(void *context, int day) {
    (void)context;
    return day % 8 == 7;
}

static void one_missed_night_breaks_no_deadline(void **state) {
    (void)state;
    struct err err = { 0 };
    struct calendar *calendar = open_zone("Europe/Copenhagen");
    for (int64_t max_age = 8 * DAY; max_age < 60 * DAY; max_age += 5 * HOUR) {
        struct policy policy = { .daily = 7, .weekly = 4, .monthly = 6, .max_age = max_age };
        struct ages ages = { .limit = max_age };
        struct simulation_result result;
        assert_success(plan_simulate(&policy, calendar, at("2026-01-01T02:00:00Z"), 200, every_eighth, watch_ages,
                                     &ages, &result, &err),
                       &err);
    }
    calendar_close(calendar);
}

static void missed_nights_keep_what_there_is(void **state) {
    (void)state;
    struct err err = { 0 };
    struct calendar *calendar = open_zone("UTC");
    struct policy policy = { .daily = 7 };
    struct simulation_result result;
    assert_success(
        plan_simulate(&policy, calendar, at("2026-01-01T02:00:00Z"), 800, two_of_three, NULL, NULL, &result, &err),
        &err);
    assert_int_equal(result.most_snapshots, 7);
    assert_int_equal(result.oldest_age, (6 * 3 + 2) * DAY);
    assert_failure(plan_simulate(&policy, calendar, 0, 0, NULL, NULL, NULL, &result, &err), ERR_INVALID, &err);
    calendar_close(calendar);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_tier_keeps_the_first_of_its_newest_periods),
        cmocka_unit_test(a_gap_thins_out_nothing),
        cmocka_unit_test(a_silent_source_loses_nothing_to_the_calendar),
        cmocka_unit_test(later_snapshots_of_a_day_stay_until_it_is_over),
        cmocka_unit_test(a_partial_snapshot_never_takes_a_tier),
        cmocka_unit_test(partial_snapshots_alone_all_stay),
        cmocka_unit_test(a_stale_newest_snapshot_stops_the_tiers),
        cmocka_unit_test(a_shrunken_newest_snapshot_stops_the_tiers_until_it_is_the_rule),
        cmocka_unit_test(a_lost_database_stops_the_tiers_for_a_week),
        cmocka_unit_test(max_age_beats_tiers_and_guard),
        cmocka_unit_test(a_hold_beats_max_age),
        cmocka_unit_test(the_last_good_copy_outlives_its_deadline_unless_strict),
        cmocka_unit_test(the_deadline_at_birth_binds),
        cmocka_unit_test(without_tiers_only_max_age_ends_snapshots),
        cmocka_unit_test(days_of_23_and_25_hours_are_days),
        cmocka_unit_test(week_53_belongs_to_the_old_year),
        cmocka_unit_test(a_leap_day_counts_as_any_other),
        cmocka_unit_test(a_clock_that_was_set_back_changes_nothing),
        cmocka_unit_test(snapshots_out_of_order_are_refused),
        cmocka_unit_test(tiers_at_birth_are_those_the_plan_gives),
        cmocka_unit_test(slack_is_two_runs_or_a_quarter),
        cmocka_unit_test(seven_four_six_reaches_183_days),
        cmocka_unit_test(reach_is_what_simulation_finds),
        cmocka_unit_test(a_policy_without_an_end_reaches_for_ever),
        cmocka_unit_test(one_missed_night_breaks_no_deadline),
        cmocka_unit_test(missed_nights_keep_what_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
