#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "report_world.h"
#include "scratch.h"
#include <stdio.h>
#include <string.h>

enum { DAY = 86400, HOUR = 3600 };

void report_world_expire(struct report_world *world, int night, int64_t purge_within) {
    struct err err = { 0 };
    struct purge_expiry expiry = { .head = world->mirror.heads[night], .reason = "test" };
    struct purge_options options = {
        .now = world->now, .purge_within = purge_within, .patient = true, .expiries = &expiry, .expiry_count = 1
    };
    struct purge_result result;
    assert_success(purge_run(&world->mirror.scratch.repo, &options, &result, &err), &err);
}

void report_world_copy(struct report_world *world) {
    struct err err = { 0 };
    struct mirror_options options = { .name = "test", .copy = true, .verify_percent = 5, .now = world->now };
    struct mirror_result result;
    assert_success(mirror_run(&world->mirror.scratch.repo, world->mirror.mirror, &options, &result, &err), &err);
}

void report_world_open(struct report_world *world, struct store *mirror, const char *address) {
    *world = (struct report_world){ 0 };
    mirror_world_open(&world->mirror);
    for (int night = 0; night < REPORT_WORLD_NIGHTS; night++)
        mirror_world_capture(&world->mirror, night);
    if (mirror) {
        store_close(world->mirror.mirror);
        world->mirror.mirror = mirror;
    }
    world->policy = (struct policy){ .daily = 7, .interval = DAY, .timezone = "UTC" };
    world->now = mirror_world_time(REPORT_WORLD_NIGHTS - 1) + HOUR;
    world->places[0] = (struct report_place){ .name = "repository",
                                              .address = world->mirror.scratch.folder,
                                              .store = world->mirror.scratch.store };
    world->places[1] = (struct report_place){ .name = "test",
                                              .address = mirror ? address : world->mirror.mirror_path,
                                              .store = world->mirror.mirror,
                                              .copy_interval = DAY };
    report_world_copy(world);
}

void report_world_close(struct report_world *world) {
    report_release(&world->report);
    mirror_world_close(&world->mirror);
}

const struct report *report_world_look(struct report_world *world) {
    struct err err = { 0 };
    const struct report_request request = {
        .set = "app",
        .repo = &world->mirror.scratch.repo,
        .policy = &world->policy,
        .erasure_promise = world->promise,
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

void report_world_print(const struct report_world *world) {
    for (size_t i = 0; i < world->report.finding_count; i++) {
        const struct report_finding *finding = &world->report.findings[i];
        print_error("%s, %s, %s: %s\n", finding_kind_text(finding->kind), finding->place ? finding->place : "-",
                    finding->object ? finding->object : "-", finding->text);
    }
}

static bool equal(const char *wanted, const char *found) {
    return wanted && found ? strcmp(wanted, found) == 0 : wanted == found;
}

void report_world_expect(struct report_world *world, enum finding_kind kind, const char *place, const char *object) {
    const struct report *report = report_world_look(world);
    if (report->finding_count != 1 || report->findings[0].kind != kind || !equal(place, report->findings[0].place) ||
        !equal(object, report->findings[0].object)) {
        report_world_print(world);
        fail_msg("not the one finding %s, %s, %s", finding_kind_text(kind), place ? place : "-", object ? object : "-");
    }
    assert_int_equal(report->as_expected, kind == FINDING_EXCEPTION);
}

void report_world_expect_none(struct report_world *world) {
    if (report_world_look(world)->finding_count > 0) {
        report_world_print(world);
        fail_msg("nobody expected a finding");
    }
    assert_true(world->report.as_expected);
}

const char *report_world_head(const struct report_world *world, int night, char *name) {
    snprintf(name, REPO_NAME_MAX, "snapshots/%s", world->mirror.heads[night]);
    return name;
}

const char *report_world_pack(struct report_world *world, int place, char *name) {
    char whole[REPO_NAME_MAX];
    mirror_world_largest_pack(&world->mirror, place == 0 ? world->mirror.scratch.store : world->mirror.mirror, whole);
    return strcpy(name, whole + strlen(world->mirror.scratch.keys.set_name) + 1);
}
