#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/mirror/mirror_internal.h"
#include "../lib/mirror_world.h"
#include "../lib/scratch.h"
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DAY = 86400 };

/* --- damage and strangers ------------------------------------------------------------------------------------------
 */

static void damage_on_the_mirror_is_found_and_mended(void **state) {
    (void)state;
    struct err err = { 0 };
    struct mirror_result result;
    struct mirror_world world;
    char name[REPO_NAME_MAX];
    mirror_world_open_copied(&world);
    mirror_world_largest_pack(&world, world.mirror, name);
    mirror_world_flip(world.mirror_path, name);
    assert_int_equal(mirror_world_sync(&world, true).damaged, 0); /* nothing was read back */
    assert_success(mirror_world_run(&world, true, 100, &result, &err), &err);
    assert_int_equal(result.damaged, 1);
    assert_true(result.verified >= 3);
    mirror_world_expect_restorable(&world, 0);
    assert_success(mirror_world_run(&world, true, 100, &result, &err), &err);
    assert_int_equal(result.damaged, 0);
    mirror_world_close(&world);
}

static void a_cut_object_on_the_mirror_is_mended_by_every_run(void **state) {
    (void)state;
    struct mirror_world world;
    char name[REPO_NAME_MAX];
    mirror_world_open_copied(&world);
    mirror_world_largest_pack(&world, world.mirror, name);
    char *path = mem_format("%s/%s", world.mirror_path, name);
    assert_int_equal(truncate(path, 1000), 0);
    free(path);
    assert_int_equal(mirror_world_sync(&world, false).damaged, 1);
    mirror_world_expect_restorable(&world, 0);
    mirror_world_close(&world);
}

static void damage_that_cannot_be_mended_is_divergence(void **state) {
    (void)state;
    struct err err = { 0 };
    struct mirror_result result;
    struct mirror_world world;
    char name[REPO_NAME_MAX];
    mirror_world_open_copied(&world);
    mirror_world_largest_pack(&world, world.mirror, name);
    mirror_world_flip(world.mirror_path, name);
    mirror_world_flip(world.scratch.folder, name);
    assert_failure(mirror_world_run(&world, true, 100, &result, &err), ERR_CORRUPT, &err);
    assert_success(store_remove(world.scratch.store, name, NULL, &err), &err);
    assert_failure(mirror_world_run(&world, true, 100, &result, &err), ERR_DIVERGED, &err);
    mirror_world_close(&world);
}

static void a_damaged_journal_on_the_mirror_is_mended(void **state) {
    (void)state;
    struct err err = { 0 };
    struct mirror_world world;
    char segment[REPO_NAME_MAX];
    mirror_world_open_copied(&world);
    scratch_repo_list(&world.scratch, "journal", segment);
    mirror_world_flip(world.mirror_path, segment);
    assert_int_equal(mirror_world_sync(&world, true).damaged, 1);
    struct repo there = mirror_world_repo(&world);
    assert_success(journal_walk(&there, NULL, NULL, &err), &err);
    mirror_world_close(&world);
}

static void a_history_that_forked_is_divergence(void **state) {
    (void)state;
    struct err err = { 0 };
    struct mirror_result result;
    struct mirror_world world;
    struct journal_batch batch = { 0 };
    char segment[REPO_NAME_MAX];
    mirror_world_open(&world);
    journal_add(&batch, clock_now(), "refused", "source", "one", NULL);
    assert_success(journal_append(&world.scratch.repo, &batch, &err), &err);
    mirror_world_sync(&world, true);

    /* The repository is set back, and goes on differently. */
    while (scratch_repo_list(&world.scratch, "journal", segment) > 0)
        assert_success(store_remove(world.scratch.store, segment, NULL, &err), &err);
    journal_add(&batch, clock_now(), "refused", "source", "two", NULL);
    assert_success(journal_append(&world.scratch.repo, &batch, &err), &err);
    journal_batch_release(&batch);
    assert_failure(mirror_world_run(&world, true, 0, &result, &err), ERR_DIVERGED, &err);
    mirror_world_close(&world);
}

static void a_mirror_of_another_repository_is_refused(void **state) {
    (void)state;
    struct err err = { 0 };
    struct mirror_result result;
    struct mirror_world world;
    mirror_world_open(&world);
    mirror_world_capture(&world, 0);
    assert_success(repo_create(world.mirror, &err), &err);
    size_t before = scratch_count(world.mirror_path);
    assert_failure(mirror_world_run(&world, true, 0, &result, &err), ERR_INVALID, &err);
    assert_int_equal(scratch_count(world.mirror_path), before);
    mirror_world_close(&world);
}

static void a_damaged_repository_object_is_mended_where_the_set_is(void **state) {
    (void)state;
    struct err err = { 0 };
    struct mirror_result result;
    struct mirror_world world;
    mirror_world_open_copied(&world);
    assert_success(store_put(world.mirror, "muniment", "nonsense", 8, &err), &err);
    assert_int_equal(mirror_world_sync(&world, true).damaged, 1);
    mirror_world_expect_restorable(&world, 0);

    /* Where it is not, the place may be anyone's. */
    char *elsewhere = mem_format("%s/elsewhere", world.folder);
    struct store_address address = { .path = elsewhere };
    store_close(world.mirror);
    assert_success(store_open(&address, true, &world.mirror, &err), &err);
    assert_success(store_put(world.mirror, "muniment", "nonsense", 8, &err), &err);
    assert_failure(mirror_world_run(&world, true, 0, &result, &err), ERR_INVALID, &err);
    free(elsewhere);
    mirror_world_close(&world);
}

static void the_sample_moves_on_until_all_are_read(void **state) {
    (void)state;
    const unsigned percents[] = { 1, 3, 5, 50, 99, 100 };
    for (size_t p = 0; p < sizeof percents / sizeof *percents; p++) {
        unsigned days = (100 + percents[p] - 1) / percents[p], most = 0;
        for (unsigned number = 0; number < 500; number++) {
            char name[80] = "packs/aa/", digits[65] = "";
            uint8_t hash[32] = { (uint8_t)number, (uint8_t)(number >> 8) };
            bool read = false;
            sodium_bin2hex(digits, sizeof digits, hash, sizeof hash);
            strcat(name, digits);
            for (unsigned day = 0; day < days + 1; day++)
                read = verify_is_due(name, percents[p], mirror_world_time(0) + (int64_t)day * DAY) || read;
            assert_true(read);
            most += verify_is_due(name, percents[p], mirror_world_time(0));
        }
        assert_int_equal(most, 5 * percents[p]);
        assert_false(verify_is_due("packs/aa/short", percents[p], 0) && percents[p] < 100);
    }
}

int main(void) {
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damage_on_the_mirror_is_found_and_mended),
        cmocka_unit_test(a_cut_object_on_the_mirror_is_mended_by_every_run),
        cmocka_unit_test(damage_that_cannot_be_mended_is_divergence),
        cmocka_unit_test(a_damaged_journal_on_the_mirror_is_mended),
        cmocka_unit_test(a_history_that_forked_is_divergence),
        cmocka_unit_test(a_mirror_of_another_repository_is_refused),
        cmocka_unit_test(a_damaged_repository_object_is_mended_where_the_set_is),
        cmocka_unit_test(the_sample_moves_on_until_all_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
