/* Lock dates of snapshots and their packs beside what rotations do with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/repo/lock_memory_internal.h"
#include "../../src/run/locks_internal.h"
#include "../lib/scratch.h"
#include "../lib/scratch_repo.h"
#include "../lib/times.h"
#include <muniment/util/clock.h>
#include <muniment/util/file.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

enum { DAY = 86400 };

/* `hold` may be NULL. */
static struct lock_dates dates_held(const struct policy *policy, const struct head *head, int64_t now,
                                    struct hold *hold) {
    struct err err = { 0 };
    struct scratch_repo scratch;
    struct set_settings settings = { .policy = *policy };
    struct lock_policy locks;
    scratch_repo_open(&scratch);
    if (hold)
        assert_success(hold_place(&scratch.repo, hold, &err), &err);
    struct opened_set set = { .settings = &settings, .store = scratch.store, .repo = scratch.repo };
    assert_success(lock_policy_open(&locks, &set, NULL, now, &err), &err);
    struct lock_dates found = locks.rule.dates(locks.rule.context, head);
    lock_policy_close(&locks);
    scratch_repo_close(&scratch);
    return found;
}

static struct lock_dates dates(const struct policy *policy, const struct head *head, int64_t now) {
    return dates_held(policy, head, now, NULL);
}

static void a_pack_may_be_locked_until_its_dead_chunks_are_due(void **state) {
    (void)state;
    int64_t born = at("2026-03-02T02:00:00Z"), ends = at("2026-03-09T00:00:00Z");
    struct policy policy = { .daily = 7, .purge_within = 20 * DAY };
    struct head head = { .started = born, .tiers = TIER_DAILY, .outcome = OUTCOME_COMPLETE };
    struct lock_dates found = dates(&policy, &head, born);
    assert_int_equal(found.until, ends);
    assert_int_equal(found.cap, ends + 18 * DAY); /* two nights before they are due */

    /* At once means at once. */
    policy.purge_within = 0;
    found = dates(&policy, &head, born);
    assert_int_equal(found.until, ends);
    assert_int_equal(found.cap, ends);

    /* One that outstays its time may end today. */
    policy.purge_within = 20 * DAY;
    found = dates(&policy, &head, ends + 5 * DAY);
    assert_int_equal(found.cap, ends + 23 * DAY);
}

static void the_deadline_bounds_both_dates(void **state) {
    (void)state;
    int64_t born = at("2026-03-02T02:00:00Z");
    struct policy policy = { .monthly = 6, .max_age = 90 * DAY, .purge_within = 30 * DAY };
    struct head head = {
        .started = born, .deadline = born + 90 * DAY, .tiers = TIER_MONTHLY, .outcome = OUTCOME_COMPLETE
    };
    struct lock_dates found = dates(&policy, &head, born);
    assert_int_equal(found.until, born + 88 * DAY);
    assert_int_equal(found.cap, born + 88 * DAY);

    /* A deadline at birth binds, however the policy was lengthened since. */
    policy.max_age = 300 * DAY;
    found = dates(&policy, &head, born);
    assert_int_equal(found.until, born + 88 * DAY);
    assert_int_equal(found.cap, born + 88 * DAY);
}

static void a_hold_lengthens_both_dates(void **state) {
    (void)state;
    int64_t born = at("2026-03-02T02:00:00Z"), now = born + 87 * DAY;
    static char owner[] = "legal", reason[] = "case 7";
    struct policy policy = { .monthly = 6, .max_age = 90 * DAY, .purge_within = 30 * DAY };
    struct head head = {
        .started = born, .deadline = born + 90 * DAY, .tiers = TIER_MONTHLY, .outcome = OUTCOME_COMPLETE
    };
    char *name = TEXT("20260302T020000Z-0000");
    head.name = name;
    struct hold hold = {
        .scope = HOLD_RANGE, .from = born, .until = born, .owner = owner, .reason = reason, .placed = born + DAY
    };
    struct lock_dates found = dates_held(&policy, &head, now, &hold);
    assert_int_equal(found.until, now + 30 * DAY);
    assert_int_equal(found.cap, now + 30 * DAY);

    /* It need not outlast a hold that ends by itself. */
    hold.ends = now + 10 * DAY;
    found = dates_held(&policy, &head, now, &hold);
    assert_int_equal(found.until, now + 10 * DAY);

    /* What the policy asks for is kept, and so is what nothing else would lock. */
    found = dates_held(&policy, &head, born + 2 * DAY, &hold);
    assert_int_equal(found.until, born + 88 * DAY);
    policy = (struct policy){ .interval = DAY };
    head.deadline = 0;
    found = dates_held(&policy, &head, now, &hold);
    assert_int_equal(found.until, now + 10 * DAY);

    /* One that it does not cover. */
    hold.from = hold.until = born + 1;
    assert_int_equal(dates_held(&policy, &head, now, &hold).until, 0);
}

