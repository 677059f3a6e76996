#include "plan_internal.h"
#include <muniment/retention/lint.h>
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *lint_severity_text(enum lint_severity severity) {
    static const char *const TEXTS[] = { [LINT_NOTE] = "note", [LINT_WARNING] = "warning", [LINT_ERROR] = "error" };
    return TEXTS[severity];
}

void lint_add(struct lint *lint, enum lint_severity severity, const char *format, ...) {
    va_list arguments;
    char *text = NULL;
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        abort();
    va_end(arguments);
    lint->findings = mem_grow(lint->findings, &lint->capacity, lint->count + 1, sizeof *lint->findings);
    lint->findings[lint->count++] = (struct lint_finding){ severity, text };
    lint->errors += severity == LINT_ERROR;
}

void lint_release(struct lint *lint) {
    for (size_t i = 0; i < lint->count; i++)
        free(lint->findings[i].text);
    free(lint->findings);
    *lint = (struct lint){ 0 };
}

static void judge_tiers(const struct policy *policy, const struct policy_reach *reach, struct lint *lint) {
    static const int64_t LENGTHS[TIER_KINDS] = { 1, 7, 28, 365 }; /* days of the shortest period of each */
    const uint32_t effective[TIER_KINDS] = { reach->daily_effective, reach->weekly_effective, reach->monthly_effective,
                                             reach->yearly_effective };
    char cap[CLOCK_TEXT], interval[CLOCK_TEXT];
    clock_format_span(cap, policy->max_age);
    clock_format_span(interval, plan_interval(policy));
    for (int kind = 0; kind < TIER_KINDS; kind++) {
        uint32_t wanted = tier_wanted(policy, kind);
        if (effective[kind] < wanted)
            lint_add(lint, LINT_WARNING, "%s: %u configured, %u effective, limited by max_age = %s",
                     TIER_TABLE[kind].name, wanted, effective[kind], cap);
        if (wanted > 0 && plan_interval(policy) > LENGTHS[kind] * PLAN_DAY)
            lint_add(lint, LINT_WARNING,
                     "%s: %u configured, but with interval = %s not every period has a snapshot: they reach over %u "
                     "intervals",
                     TIER_TABLE[kind].name, wanted, interval, wanted);
    }
    if (reach->oldest_age < 0)
        lint_add(lint, LINT_WARNING, "no tiers and no max_age: every snapshot stays for ever");
    if (reach->oldest_age == 0)
        lint_add(lint, LINT_WARNING,
                 "only one snapshot exists at a time: what a run captures wrongly cannot be had from an earlier one");
}

static void judge_cap(const struct policy *policy, struct lint *lint) {
    int64_t slack = plan_slack(policy);
    char age[CLOCK_TEXT], run[CLOCK_TEXT], text[CLOCK_TEXT];
    clock_format_span(age, policy->max_age);
    clock_format_span(run, plan_interval(policy));
    if (policy->max_age < plan_interval(policy))
        lint_add(lint, LINT_ERROR,
                 "max_age = %s is shorter than interval = %s: every snapshot is past its deadline before the next is "
                 "made",
                 age, run);
    else if (slack < plan_interval(policy))
        lint_add(lint, LINT_WARNING,
                 "max_age = %s leaves %s between expiry and deadline, and interval = %s: one missed run may break the "
                 "deadline",
                 age, clock_format_span(text, slack), run);
    if (policy->strict)
        lint_add(lint, LINT_NOTE, "strict = true: after %s without a capture there is no snapshot left (max_age = %s)",
                 clock_format_span(text, policy->max_age - slack), age);
    else
        lint_add(lint, LINT_NOTE,
                 "strict = false: while captures fail, the last good copy stays past its deadline (max_age = %s)", age);
    if (policy->purge_within > slack)
        lint_add(lint, LINT_NOTE,
                 "purge_within = %s, but what max_age = %s ends expires %s before its deadline, and is purged by then",
                 clock_format_span(run, policy->purge_within), age, clock_format_span(text, slack));
}

void lint_policy(const struct policy *policy, struct lint *lint) {
    struct policy_reach reach;
    char within[CLOCK_TEXT], run[CLOCK_TEXT];
    plan_reach(policy, &reach);
    judge_tiers(policy, &reach, lint);
    if (policy->max_age > 0)
        judge_cap(policy, lint);
    if (policy->purge_within > 0 && policy->purge_within < plan_interval(policy))
        lint_add(lint, LINT_NOTE, "purge_within = %s, but it is runs that purge, one every %s (interval)",
                 clock_format_span(within, policy->purge_within), clock_format_span(run, plan_interval(policy)));
    if (policy->timezone[0] == '\0' || strcmp(policy->timezone, "UTC") == 0)
        lint_add(lint, LINT_NOTE, "timezone = UTC: days, weeks, months and years begin at midnight in UTC");
}
