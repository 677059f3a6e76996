#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/mirror/mirror_internal.h"
#include "../lib/scratch.h"
#include "../lib/scratch_repo.h"
#include <muniment/repo/check.h>
#include <muniment/repo/purge.h>
#include <muniment/snapshot/capture.h>
#include <muniment/snapshot/restore.h>
#include <muniment/util/clock.h>
#include <muniment/util/file.h>
#include <muniment/util/memory.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DAY = 86400, FILE_SIZE = 300000 };

static const int64_t FIRST_NIGHT = 1772330400; /* 2026-03-01T02:00:00Z */

/* A repository, a mirror, and a folder whose files change from night to night. Night n has the files n-1, n and n+1. */
struct world {
    struct scratch_repo scratch;
    char *folder; /* holds the next two */
    char *data;
    char *mirror_path;
    struct store *mirror;
    char *heads[16]; /* by night */
};

static void world_open(struct world *world) {
    struct err err = { 0 };
    *world = (struct world){ 0 };
    scratch_repo_open(&world->scratch);
    world->folder = scratch_make();
    world->data = mem_format("%s/data", world->folder);
    world->mirror_path = mem_format("%s/mirror", world->folder);
    assert_success(file_make_folders(world->data, 0700, &err), &err);
    struct store_address address = { .path = world->mirror_path };
    assert_success(store_open(&address, true, &world->mirror, &err), &err);
}

static void world_close(struct world *world) {
    for (size_t i = 0; i < sizeof world->heads / sizeof *world->heads; i++)
        free(world->heads[i]);
    store_close(world->mirror);
    free(world->data);
    free(world->mirror_path);
    scratch_remove(world->folder);
    scratch_repo_close(&world->scratch);
}

static int64_t night_time(int night) {
    return FIRST_NIGHT + (int64_t)night * DAY;
}

/* The content of file `number`: random, always the same. */
static void fill_file(int number, uint8_t *bytes) {
    uint8_t seed[randombytes_SEEDBYTES] = { (uint8_t)number };
    randombytes_buf_deterministic(bytes, FILE_SIZE, seed);
}

static void write_file(const struct world *world, int number, bool present) {
    struct err err = { 0 };
    uint8_t *bytes = mem_alloc(FILE_SIZE);
    char *path = mem_format("%s/file-%d", world->data, number);
    fill_file(number, bytes);
    if (present)
        assert_success(file_replace(path, 0600, bytes, FILE_SIZE, &err), &err);
    else
        unlink(path);
    free(path);
    free(bytes);
}

static void capture_night(struct world *world, int night) {
    struct err err = { 0 };
    struct head head = { 0 };
    struct policy policy = { .daily = 7 };
    char *paths[] = { world->data };
    struct source source = { .name = (char[]){ "data" }, .kind = &SOURCE_FILES };
    source.files.paths = (struct strings){ paths, 1 };
    struct capture_options options = {
        .sources = &source, .source_count = 1, .policy = &policy, .started = night_time(night), .workers = 1
    };
    for (int number = 0; number < 20; number++)
        write_file(world, number, number >= night - 1 && number <= night + 1);
    assert_success(capture_run(&world->scratch.repo, &options, &head, &err), &err);
    assert_int_equal(head.outcome, OUTCOME_COMPLETE);
    free(world->heads[night]);
    world->heads[night] = mem_string(head.name);
    head_release(&head);
}

/* Expires the night's snapshot, and destroys at once what only it needed. */
static void expire_night(struct world *world, int night) {
    struct err err = { 0 };
    struct purge_expiry expiry = { .head = world->heads[night], .reason = "test" };
    struct purge_options options = { .now = clock_now(), .expiries = &expiry, .expiry_count = 1 };
    struct purge_result result;
    assert_success(purge_run(&world->scratch.repo, &options, &result, &err), &err);
    assert_int_equal(result.heads_removed, 1);
    assert_true(result.packs_destroyed > 0);
}

static int run_mirror(struct world *world, bool copy, unsigned verify, struct mirror_result *result, struct err *err) {
    struct mirror_options options = { .name = "test", .copy = copy, .verify_percent = verify, .now = clock_now() };
    return mirror_run(&world->scratch.repo, world->mirror, &options, result, err);
}

