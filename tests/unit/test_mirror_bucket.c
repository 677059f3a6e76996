/* Mirrors and purges in buckets: versions, hide markers, locks, keys that may not delete. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/fault_proxy.h"
#include "../lib/mirror_world.h"
#include "../lib/scratch.h"
#include "../lib/scratch_bucket.h"
#include <muniment/repo/destruction.h>
#include <muniment/repo/hold.h>
#include <muniment/repo/purge.h>
#include <muniment/util/clock.h>
#include <muniment/util/file.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { DAY = 86400, NIGHTS = 3 };

/* A world whose mirror, or whose repository, is in a bucket. */
struct mirrored_bucket {
    struct mirror_world world;
    struct scratch_bucket *bucket;
};

static struct store *open_address(const struct scratch_bucket *bucket, const char *path, enum s3_lock_mode lock) {
    struct err err = { 0 };
    struct store *store;
    struct store_address address = { .path = path, .services = &bucket->services, .lock = lock };
    assert_success(store_open(&address, true, &store, &err), &err);
    return store;
}

static void mirror_through(struct mirrored_bucket *there, const char *path, enum s3_lock_mode lock) {
    store_close(there->world.mirror);
    there->world.mirror = open_address(there->bucket, path, lock);
}

/* False where there is no server to be had. */
static bool open_world(struct mirrored_bucket *there, enum test_bucket kind, enum s3_lock_mode lock) {
    if (!test_rgw_available())
        return false;
    *there = (struct mirrored_bucket){ .bucket = scratch_bucket_new(kind) };
    mirror_world_open(&there->world);
    mirror_through(there, there->bucket->address, lock);
    return true;
}

static void close_world(struct mirrored_bucket *there) {
    mirror_world_close(&there->world);
    scratch_bucket_drop(there->bucket);
}

/* What is in the bucket, seen without the program. */
struct sight {
    size_t versions, markers, keys;
    char last[1024];
};

static int see(void *context, const struct s3_version *version, struct err *err) {
    struct sight *sight = context;
    (void)err;
    sight->versions += !version->hide_marker;
    sight->markers += version->hide_marker;
    sight->keys += strcmp(sight->last, version->key) != 0;
    strncpy(sight->last, version->key, sizeof sight->last - 1);
    return 0;
}

static struct sight look(const struct mirrored_bucket *there) {
    struct err err = { 0 };
    struct sight sight = { 0 };
    assert_success(s3_list_versions(there->bucket->client, there->bucket->name, "", see, &sight, &err), &err);
    return sight;
}

static int count_object(void *context, const struct store_object *object, struct err *err) {
    (void)object, (void)err;
    ++*(size_t *)context;
    return 0;
}

/* Every object has one version, and nothing else is there. */
static void assert_nothing_hidden(const struct mirrored_bucket *there, struct store *store) {
    struct err err = { 0 };
    struct sight sight = look(there);
    size_t listed = 0;
    assert_success(store_list(store, "", count_object, &listed, &err), &err);
    assert_int_equal(sight.markers, 0);
    assert_int_equal(sight.versions, listed);
    assert_int_equal(sight.keys, listed);
}

static int count_upload(void *context, const struct s3_upload *upload, struct err *err) {
    (void)upload, (void)err;
    ++*(size_t *)context;
    return 0;
}

/* Times of versions are whole seconds to us. */
static void wait_for_the_next_second(void) {
    for (int64_t now = clock_now(); clock_now() == now;)
        nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
}

static size_t journalled(struct mirrored_bucket *there, const char *event, bool with_ids) {
    return scratch_repo_journalled(&there->world.scratch.repo, event, with_ids ? "ids" : NULL, NULL);
}

static char *key_of(const char *name) {
    return mem_format("p/%s", name);
}

/* --- mirrors --------------------------------------------------------------------------------------------------------
 */

