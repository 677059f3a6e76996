/*
 * How long packs and heads are locked in a store that locks.
 *
 * A snapshot's own date (`until`) is the earliest moment at which the policy may end it: so no decision of the policy
 * ever meets a lock that it made. A pack serves many snapshots. It is locked until the latest of their dates, but never
 * past the earliest moment at which one of them may demand that it be rewritten (`cap`: purge_within after the
 * snapshot's end, or its deadline, less the slack of a missed night). Where the two contradict each other the cap wins:
 * a lock that outlasts it would make a deadline impossible to keep, while a pack that is unlocked early is still kept
 * by everyone who may delete and means well.
 *
 * A snapshot that a hold keeps is locked for 30 days more, or until the hold ends by itself where that is sooner, and
 * with every night anew. Its pack's cap is never before that. So the lock of a hold without an end lasts as long as
 * anybody looks after it, and a hold that is released lets go within 30 days; legal holds, which last until somebody
 * takes them off each version, are not used.
 *
 * So a lock shields what it can for as long as the policy is sure to need it. Index objects are never locked, and
 * neither are keys, sessions, claims and purge records.
 *
 * Asking for a date costs requests. What was set is remembered in a file of this host, and set anew when the file is
 * lost, which changes nothing. A date is lengthened when less than half of the time that it should still last is left:
 * caps move on with every night, and each pack would be asked for every night.
 */
#ifndef MUNIMENT_REPO_LOCKS_H
#define MUNIMENT_REPO_LOCKS_H

#include <muniment/repo/head.h>

struct lock_dates {
    int64_t until; /* 0: nothing is known, so that nothing is locked for it */
    int64_t cap;   /* INT64_MAX: none; not before `until` */
};

/* Where the dates of a snapshot come from, and where those that were set are remembered. */
struct lock_rule {
    struct lock_dates (*dates)(void *context, const struct head *head);
    void *context;
    const char *memory; /* path of a file; NULL: none */
};

/* Lengthens the locks of what the repository's snapshots need, in `store`: the repository's own, or that of a mirror,
 * of which `has` says which packs it has (NULL: all). Nothing in a store that does not lock. Adds how many were
 * lengthened to *count. */
typedef bool locks_has(void *context, const uint8_t pack[32]);
int locks_lengthen(struct repo *repo, struct store *store, const struct lock_rule *rule, int64_t now, locks_has *has,
                   void *context, uint64_t *count, struct err *err) MUST_CHECK;

#endif
