/*
 * The index: which packs there are and which slots each holds, loaded from `<set>/index/`.
 *
 * It answers two questions: is this chunk stored already (id to slot), and where are the bytes of this slot. A slot
 * may stand in several packs while a purge moves it; any of them serves. Memory: about 24 bytes a chunk for
 * deduplication and 33 for places.
 *
 * Not thread-safe while it changes; lookups alone may run in several threads.
 */
#ifndef MUNIMENT_REPO_INDEX_H
#define MUNIMENT_REPO_INDEX_H

#include <muniment/repo/pack.h>

struct index;

struct index_place {
    const struct pack_table *table; /* the pack, borrowed from the index */
    size_t pack;                    /* which one it is: as in index_pack() */
    const struct pack_slot *slot;
    uint64_t offset; /* of the ciphertext in the pack */
};

struct index *index_new(void);
void index_free(struct index *index);

/* Loads every index object. An object that vanishes meanwhile (a purge consolidated) makes it start again, a few times.
 * Damaged objects: ERR_CORRUPT, the hint naming `muniment repair`. */
int index_load(struct index *index, struct repo *repo, struct err *err) MUST_CHECK;

/* Adds one pack; takes the table over (the caller's is empty afterwards). A pack that is known is ignored. */
void index_add(struct index *index, struct pack_table *table);

/* Writes packs [first, index_pack_count) as one index object. Durable when it returns 0. No pack: nothing happens. */
int index_save(const struct index *index, size_t first_pack, struct repo *repo, struct err *err) MUST_CHECK;

size_t index_pack_count(const struct index *index);
const struct pack_table *index_pack(const struct index *index, size_t at);
const struct pack_table *index_find_pack(const struct index *index, const uint8_t pack[32]);
void index_forget_pack(struct index *index, const uint8_t pack[32]); /* its places no longer answer */

/* The hash in the name of the index object that a pack was loaded from; zeros for one that was added. Borrowed. */
const uint8_t *index_pack_object(const struct index *index, size_t at);

/* Names of the index objects it was loaded from, for the purge that replaces them. */
const struct store_names *index_objects(const struct index *index);

/* The place of a slot, or false. `skip` counts places to pass over: 0 is the first, 1 the second copy, ... */
bool index_place(const struct index *index, const uint8_t birth[BIRTH_SIZE], uint32_t number, unsigned skip,
                 struct index_place *place);

/* --- deduplication ---------------------------------------------------------------------------------------------- */

/* Builds the id table over all packs but the `condemned` ones (count of 32-byte names, sorted). Two chunks are the same
 * when their 128-bit keyed ids are. Only sections of `kind` take part: data never stands in for references. Borrows
 * index and names until dedup_free(). Finding and adding are safe from several threads. */
struct dedup;
struct condemned; /* muniment/repo/session.h */
struct dedup *dedup_new(const struct index *index, enum section_kind kind, const struct condemned *condemned);
void dedup_free(struct dedup *dedup);
bool dedup_find(struct dedup *dedup, const uint8_t id[CHUNK_ID_SIZE], uint8_t birth[BIRTH_SIZE], uint32_t *number);
void dedup_add(struct dedup *dedup, const uint8_t id[CHUNK_ID_SIZE], const uint8_t birth[BIRTH_SIZE], uint32_t number);

/* True when every slot of the extent is in a pack that may be referred to (indexed and not condemned). */
bool dedup_has_extent(const struct dedup *dedup, const struct extent *extent);

#endif
