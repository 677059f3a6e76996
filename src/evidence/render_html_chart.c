#include "render_html_internal.h"
#include <muniment/util/clock.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* --- calendar: a grid a month, Monday first ------------------------------------------------------------------------
 */

enum { CELL = 14, WEEK = 7, DAY = 86400 };

struct day {
    int year, month, day; /* month from 0 */
};

static struct day parse_day(const char *text) {
    struct day day = { 0 };
    if (sscanf(text, "%d-%d-%d", &day.year, &day.month, &day.day) == 3 && day.month >= 1 && day.month <= 12)
        day.month--;
    else
        day = (struct day){ .year = 1970, .day = 1 };
    return day;
}

/* 0: Monday. */
static int weekday(int year, int month, int day) {
    struct tm tm = { .tm_year = year - 1900, .tm_mon = month, .tm_mday = day };
    timegm(&tm);
    return (tm.tm_wday + 6) % WEEK;
}

/* How much a reader should see of a day that had several runs. */
static int weight(enum run_outcome outcome) {
    static const int WEIGHTS[] = {
        [RUN_OK] = 0, [RUN_EXPECTED] = 1, [RUN_LATE] = 2, [RUN_PARTIAL] = 3, [RUN_FAILED] = 4, [RUN_MISSED] = 5
    };
    return WEIGHTS[outcome];
}

/* One day: the runs from `first` that share it. Returns how many there are. */
static size_t put_day(struct buffer *out, const struct report *report, size_t first, int lead) {
    const struct report_run *run = &report->runs[first];
    struct day day = parse_day(run->day);
    size_t count = 1;
    while (first + count < report->run_count && strcmp(report->runs[first + count].day, report->runs[first].day) == 0) {
        if (weight(report->runs[first + count].outcome) > weight(run->outcome))
            run = &report->runs[first + count];
        count++;
    }
    int at = lead + day.day - 1;
    buffer_printf(out, "<use href=\"#r%d\" x=%d y=%d><title>%s: %s", (int)run->outcome, at % WEEK * CELL,
                  at / WEEK * CELL, run->day, run_outcome_text(run->outcome));
    if (run->reason != NULL) {
        buffer_printf(out, ", ");
        html_text(out, run->reason);
    }
    buffer_printf(out, "</title></use>");
    return count;
}

void html_calendar(struct buffer *out, const struct report *report) {
    if (report->run_count == 0)
        return;
    buffer_printf(out, "<div class=months>\n");
    for (size_t i = 0; i < report->run_count;) {
        struct day month = parse_day(report->runs[i].day);
        int lead = weekday(month.year, month.month, 1);
        buffer_printf(
            out,
            "<figure class=month><figcaption>%.3s <span>%d</span></figcaption><svg role=img width=%d height=%d "
            "aria-label=\"Runs of %s %d\">",
            HTML_MONTHS[month.month], month.year, WEEK * CELL - 2, 6 * CELL - 2, HTML_MONTHS[month.month], month.year);
        while (i < report->run_count) {
            struct day day = parse_day(report->runs[i].day);
            if (day.month != month.month || day.year != month.year)
                break;
            i += put_day(out, report, i, lead);
        }
        buffer_printf(out, "</svg></figure>\n");
    }
    buffer_printf(out, "</div>\n<p class=legend>");
    static const char *const WORDS[] = { "as expected", "late", "partial", "failed", "missed", "not over yet" };
    for (int outcome = 0; outcome <= RUN_EXPECTED; outcome++) {
        buffer_printf(out, "<span>");
        html_mark(out, "", "r%d", outcome);
        buffer_printf(out, "%s</span> ", WORDS[outcome]);
    }
    buffer_printf(out, "</p>\n");
}

/* --- timeline: a row a snapshot, from its capture to the moment by which it must be gone ----------------------------
 */

struct timeline {
    const struct report *report;
    int64_t from, until;
    int row; /* height */
    size_t rows;
};

static double position(const struct timeline *timeline, int64_t when) {
    double share = (double)(when - timeline->from) / (double)(timeline->until - timeline->from);
    return 100 * (share < 0 ? 0 : share > 1 ? 1 : share);
}

static struct timeline measure(const struct report *report) {
    struct timeline timeline = { .report = report, .until = report->generated };
    for (size_t i = 0; i < report->snapshot_count; i++) {
        const struct report_snapshot *snapshot = &report->snapshots[i];
        if (!snapshot->exists)
            continue;
        if (timeline.rows++ == 0 || snapshot->started < timeline.from)
            timeline.from = snapshot->started;
        if (snapshot->gone_by > timeline.until)
            timeline.until = snapshot->gone_by;
    }
    int64_t margin = (timeline.until - timeline.from) / 50 + DAY;
    timeline.from -= margin;
    timeline.until += margin;
    timeline.row = timeline.rows > 60 ? 9 : 18;
    return timeline;
}

/* The tier that keeps it longest decides its shape: t0 (none), t1, t2, t4, t8. */
static int longest_tier(uint8_t tiers) {
    int longest = 0;
    for (int bit = TIER_DAILY; bit <= TIER_YEARLY; bit <<= 1)
        longest = tiers & bit ? bit : longest;
    return longest;
}

