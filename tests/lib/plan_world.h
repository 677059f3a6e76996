/* Snapshots in a calendar, that policies are tried on. */
#ifndef MUNIMENT_TESTS_PLAN_WORLD_H
#define MUNIMENT_TESTS_PLAN_WORLD_H

#include <muniment/retention/plan.h>

enum { PLAN_WORLD_MOST = 4000 };

struct plan_world {
    struct calendar *calendar;
    struct policy policy;
    struct plan_snapshot snapshots[PLAN_WORLD_MOST];
    struct plan_verdict verdicts[PLAN_WORLD_MOST];
    size_t count;
    struct plan_summary summary;
};

/* With a policy of these tiers and an interval of a day. plan_world_free() it. */
struct plan_world *plan_world_new(const char *zone, uint32_t daily, uint32_t weekly, uint32_t monthly);
void plan_world_free(struct plan_world *world);

/* The policy's time zone changes. */
void plan_world_move(struct plan_world *world, const char *zone);

/* A complete snapshot under the policy, after all others. */
struct plan_snapshot *plan_world_add(struct plan_world *world, int64_t started);

/* Makes the plan; and carries it out. */
void plan_world_make(struct plan_world *world, int64_t now);
void plan_world_apply(struct plan_world *world);

/* Captures and rotates at the wall-clock time of `first`, night by night. */
void plan_world_live(struct plan_world *world, const char *first, int nights);

/* The start times of all, "2026-03-01 2026-03-02", in days of the world's zone. Freed by the caller. */
char *plan_world_days(const struct plan_world *world);

#endif