static void follow_three_nights(enum test_bucket kind) {
    struct mirrored_bucket there;
    if (!open_world(&there, kind, S3_LOCK_NONE))
        skip();
    mirror_world_capture_three(&there.world);
    struct mirror_result result = mirror_world_sync(&there.world, true);
    assert_true(result.uploaded > 6);
    assert_int_equal(mirror_world_sync(&there.world, true).uploaded, 1);
    mirror_world_expect_restorable(&there.world, 0);
    mirror_world_expect_restorable(&there.world, 2);

    mirror_world_expire(&there.world, 0);
    result = mirror_world_sync(&there.world, false);
    assert_true(result.removed >= 3);
    assert_int_equal(result.hidden, 0);
    assert_int_equal(result.found_hidden, 0);
    assert_false(mirror_world_has_night(&there.world, 0));
    assert_nothing_hidden(&there, there.world.mirror);
    if (kind == TEST_BUCKET_VERSIONED)
        assert_int_equal(journalled(&there, "removed", true), result.removed);
    mirror_world_expect_clean(&there.world);
    mirror_world_expect_restorable(&there.world, 1);
    mirror_world_expect_restorable(&there.world, 2);
    close_world(&there);
}

static void a_bucket_follows_the_repository(void **state) {
    (void)state;
    follow_three_nights(TEST_BUCKET_PLAIN);
}

static void nothing_of_what_went_is_left_among_the_versions(void **state) {
    (void)state;
    follow_three_nights(TEST_BUCKET_VERSIONED);
}

static void what_somebody_hid_is_told_and_sent_again(void **state) {
    (void)state;
    struct err err = { 0 };
    struct mirrored_bucket there;
    char pack[REPO_NAME_MAX], head[REPO_NAME_MAX];
    if (!open_world(&there, TEST_BUCKET_VERSIONED, S3_LOCK_NONE))
        skip();
    mirror_world_capture_three(&there.world);
    mirror_world_sync(&there.world, true);
    mirror_world_largest_pack(&there.world, there.world.mirror, pack);
    mirror_world_head(&there.world, 1, head);
    char *keys[] = { key_of(pack), key_of(head) };
    for (size_t i = 0; i < 2; i++) {
        assert_success(s3_delete(there.bucket->client, there.bucket->name, keys[i], NULL, &err), &err);
        free(keys[i]);
    }
    assert_false(mirror_world_store_has(there.world.mirror, pack));

    struct mirror_result result = mirror_world_sync(&there.world, true);
    assert_int_equal(result.found_hidden, 2);
    assert_true(mirror_world_store_has(there.world.mirror, pack));
    assert_int_equal(mirror_world_sync(&there.world, true).found_hidden, 0);
    for (int night = 0; night < NIGHTS; night++)
        mirror_world_expect_restorable(&there.world, night);
    close_world(&there);
}

/* Of the same size, so that no listing tells. */
static void what_somebody_overwrote_is_found_at_once(void **state) {
    (void)state;
    struct err err = { 0 };
    struct mirrored_bucket there;
    struct buffer content = { 0 };
    char pack[REPO_NAME_MAX];
    if (!open_world(&there, TEST_BUCKET_VERSIONED, S3_LOCK_NONE))
        skip();
    mirror_world_capture_three(&there.world);
    mirror_world_sync(&there.world, true);
    mirror_world_largest_pack(&there.world, there.world.mirror, pack);
    assert_success(store_get(there.world.mirror, pack, SIZE_MAX / 2, &content, &err), &err);
    content.data[content.length / 2] ^= 1;
    wait_for_the_next_second();
    assert_success(store_put(there.world.mirror, pack, content.data, content.length, &err), &err);
    buffer_release(&content);

    struct mirror_result result = mirror_world_sync(&there.world, true);
    assert_int_equal(result.damaged, 1);
    mirror_world_expect_clean(&there.world);
    close_world(&there);
}

