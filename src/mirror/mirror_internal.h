/*
 * One run of a mirror, in the order in which it happens:
 *
 *     inventory_load      what the mirror has, and which of it the journals of both stores say must go
 *     notice_cut          whether the mirror's journal tells more than the repository's
 *     copy_packs          a merge-join of the repository's packs with the inventory
 *     needs_upload        where no copy is due: only the packs that the mirror's snapshots moved to
 *     copy_folder         index, keys, heads, holds, erasures, journal
 *     remove_decided      heads, keys, holds, erasures, index, packs; of the journal what a checkpoint dropped
 *     lock_contents       where the mirror locks
 *     verify_sample       reads back and hashes
 *     copy_folder         journal again, with what this run wrote into it
 *
 * What the journals decided is read before the repository is listed: then the packs that took over the chunks of a
 * destroyed one are in the listing. Heads are listed before the index, and the index before the packs: then whatever a
 * listed head needs is listed too. A purge that removes a listed object meanwhile makes the run list again.
 */
#ifndef MUNIMENT_MIRROR_MIRROR_INTERNAL_H
#define MUNIMENT_MIRROR_MIRROR_INTERNAL_H

#include <muniment/mirror/mirror.h>
#include <muniment/repo/destruction.h>
#include <muniment/repo/head.h>
#include <muniment/repo/hold.h>
#include <muniment/repo/journal.h>
#include <muniment/util/sha256.h>
#include <muniment/util/workers.h>
#include <pthread.h>

/* A pack on the mirror: 56 bytes, the only thing held for every one. */
struct mirrored_pack {
    uint8_t hash[32];
    uint64_t size;
    int64_t overwritten; /* when an object that was there got another version; 0: it has one */
    bool decided;        /* a journal says that it was destroyed */
    bool seen;           /* the repository has it */
    bool needed;         /* by a snapshot on the mirror that nobody decided to remove */
};

/* The folders whose listings are small by nature. */
enum folder_kind {
    FOLDER_KEYS,
    FOLDER_INDEX,
    FOLDER_HEADS,
    FOLDER_HOLDS,
    FOLDER_ERASURES,
    FOLDER_JOURNAL,
    FOLDER_KINDS,
};

struct folder {
    struct store_names here;  /* in the repository */
    struct store_names there; /* on the mirror, as it was in the beginning */
    bool *decided;            /* one for each of `there` */
    bool *refused;            /* the same: a lock keeps it there */
    bool *held;               /* the same: a hold does */
    int64_t *overwritten;     /* the same, as in a pack */
    size_t overwritten_capacity;
    struct store_names sent; /* since then */
};

struct mirror_job {
    struct repo *repo;
    struct repo there; /* the same set, seen on the mirror */
    const struct mirror_options *options;
    struct mirror_result *result;

    struct mirrored_pack *packs; /* sorted by hash */
    size_t pack_count, pack_capacity;
    struct mirrored_pack *sent; /* those that were sent since, until inventory_sort() joins them to the others */
    size_t sent_count, sent_capacity;
    struct folder folders[FOLDER_KINDS];
    struct dated_names hidden;   /* on the mirror, names below the set's folder; time 1: it was decided that they go */
    struct dated_names captured; /* snapshots, by either journal */
    struct dated_names expired;  /* the same */
    int64_t last_run;            /* the last copy that went well; 0: none */
    struct hold_witness holds;   /* what the repository's journal says of them */
    bool decisions_known;        /* the repository's journal is whole, so that its decisions may be followed */
    bool mirror_journal_good;    /* the mirror's is, or has nothing that the repository's has not */
    bool journal_was_cut;        /* the mirror has segments of it that the repository lacks, and nobody dropped */
    uint64_t left;               /* what was decided to go and stays, because something may need it */

    unsigned transfers;   /* at once */
    pthread_mutex_t lock; /* over what the threads that transfer change: result, events, `sent`, and the next five */
    bool chain_broke;     /* a segment of the journal could not be sent */
    bool vanished;        /* something listed was gone when it was read */
    size_t pack_failures; /* packs or index objects that should be on the mirror and could not be sent */
    size_t failures;      /* single objects that failed, while the run went on */
    struct err first;     /* the first of them */

    struct index *index; /* of the repository; loaded by needs_are_met() */
    struct destruction destruction;
    struct heads heads; /* of the repository, for a mirror that locks */
};

/* One object on its way: to the mirror, to be read there, to be removed. */
struct transfer {
    char name[REPO_NAME_MAX];
    uint64_t size;
    enum folder_kind kind; /* FOLDER_KINDS: a pack */
    size_t at;             /* in its folder's `there` */
    bool hidden;           /* there */
};

extern const char *const FOLDER_NAMES[FOLDER_KINDS];

/* --- inventory.c --- */

/* Of everything below a folder: the set's own, or its journal alone. */
int inventory_load(struct mirror_job *job, const char *below, struct err *err) MUST_CHECK;
void inventory_release(struct mirror_job *job);
struct mirrored_pack *inventory_find(const struct mirror_job *job, const uint8_t hash[32]);
void inventory_sort(struct mirror_job *job);

/* Remembers that an object was sent. Packs are found only after inventory_sort(). */
void inventory_sent(struct mirror_job *job, const struct transfer *transfer);

