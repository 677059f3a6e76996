/* Erasing a set: what goes, in which order, what stays, and what the certificate says of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/fault_proxy.h"
#include "../lib/report_world.h"
#include "../lib/scratch.h"
#include "../lib/scratch_bucket.h"
#include <muniment/evidence/erase.h>
#include <muniment/mirror/recover.h>
#include <muniment/repo/erasure.h>
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DAY = 86400, LOCK_SECONDS = 6, KEEP = 1000 };

static const char WRAPPED[] = "0123456789abcdef"; /* the id of a wrapped copy */

/* A set with three nights and a wrapped copy of its key, in a repository and on a mirror; and another set in both. */
struct erase_world {
    struct report_world report;
    struct scratch_bucket *bucket; /* of the mirror; NULL: it is a folder */
    struct keys other_keys;
    struct repo other;
    struct buffer before[2]; /* all that there is of the other set, by place */
    struct erase_result result;
};

static struct repo *repo_of(struct erase_world *world) {
    return &world->report.mirror.scratch.repo;
}

static struct store *store_at(const struct erase_world *world, size_t place) {
    return world->report.places[place].store;
}

/* --- the other set --------------------------------------------------------------------------------------------------
 */

static void read_set(struct store *store, const char *set, struct buffer *out) {
    struct err err = { 0 };
    struct store_names names = { 0 };
    assert_success(store_names_load(store, set, &names, &err), &err);
    for (size_t i = 0; i < names.count; i++) {
        buffer_printf(out, "%s\n", names.items[i].name);
        assert_success(store_get(store, names.items[i].name, 1 << 24, out, &err), &err);
    }
    store_names_release(&names);
}

static void make_other(struct erase_world *world) {
    struct err err = { 0 };
    char *references[] = { TEXT("customers/1") };
    struct erasure erasure = { .recorded = world->report.now, .references = references, .count = 1 };
    const struct mirror_options options = { .name = "test", .copy = true, .now = world->report.now };
    struct mirror_result copied;
    keys_generate(&world->other_keys);
    assert_success(repo_open(&world->other, store_at(world, 0), &world->other_keys, NULL, &err), &err);
    assert_success(erasure_record(&world->other, &erasure, &err), &err);
    assert_success(mirror_run(&world->other, store_at(world, 1), &options, &copied, &err), &err);
    free(erasure.name);
    for (size_t i = 0; i < 2; i++)
        read_set(store_at(world, i), world->other_keys.set_name, &world->before[i]);
}

static void assert_other_untouched(const struct erase_world *world) {
    for (size_t i = 0; i < 2; i++) {
        struct buffer now = { 0 };
        read_set(store_at(world, i), world->other_keys.set_name, &now);
        assert_true(now.length > 0);
        assert_int_equal(now.length, world->before[i].length);
        assert_memory_equal(now.data, world->before[i].data, now.length);
        buffer_release(&now);
    }
}

/* --- the world ------------------------------------------------------------------------------------------------------
 */

static void fill_world(struct erase_world *world, struct store *mirror) {
    struct err err = { 0 };
    char name[REPO_NAME_MAX];
    report_world_open(&world->report, mirror, mirror ? world->bucket->address : NULL);
    repo_name(repo_of(world), name, "keys", WRAPPED);
    assert_success(store_put(store_at(world, 0), name, "wrapped", 7, &err), &err);
    report_world_copy(&world->report);
    make_other(world);
    world->report.now = clock_now();
}

static void open_world(struct erase_world *world) {
    *world = (struct erase_world){ 0 };
    fill_world(world, NULL);
}

static struct store *open_bucket(const struct scratch_bucket *bucket, const char *path, enum test_bucket kind) {
    struct err err = { 0 };
    struct store *store;
    enum s3_lock_mode lock = kind == TEST_BUCKET_LOCKED ? S3_LOCK_GOVERNANCE : S3_LOCK_NONE;
    const struct store_address address = { .path = path, .services = &bucket->services, .lock = lock };
    assert_success(store_open(&address, true, &store, &err), &err);
    return store;
}

