/*
 * Marks: one bit for every slot that the index knows, over the births of its packs.
 *
 * A birth's slots have consecutive numbers, so a birth needs no more than where its bits begin; memory is one bit a
 * slot in each bitmap, whatever the snapshots hold.
 */
#ifndef MUNIMENT_REPO_MARK_INTERNAL_H
#define MUNIMENT_REPO_MARK_INTERNAL_H

#include <muniment/repo/head.h>

struct marks;

/* Room for every slot of every pack of the index, nothing marked. ERR_CORRUPT for slot numbers no pack can hold. */
int marks_new(const struct index *index, struct marks **marks, struct err *err) MUST_CHECK;
void marks_free(struct marks *marks); /* NULL is fine */

/* Marks what one snapshot refers to. What it refers to and no pack of the index has had room for is counted as unknown.
 */
int marks_add_head(struct marks *marks, struct repo *repo, struct index *index, const struct head *head,
                   struct err *err) MUST_CHECK;
void marks_add(struct marks *marks, const struct extent *extent); /* the same for one extent */
uint64_t marks_unknown(const struct marks *marks);

/* Where the bits of a birth begin, or UINT64_MAX for an unknown one. Add the slot's number. */
uint64_t marks_base(const struct marks *marks, const uint8_t birth[BIRTH_SIZE]);
bool marks_has(const struct marks *marks, uint64_t bit);

/* True when some pack provides the slot already: a second bitmap, which the judge of packs fills. */
bool marks_is_covered(const struct marks *marks, uint64_t bit);
void marks_cover(struct marks *marks, uint64_t bit);
void marks_uncover_all(struct marks *marks);

/* How many marked slots are not covered. */
uint64_t marks_uncovered(const struct marks *marks);

#endif
