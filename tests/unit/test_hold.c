/* Holds: what they cover, that they are two things that must agree, and what they keep from going. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/mirror_world.h"
#include "../lib/scratch.h"
#include <muniment/repo/hold.h>
#include <muniment/repo/purge.h>
#include <muniment/util/clock.h>
#include <string.h>

enum { DAY = 86400, NOON = 1772366400 };

static struct hold hold_of(enum hold_scope scope) {
    static char owner[] = "case 7", reason[] = "dispute";
    return (struct hold){ .scope = scope, .owner = owner, .reason = reason, .placed = clock_now() };
}

static void place(struct repo *repo, struct hold *hold) {
    struct err err = { 0 };
    assert_success(hold_place(repo, hold, &err), &err);
    assert_int_equal(strlen(hold->id), 16);
}

/* --- what they are -------------------------------------------------------------------------------------------------
 */

static void a_hold_is_loaded_as_it_was_placed(void **state) {
    (void)state;
    struct err err = { 0 };
    struct scratch_repo scratch;
    struct holds holds;
    scratch_repo_open(&scratch);
    struct hold hold = hold_of(HOLD_RANGE), later = hold_of(HOLD_SNAPSHOT);
    hold.placed = NOON;
    hold.from = NOON - DAY;
    hold.until = NOON;
    hold.review = NOON + DAY;
    hold.ends = NOON + 2 * DAY;
    later.placed = NOON + 1;
    later.snapshot = TEXT("20260301T120000Z-abcd");
    place(&scratch.repo, &later);
    place(&scratch.repo, &hold);

    assert_success(holds_load(&scratch.repo, &holds, &err), &err);
    assert_int_equal(holds.count, 2);
    assert_string_equal(holds.items[0].id, hold.id);
    assert_int_equal(holds.items[0].scope, HOLD_RANGE);
    assert_null(holds.items[0].snapshot);
    assert_int_equal(holds.items[0].from, hold.from);
    assert_int_equal(holds.items[0].until, hold.until);
    assert_int_equal(holds.items[0].placed, NOON);
    assert_int_equal(holds.items[0].review, hold.review);
    assert_int_equal(holds.items[0].ends, hold.ends);
    assert_string_equal(holds.items[0].owner, "case 7");
    assert_string_equal(holds.items[0].reason, "dispute");
    assert_string_equal(holds.items[1].snapshot, later.snapshot);
    holds_release(&holds);
    scratch_repo_close(&scratch);
}

static void nothing_of_its_texts_is_in_the_clear(void **state) {
    (void)state;
    struct scratch_repo scratch;
    scratch_repo_open(&scratch);
    struct hold hold = hold_of(HOLD_SET);
    place(&scratch.repo, &hold);
    scratch_repo_expect_sealed(&scratch, "dispute");
    scratch_repo_expect_sealed(&scratch, "case 7");
    scratch_repo_close(&scratch);
}

static void a_hold_says_who_and_why_and_when(void **state) {
    (void)state;
    struct err err = { 0 };
    struct scratch_repo scratch;
    scratch_repo_open(&scratch);
    struct hold hold = hold_of(HOLD_SET);
    hold.owner = TEXT("");
    assert_failure(hold_place(&scratch.repo, &hold, &err), ERR_INVALID, &err);
    hold = hold_of(HOLD_SET);
    hold.reason = NULL;
    assert_failure(hold_place(&scratch.repo, &hold, &err), ERR_INVALID, &err);
    hold = hold_of(HOLD_SET);
    hold.reason = TEXT("two\nlines");
    assert_failure(hold_place(&scratch.repo, &hold, &err), ERR_INVALID, &err);
    hold = hold_of(HOLD_SET);
    hold.ends = hold.placed;
    assert_failure(hold_place(&scratch.repo, &hold, &err), ERR_INVALID, &err);
    hold = hold_of(HOLD_RANGE);
    hold.from = NOON;
    hold.until = NOON - 1;
    assert_failure(hold_place(&scratch.repo, &hold, &err), ERR_INVALID, &err);
    hold = hold_of(HOLD_SNAPSHOT);
    assert_failure(hold_place(&scratch.repo, &hold, &err), ERR_INVALID, &err);
    scratch.keys.can_sign = false;
    hold = hold_of(HOLD_SET);
    assert_failure(hold_place(&scratch.repo, &hold, &err), ERR_KEY, &err);
    assert_int_equal(scratch_repo_list(&scratch, "holds", NULL), 0);
    scratch_repo_close(&scratch);
}

