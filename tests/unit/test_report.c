#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/mirror_world.h"
#include "../lib/scratch.h"
#include <muniment/evidence/report.h>
#include <muniment/repo/journal.h>
#include <muniment/util/clock.h>
#include <muniment/util/file.h>
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DAY = 86400, HOUR = 3600, NIGHTS = 3 };

static const struct policy POLICY = { .daily = 7, .interval = DAY, .timezone = "UTC" };

/* A repository with four nights and a mirror of it; what is in the report is of an hour after the last of them. */
struct world {
    struct mirror_world mirror;
    struct policy policy;
    struct report_place places[2];
    int64_t now;
    struct report report;
};

/* What a night's run does after its capture: ends the snapshot of a night, and copies. */
static void expire(struct world *world, int night) {
    struct err err = { 0 };
    struct purge_expiry expiry = { .head = world->mirror.heads[night], .reason = "test" };
    struct purge_options options = { .now = world->now, .expiries = &expiry, .expiry_count = 1 };
    struct purge_result result;
    assert_success(purge_run(&world->mirror.scratch.repo, &options, &result, &err), &err);
}

static void copy(struct world *world) {
    struct err err = { 0 };
    struct mirror_options options = { .name = "test", .copy = true, .verify_percent = 5, .now = world->now };
    struct mirror_result result;
    assert_success(mirror_run(&world->mirror.scratch.repo, world->mirror.mirror, &options, &result, &err), &err);
}

static void open_world(struct world *world) {
    mirror_world_open(&world->mirror);
    for (int night = 0; night < NIGHTS; night++)
        mirror_world_capture(&world->mirror, night);
    world->policy = POLICY;
    world->now = mirror_world_time(NIGHTS - 1) + HOUR;
    world->places[0] = (struct report_place){ .name = "repository",
                                              .address = world->mirror.scratch.folder,
                                              .store = world->mirror.scratch.store };
    world->places[1] = (struct report_place){
        .name = "test", .address = world->mirror.mirror_path, .store = world->mirror.mirror, .copy_interval = DAY
    };
    copy(world);
}

static void close_world(struct world *world) {
    report_release(&world->report);
    mirror_world_close(&world->mirror);
}

/* One for all that mend what they broke. */
static int begin(void **state) {
    struct world *world = mem_zalloc(sizeof *world);
    open_world(world);
    *state = world;
    return 0;
}

static int end(void **state) {
    close_world(*state);
    free(*state);
    return 0;
}

static struct report *look(struct world *world) {
    struct err err = { 0 };
    const struct report_request request = {
        .set = "app",
        .repo = &world->mirror.scratch.repo,
        .policy = &world->policy,
        .places = world->places,
        .place_count = 2,
        .from = mirror_world_time(-30),
        .until = world->now,
        .now = world->now,
    };
    report_release(&world->report);
    assert_success(report_make(&request, &world->report, &err), &err);
    return &world->report;
}

static void print_findings(const struct report *report) {
    for (size_t i = 0; i < report->finding_count; i++) {
        const struct report_finding *finding = &report->findings[i];
        print_error("%s, %s, %s: %s\n", finding_kind_text(finding->kind), finding->place ? finding->place : "-",
                    finding->object ? finding->object : "-", finding->text);
    }
}

/* Exactly one; its object, or NULL, and its place, or NULL. */
static void expect_finding(struct world *world, enum finding_kind kind, const char *place, const char *object) {
    const struct report *report = look(world);
    const struct report_finding *found = report->findings;
    if (report->finding_count != 1 || found->kind != kind || (place == NULL) != (found->place == NULL) ||
        (place && strcmp(place, found->place) != 0) || (object == NULL) != (found->object == NULL) ||
        (object && strcmp(object, found->object) != 0)) {
        print_findings(report);
        fail_msg("not the one finding %s, %s, %s", finding_kind_text(kind), place ? place : "-", object ? object : "-");
    }
    assert_int_equal(report->as_expected, kind == FINDING_EXCEPTION);
}

static void expect_none(struct world *world) {
    if (look(world)->finding_count > 0) {
        print_findings(&world->report);
        fail_msg("nobody expected a finding");
    }
    assert_true(world->report.as_expected);
}

/* --- what people do to stores ---------------------------------------------------------------------------------------
 */

static char *path_of(const struct world *world, int place, const char *object) {
    return mem_format("%s/%s/%s", place == 0 ? world->mirror.scratch.folder : world->mirror.mirror_path,
                      world->mirror.scratch.keys.set_name, object);
}

static void drop(const struct world *world, int place, const char *object) {
    char *path = path_of(world, place, object);
    assert_int_equal(unlink(path), 0);
    free(path);
}

