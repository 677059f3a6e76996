/* Objects: what is put is what is read, and what cannot be done is said in words. Against a real server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/rgw_world.h"
#include "../lib/scratch.h"
#include <arpa/inet.h>
#include <muniment/util/clock.h>
#include <muniment/util/file.h>
#include <muniment/util/interrupt.h>
#include <muniment/util/memory.h>
#include <muniment/util/sha256.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct fixture {
    struct s3 *s3;
    const char *bucket;
};

static int make(void **state, const char *bucket) {
    struct fixture *fixture = mem_zalloc(sizeof *fixture);

    *state = fixture;
    fixture->bucket = bucket;
    if (test_rgw_available())
        fixture->s3 = test_rgw_client(NULL);
    return 0;
}

static int make_plain(void **state) {
    return make(state, ((const struct rgw_world *)*state)->plain);
}

static int make_versioned(void **state) {
    return make(state, ((const struct rgw_world *)*state)->versioned);
}

static int make_locked(void **state) {
    return make(state, ((const struct rgw_world *)*state)->locked);
}

static int drop(void **state) {
    struct fixture *fixture = *state;

    s3_close(fixture->s3);
    free(fixture);
    return 0;
}

static void put_text(const struct fixture *fixture, const char *key, const char *text) {
    test_rgw_put(fixture->s3, fixture->bucket, key, text);
}

static void expect_text(const struct fixture *fixture, const char *key, const char *version, const char *text) {
    test_rgw_assert_object(fixture->s3, fixture->bucket, key, version, text);
}

static const struct s3_get WHOLE = { .length = UINT64_MAX, .max = 1048576 };

/* --- keys --------------------------------------------------------------------------------------------------------- */

static void keys_of_any_bytes_round_trip(void **state) {
    static const char *const keys[] = { "a b",  "a+b", "a%2Fb", "a%b",      "=&",  "*",  "'\"",      "()",   "a//b",
                                        "/a",   "//",  "x/./y", "x/../y",   ".",   "..", "a/",       "\x01", "\x7f",
                                        "a\nb", "~",   "a?b#c", ";,@:!$|^", "<&>", "\\", "ä/\u20ac", "{}[]`" };
    const struct fixture *fixture = test_rgw_ready(state);
    char longest[S3_KEY_MAX + 1];

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        put_text(fixture, keys[i], keys[i]);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        expect_text(fixture, keys[i], NULL, keys[i]);

    memset(longest, '+', S3_KEY_MAX);
    longest[S3_KEY_MAX] = '\0';
    put_text(fixture, longest, "long");
    expect_text(fixture, longest, NULL, "long");
}

static void a_key_that_cannot_be_is_refused(void **state) {
    const struct fixture *fixture = test_rgw_ready(state);
    char longer[S3_KEY_MAX + 2];
    struct err err = { 0 };

    memset(longer, 'a', S3_KEY_MAX + 1);
    longer[S3_KEY_MAX + 1] = '\0';
    assert_failure(s3_put(fixture->s3, fixture->bucket, longer, "x", 1, NULL, NULL, &err), ERR_INVALID, &err);
    assert_failure(s3_put(fixture->s3, fixture->bucket, "", "x", 1, NULL, NULL, &err), ERR_INVALID, &err);
}

/* --- bodies and headers ------------------------------------------------------------------------------------------- */

static void bodies_of_all_sizes_round_trip(void **state) {
    static const size_t sizes[] = { 0, 1, 16384, 1048576, 1048577, 9000000 };
    const struct fixture *fixture = test_rgw_ready(state);
    const struct s3_get what = { .length = UINT64_MAX, .max = 9000000 };
    uint8_t *data = mem_alloc(9000000), digest[SHA256_SIZE];
    struct err err = { 0 };

    randombytes_buf_deterministic(data, 9000000, (const unsigned char[32]){ 1 });
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct buffer out = { 0 };
        struct s3_info info = { 0 };
        sha256_once(digest, data, sizes[i]);
        const struct s3_put options = { .sha256 = i % 2 == 0 ? digest : NULL };
        assert_success(s3_put(fixture->s3, fixture->bucket, "body", data, sizes[i], &options, NULL, &err), &err);
        assert_success(s3_get(fixture->s3, fixture->bucket, "body", &what, &out, &info, &err), &err);
        assert_int_equal(out.length, sizes[i]);
        assert_int_equal(info.size, sizes[i]);
        if (sizes[i] > 0)
            assert_memory_equal(out.data, data, sizes[i]);
        buffer_release(&out);
        s3_info_release(&info);
    }
    free(data);
}

