#include "keys_internal.h"
#include <muniment/repo/record.h>
#include <muniment/util/hex.h>
#include <muniment/util/interrupt.h>
#include <muniment/util/memory.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * A copy is one line of text, as key_text writes it, and a newline. Its bytes: id (8), u32 Argon2id passes, u32
 * Argon2id KiB, salt (16), nonce (24), R sealed by XChaCha20-Poly1305 under the key that Argon2id makes of passphrase
 * and salt (48; associated data "muniment copy" || set id || all bytes before the nonce), and the rest a RECORD_LABEL:
 * id (8), i64 created, text label.
 */
static const char COPY_PREFIX[] = "muniment-copy-1-";
static const char COPY_CONTEXT[] = "muniment copy";

enum {
    ID_SIZE = 8,
    SALT_SIZE = crypto_pwhash_argon2id_SALTBYTES,
    NONCE_SIZE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    SEALED_SIZE = KEY_SIZE + crypto_aead_xchacha20poly1305_ietf_ABYTES,
    OPENING_SIZE = ID_SIZE + 4 + 4 + SALT_SIZE,
    CONTEXT_SIZE = sizeof COPY_CONTEXT - 1 + SET_ID_SIZE + OPENING_SIZE,
    LABEL_MAX = 64,
    COPY_MAX = 1024,
    OBJECT_MAX = 4096,

    /* What a copy may ask for at most, so that one that was tampered with cannot take the whole machine. */
    PASSES_MAX = 16,
    KIB_LEAST = crypto_pwhash_argon2id_MEMLIMIT_MIN / 1024,
    KIB_MAX = 1024 * 1024,
};

struct copy {
    uint8_t opening[OPENING_SIZE]; /* id, passes, KiB, salt */
    uint32_t passes, kib;
    uint8_t nonce[NONCE_SIZE];
    uint8_t sealed[SEALED_SIZE];
    struct buffer label; /* the record */
};

static void copy_encode(const struct copy *copy, struct buffer *text) {
    struct buffer data = { 0 };
    buffer_put(&data, copy->opening, sizeof copy->opening);
    buffer_put(&data, copy->nonce, sizeof copy->nonce);
    buffer_put(&data, copy->sealed, sizeof copy->sealed);
    buffer_put(&data, copy->label.data, copy->label.length);
    key_text_encode(COPY_PREFIX, data.data, data.length, text);
    buffer_put_u8(text, '\n');
    buffer_release(&data);
}

static bool copy_read(struct copy *copy, const struct buffer *data) {
    struct reader reader;
    reader_init(&reader, data->data, data->length);
    reader_copy(&reader, copy->opening, sizeof copy->opening);
    reader_copy(&reader, copy->nonce, sizeof copy->nonce);
    reader_copy(&reader, copy->sealed, sizeof copy->sealed);
    if (reader.failed)
        return false;
    buffer_put(&copy->label, reader.at, reader.left);
    copy->passes = get_u32(copy->opening + ID_SIZE);
    copy->kib = get_u32(copy->opening + ID_SIZE + 4);
    return copy->passes >= 1 && copy->passes <= PASSES_MAX && copy->kib >= KIB_LEAST && copy->kib <= KIB_MAX;
}

/* The id that an object's name ends in, once it is known to be one. */
static bool name_id(const char *name, uint8_t id[ID_SIZE]) {
    const char *leaf = repo_leaf(name);
    return strlen(leaf) == 2 * ID_SIZE && hex_decode(id, ID_SIZE, leaf);
}

