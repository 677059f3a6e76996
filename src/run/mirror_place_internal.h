/* Where a mirror of a set is, and what the journal remembers of it. */
#ifndef MUNIMENT_RUN_MIRROR_PLACE_INTERNAL_H
#define MUNIMENT_RUN_MIRROR_PLACE_INTERNAL_H

#include <muniment/run/nightly.h>

struct mirror_past {
    const char *name; /* of the mirror */
    bool known;       /* something was done to it once */
    int64_t mirrored; /* the last copy; 0: none */
};

/* A damaged journal is no error here: what can be read of it counts, and whoever has to do with it says so. */
int mirror_past_load(struct opened_set *set, const char *name, struct mirror_past *past, struct err *err) MUST_CHECK;

enum mirror_presence {
    MIRROR_IS_MADE,  /* where it is missing */
    MIRROR_AS_IT_IS, /* what is missing is found by whoever reads it */
    MIRROR_IF_KNOWN, /* the journal tells of it, so it must be there: one that is not is a disk that is not mounted */
};

/* Opens the mirror's store. ERR_INVALID when it is the repository itself, ERR_NOT_FOUND when it must be there and is
 * not. */
int mirror_place_open(struct opened_set *set, const struct mirror_settings *mirror, enum mirror_presence presence,
                      struct store **store, struct err *err) MUST_CHECK;

#endif
