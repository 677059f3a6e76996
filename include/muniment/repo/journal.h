/*
 * The journal: every decision about what is kept, in signed, hash-chained segments that anyone can read.
 *
 * `<set>/journal/<host>-<number>-<sha256>`, RECORD_JOURNAL, the number of ten digits. Each writer has its own chain
 * (host = first 16 digits of its public key), because without conditional PUT two hosts could not agree on one.
 * Payload, text:
 *
 *     muniment journal 1
 *     set <set id>
 *     host <16 digits>
 *     number <n>                      1, 2, 3, ... without gaps
 *     previous <sha256 of segment n-1's object, or 64 zeros>
 *     <RFC 3339 time> TAB <event> TAB <name>=<value> TAB ...      one line an event
 *
 * Names and events are [a-z_]; in values the bytes below 0x20, 0x7f and '%' are written %XX. No personal data: ids are
 * opaque.
 *
 * Events:
 *     key_added, key_removed   id
 *     policy                   id, daily, weekly, monthly, yearly, max_age, purge_within, interval, strict, timezone
 *                              written before the first decision under a policy that differs from the last one
 *     captured                 snapshot, outcome, started, deadline, tiers
 *     refused                  source, status (what the program exits with)
 *     expired                  snapshot, reason, deadline
 *     recorded                 object (the newest purge record, purges/<name>, or none)
 *     destroyed                object (its name below the set's folder, such as packs/ab/ab12...), reason
 *     mirrored                 mirror, objects, bytes[, left]      left: this many objects stay that should go, because
 *                              a snapshot of which nobody knows needs them
 *     diverged                 mirror, segments, object            the mirror has so many segments of this journal that
 *                              the repository lacks, the first is `object`: the repository's journal was cut
 *     recovered                mirror, objects, bytes, lost        what was brought back from the mirror; so many are
 *                              lost: whole in neither place
 *     verified                 mirror, objects, bytes, damaged
 *     checked                  snapshots, packs, bytes, findings   the repository itself; bytes: that were read back
 *     removed                  object[, mirror][, versions, ids]   gone from there; without mirror: from the repository
 *     refused                  object, until[, mirror]             a lock holds it until then, or a legal `hold`
 *     hidden                   object[, mirror]                    the key may not delete it, and hid it
 *     held                     hold, scope (set, snapshot, range)[, snapshot][, from, until][, review][, ends]
 *     released                 hold
 *     read                     command, key (fingerprint), status[, snapshot][, target]   a use of the read key
 *     drilled                  snapshot, target (the place it came from), outcome (passed, failed), status, expected,
 *                              found, bytes, fetch_seconds, load_seconds, verify_seconds[, operator]
 *     erasure                  object (erasures/<name>), references (how many)
 *     erasure_over             object                              no backup is left that could bring them back
 *     erasing, erased          the whole set: see muniment/evidence/erase.h
 *     checkpoint               host, number, hash, from, until, segments, events
 *                              everything of that host's chain up to this segment was dropped because it was old; the
 *                              times and counts are of all that it ever lost. Whoever is certified may write it
 * An event with a last field `carried` (when) repeats one of a segment that was dropped, because it still holds: with
 * its own time, so that it means to whoever reads it what it always meant.
 * An object named by `expired` (as snapshots/<name>), `destroyed` or `key_removed` (as keys/<id>) may be deleted from
 * every mirror.
 */
#ifndef MUNIMENT_REPO_JOURNAL_H
#define MUNIMENT_REPO_JOURNAL_H

#include <muniment/repo/head.h>

enum { JOURNAL_OBJECT_MAX = 16 * 1024 * 1024 }; /* bytes of a segment as it is stored */

struct journal_entry {
    int64_t time;
    const char *event;
    const char *const *fields; /* name, value, name, value, ..., NULL */
};

/* Collects the events of one step; journal_append() writes them as one segment. */
struct journal_batch {
    struct buffer lines;
    size_t count;
    int64_t newest; /* time of its newest event */
};
/* Fields: name, value pairs, ended by NULL. */
void journal_add(struct journal_batch *batch, int64_t time, const char *event, ...) __attribute__((sentinel));
void journal_add_entry(struct journal_batch *batch, const struct journal_entry *entry); /* the same */
void journal_batch_release(struct journal_batch *batch);

