/* What the files of this folder share. */
#ifndef MUNIMENT_RETENTION_PLAN_INTERNAL_H
#define MUNIMENT_RETENTION_PLAN_INTERNAL_H

#include <muniment/retention/plan.h>

enum { TIER_KINDS = 4, PLAN_DAY = 86400 };

/* The tiers in the order of enum tier's bits. */
struct tier_kind {
    const char *name;
    enum period period;
};
extern const struct tier_kind TIER_TABLE[TIER_KINDS];

/* How many periods the policy keeps of that kind. */
uint32_t tier_wanted(const struct policy *policy, int kind);

/* Whether the policy has any tier. */
bool plan_has_tiers(const struct policy *policy);

/* Seconds between expected runs: the policy's, or a day. */
int64_t plan_interval(const struct policy *policy);

/* How long before its end a snapshot that may live `life` seconds expires. */
int64_t plan_slack_of(const struct policy *policy, int64_t life);

/* a + b, held at the ends of the range. */
int64_t add_bounded(int64_t a, int64_t b);

#endif