/* The mirror is a bucket that keeps versions. False where there is no server to be had. */
static bool open_bucket_world(struct erase_world *world, enum test_bucket kind) {
    if (!test_rgw_available())
        return false;
    char *name = test_rgw_bucket(kind);
    *world = (struct erase_world){ .bucket = scratch_bucket_make(name, "p", NULL) };
    free(name);
    fill_world(world, open_bucket(world->bucket, world->bucket->address, kind));
    return true;
}

static void close_world(struct erase_world *world) {
    assert_other_untouched(world);
    for (size_t i = 0; i < 2; i++)
        buffer_release(&world->before[i]);
    keys_wipe(&world->other_keys);
    erase_result_release(&world->result);
    report_world_close(&world->report);
    if (!world->bucket)
        return;
    test_rgw_drop(mem_string(world->bucket->name));
    scratch_bucket_free(world->bucket);
}

/* The names of the journal's segments in a place. */
static void list_journal(struct erase_world *world, size_t place, struct store_names *names) {
    struct err err = { 0 };
    char folder[REPO_NAME_MAX];
    repo_folder(repo_of(world), folder, "journal");
    assert_success(store_names_load(store_at(world, place), folder, names, &err), &err);
}

/* --- erasing --------------------------------------------------------------------------------------------------------
 */

static struct report_request request_of(struct erase_world *world) {
    return (struct report_request){
        .set = "app",
        .repo = repo_of(world),
        .policy = &world->report.policy,
        .places = world->report.places,
        .place_count = 2,
        .from = world->report.now,
        .until = world->report.now,
        .now = world->report.now,
    };
}

static int try_erase(struct erase_world *world, struct err *err) {
    const struct report_request request = request_of(world);
    erase_result_release(&world->result);
    return erase_set(&request, &world->result, err);
}

static const struct erase_result *erase(struct erase_world *world) {
    struct err err = { 0 };
    assert_success(try_erase(world, &err), &err);
    return &world->result;
}

static void assert_certified(struct erase_world *world, const char *text) {
    const struct report_request request = request_of(world);
    struct buffer out = { 0 };
    erase_certificate(&request, &world->result, REPORT_TEXT, &out);
    if (!strstr(buffer_text(&out), text))
        fail_msg("'%s' is not in: %s", text, buffer_text(&out));
    buffer_release(&out);
}

/* How many objects of the set there are in a folder of its own, hidden ones included; NULL: in all but the journal. */
struct counting {
    const struct erase_world *world;
    const char *folder;
    size_t count;
};

static int count_one(void *context, const struct store_kept *object, struct err *err) {
    struct counting *counting = context;
    const char *below = object->name + strlen(counting->world->report.mirror.scratch.keys.set_name) + 1;
    const char *folder = counting->folder ? counting->folder : "journal/";
    (void)err;
    counting->count += (strncmp(below, folder, strlen(folder)) == 0) == (counting->folder != NULL);
    return 0;
}

static size_t count_at(struct erase_world *world, size_t place, const char *folder) {
    struct err err = { 0 };
    struct counting counting = { .world = world, .folder = folder };
    assert_success(store_list_kept(store_at(world, place), repo_of(world)->keys->set_name, count_one, &counting, &err),
                   &err);
    return counting.count;
}

/* In the journal of a place, which must be whole. */
static size_t journalled(struct erase_world *world, size_t place, const char *event, const char *field,
                         const char *value) {
    struct repo there = *repo_of(world);
    there.store = store_at(world, place);
    return scratch_repo_journalled(&there, event, field, value);
}

static void lock_on_mirror(struct erase_world *world, const char *name, int64_t until) {
    struct err err = { 0 };
    assert_success(store_lock_until(store_at(world, 1), name, until, &err), &err);
}

static void wait_until(int64_t time) {
    while (clock_now() <= time)
        nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
}

/* --- what goes ------------------------------------------------------------------------------------------------------
 */