static struct mirror_result mirror(struct world *world, bool copy) {
    struct err err = { 0 };
    struct mirror_result result;
    assert_success(run_mirror(world, copy, 0, &result, &err), &err);
    return result;
}

static struct repo open_mirror(struct world *world) {
    struct err err = { 0 };
    struct repo repo;
    assert_success(repo_open(&repo, world->mirror, &world->scratch.keys, NULL, &err), &err);
    return repo;
}

static size_t count_on_mirror(struct world *world, const char *folder) {
    struct err err = { 0 };
    struct store_names names = { 0 };
    char name[REPO_NAME_MAX];
    assert_success(store_names_load(world->mirror, repo_folder(&world->scratch.repo, name, folder), &names, &err),
                   &err);
    size_t count = names.count;
    store_names_release(&names);
    return count;
}

static bool mirror_has_head(struct world *world, int night) {
    struct err err = { 0 };
    char name[REPO_NAME_MAX];
    uint64_t size;
    int64_t modified;
    repo_name(&world->scratch.repo, name, "snapshots", world->heads[night]);
    return store_stat(world->mirror, name, &size, &modified, &err) == 0;
}

/* Restores a night from the mirror alone and compares every byte. */
static void expect_restorable(struct world *world, int night) {
    struct err err = { 0 };
    struct repo repo = open_mirror(world);
    struct head head = { 0 };
    struct restore_result result;
    char *target = mem_format("%s/restored", world->folder);
    uint8_t *expected = mem_alloc(FILE_SIZE);
    assert_success(head_load(&repo, world->heads[night], &head, &err), &err);
    struct restore_options options = { .head = &head, .workers = 1 };
    assert_success(restore_to_folder(&repo, &options, target, &result, &err), &err);
    for (int number = night - 1 < 0 ? 0 : night - 1; number <= night + 1; number++) {
        struct buffer found = { 0 };
        char *path = mem_format("%s/data%s/file-%d", target, world->data, number);
        fill_file(number, expected);
        assert_success(file_read(path, 1 << 20, &found, &err), &err);
        assert_int_equal(found.length, FILE_SIZE);
        assert_memory_equal(found.data, expected, FILE_SIZE);
        buffer_release(&found);
        free(path);
    }
    head_release(&head);
    free(expected);
    scratch_remove(target);
}

static void note_finding(void *context, const char *text) {
    (void)context;
    print_error("%s\n", text);
}

/* Every stored byte of the mirror is what was written. */
static void expect_clean(struct world *world) {
    struct err err = { 0 };
    struct repo repo = open_mirror(world);
    struct check_options options = { .read_percent = 100, .now = clock_now(), .mirror = true, .finding = note_finding };
    struct check_result result;
    assert_success(check_run(&repo, &options, &result, &err), &err);
    assert_int_equal(result.findings, 0);
}

/* Damages one byte in the middle of a file of a store. */
static void flip(const char *store, const char *name) {
    char *path = mem_format("%s/%s", store, name);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, 40, SEEK_SET), 0);
    int byte = fgetc(file);
    assert_int_equal(fseek(file, 40, SEEK_SET), 0);
    assert_true(fputc(byte ^ 1, file) != EOF);
    assert_int_equal(fclose(file), 0);
    free(path);
}

/* Name of the largest pack of a store: one that holds data. */
static void largest_pack(struct world *world, struct store *store, char *name) {
    struct err err = { 0 };
    struct store_names names = { 0 };
    assert_success(store_names_load(store, repo_folder(&world->scratch.repo, name, "packs"), &names, &err), &err);
    assert_true(names.count > 0);
    size_t largest = 0;
    for (size_t i = 1; i < names.count; i++)
        if (names.items[i].size > names.items[largest].size)
            largest = i;
    strcpy(name, names.items[largest].name);
    store_names_release(&names);
}

static bool store_has(struct store *store, const char *name) {
    struct err err = { 0 };
    uint64_t size;
    int64_t modified;
    return store_stat(store, name, &size, &modified, &err) == 0;
}

