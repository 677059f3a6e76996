/* A million random calendars, with holds and policies that change, each judged by plan_make() and by a second plan that
 * was written from the rules alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/scratch.h"
#include "../lib/times.h"
#include <muniment/retention/plan.h>
#include <stdlib.h>
#include <string.h>

enum { DAY = 86400, HOUR = 3600 };

enum { SMALL = 14 };

/* Straight from the words of plan.h: every question is answered by looking at all snapshots again. */
struct naive {
    const struct policy *policy;
    const struct plan_snapshot *s;
    size_t n;
    int64_t now;
    int64_t period[SMALL][4];
    int64_t today;
    uint8_t tiers[SMALL]; /* that hold each */
};

static int64_t naive_deadline(const struct naive *naive, size_t i) {
    int64_t by_policy = naive->policy->max_age ? naive->s[i].started + naive->policy->max_age : 0;
    if (!naive->s[i].deadline)
        return by_policy;
    if (!by_policy)
        return naive->s[i].deadline;
    return by_policy < naive->s[i].deadline ? by_policy : naive->s[i].deadline;
}

static bool naive_ended(const struct naive *naive, size_t i) {
    int64_t deadline = naive_deadline(naive, i), run = naive->policy->interval ? naive->policy->interval : DAY;
    int64_t quarter = (deadline - naive->s[i].started) / 4;
    return deadline && naive->now >= deadline - (quarter < 2 * run ? quarter : 2 * run);
}

static bool naive_has_tiers(const uint32_t *counts) {
    return counts[0] || counts[1] || counts[2] || counts[3];
}

static void naive_today(const struct naive *naive, uint32_t *counts) {
    counts[0] = naive->policy->daily;
    counts[1] = naive->policy->weekly;
    counts[2] = naive->policy->monthly;
    counts[3] = naive->policy->yearly;
}

/* -1: no limit. */
static int64_t naive_limit(const struct naive *naive, size_t i, int kind) {
    uint32_t today[4];
    naive_today(naive, today);
    const uint32_t *birth = naive->s[i].limits;
    if (!naive_has_tiers(today))
        return naive_has_tiers(birth) ? (int64_t)birth[kind] : -1;
    if (!naive_has_tiers(birth))
        return today[kind];
    return today[kind] < birth[kind] ? today[kind] : birth[kind];
}

static bool naive_takes(const struct naive *naive, size_t i, int kind) {
    int64_t limit = naive_limit(naive, i, kind);
    if (!naive->s[i].complete || naive_ended(naive, i) || limit == 0)
        return false;
    for (size_t j = 0; j < i; j++) {
        int64_t other = naive_limit(naive, j, kind);
        if (naive->s[j].complete && !naive_ended(naive, j) && naive->period[j][kind] == naive->period[i][kind] &&
            (other == -1 || (limit != -1 && other >= limit)))
            return false;
    }
    return true;
}

/* How many periods after its own have a snapshot that the tier holds. */
static int64_t naive_later(const struct naive *naive, size_t i, int kind) {
    int64_t later = 0;
    for (size_t j = i + 1; j < naive->n; j++) {
        bool counts = (naive->tiers[j] & 1 << kind) && naive->period[j][kind] != naive->period[i][kind];
        for (size_t k = i + 1; k < j && counts; k++)
            counts = !(naive->tiers[k] & 1 << kind) || naive->period[k][kind] != naive->period[j][kind];
        later += counts;
    }
    return later;
}

/* Those without any limit are in no tier; they only count, as snapshots that stay do. */
static void naive_hold(struct naive *naive) {
    for (size_t i = naive->n; i-- > 0;) {
        naive->tiers[i] = 0;
        for (int kind = 0; kind < 4; kind++) {
            int64_t limit = naive_limit(naive, i, kind);
            if (naive_takes(naive, i, kind) && (limit == -1 || naive_later(naive, i, kind) < limit))
                naive->tiers[i] |= (uint8_t)(1 << kind);
        }
    }
}

static size_t naive_newest(const struct naive *naive) {
    size_t newest_at = naive->n;
    for (size_t i = 0; i < naive->n; i++)
        if (naive->s[i].complete)
            newest_at = i;
    return newest_at;
}

static bool naive_guard(const struct naive *naive) {
    size_t last = naive_newest(naive);
    if (naive->n == 0)
        return false;
    if (last == naive->n)
        return true;
    int64_t run = naive->policy->interval ? naive->policy->interval : DAY;
    if (2 * (naive->now - naive->s[last].started) > 3 * run)
        return true;

    size_t before[7], count = 0;
    for (size_t i = last; i-- > 0 && count < 7;)
        if (naive->s[i].complete)
            before[count++] = i;
    for (size_t i = 0; i < count; i++)
        if (naive->s[before[i]].units > naive->s[last].units)
            return true;
    /* The upper median: as many below it as count / 2. */
    for (size_t i = 0; i < count; i++) {
        uint64_t candidate = naive->s[before[i]].bytes;
        size_t less = 0, equal = 0;
        for (size_t j = 0; j < count; j++) {
            less += naive->s[before[j]].bytes < candidate;
            equal += naive->s[before[j]].bytes == candidate;
        }
        if (less <= count / 2 && less + equal > count / 2)
            return naive->s[last].bytes < candidate / 2;
    }
    return false;
}

