/* A report filled by hand with everything that a report may hold. Include <cmocka.h> and what it needs first. */
#ifndef MUNIMENT_TESTS_SAMPLE_REPORT_H
#define MUNIMENT_TESTS_SAMPLE_REPORT_H

#include <muniment/evidence/report.h>

/* 400 nights in three places: names of every kind of character, zero times, unbounded spans, findings of every kind.
 * Always the same. Released with report_release(). */
void sample_report(struct report *report);

/* One in which nothing was found: what a quiet quarter looks like. */
void sample_report_quiet(struct report *report);

/* One with as little in it as there can be: a new set before its first run. */
void sample_report_empty(struct report *report);

#endif