/* --- copying --------------------------------------------------------------------------------------------------------
 */

static void a_mirror_alone_restores_every_snapshot(void **state) {
    (void)state;
    struct world world;
    world_open(&world);
    for (int night = 0; night < 3; night++)
        capture_night(&world, night);
    struct mirror_result result = mirror(&world, true);
    assert_true(result.uploaded > 6);
    assert_int_equal(result.newest_snapshot, night_time(2));
    assert_int_equal(result.strangers, 0);
    for (int night = 0; night < 3; night++)
        expect_restorable(&world, night);

    struct err err = { 0 };
    struct repo there = open_mirror(&world);
    assert_success(journal_walk(&there, NULL, NULL, &err), &err);
    assert_int_equal(count_on_mirror(&world, "sessions"), 0);
    world_close(&world);
}

static void a_second_run_sends_its_own_journal_alone(void **state) {
    (void)state;
    struct world world;
    world_open(&world);
    capture_night(&world, 0);
    mirror(&world, true);
    struct mirror_result result = mirror(&world, true);
    assert_int_equal(result.uploaded, 1);
    assert_int_equal(result.removed, 0);
    world_close(&world);
}

static void new_snapshots_wait_until_a_copy_is_due(void **state) {
    (void)state;
    struct world world;
    world_open(&world);
    capture_night(&world, 0);
    mirror(&world, true);
    capture_night(&world, 1);
    size_t packs = count_on_mirror(&world, "packs");
    mirror(&world, false);
    assert_false(mirror_has_head(&world, 1));
    assert_int_equal(count_on_mirror(&world, "packs"), packs);
    mirror(&world, true);
    assert_true(mirror_has_head(&world, 1));
    expect_restorable(&world, 1);
    world_close(&world);
}

static void a_damaged_object_never_reaches_a_mirror(void **state) {
    (void)state;
    struct err err = { 0 };
    struct mirror_result result;
    struct world world;
    char name[REPO_NAME_MAX];
    world_open(&world);
    capture_night(&world, 0);
    mirror(&world, true);
    capture_night(&world, 8); /* shares nothing with the first */
    largest_pack(&world, world.scratch.store, name);
    if (store_has(world.mirror, name)) { /* both nights have one of about this size: take the new one */
        struct store_names names = { 0 };
        char folder[REPO_NAME_MAX];
        assert_success(
            store_names_load(world.scratch.store, repo_folder(&world.scratch.repo, folder, "packs"), &names, &err),
            &err);
        for (size_t i = 0; i < names.count; i++)
            if (names.items[i].size > 2 * FILE_SIZE && !store_has(world.mirror, names.items[i].name))
                strcpy(name, names.items[i].name);
        store_names_release(&names);
    }
    assert_false(store_has(world.mirror, name));
    flip(world.scratch.folder, name);

    assert_failure(run_mirror(&world, true, 0, &result, &err), ERR_CORRUPT, &err);
    assert_false(store_has(world.mirror, name));
    assert_false(mirror_has_head(&world, 8)); /* it could not be restored from there */
    expect_restorable(&world, 0);

    /* Once it is mended all of it is sent. */
    flip(world.scratch.folder, name);
    mirror(&world, true);
    expect_restorable(&world, 8);
    world_close(&world);
}

static void what_others_can_do_without_a_damaged_pack_is_sent(void **state) {
    (void)state;
    struct err err = { 0 };
    struct mirror_result result;
    struct world world;
    char name[REPO_NAME_MAX];
    world_open(&world);
    capture_night(&world, 0);
    largest_pack(&world, world.scratch.store, name);
    capture_night(&world, 8);
    flip(world.scratch.folder, name);
    assert_failure(run_mirror(&world, true, 0, &result, &err), ERR_CORRUPT, &err);
    assert_false(mirror_has_head(&world, 0));
    assert_true(mirror_has_head(&world, 8));
    expect_restorable(&world, 8);
    world_close(&world);
}

/* --- deletions
 * --------------------------------------------------------------------------------------------------------- */

