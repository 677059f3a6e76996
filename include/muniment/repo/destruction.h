/*
 * Destroying objects, and what came of it: shared by purges and mirrors.
 *
 * A lock may refuse a removal, and a key may be allowed to hide an object only. Neither ends a run: it is counted, and
 * written into the journal once. The journal is also what is asked before the next attempt: what was refused until some
 * date is not tried again before it. What is hidden already is tried with one object; when that one goes, the key may
 * delete by now, and all the others go as well.
 *
 *     refused    object, until (or `hold`)[, mirror]
 *     hidden     object[, mirror]
 *     removed    object[, mirror][, versions, ids]
 *
 * `mirror` is absent for the repository, and there `removed` is only written where versions have ids. `ids` names the
 * first few.
 */
#ifndef MUNIMENT_REPO_DESTRUCTION_H
#define MUNIMENT_REPO_DESTRUCTION_H

#include <muniment/repo/journal.h>
#include <muniment/util/workers.h>
#include <pthread.h>

/* Object names below the set's folder, each with a time. */
struct dated_names {
    struct dated_name {
        char *name;
        int64_t time;
    } * items;
    size_t count, capacity;
};
void dated_names_add(struct dated_names *names, const char *name, int64_t time);
void dated_names_sort(struct dated_names *names); /* each once, with its latest time */
struct dated_name *dated_names_find(const struct dated_names *names, const char *name); /* or NULL */
void dated_names_release(struct dated_names *names);

/* What stands as `until` for a legal hold, which has no date: it is asked after again this many seconds later. */
#define DESTRUCTION_HOLD "hold"
enum { DESTRUCTION_HOLD_PAUSE = 7 * 86400 };

/* True when an entry of the journal decides that an object goes: `object` is its name below the set's folder. Heads go
 * by `expired` alone, packs and index objects by `destroyed`, wrapped keys by `key_removed`, holds by `released`,
 * entries of the erasure ledger by `erasure_over`. Segments of the journal: journal_checkpoint_covers(). */
bool destruction_decided(const struct journal_entry *entry, char object[REPO_NAME_MAX]);

struct destruction {
    struct repo *repo;   /* whose journal it is */
    struct store *store; /* where objects go */
    const char *mirror;  /* its name; NULL: the repository */
    int64_t now;

    struct dated_names refusals; /* of earlier runs */
    pthread_mutex_t lock;        /* over the rest, and for the caller's own counters */
    struct journal_batch events;
    bool only_hides; /* the key may not delete */
    uint64_t refused, hidden;
    int64_t refused_until; /* the latest */
};

void destruction_begin(struct destruction *destruction, struct repo *repo, struct store *store, const char *mirror,
                       int64_t now);
void destruction_release(struct destruction *destruction);

/* Takes what an entry of the journal tells about refusals. After the last one destruction_sort(). */
void destruction_read(struct destruction *destruction, const struct journal_entry *entry);
void destruction_sort(struct destruction *destruction);

/* Until when the removal of an object is refused, as far as is known; 0: it may be tried. `name` is the whole. */
int64_t destruction_refused(const struct destruction *destruction, const char *name);

void destruction_count_refusal(struct destruction *destruction, int64_t until);

enum removed {
    REMOVED_GONE,
    REMOVED_HIDDEN,
    REMOVED_REFUSED,
};

/* Removes one object. `hidden`: it is no longer listed by its name. Any thread. */
int destruction_remove(struct destruction *destruction, const char *name, bool hidden, enum removed *removed,
                       struct err *err) MUST_CHECK;

/* Removes what is only hidden: those of `hidden` with a time. `remove` gets `context` and the name of each (a string),
 * several at once; NULL: destruction_remove() alone. */
int destruction_remove_hidden(struct destruction *destruction, const struct dated_names *hidden, workers_each *remove,
                              void *context, struct err *err) MUST_CHECK;

/* Writes the events so far into the journal. */
int destruction_journal(struct destruction *destruction, struct err *err) MUST_CHECK;

#endif
