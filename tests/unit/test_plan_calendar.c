/* The plan where calendars are odd: clocks that change, weeks 53, leap days, a time zone that is changed. */
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

static void assert_local(const struct plan_world *world, int64_t when, const char *expected) {
    char text[32];
    assert_string_equal(calendar_format_local(world->calendar, when, text), expected);
}

/* How many snapshots each tier holds. */
static void count_tiers(const struct plan_world *world, uint32_t counts[TIER_KINDS]) {
    memset(counts, 0, TIER_KINDS * sizeof *counts);
    for (size_t i = 0; i < world->count; i++)
        for (int kind = 0; kind < TIER_KINDS; kind++)
            counts[kind] += world->verdicts[i].keep && world->verdicts[i].tiers >> kind & 1;
}

/* Four years of nights: every local day has its snapshot, and the newest seven days are there every morning. */
static void live_through_changes(const char *zone, const char *first) {
    struct plan_world *world = plan_world_new(zone, 7, 5, 12);
    world->policy.yearly = 3;
    int64_t start = at(first);
    for (int night = 0; night < 4 * 365 + 1; night++) {
        int64_t now = calendar_add_days(world->calendar, start, night);
        int64_t today = calendar_period(world->calendar, PERIOD_DAY, now);
        plan_world_add(world, now);
        plan_world_make(world, now);
        assert_int_equal(world->summary.guard[0], '\0');
        plan_world_apply(world);
        for (int64_t ago = 0; ago < 7 && ago <= night; ago++)
            if (calendar_period(world->calendar, PERIOD_DAY,
                                world->snapshots[world->count - 1 - (size_t)ago].started) != today - ago)
                fail_msg("%s, night %d: the day %lld days ago is not there", zone, night, (long long)ago);
    }
    uint32_t counts[TIER_KINDS];
    plan_world_make(world, world->snapshots[world->count - 1].started);
    count_tiers(world, counts);
    assert_int_equal(counts[0], 7);
    assert_int_equal(counts[1], 5);
    assert_int_equal(counts[2], 12);
    assert_int_equal(counts[3], 3);
    plan_world_free(world);
}

static void nightly_runs_in_a_skipped_or_doubled_hour_lose_no_day(void **state) {
    (void)state;
    live_through_changes("Europe/Copenhagen", "2025-01-10T01:30:00Z");   /* 02:30 */
    live_through_changes("America/New_York", "2025-01-10T07:30:00Z");    /* 02:30 */
    live_through_changes("America/New_York", "2025-01-10T06:30:00Z");    /* 01:30, which happens twice */
    live_through_changes("Australia/Lord_Howe", "2025-01-09T15:15:00Z"); /* 02:15, half an hour is skipped */
    live_through_changes("Australia/Lord_Howe", "2025-01-09T14:45:00Z"); /* 01:45, which happens twice */
    live_through_changes("America/Santiago", "2025-01-10T02:30:00Z");    /* 23:30, before clocks change at midnight */
}

