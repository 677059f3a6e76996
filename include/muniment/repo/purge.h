/*
 * Purging: what no snapshot refers to goes, in time, without the read key.
 *
 * Steps of purge_run(), each safe to be killed in and to be repeated:
 *  1. Take the set's purge lock, and a claim where locks hold on one machine only. Load heads, index, purge records.
 *     Compare the heads with the journal: one that never expired and exists without being listed ends the run, because
 *     listings cannot be relied on then.
 *  2. Read the holds again: what one covers stays. Journal the expiries, then remove the expired heads.
 *  3. Mark: one bit a slot, over the reference streams of the heads that stay.
 *  4. Dead slots get a deadline (see below); per pack the earliest is kept in the purge record, which is written before
 *     the heads are removed.
 *  5. Choose: packs with no live slot; packs whose dead slots are due (or are most of the pack) and so must be
 * rewritten; packs that no index knows and no session wrote (leftovers of killed runs).
 *  6. Move the live chunks of packs to be rewritten into new packs, as ciphertext; write their index.
 *  7. Condemn: write the purge record that names all chosen packs.
 *  8. When no session older than the condemnation is left: load heads again, mark again, spare packs whose slots are
 * needed and stand nowhere else; journal the rest as `destroyed`; write a consolidated index without them; destroy them
 * and the old index objects. With a session still open, steps 8 waits up to `wait` seconds, then leaves the record for
 * the next run.
 *
 * What a lock refuses to let go is counted, journalled with its date, and not tried again before that date. A head that
 * is refused keeps what it refers to. Hidden remains of what was decided to go (a key that could only hide, a run that
 * was killed) are removed for good as soon as that is possible.
 *
 * A dead slot's deadline is min(time its last holder expired + purge_within, that holder's deadline).
 */
#ifndef MUNIMENT_REPO_PURGE_H
#define MUNIMENT_REPO_PURGE_H

#include <muniment/repo/destruction.h>
#include <muniment/repo/head.h>
#include <muniment/repo/journal.h>
#include <muniment/repo/session.h>

struct purge_expiry {
    const char *head;   /* name, as in head.name */
    const char *reason; /* for the journal */
};

struct purge_options {
    int64_t now;
    int64_t purge_within; /* seconds a dead slot may stay in a pack that still lives; 0: rewrite at once */
    int64_t slack;        /* rewrite this many seconds before a deadline, so that one missed night does no harm */
    bool patient;         /* rewrite packs only when their dead slots are due: before that a lock may hold them */
    int64_t wait;         /* seconds to wait for older sessions, and for another host's purge */
    const struct purge_expiry *expiries;
    size_t expiry_count;
};

struct purge_result {
    uint64_t heads_removed;
    uint64_t packs_destroyed, bytes_destroyed;
    uint64_t packs_rewritten, bytes_moved;
    uint64_t packs_spared;
    uint64_t packs_waiting;    /* condemned, waiting for a session to end */
    uint64_t dead_bytes_kept;  /* in packs that still live, until their deadline */
    int64_t earliest_deadline; /* of those; 0: none */
    uint64_t refused;          /* objects that a lock holds; tried again by the next run after `refused_until` */
    int64_t refused_until;     /* the latest of their dates */
    uint64_t hidden;           /* objects that the key may only hide: the bucket's own rules end them */
};

/* When the dead chunks of packs that live must be gone, as purges remember it between runs: names below the set's
 * folder, sorted. */
int purge_deadlines_load(struct repo *repo, struct dated_names *packs, struct err *err) MUST_CHECK;

int purge_run(struct repo *repo, const struct purge_options *options, struct purge_result *result,
              struct err *err) MUST_CHECK;

#endif
