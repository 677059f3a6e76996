/* What only a store in a bucket has: versions, hide markers, locks, keys that may not delete, uploads in parts. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <muniment/s3/client.h>
#include <muniment/store/store.h>
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>

#include "../lib/scratch.h"
#include "../lib/scratch_bucket.h"

enum { MIB = 1048576 };

/*
 * One bucket a test
 */

static int make_bucket(void **state, enum test_bucket kind) {
    if (!test_rgw_available())
        return 0;
    char *name = test_rgw_bucket(kind);
    *state = scratch_bucket_make(name, "p", NULL);
    free(name);
    return 0;
}

static int make_plain(void **state) {
    return make_bucket(state, TEST_BUCKET_PLAIN);
}

static int make_versioned(void **state) {
    return make_bucket(state, TEST_BUCKET_VERSIONED);
}

static int make_locking(void **state) {
    return make_bucket(state, TEST_BUCKET_LOCKED);
}

/* For those that hold what nobody may remove: they go with the server. */
static int leave_bucket(void **state) {
    if (*state != NULL)
        scratch_bucket_free(*state);
    return 0;
}

static int drop_bucket(void **state) {
    const struct scratch_bucket *bucket = *state;

    if (bucket != NULL)
        test_rgw_drop(mem_string(bucket->name));
    return leave_bucket(state);
}

/* First in each test, as cmocka cannot skip one from where its bucket is made. */
static struct scratch_bucket *bucket_of(void **state) {
    if (*state == NULL)
        skip();
    return *state;
}

static struct store *open_store(const struct store_address *address) {
    struct store *store = NULL;
    struct err err = { 0 };

    assert_success(store_open(address, false, &store, &err), &err);
    return store;
}

static void put(struct store *store, const char *name, const char *text) {
    struct err err = { 0 };
    assert_success(store_put(store, name, text, strlen(text), &err), &err);
}

static void assert_object(struct store *store, const char *name, const char *expected) {
    struct buffer content = { 0 };
    struct err err = { 0 };

    assert_success(store_get(store, name, MIB, &content, &err), &err);
    assert_string_equal(buffer_text(&content), expected);
    buffer_release(&content);
}

/* Every version in the bucket as "key=size", markers as "key=hidden", joined by spaces. */
static int add_text(void *context, const struct s3_version *version, struct err *err) {
    struct buffer *text = context;
    (void)err;

    buffer_printf(text, "%s%s=", text->length > 0 ? " " : "", version->key);
    if (version->hide_marker)
        buffer_printf(text, "hidden");
    else
        buffer_printf(text, "%llu", (unsigned long long)version->size);
    return 0;
}

static void assert_versions(const struct scratch_bucket *bucket, const char *expected) {
    struct buffer text = { 0 };
    struct err err = { 0 };

    assert_success(s3_list_versions(bucket->client, bucket->name, "", add_text, &text, &err), &err);
    assert_string_equal(buffer_text(&text), expected);
    buffer_release(&text);
}

static void hide(const struct scratch_bucket *bucket, const char *key) {
    struct err err = { 0 };
    assert_success(s3_delete(bucket->client, bucket->name, key, NULL, &err), &err);
}

static struct store *open_there(const struct scratch_bucket *bucket) {
    const struct store_address address = { .path = bucket->address, .services = &bucket->services };
    return open_store(&address);
}

static struct store *open_locked(const struct scratch_bucket *bucket, enum s3_lock_mode mode) {
    const struct store_address address = { .path = bucket->address, .services = &bucket->services, .lock = mode };
    return open_store(&address);
}

static struct store *open_as_of(const struct scratch_bucket *bucket, int64_t as_of) {
    const struct store_address address = { .path = bucket->address, .services = &bucket->services, .as_of = as_of };
    return open_store(&address);
}

static struct store *open_as_guest(const struct scratch_bucket *bucket) {
    const struct store_address address = { .path = bucket->guest, .services = &bucket->services };
    return open_store(&address);
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
    struct store *store = open_there(bucket);
    struct store_removal removal;
    struct err err = { 0 };

