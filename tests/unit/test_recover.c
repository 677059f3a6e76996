/* Bringing back from a mirror what the repository lost: what comes back, what stays gone, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/fault_proxy.h"
#include "../lib/mirror_world.h"
#include "../lib/scratch.h"
#include "../lib/scratch_bucket.h"
#include <muniment/mirror/recover.h>
#include <muniment/repo/check.h>
#include <muniment/repo/erasure.h>
#include <muniment/repo/hold.h>
#include <muniment/repo/journal.h>
#include <muniment/util/clock.h>
#include <muniment/util/hex.h>
#include <muniment/util/memory.h>
#include <muniment/util/sha256.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int open_world(void **state) {
    struct mirror_world *world = mem_zalloc(sizeof *world);
    mirror_world_open(world);
    mirror_world_capture_three(world);
    *state = world;
    return 0;
}

static int close_world(void **state) {
    mirror_world_close(*state);
    free(*state);
    return 0;
}

static int recover(struct mirror_world *world, struct recover_result *result, struct err *err) {
    return mirror_recover(&world->scratch.repo, world->mirror, "test", clock_now(), NULL, result, err);
}

static struct recover_result recovered(struct mirror_world *world) {
    struct err err = { 0 };
    struct recover_result result;
    assert_success(recover(world, &result, &err), &err);
    return result;
}

static void note_finding(void *context, const char *text) {
    (void)context;
    print_error("%s\n", text);
}

/* Every byte of the repository, and its journal. */
static void expect_whole(struct mirror_world *world) {
    struct err err = { 0 };
    struct check_options options = { .read_percent = 100, .now = clock_now(), .finding = note_finding };
    struct check_result result;
    assert_success(check_run(&world->scratch.repo, &options, &result, &err), &err);
    assert_int_equal(result.findings, 0);
}

static void take(struct mirror_world *world, const char *name) {
    struct err err = { 0 };
    assert_success(store_remove(world->scratch.store, name, NULL, &err), &err);
    assert_false(mirror_world_store_has(world->scratch.store, name));
}

/* The name of one of the objects of a folder. */
static void name_one(struct mirror_world *world, const char *folder, size_t at, char *name) {
    struct err err = { 0 };
    struct store_names names = { 0 };
    assert_success(
        store_names_load(world->scratch.store, repo_folder(&world->scratch.repo, name, folder), &names, &err), &err);
    assert_true(at < names.count);
    strcpy(name, names.items[at].name);
    store_names_release(&names);
}

static int find_event(void *context, const char *segment, const struct journal_entry *entry, struct err *err) {
    char *objects = context;
    (void)segment;
    (void)err;
    if (strcmp(entry->event, "recovered") == 0)
        snprintf(objects, 16, "%s", journal_field(entry, "objects"));
    return 0;
}

static void nothing_is_brought_to_a_whole_repository(void **state) {
    struct mirror_world *world = *state;
    mirror_world_sync(world, true);
    struct recover_result result = recovered(world);
    assert_int_equal(result.recovered, 0);
    assert_int_equal(result.lost, 0);
    assert_true(result.read > 6);
    expect_whole(world);
}

static void what_is_missing_comes_back(void **state) {
    struct mirror_world *world = *state;
    struct err err = { 0 };
    char pack[REPO_NAME_MAX], head[REPO_NAME_MAX], hold_name[REPO_NAME_MAX], erasure_name[REPO_NAME_MAX];
    char objects[16] = "";
    static char owner[] = "legal", reason[] = "case 7", reference[] = "customers/1", *references[] = { reference };
    struct hold hold = { .scope = HOLD_SET, .owner = owner, .reason = reason, .placed = clock_now() };
    struct erasure erasure = { .recorded = clock_now(), .references = references, .count = 1 };
    assert_success(hold_place(&world->scratch.repo, &hold, &err), &err);
    assert_success(erasure_record(&world->scratch.repo, &erasure, &err), &err);
    free(erasure.name);
    mirror_world_sync(world, true);

    mirror_world_largest_pack(world, world->scratch.store, pack);
    mirror_world_head(world, 1, head);
    name_one(world, "holds", 0, hold_name);
    name_one(world, "erasures", 0, erasure_name);
    take(world, pack);
    take(world, head);
    take(world, hold_name);
    take(world, erasure_name);
    assert_int_equal(recovered(world).recovered, 4);
    assert_true(mirror_world_store_has(world->scratch.store, hold_name));
    assert_true(mirror_world_store_has(world->scratch.store, erasure_name));
    expect_whole(world);

    assert_success(journal_walk(&world->scratch.repo, find_event, objects, &err), &err);
    assert_string_equal(objects, "4");
}

