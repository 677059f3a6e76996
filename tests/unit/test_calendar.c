#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/retention/zone_internal.h"
#include "../lib/scratch.h"
#include "../lib/times.h"
#include <muniment/retention/calendar.h>
#include <muniment/util/buffer.h>
#include <muniment/util/clock.h>
#include <muniment/util/file.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void expect_local(const struct calendar *calendar, const char *utc, const char *local) {
    char text[32];
    assert_string_equal(calendar_format_local(calendar, at(utc), text), local);
}

static void expect_period(const struct calendar *calendar, enum period period, const char *utc, const char *expected) {
    char text[16];
    assert_string_equal(calendar_format(calendar, period, at(utc), text), expected);
}

static void local_time_follows_the_zone_through_the_year(void **state) {
    (void)state;
    struct calendar *calendar = open_zone("Europe/Copenhagen");
    expect_local(calendar, "2026-01-15T12:00:00Z", "2026-01-15 13:00 +0100");
    expect_local(calendar, "2026-03-29T00:59:59Z", "2026-03-29 01:59 +0100");
    expect_local(calendar, "2026-03-29T01:00:00Z", "2026-03-29 03:00 +0200");
    expect_local(calendar, "2026-10-25T00:59:59Z", "2026-10-25 02:59 +0200");
    expect_local(calendar, "2026-10-25T01:00:00Z", "2026-10-25 02:00 +0100");
    calendar_close(calendar);

    calendar = open_zone("America/New_York");
    expect_local(calendar, "2026-07-04T03:30:00Z", "2026-07-03 23:30 -0400");
    calendar_close(calendar);
    calendar = open_zone("Asia/Kathmandu");
    expect_local(calendar, "2026-07-04T20:30:00Z", "2026-07-05 02:15 +0545");
    calendar_close(calendar);
}

static void rules_go_on_after_the_last_listed_change(void **state) {
    (void)state;
    struct calendar *calendar = open_zone("Europe/Copenhagen");
    expect_local(calendar, "2199-07-01T12:00:00Z", "2199-07-01 14:00 +0200");
    expect_local(calendar, "2199-12-01T12:00:00Z", "2199-12-01 13:00 +0100");
    calendar_close(calendar);
    calendar = open_zone("Australia/Sydney"); /* summer over the turn of the year */
    expect_local(calendar, "2199-01-01T12:00:00Z", "2199-01-01 23:00 +1100");
    expect_local(calendar, "2199-07-01T12:00:00Z", "2199-07-01 22:00 +1000");
    calendar_close(calendar);
}

/* The C library knows one zone at a time, which is enough to compare with. */
static void every_hour_of_many_years_agrees_with_the_c_library(void **state) {
    (void)state;
    const char *const zones[] = { "Europe/Copenhagen", "America/New_York",   "Australia/Lord_Howe", "Africa/Casablanca",
                                  "America/Nuuk",      "Pacific/Kiritimati", "Asia/Tehran" };
    for (size_t z = 0; z < sizeof zones / sizeof *zones; z++) {
        struct calendar *calendar = open_zone(zones[z]);
        setenv("TZ", zones[z], 1);
        tzset();
        for (int64_t when = at("1965-01-01T00:00:00Z"); when < at("2060-01-01T00:00:00Z"); when += 7 * 3600 + 1800) {
            time_t seconds = (time_t)when;
            struct tm local;
            char expected[64], text[32];
            localtime_r(&seconds, &local);
            strftime(expected, sizeof expected, "%Y-%m-%d %H:%M %z", &local);
            if (strcmp(calendar_format_local(calendar, when, text), expected) != 0)
                fail_msg("%s at %lld: %s, not %s", zones[z], (long long)when, text, expected);
            strftime(expected, sizeof expected, "%G-W%V", &local);
            assert_string_equal(calendar_format(calendar, PERIOD_WEEK, when, text), expected);
        }
        calendar_close(calendar);
    }
    unsetenv("TZ");
    tzset();
}

static void weeks_are_those_of_iso_8601(void **state) {
    (void)state;
    struct calendar *calendar = open_zone("UTC");
    expect_period(calendar, PERIOD_WEEK, "2026-12-31T12:00:00Z", "2026-W53");
    expect_period(calendar, PERIOD_WEEK, "2027-01-03T23:59:59Z", "2026-W53");
    expect_period(calendar, PERIOD_WEEK, "2027-01-04T00:00:00Z", "2027-W01");
    expect_period(calendar, PERIOD_WEEK, "2024-12-30T00:00:00Z", "2025-W01");
    assert_int_equal(calendar_period(calendar, PERIOD_WEEK, at("2026-12-28T00:00:00Z")),
                     calendar_period(calendar, PERIOD_WEEK, at("2027-01-03T23:59:59Z")));
    assert_int_equal(calendar_period(calendar, PERIOD_WEEK, at("2026-12-28T00:00:00Z")) + 1,
                     calendar_period(calendar, PERIOD_WEEK, at("2027-01-04T00:00:00Z")));
    calendar_close(calendar);
}

static void a_leap_day_is_a_day_of_its_own(void **state) {
    (void)state;
    struct calendar *calendar = open_zone("UTC");
    expect_period(calendar, PERIOD_DAY, "2028-02-29T23:59:59Z", "2028-02-29");
    expect_period(calendar, PERIOD_DAY, "2028-03-01T00:00:00Z", "2028-03-01");
    expect_period(calendar, PERIOD_DAY, "2100-02-28T23:59:59Z", "2100-02-28");
    assert_int_equal(calendar_period(calendar, PERIOD_DAY, at("2100-03-01T00:00:00Z")),
                     calendar_period(calendar, PERIOD_DAY, at("2100-02-28T00:00:00Z")) + 1);
    calendar_close(calendar);
}

