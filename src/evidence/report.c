#include "report_internal.h"
#include <muniment/util/hex.h>
#include <muniment/util/memory.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    LOOKS_MAX = 6,
    PAUSE = 200000000, /* nanoseconds between two looks: a run's steps are shorter than that, or take a lock */
};

/* --- words ----------------------------------------------------------------------------------------------------------
 */

const char *run_outcome_text(enum run_outcome outcome) {
    static const char *const TEXTS[] = { "ok", "late", "partial", "failed", "missed", "expected" };
    return TEXTS[outcome];
}

const char *copy_state_text(enum copy_state state) {
    static const char *const TEXTS[] = { "whole", "incomplete", "absent", "hidden", "unknown" };
    return TEXTS[state];
}

const char *destruction_state_text(enum destruction_state state) {
    static const char *const TEXTS[] = { "confirmed", "pending", "hidden", "refused", "late", "unknown" };
    return TEXTS[state];
}

const char *finding_kind_text(enum finding_kind kind) {
    static const char *const TEXTS[] = { "late",     "excess", "missing", "stale",
                                         "tampered", "policy", "unknown", "exception" };
    return TEXTS[kind];
}

/* --- what the steps share -------------------------------------------------------------------------------------------
 */

bool report_is_below(const char *object, const char *folder) {
    return strncmp(object, folder, strlen(folder)) == 0;
}

void *report_add(void *array, size_t *count, size_t size) {
    uint8_t *grown = mem_resize(array, ++*count, size);
    memset(grown + (*count - 1) * size, 0, size);
    return grown;
}

void report_find(struct reporting *reporting, enum finding_kind kind, const char *place, const char *object,
                 const char *format, ...) {
    struct report *report = reporting->report;
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        text = NULL;
    va_end(arguments);
    report->findings = report_add(report->findings, &report->finding_count, sizeof *report->findings);
    report->findings[report->finding_count - 1] = (struct report_finding){
        .kind = kind, .place = mem_string(place), .object = mem_string(object), .text = mem_require(text)
    };
}

void report_trouble(struct reporting *reporting, const char *place, const char *object, struct err *err) {
    report_find(reporting, err->code == ERR_CORRUPT ? FINDING_TAMPERED : FINDING_UNKNOWN, place, object, "%s",
                err->message);
    err_clear(err);
}

bool report_in_period(const struct reporting *reporting, int64_t when) {
    const struct report_request *request = reporting->request;
    return when >= request->from && (when < request->until || request->until >= request->now);
}

/* --- part 1 -------------------------------------------------------------------------------------------------
 */

static void introduce(struct reporting *reporting) {
    const struct report_request *request = reporting->request;
    const struct keys *keys = request->repo->keys;
    struct report *report = reporting->report;
    uint8_t id[16];
    randombytes_buf(id, sizeof id);
    hex_encode(report->id, id, sizeof id);
    report->set = mem_string(request->set);
    memcpy(report->set_id, keys->set_name, sizeof report->set_id);
    report->tool = mem_string(MUNIMENT_VERSION);
    if (keys->can_sign)
        keys_host_name(keys, report->signer);
    report->generated = request->now;
    report->from = request->from;
    report->until = request->until;
    report->erasure_promise = request->erasure_promise;
    report->stores = mem_array(request->place_count + 1, sizeof *report->stores);
    report->store_count = request->place_count;
}

static int compare_findings(const void *left, const void *right) {
    const struct report_finding *a = left, *b = right;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    int order = strcmp(a->place ? a->place : "", b->place ? b->place : "");
    if (order == 0)
        order = strcmp(a->object ? a->object : "", b->object ? b->object : "");
    return order != 0 ? order : strcmp(a->text, b->text);
}

static void conclude(struct report *report) {
    if (report->finding_count > 1)
        qsort(report->findings, report->finding_count, sizeof *report->findings, compare_findings);
    report->as_expected = true;
    for (size_t i = 0; i < report->finding_count; i++)
        report->as_expected = report->as_expected && report->findings[i].kind == FINDING_EXCEPTION;
}

