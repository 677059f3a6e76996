/* The policy's word on how long a snapshot, and what it needs, is locked. */
#ifndef MUNIMENT_RUN_LOCKS_INTERNAL_H
#define MUNIMENT_RUN_LOCKS_INTERNAL_H

#include <muniment/repo/hold.h>
#include <muniment/repo/locks.h>
#include <muniment/run/nightly.h>

/* Rules of a set for one store. Borrowed by `rule` until lock_policy_close(). */
struct lock_policy {
    const struct policy *policy;
    int64_t now;
    struct calendar *calendar;
    struct holds holds;
    char *memory;
    struct lock_rule rule;
};

/* `which` is what the memory's file is called after: a mirror's name, or NULL for the repository. */
int lock_policy_open(struct lock_policy *locks, const struct opened_set *set, const char *which, int64_t now,
                     struct err *err) MUST_CHECK;
void lock_policy_close(struct lock_policy *locks);

/* The latest date of any of the snapshots: for what tells of them all. 0: none. */
int64_t lock_policy_latest(const struct lock_policy *locks, const struct heads *heads);

/* True when anything of the set is locked anywhere: then nothing is rewritten before it is due. */
bool set_locks_anything(const struct opened_set *set);

#endif
