#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/bucket_like.h"
#include "../lib/mirror_world.h"
#include "../lib/scratch.h"
#include <muniment/repo/journal.h>
#include <muniment/util/clock.h>
#include <signal.h>
#include <sodium.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FILE_SIZE = 300000 };

/* --- copying --------------------------------------------------------------------------------------------------------
 */

static void a_mirror_alone_restores_every_snapshot(void **state) {
    (void)state;
    struct mirror_world world;
    mirror_world_open(&world);
    mirror_world_capture_three(&world);
    struct mirror_result result = mirror_world_sync(&world, true);
    assert_true(result.uploaded > 6);
    assert_int_equal(result.newest_snapshot, mirror_world_time(2));
    assert_int_equal(result.strangers, 0);
    for (int night = 0; night < 3; night++)
        mirror_world_expect_restorable(&world, night);

    struct err err = { 0 };
    struct repo there = mirror_world_repo(&world);
    assert_success(journal_walk(&there, NULL, NULL, &err), &err);
    assert_int_equal(mirror_world_count(&world, "sessions"), 0);
    mirror_world_close(&world);
}

static void a_second_run_sends_its_own_journal_alone(void **state) {
    (void)state;
    struct mirror_world world;
    mirror_world_open_copied(&world);
    struct mirror_result result = mirror_world_sync(&world, true);
    assert_int_equal(result.uploaded, 1);
    assert_int_equal(result.removed, 0);
    mirror_world_close(&world);
}

static void new_snapshots_wait_until_a_copy_is_due(void **state) {
    (void)state;
    struct mirror_world world;
    mirror_world_open_copied(&world);
    mirror_world_capture(&world, 1);
    size_t packs = mirror_world_count(&world, "packs");
    mirror_world_sync(&world, false);
    assert_false(mirror_world_has_night(&world, 1));
    assert_int_equal(mirror_world_count(&world, "packs"), packs);
    mirror_world_sync(&world, true);
    assert_true(mirror_world_has_night(&world, 1));
    mirror_world_expect_restorable(&world, 1);
    mirror_world_close(&world);
}

static void a_damaged_object_never_reaches_a_mirror(void **state) {
    (void)state;
    struct err err = { 0 };
    struct mirror_result result;
    struct mirror_world world;
    char name[REPO_NAME_MAX];
    mirror_world_open_copied(&world);
    mirror_world_capture(&world, 8); /* shares nothing with the first */
    mirror_world_largest_pack(&world, world.scratch.store, name);
    if (mirror_world_store_has(world.mirror, name)) { /* both nights have one of about this size: take the new one */
        struct store_names names = { 0 };
        char folder[REPO_NAME_MAX];
        assert_success(
            store_names_load(world.scratch.store, repo_folder(&world.scratch.repo, folder, "packs"), &names, &err),
            &err);
        for (size_t i = 0; i < names.count; i++)
            if (names.items[i].size > 2 * FILE_SIZE && !mirror_world_store_has(world.mirror, names.items[i].name))
                strcpy(name, names.items[i].name);
        store_names_release(&names);
    }
    assert_false(mirror_world_store_has(world.mirror, name));
    mirror_world_flip(world.scratch.folder, name);

    assert_failure(mirror_world_run(&world, true, 0, &result, &err), ERR_CORRUPT, &err);
    assert_false(mirror_world_store_has(world.mirror, name));
    assert_false(mirror_world_has_night(&world, 8)); /* it could not be restored from there */
    mirror_world_expect_restorable(&world, 0);

    /* Once it is mended all of it is sent. */
    mirror_world_flip(world.scratch.folder, name);
    mirror_world_sync(&world, true);
    mirror_world_expect_restorable(&world, 8);
    mirror_world_close(&world);
}

static void what_others_can_do_without_a_damaged_pack_is_sent(void **state) {
    (void)state;
    struct err err = { 0 };
    struct mirror_result result;
    struct mirror_world world;
    char name[REPO_NAME_MAX];
    mirror_world_open(&world);
    mirror_world_capture(&world, 0);
    mirror_world_largest_pack(&world, world.scratch.store, name);
    mirror_world_capture(&world, 8);
    mirror_world_flip(world.scratch.folder, name);
    assert_failure(mirror_world_run(&world, true, 0, &result, &err), ERR_CORRUPT, &err);
    assert_false(mirror_world_has_night(&world, 0));
    assert_true(mirror_world_has_night(&world, 8));
    mirror_world_expect_restorable(&world, 8);
    mirror_world_close(&world);
}

