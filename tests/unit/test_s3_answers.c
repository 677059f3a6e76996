/* Answers that no honest server gives: each is refused, none is taken for what it is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/canned_server.h"
#include "../lib/scratch.h"
#include <muniment/s3/client.h>
#include <muniment/util/clock.h>
#include <muniment/util/file.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

struct fixture {
    char *folder;
    struct canned_server *server;
    struct s3 *s3;
};

static struct fixture start_at(const char *const *answers, const char *host, const char *base,
                               enum s3_addressing addressing) {
    static const char credentials[] = "access_key = me\nsecret_key = mine\n";
    struct fixture fixture = { .folder = scratch_make(), .server = canned_server_start(answers) };
    char *path = mem_format("%s/credentials", fixture.folder);
    const char *port = strrchr(canned_server_endpoint(fixture.server), ':');
    struct s3_service service = { .endpoint = mem_format("http://%s%s%s", host, port, base),
                                  .credentials = path,
                                  .addressing = addressing };
    struct err err = { 0 };

    assert_success(file_replace(path, 0600, credentials, strlen(credentials), &err), &err);
    assert_success(s3_open(&service, NULL, &fixture.s3, &err), &err);
    s3_set_retry_time(fixture.s3, 0);
    s3_service_release(&service);
    return fixture;
}

static struct fixture start(const char *const *answers) {
    return start_at(answers, "127.0.0.1", "", S3_ADDRESSING_PATH);
}

static void finish(struct fixture *fixture) {
    s3_close(fixture->s3);
    canned_server_stop(fixture->server, NULL);
    scratch_remove(fixture->folder);
}

#define ANSWER(status, headers, body) ((const char *const[]){ "HTTP/1.1 " status "\r\n" headers "\r\n" body, NULL })

/* Reads `length` bytes from `offset`; with an error nothing may have come. */
static int read_one(const char *const *answers, uint64_t offset, uint64_t length, struct buffer *out, struct err *err) {
    const struct s3_get what = { .offset = offset, .length = length, .max = 1000 };
    struct fixture fixture = start(answers);
    struct s3_info info = { 0 };
    const int rc = s3_get(fixture.s3, "bucket", "key", &what, out, &info, err);

    if (rc == 0)
        s3_info_release(&info);
    else
        assert_int_equal(out->length, 0);
    finish(&fixture);
    return rc;
}

static void a_part_is_only_the_part_that_was_asked_for(void **state) {
    const char *const *const wrong[] = {
        ANSWER("206 Partial Content", "Content-Length: 4\r\nContent-Range: bytes 0-3/10\r\nETag: \"a\"\r\n", "0123"),
        ANSWER("206 Partial Content", "Content-Length: 4\r\nContent-Range: bytes 3-6/10\r\nETag: \"a\"\r\n", "3456"),
        ANSWER("206 Partial Content", "Content-Length: 1\r\nContent-Range: bytes 2-2/10\r\nETag: \"a\"\r\n", "2"),
        ANSWER("206 Partial Content", "Content-Length: 5\r\nContent-Range: bytes 2-6/10\r\nETag: \"a\"\r\n", "23456"),
        ANSWER("206 Partial Content", "Content-Length: 4\r\nContent-Range: bytes 2-5/4\r\nETag: \"a\"\r\n", "2345"),
        ANSWER("206 Partial Content", "Content-Length: 4\r\nContent-Range: bytes 2-5/*\r\nETag: \"a\"\r\n", "2345"),
        ANSWER("206 Partial Content", "Content-Length: 4\r\nContent-Range: pages 2-5/10\r\nETag: \"a\"\r\n", "2345"),
        ANSWER("206 Partial Content", "Content-Length: 4\r\nContent-Range: bytes 2- 5/10\r\nETag: \"a\"\r\n", "2345"),
        ANSWER("206 Partial Content", "Content-Length: 4\r\nContent-Range: bytes +2-5/10\r\nETag: \"a\"\r\n", "2345"),
        ANSWER("206 Partial Content", "Content-Length: 3\r\nContent-Range: bytes 2-5/10\r\nETag: \"a\"\r\n", "234"),
        ANSWER("206 Partial Content", "Content-Length: 3\r\nContent-Range: bytes 2-5/10\r\n", "234"),
        ANSWER("206 Partial Content", "Content-Length: 4\r\nETag: \"a\"\r\n", "2345"),
        ANSWER("200 OK", "Content-Length: 4\r\nETag: \"a\"\r\n", "2345"),
        ANSWER("200 OK", "Content-Length: 10\r\nETag: \"a\"\r\n", "0123456789"),
    };
    struct buffer out = { 0 };
    struct err err = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_failure(read_one(wrong[i], 2, 4, &out, &err), ERR_CORRUPT, &err);
    assert_success(read_one(ANSWER("206 Partial Content",
                                   "Content-Length: 4\r\nContent-Range: bytes 2-5/10\r\nETag: \"a\"\r\n", "2345"),
                            2, 4, &out, &err),
                   &err);
    assert_string_equal(buffer_text(&out), "2345");
    buffer_release(&out);
}