/* --- the whole ------------------------------------------------------------------------------------------------------
 */

static int make(struct reporting *reporting, struct err *err) {
    introduce(reporting);
    if (calendar_open(reporting->request->policy->timezone, &reporting->calendar, err) < 0 ||
        places_load(reporting, err) < 0 || past_load(reporting, err) < 0)
        return -1;
    report_load_holds(reporting);
    report_chains(reporting);
    if (report_snapshots(reporting, err) < 0 || report_copies(reporting, err) < 0 || report_locks(reporting, err) < 0)
        return -1;
    report_policies(reporting);
    report_runs(reporting);
    report_stores(reporting);
    report_drills(reporting);
    report_holds(reporting);
    report_destructions(reporting);
    report_reads(reporting);
    report_promises(reporting);
    report_deadlines(reporting);
    report_absences(reporting);
    report_excess(reporting);
    report_staleness(reporting);
    report_trim(reporting);
    conclude(reporting->report);
    return 0;
}

static int look(const struct report_request *request, struct report *report, struct err *err) {
    struct reporting reporting = { .request = request, .report = report };
    *report = (struct report){ 0 };
    int result = make(&reporting, err);
    places_release(&reporting);
    past_release(&reporting.past);
    holds_release(&reporting.holds);
    index_free(reporting.index);
    calendar_close(reporting.calendar);
    if (result < 0)
        report_release(report);
    return result;
}

/* --- looking twice --------------------------------------------------------------------------------------------------
 */

/* What a run that works meanwhile may seem to have done: the places are listed one after another, and not at once. */
static bool may_pass(const struct report_finding *finding) {
    switch (finding->kind) {
    case FINDING_LATE:
    case FINDING_EXCESS:
    case FINDING_MISSING:
    case FINDING_TAMPERED:
    case FINDING_UNKNOWN:
        return finding->object != NULL;
    case FINDING_STALE:
    case FINDING_POLICY:
    case FINDING_EXCEPTION:
        break;
    }
    return false;
}

static bool equal(const char *left, const char *right) {
    return left && right ? strcmp(left, right) == 0 : left == right;
}

static bool was_found(const struct report *report, const struct report_finding *finding) {
    for (size_t i = 0; i < report->finding_count; i++) {
        const struct report_finding *earlier = &report->findings[i];
        if (earlier->kind == finding->kind && equal(earlier->place, finding->place) &&
            equal(earlier->object, finding->object))
            return true;
    }
    return false;
}

/* Findings that the look before did not make. */
static size_t count_new(const struct report *report, const struct report *before) {
    size_t count = 0;
    for (size_t i = 0; i < report->finding_count; i++)
        count += may_pass(&report->findings[i]) && !was_found(before, &report->findings[i]);
    return count;
}

/* What differs with every look is not known. */
static void doubt_new(struct report *report, const struct report *before) {
    for (size_t i = 0; i < report->finding_count; i++) {
        struct report_finding *finding = &report->findings[i];
        if (!may_pass(finding) || was_found(before, finding))
            continue;
        char *text = mem_format("not the same whenever it was looked at, because runs change it: %s", finding->text);
        free(finding->text);
        finding->text = text;
        finding->kind = FINDING_UNKNOWN;
    }
    conclude(report);
}

int report_make(const struct report_request *request, struct report *report, struct err *err) {
    struct report before = { 0 };
    int result = look(request, report, err);
    for (int looks = 1; result == 0 && count_new(report, &before) > 0; looks++) {
        if (looks == LOOKS_MAX) {
            doubt_new(report, &before);
            break;
        }
        report_release(&before);
        before = *report;
        (void)nanosleep(&(struct timespec){ .tv_nsec = PAUSE }, NULL);
        result = look(request, report, err);
    }
    report_release(&before);
    return result < 0 ? err_wrap(err, "report on set '%s'", request->set) : 0;
}
