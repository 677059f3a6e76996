/*
 * Which packs a snapshot needs, for many snapshots in turn: what they share is worked out once.
 */
#ifndef MUNIMENT_EVIDENCE_REPORT_NEEDS_INTERNAL_H
#define MUNIMENT_EVIDENCE_REPORT_NEEDS_INTERNAL_H

#include <muniment/repo/head.h>

struct needs;

/* Over the packs of an index, by their numbers in it. Borrows it. */
struct needs *needs_new(struct index *index);
void needs_free(struct needs *needs);

/* Used for one snapshot after another; `packs` is freed by the caller in the end. */
struct need {
    uint32_t *packs; /* each once */
    size_t count, capacity;
    bool unknown; /* it needs chunks that no pack of the index holds */
};

/* Reads the snapshot's reference streams in `repo` by an `index` of it: another one than the needs', because reading
 * takes from it what it does not find. ERR_CORRUPT or ERR_NOT_FOUND when they are not whole there. */
int needs_of(struct needs *needs, struct repo *repo, struct index *index, const struct head *head, struct need *need,
             struct err *err) MUST_CHECK;

/* The chunks of the last snapshot that stand in several packs: any of `packs` will do. False behind the last choice. */
bool needs_choice(const struct needs *needs, size_t at, const uint32_t **packs, uint32_t *count);

#endif
