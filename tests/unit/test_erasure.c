/* The erasure ledger: what it keeps, what a restore is told, and when it is forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/mirror_world.h"
#include "../lib/scratch.h"
#include <muniment/repo/erasure.h>
#include <muniment/repo/hold.h>
#include <muniment/repo/session.h>
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

enum { NOON = 1772366400 };

/* Ended by NULL. Returns the name, which the caller frees. */
static char *record(struct repo *repo, int64_t when, ...) {
    struct err err = { 0 };
    char *references[8];
    struct erasure erasure = { .recorded = when, .references = references };
    va_list texts;
    va_start(texts, when);
    for (char *text; (text = va_arg(texts, char *));)
        references[erasure.count++] = text;
    va_end(texts);
    assert_success(erasure_record(repo, &erasure, &err), &err);
    return erasure.name;
}

static void what_was_recorded_is_loaded(void **state) {
    (void)state;
    struct err err = { 0 };
    struct scratch_repo scratch;
    struct erasures erasures;
    scratch_repo_open(&scratch);
    char *later = record(&scratch.repo, NOON + 1, "orders/7", NULL);
    char *first = record(&scratch.repo, NOON, "customers/8f3a", "b\xff with blanks", NULL);
    assert_success(erasures_load(&scratch.repo, &erasures, &err), &err);
    assert_int_equal(erasures.count, 2);
    assert_string_equal(erasures.items[0].name, first);
    assert_int_equal(erasures.items[0].recorded, NOON);
    assert_int_equal(erasures.items[0].count, 2);
    assert_string_equal(erasures.items[0].references[0], "customers/8f3a");
    assert_string_equal(erasures.items[0].references[1], "b\xff with blanks");
    assert_string_equal(erasures.items[1].name, later);
    erasures_release(&erasures);
    free(first);
    free(later);
    scratch_repo_close(&scratch);
}

static void no_reference_is_in_the_clear(void **state) {
    (void)state;
    struct scratch_repo scratch;
    scratch_repo_open(&scratch);
    free(record(&scratch.repo, NOON, "customers/8f3a", NULL));
    scratch_repo_expect_sealed(&scratch, "8f3a");
    scratch_repo_close(&scratch);
}

static void what_is_no_reference_is_refused(void **state) {
    (void)state;
    struct err err = { 0 };
    struct scratch_repo scratch;
    char long_one[ERASURE_REFERENCE_MAX + 2];
    memset(long_one, 'a', sizeof long_one - 1);
    long_one[sizeof long_one - 1] = '\0';
    char *bad[] = { (char[]){ "" }, (char[]){ "a\nb" }, (char[]){ "a\r" }, long_one };
    scratch_repo_open(&scratch);
    for (size_t i = 0; i < 4; i++) {
        struct erasure erasure = { .recorded = NOON, .references = &bad[i], .count = 1 };
        assert_failure(erasure_record(&scratch.repo, &erasure, &err), ERR_INVALID, &err);
    }
    struct erasure none = { .recorded = NOON };
    assert_failure(erasure_record(&scratch.repo, &none, &err), ERR_INVALID, &err);
    long_one[ERASURE_REFERENCE_MAX] = '\0';
    free(record(&scratch.repo, NOON, long_one, NULL));
    assert_int_equal(scratch_repo_list(&scratch, "erasures", NULL), 1);
    scratch_repo_close(&scratch);
}

static void a_damaged_entry_is_found(void **state) {
    (void)state;
    struct err err = { 0 };
    struct scratch_repo scratch;
    struct erasures erasures;
    char name[REPO_NAME_MAX];
    scratch_repo_open(&scratch);
    free(record(&scratch.repo, NOON, "a", NULL));
    assert_int_equal(scratch_repo_list(&scratch, "erasures", name), 1);
    scratch_repo_flip(&scratch, name, 40, 2);
    assert_failure(erasures_load(&scratch.repo, &erasures, &err), ERR_CORRUPT, &err);
    scratch_repo_close(&scratch);
}

static void a_restore_is_told_what_came_after_its_snapshot(void **state) {
    (void)state;
    char *early[] = { (char[]){ "x" }, (char[]){ "a" } }, *late[] = { (char[]){ "b" }, (char[]){ "a" } };
    struct erasure items[] = { { .recorded = NOON, .references = early, .count = 2 },
                               { .recorded = NOON + 10, .references = late, .count = 2 } };
    struct erasures erasures = { items, 2 };
    struct buffer lines = { 0 };
    assert_int_equal(erasures_after(&erasures, NOON, &lines), 3);
    assert_string_equal(buffer_text(&lines), "x\na\nb\n");
    buffer_clear(&lines);
    assert_int_equal(erasures_after(&erasures, NOON + 1, &lines), 2);
    assert_string_equal(buffer_text(&lines), "b\na\n");
    buffer_clear(&lines);
    assert_int_equal(erasures_after(&erasures, NOON + 11, &lines), 0);
    assert_int_equal(lines.length, 0);
    buffer_release(&lines);
}

static uint64_t forget(struct mirror_world *world) {
    struct err err = { 0 };
    uint64_t removed = 0;
    assert_success(erasures_forget(&world->scratch.repo, clock_now(), &removed, &err), &err);
    return removed;
}

static void an_entry_lasts_as_long_as_a_snapshot_that_needs_it(void **state) {
    (void)state;
    struct err err = { 0 };
    struct mirror_world world;
    char whole[17];
    mirror_world_open(&world);
    mirror_world_capture(&world, 0);
    mirror_world_capture(&world, 3);
    free(record(&world.scratch.repo, mirror_world_time(0) + 5, "a", NULL));
    free(record(&world.scratch.repo, mirror_world_time(3) + 5, "b", NULL));
    assert_int_equal(forget(&world), 0);
    mirror_world_sync(&world, true);
    assert_int_equal(mirror_world_count(&world, "erasures"), 2);

    mirror_world_expire(&world, 0);
    static char owner[] = "legal", reason[] = "case 7";
    struct hold hold = {
        .scope = HOLD_SNAPSHOT, .snapshot = world.heads[0], .owner = owner, .reason = reason, .placed = clock_now()
    };
    assert_success(hold_place(&world.scratch.repo, &hold, &err), &err);
    assert_int_equal(forget(&world), 0); /* the mirror has it still */
    assert_success(hold_release(&world.scratch.repo, hold.id, clock_now(), whole, &err), &err);
    struct session *session;
    assert_success(session_begin(&world.scratch.repo, 0, SESSION_LENGTH, &session, &err), &err);
    assert_int_equal(forget(&world), 0); /* a capture runs that may have begun before */
    session_end(session);
    assert_int_equal(forget(&world), 1);
    assert_int_equal(scratch_repo_list(&world.scratch, "erasures", NULL), 1);
    mirror_world_sync(&world, false);
    assert_int_equal(mirror_world_count(&world, "erasures"), 1);
    mirror_world_expect_clean(&world);
    mirror_world_close(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_recorded_is_loaded),
        cmocka_unit_test(no_reference_is_in_the_clear),
        cmocka_unit_test(what_is_no_reference_is_refused),
        cmocka_unit_test(a_damaged_entry_is_found),
        cmocka_unit_test(a_restore_is_told_what_came_after_its_snapshot),
        cmocka_unit_test(an_entry_lasts_as_long_as_a_snapshot_that_needs_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