static void an_answer_says_how_long_it_is(void **state) {
    struct buffer out = { 0 };
    struct err err = { 0 };

    (void)state;
    assert_failure(read_one(ANSWER("200 OK", "Connection: close\r\n", "cut?"), 0, UINT64_MAX, &out, &err), ERR_CORRUPT,
                   &err);
    assert_failure(read_one(ANSWER("200 OK", "Content-Length: 10\r\n", "cut"), 0, UINT64_MAX, &out, &err), ERR_SYSTEM,
                   &err);
    assert_failure(
        read_one(ANSWER("200 OK", "Transfer-Encoding: chunked\r\n", "3\r\ncut\r\n"), 0, UINT64_MAX, &out, &err),
        ERR_SYSTEM, &err);
    assert_failure(
        read_one(ANSWER("200 OK", "Content-Length: 5000\r\n", "more than allowed"), 0, UINT64_MAX, &out, &err),
        ERR_SYSTEM, &err);
    assert_success(
        read_one(ANSWER("200 OK", "Transfer-Encoding: chunked\r\nConnection: close\r\n", "5\r\nwhole\r\n0\r\n\r\n"), 0,
                 UINT64_MAX, &out, &err),
        &err);
    assert_string_equal(buffer_text(&out), "whole");
    buffer_release(&out);
}

static void headers_have_bounds(void **state) {
    struct buffer many = { 0 }, large = { 0 }, huge = { 0 }, out = { 0 };
    struct err err = { 0 };

    (void)state;
    buffer_printf(&many, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 300; i++)
        buffer_printf(&many, "x-%d: y\r\n", i);
    buffer_printf(&many, "Content-Length: 1\r\n\r\nx");
    buffer_printf(&large, "HTTP/1.1 200 OK\r\nx: %090000d\r\nContent-Length: 1\r\n\r\nx", 1);
    buffer_printf(&huge, "HTTP/1.1 200 OK\r\nx: %0900000d\r\nContent-Length: 1\r\n\r\nx", 1);

    assert_failure(read_one((const char *const[]){ buffer_text(&many), NULL }, 0, 1, &out, &err), ERR_CORRUPT, &err);
    assert_failure(read_one((const char *const[]){ buffer_text(&large), NULL }, 0, 1, &out, &err), ERR_CORRUPT, &err);
    assert_int_equal(read_one((const char *const[]){ buffer_text(&huge), NULL }, 0, 1, &out, &err), -1);
    assert_failure(
        read_one(ANSWER("200 OK",
                        "Content-Length: 1\r\nETag: \"0123456789012345678901234567890123456789012345678901234"
                        "56789012345678901234567890123456789012345678901234567890123456789012345678901234"
                        "567890123456789\"\r\n",
                        "x"),
                 0, 1, &out, &err),
        ERR_CORRUPT, &err);
    buffer_release(&many);
    buffer_release(&large);
    buffer_release(&huge);
    buffer_release(&out);
}

static void what_is_not_http_is_an_error(void **state) {
    static const char *const answers[] = { "HTTP/", "HTTP/1.1 banana\r\n\r\n", "HTTP/1.1 200",
                                           "HTTP/7.3 200 OK\r\n\r\n" };
    struct buffer out = { 0 };
    struct err err = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        assert_int_equal(read_one((const char *const[]){ answers[i], NULL }, 0, UINT64_MAX, &out, &err), -1);
    assert_int_equal(read_one(ANSWER("200 OK", "Content-Length: banana\r\n", ""), 0, UINT64_MAX, &out, &err), -1);
    assert_int_equal(read_one(ANSWER("200 OK", "Content-Length: -1\r\n", ""), 0, UINT64_MAX, &out, &err), -1);
    assert_failure(
        read_one(ANSWER("200 OK", "Content-Length: 1\r\nLast-Modified: yesterday\r\n", "x"), 0, UINT64_MAX, &out, &err),
        ERR_CORRUPT, &err);
    buffer_release(&out);
}

static int put_one(const char *const *answers, struct s3_info *info, struct err *err) {
    struct fixture fixture = start(answers);
    const int rc = s3_put(fixture.s3, "bucket", "key", "hello", 5, NULL, info, err);
    finish(&fixture);
    return rc;
}

static void an_etag_that_is_an_md5_is_compared(void **state) {
    struct s3_info info = { 0 };
    struct err err = { 0 };

    (void)state;
    assert_success(put_one(ANSWER("200 OK", "ETag: \"5d41402abc4b2a76b9719d911017c592\"\r\n", ""), &info, &err), &err);
    assert_string_equal(info.etag, "5d41402abc4b2a76b9719d911017c592");
    s3_info_release(&info);
    assert_failure(put_one(ANSWER("200 OK", "ETag: \"00000000000000000000000000000000\"\r\n", ""), &info, &err),
                   ERR_CORRUPT, &err);
    assert_success(put_one(ANSWER("200 OK", "ETag: \"00000000000000000000000000000000-1\"\r\n", ""), &info, &err),
                   &err);
    s3_info_release(&info);
    assert_success(put_one(ANSWER("200 OK",
                                  "ETag: \"00000000000000000000000000000000\"\r\n"
                                  "x-amz-server-side-encryption: aws:kms\r\n",
                                  ""),
                           &info, &err),
                   &err);
    s3_info_release(&info);
    assert_success(put_one(ANSWER("200 OK", "", ""), &info, &err), &err);
    assert_string_equal(info.etag, "");
    s3_info_release(&info);
}

