#include <muniment/run/bucket.h>
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DAY = 86400, PATIENCE = 5 /* seconds */ };

int bucket_describe(const char *address, const struct s3_services *services, struct log *log, struct s3_bucket *bucket,
                    struct err *err) {
    struct s3_place place = { 0 };
    struct s3 *s3 = NULL;
    *bucket = (struct s3_bucket){ 0 };
    if (s3_place_parse(address, services, &place, err) != 0)
        return -1;
    int status = s3_open(&place.service, log, &s3, err);
    if (status == 0) {
        s3_set_retry_time(s3, PATIENCE);
        status = s3_bucket_describe(s3, place.bucket, bucket, err);
    }
    s3_close(s3);
    s3_place_release(&place);
    return status;
}

/* True when a rule for keys that begin with `rule` is about objects below `prefix`. */
static bool rule_covers(const char *rule, const char *prefix) {
    size_t shorter = strlen(rule) < strlen(prefix) ? strlen(rule) : strlen(prefix);
    return strncmp(rule, prefix, shorter) == 0;
}

/* The soonest that any rule ends hidden versions below a prefix; only rules for all that is below it count. */
static int64_t hidden_days(const struct s3_bucket *bucket, const char *prefix) {
    int64_t days = 0;
    for (size_t i = 0; i < bucket->rule_count; i++) {
        const struct s3_rule *rule = &bucket->rules[i];
        bool all = strncmp(rule->prefix, prefix, strlen(rule->prefix)) == 0;
        if (all && rule->expire_hidden > 0 && (days == 0 || rule->expire_hidden < days))
            days = rule->expire_hidden;
    }
    return days;
}

int64_t bucket_hidden_days(const struct s3_bucket *bucket, const char *address, const struct s3_services *services) {
    struct s3_place place = { 0 };
    if (s3_place_parse(address, services, &place, NULL) != 0)
        return 0;
    int64_t days = hidden_days(bucket, place.prefix);
    s3_place_release(&place);
    return days;
}

/* --- judging ------------------------------------------------------------------------------------------------------ */

struct judgement {
    const struct s3_bucket *bucket;
    const struct bucket_use *use;
    struct lint *lint;
};

static void judge_versions(const struct judgement *judgement) {
    const struct s3_bucket *bucket = judgement->bucket;
    enum s3_lock_mode lock = judgement->use->lock;
    if (lock == S3_LOCK_NONE) {
        if (bucket->versioning == S3_VERSIONING_OFF)
            lint_add(judgement->lint, LINT_NOTE,
                     "no versions are kept: what is overwritten or removed by name is gone");
        return;
    }
    if (bucket->versioning == S3_VERSIONING_OFF || bucket->versioning == S3_VERSIONING_SUSPENDED)
        lint_add(judgement->lint, LINT_ERROR,
                 "a lock is asked for, but the bucket's versioning is %s: locks are on versions",
                 bucket->versioning == S3_VERSIONING_OFF ? "off" : "suspended");
    else if (!bucket->locks && bucket->locks_known)
        lint_add(judgement->lint, LINT_ERROR,
                 "a lock is asked for, but the bucket has no object lock: it is given to a bucket when it is made");
    else if (!bucket->locks)
        lint_add(judgement->lint, LINT_WARNING,
                 "a lock is asked for, but this key or this server does not tell whether the bucket has object lock");
}

/* The least time that a snapshot which takes a place in the calendar stays, and so all it wrote. */
static int64_t least_kept(const struct policy *policy) {
    int64_t least = policy->daily > 0 ? (int64_t)policy->daily * DAY : DAY;
    int64_t cap = policy->max_age > 0 ? policy->max_age - plan_slack(policy) : INT64_MAX;
    return cap < least ? cap : least;
}

