#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/repo/keys_internal.h"
#include "../lib/scratch.h"
#include <ctype.h>
#include <muniment/util/file.h>
#include <muniment/util/hex.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char *read_text(const struct keys *keys) {
    struct buffer text = { 0 };
    keys_read_text(keys, &text);
    char *copy = mem_string(buffer_text(&text));
    buffer_wipe(&text);
    return copy;
}

static char *write_text(const struct keys *keys) {
    struct buffer text = { 0 };
    keys_write_text(keys, &text);
    char *copy = mem_string(buffer_text(&text));
    buffer_wipe(&text);
    return copy;
}

static void a_read_key_comes_back_from_its_text(void **state) {
    (void)state;
    struct keys made, parsed;
    struct err err = { 0 };
    keys_generate(&made);
    char *text = read_text(&made);
    assert_success(keys_parse(&parsed, text, &err), &err);
    assert_true(parsed.can_read);
    assert_false(parsed.can_sign);
    assert_memory_equal(parsed.read_secret, made.read_secret, KEY_SIZE);
    assert_memory_equal(parsed.index_key, made.index_key, KEY_SIZE);
    assert_string_equal(parsed.set_name, made.set_name);

    keys_new_host(&parsed);
    assert_true(parsed.can_sign);
    assert_true(keys_host_is_certified(&made, parsed.host_public, parsed.host_certificate));
    assert_memory_not_equal(parsed.host_public, made.host_public, SIGN_PUBLIC_SIZE);
    free(text);
}

static void a_write_key_comes_back_without_what_reads(void **state) {
    (void)state;
    struct keys made, parsed;
    struct err err = { 0 };
    static const uint8_t zeros[SIGN_SECRET_SIZE];
    keys_generate(&made);
    char *text = write_text(&made);
    assert_success(keys_parse(&parsed, text, &err), &err);
    assert_false(parsed.can_read);
    assert_true(parsed.can_sign);
    assert_memory_equal(parsed.read_secret, zeros, KEY_SIZE);
    assert_memory_equal(parsed.box_secret, zeros, KEY_SIZE);
    assert_memory_equal(parsed.root_secret, zeros, SIGN_SECRET_SIZE);
    assert_memory_equal(parsed.box_public, made.box_public, KEY_SIZE);
    assert_memory_equal(parsed.root_public, made.root_public, SIGN_PUBLIC_SIZE);
    assert_memory_equal(parsed.preshared, made.preshared, KEY_SIZE);
    assert_memory_equal(parsed.chunk_id_key, made.chunk_id_key, KEY_SIZE);
    assert_memory_equal(parsed.chunker_seed, made.chunker_seed, KEY_SIZE);
    assert_memory_equal(parsed.index_key, made.index_key, KEY_SIZE);
    assert_memory_equal(parsed.host_secret, made.host_secret, SIGN_SECRET_SIZE);
    assert_string_equal(parsed.set_name, made.set_name);
    free(text);
}

/* Fixed for all time: a change of any of these makes every key in the world useless. */
static void derivation_is_what_it_always_was(void **state) {
    (void)state;
    struct keys keys;
    struct err err = { 0 };
    uint8_t secret[KEY_SIZE];
    for (size_t i = 0; i < sizeof secret; i++)
        secret[i] = (uint8_t)i;
    keys_derive_from_read_secret(&keys, secret);
    char *text = read_text(&keys);
    char hex[65];
    assert_string_equal(text, "muniment-read-1-000g4-0r40m-30e20-9185g-r38e1-w8124-gk2ga-hc5rr-34d1p-70x3r-fgveq-cnc");
    assert_string_equal(keys.set_name, "35260ab6c16f04c483eac21004aa8bd4");
    assert_string_equal(hex_encode(hex, keys.box_public, 32),
                        "7af2ee21c59452f1c94b85ee79417464ace5f17ca14285fba1d9e23e161fed78");
    assert_string_equal(hex_encode(hex, keys.root_public, 32),
                        "ddaf71f0b8eb2912053f66fd566293016455687ee5fe7cb5a02327bfcede9064");
    assert_string_equal(hex_encode(hex, keys.index_key, 32),
                        "de4d05f202ee2d3e90315ec493f88e6b75bb64b9ba7b14e4a564dfdf33b109ea");
    struct keys parsed;
    assert_success(keys_parse(&parsed, text, &err), &err);
    free(text);
}

