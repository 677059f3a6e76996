#include <muniment/util/memory.h>
#include <muniment/util/sha256.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_SIZE = 64 };

struct sha256 {
    EVP_MD *algorithm;
    EVP_MD_CTX *context;
};

struct hmac256 {
    EVP_MD_CTX *inner; /* has hashed key ^ ipad */
    EVP_MD_CTX *outer; /* has hashed key ^ opad */
    EVP_MD_CTX *work;
};

/* Hashing memory has no way to fail but a lack of memory or a broken libcrypto, and a wrong hash is worse than none. */
static void require(int success) {
    if (success == 1)
        return;
    fputs("muniment: libcrypto cannot compute SHA-256\n", stderr);
    abort();
}

static EVP_MD *fetch(void) {
    EVP_MD *algorithm = EVP_MD_fetch(NULL, "SHA2-256", NULL);
    require(algorithm != NULL);
    return algorithm;
}

static EVP_MD_CTX *new_context(void) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    require(context != NULL);
    return context;
}

struct sha256 *sha256_new(void) {
    struct sha256 *hash = mem_zalloc(sizeof *hash);

    hash->algorithm = fetch();
    hash->context = new_context();
    sha256_reset(hash);
    return hash;
}

void sha256_reset(struct sha256 *hash) {
    require(EVP_DigestInit_ex2(hash->context, hash->algorithm, NULL));
}

void sha256_update(struct sha256 *hash, const void *data, size_t length) {
    require(EVP_DigestUpdate(hash->context, data, length));
}

void sha256_final(struct sha256 *hash, uint8_t digest[SHA256_SIZE]) {
    require(EVP_DigestFinal_ex(hash->context, digest, NULL));
}

void sha256_free(struct sha256 *hash) {
    if (hash == NULL)
        return;
    EVP_MD_CTX_free(hash->context);
    EVP_MD_free(hash->algorithm);
    free(hash);
}

void sha256_once(uint8_t digest[SHA256_SIZE], const void *data, size_t length) {
    require(EVP_Digest(data, length, digest, NULL, EVP_sha256(), NULL));
}

struct hmac256 *hmac256_new(const uint8_t key[32]) {
    struct hmac256 *mac = mem_zalloc(sizeof *mac);
    EVP_MD *algorithm = fetch();
    uint8_t pad[BLOCK_SIZE];

    mac->inner = new_context();
    mac->outer = new_context();
    mac->work = new_context();

    /* Both halves of the key schedule are done once; a message then costs two copies of a small state. */
    memset(pad, 0x36, sizeof pad);
    for (size_t i = 0; i < 32; i++)
        pad[i] ^= key[i];
    require(EVP_DigestInit_ex2(mac->inner, algorithm, NULL));
    require(EVP_DigestUpdate(mac->inner, pad, sizeof pad));
    for (size_t i = 0; i < sizeof pad; i++)
        pad[i] ^= 0x36 ^ 0x5c;
    require(EVP_DigestInit_ex2(mac->outer, algorithm, NULL));
    require(EVP_DigestUpdate(mac->outer, pad, sizeof pad));

    explicit_bzero(pad, sizeof pad);
    EVP_MD_free(algorithm);
    return mac;
}

void hmac256_once(struct hmac256 *mac, uint8_t digest[SHA256_SIZE], const void *data, size_t length) {
    uint8_t inner[SHA256_SIZE];

    require(EVP_MD_CTX_copy_ex(mac->work, mac->inner));
    require(EVP_DigestUpdate(mac->work, data, length));
    require(EVP_DigestFinal_ex(mac->work, inner, NULL));
    require(EVP_MD_CTX_copy_ex(mac->work, mac->outer));
    require(EVP_DigestUpdate(mac->work, inner, sizeof inner));
    require(EVP_DigestFinal_ex(mac->work, digest, NULL));
}

void hmac256_free(struct hmac256 *mac) {
    if (mac == NULL)
        return;
    /* libcrypto wipes the states as it frees them. */
    EVP_MD_CTX_free(mac->inner);
    EVP_MD_CTX_free(mac->outer);
    EVP_MD_CTX_free(mac->work);
    free(mac);
}
