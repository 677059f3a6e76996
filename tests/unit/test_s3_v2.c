#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <muniment/s3/client.h>
#include <muniment/util/clock.h>
#include <muniment/util/interrupt.h>
#include <muniment/util/memory.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../lib/fault_proxy.h"
#include "../lib/rgw.h"
#include "../lib/scratch.h"

struct fixture {
    struct s3 *s3; /* speaks V2 */
    struct s3 *v4; /* the same service, by our own client: sees all that there is */
    char *bucket;
};

static int set_up_group(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);

    *state = fixture;
    if (!test_rgw_available())
        return 0;
    fixture->v4 = test_rgw_client(NULL);
    fixture->s3 = test_rgw_client_v2(NULL);
    fixture->bucket = test_rgw_bucket(TEST_BUCKET_PLAIN);
    return 0;
}

static int set_up(void **state) {
    struct fixture *fixture = *state;
    if (fixture->s3)
        s3_set_retry_time(fixture->s3, 5);
    return 0;
}

static int collect(void *context, const struct s3_listed *object, struct err *err) {
    (void)err;
    buffer_put(context, object->key, strlen(object->key) + 1);
    return 0;
}

/* Every test finds the bucket empty. */
static int tear_down(void **state) {
    struct fixture *fixture = *state;
    struct buffer keys = { 0 };
    struct err err = { 0 };

    if (!fixture->s3)
        return 0;
    assert_success(s3_list(fixture->v4, fixture->bucket, "", NULL, collect, &keys, &err), &err);
    for (size_t at = 0; at < keys.length; at += strlen((const char *)keys.data + at) + 1)
        assert_success(s3_delete(fixture->v4, fixture->bucket, (const char *)keys.data + at, NULL, &err), &err);
    buffer_release(&keys);
    return 0;
}

static int tear_down_group(void **state) {
    struct fixture *fixture = *state;

    if (fixture->bucket)
        test_rgw_drop(fixture->bucket);
    s3_close(fixture->s3);
    s3_close(fixture->v4);
    free(fixture);
    return 0;
}

static void an_object_goes_there_and_comes_back(void **state) {
    struct fixture *fixture = test_rgw_ready(state);
    const struct s3_get what = { .length = UINT64_MAX, .max = 100 };
    struct s3_info info;
    struct buffer got = { 0 };
    struct err err = { 0 };

    assert_success(s3_put(fixture->s3, fixture->bucket, "a/b", "hello", 5, NULL, &info, &err), &err);
    assert_string_equal(info.etag, "5d41402abc4b2a76b9719d911017c592");
    assert_int_equal(info.size, 5);
    s3_info_release(&info);
    buffer_put(&got, "> ", 2);
    assert_success(s3_get(fixture->s3, fixture->bucket, "a/b", &what, &got, &info, &err), &err);
    assert_string_equal(buffer_text(&got), "> hello");
    assert_int_equal(info.size, 5);
    assert_true(llabs(info.modified - clock_now()) < 3600);
    assert_string_equal(info.etag, "5d41402abc4b2a76b9719d911017c592");
    s3_info_release(&info);
    test_rgw_assert_object(fixture->v4, fixture->bucket, "a/b", NULL, "hello");

    assert_success(s3_head(fixture->s3, fixture->bucket, "a/b", NULL, &info, &err), &err);
    assert_int_equal(info.size, 5);
    s3_info_release(&info);
    assert_success(s3_delete(fixture->s3, fixture->bucket, "a/b", NULL, &err), &err);
    assert_failure(s3_head(fixture->s3, fixture->bucket, "a/b", NULL, &info, &err), ERR_NOT_FOUND, &err);
    assert_failure(s3_get(fixture->s3, fixture->bucket, "a/b", &what, &got, NULL, &err), ERR_NOT_FOUND, &err);
    assert_success(s3_delete(fixture->s3, fixture->bucket, "a/b", NULL, &err), &err);
    buffer_release(&got);
}