    put(store, "set/a", "first");
    put(store, "set/a", "second version");
    hide(bucket, "p/set/a");
    put(store, "set/a", "third");
    put(store, "set/a.longer", "another object");
    put(store, "set/a/below", "another");
    assert_success(store_remove(store, "set/a", &removal, &err), &err);
    assert_int_equal(removal.versions, 4);
    assert_false(removal.hidden);
    assert_int_equal(removal.locked_until, 0);
    size_t commas = 0;
    for (size_t i = 0; i < removal.ids.length; i++)
        commas += removal.ids.data[i] == ',';
    assert_int_equal(commas, 3);
    buffer_release(&removal.ids);
    assert_versions(bucket, "p/set/a.longer=14 p/set/a/below=7");

    assert_success(store_remove(store, "set/a", &removal, &err), &err);
    assert_int_equal(removal.versions, 0);
    buffer_release(&removal.ids);
    store_close(store);
}

static void a_hidden_object_is_removed_with_its_marker(void **state) {
    const struct scratch_bucket *bucket = bucket_of(state);
    struct store *store = open_there(bucket);
    struct store_removal removal;
    struct err err = { 0 };

    put(store, "a", "content");
    hide(bucket, "p/a");
    hide(bucket, "p/only-a-marker");
    assert_success(store_remove(store, "a", &removal, &err), &err);
    assert_int_equal(removal.versions, 2);
    buffer_release(&removal.ids);
    assert_success(store_remove(store, "only-a-marker", NULL, &err), &err);
    assert_versions(bucket, "");
    store_close(store);
}

static void versions_from_before_versioning_was_suspended_go_too(void **state) {
    const struct scratch_bucket *bucket = bucket_of(state);
    struct store *store = open_there(bucket);
    struct err err = { 0 };

    put(store, "a", "first");
    put(store, "b", "first");
    put(store, "c", "first");
    test_rgw_admin(NULL, "suspend", bucket->name, NULL);
    put(store, "a", "without an id of its own");
    hide(bucket, "p/b");
    put(store, "c", "without an id of its own");
    hide(bucket, "p/c");
    put(store, "d", "without an id of its own");
    hide(bucket, "p/d");
    assert_success(store_remove(store, "a", NULL, &err), &err);
    assert_success(store_remove(store, "b", NULL, &err), &err);
    assert_success(store_remove(store, "c", NULL, &err), &err);
    assert_success(store_remove(store, "d", NULL, &err), &err);
    assert_versions(bucket, "");
    store_close(store);
}

/*
 * Listing
 */

static int add_kept(void *context, const struct store_kept *object, struct err *err) {
    struct buffer *text = context;
    (void)err;

    buffer_printf(text, "%s%s=%llu/%u%s", text->length > 0 ? " " : "", object->name, (unsigned long long)object->size,
                  object->versions, object->hidden ? "/hidden" : "");
    return 0;
}

static void assert_kept(struct store *store, const char *prefix, const char *expected) {
    struct buffer text = { 0 };
    struct err err = { 0 };

    assert_success(store_list_kept(store, prefix, add_kept, &text, &err), &err);
    assert_string_equal(buffer_text(&text), expected);
    buffer_release(&text);
}

static void what_is_hidden_is_listed_on_request(void **state) {
    const struct scratch_bucket *bucket = bucket_of(state);
    struct store *store = open_there(bucket);

    put(store, "set/a", "one");
    put(store, "set/b", "one");
    put(store, "set/b", "longer");
    hide(bucket, "p/set/b");
    hide(bucket, "p/set/c");
    put(store, "set-d", "beside");
    assert_kept(store, "set", "set/a=3/1 set/b=6/3/hidden set/c=0/1/hidden");
    assert_kept(store, "", "set-d=6/1 set/a=3/1 set/b=6/3/hidden set/c=0/1/hidden");
    assert_kept(store, "absent", "");
    store_close(store);
}

static void what_strangers_put_there_is_left_alone(void **state) {
    const struct scratch_bucket *bucket = bucket_of(state);
    struct store *store = open_there(bucket);
    struct store_names names;
    struct err err = { 0 };

    assert_success(s3_put(bucket->client, bucket->name, "p/", "", 0, NULL, NULL, &err), &err);
    assert_success(s3_put(bucket->client, bucket->name, "p/a folder/", "", 0, NULL, NULL, &err), &err);
    assert_success(s3_put(bucket->client, bucket->name, "p/.hidden", "", 0, NULL, NULL, &err), &err);
    assert_success(s3_put(bucket->client, bucket->name, "pp", "", 0, NULL, NULL, &err), &err);
    put(store, "a", "ours");
    assert_success(store_names_load(store, "", &names, &err), &err);
    assert_int_equal(names.count, 1);
    assert_string_equal(names.items[0].name, "a");
    store_names_release(&names);
    assert_kept(store, "", "a=4/1");
    assert_success(store_remove(store, "a", NULL, &err), &err);
    assert_versions(bucket, "p/=0 p/.hidden=0 p/a folder/=0 pp=0");
    store_close(store);
}