static void what_expired_and_was_destroyed_leaves_the_mirror(void **state) {
    (void)state;
    struct world world;
    char name[REPO_NAME_MAX];
    world_open(&world);
    capture_night(&world, 1);
    largest_pack(&world, world.scratch.store, name);
    capture_night(&world, 2);
    mirror(&world, true);
    expire_night(&world, 1);
    assert_false(store_has(world.scratch.store, name));

    struct mirror_result result = mirror(&world, true);
    assert_true(result.removed >= 3); /* head, pack, index */
    assert_false(store_has(world.mirror, name));
    assert_false(mirror_has_head(&world, 1));
    assert_int_equal(result.strangers, 0);
    assert_int_equal(count_on_mirror(&world, "packs"), scratch_repo_list(&world.scratch, "packs", NULL));
    assert_int_equal(count_on_mirror(&world, "index"), scratch_repo_list(&world.scratch, "index", NULL));
    expect_restorable(&world, 2);
    world_close(&world);
}

static void deletions_reach_a_mirror_whose_copy_is_not_due(void **state) {
    (void)state;
    struct world world;
    char name[REPO_NAME_MAX];
    world_open(&world);
    capture_night(&world, 1);
    largest_pack(&world, world.scratch.store, name);
    capture_night(&world, 2);
    mirror(&world, true);
    capture_night(&world, 9);
    expire_night(&world, 1); /* what night 2 shares with it moves to a new pack */

    struct mirror_result result = mirror(&world, false);
    assert_false(store_has(world.mirror, name));
    assert_false(mirror_has_head(&world, 1));
    assert_false(mirror_has_head(&world, 9));
    assert_int_equal(result.newest_snapshot, night_time(2));
    assert_true(count_on_mirror(&world, "packs") < scratch_repo_list(&world.scratch, "packs", NULL));
    expect_clean(&world);
    expect_restorable(&world, 2);

    mirror(&world, true);
    expect_restorable(&world, 2);
    expect_restorable(&world, 9);
    world_close(&world);
}

static void absence_from_the_repository_removes_nothing(void **state) {
    (void)state;
    struct err err = { 0 };
    struct world world;
    char pack[REPO_NAME_MAX], head[REPO_NAME_MAX];
    world_open(&world);
    capture_night(&world, 0);
    capture_night(&world, 8);
    mirror(&world, true);
    largest_pack(&world, world.scratch.store, pack);
    repo_name(&world.scratch.repo, head, "snapshots", world.heads[0]);
    assert_success(store_remove(world.scratch.store, pack, &err), &err);
    assert_success(store_remove(world.scratch.store, head, &err), &err);

    struct mirror_result result = mirror(&world, true);
    assert_int_equal(result.removed, 0);
    assert_int_equal(result.strangers, 2);
    expect_restorable(&world, 0);
    expect_restorable(&world, 8);
    world_close(&world);
}

/* Someone removes a head; the next purge destroys, as it must, what nothing refers to any more. */
static void packs_of_a_snapshot_that_only_the_mirror_has_stay(void **state) {
    (void)state;
    struct err err = { 0 };
    struct world world;
    char head[REPO_NAME_MAX];
    world_open(&world);
    for (int night = 0; night < 3; night++)
        capture_night(&world, night);
    mirror(&world, true);
    repo_name(&world.scratch.repo, head, "snapshots", world.heads[1]);
    assert_success(store_remove(world.scratch.store, head, &err), &err);
    expire_night(&world, 0);

    mirror(&world, true);
    assert_false(mirror_has_head(&world, 0));
    assert_true(mirror_has_head(&world, 1));
    expect_restorable(&world, 1);
    expect_restorable(&world, 2);
    expect_clean(&world);
    world_close(&world);
}

static void what_the_repository_has_again_stays(void **state) {
    (void)state;
    struct err err = { 0 };
    struct world world;
    struct journal_batch batch = { 0 };
    char name[REPO_NAME_MAX];
    world_open(&world);
    capture_night(&world, 0);
    mirror(&world, true);
    largest_pack(&world, world.scratch.store, name);
    journal_add(&batch, clock_now(), "destroyed", "object", name + 33, "reason", "test", NULL);
    journal_add(&batch, clock_now(), "expired", "snapshot", world.heads[0], "reason", "test", NULL);
    assert_success(journal_append(&world.scratch.repo, &batch, &err), &err);
    journal_batch_release(&batch);
    assert_int_equal(mirror(&world, true).removed, 0);
    expect_restorable(&world, 0);
    world_close(&world);
}

