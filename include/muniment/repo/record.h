/*
 * Records: the small sealed objects of a repository (heads, index, purges, sessions, journal).
 *
 * On disk: magic "MUNR", u8 version, u8 type, then
 *   sealed types: 24-byte nonce, XChaCha20-Poly1305 under the index key with AAD = "muniment record" || set id ||
 *                 version || type. Inside: payload, and for signed types the signature block.
 *   open types (journal): payload and signature block in the clear, so that an auditor verifies them with public
 *                 keys alone.
 * Signature block: host public key (32), certificate (64), Ed25519 signature (64) over
 *   "muniment record" || set id || version || type || SHA-256(payload). A writer that the set's root key did not
 *   certify is refused.
 */
#ifndef MUNIMENT_REPO_RECORD_H
#define MUNIMENT_REPO_RECORD_H

#include <muniment/repo/repo.h>

enum record_type {
    RECORD_HEAD = 1,    /* sealed, signed */
    RECORD_INDEX = 2,   /* sealed */
    RECORD_PURGE = 3,   /* sealed, signed */
    RECORD_SESSION = 4, /* sealed */
    RECORD_JOURNAL = 5, /* open, signed */
    RECORD_LABEL = 6,   /* sealed: the label of a wrapped key */
    RECORD_CACHE = 7,   /* sealed: a host's own memory of the last tree, never in a store */
    RECORD_HOLD = 8,    /* sealed, signed */
    RECORD_ERASURE = 9, /* sealed, signed */
};

/* Encodes `payload` as a whole object into `out` (appended) and its SHA-256 into `hash` (may be NULL). Signed types
 * need keys->can_sign. */
void record_seal(const struct keys *keys, enum record_type type, const void *payload, size_t length, struct buffer *out,
                 uint8_t hash[32]);

/* Checks and opens an object; appends the payload to `payload`. `name` is for messages; when it ends in a hash, the
 * hash must match. `signer` (may be NULL) receives the host public key of signed types. ERR_CORRUPT names the object.
 */
int record_open(const struct keys *keys, enum record_type type, const char *name, const void *object, size_t length,
                struct buffer *payload, uint8_t signer[SIGN_PUBLIC_SIZE], struct err *err) MUST_CHECK;

/* Stores a content-named record under its name, locked until repo->lock_until where the store locks. Durable when it
 * returns 0. */
int record_store(struct repo *repo, const char *name, const struct buffer *object, struct err *err) MUST_CHECK;

/* Reads an object, from this host's cache where it is there, and opens it. */
int record_load(struct repo *repo, enum record_type type, const char *name, size_t max, struct buffer *payload,
                uint8_t signer[SIGN_PUBLIC_SIZE], struct err *err) MUST_CHECK;

/* True when a record could not be read for itself alone: it is gone, damaged, or of a version that is not known here.
 * False when nothing is known of it, because its store is out of reach. */
bool record_fails_alone(const struct err *why);

#endif
