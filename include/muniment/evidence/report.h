/*
 * The auditors' report: what was kept, where, by which rule, until when; what was destroyed, and how that was shown.
 *
 * Everything in it is found out anew: the stores are listed (every mirror, versions included), the heads opened, the
 * plan made; and all of it is held against the journal. Where the two differ, or a store differs from what the policy
 * promises, there is a finding. Without findings every statement of the report was true when it was made.
 *
 * Parts are numbered as in muniment-report(1). Plain data: made by report_make(), rendered by report_render().
 * Texts and arrays belong to the report. Times are seconds since 1970, 0 where there is none; spans are seconds, -1
 * where they are unbounded or not known.
 */
#ifndef MUNIMENT_EVIDENCE_REPORT_H
#define MUNIMENT_EVIDENCE_REPORT_H

#include <muniment/repo/head.h>
#include <muniment/repo/hold.h>
#include <muniment/retention/lint.h>
#include <muniment/s3/client.h>

enum { REPORT_SCHEMA = 1 };

/* --- what a report is made from -------------------------------------------------------------------------------------
 */

struct report_place {
    const char *name;    /* "repository", or the mirror's */
    const char *address; /* of the store, services spelled out */
    const char *region;  /* of its service, or NULL */
    struct store *store; /* NULL: it could not be opened, and `why` says so */
    const char *why;     /* or NULL */
    enum s3_lock_mode lock;
    int64_t copy_interval;          /* seconds between copies that are expected; 0: by hand, or the repository itself */
    const struct s3_bucket *bucket; /* what the bucket says of itself; NULL: a folder, or it does not tell */
};

struct report_request {
    const char *set;   /* its name */
    struct repo *repo; /* of the first place */
    const struct policy *policy;
    const struct lint *lint; /* what is to be said of its settings; NULL: of the policy alone */
    int64_t erasure_promise; /* seconds within which what is deleted must have left every backup; 0: none given */
    const struct report_place *places; /* the repository first, then the mirrors */
    size_t place_count;
    int64_t from, until; /* the period; what is said of the stores is said of `now` */
    int64_t now;
};

/* --- the parts ------------------------------------------------------------------------------------------------------
 */

/* Part 2: a policy and since when it holds, the newest last. */
struct report_policy {
    char id[17]; /* of its settings: equal policies have equal ids */
    int64_t effective;
    struct policy policy;
    struct policy_reach reach;
};

/* Part 3: the runs that the policy expects, one a period of its interval, in order. */
enum run_outcome { RUN_OK, RUN_LATE, RUN_PARTIAL, RUN_FAILED, RUN_MISSED, RUN_EXPECTED /* not over yet */ };
const char *run_outcome_text(enum run_outcome outcome);
struct report_run {
    int64_t expected; /* the beginning of the day (or the interval) */
    char day[16];     /* local, "2026-03-01" */
    enum run_outcome outcome;
    int64_t started; /* 0: none did */
    char *snapshot;  /* its name, or NULL */
    char *reason;    /* or NULL */
};

/* Part 5: a snapshot in a place. */
enum copy_state {
    COPY_WHOLE,      /* its head, every pack that it needs and index objects that know these packs are there */
    COPY_INCOMPLETE, /* its head is, but not all it needs */
    COPY_ABSENT,     /* not there: not copied yet, or gone */
    COPY_HIDDEN,     /* its head is hidden there: its bytes may still exist */
    COPY_UNKNOWN,    /* the place could not be looked at */
};
const char *copy_state_text(enum copy_state state);
struct report_copy {
    enum copy_state state;
    int64_t stored;                /* when its head came there, by the store's clock */
    unsigned versions;             /* of its head */
    uint64_t packs, missing_packs; /* missing: or known to no index object there */
    int64_t locked_until;          /* its head; 0: not locked, or not known */
};

/* Part 4: a snapshot that existed in the period. */
struct report_snapshot {
    char *name;
    char short_name[9];
    bool exists;     /* in the repository, now */
    bool head_known; /* of one that is gone, only what the journal says is known */
    enum outcome outcome;
    int64_t started, finished;
    uint8_t tiers; /* now; of one that is gone those at birth */
    uint8_t birth_tiers;
    char *reason;    /* why it stays, goes, or went */
    int64_t gone_by; /* its deadline, 0: none */
    int64_t expires; /* when it is expected to go by today's plan; 0: not known */
    int64_t expired; /* when the journal says it went; 0: it did not */
    bool held, past_deadline;
    char *host, *tool;
    uint64_t bytes, stored_bytes;
    struct head head;           /* sources with their versions, counts, digests; empty when it is not known */
    struct report_copy *copies; /* one a place, in their order */
};

/* The newest segment of a chain of the journal: with it a later copy of the journal can be shown to be whole. */
struct report_chain {
    char host[17];
    uint64_t number, first; /* first: the oldest segment that is still kept */
    char hash[65];
    uint64_t events;
};

/* Part 5: a place. */
struct report_store {
    char *name, *address;
    bool reached;
    char *why;                         /* it could not be looked at, or NULL */
    char *versioning;                  /* "on", "off", "suspended", "unknown", or "none" for a folder */
    char *lock;                        /* "none", "governance", "compliance" */
    char *region, *bucket;             /* or NULL */
    uint64_t objects, bytes, versions; /* that are listed; versions counts older ones and markers, too */
    uint64_t hidden, hidden_bytes;
    uint64_t snapshots;
    int64_t newest_snapshot;
    int64_t copied, verified;                    /* the last time, by the journal */
    uint64_t verified_objects, verified_damaged; /* then */
    int64_t lag;                                 /* how much older its newest snapshot is than the repository's */
    struct report_chain *chains; /* of the journal as it is listed there, events not counted: a mirror may be behind */
    size_t chain_count;
};