/* Else the whole mirror would be taken for damaged, and sent again. */
static void a_mirror_that_lets_nobody_read_is_not_called_damaged(void **state) {
    (void)state;
    struct err err = { 0 };
    struct mirrored_bucket there;
    struct mirror_result result;
    if (!open_world(&there, TEST_BUCKET_VERSIONED, S3_LOCK_NONE))
        skip();
    mirror_world_capture_three(&there.world);
    mirror_world_sync(&there.world, true);
    const size_t before = look(&there).versions;

    struct fault_proxy *proxy = fault_proxy_start();
    struct scratch_bucket *through = scratch_bucket_make(there.bucket->name, "p", fault_proxy_endpoint(proxy));
    store_close(there.world.mirror);
    there.world.mirror = open_address(through, through->address, S3_LOCK_NONE);
    fault_proxy_set(proxy, "status code=403 error=AccessDenied kind=get key=packs");
    assert_failure(mirror_world_run(&there.world, true, 100, &result, &err), ERR_DENIED, &err);
    assert_int_equal(result.damaged, 0);
    assert_int_equal(look(&there).versions - before, 0);

    fault_proxy_set(proxy, "");
    assert_success(mirror_world_run(&there.world, true, 100, &result, &err), &err);
    assert_int_equal(result.damaged, 0);
    fault_proxy_stop(proxy);
    scratch_bucket_free(through);
    close_world(&there);
}

static void a_key_that_may_not_delete_hides_and_says_so_once(void **state) {
    (void)state;
    struct mirrored_bucket there;
    if (!open_world(&there, TEST_BUCKET_VERSIONED, S3_LOCK_NONE))
        skip();
    mirror_world_capture_three(&there.world);
    mirror_world_sync(&there.world, true);
    mirror_world_expire(&there.world, 0);
    scratch_bucket_invite(there.bucket);
    mirror_through(&there, there.bucket->guest, S3_LOCK_NONE);

    struct mirror_result result = mirror_world_sync(&there.world, true);
    assert_true(result.hidden >= 3);
    assert_int_equal(result.removed, 0);
    assert_int_equal(result.found_hidden, 0);
    assert_false(mirror_world_has_night(&there.world, 0));
    assert_int_equal(journalled(&there, "hidden", false), result.hidden);
    assert_int_equal(look(&there).markers, result.hidden);

    struct mirror_result again = mirror_world_sync(&there.world, true);
    assert_int_equal(again.hidden, result.hidden);
    assert_int_equal(journalled(&there, "hidden", false), result.hidden);
    assert_int_equal(look(&there).markers, result.hidden);
    mirror_world_expect_restorable(&there.world, 1);

    /* With a key that may delete, what is hidden goes for good. */
    mirror_through(&there, there.bucket->address, S3_LOCK_NONE);
    again = mirror_world_sync(&there.world, true);
    assert_int_equal(again.hidden, 0);
    assert_int_equal(again.removed, result.hidden);
    assert_nothing_hidden(&there, there.world.mirror);
    close_world(&there);
}

/* --- locks ----------------------------------------------------------------------------------------------------------
 */

/* The first night is locked for two days and its packs may be for three, the others for ten and twenty. */
static struct lock_dates dates_of(void *context, const struct head *head) {
    const struct mirrored_bucket *there = context;
    int64_t now = clock_now() / DAY * DAY + DAY;
    bool first = strcmp(head->name, there->world.heads[0]) == 0;
    return (struct lock_dates){ .until = now + (first ? 2 : 10) * DAY, .cap = now + (first ? 3 : 20) * DAY };
}

static int sync_locked(struct mirrored_bucket *there, const char *memory, struct mirror_result *result,
                       struct err *err) {
    const struct lock_rule rule = { .dates = dates_of, .context = there, .memory = memory };
    const struct mirror_options options = { .name = "test", .copy = true, .now = clock_now(), .locks = &rule };
    return mirror_run(&there->world.scratch.repo, there->world.mirror, &options, result, err);
}