static void empty_and_large_objects_are_whole(void **state) {
    struct fixture *fixture = test_rgw_ready(state);
    enum { SIZE = 20 << 20 };
    const struct s3_get what = { .length = UINT64_MAX, .max = SIZE };
    struct buffer got = { 0 };
    struct s3_info info;
    struct err err = { 0 };
    uint8_t *data = mem_alloc(SIZE);

    test_rgw_put(fixture->s3, fixture->bucket, "empty", "");
    test_rgw_assert_object(fixture->s3, fixture->bucket, "empty", NULL, "");
    for (size_t i = 0; i < SIZE; i++)
        data[i] = (uint8_t)(i * 2654435761u >> 13);
    assert_success(s3_put(fixture->s3, fixture->bucket, "large", data, SIZE, NULL, NULL, &err), &err);
    assert_success(s3_get(fixture->s3, fixture->bucket, "large", &what, &got, &info, &err), &err);
    assert_int_equal(got.length, SIZE);
    assert_memory_equal(got.data, data, SIZE);
    s3_info_release(&info);
    buffer_release(&got);
    free(data);
}

static void parts_are_read_as_they_are_asked_for(void **state) {
    static const struct {
        uint64_t offset, length;
        const char *text;
    } cases[] = { { 0, 3, "012" }, { 3, 4, "3456" }, { 8, 100, "89" }, { 5, UINT64_MAX, "56789" }, { 10, 5, "" },
                  { 99, 1, "" },   { 0, 0, "" },     { 4, 0, "" },     { 0, 10, "0123456789" },    { 9, 1, "9" } };
    struct fixture *fixture = test_rgw_ready(state);
    struct err err = { 0 };

    test_rgw_put(fixture->s3, fixture->bucket, "digits", "0123456789");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct s3_get what = { .offset = cases[i].offset, .length = cases[i].length, .max = 100 };
        struct buffer got = { 0 };
        struct s3_info info;
        assert_success(s3_get(fixture->s3, fixture->bucket, "digits", &what, &got, &info, &err), &err);
        assert_string_equal(buffer_text(&got), cases[i].text);
        assert_int_equal(info.size, 10);
        assert_string_equal(info.etag, "781e5e245d69b566979b86e28d23f2c7");
        s3_info_release(&info);
        buffer_release(&got);
    }
}

static void an_object_that_is_not_the_one_that_was_meant_is_refused(void **state) {
    struct fixture *fixture = test_rgw_ready(state);
    struct s3_get what = { .if_match = "00000000000000000000000000000000", .length = UINT64_MAX, .max = 100 };
    struct buffer got = { 0 };
    struct err err = { 0 };

    test_rgw_put(fixture->s3, fixture->bucket, "x", "hello");
    assert_failure(s3_get(fixture->s3, fixture->bucket, "x", &what, &got, NULL, &err), ERR_CHANGED, &err);
    what.offset = 2;
    assert_failure(s3_get(fixture->s3, fixture->bucket, "x", &what, &got, NULL, &err), ERR_CHANGED, &err);
    what.if_match = "5d41402abc4b2a76b9719d911017c592";
    assert_success(s3_get(fixture->s3, fixture->bucket, "x", &what, &got, NULL, &err), &err);
    what.offset = 0;
    assert_success(s3_get(fixture->s3, fixture->bucket, "x", &what, &got, NULL, &err), &err);
    assert_string_equal(buffer_text(&got), "llohello");
    what.max = 4;
    assert_failure(s3_get(fixture->s3, fixture->bucket, "x", &what, &got, NULL, &err), ERR_CORRUPT, &err);
    what.offset = 1;
    what.max = 3;
    assert_failure(s3_get(fixture->s3, fixture->bucket, "x", &what, &got, NULL, &err), ERR_CORRUPT, &err);
    assert_int_equal(got.length, 8);
    buffer_release(&got);
}

