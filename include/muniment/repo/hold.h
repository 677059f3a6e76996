/*
 * Holds: dated, reasoned exceptions that keep snapshots past every rule, their deadline included.
 *
 * `<set>/holds/<id>`, RECORD_HOLD: sealed and signed, so that reason and owner are readable with the write key and no
 * other. The journal has `held` and `released` with the same id, the scope and the dates. Both must agree before
 * anything is destroyed: a hold that the journal knows as in force and that is gone from the folder, or one that cannot
 * be read, ends a purge with ERR_CORRUPT. Mirrors carry the folder like the wrapped keys.
 *
 * A hold covers snapshots, not bytes: a snapshot that it covers stays in every place that has it. It is in force from
 * the moment it is placed until it is released, or until its own end date.
 */
#ifndef MUNIMENT_REPO_HOLD_H
#define MUNIMENT_REPO_HOLD_H

#include <muniment/repo/journal.h>
#include <stdbool.h>

enum { HOLD_TEXT_MAX = 1024 /* bytes of owner and reason: one line each */ };

enum hold_scope {
    HOLD_SET = 1,      /* every snapshot, also those to come */
    HOLD_SNAPSHOT = 2, /* one */
    HOLD_RANGE = 3,    /* those whose capture began from `from` to `until`, both included */
};

struct hold {
    char id[17]; /* hex */
    enum hold_scope scope;
    char *snapshot;      /* HOLD_SNAPSHOT: its name; else NULL */
    int64_t from, until; /* HOLD_RANGE */
    char *owner;         /* who answers for it: a role or a case number */
    char *reason;
    int64_t placed;
    int64_t review;   /* when somebody should look at it again; 0: never */
    int64_t ends;     /* it ends by itself then; 0: when it is released */
    int64_t released; /* 0: not; only in reports */
};

struct holds {
    struct hold *items; /* in order of `placed` */
    size_t count;
};

const char *hold_scope_text(enum hold_scope scope); /* "set", "snapshot", "range" */

/* Journals the hold, then stores it: durable when it returns 0. Fills id. Needs can_sign. ERR_INVALID for one without
 * owner or reason, or whose dates contradict each other. A purge that has already decided may end a snapshot at the
 * same moment: look for it after hold_await_purge(). */
int hold_place(struct repo *repo, struct hold *hold, struct err *err) MUST_CHECK;

/* Waits for whatever destroys and may have begun before a hold was placed: what is there afterwards, stays. */
int hold_await_purge(struct repo *repo, struct err *err) MUST_CHECK;

/* Every hold in the repository, ended ones included. ERR_CORRUPT when one cannot be read. */
int holds_load(struct repo *repo, struct holds *holds, struct err *err) MUST_CHECK;

/* Journals the release, then removes the object. `id` or its unambiguous beginning, which is then the whole. Releases
 * also a hold that only the journal knows (a run that was killed while it placed it; an object that somebody removed).
 * ERR_NOT_FOUND. */
int hold_release(struct repo *repo, const char *id, int64_t now, char whole[17], struct err *err) MUST_CHECK;

/* The hold in force at `now` that covers a snapshot, of several the one that lasts longest; or NULL. */
const struct hold *holds_covering(const struct holds *holds, const char *snapshot, int64_t started, int64_t now);
bool holds_cover(const struct holds *holds, const char *snapshot, int64_t started, int64_t now);
bool hold_in_force(const struct hold *hold, int64_t now);

/*
 * The journal's word on holds. Fed with its events, then held against the folder: ERR_CORRUPT names a hold that should
 * be in force at `now` and is not there. Load the folder before the journal is read.
 */
struct hold_witness {
    struct hold_claim {
        char id[17];
        bool held, released;
        int64_t ends; /* 0: when it is released */
    } * items;
    size_t count, capacity;
};
void hold_witness_read(struct hold_witness *witness, const struct journal_entry *entry);
int hold_witness_check(const struct hold_witness *witness, struct repo *repo, const struct holds *holds, int64_t now,
                       struct err *err) MUST_CHECK;
void hold_witness_release(struct hold_witness *witness);

void hold_free(struct hold *hold); /* its texts */
void holds_release(struct holds *holds);

#endif