/* Takes an object away; and puts the last one that was taken back. */
static void take(const struct world *world, int place, const char *object) {
    char *path = path_of(world, place, object), *aside = mem_format("%s/taken", world->mirror.folder);
    assert_int_equal(rename(path, aside), 0);
    free(path);
    free(aside);
}

static void mend(const struct world *world, int place, const char *object) {
    char *path = path_of(world, place, object), *aside = mem_format("%s/taken", world->mirror.folder);
    assert_int_equal(rename(aside, path), 0);
    free(path);
    free(aside);
}

static void write_object(const struct world *world, int place, const char *object, const void *data, size_t length) {
    struct err err = { 0 };
    char *path = path_of(world, place, object);
    assert_success(file_replace(path, 0600, data, length, &err), &err);
    free(path);
}

static struct buffer read_object(const struct world *world, int place, const char *object) {
    struct err err = { 0 };
    struct buffer bytes = { 0 };
    char *path = path_of(world, place, object);
    assert_success(file_read(path, 1 << 26, &bytes, &err), &err);
    free(path);
    return bytes;
}

static const char *head_of(const struct world *world, int night, char *name) {
    snprintf(name, REPO_NAME_MAX, "snapshots/%s", world->mirror.heads[night]);
    return name;
}

/* The name of a pack below the set's folder: the largest of a place. */
static const char *largest_pack(struct world *world, int place, char *name) {
    char whole[REPO_NAME_MAX];
    mirror_world_largest_pack(&world->mirror, place == 0 ? world->mirror.scratch.store : world->mirror.mirror, whole);
    return strcpy(name, whole + strlen(world->mirror.scratch.keys.set_name) + 1);
}

/* The last object of a folder, or the first. */
static const char *object_of(struct world *world, int place, const char *folder, bool last, char *name) {
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
    struct world *world = *state;
    expect_none(world);
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
    struct world own = { 0 }, *world = &own;
    open_world(world);
    char head[REPO_NAME_MAX];
    expire(world, 0);
    copy(world);
    world->now += HOUR;
    expect_none(world);
    const struct report *report = &world->report;
    size_t confirmed[2] = { 0, 0 };
    for (size_t i = 0; i < report->destruction_count; i++) {
        assert_int_equal(report->destructions[i].state, DESTRUCTION_CONFIRMED);
        confirmed[report->destructions[i].place] +=
            strcmp(report->destructions[i].object, head_of(world, 0, head)) == 0;
    }
    assert_int_equal(confirmed[0], 1);
    assert_int_equal(confirmed[1], 1);
    assert_string_equal(report->snapshots[0].name, world->mirror.heads[0]);
    assert_false(report->snapshots[0].exists);
    assert_true(report->snapshots[0].expired > 0);
    assert_string_equal(report->snapshots[0].reason, "test");
    close_world(world);
}

/* --- as it should not be --------------------------------------------------------------------------------------------
 */

static void a_head_that_was_deleted_is_missing(void **state) {
    struct world *world = *state;
    char head[REPO_NAME_MAX];
    take(world, 0, head_of(world, 1, head));
    expect_finding(world, FINDING_MISSING, "repository", head);
    assert_int_equal(world->report.snapshots[1].copies[0].state, COPY_ABSENT);
    assert_int_equal(world->report.snapshots[1].copies[1].state, COPY_WHOLE);
    assert_true(world->report.snapshots[1].head_known);
    mend(world, 0, head);

    take(world, 1, head);
    expect_finding(world, FINDING_MISSING, "test", head);
    mend(world, 1, head);
}

static void a_pack_that_was_deleted_is_missing(void **state) {
    struct world *world = *state;
    for (int place = 0; place < 2; place++) {
        char pack[REPO_NAME_MAX];
        take(world, place, largest_pack(world, place, pack));
        expect_finding(world, FINDING_MISSING, world->places[place].name, pack);
        size_t incomplete = 0;
        for (size_t i = 0; i < NIGHTS; i++)
            incomplete += world->report.snapshots[i].copies[place].state == COPY_INCOMPLETE;
        assert_true(incomplete > 0);
        mend(world, place, pack);
    }
    expect_none(world);
}

static void every_pack_that_is_deleted_is_missing(void **state) {
    struct world *world = *state;
    struct err err = { 0 };
    struct store_names names = { 0 };
    char folder[REPO_NAME_MAX];
    assert_success(store_names_load(world->mirror.scratch.store,
                                    repo_folder(&world->mirror.scratch.repo, folder, "packs"), &names, &err),
                   &err);
    for (size_t i = 0; i < names.count; i++) {
        const char *pack = names.items[i].name + strlen(world->mirror.scratch.keys.set_name) + 1;
        take(world, 0, pack);
        expect_finding(world, FINDING_MISSING, "repository", pack);
        mend(world, 0, pack);
    }
    assert_true(names.count > 2);
    store_names_release(&names);
}

