#include <muniment/repo/slot.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

void extents_add(struct extents *extents, const uint8_t birth[BIRTH_SIZE], uint32_t first, uint32_t count) {
    if (count == 0)
        return;

    /* Join to the last one where this continues it: a first night is then one extent a pack. */
    if (extents->count > 0) {
        struct extent *last = &extents->items[extents->count - 1];
        if (last->first + last->count == first && memcmp(last->birth, birth, BIRTH_SIZE) == 0 &&
            UINT32_MAX - last->first - last->count >= count) {
            last->count += count;
            return;
        }
    }

    extents->items = mem_grow(extents->items, &extents->capacity, extents->count + 1, sizeof *extents->items);
    struct extent *extent = &extents->items[extents->count++];
    memcpy(extent->birth, birth, BIRTH_SIZE);
    extent->first = first;
    extent->count = count;
}

void extents_append(struct extents *extents, const struct extents *more) {
    for (size_t i = 0; i < more->count; i++)
        extents_add(extents, more->items[i].birth, more->items[i].first, more->items[i].count);
}

void extents_clear(struct extents *extents) {
    extents->count = 0;
}

void extents_release(struct extents *extents) {
    free(extents->items);
    *extents = (struct extents){ 0 };
}

void extent_put(struct buffer *buffer, const struct extent *extent) {
    buffer_put(buffer, extent->birth, BIRTH_SIZE);
    buffer_put_u32(buffer, extent->first);
    buffer_put_u32(buffer, extent->count);
}

bool extent_get(struct reader *reader, struct extent *extent) {
    reader_copy(reader, extent->birth, BIRTH_SIZE);
    extent->first = reader_u32(reader);
    extent->count = reader_u32(reader);
    if (extent->count == 0 || UINT32_MAX - extent->first < extent->count)
        reader->failed = true;
    return !reader->failed;
}
