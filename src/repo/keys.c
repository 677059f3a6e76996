#include "keys_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <muniment/util/hex.h>
#include <muniment/util/memory.h>
#include <muniment/util/sha256.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

static const char READ_PREFIX[] = "muniment-read-1-";
static const char WRITE_PREFIX[] = "muniment-write-1-";
static const char PUBLIC_PREFIX[] = "muniment-public-1-";
static const char READ_CONTEXT[] = "munimnt1";
static const char WRITE_CONTEXT[] = "munimnt2";
static const char HOST_CONTEXT[] = "muniment host";

_Static_assert(sizeof READ_CONTEXT - 1 == crypto_kdf_CONTEXTBYTES, "kdf context");
_Static_assert(sizeof WRITE_CONTEXT - 1 == crypto_kdf_CONTEXTBYTES, "kdf context");
_Static_assert(KEY_SIZE == crypto_kdf_KEYBYTES, "kdf key");
_Static_assert(KEY_SIZE == crypto_box_SEEDBYTES && KEY_SIZE == crypto_sign_SEEDBYTES, "seeds");
_Static_assert(SIGN_SECRET_SIZE == crypto_sign_SECRETKEYBYTES && SIGNATURE_SIZE == crypto_sign_BYTES, "signatures");

enum {
    READ_FROM_BOX = 1,
    READ_FROM_ROOT = 2,
    READ_FROM_WRITE = 3,
    WRITE_FROM_PRESHARED = 1,
    WRITE_FROM_CHUNK_ID = 2,
    WRITE_FROM_CHUNKER = 3,
    WRITE_FROM_INDEX = 4,
    WRITE_FROM_SET_ID = 5,
};

/* A write key: W, both public halves, the host's signing seed and its certificate. */
enum { WRITE_DATA_SIZE = KEY_SIZE + KEY_SIZE + SIGN_PUBLIC_SIZE + KEY_SIZE + SIGNATURE_SIZE };

enum { PUBLIC_DATA_SIZE = SET_ID_SIZE + SIGN_PUBLIC_SIZE };

enum { KEY_FILE_MAX = 16 * 1024 };

static void ready(void) {
    if (sodium_init() < 0)
        abort(); /* no source of randomness: nothing may be encrypted */
}

static void derive(uint8_t *key, uint64_t number, const char *context, const uint8_t from[KEY_SIZE]) {
    crypto_kdf_derive_from_key(key, KEY_SIZE, number, context, from);
}

static void derive_from_write_secret(struct keys *keys) {
    uint8_t set[KEY_SIZE];
    derive(keys->preshared, WRITE_FROM_PRESHARED, WRITE_CONTEXT, keys->write_secret);
    derive(keys->chunk_id_key, WRITE_FROM_CHUNK_ID, WRITE_CONTEXT, keys->write_secret);
    derive(keys->chunker_seed, WRITE_FROM_CHUNKER, WRITE_CONTEXT, keys->write_secret);
    derive(keys->index_key, WRITE_FROM_INDEX, WRITE_CONTEXT, keys->write_secret);
    derive(set, WRITE_FROM_SET_ID, WRITE_CONTEXT, keys->write_secret);
    memcpy(keys->set_id, set, SET_ID_SIZE);
    hex_encode(keys->set_name, keys->set_id, SET_ID_SIZE);
}

void keys_derive_from_read_secret(struct keys *keys, const uint8_t read_secret[KEY_SIZE]) {
    uint8_t seed[KEY_SIZE];
    ready();
    *keys = (struct keys){ 0 };
    memcpy(keys->read_secret, read_secret, KEY_SIZE);
    derive(seed, READ_FROM_BOX, READ_CONTEXT, read_secret);
    crypto_box_seed_keypair(keys->box_public, keys->box_secret, seed);
    derive(seed, READ_FROM_ROOT, READ_CONTEXT, read_secret);
    crypto_sign_seed_keypair(keys->root_public, keys->root_secret, seed);
    derive(keys->write_secret, READ_FROM_WRITE, READ_CONTEXT, read_secret);
    derive_from_write_secret(keys);
    keys->can_read = true;
    sodium_memzero(seed, sizeof seed);
}

void keys_generate(struct keys *keys) {
    uint8_t secret[KEY_SIZE];
    ready();
    randombytes_buf(secret, sizeof secret);
    keys_derive_from_read_secret(keys, secret);
    sodium_memzero(secret, sizeof secret);
    keys_new_host(keys);
}

/* What the root signs to certify a host. */
enum { CERTIFIED_SIZE = sizeof HOST_CONTEXT - 1 + SET_ID_SIZE + SIGN_PUBLIC_SIZE };

static void certified(const struct keys *keys, const uint8_t host_public[SIGN_PUBLIC_SIZE],
                      uint8_t text[CERTIFIED_SIZE]) {
    memcpy(text, HOST_CONTEXT, sizeof HOST_CONTEXT - 1);
    memcpy(text + sizeof HOST_CONTEXT - 1, keys->set_id, SET_ID_SIZE);
    memcpy(text + sizeof HOST_CONTEXT - 1 + SET_ID_SIZE, host_public, SIGN_PUBLIC_SIZE);
}