static void all_of_a_set_goes_from_every_place(void **state) {
    (void)state;
    struct erase_world world;
    open_world(&world);
    const size_t objects[] = { count_at(&world, 0, NULL), count_at(&world, 1, NULL) };
    const struct erase_result *result = erase(&world);
    assert_true(result->whole);
    assert_int_equal(result->begun, world.report.now);
    assert_int_equal(result->key_id_count, 1);
    assert_string_equal(result->key_ids[0], WRAPPED);
    for (size_t i = 0; i < 2; i++) {
        assert_true(objects[i] > REPORT_WORLD_NIGHTS);
        assert_true(result->places[i].reached);
        assert_null(result->places[i].why);
        assert_int_equal(result->places[i].keys, 1);
        assert_int_equal(result->places[i].objects, objects[i]);
        assert_int_equal(result->places[i].versions, objects[i]);
        assert_int_equal(result->places[i].remaining, 0);
        assert_int_equal(count_at(&world, i, NULL), 0);
        assert_int_equal(journalled(&world, i, "erasing", NULL, NULL), 1);
        assert_int_equal(journalled(&world, i, "key_removed", "id", WRAPPED), 1);
        assert_int_equal(journalled(&world, i, "expired", "reason", "the set is erased"), REPORT_WORLD_NIGHTS);
        assert_int_equal(journalled(&world, i, "erased", "outcome", "whole"), 1);
    }
    char sum[24];
    snprintf(sum, sizeof sum, "%zu", objects[0] + objects[1]);
    assert_int_equal(journalled(&world, 0, "erased", "objects", sum), 1);
    assert_int_equal(journalled(&world, 0, "erased", "keys", "2"), 1);
    assert_certified(&world, "whole: nothing is left but the journal");
    assert_certified(&world, "found afterwards nothing but the journal");
    close_world(&world);
}

static void nothing_is_left_among_the_versions_of_a_bucket(void **state) {
    (void)state;
    struct err err = { 0 };
    struct erase_world world;
    char head[REPO_NAME_MAX];
    if (!open_bucket_world(&world, TEST_BUCKET_VERSIONED))
        skip();

    /* One version over another, and a hide marker over both. */
    const size_t objects = count_at(&world, 1, NULL);
    mirror_world_head(&world.report.mirror, 1, head);
    char *key = mem_format("p/%s", head);
    assert_success(store_put(store_at(&world, 1), head, "other", 5, &err), &err);
    assert_success(s3_delete(world.bucket->client, world.bucket->name, key, NULL, &err), &err);
    free(key);
    const struct erase_result *result = erase(&world);
    assert_true(result->whole);
    assert_int_equal(result->places[1].objects, objects);
    assert_int_equal(result->places[1].versions, objects + 2);
    assert_int_equal(count_at(&world, 1, NULL), 0);
    assert_int_equal(journalled(&world, 1, "erased", "outcome", "whole"), 1);
    close_world(&world);
}

static void a_second_time_there_is_nothing_to_do(void **state) {
    (void)state;
    struct erase_world world;
    open_world(&world);
    repo_of(&world)->journal_keep = KEEP;
    const int64_t begun = erase(&world)->begun;
    world.report.now += KEEP - 1;
    const struct erase_result *result = erase(&world);
    assert_true(result->whole);
    assert_int_equal(result->begun, begun);
    assert_int_equal(result->places[0].objects + result->places[1].objects, 0);
    assert_string_equal(result->key_ids[0], WRAPPED);
    assert_int_equal(journalled(&world, 1, "erasing", NULL, NULL), 1);
    assert_int_equal(journalled(&world, 1, "key_removed", NULL, NULL), 1);
    close_world(&world);
}

/* --- what stays for a time ------------------------------------------------------------------------------------------
 */