static void a_run_in_a_skipped_hour_is_later_and_in_a_doubled_one_is_the_first(void **state) {
    (void)state;
    static const struct {
        const char *zone, *day_before, *run;
    } cases[] = {
        { "Europe/Copenhagen", "2026-03-28T01:30:00Z", "2026-03-29 03:30 +0200" },
        { "Europe/Copenhagen", "2026-10-24T00:30:00Z", "2026-10-25 02:30 +0200" },
        { "America/New_York", "2026-03-07T07:30:00Z", "2026-03-08 03:30 -0400" },
        { "America/New_York", "2026-10-31T05:30:00Z", "2026-11-01 01:30 -0400" },
        { "Australia/Lord_Howe", "2026-10-02T15:45:00Z", "2026-10-04 02:45 +1100" },
        { "Australia/Lord_Howe", "2026-04-03T14:45:00Z", "2026-04-05 01:45 +1100" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct plan_world *world = plan_world_new(cases[i].zone, 7, 0, 0);
        assert_local(world, calendar_add_days(world->calendar, at(cases[i].day_before), 1), cases[i].run);
        plan_world_free(world);
    }
}

/* In Newfoundland clocks once went back at 00:01 to 23:01 of the day before. */
static void clocks_that_go_back_over_midnight_make_no_day_twice(void **state) {
    (void)state;
    struct plan_world *world = plan_world_new("America/St_Johns", 2, 0, 0);
    plan_world_add(world, at("2006-10-28T12:00:00Z"));
    plan_world_add(world, at("2006-10-29T02:30:30Z"));
    plan_world_add(world, at("2006-10-29T02:40:00Z"));
    assert_local(world, world->snapshots[1].started, "2006-10-29 00:00 -0230");
    assert_local(world, world->snapshots[2].started, "2006-10-28 23:10 -0330");
    plan_world_make(world, at("2006-10-29T02:40:00Z"));
    assert_string_equal(world->verdicts[0].reason, "daily 2 of 2");
    assert_string_equal(world->verdicts[1].reason, "daily 1 of 2");
    assert_int_equal(world->verdicts[2].tiers, 0);
    assert_true(world->verdicts[2].keep);
    plan_world_free(world);
}

static void week_53_is_a_week_and_the_new_year_begins_none(void **state) {
    (void)state;
    struct plan_world *world = plan_world_new("Europe/Copenhagen", 0, 4, 0);
    char week[16];
    plan_world_live(world, "2020-11-30T01:30:00Z", 37); /* to Tuesday, 2021-01-05 */
    assert_string_equal(calendar_format(world->calendar, PERIOD_WEEK, at("2021-01-03T12:00:00Z"), week), "2020-W53");
    assert_days(world, "2020-12-14 2020-12-21 2020-12-28 2021-01-04 2021-01-05");
    world->count = 0;
    plan_world_live(world, "2026-11-30T01:30:00Z", 36); /* to Monday, 2027-01-04 */
    assert_string_equal(calendar_format(world->calendar, PERIOD_WEEK, at("2027-01-01T12:00:00Z"), week), "2026-W53");
    assert_days(world, "2026-12-14 2026-12-21 2026-12-28 2027-01-04");

    /* The year's first is a yearly one in the middle of week 53. */
    world->count = 0;
    world->policy.yearly = 2;
    plan_world_live(world, "2026-12-20T01:30:00Z", 13);
    assert_days(world, "2026-12-20 2026-12-21 2026-12-28 2027-01-01");
    plan_world_make(world, world->snapshots[3].started);
    assert_string_equal(world->verdicts[3].reason, "yearly 1 of 2");
    plan_world_free(world);
}

static void a_leap_day_is_a_day_of_its_month_and_year(void **state) {
    (void)state;
    struct plan_world *world = plan_world_new("Europe/Copenhagen", 3, 0, 2);
    plan_world_live(world, "2028-01-31T01:30:00Z", 31); /* to 2028-03-01 */
    assert_days(world, "2028-02-01 2028-02-28 2028-02-29 2028-03-01");
    plan_world_free(world);

    /* The first snapshot of a life, on a leap day: of February and of 2028. */
    world = plan_world_new("Europe/Copenhagen", 1, 0, 1);
    world->policy.yearly = 2;
    plan_world_live(world, "2028-02-29T01:30:00Z", 366 + 306); /* to 2029-12-31 */
    assert_days(world, "2028-02-29 2029-01-01 2029-12-01 2029-12-31");
    plan_world_live(world, "2030-01-01T01:30:00Z", 1);
    assert_days(world, "2029-01-01 2030-01-01");
    plan_world_free(world);
}

/* Periods are counted anew: whoever goes has one in its place that stays, and no tier holds less than before. */
static void move_zone(const char *from, const char *to, const char *first, int nights) {
    struct plan_world *world = plan_world_new(from, 7, 4, 3);
    uint32_t before[TIER_KINDS], after[TIER_KINDS];
    world->policy.yearly = 2;
    plan_world_live(world, first, nights);
    int64_t now = world->snapshots[world->count - 1].started;
    plan_world_make(world, now);
    count_tiers(world, before);

    plan_world_move(world, to);
    plan_world_make(world, now);
    count_tiers(world, after);
    for (int kind = 0; kind < TIER_KINDS; kind++)
        if (after[kind] < before[kind])
            fail_msg("%s to %s, night %d: tier %d holds %u, no longer %u", from, to, nights, kind, after[kind],
                     before[kind]);
    assert_in_range(world->summary.expire, 0, 3);

    /* And back: but for what is gone, all is as it was. */
    plan_world_move(world, from);
    plan_world_make(world, now);
    assert_int_equal(world->summary.expire, 0);
    plan_world_free(world);
}

static void a_time_zone_that_is_changed_thins_out_nothing(void **state) {
    (void)state;
    static const char *const zones[] = { "UTC", "Europe/Copenhagen", "America/New_York", "Australia/Lord_Howe",
                                         "Pacific/Kiritimati" };
    for (size_t from = 0; from < 5; from++)
        for (size_t to = 0; to < 5; to++)
            for (int nights = 400; nights < 430; nights += 6) {
                move_zone(zones[from], zones[to], "2026-01-01T00:30:00Z", nights);
                move_zone(zones[from], zones[to], "2026-01-01T12:30:00Z", nights);
            }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nightly_runs_in_a_skipped_or_doubled_hour_lose_no_day),
        cmocka_unit_test(a_run_in_a_skipped_hour_is_later_and_in_a_doubled_one_is_the_first),
        cmocka_unit_test(clocks_that_go_back_over_midnight_make_no_day_twice),
        cmocka_unit_test(week_53_is_a_week_and_the_new_year_begins_none),
        cmocka_unit_test(a_leap_day_is_a_day_of_its_month_and_year),
        cmocka_unit_test(a_time_zone_that_is_changed_thins_out_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
