/*
 * Calendar periods in a time zone. Pure functions of times (the zone's rules are read once, when it is opened).
 */
#ifndef MUNIMENT_RETENTION_CALENDAR_H
#define MUNIMENT_RETENTION_CALENDAR_H

#include <muniment/util/error.h>
#include <stdint.h>

struct calendar;

/* `zone` as in the tz database ("Europe/Copenhagen"), or "UTC", which "" means too. ERR_INVALID when the system does
 * not know it. */
int calendar_open(const char *zone, struct calendar **calendar, struct err *err) MUST_CHECK;
void calendar_close(struct calendar *calendar);

enum period { PERIOD_DAY, PERIOD_WEEK, PERIOD_MONTH, PERIOD_YEAR };

/* A number that is equal for two times exactly when they fall into the same period, and grows with time. Weeks are ISO
 * 8601 weeks. */
int64_t calendar_period(const struct calendar *calendar, enum period period, int64_t when);

/* The numbers of all four, in the order of enum period. */
void calendar_periods(const struct calendar *calendar, int64_t when, int64_t numbers[4]);

/* "2026-03-01", "2026-W09", "2026-03", "2026" into `text` (16 bytes). Returns text. */
char *calendar_format(const struct calendar *calendar, enum period period, int64_t when, char *text);

/* Local date and time of day: "2026-03-01 02:00 +0100" into `text` (32 bytes). Returns text. */
char *calendar_format_local(const struct calendar *calendar, int64_t when, char *text);

/* The moment of the local wall-clock time on the given day `days` after that of `when` (for simulating nightly runs). A
 * time that a change of clocks skips moves forward. */
int64_t calendar_add_days(const struct calendar *calendar, int64_t when, int days);

#endif