static void a_body_that_is_not_what_its_hash_says_is_refused(void **state) {
    const struct fixture *fixture = test_rgw_ready(state);
    const uint8_t wrong[SHA256_SIZE] = { 1 };
    struct err err = { 0 };

    s3_set_retry_time(fixture->s3, 0);
    assert_int_equal(
        s3_put(fixture->s3, fixture->bucket, "unequal", "x", 1, &(struct s3_put){ .sha256 = wrong }, NULL, &err), -1);
    assert_failure(s3_head(fixture->s3, fixture->bucket, "unequal", NULL, &(struct s3_info){ 0 }, &err), ERR_NOT_FOUND,
                   &err);
}

static void what_describes_an_object_is_kept(void **state) {
    static const char *const pairs[][2] = {
        { "content-type", "text/x-muniment; charset=utf-8" },      { "cache-control", "max-age=60" },
        { "content-disposition", "attachment; filename=\"a b\"" }, { "x-amz-meta-two-words", "two  words" },
        { "x-amz-meta-two", "a prefix of the other's name" },      { "x-amz-meta-none", "" }
    };
    const struct fixture *fixture = test_rgw_ready(state);
    struct s3_headers headers = { 0 };
    struct s3_info put = { 0 }, info = { 0 };
    struct err err = { 0 };

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        s3_headers_add(&headers, pairs[i][0], pairs[i][1]);
    assert_success(
        s3_put(fixture->s3, fixture->bucket, "key", "hello", 5, &(struct s3_put){ .headers = &headers }, &put, &err),
        &err);
    assert_success(s3_head(fixture->s3, fixture->bucket, "key", NULL, &info, &err), &err);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        const char *value = s3_headers_find(&info.headers, pairs[i][0]);
        if (!value || strcmp(value, pairs[i][1]) != 0)
            fail_msg("%s: '%s', not '%s'", pairs[i][0], value ? value : "(none)", pairs[i][1]);
    }
    assert_null(s3_headers_find(&info.headers, "content-length"));
    assert_string_equal(put.etag, "5d41402abc4b2a76b9719d911017c592");
    assert_string_equal(info.etag, put.etag);
    assert_int_equal(info.size, 5);
    assert_in_range(info.modified, clock_now() - 60, clock_now() + 60);

    s3_headers_release(&headers);
    s3_info_release(&put);
    s3_info_release(&info);
}

static void a_header_cannot_bring_another_one_in(void **state) {
    const struct fixture *fixture = test_rgw_ready(state);
    struct s3_headers headers = { 0 };
    struct err err = { 0 };

    s3_headers_add(&headers, "x-amz-meta-a", "1\r\nx-amz-acl: public-read");
    assert_failure(
        s3_put(fixture->s3, fixture->bucket, "key", "x", 1, &(struct s3_put){ .headers = &headers }, NULL, &err),
        ERR_INVALID, &err);
    s3_headers_release(&headers);
}