static void a_partial_snapshot_is_locked_for_a_day_at_most(void **state) {
    (void)state;
    int64_t born = at("2026-03-02T02:00:00Z");
    struct policy policy = { .daily = 7, .purge_within = 10 * DAY };
    struct head head = { .started = born, .outcome = OUTCOME_PARTIAL };
    assert_true(dates(&policy, &head, born).until <= born + DAY);
    policy = (struct policy){ .max_age = 90 * DAY };
    head.deadline = born + 90 * DAY;
    assert_int_equal(dates(&policy, &head, born).until, born + DAY);
}

static void what_never_ends_is_not_locked(void **state) {
    (void)state;
    struct policy policy = { 0 };
    struct head head = { .started = at("2026-03-02"), .outcome = OUTCOME_COMPLETE };
    struct lock_dates found = dates(&policy, &head, head.started);
    assert_int_equal(found.until, 0);
    assert_int_equal(found.cap, INT64_MAX);
}

static void dates_that_were_set_are_remembered(void **state) {
    (void)state;
    struct err err = { 0 };
    struct lock_memory memory = { 0 }, again;
    char *folder = scratch_make(), *path = mem_format("%s/locks", folder);
    uint8_t hash[32] = { 0 };
    for (int i = 0; i < 100; i++) {
        hash[0] = (uint8_t)(i * 37);
        lock_memory_add(&memory, hash, at("2026-03-02T02:00:00Z") + i);
    }
    assert_success(lock_memory_save(&memory, path, &err), &err);
    lock_memory_load(&again, path);
    assert_int_equal(again.count, 100);
    for (int i = 0; i < 100; i++) {
        hash[0] = (uint8_t)(i * 37);
        assert_int_equal(lock_memory_find(&again, hash), at("2026-03-02T02:00:00Z") + i);
    }
    hash[1] = 1;
    assert_int_equal(lock_memory_find(&again, hash), 0);
    lock_memory_release(&again);
    lock_memory_release(&memory);
    free(path);
    scratch_remove(folder);
}

/* Losing the memory costs requests; believing noise would cost locks. */
static void a_memory_that_is_damaged_counts_as_none(void **state) {
    (void)state;
    struct err err = { 0 };
    struct lock_memory memory = { 0 };
    struct buffer text = { 0 };
    uint8_t hash[32] = { 7 };
    char *folder = scratch_make(), *path = mem_format("%s/locks", folder);
    lock_memory_load(&memory, path);
    assert_int_equal(memory.count, 0);
    lock_memory_add(&memory, hash, at("2026-03-02T02:00:00Z"));
    assert_success(lock_memory_save(&memory, path, &err), &err);
    lock_memory_release(&memory);
    assert_success(file_read(path, 4096, &text, &err), &err);
    for (size_t i = 0; i < text.length; i++) {
        text.data[i] ^= 0x40;
        assert_success(file_replace(path, 0600, text.data, text.length, &err), &err);
        lock_memory_load(&memory, path);
        assert_int_equal(memory.count, 0);
        text.data[i] ^= 0x40;
    }
    assert_success(file_replace(path, 0600, text.data, text.length - 1, &err), &err);
    lock_memory_load(&memory, path);
    assert_int_equal(memory.count, 0);
    buffer_release(&text);
    free(path);
    scratch_remove(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pack_may_be_locked_until_its_dead_chunks_are_due),
        cmocka_unit_test(the_deadline_bounds_both_dates),
        cmocka_unit_test(a_hold_lengthens_both_dates),
        cmocka_unit_test(a_partial_snapshot_is_locked_for_a_day_at_most),
        cmocka_unit_test(what_never_ends_is_not_locked),
        cmocka_unit_test(dates_that_were_set_are_remembered),
        cmocka_unit_test(a_memory_that_is_damaged_counts_as_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