/* Written by one client, read by the other, and the other way round. */
static void keys_that_libs3_encodes_right_name_the_same_object(void **state) {
    static const char *const keys[] = { "a+b",     "a%b",       "a%2Fb",        "a=b&c",
                                        "a*b",     "a'b\"c",    "(a)!~-_.",     "a//b",
                                        "/a",      "a/",        "//",           "a?b#c",
                                        "a:b;c,d", "a@b$c|d\\", "<a>[b]{c}^`d", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
                                        ".a",      "a.",        "...",          "a/.../b",
                                        "a/..b",   "..a/b" };
    struct fixture *fixture = test_rgw_ready(state);
    struct s3_info info;
    struct err err = { 0 };

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        char text[32];
        snprintf(text, sizeof text, "of two, %zu", i);
        test_rgw_put(fixture->s3, fixture->bucket, keys[i], text);
        test_rgw_assert_object(fixture->v4, fixture->bucket, keys[i], NULL, text);
        snprintf(text, sizeof text, "of four, %zu", i);
        test_rgw_put(fixture->v4, fixture->bucket, keys[i], text);
        test_rgw_assert_object(fixture->s3, fixture->bucket, keys[i], NULL, text);
        assert_success(s3_delete(fixture->s3, fixture->bucket, keys[i], NULL, &err), &err);
        assert_failure(s3_head(fixture->v4, fixture->bucket, keys[i], NULL, &info, &err), ERR_NOT_FOUND, &err);
    }
}

static void keys_that_would_become_others_or_break_listings_are_refused(void **state) {
    static const char *const unsayable[] = { "a b", " ", ".", "..", "a/./b", "a/../b", "../a", "a/.", "a/..", "./a" };
    static const char *const unlistable[] = {
        "a\nb", "a\x01", "\x7f", "a\xff", "\xc3", "\xed\xa0\x80", "\xef\xbf\xbf"
    };
    enum { STORABLE = 3 }; /* Ceph itself takes no others */
    struct fixture *fixture = test_rgw_ready(state);
    const struct s3_get what = { .length = UINT64_MAX, .max = 100 };
    struct buffer got = { 0 };
    struct s3_info info;
    struct err err = { 0 };
    char key[1026];

    for (size_t i = 0; i < sizeof unsayable / sizeof *unsayable; i++) {
        test_rgw_put(fixture->v4, fixture->bucket, unsayable[i], "stays");
        assert_failure(s3_put(fixture->s3, fixture->bucket, unsayable[i], "x", 1, NULL, NULL, &err), ERR_UNSUPPORTED,
                       &err);
        assert_failure(s3_get(fixture->s3, fixture->bucket, unsayable[i], &what, &got, NULL, &err), ERR_UNSUPPORTED,
                       &err);
        assert_failure(s3_head(fixture->s3, fixture->bucket, unsayable[i], NULL, &info, &err), ERR_UNSUPPORTED, &err);
        assert_failure(s3_delete(fixture->s3, fixture->bucket, unsayable[i], NULL, &err), ERR_UNSUPPORTED, &err);
        test_rgw_assert_object(fixture->v4, fixture->bucket, unsayable[i], NULL, "stays");
        assert_success(s3_delete(fixture->v4, fixture->bucket, unsayable[i], NULL, &err), &err);
    }
    for (size_t i = 0; i < sizeof unlistable / sizeof *unlistable; i++) {
        assert_failure(s3_put(fixture->s3, fixture->bucket, unlistable[i], "x", 1, NULL, NULL, &err), ERR_UNSUPPORTED,
                       &err);
        if (i >= STORABLE)
            continue;
        test_rgw_put(fixture->v4, fixture->bucket, unlistable[i], "readable");
        test_rgw_assert_object(fixture->s3, fixture->bucket, unlistable[i], NULL, "readable");
        assert_success(s3_delete(fixture->s3, fixture->bucket, unlistable[i], NULL, &err), &err);
    }
    memset(key, 'k', sizeof key);
    key[1023] = '\0';
    assert_failure(s3_put(fixture->s3, fixture->bucket, key, "x", 1, NULL, NULL, &err), ERR_UNSUPPORTED, &err);
    key[1023] = 'k';
    key[1025] = '\0';
    assert_failure(s3_put(fixture->s3, fixture->bucket, key, "x", 1, NULL, NULL, &err), ERR_INVALID, &err);
    assert_failure(s3_head(fixture->s3, fixture->bucket, "", NULL, &info, &err), ERR_INVALID, &err);
    key[1022] = '\0';
    test_rgw_put(fixture->s3, fixture->bucket, key, "long");
    test_rgw_assert_object(fixture->v4, fixture->bucket, key, NULL, "long");
    buffer_release(&got);
}

