#include "plan_internal.h"
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    GUARD_SNAPSHOTS = 7,       /* how many complete ones the newest is compared with */
    CLOCK_TOLERANCE = PLAN_DAY /* how far in the future the newest may be */
};

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

int64_t plan_interval(const struct policy *policy) {
    return policy->interval > 0 ? policy->interval : PLAN_DAY;
}

int64_t add_bounded(int64_t a, int64_t b) {
    int64_t sum;
    if (!__builtin_add_overflow(a, b, &sum))
        return sum;
    return b > 0 ? INT64_MAX : INT64_MIN;
}

int64_t plan_slack_of(const struct policy *policy, int64_t life) {
    if (life <= 0)
        return 0;
    int64_t two_runs = add_bounded(plan_interval(policy), plan_interval(policy));
    return life / 4 < two_runs ? life / 4 : two_runs;
}

int64_t plan_slack(const struct policy *policy) {
    return plan_slack_of(policy, policy->max_age);
}

int64_t plan_deadline(const struct policy *policy, int64_t when) {
    return policy->max_age > 0 ? add_bounded(when, policy->max_age) : 0;
}

uint8_t plan_birth_tiers(const struct calendar *calendar, const struct policy *policy,
                         const struct plan_snapshot *earlier, size_t count, int64_t when) {
    uint8_t tiers = 0;
    for (int kind = 0; kind < TIER_KINDS; kind++) {
        if (tier_wanted(policy, kind) == 0)
            continue;
        int64_t period = calendar_period(calendar, TIER_TABLE[kind].period, when);
        bool first = true;
        for (size_t i = count; i-- > 0 && first;)
            first =
                !earlier[i].complete || calendar_period(calendar, TIER_TABLE[kind].period, earlier[i].started) < period;
        if (first)
            tiers |= (uint8_t)(1 << kind);
    }
    return tiers;
}

/* --- working out one plan ---------------------------------------------------------------------------------------- */

/* What the rules need to know of each snapshot. */
struct standing {
    int64_t day;               /* its calendar day */
    bool ended;                /* by max_age (rule 2), whatever else holds */
    uint32_t rank[TIER_KINDS]; /* 1 is the newest period; 0: not the first complete one of its period */
};

struct plan {
    const struct policy *policy;
    const struct calendar *calendar;
    const struct plan_snapshot *snapshots;
    size_t count;
    int64_t now;
    int64_t today;
    struct standing *standings;
    size_t newest; /* complete one; `count` when there is none */
    bool guarded;
};

/* Text that is built piece by piece and cut where it is full. */
struct phrase {
    char *text;
    size_t size, length;
};

static void phrase_add(struct phrase *phrase, const char *format, ...) PRINTF_LIKE(2, 3);
static void phrase_add(struct phrase *phrase, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int more = vsnprintf(phrase->text + phrase->length, phrase->size - phrase->length, format, arguments);
    va_end(arguments);
    if (more > 0)
        phrase->length += (size_t)more;
    if (phrase->length >= phrase->size)
        phrase->length = phrase->size - 1;
}

/* The deadline at birth binds; a policy that became shorter since brings it forward, a longer one does not move it. */
static int64_t effective_deadline(const struct policy *policy, const struct plan_snapshot *snapshot) {
    int64_t now_policy = plan_deadline(policy, snapshot->started);
    if (snapshot->deadline == 0 || (now_policy != 0 && now_policy < snapshot->deadline))
        return now_policy;
    return snapshot->deadline;
}

static bool has_ended(const struct plan *plan, const struct plan_snapshot *snapshot, int64_t deadline) {
    if (deadline == 0)
        return false;
    int64_t life = add_bounded(deadline, -snapshot->started);
    return plan->now >= add_bounded(deadline, -plan_slack_of(plan->policy, life));
}

/* Ranks the periods of one kind, newest first. Snapshots that max_age ends take no place from those that stay, so that
 * the plan after the plan was carried out is the same. */
static void rank_periods(struct plan *plan, int kind) {
    if (tier_wanted(plan->policy, kind) == 0)
        return;

    /* First the firsts, in order of time; a first is marked by rank 1. */
    bool any = false;
    int64_t last = 0;
    for (size_t i = 0; i < plan->count; i++) {
        if (!plan->snapshots[i].complete || plan->standings[i].ended)
            continue;
        int64_t period = kind == 0
                             ? plan->standings[i].day
                             : calendar_period(plan->calendar, TIER_TABLE[kind].period, plan->snapshots[i].started);
        if (any && period <= last)
            continue;
        plan->standings[i].rank[kind] = 1;
        last = period;
        any = true;
    }

    uint32_t rank = 0;
    for (size_t i = plan->count; i-- > 0;)
        if (plan->standings[i].rank[kind])
            plan->standings[i].rank[kind] = ++rank;
}

