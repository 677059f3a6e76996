#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/report_world.h"
#include "../lib/scratch.h"
#include <muniment/repo/journal.h>
#include <muniment/util/clock.h>
#include <muniment/util/file.h>
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DAY = 86400, HOUR = 3600, NIGHTS = REPORT_WORLD_NIGHTS };

/* One for all that mend what they broke. */
static int begin(void **state) {
    struct report_world *world = mem_zalloc(sizeof *world);
    report_world_open(world, NULL, NULL);
    *state = world;
    return 0;
}

static int end(void **state) {
    report_world_close(*state);
    free(*state);
    return 0;
}

/* --- what people do to stores ---------------------------------------------------------------------------------------
 */

static char *path_of(const struct report_world *world, int place, const char *object) {
    return mem_format("%s/%s/%s", place == 0 ? world->mirror.scratch.folder : world->mirror.mirror_path,
                      world->mirror.scratch.keys.set_name, object);
}

static void drop(const struct report_world *world, int place, const char *object) {
    char *path = path_of(world, place, object);
    assert_int_equal(unlink(path), 0);
    free(path);
}

/* Takes an object away; and puts the last one that was taken back. */
static void take(const struct report_world *world, int place, const char *object) {
    char *path = path_of(world, place, object), *aside = mem_format("%s/taken", world->mirror.folder);
    assert_int_equal(rename(path, aside), 0);
    free(path);
    free(aside);
}

static void mend(const struct report_world *world, int place, const char *object) {
    char *path = path_of(world, place, object), *aside = mem_format("%s/taken", world->mirror.folder);
    assert_int_equal(rename(aside, path), 0);
    free(path);
    free(aside);
}

static void write_object(const struct report_world *world, int place, const char *object, const void *data,
                         size_t length) {
    struct err err = { 0 };
    char *path = path_of(world, place, object);
    assert_success(file_replace(path, 0600, data, length, &err), &err);
    free(path);
}

static struct buffer read_object(const struct report_world *world, int place, const char *object) {
    struct err err = { 0 };
    struct buffer bytes = { 0 };
    char *path = path_of(world, place, object);
    assert_success(file_read(path, 1 << 26, &bytes, &err), &err);
    free(path);
    return bytes;
}

/* The last object of a folder, or the first. */
static const char *object_of(struct report_world *world, int place, const char *folder, bool last, char *name) {
    struct err err = { 0 };
    struct store_names names = { 0 };
    char whole[REPO_NAME_MAX];
    struct store *store = place == 0 ? world->mirror.scratch.store : world->mirror.mirror;
    assert_success(store_names_load(store, repo_folder(&world->mirror.scratch.repo, whole, folder), &names, &err),
                   &err);
    assert_true(names.count > 0);
    strcpy(name, names.items[last ? names.count - 1 : 0].name + strlen(world->mirror.scratch.keys.set_name) + 1);
    store_names_release(&names);
    return name;
}

/* --- as it should be ------------------------------------------------------------------------------------------------
 */

static void what_is_as_it_should_be_gives_no_finding(void **state) {
    struct report_world *world = *state;
    report_world_expect_none(world);
    const struct report *report = &world->report;
    assert_int_equal(report->run_count, NIGHTS);
    assert_int_equal(report->snapshot_count, NIGHTS);
    for (size_t i = 0; i < NIGHTS; i++) {
        assert_int_equal(report->runs[i].outcome, RUN_OK);
        assert_string_equal(report->runs[i].snapshot, world->mirror.heads[i]);
        assert_string_equal(report->snapshots[i].name, world->mirror.heads[i]);
        for (int place = 0; place < 2; place++) {
            assert_int_equal(report->snapshots[i].copies[place].state, COPY_WHOLE);
            assert_int_equal(report->snapshots[i].copies[place].versions, 1);
            assert_true(report->snapshots[i].copies[place].packs > 1);
        }
        assert_true(strstr(report->snapshots[i].reason, "daily") != NULL);
        assert_int_equal(report->snapshots[i].head.source_count, 1);
    }
    assert_int_equal(report->stores[0].snapshots, NIGHTS);
    assert_int_equal(report->stores[1].snapshots, NIGHTS);
    assert_int_equal(report->stores[1].lag, 0);
    assert_true(report->stores[1].copied > 0);
    assert_true(report->journal_whole);
    assert_int_equal(report->chain_count, 1);
    assert_int_equal(report->policy_count, 1);
}