struct seen {
    char *keys[3000];
    size_t count, stop_after;
    int64_t modified;
};

static int see(void *context, const struct s3_listed *object, struct err *err) {
    struct seen *seen = context;
    if (seen->count == seen->stop_after)
        return err_set(err, ERR_REFUSED, "enough");
    seen->keys[seen->count++] = mem_string(object->key);
    seen->modified = object->modified;
    assert_int_equal(object->size, 5);
    assert_string_equal(object->etag, "5d41402abc4b2a76b9719d911017c592");
    return 0;
}

static void forget(struct seen *seen) {
    for (size_t i = 0; i < seen->count; i++)
        free(seen->keys[i]);
    seen->count = 0;
}

static void listings_are_whole_and_sorted(void **state) {
    struct fixture *fixture = test_rgw_ready(state);
    static const char *const keys[] = { "A&B", "a", "a/1", "a/2", "a<b>\"c\"'", "a\xc3\xa4", "b+%41", "b//c" };
    enum { COUNT = sizeof keys / sizeof *keys };
    struct seen seen = { .stop_after = SIZE_MAX };
    struct err err = { 0 };

    assert_success(s3_list(fixture->s3, fixture->bucket, NULL, NULL, see, &seen, &err), &err);
    assert_int_equal(seen.count, 0);
    for (size_t i = 0; i < COUNT; i++)
        test_rgw_put(fixture->s3, fixture->bucket, keys[i], "hello");
    assert_success(s3_list(fixture->s3, fixture->bucket, "", "", see, &seen, &err), &err);
    assert_int_equal(seen.count, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        assert_string_equal(seen.keys[i], keys[i]);
    forget(&seen);
    assert_success(s3_list(fixture->s3, fixture->bucket, "a/", NULL, see, &seen, &err), &err);
    assert_int_equal(seen.count, 2);
    forget(&seen);
    assert_success(s3_list(fixture->s3, fixture->bucket, "", "a/1", see, &seen, &err), &err);
    assert_int_equal(seen.count, 5);
    forget(&seen);
    seen.stop_after = 3;
    assert_failure(s3_list(fixture->s3, fixture->bucket, "", NULL, see, &seen, &err), ERR_REFUSED, &err);
    assert_int_equal(seen.count, 3);
    forget(&seen);
}

/* Europe/Berlin, as the zone of whoever runs this may be UTC, where the error would not show. */
static void times_of_listings_are_those_of_heads_wherever_we_are(void **state) {
    static const char *const zones[] = { "CET-1CEST,M3.5.0,M10.5.0/3", "NZST-12NZDT,M9.5.0,M4.1.0/3", "UTC0" };
    struct fixture *fixture = test_rgw_ready(state);
    struct seen seen = { .stop_after = SIZE_MAX };
    struct s3_info info;
    struct err err = { 0 };
    char *zone = mem_string(getenv("TZ"));

    test_rgw_put(fixture->s3, fixture->bucket, "x", "hello");
    assert_success(s3_head(fixture->v4, fixture->bucket, "x", NULL, &info, &err), &err);
    for (size_t i = 0; i < sizeof zones / sizeof *zones; i++) {
        setenv("TZ", zones[i], 1);
        assert_success(s3_list(fixture->s3, fixture->bucket, NULL, NULL, see, &seen, &err), &err);
        assert_int_equal(seen.modified, info.modified);
        forget(&seen);
    }
    if (zone)
        setenv("TZ", zone, 1);
    else
        unsetenv("TZ");
    s3_info_release(&info);
    free(zone);
}

static void a_listing_that_libs3_cannot_read_is_an_error(void **state) {
    struct fixture *fixture = test_rgw_ready(state);
    struct seen seen = { .stop_after = SIZE_MAX };
    struct err err = { 0 };
    char key[1025];

    s3_set_retry_time(fixture->s3, 1);
    test_rgw_put(fixture->v4, fixture->bucket, "a", "hello");
    test_rgw_put(fixture->v4, fixture->bucket, "b\x01", "hello");
    assert_int_equal(s3_list(fixture->s3, fixture->bucket, NULL, NULL, see, &seen, &err), -1);
    assert_non_null(strstr(err.hint, "control characters"));
    assert_success(s3_delete(fixture->v4, fixture->bucket, "b\x01", NULL, &err), &err);
    forget(&seen);
    memset(key, 'k', sizeof key);
    key[1024] = '\0';
    test_rgw_put(fixture->v4, fixture->bucket, key, "hello");
    assert_failure(s3_list(fixture->s3, fixture->bucket, NULL, NULL, see, &seen, &err), ERR_UNSUPPORTED, &err);
    forget(&seen);
}

static void headers_that_describe_an_object_go_with_it(void **state) {
    static const char *const pairs[][2] = {
        { "content-type", "text/plain; charset=utf-8" },
        { "cache-control", "max-age=60, public" },
        { "content-encoding", "identity" },
        { "content-disposition", "attachment; filename=\"a (1).txt\"" },
        { "x-amz-meta-one", "first value" },
        { "x-amz-meta-one-more", "=?UTF-8?Q?a?= +%&" },
        { "x-amz-meta-a", "b" },
    };
    struct fixture *fixture = test_rgw_ready(state);
    struct s3_headers headers = { 0 };
    const struct s3_put options = { .headers = &headers };
    struct s3_info info;
    struct err err = { 0 };

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        s3_headers_add(&headers, pairs[i][0], pairs[i][1]);
    s3_headers_add(&headers, "expires", "Thu, 01 Dec 2044 16:00:00 GMT");
    assert_success(s3_put(fixture->s3, fixture->bucket, "x", "hello", 5, &options, NULL, &err), &err);
    assert_success(s3_head(fixture->v4, fixture->bucket, "x", NULL, &info, &err), &err);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        const char *value = s3_headers_find(&info.headers, pairs[i][0]);
        assert_non_null(value);
        assert_string_equal(value, pairs[i][1]);
    }
    assert_non_null(strstr(s3_headers_find(&info.headers, "expires"), "Thu, 01 Dec 2044 16:00:00"));
    s3_info_release(&info);
    assert_success(s3_head(fixture->s3, fixture->bucket, "x", NULL, &info, &err), &err);
    assert_string_equal(s3_headers_find(&info.headers, "content-type"), "text/plain; charset=utf-8");
    assert_string_equal(s3_headers_find(&info.headers, "x-amz-meta-one-more"), "=?UTF-8?Q?a?= +%&");
    s3_info_release(&info);
    s3_headers_release(&headers);
}

