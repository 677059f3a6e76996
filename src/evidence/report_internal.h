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
    FACT_RELEASED,
    FACT_READ,
    FACT_DRILLED,
    FACT_KINDS,
};

/* One event. */
struct fact {
    int64_t time;
    char *object;  /* below the set's folder; or NULL */
    char *mirror;  /* or NULL: the repository */
    char *segment; /* of the journal, where it stands */
    char **fields; /* name, value, ..., NULL */
};

struct past {
    struct facts {
        struct fact *items; /* by object, mirror, time */
        size_t count, capacity;
    } kinds[FACT_KINDS];
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
};

struct listed_place {
    const struct report_place *asked;
    const char *mirror; /* its name in the journal; NULL: the repository */
    struct repo repo;   /* of this store; only where it was reached */
    bool reached;
    struct placed *objects; /* sorted by name */
    size_t count, capacity;
    uint32_t *needers; /* by pack of the index: how many snapshots that are there miss it there */
};

/* The object of this name, hidden or not; or NULL. */
const struct placed *place_find(const struct listed_place *place, const char *name);
const struct placed *place_find_pack(const struct listed_place *place, const uint8_t pack[32]);

/* Objects below a folder ("snapshots/"): [*first, returned). */
size_t place_folder(const struct listed_place *place, const char *folder, size_t *first);

/* --- the whole ------------------------------------------------------------------------------------------------------
 */

/* A snapshot whose head could be opened, and the report's line for it. */
struct known_head {
    struct head *head; /* of the report */
    struct report_snapshot *snapshot;
    size_t place; /* where the head was read */
};

struct reporting {
    const struct report_request *request;
    struct report *report;
    struct calendar *calendar;
    struct past past;
    struct listed_place *places; /* one a place of the request */
    struct index *index;         /* of the repository; NULL: it cannot be read */
    struct holds holds;
    bool holds_known;
};

/* Adds a finding. `place` and `object` may be NULL. */
void report_find(struct reporting *reporting, enum finding_kind kind, const char *place, const char *object,
                 const char *format, ...) PRINTF_LIKE(5, 6);

/* Makes room for one more element of a growing array, cleared. */
void *report_add(void *array, size_t *count, size_t size);

/* The steps, in their order. Those that return nothing turn trouble into findings. */
int past_load(struct reporting *reporting, struct err *err) MUST_CHECK;
void past_release(struct past *past);
int places_load(struct reporting *reporting, struct err *err) MUST_CHECK;
void places_release(struct reporting *reporting);
void report_policies(struct reporting *reporting);
int report_snapshots(struct reporting *reporting, struct err *err) MUST_CHECK;
int report_copies(struct reporting *reporting, struct err *err) MUST_CHECK;
void report_runs(struct reporting *reporting);
void report_stores(struct reporting *reporting);
void report_drills(struct reporting *reporting);
void report_destructions(struct reporting *reporting);
void report_reads(struct reporting *reporting);
void report_erasure(struct reporting *reporting);
void report_cross_check(struct reporting *reporting);

/* Seconds between runs, and by how much a run may be late before something is. */
int64_t report_interval(const struct reporting *reporting);

#endif
