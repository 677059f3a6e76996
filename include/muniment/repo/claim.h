/*
 * Claims: how two hosts that purge one set in a bucket keep out of each other's way.
 *
 * Where a store's locks are seen by everyone they are all that is needed, and a claim is nothing. On a bucket a lock
 * holds on one machine only, and there is no put that fails when an object exists. So whoever wants to purge puts an
 * object of its own, `<set>/claims/<host>-<nonce>`, and only then lists the claims. Of two that do so at once the one
 * that put later sees the other's: at least one of them gives up, and never both go on. Both may give up; each tries
 * again after a while of random length.
 *
 * A claim has a hard end, like a session: past it its holder refuses to destroy anything (by a clock that counts
 * sleep), and others ignore it after that end plus a margin, by the store's clock. So a machine that died holds up
 * purges of others for CLAIM_LENGTH at most, and its own not at all.
 */
#ifndef MUNIMENT_REPO_CLAIM_H
#define MUNIMENT_REPO_CLAIM_H

#include <muniment/repo/repo.h>

enum {
    CLAIM_LENGTH = 12 * 3600, /* seconds */
    CLAIM_MARGIN = 3600,      /* clocks may differ by this much */
};

struct claim;

/* Waits up to `wait` seconds for others to end, then ERR_LOCKED. The caller holds a lock that keeps other processes of
 * this machine out. Claims that this machine left are removed, and those of others whose end has passed. */
int claim_take(struct repo *repo, int64_t wait, struct claim **claim, struct err *err) MUST_CHECK;

/* -1 with ERR_REFUSED when the hard end is near: nothing may be destroyed any more. */
int claim_check(const struct claim *claim, struct err *err) MUST_CHECK;

/* When it was put, by the store's clock; 0 where locks are all that is needed. */
int64_t claim_time(const struct claim *claim);

/* Removes it. A removal that fails is only logged: the hard end is the answer to it. NULL is fine. */
void claim_release(struct claim *claim);

#endif