static void what_a_rotation_ended_is_confirmed_in_every_place(void **state) {
    (void)state;
    struct report_world own = { 0 }, *world = &own;
    report_world_open(world, NULL, NULL);
    char head[REPO_NAME_MAX];
    report_world_expire(world, 0, 0);
    report_world_copy(world);
    world->now += HOUR;
    report_world_expect_none(world);
    const struct report *report = &world->report;
    size_t confirmed[2] = { 0, 0 };
    for (size_t i = 0; i < report->destruction_count; i++) {
        assert_int_equal(report->destructions[i].state, DESTRUCTION_CONFIRMED);
        confirmed[report->destructions[i].place] +=
            strcmp(report->destructions[i].object, report_world_head(world, 0, head)) == 0;
    }
    assert_int_equal(confirmed[0], 1);
    assert_int_equal(confirmed[1], 1);
    assert_string_equal(report->snapshots[0].name, world->mirror.heads[0]);
    assert_false(report->snapshots[0].exists);
    assert_true(report->snapshots[0].expired > 0);
    assert_string_equal(report->snapshots[0].reason, "test");
    report_world_close(world);
}

/* --- as it should not be --------------------------------------------------------------------------------------------
 */

static void a_head_that_was_deleted_is_missing(void **state) {
    struct report_world *world = *state;
    char head[REPO_NAME_MAX];
    take(world, 0, report_world_head(world, 1, head));
    report_world_expect(world, FINDING_MISSING, "repository", head);
    assert_int_equal(world->report.snapshots[1].copies[0].state, COPY_ABSENT);
    assert_int_equal(world->report.snapshots[1].copies[1].state, COPY_WHOLE);
    assert_true(world->report.snapshots[1].head_known);
    mend(world, 0, head);

    take(world, 1, head);
    report_world_expect(world, FINDING_MISSING, "test", head);
    mend(world, 1, head);
}

static void a_pack_that_was_deleted_is_missing(void **state) {
    struct report_world *world = *state;
    for (int place = 0; place < 2; place++) {
        char pack[REPO_NAME_MAX];
        take(world, place, report_world_pack(world, place, pack));
        report_world_expect(world, FINDING_MISSING, world->places[place].name, pack);
        size_t incomplete = 0;
        for (size_t i = 0; i < NIGHTS; i++)
            incomplete += world->report.snapshots[i].copies[place].state == COPY_INCOMPLETE;
        assert_true(incomplete > 0);
        mend(world, place, pack);
    }
    report_world_expect_none(world);
}

static void every_pack_that_is_deleted_is_missing(void **state) {
    struct report_world *world = *state;
    struct err err = { 0 };
    struct store_names names = { 0 };
    char folder[REPO_NAME_MAX];
    assert_success(store_names_load(world->mirror.scratch.store,
                                    repo_folder(&world->mirror.scratch.repo, folder, "packs"), &names, &err),
                   &err);
    for (size_t i = 0; i < names.count; i++) {
        const char *pack = names.items[i].name + strlen(world->mirror.scratch.keys.set_name) + 1;
        take(world, 0, pack);
        report_world_expect(world, FINDING_MISSING, "repository", pack);
        mend(world, 0, pack);
    }
    assert_true(names.count > 2);
    store_names_release(&names);
}

static void a_pack_that_was_cut_is_told_of(void **state) {
    struct report_world *world = *state;
    char pack[REPO_NAME_MAX];
    struct buffer bytes = read_object(world, 1, report_world_pack(world, 1, pack));
    take(world, 1, pack);
    write_object(world, 1, pack, bytes.data, bytes.length - 1);
    report_world_expect(world, FINDING_TAMPERED, "test", pack);
    mend(world, 1, pack);
    buffer_release(&bytes);
}