static void keys_are_typed_in_any_spelling(void **state) {
    (void)state;
    struct keys made, parsed;
    struct err err = { 0 };
    keys_generate(&made);
    char *text = read_text(&made);
    char *typed = mem_alloc(2 * strlen(text) + 1), *to = typed;
    for (const char *from = text; *from; from++) {
        bool prefix = (size_t)(from - text) < strlen("muniment-read-1-");
        if (*from == '-' && !prefix) {
            *to++ = ' ';
            *to++ = '-';
            continue;
        }
        *to++ = prefix ? (char)toupper(*from) : *from == '1' ? 'L' : *from == '0' ? 'o' : (char)toupper(*from);
    }
    *to = '\0';
    assert_success(keys_parse(&parsed, typed, &err), &err);
    assert_memory_equal(parsed.read_secret, made.read_secret, KEY_SIZE);
    free(typed);
    free(text);
}

static bool same_digit(char left, char right) {
    char a = (char)tolower(left), b = (char)tolower(right);
    a = a == 'i' || a == 'l' ? '1' : a == 'o' ? '0' : a;
    b = b == 'i' || b == 'l' ? '1' : b == 'o' ? '0' : b;
    return a == b || ((a == '-' || a == ' ') && (b == '-' || b == ' '));
}

static void every_single_wrong_character_is_noticed(void **state) {
    (void)state;
    struct keys made, parsed;
    struct err err = { 0 };
    keys_generate(&made);
    char *text = read_text(&made);
    for (size_t i = 0; i < strlen(text); i++)
        for (int character = ' '; character < 0x7f; character++) {
            char right = text[i];
            if (same_digit(right, (char)character) && i >= strlen("muniment-read-1-"))
                continue;
            if (tolower(right) == tolower(character))
                continue;
            text[i] = (char)character;
            if (keys_parse(&parsed, text, &err) == 0)
                fail_msg("'%c' for '%c' at %zu went unnoticed", character, right, i);
            assert_int_equal(err.code, ERR_INVALID);
            err_clear(&err);
            text[i] = right;
        }
    free(text);
}

static void swapped_missing_and_doubled_characters_are_noticed(void **state) {
    (void)state;
    struct keys made, parsed;
    struct err err = { 0 };
    keys_generate(&made);
    char *text = write_text(&made);
    size_t length = strlen(text);
    char *wrong = mem_alloc(length + 2);
    for (size_t i = strlen("muniment-write-1-"); i < length; i++) {
        if (text[i] == '-')
            continue;
        memcpy(wrong, text, i);
        memcpy(wrong + i, text + i + 1, length - i);
        assert_failure(keys_parse(&parsed, wrong, &err), ERR_INVALID, &err);

        memcpy(wrong, text, i + 1);
        memcpy(wrong + i + 1, text + i, length - i + 1);
        assert_failure(keys_parse(&parsed, wrong, &err), ERR_INVALID, &err);

        if (i + 1 < length && text[i + 1] != '-' && text[i] != text[i + 1]) {
            memcpy(wrong, text, length + 1);
            wrong[i] = text[i + 1];
            wrong[i + 1] = text[i];
            assert_failure(keys_parse(&parsed, wrong, &err), ERR_INVALID, &err);
        }
    }
    free(wrong);
    free(text);
}

static void a_key_that_is_refused_leaves_no_secret(void **state) {
    (void)state;
    struct keys made, parsed;
    static const struct keys nothing;
    struct err err = { 0 };
    keys_generate(&made);
    char *text = write_text(&made);
    text[strlen(text) - 1] = text[strlen(text) - 1] == 'z' ? 'y' : 'z';
    assert_failure(keys_parse(&parsed, text, &err), ERR_INVALID, &err);
    assert_memory_equal(&parsed, &nothing, sizeof parsed);
    free(text);
}

static void a_write_key_with_a_foreign_certificate_is_refused(void **state) {
    (void)state;
    struct keys made, other, parsed;
    struct err err = { 0 };
    keys_generate(&made);
    keys_generate(&other);
    assert_false(keys_host_is_certified(&made, other.host_public, other.host_certificate));
    memcpy(made.host_certificate, other.host_certificate, SIGNATURE_SIZE);
    char *text = write_text(&made);
    assert_failure(keys_parse(&parsed, text, &err), ERR_INVALID, &err);
    free(text);
}

static void a_write_key_to_which_nothing_can_be_sealed_is_refused(void **state) {
    (void)state;
    struct keys made, parsed;
    struct err err = { 0 };
    keys_generate(&made);
    memset(made.box_public, 0, KEY_SIZE);
    char *text = write_text(&made);
    assert_failure(keys_parse(&parsed, text, &err), ERR_INVALID, &err);
    free(text);
}

