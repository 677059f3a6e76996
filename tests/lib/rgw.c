#include "rgw.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scratch.h"
#include "script.h"
#include <muniment/util/file.h>
#include <muniment/util/memory.h>
#include <muniment/util/process.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The one of this program; made once. */
static struct {
    bool available, own;
    char *folder; /* of the servers */
    char *scratch;
    char *endpoint, *credentials, *other;
} rgw;

static void stop(void) {
    if (rgw.own) {
        script_run("lib/rgw.sh", (const char *const[]){ "stop", rgw.folder, NULL }, NULL, NULL);
        scratch_remove(rgw.scratch);
    }
    free(rgw.folder);
    free(rgw.endpoint);
    free(rgw.credentials);
    free(rgw.other);
}

static void start_own(void) {
    char owner[32];
    snprintf(owner, sizeof owner, "RGW_OWNER=%ld", (long)getpid());
    rgw.own = true;
    rgw.scratch = scratch_make();
    rgw.folder = mem_format("%s/rgw", rgw.scratch);
    script_run("lib/rgw.sh", (const char *const[]){ "start", rgw.folder, NULL }, (const char *const[]){ owner, NULL },
               NULL);
}

static void start(void) {
    struct buffer text = { 0 };
    struct err err = { 0 };
    const char *shared = getenv("MUNIMENT_TEST_RGW");
    if (shared)
        rgw.folder = mem_string(shared);
    else if (script_succeeds("lib/rgw.sh", (const char *const[]){ "available", NULL }))
        start_own();
    else
        return;
    rgw.available = true;
    atexit(stop);

    char *path = mem_format("%s/endpoint", rgw.folder);
    assert_success(file_read(path, 256, &text, &err), &err);
    rgw.endpoint = mem_format("%.*s", (int)strcspn(buffer_text(&text), "\n"), buffer_text(&text));
    rgw.credentials = mem_format("%s/credentials", rgw.folder);
    rgw.other = mem_format("%s/other.credentials", rgw.folder);
    buffer_release(&text);
    free(path);
}

bool test_rgw_available(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start);
    return rgw.available;
}

void *test_rgw_ready(void **state) {
    if (!test_rgw_available())
        skip();
    return *state;
}

const char *test_rgw_endpoint(void) {
    assert_true(test_rgw_available());
    return rgw.endpoint;
}

const char *test_rgw_credentials(void) {
    assert_true(test_rgw_available());
    return rgw.credentials;
}

const char *test_rgw_other_credentials(void) {
    assert_true(test_rgw_available());
    return rgw.other;
}

void test_rgw_service(struct s3_service *service, const char *endpoint) {
    *service = (struct s3_service){
        .endpoint = mem_string(endpoint ? endpoint : test_rgw_endpoint()),
        .credentials = mem_string(test_rgw_credentials()),
    };
}

struct s3 *test_rgw_client_of(struct s3_service *service, struct log *log) {
    struct s3 *s3 = NULL;
    struct err err = { 0 };
    assert_success(s3_open(service, log, &s3, &err), &err);
    s3_set_retry_time(s3, 20);
    s3_service_release(service);
    return s3;
}

struct s3 *test_rgw_client(const char *endpoint) {
    struct s3_service service;
    test_rgw_service(&service, endpoint);
    return test_rgw_client_of(&service, NULL);
}

struct s3 *test_rgw_client_v2(const char *endpoint) {
    struct s3_service service;
    test_rgw_service(&service, endpoint);
    service.signature = S3_SIGNATURE_V2;
    return test_rgw_client_of(&service, NULL);
}

struct s3 *test_rgw_client_as(const char *credentials) {
    struct s3_service service;
    test_rgw_service(&service, NULL);
    free(service.credentials);
    service.credentials = mem_string(credentials);
    return test_rgw_client_of(&service, NULL);
}

void test_rgw_put(struct s3 *s3, const char *bucket, const char *key, const char *text) {
    struct err err = { 0 };
    assert_success(s3_put(s3, bucket, key, text, strlen(text), NULL, NULL, &err), &err);
}

void test_rgw_assert_object(struct s3 *s3, const char *bucket, const char *key, const char *version, const char *text) {
    const struct s3_get whole = { .length = UINT64_MAX, .version = version, .max = 1048576 };
    struct buffer out = { 0 };
    struct err err = { 0 };
    assert_success(s3_get(s3, bucket, key, &whole, &out, NULL, &err), &err);
    assert_string_equal(buffer_text(&out), text);
    buffer_release(&out);
}

static void admin(struct buffer *out, const char *const *arguments) {
    const char *all[16] = { test_rgw_endpoint(), test_rgw_credentials() };
    for (size_t i = 0; arguments[i]; i++) {
        assert_true(i + 3 < sizeof all / sizeof *all);
        all[i + 2] = arguments[i];
    }
    script_run("tools/s3-admin", all, NULL, out);
}

void test_rgw_admin(struct buffer *out, ...) {
    const char *arguments[12] = { 0 };
    va_list list;
    va_start(list, out);
    for (size_t i = 0; (arguments[i] = va_arg(list, const char *)) != NULL; i++)
        assert_true(i + 1 < sizeof arguments / sizeof *arguments);
    va_end(list);
    admin(out, arguments);
}

char *test_rgw_bucket(enum test_bucket kind) {
    static const char *const KINDS[] = { NULL, "versioned", "locked" };
    char *name = mem_format("bucket-%08x%08x", randombytes_random(), randombytes_random());
    test_rgw_admin(NULL, "make", name, KINDS[kind], NULL);
    return name;
}

void test_rgw_drop(char *bucket) {
    test_rgw_admin(NULL, "drop", bucket, NULL);
    free(bucket);
}
