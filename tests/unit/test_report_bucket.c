/* Reports on a mirror in a bucket with versions: what is hidden counts as existing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/report_world.h"
#include "../lib/scratch.h"
#include "../lib/scratch_bucket.h"
#include <muniment/repo/journal.h>
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DAY = 86400, HOUR = 3600 };

struct reported_bucket {
    struct report_world report;
    struct scratch_bucket *bucket;
};

/* False where there is no server to be had. `guest`: the mirror is written by a key that may not delete. */
static bool open_world(struct reported_bucket *there, enum test_bucket kind, bool guest) {
    struct err err = { 0 };
    struct store *store;
    enum s3_lock_mode lock = kind == TEST_BUCKET_LOCKED ? S3_LOCK_GOVERNANCE : S3_LOCK_NONE;
    if (!test_rgw_available())
        return false;
    *there = (struct reported_bucket){ .bucket = scratch_bucket_new(kind) };
    if (guest)
        scratch_bucket_invite(there->bucket);
    const char *path = guest ? there->bucket->guest : there->bucket->address;
    const struct store_address address = { .path = path, .services = &there->bucket->services, .lock = lock };
    assert_success(store_open(&address, true, &store, &err), &err);
    report_world_open(&there->report, store, path);
    there->report.places[1].lock = lock;
    return true;
}

static void close_world(struct reported_bucket *there) {
    report_world_close(&there->report);
    scratch_bucket_drop(there->bucket);
}

static char *key_of(const struct reported_bucket *there, const char *object) {
    return mem_format("p/%s/%s", there->report.mirror.scratch.keys.set_name, object);
}

/* Without a version's id: a hide marker. */
static void hide(struct reported_bucket *there, const char *object) {
    struct err err = { 0 };
    char *key = key_of(there, object);
    assert_success(s3_delete(there->bucket->client, there->bucket->name, key, NULL, &err), &err);
    free(key);
}

static void put(struct reported_bucket *there, const char *object, const void *data, size_t length) {
    struct err err = { 0 };
    const struct s3_put options = { 0 };
    char *key = key_of(there, object);
    assert_success(s3_put(there->bucket->client, there->bucket->name, key, data, length, &options, NULL, &err), &err);
    free(key);
}

static struct buffer read_object(struct reported_bucket *there, const char *object) {
    struct err err = { 0 };
    struct buffer bytes = { 0 };
    char name[REPO_NAME_MAX];
    snprintf(name, sizeof name, "%s/%s", there->report.mirror.scratch.keys.set_name, object);
    assert_success(store_get(there->report.mirror.mirror, name, 1 << 26, &bytes, &err), &err);
    return bytes;
}

/* What a run says that could not destroy an object of the mirror. */
static void journal_for_mirror(struct reported_bucket *there, const char *event, const char *object,
                               const char *until) {
    struct err err = { 0 };
    struct journal_batch batch = { 0 };
    journal_add(&batch, there->report.now, event, "object", object, "mirror", "test", until ? "until" : NULL, until,
                NULL);
    assert_success(journal_append(&there->report.mirror.scratch.repo, &batch, &err), &err);
    journal_batch_release(&batch);
}

/* How many findings the last look has of this kind on this object of the mirror. */
static size_t count_findings(const struct reported_bucket *there, enum finding_kind kind, const char *object) {
    const struct report *report = &there->report.report;
    size_t count = 0;
    for (size_t i = 0; i < report->finding_count; i++) {
        const struct report_finding *finding = &report->findings[i];
        count += finding->kind == kind && finding->place && strcmp(finding->place, "test") == 0 && finding->object &&
                 strcmp(finding->object, object) == 0;
    }
    return count;
}

/* --- tests ----------------------------------------------------------------------------------------------------------
 */

