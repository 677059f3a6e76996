#include "stream_writer_internal.h"
#include "tree_writer_internal.h"
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

enum { ROOT_EXTENTS_MAX = 256 }; /* more than these in a head, and the root becomes a stream itself */

struct tree_writer {
    struct cache_writer *cache;
    struct stream_writer *tree;
    struct stream_writer *references;
    struct extents run; /* the last extent of data, which the next content may continue */
    struct buffer encoded;
    char *last_path;
    size_t last_capacity;
    uint64_t entries, bytes, data_extents;
};

struct tree_writer *tree_writer_new(struct depot *depot, const struct keys *keys, struct cache_writer *cache,
                                    int compression) {
    struct tree_writer *writer = mem_zalloc(sizeof *writer);
    writer->cache = cache;
    writer->tree = stream_writer_new(depot, keys, DEPOT_TREE, compression);
    writer->references = stream_writer_new(depot, keys, DEPOT_REFERENCES, compression);
    return writer;
}

void tree_writer_free(struct tree_writer *writer) {
    if (!writer)
        return;
    stream_writer_free(writer->tree);
    stream_writer_free(writer->references);
    extents_release(&writer->run);
    buffer_wipe(&writer->encoded);
    free(writer->last_path);
    free(writer);
}

static int put_extents(struct stream_writer *stream, const struct extent *extents, size_t count, struct err *err) {
    struct buffer bytes = { 0 };
    for (size_t i = 0; i < count; i++)
        extent_put(&bytes, &extents[i]);
    int result = stream_writer_put(stream, bytes.data, bytes.length, err);
    buffer_release(&bytes);
    return result;
}

/* Writes all extents that cannot grow any more; the last one waits for what follows. */
static int put_run(struct tree_writer *writer, size_t keep, struct err *err) {
    if (writer->run.count <= keep)
        return 0;
    size_t count = writer->run.count - keep;
    if (put_extents(writer->references, writer->run.items, count, err) < 0)
        return -1;
    writer->data_extents += count;
    memmove(writer->run.items, writer->run.items + count, keep * sizeof *writer->run.items);
    writer->run.count = keep;
    return 0;
}

static int check_order(struct tree_writer *writer, const struct entry *entry, struct err *err) {
    const char *path = entry->path;
    if (!entry_path_is_valid(entry->type, path))
        return err_set(err, ERR_SOURCE, "an entry has a path that no tree can hold: '%s'", path);
    if (writer->last_path && entry_compare_paths(entry->type, writer->last_path, path) >= 0)
        return err_set(err, ERR_SOURCE, "entry '%s' came after '%s', out of order", path, writer->last_path);
    size_t length = strlen(path) + 1;
    writer->last_path = mem_grow(writer->last_path, &writer->last_capacity, length, 1);
    memcpy(writer->last_path, path, length);
    return 0;
}

int tree_writer_add(struct tree_writer *writer, const struct entry *entry, const struct extents *extents,
                    struct err *err) {
    if (check_order(writer, entry, err) < 0)
        return -1;
    buffer_clear(&writer->encoded);
    entry_encode(entry, &writer->encoded);
    if (stream_writer_put(writer->tree, writer->encoded.data, writer->encoded.length, err) < 0)
        return -1;
    extents_append(&writer->run, extents);
    if (writer->run.count > ROOT_EXTENTS_MAX && put_run(writer, 1, err) < 0)
        return -1;
    if (writer->cache)
        cache_writer_add(writer->cache, entry, extents);
    writer->entries++;
    writer->bytes += entry->content;
    return 0;
}

/* The root of a long stream would swell every head: it is written as a stream of extents itself. */
static int raise_root(struct tree_writer *writer, struct references *references, uint64_t *stored, struct err *err) {
    while (references->root.count > ROOT_EXTENTS_MAX && references->depth < REFERENCES_DEPTH_MAX) {
        if (put_extents(writer->references, references->root.items, references->root.count, err) < 0 ||
            stream_writer_end(writer->references, &references->root, NULL, stored, err) < 0)
            return -1;
        references->depth++;
    }
    return 0;
}

int tree_writer_finish(struct tree_writer *writer, struct head_source *source, struct err *err) {
    struct references *references = &source->references;
    struct extents tree = { 0 };
    int result = -1;

    /* The tree ends first, because the reference stream closes with where it lies. */
    if (put_run(writer, 0, err) < 0 ||
        stream_writer_end(writer->tree, &tree, source->digest, &source->stored_bytes, err) < 0 ||
        put_extents(writer->references, tree.items, tree.count, err) < 0)
        goto out;
    references->data_extents = writer->data_extents;
    references->tree_extents = tree.count;
    references->depth = 0;
    if (stream_writer_end(writer->references, &references->root, NULL, &source->stored_bytes, err) < 0 ||
        raise_root(writer, references, &source->stored_bytes, err) < 0)
        goto out;
    source->entries = writer->entries;
    source->bytes = writer->bytes;
    result = 0;
out:
    extents_release(&tree);
    return result;
}
