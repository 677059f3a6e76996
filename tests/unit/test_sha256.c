#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <muniment/util/hex.h>
#include <muniment/util/sha256.h>
#include <sodium.h>

#define ABC_DIGEST     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define NOTHING_DIGEST "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define LONG_DIGEST    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
#define MILLION_DIGEST "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"

static void assert_digest(const uint8_t digest[SHA256_SIZE], const char *expected) {
    char text[2 * SHA256_SIZE + 1];
    assert_string_equal(hex_encode(text, digest, SHA256_SIZE), expected);
}

static void the_examples_of_the_standard_hold(void **state) {
    static const char text[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    uint8_t digest[SHA256_SIZE];
    (void)state;

    sha256_once(digest, "abc", 3);
    assert_digest(digest, ABC_DIGEST);
    sha256_once(digest, "", 0);
    assert_digest(digest, NOTHING_DIGEST);
    sha256_once(digest, NULL, 0);
    assert_digest(digest, NOTHING_DIGEST);
    sha256_once(digest, text, strlen(text));
    assert_digest(digest, LONG_DIGEST);
}

static void a_running_hash_does_not_depend_on_how_the_bytes_arrive(void **state) {
    struct sha256 *hash = sha256_new();
    uint8_t digest[SHA256_SIZE], bytes[1000];
    (void)state;

    memset(bytes, 'a', sizeof bytes);
    for (size_t left = 1000000, piece = 1; left > 0; piece = piece % 997 + 1) {
        const size_t length = piece < left ? piece : left;
        sha256_update(hash, bytes, length);
        left -= length;
    }
    sha256_final(hash, digest);
    assert_digest(digest, MILLION_DIGEST);

    sha256_reset(hash);
    sha256_update(hash, "abc", 3);
    sha256_final(hash, digest);
    assert_digest(digest, ABC_DIGEST);
    sha256_reset(hash);
    sha256_final(hash, digest);
    assert_digest(digest, NOTHING_DIGEST);
    sha256_free(hash);
    sha256_free(NULL);
}

/* libsodium's HMAC is another implementation. One key serves many messages, each as if it were the first. */
static void a_keyed_hash_is_hmac(void **state) {
    uint8_t key[32], message[300], digest[SHA256_SIZE], expected[SHA256_SIZE];
    (void)state;

    for (size_t i = 0; i < sizeof message; i++)
        message[i] = (uint8_t)(i * 7);
    for (uint8_t round = 0; round < 3; round++) {
        memset(key, 0x5c ^ round, sizeof key);
        key[31] = round;
        struct hmac256 *mac = hmac256_new(key);
        for (size_t length = 0; length <= sizeof message; length++) {
            hmac256_once(mac, digest, message, length);
            crypto_auth_hmacsha256(expected, message, length, key);
            assert_memory_equal(digest, expected, sizeof digest);
        }
        hmac256_free(mac);
    }
    hmac256_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_the_standard_hold),
        cmocka_unit_test(a_running_hash_does_not_depend_on_how_the_bytes_arrive),
        cmocka_unit_test(a_keyed_hash_is_hmac),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