static void headers_that_libs3_would_lose_or_change_are_refused(void **state) {
    static const char *const pairs[][2] = {
        { "content-disposition", "inline" },
        { "content-disposition", "attachment; filename=\"a\"b\"" },
        { "content-language", "de" },
        { "x-amz-tagging", "a=b" },
        { "x-amz-meta-empty", "" },
        { "x-amz-meta-blank", " a" },
        { "x-amz-meta-blanks", "a  b" },
        { "x-amz-meta-lines", "a\nb" },
        { "x-amz-meta-", "a" },
        { "x-amz-meta-a:b", "a" },
        { "expires", "soon" },
        { "content-type", "" },
        { "content-type", "this is a type of content that is longer than what libs3 has room for in its headers, "
                          "which is 128 bytes with the name" },
    };
    struct fixture *fixture = test_rgw_ready(state);
    struct err err = { 0 };
    struct s3_info info;

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct s3_headers headers = { 0 };
        const struct s3_put options = { .headers = &headers };
        s3_headers_add(&headers, pairs[i][0], pairs[i][1]);
        if (s3_put(fixture->s3, fixture->bucket, "x", "hello", 5, &options, NULL, &err) == 0)
            fail_msg("%s: %s was taken", pairs[i][0], pairs[i][1]);
        assert_int_equal(err.code, ERR_UNSUPPORTED);
        s3_headers_release(&headers);
    }
    const struct s3_put locked = { .lock = S3_LOCK_GOVERNANCE, .lock_until = clock_now() + 100 };
    assert_failure(s3_put(fixture->s3, fixture->bucket, "x", "hello", 5, &locked, NULL, &err), ERR_UNSUPPORTED, &err);
    assert_failure(s3_head(fixture->v4, fixture->bucket, "x", NULL, &info, &err), ERR_NOT_FOUND, &err);
}