static void what_a_lock_holds_cannot_be_opened_and_goes_later(void **state) {
    (void)state;
    struct err err = { 0 };
    struct erase_world world;
    struct keys opened = { 0 };
    struct key_copy made;
    char head[REPO_NAME_MAX], pack[REPO_NAME_MAX], until_text[CLOCK_TEXT];
    if (!open_bucket_world(&world, TEST_BUCKET_LOCKED))
        skip();
    struct keys *keys = &world.report.mirror.scratch.keys;
    assert_success(key_copy_add(store_at(&world, 1), keys, "safe", "passphrase", world.report.now, &made, &err), &err);
    assert_success(key_copy_open(store_at(&world, 1), keys->set_name, "passphrase", &opened, &err), &err);
    keys_wipe(&opened);
    mirror_world_head(&world.report.mirror, 1, head);
    mirror_world_largest_pack(&world.report.mirror, store_at(&world, 1), pack);
    const size_t objects = count_at(&world, 1, NULL);
    const int64_t until = clock_now() + LOCK_SECONDS;
    lock_on_mirror(&world, head, until - 1);
    lock_on_mirror(&world, pack, until);

    const struct erase_result *result = erase(&world);
    assert_false(result->whole);
    assert_null(result->places[1].why);
    assert_int_equal(result->places[1].keys, 2);
    assert_int_equal(result->places[1].objects, objects - 2);
    assert_int_equal(result->places[1].remaining, 2);
    assert_true(result->places[1].remaining_bytes > 300000);
    assert_int_equal(result->places[1].remaining_until, until);
    assert_int_equal(count_at(&world, 1, NULL), 2);
    assert_int_equal(count_at(&world, 0, NULL), 0);
    assert_true(mirror_world_store_has(store_at(&world, 1), head)); /* not hidden instead */
    assert_failure(key_copy_open(store_at(&world, 1), keys->set_name, "passphrase", &opened, &err), ERR_KEY, &err);
    clock_format(until_text, until);
    assert_int_equal(journalled(&world, 1, "erased", "outcome", "remains"), 1);
    assert_int_equal(journalled(&world, 1, "erased", "remaining", "2"), 1);
    assert_int_equal(journalled(&world, 1, "erased", "until", until_text), 1);
    assert_certified(&world, "NOT WHOLE");
    assert_certified(&world, "REMAINS          2 objects");
    assert_certified(&world, until_text);

    wait_until(until);
    result = erase(&world);
    assert_true(result->whole);
    assert_int_equal(result->places[1].objects, 2);
    assert_int_equal(result->places[1].remaining, 0);
    assert_int_equal(result->places[1].remaining_until, 0);
    assert_int_equal(count_at(&world, 1, NULL), 0);
    assert_int_equal(journalled(&world, 1, "erased", "outcome", "whole"), 1);
    assert_certified(&world, "whole: nothing is left but the journal");
    close_world(&world);
}

static void a_wrapped_copy_that_a_lock_holds_is_told_and_the_rest_goes(void **state) {
    (void)state;
    struct erase_world world;
    char name[REPO_NAME_MAX];
    if (!open_bucket_world(&world, TEST_BUCKET_LOCKED))
        skip();
    repo_name(repo_of(&world), name, "keys", WRAPPED);
    const int64_t until = clock_now() + DAY;
    lock_on_mirror(&world, name, until);
    const struct erase_result *result = erase(&world);
    assert_false(result->whole);
    assert_non_null(result->places[1].why);
    assert_non_null(strstr(result->places[1].why, "1 wrapped copies of the read key could not be destroyed"));
    assert_int_equal(result->places[1].keys, 0);
    assert_int_equal(result->places[1].remaining, 1);
    assert_int_equal(result->places[1].remaining_until, until);
    assert_int_equal(count_at(&world, 1, NULL), 1);
    assert_certified(&world, "NOT FINISHED");
    close_world(&world);
}

static void what_a_key_may_only_hide_is_told(void **state) {
    (void)state;
    struct erase_world world;
    if (!open_bucket_world(&world, TEST_BUCKET_VERSIONED))
        skip();
    const size_t objects = count_at(&world, 1, NULL);
    scratch_bucket_invite(world.bucket);
    struct store *owned = store_at(&world, 1),
                 *guest = open_bucket(world.bucket, world.bucket->guest, TEST_BUCKET_VERSIONED);
    world.report.places[1].store = guest;
    const struct erase_result *result = erase(&world);
    assert_false(result->whole);
    assert_non_null(result->places[1].why);
    assert_int_equal(result->places[1].remaining, objects);
    assert_int_equal(result->places[1].remaining_until, INT64_MAX);
    assert_int_equal(count_at(&world, 0, NULL), 0);
    assert_certified(&world, "locked until no date");

    world.report.places[1].store = owned;
    assert_true(erase(&world)->whole);
    assert_int_equal(count_at(&world, 1, NULL), 0);
    store_close(guest);
    close_world(&world);
}

