#include "report_internal.h"
#include <muniment/util/memory.h>
#include <stdlib.h>

void report_snapshot_release(struct report_snapshot *snapshot) {
    head_release(&snapshot->head);
    free(snapshot->name);
    free(snapshot->reason);
    free(snapshot->host);
    free(snapshot->tool);
    free(snapshot->copies);
}

static void release_snapshots(struct report *report) {
    for (size_t i = 0; i < report->snapshot_count; i++)
        report_snapshot_release(&report->snapshots[i]);
    free(report->snapshots);
}

static void release_runs(struct report *report) {
    for (size_t i = 0; i < report->run_count; i++) {
        free(report->runs[i].snapshot);
        free(report->runs[i].reason);
    }
    free(report->runs);
}

static void release_stores(struct report *report) {
    for (size_t i = 0; i < report->store_count; i++) {
        struct report_store *store = &report->stores[i];
        free(store->name);
        free(store->address);
        free(store->why);
        free(store->versioning);
        free(store->lock);
        free(store->region);
        free(store->bucket);
        free(store->chains);
    }
    free(report->stores);
}

static void release_drills(struct report *report) {
    for (size_t i = 0; i < report->drill_count; i++) {
        struct report_drill *drill = &report->drills[i];
        free(drill->snapshot);
        free(drill->target);
        free(drill->operator);
        free(drill->message);
    }
    free(report->drills);
}

static void release_destructions(struct report *report) {
    for (size_t i = 0; i < report->destruction_count; i++) {
        free(report->destructions[i].object);
        free(report->destructions[i].reason);
        free(report->destructions[i].ids);
    }
    free(report->destructions);
}

static void release_findings(struct report *report) {
    for (size_t i = 0; i < report->finding_count; i++) {
        free(report->findings[i].place);
        free(report->findings[i].object);
        free(report->findings[i].text);
    }
    free(report->findings);
}

static void release_reads(struct report *report) {
    for (size_t i = 0; i < report->read_count; i++) {
        free(report->reads[i].command);
        free(report->reads[i].snapshot);
        free(report->reads[i].host);
        free(report->reads[i].key);
    }
    free(report->reads);
}

void report_release(struct report *report) {
    free(report->set);
    free(report->tool);
    free(report->policies);
    mem_free_strings(report->policy_warnings, report->policy_warning_count);
    release_runs(report);
    release_snapshots(report);
    release_stores(report);
    release_drills(report);
    release_destructions(report);
    release_findings(report);
    release_reads(report);
    for (size_t i = 0; i < report->hold_count; i++)
        hold_free(&report->holds[i]);
    free(report->holds);
    free(report->chains);
    *report = (struct report){ 0 };
}