static void a_lock_is_put_with_the_object(void **state) {
    const struct fixture *fixture = test_rgw_ready(state);
    const int64_t until = clock_now() + 3600;
    const struct s3_put options = { .lock = S3_LOCK_GOVERNANCE, .lock_until = until };
    struct s3_info info = { 0 };
    struct err err = { 0 };
    char text[CLOCK_TEXT];

    assert_success(s3_put(fixture->s3, fixture->bucket, "key", "x", 1, &options, &info, &err), &err);
    char *version = mem_string(info.version);
    s3_info_release(&info);
    assert_success(s3_head(fixture->s3, fixture->bucket, "key", NULL, &info, &err), &err);
    assert_string_equal(s3_headers_find(&info.headers, "x-amz-object-lock-mode"), "GOVERNANCE");
    assert_memory_equal(s3_headers_find(&info.headers, "x-amz-object-lock-retain-until-date"),
                        clock_format(text, until), 19);
    assert_failure(s3_delete(fixture->s3, fixture->bucket, "key", version, &err), ERR_DENIED, &err);
    expect_text(fixture, "key", version, "x");
    s3_info_release(&info);
    free(version);
}

/* --- parts -------------------------------------------------------------------------------------------------------- */

static void expect_part(const struct fixture *fixture, uint64_t offset, uint64_t length, const char *text) {
    const struct s3_get what = { .offset = offset, .length = length, .max = 100 };
    struct buffer out = { 0 };
    struct s3_info info = { 0 };
    struct err err = { 0 };

    buffer_put(&out, ">", 1);
    assert_success(s3_get(fixture->s3, fixture->bucket, "key", &what, &out, &info, &err), &err);
    assert_string_equal(buffer_text(&out) + 1, text);
    assert_int_equal(info.size, 10);
    assert_string_not_equal(info.etag, "");
    buffer_release(&out);
    s3_info_release(&info);
}

static void a_part_is_what_was_asked_for(void **state) {
    const struct fixture *fixture = test_rgw_ready(state);

    put_text(fixture, "key", "0123456789");
    expect_part(fixture, 0, 1, "0");
    expect_part(fixture, 3, 4, "3456");
    expect_part(fixture, 9, 1, "9");
    expect_part(fixture, 8, 100, "89");
    expect_part(fixture, 4, UINT64_MAX, "456789");
    expect_part(fixture, 0, 10, "0123456789");
    expect_part(fixture, 0, 20, "0123456789");
    expect_part(fixture, 10, 1, "");
    expect_part(fixture, 11, UINT64_MAX, "");
    expect_part(fixture, UINT64_MAX - 1, 1, "");
    expect_part(fixture, 5, 0, "");
}

static void a_part_of_nothing_is_nothing(void **state) {
    const struct fixture *fixture = test_rgw_ready(state);
    const struct s3_get what = { .length = 10, .max = 10 };
    struct buffer out = { 0 };
    struct s3_info info = { 0 };
    struct err err = { 0 };

    put_text(fixture, "empty", "");
    assert_success(s3_get(fixture->s3, fixture->bucket, "empty", &what, &out, &info, &err), &err);
    assert_int_equal(out.length, 0);
    assert_int_equal(info.size, 0);
    s3_info_release(&info);
    assert_failure(s3_get(fixture->s3, fixture->bucket, "absent", &what, &out, &info, &err), ERR_NOT_FOUND, &err);
    buffer_release(&out);
}

static void more_than_allowed_is_not_taken(void **state) {
    const struct fixture *fixture = test_rgw_ready(state);
    const struct s3_get what = { .length = UINT64_MAX, .max = 9 };
    struct buffer out = { 0 };
    struct err err = { 0 };

    put_text(fixture, "key", "0123456789");
    buffer_put(&out, "before", 6);
    assert_failure(s3_get(fixture->s3, fixture->bucket, "key", &what, &out, NULL, &err), ERR_CORRUPT, &err);
    assert_string_equal(buffer_text(&out), "before");
    buffer_release(&out);
}

