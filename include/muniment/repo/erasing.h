/*
 * Whether a set is erased: `erasing` stands in its journal, from before the first object went. From then on nothing may
 * be captured into it, or its key be wrapped, ever again. See muniment/evidence/erase.h.
 */
#ifndef MUNIMENT_REPO_ERASING_H
#define MUNIMENT_REPO_ERASING_H

#include <muniment/repo/journal.h>

/* ERR_REFUSED, with what to do, when it is. `what` is what was tried ("capture"). A segment that is damaged refuses
 * nothing: it is the affair of others. Reads the newest segments of each chain only, back to its last capture. */
int erasing_refuse(struct repo *repo, const char *what, struct err *err) MUST_CHECK;

#endif