static void what_is_damaged_is_replaced(void **state) {
    struct mirror_world *world = *state;
    struct err err = { 0 };
    char pack[REPO_NAME_MAX], head[REPO_NAME_MAX], hold_name[REPO_NAME_MAX], *path;
    static char owner[] = "legal", reason[] = "case 7";
    struct hold hold = { .scope = HOLD_SET, .owner = owner, .reason = reason, .placed = clock_now() };
    assert_success(hold_place(&world->scratch.repo, &hold, &err), &err);
    mirror_world_sync(world, true);

    mirror_world_largest_pack(world, world->scratch.store, pack);
    name_one(world, "holds", 0, hold_name);
    scratch_repo_flip(&world->scratch, pack, 1000, 1);
    scratch_repo_flip(&world->scratch, hold_name, 20, 1);
    path = mem_format("%s/%s", store_label(world->scratch.store), mirror_world_head(world, 2, head));
    FILE *file = fopen(path, "ab"); /* what was added behind the end leaves the beginning right */
    assert_non_null(file);
    assert_true(fputc('x', file) != EOF);
    assert_int_equal(fclose(file), 0);
    free(path);
    assert_int_equal(recovered(world).recovered, 3);
    expect_whole(world);
}

/* Without its journal nobody knows what was to go, so it comes first. */
static void a_journal_with_gaps_is_closed_before_the_rest(void **state) {
    struct mirror_world *world = *state;
    char segment[REPO_NAME_MAX], damaged[REPO_NAME_MAX], pack[REPO_NAME_MAX];
    mirror_world_sync(world, true);
    mirror_world_expire(world, 0);
    mirror_world_sync(world, true);
    name_one(world, "journal", 0, segment);
    name_one(world, "journal", 2, damaged);
    mirror_world_largest_pack(world, world->scratch.store, pack);
    scratch_repo_flip(&world->scratch, damaged, 30, 1);
    take(world, segment);
    take(world, pack);
    assert_int_equal(recovered(world).recovered, 3);
    expect_whole(world);
}

static void a_journal_that_stays_broken_brings_nothing_else(void **state) {
    struct mirror_world *world = *state;
    struct err err = { 0 };
    struct recover_result result;
    char segment[REPO_NAME_MAX], pack[REPO_NAME_MAX];
    mirror_world_sync(world, true);
    name_one(world, "journal", 0, segment);
    mirror_world_largest_pack(world, world->scratch.store, pack);
    take(world, pack);
    take(world, segment);
    assert_success(store_remove(world->mirror, segment, NULL, &err), &err);
    assert_int_equal(recover(world, &result, &err), -1);
    assert_int_equal(err.code, ERR_CORRUPT);
    assert_non_null(strstr(err.message, "the journal is not whole"));
    assert_false(mirror_world_store_has(world->scratch.store, pack));
}

static void what_was_to_go_stays_gone(void **state) {
    struct mirror_world *world = *state;
    struct err err = { 0 };
    char head[REPO_NAME_MAX], whole[17];
    static char owner[] = "legal", reason[] = "case 7";
    struct hold hold = { .scope = HOLD_SET, .owner = owner, .reason = reason, .placed = clock_now() };
    assert_success(hold_place(&world->scratch.repo, &hold, &err), &err);
    mirror_world_sync(world, true);
    assert_success(hold_release(&world->scratch.repo, hold.id, clock_now(), whole, &err), &err);
    mirror_world_expire(world, 0);
    assert_true(mirror_world_has_night(world, 0)); /* the mirror does not know yet */
    assert_int_equal(recovered(world).recovered, 0);
    assert_false(mirror_world_store_has(world->scratch.store, mirror_world_head(world, 0, head)));
    assert_int_equal(scratch_repo_list(&world->scratch, "holds", NULL), 0);
    expect_whole(world);
}