static int64_t locked_until(const struct mirrored_bucket *there, const char *name) {
    struct err err = { 0 };
    struct s3_lock lock = { 0 };
    char *key = key_of(name);
    assert_success(s3_get_lock(there->bucket->client, there->bucket->name, key, NULL, &lock, &err), &err);
    free(key);
    return lock.mode == S3_LOCK_NONE ? 0 : lock.until;
}

/* Days from now until the locks of all objects of a folder end: the first and the last. Returns how many end between.
 */
static size_t lock_span(struct mirrored_bucket *there, const char *folder, int64_t *first, int64_t *last) {
    struct err err = { 0 };
    struct store_names names = { 0 };
    char name[REPO_NAME_MAX];
    int64_t now = clock_now() / DAY * DAY + DAY;
    assert_success(
        store_names_load(there->world.mirror, repo_folder(&there->world.scratch.repo, name, folder), &names, &err),
        &err);
    size_t between = 0;
    int64_t *days = mem_array(names.count, sizeof *days);
    assert_true(names.count > 0);
    *first = INT64_MAX;
    *last = INT64_MIN;
    for (size_t i = 0; i < names.count; i++) {
        int64_t until = locked_until(there, names.items[i].name);
        days[i] = until == 0 ? 0 : (until - now) / DAY;
        *first = days[i] < *first ? days[i] : *first;
        *last = days[i] > *last ? days[i] : *last;
    }
    for (size_t i = 0; i < names.count; i++)
        between += days[i] > *first && days[i] < *last;
    free(days);
    store_names_release(&names);
    return between;
}

static void packs_are_locked_for_those_who_need_them_and_no_longer(void **state) {
    (void)state;
    struct err err = { 0 };
    struct mirror_result result;
    struct mirrored_bucket there;
    int64_t first, last;
    if (!open_world(&there, TEST_BUCKET_LOCKED, S3_LOCK_GOVERNANCE))
        skip();
    char *memory = mem_format("%s/locks", there.world.folder);
    there.world.scratch.repo.journal_keep = 40 * DAY;
    mirror_world_capture_three(&there.world);
    assert_success(sync_locked(&there, memory, &result, &err), &err);

    /* Packs of the first night alone, packs that others need as well, and packs that it does not need. */
    assert_true(lock_span(&there, "packs", &first, &last) > 0);
    assert_int_equal(first, 2);
    assert_int_equal(last, 10);
    lock_span(&there, "snapshots", &first, &last);
    assert_int_equal(first, 2);
    assert_int_equal(last, 10);
    lock_span(&there, "index", &first, &last);
    assert_int_equal(last, 0);
    lock_span(&there, "journal", &first, &last); /* from when each segment was written */
    assert_in_range(first, 38, 39);
    assert_in_range(last, 38, 39);

    /* What is remembered is not asked for again; what is forgotten is set anew, and changes nothing. */
    struct buffer text = { 0 };
    assert_success(file_read(memory, 1 << 20, &text, &err), &err);
    assert_memory_equal(buffer_text(&text), "muniment locks 1\n", 17);
    buffer_release(&text);
    uint64_t count = 0;
    const struct lock_rule rule = { .dates = dates_of, .context = &there, .memory = memory };
    struct repo *repo = &there.world.scratch.repo;
    assert_success(locks_lengthen(repo, there.world.mirror, &rule, clock_now(), NULL, NULL, &count, &err), &err);
    assert_int_equal(count, 0);
    assert_int_equal(unlink(memory), 0);
    assert_success(locks_lengthen(repo, there.world.mirror, &rule, clock_now(), NULL, NULL, &count, &err), &err);
    assert_true(count > NIGHTS);
    lock_span(&there, "packs", &first, &last);
    assert_int_equal(first, 2);
    assert_int_equal(last, 10);
    free(memory);
    close_world(&there);
}