/* People may type a key in any spelling; what lies in a store must be byte for byte what was put there. */
static int copy_parse(struct copy *copy, const struct buffer *object, const char *name, struct err *err) {
    struct buffer text = { 0 }, data = { 0 }, again = { 0 };
    struct err unreadable = { 0 };
    uint8_t id[ID_SIZE];
    int result = -1;

    if (object->length > 0)
        buffer_put(&text, object->data, object->length - 1);
    if (key_text_decode(COPY_PREFIX, buffer_text(&text), COPY_MAX, "key copy", &data, &unreadable) < 0) {
        err_set(err, ERR_CORRUPT, "%s: %s", name, unreadable.message);
        goto out;
    }
    if (!copy_read(copy, &data) || !name_id(name, id) || memcmp(id, copy->opening, sizeof id) != 0) {
        err_set(err, ERR_CORRUPT, "%s: the key copy is malformed", name);
        goto out;
    }
    copy_encode(copy, &again);
    if (again.length != object->length || memcmp(again.data, object->data, again.length) != 0) {
        err_set(err, ERR_CORRUPT, "%s: the key copy is not written as muniment writes it", name);
        goto out;
    }
    result = 0;
out:
    buffer_release(&text);
    buffer_release(&data);
    buffer_release(&again);
    if (result < 0)
        buffer_release(&copy->label);
    return result;
}

static int copy_load(struct store *store, const char *name, struct copy *copy, struct err *err) {
    struct buffer object = { 0 };
    *copy = (struct copy){ 0 };
    int result = store_get(store, name, OBJECT_MAX, &object, err);
    if (result == 0)
        result = copy_parse(copy, &object, name, err);
    buffer_release(&object);
    return result;
}

static void copy_context(const uint8_t set_id[SET_ID_SIZE], const struct copy *copy, uint8_t context[CONTEXT_SIZE]) {
    memcpy(context, COPY_CONTEXT, sizeof COPY_CONTEXT - 1);
    memcpy(context + sizeof COPY_CONTEXT - 1, set_id, SET_ID_SIZE);
    memcpy(context + sizeof COPY_CONTEXT - 1 + SET_ID_SIZE, copy->opening, OPENING_SIZE);
}

static int passphrase_key(const struct copy *copy, const char *passphrase, uint8_t key[KEY_SIZE], struct err *err) {
    const uint8_t *salt = copy->opening + ID_SIZE + 8;
    if (crypto_pwhash_argon2id(key, KEY_SIZE, passphrase, strlen(passphrase), salt, copy->passes,
                               (size_t)copy->kib * 1024, crypto_pwhash_argon2id_ALG_ARGON2ID13) != 0) {
        err_set(err, ERR_SYSTEM, "stretch the passphrase: %u MiB of memory are needed for it", copy->kib / 1024);
        return err_hint(err, "free some memory and try again");
    }
    return 0;
}

/* --- adding ------------------------------------------------------------------------------------------------------- */

/* The plain fields, then the record with label and date. */
static void fill(struct copy *copy, const struct keys *keys, const struct key_copy *made) {
    struct buffer opening = { 0 }, payload = { 0 };
    uint8_t id[ID_SIZE], salt[SALT_SIZE];
    randombytes_buf(id, sizeof id);
    randombytes_buf(salt, sizeof salt);
    copy->passes = crypto_pwhash_argon2id_OPSLIMIT_MODERATE;
    copy->kib = crypto_pwhash_argon2id_MEMLIMIT_MODERATE / 1024;
    buffer_put(&opening, id, sizeof id);
    buffer_put_u32(&opening, copy->passes);
    buffer_put_u32(&opening, copy->kib);
    buffer_put(&opening, salt, sizeof salt);
    memcpy(copy->opening, opening.data, sizeof copy->opening);

    buffer_put(&payload, id, sizeof id);
    buffer_put_i64(&payload, made->created);
    buffer_put_text(&payload, made->label);
    record_seal(keys, RECORD_LABEL, payload.data, payload.length, &copy->label, NULL);
    buffer_release(&opening);
    buffer_release(&payload);
}

