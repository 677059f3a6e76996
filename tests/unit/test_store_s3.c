/* What only a store in a bucket has: versions, hide markers, locks, keys that may not delete. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <muniment/s3/client.h>
#include <muniment/store/store.h>
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>

#include "../lib/bucket_test.h"
#include "../lib/scratch.h"

static struct store *open_locked(const struct scratch_bucket *bucket, enum s3_lock_mode mode) {
    const struct store_address address = { .path = bucket->address, .services = &bucket->services, .lock = mode };
    return bucket_open(&address);
}

static struct store *open_as_of(const struct scratch_bucket *bucket, int64_t as_of) {
    const struct store_address address = { .path = bucket->address, .services = &bucket->services, .as_of = as_of };
    return bucket_open(&address);
}

static struct store *open_as_guest(const struct scratch_bucket *bucket) {
    const struct store_address address = { .path = bucket->guest, .services = &bucket->services };
    return bucket_open(&address);
}

/* Times of versions are whole seconds to us. */
static int64_t later(void) {
    const int64_t now = clock_now();

    while (clock_now() <= now + 1)
        usleep(20000);
    return now + 1;
}

/*
 * Removing
 */

static void a_removed_object_leaves_no_version_and_no_marker(void **state) {
    const struct scratch_bucket *bucket = bucket_of(state);
    struct store *store = bucket_store(bucket);
    struct store_removal removal;
    struct err err = { 0 };

    bucket_put(store, "set/a", "first");
    bucket_put(store, "set/a", "second version");
    bucket_hide(bucket, "p/set/a");
    bucket_put(store, "set/a", "third");
    bucket_put(store, "set/a.longer", "another object");
    bucket_put(store, "set/a/below", "another");
    assert_success(store_remove(store, "set/a", &removal, &err), &err);
    assert_int_equal(removal.versions, 4);
    assert_false(removal.hidden);
    assert_int_equal(removal.locked_until, 0);
    size_t commas = 0;
    for (size_t i = 0; i < removal.ids.length; i++)
        commas += removal.ids.data[i] == ',';
    assert_int_equal(commas, 3);
    buffer_release(&removal.ids);
    bucket_assert_versions(bucket, "p/set/a.longer=14 p/set/a/below=7");

    assert_success(store_remove(store, "set/a", &removal, &err), &err);
    assert_int_equal(removal.versions, 0);
    buffer_release(&removal.ids);
    store_close(store);
}

static void a_hidden_object_is_removed_with_its_marker(void **state) {
    const struct scratch_bucket *bucket = bucket_of(state);
    struct store *store = bucket_store(bucket);
    struct store_removal removal;
    struct err err = { 0 };

    bucket_put(store, "a", "content");
    bucket_hide(bucket, "p/a");
    bucket_hide(bucket, "p/only-a-marker");
    assert_success(store_remove(store, "a", &removal, &err), &err);
    assert_int_equal(removal.versions, 2);
    buffer_release(&removal.ids);
    assert_success(store_remove(store, "only-a-marker", NULL, &err), &err);
    bucket_assert_versions(bucket, "");
    store_close(store);
}

static void versions_from_before_versioning_was_suspended_go_too(void **state) {
    const struct scratch_bucket *bucket = bucket_of(state);
    struct store *store = bucket_store(bucket);
    struct err err = { 0 };

    bucket_put(store, "a", "first");
    bucket_put(store, "b", "first");
    bucket_put(store, "c", "first");
    test_rgw_admin(NULL, "suspend", bucket->name, NULL);
    bucket_put(store, "a", "without an id of its own");
    bucket_hide(bucket, "p/b");
    bucket_put(store, "c", "without an id of its own");
    bucket_hide(bucket, "p/c");
    bucket_put(store, "d", "without an id of its own");
    bucket_hide(bucket, "p/d");
    assert_success(store_remove(store, "a", NULL, &err), &err);
    assert_success(store_remove(store, "b", NULL, &err), &err);
    assert_success(store_remove(store, "c", NULL, &err), &err);
    assert_success(store_remove(store, "d", NULL, &err), &err);
    bucket_assert_versions(bucket, "");
    store_close(store);
}

/*
 * Listing
 */

