/*
 * Sessions: how a capture and a purge live side by side.
 *
 * A capture puts a session object, then loads what is condemned, and only then the index, from which it leaves out the
 * condemned packs. A purge condemns first and lists sessions afterwards. So every capture that may refer to a condemned
 * pack is seen by the purge, which waits for its end, lists the heads again and spares what they refer to. (The model
 * in tests/model/ checks this with spin.)
 *
 * The order of a capture's two loads matters: a purge record is removed only after the index without its packs is in
 * place, so whoever misses the record finds that index. The other way round, an old index could be followed by a list
 * of records from which the one about its packs has just gone.
 *
 * A session has a hard end: past it the capture refuses to write its index and to commit (by a clock that counts
 * sleep), and a purge ignores the session after it plus a margin, by the store's clock. So a machine that died can only
 * delay a purge, and a capture that slept through its end leads nobody to packs that a purge took for leftovers.
 */
#ifndef MUNIMENT_REPO_SESSION_H
#define MUNIMENT_REPO_SESSION_H

#include <muniment/repo/repo.h>

enum {
    SESSION_LENGTH = 24 * 3600, /* default hard end after this many seconds */
    SESSION_MARGIN = 3600,      /* clocks may differ by this much */
};

struct session;

/* Takes the set's capture lock (waiting up to `lock_wait` seconds, then ERR_LOCKED), removes the sessions that dead
 * captures left (all of them where the lock is global, else those of this host), and puts a new one. */
int session_begin(struct repo *repo, int64_t lock_wait, int64_t length, struct session **session,
                  struct err *err) MUST_CHECK;

/* -1 with ERR_REFUSED when the hard end is near: the run may not commit any more. */
int session_check(const struct session *session, struct err *err) MUST_CHECK;

/* Removes the session object and frees the lock. NULL is fine. A removal that fails is only logged: the hard end is
 * the answer to it. */
void session_end(struct session *session);

/* Frees the lock and leaves the session object, as a capture that was killed would: the next one then looks for what
 * did not come into the journal. NULL is fine. */
void session_abandon(struct session *session);

/* --- the purge's side --- */

/* What a purge has condemned and not yet destroyed: the union over all purge records. Sorted pack names. A capture
 * loads it before the index. */
struct condemned {
    uint8_t (*packs)[32];
    size_t count;
};
int condemned_load(struct repo *repo, struct condemned *condemned, struct err *err) MUST_CHECK;
bool condemned_has(const struct condemned *condemned, const uint8_t pack[32]);
void condemned_release(struct condemned *condemned);

/* Counts the sessions that may have begun before `modified` (the purge record's time by the store's clock) and have
 * neither ended nor passed their hard end. Unreadable session objects count until they are SESSION_LENGTH old. */
int sessions_older(struct repo *repo, int64_t modified, size_t *count, struct err *err) MUST_CHECK;

#endif