static int compare_bytes(const void *left, const void *right) {
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* Why the newest complete snapshot is too doubtful for older ones to make room for it. Compared is with some before it,
 * not with all: what has stayed smaller for a week is meant so. */
static void judge_newest(struct plan *plan, char *guard, size_t size) {
    struct phrase phrase = { guard, size, 0 };
    guard[0] = '\0';
    if (plan->newest == plan->count) {
        phrase_add(&phrase, "there is no complete snapshot");
        return;
    }

    const struct plan_snapshot *newest = &plan->snapshots[plan->newest];
    int64_t age = add_bounded(plan->now, -newest->started);
    int64_t interval = plan_interval(plan->policy);
    char text[CLOCK_TEXT], expected[CLOCK_TEXT];
    if (age > add_bounded(interval, interval / 2))
        phrase_add(&phrase, "the newest complete snapshot is %s old, one is expected every %s",
                   clock_format_span(text, age), clock_format_span(expected, interval));

    uint64_t bytes[GUARD_SNAPSHOTS];
    uint32_t units = 0;
    size_t count = 0;
    for (size_t i = plan->newest; i-- > 0 && count < GUARD_SNAPSHOTS;) {
        if (!plan->snapshots[i].complete)
            continue;
        bytes[count++] = plan->snapshots[i].bytes;
        if (plan->snapshots[i].units > units)
            units = plan->snapshots[i].units;
    }
    if (count == 0)
        return;
    qsort(bytes, count, sizeof *bytes, compare_bytes);
    uint64_t median = bytes[count / 2];
    if (newest->bytes < median / 2)
        phrase_add(&phrase, "%sthe newest complete snapshot has %llu bytes, those before it about %llu",
                   guard[0] ? "; " : "", (unsigned long long)newest->bytes, (unsigned long long)median);
    if (newest->units < units)
        phrase_add(&phrase, "%sit has %u databases or other units, one of the %zu before it had %u",
                   guard[0] ? "; " : "the newest complete snapshot lost something: ", newest->units, count, units);
}

/* --- one snapshot's verdict -----------------------------------------------------------------------------------------
 */

static void say_deadline(struct phrase *phrase, const struct plan_snapshot *snapshot, int64_t deadline) {
    char span[CLOCK_TEXT], date[CLOCK_TEXT];
    phrase_add(phrase, "max_age %s reached (deadline %s)",
               clock_format_span(span, add_bounded(deadline, -snapshot->started)), clock_format(date, deadline));
}

/* "daily 3 of 7, weekly 1 of 4"; false when no tier holds it. */
static bool say_tiers(struct phrase *phrase, const struct plan *plan, size_t at, uint8_t *tiers) {
    *tiers = 0;
    for (int kind = 0; kind < TIER_KINDS; kind++) {
        uint32_t rank = plan->standings[at].rank[kind], wanted = tier_wanted(plan->policy, kind);
        if (rank == 0 || rank > wanted)
            continue;
        phrase_add(phrase, "%s%s %u of %u", *tiers ? ", " : "", TIER_TABLE[kind].name, rank, wanted);
        *tiers |= (uint8_t)(1 << kind);
    }
    return *tiers != 0;
}

/* Why no tier holds it. */
static void say_no_tier(struct phrase *phrase, const struct plan *plan, size_t at) {
    bool any = false;
    for (int kind = 0; kind < TIER_KINDS; kind++) {
        if (plan->standings[at].rank[kind] == 0)
            continue;
        phrase_add(phrase, "%s%u %s", any ? ", " : "beyond ", tier_wanted(plan->policy, kind), TIER_TABLE[kind].name);
        any = true;
    }
    if (!any)
        phrase_add(phrase, "not the first complete one of its day");
}

/* Rules 4 and 5: what the calendar says of it. True: it stays. */
static bool judge_by_calendar(const struct plan *plan, size_t at, struct plan_verdict *verdict, struct phrase *phrase) {
    const struct plan_snapshot *snapshot = &plan->snapshots[at];
    char day[16];
    if (!snapshot->complete) {
        bool superseded = plan->newest < plan->count && plan->newest > at;
        phrase_add(phrase, superseded ? "partial, and a complete one came after it"
                                      : "partial: stays until the next complete one");
        return !superseded;
    }
    if (!plan_has_tiers(plan->policy)) {
        phrase_add(phrase, "no tiers are configured: stays until max_age ends it");
        return true;
    }
    if (say_tiers(phrase, plan, at, &verdict->tiers))
        return true;
    if (plan->standings[at].day >= plan->today) {
        phrase_add(phrase, "stays until %s is over",
                   calendar_format(plan->calendar, PERIOD_DAY, snapshot->started, day));
        return true;
    }
    if (at == plan->newest && !plan->policy->strict) {
        phrase_add(phrase, "the newest complete one");
        return true;
    }
    say_no_tier(phrase, plan, at);
    return false;
}

static void judge(const struct plan *plan, size_t at, struct plan_verdict *verdict) {
    const struct plan_snapshot *snapshot = &plan->snapshots[at];
    *verdict = (struct plan_verdict){ .keep = true, .deadline = effective_deadline(plan->policy, snapshot) };
    bool past = verdict->deadline != 0 && plan->now >= verdict->deadline;
    struct phrase phrase = { verdict->reason, sizeof verdict->reason, 0 };

    if (snapshot->held) {
        phrase_add(&phrase, past ? "held, past its deadline" : "held");
        verdict->past_deadline = past;
        for (int kind = 0; kind < TIER_KINDS; kind++)
            if (plan->standings[at].rank[kind] && plan->standings[at].rank[kind] <= tier_wanted(plan->policy, kind))
                verdict->tiers |= (uint8_t)(1 << kind);
        return;
    }
    if (plan->standings[at].ended) {
        verdict->keep = at == plan->newest && !plan->policy->strict;
        verdict->past_deadline = verdict->keep && past;
        if (verdict->keep)
            phrase_add(&phrase, "the last good copy, kept although ");
        say_deadline(&phrase, snapshot, verdict->deadline);
        return;
    }

    char by_calendar[sizeof verdict->reason] = "";
    struct phrase calendar_phrase = { by_calendar, sizeof by_calendar, 0 };
    verdict->keep = judge_by_calendar(plan, at, verdict, &calendar_phrase);
    if (!verdict->keep && plan->guarded) {
        verdict->keep = true;
        phrase_add(&phrase, "guard; else it would go: ");
    }
    phrase_add(&phrase, "%s", by_calendar);
}

static int check_order(const struct plan_snapshot *snapshots, size_t count, int64_t now, struct err *err) {
    for (size_t i = 1; i < count; i++)
        if (snapshots[i].started < snapshots[i - 1].started)
            return err_set(err, ERR_INVALID, "plan: snapshot %zu is older than the one before it", i + 1);
    if (count > 0 && snapshots[count - 1].started > add_bounded(now, CLOCK_TOLERANCE)) {
        char newest[CLOCK_TEXT], text[CLOCK_TEXT];
        err_set(err, ERR_REFUSED, "plan: it is %s, but the newest snapshot was captured at %s", clock_format(text, now),
                clock_format(newest, snapshots[count - 1].started));
        return err_hint(err, "the clock of this host, or of the one that captured it, is wrong; nothing was changed");
    }
    return 0;
}

int plan_make(const struct policy *policy, const struct calendar *calendar, const struct plan_snapshot *snapshots,
              size_t count, int64_t now, struct plan_verdict *verdicts, struct plan_summary *summary, struct err *err) {
    *summary = (struct plan_summary){ 0 };
    if (check_order(snapshots, count, now, err) < 0)
        return -1;
    if (count == 0)
        return 0;

    struct plan plan = {
        .policy = policy,
        .calendar = calendar,
        .snapshots = snapshots,
        .count = count,
        .now = now,
        .today = calendar_period(calendar, PERIOD_DAY, now),
        .standings = mem_array(count, sizeof *plan.standings),
        .newest = count,
    };
    for (size_t i = 0; i < count; i++) {
        plan.standings[i].day = calendar_period(calendar, PERIOD_DAY, snapshots[i].started);
        plan.standings[i].ended = has_ended(&plan, &snapshots[i], effective_deadline(policy, &snapshots[i]));
        if (snapshots[i].complete)
            plan.newest = i;
    }
    for (int kind = 0; kind < TIER_KINDS; kind++)
        rank_periods(&plan, kind);
    judge_newest(&plan, summary->guard, sizeof summary->guard);
    plan.guarded = summary->guard[0] != '\0';

    for (size_t i = 0; i < count; i++) {
        judge(&plan, i, &verdicts[i]);
        if (!verdicts[i].keep) {
            summary->expire++;
            continue;
        }
        summary->keep++;
        int64_t deadline = verdicts[i].deadline;
        if (deadline != 0 && (summary->next_expiry == 0 || deadline < summary->next_expiry))
            summary->next_expiry = deadline;
    }
    free(plan.standings);
    return 0;
}