static void what_is_hidden_is_listed_on_request(void **state) {
    const struct scratch_bucket *bucket = bucket_of(state);
    struct store *store = bucket_store(bucket);

    bucket_put(store, "set/a", "one");
    bucket_put(store, "set/b", "one");
    bucket_put(store, "set/b", "longer");
    bucket_hide(bucket, "p/set/b");
    bucket_hide(bucket, "p/set/c");
    bucket_put(store, "set-d", "beside");
    bucket_assert_kept(store, "set", "set/a=3/1 set/b=6/3/hidden set/c=0/1/hidden");
    bucket_assert_kept(store, "", "set-d=6/1 set/a=3/1 set/b=6/3/hidden set/c=0/1/hidden");
    bucket_assert_kept(store, "absent", "");
    store_close(store);
}

static void what_strangers_put_there_is_left_alone(void **state) {
    const struct scratch_bucket *bucket = bucket_of(state);
    struct store *store = bucket_store(bucket);
    struct store_names names;
    struct err err = { 0 };

    assert_success(s3_put(bucket->client, bucket->name, "p/", "", 0, NULL, NULL, &err), &err);
    assert_success(s3_put(bucket->client, bucket->name, "p/a folder/", "", 0, NULL, NULL, &err), &err);
    assert_success(s3_put(bucket->client, bucket->name, "p/.hidden", "", 0, NULL, NULL, &err), &err);
    assert_success(s3_put(bucket->client, bucket->name, "pp", "", 0, NULL, NULL, &err), &err);
    bucket_put(store, "a", "ours");
    assert_success(store_names_load(store, "", &names, &err), &err);
    assert_int_equal(names.count, 1);
    assert_string_equal(names.items[0].name, "a");
    store_names_release(&names);
    bucket_assert_kept(store, "", "a=4/1");
    assert_success(store_remove(store, "a", NULL, &err), &err);
    bucket_assert_versions(bucket, "p/=0 p/.hidden=0 p/a folder/=0 pp=0");
    store_close(store);
}

/*
 * Looking back
 */

static void what_an_attacker_overwrote_and_hid_is_read_as_it_was(void **state) {
    const struct scratch_bucket *bucket = bucket_of(state);
    struct store *store = bucket_store(bucket), *past;
    struct buffer content = { 0 };
    struct store_names names;
    struct err err = { 0 };
    char part[4] = "";
    uint64_t size = 0;

    bucket_put(store, "set/removed-before", "gone");
    bucket_hide(bucket, "p/set/removed-before");
    bucket_put(store, "set/kept", "first");
    bucket_put(store, "set/kept", "as it was");
    bucket_put(store, "set/lost", "as it was, too");
    const int64_t then = later();
    bucket_put(store, "set/kept", "overwritten");
    bucket_put(store, "set/lost", "overwritten");
    bucket_put(store, "set/new", "put by somebody");
    bucket_hide(bucket, "p/set/kept");
    bucket_hide(bucket, "p/set/lost");
    assert_failure(store_get(store, "set/kept", 100, &content, &err), ERR_NOT_FOUND, &err);

    past = open_as_of(bucket, then);
    bucket_assert_object(past, "set/kept", "as it was");
    bucket_assert_object(past, "set/lost", "as it was, too");
    assert_success(store_names_load(past, "set", &names, &err), &err);
    assert_int_equal(names.count, 2);
    assert_string_equal(names.items[0].name, "set/kept");
    assert_string_equal(names.items[1].name, "set/lost");
    assert_int_equal(names.items[1].size, 14);
    store_names_release(&names);
    assert_success(store_names_load(past, "se", &names, &err), &err);
    assert_int_equal(names.count, 0);
    store_names_release(&names);
    assert_success(store_stat(past, "set/kept", &size, NULL, &err), &err);
    assert_int_equal(size, 9);
    assert_success(store_get_range(past, "set/kept", 3, part, 2, &err), &err);
    assert_string_equal(part, "it");
    assert_failure(store_get_range(past, "set/kept", 8, part, 2, &err), ERR_CORRUPT, &err);
    assert_failure(store_get(past, "set/new", 100, &content, &err), ERR_NOT_FOUND, &err);
    assert_failure(store_get(past, "set/removed-before", 100, &content, &err), ERR_NOT_FOUND, &err);
    store_close(past);
    store_close(store);
    buffer_release(&content);
}