/* Part 6: a restore that was tried. */
struct report_drill {
    int64_t time;
    char *snapshot, *target, *operator, * message; /* or NULL */
    bool passed;
    double fetch_seconds, load_seconds, verify_seconds;
    uint64_t expected, found; /* entries or rows that were compared */
    uint64_t bytes;
};

/* Part 7: an object that was decided to go, in one place. */
enum destruction_state {
    DESTRUCTION_CONFIRMED, /* gone: the place was listed for this report, versions included, and has it no more */
    DESTRUCTION_PENDING,   /* still there, and not yet late */
    DESTRUCTION_HIDDEN,    /* hidden only: the bucket's own rules end it */
    DESTRUCTION_REFUSED,   /* a lock holds it */
    DESTRUCTION_LATE,      /* still there after its time */
    DESTRUCTION_UNKNOWN,   /* the place could not be looked at */
};
const char *destruction_state_text(enum destruction_state state);
struct report_destruction {
    char *object; /* below the set's folder: "snapshots/...", "packs/...", "keys/..." */
    char *reason;
    size_t place;
    int64_t decided, due, removed; /* removed: as journalled; 0: the place has no versions, or it is not gone */
    unsigned versions;
    char *ids; /* the first version ids that were destroyed, joined by ','; or NULL */
    int64_t refused_until;
    enum destruction_state state;
};

/* Part 9: a use of the read key. */
struct report_read {
    int64_t time;
    char *command, *snapshot, *host, *key; /* snapshot and key may be NULL */
    int status;                            /* exit status */
};

/* What does not agree. */
enum finding_kind {
    FINDING_LATE,      /* something exists past its deadline */
    FINDING_EXCESS,    /* a place holds what nobody knows, or what was decided to go */
    FINDING_MISSING,   /* something that should exist does not, or a run was missed */
    FINDING_STALE,     /* too old: the newest snapshot, a copy, a verification, a restore test */
    FINDING_TAMPERED,  /* the journal or a head is not what was signed */
    FINDING_POLICY,    /* the policy contradicts itself, or a promise */
    FINDING_UNKNOWN,   /* it could not be looked at */
    FINDING_EXCEPTION, /* meant, and to be known: a hold, the last good copy, a lock */
};
const char *finding_kind_text(enum finding_kind kind);
struct report_finding {
    enum finding_kind kind;
    char *place;  /* or NULL */
    char *object; /* or NULL */
    char *text;
};

struct report {
    /* 1: what this is */
    char id[33];
    char *set;
    char set_id[33];
    char *tool;
    char signer[17]; /* the host that made it; empty: it has no signing key */
    int64_t generated, from, until;
    bool as_expected; /* there is no finding but exceptions */

    /* 2 */
    struct report_policy *policies; /* the last one is in force */
    size_t policy_count;
    int64_t erasure_promise;
    char **policy_warnings;
    size_t policy_warning_count;

    /* 3 to 7 */
    struct report_run *runs;
    size_t run_count;
    struct report_snapshot *snapshots; /* oldest first */
    size_t snapshot_count;
    struct report_store *stores;
    size_t store_count;
    struct report_drill *drills;
    size_t drill_count;
    struct report_destruction *destructions; /* by time of the decision */
    size_t destruction_count;

    /* 8: holds in force or released in the period, and findings of every kind */
    struct hold *holds;
    size_t hold_count;
    struct report_finding *findings;
    size_t finding_count;

    /* 9 */
    struct report_read *reads;
    size_t read_count;

    /* 10 */
    int64_t erasure_horizon; /* by the policy alone; -1: unbounded */
    int64_t erased_after;    /* a row deleted now is in no backup after this moment; 0: unbounded */
    uint64_t erasures;       /* requests in the erasure ledger that a restore would have to repeat */
    bool journal_whole;
    struct report_chain *chains;
    size_t chain_count;
};

/* Looks at everything and fills the report. What does not agree is looked at again, and stated only when it is found
 * twice in a row: a run that works meanwhile changes what was listed a moment ago. What cannot be looked at becomes a
 * finding: -1 only when there is nothing to say at all (the repository cannot be read). Takes the write key only.
 * Released with report_release(). */
int report_make(const struct report_request *request, struct report *report, struct err *err) MUST_CHECK;
void report_release(struct report *report);

/* --- forms -----------------------------------------------------------------------------------------------------------
 */

enum report_format { REPORT_TEXT, REPORT_JSON, REPORT_CSV, REPORT_HTML };

/* Appends the report in a form. All of it is UTF-8; the same report gives the same bytes. The HTML is one file that
 * asks for nothing from anywhere. */
void report_render(const struct report *report, enum report_format format, struct buffer *out);

/* What the token says that names a report wherever it stands, and that every form has before any text that somebody
 * wrote: "muniment-report-1:<set id>:<id>:<from>:<until>:<generated>". */
struct report_mark {
    char id[33];
    int64_t from, until, generated;
};

/* Takes the first one in a document; false, and an empty one, when there is none, or it is not of this set. It may be
 * believed when the whole document is signed. */
bool report_find_mark(const void *document, size_t length, const char *set_id, struct report_mark *mark);

#endif
