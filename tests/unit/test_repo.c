#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <muniment/repo/repo.h>
#include <muniment/util/hex.h>
#include <muniment/util/memory.h>
#include <muniment/util/sha256.h>

#include "../lib/scratch.h"

struct place {
    char *folder;
    struct store *store;
    struct keys keys;
};

static int make_place(void **state) {
    struct place *place = mem_zalloc(sizeof *place);
    struct err err = { 0 };

    place->folder = scratch_make();
    const struct store_address address = { .path = place->folder };
    assert_success(store_open(&address, false, &place->store, &err), &err);
    strcpy(place->keys.set_name, "00112233445566778899aabbccddeeff");
    *state = place;
    return 0;
}

static int remove_place(void **state) {
    struct place *place = *state;

    store_close(place->store);
    scratch_remove(place->folder);
    free(place);
    return 0;
}

static void a_created_repository_opens_with_one_id_for_ever(void **state) {
    struct place *place = *state;
    struct repo repo, again;
    struct err err = { 0 };

    assert_success(repo_create(place->store, &err), &err);
    assert_success(repo_open(&repo, place->store, &place->keys, NULL, &err), &err);
    assert_int_equal(strlen(repo.id), 32);
    assert_ptr_equal(repo.store, place->store);
    assert_ptr_equal(repo.keys, &place->keys);
    assert_success(repo_create(place->store, &err), &err);
    assert_success(repo_open(&again, place->store, &place->keys, NULL, &err), &err);
    assert_string_equal(repo.id, again.id);
}

static void an_empty_store_is_no_repository(void **state) {
    struct place *place = *state;
    struct repo repo;
    struct err err = { 0 };

    assert_int_equal(repo_open(&repo, place->store, &place->keys, NULL, &err), -1);
    assert_int_equal(err.code, ERR_NO_REPOSITORY);
    assert_non_null(strstr(err.message, place->folder));
    assert_true(err.hint[0] != '\0');
}

/* Every flipped bit, every cut and every byte appended; and none is repaired by creating the repository again. */
static void every_change_of_the_object_is_noticed(void **state) {
    struct place *place = *state;
    struct buffer good = { 0 };
    struct repo repo;
    struct err err = { 0 };

    assert_success(repo_create(place->store, &err), &err);
    assert_success(store_get(place->store, "muniment", 4096, &good, &err), &err);
    for (size_t bit = 0; bit < 8 * good.length; bit++) {
        good.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_success(store_put(place->store, "muniment", good.data, good.length, &err), &err);
        assert_failure(repo_open(&repo, place->store, &place->keys, NULL, &err), ERR_CORRUPT, &err);
        good.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t length = 0; length < good.length; length++) {
        assert_success(store_put(place->store, "muniment", good.data, length, &err), &err);
        assert_failure(repo_open(&repo, place->store, &place->keys, NULL, &err), ERR_CORRUPT, &err);
    }
    assert_failure(repo_create(place->store, &err), ERR_CORRUPT, &err);

    buffer_put_u8(&good, '\n');
    assert_success(store_put(place->store, "muniment", good.data, good.length, &err), &err);
    assert_failure(repo_open(&repo, place->store, &place->keys, NULL, &err), ERR_CORRUPT, &err);
    buffer_release(&good);
}

/* Stores the lines with a sum that holds. */
static void put_lines(struct store *store, const char *lines) {
    struct buffer content = { 0 };
    uint8_t digest[SHA256_SIZE];
    char digits[2 * SHA256_SIZE + 1];
    struct err err = { 0 };

    sha256_once(digest, lines, strlen(lines));
    buffer_printf(&content, "%ssum %s\n", lines, hex_encode(digits, digest, sizeof digest));
    assert_success(store_put(store, "muniment", content.data, content.length, &err), &err);
    buffer_release(&content);
}

static void a_newer_format_is_told_from_damage(void **state) {
    struct place *place = *state;
    struct repo repo;
    struct err err = { 0 };

    put_lines(place->store, "muniment repository 2\nsomething new\n");
    assert_failure(repo_open(&repo, place->store, &place->keys, NULL, &err), ERR_UNSUPPORTED, &err);
    assert_failure(repo_create(place->store, &err), ERR_UNSUPPORTED, &err);
}

static void a_sum_alone_makes_no_repository(void **state) {
    static const char *const wrong[] = {
        "",
        "muniment repository 1\n",
        "muniment repository 1\nid 0011\n",
        "muniment repository 1\nid 00112233445566778899AABBCCDDEEFF\n",
        "muniment repository 1\nid 00112233445566778899aabbccddeeff\nmore\n",
        "muniment repository 1\nid 00112233445566778899aabbccddeeff",
        "muniment repository 01\nid 00112233445566778899aabbccddeeff\n",
        "muniment repository\nid 00112233445566778899aabbccddeeff\n",
        "something else 1\nid 00112233445566778899aabbccddeeff\n",
    };
    struct place *place = *state;
    struct repo repo;
    struct err err = { 0 };

    put_lines(place->store, "muniment repository 1\nid 00112233445566778899aabbccddeeff\n");
    assert_success(repo_open(&repo, place->store, &place->keys, NULL, &err), &err);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        put_lines(place->store, wrong[i]);
        assert_failure(repo_open(&repo, place->store, &place->keys, NULL, &err), ERR_CORRUPT, &err);
    }
}

static void names_are_made_below_the_folder_of_the_set(void **state) {
    struct place *place = *state;
    const struct repo repo = { .store = place->store, .keys = &place->keys };
    char name[REPO_NAME_MAX], leaf[300];
    uint8_t hash[32];

    assert_string_equal(repo_folder(&repo, name, "snapshots"), "00112233445566778899aabbccddeeff/snapshots");
    assert_string_equal(repo_name(&repo, name, "keys", "x"), "00112233445566778899aabbccddeeff/keys/x");
    memset(hash, 0xab, sizeof hash);
    assert_string_equal(repo_pack_name(&repo, name, hash),
                        "00112233445566778899aabbccddeeff/packs/ab/"
                        "abababababababababababababababababababababababababababababababab");

    /* A name that would be cut becomes one that no store takes. */
    memset(leaf, 'x', sizeof leaf - 1);
    leaf[sizeof leaf - 1] = '\0';
    assert_string_equal(repo_name(&repo, name, "keys", leaf), "");
}

static void the_hash_at_the_end_of_a_name_is_found(void **state) {
#define DIGITS "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
    static const char *const right[] = { DIGITS, "s/index/" DIGITS, "s/snapshots/20260301T020000Z-" DIGITS };
    static const char *const wrong[] = {
        "", "muniment", "s/keys/0011223344556677", "s/index/x" DIGITS, DIGITS "0", "s/index/" DIGITS ".tmp"
    };
    uint8_t hash[32], expected[32];
    (void)state;

    assert_true(hex_decode(expected, sizeof expected, DIGITS));
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        memset(hash, 0, sizeof hash);
        assert_true(repo_name_hash(right[i], hash));
        assert_memory_equal(hash, expected, sizeof hash);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(repo_name_hash(wrong[i], hash));
}

#define IN_A_PLACE(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_A_PLACE(a_created_repository_opens_with_one_id_for_ever),
        IN_A_PLACE(an_empty_store_is_no_repository),
        IN_A_PLACE(every_change_of_the_object_is_noticed),
        IN_A_PLACE(a_newer_format_is_told_from_damage),
        IN_A_PLACE(a_sum_alone_makes_no_repository),
        IN_A_PLACE(names_are_made_below_the_folder_of_the_set),
        cmocka_unit_test(the_hash_at_the_end_of_a_name_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
