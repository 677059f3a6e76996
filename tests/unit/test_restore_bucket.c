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

#include "../lib/bucket_world.h"
#include "../lib/fault_proxy.h"
#include "../lib/rgw.h"
#include "../lib/scratch.h"
#include "../lib/scratch_repo.h"

/* A bucket, a repository for its snapshots, another bucket to restore to. */
struct fixture {
    struct scratch_repo scratch;
    struct bucket_world world;
    struct policy policy;
    char *target; /* the other bucket */
    char *folder, *state;
    struct head head;
    struct restore_options options;
    struct restore_result result;
};

static int make(void **state) {
    struct fixture *fixture = mem_zalloc(sizeof *fixture);
    struct err err = { 0 };

    *state = fixture;
    if (!test_rgw_available())
        return 0;
    scratch_repo_open(&fixture->scratch);
    bucket_world_open(&fixture->world);
    fixture->policy = (struct policy){ .daily = 7, .interval = 86400, .timezone = "UTC" };
    fixture->target = test_rgw_bucket(TEST_BUCKET_PLAIN);
    fixture->folder = scratch_make();
    fixture->state = mem_format("%s/state", fixture->folder);
    assert_success(file_make_folders(fixture->state, 0700, &err), &err);
    fixture->options.head = &fixture->head;
    return 0;
}

static int drop(void **state) {
    struct fixture *fixture = *state;

    if (test_rgw_available()) {
        head_release(&fixture->head);
        bucket_world_close(&fixture->world);
        test_rgw_drop(fixture->target);
        scratch_repo_close(&fixture->scratch);
        free(fixture->state);
        scratch_remove(fixture->folder);
    }
    free(fixture);
    return 0;
}

static void capture(struct fixture *fixture) {
    struct err err = { 0 };
    const struct capture_options options = {
        .sources = &fixture->world.source,
        .source_count = 1,
        .policy = &fixture->policy,
        .state_folder = fixture->state,
    };
    head_release(&fixture->head);
    assert_success(capture_run(&fixture->scratch.repo, &options, &fixture->head, &err), &err);
    for (size_t i = 0; i < fixture->head.sources[0].trouble_count; i++)
        print_message("%s\n", fixture->head.sources[0].troubles[i]);
    assert_int_equal(fixture->head.outcome, OUTCOME_COMPLETE);
}

static int restore_to(struct fixture *fixture, const char *address, struct err *err) {
    return restore_to_bucket(&fixture->scratch.repo, &fixture->options, address, &fixture->world.services,
                             &fixture->result, err);
}

static int restore(struct fixture *fixture, struct err *err) {
    char *address = bucket_world_address(&fixture->world, fixture->target, "");
    const int result = restore_to(fixture, address, err);
    free(address);
    return result;
}

static void assert_restores(struct fixture *fixture, uint64_t entries, uint64_t unchanged) {
    struct err err = { 0 };
    assert_success(restore(fixture, &err), &err);
    assert_int_equal(fixture->result.entries, entries);
    assert_int_equal(fixture->result.unchanged, unchanged);
    bucket_world_compare(&fixture->world, fixture->world.bucket, "", fixture->target, "");
}

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
    struct fixture *fixture = test_rgw_ready(state);
    const uint64_t count = fill(&fixture->world, true);
    capture(fixture);
    assert_restores(fixture, count, 0);

    /* Again: all of it is there, also what has another ETag for its parts. */
    assert_restores(fixture, count, count);

    /* One that is missing, and one that is cut short. */
    struct err err = { 0 };
    assert_success(s3_delete(fixture->world.s3, fixture->target, "empty", NULL, &err), &err);
    assert_restores(fixture, count, count - 1);
}

static void many_small_objects_are_compared_by_a_listing(void **state) {
    enum { COUNT = 300 };
    struct fixture *fixture = test_rgw_ready(state);
    struct fault_proxy *proxy = bucket_world_proxy(&fixture->world);
    bucket_world_put_many(&fixture->world, "k", COUNT);
    capture(fixture);
    fault_proxy_set(proxy, "");
    assert_restores(fixture, COUNT, 0);
    assert_true(fault_proxy_count(proxy, "head") <= 17);
    assert_int_equal(fault_proxy_count(proxy, "put"), COUNT);
    fault_proxy_set(proxy, "");
    assert_restores(fixture, COUNT, COUNT);
    assert_int_equal(fault_proxy_count(proxy, "put"), 0);
}