static void what_is_destroyed_in_a_bucket_is_confirmed_with_its_versions(void **state) {
    (void)state;
    struct reported_bucket there;
    char head[REPO_NAME_MAX];
    if (!open_world(&there, TEST_BUCKET_VERSIONED, false))
        skip();
    report_world_expect_none(&there.report);
    struct buffer bytes = read_object(&there, report_world_head(&there.report, 0, head));
    report_world_expire(&there.report, 0, 0);
    report_world_copy(&there.report);
    there.report.now += HOUR;
    report_world_expect_none(&there.report);
    size_t with_ids = 0;
    for (size_t i = 0; i < there.report.report.destruction_count; i++) {
        const struct report_destruction *destruction = &there.report.report.destructions[i];
        assert_int_equal(destruction->state, DESTRUCTION_CONFIRMED);
        with_ids += destruction->place == 1 && destruction->ids != NULL && destruction->versions == 1;
    }
    assert_true(with_ids >= 2);

    /* What came back is excess; past a deadline it is late. */
    put(&there, head, bytes.data, bytes.length);
    buffer_release(&bytes);
    report_world_expect(&there.report, FINDING_EXCESS, "test", head);
    there.report.now += 2 * DAY;
    report_world_look(&there.report); /* without a cap there is no deadline */
    assert_int_equal(count_findings(&there, FINDING_EXCESS, head), 1);
    assert_int_equal(count_findings(&there, FINDING_LATE, head), 0);
    there.report.policy.max_age = 100 * DAY;
    report_world_look(&there.report);
    assert_int_equal(count_findings(&there, FINDING_LATE, head), 1);

    /* That somebody hid it is excess, that a run did is an exception. */
    there.report.policy.max_age = 0;
    hide(&there, head);
    report_world_look(&there.report);
    assert_int_equal(count_findings(&there, FINDING_EXCESS, head), 1);
    journal_for_mirror(&there, "hidden", head, NULL);
    report_world_look(&there.report);
    assert_int_equal(count_findings(&there, FINDING_EXCESS, head), 0);
    assert_int_equal(count_findings(&there, FINDING_EXCEPTION, head), 1);
    close_world(&there);
}

static void a_legal_hold_is_taken_to_last_a_week(void **state) {
    (void)state;
    struct reported_bucket there;
    char head[REPO_NAME_MAX];
    if (!open_world(&there, TEST_BUCKET_VERSIONED, false))
        skip();
    report_world_expire(&there.report, 0, 0);
    report_world_head(&there.report, 0, head);
    journal_for_mirror(&there, "refused", head, "hold");
    there.report.now += HOUR;
    report_world_look(&there.report);
    assert_int_equal(count_findings(&there, FINDING_EXCEPTION, head), 1);
    there.report.now += 7 * DAY;
    report_world_look(&there.report);
    assert_int_equal(count_findings(&there, FINDING_EXCEPTION, head), 0);
    assert_int_equal(count_findings(&there, FINDING_EXCESS, head), 1);
    close_world(&there);
}

static void what_is_hidden_or_lies_beneath_is_told_of(void **state) {
    (void)state;
    struct reported_bucket there;
    char head[REPO_NAME_MAX], pack[REPO_NAME_MAX];
    if (!open_world(&there, TEST_BUCKET_VERSIONED, false))
        skip();
    struct buffer bytes = read_object(&there, report_world_pack(&there.report, 1, pack));
    put(&there, pack, bytes.data, bytes.length);
    report_world_expect(&there.report, FINDING_EXCESS, "test", pack);
    buffer_release(&bytes);

    hide(&there, pack);
    report_world_expect(&there.report, FINDING_MISSING, "test", pack);
    assert_int_equal(there.report.report.stores[1].hidden, 1);
    assert_true(there.report.report.stores[1].hidden_bytes > 0);

    hide(&there, report_world_head(&there.report, 1, head));
    report_world_look(&there.report);
    assert_int_equal(count_findings(&there, FINDING_MISSING, head), 1);
    assert_int_equal(count_findings(&there, FINDING_MISSING, pack), 1);
    assert_int_equal(there.report.report.finding_count, 2);
    assert_int_equal(there.report.report.snapshots[1].copies[1].state, COPY_HIDDEN);
    close_world(&there);
}

/* An append-only key: what goes is hidden, and its bytes exist. */
static void what_a_key_may_only_hide_exists_still(void **state) {
    (void)state;
    struct reported_bucket there;
    char head[REPO_NAME_MAX];
    if (!open_world(&there, TEST_BUCKET_VERSIONED, true))
        skip();
    report_world_expire(&there.report, 0, 0);
    report_world_copy(&there.report);
    there.report.now += HOUR;
    const struct report *report = report_world_look(&there.report);
    assert_true(report->as_expected);
    assert_true(report->finding_count > 1);
    report_world_head(&there.report, 0, head);
    size_t hidden = 0;
    for (size_t i = 0; i < report->destruction_count; i++)
        hidden += report->destructions[i].state == DESTRUCTION_HIDDEN && report->destructions[i].place == 1 &&
                  strcmp(report->destructions[i].object, head) == 0;
    assert_int_equal(hidden, 1);
    assert_int_equal(report->snapshots[0].copies[1].state, COPY_HIDDEN);

    /* Hidden or not, it had to be gone. */
    there.report.policy.max_age = 100 * DAY;
    there.report.now += 3 * DAY;
    report_world_look(&there.report);
    assert_int_equal(count_findings(&there, FINDING_LATE, head), 1);
    close_world(&there);
}

