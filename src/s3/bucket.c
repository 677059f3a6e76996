#include "s3_internal.h"
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

enum { DAY = 86400, DAYS_MAX = 1000000, RULES_MAX = 1000 };

/* Whether a question that failed leaves what it was about unknown. The rest is trouble: a server that is not there, a
 * bucket that is not, a key that is worth nothing. */
static bool stays_unknown(const struct err *reason, const char *code) {
    static const char *const worthless[] = { "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken",
                                             "ExpiredToken", "RequestTimeTooSkewed" };

    for (size_t i = 0; i < sizeof worthless / sizeof *worthless; i++)
        if (strcmp(code, worthless[i]) == 0)
            return false;
    return reason->code == ERR_DENIED || reason->code == ERR_UNSUPPORTED || reason->code == ERR_NOT_FOUND;
}

static int take_days(int64_t *days, const char *text, struct err *err) {
    uint64_t number;

    if (s3_parse_number(text, &number, err) < 0)
        return -1;
    *days = number <= DAYS_MAX ? (int64_t)number : DAYS_MAX;
    return 0;
}

/*
 * Versions and locks
 */

static int take_versioning(void *context, const char *path, const char *text, struct err *err) {
    struct s3_bucket *bucket = context;
    (void)err;

    if (strcmp(path, "Status") != 0)
        return 0;
    if (strcmp(text, "Enabled") == 0)
        bucket->versioning = S3_VERSIONING_ON;
    else if (strcmp(text, "Suspended") == 0)
        bucket->versioning = S3_VERSIONING_SUSPENDED;
    else
        bucket->versioning = S3_VERSIONING_UNKNOWN;
    return 0;
}

static int take_lock(void *context, const char *path, const char *text, struct err *err) {
    struct s3_bucket *bucket = context;

    if (strcmp(path, "ObjectLockEnabled") == 0)
        bucket->locks = strcmp(text, "Enabled") == 0;
    if (strcmp(path, "Rule/DefaultRetention/Mode") == 0 && text[0] != '\0')
        return s3_parse_lock_mode(text, &bucket->default_mode, err);
    if (strcmp(path, "Rule/DefaultRetention/Days") == 0)
        return take_days(&bucket->default_days, text, err);
    if (strcmp(path, "Rule/DefaultRetention/Years") == 0) {
        if (take_days(&bucket->default_days, text, err) < 0)
            return -1;
        bucket->default_days *= 365;
    }
    return 0;
}

/*
 * Lifecycle
 */

struct lifecycle {
    struct s3_bucket *bucket;
    size_t capacity;
    struct s3_rule rule; /* that is being read */
    bool enabled;
    bool tagged; /* the rule is only about objects with certain tags, which ours never have */
};

static int take_expiry_date(struct s3_rule *rule, const char *text, struct err *err) {
    int64_t when;

    if (s3_parse_time(text, &when, err) < 0)
        return -1;
    /* From then on whatever there is goes: the nearer the date, the younger the objects it meets. */
    const int64_t days = (when - clock_now()) / DAY;
    rule->expire = days > 1 ? days : 1;
    return 0;
}

static int take_rule(struct lifecycle *lifecycle, struct err *err) {
    struct s3_bucket *bucket = lifecycle->bucket;
    struct s3_rule *rule = &lifecycle->rule;

    if (lifecycle->enabled && !lifecycle->tagged) {
        if (bucket->rule_count == RULES_MAX)
            return err_set(err, ERR_CORRUPT, "there are more than %d rules", RULES_MAX);
        if (!rule->prefix)
            rule->prefix = mem_string("");
        bucket->rules = mem_grow(bucket->rules, &lifecycle->capacity, bucket->rule_count + 1, sizeof *bucket->rules);
        bucket->rules[bucket->rule_count++] = *rule;
    } else {
        free(rule->prefix);
    }
    *rule = (struct s3_rule){ 0 };
    lifecycle->enabled = lifecycle->tagged = false;
    return 0;
}

