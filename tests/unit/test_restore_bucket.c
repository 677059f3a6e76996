#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>
#include <muniment/snapshot/capture.h>
#include <muniment/snapshot/restore.h>
#include <muniment/util/file.h>
#include <muniment/util/memory.h>

#include "../lib/bucket_backup.h"
#include "../lib/fault_proxy.h"
#include "../lib/rgw.h"
#include "../lib/scratch.h"

/* Objects of all sizes and kinds; returns how many. */
static uint64_t fill(struct bucket_world *world, bool large) {
    const uint64_t hard = bucket_world_put_hard(world);
    bucket_world_put(world, "page", "<p>", 3, "content-type", "text/html", "cache-control", "max-age=60",
                     "content-encoding", "identity", "expires", "Thu, 01 Dec 2044 16:00:00 GMT", "x-amz-meta-owner",
                     "some one", "x-amz-tagging", "a=1&b%20c=d%26e", NULL);
    if (large) {
        bucket_world_put_parts(world, "large in parts", 20 * 1048576, 5, 1);
        bucket_world_put_random(world, "large at once", 17 * 1048576 + 5, 9);
    }
    return hard + (large ? 3 : 1);
}

/* --- to buckets --------------------------------------------------------------------------------------------------- */

static void another_bucket_comes_to_hold_the_same(void **state) {
    struct bucket_backup *backup = test_rgw_ready(state);
    const uint64_t count = fill(&backup->world, true);
    bucket_backup_capture(backup);
    bucket_backup_expect_restored(backup, count, 0);

    /* Again: all of it is there, also what has another ETag for its parts. */
    bucket_backup_expect_restored(backup, count, count);

    /* One that is missing. */
    struct err err = { 0 };
    assert_success(s3_delete(backup->world.s3, backup->target, "empty", NULL, &err), &err);
    bucket_backup_expect_restored(backup, count, count - 1);
}

static void many_small_objects_are_compared_by_a_listing(void **state) {
    enum { COUNT = 300 };
    struct bucket_backup *backup = test_rgw_ready(state);
    struct fault_proxy *proxy = bucket_world_proxy(&backup->world);
    bucket_world_put_many(&backup->world, "k", COUNT);
    bucket_backup_capture(backup);
    fault_proxy_set(proxy, "");
    bucket_backup_expect_restored(backup, COUNT, 0);
    assert_true(fault_proxy_count(proxy, "head") <= 17);
    assert_int_equal(fault_proxy_count(proxy, "put"), COUNT);
    fault_proxy_set(proxy, "");
    bucket_backup_expect_restored(backup, COUNT, COUNT);
    assert_int_equal(fault_proxy_count(proxy, "put"), 0);
}

static void other_objects_are_replaced_only_when_told(void **state) {
    struct bucket_backup *backup = test_rgw_ready(state);
    struct err err = { 0 };
    const uint64_t count = fill(&backup->world, false);
    bucket_backup_capture(backup);
    assert_success(s3_put(backup->world.s3, backup->target, "empty", "not", 3, NULL, NULL, &err), &err);
    assert_failure(bucket_backup_restore(backup, "", &err), ERR_EXISTS, &err);
    assert_int_equal(bucket_world_count(&backup->world, backup->target, ""), 1);

    /* Equal content with other metadata is another object. */
    assert_success(s3_delete(backup->world.s3, backup->target, "empty", NULL, &err), &err);
    assert_success(s3_put(backup->world.s3, backup->target, "page", "<p>", 3, NULL, NULL, &err), &err);
    assert_int_equal(bucket_backup_restore(backup, "", &err), -1);
    assert_int_equal(err.code, ERR_EXISTS);
    assert_non_null(strstr(err.message, "/page'"));
    err_clear(&err);

    backup->options.overwrite = true;
    bucket_backup_expect_restored(backup, count, 0);
    bucket_backup_expect_restored(backup, count, count);
}

static void objects_go_back_to_the_bucket_they_came_from(void **state) {
    struct bucket_backup *backup = test_rgw_ready(state);
    struct err err = { 0 };
    const uint64_t count = fill(&backup->world, false);
    bucket_backup_capture(backup);
    char *service = mem_format("s3:%s", backup->world.service.endpoint);
    assert_success(bucket_backup_restore_to(backup, service, &err), &err);
    assert_int_equal(backup->result.unchanged, count);
    assert_success(s3_delete(backup->world.s3, backup->world.bucket, "page", NULL, &err), &err);
    assert_success(bucket_backup_restore_to(backup, service, &err), &err);
    assert_int_equal(backup->result.unchanged, count - 1);
    bucket_backup_expect_restored(backup, count, 0);
    free(service);
}

