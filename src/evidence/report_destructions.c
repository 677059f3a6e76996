#include "report_internal.h"
#include <muniment/repo/destruction.h>
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

enum { HOUR = 3600 };

int64_t report_refused_until(const struct reporting *reporting, const char *object, const struct listed_place *place) {
    const struct fact *refused = past_last(&reporting->past, FACT_REFUSED, object, place->mirror);
    if (!refused)
        return 0;
    const char *until = fact_text(refused, "until");
    if (until && strcmp(until, DESTRUCTION_HOLD) == 0)
        return refused->time + DESTRUCTION_HOLD_PAUSE > reporting->request->now ? INT64_MAX : 0;
    return fact_when(refused, "until") > reporting->request->now ? fact_when(refused, "until") : 0;
}

static int64_t deadline_of(const struct reporting *reporting, const struct fact *decided) {
    const struct report_snapshot *snapshot = report_snapshot_of(reporting, decided->object);
    int64_t deadline = fact_when(decided, "deadline");
    return deadline == 0 && snapshot ? snapshot->gone_by : deadline;
}

/* A snapshot's own deadline; for what it left behind, the time that a purge and the mirrors have for it. */
static int64_t due_of(const struct reporting *reporting, const struct fact *decided) {
    int64_t deadline = deadline_of(reporting, decided);
    return deadline != 0 ? deadline : decided->time + report_allowance(reporting);
}

/* Without a cap nothing has to be gone by a date: it is only there, though it was decided to go. */
static bool is_late(const struct reporting *reporting, const struct fact *decided) {
    bool capped = deadline_of(reporting, decided) != 0 || reporting->request->policy->max_age > 0;
    return capped && reporting->request->now > due_of(reporting, decided);
}

static enum destruction_state state_of(const struct reporting *reporting, const struct listed_place *place,
                                       const struct placed *placed, const struct report_destruction *destruction) {
    if (!place->reached)
        return DESTRUCTION_UNKNOWN;
    if (!placed)
        return DESTRUCTION_CONFIRMED;
    if (placed->hidden)
        return DESTRUCTION_HIDDEN;
    if (destruction->refused_until != 0)
        return DESTRUCTION_REFUSED;
    return reporting->request->now > destruction->due ? DESTRUCTION_LATE : DESTRUCTION_PENDING;
}

/* --- what is told ---------------------------------------------------------------------------------------------------
 */

static void tell_hidden(struct reporting *reporting, const struct report_destruction *destruction, const char *place,
                        bool late) {
    char date[CLOCK_TEXT];
    report_find(reporting, late ? FINDING_LATE : FINDING_EXCEPTION, place, destruction->object,
                "decided to go and only hidden: its bytes exist until the bucket's own rules end them%s%s",
                late ? "; they had to be gone by " : "", late ? clock_format(date, destruction->due) : "");
}

static void tell_refused(struct reporting *reporting, const struct report_destruction *destruction, const char *place,
                         bool late) {
    char until[CLOCK_TEXT], due[CLOCK_TEXT];
    report_find(reporting, late ? FINDING_LATE : FINDING_EXCEPTION, place, destruction->object,
                "decided to go, and a lock holds it%s%s%s%s",
                destruction->refused_until == INT64_MAX ? ": a legal hold" : " until ",
                destruction->refused_until == INT64_MAX ? "" : clock_format(until, destruction->refused_until),
                late ? "; it had to be gone by " : "", late ? clock_format(due, destruction->due) : "");
}

/* The repository's own purge removes in the run that decides. A mirror has until the run after the next; unless it was
 * removed from there already, and came back. */
static bool outstays(const struct reporting *reporting, const struct report_destruction *destruction,
                     const struct placed *placed) {
    int64_t now = reporting->request->now;
    if (destruction->place == 0)
        return placed->modified > destruction->decided || now > destruction->decided + HOUR;
    return destruction->removed != 0 || now > destruction->decided + report_allowance(reporting);
}

