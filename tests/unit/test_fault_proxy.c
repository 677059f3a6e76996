/* The proxy that makes a store stricter and more broken than it is: that it does so, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/fault_proxy.h"
#include "../lib/rgw.h"
#include "../lib/scratch.h"
#include "../lib/script.h"
#include <muniment/util/file.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 1 << 20 };

struct world {
    struct fault_proxy *proxy;
    char *bucket;
    struct s3 *s3;
    struct err err;
    uint8_t *data;
};

static int set_up(void **state) {
    if (!test_rgw_available())
        return 0;
    struct world *world = mem_zalloc(sizeof *world);
    world->proxy = fault_proxy_start();
    world->bucket = test_rgw_bucket(TEST_BUCKET_VERSIONED);
    world->data = mem_zalloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        world->data[i] = (uint8_t)(i * 31 + i / 251);
    *state = world;
    return 0;
}

static int tear_down(void **state) {
    struct world *world = *state;
    if (world == NULL)
        return 0;
    s3_close(world->s3);
    test_rgw_drop(world->bucket);
    fault_proxy_stop(world->proxy);
    free(world->data);
    free(world);
    return 0;
}

static struct world *world_of(void **state) {
    if (*state == NULL)
        skip();
    struct world *world = *state;
    s3_close(world->s3); /* it remembers a clock that was wrong */
    world->s3 = test_rgw_client(fault_proxy_endpoint(world->proxy));
    s3_set_retry_time(world->s3, 0);
    fault_proxy_set(world->proxy, "");
    return world;
}

static int put(struct world *world, const char *key, const char *header, const char *value) {
    struct s3_headers headers = { 0 };
    if (header != NULL)
        s3_headers_add(&headers, header, value);
    const struct s3_put options = { .headers = &headers };
    const int result = s3_put(world->s3, world->bucket, key, world->data, SIZE, &options, NULL, &world->err);
    s3_headers_release(&headers);
    return result;
}

/* By the client that shares no code with muniment and tries once. */
static void fetch(struct world *world, const char *key, struct buffer *out) {
    script_run("tools/s3-admin",
               (const char *const[]){ fault_proxy_endpoint(world->proxy), test_rgw_credentials(), "get", world->bucket,
                                      key, NULL },
               NULL, out);
}

static void what_passes_is_unchanged_and_counted(void **state) {
    struct world *world = world_of(state);
    struct buffer back = { 0 };

    assert_success(put(world, "a b", NULL, NULL), &world->err);
    fetch(world, "a%20b", &back);
    assert_int_equal(back.length, SIZE);
    assert_memory_equal(back.data, world->data, SIZE);
    buffer_release(&back);
    assert_int_equal(fault_proxy_count(world->proxy, "put"), 1);
    assert_int_equal(fault_proxy_count(world->proxy, "put:200"), 1);
    assert_int_equal(fault_proxy_count(world->proxy, "get"), 1);
    assert_int_equal(fault_proxy_count(world->proxy, "head"), 0);
    assert_int_equal(fault_proxy_count(world->proxy, "sent"), SIZE);
    assert_int_equal(fault_proxy_count(world->proxy, "received"), SIZE);
    char *log = fault_proxy_log(world->proxy), *line = mem_format("PUT /%s/a%%20b 200 -\n", world->bucket);
    assert_memory_equal(log, line, strlen(line));
    free(line);
    free(log);
}

static void one_byte_of_an_answer_is_another(void **state) {
    struct world *world = world_of(state);
    struct buffer back = { 0 };

    assert_success(put(world, "key", NULL, NULL), &world->err);
    fault_proxy_set(world->proxy, "corrupt kind=get at=1000 count=1");
    fetch(world, "key", &back);
    assert_int_equal(back.length, SIZE);
    back.data[1000] ^= 1;
    assert_memory_equal(back.data, world->data, SIZE);
    buffer_clear(&back);
    fetch(world, "key", &back);
    assert_memory_equal(back.data, world->data, SIZE);
    assert_int_equal(fault_proxy_taken(world->proxy, "corrupt"), 1);
    buffer_release(&back);
}

