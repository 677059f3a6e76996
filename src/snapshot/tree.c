#include <muniment/repo/fetch.h>
#include <muniment/snapshot/tree.h>
#include <muniment/util/interrupt.h>
#include <muniment/util/memory.h>
#include <muniment/util/sha256.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { ENTRY_BYTES_MAX = 64 * 1024 * 1024 }; /* an entry with all its attributes */

struct tree_reader {
    const struct head_source *source;
    struct references_reader *references; /* of the data, in step with the entries */
    struct extents tree;                  /* where the tree itself lies */
    struct extents_cursor tree_cursor;
    struct fetch *fetch; /* of the tree */
    struct sha256 *digest;
    struct buffer bytes; /* fetched and not yet decoded */
    size_t taken;
    bool fetched_all;

    struct extent left; /* what the last entry left of an extent */
    struct entry entry;
    struct extents extents;
    char *last_path;
};

/* The tree's own extents stand at the end of the reference stream. */
static int find_tree(struct repo *repo, struct index *index, const struct references *references, struct extents *tree,
                     struct err *err) {
    struct references_reader *reader = references_open(repo, index, references);
    struct extent extent;
    enum extent_role role;
    int result;
    while ((result = references_next(reader, &extent, &role, err)) == 1)
        if (role == EXTENT_TREE)
            extents_add(tree, extent.birth, extent.first, extent.count);
    references_close(reader);
    return result;
}

int tree_open(struct repo *repo, struct index *index, const struct head_source *source, struct tree_reader **result,
              struct err *err) {
    if (keys_need_read(repo->keys, "a snapshot", err) < 0)
        return -1;
    struct tree_reader *tree = mem_zalloc(sizeof *tree);
    if (find_tree(repo, index, &source->references, &tree->tree, err) < 0) {
        tree_close(tree);
        return err_wrap(err, "source '%s'", source->name);
    }
    tree->source = source;
    tree->digest = sha256_new();
    tree->tree_cursor.extents = &tree->tree;
    tree->fetch = fetch_new(repo, index, 1, fetch_from_extents, &tree->tree_cursor);
    tree->references = references_open(repo, index, &source->references);
    *result = tree;
    return 0;
}

void tree_close(struct tree_reader *tree) {
    if (!tree)
        return;
    fetch_free(tree->fetch);
    sha256_free(tree->digest);
    references_close(tree->references);
    extents_release(&tree->tree);
    extents_release(&tree->extents);
    entry_release(&tree->entry);
    buffer_release(&tree->bytes);
    free(tree->last_path);
    free(tree);
}

/* Each chunk proved to be one of ours; that all of them are this tree, in this order, the signed head knows. */
static int check_digest(struct tree_reader *tree, struct err *err) {
    uint8_t digest[SHA256_SIZE];
    sha256_final(tree->digest, digest);
    if (sodium_memcmp(digest, tree->source->digest, sizeof digest) == 0)
        return 0;
    return err_set(err, ERR_CORRUPT, "the tree does not have the digest that was taken when it was captured");
}

static int fetch_more(struct tree_reader *tree, struct err *err) {
    struct fetched chunk;
    int result = fetch_next(tree->fetch, UINT64_MAX, &chunk, err);
    if (result < 0)
        return err_wrap(err, "read the tree");
    if (result == 0) {
        tree->fetched_all = true;
        return check_digest(tree, err);
    }
    sha256_update(tree->digest, chunk.macs, chunk.count * sizeof *chunk.macs);
    if (tree->taken > 0) {
        memmove(tree->bytes.data, tree->bytes.data + tree->taken, tree->bytes.length - tree->taken);
        tree->bytes.length -= tree->taken;
        tree->taken = 0;
    }
    buffer_put(&tree->bytes, chunk.data, chunk.length);
    return 0;
}

/* Length of the whole encoded entry at the front of the bytes; 0 when its own length is not there yet. */
static size_t entry_length(const struct tree_reader *tree, bool *bad) {
    struct reader reader;
    size_t left = tree->bytes.length - tree->taken;
    reader_init(&reader, left > 0 ? tree->bytes.data + tree->taken : NULL, left);
    uint64_t body = reader_varint(&reader);
    *bad = !reader.failed && body > ENTRY_BYTES_MAX;
    return reader.failed || *bad ? 0 : left - reader.left + (size_t)body;
}

static int decode_entry(struct tree_reader *tree, struct err *err) {
    entry_release(&tree->entry);
    for (;;) {
        bool bad;
        size_t length = entry_length(tree, &bad);
        if (bad)
            return err_set(err, ERR_CORRUPT, "the tree holds an entry of impossible length");
        if (length > 0 && length <= tree->bytes.length - tree->taken) {
            struct reader reader;
            reader_init(&reader, tree->bytes.data + tree->taken, length);
            if (!entry_decode(&tree->entry, &reader) || reader.left > 0)
                return err_set(err, ERR_CORRUPT, "the tree holds an entry that cannot be decoded");
            tree->taken += length;
            return 1;
        }
        if (tree->fetched_all) {
            if (tree->bytes.length > tree->taken)
                return err_set(err, ERR_CORRUPT, "the tree ends inside an entry");
            return 0;
        }
        if (fetch_more(tree, err) < 0)
            return -1;
    }
}

/* The next `chunks` slots of the reference stream belong to the entry. */
static int take_extents(struct tree_reader *tree, uint64_t chunks, struct err *err) {
    extents_clear(&tree->extents);
    while (chunks > 0) {
        while (tree->left.count == 0) {
            enum extent_role role;
            int result = references_next(tree->references, &tree->left, &role, err);
            if (result < 0)
                return -1;
            if (result == 0 || role == EXTENT_TREE)
                return err_set(err, ERR_CORRUPT, "the tree lists more chunks than its reference stream");
            if (role == EXTENT_REFERENCES)
                tree->left.count = 0;
        }
        uint32_t count = tree->left.count < chunks ? tree->left.count : (uint32_t)chunks;
        extents_add(&tree->extents, tree->left.birth, tree->left.first, count);
        tree->left.first += count;
        tree->left.count -= count;
        chunks -= count;
    }
    return 0;
}

int tree_next(struct tree_reader *tree, const struct entry **entry, const struct extents **extents, struct err *err) {
    int result = decode_entry(tree, err);
    if (result <= 0)
        return result;

    /* A tree out of order could make a restore write one path twice. */
    if (tree->last_path && entry_compare_paths(tree->entry.type, tree->last_path, tree->entry.path) >= 0)
        return err_set(err, ERR_CORRUPT, "the tree is out of order at '%s'", tree->entry.path);
    free(tree->last_path);
    tree->last_path = mem_string(tree->entry.path);

    if (take_extents(tree, tree->entry.chunks, err) < 0)
        return err_wrap(err, "'%s'", tree->entry.path);
    *entry = &tree->entry;
    *extents = &tree->extents;
    return 1;
}

int tree_walk(struct repo *repo, struct index *index, const struct head_source *source, tree_each *each, void *context,
              struct err *err) {
    struct tree_reader *tree = NULL;
    const struct entry *entry;
    const struct extents *extents;
    int result;
    if (tree_open(repo, index, source, &tree, err) < 0)
        return -1;
    while ((result = tree_next(tree, &entry, &extents, err)) == 1) {
        result = interrupt_check(err) < 0 ? -1 : each(context, entry, extents, err);
        if (result != 0)
            break;
    }
    tree_close(tree);
    return result;
}