static void what_a_lock_refuses_is_told_and_not_tried_again_before_its_date(void **state) {
    (void)state;
    struct err err = { 0 };
    struct mirror_result result, again;
    struct mirrored_bucket there;
    if (!open_world(&there, TEST_BUCKET_LOCKED, S3_LOCK_GOVERNANCE))
        skip();
    mirror_world_capture_three(&there.world);
    assert_success(sync_locked(&there, NULL, &result, &err), &err);
    mirror_world_expire(&there.world, 0);

    assert_success(sync_locked(&there, NULL, &result, &err), &err);
    assert_true(result.refused >= 1);
    assert_true(result.refused_until > clock_now());
    assert_true(mirror_world_has_night(&there.world, 0));
    mirror_world_expect_restorable(&there.world, 0); /* a head that stays keeps what it needs */
    size_t told = journalled(&there, "refused", false);
    assert_int_equal(told, result.refused);

    assert_success(sync_locked(&there, NULL, &again, &err), &err);
    assert_int_equal(again.refused, result.refused);
    assert_int_equal(again.refused_until, result.refused_until);
    assert_int_equal(journalled(&there, "refused", false), told);
    close_world(&there);
}

/* --- a repository in a bucket ------------------------------------------------------------------------------------- */

static bool open_repository(struct mirrored_bucket *there, enum test_bucket kind, enum s3_lock_mode lock) {
    if (!open_world(there, kind, S3_LOCK_NONE))
        return false;
    struct err err = { 0 };
    struct scratch_repo *scratch = &there->world.scratch;
    struct store_address address = { .path = there->world.mirror_path };
    store_close(scratch->store);
    scratch->store = open_address(there->bucket, there->bucket->address, lock);
    assert_success(repo_create(scratch->store, &err), &err);
    assert_success(repo_open(&scratch->repo, scratch->store, &scratch->keys, NULL, &err), &err);
    store_close(there->world.mirror);
    assert_success(store_open(&address, true, &there->world.mirror, &err), &err);
    return true;
}

static void a_purge_in_a_bucket_leaves_nothing_behind(void **state) {
    (void)state;
    struct err err = { 0 };
    struct mirrored_bucket there;
    if (!open_repository(&there, TEST_BUCKET_VERSIONED, S3_LOCK_NONE))
        skip();
    mirror_world_capture_three(&there.world);

    /* An upload that a killed run left, in parts. */
    const struct s3_put options = { 0 };
    char *upload = NULL, *key = mem_format("p/%s/packs/aa/left", there.world.scratch.keys.set_name);
    assert_success(s3_multipart_begin(there.bucket->client, there.bucket->name, key, &options, &upload, &err), &err);
    free(key);
    free(upload);
    wait_for_the_next_second();

    mirror_world_expire(&there.world, 0);
    assert_nothing_hidden(&there, there.world.scratch.store);
    assert_int_equal(scratch_repo_list(&there.world.scratch, "claims", NULL), 0);
    assert_int_equal(scratch_repo_list(&there.world.scratch, "sessions", NULL), 0);
    size_t unfinished = 0;
    assert_success(s3_list_uploads(there.bucket->client, there.bucket->name, "", count_upload, &unfinished, &err),
                   &err);
    assert_int_equal(unfinished, 0);
    assert_true(journalled(&there, "removed", true) > 0);

    mirror_world_sync(&there.world, true);
    mirror_world_expect_restorable(&there.world, 1);
    mirror_world_expect_restorable(&there.world, 2);
    close_world(&there);
}

static void a_snapshot_that_somebody_hid_keeps_all_from_going(void **state) {
    (void)state;
    struct err err = { 0 };
    struct purge_result result;
    struct mirrored_bucket there;
    char head[REPO_NAME_MAX];
    if (!open_repository(&there, TEST_BUCKET_VERSIONED, S3_LOCK_NONE))
        skip();
    mirror_world_capture_three(&there.world);
    mirror_world_head(&there.world, 1, head);
    char *key = key_of(head);
    assert_success(s3_delete(there.bucket->client, there.bucket->name, key, NULL, &err), &err);
    free(key);
    size_t packs = scratch_repo_list(&there.world.scratch, "packs", NULL);
    assert_failure(mirror_world_purge(&there.world, 0, &result, &err), ERR_CORRUPT, &err);
    assert_int_equal(scratch_repo_list(&there.world.scratch, "packs", NULL), packs);
    close_world(&there);
}