static void the_past_cannot_be_written(void **state) {
    const struct scratch_bucket *bucket = bucket_of(state);
    struct store *past = open_as_of(bucket, clock_now());
    struct store_upload *upload;
    struct store_lock *lock;
    struct err err = { 0 };

    assert_failure(store_put(past, "a", "x", 1, &err), ERR_REFUSED, &err);
    assert_failure(store_upload_begin(past, &upload, &err), ERR_REFUSED, &err);
    assert_failure(store_remove(past, "a", NULL, &err), ERR_REFUSED, &err);
    assert_failure(store_sweep(past, "", clock_now(), &err), ERR_REFUSED, &err);
    assert_failure(store_lock_take(past, "a", 0, &lock, &err), ERR_REFUSED, &err);
    store_close(past);
    bucket_assert_versions(bucket, "");
}

static void a_bucket_without_versions_has_no_past(void **state) {
    const struct scratch_bucket *bucket = bucket_of(state);
    const struct store_address address = { .path = bucket->address, .services = &bucket->services, .as_of = 1 };
    struct store *store;
    struct err err = { 0 };

    assert_failure(store_open(&address, false, &store, &err), ERR_UNSUPPORTED, &err);
}

/*
 * Locks
 */

static void a_lock_refuses_removal_until_its_date(void **state) {
    const struct scratch_bucket *bucket = bucket_of(state);
    const int64_t until = clock_now() + 86400;
    struct store *store = open_locked(bucket, S3_LOCK_GOVERNANCE);
    struct store_removal removal;
    struct err err = { 0 };

    assert_true(store_locks(store));
    bucket_put(store, "a", "not locked");
    assert_success(store_put_locked(store, "a", "locked", 6, until, &err), &err);
    assert_int_equal(store_remove(store, "a", &removal, &err), -1);
    assert_int_equal(err.code, ERR_REFUSED);
    assert_int_equal(removal.locked_until, until);
    assert_false(removal.hidden);
    assert_int_equal(removal.versions, 1);
    buffer_release(&removal.ids);
    err_clear(&err);
    bucket_assert_versions(bucket, "p/a=6");
    bucket_assert_object(store, "a", "locked");
    store_close(store);
}

static int64_t locked_until(const struct scratch_bucket *bucket, const char *key, enum s3_lock_mode *mode) {
    struct s3_lock lock = { 0 };
    struct err err = { 0 };

    assert_success(s3_get_lock(bucket->client, bucket->name, key, NULL, &lock, &err), &err);
    *mode = lock.mode;
    return lock.mode != S3_LOCK_NONE ? lock.until : 0;
}

static void a_lock_is_lengthened_and_never_shortened(void **state) {
    const struct scratch_bucket *bucket = bucket_of(state);
    const int64_t now = clock_now();
    struct store *store = open_locked(bucket, S3_LOCK_GOVERNANCE);
    struct store_upload *upload;
    enum s3_lock_mode mode;
    int64_t told;
    struct err err = { 0 };

    assert_success(store_upload_begin(store, &upload, &err), &err);
    assert_success(store_upload_write(upload, "x", 1, &err), &err);
    store_upload_lock(upload, now + 1000);
    assert_success(store_upload_commit(upload, "a", &err), &err);
    assert_int_equal(locked_until(bucket, "p/a", &mode), now + 1000);
    assert_int_equal(mode, S3_LOCK_GOVERNANCE);
    assert_success(store_lock_until(store, "a", now + 2000, &err), &err);
    assert_int_equal(locked_until(bucket, "p/a", &mode), now + 2000);
    assert_success(store_lock_until(store, "a", now + 500, &err), &err);
    assert_int_equal(locked_until(bucket, "p/a", &mode), now + 2000);
    assert_success(store_locked_until(store, "a", &told, &err), &err);
    assert_int_equal(told, now + 2000);
    bucket_put(store, "b", "not locked yet");
    assert_success(store_locked_until(store, "b", &told, &err), &err);
    assert_int_equal(told, 0);
    assert_failure(store_locked_until(store, "absent", &told, &err), ERR_NOT_FOUND, &err);
    assert_int_equal(locked_until(bucket, "p/b", &mode), 0);
    assert_success(store_lock_until(store, "b", now + 500, &err), &err);
    assert_int_equal(locked_until(bucket, "p/b", &mode), now + 500);
    assert_failure(store_lock_until(store, "absent", now + 500, &err), ERR_NOT_FOUND, &err);
    store_close(store);

    /* Without a lock in its address the store locks nothing, whatever date it is given. */
    store = bucket_store(bucket);
    assert_false(store_locks(store));
    assert_success(store_put_locked(store, "c", "x", 1, now + 1000, &err), &err);
    assert_success(store_lock_until(store, "c", now + 2000, &err), &err);
    assert_int_equal(locked_until(bucket, "p/c", &mode), 0);
    store_close(store);
}

