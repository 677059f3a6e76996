/* Locks, tags and what a bucket says of itself. Against a real server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/canned_server.h"
#include "../lib/rgw_world.h"
#include "../lib/scratch.h"
#include <muniment/util/clock.h>
#include <muniment/util/file.h>
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct s3_info put(struct s3 *s3, const char *bucket, const char *key, const struct s3_put *options) {
    struct s3_info info;
    struct err err = { 0 };
    assert_success(s3_put(s3, bucket, key, "1", 1, options, &info, &err), &err);
    return info;
}

/* --- locks -------------------------------------------------------------------------------------------------------- */

static void a_lock_holds_a_version_until_its_date(void **state) {
    const struct rgw_world *world = rgw_world_of(state);
    struct s3 *s3 = test_rgw_client(NULL);
    const int64_t until = clock_now() + 7200;
    const struct s3_put options = { .lock = S3_LOCK_GOVERNANCE, .lock_until = until };
    struct s3_info first = put(s3, world->locked, "a +\x01", &options), second;
    struct s3_lock lock;
    struct err err = { 0 };

    second = put(s3, world->locked, "a +\x01", NULL);
    assert_success(s3_get_lock(s3, world->locked, "a +\x01", first.version, &lock, &err), &err);
    assert_int_equal(lock.mode, S3_LOCK_GOVERNANCE);
    assert_int_equal(lock.until, until);
    assert_false(lock.legal_hold);
    assert_success(s3_get_lock(s3, world->locked, "a +\x01", second.version, &lock, &err), &err);
    assert_int_equal(lock.mode, S3_LOCK_NONE);

    assert_failure(s3_delete(s3, world->locked, "a +\x01", first.version, &err), ERR_DENIED, &err);
    assert_success(s3_delete(s3, world->locked, "a +\x01", second.version, &err), &err);
    s3_info_release(&first);
    s3_info_release(&second);
    s3_close(s3);
}

static void a_lock_is_set_and_extended_but_not_shortened(void **state) {
    const struct rgw_world *world = rgw_world_of(state);
    struct s3 *s3 = test_rgw_client(NULL);
    const int64_t until = clock_now() + 7200;
    struct s3_info info = put(s3, world->locked, "b", NULL);
    struct s3_lock lock;
    struct err err = { 0 };

    assert_success(s3_set_lock(s3, world->locked, "b", info.version, S3_LOCK_GOVERNANCE, until, &err), &err);
    assert_success(s3_set_lock(s3, world->locked, "b", NULL, S3_LOCK_GOVERNANCE, until + 60, &err), &err);
    assert_success(s3_get_lock(s3, world->locked, "b", NULL, &lock, &err), &err);
    assert_int_equal(lock.mode, S3_LOCK_GOVERNANCE);
    assert_int_equal(lock.until, until + 60);
    assert_failure(s3_set_lock(s3, world->locked, "b", info.version, S3_LOCK_GOVERNANCE, until, &err), ERR_DENIED,
                   &err);
    assert_failure(s3_set_lock(s3, world->locked, "b", info.version, S3_LOCK_NONE, 0, &err), ERR_INVALID, &err);
    assert_failure(s3_set_lock(s3, world->locked, "absent", NULL, S3_LOCK_GOVERNANCE, until, &err), ERR_NOT_FOUND,
                   &err);
    s3_info_release(&info);
    s3_close(s3);
}

static void where_nothing_can_be_locked_nothing_is(void **state) {
    const struct rgw_world *world = rgw_world_of(state);
    struct s3 *s3 = test_rgw_client(NULL);
    struct s3_info info = put(s3, world->plain, "c", NULL);
    struct s3_lock lock;
    struct err err = { 0 };

    assert_success(s3_get_lock(s3, world->plain, "c", NULL, &lock, &err), &err);
    assert_int_equal(lock.mode, S3_LOCK_NONE);
    assert_false(lock.legal_hold);
    assert_failure(s3_set_lock(s3, world->plain, "c", NULL, S3_LOCK_GOVERNANCE, clock_now() + 60, &err), ERR_INVALID,
                   &err);
    assert_failure(s3_get_lock(s3, world->locked, "absent", NULL, &lock, &err), ERR_NOT_FOUND, &err);
    assert_failure(s3_get_lock(s3, "no-such-bucket", "c", NULL, &lock, &err), ERR_NO_BUCKET, &err);
    s3_info_release(&info);
    s3_close(s3);

    s3 = test_rgw_client_as(test_rgw_other_credentials());
    assert_failure(s3_get_lock(s3, world->plain, "c", NULL, &lock, &err), ERR_DENIED, &err);
    s3_close(s3);
    s3 = test_rgw_client_v2(NULL);
    assert_failure(s3_get_lock(s3, world->plain, "c", NULL, &lock, &err), ERR_UNSUPPORTED, &err);
    assert_failure(s3_set_lock(s3, world->plain, "c", NULL, S3_LOCK_GOVERNANCE, 1, &err), ERR_UNSUPPORTED, &err);
    s3_close(s3);
}

