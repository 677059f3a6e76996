#include "restore_internal.h"
#include <muniment/util/file.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

enum { NAMED_MAX = 10 }; /* matches that an error names */

/* The one entry that is wanted. */
struct found {
    const struct head_source *source;
    struct entry entry;
    struct extents extents;
    size_t matches;
    struct buffer names;
};

static void take(struct found *found, const struct head_source *source, const struct entry *entry,
                 const struct extents *extents) {
    entry_release(&found->entry);
    extents_clear(&found->extents);
    found->source = source;
    entry_copy(&found->entry, entry);
    extents_append(&found->extents, extents);
}

static bool has_content(const struct entry *entry) {
    return entry->type == ENTRY_FILE || entry->type == ENTRY_STREAM || entry->type == ENTRY_HARDLINK ||
           entry->type == ENTRY_OBJECT;
}

static int search_source(struct repo *repo, struct index *index, const struct head_source *source,
                         const struct restore_options *options, struct found *found, struct err *err) {
    struct tree_reader *tree;
    const struct entry *entry;
    const struct extents *extents;
    int result;
    if (tree_open(repo, index, source, &tree, err) < 0)
        return -1;
    while ((result = tree_next(tree, &entry, &extents, err)) == 1) {
        if (!has_content(entry) || !restore_wants(options, entry->path))
            continue;
        if (found->matches++ < NAMED_MAX)
            buffer_printf(&found->names, "%s%s", found->names.length > 0 ? ", " : "", entry->path);
        if (found->matches == 1)
            take(found, source, entry, extents);
    }
    tree_close(tree);
    return result;
}

static int search(struct repo *repo, struct index *index, const struct restore_options *options, struct found *found,
                  struct err *err) {
    const struct head_source *source;
    for (size_t at = 0; (source = restore_next_source(options, &at)) != NULL;)
        if (search_source(repo, index, source, options, found, err) < 0)
            return -1;
    if (found->matches == 0) {
        err_set(err, ERR_NOT_FOUND, "nothing in the snapshot with content matches what was asked for");
        return err_hint(err, "`muniment ls` lists what there is");
    }
    if (found->matches > 1) {
        err_set(err, ERR_INVALID, "%zu entries match, and only one can go to one stream: %s%s", found->matches,
                buffer_text(&found->names), found->matches > NAMED_MAX ? ", ..." : "");
        return err_hint(err, "name one of them, or restore to a folder with --to");
    }
    return 0;
}

/* A hard link has the content of the entry it points to. */
static int follow_link(struct repo *repo, struct index *index, struct found *found, struct err *err) {
    if (found->entry.type != ENTRY_HARDLINK)
        return 0;
    char *target = mem_string(found->entry.target);
    struct tree_reader *tree = NULL;
    const struct entry *entry;
    const struct extents *extents;
    bool done = false;
    int result = tree_open(repo, index, found->source, &tree, err);
    while (result == 0 && !done && (result = tree_next(tree, &entry, &extents, err)) == 1) {
        result = 0;
        if (strcmp(entry->path, target) == 0) {
            take(found, found->source, entry, extents);
            done = true;
        }
    }
    if (result == 0 && !done)
        result = err_set(err, ERR_CORRUPT, "'%s' is a link to '%s', which the snapshot does not hold",
                         found->entry.path, target);
    tree_close(tree);
    free(target);
    return result;
}

/* --- writing, with the holes of a sparse file as zeros --------------------------------------------------------------
 */

struct outlet {
    int fd;
    const struct entry *entry;
    size_t range;
    uint64_t at, range_left; /* bytes of the file already out; of the range, still to come */
    struct restore_result *result;
};

static int put_zeros(struct outlet *outlet, uint64_t until, struct err *err) {
    static const uint8_t zeros[65536];
    while (outlet->at < until) {
        size_t length = until - outlet->at < sizeof zeros ? (size_t)(until - outlet->at) : sizeof zeros;
        if (file_write_all(outlet->fd, zeros, length, "standard output", err) < 0)
            return -1;
        outlet->at += length;
    }
    return 0;
}

static int put(void *context, const void *data, size_t length, struct err *err) {
    struct outlet *outlet = context;
    const uint8_t *at = data;
    outlet->result->bytes += length;
    while (length > 0) {
        size_t part = length;
        if (outlet->entry->range_count > 0) {
            if (outlet->range_left == 0) {
                if (outlet->range == outlet->entry->range_count)
                    return err_set(err, ERR_CORRUPT, "there is more content than ranges to hold it");
                const struct entry_range *range = &outlet->entry->ranges[outlet->range++];
                if (put_zeros(outlet, range->offset, err) < 0)
                    return -1;
                outlet->range_left = range->length;
                if (range->length == 0)
                    continue;
            }
            if (part > outlet->range_left)
                part = (size_t)outlet->range_left;
            outlet->range_left -= part;
        }
        if (file_write_all(outlet->fd, at, part, "standard output", err) < 0)
            return -1;
        outlet->at += part;
        at += part;
        length -= part;
    }
    return 0;
}

int restore_to_descriptor(struct repo *repo, const struct restore_options *options, int fd,
                          struct restore_result *result, struct err *err) {
    struct index *index = index_new();
    struct found found = { 0 };
    int outcome = -1;

    *result = (struct restore_result){ 0 };
    if (restore_check_source(repo, options, err) < 0 || index_load(index, repo, err) < 0 ||
        search(repo, index, options, &found, err) < 0 || follow_link(repo, index, &found, err) < 0)
        goto out;
    if (options->progress)
        options->progress->total = found.entry.content;
    restore_note_flags(repo, &found.entry, result);
    struct outlet outlet = { .fd = fd, .entry = &found.entry, .result = result };
    if (content_read(repo, index, options->workers, &found.entry, &found.extents, options->progress, put, &outlet,
                     err) < 0)
        goto out;
    if (found.entry.type == ENTRY_FILE && put_zeros(&outlet, found.entry.size, err) < 0)
        goto out;
    result->entries = 1;
    outcome = 0;
out:
    entry_release(&found.entry);
    extents_release(&found.extents);
    buffer_release(&found.names);
    index_free(index);
    return outcome;
}
