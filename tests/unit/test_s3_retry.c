/* What is tried again, what is not, and that neither ever tells a wrong success. Before a real server stands a proxy
 * that fails as it is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/rgw_world.h"
#include "../lib/scratch.h"
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the client says meanwhile, and a chance to do something between two tries. */
struct heard {
    _Atomic unsigned details, warnings;
    void (*meanwhile)(const char *bucket);
    const char *bucket; /* for it */
};

static void hear(void *context, enum log_level level, const char *line) {
    struct heard *heard = context;

    (void)line;
    if (level == LOG_WARNING)
        heard->warnings++;
    if (level == LOG_DETAIL)
        heard->details++;
    if (heard->meanwhile && level == LOG_DETAIL)
        heard->meanwhile(heard->bucket);
}

struct fixture {
    struct rgw_world world;
    struct heard heard;
    struct log log;
    struct s3 *s3; /* through the proxy */
};

static struct s3 *open_client(const struct fixture *fixture, const char *region, struct log *log) {
    struct s3_service service;

    test_rgw_service(&service, fault_proxy_endpoint(fixture->world.proxy));
    service.region = mem_string(region);
    return test_rgw_client_of(&service, log);
}

static int open_fixture(void **state) {
    struct fixture *fixture = mem_zalloc(sizeof *fixture);

    fixture->world = *(const struct rgw_world *)*state;
    *state = fixture;
    if (!test_rgw_available())
        return 0;
    fixture->log = (struct log){ .write = hear, .context = &fixture->heard };
    fixture->s3 = open_client(fixture, NULL, &fixture->log);
    fault_proxy_set(fixture->world.proxy, "");
    return 0;
}

static int close_fixture(void **state) {
    struct fixture *fixture = *state;
    s3_close(fixture->s3);
    free(fixture);
    return 0;
}

static const struct s3_get WHOLE = { .length = UINT64_MAX, .max = 8000000 };

static unsigned long count(const struct fixture *fixture, const char *kind) {
    return fault_proxy_count(fixture->world.proxy, kind);
}

/* --- what passes -------------------------------------------------------------------------------------------------- */

struct busy {
    pthread_t thread;
    const struct fixture *fixture;
    char key[16];
    struct err err;
    int rc;
};

static void *put_busy(void *context) {
    struct busy *busy = context;
    busy->rc = s3_put(busy->fixture->s3, busy->fixture->world.plain, busy->key, busy->key, strlen(busy->key), NULL,
                      NULL, &busy->err);
    return NULL;
}

static void a_busy_server_is_asked_again(void **state) {
    static const char *const answers[] = { "code=503",
                                           "code=503 after=1",
                                           "code=500 error=InternalError",
                                           "code=429 error=TooManyRequests",
                                           "code=408 error=RequestTimeout",
                                           "code=400 error=RequestTimeout",
                                           "code=400 error=BadDigest",
                                           "code=400 error=IncompleteBody",
                                           "code=502 text=bad_gateway",
                                           "code=504 text=<html>timeout</html>" };
    enum { COUNT = sizeof answers / sizeof *answers };
    const struct fixture *fixture = test_rgw_ready(state);
    struct busy all[COUNT] = { 0 };
    struct buffer rules = { 0 };

    for (size_t i = 0; i < COUNT; i++)
        buffer_printf(&rules, "status kind=put key=busy-%zu count=1 %s\n", i, answers[i]);
    fault_proxy_set(fixture->world.proxy, buffer_text(&rules));
    for (size_t i = 0; i < COUNT; i++) {
        all[i].fixture = fixture;
        snprintf(all[i].key, sizeof all[i].key, "busy-%zu", i);
        assert_int_equal(pthread_create(&all[i].thread, NULL, put_busy, &all[i]), 0);
    }
    for (size_t i = 0; i < COUNT; i++)
        pthread_join(all[i].thread, NULL);
    for (size_t i = 0; i < COUNT; i++) {
        assert_success(all[i].rc, &all[i].err);
        test_rgw_assert_object(fixture->s3, fixture->world.plain, all[i].key, NULL, all[i].key);
    }
    assert_int_equal(count(fixture, "put"), 2 * COUNT);
    assert_int_equal(fixture->heard.details, COUNT);
    assert_int_equal(fixture->heard.warnings, 0);
    buffer_release(&rules);
}

