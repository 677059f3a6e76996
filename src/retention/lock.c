#include "plan_internal.h"

enum { PERIODS_MAX = 12000, DAYS_OF_SLACK = 3 };

/* The most days that a period can have. */
static int64_t days_of(enum period period) {
    switch (period) {
    case PERIOD_DAY:
        return 1;
    case PERIOD_WEEK:
        return 7;
    case PERIOD_MONTH:
        return 31;
    case PERIOD_YEAR:
        break;
    }
    return 366;
}

/* When the period begins that comes `count` after that of `when`. */
static int64_t period_begins(const struct calendar *calendar, enum period period, int64_t when, uint32_t count) {
    int64_t periods = count < PERIODS_MAX ? count : PERIODS_MAX;
    int64_t wanted = calendar_period(calendar, period, when) + periods;
    int64_t before = when, after = add_bounded(when, ((periods + 1) * days_of(period) + DAYS_OF_SLACK) * PLAN_DAY);
    while (after - before > 1) {
        int64_t middle = before + (after - before) / 2;
        if (calendar_period(calendar, period, middle) < wanted)
            before = middle;
        else
            after = middle;
    }
    return after;
}

/* A snapshot leaves a tier of N periods when N later ones have a complete snapshot: in the first moment of the last of
 * these at the earliest. Without any tier it stays until its day is over. */
static int64_t tiers_end(const struct calendar *calendar, const uint32_t limits[TIER_KINDS], uint8_t tiers,
                         int64_t when) {
    int64_t end = period_begins(calendar, PERIOD_DAY, when, 1);
    for (int kind = 0; kind < TIER_KINDS; kind++) {
        if ((tiers & 1 << kind) == 0 || limits[kind] == 0)
            continue;
        int64_t leaves = period_begins(calendar, TIER_TABLE[kind].period, when, limits[kind]);
        end = leaves > end ? leaves : end;
    }
    return end;
}

int64_t plan_lock_until(const struct calendar *calendar, const struct policy *policy,
                        const struct plan_snapshot *snapshot, uint8_t tiers) {
    uint32_t limits[TIER_KINDS];
    int64_t until = plan_capped_end(policy, snapshot);
    if (tier_limits(policy, snapshot, limits)) {
        int64_t leaves = tiers_end(calendar, limits, tiers, snapshot->started);
        until = leaves < until ? leaves : until;
    }
    return until == INT64_MAX ? 0 : until;
}
