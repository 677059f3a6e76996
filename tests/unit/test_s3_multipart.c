/* Objects in parts: joined whole, resumed, found again when the answer was lost. Against a real server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/canned_server.h"
#include "../lib/rgw_world.h"
#include "../lib/scratch.h"
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LAST = 1000 }; /* bytes of a second and last part */

static uint8_t *content; /* S3_PART_MIN + LAST bytes */

static int make_world(void **state) {
    content = mem_alloc(S3_PART_MIN + LAST);
    for (size_t i = 0; i < S3_PART_MIN + LAST; i++)
        content[i] = (uint8_t)(i * 2654435761u >> 13);
    return rgw_world_make(state);
}

static int drop_world(void **state) {
    free(content);
    return rgw_world_drop(state);
}

static char *begin(struct s3 *s3, const char *bucket, const char *key, const struct s3_put *options) {
    char *upload = NULL;
    struct err err = { 0 };
    assert_success(s3_multipart_begin(s3, bucket, key, options, &upload, &err), &err);
    return upload;
}

static void put_parts(struct s3 *s3, const char *bucket, const char *key, const char *upload, struct s3_part parts[2]) {
    struct err err = { 0 };
    assert_success(s3_multipart_put(s3, bucket, key, upload, 1, content, S3_PART_MIN, &parts[0], &err), &err);
    assert_success(s3_multipart_put(s3, bucket, key, upload, 2, content + S3_PART_MIN, LAST, &parts[1], &err), &err);
}

static void expect_content(struct s3 *s3, const char *bucket, const char *key, const char *etag) {
    const struct s3_get whole = { .length = UINT64_MAX, .max = S3_PART_MIN + LAST };
    struct buffer got = { 0 };
    struct s3_info info;
    struct err err = { 0 };

    assert_success(s3_get(s3, bucket, key, &whole, &got, &info, &err), &err);
    assert_int_equal(got.length, S3_PART_MIN + LAST);
    assert_memory_equal(got.data, content, got.length);
    assert_string_equal(info.etag, etag);
    buffer_release(&got);
    s3_info_release(&info);
}

static void parts_become_one_object(void **state) {
    const struct rgw_world *world = rgw_world_of(state);
    struct s3 *s3 = test_rgw_client(NULL);
    struct s3_headers headers = { 0 };
    const struct s3_put options = { .headers = &headers };
    struct s3_part parts[2];
    struct s3_info info, head;
    struct err err = { 0 };

    s3_headers_add(&headers, "content-type", "text/plain");
    s3_headers_add(&headers, "x-amz-meta-color", "blue");
    char *upload = begin(s3, world->versioned, "whole", &options);
    put_parts(s3, world->versioned, "whole", upload, parts);
    assert_int_equal(parts[0].number, 1);
    assert_int_equal(parts[0].size, S3_PART_MIN);
    assert_int_equal(strlen(parts[0].etag), 32);
    assert_failure(s3_head(s3, world->versioned, "whole", NULL, &head, &err), ERR_NOT_FOUND, &err);

    assert_success(s3_multipart_complete(s3, world->versioned, "whole", upload, parts, 2, &info, &err), &err);
    assert_int_equal(info.size, S3_PART_MIN + LAST);
    assert_non_null(info.version);
    assert_string_equal(strchr(info.etag, '-'), "-2");
    expect_content(s3, world->versioned, "whole", info.etag);
    assert_success(s3_head(s3, world->versioned, "whole", info.version, &head, &err), &err);
    assert_string_equal(s3_headers_find(&head.headers, "content-type"), "text/plain");
    assert_string_equal(s3_headers_find(&head.headers, "x-amz-meta-color"), "blue");
    assert_int_equal(head.size, info.size);
    s3_info_release(&info);
    s3_info_release(&head);

    /* Without anybody who wants to know. */
    free(upload);
    upload = begin(s3, world->plain, "whole", NULL);
    put_parts(s3, world->plain, "whole", upload, parts);
    assert_success(s3_multipart_complete(s3, world->plain, "whole", upload, parts, 2, NULL, &err), &err);
    free(upload);
    s3_headers_release(&headers);
    s3_close(s3);
}