static void a_hold_covers_what_its_scope_says(void **state) {
    (void)state;
    struct hold hold = hold_of(HOLD_SET);
    struct holds holds = { &hold, 1 };
    assert_ptr_equal(holds_covering(&holds, "a", NOON, NOON), &hold);

    hold.scope = HOLD_SNAPSHOT;
    hold.snapshot = TEXT("a");
    assert_non_null(holds_covering(&holds, "a", NOON, NOON));
    assert_null(holds_covering(&holds, "ab", NOON, NOON));

    hold = hold_of(HOLD_RANGE);
    hold.from = NOON;
    hold.until = NOON + 10;
    assert_null(holds_covering(&holds, "a", NOON - 1, NOON));
    assert_non_null(holds_covering(&holds, "a", NOON, NOON));
    assert_non_null(holds_covering(&holds, "a", NOON + 10, NOON));
    assert_null(holds_covering(&holds, "a", NOON + 11, NOON));
}

static void a_hold_is_in_force_until_its_end(void **state) {
    (void)state;
    struct hold two[2] = { hold_of(HOLD_SET), hold_of(HOLD_SET) };
    struct holds holds = { two, 2 };
    two[0].ends = NOON;
    two[1].ends = NOON + 5;
    assert_ptr_equal(holds_covering(&holds, "a", 0, NOON - 1), &two[1]);
    assert_ptr_equal(holds_covering(&holds, "a", 0, NOON), &two[1]);
    assert_null(holds_covering(&holds, "a", 0, NOON + 5));
    two[0].ends = 0;
    assert_ptr_equal(holds_covering(&holds, "a", 0, NOON + 5), &two[0]);
    two[0].released = NOON;
    assert_null(holds_covering(&holds, "a", 0, NOON + 5));
}

static void a_damaged_hold_is_found(void **state) {
    (void)state;
    struct err err = { 0 };
    struct scratch_repo scratch;
    struct holds holds;
    char name[REPO_NAME_MAX], other[REPO_NAME_MAX];
    scratch_repo_open(&scratch);
    struct hold hold = hold_of(HOLD_SET);
    place(&scratch.repo, &hold);
    assert_int_equal(scratch_repo_list(&scratch, "holds", name), 1);
    scratch_repo_flip(&scratch, name, 60, 1);
    assert_failure(holds_load(&scratch.repo, &holds, &err), ERR_CORRUPT, &err);
    scratch_repo_flip(&scratch, name, 60, 1);

    /* Under another's name it would outlive its release. */
    scratch_repo_copy(&scratch, name, repo_name(&scratch.repo, other, "holds", "0123456789abcdef"));
    assert_failure(holds_load(&scratch.repo, &holds, &err), ERR_CORRUPT, &err);
    scratch_repo_close(&scratch);
}

/* --- releasing -----------------------------------------------------------------------------------------------------
 */

static void a_released_hold_is_gone_and_journalled(void **state) {
    (void)state;
    struct err err = { 0 };
    struct scratch_repo scratch;
    struct holds holds;
    char whole[17], beginning[7];
    scratch_repo_open(&scratch);
    struct hold hold = hold_of(HOLD_SET);
    place(&scratch.repo, &hold);
    memcpy(beginning, hold.id, 6);
    beginning[6] = '\0';
    assert_failure(hold_release(&scratch.repo, "0000", NOON, whole, &err), ERR_NOT_FOUND, &err);
    assert_failure(hold_release(&scratch.repo, "", NOON, whole, &err), ERR_INVALID, &err);
    assert_success(hold_release(&scratch.repo, beginning, NOON, whole, &err), &err);
    assert_string_equal(whole, hold.id);
    assert_success(holds_load(&scratch.repo, &holds, &err), &err);
    assert_int_equal(holds.count, 0);
    holds_release(&holds);
    assert_failure(hold_release(&scratch.repo, beginning, NOON, whole, &err), ERR_NOT_FOUND, &err);
    scratch_repo_close(&scratch);
}

