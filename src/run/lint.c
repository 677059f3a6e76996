#include <muniment/run/lint.h>
#include <muniment/util/clock.h>
#include <stdio.h>

enum { DAY = 86400, WEEK = 7 * DAY };

/* --- what was promised ----------------------------------------------------------------------------------------------
 */

static void judge_promise(const struct set_settings *set, const struct policy_reach *reach, struct lint *lint) {
    const struct policy *policy = &set->policy;
    char promise[CLOCK_TEXT], horizon[CLOCK_TEXT], age[CLOCK_TEXT];
    clock_format_span(promise, set->erasure_promise);
    clock_format_span(age, policy->max_age);
    if (reach->erasure_horizon < 0)
        lint_add(lint, LINT_ERROR, "erasure_promise = %s, but what is deleted may stay in a snapshot for ever",
                 promise);
    else if (reach->erasure_horizon > set->erasure_promise)
        lint_add(lint, LINT_ERROR, "erasure_promise = %s, but what is deleted stays in snapshots for up to %s%s%s",
                 promise, clock_format_span(horizon, reach->erasure_horizon), policy->max_age > 0 ? ", max_age = " : "",
                 policy->max_age > 0 ? age : "");
    else if (policy->max_age == 0 || policy->max_age > set->erasure_promise)
        lint_add(lint, LINT_WARNING,
                 "erasure_promise = %s is kept by the tiers alone, in %s, while runs go on: while they do not, nothing "
                 "ends; max_age = %s would",
                 promise, clock_format_span(horizon, reach->erasure_horizon), promise);
    if (policy->max_age > 0 && policy->max_age <= set->erasure_promise && !policy->strict)
        lint_add(lint, LINT_WARNING,
                 "erasure_promise = %s, but strict = false: while captures fail, the last good copy outlives max_age = "
                 "%s",
                 promise, age);
}

static void judge_journal(const struct set_settings *set, const struct policy_reach *reach, struct lint *lint) {
    char keep[CLOCK_TEXT], age[CLOCK_TEXT];
    clock_format_span(keep, set->journal_keep);
    if (reach->oldest_age < 0)
        lint_add(lint, LINT_NOTE,
                 "journal_keep = %s, but snapshots may stay for ever: of how they were made it then "
                 "tells only that they were",
                 keep);
    else if (set->journal_keep < reach->oldest_age)
        lint_add(lint, LINT_WARNING,
                 "journal_keep = %s, but snapshots live up to %s: of how they were made it then tells only that they "
                 "were",
                 keep, clock_format_span(age, reach->oldest_age));
}

/* --- copies --------------------------------------------------------------------------------------------------------
 */

/* A mirror that is copied to once a week follows deletions every night. */
static void judge_weekly(const struct set_settings *set, const char *name, struct lint *lint) {
    const struct policy *policy = &set->policy;
    int64_t interval = plan_interval(policy), life = policy->max_age - plan_slack(policy);
    char age[CLOCK_TEXT], most[CLOCK_TEXT], lag[CLOCK_TEXT];
    clock_format_span(age, policy->max_age);
    clock_format_span(lag, WEEK + interval);
    if (policy->max_age > 0 && life <= WEEK) {
        lint_add(
            lint, LINT_ERROR,
            "mirror '%s' is copied to every 7 d, but with max_age = %s snapshots expire after %s: before each copy "
            "nothing is left there",
            name, age, clock_format_span(most, life));
        return;
    }
    lint_add(lint, LINT_NOTE, "mirror '%s' is copied to every 7 d: its newest snapshot is up to %s old", name, lag);
    if (policy->daily == 0 || interval > DAY)
        return;
    if (policy->daily < 7)
        lint_add(lint, LINT_WARNING,
                 "mirror '%s' is copied to every 7 d, but daily = %u: %u of 7 days are gone before they are copied",
                 name, policy->daily, 7 - policy->daily);
    if (policy->daily < 14)
        lint_add(lint, LINT_WARNING,
                 "mirror '%s' is copied to every 7 d, and deletions reach it every night: just before a copy it has %u "
                 "of daily = %u",
                 name, policy->daily > 7 ? policy->daily - 7 : 0, policy->daily);
}

static void judge_mirror(const struct set_settings *set, const struct mirror_settings *mirror,
                         const struct policy_reach *reach, struct lint *lint) {
    char age[CLOCK_TEXT];
    if (mirror->schedule == MIRROR_WEEKLY)
        judge_weekly(set, mirror->name, lint);
    if (mirror->schedule == MIRROR_MANUAL && reach->oldest_age >= 0)
        lint_add(lint, LINT_WARNING,
                 "mirror '%s' is copied to by hand, but deletions reach it with every run: %s after a copy (the oldest "
                 "age) nothing of it is left",
                 mirror->name, clock_format_span(age, reach->oldest_age));
    if (mirror->verify_percent == 0)
        lint_add(lint, LINT_WARNING, "mirror '%s': verify_percent = 0: what it holds is never read back", mirror->name);
    else if (reach->oldest_age > 0 && 100 / mirror->verify_percent > reach->oldest_age / plan_interval(&set->policy))
        lint_add(lint, LINT_NOTE,
                 "mirror '%s': verify_percent = %u reads all of it within %u runs, but snapshots live for %s at most",
                 mirror->name, mirror->verify_percent, 100 / mirror->verify_percent,
                 clock_format_span(age, reach->oldest_age));
}

/* Locks end with what the plan decides, and never after the deadline; so it is other things that they stand against. */
static void judge_lock(const struct policy_reach *reach, const char *place, enum s3_lock_mode lock, struct lint *lint) {
    static const char *const MODES[] = { [S3_LOCK_GOVERNANCE] = "governance", [S3_LOCK_COMPLIANCE] = "compliance" };
    char age[CLOCK_TEXT];
    if (lock == S3_LOCK_NONE)
        return;
    if (reach->oldest_age < 0)
        lint_add(lint, LINT_ERROR,
                 "%s: lock = %s, but the policy has neither tiers nor max_age: nothing says until when", place,
                 MODES[lock]);
    else
        lint_add(lint, LINT_NOTE, "%s: lock = %s: an erased set is unreadable at once, but its objects stay up to %s",
                 place, MODES[lock], clock_format_span(age, reach->oldest_age));
}

void lint_set(const struct settings *settings, const struct set_settings *set, struct lint *lint) {
    struct policy_reach reach;
    plan_reach(&set->policy, &reach);
    lint_policy(&set->policy, lint);
    if (set->erasure_promise > 0)
        judge_promise(set, &reach, lint);
    judge_journal(set, &reach, lint);
    judge_lock(&reach, "repository", settings->repository_lock, lint);
    for (size_t i = 0; i < set->mirror_count; i++) {
        const struct mirror_settings *mirror = &set->mirrors[i];
        char place[64];
        judge_mirror(set, mirror, &reach, lint);
        snprintf(place, sizeof place, "mirror '%.40s'", mirror->name);
        judge_lock(&reach, place, mirror->lock, lint);
    }
    if (set->mirror_count == 0)
        lint_add(lint, LINT_WARNING, "no mirror: the repository is the only copy");
    if (set->mirror_count == 0 && set->check_percent == 0)
        lint_add(lint, LINT_WARNING, "no mirror and check_percent = 0: what is stored is never read back");
}