static void every_kind_of_call_is_tried_again(void **state) {
    const struct fixture *fixture = test_rgw_ready(state);
    struct s3_info info = { 0 };
    struct err err = { 0 };

    test_rgw_put(fixture->s3, fixture->world.plain, "kinds", "text");
    fault_proxy_set(fixture->world.proxy, "status kind=get count=1 code=503\nstatus kind=head count=1 code=503\n"
                                          "status kind=delete count=1 code=503\n");
    test_rgw_assert_object(fixture->s3, fixture->world.plain, "kinds", NULL, "text");
    assert_success(s3_head(fixture->s3, fixture->world.plain, "kinds", NULL, &info, &err), &err);
    s3_info_release(&info);
    assert_success(s3_delete(fixture->s3, fixture->world.plain, "kinds", NULL, &err), &err);
    assert_int_equal(count(fixture, "get"), 2);
    assert_int_equal(count(fixture, "head"), 2);
    assert_int_equal(count(fixture, "delete"), 2);
}

static void retry_after_is_waited_for(void **state) {
    const struct fixture *fixture = test_rgw_ready(state);
    const double begin = clock_monotonic();

    fault_proxy_set(fixture->world.proxy, "status kind=put count=1 code=503 after=1\n");
    test_rgw_put(fixture->s3, fixture->world.plain, "later", "text");
    assert_true(clock_monotonic() - begin >= 0.9);
}

static void an_error_in_a_good_answer_is_an_error(void **state) {
    const struct fixture *fixture = test_rgw_ready(state);
    struct err err = { 0 };

    fault_proxy_set(fixture->world.proxy, "error-200 kind=put count=1\n");
    test_rgw_put(fixture->s3, fixture->world.plain, "inside", "text");
    assert_int_equal(count(fixture, "put"), 2);
    test_rgw_assert_object(fixture->s3, fixture->world.plain, "inside", NULL, "text");

    s3_set_retry_time(fixture->s3, 0);
    fault_proxy_set(fixture->world.proxy, "error-200 kind=put\n");
    assert_failure(s3_put(fixture->s3, fixture->world.plain, "inside", "x", 1, NULL, NULL, &err), ERR_SYSTEM, &err);
}

/* --- connections that break --------------------------------------------------------------------------------------- */

static char *much(size_t length) {
    char *data = mem_alloc(length);
    randombytes_buf_deterministic(data, length, (const unsigned char[32]){ 7 });
    return data;
}

static void a_request_that_broke_off_is_sent_again(void **state) {
    enum { LENGTH = 6000000 };
    const struct fixture *fixture = test_rgw_ready(state);
    char *data = much(LENGTH);
    struct buffer out = { 0 };
    struct err err = { 0 };

    fault_proxy_set(fixture->world.proxy, "cut-request kind=put count=1\n");
    assert_success(s3_put(fixture->s3, fixture->world.plain, "cut", data, LENGTH, NULL, NULL, &err), &err);
    assert_int_equal(count(fixture, "put"), 2);
    assert_success(s3_get(fixture->s3, fixture->world.plain, "cut", &WHOLE, &out, NULL, &err), &err);
    assert_int_equal(out.length, LENGTH);
    assert_memory_equal(out.data, data, LENGTH);
    buffer_release(&out);
    free(data);
}

/* A second one would be a second version, which is billed. */
static void a_put_that_arrived_is_not_sent_again(void **state) {
    const struct fixture *fixture = test_rgw_ready(state);
    struct s3_info info = { 0 };
    struct buffer versions = { 0 };
    struct err err = { 0 };

    fault_proxy_set(fixture->world.proxy, "lost-answer kind=put count=1\n");
    assert_success(s3_put(fixture->s3, fixture->world.versioned, "once", "text", 4, NULL, &info, &err), &err);
    assert_int_equal(count(fixture, "put"), 1);
    assert_int_equal(count(fixture, "head"), 1);
    assert_int_equal(info.size, 4);
    assert_non_null(info.version);
    test_rgw_admin(&versions, "versions", fixture->world.versioned, "once", NULL);
    assert_non_null(strstr(buffer_text(&versions), info.version));
    assert_ptr_equal(strchr(buffer_text(&versions), '\n'), strrchr(buffer_text(&versions), '\n'));
    buffer_release(&versions);
    s3_info_release(&info);
}

static void a_put_that_did_not_arrive_is_sent_again(void **state) {
    const struct fixture *fixture = test_rgw_ready(state);

    test_rgw_put(fixture->s3, fixture->world.versioned, "twice", "older");
    fault_proxy_set(fixture->world.proxy, "status kind=put count=1 code=500\n");
    test_rgw_put(fixture->s3, fixture->world.versioned, "twice", "newer");
    assert_int_equal(count(fixture, "put"), 2);
    assert_int_equal(count(fixture, "head"), 1);
    test_rgw_assert_object(fixture->s3, fixture->world.versioned, "twice", NULL, "newer");
}

