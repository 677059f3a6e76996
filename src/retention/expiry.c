#include "plan_internal.h"
#include <muniment/util/memory.h>
#include <stdlib.h>

/* What exists from night to night, and what is asked for: where in `expires` each one's date goes. */
struct future {
    struct plan plan;
    struct plan_snapshot *snapshots;
    size_t *places; /* NO_PLACE: a snapshot that is still to come */
    size_t asked;   /* how many are still there of those that will ever go */
};
static const size_t NO_PLACE = SIZE_MAX;
enum { RUNS_MAX = EXPIRY_YEARS * 366 + 1 };
static const int64_t FORESIGHT = EXPIRY_YEARS * 366 * (int64_t)PLAN_DAY;

static void future_add(struct future *future, const struct plan_snapshot *snapshot, size_t place) {
    size_t at = future->plan.count++;
    future->snapshots[at] = *snapshot;
    future->places[at] = place;
    plan_place(&future->plan, at);
    bool ends = !snapshot->complete || future->plan.standings[at].limited ||
                plan_effective_deadline(future->plan.policy, snapshot) != 0;
    future->asked += place != NO_PLACE && ends && !snapshot->held;
}

static void future_rotate(struct future *future, int64_t now, int64_t *expires) {
    struct plan *plan = &future->plan;
    size_t kept = 0;
    plan->now = now;
    plan_rank(plan);
    for (size_t i = 0; i < plan->count; i++) {
        if (plan_decide(plan, i) >= GOES_OLD) {
            if (future->places[i] != NO_PLACE) {
                expires[future->places[i]] = now;
                future->asked--;
            }
            continue;
        }
        future->snapshots[kept] = future->snapshots[i];
        future->places[kept] = future->places[i];
        plan->standings[kept++] = plan->standings[i];
    }
    plan->count = kept;
}

/* Run number `run` after `newest`. */
static int64_t run_after(const struct plan *plan, int64_t newest, int64_t run, int64_t step) {
    if (step % PLAN_DAY != 0)
        return newest + run * step;
    return calendar_add_days(plan->calendar, newest, (int)(run * (step / PLAN_DAY)));
}

static void live_on(struct future *future, int64_t newest, int64_t now, int64_t *expires) {
    int64_t step = plan_interval(future->plan.policy), end = add_bounded(now, FORESIGHT);
    if (step > FORESIGHT)
        return;
    if (step < PLAN_DAY)
        step = PLAN_DAY;
    int64_t run = now > newest + step ? (now - newest) / step - 1 : 1;
    for (;; run++) {
        int64_t when = run_after(&future->plan, newest, run, step);
        if (future->asked == 0 || when > end)
            break;
        if (when <= now)
            continue;
        struct plan_snapshot captured = plan_newborn(future->plan.policy, when);
        future_add(future, &captured, NO_PLACE);
        future_rotate(future, when, expires);
    }
}

void plan_expiry(const struct policy *policy, const struct calendar *calendar, const struct plan_snapshot *snapshots,
                 const struct plan_verdict *verdicts, size_t count, int64_t now, int64_t *expires) {
    if (count == 0)
        return;
    size_t room = count + RUNS_MAX;
    struct future future = {
        .plan = { .policy = policy, .calendar = calendar, .standings = mem_array(room, sizeof(struct standing)) },
        .snapshots = mem_array(room, sizeof *future.snapshots),
        .places = mem_array(room, sizeof *future.places),
    };
    future.plan.snapshots = future.snapshots;
    for (size_t i = 0; i < count; i++) {
        expires[i] = verdicts[i].keep ? 0 : now;
        if (verdicts[i].keep)
            future_add(&future, &snapshots[i], i);
    }
    live_on(&future, snapshots[count - 1].started, now, expires);
    free(future.plan.standings);
    free(future.snapshots);
    free(future.places);
}