static void other_objects_are_replaced_only_when_told(void **state) {
    struct fixture *fixture = test_rgw_ready(state);
    struct err err = { 0 };
    const uint64_t count = fill(&fixture->world, false);
    capture(fixture);
    assert_success(s3_put(fixture->world.s3, fixture->target, "empty", "not", 3, NULL, NULL, &err), &err);
    assert_failure(restore(fixture, &err), ERR_EXISTS, &err);
    assert_int_equal(bucket_world_count(&fixture->world, fixture->target, ""), 1);

    /* Equal content with other metadata is another object. */
    assert_success(s3_delete(fixture->world.s3, fixture->target, "empty", NULL, &err), &err);
    assert_success(s3_put(fixture->world.s3, fixture->target, "page", "<p>", 3, NULL, NULL, &err), &err);
    assert_int_equal(restore(fixture, &err), -1);
    assert_int_equal(err.code, ERR_EXISTS);
    assert_non_null(strstr(err.message, "/page'"));
    err_clear(&err);

    fixture->options.overwrite = true;
    assert_restores(fixture, count, 0);
    assert_restores(fixture, count, count);
}

static void objects_go_back_to_the_bucket_they_came_from(void **state) {
    struct fixture *fixture = test_rgw_ready(state);
    struct err err = { 0 };
    const uint64_t count = fill(&fixture->world, false);
    capture(fixture);
    char *service = mem_format("s3:%s", fixture->world.service.endpoint);
    assert_success(restore_to(fixture, service, &err), &err);
    assert_int_equal(fixture->result.unchanged, count);
    assert_success(s3_delete(fixture->world.s3, fixture->world.bucket, "page", NULL, &err), &err);
    assert_success(restore_to(fixture, service, &err), &err);
    assert_int_equal(fixture->result.unchanged, count - 1);
    assert_restores(fixture, count, 0);
    free(service);
}

static void patterns_choose_and_a_prefix_moves(void **state) {
    struct fixture *fixture = test_rgw_ready(state);
    struct err err = { 0 };
    bucket_world_put(&fixture->world, "docs/a", "a", 1, NULL);
    bucket_world_put(&fixture->world, "docs/b", "b", 1, NULL);
    bucket_world_put(&fixture->world, "other", "o", 1, NULL);
    capture(fixture);
    char *address = bucket_world_address(&fixture->world, fixture->target, "moved/to");
    char *pattern = mem_format("%s/docs/*", fixture->world.bucket);
    fixture->options.patterns = &pattern;
    fixture->options.pattern_count = 1;
    assert_success(restore_to(fixture, address, &err), &err);
    assert_int_equal(fixture->result.entries, 2);
    bucket_world_compare(&fixture->world, fixture->world.bucket, "docs/", fixture->target, "moved/to/docs/");
    assert_int_equal(bucket_world_count(&fixture->world, fixture->target, ""), 2);
    free(pattern);

    pattern = mem_string("no such object");
    assert_failure(restore_to(fixture, address, &err), ERR_NOT_FOUND, &err);
    free(pattern);
    free(address);
}

static void several_buckets_go_below_their_names(void **state) {
    struct fixture *fixture = test_rgw_ready(state);
    struct err err = { 0 };
    char *other = test_rgw_bucket(TEST_BUCKET_PLAIN);
    bucket_world_put(&fixture->world, "same key", "one", 3, NULL);
    assert_success(s3_put(fixture->world.s3, other, "same key", "other", 5, NULL, NULL, &err), &err);
    fixture->world.places[1] = bucket_world_address(&fixture->world, other, "");
    fixture->world.source.bucket.places.count = 2;
    capture(fixture);
    assert_success(restore(fixture, &err), &err);
    char *first = mem_format("%s/", fixture->world.bucket), *second = mem_format("%s/", other);
    bucket_world_compare(&fixture->world, fixture->world.bucket, "", fixture->target, first);
    bucket_world_compare(&fixture->world, other, "", fixture->target, second);
    free(first);
    free(second);
    test_rgw_drop(other);
}

static void a_refused_write_is_an_error_and_leaves_no_upload(void **state) {
    struct fixture *fixture = test_rgw_ready(state);
    struct fault_proxy *proxy = bucket_world_proxy(&fixture->world);
    struct err err = { 0 };
    struct buffer uploads = { 0 };
    bucket_world_put_random(&fixture->world, "large", 40 * 1048576, 1);
    bucket_world_put(&fixture->world, "small", "s", 1, NULL);
    capture(fixture);
    fault_proxy_set(proxy, "status code=403 error=AccessDenied kind=part skip=1 count=1");
    assert_int_equal(restore(fixture, &err), -1);
    assert_int_equal(err.code, ERR_DENIED);
    assert_non_null(strstr(err.message, "large"));
    err_clear(&err);
    fault_proxy_set(proxy, "");
    test_rgw_admin(&uploads, "uploads", fixture->target, NULL);
    assert_int_equal(uploads.length, 0);
    buffer_release(&uploads);

    assert_success(s3_delete(fixture->world.s3, fixture->target, "small", NULL, &err), &err);
    fault_proxy_set(proxy, "status code=403 error=AccessDenied kind=put key=small");
    assert_failure(restore(fixture, &err), ERR_DENIED, &err);
}