static void heads_leave_by_expiry_alone(void **state) {
    (void)state;
    struct err err = { 0 };
    struct world world;
    struct journal_batch batch = { 0 };
    char head[REPO_NAME_MAX];
    world_open(&world);
    capture_night(&world, 0);
    mirror(&world, true);
    repo_name(&world.scratch.repo, head, "snapshots", world.heads[0]);
    assert_success(store_remove(world.scratch.store, head, &err), &err);
    journal_add(&batch, clock_now(), "destroyed", "object", head + 33, "reason", "test", NULL);
    assert_success(journal_append(&world.scratch.repo, &batch, &err), &err);
    assert_int_equal(mirror(&world, true).removed, 0);
    journal_add(&batch, clock_now(), "expired", "snapshot", world.heads[0], "reason", "test", NULL);
    assert_success(journal_append(&world.scratch.repo, &batch, &err), &err);
    journal_batch_release(&batch);
    assert_int_equal(mirror(&world, true).removed, 1);
    world_close(&world);
}

static void a_damaged_journal_stops_deletions_but_no_copies(void **state) {
    (void)state;
    struct err err = { 0 };
    struct mirror_result result;
    struct world world;
    char segment[REPO_NAME_MAX];
    world_open(&world);
    capture_night(&world, 0);
    capture_night(&world, 1);
    mirror(&world, true);
    expire_night(&world, 0);
    capture_night(&world, 2);
    assert_true(scratch_repo_list(&world.scratch, "journal", segment) > 0);
    flip(world.scratch.folder, segment);
    assert_failure(run_mirror(&world, true, 0, &result, &err), ERR_CORRUPT, &err);
    assert_int_equal(result.removed, 0);
    assert_true(mirror_has_head(&world, 0));
    expect_restorable(&world, 2);

    flip(world.scratch.folder, segment);
    assert_true(mirror(&world, true).removed > 0);
    world_close(&world);
}

static void wrapped_keys_follow_the_journal(void **state) {
    (void)state;
    struct err err = { 0 };
    struct world world;
    struct journal_batch batch = { 0 };
    char name[REPO_NAME_MAX];
    world_open(&world);
    repo_name(&world.scratch.repo, name, "keys", "0123456789abcdef");
    assert_success(store_put(world.scratch.store, name, "a wrapped key", 13, &err), &err);
    mirror(&world, true);
    assert_true(store_has(world.mirror, name));
    assert_success(store_remove(world.scratch.store, name, &err), &err);
    mirror(&world, true);
    assert_true(store_has(world.mirror, name));
    journal_add(&batch, clock_now(), "key_removed", "id", "0123456789abcdef", NULL);
    assert_success(journal_append(&world.scratch.repo, &batch, &err), &err);
    journal_batch_release(&batch);
    mirror(&world, true);
    assert_false(store_has(world.mirror, name));
    world_close(&world);
}

/* --- damage and strangers ------------------------------------------------------------------------------------------
 */

static void damage_on_the_mirror_is_found_and_mended(void **state) {
    (void)state;
    struct err err = { 0 };
    struct mirror_result result;
    struct world world;
    char name[REPO_NAME_MAX];
    world_open(&world);
    capture_night(&world, 0);
    mirror(&world, true);
    largest_pack(&world, world.mirror, name);
    flip(world.mirror_path, name);
    assert_int_equal(mirror(&world, true).damaged, 0); /* nothing was read back */
    assert_success(run_mirror(&world, true, 100, &result, &err), &err);
    assert_int_equal(result.damaged, 1);
    assert_true(result.verified >= 3);
    expect_restorable(&world, 0);
    assert_success(run_mirror(&world, true, 100, &result, &err), &err);
    assert_int_equal(result.damaged, 0);
    world_close(&world);
}

