#include "zone_internal.h"
#include <ctype.h>
#include <muniment/util/buffer.h>
#include <muniment/util/file.h>
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ZONE_FILE_MAX = 256 * 1024,
    ZONE_CHANGES_MAX = 10000,
    ZONE_RULE_MAX = 128,
    OFFSET_MAX = 26 * 3600, /* what RFC 8536 allows, and more than any zone ever had */
    HEADER_SIZE = 44,
};

static const char ZONE_FOLDER[] = "/usr/share/zoneinfo";

/* --- dates ------------------------------------------------------------------------------------------------------- */

/* Years are counted from March here, so that the leap day is the last day of a year. 719468 is 0000-03-01. */
int64_t days_from_date(int64_t year, int month, int day) {
    int64_t shifted = month > 2 ? year : year - 1;
    int64_t era = floor_div(shifted, 400);
    int64_t year_of_era = shifted - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

void date_from_days(int64_t days, int64_t *year, int *month, int *day) {
    int64_t shifted = days + 719468;
    int64_t era = floor_div(shifted, 146097);
    int64_t day_of_era = shifted - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t from_march = (5 * day_of_year + 2) / 153;
    *day = (int)(day_of_year - (153 * from_march + 2) / 5 + 1);
    *month = (int)(from_march < 10 ? from_march + 3 : from_march - 9);
    *year = era * 400 + year_of_era + (*month <= 2);
}

/* --- POSIX rules ---------------------------------------------------------------------------------------------------
 */

static bool take(const char **at, char expected) {
    if (**at != expected)
        return false;
    (*at)++;
    return true;
}

static bool take_number(const char **at, int low, int high, int *number) {
    if (!isdigit((unsigned char)**at))
        return false;
    int value = 0;
    while (isdigit((unsigned char)**at)) {
        value = value * 10 + (**at - '0');
        if (value > high)
            return false;
        (*at)++;
    }
    *number = value;
    return value >= low;
}

/* "CET" or "<+03>": only skipped, because nothing here shows abbreviations. */
static bool skip_name(const char **at) {
    const char *begin = *at;
    if (take(at, '<')) {
        while (isalnum((unsigned char)**at) || **at == '+' || **at == '-')
            (*at)++;
        return *at - begin >= 4 && take(at, '>');
    }
    while (isalpha((unsigned char)**at))
        (*at)++;
    return *at - begin >= 3;
}

/* "[+-]hh[:mm[:ss]]" */
static bool take_time(const char **at, int hours_max, int32_t *seconds) {
    int sign = 1, hours = 0, minutes = 0, rest = 0;
    if (take(at, '-'))
        sign = -1;
    else
        (void)take(at, '+');
    if (!take_number(at, 0, hours_max, &hours))
        return false;
    if (take(at, ':') && !take_number(at, 0, 59, &minutes))
        return false;
    if (take(at, ':') && !take_number(at, 0, 59, &rest))
        return false;
    *seconds = sign * (hours * 3600 + minutes * 60 + rest);
    return true;
}

/* ",M3.5.0/2", ",J60" or ",59"; two in the morning unless it says otherwise. */
static bool take_change(const char **at, struct zone_change *change) {
    if (!take(at, ','))
        return false;
    if (take(at, 'M')) {
        change->kind = CHANGE_WEEKDAY;
        if (!take_number(at, 1, 12, &change->month) || !take(at, '.') || !take_number(at, 1, 5, &change->week) ||
            !take(at, '.') || !take_number(at, 0, 6, &change->day))
            return false;
    } else if (take(at, 'J')) {
        change->kind = CHANGE_JULIAN;
        if (!take_number(at, 1, 365, &change->day))
            return false;
    } else {
        change->kind = CHANGE_DAY;
        if (!take_number(at, 0, 365, &change->day))
            return false;
    }
    change->time = 2 * 3600;
    return !take(at, '/') || take_time(at, 167, &change->time);
}

bool zone_rule_parse(struct zone_rule *rule, const char *text) {
    *rule = (struct zone_rule){ .known = true };
    int32_t west;
    if (!skip_name(&text) || !take_time(&text, 24, &west))
        return false;
    rule->offset = -west;
    if (*text == '\0')
        return true;

    rule->summer = true;
    rule->summer_offset = rule->offset + 3600;
    if (!skip_name(&text))
        return false;
    if (*text != ',') {
        if (!take_time(&text, 24, &west))
            return false;
        rule->summer_offset = -west;
    }
    return take_change(&text, &rule->begin) && take_change(&text, &rule->end) && *text == '\0';
}

/* The local second, counted as if in UTC, at which the change happens in `year`. */
static int64_t change_in_year(const struct zone_change *change, int64_t year) {
    int64_t day = days_from_date(year, 1, 1);
    bool leap = days_from_date(year + 1, 1, 1) - day == 366;
    if (change->kind == CHANGE_DAY) {
        day += change->day;
    } else if (change->kind == CHANGE_JULIAN) {
        day += change->day - 1 + (leap && change->day >= 60);
    } else {
        int64_t first = days_from_date(year, change->month, 1);
        int64_t next =
            change->month == 12 ? days_from_date(year + 1, 1, 1) : days_from_date(year, change->month + 1, 1);
        int weekday = (int)(first + 4 - floor_div(first + 4, 7) * 7); /* of the first; 1970-01-01 was a Thursday */
        day = first + (change->day - weekday + 7) % 7 + 7 * (change->week - 1);
        if (day >= next) /* week 5 means the last */
            day -= 7;
    }
    return day * 86400 + change->time;
}

static int32_t rule_offset(const struct zone_rule *rule, int64_t when) {
    if (!rule->summer)
        return rule->offset;
    int64_t year;
    int month, day;
    date_from_days(floor_div(when + rule->offset, 86400), &year, &month, &day);
    int64_t begin = change_in_year(&rule->begin, year) - rule->offset;
    int64_t end = change_in_year(&rule->end, year) - rule->summer_offset;
    bool summer = begin < end ? when >= begin && when < end : when >= begin || when < end;
    return summer ? rule->summer_offset : rule->offset;
}

/* --- TZif files ----------------------------------------------------------------------------------------------------
 */

struct counts {
    uint32_t ut, standard, leaps, changes, types, letters;
};

static uint32_t big_endian_u32(struct reader *reader) {
    uint32_t value = 0;
    for (int i = 0; i < 4; i++)
        value = value << 8 | reader_u8(reader);
    return value;
}

static int64_t big_endian_i64(struct reader *reader) {
    uint64_t high = big_endian_u32(reader);
    return (int64_t)(high << 32 | big_endian_u32(reader));
}

/* Leaves the version, 0 when this is no header. */
static uint8_t read_header(struct reader *reader, struct counts *counts) {
    const uint8_t *magic = reader_bytes(reader, 4);
    bool known = magic && memcmp(magic, "TZif", 4) == 0;
    uint8_t version = reader_u8(reader);
    (void)reader_bytes(reader, 15);
    counts->ut = big_endian_u32(reader);
    counts->standard = big_endian_u32(reader);
    counts->leaps = big_endian_u32(reader);
    counts->changes = big_endian_u32(reader);
    counts->types = big_endian_u32(reader);
    counts->letters = big_endian_u32(reader);
    if (!known || reader->failed || counts->changes > ZONE_CHANGES_MAX || counts->types == 0 || counts->types > 256 ||
        counts->letters > 4096 || counts->leaps > 4096 || counts->ut > 256 || counts->standard > 256)
        return 0;
    return version;
}

static void read_block(struct reader *reader, const struct counts *counts, struct zone *zone) {
    zone->count = counts->changes;
    zone->changes = mem_array(counts->changes, sizeof *zone->changes);
    zone->offsets = mem_array(counts->changes, sizeof *zone->offsets);
    for (uint32_t i = 0; i < counts->changes; i++) {
        zone->changes[i] = big_endian_i64(reader);
        if (i > 0 && zone->changes[i] <= zone->changes[i - 1])
            reader->failed = true;
    }

    /* Each change names a type; the types with their offsets follow. */
    const uint8_t *types = reader_bytes(reader, counts->changes);
    int32_t offsets[256];
    for (uint32_t i = 0; i < counts->types; i++) {
        offsets[i] = (int32_t)big_endian_u32(reader);
        if (offsets[i] < -OFFSET_MAX || offsets[i] > OFFSET_MAX)
            reader->failed = true;
        (void)reader_bytes(reader, 2);
    }
    for (uint32_t i = 0; types && i < counts->changes; i++) {
        if (types[i] < counts->types)
            zone->offsets[i] = offsets[types[i]];
        else
            reader->failed = true;
    }
    zone->first_offset = offsets[0];
    (void)reader_bytes(reader, counts->letters + counts->standard + (size_t)counts->ut);
}

static bool read_footer(struct reader *reader, struct zone_rule *rule) {
    char text[ZONE_RULE_MAX];
    size_t length = 0;
    if (reader_u8(reader) != '\n')
        return false;
    for (;;) {
        uint8_t byte = reader_u8(reader);
        if (reader->failed || byte == '\0' || length == sizeof text)
            return false;
        if (byte == '\n')
            break;
        text[length++] = (char)byte;
    }
    if (length == 0)
        return true;
    if (length == sizeof text)
        return false;
    text[length] = '\0';
    return zone_rule_parse(rule, text);
}

int zone_decode(struct zone *zone, const char *name, const void *data, size_t length, struct err *err) {
    *zone = (struct zone){ 0 };
    struct reader reader;
    reader_init(&reader, data, length);

    /* The first block has times of 32 bits, for old readers. */
    struct counts counts;
    uint8_t version = read_header(&reader, &counts);
    if (version < '2')
        return err_set(err, ERR_INVALID, "time zone '%s': not a TZif file of version 2 or later", name);
    (void)reader_bytes(&reader, (size_t)counts.changes * 5 + (size_t)counts.types * 6 + counts.letters +
                                    (size_t)counts.leaps * 8 + counts.standard + counts.ut);

    /* Zones that count leap seconds have other times than the system clock. */
    if (read_header(&reader, &counts) < '2' || counts.leaps > 0)
        return err_set(err, ERR_INVALID, "time zone '%s': damaged, or it counts leap seconds", name);
    read_block(&reader, &counts, zone);
    if (!read_footer(&reader, &zone->rule) || reader_finish(&reader, name, err) < 0) {
        zone_release(zone);
        return err_set(err, ERR_INVALID, "time zone '%s': its file is damaged", name);
    }
    return 0;
}

/* Names are paths below the tz database, and never lead out of it. */
static bool name_is_valid(const char *name) {
    char before = '/';
    size_t length = strlen(name);
    if (length == 0 || length >= 64 || name[length - 1] == '/')
        return false;
    for (const char *at = name; *at != '\0'; before = *at++) {
        if (!isalnum((unsigned char)*at) && strchr("_+-/", *at) == NULL)
            return false;
        if (*at == '/' && before == '/')
            return false;
    }
    return true;
}

int zone_load(struct zone *zone, const char *name, struct err *err) {
    *zone = (struct zone){ 0 };
    if (!name_is_valid(name))
        return err_set(err, ERR_INVALID, "'%s' is not the name of a time zone, such as Europe/Copenhagen or UTC", name);

    char path[sizeof ZONE_FOLDER + 66];
    snprintf(path, sizeof path, "%s/%s", ZONE_FOLDER, name);
    struct buffer bytes = { 0 };
    int result = -1;
    struct err why = { 0 };
    if (file_read(path, ZONE_FILE_MAX, &bytes, &why) < 0) {
        err_set(err, ERR_INVALID, "the system does not know the time zone '%s': %s", name, why.message);
        err_hint(err, "names are those below %s (package tzdata); UTC always works", ZONE_FOLDER);
        goto out;
    }
    result = zone_decode(zone, name, bytes.data, bytes.length, err);
out:
    buffer_release(&bytes);
    return result;
}

void zone_release(struct zone *zone) {
    free(zone->changes);
    free(zone->offsets);
    *zone = (struct zone){ 0 };
}

int32_t zone_offset(const struct zone *zone, int64_t when) {
    if (zone->count == 0 || when >= zone->changes[zone->count - 1]) {
        if (zone->rule.known)
            return rule_offset(&zone->rule, when);
        return zone->count == 0 ? zone->first_offset : zone->offsets[zone->count - 1];
    }
    if (when < zone->changes[0])
        return zone->first_offset;

    /* The last change at or before `when`. */
    size_t low = 0, high = zone->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (zone->changes[middle] <= when)
            low = middle;
        else
            high = middle;
    }
    return zone->offsets[low];
}