static void a_read_that_broke_off_goes_on(void **state) {
    enum { LENGTH = 3000000 };
    const struct fixture *fixture = test_rgw_ready(state);
    char *data = much(LENGTH);
    struct buffer out = { 0 };
    struct s3_info info = { 0 };
    struct err err = { 0 };

    assert_success(s3_put(fixture->s3, fixture->world.plain, "long", data, LENGTH, NULL, NULL, &err), &err);
    fault_proxy_set(fixture->world.proxy, "cut-answer kind=get count=2\n");
    buffer_put(&out, "before", 6);
    assert_success(s3_get(fixture->s3, fixture->world.plain, "long", &WHOLE, &out, &info, &err), &err);
    assert_int_equal(count(fixture, "get"), 3);
    assert_int_equal(out.length, 6 + LENGTH);
    assert_memory_equal(out.data + 6, data, LENGTH);
    assert_int_equal(info.size, LENGTH);
    s3_info_release(&info);

    const struct s3_get part = { .offset = 1000, .length = 2000000, .max = 2000000 };
    fault_proxy_set(fixture->world.proxy, "cut-answer kind=get count=1\n");
    buffer_clear(&out);
    assert_success(s3_get(fixture->s3, fixture->world.plain, "long", &part, &out, &info, &err), &err);
    assert_int_equal(out.length, 2000000);
    assert_memory_equal(out.data, data + 1000, 2000000);
    assert_int_equal(info.size, LENGTH);
    s3_info_release(&info);
    buffer_release(&out);
    free(data);
}

static void overwrite(const char *bucket) {
    static char other[2000000];
    struct s3 *s3 = test_rgw_client(NULL);
    struct err err = { 0 };
    assert_success(s3_put(s3, bucket, "changing", other, sizeof other, NULL, NULL, &err), &err);
    s3_close(s3);
}

static void two_objects_are_never_read_as_one(void **state) {
    enum { LENGTH = 2000000 };
    struct fixture *fixture = test_rgw_ready(state);
    char *data = much(LENGTH);
    struct buffer out = { 0 };
    struct err err = { 0 };

    assert_success(s3_put(fixture->s3, fixture->world.plain, "changing", data, LENGTH, NULL, NULL, &err), &err);
    fault_proxy_set(fixture->world.proxy, "cut-answer kind=get count=1\n");
    fixture->heard.bucket = fixture->world.plain;
    fixture->heard.meanwhile = overwrite;
    assert_failure(s3_get(fixture->s3, fixture->world.plain, "changing", &WHOLE, &out, NULL, &err), ERR_CHANGED, &err);
    assert_int_equal(out.length, 0);
    buffer_release(&out);
    free(data);
}

/* --- what is final ------------------------------------------------------------------------------------------------ */

static void what_cannot_succeed_is_not_tried_again(void **state) {
    static const struct {
        const char *rule;
        enum err_code code;
        const char *words[4];
    } cases[] = {
        { "code=403 error=AccessDenied", ERR_DENIED, { "403 AccessDenied", "not allowed" } },
        { "code=403 error=InvalidAccessKeyId", ERR_DENIED, { "InvalidAccessKeyId", "credentials" } },
        { "code=403 error=SignatureDoesNotMatch", ERR_DENIED, { "SignatureDoesNotMatch", "secret key" } },
        { "code=401 error=ExpiredToken", ERR_DENIED, { "401", "session token" } },
        { "code=403 text=Transaction_cap_exceeded,_see_the_Caps_page",
          ERR_DENIED,
          { "403", "Transaction cap exceeded, see the Caps page", "cap" } },
        { "code=400 error=AuthorizationHeaderMalformed", ERR_INVALID, { "400", "region" } },
        { "code=404 error=NoSuchBucket", ERR_NO_BUCKET, { "NoSuchBucket", "bucket's name" } },
        { "code=404 text=<html>nginx</html>", ERR_INVALID, { "404", "nginx", "endpoint" } },
        { "code=400 error=MalformedXML", ERR_INVALID, { "MalformedXML" } },
        { "code=412 error=PreconditionFailed", ERR_CHANGED, { "412" } },
        { "code=501 error=NotImplemented", ERR_UNSUPPORTED, { "501", "NotImplemented" } },
    };
    const struct fixture *fixture = test_rgw_ready(state);

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = { 0 };
        char rules[128];
        snprintf(rules, sizeof rules, "status kind=put %s\n", cases[i].rule);
        fault_proxy_set(fixture->world.proxy, rules);
        assert_int_equal(s3_put(fixture->s3, fixture->world.plain, "final", "x", 1, NULL, NULL, &err), -1);
        if (err.code != cases[i].code)
            fail_msg("%s: code %d: %s", cases[i].rule, (int)err.code, err.message);
        assert_words(&err, cases[i].words);
        assert_words(&err, (const char *const[]){ "put 'final'", fixture->world.plain, NULL });
        assert_int_equal(count(fixture, "put"), 1);
    }
    assert_int_equal(fixture->heard.details, 0);
}

