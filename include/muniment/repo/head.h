/*
 * Snapshot heads: `<set>/snapshots/<time>-<sha256>`, a RECORD_HEAD each. The snapshot exists from the moment its head
 * does.
 *
 * A head is readable with the write key: it holds times, sources with their versions and totals, the tiers, their
 * limits and the deadline at birth, and for every source the root of its reference stream. File names and contents are
 * not in it.
 */
#ifndef MUNIMENT_REPO_HEAD_H
#define MUNIMENT_REPO_HEAD_H

#include <muniment/repo/references.h>

enum outcome {
    OUTCOME_COMPLETE = 1,
    OUTCOME_PARTIAL = 2, /* something is missing, and `troubles` names it */
    OUTCOME_FAILED = 3,  /* nothing of this source was kept */
};

const char *outcome_text(enum outcome outcome); /* "complete", "partial", "failed" */

struct head_fact {
    char *name; /* "server", "pg_dump", "wal_position", ... */
    char *value;
};

/* One database, bucket or path: what a later snapshot must not silently lose. */
struct head_unit {
    char *name;
    uint64_t bytes;
    uint64_t rows;
    bool rows_known;
};

struct head_source {
    char *name;
    char *kind;      /* "postgres", "files", "command", ... */
    uint8_t outcome; /* enum outcome */
    int64_t started, finished;
    uint64_t entries;
    uint64_t bytes;        /* plain bytes of content */
    uint64_t stored_bytes; /* ciphertext this snapshot added for it */
    uint8_t digest[32];    /* SHA-256 over the 32-byte HMACs of the tree's chunks */
    struct head_fact *facts;
    struct head_unit *units;
    char **troubles;
    size_t fact_count, unit_count, trouble_count;
    struct references references;
};

enum { HEAD_TIERS = 4 };

struct head {
    char *name; /* "<time>-<sha256>", the object's last component; set by load and commit */
    uint8_t signer[SIGN_PUBLIC_SIZE];
    int64_t started, finished; /* capture; `started` counts for age and periods */
    char *hostname;
    char *tool;                  /* version of muniment */
    uint8_t outcome;             /* complete only when every source is */
    uint8_t tiers;               /* at birth; enum tier bits of muniment/retention/plan.h */
    uint32_t limits[HEAD_TIERS]; /* how many days, weeks, months and years the policy kept at birth; all 0: no tiers */
    int64_t deadline;            /* bytes must be gone by; 0: no max_age */
    struct head_source *sources;
    size_t source_count;
};

struct heads {
    struct head *items; /* oldest first: by `started`, then name */
    size_t count;
};

void head_release(struct head *head);
uint64_t head_bytes(const struct head *head); /* sums over the sources */
uint64_t head_stored_bytes(const struct head *head);
uint32_t head_units(const struct head *head);

void head_encode(const struct head *head, struct buffer *out);
int head_decode(struct head *head, const void *payload, size_t length, const char *name, struct err *err) MUST_CHECK;

/* Seals, signs and stores the head: the moment a snapshot begins to exist. Durable when it returns 0; sets head->name.
 */
int head_commit(struct repo *repo, struct head *head, struct err *err) MUST_CHECK;

/* Loads one by its name, or all. A damaged head fails the whole load with its name (ERR_CORRUPT), because what is
 * decided from an incomplete list of heads could destroy what is needed. */
int head_load(struct repo *repo, const char *name, struct head *head, struct err *err) MUST_CHECK;
int heads_load(struct repo *repo, struct heads *heads, struct err *err) MUST_CHECK;
void heads_release(struct heads *heads);

/* The one of this very name, or NULL. Borrowed from `heads`. */
const struct head *heads_named(const struct heads *heads, const char *name);

/* The head that `which` means: "latest" or "" (newest), "latest-complete", a name or an unambiguous beginning of its
 * hash (at least 4 digits), or a time (the newest captured at or before it). ERR_NOT_FOUND, ERR_INVALID when ambiguous.
 * Borrowed from `heads`. */
int heads_find(const struct heads *heads, const char *which, const struct head **head, struct err *err) MUST_CHECK;

/* The short id that people use: the first 8 digits of the hash. 9 bytes. */
char *head_short_name(const char *name, char short_name[9]);

#endif