static void patterns_choose_and_a_prefix_moves(void **state) {
    struct bucket_backup *backup = test_rgw_ready(state);
    struct err err = { 0 };
    bucket_world_put(&backup->world, "docs/a", "a", 1, NULL);
    bucket_world_put(&backup->world, "docs/b", "b", 1, NULL);
    bucket_world_put(&backup->world, "other", "o", 1, NULL);
    bucket_backup_capture(backup);
    char *pattern = mem_format("%s/docs/*", backup->world.bucket);
    backup->options.patterns = &pattern;
    backup->options.pattern_count = 1;
    assert_success(bucket_backup_restore(backup, "moved/to", &err), &err);
    assert_int_equal(backup->result.entries, 2);
    bucket_world_compare(&backup->world, backup->world.bucket, "docs/", backup->target, "moved/to/docs/");
    assert_int_equal(bucket_world_count(&backup->world, backup->target, ""), 2);
    free(pattern);

    pattern = mem_string("no such object");
    assert_failure(bucket_backup_restore(backup, "moved/to", &err), ERR_NOT_FOUND, &err);
    free(pattern);
}

static void several_buckets_go_below_their_names(void **state) {
    struct bucket_backup *backup = test_rgw_ready(state);
    struct err err = { 0 };
    char *other = test_rgw_bucket(TEST_BUCKET_PLAIN);
    bucket_world_put(&backup->world, "same key", "one", 3, NULL);
    assert_success(s3_put(backup->world.s3, other, "same key", "other", 5, NULL, NULL, &err), &err);
    backup->world.places[1] = bucket_world_address(&backup->world, other, "");
    backup->world.source.bucket.places.count = 2;
    bucket_backup_capture(backup);
    assert_success(bucket_backup_restore(backup, "", &err), &err);
    char *first = mem_format("%s/", backup->world.bucket), *second = mem_format("%s/", other);
    bucket_world_compare(&backup->world, backup->world.bucket, "", backup->target, first);
    bucket_world_compare(&backup->world, other, "", backup->target, second);
    free(first);
    free(second);
    test_rgw_drop(other);
}

static void a_refused_write_is_an_error_and_leaves_no_upload(void **state) {
    struct bucket_backup *backup = test_rgw_ready(state);
    struct fault_proxy *proxy = bucket_world_proxy(&backup->world);
    struct err err = { 0 };
    struct buffer uploads = { 0 };
    bucket_world_put_random(&backup->world, "large", 40 * 1048576, 1);
    bucket_world_put(&backup->world, "small", "s", 1, NULL);
    bucket_backup_capture(backup);
    fault_proxy_set(proxy, "status code=403 error=AccessDenied kind=part skip=1 count=1");
    assert_int_equal(bucket_backup_restore(backup, "", &err), -1);
    assert_int_equal(err.code, ERR_DENIED);
    assert_non_null(strstr(err.message, "large"));
    err_clear(&err);
    fault_proxy_set(proxy, "");
    test_rgw_admin(&uploads, "uploads", backup->target, NULL);
    assert_int_equal(uploads.length, 0);
    buffer_release(&uploads);

    assert_success(s3_delete(backup->world.s3, backup->target, "small", NULL, &err), &err);
    fault_proxy_set(proxy, "status code=403 error=AccessDenied kind=put key=small");
    assert_failure(bucket_backup_restore(backup, "", &err), ERR_DENIED, &err);
}

static void a_service_without_tags_gets_the_objects_without(void **state) {
    struct bucket_backup *backup = test_rgw_ready(state);
    struct err err = { 0 };
    bucket_world_put(&backup->world, "tagged", "t", 1, "x-amz-tagging", "a=1", "x-amz-meta-m", "n", NULL);
    bucket_backup_capture(backup);
    struct fault_proxy *proxy = fault_proxy_start();
    char *address = mem_format("s3:%s/%s", fault_proxy_endpoint(proxy), backup->target);
    fault_proxy_set(proxy, "status code=501 error=NotImplemented kind=put count=1");
    assert_success(bucket_backup_restore_to(backup, address, &err), &err);
    struct s3_info info = { 0 };
    assert_success(s3_head(backup->world.s3, backup->target, "tagged", NULL, &info, &err), &err);
    assert_string_equal(s3_headers_find(&info.headers, "x-amz-meta-m"), "n");
    assert_null(s3_headers_find(&info.headers, "x-amz-tagging-count"));
    s3_info_release(&info);
    free(address);
    fault_proxy_stop(proxy);
}