void keys_new_host(struct keys *keys) {
    uint8_t text[CERTIFIED_SIZE];
    crypto_sign_keypair(keys->host_public, keys->host_secret);
    certified(keys, keys->host_public, text);
    crypto_sign_detached(keys->host_certificate, NULL, text, sizeof text, keys->root_secret);
    keys->can_sign = true;
}

bool keys_host_is_certified(const struct keys *keys, const uint8_t host_public[SIGN_PUBLIC_SIZE],
                            const uint8_t certificate[SIGNATURE_SIZE]) {
    uint8_t text[CERTIFIED_SIZE];
    certified(keys, host_public, text);
    return crypto_sign_verify_detached(certificate, text, sizeof text, keys->root_public) == 0;
}

void keys_read_text(const struct keys *keys, struct buffer *out) {
    key_text_encode(READ_PREFIX, keys->read_secret, KEY_SIZE, out);
}

void keys_write_text(const struct keys *keys, struct buffer *out) {
    struct buffer data = { 0 };
    buffer_reserve(&data, WRITE_DATA_SIZE);
    buffer_put(&data, keys->write_secret, KEY_SIZE);
    buffer_put(&data, keys->box_public, KEY_SIZE);
    buffer_put(&data, keys->root_public, SIGN_PUBLIC_SIZE);
    buffer_put(&data, keys->host_secret, KEY_SIZE); /* an Ed25519 secret key of libsodium begins with its seed */
    buffer_put(&data, keys->host_certificate, SIGNATURE_SIZE);
    key_text_encode(WRITE_PREFIX, data.data, data.length, out);
    buffer_wipe(&data);
}

/* False for points of low order, to which nothing may be sealed. */
static bool box_public_is_usable(const uint8_t box_public[KEY_SIZE]) {
    uint8_t scalar[KEY_SIZE], shared[KEY_SIZE];
    randombytes_buf(scalar, sizeof scalar);
    bool usable = crypto_scalarmult(shared, scalar, box_public) == 0;
    sodium_memzero(scalar, sizeof scalar);
    sodium_memzero(shared, sizeof shared);
    return usable;
}

static int take_write_data(struct keys *keys, const struct buffer *data, struct err *err) {
    uint8_t seed[KEY_SIZE];
    struct reader reader;
    reader_init(&reader, data->data, data->length);
    reader_copy(&reader, keys->write_secret, KEY_SIZE);
    reader_copy(&reader, keys->box_public, KEY_SIZE);
    reader_copy(&reader, keys->root_public, SIGN_PUBLIC_SIZE);
    reader_copy(&reader, seed, sizeof seed);
    reader_copy(&reader, keys->host_certificate, SIGNATURE_SIZE);
    if (reader.failed || reader.left > 0) {
        sodium_memzero(seed, sizeof seed);
        return err_set(err, ERR_INVALID, "write key: holds %zu bytes, not %d", data->length, WRITE_DATA_SIZE);
    }

    crypto_sign_seed_keypair(keys->host_public, keys->host_secret, seed);
    sodium_memzero(seed, sizeof seed);
    derive_from_write_secret(keys);
    keys->can_sign = true;
    if (!box_public_is_usable(keys->box_public))
        return err_set(err, ERR_INVALID, "write key: its public key is not one");
    if (!keys_host_is_certified(keys, keys->host_public, keys->host_certificate))
        return err_set(err, ERR_INVALID, "write key: its certificate is not by this set's root key");
    return 0;
}

int keys_parse(struct keys *keys, const char *text, struct err *err) {
    struct buffer data = { 0 };
    int result;
    ready();
    *keys = (struct keys){ 0 };

    if (strncasecmp(text, WRITE_PREFIX, sizeof WRITE_PREFIX - 1) == 0) {
        result = key_text_decode(WRITE_PREFIX, text, WRITE_DATA_SIZE, "write key", &data, err);
        if (result == 0)
            result = take_write_data(keys, &data, err);
    } else if (strncasecmp(text, READ_PREFIX, sizeof READ_PREFIX - 1) == 0) {
        result = key_text_decode(READ_PREFIX, text, KEY_SIZE, "read key", &data, err);
        if (result == 0 && data.length != KEY_SIZE)
            result = err_set(err, ERR_INVALID, "read key: holds %zu bytes, not %d", data.length, KEY_SIZE);
        if (result == 0)
            keys_derive_from_read_secret(keys, data.data);
    } else {
        result =
            err_set(err, ERR_INVALID, "not a key: it begins with neither '%s' nor '%s'", READ_PREFIX, WRITE_PREFIX);
    }
    buffer_wipe(&data);
    if (result < 0)
        keys_wipe(keys);
    return result;
}

void keys_public_text(const struct keys *keys, struct buffer *out) {
    uint8_t data[PUBLIC_DATA_SIZE];
    memcpy(data, keys->set_id, SET_ID_SIZE);
    memcpy(data + SET_ID_SIZE, keys->root_public, SIGN_PUBLIC_SIZE);
    key_text_encode(PUBLIC_PREFIX, data, sizeof data, out);
}