static bool naive_keep(const struct naive *naive, size_t i) {
    size_t last = naive_newest(naive);
    bool last_good = i == last && !naive->policy->strict;
    if (naive->s[i].held)
        return true;
    if (naive_ended(naive, i))
        return last_good;
    if (naive_guard(naive))
        return true;
    if (!naive->s[i].complete)
        return last == naive->n || last < i;
    return naive_limit(naive, i, 0) == -1 || last_good || naive->tiers[i] || naive->period[i][0] >= naive->today;
}

/* Often no tiers at all, and often small counts, so that limits meet. */
static void draw_tiers(uint32_t counts[4]) {
    bool none = draw(5) == 0;
    for (int kind = 0; kind < 4; kind++)
        counts[kind] = none ? 0 : (uint32_t)draw(5);
}

static size_t draw_calendar(struct policy *policy, struct plan_snapshot *snapshots, int64_t *now) {
    static const int64_t steps[] = { HOUR, 5 * HOUR, DAY, DAY, DAY, 2 * DAY, 7 * DAY, 31 * DAY, 200 * DAY };
    uint32_t today[4], birth[4];
    draw_tiers(today);
    *policy = (struct policy){ .daily = today[0],
                               .weekly = today[1],
                               .monthly = today[2],
                               .yearly = today[3],
                               .max_age = draw(2) ? 0 : (int64_t)draw(120 * DAY) + 1,
                               .interval = draw(3) ? 0 : (int64_t)(draw(7 * DAY) + 1),
                               .strict = draw(2) };
    size_t count = draw(SMALL + 1);
    int64_t when = 1700000000 + (int64_t)draw(400 * DAY), step = steps[draw(9)];
    uint64_t change = draw(4) == 0 ? 2 : 6; /* how seldom the policy changes */
    draw_tiers(birth);
    for (size_t i = 0; i < count; i++) {
        when += draw(4) ? step : steps[draw(9)];
        snapshots[i] = (struct plan_snapshot){ .started = when,
                                               .deadline = draw(3) ? 0 : when + (int64_t)draw(200 * DAY) + 1,
                                               .bytes = draw(6) ? 1000 : draw(1000),
                                               .units = draw(12) ? 3 : (uint32_t)draw(4),
                                               .complete = draw(6) != 0,
                                               .held = draw(12) == 0 };
        if (draw(change) == 0)
            draw_tiers(birth);
        if (draw(8) == 0)
            memcpy(birth, today, sizeof birth);
        memcpy(snapshots[i].limits, birth, sizeof birth);
    }
    *now = when + (draw(3) ? (int64_t)draw(HOUR) : (int64_t)draw(60 * DAY)) - (draw(8) ? 0 : (int64_t)draw(DAY));
    return count;
}

static void compare_with_naive(const struct calendar *calendar, uint64_t round) {
    struct err err = { 0 };
    struct policy policy;
    struct plan_snapshot snapshots[SMALL], after[SMALL];
    struct plan_verdict verdicts[SMALL];
    struct plan_summary summary;
    struct naive naive = { .policy = &policy, .s = snapshots };
    naive.n = draw_calendar(&policy, snapshots, &naive.now);
    for (size_t i = 0; i < naive.n; i++)
        for (int kind = 0; kind < 4; kind++)
            naive.period[i][kind] = calendar_period(calendar, (enum period)kind, snapshots[i].started);
    naive.today = calendar_period(calendar, PERIOD_DAY, naive.now);
    naive_hold(&naive);

    assert_success(plan_make(&policy, calendar, snapshots, naive.n, naive.now, verdicts, &summary, &err), &err);
    if (naive_guard(&naive) != (summary.guard[0] != '\0'))
        fail_msg("calendar %llu: guard '%s'", (unsigned long long)round, summary.guard);
    size_t kept = 0;
    for (size_t i = 0; i < naive.n; i++) {
        int64_t deadline = naive_deadline(&naive, i);
        bool keep = naive_keep(&naive, i), past = keep && deadline && naive.now >= deadline;
        if (verdicts[i].keep != keep || verdicts[i].deadline != deadline || verdicts[i].past_deadline != past ||
            verdicts[i].reason[0] == '\0' ||
            (keep && !past && naive_limit(&naive, i, 0) != -1 && verdicts[i].tiers != naive.tiers[i]))
            fail_msg("calendar %llu, snapshot %zu of %zu: keep %d, not %d: %s", (unsigned long long)round, i, naive.n,
                     verdicts[i].keep, keep, verdicts[i].reason);
        if (keep)
            after[kept++] = snapshots[i];
    }
    assert_int_equal(summary.keep, kept);
    if (summary.guard[0] != '\0')
        return;

    /* What was carried out is not carried out again. */
    assert_success(plan_make(&policy, calendar, after, kept, naive.now, verdicts, &summary, &err), &err);
    if (summary.expire != 0)
        fail_msg("calendar %llu: the plan after the plan expires %zu more", (unsigned long long)round, summary.expire);
}

static void a_million_calendars_agree_with_a_naive_plan(void **state) {
    (void)state;
    const char *scale = getenv("TEST_SCALE");
    uint64_t rounds = 10000 * (scale ? strtoull(scale, NULL, 10) : 100);
    struct calendar *const calendars[] = { open_zone("UTC"), open_zone("Europe/Copenhagen") };
    for (uint64_t round = 0; round < rounds; round++)
        compare_with_naive(calendars[round % 8 == 0], round);
    calendar_close(calendars[0]);
    calendar_close(calendars[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_million_calendars_agree_with_a_naive_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
