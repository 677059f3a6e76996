/*
 * A repository with three nights and a mirror of it, and the report on them. Include <cmocka.h> and what it needs
 * first.
 */
#ifndef MUNIMENT_TESTS_REPORT_WORLD_H
#define MUNIMENT_TESTS_REPORT_WORLD_H

#include "mirror_world.h"
#include <muniment/evidence/report.h>

enum { REPORT_WORLD_NIGHTS = 3 };

struct report_world {
    struct mirror_world mirror;
    struct policy policy;
    struct report_place places[2]; /* "repository" and "test" */
    int64_t promise;               /* the erasure promise */
    int64_t now;                   /* at first an hour after the last night */
    struct report report;          /* the last one */
};

/* `mirror` is a store that becomes the world's, at `address`; NULL: a folder. The struct must not move between. */
void report_world_open(struct report_world *world, struct store *mirror, const char *address);
void report_world_close(struct report_world *world);

/* What a night's run does after its capture: ends the snapshot of a night, and copies. `purge_within` as in a policy.
 */
void report_world_expire(struct report_world *world, int night, int64_t purge_within);
void report_world_copy(struct report_world *world);

const struct report *report_world_look(struct report_world *world);
void report_world_print(const struct report_world *world); /* the findings of the last look */

/* Looks; there must be no finding, or exactly this one. `place` and `object` may be NULL. */
void report_world_expect_none(struct report_world *world);
void report_world_expect(struct report_world *world, enum finding_kind kind, const char *place, const char *object);

/* "snapshots/..." of a night, and the largest pack that a place has, below the set's folder (REPO_NAME_MAX bytes). */
const char *report_world_head(const struct report_world *world, int night, char *name);
const char *report_world_pack(struct report_world *world, int place, char *name);

#endif