static void periods_follow_local_midnight(void **state) {
    (void)state;
    struct calendar *calendar = open_zone("Europe/Copenhagen");
    expect_period(calendar, PERIOD_MONTH, "2026-06-30T21:59:59Z", "2026-06");
    expect_period(calendar, PERIOD_MONTH, "2026-06-30T22:00:00Z", "2026-07");
    expect_period(calendar, PERIOD_YEAR, "2026-12-31T23:00:00Z", "2027");
    calendar_close(calendar);
}

static void nights_keep_their_wall_clock_time(void **state) {
    (void)state;
    struct calendar *calendar = open_zone("Europe/Copenhagen");
    int64_t start = at("2026-03-01T01:30:00Z"); /* 02:30 */
    assert_int_equal(calendar_add_days(calendar, start, 27), at("2026-03-28T01:30:00Z"));
    assert_int_equal(calendar_add_days(calendar, start, 28), at("2026-03-29T01:30:00Z")); /* 02:30 is skipped: 03:30 */
    assert_int_equal(calendar_add_days(calendar, start, 29), at("2026-03-30T00:30:00Z"));
    assert_int_equal(calendar_add_days(calendar, start, 238), at("2026-10-25T00:30:00Z")); /* the first 02:30 of two */
    assert_int_equal(calendar_add_days(calendar, start, 239), at("2026-10-26T01:30:00Z"));
    assert_int_equal(calendar_add_days(calendar, start, 0), start);
    calendar_close(calendar);
}

static void times_beyond_all_years_are_held_at_the_ends(void **state) {
    (void)state;
    struct calendar *calendar = open_zone("Europe/Copenhagen");
    char text[32];
    assert_string_equal(calendar_format(calendar, PERIOD_YEAR, INT64_MAX, text), "9999");
    assert_true(calendar_period(calendar, PERIOD_DAY, INT64_MIN) < 0);
    calendar_format_local(calendar, INT64_MIN, text);
    calendar_close(calendar);
}

static void unknown_zones_are_refused(void **state) {
    (void)state;
    struct err err = { 0 };
    struct calendar *calendar;
    const char *const names[] = { " ",
                                  "Europe/Kopenhagen",
                                  "../../../etc/passwd",
                                  "/etc/localtime",
                                  "Europe/",
                                  "Europe",
                                  "Europe//Copenhagen",
                                  "zone.tab",
                                  "CET-1CEST",
                                  "right/Europe/Copenhagen" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_failure(calendar_open(names[i], &calendar, &err), ERR_INVALID, &err);
}

static void every_cut_of_a_zone_file_is_refused(void **state) {
    (void)state;
    struct err err = { 0 };
    struct buffer file = { 0 };
    struct zone zone;
    assert_success(file_read("/usr/share/zoneinfo/Europe/Copenhagen", 1 << 20, &file, &err), &err);
    for (size_t length = 0; length < file.length; length++)
        assert_failure(zone_decode(&zone, "cut", file.data, length, &err), ERR_INVALID, &err);

    /* Any other damage is refused or read as some zone, but never beyond the bytes that are there. */
    for (size_t i = 0; i < file.length; i++) {
        file.data[i] ^= 0xff;
        if (zone_decode(&zone, "damaged", file.data, file.length, &err) == 0) {
            (void)zone_offset(&zone, 0);
            zone_release(&zone);
        }
        file.data[i] ^= 0xff;
    }
    buffer_release(&file);
}

static void rules_that_are_not_rules_are_refused(void **state) {
    (void)state;
    struct zone_rule rule;
    assert_true(zone_rule_parse(&rule, "<-03>3<-02>,M3.5.0/-2,M10.5.0/-1"));
    assert_int_equal(rule.offset, -3 * 3600);
    assert_int_equal(rule.begin.time, -2 * 3600);
    assert_true(zone_rule_parse(&rule, "EST5EDT4,J60/1:30,299"));
    const char *const bad[] = { "",
                                "C1",
                                "CET",
                                "CET-25",
                                "CET-1CEST",
                                "CET-1CEST,M3.5.0",
                                "CET-1CEST,M13.5.0,M10.5.0",
                                "CET-1CEST,M3.6.0,M10.5.0",
                                "CET-1CEST,M3.5.7,M10.5.0",
                                "CET-1CEST,J0,J1",
                                "CET-1CEST,M3.5.0,M10.5.0,",
                                "<+1>1x",
                                "CET-1:60",
                                "CET-99999999999" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(zone_rule_parse(&rule, bad[i]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(local_time_follows_the_zone_through_the_year),
        cmocka_unit_test(rules_go_on_after_the_last_listed_change),
        cmocka_unit_test(every_hour_of_many_years_agrees_with_the_c_library),
        cmocka_unit_test(weeks_are_those_of_iso_8601),
        cmocka_unit_test(a_leap_day_is_a_day_of_its_own),
        cmocka_unit_test(periods_follow_local_midnight),
        cmocka_unit_test(nights_keep_their_wall_clock_time),
        cmocka_unit_test(times_beyond_all_years_are_held_at_the_ends),
        cmocka_unit_test(unknown_zones_are_refused),
        cmocka_unit_test(every_cut_of_a_zone_file_is_refused),
        cmocka_unit_test(rules_that_are_not_rules_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