static void an_expired_lock_is_none(void **state) {
    const struct scratch_bucket *bucket = bucket_of(state);
    struct store *store = open_locked(bucket, S3_LOCK_COMPLIANCE);
    struct err err = { 0 };

    assert_success(store_put_locked(store, "a", "x", 1, clock_now() + 2, &err), &err);
    assert_failure(store_remove(store, "a", NULL, &err), ERR_REFUSED, &err);
    later();
    later();
    assert_success(store_remove(store, "a", NULL, &err), &err);
    bucket_assert_versions(bucket, "");
    store_close(store);
}

static void a_legal_hold_has_no_date(void **state) {
    const struct scratch_bucket *bucket = bucket_of(state);
    struct store *store = bucket_store(bucket);
    struct s3_headers headers = { 0 };
    const struct s3_put options = { .headers = &headers };
    struct store_removal removal;
    struct err err = { 0 };

    s3_headers_add(&headers, "x-amz-object-lock-legal-hold", "ON");
    assert_success(s3_put(bucket->client, bucket->name, "p/a", "x", 1, &options, NULL, &err), &err);
    assert_int_equal(store_remove(store, "a", &removal, &err), -1);
    assert_int_equal(err.code, ERR_REFUSED);
    assert_true(removal.locked_until == INT64_MAX);
    buffer_release(&removal.ids);
    s3_headers_release(&headers);
    store_close(store);
}

static void a_bucket_without_object_lock_is_refused_when_it_is_opened(void **state) {
    const struct scratch_bucket *bucket = bucket_of(state);
    const struct store_address address = { .path = bucket->address,
                                           .services = &bucket->services,
                                           .lock = S3_LOCK_COMPLIANCE };
    struct store *store;
    struct err err = { 0 };

    assert_int_equal(store_open(&address, false, &store, &err), -1);
    assert_int_equal(err.code, ERR_UNSUPPORTED);
    assert_non_null(strstr(err.hint, "lock"));
}

/*
 * Keys that may not delete
 */

static void a_key_that_may_not_delete_hides_once(void **state) {
    const struct scratch_bucket *bucket = bucket_of(state);
    scratch_bucket_invite(bucket);
    struct store *store = open_as_guest(bucket);
    struct store_removal removal;
    struct err err = { 0 };

    bucket_put(store, "a", "stays below its marker");
    for (unsigned i = 0; i < 2; i++) {
        fault_proxy_set(bucket_proxy(), "");
        assert_success(store_remove(store, "a", &removal, &err), &err);
        assert_int_equal(fault_proxy_count(bucket_proxy(), "delete"), 2 - i);
        assert_true(removal.hidden);
        assert_int_equal(removal.versions, 0);
        assert_int_equal(removal.ids.length, 0);
        buffer_release(&removal.ids);
        bucket_assert_versions(bucket, "p/a=hidden p/a=22");
    }
    assert_success(store_remove(store, "absent", &removal, &err), &err);
    assert_false(removal.hidden);
    buffer_release(&removal.ids);
    bucket_assert_versions(bucket, "p/a=hidden p/a=22");
    store_close(store);

    store = bucket_store(bucket);
    assert_success(store_remove(store, "a", NULL, &err), &err);
    bucket_assert_versions(bucket, "");
    store_close(store);
}

/*
 * Opening
 */

