#include "report_internal.h"
#include <muniment/repo/purge.h>
#include <muniment/util/clock.h>
#include <stdio.h>
#include <string.h>

enum {
    DAY = 86400,
    PURGE_LASTS = 3600,       /* the purge that has recorded it may be at work on it */
    VERIFIED_MOST = 35 * DAY, /* seconds since a place was last read back: a month, and to spare */
    DRILLED_MOST = 95 * DAY,  /* since the last restore test: a quarter of a year, and to spare */
};

static const char SNAPSHOTS[] = "snapshots/";

int64_t report_interval(const struct reporting *reporting) {
    return plan_interval(reporting->request->policy);
}

int64_t report_allowance(const struct reporting *reporting) {
    int64_t slack = plan_slack(reporting->request->policy);
    return slack > 0 ? slack : 2 * report_interval(reporting); /* what the slack is at most */
}

const char *report_object_of(const struct report_snapshot *snapshot, char *object) {
    snprintf(object, REPO_NAME_MAX, "%s%s", SNAPSHOTS, snapshot->name);
    return object;
}

struct report_snapshot *report_snapshot_of(const struct reporting *reporting, const char *object) {
    const struct report *report = reporting->report;
    if (!report_is_below(object, SNAPSHOTS))
        return NULL;
    for (size_t i = 0; i < report->snapshot_count; i++)
        if (strcmp(report->snapshots[i].name, object + strlen(SNAPSHOTS)) == 0)
            return &report->snapshots[i];
    return NULL;
}

bool report_has(const struct reporting *reporting, const struct report_snapshot *snapshot, size_t p) {
    return reporting->places[p].reached && snapshot->copies[p].state != COPY_ABSENT;
}

/* --- past a deadline ------------------------------------------------------------------------------------------------
 */

static void tell_past_deadline(struct reporting *reporting, const struct report_snapshot *snapshot, size_t p) {
    char name[REPO_NAME_MAX], date[CLOCK_TEXT];
    const char *place = reporting->request->places[p].name, *object = report_object_of(snapshot, name);
    const char *hidden = snapshot->copies[p].state == COPY_HIDDEN ? ", hidden" : "";
    clock_format(date, snapshot->gone_by);
    if (snapshot->held)
        report_find(reporting, FINDING_EXCEPTION, place, object, "held past its deadline, %s%s", date, hidden);
    else if (snapshot->past_deadline)
        report_find(reporting, FINDING_EXCEPTION, place, object,
                    "the last good copy, kept past its deadline, %s, because nothing newer is complete%s", date,
                    hidden);
    else
        report_find(reporting, FINDING_LATE, place, object, "it had to be gone by %s, and is there%s", date, hidden);
}

/* Chunks that no snapshot refers to any more, in packs that stay for the sake of others. */
static void look_for_dead_chunks(struct reporting *reporting) {
    struct dated_names packs;
    struct err why = { 0 };
    if (purge_deadlines_load(reporting->request->repo, &packs, &why) < 0) {
        report_trouble(reporting, reporting->request->places[0].name, "purges", &why);
        return;
    }
    for (size_t i = 0; i < packs.count; i++) {
        const struct dated_name *pack = &packs.items[i];
        char date[CLOCK_TEXT];
        if (pack->time + PURGE_LASTS > reporting->request->now ||
            past_last(&reporting->past, FACT_DECIDED, pack->name, NULL))
            continue;
        for (size_t p = 0; p < reporting->request->place_count; p++)
            if (place_find(&reporting->places[p], pack->name))
                report_find(reporting, FINDING_LATE, reporting->request->places[p].name, pack->name,
                            "chunks in it that no snapshot refers to had to be gone by %s",
                            clock_format(date, pack->time));
    }
    dated_names_release(&packs);
}

/* What was decided to go is told of with the destructions; here is what nobody decided about. */
void report_deadlines(struct reporting *reporting) {
    look_for_dead_chunks(reporting);
    for (size_t i = 0; i < reporting->report->snapshot_count; i++) {
        const struct report_snapshot *snapshot = &reporting->report->snapshots[i];
        if (snapshot->gone_by == 0 || reporting->request->now < snapshot->gone_by ||
            (snapshot->expired != 0 && !snapshot->held))
            continue;
        for (size_t p = 0; p < reporting->request->place_count; p++)
            if (report_has(reporting, snapshot, p))
                tell_past_deadline(reporting, snapshot, p);
    }
}

/* --- absent ---------------------------------------------------------------------------------------------------------
 */

/* Mirrors that have it, hidden copies left out. */
static bool is_elsewhere(const struct reporting *reporting, const struct report_snapshot *snapshot) {
    bool any = false;
    for (size_t p = 1; p < reporting->request->place_count; p++)
        any = any || snapshot->copies[p].state == COPY_WHOLE || snapshot->copies[p].state == COPY_INCOMPLETE;
    return any;
}

/* The repository has what was captured until it expires. A mirror has it from the first copy that began afterwards. */
static bool should_have(const struct reporting *reporting, const struct report_snapshot *snapshot, size_t p) {
    if (p == 0)
        return true;
    const struct fact *copied = past_last(&reporting->past, FACT_MIRRORED, NULL, reporting->places[p].mirror);
    return snapshot->exists && copied && copied->time >= snapshot->finished;
}

static void tell_absent(struct reporting *reporting, const struct report_snapshot *snapshot, size_t p) {
    char name[REPO_NAME_MAX];
    const char *place = reporting->request->places[p].name, *object = report_object_of(snapshot, name);
    if (snapshot->copies[p].state == COPY_HIDDEN)
        report_find(reporting, FINDING_MISSING, place, object, "it is hidden, and nothing expired it");
    else if (p == 0)
        report_find(reporting, FINDING_MISSING, place, object,
                    "it was captured, nothing expired it, and it is gone; %s",
                    is_elsewhere(reporting, snapshot) ? "a mirror has it" : "no place has it");
    else
        report_find(reporting, FINDING_MISSING, place, object, "the last copy began after it, and did not bring it");
}

