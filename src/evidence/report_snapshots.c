#include "report_internal.h"
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

static const char FOLDER[] = "snapshots/";

/* --- which there are ------------------------------------------------------------------------------------------------
 */

struct names {
    char **items; /* borrowed; below the set's folder */
    size_t count, capacity;
};

static void add_name(struct names *names, char *name) {
    names->items = mem_grow(names->items, &names->capacity, names->count + 1, sizeof *names->items);
    names->items[names->count++] = name;
}

static int compare_names(const void *left, const void *right) {
    return strcmp(*(char *const *)left, *(char *const *)right);
}

/* Every snapshot that a place has, hidden or not, or that the journal knows; each once. Names begin with times. */
static struct names collect_names(const struct reporting *reporting) {
    struct names names = { 0 };
    for (size_t i = 0; i < reporting->request->place_count; i++) {
        size_t at, end = place_folder(&reporting->places[i], FOLDER, &at);
        for (; at < end; at++)
            add_name(&names, reporting->places[i].objects[at].name);
    }
    const enum fact_kind kinds[] = { FACT_CAPTURED, FACT_DECIDED };
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        const struct facts *facts = &reporting->past.kinds[kinds[k]];
        for (size_t i = 0; i < facts->count; i++)
            if (report_is_below(facts->items[i].object, FOLDER))
                add_name(&names, facts->items[i].object);
    }
    if (names.count > 1)
        qsort(names.items, names.count, sizeof *names.items, compare_names);
    size_t kept = 0;
    for (size_t i = 0; i < names.count; i++)
        if (kept == 0 || strcmp(names.items[kept - 1], names.items[i]) != 0)
            names.items[kept++] = names.items[i];
    names.count = kept;
    return names;
}

/* --- what is known of one -------------------------------------------------------------------------------------------
 */

/* From the repository where it has it, else from a mirror. A head that is there and does not open is told of. */
static int open_head(struct reporting *reporting, const char *object, struct report_snapshot *snapshot,
                     struct err *err) {
    for (size_t i = 0; i < reporting->request->place_count && !snapshot->head_known; i++) {
        struct listed_place *place = &reporting->places[i];
        const struct placed *placed = place_find(place, object);
        if (!placed || placed->hidden)
            continue;
        if (head_load(&place->repo, snapshot->name, &snapshot->head, err) == 0) {
            snapshot->head_known = true;
            continue;
        }
        if (err->code == ERR_INTERRUPTED)
            return -1;
        err_wrap(err, "the snapshot's head does not open");
        report_trouble(reporting, place->asked->name, object, err);
    }
    return 0;
}

static enum outcome outcome_of(const char *text) {
    for (int outcome = OUTCOME_COMPLETE; outcome <= OUTCOME_FAILED; outcome++)
        if (text && strcmp(text, outcome_text((enum outcome)outcome)) == 0)
            return (enum outcome)outcome;
    return OUTCOME_FAILED;
}

static void describe_by_head(struct report_snapshot *snapshot) {
    const struct head *head = &snapshot->head;
    snapshot->outcome = (enum outcome)head->outcome;
    snapshot->started = head->started;
    snapshot->finished = head->finished;
    snapshot->tiers = snapshot->birth_tiers = head->tiers;
    snapshot->gone_by = head->deadline;
    snapshot->host = mem_string(head->hostname);
    snapshot->tool = mem_string(head->tool);
    snapshot->bytes = head_bytes(head);
    snapshot->stored_bytes = head_stored_bytes(head);
}

static void describe_by_journal(struct report_snapshot *snapshot, const struct fact *captured) {
    if (clock_parse_compact(snapshot->name, &snapshot->started, NULL) < 0)
        snapshot->started = 0;
    if (!captured)
        return;
    snapshot->outcome = outcome_of(fact_text(captured, "outcome"));
    snapshot->started = fact_when(captured, "started");
    snapshot->gone_by = fact_when(captured, "deadline");
    snapshot->tiers = snapshot->birth_tiers = (uint8_t)fact_count(captured, "tiers");
}

static const char *difference(const struct head *head, const struct fact *captured) {
    if (fact_when(captured, "started") != head->started)
        return "when it began";
    if (fact_when(captured, "deadline") != head->deadline)
        return "when it must be gone";
    if (fact_count(captured, "tiers") != head->tiers)
        return "its tiers";
    return outcome_of(fact_text(captured, "outcome")) != (enum outcome)head->outcome ? "its outcome" : NULL;
}

/* What is signed twice must say the same twice. */
static void compare_with_journal(struct reporting *reporting, const char *object,
                                 const struct report_snapshot *snapshot, const struct fact *captured) {
    const struct facts *facts = &reporting->past.kinds[FACT_CAPTURED];
    for (; captured < facts->items + facts->count && strcmp(captured->object, object) == 0; captured++) {
        const char *differs = difference(&snapshot->head, captured);
        if (differs)
            report_find(reporting, FINDING_TAMPERED, NULL, object, "the journal and the snapshot's head differ in %s",
                        differs);
    }
}

