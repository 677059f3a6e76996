/*
 * Restore tests: a snapshot restored for real, compared with what was captured, and thrown away again.
 *
 * Databases go into a PostgreSQL server that is named for it, each under a name of its own ("muniment_drill_<digits>",
 * never one that exists), with the roles that they need; the rows of every table are compared with the counts taken
 * when they were captured, and the database is dropped. Everything else goes into a scratch folder; the files there are
 * counted against the snapshot, and every byte was authenticated on its way. What came of it is journalled as
 * `drilled`, whether it passed or not; that record is what the report shows as a restore test.
 */
#ifndef MUNIMENT_RUN_DRILL_H
#define MUNIMENT_RUN_DRILL_H

#include <muniment/run/nightly.h>
#include <muniment/util/log.h>

struct drill_options {
    const struct head *head;
    const char *mirror;   /* its name, when the snapshot is read from one; NULL: the repository */
    const char *postgres; /* URI of a server for databases; NULL is ERR_INVALID when the snapshot has some */
    const char *bin_dir;  /* of pg_restore; or NULL */
    const char *folder;   /* an existing folder, below which a scratch folder is made */
    const char *operator; /* who had it done: a role, not a name; or NULL */
    struct progress *progress;
};

struct drill_result {
    bool passed;
    char *message;            /* why not; NULL when it passed. Freed with drill_release() */
    uint64_t expected, found; /* databases, and entries of the other sources */
    uint64_t bytes;           /* that were restored */
    double fetch_seconds;     /* into the folder */
    double load_seconds;      /* into databases, fetching, counting and dropping included */
    double verify_seconds;    /* looking at what came into the folder */
};

/* Restores from `from`: the repository of the set, or the same set seen on a mirror; journals in the set's. A drill
 * that fails is a result, not an error: -1 only when it could not be tried or not be journalled (ERR_INTERRUPTED
 * journals nothing). */
int drill_run(struct opened_set *set, struct repo *from, const struct drill_options *options,
              struct drill_result *result, struct err *err) MUST_CHECK;
void drill_release(struct drill_result *result);

#endif