/* --- holds ----------------------------------------------------------------------------------------------------------
 */

static void place_hold(struct erase_world *world, struct hold *hold) {
    struct err err = { 0 };
    hold->scope = HOLD_SET;
    hold->owner = TEXT("legal");
    hold->reason = TEXT("case 7");
    hold->placed = world->report.now - 10;
    assert_success(hold_place(repo_of(world), hold, &err), &err);
}

static void assert_refused(struct erase_world *world, enum err_code code) {
    struct err err = { 0 };
    const size_t objects[] = { count_at(world, 0, NULL), count_at(world, 1, NULL) };
    assert_failure(try_erase(world, &err), code, &err);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(count_at(world, i, NULL), objects[i]);
}

static void a_hold_forbids_it_until_it_is_over(void **state) {
    (void)state;
    struct err err = { 0 };
    struct erase_world world;
    struct hold hold = { 0 }, ending = { 0 };
    char whole[17];
    open_world(&world);
    place_hold(&world, &hold);
    ending.ends = world.report.now + 5;
    place_hold(&world, &ending);
    assert_refused(&world, ERR_REFUSED);
    assert_success(hold_release(repo_of(&world), hold.id, world.report.now, whole, &err), &err);
    assert_refused(&world, ERR_REFUSED);
    assert_int_equal(journalled(&world, 0, "erasing", NULL, NULL), 0);
    world.report.now += 5;
    assert_true(erase(&world)->whole);
    close_world(&world);
}

static void a_hold_that_vanished_forbids_it(void **state) {
    (void)state;
    struct err err = { 0 };
    struct erase_world world;
    struct hold hold = { 0 };
    char name[REPO_NAME_MAX], whole[17];
    open_world(&world);
    place_hold(&world, &hold);
    assert_success(store_remove(store_at(&world, 0), repo_name(repo_of(&world), name, "holds", hold.id), NULL, &err),
                   &err);
    assert_refused(&world, ERR_CORRUPT);
    assert_success(hold_release(repo_of(&world), hold.id, world.report.now, whole, &err), &err);
    assert_true(erase(&world)->whole);
    close_world(&world);
}

/* The journal of the repository is set back to before the hold, and its object is gone. */
static void a_hold_that_only_a_mirror_tells_of_forbids_it(void **state) {
    (void)state;
    struct err err = { 0 };
    struct erase_world world;
    struct hold hold = { 0 };
    struct store_names before = { 0 }, after = { 0 };
    char name[REPO_NAME_MAX], whole[17];
    open_world(&world);
    struct store *store = store_at(&world, 0);
    list_journal(&world, 0, &before);
    place_hold(&world, &hold);
    report_world_copy(&world.report);
    list_journal(&world, 0, &after);
    for (size_t i = 0; i < after.count; i++)
        if (!store_names_find(&before, after.items[i].name))
            assert_success(store_remove(store, after.items[i].name, NULL, &err), &err);
    assert_success(store_remove(store, repo_name(repo_of(&world), name, "holds", hold.id), NULL, &err), &err);
    assert_refused(&world, ERR_CORRUPT);
    assert_int_equal(try_erase(&world, &err), -1);
    assert_words(&err, (const char *const[]){ "mirror 'test'", hold.id, "muniment repair app test", NULL });
    err_clear(&err);

    /* What it advises helps. */
    struct recover_result recovered;
    assert_success(
        mirror_recover(repo_of(&world), store_at(&world, 1), "test", world.report.now, NULL, &recovered, &err), &err);
    assert_refused(&world, ERR_REFUSED);
    assert_success(hold_release(repo_of(&world), hold.id, world.report.now, whole, &err), &err);
    assert_true(erase(&world)->whole);
    store_names_release(&before);
    store_names_release(&after);
    close_world(&world);
}

/* --- what breaks off ------------------------------------------------------------------------------------------------
 */