static void look_for_snapshots(struct reporting *reporting) {
    for (size_t i = 0; i < reporting->report->snapshot_count; i++) {
        const struct report_snapshot *snapshot = &reporting->report->snapshots[i];
        for (size_t p = 0; p < reporting->request->place_count && snapshot->expired == 0; p++) {
            enum copy_state state = snapshot->copies[p].state;
            if ((state == COPY_ABSENT || state == COPY_HIDDEN) && should_have(reporting, snapshot, p))
                tell_absent(reporting, snapshot, p);
        }
    }
}

/* A hold that ended by itself may be gone. */
static bool has_ended(const struct reporting *reporting, const struct fact *stored) {
    int64_t ends = fact_when(stored, "ends");
    return ends != 0 && ends <= reporting->request->now;
}

/* Wrapped keys, holds, requests in the ledger: from the moment they are journalled until it says that they went. */
static void look_for_stored(struct reporting *reporting) {
    const struct facts *stored = &reporting->past.kinds[FACT_STORED];
    for (size_t i = 0; i < stored->count; i++) {
        const struct fact *fact = &stored->items[i];
        const struct fact *copied;
        if ((i > 0 && strcmp(stored->items[i - 1].object, fact->object) == 0) ||
            past_last(&reporting->past, FACT_DECIDED, fact->object, NULL) || has_ended(reporting, fact))
            continue;
        for (size_t p = 0; p < reporting->request->place_count; p++) {
            const struct placed *placed = place_find(&reporting->places[p], fact->object);
            if (!reporting->places[p].reached || (placed && !placed->hidden))
                continue;
            copied = p > 0 ? past_last(&reporting->past, FACT_MIRRORED, NULL, reporting->places[p].mirror) : NULL;
            if (p == 0 || (copied && copied->time > fact->time))
                report_find(reporting, FINDING_MISSING, reporting->request->places[p].name, fact->object,
                            placed ? "it is hidden, and the journal does not say that it went"
                                   : "it is gone, and the journal does not say so");
        }
    }
}

/* Of the latest record alone: those before it were replaced. */
static void look_for_record(struct reporting *reporting) {
    const struct facts *recorded = &reporting->past.kinds[FACT_RECORDED];
    const struct fact *last = NULL;
    for (size_t i = 0; i < recorded->count; i++)
        if (!last || recorded->items[i].time > last->time ||
            (recorded->items[i].time == last->time && recorded->items[i].order > last->order))
            last = &recorded->items[i];
    if (last && strcmp(last->object, "none") != 0 && !place_find(&reporting->places[0], last->object))
        report_find(reporting, FINDING_MISSING, reporting->request->places[0].name, last->object,
                    "the last record of what a purge condemned is gone");
}

/* Packs that snapshots need were looked for with the copies. */
void report_absences(struct reporting *reporting) {
    if (reporting->erased != 0)
        return;
    look_for_snapshots(reporting);
    look_for_stored(reporting);
    look_for_record(reporting);
}

/* --- too old --------------------------------------------------------------------------------------------------------
 */

static void tell_stale(struct reporting *reporting, const char *place, const char *what, int64_t last) {
    char date[CLOCK_TEXT];
    if (last == 0)
        report_find(reporting, FINDING_STALE, place, NULL, "%s: never", what);
    else
        report_find(reporting, FINDING_STALE, place, NULL, "%s: not since %s", what, clock_format(date, last));
}

static int64_t first_capture(const struct report *report) {
    return report->snapshot_count > 0 ? report->snapshots[0].started : 0;
}

static void judge_mirror(struct reporting *reporting, size_t p, int64_t since) {
    const struct report_store *store = &reporting->report->stores[p];
    int64_t interval = report_interval(reporting), now = reporting->request->now;
    int64_t expected = reporting->request->places[p].copy_interval;
    int64_t last = store->copied != 0 ? store->copied : since;
    if (expected > 0 && now - last > expected + interval + interval / 2)
        tell_stale(reporting, store->name, "copied", store->copied);
}

/* What a set is too young for is not asked of it. */
void report_staleness(struct reporting *reporting) {
    const struct report *report = reporting->report;
    int64_t now = reporting->request->now, interval = report_interval(reporting), since = first_capture(report);
    int64_t newest = 0;
    if (reporting->erased != 0)
        return;
    for (size_t i = 0; i < report->snapshot_count; i++)
        if (report->snapshots[i].outcome == OUTCOME_COMPLETE && report->snapshots[i].exists &&
            report->snapshots[i].started > newest)
            newest = report->snapshots[i].started;
    if (now - newest > interval + interval / 2)
        tell_stale(reporting, report->stores[0].name, "a complete snapshot", newest);

    for (size_t p = 0; p < report->store_count && since != 0; p++) {
        const struct report_store *store = &report->stores[p];
        if (p > 0)
            judge_mirror(reporting, p, since);
        if (now - (store->verified != 0 ? store->verified : since) > VERIFIED_MOST)
            tell_stale(reporting, store->name, "verified", store->verified);
    }
    const struct fact *drilled = past_last(&reporting->past, FACT_DRILLED, NULL, NULL);
    if (since != 0 && now - (drilled ? drilled->time : since) > DRILLED_MOST)
        tell_stale(reporting, NULL, "a restore test", drilled ? drilled->time : 0);
}
