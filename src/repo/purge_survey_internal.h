/*
 * The survey: every pack there is, as a purge sees it, and what becomes of each.
 */
#ifndef MUNIMENT_REPO_PURGE_SURVEY_INTERNAL_H
#define MUNIMENT_REPO_PURGE_SURVEY_INTERNAL_H

#include "mark_internal.h"
#include "purge_guard_internal.h"
#include "purge_internal.h"
#include <muniment/repo/purge.h>

enum { INDEX_OBJECTS_MANY = 32 }; /* more of them are written anew as one */

enum purge_fate {
    FATE_KEEP,
    FATE_REWRITE, /* its needed slots move, then it goes */
    FATE_DROP,    /* nothing in it is needed */
};

struct survey_pack {
    uint8_t name[32];
    const struct pack_table *table; /* borrowed from the index; NULL: no index object knows it */
    uint64_t size;                  /* as stored; 0 when it is not there */
    int64_t modified;               /* by the store's clock */
    bool exists;
    bool sound;           /* exists, has the size that the index says, and was not found to be damaged */
    bool young;           /* may belong to a capture that still runs: left alone */
    bool condemned;       /* in a purge record */
    int64_t locked_until; /* its removal was refused until then; 0: not that anyone knew */
    bool settled;         /* condemned, and no capture that began before that still runs */
    int64_t deadline;
    uint64_t bytes;        /* of its chunks */
    uint64_t dead_bytes;   /* of those that no snapshot refers to */
    uint64_t needed_bytes; /* of those that are referred to and stand in no other pack that stays */
    enum purge_fate fate;
};

struct survey {
    struct heads heads;
    struct index *index;
    struct marks *marks;       /* of the heads that stay */
    struct survey_pack *packs; /* sorted by name */
    size_t count;
    bool incomplete; /* snapshots refer to chunks that no sound pack of the index holds */
};

/* True when the snapshot is one of those that this purge ends. */
bool purge_expires(const struct purge_options *options, const char *head);

/* Loads heads, index and the listing of packs, in this order, and marks. `records` tells what is condemned and
 * the deadlines, the guard what is missed and what is locked. */
int survey_load(struct repo *repo, const struct purge_options *options, const struct purge_records *records,
                struct purge_guard *guard, struct survey *survey, struct err *err) MUST_CHECK;
void survey_release(struct survey *survey);

struct survey_pack *survey_find(const struct survey *survey, const uint8_t name[32]);

/* Where the bits of each section of a pack begin; freed by the caller. */
uint64_t *survey_bases(const struct survey *survey, const struct pack_table *table);

/* Gives the packs that hold what only expiring snapshots held their deadlines, and those with dead slots of unknown
 * origin theirs. */
int survey_deadlines(struct repo *repo, const struct purge_options *options, struct survey *survey,
                     struct err *err) MUST_CHECK;

/* Decides the fate of every pack. */
void survey_judge(const struct purge_options *options, struct survey *survey);

/* Judges, and moves the needed slots of the packs to be rewritten into new packs, as ciphertext, and makes these and
 * their index durable. Reads each pack once. From a damaged one nothing moves: *damaged counts it, it stays, and what
 * it seemed to provide is taken from others; where these provide all of it, it may go. Counts packs and bytes into the
 * result. */
int survey_move(struct repo *repo, const struct purge_options *options, struct survey *survey, size_t *damaged,
                struct purge_result *result, struct err *err) MUST_CHECK;

/* True when no capture that began before `modified` (by the store's clock) can still commit. */
int captures_have_ended(struct repo *repo, int64_t modified, bool *ended, struct err *err) MUST_CHECK;

/*
 * Destroys those of the condemned packs that may go: all of them when `ended`, else the settled ones. Surveys anew and
 * spares what is needed after all. `survey` is replaced by the new one; in it, packs that still wait have another fate
 * than FATE_KEEP, and those that were destroyed are gone. Also writes one index for many.
 */
int survey_destroy(struct repo *repo, const struct purge_options *options, const struct purge_record *record,
                   bool ended, struct purge_guard *guard, struct survey *survey, struct purge_result *result,
                   struct err *err) MUST_CHECK;

#endif
