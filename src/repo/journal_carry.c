#include "journal_internal.h"
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

/*
 * What of a journal still holds. Every event is about a subject. Of some the latest counts; some hold until another one
 * ends them; and what ends, or decides, counts for as long as what it is about is known, or is still to be carried out.
 */
enum carry_kind {
    CARRY_LATEST,
    CARRY_UNTIL_ENDED, /* by `other` */
    CARRY_WITH,        /* `other`: it ends that */
};

struct carry_rule {
    const char *event;
    enum carry_kind kind;
    const char *folder, *subject, *variant; /* subject: "<folder><field `subject`> <field `variant`>" */
    const char *other;
};

static const struct carry_rule RULES[] = {
    { "policy", CARRY_LATEST, "", NULL, NULL, NULL },
    { "recorded", CARRY_LATEST, "", NULL, NULL, NULL },
    { "mirrored", CARRY_LATEST, "", "mirror", NULL, NULL },
    { "verified", CARRY_LATEST, "", "mirror", NULL, NULL },
    { "checked", CARRY_LATEST, "", NULL, NULL, NULL },
    { "drilled", CARRY_LATEST, "", "outcome", NULL, NULL },
    { "erasing", CARRY_LATEST, "", NULL, NULL, NULL },
    { "erased", CARRY_LATEST, "", "outcome", NULL, NULL },

    { "captured", CARRY_UNTIL_ENDED, "snapshots/", "snapshot", NULL, "expired" },
    { "key_added", CARRY_UNTIL_ENDED, "keys/", "id", NULL, "key_removed" },
    { "held", CARRY_UNTIL_ENDED, "holds/", "hold", NULL, "released" },
    { "erasure", CARRY_UNTIL_ENDED, "", "object", NULL, "erasure_over" },
    { "refused", CARRY_UNTIL_ENDED, "", "object", "mirror", "removed" },
    { "hidden", CARRY_UNTIL_ENDED, "", "object", "mirror", "removed" },

    { "expired", CARRY_WITH, "snapshots/", "snapshot", NULL, "captured" },
    { "key_removed", CARRY_WITH, "keys/", "id", NULL, "key_added" },
    { "released", CARRY_WITH, "holds/", "hold", NULL, "held" },
    { "erasure_over", CARRY_WITH, "", "object", NULL, "erasure" },
    { "destroyed", CARRY_WITH, "", "object", NULL, NULL },
    { "removed", CARRY_WITH, "", "object", "mirror", "refused" },
};

static const struct carry_rule *find_rule(const char *event) {
    for (size_t i = 0; i < sizeof RULES / sizeof *RULES; i++)
        if (strcmp(RULES[i].event, event) == 0)
            return &RULES[i];
    return NULL;
}

/* An event, as far as it matters here. */
struct carry_fact {
    char *key; /* "<event> <subject>" */
    const struct carry_rule *rule;
    int64_t time;
    size_t at;  /* which of all events it is */
    bool stays; /* its segment does */
};

struct carry {
    const struct heads *heads;
    struct carry_fact *facts; /* by key; of each key the latest */
    size_t count, capacity;
    char **pinned; /* objects that were to go and are still somewhere; sorted */
    size_t pinned_count, pinned_capacity;

    /* Of the segment that is being read. */
    size_t events;
    bool stays;

    bool *wanted; /* one for every event */
    int64_t now;
    struct journal_batch *batch;
};

/* --- facts ----------------------------------------------------------------------------------------------------------
 */

/* A run of a mirror that left undone what was decided is another thing than one that did it all. */
static const char *variant_of(const struct carry_rule *rule, const struct journal_entry *entry) {
    const char *variant = rule->variant ? journal_field(entry, rule->variant) : NULL;
    if (strcmp(rule->event, "mirrored") == 0 && journal_field(entry, "left"))
        variant = "left";
    return variant ? variant : "";
}

static int collect(void *context, const char *segment, const struct journal_entry *entry, struct err *err) {
    struct carry *carry = context;
    const struct carry_rule *rule = find_rule(entry->event);
    size_t at = carry->events++;
    (void)segment, (void)err;
    const char *subject = rule && rule->subject ? journal_field(entry, rule->subject) : "";
    if (!rule || !subject)
        return 0;
    carry->facts = mem_grow(carry->facts, &carry->capacity, carry->count + 1, sizeof *carry->facts);
    carry->facts[carry->count++] = (struct carry_fact){
        .key = mem_format("%s %s%s %s", rule->event, rule->folder, subject, variant_of(rule, entry)),
        .rule = rule,
        .time = entry->time,
        .at = at,
        .stays = carry->stays,
    };
    return 0;
}

static int by_key(const void *left, const void *right) {
    const struct carry_fact *a = left, *b = right;
    int order = strcmp(a->key, b->key);
    if (order != 0)
        return order;
    if (a->time != b->time)
        return a->time < b->time ? -1 : 1;
    return a->at < b->at ? -1 : a->at > b->at;
}

static void keep_latest(struct carry *carry) {
    size_t kept = 0;
    if (carry->count > 1)
        qsort(carry->facts, carry->count, sizeof *carry->facts, by_key);
    for (size_t i = 0; i < carry->count; i++) {
        if (kept > 0 && strcmp(carry->facts[kept - 1].key, carry->facts[i].key) == 0)
            free(carry->facts[--kept].key);
        carry->facts[kept++] = carry->facts[i];
    }
    carry->count = kept;
}