static int take_lifecycle(void *context, const char *path, const char *text, struct err *err) {
    struct lifecycle *lifecycle = context;
    struct s3_rule *rule = &lifecycle->rule;

    if (strcmp(path, "Rule") == 0)
        return take_rule(lifecycle, err);
    if (strncmp(path, "Rule/", 5) != 0)
        return 0;
    path += 5;
    if (strcmp(path, "Status") == 0) {
        lifecycle->enabled = strcmp(text, "Enabled") == 0;
    } else if (strcmp(path, "Prefix") == 0 || strcmp(path, "Filter/Prefix") == 0 ||
               strcmp(path, "Filter/And/Prefix") == 0) {
        free(rule->prefix);
        rule->prefix = mem_string(text);
    } else if (strcmp(path, "Filter/Tag") == 0 || strcmp(path, "Filter/And/Tag") == 0) {
        lifecycle->tagged = true;
    } else if (strcmp(path, "Expiration/Days") == 0) {
        return take_days(&rule->expire, text, err);
    } else if (strcmp(path, "Expiration/Date") == 0) {
        return take_expiry_date(rule, text, err);
    } else if (strcmp(path, "NoncurrentVersionExpiration/NoncurrentDays") == 0) {
        return take_days(&rule->expire_hidden, text, err);
    } else if (strcmp(path, "AbortIncompleteMultipartUpload/DaysAfterInitiation") == 0) {
        return take_days(&rule->abort_uploads, text, err);
    }
    return 0;
}

/*
 * All of it
 */

static int describe_versioning(struct s3 *s3, const char *name, struct s3_bucket *bucket, struct err *err) {
    const struct s3_facet facet = {
        "read the versioning of", "versioning", name, NULL, NULL, "VersioningConfiguration"
    };
    struct err reason = { 0 };
    char code[64];

    bucket->versioning = S3_VERSIONING_OFF; /* which is to say nothing */
    if (s3_read_facet(s3, &facet, take_versioning, bucket, code, &reason) == 0)
        return 0;
    bucket->versioning = S3_VERSIONING_UNKNOWN;
    if (stays_unknown(&reason, code))
        return 0;
    if (err)
        *err = reason;
    return -1;
}

static int describe_locks(struct s3 *s3, const char *name, struct s3_bucket *bucket, struct err *err) {
    const struct s3_facet facet = { "read the object lock of", "object-lock", name, NULL, NULL,
                                    "ObjectLockConfiguration" };
    struct err reason = { 0 };
    char code[64];

    bucket->locks_known = s3_read_facet(s3, &facet, take_lock, bucket, code, &reason) == 0 ||
                          strcmp(code, "ObjectLockConfigurationNotFoundError") == 0 ||
                          strcmp(code, "NoSuchObjectLockConfiguration") == 0;
    if (bucket->locks_known || stays_unknown(&reason, code))
        return 0;
    if (err)
        *err = reason;
    return -1;
}

static int describe_rules(struct s3 *s3, const char *name, struct s3_bucket *bucket, struct err *err) {
    const struct s3_facet facet = { "read the lifecycle of", "lifecycle", name, NULL, NULL, "LifecycleConfiguration" };
    struct lifecycle lifecycle = { .bucket = bucket };
    struct err reason = { 0 };
    char code[64];

    bucket->rules_known = s3_read_facet(s3, &facet, take_lifecycle, &lifecycle, code, &reason) == 0 ||
                          strcmp(code, "NoSuchLifecycleConfiguration") == 0;
    free(lifecycle.rule.prefix);
    if (bucket->rules_known || stays_unknown(&reason, code))
        return 0;
    if (err)
        *err = reason;
    return -1;
}

int s3_bucket_describe(struct s3 *s3, const char *name, struct s3_bucket *bucket, struct err *err) {
    *bucket = (struct s3_bucket){ .versioning = S3_VERSIONING_UNKNOWN };
    if (s3_is_v2(s3))
        return 0;
    if (describe_versioning(s3, name, bucket, err) == 0 && describe_locks(s3, name, bucket, err) == 0 &&
        describe_rules(s3, name, bucket, err) == 0)
        return 0;
    s3_bucket_release(bucket);
    return -1;
}

void s3_bucket_release(struct s3_bucket *bucket) {
    for (size_t i = 0; i < bucket->rule_count; i++)
        free(bucket->rules[i].prefix);
    free(bucket->rules);
    *bucket = (struct s3_bucket){ .versioning = S3_VERSIONING_UNKNOWN };
}