static void tell_destruction(struct reporting *reporting, const struct report_destruction *destruction,
                             const struct placed *placed, bool late) {
    const char *place = reporting->request->places[destruction->place].name;
    char date[CLOCK_TEXT];
    switch (destruction->state) {
    case DESTRUCTION_HIDDEN:
        if (destruction->removed != 0)
            report_find(reporting, FINDING_EXCESS, place, destruction->object,
                        "it was removed at %s, and a hidden version of it is there again",
                        clock_format(date, destruction->removed));
        else
            tell_hidden(reporting, destruction, place, late);
        break;
    case DESTRUCTION_REFUSED:
        tell_refused(reporting, destruction, place, late);
        break;
    case DESTRUCTION_LATE:
    case DESTRUCTION_PENDING:
        if (late)
            report_find(reporting, FINDING_LATE, place, destruction->object, "it had to be gone by %s, and is there",
                        clock_format(date, destruction->due));
        else if (outstays(reporting, destruction, placed))
            report_find(reporting, FINDING_EXCESS, place, destruction->object,
                        "it was decided to go at %s, and is there", clock_format(date, destruction->decided));
        break;
    case DESTRUCTION_CONFIRMED:
    case DESTRUCTION_UNKNOWN:
        break;
    }
}

/* --- what is listed -------------------------------------------------------------------------------------------------
 */

/* What is decided to go and stays after all: an index that was written again, a pack that turned out to be needed, a
 * snapshot that is held. */
static bool stays(const struct reporting *reporting, const char *object, const struct placed *placed) {
    const struct placed *here = place_find(&reporting->places[0], object);
    const struct report_snapshot *snapshot = report_snapshot_of(reporting, object);
    if (report_is_below(object, "index/"))
        return here && !here->hidden;
    return (placed && placed->needed) || (here && here->needed) || (snapshot && snapshot->held);
}

static bool belongs_in(const struct reporting *reporting, const struct report_destruction *destruction) {
    if (destruction->state != DESTRUCTION_CONFIRMED && destruction->state != DESTRUCTION_UNKNOWN)
        return true;
    return report_in_period(reporting, destruction->decided) || report_in_period(reporting, destruction->removed);
}

static void add_destruction(struct reporting *reporting, const struct fact *decided, size_t p) {
    struct report *report = reporting->report;
    const struct listed_place *place = &reporting->places[p];
    const struct placed *placed = place_find(place, decided->object);
    const struct fact *removed = past_last(&reporting->past, FACT_REMOVED, decided->object, place->mirror);
    const struct fact *hidden = past_last(&reporting->past, FACT_HIDDEN, decided->object, place->mirror);
    if (removed && hidden && hidden->time > removed->time)
        removed = NULL; /* it was written anew since */
    if (stays(reporting, decided->object, placed) || (p > 0 && place->reached && !placed && !removed && !hidden))
        return;

    struct report_destruction destruction = {
        .place = p,
        .decided = decided->time,
        .due = due_of(reporting, decided),
        .removed = removed ? removed->time : 0,
        .versions = removed ? (unsigned)fact_count(removed, "versions") : 0,
        .refused_until = report_refused_until(reporting, decided->object, place),
    };
    destruction.state = state_of(reporting, place, placed, &destruction);
    if (!belongs_in(reporting, &destruction))
        return;
    const char *reason = fact_text(decided, "reason");
    destruction.object = mem_string(decided->object);
    destruction.reason = mem_string(reason ? reason : "removed by a command");
    destruction.ids = removed ? mem_string(fact_text(removed, "ids")) : NULL;
    tell_destruction(reporting, &destruction, placed, is_late(reporting, decided));
    report->destructions = report_add(report->destructions, &report->destruction_count, sizeof *report->destructions);
    report->destructions[report->destruction_count - 1] = destruction;
}

static int by_decision(const void *left, const void *right) {
    const struct report_destruction *a = left, *b = right;
    if (a->decided != b->decided)
        return a->decided < b->decided ? -1 : 1;
    int order = strcmp(a->object, b->object);
    return order != 0 ? order : (a->place > b->place) - (a->place < b->place);
}

void report_destructions(struct reporting *reporting) {
    const struct facts *decided = &reporting->past.kinds[FACT_DECIDED];
    struct report *report = reporting->report;
    for (size_t i = 0; i < decided->count; i++) {
        if (i > 0 && strcmp(decided->items[i - 1].object, decided->items[i].object) == 0)
            continue; /* decided again: the first time counts */
        for (size_t p = 0; p < reporting->request->place_count; p++)
            add_destruction(reporting, &decided->items[i], p);
    }
    if (report->destruction_count > 1)
        qsort(report->destructions, report->destruction_count, sizeof *report->destructions, by_decision);
}
