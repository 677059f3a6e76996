/* A repository with a mirror, and what tests of mirrors do to the two. All functions fail the test when they cannot do
 * what they say. */
#ifndef MUNIMENT_TESTS_MIRROR_WORLD_H
#define MUNIMENT_TESTS_MIRROR_WORLD_H

#include "scratch_repo.h"
#include <muniment/mirror/mirror.h>
#include <muniment/repo/purge.h>

/* A repository, a mirror, and a folder whose files change from night to night. Night n has the files n-1, n and n+1. */
struct mirror_world {
    struct scratch_repo scratch;
    char *folder; /* holds the next two */
    char *data;
    char *mirror_path;
    struct store *mirror;
    char *heads[16]; /* by night */
};

/* The struct must not move between. The second one has night 0, and a mirror with all of it. */
void mirror_world_open(struct mirror_world *world);
void mirror_world_open_copied(struct mirror_world *world);
void mirror_world_close(struct mirror_world *world);

int64_t mirror_world_time(int night);
void mirror_world_capture(struct mirror_world *world, int night);
void mirror_world_capture_three(struct mirror_world *world); /* nights 0 to 2 */

/* Expires the night's snapshot, and destroys at once what only it needed; the second one must succeed. */
int mirror_world_purge(struct mirror_world *world, int night, struct purge_result *result, struct err *err) MUST_CHECK;
void mirror_world_expire(struct mirror_world *world, int night);

/* The name of a night's head (REPO_NAME_MAX bytes); and takes it from the repository, as somebody might. */
const char *mirror_world_head(const struct mirror_world *world, int night, char *name);
void mirror_world_remove_head(struct mirror_world *world, int night);

int mirror_world_run(struct mirror_world *world, bool copy, unsigned verify, struct mirror_result *result,
                     struct err *err) MUST_CHECK;
struct mirror_result mirror_world_sync(struct mirror_world *world, bool copy); /* must succeed */

/* What the mirror has. */
struct repo mirror_world_repo(struct mirror_world *world);
size_t mirror_world_count(struct mirror_world *world, const char *folder);
bool mirror_world_has_night(struct mirror_world *world, int night);

/* Restores a night from the mirror alone and compares every byte; checks every stored byte of the mirror. */
void mirror_world_expect_restorable(struct mirror_world *world, int night);
void mirror_world_expect_clean(struct mirror_world *world);

/* Damages one byte near the beginning of an object, in the file itself; a second time mends it. */
void mirror_world_flip(const char *store, const char *name);

/* Name of the largest pack of a store (REPO_NAME_MAX bytes): one that holds data. */
void mirror_world_largest_pack(struct mirror_world *world, struct store *store, char *name);
bool mirror_world_store_has(struct store *store, const char *name);

#endif
