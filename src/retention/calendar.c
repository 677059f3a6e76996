#include "zone_internal.h"
#include <muniment/retention/calendar.h>
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DAY = 86400 };

struct calendar {
    struct zone zone;
};

int calendar_open(const char *zone, struct calendar **calendar, struct err *err) {
    struct zone rules = { 0 };
    if (zone[0] != '\0' && strcmp(zone, "UTC") != 0 && zone_load(&rules, zone, err) < 0)
        return -1;
    *calendar = mem_zalloc(sizeof **calendar);
    (*calendar)->zone = rules;
    return 0;
}

void calendar_close(struct calendar *calendar) {
    if (!calendar)
        return;
    zone_release(&calendar->zone);
    free(calendar);
}

/* Times outside the years 1 to 9998 are counted as the nearest inside, so that no sum overflows and years have four
 * digits. */
static int64_t bounded(int64_t when) {
    const int64_t low = -62135596800, high = 253370764799;
    return when < low ? low : when > high ? high : when;
}

static int64_t local_seconds(const struct calendar *calendar, int64_t when) {
    int64_t inside = bounded(when);
    return inside + zone_offset(&calendar->zone, inside);
}

static int64_t local_day(const struct calendar *calendar, int64_t when) {
    return floor_div(local_seconds(calendar, when), DAY);
}

/* Weeks since that of 1970-01-01, which began on Monday, 1969-12-29. */
static int64_t week_of_day(int64_t day) {
    return floor_div(day + 3, 7);
}

void calendar_periods(const struct calendar *calendar, int64_t when, int64_t numbers[4]) {
    int64_t days = local_day(calendar, when), year;
    int month, day;
    date_from_days(days, &year, &month, &day);
    numbers[PERIOD_DAY] = days;
    numbers[PERIOD_WEEK] = week_of_day(days);
    numbers[PERIOD_MONTH] = year * 12 + month - 1;
    numbers[PERIOD_YEAR] = year;
}

int64_t calendar_period(const struct calendar *calendar, enum period period, int64_t when) {
    int64_t numbers[4];
    calendar_periods(calendar, when, numbers);
    return numbers[period];
}

char *calendar_format(const struct calendar *calendar, enum period period, int64_t when, char *text) {
    int64_t days = local_day(calendar, when), year, first;
    int month, day;
    if (period == PERIOD_WEEK) {
        /* A week belongs to the year that its Thursday is in. */
        int64_t thursday = week_of_day(days) * 7;
        date_from_days(thursday, &year, &month, &day);
        first = days_from_date(year, 1, 1);
        snprintf(text, 16, "%04u-W%02u", (unsigned)year % 10000, (unsigned)((thursday - first) / 7 + 1) % 100);
        return text;
    }
    date_from_days(days, &year, &month, &day);
    if (period == PERIOD_DAY)
        snprintf(text, 16, "%04u-%02u-%02u", (unsigned)year % 10000, (unsigned)month % 100, (unsigned)day % 100);
    else if (period == PERIOD_MONTH)
        snprintf(text, 16, "%04u-%02u", (unsigned)year % 10000, (unsigned)month % 100);
    else
        snprintf(text, 16, "%04u", (unsigned)year % 10000);
    return text;
}

char *calendar_format_local(const struct calendar *calendar, int64_t when, char *text) {
    int64_t local = local_seconds(calendar, when), year;
    int64_t days = floor_div(local, DAY), second = local - days * DAY;
    int offset = (int)(local - bounded(when)), month, day;
    date_from_days(days, &year, &month, &day);
    unsigned east = (unsigned)abs(offset);
    snprintf(text, 32, "%04u-%02u-%02u %02u:%02u %c%02u%02u", (unsigned)year % 10000, (unsigned)month % 100,
             (unsigned)day % 100, (unsigned)(second / 3600) % 100, (unsigned)(second / 60 % 60), offset < 0 ? '-' : '+',
             east / 3600 % 100, east / 60 % 60);
    return text;
}

int64_t calendar_add_days(const struct calendar *calendar, int64_t when, int days) {
    int64_t local = local_seconds(calendar, when) + (int64_t)days * DAY;

    /* Of a time that happens twice, the first; of one that is skipped, as much later as the clocks jumped. */
    int32_t before = zone_offset(&calendar->zone, bounded(local - DAY));
    int32_t after = zone_offset(&calendar->zone, bounded(local + DAY));
    if (zone_offset(&calendar->zone, bounded(local - before)) == before)
        return local - before;
    if (zone_offset(&calendar->zone, bounded(local - after)) == after)
        return local - after;
    return local - before;
}
