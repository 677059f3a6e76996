/* What the files that write and read packs share. */
#ifndef MUNIMENT_REPO_PACK_INTERNAL_H
#define MUNIMENT_REPO_PACK_INTERNAL_H

#include <muniment/repo/pack.h>

#define PACK_MAGIC         "MUNPACK1"
#define PACK_TRAILER_MAGIC "MUNTABL1"
enum { PACK_MAGIC_SIZE = 8, PACK_TRAILER_SIZE = 4 + PACK_MAGIC_SIZE };

/* Appends the sealed table, its length and the closing magic. */
void pack_trailer_encode(const struct keys *keys, const struct pack_table *table, struct buffer *out);

/* Fills in birth, wrapped DEK and commitment of a fresh section of section->kind, and its key. */
void section_key_create(const struct keys *keys, struct pack_section *section, struct section_key *key);

/* Nonce and associated data of a chunk, as pack.h describes them. */
enum { CHUNK_NONCE_SIZE = 24, CHUNK_CONTEXT_SIZE = 14 + SET_ID_SIZE + BIRTH_SIZE + 4 + 4 + 1 };
void chunk_context(const struct keys *keys, const uint8_t birth[BIRTH_SIZE], uint32_t number, uint32_t plain_length,
                   uint8_t codec, uint8_t nonce[CHUNK_NONCE_SIZE], uint8_t context[CHUNK_CONTEXT_SIZE]);

#endif