static int write_upload(void *context, const struct s3_upload *upload, struct err *err) {
    (void)err;
    assert_true(upload->begun > 1700000000);
    buffer_printf(context, "%s=%s\n", upload->key, upload->upload);
    return 0;
}

static int refuse_upload(void *context, const struct s3_upload *upload, struct err *err) {
    (void)context;
    return err_set(err, ERR_REFUSED, "%s", upload->key);
}

static void unfinished_uploads_are_found_and_aborted(void **state) {
    const struct rgw_world *world = rgw_world_of(state);
    struct s3 *s3 = test_rgw_client(NULL);
    static const char odd[] = "u/b \x01+%&<>\"\xc3\xa4";
    struct buffer seen = { 0 }, expected = { 0 };
    struct err err = { 0 };

    char *first = begin(s3, world->plain, "u/a", NULL), *second = begin(s3, world->plain, odd, NULL);
    char *other = begin(s3, world->plain, "v", NULL);
    buffer_printf(&expected, "u/a=%s\n%s=%s\n", first, odd, second);
    assert_success(s3_list_uploads(s3, world->plain, "u/", write_upload, &seen, &err), &err);
    assert_string_equal(buffer_text(&seen), buffer_text(&expected));
    assert_failure(s3_list_uploads(s3, world->plain, "u/", refuse_upload, NULL, &err), ERR_REFUSED, &err);

    assert_success(s3_multipart_abort(s3, world->plain, "u/a", first, &err), &err);
    assert_success(s3_multipart_abort(s3, world->plain, odd, second, &err), &err);
    assert_success(s3_multipart_abort(s3, world->plain, odd, second, &err), &err); /* gone already */
    buffer_clear(&seen);
    assert_success(s3_list_uploads(s3, world->plain, "u/", write_upload, &seen, &err), &err);
    assert_string_equal(buffer_text(&seen), "");
    assert_success(s3_list_uploads(s3, world->plain, NULL, write_upload, &seen, &err), &err);
    buffer_clear(&expected);
    buffer_printf(&expected, "v=%s\n", other);
    assert_string_equal(buffer_text(&seen), buffer_text(&expected));
    assert_success(s3_multipart_abort(s3, world->plain, "v", other, &err), &err);
    assert_failure(s3_multipart_abort(s3, "no-such-bucket", "v", other, &err), ERR_NO_BUCKET, &err);
    free(first);
    free(second);
    free(other);
    buffer_release(&seen);
    buffer_release(&expected);
    s3_close(s3);
}

static void an_upload_is_resumed_from_its_list_of_parts(void **state) {
    const struct rgw_world *world = rgw_world_of(state);
    struct s3 *s3 = test_rgw_client(NULL);
    static const char key[] = "r \x02+%";
    struct s3_part sent[2], *listed;
    size_t count;
    struct s3_info info;
    struct err err = { 0 };

    char *upload = begin(s3, world->plain, key, NULL);
    assert_success(s3_list_parts(s3, world->plain, key, upload, &listed, &count, &err), &err);
    assert_int_equal(count, 0);
    free(listed);
    /* The last one first, as transfers at once may leave it; and once more, since another try may have come through. */
    assert_success(s3_multipart_put(s3, world->plain, key, upload, 2, "x", 1, &sent[1], &err), &err);
    put_parts(s3, world->plain, key, upload, sent);
    assert_success(s3_list_parts(s3, world->plain, key, upload, &listed, &count, &err), &err);
    assert_int_equal(count, 2);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(listed[i].number, i + 1);
        assert_int_equal(listed[i].size, sent[i].size);
        assert_string_equal(listed[i].etag, sent[i].etag);
    }
    assert_success(s3_multipart_complete(s3, world->plain, key, upload, listed, count, &info, &err), &err);
    expect_content(s3, world->plain, key, info.etag);
    s3_info_release(&info);
    free(listed);
    assert_failure(s3_list_parts(s3, world->plain, key, "2~nothing", &listed, &count, &err), ERR_NOT_FOUND, &err);
    assert_null(listed);
    free(upload);
    s3_close(s3);
}

