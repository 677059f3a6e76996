/*
 * Mirrors: a second store that holds the same objects of a set.
 *
 * Upload order: the `muniment` object, packs, index, keys, heads, holds, erasures, journal; so a snapshot on a mirror
 * is whole, and every decision is there before an object goes because of it. An upload is verified by its hash before
 * it is sent (a damaged object never reaches a mirror) and by size after it. Objects leave a mirror only when a
 * verified journal segment says `expired` (heads), `destroyed` (packs, index), `key_removed` (wrapped keys), `released`
 * (holds) or `erasure_over` (erasures), and the repository does not have them; never because a listing lacks their
 * name. A snapshot that a hold covers stays, though it expired. Segments of the journal leave it when a checkpoint of
 * the repository's own journal says that they were dropped. Before any pack is deleted from a mirror, whatever packs
 * the mirror's remaining heads need are uploaded, also on nights when no copy is due. Sessions and purges are not
 * mirrored.
 *
 * On a mirror that locks, packs are locked for a day as they are sent, and then for as long as the snapshots there need
 * them (see muniment/repo/locks.h), with every run.
 */
#ifndef MUNIMENT_MIRROR_MIRROR_H
#define MUNIMENT_MIRROR_MIRROR_H

#include <muniment/repo/locks.h>

struct mirror_options {
    const char *name;        /* for the journal and messages */
    bool copy;               /* copy new objects (false: only deletions and what they need; the copy is not due) */
    unsigned verify_percent; /* of the packs on the mirror to read back and hash; chosen by name and `now`, so that runs
                                take turns */
    int64_t now;
    const struct lock_rule *locks; /* for a mirror that locks; NULL: what is sent is locked for a day */
};

struct mirror_result {
    uint64_t uploaded, uploaded_bytes;
    uint64_t removed, removed_bytes;
    uint64_t verified, verified_bytes;
    uint64_t strangers; /* objects on the mirror that the repository neither has nor ever destroyed: kept, reported */
    uint64_t
        damaged; /* read back and not what their names say: reported, uploaded again where the repository has them */
    uint64_t refused;        /* objects that a lock holds */
    int64_t refused_until;   /* the latest of their dates */
    uint64_t hidden;         /* objects that the key may only hide: the bucket's own rules end them */
    uint64_t found_hidden;   /* objects that somebody else hid: sent again */
    int64_t newest_snapshot; /* on the mirror afterwards; 0: none */
};

/* ERR_DIVERGED when the mirror holds other bytes than the repository under a name and could not be mended; or when its
 * journal tells more than the repository's, which then was cut: nothing is removed from the mirror, and its journal
 * stays as it is. Journals what it did. */
int mirror_run(struct repo *repo, struct store *mirror, const struct mirror_options *options,
               struct mirror_result *result, struct err *err) MUST_CHECK;

/* Copies the segments of the journal that were written since, and nothing else: at the end of a night every mirror then
 * is a witness to all of it. Journals nothing. */
int mirror_journal(struct repo *repo, struct store *mirror, const char *name, int64_t now, struct err *err) MUST_CHECK;

#endif