static void a_mirror_that_is_away_is_erased_once_it_is_back(void **state) {
    (void)state;
    struct erase_world world;
    open_world(&world);
    struct store *away = store_at(&world, 1);
    const size_t objects = count_at(&world, 1, NULL);
    world.report.places[1].store = NULL;
    world.report.places[1].why = "not mounted";
    const struct erase_result *result = erase(&world);
    assert_false(result->whole);
    assert_false(result->places[1].reached);
    assert_string_equal(result->places[1].why, "not mounted");
    assert_int_equal(count_at(&world, 0, NULL), 0);
    assert_int_equal(journalled(&world, 0, "erased", "outcome", "remains"), 1);
    assert_certified(&world, "NOT FINISHED     not mounted");

    world.report.places[1].store = away;
    world.report.places[1].why = NULL;
    result = erase(&world);
    assert_true(result->whole);
    assert_int_equal(result->places[1].objects, objects);
    assert_int_equal(result->places[1].keys, 1);
    assert_int_equal(count_at(&world, 1, NULL), 0);
    close_world(&world);
}

static void what_broke_off_in_the_middle_is_finished(void **state) {
    (void)state;
    struct erase_world world;
    if (!open_bucket_world(&world, TEST_BUCKET_VERSIONED))
        skip();
    struct fault_proxy *proxy = fault_proxy_start();
    struct scratch_bucket *through = scratch_bucket_make(world.bucket->name, "p", fault_proxy_endpoint(proxy));
    struct store *direct = store_at(&world, 1), *faulty = open_bucket(through, through->address, TEST_BUCKET_VERSIONED);
    const size_t objects = count_at(&world, 1, NULL);

    /* Before the journal is there, which says what is to go: then nothing goes. */
    world.report.places[1].store = faulty;
    fault_proxy_set(proxy, "status code=400 error=InvalidRequest kind=put key=journal");
    const struct erase_result *result = erase(&world);
    assert_false(result->whole);
    assert_int_equal(count_at(&world, 1, NULL), objects);

    /* Before the first key goes: then nothing does there. */
    fault_proxy_set(proxy, "status code=400 error=InvalidRequest kind=delete");
    result = erase(&world);
    assert_false(result->whole);
    assert_non_null(result->places[1].why);
    assert_int_equal(result->places[1].remaining, objects);
    assert_int_equal(count_at(&world, 0, NULL), 0);

    /* After the key, and some. */
    fault_proxy_set(proxy, "status code=400 error=InvalidRequest kind=delete skip=3");
    result = erase(&world);
    assert_false(result->whole);
    assert_non_null(result->places[1].why);
    assert_int_equal(result->places[1].keys, 1);
    assert_in_range(result->places[1].objects, 1, 3);
    assert_int_equal(result->places[1].remaining, objects - result->places[1].objects);
    assert_int_equal(count_at(&world, 1, "keys/"), 0);
    assert_int_equal(journalled(&world, 1, "erased", "outcome", "remains"), 3);

    world.report.places[1].store = direct;
    assert_true(erase(&world)->whole);
    assert_int_equal(count_at(&world, 1, NULL), 0);
    assert_int_equal(journalled(&world, 1, "erasing", NULL, NULL), 1);
    assert_int_equal(journalled(&world, 1, "key_removed", NULL, NULL), 1);
    store_close(faulty);
    fault_proxy_stop(proxy);
    scratch_bucket_free(through);
    close_world(&world);
}

/* --- the journal ----------------------------------------------------------------------------------------------------
 */

static void the_journal_goes_when_it_is_as_old_as_it_must_get(void **state) {
    (void)state;
    struct erase_world world;
    open_world(&world);
    repo_of(&world)->journal_keep = KEEP;
    assert_true(erase(&world)->whole);
    world.report.now += KEEP;
    assert_true(erase(&world)->whole);
    assert_certified(&world, "whole: nothing is left\n");
    assert_certified(&world, "found afterwards nothing\n");
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(count_at(&world, i, "journal/"), 0);
    close_world(&world);
}

