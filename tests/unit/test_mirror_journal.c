#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/mirror_world.h"
#include "../lib/scratch.h"
#include "../lib/scratch_bucket.h"
#include <muniment/repo/journal.h>
#include <muniment/repo/purge.h>
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DAY = 86400, KEEP = 366 * DAY };

static void append(struct repo *repo, int64_t when, const char *event, const char *name, const char *value) {
    struct journal_batch batch = { 0 };
    struct err err = { 0 };
    journal_add(&batch, when, event, name, value, NULL);
    assert_success(journal_append(repo, &batch, &err), &err);
    journal_batch_release(&batch);
}

static struct store_names list(struct repo *repo) {
    struct store_names names = { 0 };
    struct err err = { 0 };
    char folder[REPO_NAME_MAX];
    assert_success(store_names_load(repo->store, repo_folder(repo, folder, "journal"), &names, &err), &err);
    return names;
}

static size_t count_segments(struct repo *repo) {
    struct store_names names = list(repo);
    size_t count = names.count;
    store_names_release(&names);
    return count;
}

static void expect_whole(struct repo *repo) {
    struct err err = { 0 };
    assert_success(journal_walk(repo, NULL, NULL, &err), &err);
}

static uint64_t drop(struct repo *repo, int64_t now) {
    static const char *const MIRRORS[] = { "test" };
    struct heads heads = { 0 };
    struct err err = { 0 };
    uint64_t dropped = 0;
    assert_success(heads_load(repo, &heads, &err), &err);
    assert_success(journal_drop(repo, &heads, MIRRORS, 1, now - KEEP, now, &dropped, &err), &err);
    heads_release(&heads);
    return dropped;
}

static int run_at(struct mirror_world *world, int64_t now, struct err *err) {
    struct mirror_result result;
    const struct mirror_options options = { .name = "test", .copy = true, .now = now };
    return mirror_run(&world->scratch.repo, world->mirror, &options, &result, err);
}

/* Also before the first run. */
static struct repo seen_there(const struct mirror_world *world) {
    struct repo there = world->scratch.repo;
    there.store = world->mirror;
    return there;
}

static void expire_at(struct mirror_world *world, int night, int64_t now) {
    const struct purge_expiry expiry = { .head = world->heads[night], .reason = "old" };
    const struct purge_options options = { .now = now, .expiries = &expiry, .expiry_count = 1 };
    struct purge_result result;
    struct err err = { 0 };
    assert_success(purge_run(&world->scratch.repo, &options, &result, &err), &err);
    assert_int_equal(result.heads_removed, 1);
}

static void a_mirror_drops_what_the_repository_dropped(void **state) {
    (void)state;
    struct mirror_world world;
    struct err err = { 0 };
    mirror_world_open(&world);
    struct repo *repo = &world.scratch.repo, there = seen_there(&world);
    int64_t begin = clock_now(), now = begin + 430 * DAY;
    mirror_world_capture(&world, 0);
    for (int i = 0; i < 5; i++)
        append(repo, begin + i * DAY, "checked", "findings", "0");
    assert_success(run_at(&world, begin + 10 * DAY, &err), &err);
    size_t segments = count_segments(repo);
    assert_int_equal(count_segments(&there), segments);

    /* It was away for 14 months, and knows nothing of this. */
    mirror_world_capture(&world, 1);
    expire_at(&world, 0, begin + 20 * DAY);
    uint64_t dropped = drop(repo, now);
    assert_int_equal(dropped, segments - 1); /* up to its last copy: what came after may be news to it */
    assert_true(mirror_world_has_night(&world, 0));
    assert_success(run_at(&world, now, &err), &err);
    assert_false(mirror_world_has_night(&world, 0));
    assert_int_equal(count_segments(&there), count_segments(repo));
    expect_whole(&there);

    assert_true(drop(repo, now + 2 * DAY) > 2);
    expect_whole(repo);
    expect_whole(&there);
    size_t before = count_segments(&there);
    assert_success(run_at(&world, now + 2 * DAY, &err), &err);
    assert_true(count_segments(&there) < before);
    assert_int_equal(count_segments(&there), count_segments(repo));
    expect_whole(&there);
    mirror_world_expect_restorable(&world, 1);
    mirror_world_expect_clean(&world);
    mirror_world_close(&world);
}