static void a_service_without_tags_gets_the_objects_without(void **state) {
    struct fixture *fixture = test_rgw_ready(state);
    struct err err = { 0 };
    bucket_world_put(&fixture->world, "tagged", "t", 1, "x-amz-tagging", "a=1", "x-amz-meta-m", "n", NULL);
    capture(fixture);
    struct fault_proxy *proxy = fault_proxy_start();
    char *address = mem_format("s3:%s/%s", fault_proxy_endpoint(proxy), fixture->target);
    fault_proxy_set(proxy, "status code=501 error=NotImplemented kind=put count=1");
    assert_success(restore_to(fixture, address, &err), &err);
    struct s3_info info = { 0 };
    assert_success(s3_head(fixture->world.s3, fixture->target, "tagged", NULL, &info, &err), &err);
    assert_string_equal(s3_headers_find(&info.headers, "x-amz-meta-m"), "n");
    assert_null(s3_headers_find(&info.headers, "x-amz-tagging-count"));
    s3_info_release(&info);
    free(address);
    fault_proxy_stop(proxy);
}

/* Libraries for V2 know little of headers, but content and keys come whole. */
static void a_service_that_knows_only_v2_is_captured_and_restored_to(void **state) {
    struct fixture *fixture = test_rgw_ready(state);
    fixture->world.service.signature = S3_SIGNATURE_V2;
    bucket_world_put_many(&fixture->world, "many/", 40);
    bucket_world_put(&fixture->world, "a+b=c//d", "odd", 3, "content-type", "text/html", "x-amz-meta-owner", "me",
                     NULL);
    bucket_world_put_random(&fixture->world, "large", 20 * 1048576, 1);
    capture(fixture);
    assert_restores(fixture, 42, 0);
    assert_restores(fixture, 42, 42);
}

/* --- to a folder, and elsewhere ----------------------------------------------------------------------------------- */

static void assert_file(struct fixture *fixture, const char *name, const char *content) {
    struct buffer found = { 0 };
    struct err err = { 0 };
    char *path = mem_format("%s/out/objects/%s/%s", fixture->folder, fixture->world.bucket, name);
    assert_success(file_read(path, 1048576, &found, &err), &err);
    assert_int_equal(found.length, strlen(content));
    assert_memory_equal(buffer_text(&found), content, strlen(content));
    buffer_release(&found);
    free(path);
}

static void objects_become_files_with_what_names_them(void **state) {
    struct fixture *fixture = test_rgw_ready(state);
    struct err err = { 0 };
    const uint64_t count = fill(&fixture->world, false);
    bucket_world_put(&fixture->world, "a", "a", 1, NULL);
    bucket_world_put(&fixture->world, "a/b", "in the way", 10, NULL);
    bucket_world_put(&fixture->world, "c/d", "d", 1, NULL);
    capture(fixture);
    char *out = mem_format("%s/out", fixture->folder);
    assert_success(restore_to_folder(&fixture->scratch.repo, &fixture->options, out, &fixture->result, &err), &err);
    assert_int_equal(fixture->result.entries, count + 2);
    assert_int_equal(fixture->result.incomplete, 1);
    assert_file(fixture, "a", "a");
    assert_file(fixture, "c/d", "d");
    assert_file(fixture, "a+b", "a+b");
    assert_file(fixture, "a%252Fb", "a%2Fb");
    assert_file(fixture, "double/%2Fslash", "double//slash");
    assert_file(fixture, "%2E/dot", "./dot");
    assert_file(fixture, "up/%2E./down", "up/../down");
    assert_file(fixture, "%2Fleading", "/leading");
    assert_file(fixture, "trailing%2F", "trailing/");
    assert_file(fixture, "new\nline", "new\nline");

    char *page = mem_format("%s/objects/%s/page", out, fixture->world.bucket);
    struct stat status;
    struct s3_info info = { 0 };
    assert_int_equal(stat(page, &status), 0);
    assert_success(s3_head(fixture->world.s3, fixture->world.bucket, "page", NULL, &info, &err), &err);
    assert_int_equal(status.st_mtime, info.modified);
    assert_int_equal(status.st_mode & 0777, 0600);
    char value[64] = "";
    if (getxattr(page, "user.s3.meta.owner", value, sizeof value - 1) > 0) /* where the filesystem has them */
        assert_string_equal(value, "some one");
    s3_info_release(&info);
    free(page);
    free(out);
}

