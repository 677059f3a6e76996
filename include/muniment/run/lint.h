/*
 * The whole of a set's settings, read before they are relied on: the policy, and what mirrors, locks and promises make
 * of it. What only the buckets know is said by bucket_judge(), see muniment/run/bucket.h.
 */
#ifndef MUNIMENT_RUN_LINT_H
#define MUNIMENT_RUN_LINT_H

#include <muniment/retention/lint.h>
#include <muniment/run/settings.h>

/* Appends what is to be said of a set, its policy included. Talks to nobody. */
void lint_set(const struct settings *settings, const struct set_settings *set, struct lint *lint);

#endif