int keys_parse_public(struct keys *keys, const char *text, struct err *err) {
    struct buffer data = { 0 };
    ready();
    *keys = (struct keys){ 0 };
    int result = key_text_decode(PUBLIC_PREFIX, text, PUBLIC_DATA_SIZE, "public key", &data, err);
    if (result == 0 && data.length != PUBLIC_DATA_SIZE)
        result = err_set(err, ERR_INVALID, "public key: holds %zu bytes, not %d", data.length, (int)PUBLIC_DATA_SIZE);
    if (result == 0) {
        memcpy(keys->set_id, data.data, SET_ID_SIZE);
        memcpy(keys->root_public, data.data + SET_ID_SIZE, SIGN_PUBLIC_SIZE);
        hex_encode(keys->set_name, keys->set_id, SET_ID_SIZE);
    }
    buffer_release(&data);
    return result;
}

/* Reads what `descriptor` gives; a key may come through a pipe, too. */
static int read_key_file(int descriptor, const char *path, bool secret, struct buffer *text, struct err *err) {
    struct stat status;
    if (fstat(descriptor, &status) < 0)
        return err_sys(err, "look at key file '%s'", path);
    if (secret && S_ISREG(status.st_mode) && (status.st_mode & 027) != 0) {
        err_set(err, ERR_INVALID, "key file '%s' has mode %03o: others may read it or change it", path,
                (unsigned)status.st_mode & 0777);
        return err_hint(err, "chmod 0400 '%s'; if others could have read it, replace the key", path);
    }

    buffer_reserve(text, KEY_FILE_MAX + 2);
    while (text->length <= KEY_FILE_MAX) {
        ssize_t got = read(descriptor, text->data + text->length, KEY_FILE_MAX + 1 - text->length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_sys(err, "read key file '%s'", path);
        if (got == 0)
            return 0;
        text->length += (size_t)got;
    }
    return err_set(err, ERR_INVALID, "key file '%s' is larger than %d bytes", path, KEY_FILE_MAX);
}

/* The one line that is neither empty nor a comment; NULL when there is none, or a second. Cuts `text` into lines. */
static char *only_line(char *text) {
    char *only = NULL, *rest = text;
    for (char *line; (line = strsep(&rest, "\n"));) {
        line += strspn(line, " \t\r");
        line[strcspn(line, "\r")] = '\0';
        if (line[0] == '\0' || line[0] == '#')
            continue;
        if (only)
            return NULL;
        only = line;
    }
    return only;
}

typedef int key_parser(struct keys *keys, const char *text, struct err *err);

static int load_file(struct keys *keys, const char *path, bool secret, key_parser *parse, struct err *err) {
    struct buffer text = { 0 };
    int result = -1;
    *keys = (struct keys){ 0 };

    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return err_sys(err, "open key file '%s'", path);
    if (read_key_file(descriptor, path, secret, &text, err) < 0)
        goto out;

    buffer_text(&text);
    char *line = strlen((char *)text.data) == text.length ? only_line((char *)text.data) : NULL;
    if (!line) {
        err_set(err, ERR_INVALID, "key file '%s' does not hold one key on one line", path);
        goto out;
    }
    if (parse(keys, line, err) < 0) {
        err_wrap(err, "key file '%s'", path);
        goto out;
    }
    result = 0;
out:
    close(descriptor);
    buffer_wipe(&text);
    return result;
}

int keys_load(struct keys *keys, const char *path, struct err *err) {
    return load_file(keys, path, true, keys_parse, err);
}

int keys_load_public(struct keys *keys, const char *path, struct err *err) {
    return load_file(keys, path, false, keys_parse_public, err);
}

int keys_add_read(struct keys *keys, const struct keys *read, struct err *err) {
    if (memcmp(read->set_id, keys->set_id, sizeof keys->set_id) != 0)
        return err_set(err, ERR_KEY, "the read key belongs to another set than the write key");
    keys->can_read = true;
    memcpy(keys->read_secret, read->read_secret, sizeof keys->read_secret);
    memcpy(keys->box_secret, read->box_secret, sizeof keys->box_secret);
    memcpy(keys->root_secret, read->root_secret, sizeof keys->root_secret);
    return 0;
}

char *keys_fingerprint(char text[17], const uint8_t public_half[KEY_SIZE]) {
    uint8_t digest[SHA256_SIZE];
    sha256_once(digest, public_half, KEY_SIZE);
    return hex_encode(text, digest, 8);
}

char *keys_host_name(const struct keys *keys, char name[17]) {
    return hex_encode(name, keys->host_public, 8);
}

void keys_wipe(struct keys *keys) {
    sodium_memzero(keys, sizeof *keys);
}

int keys_need_read(const struct keys *keys, const char *what, struct err *err) {
    if (keys->can_read)
        return 0;
    err_set(err, ERR_KEY, "reading %s takes the set's read key, and only the write key is here", what);
    return err_hint(err, "give the read key with --key, or configure read_key on a host that restores");
}