/* --- deletions
 * --------------------------------------------------------------------------------------------------------- */

static void what_expired_and_was_destroyed_leaves_the_mirror(void **state) {
    (void)state;
    struct mirror_world world;
    char name[REPO_NAME_MAX];
    mirror_world_open(&world);
    mirror_world_capture(&world, 1);
    mirror_world_largest_pack(&world, world.scratch.store, name);
    mirror_world_capture(&world, 2);
    mirror_world_sync(&world, true);
    mirror_world_expire(&world, 1);
    assert_false(mirror_world_store_has(world.scratch.store, name));

    struct mirror_result result = mirror_world_sync(&world, true);
    assert_true(result.removed >= 3); /* head, pack, index */
    assert_false(mirror_world_store_has(world.mirror, name));
    assert_false(mirror_world_has_night(&world, 1));
    assert_int_equal(result.strangers, 0);
    assert_int_equal(mirror_world_count(&world, "packs"), scratch_repo_list(&world.scratch, "packs", NULL));
    assert_int_equal(mirror_world_count(&world, "index"), scratch_repo_list(&world.scratch, "index", NULL));
    mirror_world_expect_restorable(&world, 2);
    mirror_world_close(&world);
}

static void deletions_reach_a_mirror_whose_copy_is_not_due(void **state) {
    (void)state;
    struct mirror_world world;
    char name[REPO_NAME_MAX];
    mirror_world_open(&world);
    mirror_world_capture(&world, 1);
    mirror_world_largest_pack(&world, world.scratch.store, name);
    mirror_world_capture(&world, 2);
    mirror_world_sync(&world, true);
    mirror_world_capture(&world, 9);
    mirror_world_expire(&world, 1); /* what night 2 shares with it moves to a new pack */

    struct mirror_result result = mirror_world_sync(&world, false);
    assert_false(mirror_world_store_has(world.mirror, name));
    assert_false(mirror_world_has_night(&world, 1));
    assert_false(mirror_world_has_night(&world, 9));
    assert_int_equal(result.newest_snapshot, mirror_world_time(2));
    assert_true(mirror_world_count(&world, "packs") < scratch_repo_list(&world.scratch, "packs", NULL));
    mirror_world_expect_clean(&world);
    mirror_world_expect_restorable(&world, 2);

    mirror_world_sync(&world, true);
    mirror_world_expect_restorable(&world, 2);
    mirror_world_expect_restorable(&world, 9);
    mirror_world_close(&world);
}

static void absence_from_the_repository_removes_nothing(void **state) {
    (void)state;
    struct err err = { 0 };
    struct mirror_world world;
    char pack[REPO_NAME_MAX];
    mirror_world_open(&world);
    mirror_world_capture(&world, 0);
    mirror_world_capture(&world, 8);
    mirror_world_sync(&world, true);
    mirror_world_largest_pack(&world, world.scratch.store, pack);
    assert_success(store_remove(world.scratch.store, pack, NULL, &err), &err);
    mirror_world_remove_head(&world, 0);

    struct mirror_result result = mirror_world_sync(&world, true);
    assert_int_equal(result.removed, 0);
    assert_int_equal(result.strangers, 2);
    mirror_world_expect_restorable(&world, 0);
    mirror_world_expect_restorable(&world, 8);
    mirror_world_close(&world);
}

/* Someone removes a head; the next purge destroys, as it must, what nothing refers to any more. */
static void packs_of_a_snapshot_that_only_the_mirror_has_stay(void **state) {
    (void)state;
    struct mirror_world world;
    mirror_world_open(&world);
    mirror_world_capture_three(&world);
    mirror_world_sync(&world, true);
    mirror_world_remove_head(&world, 1);
    mirror_world_expire(&world, 0);

    mirror_world_sync(&world, true);
    assert_false(mirror_world_has_night(&world, 0));
    assert_true(mirror_world_has_night(&world, 1));
    mirror_world_expect_restorable(&world, 1);
    mirror_world_expect_restorable(&world, 2);
    mirror_world_expect_clean(&world);
    mirror_world_close(&world);
}