static void a_cut_object_on_the_mirror_is_mended_by_every_run(void **state) {
    (void)state;
    struct world world;
    char name[REPO_NAME_MAX];
    world_open(&world);
    capture_night(&world, 0);
    mirror(&world, true);
    largest_pack(&world, world.mirror, name);
    char *path = mem_format("%s/%s", world.mirror_path, name);
    assert_int_equal(truncate(path, 1000), 0);
    free(path);
    assert_int_equal(mirror(&world, false).damaged, 1);
    expect_restorable(&world, 0);
    world_close(&world);
}

static void damage_that_cannot_be_mended_is_divergence(void **state) {
    (void)state;
    struct err err = { 0 };
    struct mirror_result result;
    struct world world;
    char name[REPO_NAME_MAX];
    world_open(&world);
    capture_night(&world, 0);
    mirror(&world, true);
    largest_pack(&world, world.mirror, name);
    flip(world.mirror_path, name);
    flip(world.scratch.folder, name);
    assert_failure(run_mirror(&world, true, 100, &result, &err), ERR_CORRUPT, &err);
    assert_success(store_remove(world.scratch.store, name, &err), &err);
    assert_failure(run_mirror(&world, true, 100, &result, &err), ERR_DIVERGED, &err);
    world_close(&world);
}

static void a_damaged_journal_on_the_mirror_is_mended(void **state) {
    (void)state;
    struct err err = { 0 };
    struct world world;
    char segment[REPO_NAME_MAX];
    world_open(&world);
    capture_night(&world, 0);
    mirror(&world, true);
    scratch_repo_list(&world.scratch, "journal", segment);
    flip(world.mirror_path, segment);
    assert_int_equal(mirror(&world, true).damaged, 1);
    struct repo there = open_mirror(&world);
    assert_success(journal_walk(&there, NULL, NULL, &err), &err);
    world_close(&world);
}

static void a_history_that_forked_is_divergence(void **state) {
    (void)state;
    struct err err = { 0 };
    struct mirror_result result;
    struct world world;
    struct journal_batch batch = { 0 };
    char segment[REPO_NAME_MAX];
    world_open(&world);
    journal_add(&batch, clock_now(), "refused", "source", "one", NULL);
    assert_success(journal_append(&world.scratch.repo, &batch, &err), &err);
    mirror(&world, true);

    /* The repository is set back, and goes on differently. */
    while (scratch_repo_list(&world.scratch, "journal", segment) > 0)
        assert_success(store_remove(world.scratch.store, segment, &err), &err);
    journal_add(&batch, clock_now(), "refused", "source", "two", NULL);
    assert_success(journal_append(&world.scratch.repo, &batch, &err), &err);
    journal_batch_release(&batch);
    assert_failure(run_mirror(&world, true, 0, &result, &err), ERR_DIVERGED, &err);
    world_close(&world);
}

static void a_mirror_of_another_repository_is_refused(void **state) {
    (void)state;
    struct err err = { 0 };
    struct mirror_result result;
    struct world world;
    world_open(&world);
    capture_night(&world, 0);
    assert_success(repo_create(world.mirror, &err), &err);
    size_t before = scratch_count(world.mirror_path);
    assert_failure(run_mirror(&world, true, 0, &result, &err), ERR_INVALID, &err);
    assert_int_equal(scratch_count(world.mirror_path), before);
    world_close(&world);
}

static void a_damaged_repository_object_is_mended_where_the_set_is(void **state) {
    (void)state;
    struct err err = { 0 };
    struct mirror_result result;
    struct world world;
    world_open(&world);
    capture_night(&world, 0);
    mirror(&world, true);
    assert_success(store_put(world.mirror, "muniment", "nonsense", 8, &err), &err);
    assert_int_equal(mirror(&world, true).damaged, 1);
    expect_restorable(&world, 0);

    /* Where it is not, the place may be anyone's. */
    char *elsewhere = mem_format("%s/elsewhere", world.folder);
    struct store_address address = { .path = elsewhere };
    store_close(world.mirror);
    assert_success(store_open(&address, true, &world.mirror, &err), &err);
    assert_success(store_put(world.mirror, "muniment", "nonsense", 8, &err), &err);
    assert_failure(run_mirror(&world, true, 0, &result, &err), ERR_INVALID, &err);
    free(elsewhere);
    world_close(&world);
}

