#include "pack_internal.h"
#include <sodium.h>
#include <string.h>

static const char SECTION_CONTEXT[] = "muniment section";
static const char COMMITMENT_CONTEXT[] = "muniment commitment";
static const char WRAP_CONTEXT[] = "muniment wrap";
static const char CHUNK_CONTEXT[] = "muniment chunk";

enum { DEK_SIZE = 32, WRAP_NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, WRAP_TAG = 16 };

_Static_assert(SECTION_WRAPPED_SIZE == crypto_box_SEALBYTES + DEK_SIZE, "a sealed DEK fills the field");
_Static_assert(CHUNK_CONTEXT_SIZE == sizeof CHUNK_CONTEXT - 1 + SET_ID_SIZE + BIRTH_SIZE + 9, "context layout");

static void derive(const struct keys *keys, const struct pack_section *section, const uint8_t dek[DEK_SIZE],
                   struct section_key *key, uint8_t commitment[32]) {
    crypto_generichash_state state;
    crypto_generichash_init(&state, keys->preshared, KEY_SIZE, sizeof key->key);
    crypto_generichash_update(&state, (const uint8_t *)SECTION_CONTEXT, sizeof SECTION_CONTEXT - 1);
    crypto_generichash_update(&state, keys->set_id, SET_ID_SIZE);
    crypto_generichash_update(&state, section->birth, BIRTH_SIZE);
    crypto_generichash_update(&state, &section->kind, 1);
    crypto_generichash_update(&state, dek, DEK_SIZE);
    crypto_generichash_final(&state, key->key, sizeof key->key);
    sodium_memzero(&state, sizeof state);

    crypto_generichash(commitment, 32, (const uint8_t *)COMMITMENT_CONTEXT, sizeof COMMITMENT_CONTEXT - 1, key->key,
                       sizeof key->key);
}

static size_t wrap_context(const struct keys *keys, const struct pack_section *section, uint8_t context[64]) {
    size_t length = sizeof WRAP_CONTEXT - 1;
    memcpy(context, WRAP_CONTEXT, length);
    memcpy(context + length, keys->set_id, SET_ID_SIZE);
    memcpy(context + length + SET_ID_SIZE, section->birth, BIRTH_SIZE);
    return length + SET_ID_SIZE + BIRTH_SIZE;
}

void section_key_create(const struct keys *keys, struct pack_section *section, struct section_key *key) {
    uint8_t dek[DEK_SIZE];
    randombytes_buf(dek, sizeof dek);
    randombytes_buf(section->birth, BIRTH_SIZE);
    memset(section->wrapped, 0, sizeof section->wrapped);

    if (section->kind == SECTION_DATA) {
        /* Fails only for a public key of low order, which a parsed key cannot have produced from a secret. */
        if (crypto_box_seal(section->wrapped, dek, sizeof dek, keys->box_public) != 0)
            sodium_misuse();
    } else {
        uint8_t context[64];
        size_t context_length = wrap_context(keys, section, context);
        randombytes_buf(section->wrapped, WRAP_NONCE);
        crypto_aead_xchacha20poly1305_ietf_encrypt(section->wrapped + WRAP_NONCE, NULL, dek, sizeof dek, context,
                                                   context_length, NULL, section->wrapped, keys->index_key);
    }
    derive(keys, section, dek, key, section->commitment);
    sodium_memzero(dek, sizeof dek);
}

static int unwrap(const struct keys *keys, const struct pack_section *section, uint8_t dek[DEK_SIZE], struct err *err) {
    if (section->kind == SECTION_DATA) {
        if (keys_need_read(keys, "this data", err) < 0)
            return -1;
        if (crypto_box_seal_open(dek, section->wrapped, sizeof section->wrapped, keys->box_public, keys->box_secret) !=
            0)
            return err_set(err, ERR_CORRUPT, "the sealed data key of a pack section does not open");
        return 0;
    }

    uint8_t context[64];
    size_t context_length = wrap_context(keys, section, context);
    static const uint8_t zeros[SECTION_WRAPPED_SIZE - WRAP_NONCE - DEK_SIZE - WRAP_TAG];
    const uint8_t *padding = section->wrapped + WRAP_NONCE + DEK_SIZE + WRAP_TAG;
    if (memcmp(padding, zeros, sizeof zeros) != 0 ||
        crypto_aead_xchacha20poly1305_ietf_decrypt(dek, NULL, NULL, section->wrapped + WRAP_NONCE, DEK_SIZE + WRAP_TAG,
                                                   context, context_length, section->wrapped, keys->index_key) != 0)
        return err_set(err, ERR_CORRUPT, "the wrapped data key of a reference section does not open");
    return 0;
}

int section_key_open(const struct keys *keys, const struct pack_section *section, struct section_key *key,
                     struct err *err) {
    uint8_t dek[DEK_SIZE], commitment[32];
    if (unwrap(keys, section, dek, err) < 0)
        return -1;
    derive(keys, section, dek, key, commitment);
    sodium_memzero(dek, sizeof dek);
    if (sodium_memcmp(commitment, section->commitment, sizeof commitment) != 0)
        return err_set(err, ERR_CORRUPT, "the data key of a pack section is not the one committed to");
    return 0;
}

void chunk_context(const struct keys *keys, const uint8_t birth[BIRTH_SIZE], uint32_t number, uint32_t plain_length,
                   uint8_t codec, uint8_t nonce[CHUNK_NONCE_SIZE], uint8_t context[CHUNK_CONTEXT_SIZE]) {
    memset(nonce, 0, CHUNK_NONCE_SIZE);
    put_u64(nonce, number);

    uint8_t *at = context;
    memcpy(at, CHUNK_CONTEXT, sizeof CHUNK_CONTEXT - 1);
    at += sizeof CHUNK_CONTEXT - 1;
    memcpy(at, keys->set_id, SET_ID_SIZE);
    at += SET_ID_SIZE;
    memcpy(at, birth, BIRTH_SIZE);
    at += BIRTH_SIZE;
    put_u32(at, number);
    put_u32(at + 4, plain_length);
    at[8] = codec;
}
