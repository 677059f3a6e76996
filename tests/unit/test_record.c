#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/scratch.h"
#include "../lib/scratch_repo.h"
#include <muniment/repo/record.h>
#include <muniment/util/hex.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

static const enum record_type TYPES[] = { RECORD_HEAD,    RECORD_INDEX, RECORD_PURGE, RECORD_SESSION,
                                          RECORD_JOURNAL, RECORD_LABEL, RECORD_CACHE };
enum { TYPE_COUNT = sizeof TYPES / sizeof *TYPES };

static bool is_signed(enum record_type type) {
    return type == RECORD_HEAD || type == RECORD_PURGE || type == RECORD_JOURNAL;
}

static void a_record_gives_its_payload_and_its_signer_back(void **state) {
    (void)state;
    struct keys keys;
    struct err err = { 0 };
    static const char *const payloads[] = { "", "x", "a payload that says something" };
    keys_generate(&keys);
    for (size_t i = 0; i < TYPE_COUNT; i++)
        for (size_t j = 0; j < 3; j++) {
            struct buffer object = { 0 }, payload = { 0 };
            uint8_t signer[SIGN_PUBLIC_SIZE] = { 0 };
            buffer_put(&payload, "before", 6);
            record_seal(&keys, TYPES[i], payloads[j], strlen(payloads[j]), &object, NULL);
            assert_success(record_open(&keys, TYPES[i], "r", object.data, object.length, &payload, signer, &err), &err);
            assert_int_equal(payload.length, 6 + strlen(payloads[j]));
            assert_memory_equal(payload.data + 6, payloads[j], strlen(payloads[j]));
            if (is_signed(TYPES[i]))
                assert_memory_equal(signer, keys.host_public, sizeof signer);
            buffer_release(&object);
            buffer_release(&payload);
        }
}

static void every_flipped_bit_and_every_cut_is_found(void **state) {
    (void)state;
    struct keys keys;
    struct err err = { 0 };
    keys_generate(&keys);
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        struct buffer object = { 0 }, payload = { 0 };
        record_seal(&keys, TYPES[i], "payload", 7, &object, NULL);
        for (size_t at = 0; at < object.length; at++) {
            for (unsigned bit = 0; bit < 8; bit++) {
                object.data[at] ^= (uint8_t)(1U << bit);
                if (record_open(&keys, TYPES[i], "r", object.data, object.length, &payload, NULL, &err) == 0)
                    fail_msg("type %d, byte %zu, bit %u", TYPES[i], at, bit);
                assert_int_equal(payload.length, 0);
                object.data[at] ^= (uint8_t)(1U << bit);
            }
            if (record_open(&keys, TYPES[i], "r", object.data, at, &payload, NULL, &err) == 0)
                fail_msg("type %d cut to %zu", TYPES[i], at);
            assert_int_equal(payload.length, 0);
        }
        buffer_release(&object);
        buffer_release(&payload);
    }
}

static void a_record_of_another_type_or_set_is_refused(void **state) {
    (void)state;
    struct keys keys, other;
    struct err err = { 0 };
    struct buffer payload = { 0 };
    keys_generate(&keys);
    keys_generate(&other);
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        struct buffer object = { 0 };
        record_seal(&keys, TYPES[i], "payload", 7, &object, NULL);
        assert_failure(record_open(&other, TYPES[i], "r", object.data, object.length, &payload, NULL, &err),
                       ERR_CORRUPT, &err);
        for (size_t j = 0; j < TYPE_COUNT; j++) {
            if (i == j)
                continue;
            assert_failure(record_open(&keys, TYPES[j], "r", object.data, object.length, &payload, NULL, &err),
                           ERR_CORRUPT, &err);
            /* Not even with the type byte changed to fit. */
            object.data[5] = (uint8_t)TYPES[j];
            assert_failure(record_open(&keys, TYPES[j], "r", object.data, object.length, &payload, NULL, &err),
                           ERR_CORRUPT, &err);
            object.data[5] = (uint8_t)TYPES[i];
        }
        buffer_release(&object);
    }
    assert_int_equal(payload.length, 0);
    buffer_release(&payload);
}