static void manners_are_stricter_than_the_store(void **state) {
    struct world *world = world_of(state);
    struct s3_service service;

    assert_failure(put(world, "if", "if-none-match", "*"), ERR_UNSUPPORTED, &world->err);
    assert_int_equal(put(world, "sum", "x-amz-checksum-crc32", "AAAAAA=="), -1);
    err_clear(&world->err);
    assert_int_equal(fault_proxy_count(world->proxy, "put:400"), 1);

    test_rgw_service(&service, fault_proxy_endpoint(world->proxy));
    service.region = mem_string("eu-central-003");
    s3_close(world->s3);
    assert_success(s3_open(&service, NULL, &world->s3, &world->err), &world->err);
    assert_int_equal(put(world, "region", NULL, NULL), -1);
    err_clear(&world->err);
    assert_int_equal(fault_proxy_count(world->proxy, "put:403"), 1);
    s3_service_release(&service);
}

static void an_answer_is_lost_after_the_work_is_done(void **state) {
    struct world *world = world_of(state);
    struct buffer list = { 0 };

    fault_proxy_set(world->proxy, "lost-answer kind=put\ncut-request kind=head");
    assert_int_equal(put(world, "lost", NULL, NULL), -1);
    err_clear(&world->err);
    test_rgw_admin(&list, "list", world->bucket, "lost", NULL);
    assert_string_equal(buffer_text(&list), "lost\n");
    buffer_clear(&list);

    fault_proxy_set(world->proxy, "cut-request kind=put at=1000");
    assert_int_equal(put(world, "never", NULL, NULL), -1);
    err_clear(&world->err);
    test_rgw_admin(&list, "list", world->bucket, "never", NULL);
    assert_string_equal(buffer_text(&list), "");
    buffer_release(&list);
}

static void a_listing_ends_early(void **state) {
    struct world *world = world_of(state);
    struct buffer list = { 0 };

    assert_success(put(world, "list/1", NULL, NULL), &world->err);
    assert_success(put(world, "list/2", NULL, NULL), &world->err);
    assert_success(put(world, "list/3", NULL, NULL), &world->err);
    fault_proxy_set(world->proxy, "short kind=list keep=2");
    script_run("tools/s3-admin",
               (const char *const[]){ fault_proxy_endpoint(world->proxy), test_rgw_credentials(), "list", world->bucket,
                                      "list/", NULL },
               NULL, &list);
    assert_string_equal(buffer_text(&list), "list%2F1\nlist%2F2\n");
    buffer_release(&list);
}

static void a_clock_that_is_wrong_refuses_the_time_of_today(void **state) {
    struct world *world = world_of(state);
    struct buffer back = { 0 };

    assert_success(put(world, "clock", NULL, NULL), &world->err);
    fault_proxy_set(world->proxy, "clock seconds=600"); /* close enough: checked, and signed anew */
    fetch(world, "clock", &back);
    assert_memory_equal(back.data, world->data, SIZE);
    buffer_release(&back);
    fault_proxy_set(world->proxy, "clock seconds=7200");
    (void)put(world, "clock", NULL, NULL); /* the client may adapt */
    err_clear(&world->err);
    assert_true(fault_proxy_count(world->proxy, "put:403") > 0);
}

static void rules_take_effect_as_often_as_they_say(void **state) {
    struct world *world = world_of(state);
    static const char *const keys[] = { "third1", "b", "c", "d", "e", "f" };
    static const char expected[] = "101010";

    fault_proxy_set(world->proxy, "status code=404 kind=get skip=1 every=2 count=2\n"
                                  "status code=403 text=cap_reached kind=get key=third count=1\n");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct buffer out = { 0 };
        const struct s3_get what = { .length = UINT64_MAX, .max = SIZE };
        assert_int_equal(s3_get(world->s3, world->bucket, keys[i], &what, &out, NULL, &world->err), -1);
        if (i == 0)
            assert_non_null(strstr(world->err.message, "cap reached"));
        err_clear(&world->err);
        buffer_release(&out);
        char *log = fault_proxy_log(world->proxy), *line = mem_format("/%s 40", keys[i]);
        const char *found = strstr(log, line);
        assert_non_null(found);
        assert_int_equal(strncmp(found + strlen(line) + 2, "status", 6) == 0, expected[i] == '1');
        free(line);
        free(log);
    }
    assert_int_equal(fault_proxy_taken(world->proxy, "status"), 3);
}

