#include <muniment/repo/object_cache.h>
#include <muniment/repo/record.h>
#include <muniment/util/memory.h>
#include <muniment/util/sha256.h>
#include <sodium.h>
#include <string.h>

static const char MAGIC[] = "MUNR";
static const char CONTEXT[] = "muniment record";

enum {
    RECORD_VERSION = 1,
    MAGIC_SIZE = 4,
    HEADER_SIZE = MAGIC_SIZE + 2,
    NONCE_SIZE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    TAG_SIZE = crypto_aead_xchacha20poly1305_ietf_ABYTES,
    SIGNATURE_BLOCK_SIZE = SIGN_PUBLIC_SIZE + SIGNATURE_SIZE + SIGNATURE_SIZE,
    CONTEXT_SIZE = sizeof CONTEXT - 1 + SET_ID_SIZE + 2,
    SIGNED_SIZE = CONTEXT_SIZE + SHA256_SIZE,
};

static bool is_signed(enum record_type type) {
    return type == RECORD_HEAD || type == RECORD_PURGE || type == RECORD_JOURNAL || type == RECORD_HOLD ||
           type == RECORD_ERASURE;
}

static bool is_sealed(enum record_type type) {
    return type != RECORD_JOURNAL;
}

/* The associated data of sealed types, and the beginning of what is signed. */
static void record_context(const struct keys *keys, enum record_type type, uint8_t context[CONTEXT_SIZE]) {
    memcpy(context, CONTEXT, sizeof CONTEXT - 1);
    memcpy(context + sizeof CONTEXT - 1, keys->set_id, SET_ID_SIZE);
    context[CONTEXT_SIZE - 2] = RECORD_VERSION;
    context[CONTEXT_SIZE - 1] = (uint8_t)type;
}

static void signed_text(const struct keys *keys, enum record_type type, const void *payload, size_t length,
                        uint8_t text[SIGNED_SIZE]) {
    record_context(keys, type, text);
    sha256_once(text + CONTEXT_SIZE, payload, length);
}

static void put_signature_block(const struct keys *keys, enum record_type type, const void *payload, size_t length,
                                uint8_t block[SIGNATURE_BLOCK_SIZE]) {
    uint8_t text[SIGNED_SIZE];
    signed_text(keys, type, payload, length, text);
    memcpy(block, keys->host_public, SIGN_PUBLIC_SIZE);
    memcpy(block + SIGN_PUBLIC_SIZE, keys->host_certificate, SIGNATURE_SIZE);
    crypto_sign_detached(block + SIGN_PUBLIC_SIZE + SIGNATURE_SIZE, NULL, text, sizeof text, keys->host_secret);
}

void record_seal(const struct keys *keys, enum record_type type, const void *payload, size_t length, struct buffer *out,
                 uint8_t hash[32]) {
    size_t from = out->length;
    size_t inside = length + (is_signed(type) ? SIGNATURE_BLOCK_SIZE : 0);
    buffer_reserve(out, HEADER_SIZE + NONCE_SIZE + inside + TAG_SIZE);
    buffer_put(out, MAGIC, MAGIC_SIZE);
    buffer_put_u8(out, RECORD_VERSION);
    buffer_put_u8(out, (uint8_t)type);

    uint8_t *nonce = is_sealed(type) ? buffer_extend(out, NONCE_SIZE) : NULL;
    uint8_t *plain = buffer_extend(out, inside);
    if (length > 0)
        memcpy(plain, payload, length);
    if (is_signed(type))
        put_signature_block(keys, type, payload, length, plain + length);

    if (nonce) {
        uint8_t context[CONTEXT_SIZE];
        record_context(keys, type, context);
        randombytes_buf(nonce, NONCE_SIZE);
        buffer_extend(out, TAG_SIZE);
        crypto_aead_xchacha20poly1305_ietf_encrypt(plain, NULL, plain, inside, context, sizeof context, NULL, nonce,
                                                   keys->index_key);
    }
    if (hash)
        sha256_once(hash, out->data + from, out->length - from);
}

static int check_header(enum record_type type, const char *name, const uint8_t *object, size_t length,
                        struct err *err) {
    uint8_t named[SHA256_SIZE], actual[SHA256_SIZE];
    if (repo_name_hash(name, named)) {
        sha256_once(actual, object, length);
        if (memcmp(named, actual, sizeof named) != 0)
            return err_set(err, ERR_CORRUPT, "%s: the object is not what its name says: its SHA-256 differs", name);
    }
    if (length < HEADER_SIZE || memcmp(object, MAGIC, MAGIC_SIZE) != 0)
        return err_set(err, ERR_CORRUPT, "%s: not a record", name);
    if (object[MAGIC_SIZE] > RECORD_VERSION) {
        err_set(err, ERR_UNSUPPORTED, "%s: a record of version %d", name, object[MAGIC_SIZE]);
        return err_hint(err, "a newer muniment wrote it: use that one");
    }
    if (object[MAGIC_SIZE] != RECORD_VERSION || object[MAGIC_SIZE + 1] != type)
        return err_set(err, ERR_CORRUPT, "%s: a record of version %d and type %d, where version %d and type %d belong",
                       name, object[MAGIC_SIZE], object[MAGIC_SIZE + 1], RECORD_VERSION, type);
    return 0;
}