static void assert_refused(const struct store_address *address, enum err_code code, const char *part) {
    struct store *store;
    struct err err = { 0 };

    assert_int_equal(store_open(address, true, &store, &err), -1);
    assert_int_equal(err.code, code);
    if (strstr(err.message, part) == NULL)
        fail_msg("'%s' does not say '%s'", err.message, part);
}

static void opening_tells_what_is_wrong(void **state) {
    struct scratch_bucket *bucket = bucket_of(state);
    char *absent = mem_format("s3:test/absent-%s/p", bucket->name);

    assert_refused(&(struct store_address){ .path = absent, .services = &bucket->services }, ERR_NOT_FOUND, "absent-");
    assert_refused(&(struct store_address){ .path = "s3:test", .services = &bucket->services }, ERR_INVALID, "bucket");
    assert_refused(&(struct store_address){ .path = "s3:unknown/bucket", .services = &bucket->services }, ERR_INVALID,
                   "unknown");
    assert_refused(
        &(struct store_address){
            .path = bucket->address, .services = &bucket->services, .label = "the mirror", .lock = S3_LOCK_GOVERNANCE },
        ERR_UNSUPPORTED, "the mirror");
    bucket->services.items[0].signature = S3_SIGNATURE_V2;
    assert_refused(
        &(struct store_address){ .path = bucket->address, .services = &bucket->services, .lock = S3_LOCK_GOVERNANCE },
        ERR_UNSUPPORTED, "V2");
    assert_refused(&(struct store_address){ .path = bucket->address, .services = &bucket->services, .as_of = 1 },
                   ERR_UNSUPPORTED, "V2");
    free(absent);
}

static void a_guest_without_rights_is_denied(void **state) {
    struct scratch_bucket *bucket = bucket_of(state);

    assert_refused(&(struct store_address){ .path = bucket->guest, .services = &bucket->services }, ERR_DENIED,
                   bucket->name);
}

static void a_lock_between_processes_holds_however_the_address_is_spelt(void **state) {
    const struct scratch_bucket *bucket = bucket_of(state);
    scratch_bucket_invite(bucket);
    struct store *store = bucket_store(bucket), *same = open_as_guest(bucket);
    struct store_lock *lock, *second;
    struct err err = { 0 };

    assert_false(store_lock_is_global(store));
    assert_success(store_lock_take(store, "set/locks/run", 0, &lock, &err), &err);
    assert_failure(store_lock_take(same, "set/locks/run", 0, &second, &err), ERR_LOCKED, &err);
    store_lock_release(lock);
    assert_success(store_lock_take(same, "set/locks/run", 0, &second, &err), &err);
    store_lock_release(second);
    store_close(same);
    store_close(store);
}

#define LOCKED(test)                                                                                                   \
    { #test, test, bucket_locking, bucket_leave, NULL }
#define IN(make, test)                                                                                                 \
    { #test, test, make, bucket_drop, NULL }

int main(void) {
    const struct CMUnitTest tests[] = {
        IN(bucket_versioned, opening_tells_what_is_wrong),
        IN(bucket_plain, a_guest_without_rights_is_denied),
        IN(bucket_plain, a_lock_between_processes_holds_however_the_address_is_spelt),
        IN(bucket_versioned, a_removed_object_leaves_no_version_and_no_marker),
        IN(bucket_versioned, a_hidden_object_is_removed_with_its_marker),
        IN(bucket_versioned, versions_from_before_versioning_was_suspended_go_too),
        IN(bucket_versioned, what_is_hidden_is_listed_on_request),
        IN(bucket_plain, what_strangers_put_there_is_left_alone),
        IN(bucket_versioned, what_an_attacker_overwrote_and_hid_is_read_as_it_was),
        IN(bucket_versioned, the_past_cannot_be_written),
        IN(bucket_plain, a_bucket_without_versions_has_no_past),
        LOCKED(a_lock_refuses_removal_until_its_date),
        LOCKED(a_lock_is_lengthened_and_never_shortened),
        LOCKED(an_expired_lock_is_none),
        LOCKED(a_legal_hold_has_no_date),
        IN(bucket_versioned, a_bucket_without_object_lock_is_refused_when_it_is_opened),
        IN(bucket_proxied, a_key_that_may_not_delete_hides_once),
    };
    return cmocka_run_group_tests_name("a store in a bucket", tests, NULL, NULL);
}