static void an_index_object_that_a_mirror_lost_leaves_its_packs_of_no_use(void **state) {
    struct report_world *world = *state;
    char index[REPO_NAME_MAX];
    object_of(world, 1, "index", false, index);
    take(world, 1, index);
    report_world_expect(world, FINDING_MISSING, "test", index);
    size_t incomplete = 0;
    for (size_t i = 0; i < NIGHTS; i++) {
        const struct report_copy *copies = world->report.snapshots[i].copies;
        assert_int_equal(copies[0].state, COPY_WHOLE);
        assert_int_equal(copies[1].state == COPY_INCOMPLETE, copies[1].missing_packs > 0);
        incomplete += copies[1].state == COPY_INCOMPLETE;
    }
    assert_true(incomplete > 0);
    mend(world, 1, index);
    report_world_expect_none(world);
}

static void an_object_that_nobody_knows_is_excess(void **state) {
    struct report_world *world = *state;
    static const char *const STRANGERS[] = {
        "packs/ab/abcdefabcdefabcdefabcdefabcdefabcdefabcdefabcdefabcdefabcdefabcd",
        "keys/0123456789abcdef",
        "erasures/20260301T020000Z",
        "elsewhere",
    };
    for (size_t i = 0; i < sizeof STRANGERS / sizeof *STRANGERS; i++)
        for (int place = 0; place < 2; place++) {
            struct err err = { 0 };
            char *path = path_of(world, place, STRANGERS[i]);
            *strrchr(path, '/') = '\0';
            assert_success(file_make_folders(path, 0700, &err), &err);
            free(path);
            write_object(world, place, STRANGERS[i], "x", 1);
            report_world_expect(world, FINDING_EXCESS, world->places[place].name, STRANGERS[i]);
            drop(world, place, STRANGERS[i]);
        }
    report_world_expect_none(world);
}

static void a_head_that_does_not_verify_is_told_of(void **state) {
    struct report_world *world = *state;
    char head[REPO_NAME_MAX], whole[REPO_NAME_MAX];
    mirror_world_flip(world->mirror.scratch.folder, mirror_world_head(&world->mirror, 2, whole));
    report_world_expect(world, FINDING_TAMPERED, "repository", report_world_head(world, 2, head));
    mirror_world_flip(world->mirror.scratch.folder, whole);
}

static void a_journal_that_was_cut_anywhere_is_told_of(void **state) {
    struct report_world *world = *state;
    char segment[REPO_NAME_MAX];

    /* Its end: the mirror has it still. */
    take(world, 0, object_of(world, 0, "journal", true, segment));
    report_world_expect(world, FINDING_TAMPERED, "test", segment);
    mend(world, 0, segment);
    report_world_expect_none(world);

    /* Its beginning: the chain does not reach back to it. */
    take(world, 0, object_of(world, 0, "journal", false, segment));
    report_world_look(world);
    assert_false(world->report.as_expected);
    assert_false(world->report.journal_whole);
    size_t told = 0;
    for (size_t i = 0; i < world->report.finding_count; i++)
        told += world->report.findings[i].kind == FINDING_TAMPERED;
    assert_int_equal(told, world->report.finding_count);
    mend(world, 0, segment);
}

static void a_mirror_whose_journal_was_cut_is_told_of(void **state) {
    struct report_world *world = *state;
    char segment[REPO_NAME_MAX];
    take(world, 1, object_of(world, 1, "journal", false, segment));
    report_world_expect(world, FINDING_MISSING, "test", segment);
    mend(world, 1, segment);
}

static void a_mirror_that_cannot_be_reached_is_unknown(void **state) {
    struct report_world *world = *state;
    world->places[1].store = NULL;
    world->places[1].why = "nobody answers";
    report_world_expect(world, FINDING_UNKNOWN, "test", NULL);
    assert_false(world->report.stores[1].reached);
    assert_int_equal(world->report.snapshots[0].copies[1].state, COPY_UNKNOWN);
    assert_int_equal(world->report.snapshots[0].copies[0].state, COPY_WHOLE);
    world->places[1].store = world->mirror.mirror;
    world->places[1].why = NULL;
}