static void what_v2_does_not_have_is_refused(void **state) {
    struct fixture *fixture = test_rgw_ready(state);
    const struct s3_get what = { .version = "v", .length = UINT64_MAX, .max = 100 };
    char *upload;
    struct buffer got = { 0 };
    struct s3_info info;
    struct err err = { 0 };

    assert_failure(s3_get(fixture->s3, fixture->bucket, "x", &what, &got, NULL, &err), ERR_UNSUPPORTED, &err);
    assert_failure(s3_head(fixture->s3, fixture->bucket, "x", "v", &info, &err), ERR_UNSUPPORTED, &err);
    assert_failure(s3_delete(fixture->s3, fixture->bucket, "x", "v", &err), ERR_UNSUPPORTED, &err);
    assert_failure(s3_multipart_begin(fixture->s3, fixture->bucket, "x", NULL, &upload, &err), ERR_UNSUPPORTED, &err);
}

static void refusals_of_the_server_keep_their_kind(void **state) {
    struct fixture *fixture = test_rgw_ready(state);
    struct s3_service service = { 0 };
    struct seen seen = { .stop_after = SIZE_MAX };
    struct s3_info info;
    struct err err = { 0 };

    assert_failure(s3_put(fixture->s3, "there-is-no-such-bucket", "x", "hello", 5, NULL, NULL, &err), ERR_NO_BUCKET,
                   &err);
    assert_failure(s3_list(fixture->s3, "there-is-no-such-bucket", NULL, NULL, see, &seen, &err), ERR_NO_BUCKET, &err);
    test_rgw_service(&service, NULL);
    free(service.credentials);
    service.credentials = mem_string(test_rgw_other_credentials());
    service.signature = S3_SIGNATURE_V2;
    struct s3 *other = test_rgw_client_of(&service, NULL);
    test_rgw_put(fixture->s3, fixture->bucket, "x", "hello");
    assert_failure(s3_put(other, fixture->bucket, "x", "other", 5, NULL, NULL, &err), ERR_DENIED, &err);
    assert_failure(s3_head(other, fixture->bucket, "x", NULL, &info, &err), ERR_DENIED, &err);
    assert_failure(s3_list(other, fixture->bucket, NULL, NULL, see, &seen, &err), ERR_DENIED, &err);
    assert_int_equal(s3_delete(other, fixture->bucket, "x", NULL, &err), -1);
    assert_int_equal(err.code, ERR_DENIED);
    assert_non_null(strstr(err.message, "'x'"));
    assert_non_null(strstr(err.message, fixture->bucket));
    assert_non_null(strstr(err.message, "AccessDenied"));
    test_rgw_assert_object(fixture->s3, fixture->bucket, "x", NULL, "hello");
    s3_close(other);
}

static void a_server_that_is_not_there_is_an_error_in_time(void **state) {
    struct err err = { 0 };

    (void)test_rgw_ready(state);
    struct s3 *nowhere = test_rgw_client_v2("http://127.0.0.1:1");
    s3_set_retry_time(nowhere, 0);
    assert_failure(s3_put(nowhere, "bucket", "x", "hello", 5, NULL, NULL, &err), ERR_SYSTEM, &err);
    s3_close(nowhere);
}

/* --- through a proxy that fails ----------------------------------------------------------------------------------- */

struct faulty {
    struct fault_proxy *proxy;
    struct s3 *s3;
};

static struct faulty begin_faults(int64_t retry_time) {
    struct faulty faulty = { .proxy = fault_proxy_start() };

    faulty.s3 = test_rgw_client_v2(fault_proxy_endpoint(faulty.proxy));
    s3_set_retry_time(faulty.s3, retry_time);
    return faulty;
}

/* What stands for B2 would refuse V2. */
static void set_faults(struct faulty *faulty, const char *rules) {
    char *all = mem_format("v2\n%s", rules);
    fault_proxy_set(faulty->proxy, all);
    free(all);
}

static void end_faults(struct faulty *faulty) {
    s3_close(faulty->s3);
    fault_proxy_stop(faulty->proxy);
}