/* Somebody else's bytes, under the name that is made from them. */
static void plant(struct mirror_world *world, const char *folder, const char *before, char *name) {
    struct err err = { 0 };
    uint8_t hash[SHA256_SIZE];
    char digits[2 * SHA256_SIZE + 1], *leaf;
    sha256_once(hash, "planted", 7);
    leaf = mem_format("%s%s", before, hex_encode(digits, hash, sizeof hash));
    repo_name(&world->scratch.repo, name, folder, leaf);
    free(leaf);
    assert_success(store_put(world->mirror, name, "planted", 7, &err), &err);
}

static void what_nobody_signed_is_not_brought_back(void **state) {
    struct mirror_world *world = *state;
    struct err err = { 0 };
    struct recover_result result;
    char head[REPO_NAME_MAX], segment[REPO_NAME_MAX], hold_name[REPO_NAME_MAX], host[17], *before;
    mirror_world_sync(world, true);
    plant(world, "snapshots", "20260301T020000Z-", head);
    plant(world, "holds", "", hold_name);
    before = mem_format("%s-9999999999-", keys_host_name(world->scratch.repo.keys, host));
    plant(world, "journal", before, segment);
    free(before);
    assert_failure(recover(world, &result, &err), ERR_CORRUPT, &err);
    assert_int_equal(result.recovered, 0);
    assert_int_equal(result.lost, 3);
    assert_false(mirror_world_store_has(world->scratch.store, head));
    assert_false(mirror_world_store_has(world->scratch.store, segment));
    assert_false(mirror_world_store_has(world->scratch.store, hold_name));
    expect_whole(world);
}

/* Of what it would have, nothing is known then: so nothing is called lost, and the person is told of the mirror. */
static void a_mirror_that_answers_no_more_ends_it(void **state) {
    struct mirror_world *world = *state;
    struct err err = { 0 };
    struct recover_result result;
    struct store *mirror;
    char head[REPO_NAME_MAX];
    if (!test_rgw_available())
        skip();
    struct fault_proxy *proxy = fault_proxy_start();
    struct scratch_bucket *bucket = scratch_bucket_new(TEST_BUCKET_VERSIONED);
    struct scratch_bucket *through = scratch_bucket_make(bucket->name, "p", fault_proxy_endpoint(proxy));
    const struct store_address address = { .path = through->address, .services = &through->services };
    const struct mirror_options options = { .name = "test", .copy = true, .now = clock_now() };
    struct mirror_result mirrored;
    assert_success(store_open(&address, true, &mirror, &err), &err);
    assert_success(mirror_run(&world->scratch.repo, mirror, &options, &mirrored, &err), &err);

    take(world, mirror_world_head(world, 1, head));
    fault_proxy_set(proxy, "status code=403 error=AccessDenied kind=get key=snapshots");
    assert_int_equal(mirror_recover(&world->scratch.repo, mirror, "test", clock_now(), NULL, &result, &err), -1);
    assert_int_equal(result.lost, 0);
    assert_non_null(strstr(err.message, "403"));
    assert_int_equal(fault_proxy_taken(proxy, "status"), 1);
    err_clear(&err);
    fault_proxy_set(proxy, "");
    assert_success(mirror_recover(&world->scratch.repo, mirror, "test", clock_now(), NULL, &result, &err), &err);
    assert_int_equal(result.recovered, 1);
    expect_whole(world);
    store_close(mirror);
    fault_proxy_stop(proxy);
    scratch_bucket_free(through);
    scratch_bucket_drop(bucket);
}

static void nothing_of_an_erased_set_comes_back(void **state) {
    struct mirror_world *world = *state;
    struct err err = { 0 };
    struct recover_result result;
    struct journal_batch batch = { 0 };
    char pack[REPO_NAME_MAX];
    mirror_world_sync(world, true);
    journal_add(&batch, clock_now(), "erasing", "by", "host", NULL);
    assert_success(journal_append(&world->scratch.repo, &batch, &err), &err);
    journal_batch_release(&batch);
    mirror_world_largest_pack(world, world->scratch.store, pack);
    take(world, pack);
    assert_failure(recover(world, &result, &err), ERR_REFUSED, &err);
    assert_false(mirror_world_store_has(world->scratch.store, pack));
}

