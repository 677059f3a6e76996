/*
 * The erasure ledger: what was deleted on request in the live system, and is still in older snapshots.
 *
 * A backup that is restored brings deleted data back. The ledger keeps opaque references - "customers/8f3a", the key of
 * an object; never a name or an address - so that a restore can say, and a hook can do, what must be deleted again.
 *
 * `<set>/erasures/<time>-<sha256>`, RECORD_ERASURE: sealed and signed. Mirrors carry the folder. An entry is of use
 * only as long as a snapshot exists whose capture began before it: the first rotation without one removes it, so that
 * the ledger does not outlive what it is about.
 */
#ifndef MUNIMENT_REPO_ERASURE_H
#define MUNIMENT_REPO_ERASURE_H

#include <muniment/repo/head.h>

enum { ERASURE_REFERENCE_MAX = 1024, ERASURE_REFERENCES_MAX = 100000 };

/* References that were given together. */
struct erasure {
    char *name; /* "<time>-<sha256>" */
    int64_t recorded;
    char **references; /* any bytes but NUL and line ends */
    size_t count;
};

struct erasures {
    struct erasure *items; /* by time */
    size_t count;
};

/* Stores the references, then journals that there are so many. Durable when it returns 0; sets name. Needs can_sign. */
int erasure_record(struct repo *repo, struct erasure *erasure, struct err *err) MUST_CHECK;

int erasures_load(struct repo *repo, struct erasures *erasures, struct err *err) MUST_CHECK;
void erasures_release(struct erasures *erasures);

/* Those that a restore of a snapshot brings back: recorded after its capture began. Appends them, one reference a line,
 * each once, and returns how many. */
size_t erasures_after(const struct erasures *erasures, int64_t started, struct buffer *lines);

/* Removes the entries that no snapshot needs any more, journalled; none while a capture runs. Adds how many to
 * *removed. */
int erasures_forget(struct repo *repo, int64_t now, uint64_t *removed, struct err *err) MUST_CHECK;

#endif
