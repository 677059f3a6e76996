/* A store in a bucket whose uploads are cut off, and whose service is out of order. */
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

#include "../lib/bucket_test.h"
#include "../lib/scratch.h"

enum { MIB = 1048576 };

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
    struct store *store = bucket_store(bucket);
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
    struct store *store = bucket_store(bucket);
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
    bucket_assert_versions(bucket, "");
    store_close(store);
}

static void an_unfinished_upload_is_continued(void **state) {
    const struct scratch_bucket *bucket = bucket_of(state);
    struct store *store = bucket_store(bucket), *direct = bucket_store_directly(bucket);
    struct err err = { 0 };

    leave_parts(bucket, "p/large", 2, 4, 0);
    assert_success(upload_pieces(store, "large", 65, &err), &err);
    assert_int_equal(fault_proxy_count(bucket_proxy(), "begin"), 0);
    assert_int_equal(fault_proxy_count(bucket_proxy(), "part"), 2);
    assert_pieces(direct, "large", 65);
    assert_int_equal(count_uploads(bucket), 0);

    /* Parts of another content are of no use. */
    leave_parts(bucket, "p/other", 2, 2, 2);
    fault_proxy_set(bucket_proxy(), "");
    assert_success(upload_pieces(store, "other", 65, &err), &err);
    assert_int_equal(fault_proxy_count(bucket_proxy(), "begin"), 1);
    assert_int_equal(fault_proxy_count(bucket_proxy(), "part"), 5);
    assert_pieces(direct, "other", 65);
    assert_int_equal(count_uploads(bucket), 1);
    store_close(direct);
    store_close(store);
}

static void an_upload_that_vanishes_while_it_is_continued_begins_anew(void **state) {
    const struct scratch_bucket *bucket = bucket_of(state);
    struct store *store = bucket_store(bucket), *direct = bucket_store_directly(bucket);
    struct err err = { 0 };

    leave_parts(bucket, "p/large", 1, 1, 0);
    fault_proxy_set(bucket_proxy(), "status kind=part code=404 error=NoSuchUpload count=1\n");
    assert_success(upload_pieces(store, "large", 65, &err), &err);
    assert_int_equal(fault_proxy_count(bucket_proxy(), "begin"), 1);
    assert_pieces(direct, "large", 65);
    store_close(direct);
    store_close(store);
}

static void a_refused_part_ends_the_upload(void **state) {
    const struct scratch_bucket *bucket = bucket_of(state);
    struct store *store = bucket_store(bucket);
    struct err err = { 0 };

    fault_proxy_set(bucket_proxy(), "status kind=part code=403 error=AccessDenied skip=2 count=1\n");
    assert_int_equal(upload_pieces(store, "set/large", 65, &err), -1);
    assert_int_equal(err.code, ERR_DENIED);
    assert_non_null(strstr(err.message, "set/large"));
    assert_int_equal(count_uploads(bucket), 0);
    bucket_assert_versions(bucket, "");
    store_close(store);
}

/*
 * A service out of order
 */

static void a_listing_that_ends_early_hides_no_version_from_removal(void **state) {
    const struct scratch_bucket *bucket = bucket_of(state);
    struct store *store = bucket_store(bucket);
    struct store_removal removal;
    struct err err = { 0 };

    for (int i = 0; i < 4; i++)
        bucket_put(store, "a", "again");
    bucket_hide(bucket, "p/a");
    fault_proxy_set(bucket_proxy(), "short kind=versions keep=2 count=1\n");
    assert_success(store_remove(store, "a", &removal, &err), &err);
    assert_int_equal(removal.versions, 5);
    buffer_release(&removal.ids);
    bucket_assert_versions(bucket, "");
    store_close(store);
}

static void a_removal_whose_answers_are_lost_is_whole(void **state) {
    const struct scratch_bucket *bucket = bucket_of(state);
    struct store *store = bucket_store(bucket);
    struct err err = { 0 };

    bucket_put(store, "a", "first");
    bucket_put(store, "a", "second");
    fault_proxy_set(bucket_proxy(),
                    "lost-answer kind=delete count=1\nstatus kind=versions code=503 error=SlowDown count=1\n");
    assert_success(store_remove(store, "a", NULL, &err), &err);
    bucket_assert_versions(bucket, "");
    store_close(store);
}