static int describe(struct reporting *reporting, const char *object, struct report_snapshot *snapshot,
                    struct err *err) {
    const struct fact *captured = past_first(&reporting->past, FACT_CAPTURED, object, NULL);
    const struct fact *decided = past_first(&reporting->past, FACT_DECIDED, object, NULL);
    const struct placed *here = place_find(&reporting->places[0], object);
    snapshot->name = mem_string(object + strlen(FOLDER));
    head_short_name(snapshot->name, snapshot->short_name);
    snapshot->exists = here && !here->hidden;
    snapshot->copies = mem_array(reporting->request->place_count, sizeof *snapshot->copies);
    if (open_head(reporting, object, snapshot, err) < 0)
        return -1;
    if (snapshot->head_known)
        describe_by_head(snapshot);
    else
        describe_by_journal(snapshot, captured);
    if (captured && snapshot->head_known)
        compare_with_journal(reporting, object, snapshot, captured);
    if (decided) {
        snapshot->expired = decided->time;
        snapshot->reason = mem_string(fact_text(decided, "reason"));
    }
    return 0;
}

/* --- the plan -------------------------------------------------------------------------------------------------------
 */

static bool is_planned(const struct report_snapshot *snapshot) {
    return snapshot->exists && snapshot->head_known;
}

static void take_verdict(struct report_snapshot *snapshot, const struct plan_verdict *verdict, int64_t expires) {
    free(snapshot->reason);
    snapshot->reason = mem_string(verdict->reason);
    snapshot->tiers = verdict->tiers;
    snapshot->gone_by = verdict->deadline;
    snapshot->past_deadline = verdict->past_deadline;
    snapshot->expires = expires;
}

/* As a rotation would do now, so that what is said of a snapshot is what will be done with it. */
static void plan_now(struct reporting *reporting) {
    struct report *report = reporting->report;
    struct plan_snapshot *planned = mem_array(report->snapshot_count + 1, sizeof *planned);
    struct plan_verdict *verdicts = mem_array(report->snapshot_count + 1, sizeof *verdicts);
    int64_t *expires = mem_array(report->snapshot_count + 1, sizeof *expires);
    const struct policy *policy = reporting->request->policy;
    int64_t now = reporting->request->now;
    struct plan_summary summary;
    struct err err = { 0 };
    size_t count = 0;
    for (size_t i = 0; i < report->snapshot_count; i++) {
        struct report_snapshot *snapshot = &report->snapshots[i];
        snapshot->held = holds_cover(&reporting->holds, snapshot->name, snapshot->started, now);
        if (!is_planned(snapshot))
            continue;
        planned[count] = plan_snapshot_of(&snapshot->head);
        planned[count++].held = snapshot->held;
    }
    if (plan_make(policy, reporting->calendar, planned, count, now, verdicts, &summary, &err) < 0) {
        report_find(reporting, FINDING_UNKNOWN, NULL, NULL, "%s", err.message);
    } else {
        plan_expiry(policy, reporting->calendar, planned, verdicts, count, now, expires);
        for (size_t i = 0, at = 0; i < report->snapshot_count; i++)
            if (is_planned(&report->snapshots[i])) {
                take_verdict(&report->snapshots[i], &verdicts[at], expires[at]);
                at++;
            }
    }
    free(planned);
    free(expires);
    free(verdicts);
}

static int by_start(const void *left, const void *right) {
    const struct report_snapshot *a = left, *b = right;
    if (a->started != b->started)
        return a->started < b->started ? -1 : 1;
    return strcmp(a->name, b->name);
}

int report_snapshots(struct reporting *reporting, struct err *err) {
    struct report *report = reporting->report;
    struct names names = collect_names(reporting);
    int result = 0;
    report->snapshots = mem_array(names.count + 1, sizeof *report->snapshots);
    for (size_t i = 0; i < names.count && result == 0; i++)
        result = describe(reporting, names.items[i], &report->snapshots[report->snapshot_count++], err);
    free(names.items);
    if (result < 0)
        return -1;
    if (report->snapshot_count > 1)
        qsort(report->snapshots, report->snapshot_count, sizeof *report->snapshots, by_start);
    plan_now(reporting);
    return 0;
}

/* Those that did not exist in the period leave the report once all of it was held against each other. */
void report_trim(struct reporting *reporting) {
    const struct report_request *request = reporting->request;
    struct report *report = reporting->report;
    size_t kept = 0;
    for (size_t i = 0; i < report->snapshot_count; i++) {
        struct report_snapshot *snapshot = &report->snapshots[i];
        bool somewhere = false;
        for (size_t p = 0; p < request->place_count; p++)
            somewhere = somewhere || report_has(reporting, snapshot, p);
        bool ended = snapshot->expired != 0 && snapshot->expired < request->from && !somewhere;
        if (ended || snapshot->started >= request->until)
            report_snapshot_release(snapshot);
        else
            report->snapshots[kept++] = *snapshot;
    }
    report->snapshot_count = kept;
}
