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
 *     captured                 snapshot, outcome, started, deadline, tiers
 *     refused                  source, status (what the program exits with)
 *     expired                  snapshot, reason, deadline
 *     recorded                 object (the newest purge record, purges/<name>, or none)
 *     destroyed                object (its name below the set's folder, such as packs/ab/ab12...), reason
 *     mirrored                 mirror, objects, bytes
 *     verified                 mirror, objects, bytes, damaged
 *     removed                  object[, mirror][, versions, ids]   gone from there; without mirror: from the repository
 *     refused                  object, until[, mirror]             a lock holds it until then, or a legal `hold`
 *     hidden                   object[, mirror]                    the key may not delete it, and hid it
 * An object named by `expired` (as snapshots/<name>), `destroyed` or `key_removed` (as keys/<id>) may be deleted from
 * every mirror.
 */
#ifndef MUNIMENT_REPO_JOURNAL_H
#define MUNIMENT_REPO_JOURNAL_H

#include <muniment/repo/repo.h>

struct journal_entry {
    int64_t time;
    const char *event;
    const char *const *fields; /* name, value, name, value, ..., NULL */
};

/* Collects the events of one step; journal_append() writes them as one segment. */
struct journal_batch {
    struct buffer lines;
    size_t count;
};
/* Fields: name, value pairs, ended by NULL. */
void journal_add(struct journal_batch *batch, int64_t time, const char *event, ...) __attribute__((sentinel));
void journal_batch_release(struct journal_batch *batch);

/* Appends one segment to this host's chain, under the set's journal lock. Durable when it returns 0; the batch is empty
 * afterwards. An empty batch writes nothing. Needs can_sign. */
int journal_append(struct repo *repo, struct journal_batch *batch, struct err *err) MUST_CHECK;

/* Reads and verifies every segment of every chain, in order of host and number: signatures, certificates, numbers,
 * chain. ERR_CORRUPT names the segment. `each` may be NULL. */
typedef int journal_each(void *context, const char *segment, const struct journal_entry *entry, struct err *err);
int journal_walk(struct repo *repo, journal_each *each, void *context, struct err *err) MUST_CHECK;

/* The value of a field, or NULL. */
const char *journal_field(const struct journal_entry *entry, const char *name);

#endif
