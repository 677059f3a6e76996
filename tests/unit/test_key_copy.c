#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/scratch.h"
#include "../lib/scratch_repo.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t NOW = 1772330400;

/* One set for all tests: making a copy takes a second by design. */
static struct scratch_repo scratch;
static struct key_copy founder;

static int make_copy(void **state) {
    struct err err = { 0 };
    (void)state;
    scratch_repo_open(&scratch);
    assert_success(
        key_copy_add(scratch.store, &scratch.keys, "founder A", "correct horse battery", NOW, &founder, &err), &err);
    return 0;
}

static int drop_copy(void **state) {
    (void)state;
    scratch_repo_close(&scratch);
    return 0;
}

static void object_name(char name[REPO_NAME_MAX]) {
    repo_name(&scratch.repo, name, "keys", founder.id);
}

static void the_right_passphrase_gives_the_read_key_back(void **state) {
    (void)state;
    struct keys opened;
    struct err err = { 0 };
    assert_success(key_copy_open(scratch.store, scratch.keys.set_name, "correct horse battery", &opened, &err), &err);
    assert_true(opened.can_read);
    assert_false(opened.can_sign);
    assert_memory_equal(opened.read_secret, scratch.keys.read_secret, KEY_SIZE);
    keys_wipe(&opened);
}

static void a_wrong_passphrase_gives_nothing(void **state) {
    (void)state;
    static const struct keys nothing;
    struct keys opened;
    struct err err = { 0 };
    assert_failure(key_copy_open(scratch.store, scratch.keys.set_name, "correct horse batterz", &opened, &err), ERR_KEY,
                   &err);
    assert_memory_equal(&opened, &nothing, sizeof opened);
    assert_failure(key_copy_open(scratch.store, "00000000000000000000000000000000", "x", &opened, &err), ERR_KEY, &err);
    assert_failure(key_copy_open(scratch.store, "../../etc", "x", &opened, &err), ERR_INVALID, &err);
}

static void copies_are_listed_with_the_write_key_alone(void **state) {
    (void)state;
    struct key_copy *copies;
    size_t count;
    struct err err = { 0 };
    struct keys writer;
    struct buffer text = { 0 };
    keys_write_text(&scratch.keys, &text);
    assert_success(keys_parse(&writer, buffer_text(&text), &err), &err);
    assert_success(key_copy_list(scratch.store, &writer, &copies, &count, &err), &err);
    assert_int_equal(count, 1);
    assert_string_equal(copies[0].id, founder.id);
    assert_string_equal(copies[0].label, "founder A");
    assert_int_equal(copies[0].created, NOW);
    free(copies);
    assert_failure(key_copy_add(scratch.store, &writer, "b", "p", NOW, &(struct key_copy){ 0 }, &err), ERR_KEY, &err);
    buffer_wipe(&text);
}

static void every_changed_byte_of_a_copy_is_found(void **state) {
    (void)state;
    struct buffer object = { 0 };
    struct key_copy *copies;
    size_t count;
    struct err err = { 0 };
    char name[REPO_NAME_MAX];
    object_name(name);
    assert_success(store_get(scratch.store, name, 4096, &object, &err), &err);
    for (size_t i = 0; i < object.length; i++) {
        /* A changed letter, and one that differs in case alone. */
        const uint8_t masks[] = { (uint8_t)(1U << i % 8), 0x20 }, right = object.data[i];
        for (size_t j = 0; j < sizeof masks; j++) {
            object.data[i] = right ^ masks[j];
            assert_success(store_put(scratch.store, name, object.data, object.length, &err), &err);
            if (key_copy_list(scratch.store, &scratch.keys, &copies, &count, &err) == 0)
                fail_msg("byte %zu xor %u went unnoticed", i, masks[j]);
            assert_int_equal(err.code, ERR_CORRUPT);
            assert_non_null(strstr(err.message, name));
            err_clear(&err);
        }
        object.data[i] = right;
    }
    assert_success(store_put(scratch.store, name, object.data, object.length - 1, &err), &err);
    assert_failure(key_copy_list(scratch.store, &scratch.keys, &copies, &count, &err), ERR_CORRUPT, &err);
    assert_success(store_put(scratch.store, name, "", 0, &err), &err);
    assert_failure(key_copy_list(scratch.store, &scratch.keys, &copies, &count, &err), ERR_CORRUPT, &err);
    assert_success(store_put(scratch.store, name, object.data, object.length, &err), &err);
    buffer_release(&object);
}

static void a_copy_under_the_name_of_another_is_refused(void **state) {
    (void)state;
    struct key_copy *copies;
    size_t count;
    struct err err = { 0 };
    char name[REPO_NAME_MAX], other[REPO_NAME_MAX];
    object_name(name);
    repo_name(&scratch.repo, other, "keys", "0123456789abcdef");
    scratch_repo_copy(&scratch, name, other);
    assert_failure(key_copy_list(scratch.store, &scratch.keys, &copies, &count, &err), ERR_CORRUPT, &err);

    /* The damaged one does not keep the good one from opening. */
    struct keys opened;
    assert_success(key_copy_open(scratch.store, scratch.keys.set_name, "correct horse battery", &opened, &err), &err);
    assert_success(store_remove(scratch.store, other, NULL, &err), &err);
}

static void what_protects_nothing_is_refused(void **state) {
    (void)state;
    struct key_copy made;
    struct err err = { 0 };
    char label[80];
    memset(label, 'x', sizeof label - 1);
    label[sizeof label - 1] = '\0';
    assert_failure(key_copy_add(scratch.store, &scratch.keys, "b", "", NOW, &made, &err), ERR_INVALID, &err);
    assert_failure(key_copy_add(scratch.store, &scratch.keys, label, "p", NOW, &made, &err), ERR_INVALID, &err);
}

static void a_removed_copy_is_gone(void **state) {
    (void)state;
    struct key_copy *copies;
    size_t count;
    struct keys opened;
    struct err err = { 0 };
    assert_failure(key_copy_remove(scratch.store, &scratch.keys, "../packs", &err), ERR_INVALID, &err);
    assert_failure(key_copy_remove(scratch.store, &scratch.keys, "0123456789abcdef", &err), ERR_NOT_FOUND, &err);
    assert_success(key_copy_remove(scratch.store, &scratch.keys, founder.id, &err), &err);
    assert_success(key_copy_list(scratch.store, &scratch.keys, &copies, &count, &err), &err);
    assert_int_equal(count, 0);
    free(copies);
    assert_failure(key_copy_open(scratch.store, scratch.keys.set_name, "correct horse battery", &opened, &err), ERR_KEY,
                   &err);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_right_passphrase_gives_the_read_key_back),
        cmocka_unit_test(a_wrong_passphrase_gives_nothing),
        cmocka_unit_test(copies_are_listed_with_the_write_key_alone),
        cmocka_unit_test(every_changed_byte_of_a_copy_is_found),
        cmocka_unit_test(a_copy_under_the_name_of_another_is_refused),
        cmocka_unit_test(what_protects_nothing_is_refused),
        cmocka_unit_test(a_removed_copy_is_gone),
    };
    return cmocka_run_group_tests(tests, make_copy, drop_copy);
}
