/*
 * What stands between a purge and a mistake: the claim that keeps other hosts out, and what the journal knows.
 *
 * The journal is the second witness to a listing: a snapshot that was captured and never expired must be listed. When
 * it is not, it is asked for by its name. One that answers proves that listings cannot be relied on, and one that is
 * hidden (only a hide marker is newer than its bytes) that somebody hid it: either way nothing is destroyed.
 *
 * It is the second witness to the holds, too: one that should be in force and is gone ends the run, and so does one
 * that cannot be read.
 *
 * It also tells hidden remains apart: what somebody decided to remove goes for good as soon as the key and the locks
 * let it, and what nobody decided about is left alone and told.
 */
#ifndef MUNIMENT_REPO_PURGE_GUARD_INTERNAL_H
#define MUNIMENT_REPO_PURGE_GUARD_INTERNAL_H

#include <muniment/repo/claim.h>
#include <muniment/repo/destruction.h>
#include <muniment/repo/head.h>
#include <muniment/repo/hold.h>
#include <muniment/repo/purge.h>

struct purge_guard {
    struct repo *repo;
    struct claim *claim;
    struct destruction destruction;
    struct holds holds;
    struct hold_witness witness; /* to them */
    struct dated_names captured; /* snapshots, as in head.name; by the journal they live */
    struct dated_names hidden;   /* names of objects below the set's folder; time 1: it was decided that they go */
    bool journal_known;          /* it is whole */
    bool absent_told;
};

/* Waits up to options->wait for another host's purge. */
int purge_guard_open(struct repo *repo, const struct purge_options *options, struct purge_guard *guard,
                     struct err *err) MUST_CHECK;
void purge_guard_close(struct purge_guard *guard); /* also one whose opening failed */

/* Before each step that destroys: whether this host is still the one that may. */
int purge_guard_check(const struct purge_guard *guard, struct err *err) MUST_CHECK;

/* Compares a listing of the heads with the journal. What this purge expires may be absent. */
int purge_guard_heads(struct purge_guard *guard, const struct heads *heads, const struct purge_options *options,
                      struct err *err) MUST_CHECK;

/* Loads the holds anew: one may have been placed while the purge waited or looked around. */
int purge_guard_reload_holds(struct purge_guard *guard, struct err *err) MUST_CHECK;

/* True when a hold keeps the snapshot of this name. */
bool purge_guard_holds(const struct purge_guard *guard, const char *head, int64_t now);

/* Removes what was decided to go and is only hidden. */
int purge_guard_remove_hidden(struct purge_guard *guard, struct err *err) MUST_CHECK;

#endif
