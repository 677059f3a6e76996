/*
 * The report of a set: every place of the configuration opened, looked at, and closed again.
 */
#ifndef MUNIMENT_RUN_REPORT_H
#define MUNIMENT_RUN_REPORT_H

#include <muniment/evidence/report.h>
#include <muniment/run/nightly.h>

/* On the period from `from` to before `until`, as the stores are at `now`. As report_make(). `settings` are those that
 * the set is of. */
int report_set(struct opened_set *set, const struct settings *settings, int64_t from, int64_t until, int64_t now,
               struct report *report, struct err *err) MUST_CHECK;

#endif