static void an_expired_head_that_was_put_back_is_excess(void **state) {
    (void)state;
    struct report_world own = { 0 }, *world = &own;
    report_world_open(world, NULL, NULL);
    char head[REPO_NAME_MAX];
    struct buffer bytes = read_object(world, 0, report_world_head(world, 0, head));
    report_world_expire(world, 0, 0);
    report_world_copy(world);
    world->now += HOUR;
    write_object(world, 0, head, bytes.data, bytes.length);
    buffer_release(&bytes);
    report_world_expect(world, FINDING_EXCESS, "repository", head);
    report_world_close(world);
}

static void a_capture_that_the_journal_tells_otherwise_is_told_of(void **state) {
    (void)state;
    struct report_world own = { 0 }, *world = &own;
    struct err err = { 0 };
    struct journal_batch batch = { 0 };
    char head[REPO_NAME_MAX], started[CLOCK_TEXT];
    report_world_open(world, NULL, NULL);
    journal_add(&batch, world->now, "captured", "snapshot", world->mirror.heads[1], "outcome", "complete", "started",
                clock_format(started, mirror_world_time(1)), "deadline", "2027-01-01T00:00:00Z", "tiers", "1", NULL);
    assert_success(journal_append(&world->mirror.scratch.repo, &batch, &err), &err);
    journal_batch_release(&batch);
    report_world_expect(world, FINDING_TAMPERED, NULL, report_world_head(world, 1, head));
    report_world_close(world);
}

static void a_hold_is_an_exception_and_keeps_what_it_covers(void **state) {
    (void)state;
    struct report_world own = { 0 }, *world = &own;
    struct err err = { 0 };
    char object[REPO_NAME_MAX], id[17];
    report_world_open(world, NULL, NULL);
    struct hold hold = { .scope = HOLD_SNAPSHOT,
                         .snapshot = world->mirror.heads[0],
                         .owner = (char[]){ "legal" },
                         .reason = (char[]){ "case 7" },
                         .placed = world->now };
    assert_success(hold_place(&world->mirror.scratch.repo, &hold, &err), &err);
    snprintf(object, sizeof object, "holds/%s", hold.id);
    report_world_expect(world, FINDING_EXCEPTION, NULL, object);
    assert_true(world->report.snapshots[0].held);
    assert_false(world->report.snapshots[1].held);
    assert_int_equal(world->report.hold_count, 1);
    assert_string_equal(world->report.holds[0].owner, "legal");
    assert_int_equal(world->report.erased_after, 0);

    /* A shorter policy would have ended all but the last by now. */
    world->policy.max_age = DAY / 2;
    report_world_look(world);
    size_t exceptions = 0, late = 0;
    for (size_t i = 0; i < world->report.finding_count; i++) {
        exceptions += world->report.findings[i].kind == FINDING_EXCEPTION;
        late += world->report.findings[i].kind == FINDING_LATE;
    }
    assert_int_equal(exceptions, 3); /* the hold, and what it keeps in two places */
    assert_int_equal(late, 2);       /* the night that nobody holds, in two places */

    world->policy.max_age = 0;
    drop(world, 0, object);
    report_world_expect(world, FINDING_MISSING, "repository", object);
    assert_success(hold_release(&world->mirror.scratch.repo, hold.id, world->now, id, &err), &err);
    report_world_expect_none(world);
    assert_int_equal(world->report.hold_count, 1);
    assert_int_equal(world->report.holds[0].released, world->now);
    report_world_close(world);
}

static void what_outstays_its_deadline_is_late_in_every_place(void **state) {
    struct report_world *world = *state;
    char head[REPO_NAME_MAX];
    int64_t now = world->now;
    world->policy.max_age = 2 * DAY;
    report_world_look(world); /* the first night began two days and an hour ago */
    assert_int_equal(world->report.finding_count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(world->report.findings[i].kind, FINDING_LATE);
        assert_string_equal(world->report.findings[i].place, world->places[i].name);
        assert_string_equal(world->report.findings[i].object, report_world_head(world, 0, head));
    }
    world->policy.max_age = 0;
    world->now = now;
}