static void judge_retention(const struct judgement *judgement) {
    const struct s3_bucket *bucket = judgement->bucket;
    const struct policy *policy = &judgement->use->set->policy;
    const char *set = judgement->use->set->name;
    int64_t locked = bucket->default_days * DAY;
    char most[CLOCK_TEXT], age[CLOCK_TEXT], span[CLOCK_TEXT];
    if (bucket->default_mode == S3_LOCK_NONE || bucket->default_days == 0)
        return;
    clock_format_span(span, locked);
    if (policy->max_age > 0 && locked > policy->max_age - plan_slack(policy))
        lint_add(
            judgement->lint, LINT_ERROR,
            "the default retention of the bucket is %s, but snapshots of set '%s' expire %s after they began (max_age "
            "= "
            "%s): they could not be removed",
            span, set, clock_format_span(most, policy->max_age - plan_slack(policy)),
            clock_format_span(age, policy->max_age));
    else if (locked > least_kept(policy))
        lint_add(
            judgement->lint, LINT_ERROR,
            "the default retention of the bucket is %s, but set '%s' may let a snapshot go after %s: it could not be "
            "removed",
            span, set, clock_format_span(most, least_kept(policy)));
    else
        lint_add(
            judgement->lint, LINT_WARNING,
            "the default retention of the bucket (%s) locks whatever is written, also what a run writes for itself; "
            "'lock' locks what must stay, for as long as it must",
            span);
}

/* Where a key may only hide, the bucket's rules end what it hides. */
static void judge_hidden(const struct judgement *judgement, int64_t horizon) {
    const struct set_settings *set = judgement->use->set;
    int64_t days = hidden_days(judgement->bucket, judgement->use->prefix), promise = set->erasure_promise;
    char span[CLOCK_TEXT], sum[CLOCK_TEXT], promised[CLOCK_TEXT];
    clock_format_span(promised, promise);
    if (days > 0 && horizon >= 0) {
        bool broken = promise > 0 && horizon + days * DAY > promise;
        lint_add(judgement->lint, broken ? LINT_WARNING : LINT_NOTE,
                 "hidden versions are ended after %s: with a key that may not delete, the erasure horizon of set '%s' "
                 "here is %s%s%s",
                 clock_format_span(span, days * DAY), set->name, clock_format_span(sum, horizon + days * DAY),
                 broken ? ", and erasure_promise = " : "", broken ? promised : "");
    } else if (days == 0 && judgement->bucket->versioning == S3_VERSIONING_ON) {
        lint_add(judgement->lint, promise > 0 ? LINT_WARNING : LINT_NOTE,
                 "no lifecycle rule ends hidden versions: a key that may not delete would leave them for ever%s%s",
                 promise > 0 ? ", and erasure_promise = " : "", promise > 0 ? promised : "");
    }
}

static void judge_rules(const struct judgement *judgement) {
    const struct s3_bucket *bucket = judgement->bucket;
    const struct set_settings *set = judgement->use->set;
    const char *prefix = judgement->use->prefix;
    struct policy_reach reach;
    char span[CLOCK_TEXT], age[CLOCK_TEXT];
    if (!bucket->rules_known) {
        lint_add(
            judgement->lint, LINT_WARNING,
            "this key or this server does not tell the bucket's lifecycle rules: make sure that none ends objects");
        return;
    }
    plan_reach(&set->policy, &reach);
    for (size_t i = 0; i < bucket->rule_count; i++) {
        const struct s3_rule *rule = &bucket->rules[i];
        if (rule->expire == 0 || !rule_covers(rule->prefix, prefix))
            continue;
        if (reach.oldest_age < 0)
            strcpy(age, "for ever");
        else
            clock_format_span(age, reach.oldest_age);
        lint_add(
            judgement->lint, LINT_ERROR,
            "a lifecycle rule of the bucket (prefix \"%s\") ends objects after %s, but set '%s' keeps snapshots up to "
            "%s, and what never changes stays in its first object all that time",
            rule->prefix, clock_format_span(span, rule->expire * DAY), set->name, age);
    }

    judge_hidden(judgement, reach.erasure_horizon);
}

void bucket_judge(const struct s3_bucket *bucket, const struct bucket_use *use, struct lint *lint) {
    const struct judgement judgement = { bucket, use, lint };
    if (bucket->versioning == S3_VERSIONING_UNKNOWN)
        lint_add(lint, LINT_WARNING, "this key or this server does not tell whether the bucket keeps versions");
    judge_versions(&judgement);
    judge_retention(&judgement);
    judge_rules(&judgement);
}
