/* The proxy fails as it is told, and only so: else the tests behind it would test nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/fault_proxy.h"
#include "../lib/rgw.h"
#include "../lib/scratch.h"
#include <muniment/util/memory.h>
#include <string.h>

static void what_no_rule_means_passes_unchanged_and_is_counted(void **state) {
    (void)state;
    if (!test_rgw_available())
        skip();
    struct fault_proxy *proxy = fault_proxy_start();
    struct s3 *s3 = test_rgw_client(fault_proxy_endpoint(proxy));
    char *bucket = test_rgw_bucket(TEST_BUCKET_PLAIN);
    struct err err = { 0 };
    struct buffer content = { 0 };
    const struct s3_get all = { .length = UINT64_MAX, .max = 100 };

    fault_proxy_set(proxy, "status kind=put key=other code=500\n");
    assert_success(s3_put(s3, bucket, "a key", "content", 7, NULL, NULL, &err), &err);
    assert_success(s3_get(s3, bucket, "a key", &all, &content, NULL, &err), &err);
    assert_string_equal(buffer_text(&content), "content");
    assert_int_equal(fault_proxy_count(proxy, "put"), 1);
    assert_int_equal(fault_proxy_count(proxy, "get"), 1);
    assert_int_equal(fault_proxy_count(proxy, "head"), 0);
    buffer_release(&content);
    s3_close(s3);
    test_rgw_drop(bucket);
    fault_proxy_stop(proxy);
}

static void a_rule_takes_effect_as_often_as_it_says(void **state) {
    (void)state;
    if (!test_rgw_available())
        skip();
    struct fault_proxy *proxy = fault_proxy_start();
    struct s3 *s3 = test_rgw_client(fault_proxy_endpoint(proxy));
    char *bucket = test_rgw_bucket(TEST_BUCKET_PLAIN);
    struct err err = { 0 };
    struct buffer content = { 0 };
    const struct s3_get all = { .length = UINT64_MAX, .max = 100 };

    assert_success(s3_put(s3, bucket, "k", "content", 7, NULL, NULL, &err), &err);
    fault_proxy_set(proxy, "corrupt kind=get skip=1 count=1\n");
    for (int i = 0; i < 3; i++) {
        buffer_clear(&content);
        assert_success(s3_get(s3, bucket, "k", &all, &content, NULL, &err), &err);
        assert_int_equal(strcmp(buffer_text(&content), "content") == 0, i != 1);
    }
    fault_proxy_set(proxy, "status kind=get code=403 text=cap_reached\n");
    assert_failure(s3_get(s3, bucket, "k", &all, &content, NULL, &err), ERR_DENIED, &err);
    buffer_release(&content);
    s3_close(s3);
    test_rgw_drop(bucket);
    fault_proxy_stop(proxy);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_no_rule_means_passes_unchanged_and_is_counted),
        cmocka_unit_test(a_rule_takes_effect_as_often_as_it_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
