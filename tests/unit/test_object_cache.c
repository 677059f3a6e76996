/* A host's own copies of small objects: used when true, never believed when not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/scratch.h"
#include "../lib/scratch_repo.h"
#include <muniment/repo/object_cache.h>
#include <muniment/repo/record.h>
#include <muniment/util/file.h>
#include <muniment/util/hex.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char PAYLOAD[] = "what the record says";

struct fixture {
    struct scratch_repo scratch;
    char *cache;
    char name[REPO_NAME_MAX]; /* of the stored record */
    char *copy;               /* its file in the cache */
};

static int make_fixture(void **state) {
    struct fixture *fixture = mem_zalloc(sizeof *fixture);
    struct repo *repo = &fixture->scratch.repo;
    struct buffer object = { 0 };
    struct err err = { 0 };
    uint8_t hash[32];
    char leaf[65];

    scratch_repo_open(&fixture->scratch);
    fixture->cache = scratch_make();
    repo->cache = fixture->cache;
    record_seal(repo->keys, RECORD_INDEX, PAYLOAD, sizeof PAYLOAD, &object, hash);
    repo_name(repo, fixture->name, "index", hex_encode(leaf, hash, sizeof hash));
    fixture->copy = mem_format("%s/index/%s", fixture->cache, leaf);
    assert_success(record_store(repo, fixture->name, &object, &err), &err);
    buffer_release(&object);
    *state = fixture;
    return 0;
}

static int remove_fixture(void **state) {
    struct fixture *fixture = *state;
    scratch_remove(fixture->cache);
    scratch_repo_close(&fixture->scratch);
    free(fixture->copy);
    free(fixture);
    return 0;
}

static int load(struct fixture *fixture, struct err *err) {
    struct buffer payload = { 0 };
    int result = record_load(&fixture->scratch.repo, RECORD_INDEX, fixture->name, 4096, &payload, NULL, err);
    if (result == 0) {
        assert_int_equal(payload.length, sizeof PAYLOAD);
        assert_memory_equal(payload.data, PAYLOAD, sizeof PAYLOAD);
    }
    buffer_release(&payload);
    return result;
}

static void what_was_stored_or_read_once_is_not_read_again(void **state) {
    struct fixture *fixture = *state;
    struct err err = { 0 };
    assert_int_equal(access(fixture->copy, R_OK), 0);
    assert_int_equal(unlink(fixture->copy), 0);
    assert_success(load(fixture, &err), &err);
    assert_int_equal(access(fixture->copy, R_OK), 0);

    scratch_repo_flip(&fixture->scratch, fixture->name, 40, 1);
    assert_success(load(fixture, &err), &err);
}

static void a_damaged_copy_is_as_good_as_none_and_is_mended(void **state) {
    struct fixture *fixture = *state;
    struct err err = { 0 };
    assert_success(file_replace(fixture->copy, 0600, "planted", 7, &err), &err);
    assert_success(load(fixture, &err), &err);

    scratch_repo_flip(&fixture->scratch, fixture->name, 40, 1);
    assert_success(load(fixture, &err), &err);
    assert_int_equal(unlink(fixture->copy), 0);
    assert_int_equal(load(fixture, &err), -1);
    assert_int_equal(err.code, ERR_CORRUPT);
    assert_int_not_equal(access(fixture->copy, F_OK), 0);
}

static void copies_of_what_is_gone_are_dropped(void **state) {
    struct fixture *fixture = *state;
    struct repo *repo = &fixture->scratch.repo;
    struct store_names names = { 0 };
    struct err err = { 0 };
    char folder[REPO_NAME_MAX];

    assert_success(store_names_load(repo->store, repo_folder(repo, folder, "index"), &names, &err), &err);
    object_cache_keep(repo, "index", &names);
    assert_int_equal(access(fixture->copy, F_OK), 0);
    store_names_release(&names);
    object_cache_keep(repo, "index", &names);
    assert_int_not_equal(access(fixture->copy, F_OK), 0);
}

static void without_a_folder_nothing_is_kept(void **state) {
    struct fixture *fixture = *state;
    struct err err = { 0 };
    assert_int_equal(unlink(fixture->copy), 0);
    fixture->scratch.repo.cache = NULL;
    assert_success(load(fixture, &err), &err);
    assert_int_not_equal(access(fixture->copy, F_OK), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_stored_or_read_once_is_not_read_again, make_fixture, remove_fixture),
        cmocka_unit_test_setup_teardown(a_damaged_copy_is_as_good_as_none_and_is_mended, make_fixture, remove_fixture),
        cmocka_unit_test_setup_teardown(copies_of_what_is_gone_are_dropped, make_fixture, remove_fixture),
        cmocka_unit_test_setup_teardown(without_a_folder_nothing_is_kept, make_fixture, remove_fixture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