int key_copy_add(struct store *store, const struct keys *keys, const char *label, const char *passphrase, int64_t now,
                 struct key_copy *made, struct err *err) {
    struct copy copy = { 0 };
    struct buffer text = { 0 };
    uint8_t key[KEY_SIZE], context[CONTEXT_SIZE];
    char name[STORE_NAME_MAX + 1];
    int result = -1;

    if (!keys->can_read)
        return err_set(err, ERR_KEY, "making a copy of the read key takes the read key");
    if (strlen(label) > LABEL_MAX)
        return err_set(err, ERR_INVALID, "a label has at most %d bytes", LABEL_MAX);
    if (passphrase[0] == '\0')
        return err_set(err, ERR_INVALID, "an empty passphrase protects nothing");

    *made = (struct key_copy){ .created = now };
    snprintf(made->label, sizeof made->label, "%s", label);
    fill(&copy, keys, made);
    hex_encode(made->id, copy.opening, ID_SIZE);
    if (passphrase_key(&copy, passphrase, key, err) < 0)
        goto out;
    copy_context(keys->set_id, &copy, context);
    randombytes_buf(copy.nonce, sizeof copy.nonce);
    crypto_aead_xchacha20poly1305_ietf_encrypt(copy.sealed, NULL, keys->read_secret, KEY_SIZE, context, sizeof context,
                                               NULL, copy.nonce, key);

    copy_encode(&copy, &text);
    snprintf(name, sizeof name, "%s/keys/%s", keys->set_name, made->id);
    result = store_put(store, name, text.data, text.length, err);
    if (result < 0)
        err_wrap(err, "store a copy of the read key");
out:
    sodium_memzero(key, sizeof key);
    buffer_release(&copy.label);
    buffer_release(&text);
    return result;
}

/* --- listing and removing ----------------------------------------------------------------------------------------- */

static int names_load(struct store *store, const char *set_name, struct store_names *names, struct err *err) {
    char folder[STORE_NAME_MAX + 1];
    snprintf(folder, sizeof folder, "%s/keys", set_name);
    *names = (struct store_names){ 0 };
    return store_names_load(store, folder, names, err);
}

static int read_label(const struct keys *keys, const struct copy *copy, const char *name, struct key_copy *described,
                      struct err *err) {
    struct buffer payload = { 0 };
    struct reader reader;
    uint8_t id[ID_SIZE];
    char where[STORE_NAME_MAX + 32];

    /* The record's own name has no hash in it: nothing but its seal speaks for it. */
    snprintf(where, sizeof where, "%s (label)", name);
    if (record_open(keys, RECORD_LABEL, where, copy->label.data, copy->label.length, &payload, NULL, err) < 0)
        return -1;
    reader_init(&reader, payload.data, payload.length);
    reader_copy(&reader, id, sizeof id);
    described->created = reader_i64(&reader);
    char *label = reader_text(&reader, LABEL_MAX);
    snprintf(described->label, sizeof described->label, "%s", label);
    free(label);
    int result = reader_finish(&reader, where, err);
    if (result == 0 && memcmp(id, copy->opening, sizeof id) != 0)
        result = err_set(err, ERR_CORRUPT, "%s: the label is of another copy", name);
    hex_encode(described->id, copy->opening, ID_SIZE);
    buffer_release(&payload);
    return result;
}

int key_copy_list(struct store *store, const struct keys *keys, struct key_copy **copies, size_t *count,
                  struct err *err) {
    struct store_names names;
    int result = 0;
    *copies = NULL;
    *count = 0;
    if (names_load(store, keys->set_name, &names, err) < 0)
        return err_wrap(err, "list the copies of the read key");

    *copies = mem_array(names.count ? names.count : 1, sizeof **copies);
    for (size_t i = 0; i < names.count && result == 0; i++) {
        struct copy copy;
        result = copy_load(store, names.items[i].name, &copy, err);
        if (result < 0)
            break;
        result = read_label(keys, &copy, names.items[i].name, &(*copies)[(*count)++], err);
        buffer_release(&copy.label);
    }
    store_names_release(&names);
    if (result < 0) {
        free(*copies);
        *copies = NULL;
        *count = 0;
        return err_wrap(err, "list the copies of the read key");
    }
    return 0;
}