/*
 * Looking back
 */

static void what_an_attacker_overwrote_and_hid_is_read_as_it_was(void **state) {
    const struct scratch_bucket *bucket = bucket_of(state);
    struct store *store = open_there(bucket), *past;
    struct buffer content = { 0 };
    struct store_names names;
    struct err err = { 0 };
    char part[4] = "";
    uint64_t size = 0;

    put(store, "set/removed-before", "gone");
    hide(bucket, "p/set/removed-before");
    put(store, "set/kept", "first");
    put(store, "set/kept", "as it was");
    put(store, "set/lost", "as it was, too");
    const int64_t then = later();
    put(store, "set/kept", "overwritten");
    put(store, "set/lost", "overwritten");
    put(store, "set/new", "put by somebody");
    hide(bucket, "p/set/kept");
    hide(bucket, "p/set/lost");
    assert_failure(store_get(store, "set/kept", 100, &content, &err), ERR_NOT_FOUND, &err);

    past = open_as_of(bucket, then);
    assert_object(past, "set/kept", "as it was");
    assert_object(past, "set/lost", "as it was, too");
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
    assert_versions(bucket, "");
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
    put(store, "a", "not locked");
    assert_success(store_put_locked(store, "a", "locked", 6, until, &err), &err);
    assert_int_equal(store_remove(store, "a", &removal, &err), -1);
    assert_int_equal(err.code, ERR_REFUSED);
    assert_int_equal(removal.locked_until, until);
    assert_false(removal.hidden);
    assert_int_equal(removal.versions, 1);
    buffer_release(&removal.ids);
    err_clear(&err);
    assert_versions(bucket, "p/a=6");
    assert_object(store, "a", "locked");
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
    put(store, "b", "not locked yet");
    assert_int_equal(locked_until(bucket, "p/b", &mode), 0);
    assert_success(store_lock_until(store, "b", now + 500, &err), &err);
    assert_int_equal(locked_until(bucket, "p/b", &mode), now + 500);
    assert_failure(store_lock_until(store, "absent", now + 500, &err), ERR_NOT_FOUND, &err);
    store_close(store);

    /* Without a lock in its address the store locks nothing, whatever date it is given. */
    store = open_there(bucket);
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
    assert_versions(bucket, "");
    store_close(store);
}

static void a_legal_hold_has_no_date(void **state) {
    const struct scratch_bucket *bucket = bucket_of(state);
    struct store *store = open_there(bucket);
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

    put(store, "a", "stays below its marker");
    for (int i = 0; i < 2; i++) {
        assert_success(store_remove(store, "a", &removal, &err), &err);
        assert_true(removal.hidden);
        assert_int_equal(removal.versions, 0);
        assert_int_equal(removal.ids.length, 0);
        buffer_release(&removal.ids);
        assert_versions(bucket, "p/a=hidden p/a=22");
    }
    assert_success(store_remove(store, "absent", &removal, &err), &err);
    assert_false(removal.hidden);
    buffer_release(&removal.ids);
    assert_versions(bucket, "p/a=hidden p/a=22");
    store_close(store);

    store = open_there(bucket);
    assert_success(store_remove(store, "a", NULL, &err), &err);
    assert_versions(bucket, "");
    store_close(store);
}

/*
 * Large objects
 */

static void fill(uint8_t *data, size_t length, uint32_t piece) {
    for (size_t i = 0; i + 4 <= length; i += 4)
        put_u32(data + i, (uint32_t)i * 2654435761u + piece);
}

static int write_pieces(struct store_upload *upload, uint32_t pieces, struct err *err) {
    uint8_t *data = mem_alloc(MIB);
    int status = 0;

    for (uint32_t piece = 0; piece < pieces && status == 0; piece++) {
        fill(data, MIB, piece);
        status = store_upload_write(upload, data, MIB, err);
    }
    free(data);
    return status;
}

static int upload_pieces(struct store *store, const char *name, uint32_t pieces, struct err *err) {
    struct store_upload *upload;

    if (store_upload_begin(store, &upload, err) < 0)
        return -1;
    if (write_pieces(upload, pieces, err) == 0)
        return store_upload_commit(upload, name, err);
    store_upload_abort(upload);
    return -1;
}

