/* A bucket that is captured into a repository, and another one that it is restored to. Include <cmocka.h> and what it
 * needs first. */
#ifndef MUNIMENT_TESTS_BUCKET_BACKUP_H
#define MUNIMENT_TESTS_BUCKET_BACKUP_H

#include "bucket_world.h"
#include "scratch_repo.h"
#include <muniment/retention/plan.h>
#include <muniment/snapshot/restore.h>

struct bucket_backup {
    struct scratch_repo scratch;
    struct bucket_world world;
    struct policy policy;
    char *target;         /* the other bucket */
    char *folder, *state; /* a fresh one, and what captures remember inside it */
    struct head head;     /* of the last capture */
    struct restore_options options;
    struct restore_result result; /* of the last restore */
};

/* Before each test, and after it. Without a server the struct is empty: a test begins with test_rgw_ready(). */
int bucket_backup_make(void **state);
int bucket_backup_drop(void **state);

/* Must succeed, and be complete. */
void bucket_backup_capture(struct bucket_backup *backup);

/* Into the other bucket, below `prefix`; or to any address. */
int bucket_backup_restore(struct bucket_backup *backup, const char *prefix, struct err *err) MUST_CHECK;
int bucket_backup_restore_to(struct bucket_backup *backup, const char *address, struct err *err) MUST_CHECK;

/* A restore into the other bucket has so many entries, and leaves so many alone; then the buckets hold the same. */
void bucket_backup_expect_restored(struct bucket_backup *backup, uint64_t entries, uint64_t unchanged);

/* Restores below the folder, and compares one file of that: `name` is the object's, as a path. */
void bucket_backup_restore_files(struct bucket_backup *backup);
char *bucket_backup_path(const struct bucket_backup *backup, const char *name); /* the caller frees it */
void bucket_backup_assert_file(const struct bucket_backup *backup, const char *name, const char *content);

#endif