int key_copy_remove(struct store *store, const struct keys *keys, const char *id, struct err *err) {
    uint8_t bytes[ID_SIZE];
    char name[STORE_NAME_MAX + 1];
    uint64_t size;
    int64_t modified;
    if (!name_id(id, bytes))
        return err_set(err, ERR_INVALID, "'%s' is not the id of a key copy: 16 hexadecimal digits", id);
    snprintf(name, sizeof name, "%s/keys/%s", keys->set_name, id);

    /* One that is only hidden opens the backups still: that is no success. */
    struct store_removal removal = { 0 };
    int result = store_stat(store, name, &size, &modified, err);
    if (result == 0)
        result = store_remove(store, name, &removal, err);
    if (result == 0 && removal.hidden) {
        result = err_set(err, ERR_REFUSED,
                         "the store let it be hidden, and not deleted: whoever reads older versions "
                         "finds it");
        err_hint(err, "remove it with credentials that may delete");
    }
    buffer_release(&removal.ids);
    return result < 0 ? err_wrap(err, "remove key copy %s", id) : 0;
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

/* 1 when the passphrase opens this copy, 0 when not, -1 when it could not be tried. */
static int try_copy(const struct copy *copy, const uint8_t set_id[SET_ID_SIZE], const char *passphrase,
                    struct keys *keys, struct err *err) {
    uint8_t key[KEY_SIZE], secret[KEY_SIZE], context[CONTEXT_SIZE];
    if (passphrase_key(copy, passphrase, key, err) < 0)
        return -1;
    copy_context(set_id, copy, context);
    int opened = crypto_aead_xchacha20poly1305_ietf_decrypt(secret, NULL, NULL, copy->sealed, SEALED_SIZE, context,
                                                            sizeof context, copy->nonce, key) == 0;
    if (opened) {
        keys_derive_from_read_secret(keys, secret);
        if (sodium_memcmp(keys->set_id, set_id, SET_ID_SIZE) != 0) {
            keys_wipe(keys);
            opened = 0;
        }
    }
    sodium_memzero(key, sizeof key);
    sodium_memzero(secret, sizeof secret);
    return opened;
}

int key_copy_open(struct store *store, const char *set_name, const char *passphrase, struct keys *keys,
                  struct err *err) {
    struct store_names names;
    uint8_t set_id[SET_ID_SIZE];
    struct err damage = { 0 };
    int opened = 0;
    *keys = (struct keys){ 0 };
    if (strlen(set_name) != 2 * SET_ID_SIZE || !hex_decode(set_id, sizeof set_id, set_name))
        return err_set(err, ERR_INVALID, "'%s' is not the id of a set: 32 hexadecimal digits", set_name);
    if (sodium_init() < 0)
        return err_set(err, ERR_SYSTEM, "set up libsodium");
    if (names_load(store, set_name, &names, err) < 0)
        return err_wrap(err, "look for copies of the read key");

    /* A damaged copy must not keep a good one from being tried. */
    for (size_t i = 0; i < names.count && opened == 0; i++) {
        struct copy copy;
        if (interrupt_check(err) < 0) {
            opened = -1;
        } else if (copy_load(store, names.items[i].name, &copy, &damage) == 0) {
            opened = try_copy(&copy, set_id, passphrase, keys, err);
            buffer_release(&copy.label);
        }
    }
    size_t count = names.count;
    store_names_release(&names);

    if (opened == 0 && count == 0)
        return err_set(err, ERR_KEY, "set %s has no copies of its read key in this store", set_name);
    if (opened == 0 && damage.code != ERR_NONE)
        return err_set(err, ERR_KEY, "the passphrase opens no copy of the read key, and one is damaged: %s",
                       damage.message);
    if (opened == 0)
        return err_set(err, ERR_KEY, "the passphrase opens none of the %zu copies of the read key", count);
    return opened > 0 ? 0 : -1;
}
