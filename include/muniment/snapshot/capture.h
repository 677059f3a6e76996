/*
 * Capturing a set: its sources, in order, into one snapshot.
 *
 * reader (the source's thread) -> chunker -> workers (keyed hash, compression) -> packer (deduplication, sealing, pack)
 * -> store. Queues and buffers are bounded and reused; memory does not grow with what is captured, but for the dedup
 * table.
 *
 * Durable in this order: packs, index, head. Killed at any instruction, the snapshot does not exist, and nothing that
 * was there before changes.
 */
#ifndef MUNIMENT_SNAPSHOT_CAPTURE_H
#define MUNIMENT_SNAPSHOT_CAPTURE_H

#include <muniment/repo/head.h>
#include <muniment/retention/plan.h>
#include <muniment/source/source.h>

struct capture_options {
    const struct source *sources;
    size_t source_count;
    const struct policy *policy; /* for tiers and deadline at birth */
    const char
        *state_folder; /* this host's memory of the last trees, one file a source; NULL: none, every file is read */
    int64_t started;   /* the snapshot's time; 0: now */
    int64_t lock_wait; /* seconds */
    int64_t session_length;    /* seconds; 0: SESSION_LENGTH */
    int compression;           /* zstd level; 0: default */
    unsigned workers;          /* 0: one a core */
    struct progress *progress; /* may be NULL */
};

/*
 * Makes one snapshot. Returns 0 with head->outcome complete or partial: it is durable and journalled. Returns -1 when
 * none was made: a preflight failed, every source failed, the store failed, the session ended. A source that fails
 * beside others that did not makes the snapshot partial. The caller releases the head.
 */
int capture_run(struct repo *repo, const struct capture_options *options, struct head *head,
                struct err *err) MUST_CHECK;

/* Databases and buckets cannot be stopped at one moment. This is the time between the beginning of the snapshot's first
 * database and the end of its last bucket: what was removed from a bucket within it may be missing though a row names
 * it, what was added may be there though none does. False when the snapshot does not have both. */
bool capture_window(const struct head *head, int64_t *from, int64_t *until);

#endif
