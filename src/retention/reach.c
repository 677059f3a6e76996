#include "plan_internal.h"
#include "zone_internal.h"

enum { PERIODS_MAX = 12000 }; /* a thousand years of months: more is not told apart */

/* The most and the fewest days that `count` whole months in a row have. */
static void days_of_months(int64_t count, int64_t *most, int64_t *fewest) {
    *most = 0;
    *fewest = INT64_MAX;
    for (int64_t start = 0; start < 48; start++) { /* four years see every place a leap day can have */
        int64_t end = start + count;
        int64_t days = days_from_date(2000 + end / 12, (int)(end % 12) + 1, 1) -
                       days_from_date(2000 + start / 12, (int)(start % 12) + 1, 1);
        *most = days > *most ? days : *most;
        *fewest = days < *fewest ? days : *fewest;
    }
}

/* The most and the fewest seconds from the first run of a period to the first run `count` periods later. */
static void span_of(const struct policy *policy, int kind, uint32_t count, int64_t *most, int64_t *fewest) {
    int64_t periods = count < PERIODS_MAX ? count : PERIODS_MAX;
    *most = *fewest = periods;
    if (TIER_TABLE[kind].period == PERIOD_WEEK)
        *most = *fewest = periods * 7;
    else if (TIER_TABLE[kind].period == PERIOD_MONTH)
        days_of_months(periods, most, fewest);
    else if (TIER_TABLE[kind].period == PERIOD_YEAR)
        days_of_months(periods * 12, most, fewest);
    *most *= PLAN_DAY;
    *fewest *= PLAN_DAY;

    /* Runs that are rarer than the periods leave some of them empty, and those do not count. */
    int64_t by_runs = plan_interval(policy) < INT64_MAX / PERIODS_MAX ? periods * plan_interval(policy) : INT64_MAX;
    *most = by_runs > *most ? by_runs : *most;
    *fewest = by_runs > *fewest ? by_runs : *fewest;
}

/* The age of a snapshot at the last run that keeps it when max_age ends it. */
static int64_t capped_age(const struct policy *policy) {
    int64_t interval = plan_interval(policy), expires = policy->max_age - plan_slack(policy);
    return expires <= 0 ? 0 : (expires - 1) / interval * interval;
}

void plan_reach(const struct policy *policy, struct policy_reach *reach) {
    *reach = (struct policy_reach){ .tiers_reach = -1, .oldest_age = -1, .erasure_horizon = -1 };
    uint32_t *const effective[TIER_KINDS] = { &reach->daily_effective, &reach->weekly_effective,
                                              &reach->monthly_effective, &reach->yearly_effective };
    int64_t interval = plan_interval(policy), cap = policy->max_age > 0 ? capped_age(policy) : INT64_MAX;

    /* The last of N is gone with the first run of the period after N others. */
    int64_t most, fewest, longest = -1;
    for (int kind = 0; kind < TIER_KINDS; kind++) {
        uint32_t wanted = tier_wanted(policy, kind);
        if (wanted == 0)
            continue;
        span_of(policy, kind, wanted, &most, &fewest);
        longest = most > longest ? most : longest;

        /* The k-th exists when it can still be young enough as it becomes the k-th. */
        uint32_t low = 1, high = wanted;
        while (low < high) {
            uint32_t middle = low + (high - low + 1) / 2;
            span_of(policy, kind, middle - 1, &most, &fewest);
            if (fewest <= cap)
                low = middle;
            else
                high = middle - 1;
        }
        *effective[kind] = low;
    }

    /* Deleted just after a capture, a row lives as long as that snapshot, and its dead chunks purge_within longer. */
    if (longest >= 0) {
        reach->tiers_reach = longest - interval;
        reach->oldest_age = reach->tiers_reach;
        reach->erasure_horizon = add_bounded(longest, policy->purge_within);
    }
    if (policy->max_age > 0) {
        if (longest < 0 || cap < reach->oldest_age)
            reach->oldest_age = cap;
        if (longest < 0 || policy->max_age < reach->erasure_horizon)
            reach->erasure_horizon = policy->max_age;
    }
}
