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

int64_t plan_purge_slack(const struct policy *policy) {
    return plan_slack_of(policy, policy->max_age > 0 ? policy->max_age : policy->purge_within);
}

/* --- working out one plan ---------------------------------------------------------------------------------------- */

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

static int compare_bytes(const void *left, const void *right) {
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* Why the newest complete snapshot is too doubtful for older ones to make room for it. Compared is with some before it,
 * not with all: what has stayed smaller for a week is meant so. */
void plan_guard(const struct plan *plan, char *guard, size_t size) {
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

/* "daily 3 of 7, weekly 1 of 4", or nothing when no tier holds it. */
static void say_tiers(struct phrase *phrase, const struct standing *standing, uint8_t tiers) {
    bool any = false;
    for (int kind = 0; kind < TIER_KINDS; kind++) {
        if ((tiers & 1 << kind) == 0)
            continue;
        phrase_add(phrase, "%s%s %u of %u", any ? ", " : "", TIER_TABLE[kind].name, standing->rank[kind],
                   standing->limit[kind]);
        any = true;
    }
}

/* Why no tier holds it. */
static void say_no_tier(struct phrase *phrase, const struct plan *plan, const struct standing *standing) {
    bool any = false;
    for (int kind = 0; kind < TIER_KINDS; kind++) {
        if (standing->rank[kind] == 0)
            continue;
        bool born = plan_has_tiers(plan->policy) && standing->limit[kind] < tier_wanted(plan->policy, kind);
        phrase_add(phrase, "%s%u %s%s", any ? ", " : "beyond ", standing->limit[kind], TIER_TABLE[kind].name,
                   born ? " (at birth)" : "");
        any = true;
    }
    if (!any)
        phrase_add(phrase, "not the first complete one of a period that is kept");
}

static void say_decision(struct phrase *phrase, const struct plan *plan, size_t at, enum decision decision,
                         const struct plan_verdict *verdict) {
    const struct plan_snapshot *snapshot = &plan->snapshots[at];
    char day[16];
    switch (decision) {
    case STAYS_HELD:
        phrase_add(phrase, verdict->past_deadline ? "held, past its deadline" : "held");
        break;
    case STAYS_LAST_GOOD:
        phrase_add(phrase, "the last good copy, kept although ");
        say_deadline(phrase, snapshot, verdict->deadline);
        break;
    case STAYS_PARTIAL:
        phrase_add(phrase, "partial: stays until the next complete one");
        break;
    case STAYS_UNLIMITED:
        phrase_add(phrase, "no tiers are configured: stays until max_age ends it");
        break;
    case STAYS_TIERS:
        say_tiers(phrase, &plan->standings[at], verdict->tiers);
        break;
    case STAYS_TODAY:
        phrase_add(phrase, "stays until %s is over",
                   calendar_format(plan->calendar, PERIOD_DAY, snapshot->started, day));
        break;
    case STAYS_NEWEST:
        phrase_add(phrase, "the newest complete one");
        break;
    case GOES_OLD:
        say_deadline(phrase, snapshot, verdict->deadline);
        break;
    case GOES_PARTIAL:
        phrase_add(phrase, "partial, and a complete one came after it");
        break;
    case GOES_TIERS:
        say_no_tier(phrase, plan, &plan->standings[at]);
        break;
    }
}

void plan_judge(const struct plan *plan, size_t at, bool guarded, bool say, struct plan_verdict *verdict) {
    enum decision decision = plan_decide(plan, at);
    bool goes = decision >= GOES_OLD, stopped = guarded && decision > GOES_OLD;
    bool in_tiers = decision == STAYS_HELD || decision == STAYS_TIERS;
    verdict->keep = !goes || stopped;
    verdict->tiers = in_tiers ? standing_tiers(&plan->standings[at]) : 0;
    verdict->deadline = plan_effective_deadline(plan->policy, &plan->snapshots[at]);
    verdict->past_deadline = verdict->keep && verdict->deadline != 0 && plan->now >= verdict->deadline;
    verdict->reason[0] = '\0';
    if (!say)
        return;
    struct phrase phrase = { verdict->reason, sizeof verdict->reason, 0 };
    if (stopped)
        phrase_add(&phrase, "guard; else it would go: ");
    say_decision(&phrase, plan, at, decision, verdict);
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
        .standings = mem_array(count, sizeof *plan.standings),
        .count = count,
        .now = now,
    };
    for (size_t i = 0; i < count; i++)
        plan_place(&plan, i);
    plan_rank(&plan);
    plan_guard(&plan, summary->guard, sizeof summary->guard);

    for (size_t i = 0; i < count; i++) {
        plan_judge(&plan, i, summary->guard[0] != '\0', true, &verdicts[i]);
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
