#include "report_internal.h"
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void report_load_holds(struct reporting *reporting) {
    struct err why = { 0 };
    if (holds_load(reporting->request->repo, &reporting->holds, &why) < 0)
        report_trouble(reporting, reporting->request->places[0].name, "holds", &why);
}

/* --- part 8 ---------------------------------------------------------------------------------------------------------
 */

static struct hold *add_hold(struct report *report) {
    report->holds = report_add(report->holds, &report->hold_count, sizeof *report->holds);
    return &report->holds[report->hold_count - 1];
}

static void copy_hold(struct hold *to, const struct hold *from) {
    *to = *from;
    to->snapshot = mem_string(from->snapshot);
    to->owner = mem_string(from->owner);
    to->reason = mem_string(from->reason);
}

/* What the journal says of one that is gone: whose it was and why stood in the hold alone. */
static void recall_hold(struct hold *hold, const struct fact *held, int64_t released) {
    const char *scope = fact_text(held, "scope");
    snprintf(hold->id, sizeof hold->id, "%s", fact_text(held, "hold"));
    hold->scope = HOLD_SET;
    for (int known = HOLD_SET; known <= HOLD_RANGE; known++)
        if (scope && strcmp(scope, hold_scope_text((enum hold_scope)known)) == 0)
            hold->scope = (enum hold_scope)known;
    hold->snapshot = mem_string(fact_text(held, "snapshot"));
    hold->from = fact_when(held, "from");
    hold->until = fact_when(held, "until");
    hold->owner = mem_string("");
    hold->reason = mem_string("");
    hold->placed = held->time;
    hold->review = fact_when(held, "review");
    hold->ends = fact_when(held, "ends");
    hold->released = released;
}

static void tell_hold(struct reporting *reporting, const struct hold *hold) {
    const struct report *report = reporting->report;
    const struct holds one = { .items = &report->holds[report->hold_count - 1], .count = 1 };
    char object[REPO_NAME_MAX], review[CLOCK_TEXT];
    size_t kept = 0, past = 0;
    for (size_t i = 0; i < report->snapshot_count; i++) {
        const struct report_snapshot *snapshot = &report->snapshots[i];
        if (!snapshot->exists || !holds_cover(&one, snapshot->name, snapshot->started, reporting->request->now))
            continue;
        kept++;
        past += snapshot->gone_by != 0 && snapshot->gone_by <= reporting->request->now;
    }
    bool overdue = hold->review != 0 && hold->review < reporting->request->now;
    snprintf(object, sizeof object, "holds/%s", hold->id);
    report_find(reporting, FINDING_EXCEPTION, NULL, object,
                "held by %s: %s; %zu snapshots, %zu past their deadline%s%s", hold->owner, hold->reason, kept, past,
                overdue ? "; to be looked at again since " : "", overdue ? clock_format(review, hold->review) : "");
}

static int by_placing(const void *left, const void *right) {
    const struct hold *a = left, *b = right;
    if (a->placed != b->placed)
        return a->placed < b->placed ? -1 : 1;
    return strcmp(a->id, b->id);
}

/* Those in force, and those that ended in the period. */
void report_holds(struct reporting *reporting) {
    const struct report_request *request = reporting->request;
    struct report *report = reporting->report;
    const struct facts *held = &reporting->past.kinds[FACT_HELD];
    for (size_t i = 0; i < reporting->holds.count; i++) {
        const struct hold *hold = &reporting->holds.items[i];
        if (!hold_in_force(hold, request->now) && hold->ends < request->from)
            continue;
        copy_hold(add_hold(report), hold);
        if (hold_in_force(hold, request->now))
            tell_hold(reporting, hold);
    }
    for (size_t i = 0; i < held->count; i++) {
        char object[REPO_NAME_MAX];
        snprintf(object, sizeof object, "holds/%s", fact_text(&held->items[i], "hold"));
        const struct fact *released = past_first(&reporting->past, FACT_DECIDED, object, NULL);
        if (released &&
            (report_in_period(reporting, released->time) || report_in_period(reporting, held->items[i].time)))
            recall_hold(add_hold(report), &held->items[i], released->time);
    }
    if (report->hold_count > 1)
        qsort(report->holds, report->hold_count, sizeof *report->holds, by_placing);
}
