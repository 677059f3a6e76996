/*
 * The rules of a time zone: its changes of offset, read from a TZif file (RFC 8536), and the POSIX rule that goes on
 * after the last of them. The C library only answers for the zone of the whole process; these answer for any.
 */
#ifndef MUNIMENT_RETENTION_ZONE_INTERNAL_H
#define MUNIMENT_RETENTION_ZONE_INTERNAL_H

#include <muniment/util/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One of the two yearly changes of a POSIX rule, in local time before the change. */
struct zone_change {
    enum { CHANGE_JULIAN, CHANGE_DAY, CHANGE_WEEKDAY } kind; /* Jn (no leap day), n, Mm.w.d */
    int month, week, day;
    int32_t time; /* seconds after midnight; may be negative or beyond a day */
};

struct zone_rule {
    bool known;            /* false: the last change stays for good */
    bool summer;           /* has the two changes */
    int32_t offset;        /* seconds east of UTC in standard time */
    int32_t summer_offset; /* the same while summer time holds */
    struct zone_change begin, end;
};

struct zone {
    int64_t *changes; /* times at which the offset changes, ascending */
    int32_t *offsets; /* from changes[i] on, seconds east of UTC */
    size_t count;
    int32_t first_offset; /* before changes[0] */
    struct zone_rule rule;
};

/* Reads "Europe/Copenhagen" from the system's tz database. */
int zone_load(struct zone *zone, const char *name, struct err *err) MUST_CHECK;
void zone_release(struct zone *zone);

/* Decodes the bytes of a TZif file; `name` is for messages. */
int zone_decode(struct zone *zone, const char *name, const void *data, size_t length, struct err *err) MUST_CHECK;

/* Decodes "CET-1CEST,M3.5.0,M10.5.0/3"; false when it is not such a rule. */
bool zone_rule_parse(struct zone_rule *rule, const char *text);

/* Seconds east of UTC at that moment. */
int32_t zone_offset(const struct zone *zone, int64_t when);

/* Days since 1970-01-01 of a date of the proleptic Gregorian calendar, and back. */
int64_t days_from_date(int64_t year, int month, int day);
void date_from_days(int64_t days, int64_t *year, int *month, int *day);

/* Rounds towards minus infinity. */
static inline int64_t floor_div(int64_t value, int64_t by) {
    return value / by - (value % by < 0);
}

#endif
