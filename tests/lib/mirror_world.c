#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mirror_world.h"
#include "scratch.h"
#include <muniment/repo/check.h>
#include <muniment/repo/head.h>
#include <muniment/repo/purge.h>
#include <muniment/snapshot/capture.h>
#include <muniment/snapshot/restore.h>
#include <muniment/util/clock.h>
#include <muniment/util/file.h>
#include <muniment/util/memory.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DAY = 86400, FILE_SIZE = 300000 };

static const int64_t FIRST_NIGHT = 1772330400; /* 2026-03-01T02:00:00Z */

void mirror_world_open(struct mirror_world *world) {
    struct err err = { 0 };
    *world = (struct mirror_world){ 0 };
    scratch_repo_open(&world->scratch);
    world->folder = scratch_make();
    world->data = mem_format("%s/data", world->folder);
    world->mirror_path = mem_format("%s/mirror", world->folder);
    assert_success(file_make_folders(world->data, 0700, &err), &err);
    struct store_address address = { .path = world->mirror_path };
    assert_success(store_open(&address, true, &world->mirror, &err), &err);
}

void mirror_world_close(struct mirror_world *world) {
    for (size_t i = 0; i < sizeof world->heads / sizeof *world->heads; i++)
        free(world->heads[i]);
    store_close(world->mirror);
    free(world->data);
    free(world->mirror_path);
    scratch_remove(world->folder);
    scratch_repo_close(&world->scratch);
}

int64_t mirror_world_time(int night) {
    return FIRST_NIGHT + (int64_t)night * DAY;
}

/* The content of file `number`: random, always the same. */
static void fill_file(int number, uint8_t *bytes) {
    uint8_t seed[randombytes_SEEDBYTES] = { (uint8_t)number };
    randombytes_buf_deterministic(bytes, FILE_SIZE, seed);
}

static void write_file(const struct mirror_world *world, int number, bool present) {
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

void mirror_world_capture(struct mirror_world *world, int night) {
    struct err err = { 0 };
    struct head head = { 0 };
    struct policy policy = { .daily = 7 };
    char *paths[] = { world->data };
    struct source source = { .name = (char[]){ "data" }, .kind = &SOURCE_FILES };
    source.files.paths = (struct strings){ paths, 1 };
    struct capture_options options = {
        .sources = &source, .source_count = 1, .policy = &policy, .started = mirror_world_time(night), .workers = 1
    };
    for (int number = 0; number < 20; number++)
        write_file(world, number, number >= night - 1 && number <= night + 1);
    assert_success(capture_run(&world->scratch.repo, &options, &head, &err), &err);
    assert_int_equal(head.outcome, OUTCOME_COMPLETE);
    free(world->heads[night]);
    world->heads[night] = mem_string(head.name);
    head_release(&head);
}

void mirror_world_open_copied(struct mirror_world *world) {
    mirror_world_open(world);
    mirror_world_capture(world, 0);
    mirror_world_sync(world, true);
}

void mirror_world_capture_three(struct mirror_world *world) {
    for (int night = 0; night < 3; night++)
        mirror_world_capture(world, night);
}

int mirror_world_purge(struct mirror_world *world, int night, struct purge_result *result, struct err *err) {
    struct purge_expiry expiry = { .head = world->heads[night], .reason = "test" };
    struct purge_options options = { .now = clock_now(), .expiries = &expiry, .expiry_count = 1 };
    return purge_run(&world->scratch.repo, &options, result, err);
}

const char *mirror_world_head(const struct mirror_world *world, int night, char *name) {
    return repo_name(&world->scratch.repo, name, "snapshots", world->heads[night]);
}

void mirror_world_remove_head(struct mirror_world *world, int night) {
    struct err err = { 0 };
    char name[REPO_NAME_MAX];
    assert_success(store_remove(world->scratch.store, mirror_world_head(world, night, name), NULL, &err), &err);
}

void mirror_world_expire(struct mirror_world *world, int night) {
    struct err err = { 0 };
    struct purge_result result;
    assert_success(mirror_world_purge(world, night, &result, &err), &err);
    assert_int_equal(result.heads_removed, 1);
    assert_true(result.packs_destroyed > 0);
}

int mirror_world_run(struct mirror_world *world, bool copy, unsigned verify, struct mirror_result *result,
                     struct err *err) {
    struct mirror_options options = { .name = "test", .copy = copy, .verify_percent = verify, .now = clock_now() };
    return mirror_run(&world->scratch.repo, world->mirror, &options, result, err);
}

struct mirror_result mirror_world_sync(struct mirror_world *world, bool copy) {
    struct err err = { 0 };
    struct mirror_result result;
    assert_success(mirror_world_run(world, copy, 0, &result, &err), &err);
    return result;
}

struct repo mirror_world_repo(struct mirror_world *world) {
    struct err err = { 0 };
    struct repo repo;
    assert_success(repo_open(&repo, world->mirror, &world->scratch.keys, NULL, &err), &err);
    return repo;
}

size_t mirror_world_count(struct mirror_world *world, const char *folder) {
    struct err err = { 0 };
    struct store_names names = { 0 };
    char name[REPO_NAME_MAX];
    assert_success(store_names_load(world->mirror, repo_folder(&world->scratch.repo, name, folder), &names, &err),
                   &err);
    size_t count = names.count;
    store_names_release(&names);
    return count;
}

bool mirror_world_has_night(struct mirror_world *world, int night) {
    struct err err = { 0 };
    char name[REPO_NAME_MAX];
    uint64_t size;
    int64_t modified;
    return store_stat(world->mirror, mirror_world_head(world, night, name), &size, &modified, &err) == 0;
}

/* Restores a night from the mirror alone and compares every byte. */
void mirror_world_expect_restorable(struct mirror_world *world, int night) {
    struct err err = { 0 };
    struct repo repo = mirror_world_repo(world);
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
void mirror_world_expect_clean(struct mirror_world *world) {
    struct err err = { 0 };
    struct repo repo = mirror_world_repo(world);
    struct check_options options = { .read_percent = 100, .now = clock_now(), .mirror = true, .finding = note_finding };
    struct check_result result;
    assert_success(check_run(&repo, &options, &result, &err), &err);
    assert_int_equal(result.findings, 0);
}

void mirror_world_flip(const char *store, const char *name) {
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
void mirror_world_largest_pack(struct mirror_world *world, struct store *store, char *name) {
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

bool mirror_world_store_has(struct store *store, const char *name) {
    struct err err = { 0 };
    uint64_t size;
    int64_t modified;
    return store_stat(store, name, &size, &modified, &err) == 0;
}