static void the_sample_moves_on_until_all_are_read(void **state) {
    (void)state;
    const unsigned percents[] = { 1, 3, 5, 50, 99, 100 };
    for (size_t p = 0; p < sizeof percents / sizeof *percents; p++) {
        unsigned days = (100 + percents[p] - 1) / percents[p], most = 0;
        for (unsigned number = 0; number < 500; number++) {
            char name[80] = "packs/aa/", digits[65] = "";
            uint8_t hash[32] = { (uint8_t)number, (uint8_t)(number >> 8) };
            bool read = false;
            sodium_bin2hex(digits, sizeof digits, hash, sizeof hash);
            strcat(name, digits);
            for (unsigned day = 0; day < days + 1; day++)
                read = verify_is_due(name, percents[p], FIRST_NIGHT + (int64_t)day * DAY) || read;
            assert_true(read);
            most += verify_is_due(name, percents[p], FIRST_NIGHT);
        }
        assert_int_equal(most, 5 * percents[p]);
        assert_false(verify_is_due("packs/aa/short", percents[p], 0) && percents[p] < 100);
    }
}

/* --- kills
 * ------------------------------------------------------------------------------------------------------------ */

static void a_killed_run_leaves_whole_snapshots_alone(void **state) {
    (void)state;
    struct world world;
    world_open(&world);
    capture_night(&world, 0);
    mirror(&world, true);
    for (int round = 0; round < 12; round++) {
        int night = round / 2 + 1;
        if (round % 2 == 0)
            capture_night(&world, night);
        else
            expire_night(&world, night - 1);

        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            struct err err = { 0 };
            struct mirror_result result;
            _exit(run_mirror(&world, round % 4 < 2, 0, &result, &err) < 0);
        }
        usleep((useconds_t)randombytes_uniform(12000));
        kill(child, SIGKILL);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);

        /* Whatever snapshot is there restores, and nothing is half there. */
        expect_clean(&world);
        for (int n = 0; n <= night; n++)
            if (mirror_has_head(&world, n))
                expect_restorable(&world, n);
        mirror(&world, true);
        expect_restorable(&world, night);
        expect_clean(&world);
    }
    world_close(&world);
}

int main(void) {
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mirror_alone_restores_every_snapshot),
        cmocka_unit_test(a_second_run_sends_its_own_journal_alone),
        cmocka_unit_test(new_snapshots_wait_until_a_copy_is_due),
        cmocka_unit_test(a_damaged_object_never_reaches_a_mirror),
        cmocka_unit_test(what_others_can_do_without_a_damaged_pack_is_sent),
        cmocka_unit_test(what_expired_and_was_destroyed_leaves_the_mirror),
        cmocka_unit_test(deletions_reach_a_mirror_whose_copy_is_not_due),
        cmocka_unit_test(absence_from_the_repository_removes_nothing),
        cmocka_unit_test(packs_of_a_snapshot_that_only_the_mirror_has_stay),
        cmocka_unit_test(what_the_repository_has_again_stays),
        cmocka_unit_test(heads_leave_by_expiry_alone),
        cmocka_unit_test(a_damaged_journal_stops_deletions_but_no_copies),
        cmocka_unit_test(wrapped_keys_follow_the_journal),
        cmocka_unit_test(damage_on_the_mirror_is_found_and_mended),
        cmocka_unit_test(a_cut_object_on_the_mirror_is_mended_by_every_run),
        cmocka_unit_test(damage_that_cannot_be_mended_is_divergence),
        cmocka_unit_test(a_damaged_journal_on_the_mirror_is_mended),
        cmocka_unit_test(a_history_that_forked_is_divergence),
        cmocka_unit_test(a_mirror_of_another_repository_is_refused),
        cmocka_unit_test(a_damaged_repository_object_is_mended_where_the_set_is),
        cmocka_unit_test(the_sample_moves_on_until_all_are_read),
        cmocka_unit_test(a_killed_run_leaves_whole_snapshots_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
