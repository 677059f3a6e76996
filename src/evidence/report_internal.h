/*
 * How a report is made: what the journal tells and what the places list, both in memory, and the parts that hold them
 * against each other.
 */
#ifndef MUNIMENT_EVIDENCE_REPORT_INTERNAL_H
#define MUNIMENT_EVIDENCE_REPORT_INTERNAL_H

#include <muniment/evidence/report.h>
#include <muniment/repo/journal.h>

/* --- what the journal tells -----------------------------------------------------------------------------------------
 */

enum fact_kind {
    FACT_CAPTURED, /* by "snapshots/<name>" */
    FACT_DECIDED,  /* what is to go, by object: expired, destroyed, key_removed, released, erasure_over */
    FACT_REMOVED,  /* by object and mirror; so are the next two */
    FACT_REFUSED,
    FACT_HIDDEN,
    FACT_FAILED,   /* runs that were refused */
    FACT_MIRRORED, /* by mirror; so is the next */
    FACT_VERIFIED,
    FACT_CHECKED,
    FACT_POLICY,
    FACT_STORED, /* keys, holds and ledger entries that came, by object */
    FACT_RECORDED,
    FACT_HELD,
    FACT_READ,
    FACT_DRILLED,
    FACT_ERASING,
    FACT_KINDS,
};

/* One event. */
struct fact {
    int64_t time;
    size_t order;  /* among all events, as they were read: a chain's in its own */
    char *object;  /* below the set's folder; or NULL */
    char *mirror;  /* or NULL: the repository */
    char *segment; /* of the journal, where it stands */
    char **fields; /* name, value, ..., NULL */
};

struct past {
    struct facts {
        struct fact *items; /* by object, mirror, time: where an event has neither, by time */
        size_t count, capacity;
    } kinds[FACT_KINDS];
    size_t count;
    int64_t begins; /* the earliest event that is still told first-hand; 0: there is none */
};

/* The earliest and the latest fact about an object in a place (`mirror` NULL: the repository), or NULL. */
const struct fact *past_first(const struct past *past, enum fact_kind kind, const char *object, const char *mirror);
const struct fact *past_last(const struct past *past, enum fact_kind kind, const char *object, const char *mirror);

const char *fact_text(const struct fact *fact, const char *name); /* or NULL */
int64_t fact_when(const struct fact *fact, const char *name);     /* 0: none */
uint64_t fact_count(const struct fact *fact, const char *name);   /* 0: none */
double fact_seconds(const struct fact *fact, const char *name);   /* 0: none */

/* --- what the places list -------------------------------------------------------------------------------------------
 */

struct placed {
    char *name; /* below the set's folder */
    uint64_t size;
    int64_t modified;
    unsigned versions;
    bool hidden;
    bool needed; /* a pack: a snapshot that stays refers to it */
};

struct listed_place {
    const struct report_place *asked;
    const char *mirror; /* its name in the journal; NULL: the repository */
    struct repo repo;   /* of this store; only where it was reached */
    bool reached;
    struct placed *objects; /* sorted by name */
    size_t count, capacity;
    struct index *index; /* that its snapshots are read by; NULL until it is needed */
};

/* The object of this name, hidden or not; or NULL. */
struct placed *place_find(const struct listed_place *place, const char *name);
struct placed *place_find_pack(const struct listed_place *place, const uint8_t pack[32]);

/* Objects below a folder ("snapshots/"): [*first, returned). */
size_t place_folder(const struct listed_place *place, const char *folder, size_t *first);

/* --- the whole ------------------------------------------------------------------------------------------------------
 */

struct reporting {
    const struct report_request *request;
    struct report *report;
    struct calendar *calendar;
    struct past past;
    struct listed_place *places; /* one a place of the request */
    struct index *index;         /* of the repository; NULL: it cannot be read */
    int64_t erased;              /* when the whole set began to be erased; 0: it was not */
    struct holds holds;
};

/* Adds a finding. `place` and `object` may be NULL. */
void report_find(struct reporting *reporting, enum finding_kind kind, const char *place, const char *object,
                 const char *format, ...) PRINTF_LIKE(5, 6);

/* The same for what an error says: corrupt is tampered with, all else is not known. Clears the error. */
void report_trouble(struct reporting *reporting, const char *place, const char *object, struct err *err);

/* Makes room for one more element of a growing array, cleared. */
void *report_add(void *array, size_t *count, size_t size);

/* Seconds between runs. */
int64_t report_interval(const struct reporting *reporting);

/* What happens while the report is made belongs to a period that reaches until now. */
bool report_in_period(const struct reporting *reporting, int64_t when);

/* How long what was decided to go may take to be gone everywhere: the next run does it, or the one after. */
int64_t report_allowance(const struct reporting *reporting);

/* True when an object, named below the set's folder, is in `folder` ("packs/"). */
bool report_is_below(const char *object, const char *folder);

/* The name of a snapshot's object ("snapshots/...") into `object` (REPO_NAME_MAX bytes). Returns object. */
const char *report_object_of(const struct report_snapshot *snapshot, char *object);

/* The snapshot of this object name, or NULL. */
struct report_snapshot *report_snapshot_of(const struct reporting *reporting, const char *object);

/* True when a snapshot is in a place, whole or not, hidden or not. */
bool report_has(const struct reporting *reporting, const struct report_snapshot *snapshot, size_t p);

/* Until when a lock is known to refuse the removal of an object from a place; 0: none does. */
int64_t report_refused_until(const struct reporting *reporting, const char *object, const struct listed_place *place);

/* The steps, in their order. Those that return nothing turn trouble into findings. */
int places_load(struct reporting *reporting, struct err *err) MUST_CHECK;
void places_release(struct reporting *reporting);
int past_load(struct reporting *reporting, struct err *err) MUST_CHECK;
void past_release(struct past *past);
/* A segment of the journal that a mirror has and the repository has not, nor dropped for its age. */
bool report_is_cut_off(const struct reporting *reporting, const char *object);
void report_chains(struct reporting *reporting); /* the journal on the mirrors, compared with the repository's */
void report_policies(struct reporting *reporting);
int report_snapshots(struct reporting *reporting, struct err *err) MUST_CHECK;
int report_copies(struct reporting *reporting, struct err *err) MUST_CHECK;
int report_locks(struct reporting *reporting, struct err *err) MUST_CHECK; /* of the heads, where objects are locked */
void report_runs(struct reporting *reporting);
void report_stores(struct reporting *reporting);
void report_load_holds(struct reporting *reporting);
void report_holds(struct reporting *reporting);
void report_drills(struct reporting *reporting);
void report_destructions(struct reporting *reporting);
void report_reads(struct reporting *reporting);
void report_promises(struct reporting *reporting);  /* how long what is deleted stays */
void report_deadlines(struct reporting *reporting); /* snapshots that outstayed theirs */
void report_absences(struct reporting *reporting);  /* what should be there and is not */
void report_excess(struct reporting *reporting);    /* what is there and should not be */
void report_staleness(struct reporting *reporting);
void report_trim(struct reporting *reporting);

void report_snapshot_release(struct report_snapshot *snapshot); /* what it holds */

#endif