static int answer_lock(const char *retention, const char *hold, struct s3_lock *lock, struct err *err) {
    const char *const bodies[] = { retention, hold, NULL };
    struct canned_server *server = canned_server_start(bodies);
    struct s3 *s3 = canned_server_client(server);
    const int result = s3_get_lock(s3, "bucket", "key", "v", lock, err);
    s3_close(s3);
    canned_server_stop(server, NULL);
    return result;
}

static void holds_and_answers_that_are_none_are_told_apart(void **state) {
    struct s3_lock lock;
    struct err err = { 0 };
    (void)state;

    assert_success(answer_lock("<Retention/>", "<LegalHold><Status>ON</Status></LegalHold>", &lock, &err), &err);
    assert_int_equal(lock.mode, S3_LOCK_NONE);
    assert_true(lock.legal_hold);
    assert_success(answer_lock("<Retention><Mode>COMPLIANCE</Mode><RetainUntilDate>2026-11-21T10:20:30.000Z"
                               "</RetainUntilDate></Retention>",
                               "<LegalHold><Status>OFF</Status></LegalHold>", &lock, &err),
                   &err);
    assert_int_equal(lock.mode, S3_LOCK_COMPLIANCE);
    assert_int_equal(lock.until, 1795256430);
    assert_false(lock.legal_hold);
    assert_failure(answer_lock("<Retention><Mode>FOREVER</Mode></Retention>", "<LegalHold/>", &lock, &err), ERR_CORRUPT,
                   &err);
    assert_failure(answer_lock("<ListBucketResult/>", "<LegalHold/>", &lock, &err), ERR_CORRUPT, &err);
}

static void a_date_is_worth_knowing_where_holds_are_a_secret(void **state) {
    const struct rgw_world *world = rgw_world_of(state);
    struct s3 *s3 = rgw_world_faulty(world, "status code=403 error=AccessDenied kind=lock skip=1 count=1");
    const int64_t until = clock_now() + 7200;
    const struct s3_put options = { .lock = S3_LOCK_GOVERNANCE, .lock_until = until };
    struct s3_info info = put(s3, world->locked, "d", &options), other;
    struct s3_lock lock;
    struct err err = { 0 };

    assert_success(s3_get_lock(s3, world->locked, "d", info.version, &lock, &err), &err);
    assert_int_equal(lock.until, until);
    other = put(s3, world->locked, "e", NULL);
    fault_proxy_set(world->proxy, "status code=403 error=AccessDenied kind=lock skip=1 count=1");
    assert_failure(s3_get_lock(s3, world->locked, "e", other.version, &lock, &err), ERR_DENIED, &err);
    s3_info_release(&info);
    s3_info_release(&other);
    s3_close(s3);
}

/* --- tags --------------------------------------------------------------------------------------------------------- */

static void tags_are_read_as_they_are(void **state) {
    const struct rgw_world *world = rgw_world_of(state);
    struct s3 *s3 = test_rgw_client(NULL);
    struct s3_headers headers = { 0 }, tags;
    const struct s3_put options = { .headers = &headers };
    struct s3_info info;
    struct err err = { 0 };

    s3_headers_add(&headers, "x-amz-tagging", "Color=light%20blue&empty=&a%26b=%3C1%3E");
    info = put(s3, world->versioned, "t", &options);
    assert_success(s3_get_tags(s3, world->versioned, "t", info.version, &tags, &err), &err);
    assert_int_equal(tags.count, 3);
    assert_string_equal(s3_headers_find(&tags, "Color"), "light blue");
    assert_string_equal(s3_headers_find(&tags, "empty"), "");
    assert_string_equal(s3_headers_find(&tags, "a&b"), "<1>");
    s3_headers_release(&tags);
    s3_info_release(&info);

    info = put(s3, world->plain, "t", NULL);
    assert_success(s3_get_tags(s3, world->plain, "t", NULL, &tags, &err), &err);
    assert_int_equal(tags.count, 0);
    assert_failure(s3_get_tags(s3, world->plain, "absent", NULL, &tags, &err), ERR_NOT_FOUND, &err);
    s3_info_release(&info);
    s3_headers_release(&headers);
    s3_close(s3);

    s3 = rgw_world_faulty(world, "status code=404 error=NoSuchTagSet kind=tags count=1");
    assert_success(s3_get_tags(s3, world->plain, "t", NULL, &tags, &err), &err);
    assert_int_equal(tags.count, 0);
    fault_proxy_set(world->proxy, "status code=501 error=NotImplemented kind=tags");
    assert_failure(s3_get_tags(s3, world->plain, "t", NULL, &tags, &err), ERR_UNSUPPORTED, &err);
    s3_close(s3);
}

