/* What the files of this folder share. */
#ifndef MUNIMENT_RETENTION_PLAN_INTERNAL_H
#define MUNIMENT_RETENTION_PLAN_INTERNAL_H

#include <muniment/retention/plan.h>

enum { PLAN_DAY = 86400 };

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

/* The counts that bind a snapshot: the smaller of the policy's and those at birth. False: there are none, and tiers end
 * nothing. */
bool tier_limits(const struct policy *policy, const struct plan_snapshot *snapshot, uint32_t limits[TIER_KINDS]);

/* The deadline at birth binds; a policy that became shorter since brings it forward. 0: none. */
int64_t plan_effective_deadline(const struct policy *policy, const struct plan_snapshot *snapshot);

/* From when on max_age ends it (rule 2): its deadline, less the slack. INT64_MAX: never. */
int64_t plan_capped_end(const struct policy *policy, const struct plan_snapshot *snapshot);

/* What the rules need to know of each snapshot. */
struct standing {
    int64_t period[TIER_KINDS]; /* in order: never less than that of the one before */
    bool ended;                 /* by max_age (rule 2), whatever else holds */
    bool limited;               /* by tiers */
    uint32_t limit[TIER_KINDS];
    uint32_t rank[TIER_KINDS]; /* 1 is the newest period; 0: it does not take the tier */
};

struct plan {
    const struct policy *policy;
    const struct calendar *calendar;
    const struct plan_snapshot *snapshots;
    struct standing *standings;
    size_t count;
    int64_t now, today;
    size_t newest; /* complete one; `count` when there is none */
};

/* Fills in the periods and limits of one, after those before it. */
void plan_place(struct plan *plan, size_t at);

/* Fills in everything that depends on now and on the others. */
void plan_rank(struct plan *plan);

/* The enum tier bits that hold it. */
uint8_t standing_tiers(const struct standing *standing);

/* What the rules come to, but for the guard. Those from GOES_OLD on go; of these the guard stops all but the first. */
enum decision {
    STAYS_HELD,
    STAYS_LAST_GOOD, /* although max_age ended it */
    STAYS_PARTIAL,
    STAYS_UNLIMITED,
    STAYS_TIERS,
    STAYS_TODAY,
    STAYS_NEWEST,
    GOES_OLD,
    GOES_PARTIAL,
    GOES_TIERS,
};
enum decision plan_decide(const struct plan *plan, size_t at);

/* Why tiers expire nothing now (rule 6); empty when they do. After plan_rank(). */
void plan_guard(const struct plan *plan, char *guard, size_t size);

/* The decision with its numbers; with a reason only when `say`, since text takes longer than all the rest. */
void plan_judge(const struct plan *plan, size_t at, bool guarded, bool say, struct plan_verdict *verdict);

/* A complete snapshot that is born under the policy at `when`. */
struct plan_snapshot plan_newborn(const struct policy *policy, int64_t when);

/* How long before its end a snapshot that may live `life` seconds expires. */
int64_t plan_slack_of(const struct policy *policy, int64_t life);

/* a + b, held at the ends of the range. */
int64_t add_bounded(int64_t a, int64_t b);

#endif