/* --- what they keep ------------------------------------------------------------------------------------------------
 */

static void a_purge_keeps_what_is_held_by_now(void **state) {
    (void)state;
    struct err err = { 0 };
    struct purge_result result;
    struct mirror_world world;
    char whole[17];
    mirror_world_open(&world);
    mirror_world_capture(&world, 0);
    mirror_world_capture(&world, 3);
    struct hold hold = hold_of(HOLD_SNAPSHOT);
    hold.snapshot = world.heads[0];
    place(&world.scratch.repo, &hold);
    assert_success(mirror_world_purge(&world, 0, &result, &err), &err);
    assert_int_equal(result.heads_removed, 0);
    assert_int_equal(result.packs_destroyed, 0);
    mirror_world_sync(&world, true);
    mirror_world_expect_restorable(&world, 0);

    /* The other one goes, and so does this one once it is released. */
    assert_success(mirror_world_purge(&world, 3, &result, &err), &err);
    assert_int_equal(result.heads_removed, 1);
    assert_success(hold_release(&world.scratch.repo, hold.id, clock_now(), whole, &err), &err);
    assert_success(mirror_world_purge(&world, 0, &result, &err), &err);
    assert_int_equal(result.heads_removed, 1);
    mirror_world_close(&world);
}

static void a_hold_that_vanished_ends_a_purge(void **state) {
    (void)state;
    struct err err = { 0 };
    struct purge_result result;
    struct mirror_world world;
    char name[REPO_NAME_MAX], whole[17];
    mirror_world_open(&world);
    mirror_world_capture(&world, 0);
    mirror_world_capture(&world, 3);
    struct hold hold = hold_of(HOLD_RANGE), ended = hold_of(HOLD_SET);
    hold.from = hold.until = mirror_world_time(3);
    place(&world.scratch.repo, &hold);
    assert_int_equal(scratch_repo_list(&world.scratch, "holds", name), 1);
    assert_success(store_remove(world.scratch.store, name, NULL, &err), &err);
    assert_failure(mirror_world_purge(&world, 0, &result, &err), ERR_CORRUPT, &err);
    assert_int_equal(scratch_repo_list(&world.scratch, "snapshots", NULL), 2);

    assert_success(hold_release(&world.scratch.repo, hold.id, clock_now(), whole, &err), &err);
    assert_success(mirror_world_purge(&world, 0, &result, &err), &err);
    assert_int_equal(result.heads_removed, 1);

    /* One whose time is over need not be there. */
    ended.placed = clock_now() - 2 * DAY;
    ended.ends = clock_now() - DAY;
    place(&world.scratch.repo, &ended);
    assert_int_equal(scratch_repo_list(&world.scratch, "holds", name), 1);
    assert_success(store_remove(world.scratch.store, name, NULL, &err), &err);
    assert_success(mirror_world_purge(&world, 3, &result, &err), &err);
    assert_int_equal(result.heads_removed, 1);
    mirror_world_close(&world);
}

static void a_hold_that_cannot_be_read_ends_a_purge(void **state) {
    (void)state;
    struct err err = { 0 };
    struct purge_result result;
    struct mirror_world world;
    char name[REPO_NAME_MAX];
    mirror_world_open(&world);
    mirror_world_capture(&world, 0);
    struct hold hold = hold_of(HOLD_RANGE);
    hold.from = hold.until = 1;
    place(&world.scratch.repo, &hold);
    assert_int_equal(scratch_repo_list(&world.scratch, "holds", name), 1);
    scratch_repo_flip(&world.scratch, name, 60, 1);
    assert_failure(mirror_world_purge(&world, 0, &result, &err), ERR_CORRUPT, &err);
    assert_int_equal(scratch_repo_list(&world.scratch, "snapshots", NULL), 1);
    mirror_world_close(&world);
}