/* --- buckets ------------------------------------------------------------------------------------------------------ */

static struct s3_bucket describe(struct s3 *s3, const char *name) {
    struct s3_bucket bucket;
    struct err err = { 0 };
    assert_success(s3_bucket_describe(s3, name, &bucket, &err), &err);
    return bucket;
}

static void a_bucket_says_whether_it_keeps_versions_and_locks(void **state) {
    const struct rgw_world *world = rgw_world_of(state);
    struct s3 *s3 = test_rgw_client(NULL);
    struct s3_bucket bucket = describe(s3, world->plain);

    assert_int_equal(bucket.versioning, S3_VERSIONING_OFF);
    assert_true(bucket.locks_known);
    assert_false(bucket.locks);
    assert_true(bucket.rules_known);
    assert_int_equal(bucket.rule_count, 0);
    s3_bucket_release(&bucket);

    bucket = describe(s3, world->locked);
    assert_int_equal(bucket.versioning, S3_VERSIONING_ON);
    assert_true(bucket.locks);
    assert_int_equal(bucket.default_mode, S3_LOCK_NONE);
    s3_bucket_release(&bucket);

    char *own = test_rgw_bucket(TEST_BUCKET_LOCKED);
    test_rgw_admin(NULL, "default-lock", own, "GOVERNANCE", "30", NULL);
    bucket = describe(s3, own);
    assert_true(bucket.locks && bucket.locks_known);
    assert_int_equal(bucket.default_mode, S3_LOCK_GOVERNANCE);
    assert_int_equal(bucket.default_days, 30);
    s3_bucket_release(&bucket);
    test_rgw_drop(own);

    test_rgw_admin(NULL, "suspend", world->versioned, NULL);
    bucket = describe(s3, world->versioned);
    assert_int_equal(bucket.versioning, S3_VERSIONING_SUSPENDED);
    s3_bucket_release(&bucket);
    s3_close(s3);
}

static void the_rules_of_its_lifecycle_are_read(void **state) {
    static const char rules[] =
        "<LifecycleConfiguration>"
        "<Rule><ID>a</ID><Filter><Prefix>logs/</Prefix></Filter><Status>Enabled</Status>"
        "<Expiration><Days>7</Days></Expiration></Rule>"
        "<Rule><ID>b</ID><Filter><Prefix></Prefix></Filter><Status>Enabled</Status>"
        "<NoncurrentVersionExpiration><NoncurrentDays>3</NoncurrentDays></NoncurrentVersionExpiration>"
        "<AbortIncompleteMultipartUpload><DaysAfterInitiation>2</DaysAfterInitiation></AbortIncompleteMultipartUpload>"
        "</Rule>"
        "<Rule><ID>c</ID><Filter><Prefix>off/</Prefix></Filter><Status>Disabled</Status>"
        "<Expiration><Days>1</Days></Expiration></Rule>"
        "</LifecycleConfiguration>";
    const struct rgw_world *world = rgw_world_of(state);
    struct s3 *s3 = test_rgw_client(NULL);
    char *folder = scratch_make(), *path = mem_format("%s/rules", folder);
    struct err err = { 0 };

    assert_success(file_replace(path, 0600, rules, sizeof rules - 1, &err), &err);
    test_rgw_admin(NULL, "lifecycle", world->plain, path, NULL);
    struct s3_bucket bucket = describe(s3, world->plain);
    assert_true(bucket.rules_known);
    assert_int_equal(bucket.rule_count, 2);
    /* RGW gives them in an order of its own. */
    const struct s3_rule *logs = &bucket.rules[bucket.rules[0].prefix[0] == 'l' ? 0 : 1];
    const struct s3_rule *all = &bucket.rules[logs == bucket.rules ? 1 : 0];
    assert_string_equal(logs->prefix, "logs/");
    assert_int_equal(logs->expire, 7);
    assert_int_equal(logs->expire_hidden, 0);
    assert_int_equal(logs->abort_uploads, 0);
    assert_string_equal(all->prefix, "");
    assert_int_equal(all->expire, 0);
    assert_int_equal(all->expire_hidden, 3);
    assert_int_equal(all->abort_uploads, 2);
    s3_bucket_release(&bucket);
    scratch_remove(folder);
    free(path);
    s3_close(s3);
}