/* The head is locked: the snapshot stays whole, and everything else goes on. */
static void a_locked_head_keeps_its_snapshot(void **state) {
    (void)state;
    struct err err = { 0 };
    struct purge_result result;
    struct mirrored_bucket there;
    char head[REPO_NAME_MAX];
    if (!open_repository(&there, TEST_BUCKET_LOCKED, S3_LOCK_GOVERNANCE))
        skip();
    mirror_world_capture_three(&there.world);
    mirror_world_head(&there.world, 0, head);
    int64_t until = clock_now() + 5 * DAY;
    assert_success(store_lock_until(there.world.scratch.store, head, until, &err), &err);

    for (int run = 0; run < 2; run++) {
        assert_success(mirror_world_purge(&there.world, 0, &result, &err), &err);
        assert_int_equal(result.heads_removed, 0);
        assert_int_equal(result.packs_destroyed, 0);
        assert_int_equal(result.refused, 1);
        assert_int_equal(result.refused_until, until);
        assert_int_equal(journalled(&there, "refused", false), 1);
        assert_int_equal(journalled(&there, "expired", false), 1); /* it is not decided again */
    }
    mirror_world_sync(&there.world, true);
    mirror_world_expect_restorable(&there.world, 0);
    close_world(&there);
}

/* Released with a key that could only hide it: the next purge that may delete takes it for decided, not for hidden by a
 * stranger. */
static void what_is_left_of_a_released_hold_goes_for_good(void **state) {
    (void)state;
    struct err err = { 0 };
    struct mirrored_bucket there;
    struct journal_batch batch = { 0 };
    char name[REPO_NAME_MAX];
    if (!open_repository(&there, TEST_BUCKET_VERSIONED, S3_LOCK_NONE))
        skip();
    struct repo *repo = &there.world.scratch.repo;
    char owner[] = "case 7", reason[] = "dispute";
    struct hold hold = { .scope = HOLD_SET, .owner = owner, .reason = reason, .placed = clock_now() };
    mirror_world_capture_three(&there.world);
    assert_success(hold_place(repo, &hold, &err), &err);
    journal_add(&batch, clock_now(), "released", "hold", hold.id, NULL);
    assert_success(journal_append(repo, &batch, &err), &err);
    journal_batch_release(&batch);
    char *key = key_of(repo_name(repo, name, "holds", hold.id));
    assert_success(s3_delete(there.bucket->client, there.bucket->name, key, NULL, &err), &err);
    free(key);
    assert_int_equal(look(&there).markers, 1);

    mirror_world_expire(&there.world, 0);
    assert_nothing_hidden(&there, there.world.scratch.store);
    close_world(&there);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bucket_follows_the_repository),
        cmocka_unit_test(nothing_of_what_went_is_left_among_the_versions),
        cmocka_unit_test(what_somebody_hid_is_told_and_sent_again),
        cmocka_unit_test(what_somebody_overwrote_is_found_at_once),
        cmocka_unit_test(a_mirror_that_lets_nobody_read_is_not_called_damaged),
        cmocka_unit_test(a_key_that_may_not_delete_hides_and_says_so_once),
        cmocka_unit_test(packs_are_locked_for_those_who_need_them_and_no_longer),
        cmocka_unit_test(what_a_lock_refuses_is_told_and_not_tried_again_before_its_date),
        cmocka_unit_test(a_purge_in_a_bucket_leaves_nothing_behind),
        cmocka_unit_test(a_snapshot_that_somebody_hid_keeps_all_from_going),
        cmocka_unit_test(a_locked_head_keeps_its_snapshot),
        cmocka_unit_test(what_is_left_of_a_released_hold_goes_for_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