static void long_lists_of_parts_are_followed(void **state) {
    static const char *const pages[] = {
        "<ListPartsResult><IsTruncated>true</IsTruncated>"
        "<Part><PartNumber>1</PartNumber><ETag>\"a\"</ETag><Size>5</Size></Part>"
        "<Part><PartNumber>3</PartNumber><ETag>\"b\"</ETag><Size>6</Size></Part></ListPartsResult>",
        "<ListPartsResult><IsTruncated>false</IsTruncated>"
        "<Part><PartNumber>10000</PartNumber><ETag>\"c\"</ETag><Size>7</Size></Part></ListPartsResult>",
        NULL,
    };
    static const char *const bad[] = {
        "<ListPartsResult/>",
        "<ListPartsResult><IsTruncated>true</IsTruncated></ListPartsResult>",
        "<ListPartsResult><IsTruncated>false</IsTruncated><Part><PartNumber>1</PartNumber><Size>5</Size></Part>"
        "</ListPartsResult>",
        "<ListPartsResult><IsTruncated>false</IsTruncated><Part><PartNumber>10001</PartNumber><ETag>a</ETag>"
        "<Size>5</Size></Part></ListPartsResult>",
        "<ListPartsResult><IsTruncated>true</IsTruncated><Part><PartNumber>1</PartNumber><ETag>a</ETag>"
        "<Size>5</Size></Part></ListPartsResult>", /* for ever */
        "<InitiateMultipartUploadResult/>",
    };
    struct s3_part *parts;
    struct buffer requests = { 0 };
    size_t count;
    struct err err = { 0 };
    (void)state;

    struct canned_server *server = canned_server_start(pages);
    struct s3 *s3 = canned_server_client(server);
    assert_success(s3_list_parts(s3, "bucket", "key", "u&=", &parts, &count, &err), &err);
    assert_int_equal(count, 3);
    assert_int_equal(parts[2].number, 10000);
    assert_int_equal(parts[2].size, 7);
    assert_string_equal(parts[2].etag, "c");
    free(parts);
    s3_close(s3);
    canned_server_stop(server, &requests);
    assert_non_null(strstr(buffer_text(&requests), "part-number-marker=3&uploadId=u%26%3D HTTP/1.1\n"));
    buffer_release(&requests);

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *const one[] = { bad[i], NULL };
        server = canned_server_start(one);
        s3 = canned_server_client(server);
        assert_failure(s3_list_parts(s3, "bucket", "key", "u", &parts, &count, &err), ERR_CORRUPT, &err);
        s3_close(s3);
        canned_server_stop(server, NULL);
    }
}

/* A whole upload while the proxy fails in this way; what it made of it. */
static void survives(const struct rgw_world *world, const char *bucket, const char *rules, const char *key) {
    struct s3 *s3 = rgw_world_faulty(world, rules);
    struct s3_part parts[2];
    struct s3_info info;
    struct err err = { 0 };

    char *upload = begin(s3, bucket, key, NULL);
    put_parts(s3, bucket, key, upload, parts);
    if (s3_multipart_complete(s3, bucket, key, upload, parts, 2, &info, &err) < 0)
        fail_msg("%s: %s", rules, err.message);
    fault_proxy_set(world->proxy, "");
    assert_int_equal(info.size, S3_PART_MIN + LAST);
    expect_content(s3, bucket, key, info.etag);
    s3_info_release(&info);
    free(upload);
    s3_close(s3);
}

static void a_completion_whose_answer_is_lost_is_found(void **state) {
    const struct rgw_world *world = rgw_world_of(state);
    survives(world, world->plain, "lost-answer kind=complete count=1", "lost");
    survives(world, world->versioned, "lost-answer kind=complete count=1", "lost");
    survives(world, world->plain, "error-200-after kind=complete count=1", "after");
}