/* It was placed after the snapshot had expired here, and before the mirror was told. */
static void a_mirror_keeps_what_is_held_and_gone_elsewhere(void **state) {
    (void)state;
    struct err err = { 0 };
    struct mirror_world world;
    char whole[17];
    mirror_world_open(&world);
    mirror_world_capture(&world, 0);
    mirror_world_capture(&world, 1);
    mirror_world_sync(&world, true);
    mirror_world_expire(&world, 0);
    struct hold hold = hold_of(HOLD_RANGE);
    hold.from = hold.until = mirror_world_time(0);
    place(&world.scratch.repo, &hold);
    for (int night = 2; night < 5; night++) {
        mirror_world_capture(&world, night);
        mirror_world_sync(&world, true);
        mirror_world_expect_restorable(&world, 0);
        mirror_world_expect_restorable(&world, night);
        assert_int_equal(mirror_world_count(&world, "holds"), 1);
        mirror_world_expire(&world, night - 1);
    }

    struct mirror_result result = mirror_world_sync(&world, false);
    assert_int_equal(result.strangers, 0);
    mirror_world_expect_restorable(&world, 0);
    assert_false(mirror_world_has_night(&world, 3));

    size_t packs = mirror_world_count(&world, "packs");
    assert_success(hold_release(&world.scratch.repo, hold.id, clock_now(), whole, &err), &err);
    mirror_world_sync(&world, false);
    assert_false(mirror_world_has_night(&world, 0));
    assert_true(mirror_world_count(&world, "packs") < packs);
    assert_int_equal(mirror_world_count(&world, "holds"), 0);
    mirror_world_expect_restorable(&world, 4);
    mirror_world_expect_clean(&world);
    mirror_world_close(&world);
}

static void a_mirror_loses_nothing_while_the_holds_cannot_be_read(void **state) {
    (void)state;
    struct err err = { 0 };
    struct mirror_result result;
    struct mirror_world world;
    char name[REPO_NAME_MAX];
    mirror_world_open(&world);
    mirror_world_capture(&world, 0);
    mirror_world_capture(&world, 3);
    mirror_world_sync(&world, true);
    mirror_world_expire(&world, 0);
    struct hold hold = hold_of(HOLD_SET);
    place(&world.scratch.repo, &hold);
    assert_int_equal(scratch_repo_list(&world.scratch, "holds", name), 1);
    scratch_repo_flip(&world.scratch, name, 60, 1);
    assert_failure(mirror_world_run(&world, true, 0, &result, &err), ERR_CORRUPT, &err);
    mirror_world_expect_restorable(&world, 0);
    assert_success(store_remove(world.scratch.store, name, NULL, &err), &err);
    assert_failure(mirror_world_run(&world, true, 0, &result, &err), ERR_CORRUPT, &err);
    mirror_world_expect_restorable(&world, 0);
    mirror_world_close(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hold_is_loaded_as_it_was_placed),
        cmocka_unit_test(nothing_of_its_texts_is_in_the_clear),
        cmocka_unit_test(a_hold_says_who_and_why_and_when),
        cmocka_unit_test(a_hold_covers_what_its_scope_says),
        cmocka_unit_test(a_hold_is_in_force_until_its_end),
        cmocka_unit_test(a_damaged_hold_is_found),
        cmocka_unit_test(a_released_hold_is_gone_and_journalled),
        cmocka_unit_test(a_purge_keeps_what_is_held_by_now),
        cmocka_unit_test(a_hold_that_vanished_ends_a_purge),
        cmocka_unit_test(a_hold_that_cannot_be_read_ends_a_purge),
        cmocka_unit_test(a_mirror_keeps_what_is_held_and_gone_elsewhere),
        cmocka_unit_test(a_mirror_loses_nothing_while_the_holds_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
