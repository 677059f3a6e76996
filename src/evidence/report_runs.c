#include "report_internal.h"
#include <muniment/util/memory.h>
#include <stdlib.h>

enum {
    DAY = 86400,
    DAY_MOST = 26 * 3600, /* a day on which clocks go back, and to spare */
    RUNS_MAX = 100000,
};

/* The first moment of the local day of `when`. */
static int64_t day_begins(const struct calendar *calendar, int64_t when) {
    int64_t day = calendar_period(calendar, PERIOD_DAY, when), before = when - DAY_MOST, after = when;
    while (after - before > 1) {
        int64_t middle = before + (after - before) / 2;
        if (calendar_period(calendar, PERIOD_DAY, middle) < day)
            before = middle;
        else
            after = middle;
    }
    return after;
}

/* Runs are expected a day, or some days, from midnight to midnight; or, where the interval is no number of days, one
 * interval after another. */
static int64_t next_run(const struct reporting *reporting, int64_t begins) {
    int64_t interval = report_interval(reporting);
    if (interval % DAY != 0 || interval / DAY > 366)
        return begins + interval;
    int64_t noon = calendar_add_days(reporting->calendar, begins + DAY / 2, (int)(interval / DAY));
    return day_begins(reporting->calendar, noon);
}

/* --- what happened --------------------------------------------------------------------------------------------------
 */

struct capture {
    int64_t started;
    const struct report_snapshot *snapshot;
    bool complete, taken;
};

struct captures {
    struct capture *items; /* in order */
    size_t count;
};

/* Every capture that is known, whether or not its snapshot still exists. */
static struct captures list_captures(const struct reporting *reporting) {
    const struct report *report = reporting->report;
    struct captures captures = { .items = mem_array(report->snapshot_count + 1, sizeof *captures.items) };
    for (size_t i = 0; i < report->snapshot_count; i++)
        captures.items[captures.count++] =
            (struct capture){ .started = report->snapshots[i].started,
                              .snapshot = &report->snapshots[i],
                              .complete = report->snapshots[i].outcome == OUTCOME_COMPLETE };
    return captures;
}