/* Libraries for V2 know little of headers, but content and keys come whole. */
static void a_service_that_knows_only_v2_is_captured_and_restored_to(void **state) {
    struct bucket_backup *backup = test_rgw_ready(state);
    backup->world.service.signature = S3_SIGNATURE_V2;
    bucket_world_put_many(&backup->world, "many/", 40);
    bucket_world_put(&backup->world, "a+b=c//d", "odd", 3, "content-type", "text/html", "x-amz-meta-owner", "me", NULL);
    bucket_world_put_random(&backup->world, "large", 20 * 1048576, 1);
    bucket_backup_capture(backup);
    bucket_backup_expect_restored(backup, 42, 0);
    bucket_backup_expect_restored(backup, 42, 42);
}

/* --- to a folder, and elsewhere ----------------------------------------------------------------------------------- */

static void objects_become_files_with_what_names_them(void **state) {
    struct bucket_backup *backup = test_rgw_ready(state);
    struct err err = { 0 };
    const uint64_t count = fill(&backup->world, false);
    bucket_world_put(&backup->world, "a", "a", 1, NULL);
    bucket_world_put(&backup->world, "a/b", "in the way", 10, NULL);
    bucket_world_put(&backup->world, "c/d", "d", 1, NULL);
    bucket_backup_capture(backup);
    bucket_backup_restore_files(backup);
    assert_int_equal(backup->result.entries, count + 2);
    assert_int_equal(backup->result.incomplete, 1);
    bucket_backup_assert_file(backup, "a", "a");
    bucket_backup_assert_file(backup, "c/d", "d");
    bucket_backup_assert_file(backup, "a+b", "a+b");
    bucket_backup_assert_file(backup, "a%252Fb", "a%2Fb");
    bucket_backup_assert_file(backup, "double/%2Fslash", "double//slash");
    bucket_backup_assert_file(backup, "%2E/dot", "./dot");
    bucket_backup_assert_file(backup, "up/%2E./down", "up/../down");
    bucket_backup_assert_file(backup, "%2Fleading", "/leading");
    bucket_backup_assert_file(backup, "trailing%2F", "trailing/");
    bucket_backup_assert_file(backup, "new\nline", "new\nline");

    char *page = bucket_backup_path(backup, "page");
    struct stat status;
    struct s3_info info = { 0 };
    assert_int_equal(stat(page, &status), 0);
    assert_success(s3_head(backup->world.s3, backup->world.bucket, "page", NULL, &info, &err), &err);
    assert_int_equal(status.st_mtime, info.modified);
    assert_int_equal(status.st_mode & 0777, 0600);
    char value[64] = "";
    if (getxattr(page, "user.s3.meta.owner", value, sizeof value - 1) > 0) /* where the filesystem has them */
        assert_string_equal(value, "some one");
    s3_info_release(&info);
    free(page);
}

static void one_object_goes_to_a_descriptor(void **state) {
    struct bucket_backup *backup = test_rgw_ready(state);
    struct err err = { 0 };
    int ends[2];
    char got[32] = "";
    bucket_world_put(&backup->world, "a//b", "content", 7, NULL);
    bucket_world_put(&backup->world, "c", "other", 5, NULL);
    bucket_backup_capture(backup);
    char *pattern = mem_format("%s/a//b", backup->world.bucket);
    backup->options.patterns = &pattern;
    backup->options.pattern_count = 1;
    assert_int_equal(pipe(ends), 0);
    assert_success(restore_to_descriptor(&backup->scratch.repo, &backup->options, ends[1], &backup->result, &err),
                   &err);
    assert_int_equal(read(ends[0], got, sizeof got - 1), 7);
    assert_string_equal(got, "content");
    close(ends[0]);
    close(ends[1]);
    free(pattern);
}

/* --- through the pipeline ----------------------------------------------------------------------------------------- */

static void a_second_capture_keeps_what_did_not_change(void **state) {
    struct bucket_backup *backup = test_rgw_ready(state);
    struct fault_proxy *proxy = bucket_world_proxy(&backup->world);
    uint64_t count = fill(&backup->world, false);
    bucket_backup_capture(backup);
    bucket_world_put(&backup->world, "a new one", "new", 3, NULL);
    bucket_world_put(&backup->world, "empty", "no more", 7, NULL);
    fault_proxy_set(proxy, "");
    bucket_backup_capture(backup);
    assert_int_equal(fault_proxy_count(proxy, "get"), 2);
    bucket_backup_expect_restored(backup, count + 1, 0);
    fault_proxy_set(proxy, "");
    bucket_backup_capture(backup);
    assert_int_equal(fault_proxy_count(proxy, "get"), 0);
    assert_int_equal(backup->head.sources[0].stored_bytes, 0);
    bucket_backup_expect_restored(backup, count + 1, count + 1);
}