static void an_upload_that_was_completed_already_is_a_success(void **state) {
    const struct rgw_world *world = rgw_world_of(state);
    struct s3 *s3 = rgw_world_faulty(world, "status code=404 error=NoSuchUpload kind=complete skip=1");
    struct s3_part parts[2];
    struct s3_info first, second;
    struct err err = { 0 };

    char *upload = begin(s3, world->versioned, "already", NULL);
    put_parts(s3, world->versioned, "already", upload, parts);
    assert_success(s3_multipart_complete(s3, world->versioned, "already", upload, parts, 2, &first, &err), &err);
    assert_success(s3_multipart_complete(s3, world->versioned, "already", upload, parts, 2, &second, &err), &err);
    assert_string_equal(first.version, second.version);
    assert_string_equal(first.etag, second.etag);
    assert_int_equal(second.size, S3_PART_MIN + LAST);
    s3_info_release(&first);
    s3_info_release(&second);
    free(upload);
    s3_close(s3);
}

static void a_completion_that_holds_an_error_is_tried_again(void **state) {
    const struct rgw_world *world = rgw_world_of(state);
    survives(world, world->plain, "error-200 kind=complete count=1", "error");
    survives(world, world->plain, "status code=503 error=SlowDown kind=complete count=1", "slow");
}

static void a_completion_without_an_etag_is_looked_at(void **state) {
    const struct rgw_world *world = rgw_world_of(state);
    survives(world, world->plain, "empty-etag kind=complete", "empty");
    survives(world, world->versioned, "empty-etag kind=complete", "empty");
}

static void parts_that_break_off_are_sent_again(void **state) {
    const struct rgw_world *world = rgw_world_of(state);
    survives(world, world->plain, "cut-request kind=part count=1", "cut");
    survives(world, world->plain, "lost-answer kind=part count=1", "lost-part");
    survives(world, world->plain, "lost-answer kind=begin count=1", "lost-begin");
}

static void an_upload_that_is_gone_is_not_completed(void **state) {
    const struct rgw_world *world = rgw_world_of(state);
    struct s3 *s3 = test_rgw_client(NULL);
    struct s3_part parts[2], none;
    struct s3_info info = { 0 };
    struct err err = { 0 };

    char *upload = begin(s3, world->plain, "never", NULL);
    put_parts(s3, world->plain, "never", upload, parts);
    assert_success(s3_multipart_abort(s3, world->plain, "never", upload, &err), &err);
    assert_failure(s3_multipart_put(s3, world->plain, "never", upload, 1, "x", 1, &none, &err), ERR_NOT_FOUND, &err);
    /* RGW does not say NoSuchUpload here but InternalError, for ever: the upload itself is looked for. */
    assert_int_equal(s3_multipart_complete(s3, world->plain, "never", upload, parts, 2, &info, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "complete the upload of 'never'"));
    assert_non_null(strstr(err.message, "NoSuchUpload"));
    err_clear(&err);
    s3_close(s3);

    s3 = rgw_world_faulty(world, "status code=404 error=NoSuchUpload kind=complete");
    assert_int_equal(s3_multipart_complete(s3, world->plain, "never", upload, parts, 2, &info, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "complete the upload of 'never'"));
    assert_non_null(strstr(err.message, "NoSuchUpload"));
    err_clear(&err);

    /* Another object of that name, even of that size, is not what was meant. */
    content[0] ^= 1;
    assert_success(s3_put(s3, world->plain, "never", content, S3_PART_MIN + LAST, NULL, NULL, &err), &err);
    content[0] ^= 1;
    assert_failure(s3_multipart_complete(s3, world->plain, "never", upload, parts, 2, &info, &err), ERR_NOT_FOUND,
                   &err);
    free(upload);
    s3_close(s3);
}

