/*
 * Bringing back from a mirror what the repository has lost or has damaged: a bad sector, a hand that slipped, a
 * repository that was set back to an earlier state.
 */
#ifndef MUNIMENT_MIRROR_RECOVER_H
#define MUNIMENT_MIRROR_RECOVER_H

#include <muniment/repo/repo.h>

struct recover_result {
    uint64_t read, read_bytes;           /* objects of the repository that were read and are whole */
    uint64_t recovered, recovered_bytes; /* brought back */
    uint64_t lost;                       /* missing or damaged in the repository, and not whole on the mirror either */
};

/*
 * Reads every object of the repository that the mirror has, too, and brings back those that are damaged, and those that
 * are missing although no journal says that they were to go: the journal first, then packs, snapshots, erasures, holds.
 * Only bytes that are what their name says are written, and but for packs only what a host of the set signed. Not
 * brought back: the index, which is written anew from the packs (check_rebuild_index()), and wrapped keys, which anyone
 * can make. Keeps purges and other mirror runs out. Journals what it did; needs can_sign.
 *
 * ERR_INVALID when it is no mirror of this repository; ERR_REFUSED when the set is erased: of that, only the journal.
 * ERR_CORRUPT when the journal is not whole even so: then nothing says what was to go, and nothing else is brought
 * back. Objects that are lost are counted and logged, and fail it at the end with the first of them. Each object is
 * durable once it is counted.
 */
int mirror_recover(struct repo *repo, struct store *mirror, const char *name, int64_t now, struct progress *progress,
                   struct recover_result *result, struct err *err) MUST_CHECK;

#endif