static void a_host_that_the_root_did_not_certify_is_refused(void **state) {
    (void)state;
    struct keys keys, stranger, forged;
    struct err err = { 0 };
    struct buffer object = { 0 }, payload = { 0 };
    keys_generate(&keys);
    keys_generate(&stranger);

    /* It has the set's write secret, and signs with a key of its own. */
    forged = keys;
    memcpy(forged.host_public, stranger.host_public, SIGN_PUBLIC_SIZE);
    memcpy(forged.host_secret, stranger.host_secret, SIGN_SECRET_SIZE);
    memcpy(forged.host_certificate, stranger.host_certificate, SIGNATURE_SIZE);
    record_seal(&forged, RECORD_HEAD, "payload", 7, &object, NULL);
    assert_failure(record_open(&keys, RECORD_HEAD, "r", object.data, object.length, &payload, NULL, &err), ERR_CORRUPT,
                   &err);

    /* A certified host's public key with the signature of another. */
    buffer_clear(&object);
    memcpy(forged.host_public, keys.host_public, SIGN_PUBLIC_SIZE);
    memcpy(forged.host_certificate, keys.host_certificate, SIGNATURE_SIZE);
    record_seal(&forged, RECORD_HEAD, "payload", 7, &object, NULL);
    assert_failure(record_open(&keys, RECORD_HEAD, "r", object.data, object.length, &payload, NULL, &err), ERR_CORRUPT,
                   &err);
    buffer_release(&object);
    buffer_release(&payload);
}

static void a_newer_version_is_told_from_damage(void **state) {
    (void)state;
    struct keys keys;
    struct err err = { 0 };
    struct buffer object = { 0 }, payload = { 0 };
    keys_generate(&keys);
    record_seal(&keys, RECORD_INDEX, "payload", 7, &object, NULL);
    object.data[4] = 2;
    assert_failure(record_open(&keys, RECORD_INDEX, "r", object.data, object.length, &payload, NULL, &err),
                   ERR_UNSUPPORTED, &err);
    buffer_release(&object);
    buffer_release(&payload);
}

static void an_object_must_have_the_hash_its_name_ends_in(void **state) {
    (void)state;
    struct scratch_repo scratch;
    struct err err = { 0 };
    struct buffer object = { 0 }, payload = { 0 };
    uint8_t hash[32];
    char digits[65], name[REPO_NAME_MAX];
    scratch_repo_open(&scratch);
    record_seal(&scratch.keys, RECORD_INDEX, "payload", 7, &object, hash);
    repo_name(&scratch.repo, name, "index", hex_encode(digits, hash, sizeof hash));
    assert_success(store_put(scratch.store, name, object.data, object.length, &err), &err);
    assert_success(record_load(&scratch.repo, RECORD_INDEX, name, 4096, &payload, NULL, &err), &err);
    assert_memory_equal(payload.data, "payload", 7);

    /* Another authentic object of this type under the name. */
    buffer_clear(&object);
    record_seal(&scratch.keys, RECORD_INDEX, "another", 7, &object, NULL);
    assert_success(store_put(scratch.store, name, object.data, object.length, &err), &err);
    assert_int_equal(record_load(&scratch.repo, RECORD_INDEX, name, 4096, &payload, NULL, &err), -1);
    assert_int_equal(err.code, ERR_CORRUPT);
    assert_non_null(strstr(err.message, name));
    err_clear(&err);

    assert_failure(record_load(&scratch.repo, RECORD_INDEX, name, 20, &payload, NULL, &err), ERR_CORRUPT, &err);
    char *last = &name[strlen(name) - 1];
    *last = *last == '0' ? '1' : '0';
    assert_failure(record_load(&scratch.repo, RECORD_INDEX, name, 4096, &payload, NULL, &err), ERR_NOT_FOUND, &err);
    buffer_release(&object);
    buffer_release(&payload);
    scratch_repo_close(&scratch);
}

static void two_seals_of_one_payload_have_nothing_in_common(void **state) {
    (void)state;
    struct keys keys;
    struct buffer one = { 0 }, two = { 0 };
    keys_generate(&keys);
    record_seal(&keys, RECORD_INDEX, "payload", 7, &one, NULL);
    record_seal(&keys, RECORD_INDEX, "payload", 7, &two, NULL);
    assert_int_equal(one.length, two.length);
    assert_memory_not_equal(one.data + 6, two.data + 6, 24);
    assert_memory_not_equal(one.data + 30, two.data + 30, 7);
    buffer_release(&one);
    buffer_release(&two);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_gives_its_payload_and_its_signer_back),
        cmocka_unit_test(every_flipped_bit_and_every_cut_is_found),
        cmocka_unit_test(a_record_of_another_type_or_set_is_refused),
        cmocka_unit_test(a_host_that_the_root_did_not_certify_is_refused),
        cmocka_unit_test(a_newer_version_is_told_from_damage),
        cmocka_unit_test(an_object_must_have_the_hash_its_name_ends_in),
        cmocka_unit_test(two_seals_of_one_payload_have_nothing_in_common),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
