#include <muniment/util/clock.h>
#include <muniment/util/form.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

char *form_bytes(char text[FORM_TEXT], uint64_t bytes) {
    static const char *const UNITS[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
    double amount = (double)bytes;
    size_t unit = 0;
    while (amount >= 999.5 && unit + 1 < sizeof UNITS / sizeof *UNITS) {
        amount /= 1000;
        unit++;
    }
    snprintf(text, FORM_TEXT, unit > 0 && amount < 9.95 ? "%.1f %s" : "%.0f %s", amount, UNITS[unit]);
    return text;
}

char *form_count(char text[FORM_TEXT], uint64_t count, const char *one) {
    size_t length = strlen(one);
    bool ies = count != 1 && length > 1 && one[length - 1] == 'y' && strchr("aeiou", one[length - 2]) == NULL;
    snprintf(text, FORM_TEXT, "%llu %.*s%s", (unsigned long long)count, (int)(length - ies), one,
             count == 1 ? ""
             : ies      ? "ies"
                        : "s");
    return text;
}

char *form_ago(char text[FORM_TEXT], int64_t when, int64_t now) {
    char span[CLOCK_TEXT];
    if (when > now)
        snprintf(text, FORM_TEXT, "in %s", clock_format_span(span, when - now));
    else
        snprintf(text, FORM_TEXT, "%s ago", clock_format_span(span, now - when));
    return text;
}

char *form_when(char text[FORM_TEXT], int64_t when, int64_t now) {
    char moment[CLOCK_TEXT], ago[FORM_TEXT];
    snprintf(text, FORM_TEXT, "%s (%.36s)", clock_format(moment, when), form_ago(ago, when, now));
    return text;
}

char *form_speed(char text[FORM_TEXT], uint64_t bytes, double seconds) {
    char amount[FORM_TEXT];
    snprintf(text, FORM_TEXT, "%.40s/s",
             form_bytes(amount, (uint64_t)((double)bytes / (seconds > 0.001 ? seconds : 0.001))));
    return text;
}

char *form_seconds(char text[FORM_TEXT], double seconds) {
    if (seconds < 9.95)
        snprintf(text, FORM_TEXT, "%.1f s", seconds);
    else
        clock_format_span(text, (int64_t)(seconds + 0.5));
    return text;
}