static void what_is_whole_nowhere_is_named_and_the_rest_comes_back(void **state) {
    struct mirror_world *world = *state;
    struct err err = { 0 };
    struct recover_result result;
    char pack[REPO_NAME_MAX], head[REPO_NAME_MAX];
    mirror_world_sync(world, true);
    mirror_world_largest_pack(world, world->scratch.store, pack);
    scratch_repo_flip(&world->scratch, pack, 1000, 1);
    mirror_world_flip(world->mirror_path, pack);
    mirror_world_head(world, 2, head);
    take(world, head);
    assert_int_equal(recover(world, &result, &err), -1);
    assert_int_equal(err.code, ERR_CORRUPT);
    assert_non_null(strstr(err.message, pack));
    assert_int_equal(result.lost, 1);
    assert_int_equal(result.recovered, 1);
    assert_true(mirror_world_store_has(world->scratch.store, head));
}

static void the_mirror_of_another_repository_is_refused(void **state) {
    struct mirror_world *world = *state;
    struct err err = { 0 };
    struct recover_result result;
    struct scratch_repo other;
    scratch_repo_open(&other);
    assert_failure(mirror_recover(&world->scratch.repo, other.store, "test", clock_now(), NULL, &result, &err),
                   ERR_INVALID, &err);
    assert_failure(recover(world, &result, &err), ERR_NO_REPOSITORY, &err); /* nothing was ever mirrored */
    scratch_repo_close(&other);
}

static void copy_repository(const char *from, const char *to) {
    char *command = mem_format("mkdir -p '%s' && rm -rf '%s'/* && cp -a '%s'/. '%s'", to, to, from, to);
    assert_int_equal(system(command), 0);
    free(command);
}

static void a_repository_that_was_set_back_gets_its_later_snapshots(void **state) {
    struct mirror_world *world = *state;
    struct err err = { 0 };
    struct recover_result result;
    struct check_result ignored;
    const struct check_options options = { .now = clock_now(), .finding = note_finding };
    const char *folder = store_label(world->scratch.store);
    char *earlier = mem_format("%s/earlier", world->folder), head[REPO_NAME_MAX];
    mirror_world_sync(world, true);
    copy_repository(folder, earlier);
    mirror_world_capture(world, 3);
    mirror_world_sync(world, true);

    copy_repository(earlier, folder);
    assert_false(mirror_world_store_has(world->scratch.store, mirror_world_head(world, 3, head)));
    assert_true(recovered(world).recovered > 3);
    assert_true(mirror_world_store_has(world->scratch.store, head));
    assert_success(check_rebuild_index(&world->scratch.repo, &options, &ignored, &err), &err);
    expect_whole(world);
    mirror_world_sync(world, true);

    /* One that went on has a history of its own. */
    copy_repository(earlier, folder);
    mirror_world_capture(world, 4);
    assert_failure(recover(world, &result, &err), ERR_DIVERGED, &err);
    assert_int_equal(result.recovered, 0);
    free(earlier);
}

#define IN_A_WORLD(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_A_WORLD(nothing_is_brought_to_a_whole_repository),
        IN_A_WORLD(what_is_missing_comes_back),
        IN_A_WORLD(what_is_damaged_is_replaced),
        IN_A_WORLD(a_journal_with_gaps_is_closed_before_the_rest),
        IN_A_WORLD(a_journal_that_stays_broken_brings_nothing_else),
        IN_A_WORLD(what_was_to_go_stays_gone),
        IN_A_WORLD(what_nobody_signed_is_not_brought_back),
        IN_A_WORLD(a_mirror_that_answers_no_more_ends_it),
        IN_A_WORLD(nothing_of_an_erased_set_comes_back),
        IN_A_WORLD(what_is_whole_nowhere_is_named_and_the_rest_comes_back),
        IN_A_WORLD(the_mirror_of_another_repository_is_refused),
        IN_A_WORLD(a_repository_that_was_set_back_gets_its_later_snapshots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