/* Listings of both stores leave out a snapshot that is there; the packs of it must not go. */
static void a_listing_that_leaves_out_a_snapshot_removes_nothing(void **state) {
    (void)state;
    struct err err = { 0 };
    struct mirror_result result;
    struct mirror_world world;
    char head[REPO_NAME_MAX];
    mirror_world_open(&world);
    mirror_world_capture_three(&world);
    mirror_world_sync(&world, true);
    mirror_world_head(&world, 1, head);
    mirror_world_remove_head(&world, 1);
    mirror_world_expire(&world, 0);
    size_t packs = mirror_world_count(&world, "packs");

    bucket_like_omit(world.mirror, head);
    assert_failure(mirror_world_run(&world, true, 0, &result, &err), ERR_CORRUPT, &err);
    bucket_like_omit(world.mirror, NULL);
    assert_true(mirror_world_count(&world, "packs") >= packs);
    mirror_world_sync(&world, true);
    mirror_world_expect_restorable(&world, 1);
    mirror_world_expect_restorable(&world, 2);
    mirror_world_close(&world);
}

static void what_the_repository_has_again_stays(void **state) {
    (void)state;
    struct err err = { 0 };
    struct mirror_world world;
    struct journal_batch batch = { 0 };
    char name[REPO_NAME_MAX];
    mirror_world_open_copied(&world);
    mirror_world_largest_pack(&world, world.scratch.store, name);
    journal_add(&batch, clock_now(), "destroyed", "object", name + 33, "reason", "test", NULL);
    journal_add(&batch, clock_now(), "expired", "snapshot", world.heads[0], "reason", "test", NULL);
    assert_success(journal_append(&world.scratch.repo, &batch, &err), &err);
    journal_batch_release(&batch);
    assert_int_equal(mirror_world_sync(&world, true).removed, 0);
    mirror_world_expect_restorable(&world, 0);
    mirror_world_close(&world);
}

static void heads_leave_by_expiry_alone(void **state) {
    (void)state;
    struct err err = { 0 };
    struct mirror_world world;
    struct journal_batch batch = { 0 };
    char head[REPO_NAME_MAX];
    mirror_world_open_copied(&world);
    mirror_world_head(&world, 0, head);
    mirror_world_remove_head(&world, 0);
    journal_add(&batch, clock_now(), "destroyed", "object", head + 33, "reason", "test", NULL);
    assert_success(journal_append(&world.scratch.repo, &batch, &err), &err);
    assert_int_equal(mirror_world_sync(&world, true).removed, 0);
    journal_add(&batch, clock_now(), "expired", "snapshot", world.heads[0], "reason", "test", NULL);
    assert_success(journal_append(&world.scratch.repo, &batch, &err), &err);
    journal_batch_release(&batch);
    assert_int_equal(mirror_world_sync(&world, true).removed, 1);
    mirror_world_close(&world);
}

static void a_damaged_journal_stops_deletions_but_no_copies(void **state) {
    (void)state;
    struct err err = { 0 };
    struct mirror_result result;
    struct mirror_world world;
    char segment[REPO_NAME_MAX];
    mirror_world_open(&world);
    mirror_world_capture(&world, 0);
    mirror_world_capture(&world, 1);
    mirror_world_sync(&world, true);
    mirror_world_expire(&world, 0);
    mirror_world_capture(&world, 2);
    assert_true(scratch_repo_list(&world.scratch, "journal", segment) > 0);
    mirror_world_flip(world.scratch.folder, segment);
    assert_failure(mirror_world_run(&world, true, 0, &result, &err), ERR_CORRUPT, &err);
    assert_int_equal(result.removed, 0);
    assert_true(mirror_world_has_night(&world, 0));
    mirror_world_expect_restorable(&world, 2);

    mirror_world_flip(world.scratch.folder, segment);
    assert_true(mirror_world_sync(&world, true).removed > 0);
    mirror_world_close(&world);
}