/* The client that shares no code with muniment puts, lists and gets; the store itself is asked what it has. */
static void keys_of_any_bytes_pass_in_the_order_of_their_bytes(void **state) {
    struct world *world = world_of(state);
    static const char *const keys[] = {
        "raw/caf%C3%A9", "raw/caf%E9/%FF%FE.bin", "raw/%80", "raw/%EE%80%80", "raw/%F4%90", "raw/%C3%BF", "raw/%FF"
    };
    enum { KEYS = sizeof keys / sizeof *keys };
    const char *const endpoint = fault_proxy_endpoint(world->proxy), *const credentials = test_rgw_credentials();
    char *folder = scratch_make(), *file = mem_format("%s/file", folder);
    struct buffer out = { 0 };

    assert_failure(put(world, "raw/\xff", NULL, NULL), ERR_INVALID, &world->err);
    fault_proxy_set(world->proxy, "raw-keys");
    for (size_t i = 0; i < KEYS; i++) {
        assert_success(file_replace(file, 0600, keys[i], strlen(keys[i]), &world->err), &world->err);
        script_run("tools/s3-admin",
                   (const char *const[]){ endpoint, credentials, "put", world->bucket, keys[i], file, NULL }, NULL,
                   &out);
    }
    for (size_t i = 0; i < KEYS; i++) {
        buffer_clear(&out);
        fetch(world, keys[i], &out);
        assert_string_equal(buffer_text(&out), keys[i]);
    }
    static const char expected[] = "raw%2Fcaf%C3%A9\nraw%2Fcaf%E9%2F%FF%FE.bin\nraw%2F%80\nraw%2F%C3%BF\n"
                                   "raw%2F%EE%80%80\nraw%2F%F4%90\nraw%2F%FF\n";
    buffer_clear(&out);
    script_run("tools/s3-admin", (const char *const[]){ endpoint, credentials, "list", world->bucket, "raw/", NULL },
               NULL, &out);
    assert_string_equal(buffer_text(&out), expected);
    buffer_clear(&out);
    test_rgw_admin(&out, "list", world->bucket, "raw/", NULL);
    assert_non_null(strstr(buffer_text(&out), "raw%2Fcaf%C3%A9%2F%C3%BF%C3%BE.bin\n"));
    buffer_release(&out);
    free(file);
    scratch_remove(folder);
}

static void tls_is_spoken_under_a_certificate_of_its_own(void **state) {
    struct world *world = world_of(state);
    struct s3_service service;
    struct s3_info info = { 0 };

    assert_success(put(world, "tls", NULL, NULL), &world->err);
    struct fault_proxy *proxy = fault_proxy_start_tls();
    test_rgw_service(&service, fault_proxy_endpoint(proxy));
    for (int trusted = 0; trusted < 2; trusted++) {
        struct s3 *s3;
        service.ca_file = trusted ? fault_proxy_ca_file(proxy) : NULL;
        assert_success(s3_open(&service, NULL, &s3, &world->err), &world->err);
        s3_set_retry_time(s3, 0);
        assert_int_equal(s3_head(s3, world->bucket, "tls", NULL, &info, &world->err), trusted ? 0 : -1);
        err_clear(&world->err);
        s3_close(s3);
    }
    assert_int_equal(info.size, SIZE);
    s3_info_release(&info);
    s3_service_release(&service);
    fault_proxy_stop(proxy);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_passes_is_unchanged_and_counted),
        cmocka_unit_test(one_byte_of_an_answer_is_another),
        cmocka_unit_test(manners_are_stricter_than_the_store),
        cmocka_unit_test(an_answer_is_lost_after_the_work_is_done),
        cmocka_unit_test(a_listing_ends_early),
        cmocka_unit_test(a_clock_that_is_wrong_refuses_the_time_of_today),
        cmocka_unit_test(rules_take_effect_as_often_as_they_say),
        cmocka_unit_test(keys_of_any_bytes_pass_in_the_order_of_their_bytes),
        cmocka_unit_test(tls_is_spoken_under_a_certificate_of_its_own),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