static void assert_pieces(struct store *store, const char *name, uint32_t pieces) {
    uint8_t *data = mem_alloc(MIB), *expected = mem_alloc(MIB);
    struct err err = { 0 };
    uint64_t size = 0;

    assert_success(store_stat(store, name, &size, NULL, &err), &err);
    assert_int_equal(size, (uint64_t)pieces * MIB);
    for (uint32_t piece = 0; piece < pieces; piece++) {
        fill(expected, MIB, piece);
        assert_success(store_get_range(store, name, (uint64_t)piece * MIB, data, MIB, &err), &err);
        assert_memory_equal(data, expected, MIB);
    }
    free(data);
    free(expected);
}

static int count_upload(void *context, const struct s3_upload *upload, struct err *err) {
    (void)upload;
    (void)err;
    ++*(size_t *)context;
    return 0;
}

static size_t count_uploads(const struct scratch_bucket *bucket) {
    struct err err = { 0 };
    size_t count = 0;

    assert_success(s3_list_uploads(bucket->client, bucket->name, "", count_upload, &count, &err), &err);
    return count;
}

static void a_large_object_goes_out_in_parts(void **state) {
    const struct scratch_bucket *bucket = bucket_of(state);
    struct store *store = open_there(bucket);
    struct s3_info info;
    struct err err = { 0 };

    assert_success(upload_pieces(store, "large", 200, &err), &err);
    assert_pieces(store, "large", 200);
    assert_success(s3_head(bucket->client, bucket->name, "p/large", NULL, &info, &err), &err);
    assert_non_null(strstr(info.etag, "-13"));
    s3_info_release(&info);
    assert_success(upload_pieces(store, "at-the-limit", 64, &err), &err);
    assert_success(s3_head(bucket->client, bucket->name, "p/at-the-limit", NULL, &info, &err), &err);
    assert_null(strchr(info.etag, '-'));
    s3_info_release(&info);
    assert_int_equal(count_uploads(bucket), 0);
    store_close(store);
}

/* What a killed upload leaves: parts of ours, under the key. */
static void leave_parts(const struct scratch_bucket *bucket, const char *key, unsigned first, unsigned last,
                        uint32_t wrong_at) {
    const size_t size = 16 * (size_t)MIB;
    uint8_t *data = mem_alloc(size);
    struct s3_part part;
    struct err err = { 0 };
    char *upload;

    assert_success(s3_multipart_begin(bucket->client, bucket->name, key, NULL, &upload, &err), &err);
    for (unsigned number = first; number <= last; number++) {
        for (uint32_t i = 0; i < 16; i++)
            fill(data + (size_t)i * MIB, MIB, (number - 1) * 16 + i + (number == wrong_at ? 1 : 0));
        assert_success(s3_multipart_put(bucket->client, bucket->name, key, upload, number, data, size, &part, &err),
                       &err);
    }
    free(upload);
    free(data);
}

static void an_unfinished_upload_is_invisible_and_swept(void **state) {
    const struct scratch_bucket *bucket = bucket_of(state);
    struct store *store = open_there(bucket);
    struct store_names names;
    struct err err = { 0 };

    leave_parts(bucket, "p/set/large", 1, 1, 0);
    leave_parts(bucket, "p/other/large", 1, 1, 0);
    leave_parts(bucket, "q/large", 1, 1, 0);
    assert_success(store_names_load(store, "", &names, &err), &err);
    assert_int_equal(names.count, 0);
    store_names_release(&names);
    assert_int_equal(count_uploads(bucket), 3);
    assert_success(store_sweep(store, "set", clock_now() - 1000, &err), &err);
    assert_int_equal(count_uploads(bucket), 3);
    assert_success(store_sweep(store, "set", clock_now() + 1000, &err), &err);
    assert_int_equal(count_uploads(bucket), 2);
    assert_success(store_sweep(store, "", clock_now() + 1000, &err), &err);
    assert_int_equal(count_uploads(bucket), 1);
    assert_versions(bucket, "");
    store_close(store);
}

static void remember_line(void *context, enum log_level level, const char *line) {
    (void)level;
    buffer_printf(context, "%s\n", line);
}