static void a_wrong_region_is_named(void **state) {
    const struct fixture *fixture = test_rgw_ready(state);
    struct s3 *s3 = open_client(fixture, "eu-nowhere-1", NULL);
    struct err err = { 0 };

    assert_int_equal(s3_put(s3, fixture->world.plain, "region", "x", 1, NULL, NULL, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    assert_words(&err, (const char *const[]){ "403", "region", "eu-nowhere-1", "us-east-1", NULL });
    s3_close(s3);
}

static void a_redirect_is_told_but_not_followed(void **state) {
    const struct fixture *fixture = test_rgw_ready(state);
    struct err err = { 0 };
    char rules[128];

    test_rgw_put(fixture->s3, fixture->world.plain, "moved", "text");
    snprintf(rules, sizeof rules, "redirect kind=get to=%s/%s/moved\n", test_rgw_endpoint(), fixture->world.plain);
    fault_proxy_set(fixture->world.proxy, rules);
    struct buffer out = { 0 };
    assert_int_equal(s3_get(fixture->s3, fixture->world.plain, "moved", &WHOLE, &out, NULL, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    assert_words(&err, (const char *const[]){ "301", "elsewhere", test_rgw_endpoint(), NULL });
    assert_int_equal(count(fixture, "get"), 1);
    assert_int_equal(out.length, 0);
}

/* --- an end to patience ------------------------------------------------------------------------------------------- */

static void patience_ends(void **state) {
    const struct fixture *fixture = test_rgw_ready(state);
    struct err err = { 0 };

    s3_set_retry_time(fixture->s3, 1);
    fault_proxy_set(fixture->world.proxy, "status kind=put code=503\n");
    assert_int_equal(s3_put(fixture->s3, fixture->world.plain, "never", "x", 1, NULL, NULL, &err), -1);
    assert_int_equal(err.code, ERR_SYSTEM);
    assert_words(&err, (const char *const[]){ "put 'never'", "gave up after", "503 SlowDown", NULL });
    assert_true(count(fixture, "put") >= 2);

    /* What asks for more time than there is gets none. */
    fault_proxy_set(fixture->world.proxy, "status kind=put code=503 after=3600\n");
    assert_failure(s3_put(fixture->s3, fixture->world.plain, "never", "x", 1, NULL, NULL, &err), ERR_SYSTEM, &err);
    assert_int_equal(count(fixture, "put"), 1);
}

/* --- connections -------------------------------------------------------------------------------------------------- */

static void connections_are_used_again_but_not_for_another_try(void **state) {
    const struct fixture *fixture = test_rgw_ready(state);

    for (int i = 0; i < 4; i++)
        test_rgw_put(fixture->s3, fixture->world.plain, "reuse", "text");
    test_rgw_assert_object(fixture->s3, fixture->world.plain, "reuse", NULL, "text");
    fault_proxy_set(fixture->world.proxy, "");
    for (int i = 0; i < 4; i++)
        test_rgw_put(fixture->s3, fixture->world.plain, "reuse", "text");
    assert_true(count(fixture, "connections") <= 1); /* the one that counts */

    fault_proxy_set(fixture->world.proxy, "status kind=put count=1 code=503\n");
    test_rgw_put(fixture->s3, fixture->world.plain, "reuse", "text");
    assert_true(count(fixture, "connections") >= 2);
}

static void what_was_changed_on_the_way_is_sent_again(void **state) {
    const struct fixture *fixture = test_rgw_ready(state);

    fault_proxy_set(fixture->world.proxy, "corrupt-request kind=put count=1\n");
    test_rgw_put(fixture->s3, fixture->world.plain, "changed", "what was meant");
    assert_int_equal(count(fixture, "put"), 2);
    test_rgw_assert_object(fixture->s3, fixture->world.plain, "changed", NULL, "what was meant");
}

static struct s3 *open_trusting(struct fault_proxy *proxy, char *ca_file) {
    struct s3_service service;

    test_rgw_service(&service, fault_proxy_endpoint(proxy));
    service.ca_file = ca_file;
    return test_rgw_client_of(&service, NULL);
}

static void a_certificate_must_be_trusted(void **state) {
    const struct fixture *fixture = test_rgw_ready(state);
    struct fault_proxy *proxy = fault_proxy_start_tls();
    struct err err = { 0 };

    struct s3 *s3 = open_trusting(proxy, NULL);
    assert_int_equal(s3_put(s3, fixture->world.plain, "secret", "text", 4, NULL, NULL, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    assert_words(&err, (const char *const[]){ "ertificate", "ca_file", NULL });
    s3_close(s3);

    s3 = open_trusting(proxy, fault_proxy_ca_file(proxy));
    test_rgw_put(s3, fixture->world.plain, "secret", "text");
    test_rgw_assert_object(s3, fixture->world.plain, "secret", NULL, "text");
    s3_close(s3);

    s3 = open_trusting(proxy, mem_string("/nowhere/ca.pem"));
    assert_failure(s3_put(s3, fixture->world.plain, "secret", "text", 4, NULL, NULL, &err), ERR_INVALID, &err);
    s3_close(s3);
    fault_proxy_stop(proxy);
}

/* --- clocks ------------------------------------------------------------------------------------------------------- */

/* Run by the test below, under a clock that is two hours off. */
static int work_with_a_wrong_clock(void) {
    struct heard heard = { 0 };
    struct log log = { .write = hear, .context = &heard };
    struct s3_service service = { .endpoint = getenv("TEST_ENDPOINT"), .credentials = getenv("TEST_CREDENTIALS") };
    struct err err = { 0 };
    struct s3 *s3 = NULL;
    struct s3_info info = { 0 };
    const char *bucket = getenv("TEST_BUCKET");

    if (s3_open(&service, &log, &s3, &err) < 0)
        return 2;
    if (s3_head(s3, bucket, "clock", NULL, &info, &err) < 0 ||
        s3_put(s3, bucket, "clock", "x", 1, NULL, NULL, &err) < 0)
        return 3;
    s3_info_release(&info);
    s3_close(s3);
    return heard.warnings == 1 ? 0 : 4;
}

static void a_wrong_clock_is_made_up_for(void **state) {
    static const char *const offsets[] = { "-2h", "+2h" };
    const struct fixture *fixture = test_rgw_ready(state);
    char self[4096] = "";
    int status;

    if (access("/usr/bin/faketime", X_OK) != 0)
        skip();
    assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    test_rgw_put(fixture->s3, fixture->world.plain, "clock", "text");
    for (size_t i = 0; i < 2; i++) {
        const pid_t child = scratch_fork();
        assert_true(child >= 0);
        if (child == 0) {
            setenv("TEST_ENDPOINT", test_rgw_endpoint(), 1);
            setenv("TEST_CREDENTIALS", test_rgw_credentials(), 1);
            setenv("TEST_BUCKET", fixture->world.plain, 1);
            execl("/usr/bin/faketime", "faketime", "-m", "-f", offsets[i], self, "wrong-clock", (char *)NULL);
            _exit(9);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}

int main(int count_of_arguments, char **arguments) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_busy_server_is_asked_again, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(every_kind_of_call_is_tried_again, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(retry_after_is_waited_for, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(an_error_in_a_good_answer_is_an_error, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(a_request_that_broke_off_is_sent_again, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(a_put_that_arrived_is_not_sent_again, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(a_put_that_did_not_arrive_is_sent_again, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(a_read_that_broke_off_goes_on, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(two_objects_are_never_read_as_one, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(what_cannot_succeed_is_not_tried_again, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(a_wrong_region_is_named, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(a_redirect_is_told_but_not_followed, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(patience_ends, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(connections_are_used_again_but_not_for_another_try, open_fixture,
                                        close_fixture),
        cmocka_unit_test_setup_teardown(what_was_changed_on_the_way_is_sent_again, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(a_certificate_must_be_trusted, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(a_wrong_clock_is_made_up_for, open_fixture, close_fixture),
    };
    if (count_of_arguments > 1 && strcmp(arguments[1], "wrong-clock") == 0)
        return work_with_a_wrong_clock();
    return cmocka_run_group_tests(tests, rgw_world_make, rgw_world_drop);
}