static void what_is_no_key_is_refused(void **state) {
    (void)state;
    struct keys parsed;
    struct err err = { 0 };
    static const char *const texts[] = { "",
                                         "muniment",
                                         "muniment-read-1-",
                                         "muniment-write-1-",
                                         "muniment-read-2-00000",
                                         "muniment-read-1-000000",
                                         "muniment-read-1-u0000-00000",
                                         "hello",
                                         "muniment-copy-1-00000-00000" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_failure(keys_parse(&parsed, texts[i], &err), ERR_INVALID, &err);
}

static void a_key_file_may_have_comments_and_must_be_private(void **state) {
    (void)state;
    struct keys made, loaded;
    struct err err = { 0 };
    char *folder = scratch_make(), *path = mem_format("%s/app.write", folder);
    keys_generate(&made);
    char *text = write_text(&made);
    char *content = mem_format("# set app, host db1\n\n%s\r\n# end\n", text);
    assert_success(file_create(path, 0400, content, strlen(content), &err), &err);
    assert_success(keys_load(&loaded, path, &err), &err);
    assert_string_equal(loaded.set_name, made.set_name);

    static const mode_t bad[] = { 0404, 0420, 0402, 0401, 0644, 0666 };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(chmod(path, bad[i]), 0);
        assert_failure(keys_load(&loaded, path, &err), ERR_INVALID, &err);
    }
    assert_int_equal(chmod(path, 0440), 0);
    assert_success(keys_load(&loaded, path, &err), &err);

    char *twice = mem_format("%s\n%s\n", text, text);
    assert_success(file_replace(path, 0400, twice, strlen(twice), &err), &err);
    assert_failure(keys_load(&loaded, path, &err), ERR_INVALID, &err);
    assert_success(file_replace(path, 0400, "# nothing\n", 10, &err), &err);
    assert_failure(keys_load(&loaded, path, &err), ERR_INVALID, &err);
    char *huge = mem_zalloc(20000);
    assert_success(file_replace(path, 0400, huge, 20000, &err), &err);
    assert_failure(keys_load(&loaded, path, &err), ERR_INVALID, &err);
    free(huge);

    char *absent = mem_format("%s/none", folder);
    assert_failure(keys_load(&loaded, absent, &err), ERR_NOT_FOUND, &err);
    free(absent);
    free(twice);
    free(content);
    free(text);
    free(path);
    scratch_remove(folder);
}

static void a_public_key_verifies_hosts_and_knows_nothing_else(void **state) {
    (void)state;
    struct keys made, parsed;
    struct err err = { 0 };
    struct buffer text = { 0 };
    keys_generate(&made);
    keys_public_text(&made, &text);
    assert_success(keys_parse_public(&parsed, buffer_text(&text), &err), &err);
    assert_string_equal(parsed.set_name, made.set_name);
    assert_true(keys_host_is_certified(&parsed, made.host_public, made.host_certificate));

    struct keys nothing = { 0 };
    memcpy(nothing.set_id, made.set_id, sizeof made.set_id);
    memcpy(nothing.set_name, made.set_name, sizeof made.set_name);
    memcpy(nothing.root_public, made.root_public, sizeof made.root_public);
    assert_memory_equal(&parsed, &nothing, sizeof parsed);

    /* It may lie about openly, and is no key of another kind. */
    char *folder = scratch_make(), *path = mem_format("%s/app.public", folder);
    assert_success(file_create(path, 0644, buffer_text(&text), text.length, &err), &err);
    assert_success(keys_load_public(&parsed, path, &err), &err);
    assert_failure(keys_load(&parsed, path, &err), ERR_INVALID, &err);
    assert_failure(keys_parse(&parsed, buffer_text(&text), &err), ERR_INVALID, &err);
    char *write = write_text(&made);
    assert_failure(keys_parse_public(&parsed, write, &err), ERR_INVALID, &err);
    free(write);
    free(path);
    scratch_remove(folder);
    buffer_release(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_read_key_comes_back_from_its_text),
        cmocka_unit_test(a_write_key_comes_back_without_what_reads),
        cmocka_unit_test(derivation_is_what_it_always_was),
        cmocka_unit_test(keys_are_typed_in_any_spelling),
        cmocka_unit_test(every_single_wrong_character_is_noticed),
        cmocka_unit_test(swapped_missing_and_doubled_characters_are_noticed),
        cmocka_unit_test(a_key_that_is_refused_leaves_no_secret),
        cmocka_unit_test(a_write_key_with_a_foreign_certificate_is_refused),
        cmocka_unit_test(a_write_key_to_which_nothing_can_be_sealed_is_refused),
        cmocka_unit_test(what_is_no_key_is_refused),
        cmocka_unit_test(a_key_file_may_have_comments_and_must_be_private),
        cmocka_unit_test(a_public_key_verifies_hosts_and_knows_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
