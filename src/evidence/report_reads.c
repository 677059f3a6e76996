#include "report_internal.h"
#include <muniment/util/memory.h>
#include <string.h>

static char *text_of(const struct fact *fact, const char *name) {
    return mem_string(fact_text(fact, name));
}

/* --- part 6 ---------------------------------------------------------------------------------------------------------
 */

void report_drills(struct reporting *reporting) {
    const struct facts *facts = &reporting->past.kinds[FACT_DRILLED];
    struct report *report = reporting->report;
    for (size_t i = 0; i < facts->count; i++) {
        const struct fact *fact = &facts->items[i];
        const char *outcome = fact_text(fact, "outcome");
        if (!report_in_period(reporting, fact->time))
            continue;
        report->drills = report_add(report->drills, &report->drill_count, sizeof *report->drills);
        report->drills[report->drill_count - 1] = (struct report_drill){
            .time = fact->time,
            .snapshot = text_of(fact, "snapshot"),
            .target = text_of(fact, "target"),
            .operator= text_of(fact, "operator"),
            .message = text_of(fact, "message"),
            .passed = outcome && strcmp(outcome, "passed") == 0,
            .fetch_seconds = fact_seconds(fact, "fetch_seconds"),
            .load_seconds = fact_seconds(fact, "load_seconds"),
            .verify_seconds = fact_seconds(fact, "verify_seconds"),
            .expected = fact_count(fact, "expected"),
            .found = fact_count(fact, "found"),
            .bytes = fact_count(fact, "bytes"),
        };
    }
}

/* --- part 9 ---------------------------------------------------------------------------------------------------------
 */

void report_reads(struct reporting *reporting) {
    const struct facts *facts = &reporting->past.kinds[FACT_READ];
    struct report *report = reporting->report;
    for (size_t i = 0; i < facts->count; i++) {
        const struct fact *fact = &facts->items[i];
        if (!report_in_period(reporting, fact->time))
            continue;
        report->reads = report_add(report->reads, &report->read_count, sizeof *report->reads);
        report->reads[report->read_count - 1] = (struct report_read){
            .time = fact->time,
            .command = text_of(fact, "command"),
            .snapshot = text_of(fact, "snapshot"),
            .host = mem_format("%.*s", (int)strcspn(fact->segment, "-"), fact->segment),
            .key = text_of(fact, "key"),
            .status = (int)fact_count(fact, "status"),
        };
    }
}
