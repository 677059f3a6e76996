/* What keeps a purge from destroying too much: listings that lie, and purges of other hosts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/bucket_like.h"
#include "../lib/mirror_world.h"
#include "../lib/scratch.h"
#include <muniment/repo/claim.h>
#include <muniment/repo/hold.h>
#include <muniment/repo/purge.h>
#include <muniment/util/clock.h>
#include <stdio.h>
#include <string.h>

static void a_listing_that_leaves_out_a_snapshot_destroys_nothing(void **state) {
    (void)state;
    struct err err = { 0 };
    struct purge_result result;
    struct mirror_world world;
    char head[REPO_NAME_MAX];
    mirror_world_open(&world);
    mirror_world_capture_three(&world);
    mirror_world_head(&world, 1, head);
    size_t packs = scratch_repo_list(&world.scratch, "packs", NULL);

    bucket_like_omit(world.scratch.store, head);
    assert_failure(mirror_world_purge(&world, 0, &result, &err), ERR_CORRUPT, &err);
    bucket_like_omit(world.scratch.store, NULL);
    assert_int_equal(scratch_repo_list(&world.scratch, "packs", NULL), packs);
    assert_int_equal(scratch_repo_list(&world.scratch, "snapshots", NULL), 3);

    assert_success(mirror_world_purge(&world, 0, &result, &err), &err);
    assert_true(result.packs_destroyed > 0);
    mirror_world_sync(&world, true);
    mirror_world_expect_restorable(&world, 1);
    mirror_world_expect_restorable(&world, 2);
    mirror_world_close(&world);
}

static void a_snapshot_that_is_gone_keeps_nothing_from_going(void **state) {
    (void)state;
    struct err err = { 0 };
    struct purge_result result;
    struct mirror_world world;
    mirror_world_open(&world);
    mirror_world_capture_three(&world);
    mirror_world_remove_head(&world, 1);
    assert_success(mirror_world_purge(&world, 0, &result, &err), &err);
    assert_int_equal(result.heads_removed, 1);
    assert_true(result.packs_destroyed > 0);
    mirror_world_close(&world);
}

static void purges_of_two_hosts_take_turns_in_a_bucket(void **state) {
    (void)state;
    struct err err = { 0 };
    struct purge_result result;
    struct mirror_world world;
    struct keys keys;
    struct claim *claim;
    mirror_world_open(&world);
    mirror_world_capture_three(&world);
    bucket_like(world.scratch.store);
    struct repo other = other_host(&world.scratch.repo, &keys);
    assert_success(claim_take(&other, 0, &claim, &err), &err);
    assert_failure(mirror_world_purge(&world, 0, &result, &err), ERR_LOCKED, &err);
    assert_int_equal(scratch_repo_list(&world.scratch, "snapshots", NULL), 3);
    claim_release(claim);
    assert_success(mirror_world_purge(&world, 0, &result, &err), &err);
    assert_int_equal(scratch_repo_list(&world.scratch, "snapshots", NULL), 2);
    assert_int_equal(scratch_repo_list(&world.scratch, "claims", NULL), 0);
    keys_wipe(&keys);
    mirror_world_close(&world);
}

/* A rewrite before its time would be refused by the lock of the pack that it is to replace. */
static void a_patient_purge_rewrites_nothing_before_its_time(void **state) {
    (void)state;
    struct err err = { 0 };
    struct purge_result result;
    struct mirror_world world;
    enum { DAY = 86400 };
    mirror_world_open(&world);
    mirror_world_capture(&world, 1);
    mirror_world_capture(&world, 3); /* shares one file of three with the first */
    struct purge_expiry expiry = { .head = world.heads[1], .reason = "test" };
    int64_t now = clock_now();
    struct purge_options options = {
        .now = now, .purge_within = 10 * DAY, .expiries = &expiry, .expiry_count = 1, .patient = true
    };
    assert_success(purge_run(&world.scratch.repo, &options, &result, &err), &err);
    assert_int_equal(result.heads_removed, 1);
    assert_int_equal(result.packs_rewritten, 0);
    assert_true(result.dead_bytes_kept > 0);
    assert_int_equal(result.earliest_deadline, now + 10 * DAY);

    options.expiry_count = 0;
    options.now += 10 * DAY;
    assert_success(purge_run(&world.scratch.repo, &options, &result, &err), &err);
    assert_true(result.packs_rewritten > 0);
    mirror_world_close(&world);
}

static void place_hold(void *context) {
    struct mirror_world *world = context;
    struct err err = { 0 };
    struct hold hold = { .scope = HOLD_SNAPSHOT,
                         .snapshot = world->heads[0],
                         .owner = (char[]){ "legal" },
                         .reason = (char[]){ "late" },
                         .placed = clock_now() };
    assert_success(hold_place(&world->scratch.repo, &hold, &err), &err);
}

/* The holds were read before; what was decided then is not journalled yet. */
static void a_hold_that_is_placed_while_a_purge_looks_keeps_its_snapshot(void **state) {
    (void)state;
    struct err err = { 0 };
    struct purge_result result;
    struct mirror_world world;
    char folder[REPO_NAME_MAX];
    mirror_world_open(&world);
    mirror_world_capture_three(&world);
    bucket_like_before_listing(world.scratch.store, repo_folder(&world.scratch.repo, folder, "purges"), place_hold,
                               &world);
    assert_success(mirror_world_purge(&world, 0, &result, &err), &err);
    assert_int_equal(scratch_repo_list(&world.scratch, "holds", NULL), 1);
    assert_int_equal(result.heads_removed, 0);
    assert_int_equal(result.packs_destroyed, 0);
    mirror_world_sync(&world, true);
    mirror_world_expect_restorable(&world, 0);
    mirror_world_close(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_listing_that_leaves_out_a_snapshot_destroys_nothing),
        cmocka_unit_test(a_snapshot_that_is_gone_keeps_nothing_from_going),
        cmocka_unit_test(purges_of_two_hosts_take_turns_in_a_bucket),
        cmocka_unit_test(a_hold_that_is_placed_while_a_purge_looks_keeps_its_snapshot),
        cmocka_unit_test(a_patient_purge_rewrites_nothing_before_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