static void only_the_object_that_was_meant_is_read(void **state) {
    const struct fixture *fixture = test_rgw_ready(state);
    struct s3_get what = { .length = UINT64_MAX, .max = 100, .if_match = "5d41402abc4b2a76b9719d911017c592" };
    struct buffer out = { 0 };
    struct err err = { 0 };

    put_text(fixture, "key", "hello");
    assert_success(s3_get(fixture->s3, fixture->bucket, "key", &what, &out, NULL, &err), &err);
    put_text(fixture, "key", "other");
    assert_failure(s3_get(fixture->s3, fixture->bucket, "key", &what, &out, NULL, &err), ERR_CHANGED, &err);
    what.length = 0;
    assert_failure(s3_get(fixture->s3, fixture->bucket, "key", &what, &out, NULL, &err), ERR_CHANGED, &err);
    assert_string_equal(buffer_text(&out), "hello");
    buffer_release(&out);
}

/* --- versions ----------------------------------------------------------------------------------------------------- */

static void versions_are_read_and_removed_by_name(void **state) {
    const struct fixture *fixture = test_rgw_ready(state);
    struct s3_info first = { 0 }, second = { 0 }, info = { 0 };
    struct err err = { 0 };

    assert_success(s3_put(fixture->s3, fixture->bucket, "key", "one", 3, NULL, &first, &err), &err);
    assert_success(s3_put(fixture->s3, fixture->bucket, "key", "two", 3, NULL, &second, &err), &err);
    assert_string_not_equal(first.version, second.version);
    expect_text(fixture, "key", NULL, "two");
    expect_text(fixture, "key", first.version, "one");

    assert_success(s3_delete(fixture->s3, fixture->bucket, "key", NULL, &err), &err);
    assert_failure(s3_head(fixture->s3, fixture->bucket, "key", NULL, &info, &err), ERR_NOT_FOUND, &err);
    expect_text(fixture, "key", second.version, "two");

    assert_success(s3_delete(fixture->s3, fixture->bucket, "key", first.version, &err), &err);
    assert_failure(s3_head(fixture->s3, fixture->bucket, "key", first.version, &info, &err), ERR_NOT_FOUND, &err);
    assert_success(s3_delete(fixture->s3, fixture->bucket, "key", first.version, &err), &err);
    assert_success(s3_head(fixture->s3, fixture->bucket, "key", second.version, &info, &err), &err);
    s3_info_release(&info);
    s3_info_release(&first);
    s3_info_release(&second);
}

/* --- what cannot be done ------------------------------------------------------------------------------------------ */