static void what_cannot_be_an_upload_is_refused(void **state) {
    const struct rgw_world *world = rgw_world_of(state);
    struct s3 *s3 = test_rgw_client(NULL);
    struct s3_part parts[2];
    struct s3_info info = { 0 };
    struct err err = { 0 };

    char *upload = begin(s3, world->plain, "bad", NULL);
    assert_failure(s3_multipart_complete(s3, world->plain, "bad", upload, parts, 0, &info, &err), ERR_INVALID, &err);
    assert_failure(s3_multipart_put(s3, world->plain, "bad", upload, 0, "x", 1, &parts[0], &err), ERR_INVALID, &err);
    assert_failure(s3_multipart_put(s3, world->plain, "bad", upload, 10001, "x", 1, &parts[0], &err), ERR_INVALID,
                   &err);
    /* Parts that the server does not have. */
    put_parts(s3, world->plain, "bad", upload, parts);
    parts[1].etag[0] = parts[1].etag[0] == '0' ? '1' : '0';
    assert_failure(s3_multipart_complete(s3, world->plain, "bad", upload, parts, 2, &info, &err), ERR_INVALID, &err);
    assert_success(s3_multipart_abort(s3, world->plain, "bad", upload, &err), &err);
    free(upload);
    s3_close(s3);

    s3 = test_rgw_client_v2(NULL);
    assert_failure(s3_multipart_begin(s3, world->plain, "v2", NULL, &upload, &err), ERR_UNSUPPORTED, &err);
    assert_null(upload);
    s3_close(s3);
}

static void the_whole_can_be_locked(void **state) {
    const struct rgw_world *world = rgw_world_of(state);
    struct s3 *s3 = test_rgw_client(NULL);
    const int64_t until = clock_now() + 3600;
    const struct s3_put options = { .lock = S3_LOCK_GOVERNANCE, .lock_until = until };
    struct s3_part parts[2];
    struct s3_info info;
    struct s3_lock lock;
    struct err err = { 0 };

    char *upload = begin(s3, world->locked, "locked", &options);
    put_parts(s3, world->locked, "locked", upload, parts);
    assert_success(s3_multipart_complete(s3, world->locked, "locked", upload, parts, 2, &info, &err), &err);
    /* RGW 16 forgets the lock that the upload was begun with. */
    assert_success(s3_get_lock(s3, world->locked, "locked", info.version, &lock, &err), &err);
    if (lock.mode == S3_LOCK_NONE)
        assert_success(s3_set_lock(s3, world->locked, "locked", info.version, S3_LOCK_GOVERNANCE, until, &err), &err);
    assert_success(s3_get_lock(s3, world->locked, "locked", info.version, &lock, &err), &err);
    assert_int_equal(lock.mode, S3_LOCK_GOVERNANCE);
    assert_int_equal(lock.until, until);
    assert_failure(s3_delete(s3, world->locked, "locked", info.version, &err), ERR_DENIED, &err);
    s3_info_release(&info);
    free(upload);
    s3_close(s3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_become_one_object),
        cmocka_unit_test(unfinished_uploads_are_found_and_aborted),
        cmocka_unit_test(an_upload_is_resumed_from_its_list_of_parts),
        cmocka_unit_test(long_lists_of_parts_are_followed),
        cmocka_unit_test(a_completion_whose_answer_is_lost_is_found),
        cmocka_unit_test(an_upload_that_was_completed_already_is_a_success),
        cmocka_unit_test(a_completion_that_holds_an_error_is_tried_again),
        cmocka_unit_test(a_completion_without_an_etag_is_looked_at),
        cmocka_unit_test(parts_that_break_off_are_sent_again),
        cmocka_unit_test(an_upload_that_is_gone_is_not_completed),
        cmocka_unit_test(what_cannot_be_an_upload_is_refused),
        cmocka_unit_test(the_whole_can_be_locked),
    };
    return cmocka_run_group_tests_name("s3_multipart", tests, make_world, drop_world);
}