static void what_fails_for_a_while_is_tried_again(void **state) {
    static const char *const faults[] = {
        "status code=503 kind=put count=1\nstatus code=503 kind=get count=1\nstatus code=503 kind=delete count=1",
        "cut-request kind=put count=1\ncut-answer kind=get count=2\nlost-answer kind=delete count=1",
        "error-200 kind=put count=1\nerror-200 kind=get count=1\nlost-answer kind=head count=1",
        "error-200-after kind=put count=1\nlost-answer kind=get count=1",
        "status code=500 text=not_xml kind=put count=1",
    };
    struct fixture *fixture = test_rgw_ready(state);
    struct faulty faulty = begin_faults(30);
    char *text = mem_alloc(100001);
    struct s3_info info;
    struct err err = { 0 };

    for (size_t i = 0; i < 100000; i++)
        text[i] = (char)('a' + i % 23);
    text[100000] = '\0';
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        set_faults(&faulty, faults[i]);
        test_rgw_put(faulty.s3, fixture->bucket, "x", text);
        test_rgw_assert_object(fixture->v4, fixture->bucket, "x", NULL, text);
        test_rgw_assert_object(faulty.s3, fixture->bucket, "x", NULL, text);
        assert_success(s3_delete(faulty.s3, fixture->bucket, "x", NULL, &err), &err);
        assert_failure(s3_head(fixture->v4, fixture->bucket, "x", NULL, &info, &err), ERR_NOT_FOUND, &err);
    }
    free(text);
    end_faults(&faulty);
}

static void a_put_whose_answer_is_lost_is_not_sent_twice(void **state) {
    struct fixture *fixture = test_rgw_ready(state);
    struct faulty faulty = begin_faults(30);

    set_faults(&faulty, "lost-answer kind=put count=1");
    test_rgw_put(faulty.s3, fixture->bucket, "x", "hello");
    assert_int_equal(fault_proxy_count(faulty.proxy, "put"), 1);
    end_faults(&faulty);
}

static void a_listing_that_is_cut_short_is_continued(void **state) {
    static const char *const faults[] = {
        "",
        "short keep=3 kind=list",
        "cut-answer kind=list count=1",
        "error-200 kind=list count=1",
        "error-200 kind=list skip=1 count=1",
        "short keep=3 kind=list count=1\nerror-200 kind=list count=2",
    };
    enum { COUNT = 9 };
    struct fixture *fixture = test_rgw_ready(state);
    struct faulty faulty = begin_faults(30);
    struct seen seen = { .stop_after = SIZE_MAX };
    struct err err = { 0 };
    char key[16];

    for (int i = 0; i < COUNT; i++) {
        snprintf(key, sizeof key, "key-%d", i);
        test_rgw_put(fixture->s3, fixture->bucket, key, "hello");
    }
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        set_faults(&faulty, faults[i]);
        assert_success(s3_list(faulty.s3, fixture->bucket, "key-", NULL, see, &seen, &err), &err);
        if (seen.count != COUNT)
            fail_msg("'%s': %zu keys", faults[i], seen.count);
        forget(&seen);
    }
    end_faults(&faulty);
}

static void what_fails_for_good_is_an_error_that_says_where(void **state) {
    struct fixture *fixture = test_rgw_ready(state);
    struct faulty faulty = begin_faults(2);
    struct s3_info info;
    struct err err = { 0 };

    set_faults(&faulty, "status code=503 kind=put");
    assert_int_equal(s3_put(faulty.s3, fixture->bucket, "x", "hello", 5, NULL, NULL, &err), -1);
    assert_int_equal(err.code, ERR_SYSTEM);
    assert_non_null(strstr(err.message, "SlowDown"));
    assert_non_null(strstr(err.message, fixture->bucket));
    set_faults(&faulty, "status code=403 text=cap_exceeded kind=put");
    assert_int_equal(s3_put(faulty.s3, fixture->bucket, "x", "hello", 5, NULL, NULL, &err), -1);
    set_faults(&faulty, "status code=403 kind=head");
    assert_failure(s3_put(faulty.s3, fixture->bucket, "x", "hello", 5, NULL, NULL, &err), ERR_DENIED, &err);
    assert_failure(s3_head(faulty.s3, fixture->bucket, "x", NULL, &info, &err), ERR_DENIED, &err);
    end_faults(&faulty);
}

