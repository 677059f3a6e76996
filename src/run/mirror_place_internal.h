/* Where a mirror of a set is, opened with what the journal remembers of it. */
#ifndef MUNIMENT_RUN_MIRROR_PLACE_INTERNAL_H
#define MUNIMENT_RUN_MIRROR_PLACE_INTERNAL_H

#include <muniment/run/nightly.h>

struct mirror_past {
    const char *name;
    bool known;       /* something was done to it once */
    int64_t mirrored; /* the last copy; 0: none */
};

/* For journal_walk(); the context is a struct mirror_past whose name is set. */
int mirror_past_read(void *context, const char *segment, const struct journal_entry *entry, struct err *err) MUST_CHECK;

/* Opens the mirror's store. ERR_INVALID when it is the repository itself. Unless `create`, a mirror that is known must
 * still be there (ERR_NOT_FOUND): one that is not is a disk that is not mounted. */
int mirror_place_open(struct opened_set *set, const struct mirror_settings *mirror, const struct mirror_past *past,
                      bool create, struct store **store, struct err *err) MUST_CHECK;

#endif