/* A run that was killed while the journal went has left gaps in it. */
static void a_journal_that_was_going_goes_on(void **state) {
    (void)state;
    struct err err = { 0 };
    struct erase_world world;
    struct store_names names = { 0 };
    open_world(&world);
    assert_true(erase(&world)->whole);
    list_journal(&world, 0, &names);
    assert_true(names.count > 3);
    for (size_t i = 0; i < names.count; i++) {
        assert_success(store_remove(store_at(&world, 1), names.items[i].name, NULL, &err), &err);
        if (i % 2 == 0 && i + 1 < names.count)
            assert_success(store_remove(store_at(&world, 0), names.items[i].name, NULL, &err), &err);
    }
    store_names_release(&names);
    repo_of(&world)->journal_keep = KEEP;
    assert_refused(&world, ERR_CORRUPT); /* not yet */
    world.report.now += KEEP;
    assert_true(erase(&world)->whole);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(count_at(&world, i, "journal/"), 0);
    close_world(&world);
}

/* What tells a later run to go on is the last to go: the end of a journal, and the repository's. */
static void a_segment_that_is_locked_keeps_the_end_of_its_journal_and_the_repositorys(void **state) {
    (void)state;
    struct erase_world world;
    struct store_names names = { 0 };
    if (!open_bucket_world(&world, TEST_BUCKET_LOCKED))
        skip();
    assert_true(erase(&world)->whole);
    const size_t segments = count_at(&world, 0, "journal/");
    list_journal(&world, 1, &names);
    assert_int_equal(names.count, segments);
    const int64_t until = clock_now() + DAY;
    lock_on_mirror(&world, names.items[0].name, until);
    const struct erase_result *result = erase(&world);
    assert_false(result->whole);
    assert_int_equal(result->places[1].remaining, 2);
    assert_int_equal(result->places[1].remaining_until, until);
    assert_true(mirror_world_store_has(store_at(&world, 1), names.items[segments - 1].name));
    assert_int_equal(count_at(&world, 0, "journal/"), segments);
    store_names_release(&names);
    close_world(&world);
}

/* Of what is left that is what proves the rest. */
static void what_is_sent_of_the_journal_is_locked_where_the_mirror_locks(void **state) {
    (void)state;
    struct err err = { 0 };
    struct erase_world world;
    struct store_names names = { 0 };
    if (!open_bucket_world(&world, TEST_BUCKET_LOCKED))
        skip();
    const size_t segments = count_at(&world, 0, "journal/");
    repo_of(&world)->journal_keep = KEEP;
    assert_true(erase(&world)->whole);
    list_journal(&world, 1, &names);
    assert_true(names.count > segments);
    for (size_t i = segments; i < names.count; i++) {
        int64_t until = 0;
        assert_success(store_locked_until(store_at(&world, 1), names.items[i].name, &until, &err), &err);
        assert_in_range(until, world.report.now + KEEP, clock_now() + KEEP);
    }
    store_names_release(&names);
    close_world(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_a_set_goes_from_every_place),
        cmocka_unit_test(nothing_is_left_among_the_versions_of_a_bucket),
        cmocka_unit_test(a_second_time_there_is_nothing_to_do),
        cmocka_unit_test(what_a_lock_holds_cannot_be_opened_and_goes_later),
        cmocka_unit_test(a_wrapped_copy_that_a_lock_holds_is_told_and_the_rest_goes),
        cmocka_unit_test(what_a_key_may_only_hide_is_told),
        cmocka_unit_test(a_hold_forbids_it_until_it_is_over),
        cmocka_unit_test(a_hold_that_vanished_forbids_it),
        cmocka_unit_test(a_hold_that_only_a_mirror_tells_of_forbids_it),
        cmocka_unit_test(a_mirror_that_is_away_is_erased_once_it_is_back),
        cmocka_unit_test(what_broke_off_in_the_middle_is_finished),
        cmocka_unit_test(the_journal_goes_when_it_is_as_old_as_it_must_get),
        cmocka_unit_test(a_journal_that_was_going_goes_on),
        cmocka_unit_test(a_segment_that_is_locked_keeps_the_end_of_its_journal_and_the_repositorys),
        cmocka_unit_test(what_is_sent_of_the_journal_is_locked_where_the_mirror_locks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
