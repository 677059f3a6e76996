/*
 * Packs: immutable objects that hold many chunks, each sealed alone.
 *
 *     "MUNPACK1"
 *     chunk ciphertexts, one after another
 *     the table, sealed under the index key: nonce (24), ciphertext
 *     u32 length of the sealed table, "MUNTABL1"
 *
 * The table (struct pack_table) lists sections and slots. A section is a birth: its random id, how its data key (DEK)
 * is wrapped, the wrapped DEK (80 bytes) and a 32-byte commitment to it. `SECTION_DATA` wraps with crypto_box_seal
 * to the read key's public half; `SECTION_INDEX` wraps with the index key, so that reference streams are readable to
 * writers. A slot is: section, number, chunk id, plain length, stored length, codec; its offset is the sum of the
 * stored lengths before it.
 *
 * The key of a section is K = BLAKE2b-256(key = pre-shared key, "muniment section" || set id || birth || kind || DEK),
 * and the commitment BLAKE2b-256(key = K, "muniment commitment"). A chunk is XChaCha20-Poly1305 under K with nonce =
 * slot number (u64, zero-padded to 24) and AAD = "muniment chunk" || set id || birth || u32 slot || u32 plain length ||
 * u8 codec. K is used for one birth only, and a birth never seals two chunks under one number.
 *
 * Moving chunks to another pack copies ciphertext, section and slot; no read key is needed.
 */
#ifndef MUNIMENT_REPO_PACK_H
#define MUNIMENT_REPO_PACK_H

#include <muniment/repo/chunker.h>
#include <muniment/repo/repo.h>
#include <muniment/repo/slot.h>

enum {
    PACK_TARGET = 32 * 1024 * 1024, /* a pack is closed when it has reached this size */
    PACK_TABLE_MAX = 64 * 1024 * 1024,
    SECTION_WRAPPED_SIZE = 80,
    CHUNK_OVERHEAD = 16, /* the authentication tag */
};

enum section_kind {
    SECTION_DATA = 1,  /* readable with the read key */
    SECTION_INDEX = 2, /* readable with the write key: reference streams */
};

enum codec {
    CODEC_RAW = 0,
    CODEC_ZSTD = 1,
};

struct pack_section {
    uint8_t birth[BIRTH_SIZE];
    uint8_t kind; /* enum section_kind */
    uint8_t wrapped[SECTION_WRAPPED_SIZE];
    uint8_t commitment[32];
};

struct pack_slot {
    uint8_t id[CHUNK_ID_SIZE];
    uint32_t section; /* index into the table's sections */
    uint32_t number;
    uint32_t plain_length;
    uint32_t stored_length; /* with CHUNK_OVERHEAD */
    uint8_t codec;
};

struct pack_table {
    uint8_t pack[32]; /* the pack's name; known once it is committed */
    uint64_t size;    /* of the whole pack object */
    struct pack_section *sections;
    struct pack_slot *slots; /* in the order of their bytes */
    uint32_t section_count, slot_count;
    size_t section_capacity, slot_capacity;
};

void pack_table_release(struct pack_table *table);

/* The table as it stands inside packs and index objects (not sealed). Decoding is bounded and checks every sum. */
void pack_table_encode(const struct pack_table *table, struct buffer *out);
int pack_table_decode(struct pack_table *table, struct reader *reader, const char *name, struct err *err) MUST_CHECK;

/* The table of a pack whose bytes, or the last `length` of them, are in memory. *needed (may be NULL where the whole
 * pack is there) is how many of the last bytes hold the table; more than `length`: nothing was read, and it is no
 * error. */
int pack_table_open(const struct keys *keys, const uint8_t pack[32], const uint8_t *tail, size_t length, uint64_t size,
                    struct pack_table *table, size_t *needed, struct err *err) MUST_CHECK;

/* Reads the table of a stored pack from its end: one range read, or two where the table is large. */
int pack_table_load(struct repo *repo, const uint8_t pack[32], uint64_t size, struct pack_table *table,
                    struct err *err) MUST_CHECK;

/* --- writing ------------------------------------------------------------------------------------------------- */

struct pack_writer; /* one pack being built; one thread */

int pack_writer_new(struct repo *repo, struct pack_writer **writer, struct err *err) MUST_CHECK;

/* Begins a section with a fresh birth and DEK; returns its index in *section. */
int pack_writer_section(struct pack_writer *writer, enum section_kind kind, uint32_t *section,
                        struct err *err) MUST_CHECK;

/* Seals one chunk (already encoded by `codec`) into the section under its next number, and writes it. */
int pack_writer_add(struct pack_writer *writer, uint32_t section, const uint8_t id[CHUNK_ID_SIZE],
                    uint32_t plain_length, enum codec codec, const void *encoded, uint32_t length, uint32_t *number,
                    struct err *err) MUST_CHECK;

/* Takes over one sealed chunk of another pack with its section, as ciphertext. */
int pack_writer_move(struct pack_writer *writer, const struct pack_section *section, const struct pack_slot *slot,
                     const void *ciphertext, struct err *err) MUST_CHECK;

uint64_t pack_writer_size(const struct pack_writer *writer);                  /* bytes of chunks so far */
const struct pack_table *pack_writer_table(const struct pack_writer *writer); /* what it holds so far; borrowed */

/* Writes the table and commits. When it returns 0 the pack is durable and *table (owned by the caller) says what it
 * holds. Frees the writer, whatever it returns. */
int pack_writer_finish(struct pack_writer *writer, struct pack_table *table, struct err *err) MUST_CHECK;
void pack_writer_abort(struct pack_writer *writer); /* NULL is fine */

/* --- opening chunks --------------------------------------------------------------------------------------------- */

struct section_key {
    uint8_t key[32];
};

/* Unwraps a section's key and checks its commitment. ERR_KEY when the read key is needed and absent, ERR_CORRUPT when
 * the commitment does not hold. */
int section_key_open(const struct keys *keys, const struct pack_section *section, struct section_key *key,
                     struct err *err) MUST_CHECK;

struct chunk_opener; /* scratch space and hash state of one thread */
struct chunk_opener *chunk_opener_new(const struct keys *keys);
void chunk_opener_free(struct chunk_opener *opener);

/* Authenticates, decodes and checks the keyed hash of one chunk. `plain` has room for slot->plain_length bytes. `mac`
 * (may be NULL) receives all 32 bytes of the chunk's HMAC. ERR_CORRUPT names `where`. */
int chunk_open(struct chunk_opener *opener, const struct keys *keys, const struct section_key *key,
               const struct pack_section *section, const struct pack_slot *slot, const void *ciphertext, void *plain,
               uint8_t mac[32], const char *where, struct err *err) MUST_CHECK;

#endif