static void an_error_names_what_when_and_why(void **state) {
    const struct fixture *fixture = test_rgw_ready(state);
    struct buffer out = { 0 };
    struct err err = { 0 };

    assert_int_equal(s3_get(fixture->s3, fixture->bucket, "no/such \x1b key", &WHOLE, &out, NULL, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_words(&err, (const char *const[]){ "read 'no/such \\x1b key'", fixture->bucket, "404", "NoSuchKey", NULL });

    assert_int_equal(s3_get(fixture->s3, "there-is-no-such-bucket", "key", &WHOLE, &out, NULL, &err), -1);
    assert_int_equal(err.code, ERR_NO_BUCKET);
    assert_words(&err, (const char *const[]){ "there-is-no-such-bucket", "NoSuchBucket", "bucket's name", NULL });
    assert_failure(s3_delete(fixture->s3, "there-is-no-such-bucket", "key", NULL, &err), ERR_NO_BUCKET, &err);
    assert_success(s3_delete(fixture->s3, fixture->bucket, "absent", NULL, &err), &err);
    assert_int_equal(out.length, 0);
}

static void somebody_else_is_refused(void **state) {
    const struct fixture *fixture = test_rgw_ready(state);
    struct s3 *other = test_rgw_client_as(test_rgw_other_credentials());
    struct buffer out = { 0 };
    struct err err = { 0 };

    put_text(fixture, "key", "mine");
    assert_int_equal(s3_get(other, fixture->bucket, "key", &WHOLE, &out, NULL, &err), -1);
    assert_int_equal(err.code, ERR_DENIED);
    assert_words(&err, (const char *const[]){ "403", "AccessDenied", "not allowed", NULL });
    assert_failure(s3_head(other, fixture->bucket, "key", NULL, &(struct s3_info){ 0 }, &err), ERR_DENIED, &err);
    assert_failure(s3_put(other, fixture->bucket, "key", "x", 1, NULL, NULL, &err), ERR_DENIED, &err);
    assert_failure(s3_delete(other, fixture->bucket, "key", NULL, &err), ERR_DENIED, &err);
    expect_text(fixture, "key", NULL, "mine");
    s3_close(other);
}

static void a_wrong_secret_is_named_but_not_shown(void **state) {
    const struct fixture *fixture = test_rgw_ready(state);
    static const char secret[] = "NotTheSecretOfAnybody";
    char *folder = scratch_make(), *path = mem_format("%s/credentials", folder);
    struct buffer text = { 0 };
    struct err err = { 0 };
    char access[128] = "";

    assert_success(file_read(test_rgw_credentials(), 4096, &text, &err), &err);
    const char *line = strstr(buffer_text(&text), "access_key");
    assert_non_null(line);
    assert_int_equal(sscanf(line, "access_key = %120[^\n]", access), 1);
    text.length = 0;
    buffer_printf(&text, "access_key = %s\nsecret_key = %s\n", access, secret);
    assert_success(file_replace(path, 0600, text.data, text.length, &err), &err);
    struct s3 *wrong = test_rgw_client_as(path);

    assert_int_equal(s3_put(wrong, fixture->bucket, "key", "x", 1, NULL, NULL, &err), -1);
    assert_int_equal(err.code, ERR_DENIED);
    assert_words(&err, (const char *const[]){ "SignatureDoesNotMatch", "secret key", NULL });
    assert_null(strstr(err.message, secret));
    assert_null(strstr(err.hint, secret));

    s3_close(wrong);
    buffer_release(&text);
    free(path);
    scratch_remove(folder);
}

/* --- connections -------------------------------------------------------------------------------------------------- */

struct worker {
    const struct fixture *fixture;
    unsigned number;
    pthread_t thread;
    struct err err;
    int rc;
};

static void *work(void *context) {
    struct worker *worker = context;
    char key[32], data[4096];

    for (unsigned i = 0; i < 8 && worker->rc == 0; i++) {
        struct buffer out = { 0 };
        memset(data, (int)(worker->number * 16 + i), sizeof data);
        snprintf(key, sizeof key, "%u/%u", worker->number, i);
        worker->rc =
            s3_put(worker->fixture->s3, worker->fixture->bucket, key, data, sizeof data, NULL, NULL, &worker->err);
        if (worker->rc == 0)
            worker->rc = s3_get(worker->fixture->s3, worker->fixture->bucket, key, &WHOLE, &out, NULL, &worker->err);
        if (worker->rc == 0 && (out.length != sizeof data || memcmp(out.data, data, sizeof data) != 0))
            worker->rc = err_set(&worker->err, ERR_CORRUPT, "'%s' is not what was put", key);
        buffer_release(&out);
    }
    return NULL;
}

static void more_threads_than_connections_take_turns(void **state) {
    struct worker workers[16] = { 0 };
    const struct fixture *fixture = test_rgw_ready(state);

    for (unsigned i = 0; i < 16; i++) {
        workers[i] = (struct worker){ .fixture = fixture, .number = i };
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (unsigned i = 0; i < 16; i++)
        pthread_join(workers[i].thread, NULL);
    for (unsigned i = 0; i < 16; i++)
        assert_success(workers[i].rc, &workers[i].err);
}

static void a_limit_holds_over_all_connections(void **state) {
    const struct fixture *fixture = test_rgw_ready(state);
    struct s3_service service;
    struct buffer out = { 0 };
    struct err err = { 0 };
    char *data = mem_zalloc(300000);

    test_rgw_service(&service, NULL);
    service.upload_limit = service.download_limit = 1000000;
    struct s3 *limited = test_rgw_client_of(&service, NULL);
    const double begin = clock_monotonic();
    assert_success(s3_put(limited, fixture->bucket, "key", data, 300000, NULL, NULL, &err), &err);
    const double middle = clock_monotonic();
    assert_success(s3_get(limited, fixture->bucket, "key", &WHOLE, &out, NULL, &err), &err);
    assert_true(middle - begin > 0.15);
    assert_true(clock_monotonic() - middle > 0.15);
    assert_int_equal(out.length, 300000);

    s3_close(limited);
    buffer_release(&out);
    free(data);
}

static void nobody_there_is_an_error_in_the_end(void **state) {
    struct err err = { 0 };

    (void)test_rgw_ready(state);
    struct s3 *s3 = test_rgw_client("http://127.0.0.1:1");
    s3_set_retry_time(s3, 1);
    assert_int_equal(s3_put(s3, "bucket", "key", "x", 1, NULL, NULL, &err), -1);
    assert_int_equal(err.code, ERR_SYSTEM);
    assert_words(&err, (const char *const[]){ "put 'key'", "bucket", "gave up", "onnect", NULL });
    s3_close(s3);
}

/* The child's server takes the connection and never says a word. */
static void wait_in_vain(void) {
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof address;
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct buffer out = { 0 };
    struct err err = { 0 };
    char endpoint[64];

    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 4) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) != 0)
        _exit(2);
    snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%u", ntohs(address.sin_port));
    struct s3 *s3 = test_rgw_client(endpoint);
    interrupt_install();
    signal(SIGALRM, SIG_DFL);
    alarm(20);
    raise(SIGTERM);
    const int rc = s3_get(s3, "bucket", "key", &WHOLE, &out, NULL, &err);
    _exit(rc == -1 && err.code == ERR_INTERRUPTED && strstr(err.message, "SIGTERM") ? 0 : 3);
}

