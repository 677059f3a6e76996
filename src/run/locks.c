#include "locks_internal.h"
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

enum { DAY = 86400, HOLD_LOCK = 30 * DAY };

/* A partial snapshot may be ended by the next complete one. */
static int64_t earliest_end(const struct lock_policy *locks, const struct head *head) {
    struct plan_snapshot snapshot = plan_snapshot_of(head);
    int64_t until = plan_lock_until(locks->calendar, locks->policy, &snapshot, head->tiers);
    if (head->outcome != OUTCOME_COMPLETE && (until == 0 || head->started + DAY < until))
        until = head->started + DAY;
    return until;
}

/* See muniment/repo/locks.h. 0: no hold covers it. */
static int64_t held_until(const struct lock_policy *locks, const struct head *head) {
    const struct hold *hold = holds_covering(&locks->holds, head->name, head->started, locks->now);
    if (!hold)
        return 0;
    int64_t until = locks->now + HOLD_LOCK;
    return hold->ends != 0 && hold->ends < until ? hold->ends : until;
}

/* The cap follows the purge: dead chunks are due purge_within after the snapshot's end, at its deadline at the latest,
 * and are rewritten the slack before. One that outstays its time may end today. */
static struct lock_dates dates_of(const struct lock_policy *locks, const struct head *head) {
    struct lock_dates dates = { .until = earliest_end(locks, head), .cap = INT64_MAX };
    int64_t held = held_until(locks, head);
    if (dates.until == 0) {
        dates.until = held;
        return dates;
    }
    int64_t end = dates.until > locks->now ? dates.until : locks->now;
    int64_t due = end + locks->policy->purge_within;
    if (head->deadline != 0 && head->deadline < due)
        due = head->deadline;
    dates.cap = due - plan_purge_slack(locks->policy);
    if (dates.cap < end)
        dates.cap = end;
    if (dates.until < held)
        dates.until = held;
    if (dates.cap < held)
        dates.cap = held;
    return dates;
}

static struct lock_dates rule_dates(void *context, const struct head *head) {
    return dates_of(context, head);
}

int64_t lock_policy_latest(const struct lock_policy *locks, const struct heads *heads) {
    int64_t latest = 0;
    for (size_t i = 0; i < heads->count; i++) {
        int64_t until = dates_of(locks, &heads->items[i]).until;
        latest = until > latest ? until : latest;
    }
    return latest;
}

/* Whatever destroys reads the holds again and is ended by one that cannot be read. What only stores goes on. */
static int load_holds(struct lock_policy *locks, const struct opened_set *set, struct err *err) {
    struct repo repo = set->repo;
    struct err why = { 0 };
    if (holds_load(&repo, &locks->holds, &why) == 0)
        return 0;
    if (why.code != ERR_CORRUPT) {
        *err = why;
        return -1;
    }
    log_warning(set->repo.log, "no lock lasts longer because of a hold: %s", why.message);
    return 0;
}

int lock_policy_open(struct lock_policy *locks, const struct opened_set *set, const char *which, int64_t now,
                     struct err *err) {
    *locks = (struct lock_policy){ .policy = &set->settings->policy, .now = now };
    if (calendar_open(locks->policy->timezone, &locks->calendar, err) < 0)
        return -1;
    if (load_holds(locks, set, err) < 0) {
        calendar_close(locks->calendar);
        return -1;
    }
    if (set->state && which && !strchr(which, '/'))
        locks->memory = mem_format("%s/locks-%s", set->state, which);
    else if (set->state && !which)
        locks->memory = mem_format("%s/locks", set->state);
    locks->rule = (struct lock_rule){ .dates = rule_dates, .context = locks, .memory = locks->memory };
    return 0;
}

void lock_policy_close(struct lock_policy *locks) {
    calendar_close(locks->calendar);
    holds_release(&locks->holds);
    free(locks->memory);
}

bool set_locks_anything(const struct opened_set *set) {
    bool any = store_locks(set->store);
    for (size_t i = 0; i < set->settings->mirror_count; i++)
        any = any || set->settings->mirrors[i].lock != S3_LOCK_NONE;
    return any;
}