static void wrapped_keys_follow_the_journal(void **state) {
    (void)state;
    struct err err = { 0 };
    struct mirror_world world;
    struct journal_batch batch = { 0 };
    char name[REPO_NAME_MAX];
    mirror_world_open(&world);
    repo_name(&world.scratch.repo, name, "keys", "0123456789abcdef");
    assert_success(store_put(world.scratch.store, name, "a wrapped key", 13, &err), &err);
    mirror_world_sync(&world, true);
    assert_true(mirror_world_store_has(world.mirror, name));
    assert_success(store_remove(world.scratch.store, name, NULL, &err), &err);
    mirror_world_sync(&world, true);
    assert_true(mirror_world_store_has(world.mirror, name));
    journal_add(&batch, clock_now(), "key_removed", "id", "0123456789abcdef", NULL);
    assert_success(journal_append(&world.scratch.repo, &batch, &err), &err);
    journal_batch_release(&batch);
    mirror_world_sync(&world, true);
    assert_false(mirror_world_store_has(world.mirror, name));
    mirror_world_close(&world);
}

/* --- kills
 * ------------------------------------------------------------------------------------------------------------ */

static void a_killed_run_leaves_whole_snapshots_alone(void **state) {
    (void)state;
    struct mirror_world world;
    mirror_world_open_copied(&world);
    for (int round = 0; round < 12; round++) {
        int night = round / 2 + 1;
        if (round % 2 == 0)
            mirror_world_capture(&world, night);
        else
            mirror_world_expire(&world, night - 1);

        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            struct err err = { 0 };
            struct mirror_result result;
            _exit(mirror_world_run(&world, round % 4 < 2, 0, &result, &err) < 0);
        }
        usleep((useconds_t)randombytes_uniform(12000));
        kill(child, SIGKILL);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);

        /* Whatever snapshot is there restores, and nothing is half there. */
        mirror_world_expect_clean(&world);
        for (int n = 0; n <= night; n++)
            if (mirror_world_has_night(&world, n))
                mirror_world_expect_restorable(&world, n);
        mirror_world_sync(&world, true);
        mirror_world_expect_restorable(&world, night);
        mirror_world_expect_clean(&world);
    }
    mirror_world_close(&world);
}

/* One process mirrors without pause while another captures, expires and purges. */
static void a_mirror_beside_captures_and_purges_stays_whole(void **state) {
    (void)state;
    struct mirror_world world;
    mirror_world_open(&world);
    mirror_world_capture(&world, 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        for (int run = 0;; run++) {
            struct err err = { 0 };
            struct mirror_result result;
            if (mirror_world_run(&world, run % 2 == 0, 0, &result, &err) < 0 && err.code != ERR_LOCKED)
                _exit(1);
        }

    for (int night = 1; night < 8; night++) {
        mirror_world_capture(&world, night);
        usleep((useconds_t)randombytes_uniform(30000));
        mirror_world_expire(&world, night - 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, WNOHANG), 0); /* it never failed */
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);

    mirror_world_expect_clean(&world);
    for (int night = 0; night < 8; night++)
        if (mirror_world_has_night(&world, night))
            mirror_world_expect_restorable(&world, night);
    mirror_world_sync(&world, true);
    mirror_world_expect_restorable(&world, 7);
    mirror_world_expect_clean(&world);
    assert_int_equal(mirror_world_count(&world, "snapshots"), 1);
    mirror_world_close(&world);
}

int main(void) {
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mirror_alone_restores_every_snapshot),
        cmocka_unit_test(a_second_run_sends_its_own_journal_alone),
        cmocka_unit_test(new_snapshots_wait_until_a_copy_is_due),
        cmocka_unit_test(a_damaged_object_never_reaches_a_mirror),
        cmocka_unit_test(what_others_can_do_without_a_damaged_pack_is_sent),
        cmocka_unit_test(what_expired_and_was_destroyed_leaves_the_mirror),
        cmocka_unit_test(deletions_reach_a_mirror_whose_copy_is_not_due),
        cmocka_unit_test(absence_from_the_repository_removes_nothing),
        cmocka_unit_test(packs_of_a_snapshot_that_only_the_mirror_has_stay),
        cmocka_unit_test(a_listing_that_leaves_out_a_snapshot_removes_nothing),
        cmocka_unit_test(what_the_repository_has_again_stays),
        cmocka_unit_test(heads_leave_by_expiry_alone),
        cmocka_unit_test(a_damaged_journal_stops_deletions_but_no_copies),
        cmocka_unit_test(wrapped_keys_follow_the_journal),
        cmocka_unit_test(a_killed_run_leaves_whole_snapshots_alone),
        cmocka_unit_test(a_mirror_beside_captures_and_purges_stays_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
