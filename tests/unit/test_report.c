#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/mirror_world.h"
#include "../lib/scratch.h"
#include <muniment/evidence/report.h>
#include <muniment/util/clock.h>
#include <stdio.h>
#include <string.h>

enum { DAY = 86400 };

static const struct policy POLICY = { .daily = 7, .interval = DAY, .timezone = "UTC" };

/* The report of a world as of the hour after a night, on the days before it. */
static struct report make_report(struct mirror_world *world, int night) {
    struct err err = { 0 };
    struct report report;
    const struct report_place places[] = {
        { .name = "repository", .address = world->scratch.folder, .store = world->scratch.store },
        { .name = "test", .address = world->mirror_path, .store = world->mirror, .copy_interval = DAY },
    };
    const struct report_request request = {
        .set = "app",
        .repo = &world->scratch.repo,
        .policy = &POLICY,
        .places = places,
        .place_count = 2,
        .from = mirror_world_time(-30),
        .until = mirror_world_time(night) + 3600,
        .now = mirror_world_time(night) + 3600,
    };
    assert_success(report_make(&request, &report, &err), &err);
    return report;
}

/* Prints those that nobody expected. */
static void expect_findings(const struct report *report, size_t count) {
    for (size_t i = 0; i < report->finding_count && report->finding_count != count; i++) {
        const struct report_finding *finding = &report->findings[i];
        print_error("%s, %s, %s: %s\n", finding_kind_text(finding->kind), finding->place ? finding->place : "-",
                    finding->object ? finding->object : "-", finding->text);
    }
    assert_int_equal(report->finding_count, count);
}

static void what_is_as_it_should_be_gives_no_finding(void **state) {
    (void)state;
    struct mirror_world world;
    mirror_world_open(&world);
    for (int night = 0; night < 4; night++)
        mirror_world_capture(&world, night);
    mirror_world_sync(&world, true);
    struct report report = make_report(&world, 3);
    expect_findings(&report, 0);
    assert_true(report.as_expected);
    assert_int_equal(report.run_count, 4);
    assert_int_equal(report.snapshot_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(report.runs[i].outcome, RUN_OK);
        assert_string_equal(report.runs[i].snapshot, world.heads[i]);
        assert_string_equal(report.snapshots[i].name, world.heads[i]);
        assert_int_equal(report.snapshots[i].copies[0].state, COPY_WHOLE);
        assert_int_equal(report.snapshots[i].copies[1].state, COPY_WHOLE);
        assert_true(report.snapshots[i].copies[1].packs > 1);
    }
    report_release(&report);
    mirror_world_close(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_as_it_should_be_gives_no_finding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
