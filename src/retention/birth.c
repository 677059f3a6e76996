#include "plan_internal.h"
#include <muniment/repo/head.h>
#include <string.h>

struct plan_snapshot plan_snapshot_of(const struct head *head) {
    struct plan_snapshot snapshot = {
        .started = head->started,
        .deadline = head->deadline,
        .bytes = head_bytes(head),
        .units = head_units(head),
        .complete = head->outcome == OUTCOME_COMPLETE,
    };
    _Static_assert(sizeof snapshot.limits == sizeof head->limits, "a head has the limits of every tier");
    memcpy(snapshot.limits, head->limits, sizeof snapshot.limits);
    return snapshot;
}

void plan_birth_limits(const struct policy *policy, uint32_t limits[TIER_KINDS]) {
    for (int kind = 0; kind < TIER_KINDS; kind++)
        limits[kind] = tier_wanted(policy, kind);
}

struct plan_snapshot plan_newborn(const struct policy *policy, int64_t when) {
    struct plan_snapshot snapshot = {
        .started = when, .deadline = plan_deadline(policy, when), .bytes = 1, .units = 1, .complete = true
    };
    plan_birth_limits(policy, snapshot.limits);
    return snapshot;
}

int64_t plan_deadline(const struct policy *policy, int64_t when) {
    return policy->max_age > 0 ? add_bounded(when, policy->max_age) : 0;
}

/* Whether an earlier one has the tier of its period already, for as long as one that is born now would. */
static bool is_taken(const struct calendar *calendar, const struct policy *policy, const struct plan_snapshot *earlier,
                     size_t count, int kind, int64_t when) {
    int64_t period = calendar_period(calendar, TIER_TABLE[kind].period, when);
    for (size_t i = count; i-- > 0;) {
        uint32_t limits[TIER_KINDS];
        if (!earlier[i].complete || calendar_period(calendar, TIER_TABLE[kind].period, earlier[i].started) < period)
            continue;
        tier_limits(policy, &earlier[i], limits);
        if (limits[kind] >= tier_wanted(policy, kind))
            return true;
    }
    return false;
}

uint8_t plan_birth_tiers(const struct calendar *calendar, const struct policy *policy,
                         const struct plan_snapshot *earlier, size_t count, int64_t when) {
    uint8_t tiers = 0;
    for (int kind = 0; kind < TIER_KINDS; kind++)
        if (tier_wanted(policy, kind) > 0 && !is_taken(calendar, policy, earlier, count, kind, when))
            tiers |= (uint8_t)(1 << kind);
    return tiers;
}
