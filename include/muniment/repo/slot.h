/*
 * Slots and extents: how everything refers to chunks.
 *
 * A chunk's slot is (birth pack, number) and never changes, though its bytes may move to another pack. A birth is a
 * random 16-byte id drawn when a pack section was begun. An extent is a run of slots of one birth. A reference
 * stream is a sequence of extents in the order of the data they describe.
 */
#ifndef MUNIMENT_REPO_SLOT_H
#define MUNIMENT_REPO_SLOT_H

#include <muniment/util/buffer.h>
#include <stdbool.h>
#include <stdint.h>

enum { BIRTH_SIZE = 16, CHUNK_ID_SIZE = 16 };

struct extent {
    uint8_t birth[BIRTH_SIZE];
    uint32_t first;
    uint32_t count; /* at least 1; first + count does not overflow */
};

enum { EXTENT_SIZE = BIRTH_SIZE + 8 }; /* on disk: birth, u32 first, u32 count */

struct extents {
    struct extent *items;
    size_t count;
    size_t capacity;
};

/* Appends one slot, or a run; joins it to the last extent where it continues it. */
void extents_add(struct extents *extents, const uint8_t birth[BIRTH_SIZE], uint32_t first, uint32_t count);
void extents_append(struct extents *extents, const struct extents *more); /* all of them, joined where they continue */
void extents_clear(struct extents *extents);
void extents_release(struct extents *extents);

void extent_put(struct buffer *buffer, const struct extent *extent);
bool extent_get(struct reader *reader, struct extent *extent); /* false: short or not valid */

#endif
