/* Erasing a set: one place of it. */
#ifndef MUNIMENT_EVIDENCE_ERASE_INTERNAL_H
#define MUNIMENT_EVIDENCE_ERASE_INTERNAL_H

#include <muniment/evidence/erase.h>

enum { LOCK_WAIT = 10 }; /* seconds for a run of this set to end */

struct erase_target {
    struct repo *repo;   /* with the journal */
    struct store *store; /* of the place; NULL: it is away */
    struct erase_place *result;
    struct store_lock *lock;                   /* keeps mirror runs out */
    struct store_names keys, objects, journal; /* all that is there, hidden names too; `objects` without the others */
};

/* Waits for a mirror run that is sending there. */
int erase_lock(struct erase_target *target, struct err *err) MUST_CHECK;

/* Lists the place anew. */
int erase_list(struct erase_target *target, struct err *err) MUST_CHECK;
void erase_target_release(struct erase_target *target);

/* Copies the segments of the repository's journal that the place lacks. */
int erase_send_journal(struct erase_target *target, struct err *err) MUST_CHECK;

/* Removes objects with all their versions, and counts them. What a lock holds is no error. */
int erase_remove(struct erase_target *target, const struct store_names *names, struct err *err) MUST_CHECK;

/* Removes the segments of the journal as they were listed: `last` once all others are gone. Lists the place anew. */
int erase_journal(struct erase_target *target, const char *last, struct err *err) MUST_CHECK;

#endif
