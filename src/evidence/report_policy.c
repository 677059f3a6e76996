#include "report_internal.h"
#include <muniment/retention/lint.h>
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <string.h>

/* --- part 2 ---------------------------------------------------------------------------------------------------------
 */

static void add_warnings(struct reporting *reporting, const struct lint *lint) {
    struct report *report = reporting->report;
    for (size_t i = 0; i < lint->count; i++) {
        const struct lint_finding *finding = &lint->findings[i];
        if (finding->severity == LINT_NOTE)
            continue;
        report->policy_warnings =
            report_add(report->policy_warnings, &report->policy_warning_count, sizeof *report->policy_warnings);
        report->policy_warnings[report->policy_warning_count - 1] = mem_string(finding->text);
        if (finding->severity == LINT_ERROR)
            report_find(reporting, FINDING_POLICY, NULL, NULL, "%s", finding->text);
    }
}

static void add_policy(struct report *report, const struct policy *policy, int64_t effective) {
    report->policies = report_add(report->policies, &report->policy_count, sizeof *report->policies);
    struct report_policy *added = &report->policies[report->policy_count - 1];
    added->policy = *policy;
    added->effective = effective;
    policy_id(policy, added->id);
    plan_reach(policy, &added->reach);
}

/* Every one that the journal knows, and the one in force, which no decision may have been made under yet. */
void report_policies(struct reporting *reporting) {
    const struct policy *policy = reporting->request->policy;
    const struct facts *facts = &reporting->past.kinds[FACT_POLICY];
    struct report *report = reporting->report;
    struct lint alone = { 0 };
    char id[POLICY_ID];
    for (size_t i = 0; i < facts->count; i++) {
        const char *const *fields = (const char *const *)facts->items[i].fields;
        struct policy earlier;
        struct err why = { 0 };
        if (policy_parse(&earlier, fields, &why) < 0)
            report_find(reporting, FINDING_TAMPERED, NULL, NULL, "the journal tells of a policy that is none: %s",
                        why.message);
        else
            add_policy(report, &earlier, facts->items[i].time);
    }
    policy_id(policy, id);
    if (report->policy_count == 0 || strcmp(report->policies[report->policy_count - 1].id, id) != 0)
        add_policy(report, policy, 0);
    report->erasure_horizon = report->policies[report->policy_count - 1].reach.erasure_horizon;
    if (!reporting->request->lint)
        lint_policy(policy, &alone);
    add_warnings(reporting, reporting->request->lint ? reporting->request->lint : &alone);
    lint_release(&alone);
}

/* --- part 10: how long what is deleted stays ------------------------------------------------------------------------
 */

static bool exists_anywhere(const struct reporting *reporting, const struct report_snapshot *snapshot) {
    bool any = false;
    for (size_t p = 0; p < reporting->request->place_count; p++)
        any = any || report_has(reporting, snapshot, p);
    return any;
}

/* When a snapshot that exists is gone at the latest, dead chunks in packs that live included; INT64_MAX: not known. */
static int64_t gone_after(const struct reporting *reporting, const struct report_snapshot *snapshot) {
    int64_t horizon = reporting->report->erasure_horizon, now = reporting->request->now;
    int64_t gone = snapshot->gone_by != 0 ? snapshot->gone_by : horizon >= 0 ? snapshot->started + horizon : INT64_MAX;
    const struct hold *hold = holds_covering(&reporting->holds, snapshot->name, snapshot->started, now);
    if (!hold)
        return gone;
    return hold->ends == 0 ? INT64_MAX : hold->ends > gone ? hold->ends : gone;
}

/* Entries of the ledger that the oldest snapshot would bring back what they are about. */
static uint64_t count_erasures(const struct reporting *reporting, int64_t oldest) {
    const struct facts *stored = &reporting->past.kinds[FACT_STORED];
    uint64_t count = 0;
    for (size_t i = 0; i < stored->count; i++)
        count += report_is_below(stored->items[i].object, "erasures/") && stored->items[i].time >= oldest &&
                 place_find(&reporting->places[0], stored->items[i].object);
    return count;
}

static void judge_oldest(struct reporting *reporting, const struct report_snapshot *oldest, const char *promised) {
    int64_t age = reporting->request->now - oldest->started;
    char span[CLOCK_TEXT], object[REPO_NAME_MAX];
    if (age > reporting->request->erasure_promise)
        report_find(reporting, oldest->held ? FINDING_EXCEPTION : FINDING_POLICY, NULL,
                    report_object_of(oldest, object),
                    "what was deleted after it is promised to be in no backup after %s, and it is %s old%s", promised,
                    clock_format_span(span, age), oldest->held ? ", because it is held" : "");
}

/* What counts is what exists: in any place, hidden or not. */
void report_promises(struct reporting *reporting) {
    struct report *report = reporting->report;
    const struct report_snapshot *oldest[2] = { NULL, NULL }; /* not held; held */
    int64_t latest = reporting->request->now, first = 0;
    char promised[CLOCK_TEXT];
    for (size_t i = 0; i < report->snapshot_count; i++) {
        const struct report_snapshot *snapshot = &report->snapshots[i];
        if (!exists_anywhere(reporting, snapshot))
            continue;
        int64_t gone = gone_after(reporting, snapshot);
        latest = gone > latest ? gone : latest;
        if (!oldest[snapshot->held])
            oldest[snapshot->held] = snapshot;
    }
    report->erased_after = latest == INT64_MAX ? 0 : latest;
    for (int held = 0; held < 2; held++)
        if (oldest[held] && (first == 0 || oldest[held]->started < first))
            first = oldest[held]->started;
    report->erasures = first == 0 ? 0 : count_erasures(reporting, first);
    if (reporting->request->erasure_promise == 0)
        return;
    clock_format_span(promised, reporting->request->erasure_promise);
    for (int held = 0; held < 2; held++)
        if (oldest[held])
            judge_oldest(reporting, oldest[held], promised);
}
