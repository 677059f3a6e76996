#include "restore_internal.h"
#include <muniment/util/file.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

enum { NAMED_MAX = 10 }; /* matches that an error names */

/* The one entry that is wanted. */
struct found {
    const struct restore_options *options;
    const struct head_source *searched; /* at the moment */
    const struct head_source *source;   /* of the entry */
    struct entry entry;
    struct extents extents;
    size_t matches;
    struct buffer names;
};

static void take(struct found *found, const struct entry *entry, const struct extents *extents) {
    entry_release(&found->entry);
    extents_clear(&found->extents);
    found->source = found->searched;
    entry_copy(&found->entry, entry);
    extents_append(&found->extents, extents);
}

static bool has_content(const struct entry *entry) {
    return entry->type == ENTRY_FILE || entry->type == ENTRY_STREAM || entry->type == ENTRY_HARDLINK ||
           entry->type == ENTRY_OBJECT;
}

static int match(void *context, const struct entry *entry, const struct extents *extents, struct err *err) {
    struct found *found = context;
    (void)err;
    if (!has_content(entry) || !restore_wants(found->options, entry->path))
        return 0;
    if (found->matches++ < NAMED_MAX)
        buffer_printf(&found->names, "%s%s", found->names.length > 0 ? ", " : "", entry->path);
    if (found->matches == 1)
        take(found, entry, extents);
    return 0;
}

static int search(struct repo *repo, struct index *index, struct found *found, struct err *err) {
    for (size_t at = 0; (found->searched = restore_next_source(found->options, &at)) != NULL;)
        if (tree_walk(repo, index, found->searched, match, found, err) < 0)
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

static int match_target(void *context, const struct entry *entry, const struct extents *extents, struct err *err) {
    struct found *found = context;
    (void)err;
    if (strcmp(entry->path, found->entry.target) != 0)
        return 0;
    take(found, entry, extents);
    return 1;
}

/* A hard link has the content of the entry it points to. */
static int follow_link(struct repo *repo, struct index *index, struct found *found, struct err *err) {
    if (found->entry.type != ENTRY_HARDLINK)
        return 0;
    found->searched = found->source;
    const int result = tree_walk(repo, index, found->source, match_target, found, err);
    if (result == 0)
        return err_set(err, ERR_CORRUPT, "'%s' is a link to '%s', which the snapshot does not hold", found->entry.path,
                       found->entry.target);
    return result < 0 ? -1 : 0;
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
    struct found found = { .options = options };
    int outcome = -1;

    *result = (struct restore_result){ 0 };
    if (restore_check_source(repo, options, err) < 0 || index_load(index, repo, err) < 0 ||
        search(repo, index, &found, err) < 0 || follow_link(repo, index, &found, err) < 0)
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