static void a_mirror_tells_that_the_repositorys_journal_was_cut(void **state) {
    (void)state;
    struct mirror_world world;
    struct err err = { 0 };
    for (int goes_on = 0; goes_on <= 1; goes_on++) {
        mirror_world_open(&world);
        struct repo *repo = &world.scratch.repo, there = seen_there(&world);
        mirror_world_capture(&world, 0);
        mirror_world_capture(&world, 1);
        mirror_world_sync(&world, true);
        size_t segments = count_segments(&there);
        struct store_names names = list(repo);
        for (size_t i = names.count - 2; i < names.count; i++)
            assert_success(store_remove(repo->store, names.items[i].name, NULL, &err), &err);
        store_names_release(&names);
        expect_whole(repo); /* it looks as if nothing was there */
        if (goes_on)
            append(repo, mirror_world_time(2), "expired", "snapshot", world.heads[0]);

        struct mirror_result result;
        assert_failure(mirror_world_run(&world, true, 0, &result, &err), ERR_DIVERGED, &err);
        assert_int_equal(count_segments(&there), segments);
        expect_whole(&there);
        assert_true(mirror_world_has_night(&world, 0));
        assert_true(mirror_world_has_night(&world, 1));
        assert_int_equal(scratch_repo_journalled(repo, "diverged", NULL, NULL), 1);
        assert_int_equal(mirror_journal(repo, world.mirror, "test", mirror_world_time(3), &err), -1);
        assert_int_equal(err.code, ERR_DIVERGED);
        err_clear(&err);
        mirror_world_close(&world);
    }
}

static void junk_on_a_mirror_is_no_journal(void **state) {
    (void)state;
    struct mirror_world world;
    struct err err = { 0 };
    char name[REPO_NAME_MAX];
    mirror_world_open_copied(&world);
    char *leaf = mem_format("0011223344556677-0000000001-%064d", 0);
    assert_success(store_put(world.mirror, repo_name(&world.scratch.repo, name, "journal", leaf), "x", 1, &err), &err);
    mirror_world_sync(&world, true);
    assert_int_equal(scratch_repo_journalled(&world.scratch.repo, "diverged", NULL, NULL), 0);
    free(leaf);
    mirror_world_close(&world);
}

static void the_end_of_a_night_reaches_every_mirror(void **state) {
    (void)state;
    struct mirror_world world;
    struct err err = { 0 };
    mirror_world_open(&world);
    struct repo *repo = &world.scratch.repo, there = seen_there(&world);
    mirror_world_capture(&world, 0);
    mirror_world_sync(&world, true);
    assert_int_equal(count_segments(&there), count_segments(repo)); /* with what the run itself did */
    append(repo, mirror_world_time(1), "checked", "findings", "0");
    append(repo, mirror_world_time(1), "verified", "mirror", "another");
    assert_success(mirror_journal(repo, world.mirror, "test", mirror_world_time(1), &err), &err);
    assert_int_equal(count_segments(&there), count_segments(repo));
    assert_int_equal(scratch_repo_journalled(&there, "checked", NULL, NULL), 1);
    expect_whole(&there);
    mirror_world_close(&world);
}

/* --- in buckets --------------------------------------------------------------------------------------------------- */

/* A repository in a bucket; false where there is no object store to test with. */
struct bucket_repo {
    struct scratch_bucket *bucket;
    struct store *store;
    struct keys keys;
    struct repo repo;
};

static bool open_bucket(struct bucket_repo *there, enum test_bucket kind, enum s3_lock_mode lock) {
    struct err err = { 0 };
    *there = (struct bucket_repo){ 0 };
    if (!test_rgw_available())
        return false;
    there->bucket = scratch_bucket_new(kind);
    const struct store_address address = { .path = there->bucket->address,
                                           .services = &there->bucket->services,
                                           .lock = lock };
    assert_success(store_open(&address, true, &there->store, &err), &err);
    assert_success(repo_create(there->store, &err), &err);
    keys_generate(&there->keys);
    assert_success(repo_open(&there->repo, there->store, &there->keys, NULL, &err), &err);
    return true;
}