static void a_lock_is_told_of_and_what_it_refuses_is_an_exception(void **state) {
    (void)state;
    struct reported_bucket there;
    struct err err = { 0 };
    char head[REPO_NAME_MAX], name[2 * REPO_NAME_MAX];
    int64_t until = clock_now() + 2 * DAY;
    if (!open_world(&there, TEST_BUCKET_LOCKED, false))
        skip();
    const struct report_snapshot *snapshots = report_world_look(&there.report)->snapshots;
    assert_int_equal(snapshots[0].copies[1].locked_until, 0);
    snprintf(name, sizeof name, "%s/%s", there.report.mirror.scratch.keys.set_name,
             report_world_head(&there.report, 0, head));
    assert_success(store_lock_until(there.report.mirror.mirror, name, until, &err), &err);
    report_world_expect_none(&there.report);
    snapshots = there.report.report.snapshots;
    assert_int_equal(snapshots[0].copies[1].locked_until, until);
    assert_int_equal(snapshots[0].copies[0].locked_until, 0);
    assert_int_equal(snapshots[1].copies[1].locked_until, 0);

    report_world_expire(&there.report, 0, 0);
    report_world_copy(&there.report);
    there.report.now += HOUR;
    const struct report *report = report_world_look(&there.report);
    assert_true(report->as_expected);
    assert_int_equal(count_findings(&there, FINDING_EXCEPTION, head), 1);
    size_t refused = 0;
    for (size_t i = 0; i < report->destruction_count; i++)
        if (report->destructions[i].place == 1 && strcmp(report->destructions[i].object, head) == 0) {
            assert_int_equal(report->destructions[i].state, DESTRUCTION_REFUSED);
            assert_int_equal(report->destructions[i].refused_until, until);
            refused++;
        }
    assert_int_equal(refused, 1);
    assert_int_equal(report->snapshots[0].copies[1].locked_until, until);

    /* A lock that is over holds nothing. */
    there.report.now = until + 1;
    report = report_world_look(&there.report);
    assert_int_equal(report->snapshots[0].copies[1].locked_until, 0);
    close_world(&there);
}

static void an_upload_that_nobody_finished_is_excess(void **state) {
    (void)state;
    struct reported_bucket there;
    struct err err = { 0 };
    const struct s3_put options = { 0 };
    char *upload = NULL;
    if (!open_world(&there, TEST_BUCKET_VERSIONED, false))
        skip();
    char *key = key_of(&there, "packs/aa/left");
    assert_success(s3_multipart_begin(there.bucket->client, there.bucket->name, key, &options, &upload, &err), &err);
    there.report.now = clock_now() + DAY / 2;
    report_world_look(&there.report);
    assert_int_equal(count_findings(&there, FINDING_EXCESS, "packs/aa/left"), 0);
    there.report.now += DAY;
    report_world_look(&there.report);
    assert_int_equal(count_findings(&there, FINDING_EXCESS, "packs/aa/left"), 1);
    assert_success(s3_multipart_abort(there.bucket->client, there.bucket->name, key, upload, &err), &err);
    report_world_look(&there.report);
    assert_int_equal(count_findings(&there, FINDING_EXCESS, "packs/aa/left"), 0);
    free(upload);
    free(key);
    close_world(&there);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_destroyed_in_a_bucket_is_confirmed_with_its_versions),
        cmocka_unit_test(a_legal_hold_is_taken_to_last_a_week),
        cmocka_unit_test(what_is_hidden_or_lies_beneath_is_told_of),
        cmocka_unit_test(what_a_key_may_only_hide_exists_still),
        cmocka_unit_test(a_lock_is_told_of_and_what_it_refuses_is_an_exception),
        cmocka_unit_test(an_upload_that_nobody_finished_is_excess),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