/* This host's own certificate was verified when its key was read; one verification a record is half the work of listing
 * snapshots. */
static bool is_certified(const struct keys *keys, const uint8_t *host, const uint8_t *certificate) {
    bool own = keys->can_sign && memcmp(host, keys->host_public, SIGN_PUBLIC_SIZE) == 0 &&
               memcmp(certificate, keys->host_certificate, SIGNATURE_SIZE) == 0;
    return own || keys_host_is_certified(keys, host, certificate);
}

static int check_signature(const struct keys *keys, enum record_type type, const char *name, const uint8_t *payload,
                           size_t length, uint8_t signer[SIGN_PUBLIC_SIZE], struct err *err) {
    const uint8_t *block = payload + length;
    uint8_t text[SIGNED_SIZE];
    signed_text(keys, type, payload, length, text);
    if (!is_certified(keys, block, block + SIGN_PUBLIC_SIZE))
        return err_set(err, ERR_CORRUPT, "%s: signed by a host that this set's root key did not certify", name);
    if (crypto_sign_verify_detached(block + SIGN_PUBLIC_SIZE + SIGNATURE_SIZE, text, sizeof text, block) != 0)
        return err_set(err, ERR_CORRUPT, "%s: its signature does not hold", name);
    if (signer)
        memcpy(signer, block, SIGN_PUBLIC_SIZE);
    return 0;
}

int record_open(const struct keys *keys, enum record_type type, const char *name, const void *object, size_t length,
                struct buffer *payload, uint8_t signer[SIGN_PUBLIC_SIZE], struct err *err) {
    const uint8_t *at = object;
    size_t from = payload->length;
    if (check_header(type, name, at, length, err) < 0)
        return -1;
    at += HEADER_SIZE;
    length -= HEADER_SIZE;
    buffer_reserve(payload, length + 1); /* so that there is memory even for nothing */

    if (is_sealed(type)) {
        uint8_t context[CONTEXT_SIZE];
        record_context(keys, type, context);
        if (length < NONCE_SIZE + TAG_SIZE)
            return err_set(err, ERR_CORRUPT, "%s: cut short", name);
        length -= NONCE_SIZE + TAG_SIZE;
        uint8_t *plain = buffer_extend(payload, length);
        if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL, at + NONCE_SIZE, length + TAG_SIZE, context,
                                                       sizeof context, at, keys->index_key) != 0) {
            payload->length = from;
            return err_set(err, ERR_CORRUPT, "%s: does not authenticate under this set's index key", name);
        }
    } else {
        buffer_put(payload, at, length);
    }

    if (is_signed(type)) {
        if (length < SIGNATURE_BLOCK_SIZE) {
            payload->length = from;
            return err_set(err, ERR_CORRUPT, "%s: cut short", name);
        }
        length -= SIGNATURE_BLOCK_SIZE;
        payload->length = from + length;
        if (check_signature(keys, type, name, payload->data + from, length, signer, err) < 0) {
            payload->length = from;
            return -1;
        }
    }
    return 0;
}

int record_load(struct repo *repo, enum record_type type, const char *name, size_t max, struct buffer *payload,
                uint8_t signer[SIGN_PUBLIC_SIZE], struct err *err) {
    struct buffer object = { 0 };
    bool cached = object_cache_get(repo, name, max, &object);
    int result = cached ? 0 : store_get(repo->store, name, max, &object, err);
    if (result == 0)
        result = record_open(repo->keys, type, name, object.data, object.length, payload, signer, err);
    if (result == 0 && !cached)
        object_cache_put(repo, name, object.data, object.length);
    buffer_release(&object);
    return result;
}

int record_store(struct repo *repo, const char *name, const struct buffer *object, struct err *err) {
    if (store_put_locked(repo->store, name, object->data, object->length, repo->lock_until, err) < 0)
        return -1;
    object_cache_put(repo, name, object->data, object->length);
    return 0;
}

bool record_fails_alone(const struct err *why) {
    return why->code == ERR_CORRUPT || why->code == ERR_NOT_FOUND || why->code == ERR_UNSUPPORTED;
}