static void rules_of_every_form_are_understood(void **state) {
    static const char *const bodies[] = {
        "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
        "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>"
        "<Mode>COMPLIANCE</Mode><Years>2</Years></DefaultRetention></Rule></ObjectLockConfiguration>",
        "<LifecycleConfiguration>"
        "<Rule><Prefix>old/</Prefix><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule>"
        "<Rule><Filter><And><Prefix>and/</Prefix><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan></And></Filter>"
        "<Status>Enabled</Status><Expiration><Date>2020-01-01T00:00:00.000Z</Date></Expiration></Rule>"
        "<Rule><Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter><Status>Enabled</Status>"
        "<Expiration><Days>1</Days></Expiration></Rule>"
        "<Rule><Status>Enabled</Status><Expiration><Days>99999999999</Days></Expiration></Rule>"
        "</LifecycleConfiguration>",
        NULL,
    };
    struct canned_server *server = canned_server_start(bodies);
    struct s3 *s3 = canned_server_client(server);
    struct s3_bucket bucket = describe(s3, "bucket");
    (void)state;

    s3_close(s3);
    canned_server_stop(server, NULL);
    assert_int_equal(bucket.versioning, S3_VERSIONING_ON);
    assert_int_equal(bucket.default_mode, S3_LOCK_COMPLIANCE);
    assert_int_equal(bucket.default_days, 730);
    assert_int_equal(bucket.rule_count, 3);
    assert_string_equal(bucket.rules[0].prefix, "old/");
    assert_string_equal(bucket.rules[1].prefix, "and/");
    assert_int_equal(bucket.rules[1].expire, 1);
    assert_string_equal(bucket.rules[2].prefix, "");
    assert_true(bucket.rules[2].expire > 100000);
    s3_bucket_release(&bucket);
}

static void what_the_key_may_not_ask_stays_unknown(void **state) {
    const struct rgw_world *world = rgw_world_of(state);
    struct s3 *s3 = rgw_world_faulty(world, "status code=403 error=AccessDenied kind=bucket");
    struct s3_bucket bucket = describe(s3, world->locked);
    struct err err = { 0 };

    assert_int_equal(bucket.versioning, S3_VERSIONING_UNKNOWN);
    assert_false(bucket.locks_known || bucket.locks || bucket.rules_known);
    s3_bucket_release(&bucket);

    fault_proxy_set(world->proxy, "status code=501 error=NotImplemented kind=bucket skip=1");
    bucket = describe(s3, world->locked);
    assert_int_equal(bucket.versioning, S3_VERSIONING_ON);
    assert_false(bucket.locks_known || bucket.rules_known);
    s3_bucket_release(&bucket);

    /* But a key that is worth nothing is trouble, and so is a bucket that is not there. */
    fault_proxy_set(world->proxy, "status code=403 error=SignatureDoesNotMatch kind=bucket skip=2");
    assert_failure(s3_bucket_describe(s3, world->locked, &bucket, &err), ERR_DENIED, &err);
    fault_proxy_set(world->proxy, "");
    assert_failure(s3_bucket_describe(s3, "no-such-bucket", &bucket, &err), ERR_NO_BUCKET, &err);
    s3_bucket_release(&bucket); /* left empty */
    s3_close(s3);

    s3 = test_rgw_client_v2(NULL);
    bucket = describe(s3, world->locked);
    assert_int_equal(bucket.versioning, S3_VERSIONING_UNKNOWN);
    s3_bucket_release(&bucket);
    s3_close(s3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lock_holds_a_version_until_its_date),
        cmocka_unit_test(a_lock_is_set_and_extended_but_not_shortened),
        cmocka_unit_test(where_nothing_can_be_locked_nothing_is),
        cmocka_unit_test(holds_and_answers_that_are_none_are_told_apart),
        cmocka_unit_test(a_date_is_worth_knowing_where_holds_are_a_secret),
        cmocka_unit_test(tags_are_read_as_they_are),
        cmocka_unit_test(a_bucket_says_whether_it_keeps_versions_and_locks),
        cmocka_unit_test(the_rules_of_its_lifecycle_are_read),
        cmocka_unit_test(rules_of_every_form_are_understood),
        cmocka_unit_test(what_the_key_may_not_ask_stays_unknown),
    };
    return cmocka_run_group_tests_name("s3_lock", tests, rgw_world_make, rgw_world_drop);
}