static void an_interrupt_ends_a_call(void **state) {
    int status;

    (void)test_rgw_ready(state);
    const pid_t child = scratch_fork();
    assert_true(child >= 0);
    if (child == 0)
        wait_in_vain();
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keys_of_any_bytes_round_trip, make_plain, drop),
        cmocka_unit_test_setup_teardown(a_key_that_cannot_be_is_refused, make_plain, drop),
        cmocka_unit_test_setup_teardown(bodies_of_all_sizes_round_trip, make_plain, drop),
        cmocka_unit_test_setup_teardown(a_body_that_is_not_what_its_hash_says_is_refused, make_plain, drop),
        cmocka_unit_test_setup_teardown(what_describes_an_object_is_kept, make_plain, drop),
        cmocka_unit_test_setup_teardown(a_header_cannot_bring_another_one_in, make_plain, drop),
        cmocka_unit_test_setup_teardown(a_lock_is_put_with_the_object, make_locked, drop),
        cmocka_unit_test_setup_teardown(a_part_is_what_was_asked_for, make_plain, drop),
        cmocka_unit_test_setup_teardown(a_part_of_nothing_is_nothing, make_plain, drop),
        cmocka_unit_test_setup_teardown(more_than_allowed_is_not_taken, make_plain, drop),
        cmocka_unit_test_setup_teardown(only_the_object_that_was_meant_is_read, make_plain, drop),
        cmocka_unit_test_setup_teardown(versions_are_read_and_removed_by_name, make_versioned, drop),
        cmocka_unit_test_setup_teardown(an_error_names_what_when_and_why, make_plain, drop),
        cmocka_unit_test_setup_teardown(somebody_else_is_refused, make_plain, drop),
        cmocka_unit_test_setup_teardown(a_wrong_secret_is_named_but_not_shown, make_plain, drop),
        cmocka_unit_test_setup_teardown(more_threads_than_connections_take_turns, make_plain, drop),
        cmocka_unit_test_setup_teardown(a_limit_holds_over_all_connections, make_plain, drop),
        cmocka_unit_test_setup_teardown(nobody_there_is_an_error_in_the_end, make_plain, drop),
        cmocka_unit_test_setup_teardown(an_interrupt_ends_a_call, make_plain, drop),
    };
    return cmocka_run_group_tests(tests, rgw_world_make, rgw_world_drop);
}