/* In a child, whose end is the proof: the server is silent for longer than the alarm waits. */
static void an_interrupt_ends_a_call_while_the_server_is_silent(void **state) {
    struct fixture *fixture = test_rgw_ready(state);
    struct faulty faulty = begin_faults(30);
    const struct s3_get what = { .length = UINT64_MAX, .max = 100 };
    int status, ready[2];

    test_rgw_put(fixture->s3, fixture->bucket, "x", "hello");
    set_faults(&faulty, "slow ms=60000 kind=get");
    assert_int_equal(pipe(ready), 0);
    const pid_t child = scratch_fork();
    if (child == 0) {
        struct buffer got = { 0 };
        struct err err = { 0 };
        interrupt_install();
        alarm(10);
        if (write(ready[1], "", 1) != 1)
            _exit(100);
        const int result = s3_get(faulty.s3, fixture->bucket, "x", &what, &got, NULL, &err);
        _exit(result == 0 ? 101 : (int)err.code);
    }
    assert_int_equal(read(ready[0], &status, 1), 1);
    while (fault_proxy_taken(faulty.proxy, "slow") == 0)
        usleep(20000);
    assert_int_equal(kill(child, SIGTERM), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), ERR_INTERRUPTED);
    close(ready[0]);
    close(ready[1]);
    end_faults(&faulty);
}

enum { THREADS = 8, ROUNDS = 12 };

struct worker {
    struct fixture *fixture;
    int number, failed;
};

static void *work(void *context) {
    struct worker *worker = context;
    struct fixture *fixture = worker->fixture;
    const struct s3_get what = { .length = UINT64_MAX, .max = 100 };
    struct err err = { 0 };

    for (int i = 0; i < ROUNDS; i++) {
        struct buffer got = { 0 };
        char key[32];
        const int length = snprintf(key, sizeof key, "%d/%d", worker->number, i);
        if (s3_put(fixture->s3, fixture->bucket, key, key, (size_t)length, NULL, NULL, &err) < 0 ||
            s3_get(fixture->s3, fixture->bucket, key, &what, &got, NULL, &err) < 0 ||
            strcmp(buffer_text(&got), key) != 0)
            worker->failed++;
        buffer_release(&got);
    }
    return NULL;
}

static void many_threads_do_not_disturb_each_other(void **state) {
    struct fixture *fixture = test_rgw_ready(state);
    struct worker workers[THREADS];
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){ fixture, i, 0 };
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(workers[i].failed, 0);
    }
}

#define with_fixture(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        with_fixture(an_object_goes_there_and_comes_back),
        with_fixture(empty_and_large_objects_are_whole),
        with_fixture(parts_are_read_as_they_are_asked_for),
        with_fixture(an_object_that_is_not_the_one_that_was_meant_is_refused),
        with_fixture(keys_that_libs3_encodes_right_name_the_same_object),
        with_fixture(keys_that_would_become_others_or_break_listings_are_refused),
        with_fixture(listings_are_whole_and_sorted),
        with_fixture(times_of_listings_are_those_of_heads_wherever_we_are),
        with_fixture(a_listing_that_libs3_cannot_read_is_an_error),
        with_fixture(headers_that_describe_an_object_go_with_it),
        with_fixture(headers_that_libs3_would_lose_or_change_are_refused),
        with_fixture(what_v2_does_not_have_is_refused),
        with_fixture(refusals_of_the_server_keep_their_kind),
        with_fixture(a_server_that_is_not_there_is_an_error_in_time),
        with_fixture(what_fails_for_a_while_is_tried_again),
        with_fixture(a_put_whose_answer_is_lost_is_not_sent_twice),
        with_fixture(a_listing_that_is_cut_short_is_continued),
        with_fixture(what_fails_for_good_is_an_error_that_says_where),
        with_fixture(an_interrupt_ends_a_call_while_the_server_is_silent),
        with_fixture(many_threads_do_not_disturb_each_other),
    };
    return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