static void a_removal_that_fails_on_the_way_leaves_the_newest_version(void **state) {
    const struct scratch_bucket *bucket = bucket_of(state);
    struct store *store = bucket_store(bucket);
    struct store_removal removal;
    struct err err = { 0 };

    bucket_put(store, "a", "first");
    bucket_put(store, "a", "second.");
    fault_proxy_set(bucket_proxy(), "status kind=delete code=400 error=InvalidRequest skip=1 count=1\n");
    assert_int_equal(store_remove(store, "a", &removal, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    assert_non_null(strstr(err.message, "InvalidRequest"));
    assert_int_equal(removal.versions, 1);
    buffer_release(&removal.ids);
    bucket_assert_versions(bucket, "p/a=7");
    store_close(store);
}

static void a_service_without_versions_is_served_plainly(void **state) {
    const struct scratch_bucket *bucket = bucket_of(state);
    const struct store_address past = { .path = bucket->address, .services = &bucket->services, .as_of = clock_now() };
    struct store *store = bucket_store(bucket), *none;
    struct err err = { 0 };

    bucket_put(store, "a", "content");
    fault_proxy_set(bucket_proxy(), "status kind=versions code=501 error=NotImplemented\n");
    bucket_assert_kept(store, "", "a=7/1");
    assert_success(store_remove(store, "a", NULL, &err), &err);
    bucket_assert_kept(store, "", "");
    assert_failure(store_open(&past, false, &none, &err), ERR_UNSUPPORTED, &err);

    /* What may not be listed may still be there. */
    bucket_put(store, "b", "content");
    fault_proxy_set(bucket_proxy(), "status kind=versions code=403 error=AccessDenied\n");
    assert_int_equal(store_remove(store, "b", NULL, &err), -1);
    assert_int_equal(err.code, ERR_DENIED);
    assert_non_null(strstr(err.message, "ListBucketVersions"));
    bucket_assert_object(store, "b", "content");
    store_close(store);
}

static void a_cut_answer_is_never_taken_for_the_object(void **state) {
    const struct scratch_bucket *bucket = bucket_of(state);
    struct store *store = bucket_store(bucket);

    bucket_put(store, "a", "0123456789");
    fault_proxy_set(bucket_proxy(), "cut-answer kind=get count=1\n");
    bucket_assert_object(store, "a", "0123456789");
    store_close(store);
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
    struct scratch_bucket *bucket = bucket_of(state);
    struct store *store = bucket_store(bucket);
    struct err err = { 0 };
    char *upload = NULL;

    const pid_t child = scratch_fork();
    if (child == 0) {
        bucket->services.items[0].upload_limit = 16 * MIB; /* it is caught on the way, however slow we are */
        struct store *own = bucket_store(bucket);
        _exit(upload_pieces(own, "large", 112, &err) == 0 ? 0 : 1);
    }
    while (upload == NULL || count_parts(bucket, "p/large", upload) == 0) {
        assert_int_equal(waitpid(child, NULL, WNOHANG), 0);
        assert_success(s3_list_uploads(bucket->client, bucket->name, "", find_upload, &upload, &err), &err);
    }
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    bucket_assert_versions(bucket, "");
    assert_failure(store_stat(store, "large", NULL, NULL, &err), ERR_NOT_FOUND, &err);
    assert_success(upload_pieces(store, "large", 112, &err), &err);
    assert_pieces(store, "large", 112);
    assert_int_equal(count_uploads(bucket), 0);
    free(upload);
    store_close(store);
}

#define IN(make, test)                                                                                                 \
    { #test, test, make, bucket_drop, NULL }

int main(void) {
    const struct CMUnitTest tests[] = {
        IN(bucket_plain, a_large_object_goes_out_in_parts),
        IN(bucket_versioned, an_unfinished_upload_is_invisible_and_swept),
        IN(bucket_proxied, an_unfinished_upload_is_continued),
        IN(bucket_proxied, an_upload_that_vanishes_while_it_is_continued_begins_anew),
        IN(bucket_proxied, a_refused_part_ends_the_upload),
        IN(bucket_proxied, a_listing_that_ends_early_hides_no_version_from_removal),
        IN(bucket_proxied, a_removal_whose_answers_are_lost_is_whole),
        IN(bucket_proxied, a_removal_that_fails_on_the_way_leaves_the_newest_version),
        IN(bucket_proxied, a_service_without_versions_is_served_plainly),
        IN(bucket_proxied, a_cut_answer_is_never_taken_for_the_object),
        IN(bucket_versioned, a_killed_upload_leaves_nothing_that_is_seen),
    };
    return cmocka_run_group_tests_name("uploads to a bucket", tests, NULL, NULL);
}