static void put_axis(struct buffer *out, const struct timeline *timeline, int height) {
    struct tm tm;
    time_t from = (time_t)timeline->from;
    gmtime_r(&from, &tm);
    int months = (int)((timeline->until - timeline->from) / (30 * (int64_t)DAY)) + 1, step = months / 6 + 1;
    for (int month = 1; month <= months + 1; month += step) {
        struct tm tick = { .tm_year = tm.tm_year, .tm_mon = tm.tm_mon + month, .tm_mday = 1 };
        int64_t when = timegm(&tick);
        if (when >= timeline->until)
            break;
        double at = position(timeline, when);
        buffer_printf(out,
                      "<line class=grid x1=\"%.2f%%\" x2=\"%.2f%%\" y1=20 y2=%d /><text x=\"%.2f%%\" y=13>%.3s</text>",
                      at, at, height, at, HTML_MONTHS[tick.tm_mon]);
    }
    double now = position(timeline, timeline->report->generated);
    buffer_printf(out, "<line class=now x1=\"%.2f%%\" x2=\"%.2f%%\" y1=20 y2=%d />", now, now, height);
}

static void put_bar(struct buffer *out, const struct timeline *timeline, const struct report_snapshot *snapshot,
                    int y) {
    int tier = longest_tier(snapshot->tiers), thick = timeline->row > 9 ? 6 : 4;
    double begin = position(timeline, snapshot->started);
    double end = position(timeline, snapshot->gone_by != 0 ? snapshot->gone_by : timeline->until);
    char from[CLOCK_TEXT], gone[CLOCK_TEXT];
    buffer_printf(
        out,
        "<rect class=\"bar b%d%s%s\" x=\"%.2f%%\" y=%d width=\"%.2f%%\" height=%d><title>%s: %s to %s</title></rect>",
        tier, snapshot->outcome == OUTCOME_COMPLETE ? "" : " partial", snapshot->past_deadline ? " late" : "", begin,
        y - thick / 2, end - begin, thick, snapshot->short_name, clock_format(from, snapshot->started),
        snapshot->gone_by != 0 ? clock_format(gone, snapshot->gone_by) : "no date");
    buffer_printf(out, "<svg class=tier x=\"%.2f%%\" y=%d overflow=visible><use href=\"#t%d\"/></svg>", begin, y, tier);
}

static void put_legend(struct buffer *out) {
    static const struct {
        const char *shape, *word;
    } TIERS[] = { { "l1", "daily" }, { "l2", "weekly" }, { "l4", "monthly" }, { "l8", "yearly" }, { "l0", "no tier" } };
    buffer_printf(out, "<p class=legend>");
    for (size_t i = 0; i < sizeof TIERS / sizeof *TIERS; i++) {
        buffer_printf(out, "<span>");
        html_mark(out, "", "%s", TIERS[i].shape);
        buffer_printf(out, "%s</span> ", TIERS[i].word);
    }
    buffer_printf(out, "<span class=gap></span>");
    for (int state = 0; state <= COPY_UNKNOWN; state++) {
        buffer_printf(out, "<span>");
        html_mark(out, "", "c%d", state);
        buffer_printf(out, "%s</span> ", copy_state_text((enum copy_state)state));
    }
    buffer_printf(out, "</p>\n");
}

/* Three drawings side by side: the middle one takes the width that is left, so that no text is ever scaled. */
void html_timeline(struct buffer *out, const struct report *report) {
    const struct timeline timeline = measure(report);
    if (timeline.rows == 0)
        return;
    int top = 26, height = top + (int)timeline.rows * timeline.row + 2, places = (int)report->store_count, y = top;
    buffer_printf(out,
                  "<figure class=timeline><figcaption>From capture to the moment by which a snapshot must be gone; "
                  "the upright line is now. Right: its copies in ");
    for (int i = 0; i < places; i++) {
        buffer_printf(out, "%s<b>", i == 0 ? "" : i + 1 == places ? " and " : ", ");
        html_text(out, report->stores[i].name);
        buffer_printf(out, "</b>");
    }
    buffer_printf(out, ".</figcaption>\n<div class=lanes><svg width=52 height=%d aria-hidden=true>", height);
    for (size_t i = 0, row = 0; i < report->snapshot_count; i++) {
        char day[CLOCK_TEXT];
        struct tm tm;
        time_t started = (time_t)report->snapshots[i].started;
        if (!report->snapshots[i].exists)
            continue;
        gmtime_r(&started, &tm);
        snprintf(day, sizeof day, "%d %.3s", tm.tm_mday, HTML_MONTHS[tm.tm_mon]);
        if (timeline.row > 9 || row % 4 == 0)
            buffer_printf(out, "<text x=46 y=%d text-anchor=end>%s</text>", y + timeline.row / 2 + 4, day);
        y += timeline.row;
        row++;
    }
    buffer_printf(out,
                  "</svg><svg class=plot width=\"100%%\" height=%d role=img><title>Snapshots and their deadlines"
                  "</title><desc>%zu snapshots, oldest first; the table below has the same dates.</desc>",
                  height, timeline.rows);
    put_axis(out, &timeline, height);
    y = top;
    for (size_t i = 0; i < report->snapshot_count; i++) {
        if (!report->snapshots[i].exists)
            continue;
        put_bar(out, &timeline, &report->snapshots[i], y + timeline.row / 2);
        y += timeline.row;
    }
    buffer_printf(out, "</svg><svg width=%d height=%d aria-hidden=true>", places * 16 + 4, height);
    y = top;
    for (size_t i = 0; i < report->snapshot_count; i++) {
        const struct report_snapshot *snapshot = &report->snapshots[i];
        if (!snapshot->exists)
            continue;
        for (int place = 0; place < places; place++)
            buffer_printf(out, "<use href=\"#c%d\" x=%d y=%d />", (int)snapshot->copies[place].state, place * 16 + 4,
                          y + timeline.row / 2 - 6);
        y += timeline.row;
    }
    buffer_printf(out, "</svg></div>");
    put_legend(out);
    buffer_printf(out, "</figure>\n");
}