/* Appends one segment to this host's chain, under the set's journal lock, locked for repo->journal_keep where the store
 * locks. Durable when it returns 0; the batch is empty afterwards. An empty batch writes nothing. Needs can_sign. */
int journal_append(struct repo *repo, struct journal_batch *batch, struct err *err) MUST_CHECK;

/* Reads and verifies every segment of every chain, in order of host and number: signatures, certificates, numbers,
 * chain. ERR_CORRUPT names the segment. `each` may be NULL. */
typedef int journal_each(void *context, const char *segment, const struct journal_entry *entry, struct err *err);
int journal_walk(struct repo *repo, journal_each *each, void *context, struct err *err) MUST_CHECK;

/*
 * The same for whoever wants to know everything: goes on behind damage. `each` gets the events of every segment that is
 * good, `finding` a sentence for everything that is not: a segment that was changed, is missing, doubled, out of order,
 * signed by nobody who may, or no segment at all. Chains that begin behind a checkpoint are whole.
 */
struct journal_chain {
    char host[17];
    uint64_t first, last; /* numbers of the oldest and the newest segment that are there */
    uint8_t hash[32];     /* of the newest one's object */
    uint64_t events;
    int64_t from, until; /* times of its oldest and newest event */
};
struct journal_survey {
    struct journal_chain *chains; /* by host */
    size_t count;
    uint64_t segments, events, findings;
};
typedef void journal_finding(void *context, const char *segment, const char *text);
int journal_look(struct repo *repo, journal_each *each, journal_finding *finding, void *context,
                 struct journal_survey *survey, struct err *err) MUST_CHECK;
void journal_survey_release(struct journal_survey *survey);

/* What stands above the events of a segment, and in its name: "<host>-<number>-<sha256>", the number of ten digits, so
 * that a chain lists in its order. */
struct journal_place {
    char host[17];
    uint64_t number;  /* from 1 */
    uint8_t hash[32]; /* of the object; not for segments yet to be written */
};
bool journal_name_parse(const char *leaf, struct journal_place *place); /* false for any other name */

/*
 * Witnesses: what a chain was at some time, kept elsewhere (a report in an auditor's hands, a mirror), so that a tail
 * that was cut later is noticed, too. One token, which may stand in any file:
 *
 *     muniment-journal-1:<set id>:<host>:<number>:<sha256 of the segment's object>
 */
enum { JOURNAL_WITNESS = 160 };
char *journal_witness(const struct keys *keys, const struct journal_chain *chain, char text[JOURNAL_WITNESS]);

/* Holds every witness of this set that stands in `text` against the journal: its segment must be there as it was, or
 * behind a checkpoint. Calls `finding` for each that is not, and counts those found in *witnesses. */
int journal_check_witnesses(struct repo *repo, const void *text, size_t length, journal_finding *finding, void *context,
                            uint64_t *witnesses, struct err *err) MUST_CHECK;

/*
 * Drops what is older than `before`, segment by segment from the old end of each chain, after a new segment has been
 * written with a checkpoint for each chain and, `carried`, whatever still holds: snapshots that exist, the policy in
 * force, holds, keys, erasures; the last copy, verification, check and drill; decisions that a lock or a key kept from
 * being carried out. So whoever reads the journal concludes the same as before. The newest segment of a chain always
 * stays. Nothing is dropped that a mirror of `mirrors` may not have carried out yet: one whose last copy came before
 * it, or left something undone.
 *
 * Does nothing until something is JOURNAL_DROP_PAUSE older than `before`, so that a checkpoint is not written with
 * every run. One that was killed between checkpoint and removal is finished by the next. A journal that is not whole
 * stays as it is. Adds the number of segments that went to *dropped.
 */
enum { JOURNAL_DROP_PAUSE = 30 * 86400 };
int journal_drop(struct repo *repo, const struct heads *heads, const char *const *mirrors, size_t mirror_count,
                 int64_t before, int64_t now, uint64_t *dropped, struct err *err) MUST_CHECK;

/* True when an entry is a checkpoint that says of an object, named as below the set's folder, that it was dropped. */
bool journal_checkpoint_covers(const struct journal_entry *entry, const char *object);

/* The value of a field, or NULL. */
const char *journal_field(const struct journal_entry *entry, const char *name);

#endif