static void one_object_goes_to_a_descriptor(void **state) {
    struct fixture *fixture = test_rgw_ready(state);
    struct err err = { 0 };
    int ends[2];
    char got[32] = "";
    bucket_world_put(&fixture->world, "a//b", "content", 7, NULL);
    bucket_world_put(&fixture->world, "c", "other", 5, NULL);
    capture(fixture);
    char *pattern = mem_format("%s/a//b", fixture->world.bucket);
    fixture->options.patterns = &pattern;
    fixture->options.pattern_count = 1;
    assert_int_equal(pipe(ends), 0);
    assert_success(restore_to_descriptor(&fixture->scratch.repo, &fixture->options, ends[1], &fixture->result, &err),
                   &err);
    assert_int_equal(read(ends[0], got, sizeof got - 1), 7);
    assert_string_equal(got, "content");
    close(ends[0]);
    close(ends[1]);
    free(pattern);
}

/* --- through the pipeline ----------------------------------------------------------------------------------------- */

static void a_second_capture_keeps_what_did_not_change(void **state) {
    struct fixture *fixture = test_rgw_ready(state);
    struct fault_proxy *proxy = bucket_world_proxy(&fixture->world);
    uint64_t count = fill(&fixture->world, false);
    capture(fixture);
    bucket_world_put(&fixture->world, "a new one", "new", 3, NULL);
    bucket_world_put(&fixture->world, "empty", "no more", 7, NULL);
    fault_proxy_set(proxy, "");
    capture(fixture);
    assert_int_equal(fault_proxy_count(proxy, "get"), 2);
    assert_restores(fixture, count + 1, 0);
    fault_proxy_set(proxy, "");
    capture(fixture);
    assert_int_equal(fault_proxy_count(proxy, "get"), 0);
    assert_int_equal(fixture->head.sources[0].stored_bytes, 0);
    assert_restores(fixture, count + 1, count + 1);
}

/* The database's end is the bucket's beginning, whatever the configuration says first. */
static void databases_are_captured_before_buckets(void **state) {
    struct fixture *fixture = test_rgw_ready(state);
    struct err err = { 0 };
    char *word[3] = { TEXT("/bin/sh"), TEXT("-c"), TEXT("sleep 1.2; echo rows") };
    bucket_world_put(&fixture->world, "object", "o", 1, NULL);
    struct source sources[2] = { fixture->world.source, { .name = TEXT("rows"), .kind = &SOURCE_COMMAND } };
    sources[1].command.arguments = (struct strings){ word, 3 };
    const struct capture_options options = { .sources = sources, .source_count = 2, .policy = &fixture->policy };
    assert_success(capture_run(&fixture->scratch.repo, &options, &fixture->head, &err), &err);
    assert_string_equal(fixture->head.sources[0].name, "objects");
    assert_true(fixture->head.sources[1].finished <= fixture->head.sources[0].started);
    assert_true(fixture->head.sources[1].started < fixture->head.sources[0].started);
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
        cmocka_unit_test_setup_teardown(another_bucket_comes_to_hold_the_same, make, drop),
        cmocka_unit_test_setup_teardown(many_small_objects_are_compared_by_a_listing, make, drop),
        cmocka_unit_test_setup_teardown(other_objects_are_replaced_only_when_told, make, drop),
        cmocka_unit_test_setup_teardown(objects_go_back_to_the_bucket_they_came_from, make, drop),
        cmocka_unit_test_setup_teardown(patterns_choose_and_a_prefix_moves, make, drop),
        cmocka_unit_test_setup_teardown(several_buckets_go_below_their_names, make, drop),
        cmocka_unit_test_setup_teardown(a_refused_write_is_an_error_and_leaves_no_upload, make, drop),
        cmocka_unit_test_setup_teardown(a_service_without_tags_gets_the_objects_without, make, drop),
        cmocka_unit_test_setup_teardown(a_service_that_knows_only_v2_is_captured_and_restored_to, make, drop),
        cmocka_unit_test_setup_teardown(objects_become_files_with_what_names_them, make, drop),
        cmocka_unit_test_setup_teardown(one_object_goes_to_a_descriptor, make, drop),
        cmocka_unit_test_setup_teardown(a_second_capture_keeps_what_did_not_change, make, drop),
        cmocka_unit_test_setup_teardown(databases_are_captured_before_buckets, make, drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
