#include "pack_internal.h"
#include <muniment/util/memory.h>
#include <muniment/util/sha256.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

struct chunk_opener {
    struct hmac256 *mac;
    ZSTD_DCtx *decoder;
    uint8_t encoded[CHUNK_MAX];
};

struct chunk_opener *chunk_opener_new(const struct keys *keys) {
    struct chunk_opener *opener = mem_alloc(sizeof *opener);
    opener->mac = hmac256_new(keys->chunk_id_key);
    opener->decoder = mem_require(ZSTD_createDCtx());
    return opener;
}

void chunk_opener_free(struct chunk_opener *opener) {
    if (!opener)
        return;
    hmac256_free(opener->mac);
    ZSTD_freeDCtx(opener->decoder);
    sodium_memzero(opener->encoded, sizeof opener->encoded);
    free(opener);
}

static int decode(struct chunk_opener *opener, const struct pack_slot *slot, size_t encoded_length, void *plain,
                  const char *where, struct err *err) {
    if (slot->codec == CODEC_RAW)
        return 0;
    size_t length = ZSTD_decompressDCtx(opener->decoder, plain, slot->plain_length, opener->encoded, encoded_length);
    if (ZSTD_isError(length))
        return err_set(err, ERR_CORRUPT, "%s: slot %u does not decompress: %s", where, slot->number,
                       ZSTD_getErrorName(length));
    if (length != slot->plain_length)
        return err_set(err, ERR_CORRUPT, "%s: slot %u decompresses to %zu bytes instead of %u", where, slot->number,
                       length, slot->plain_length);
    return 0;
}

int chunk_open(struct chunk_opener *opener, const struct keys *keys, const struct section_key *key,
               const struct pack_section *section, const struct pack_slot *slot, const void *ciphertext, void *plain,
               uint8_t mac[32], const char *where, struct err *err) {
    uint8_t nonce[CHUNK_NONCE_SIZE], context[CHUNK_CONTEXT_SIZE], digest[SHA256_SIZE];

    if (slot->stored_length < CHUNK_OVERHEAD || slot->stored_length - CHUNK_OVERHEAD > CHUNK_MAX ||
        (slot->codec == CODEC_RAW && slot->stored_length - CHUNK_OVERHEAD != slot->plain_length))
        return err_set(err, ERR_CORRUPT, "%s: slot %u has impossible lengths", where, slot->number);

    /* Raw chunks are opened into their place, others into the scratch space. */
    chunk_context(keys, section->birth, slot->number, slot->plain_length, slot->codec, nonce, context);
    uint8_t *opened = slot->codec == CODEC_RAW ? plain : opener->encoded;
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(opened, NULL, NULL, ciphertext, slot->stored_length, context,
                                                   sizeof context, nonce, key->key) != 0)
        return err_set(err, ERR_CORRUPT, "%s: slot %u does not authenticate: its bytes were changed", where,
                       slot->number);
    if (decode(opener, slot, slot->stored_length - CHUNK_OVERHEAD, plain, where, err) < 0)
        return -1;

    hmac256_once(opener->mac, digest, plain, slot->plain_length);
    if (sodium_memcmp(digest, slot->id, CHUNK_ID_SIZE) != 0)
        return err_set(err, ERR_CORRUPT, "%s: slot %u holds another chunk than its id says", where, slot->number);
    if (mac)
        memcpy(mac, digest, sizeof digest);
    return 0;
}