static const char *subject_of(const struct carry_fact *fact) {
    return fact->key + strlen(fact->rule->event) + 1;
}

/* The object that it is about, named as below the set's folder; freed by the caller. */
static char *object_of(const struct carry_fact *fact) {
    const char *subject = subject_of(fact);
    return mem_format("%.*s", (int)strcspn(subject, " "), subject);
}

/* The latest event of this kind about the same subject; NULL: none. */
static const struct carry_fact *find_other(const struct carry *carry, const char *event, const char *subject) {
    char *key = mem_format("%s %s", event, subject);
    size_t low = 0, high = carry->count;
    const struct carry_fact *found = NULL;
    while (low < high && !found) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(carry->facts[middle].key, key);
        if (order == 0)
            found = &carry->facts[middle];
        else if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    free(key);
    return found;
}

/* --- judging --------------------------------------------------------------------------------------------------------
 */

static bool is_about_removal(const struct carry_rule *rule) {
    return rule->other && strcmp(rule->other, "removed") == 0;
}

static bool is_open(const struct carry *carry, const struct carry_fact *fact) {
    const struct carry_fact *end = find_other(carry, fact->rule->other, subject_of(fact));
    return !end || (is_about_removal(fact->rule) && end->time < fact->time);
}

static bool head_exists(const struct carry *carry, const struct carry_fact *fact) {
    char *object = object_of(fact);
    bool exists = heads_named(carry->heads, object + strlen(fact->rule->folder)) != NULL;
    free(object);
    return exists;
}

static int compare_texts(const void *left, const void *right) {
    return strcmp(*(char *const *)left, *(char *const *)right);
}

/* What a lock or a key kept from going is tried again by the decision that stands in the journal. */
static void find_pinned(struct carry *carry) {
    for (size_t i = 0; i < carry->count; i++) {
        const struct carry_fact *fact = &carry->facts[i];
        if (!is_about_removal(fact->rule) || !is_open(carry, fact))
            continue;
        carry->pinned =
            mem_grow(carry->pinned, &carry->pinned_capacity, carry->pinned_count + 1, sizeof *carry->pinned);
        carry->pinned[carry->pinned_count++] = object_of(fact);
    }
    if (carry->pinned_count > 1)
        qsort(carry->pinned, carry->pinned_count, sizeof *carry->pinned, compare_texts);
}

static bool is_pinned(const struct carry *carry, const struct carry_fact *fact) {
    char *object = object_of(fact);
    bool pinned = carry->pinned_count > 0 &&
                  bsearch(&object, carry->pinned, carry->pinned_count, sizeof *carry->pinned, compare_texts) != NULL;
    free(object);
    return pinned;
}

static bool is_needed_by(const struct carry *carry, const char *event, const struct carry_fact *fact) {
    const struct carry_fact *other = find_other(carry, event, subject_of(fact));
    return other && (other->stays || carry->wanted[other->at]);
}

static bool still_holds(const struct carry *carry, const struct carry_fact *fact) {
    const struct carry_rule *rule = fact->rule;
    switch (rule->kind) {
    case CARRY_LATEST:
        return true;
    case CARRY_UNTIL_ENDED:
        return is_open(carry, fact) || (strcmp(rule->event, "captured") == 0 && head_exists(carry, fact));
    case CARRY_WITH:
        break;
    }
    if (rule->other && is_needed_by(carry, rule->other, fact))
        return true;
    return strcmp(rule->event, "removed") == 0 ? is_needed_by(carry, "hidden", fact) : is_pinned(carry, fact);
}

/* What ends others is judged after them. */
static void judge(struct carry *carry) {
    carry->wanted = mem_array(carry->events + 1, sizeof *carry->wanted);
    find_pinned(carry);
    for (int ends = 0; ends <= 1; ends++)
        for (size_t i = 0; i < carry->count; i++) {
            const struct carry_fact *fact = &carry->facts[i];
            if ((fact->rule->kind == CARRY_WITH) == (ends == 1) && !fact->stays)
                carry->wanted[fact->at] = still_holds(carry, fact);
        }
}

/* --- carrying -------------------------------------------------------------------------------------------------------
 */

static int carry_wanted(void *context, const char *segment, const struct journal_entry *entry, struct err *err) {
    struct carry *carry = context;
    (void)segment, (void)err;
    if (carry->wanted[carry->events++])
        journal_add_carried(carry->batch, entry, carry->now);
    return 0;
}

static int each_event(const struct journal_reading *reading, const bool *goes, struct carry *carry, journal_each *each,
                      struct err *err) {
    carry->events = 0;
    for (size_t i = 0; i < reading->count; i++) {
        carry->stays = !goes[i];
        if (journal_segment_tells(&reading->segments[i]) &&
            journal_segment_each(reading->repo, &reading->segments[i], each, carry, err) < 0)
            return -1;
    }
    return 0;
}

int journal_carry(const struct journal_reading *reading, const bool *goes, const struct heads *heads, int64_t now,
                  struct journal_batch *batch, struct err *err) {
    struct carry carry = { .heads = heads, .now = now, .batch = batch };
    int result = each_event(reading, goes, &carry, collect, err);
    if (result == 0) {
        keep_latest(&carry);
        judge(&carry);
        result = each_event(reading, goes, &carry, carry_wanted, err);
    }
    for (size_t i = 0; i < carry.count; i++)
        free(carry.facts[i].key);
    free(carry.facts);
    free(carry.wanted);
    mem_free_strings(carry.pinned, carry.pinned_count);
    return result;
}