/* The database's end is the bucket's beginning, whatever the configuration says first. */
static void databases_are_captured_before_buckets(void **state) {
    struct bucket_backup *backup = test_rgw_ready(state);
    struct err err = { 0 };
    char *word[3] = { TEXT("/bin/sh"), TEXT("-c"), TEXT("sleep 1.2; echo rows") };
    bucket_world_put(&backup->world, "object", "o", 1, NULL);
    struct source sources[2] = { backup->world.source, { .name = TEXT("rows"), .kind = &SOURCE_COMMAND } };
    sources[1].command.arguments = (struct strings){ word, 3 };
    const struct capture_options options = { .sources = sources, .source_count = 2, .policy = &backup->policy };
    assert_success(capture_run(&backup->scratch.repo, &options, &backup->head, &err), &err);
    assert_string_equal(backup->head.sources[0].name, "objects");
    assert_true(backup->head.sources[1].finished <= backup->head.sources[0].started);
    assert_true(backup->head.sources[1].started < backup->head.sources[0].started);
}

static void the_window_reaches_from_databases_to_buckets(void **state) {
    (void)state;
    struct head_source sources[] = {
        { .kind = TEXT("s3"), .outcome = OUTCOME_COMPLETE, .started = 130, .finished = 150 },
        { .kind = TEXT("postgres"), .outcome = OUTCOME_COMPLETE, .started = 110, .finished = 120 },
        { .kind = TEXT("postgres"), .outcome = OUTCOME_PARTIAL, .started = 100, .finished = 110 },
        { .kind = TEXT("postgres"), .outcome = OUTCOME_FAILED, .started = 90, .finished = 91 },
        { .kind = TEXT("files"), .outcome = OUTCOME_COMPLETE, .started = 80, .finished = 190 },
        { .kind = TEXT("s3"), .outcome = OUTCOME_COMPLETE, .started = 150, .finished = 170 },
    };
    struct head head = { .sources = sources, .source_count = 6 };
    int64_t from, until;
    assert_true(capture_window(&head, &from, &until));
    assert_int_equal(from, 100);
    assert_int_equal(until, 170);
    head.source_count = 1;
    assert_false(capture_window(&head, &from, &until));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_window_reaches_from_databases_to_buckets),
        cmocka_unit_test_setup_teardown(another_bucket_comes_to_hold_the_same, bucket_backup_make, bucket_backup_drop),
        cmocka_unit_test_setup_teardown(many_small_objects_are_compared_by_a_listing, bucket_backup_make,
                                        bucket_backup_drop),
        cmocka_unit_test_setup_teardown(other_objects_are_replaced_only_when_told, bucket_backup_make,
                                        bucket_backup_drop),
        cmocka_unit_test_setup_teardown(objects_go_back_to_the_bucket_they_came_from, bucket_backup_make,
                                        bucket_backup_drop),
        cmocka_unit_test_setup_teardown(patterns_choose_and_a_prefix_moves, bucket_backup_make, bucket_backup_drop),
        cmocka_unit_test_setup_teardown(several_buckets_go_below_their_names, bucket_backup_make, bucket_backup_drop),
        cmocka_unit_test_setup_teardown(a_refused_write_is_an_error_and_leaves_no_upload, bucket_backup_make,
                                        bucket_backup_drop),
        cmocka_unit_test_setup_teardown(a_service_without_tags_gets_the_objects_without, bucket_backup_make,
                                        bucket_backup_drop),
        cmocka_unit_test_setup_teardown(a_service_that_knows_only_v2_is_captured_and_restored_to, bucket_backup_make,
                                        bucket_backup_drop),
        cmocka_unit_test_setup_teardown(objects_become_files_with_what_names_them, bucket_backup_make,
                                        bucket_backup_drop),
        cmocka_unit_test_setup_teardown(one_object_goes_to_a_descriptor, bucket_backup_make, bucket_backup_drop),
        cmocka_unit_test_setup_teardown(a_second_capture_keeps_what_did_not_change, bucket_backup_make,
                                        bucket_backup_drop),
        cmocka_unit_test_setup_teardown(databases_are_captured_before_buckets, bucket_backup_make, bucket_backup_drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