static void nothing_of_a_server_reaches_a_terminal_as_it_is(void **state) {
    struct err err = { 0 };

    (void)state;
    assert_int_equal(
        put_one(ANSWER("403 Forbidden", "x-amz-request-id: \x1b[31mred\r\nContent-Length: 9\r\n", "\x1b]0;ti\x07tle"),
                NULL, &err),
        -1);
    assert_int_equal(err.code, ERR_DENIED);
    assert_null(strchr(err.message, '\x1b'));
    assert_null(strchr(err.message, '\x07'));
    assert_non_null(strstr(err.message, "\\x1b"));
}

static void a_marker_that_hides_is_an_absence(void **state) {
    struct s3_info info = { 0 };
    struct err err = { 0 };
    struct fixture fixture = start(ANSWER("405 Method Not Allowed", "x-amz-delete-marker: true\r\n", ""));

    (void)state;
    assert_failure(s3_head(fixture.s3, "bucket", "key", "marker", &info, &err), ERR_NOT_FOUND, &err);
    finish(&fixture);

    fixture = start(ANSWER("405 Method Not Allowed", "", ""));
    assert_failure(s3_head(fixture.s3, "bucket", "key", "marker", &info, &err), ERR_UNSUPPORTED, &err);
    finish(&fixture);

    fixture = start(ANSWER("200 OK", "ETag: \"a\"\r\n", ""));
    assert_failure(s3_head(fixture.s3, "bucket", "key", NULL, &info, &err), ERR_CORRUPT, &err);
    finish(&fixture);
}

static void expect_request(const char *host, const char *base, enum s3_addressing addressing, const char *line) {
    struct fixture fixture = start_at(ANSWER("200 OK", "Content-Length: 0\r\n", ""), host, base, addressing);
    struct buffer requests = { 0 };
    struct s3_info info = { 0 };
    struct err err = { 0 };

    assert_success(s3_head(fixture.s3, "bucket", "a/./b c+\u00e4", "v=1&2", &info, &err), &err);
    s3_info_release(&info);
    s3_close(fixture.s3);
    canned_server_stop(fixture.server, &requests);
    scratch_remove(fixture.folder);
    assert_string_equal(buffer_text(&requests), line);
    buffer_release(&requests);
}

static void the_bucket_stands_in_the_path_or_in_the_host(void **state) {
    (void)state;
    expect_request("127.0.0.1", "", S3_ADDRESSING_PATH,
                   "HEAD /bucket/a/./b%20c%2B%C3%A4?versionId=v%3D1%262 HTTP/1.1\n");
    expect_request("127.0.0.1", "/storage/v1/s3/", S3_ADDRESSING_PATH,
                   "HEAD /storage/v1/s3/bucket/a/./b%20c%2B%C3%A4?versionId=v%3D1%262 HTTP/1.1\n");
    expect_request("localhost", "", S3_ADDRESSING_HOST, "HEAD /a/./b%20c%2B%C3%A4?versionId=v%3D1%262 HTTP/1.1\n");
}

static void retry_after_may_be_a_date(void **state) {
    static const char *const answers[] = { "HTTP/1.1 503 Slow Down\r\nConnection: close\r\nContent-Length: 0\r\n"
                                           "Date: Sat, 21 Nov 2026 10:00:00 GMT\r\n"
                                           "Retry-After: Sat, 21 Nov 2026 10:00:01 GMT\r\n\r\n",
                                           "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", NULL };
    struct fixture fixture = start(answers);
    struct err err = { 0 };
    const double begin = clock_monotonic();

    (void)state;
    s3_set_retry_time(fixture.s3, 20);
    assert_success(s3_put(fixture.s3, "bucket", "key", "x", 1, NULL, NULL, &err), &err);
    assert_true(clock_monotonic() - begin >= 0.9);
    finish(&fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_part_is_only_the_part_that_was_asked_for),
        cmocka_unit_test(an_answer_says_how_long_it_is),
        cmocka_unit_test(headers_have_bounds),
        cmocka_unit_test(what_is_not_http_is_an_error),
        cmocka_unit_test(an_etag_that_is_an_md5_is_compared),
        cmocka_unit_test(nothing_of_a_server_reaches_a_terminal_as_it_is),
        cmocka_unit_test(the_bucket_stands_in_the_path_or_in_the_host),
        cmocka_unit_test(retry_after_may_be_a_date),
        cmocka_unit_test(a_marker_that_hides_is_an_absence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