static int compare_spans(const void *left, const void *right) {
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

/* How long after the beginning of its period a run usually starts: the median. */
static int64_t usual_start(const struct reporting *reporting, const struct captures *captures) {
    bool by_day = report_interval(reporting) % DAY == 0;
    int64_t *starts = mem_array(captures->count + 1, sizeof *starts), usual = 0;
    size_t count = 0;
    for (size_t i = 0; by_day && i < captures->count; i++)
        if (captures->items[i].complete)
            starts[count++] = captures->items[i].started - day_begins(reporting->calendar, captures->items[i].started);
    if (count > 0) {
        qsort(starts, count, sizeof *starts, compare_spans);
        usual = starts[count / 2];
    }
    free(starts);
    return usual;
}

/* The number of the first capture that did not begin before `when`. */
static size_t first_from(const struct captures *captures, int64_t when) {
    size_t low = 0, high = captures->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (captures->items[middle].started < when)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The first capture of a span that no run before it is, a complete one if there is one; or NULL. */
static struct capture *find_capture(const struct captures *captures, int64_t from, int64_t until) {
    struct capture *found = NULL;
    for (size_t i = first_from(captures, from); i < captures->count && captures->items[i].started < until; i++) {
        struct capture *capture = &captures->items[i];
        if (capture->taken)
            continue;
        if (capture->complete)
            return capture;
        found = found ? found : capture;
    }
    return found;
}

static size_t count_complete(const struct captures *captures, int64_t from, int64_t until) {
    size_t count = 0;
    for (size_t i = first_from(captures, from); i < captures->count && captures->items[i].started < until; i++)
        count += captures->items[i].complete;
    return count;
}

static const struct fact *find_failure(const struct reporting *reporting, int64_t from, int64_t until) {
    const struct facts *failed = &reporting->past.kinds[FACT_FAILED];
    for (size_t i = 0; i < failed->count; i++)
        if (failed->items[i].time >= from && failed->items[i].time < until)
            return &failed->items[i];
    return NULL;
}

/* --- the calendar ---------------------------------------------------------------------------------------------------
 */

static void take_capture(struct report_run *run, struct capture *capture, bool late) {
    capture->taken = true;
    run->started = capture->started;
    run->snapshot = mem_string(capture->snapshot->name);
    run->outcome = !capture->complete ? RUN_PARTIAL : late ? RUN_LATE : RUN_OK;
}

/* A run that began after midnight of the day it was for: the next day has another one of its own. */
static struct capture *find_belated(const struct reporting *reporting, const struct captures *captures, int64_t ends,
                                    int64_t usual) {
    int64_t next_ends = next_run(reporting, ends);
    struct capture *capture = find_capture(captures, ends, ends + usual);
    return capture && capture->complete && count_complete(captures, ends, next_ends) > 1 ? capture : NULL;
}

static struct report_run judge_run(const struct reporting *reporting, const struct captures *captures, int64_t begins,
                                   int64_t ends, int64_t usual) {
    struct report_run run = { .expected = begins, .outcome = RUN_MISSED };
    struct capture *capture = find_capture(captures, begins, ends), *belated;
    const struct fact *failure;
    calendar_format(reporting->calendar, PERIOD_DAY, begins, run.day);
    if (capture) {
        take_capture(&run, capture, capture->started > begins + usual + report_interval(reporting) / 2);
    } else if ((belated = find_belated(reporting, captures, ends, usual)) != NULL) {
        take_capture(&run, belated, true);
    } else if ((failure = find_failure(reporting, begins, ends)) != NULL) {
        run.outcome = RUN_FAILED;
        run.started = failure->time;
        run.reason = mem_format("refused with status %llu", (unsigned long long)fact_count(failure, "status"));
    } else if (ends > reporting->request->now) {
        run.outcome = RUN_EXPECTED;
    }
    return run;
}

/* When the first run was expected: with the first capture that is known, or, where the old end of the journal was
 * dropped, with the first event of what is left of it. */
static int64_t first_expected(const struct reporting *reporting, const struct captures *captures) {
    int64_t first = captures->count > 0 ? captures->items[0].started : 0;
    for (size_t i = 0; i < reporting->report->chain_count; i++)
        if (reporting->report->chains[i].first > 1 && reporting->past.begins > first)
            first = reporting->past.begins;
    return first;
}

/* One sentence for runs that follow each other. */
static void tell_gap(struct reporting *reporting, size_t first, size_t last) {
    const struct report_run *runs = reporting->report->runs;
    if (first == last)
        report_find(reporting, FINDING_MISSING, NULL, NULL, "no snapshot of %s: the run %s", runs[first].day,
                    runs[first].outcome == RUN_FAILED ? "failed" : "was missed");
    else
        report_find(reporting, FINDING_MISSING, NULL, NULL, "no snapshot from %s to %s: %zu runs were missed or failed",
                    runs[first].day, runs[last].day, last - first + 1);
}

static void tell_gaps(struct reporting *reporting) {
    const struct report *report = reporting->report;
    for (size_t i = 0; i < report->run_count; i++) {
        size_t first = i;
        while (i < report->run_count &&
               (report->runs[i].outcome == RUN_MISSED || report->runs[i].outcome == RUN_FAILED))
            i++;
        if (i > first)
            tell_gap(reporting, first, i - 1);
        if (i < report->run_count && report->runs[i].outcome == RUN_PARTIAL)
            report_find(reporting, FINDING_MISSING, NULL, NULL, "the snapshot of %s is partial", report->runs[i].day);
    }
}

void report_runs(struct reporting *reporting) {
    struct report *report = reporting->report;
    struct captures captures = list_captures(reporting);
    int64_t first = first_expected(reporting, &captures), usual = usual_start(reporting, &captures);
    int64_t begins = first == 0 ? INT64_MAX : day_begins(reporting->calendar, first);
    int64_t until = reporting->erased != 0 && reporting->erased < report->until ? reporting->erased : report->until;
    while (begins < until && report->run_count < RUNS_MAX) {
        int64_t ends = next_run(reporting, begins);
        struct report_run run = judge_run(reporting, &captures, begins, ends, usual);
        if (ends > report->from) {
            report->runs = report_add(report->runs, &report->run_count, sizeof *report->runs);
            report->runs[report->run_count - 1] = run;
        } else {
            free(run.snapshot);
            free(run.reason);
        }
        begins = ends;
    }
    free(captures.items);
    tell_gaps(reporting);
}