static void close_bucket(struct bucket_repo *there) {
    store_close(there->store);
    keys_wipe(&there->keys);
    scratch_bucket_drop(there->bucket);
}

static uint64_t drop_all(struct repo *repo, int64_t now) {
    const struct heads none = { 0 };
    struct err err = { 0 };
    uint64_t dropped = 0;
    assert_success(journal_drop(repo, &none, NULL, 0, now - KEEP, now, &dropped, &err), &err);
    return dropped;
}

static void what_is_dropped_from_a_bucket_leaves_no_version(void **state) {
    (void)state;
    struct bucket_repo there;
    struct err err = { 0 };
    struct store_names names = { 0 };
    char folder[REPO_NAME_MAX];
    if (!open_bucket(&there, TEST_BUCKET_VERSIONED, S3_LOCK_NONE))
        skip();
    for (int i = 0; i < 12; i++)
        append(&there.repo, clock_now() + i, "checked", "findings", "0");
    int64_t now = clock_now() + 500 * DAY;
    assert_int_equal(drop_all(&there.repo, now), 11);
    expect_whole(&there.repo);
    assert_int_equal(scratch_repo_journalled(&there.repo, "checkpoint", NULL, NULL), 1);
    assert_int_equal(scratch_repo_journalled(&there.repo, "removed", NULL, NULL),
                     11); /* with the ids of the versions */
    assert_success(store_names_load(there.store, repo_folder(&there.repo, folder, "journal"), &names, &err), &err);
    assert_int_equal(names.count, 3);
    store_names_release(&names);
    close_bucket(&there);
}

static void segments_are_locked_for_as_long_as_the_journal_is_kept(void **state) {
    (void)state;
    struct bucket_repo there;
    struct err err = { 0 };
    if (!open_bucket(&there, TEST_BUCKET_LOCKED, S3_LOCK_GOVERNANCE))
        skip();
    there.repo.journal_keep = 600 * DAY;
    int64_t written = clock_now();
    for (int i = 0; i < 4; i++)
        append(&there.repo, written, "checked", "findings", "0");
    struct store_names names = list(&there.repo);
    for (size_t i = 0; i < names.count; i++) {
        struct s3_lock lock = { 0 };
        char *key = mem_format("p/%s", names.items[i].name);
        assert_success(s3_get_lock(there.bucket->client, there.bucket->name, key, NULL, &lock, &err), &err);
        assert_int_equal(lock.until, written + 600 * DAY);
        free(key);
    }
    store_names_release(&names);

    /* Dropped before that, they stay where they are, tell nothing any more, and are not asked for every night. */
    int64_t now = written + 500 * DAY;
    there.repo.journal_keep = 0;
    assert_int_equal(drop_all(&there.repo, now), 0);
    assert_int_equal(count_segments(&there.repo), 6);
    assert_int_equal(scratch_repo_journalled(&there.repo, "refused", NULL, NULL), 3);
    expect_whole(&there.repo);
    assert_int_equal(scratch_repo_journalled(&there.repo, "checked", NULL, NULL), 1);
    assert_int_equal(drop_all(&there.repo, now), 0); /* the last one, which had to stay before */
    assert_int_equal(scratch_repo_journalled(&there.repo, "refused", NULL, NULL), 4);
    assert_int_equal(drop_all(&there.repo, now), 0);
    assert_int_equal(count_segments(&there.repo), 8);
    close_bucket(&there);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mirror_drops_what_the_repository_dropped),
        cmocka_unit_test(a_mirror_tells_that_the_repositorys_journal_was_cut),
        cmocka_unit_test(junk_on_a_mirror_is_no_journal),
        cmocka_unit_test(the_end_of_a_night_reaches_every_mirror),
        cmocka_unit_test(what_is_dropped_from_a_bucket_leaves_no_version),
        cmocka_unit_test(segments_are_locked_for_as_long_as_the_journal_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
