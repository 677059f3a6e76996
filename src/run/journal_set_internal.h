/* What rotation does to the journal. */
#ifndef MUNIMENT_RUN_JOURNAL_SET_INTERNAL_H
#define MUNIMENT_RUN_JOURNAL_SET_INTERNAL_H

#include <muniment/run/nightly.h>

/* Drops what is older than the configuration keeps it, behind a checkpoint; see journal_drop(). */
int journal_drop_old(struct opened_set *set, const struct heads *heads, int64_t now, struct err *err) MUST_CHECK;

#endif
