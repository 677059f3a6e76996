/*
 * All places of a set, opened: the repository, then each mirror in the order of the configuration. For whoever has to
 * look everywhere, as reports and erasing do.
 */
#ifndef MUNIMENT_RUN_PLACES_H
#define MUNIMENT_RUN_PLACES_H

#include <muniment/evidence/report.h>
#include <muniment/run/nightly.h>

struct set_places {
    struct report_place *items;
    size_t count;

    /* What they borrow, one each. */
    char **addresses, **reasons, **regions;
    struct s3_bucket *buckets;
};

/* A place that is away - a disk that is not mounted, a bucket that does not answer within seconds - has no store, and
 * `why` says so: that is no error. Nothing is made or changed. From here on the set's objects are read from the store
 * itself, and not from this host's cache. The set must come from a configuration and outlive the
 * places. Closed with set_places_close(), whatever this returns. */
int set_places_open(struct opened_set *set, struct set_places *places, struct err *err) MUST_CHECK;
void set_places_close(struct set_places *places);

/* What is asked of the places: of the period from `from` to before `until`, and of now. Borrows from both. */
struct report_request set_places_request(struct opened_set *set, const struct set_places *places, int64_t from,
                                         int64_t until, int64_t now);

#endif