/* Lists one of the small folders of the repository anew. */
int folder_list_here(struct mirror_job *job, enum folder_kind kind, struct err *err) MUST_CHECK;
bool folder_has(const struct store_names *names, const char *name);

/* True when a pack or an index object must go: decided, and the repository does not have it. */
bool pack_must_go(const struct mirrored_pack *pack);
bool folder_must_go(const struct mirror_job *job, enum folder_kind kind, size_t at);
uint64_t contents_that_go(const struct mirror_job *job); /* packs and index objects */

/* --- copy.c --- */

enum copied {
    COPY_DONE,
    COPY_VANISHED, /* where it was read from, it is no longer */
    COPY_FAILED,   /* it could not be read, or is damaged there */
};

/* Reads an object in pieces, hashes it, and writes it to `upload` (NULL: nowhere). *unread: it was the reading that
 * failed. */
int read_object(struct store *store, const char *name, uint64_t size, struct store_upload *upload,
                uint8_t digest[SHA256_SIZE], bool *unread, struct err *err) MUST_CHECK;

struct copying {
    struct store *from, *to;
    const char *name;
    uint64_t size;
    int64_t lock_until; /* 0: it is not locked */
};

/* Reads an object of one store, hashes it on the way, and commits it in the other only when it is what its name says.
 * `why` says what is wrong with it. -1 when the store it goes to failed. */
int copy_verified(const struct copying *copying, enum copied *copied, struct err *why, struct err *err) MUST_CHECK;

/* The same from the repository to the mirror; a failure is noted in the job. */
int copy_object(struct mirror_job *job, const struct transfer *transfer, enum copied *copied,
                struct err *err) MUST_CHECK;
int copy_packs(struct mirror_job *job, struct err *err) MUST_CHECK;
int copy_folder(struct mirror_job *job, enum folder_kind kind, struct err *err) MUST_CHECK;

/* True when another segment is there under the same host and number: two histories. */
bool journal_forks(const struct store_names *there, const char *name);

/* copy_object() and what becomes of it, for the threads that transfer: `item` is a struct transfer, `context` the job.
 */
int copy_transfer(void *context, void *item, struct err *err) MUST_CHECK;
struct transfer transfer_of(const char *name, uint64_t size, enum folder_kind kind);

/* True when a read failed for this object alone: it is gone, damaged, or on a bad sector. False when its store is out
 * of reach, or lets nobody read: then nothing is known of the object, and the next one would fare no better. */
bool fails_alone(const struct err *err);

/* Remembers that something failed without ending the run. Takes the error's content. */
void job_fail(struct mirror_job *job, const struct err *why);
void count_damaged(struct mirror_job *job);

/* --- lock.c --- */

enum { LOCK_AT_FIRST = 86400 }; /* seconds: should the run be killed, what nobody needs may go soon */

/* Where the mirror locks: loads what says how long. Before the first transfer. */
int lock_dates_load(struct mirror_job *job, struct err *err) MUST_CHECK;

/* Until when an object is locked as it is sent; 0: not at all. */
int64_t lock_at_first(const struct mirror_job *job, const char *name, enum folder_kind kind);

/* Lengthens the locks of what the snapshots need. */
int lock_contents(struct mirror_job *job, struct err *err) MUST_CHECK;

/* --- journal.c --- */

/* Whether the mirror has segments that the repository lacks and that no checkpoint dropped: then the journal was cut in
 * the repository, or set back, which fails the run and lets nothing go. */
int notice_cut(struct mirror_job *job, struct err *err) MUST_CHECK;
int copy_journal(struct mirror_job *job, struct err *err) MUST_CHECK;

/* --- mirror.c --- */

void job_begin(struct mirror_job *job, struct repo *repo, struct store *mirror, const struct mirror_options *options,
               struct mirror_result *result);

/* With the first of the failures of single objects, once all others were served. */
int job_end(struct mirror_job *job, int status, struct err *err) MUST_CHECK;

/* Keeps other runs out of the mirror. */
int job_lock(struct mirror_job *job, struct store_lock **lock, struct err *err) MUST_CHECK;

/* --- needs.c --- */

/* Uploads the packs that snapshots on the mirror need and that are not there. */
int needs_upload(struct mirror_job *job, struct err *err) MUST_CHECK;

/* Marks the packs that snapshots need which are on the mirror, not in the repository, and not decided to go. Sets
 * *any when there are such snapshots. */
int needs_of_strangers(struct mirror_job *job, bool *any, struct err *err) MUST_CHECK;

/* Whether every slot of a snapshot of the repository has a pack on the mirror; says so in the log when not. */
int needs_are_met(struct mirror_job *job, const char *name, bool *met, struct err *err) MUST_CHECK;

/* --- remove.c --- */

/* Removes what must go, in the order above. */
int remove_decided(struct mirror_job *job, struct err *err) MUST_CHECK;

/* --- verify.c --- */

/* Whether it is this object's turn to be read. */
bool verify_is_due(const char *name, unsigned percent, int64_t now);

/* Reads an object of one of the two stores; false when it is not what its name says. -1 when the store failed. */
int verify_object(struct mirror_job *job, struct store *store, const char *name, uint64_t size, bool *good,
                  struct err *err) MUST_CHECK;
int verify_sample(struct mirror_job *job, struct err *err) MUST_CHECK;

#endif