static void an_unfinished_upload_is_continued(void **state) {
    const struct scratch_bucket *bucket = bucket_of(state);
    struct buffer lines = { 0 };
    struct log log = { .write = remember_line, .context = &lines };
    const struct store_address address = { .path = bucket->address, .services = &bucket->services, .log = &log };
    struct store *store = open_store(&address);
    struct err err = { 0 };

    leave_parts(bucket, "p/large", 2, 4, 0);
    assert_success(upload_pieces(store, "large", 100, &err), &err);
    assert_non_null(strstr(buffer_text(&lines), "3 parts"));
    assert_pieces(store, "large", 100);
    assert_int_equal(count_uploads(bucket), 0);

    /* Parts of another content are of no use. */
    leave_parts(bucket, "p/other", 1, 2, 2);
    assert_success(upload_pieces(store, "other", 80, &err), &err);
    assert_pieces(store, "other", 80);
    assert_int_equal(count_uploads(bucket), 1);
    store_close(store);
    buffer_release(&lines);
}

static size_t count_parts(const struct scratch_bucket *bucket, const char *key, const char *upload) {
    struct s3_part *parts = NULL;
    struct err err = { 0 };
    size_t count = 0;

    assert_success(s3_list_parts(bucket->client, bucket->name, key, upload, &parts, &count, &err), &err);
    free(parts);
    return count;
}

static int find_upload(void *context, const struct s3_upload *upload, struct err *err) {
    char **found = context;
    (void)err;

    free(*found);
    *found = mem_string(upload->upload);
    return 0;
}

static void a_killed_upload_leaves_nothing_that_is_seen(void **state) {
    const struct scratch_bucket *bucket = bucket_of(state);
    struct store *store = open_there(bucket);
    struct err err = { 0 };
    char *upload = NULL;

    const pid_t child = scratch_fork();
    if (child == 0) {
        struct store *own = open_there(bucket);
        _exit(upload_pieces(own, "large", 112, &err) == 0 ? 0 : 1);
    }
    while (upload == NULL || count_parts(bucket, "p/large", upload) == 0) {
        assert_int_equal(waitpid(child, NULL, WNOHANG), 0);
        assert_success(s3_list_uploads(bucket->client, bucket->name, "", find_upload, &upload, &err), &err);
    }
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_versions(bucket, "");
    assert_failure(store_stat(store, "large", NULL, NULL, &err), ERR_NOT_FOUND, &err);
    assert_success(upload_pieces(store, "large", 112, &err), &err);
    assert_pieces(store, "large", 112);
    assert_int_equal(count_uploads(bucket), 0);
    free(upload);
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
    struct store *store = open_there(bucket), *same = open_as_guest(bucket);
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
    { #test, test, make_locking, leave_bucket, NULL }
#define IN(make, test)                                                                                                 \
    { #test, test, make, drop_bucket, NULL }

int main(void) {
    const struct CMUnitTest tests[] = {
        IN(make_versioned, opening_tells_what_is_wrong),
        IN(make_plain, a_guest_without_rights_is_denied),
        IN(make_plain, a_lock_between_processes_holds_however_the_address_is_spelt),
        IN(make_versioned, a_removed_object_leaves_no_version_and_no_marker),
        IN(make_versioned, a_hidden_object_is_removed_with_its_marker),
        IN(make_versioned, versions_from_before_versioning_was_suspended_go_too),
        IN(make_versioned, what_is_hidden_is_listed_on_request),
        IN(make_plain, what_strangers_put_there_is_left_alone),
        IN(make_versioned, what_an_attacker_overwrote_and_hid_is_read_as_it_was),
        IN(make_versioned, the_past_cannot_be_written),
        IN(make_plain, a_bucket_without_versions_has_no_past),
        LOCKED(a_lock_refuses_removal_until_its_date),
        LOCKED(a_lock_is_lengthened_and_never_shortened),
        LOCKED(an_expired_lock_is_none),
        LOCKED(a_legal_hold_has_no_date),
        IN(make_versioned, a_bucket_without_object_lock_is_refused_when_it_is_opened),
        IN(make_versioned, a_key_that_may_not_delete_hides_once),
        IN(make_plain, a_large_object_goes_out_in_parts),
        IN(make_versioned, an_unfinished_upload_is_invisible_and_swept),
        IN(make_versioned, an_unfinished_upload_is_continued),
        IN(make_versioned, a_killed_upload_leaves_nothing_that_is_seen),
    };

    return cmocka_run_group_tests_name("a store in a bucket", tests, NULL, NULL);
}