static void a_pack_that_was_cut_is_told_of(void **state) {
    struct world *world = *state;
    char pack[REPO_NAME_MAX];
    struct buffer bytes = read_object(world, 1, largest_pack(world, 1, pack));
    take(world, 1, pack);
    write_object(world, 1, pack, bytes.data, bytes.length - 1);
    expect_finding(world, FINDING_TAMPERED, "test", pack);
    mend(world, 1, pack);
    buffer_release(&bytes);
}

static void an_object_that_nobody_knows_is_excess(void **state) {
    struct world *world = *state;
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
            expect_finding(world, FINDING_EXCESS, world->places[place].name, STRANGERS[i]);
            drop(world, place, STRANGERS[i]);
        }
    expect_none(world);
}

static void a_head_that_does_not_verify_is_told_of(void **state) {
    struct world *world = *state;
    char head[REPO_NAME_MAX], whole[REPO_NAME_MAX];
    mirror_world_flip(world->mirror.scratch.folder, mirror_world_head(&world->mirror, 2, whole));
    expect_finding(world, FINDING_TAMPERED, "repository", head_of(world, 2, head));
    mirror_world_flip(world->mirror.scratch.folder, whole);
}

static void a_journal_that_was_cut_anywhere_is_told_of(void **state) {
    struct world *world = *state;
    char segment[REPO_NAME_MAX];

    /* Its end: the mirror has it still. */
    take(world, 0, object_of(world, 0, "journal", true, segment));
    expect_finding(world, FINDING_TAMPERED, "test", segment);
    mend(world, 0, segment);
    expect_none(world);

    /* Its beginning: the chain does not reach back to it. */
    take(world, 0, object_of(world, 0, "journal", false, segment));
    look(world);
    assert_false(world->report.as_expected);
    assert_false(world->report.journal_whole);
    size_t told = 0;
    for (size_t i = 0; i < world->report.finding_count; i++)
        told += world->report.findings[i].kind == FINDING_TAMPERED;
    assert_int_equal(told, world->report.finding_count);
    mend(world, 0, segment);
}

static void a_mirror_whose_journal_was_cut_is_told_of(void **state) {
    struct world *world = *state;
    char segment[REPO_NAME_MAX];
    take(world, 1, object_of(world, 1, "journal", false, segment));
    expect_finding(world, FINDING_MISSING, "test", segment);
    mend(world, 1, segment);
}

static void a_mirror_that_cannot_be_reached_is_unknown(void **state) {
    struct world *world = *state;
    world->places[1].store = NULL;
    world->places[1].why = "nobody answers";
    expect_finding(world, FINDING_UNKNOWN, "test", NULL);
    assert_false(world->report.stores[1].reached);
    assert_int_equal(world->report.snapshots[0].copies[1].state, COPY_UNKNOWN);
    assert_int_equal(world->report.snapshots[0].copies[0].state, COPY_WHOLE);
    world->places[1].store = world->mirror.mirror;
    world->places[1].why = NULL;
}

static void an_expired_head_that_was_put_back_is_excess(void **state) {
    (void)state;
    struct world own = { 0 }, *world = &own;
    open_world(world);
    char head[REPO_NAME_MAX];
    struct buffer bytes = read_object(world, 0, head_of(world, 0, head));
    expire(world, 0);
    copy(world);
    world->now += HOUR;
    write_object(world, 0, head, bytes.data, bytes.length);
    buffer_release(&bytes);
    expect_finding(world, FINDING_EXCESS, "repository", head);
    close_world(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_as_it_should_be_gives_no_finding),
        cmocka_unit_test(what_a_rotation_ended_is_confirmed_in_every_place),
        cmocka_unit_test(a_head_that_was_deleted_is_missing),
        cmocka_unit_test(a_pack_that_was_deleted_is_missing),
        cmocka_unit_test(every_pack_that_is_deleted_is_missing),
        cmocka_unit_test(a_pack_that_was_cut_is_told_of),
        cmocka_unit_test(an_object_that_nobody_knows_is_excess),
        cmocka_unit_test(a_head_that_does_not_verify_is_told_of),
        cmocka_unit_test(a_journal_that_was_cut_anywhere_is_told_of),
        cmocka_unit_test(a_mirror_whose_journal_was_cut_is_told_of),
        cmocka_unit_test(a_mirror_that_cannot_be_reached_is_unknown),
        cmocka_unit_test(an_expired_head_that_was_put_back_is_excess),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
