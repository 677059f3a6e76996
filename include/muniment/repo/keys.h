/*
 * The keys of one set.
 *
 * Everything grows from one 32-byte read secret R, by crypto_kdf (BLAKE2b, libsodium's kdf(3)), context "munimnt1":
 *     1  seed of the X25519 pair that opens data keys            stays with R; the public half goes to writers
 *     2  seed of the Ed25519 root pair that certifies writers    stays with R; the public half goes to writers
 *     3  the write secret W                                      goes to writers
 * and from W, context "munimnt2":
 *     1  pre-shared key mixed into every data key (so a broken X25519 alone opens nothing)
 *     2  chunk-id key (HMAC-SHA-256)
 *     3  chunker seed
 *     4  index key (index, references, heads)
 *     5  set id (first 16 bytes)
 *
 * A write key is W, both public halves, and the host's own Ed25519 signing key with the root's certificate for it.
 * A host with the write key captures, rotates, purges and mirrors; it cannot read names, metadata or contents.
 *
 * As text both are one line: "muniment-read-1-" or "muniment-write-1-", then Crockford base32 in groups of five,
 * the last characters a checksum, so that a typing error is noticed. Secrets are wiped when released.
 */
#ifndef MUNIMENT_REPO_KEYS_H
#define MUNIMENT_REPO_KEYS_H

#include <muniment/store/store.h>
#include <muniment/util/buffer.h>
#include <muniment/util/error.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    KEY_SIZE = 32,
    SET_ID_SIZE = 16,
    SIGN_PUBLIC_SIZE = 32,
    SIGN_SECRET_SIZE = 64,
    SIGNATURE_SIZE = 64,
};

struct keys {
    uint8_t set_id[SET_ID_SIZE];
    char set_name[2 * SET_ID_SIZE + 1]; /* set_id in hex: the set's folder in a store */

    bool can_read; /* R is known; the next three are set */
    uint8_t read_secret[KEY_SIZE];
    uint8_t box_secret[KEY_SIZE];
    uint8_t root_secret[SIGN_SECRET_SIZE];

    uint8_t write_secret[KEY_SIZE];
    uint8_t box_public[KEY_SIZE];
    uint8_t root_public[SIGN_PUBLIC_SIZE];
    uint8_t preshared[KEY_SIZE];
    uint8_t chunk_id_key[KEY_SIZE];
    uint8_t chunker_seed[KEY_SIZE];
    uint8_t index_key[KEY_SIZE];

    bool can_sign; /* a host's signing key is known; the next three are set */
    uint8_t host_public[SIGN_PUBLIC_SIZE];
    uint8_t host_secret[SIGN_SECRET_SIZE];
    uint8_t host_certificate[SIGNATURE_SIZE]; /* root's signature over "muniment host" || set_id || host_public */
};

/* New keys for a new set: a fresh R with everything derived, and a fresh certified signing key. */
void keys_generate(struct keys *keys);

/* From the text of a read or a write key. ERR_INVALID with what is wrong (prefix, checksum, length). A read key gives
 * keys that can read but not sign until keys_new_host(). */
int keys_parse(struct keys *keys, const char *text, struct err *err) MUST_CHECK;

/* From the text of a public key, "muniment-public-1-...": set id and root's public half. With it signatures are
 * verified - of the journal, of reports - and nothing else. ERR_INVALID. */
int keys_parse_public(struct keys *keys, const char *text, struct err *err) MUST_CHECK;
int keys_load_public(struct keys *keys, const char *path, struct err *err) MUST_CHECK; /* a file; others may read it */
void keys_public_text(const struct keys *keys, struct buffer *out);                    /* appends it, no newline */

/* Reads a key file (one line; lines that begin with '#' are skipped). Refuses a file others may read or write. */
int keys_load(struct keys *keys, const char *path, struct err *err) MUST_CHECK;

/* Gives keys that can read a new signing key with its certificate, for another host. */
void keys_new_host(struct keys *keys);

/* Adds what a read key knows to what a write key of the same set knows (ERR_KEY: of another). */
int keys_add_read(struct keys *keys, const struct keys *read, struct err *err) MUST_CHECK;

/* Appends the text, with no newline. The read text needs can_read, the write text can_sign. */
void keys_read_text(const struct keys *keys, struct buffer *out);
void keys_write_text(const struct keys *keys, struct buffer *out);

/* ERR_KEY, with what to do, when the read key is not there; `what` is what it would read ("a snapshot"). */
int keys_need_read(const struct keys *keys, const char *what, struct err *err) MUST_CHECK;

/* The first 8 bytes of the SHA-256 of a public half (KEY_SIZE bytes: box_public, root_public) in hex: short enough to
 * compare by eye, and no help to anyone who wants the key. 17 bytes. Returns text. */
char *keys_fingerprint(char text[17], const uint8_t public_half[KEY_SIZE]);

/* First 8 bytes of the host's public key in hex: how sessions and journals name the writer. 17 bytes. */
char *keys_host_name(const struct keys *keys, char name[17]);

/* True when `certificate` is the root's for this public key. */
bool keys_host_is_certified(const struct keys *keys, const uint8_t host_public[SIGN_PUBLIC_SIZE],
                            const uint8_t certificate[SIGNATURE_SIZE]);

void keys_wipe(struct keys *keys);

/*
 * Wrapped copies of R in the store, `<set>/keys/<id>`, opened by a passphrase (Argon2id, libsodium MODERATE: about a
 * second and 256 MiB). The label ("founder A") is under the index key. Text of one line, so that a copy can be printed.
 */
struct key_copy {
    char id[17]; /* hex */
    char label[65];
    int64_t created;
};
int key_copy_add(struct store *store, const struct keys *keys, const char *label, const char *passphrase, int64_t now,
                 struct key_copy *made, struct err *err) MUST_CHECK;
int key_copy_list(struct store *store, const struct keys *keys, struct key_copy **copies, size_t *count,
                  struct err *err) MUST_CHECK; /* caller frees the array; can_read is not needed */
int key_copy_remove(struct store *store, const struct keys *keys, const char *id, struct err *err) MUST_CHECK;

/* Tries the passphrase on every copy below `<set_name>/keys`. ERR_KEY when none opens. */
int key_copy_open(struct store *store, const char *set_name, const char *passphrase, struct keys *keys,
                  struct err *err) MUST_CHECK;

#endif
