#include "plan_internal.h"

const struct tier_kind TIER_TABLE[TIER_KINDS] = {
    { "daily", PERIOD_DAY },
    { "weekly", PERIOD_WEEK },
    { "monthly", PERIOD_MONTH },
    { "yearly", PERIOD_YEAR },
};

uint32_t tier_wanted(const struct policy *policy, int kind) {
    const uint32_t wanted[TIER_KINDS] = { policy->daily, policy->weekly, policy->monthly, policy->yearly };
    return wanted[kind];
}

bool plan_has_tiers(const struct policy *policy) {
    return policy->daily || policy->weekly || policy->monthly || policy->yearly;
}

bool tier_limits(const struct policy *policy, const struct plan_snapshot *snapshot, uint32_t limits[TIER_KINDS]) {
    bool now = plan_has_tiers(policy), birth = false;
    for (int kind = 0; kind < TIER_KINDS; kind++)
        birth = birth || snapshot->limits[kind] > 0;
    for (int kind = 0; kind < TIER_KINDS; kind++) {
        uint32_t wanted = now ? tier_wanted(policy, kind) : UINT32_MAX;
        uint32_t born = birth ? snapshot->limits[kind] : UINT32_MAX;
        limits[kind] = wanted < born ? wanted : born;
    }
    return now || birth;
}

int64_t plan_effective_deadline(const struct policy *policy, const struct plan_snapshot *snapshot) {
    int64_t now_policy = plan_deadline(policy, snapshot->started);
    if (snapshot->deadline == 0 || (now_policy != 0 && now_policy < snapshot->deadline))
        return now_policy;
    return snapshot->deadline;
}

int64_t plan_capped_end(const struct policy *policy, const struct plan_snapshot *snapshot) {
    int64_t deadline = plan_effective_deadline(policy, snapshot);
    if (deadline == 0)
        return INT64_MAX;
    int64_t life = add_bounded(deadline, -snapshot->started);
    return add_bounded(deadline, -plan_slack_of(policy, life));
}

void plan_place(struct plan *plan, size_t at) {
    const struct plan_snapshot *snapshot = &plan->snapshots[at];
    struct standing *standing = &plan->standings[at];
    *standing = (struct standing){ 0 };
    standing->limited = tier_limits(plan->policy, snapshot, standing->limit);
    calendar_periods(plan->calendar, snapshot->started, standing->period);

    /* Clocks that go back over midnight begin the day before anew. */
    for (int kind = 0; kind < TIER_KINDS && at > 0; kind++)
        if (standing->period[kind] < standing[-1].period[kind])
            standing->period[kind] = standing[-1].period[kind];
}

/* Newest period first: a rank counts the later periods of which the tier holds a snapshot. */
static void rank_periods(struct plan *plan, int kind) {
    struct standing *standings = plan->standings;
    uint32_t held = 0;
    for (size_t end = plan->count, begin; end > 0; end = begin) {
        int64_t period = standings[end - 1].period[kind];
        for (begin = end - 1; begin > 0 && standings[begin - 1].period[kind] == period;)
            begin--;

        uint32_t longest = 0;
        for (size_t i = begin; i < end; i++) {
            standings[i].rank[kind] = 0;
            if (!plan->snapshots[i].complete || standings[i].ended || standings[i].limit[kind] <= longest)
                continue;
            longest = standings[i].limit[kind];
            standings[i].rank[kind] = held + 1;
        }
        held += longest > held;
    }
}

void plan_rank(struct plan *plan) {
    plan->today = calendar_period(plan->calendar, PERIOD_DAY, plan->now);
    plan->newest = plan->count;
    for (size_t i = 0; i < plan->count; i++) {
        plan->standings[i].ended = plan->now >= plan_capped_end(plan->policy, &plan->snapshots[i]);
        if (plan->snapshots[i].complete)
            plan->newest = i;
    }
    for (int kind = 0; kind < TIER_KINDS; kind++)
        rank_periods(plan, kind);
}

uint8_t standing_tiers(const struct standing *standing) {
    uint8_t tiers = 0;
    for (int kind = 0; kind < TIER_KINDS && standing->limited; kind++)
        if (standing->rank[kind] > 0 && standing->rank[kind] <= standing->limit[kind])
            tiers |= (uint8_t)(1 << kind);
    return tiers;
}

enum decision plan_decide(const struct plan *plan, size_t at) {
    const struct plan_snapshot *snapshot = &plan->snapshots[at];
    const struct standing *standing = &plan->standings[at];
    bool last_good = at == plan->newest && !plan->policy->strict;
    if (snapshot->held)
        return STAYS_HELD;
    if (standing->ended)
        return last_good ? STAYS_LAST_GOOD : GOES_OLD;
    if (!snapshot->complete)
        return plan->newest < plan->count && plan->newest > at ? GOES_PARTIAL : STAYS_PARTIAL;
    if (!standing->limited)
        return STAYS_UNLIMITED;
    if (standing_tiers(standing) != 0)
        return STAYS_TIERS;
    if (standing->period[PERIOD_DAY] >= plan->today)
        return STAYS_TODAY;
    return last_good ? STAYS_NEWEST : GOES_TIERS;
}
