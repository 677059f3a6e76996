#include <muniment/repo/fetch.h>
#include <muniment/repo/references.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

/*
 * One stream of extents a depth, each fed by the one above it: level 0 is the stream itself, the chunks of level n are
 * listed by level n + 1, and those of the highest by the root.
 */
struct level {
    struct references_reader *reader;
    unsigned number;
    struct fetch *fetch;
    struct buffer bytes; /* fetched and not yet taken */
    size_t taken;
};

struct references_reader {
    const struct references *references;
    struct level levels[REFERENCES_DEPTH_MAX + 1];
    size_t root_at;
    struct extents own; /* chunks of the stream itself that were listed and not yet handed out */
    size_t own_at;
    uint64_t read; /* extents of level 0 */
    bool ended;
};

/* The next whole extent of a level: 1, 0 at its end, -1 on error. */
static int level_next(struct level *level, struct extent *extent, struct err *err) {
    while (level->bytes.length - level->taken < EXTENT_SIZE) {
        struct fetched chunk;
        int result = fetch_next(level->fetch, UINT64_MAX, &chunk, err);
        if (result < 0)
            return -1;
        if (result == 0) {
            if (level->bytes.length != level->taken)
                return err_set(err, ERR_CORRUPT, "a reference stream ends inside an extent");
            return 0;
        }
        memmove(level->bytes.data, level->bytes.data + level->taken, level->bytes.length - level->taken);
        level->bytes.length -= level->taken;
        level->taken = 0;
        buffer_put(&level->bytes, chunk.data, chunk.length);
    }

    struct reader reader;
    reader_init(&reader, level->bytes.data + level->taken, EXTENT_SIZE);
    level->taken += EXTENT_SIZE;
    return extent_get(&reader, extent) ? 1 : err_set(err, ERR_CORRUPT, "a reference stream holds an impossible extent");
}

/* Where a level's own chunks are listed: one level up, or in the root. */
static int level_source(void *context, struct extent *extent, struct err *err) {
    struct level *level = context;
    struct references_reader *reader = level->reader;
    if (level->number < reader->references->depth) {
        int result = level_next(&reader->levels[level->number + 1], extent, err);
        if (result <= 0)
            return result;
    } else {
        if (reader->root_at == reader->references->root.count)
            return 0;
        *extent = reader->references->root.items[reader->root_at++];
    }
    extents_add(&reader->own, extent->birth, extent->first, extent->count);
    return 1;
}

struct references_reader *references_open(struct repo *repo, struct index *index, const struct references *references) {
    struct references_reader *reader = mem_zalloc(sizeof *reader);
    reader->references = references;
    for (unsigned i = 0; i <= references->depth && i <= REFERENCES_DEPTH_MAX; i++) {
        struct level *level = &reader->levels[i];
        level->reader = reader;
        level->number = i;
        level->fetch = fetch_new(repo, index, 1, level_source, level);
        buffer_reserve(&level->bytes, CHUNK_MAX);
    }
    return reader;
}

void references_close(struct references_reader *reader) {
    if (!reader)
        return;
    for (unsigned i = 0; i <= REFERENCES_DEPTH_MAX; i++) {
        fetch_free(reader->levels[i].fetch);
        buffer_release(&reader->levels[i].bytes);
    }
    extents_release(&reader->own);
    free(reader);
}

static bool take_own(struct references_reader *reader, struct extent *extent, enum extent_role *role) {
    if (reader->own_at == reader->own.count) {
        extents_clear(&reader->own);
        reader->own_at = 0;
        return false;
    }
    *extent = reader->own.items[reader->own_at++];
    *role = EXTENT_REFERENCES;
    return true;
}

int references_next(struct references_reader *reader, struct extent *extent, enum extent_role *role, struct err *err) {
    const struct references *references = reader->references;
    if (references->depth > REFERENCES_DEPTH_MAX)
        return err_set(err, ERR_CORRUPT, "a reference stream of depth %u", references->depth);

    if (take_own(reader, extent, role))
        return 1;
    if (reader->ended)
        return 0;

    int result = level_next(&reader->levels[0], extent, err);
    if (result < 0)
        return -1;
    uint64_t total = references->data_extents + references->tree_extents;
    if (total < references->data_extents || (result == 1) != (reader->read < total))
        return err_set(err, ERR_CORRUPT, "a reference stream does not hold the %llu extents its root counts",
                       (unsigned long long)total);
    if (result == 0) {
        reader->ended = true;
        return take_own(reader, extent, role) ? 1 : 0;
    }
    *role = reader->read++ < references->data_extents ? EXTENT_DATA : EXTENT_TREE;
    return 1;
}

int references_walk(struct repo *repo, struct index *index, const struct references *references, references_each *each,
                    void *context, struct err *err) {
    struct references_reader *reader = references_open(repo, index, references);
    struct extent extent;
    enum extent_role role;
    int result;
    while ((result = references_next(reader, &extent, &role, err)) == 1) {
        result = each(context, &extent, role, err);
        if (result != 0)
            break;
    }
    references_close(reader);
    return result;
}
