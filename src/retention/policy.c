#include "plan_internal.h"
#include <inttypes.h>
#include <muniment/util/hex.h>
#include <muniment/util/sha256.h>
#include <stdio.h>
#include <string.h>

/* In the order of the text; a number is one of the first SPANS_END members. */
enum { TIERS_END = 4, SPANS_END = 7, STRICT = 7, TIMEZONE = 8 };
static const char *const NAMES[POLICY_FIELDS] = { "daily",        "weekly",   "monthly", "yearly",  "max_age",
                                                  "purge_within", "interval", "strict",  "timezone" };

void policy_format(const struct policy *policy, struct policy_text *text) {
    const int64_t numbers[SPANS_END] = { policy->daily,   policy->weekly,       policy->monthly,      policy->yearly,
                                         policy->max_age, policy->purge_within, plan_interval(policy) };
    for (int i = 0; i < POLICY_FIELDS; i++)
        text->names[i] = NAMES[i];
    for (int i = 0; i < SPANS_END; i++)
        snprintf(text->values[i], POLICY_VALUE, "%" PRId64, numbers[i]);
    snprintf(text->values[STRICT], POLICY_VALUE, "%s", policy->strict ? "true" : "false");
    snprintf(text->values[TIMEZONE], POLICY_VALUE, "%s", policy->timezone[0] ? policy->timezone : "UTC");
}

char *policy_id(const struct policy *policy, char id[POLICY_ID]) {
    struct policy_text text;
    struct buffer lines = { 0 };
    uint8_t hash[SHA256_SIZE];
    policy_format(policy, &text);
    for (int i = 0; i < POLICY_FIELDS; i++)
        buffer_printf(&lines, "%s %s\n", text.names[i], text.values[i]);
    sha256_once(hash, lines.data, lines.length);
    buffer_release(&lines);
    return hex_encode(id, hash, (POLICY_ID - 1) / 2);
}

static bool parse_number(const char *text, int64_t most, int64_t *number) {
    int64_t value = 0;
    if (text[0] == '\0')
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9' || value > (most - (*text - '0')) / 10)
            return false;
        value = value * 10 + (*text - '0');
    }
    *number = value;
    return true;
}

static bool parse_value(struct policy *policy, int field, const char *value) {
    uint32_t *const tiers[TIERS_END] = { &policy->daily, &policy->weekly, &policy->monthly, &policy->yearly };
    int64_t *const spans[SPANS_END - TIERS_END] = { &policy->max_age, &policy->purge_within, &policy->interval };
    int64_t number;
    if (field == TIMEZONE) {
        size_t length = strlen(value);
        if (length == 0 || length >= sizeof policy->timezone)
            return false;
        memcpy(policy->timezone, value, length + 1);
        return true;
    }
    if (field == STRICT) {
        policy->strict = strcmp(value, "true") == 0;
        return policy->strict || strcmp(value, "false") == 0;
    }
    if (!parse_number(value, field < TIERS_END ? UINT32_MAX : INT64_MAX, &number))
        return false;
    if (field < TIERS_END)
        *tiers[field] = (uint32_t)number;
    else
        *spans[field - TIERS_END] = number;
    return true;
}

static const char *find_value(const char *const *fields, const char *name) {
    for (; fields[0] != NULL; fields += 2)
        if (strcmp(fields[0], name) == 0)
            return fields[1];
    return NULL;
}

int policy_parse(struct policy *policy, const char *const *fields, struct err *err) {
    *policy = (struct policy){ 0 };
    for (int i = 0; i < POLICY_FIELDS; i++) {
        const char *value = find_value(fields, NAMES[i]);
        if (value == NULL)
            return err_set(err, ERR_CORRUPT, "the policy says no %s", NAMES[i]);
        if (!parse_value(policy, i, value))
            return err_set(err, ERR_CORRUPT, "the policy's %s cannot be '%s'", NAMES[i], value);
    }
    return 0;
}
