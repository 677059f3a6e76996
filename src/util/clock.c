#include <inttypes.h>
#include <muniment/util/clock.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { MINUTE = 60, HOUR = 60 * MINUTE, DAY = 24 * HOUR };

/* What four digits of a year can say: 0000-01-01T00:00:00Z to 9999-12-31T23:59:59Z. */
static const int64_t FIRST_TIME = -INT64_C(62167219200);
static const int64_t LAST_TIME = INT64_C(253402300799);

int64_t clock_now(void) {
    return (int64_t)time(NULL);
}

double clock_monotonic(void) {
    struct timespec now = { 0 };

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Days from 1970-01-01, Gregorian throughout. `month` is 1 to 12. */
static int64_t days_of_date(int64_t year, int month, int day) {
    /* Years begin in March here, so that a leap day is the last of its year. */
    const int64_t shifted = month <= 2 ? year - 1 : year;
    const int64_t era = (shifted >= 0 ? shifted : shifted - 399) / 400;
    const int64_t year_of_era = shifted - era * 400;
    const int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static int days_in_month(int year, int month) {
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && leap ? 29 : days[month - 1];
}

static void break_down(int64_t when, struct tm *parts) {
    if (when < FIRST_TIME)
        when = FIRST_TIME;
    if (when > LAST_TIME)
        when = LAST_TIME;
    const time_t seconds = (time_t)when;
    gmtime_r(&seconds, parts);
}

char *clock_format(char *text, int64_t when) {
    struct tm parts = { 0 };

    break_down(when, &parts);
    if (strftime(text, CLOCK_TEXT, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        text[0] = '\0';
    /* strftime pads the years before 1000 with nothing. */
    if (parts.tm_year + 1900 < 1000)
        snprintf(text, CLOCK_TEXT, "%04u-%02u-%02uT%02u:%02u:%02uZ", (unsigned)(parts.tm_year + 1900) % 10000u,
                 (unsigned)(parts.tm_mon + 1) % 100u, (unsigned)parts.tm_mday % 100u, (unsigned)parts.tm_hour % 100u,
                 (unsigned)parts.tm_min % 100u, (unsigned)parts.tm_sec % 100u);
    return text;
}

char *clock_format_compact(char *text, int64_t when) {
    char full[CLOCK_TEXT];
    size_t length = 0;

    clock_format(full, when);
    for (const char *from = full; *from != '\0'; from++)
        if (*from != '-' && *from != ':')
            text[length++] = *from;
    text[length] = '\0';
    return text;
}

/* Exactly `count` digits, moving on; false otherwise. */
static bool take_digits(const char **at, int count, int *value) {
    *value = 0;
    for (int i = 0; i < count; i++, (*at)++) {
        if (**at < '0' || **at > '9')
            return false;
        *value = *value * 10 + (**at - '0');
    }
    return true;
}

static bool take_byte(const char **at, char byte) {
    if (**at != byte)
        return false;
    (*at)++;
    return true;
}

struct moment {
    int year, month, day, hour, minute, second;
};

static bool moment_is_valid(const struct moment *moment) {
    return moment->month >= 1 && moment->month <= 12 && moment->day >= 1 &&
           moment->day <= days_in_month(moment->year, moment->month) && moment->hour <= 23 && moment->minute <= 59 &&
           moment->second <= 59;
}

static int64_t moment_seconds(const struct moment *moment) {
    return days_of_date(moment->year, moment->month, moment->day) * DAY + moment->hour * HOUR +
           moment->minute * MINUTE + moment->second;
}

int clock_parse_compact(const char *text, int64_t *when, struct err *err) {
    struct moment moment = { 0 };
    const char *at = text;

    if (!take_digits(&at, 4, &moment.year) || !take_digits(&at, 2, &moment.month) ||
        !take_digits(&at, 2, &moment.day) || !take_byte(&at, 'T') || !take_digits(&at, 2, &moment.hour) ||
        !take_digits(&at, 2, &moment.minute) || !take_digits(&at, 2, &moment.second) || !take_byte(&at, 'Z') ||
        !moment_is_valid(&moment))
        return err_set(err, ERR_INVALID, "'%.32s' does not begin with a time like 20260301T020000Z", text);
    *when = moment_seconds(&moment);
    return 0;
}

/* "Z", "+02:00" or "-0530" to seconds east of UTC, to the end of the text. */
static bool take_offset(const char **at, int *offset) {
    int hours, minutes;

    *offset = 0;
    if (take_byte(at, 'Z') || take_byte(at, 'z'))
        return true;
    const char sign = **at;
    if (!take_byte(at, '+') && !take_byte(at, '-'))
        return false;
    if (!take_digits(at, 2, &hours))
        return false;
    take_byte(at, ':');
    if (!take_digits(at, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *offset = (hours * HOUR + minutes * MINUTE) * (sign == '-' ? -1 : 1);
    return true;
}

int clock_parse(const char *text, int64_t *when, struct err *err) {
    struct moment moment = { 0 };
    const char *at = text;
    int offset = 0;

    bool valid = take_digits(&at, 4, &moment.year) && take_byte(&at, '-') && take_digits(&at, 2, &moment.month) &&
                 take_byte(&at, '-') && take_digits(&at, 2, &moment.day);
    if (valid && *at != '\0')
        valid = (take_byte(&at, 'T') || take_byte(&at, 't') || take_byte(&at, ' ')) &&
                take_digits(&at, 2, &moment.hour) && take_byte(&at, ':') && take_digits(&at, 2, &moment.minute) &&
                take_byte(&at, ':') && take_digits(&at, 2, &moment.second) && take_offset(&at, &offset);
    if (!valid || *at != '\0' || !moment_is_valid(&moment)) {
        err_set(err, ERR_INVALID, "'%.64s' is not a time", text);
        return err_hint(err, "write 2026-03-01T02:00:00Z, 2026-03-01T02:00:00+01:00 or 2026-03-01");
    }
    *when = moment_seconds(&moment) - offset;
    return 0;
}

static int64_t unit_seconds(char unit) {
    switch (unit) {
    case 's':
        return 1;
    case 'm':
        return MINUTE;
    case 'h':
        return HOUR;
    case 'd':
        return DAY;
    case 'w':
        return 7 * DAY;
    case 'y':
        return 365 * (int64_t)DAY;
    default:
        return 0;
    }
}

int clock_parse_span(const char *text, int64_t *seconds, struct err *err) {
    const char *at = text;
    int64_t count = 0, span = 0;
    bool overflow = false;

    for (; *at >= '0' && *at <= '9'; at++)
        overflow |= __builtin_mul_overflow(count, 10, &count) || __builtin_add_overflow(count, *at - '0', &count);
    const int64_t unit = at > text ? unit_seconds(*at) : 0;
    if (unit == 0 || at[1] != '\0') {
        err_set(err, ERR_INVALID, "'%.64s' is not a span of time", text);
        return err_hint(err, "write a number and a unit: 30s, 15m, 36h, 90d, 2w or 1y");
    }
    /* Bounded so that adding a span to any time of four-digit years stays far from the ends of the type. */
    overflow |= __builtin_mul_overflow(count, unit, &span);
    if (overflow || span > LAST_TIME)
        return err_set(err, ERR_INVALID, "'%.64s' is longer than ten thousand years", text);
    *seconds = span;
    return 0;
}

char *clock_format_span(char *text, int64_t seconds) {
    static const struct {
        int64_t seconds;
        const char *name;
    } units[] = { { DAY, "d" }, { HOUR, "h" }, { MINUTE, "min" }, { 1, "s" } };
    const char *sign = seconds < 0 ? "-" : "";
    const uint64_t span = seconds < 0 ? -(uint64_t)seconds : (uint64_t)seconds;
    size_t unit = 0;

    while (unit < 3 && span < (uint64_t)units[unit].seconds)
        unit++;

    /* The largest unit that fits, and the next smaller one when it is not zero. */
    const uint64_t large = span / (uint64_t)units[unit].seconds;
    const uint64_t rest = span % (uint64_t)units[unit].seconds;
    const unsigned small = unit < 3 ? (unsigned)(rest / (uint64_t)units[unit + 1].seconds) % 100 : 0;
    if (small > 0)
        snprintf(text, CLOCK_TEXT, "%s%" PRIu64 " %s %u %s", sign, large, units[unit].name, small,
                 units[unit + 1].name);
    else
        snprintf(text, CLOCK_TEXT, "%s%" PRIu64 " %s", sign, large, units[unit].name);
    return text;
}