static void dead_chunks_are_late_where_their_pack_is(void **state) {
    (void)state;
    struct report_world own = { 0 }, *world = &own;
    report_world_open(world, NULL, NULL);
    report_world_expire(world, 0, 10 * HOUR);
    report_world_expire(world, 1, 10 * HOUR); /* one of its files is in no other snapshot, and shares a pack */
    report_world_copy(world);
    world->now += 8 * HOUR;
    report_world_expect_none(world);
    world->now += 4 * HOUR;
    report_world_look(world);
    assert_true(world->report.finding_count >= 2);
    for (size_t i = 0; i < world->report.finding_count; i++) {
        assert_int_equal(world->report.findings[i].kind, FINDING_LATE);
        assert_int_equal(strncmp(world->report.findings[i].object, "packs/", 6), 0);
    }
    report_world_close(world);
}

static void what_was_promised_is_held_against_the_oldest_snapshot(void **state) {
    struct report_world *world = *state;
    char head[REPO_NAME_MAX];
    world->promise = 2 * DAY;
    report_world_expect(world, FINDING_POLICY, NULL, report_world_head(world, 0, head));
    world->promise = 3 * DAY;
    report_world_expect_none(world);
    world->promise = 0;
}

static void nights_without_a_run_are_missed(void **state) {
    struct report_world *world = *state;
    int64_t now = world->now;
    world->now += DAY;
    report_world_expect_none(world); /* the day is not over */
    assert_int_equal(world->report.run_count, NIGHTS + 1);
    assert_int_equal(world->report.runs[NIGHTS].outcome, RUN_EXPECTED);
    world->now += 2 * DAY;
    report_world_look(world);
    assert_int_equal(world->report.run_count, NIGHTS + 3);
    assert_int_equal(world->report.runs[NIGHTS].outcome, RUN_MISSED);
    assert_int_equal(world->report.runs[NIGHTS + 1].outcome, RUN_MISSED);
    assert_int_equal(world->report.runs[NIGHTS + 2].outcome, RUN_EXPECTED);
    assert_int_equal(world->report.finding_count, 3); /* one for both nights; the newest snapshot; the copy */
    assert_int_equal(world->report.findings[0].kind, FINDING_MISSING);
    assert_int_equal(world->report.findings[1].kind, FINDING_STALE);
    assert_int_equal(world->report.findings[2].kind, FINDING_STALE);
    world->now = now;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_as_it_should_be_gives_no_finding),
        cmocka_unit_test(what_a_rotation_ended_is_confirmed_in_every_place),
        cmocka_unit_test(a_head_that_was_deleted_is_missing),
        cmocka_unit_test(a_pack_that_was_deleted_is_missing),
        cmocka_unit_test(every_pack_that_is_deleted_is_missing),
        cmocka_unit_test(a_pack_that_was_cut_is_told_of),
        cmocka_unit_test(an_index_object_that_a_mirror_lost_leaves_its_packs_of_no_use),
        cmocka_unit_test(an_object_that_nobody_knows_is_excess),
        cmocka_unit_test(a_head_that_does_not_verify_is_told_of),
        cmocka_unit_test(a_journal_that_was_cut_anywhere_is_told_of),
        cmocka_unit_test(a_mirror_whose_journal_was_cut_is_told_of),
        cmocka_unit_test(a_mirror_that_cannot_be_reached_is_unknown),
        cmocka_unit_test(an_expired_head_that_was_put_back_is_excess),
        cmocka_unit_test(a_capture_that_the_journal_tells_otherwise_is_told_of),
        cmocka_unit_test(a_hold_is_an_exception_and_keeps_what_it_covers),
        cmocka_unit_test(what_outstays_its_deadline_is_late_in_every_place),
        cmocka_unit_test(dead_chunks_are_late_where_their_pack_is),
        cmocka_unit_test(what_was_promised_is_held_against_the_oldest_snapshot),
        cmocka_unit_test(nights_without_a_run_are_missed),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
