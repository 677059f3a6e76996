#include "restore_internal.h"
#include <dirent.h>
#include <errno.h>
#include <muniment/source/place.h>
#include <muniment/util/file.h>
#include <muniment/util/interrupt.h>
#include <muniment/util/memory.h>
#include <muniment/util/sha256.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/*
 * Entries and chunks of one source on their way to the disk. The fetch asks for extents ahead of what is being written;
 * the entries these belong to wait in a queue, in the same order.
 */
struct unpacking {
    struct repo *repo;
    const struct restore_options *options;
    const struct selection *selection;
    struct restore_result *result;
    struct tree_reader *tree;
    struct place *place;
    struct fetch *fetch;

    struct entry *queue; /* entries read from the tree and not yet begun: [first, count) */
    size_t first, count, capacity;
    struct extents pending; /* of the entry read last: what the fetch has not taken yet */
    size_t pending_at;
    bool tree_ended;
};

static void push(struct unpacking *unpacking, const struct entry *entry) {
    /* The fetch is always ahead, so the queue is rarely empty: its front is given back once it is the larger part. */
    if (unpacking->first > unpacking->count / 2) {
        unpacking->count -= unpacking->first;
        memmove(unpacking->queue, unpacking->queue + unpacking->first, unpacking->count * sizeof *unpacking->queue);
        unpacking->first = 0;
    }
    unpacking->queue = mem_grow(unpacking->queue, &unpacking->capacity, unpacking->count + 1, sizeof *unpacking->queue);
    entry_copy(&unpacking->queue[unpacking->count++], entry);
}

/* Reads the tree until an entry with content comes. */
static int next_content_extent(void *context, struct extent *extent, struct err *err) {
    struct unpacking *unpacking = context;
    while (unpacking->pending_at == unpacking->pending.count) {
        const struct entry *entry;
        const struct extents *extents;
        int result = unpacking->tree_ended ? 0 : tree_next(unpacking->tree, &entry, &extents, err);
        if (result < 0)
            return -1;
        if (result == 0) {
            unpacking->tree_ended = true;
            return 0;
        }
        if (!selection_has(unpacking->selection, entry->path))
            continue;
        push(unpacking, entry);
        extents_clear(&unpacking->pending);
        unpacking->pending_at = 0;
        extents_append(&unpacking->pending, extents);
    }
    *extent = unpacking->pending.items[unpacking->pending_at++];
    return 1;
}

static int place_chunks(struct unpacking *unpacking, const struct entry *entry, struct fetched *chunk, bool *have_chunk,
                        struct content_check *check, struct err *err) {
    for (uint64_t placed = 0; placed < entry->chunks; placed += chunk->count) {
        if (!*have_chunk) {
            int result = fetch_next(unpacking->fetch, entry->chunks - placed, chunk, err);
            if (result < 0)
                return -1;
            if (result == 0)
                return err_set(err, ERR_CORRUPT, "its content ends early");
        }
        *have_chunk = false;
        if (interrupt_check(err) < 0 || place_data(unpacking->place, chunk->data, chunk->length, err) < 0)
            return -1;
        content_check_chunk(check, chunk);
        unpacking->result->bytes += chunk->length;
        if (unpacking->options->progress)
            unpacking->options->progress->done += chunk->length;
    }
    return 0;
}

/* A chunk that was fetched to learn which entries there are waits in `chunk` for its entry. */
static int place_entry(struct unpacking *unpacking, const struct entry *entry, struct fetched *chunk, bool *have_chunk,
                       struct content_check *check, struct err *err) {
    content_check_begin(check);
    if (interrupt_check(err) < 0 || place_begin(unpacking->place, entry, err) < 0 ||
        place_chunks(unpacking, entry, chunk, have_chunk, check, err) < 0 || content_check_end(check, entry, err) < 0 ||
        place_end(unpacking->place, err) < 0)
        return err_wrap(err, "'%s'", entry->path);
    restore_note_flags(unpacking->repo, entry, unpacking->result);
    unpacking->result->entries++;
    if (unpacking->options->progress)
        unpacking->options->progress->items++;
    return 0;
}

static int unpack(struct unpacking *unpacking, struct err *err) {
    struct content_check check = { 0 };
    struct fetched chunk;
    bool have_chunk = false, ended = false;
    int result = 0;
    while (result == 0) {
        if (unpacking->first == unpacking->count) {
            if (ended)
                break;
            int fetched = have_chunk ? 1 : fetch_next(unpacking->fetch, 1, &chunk, err);
            if (fetched < 0)
                result = -1;
            have_chunk = fetched == 1;
            ended = fetched == 0;
            continue;
        }
        /* Taken out first: fetching its chunks may read further entries, and move the queue. */
        struct entry entry = unpacking->queue[unpacking->first++];
        result = place_entry(unpacking, &entry, &chunk, &have_chunk, &check, err);
        entry_release(&entry);
    }
    sha256_free(check.digest);
    return result;
}

static int unpack_source(struct repo *repo, struct index *index, const struct head_source *source,
                         const struct restore_options *options, const struct selection *selection, const char *folder,
                         struct restore_result *result, struct err *err) {
    struct unpacking unpacking = { .repo = repo, .options = options, .selection = selection, .result = result };
    char *below = mem_format("%s/%s", folder, source->name);
    int outcome = -1;

    if (file_make_folders(below, 0700, err) < 0 || tree_open(repo, index, source, &unpacking.tree, err) < 0 ||
        place_open(below, options->overwrite, &unpacking.place, err) < 0)
        goto out;
    place_set_log(unpacking.place, repo->log);
    unpacking.fetch = fetch_new(repo, index, options->workers, next_content_extent, &unpacking);
    if (unpack(&unpacking, err) < 0)
        goto out;
    struct place *place = unpacking.place;
    unpacking.place = NULL;
    outcome = place_close(place, options->sync, err);
out:
    place_abort(unpacking.place);
    fetch_free(unpacking.fetch);
    tree_close(unpacking.tree);
    for (; unpacking.first < unpacking.count; unpacking.first++)
        entry_release(&unpacking.queue[unpacking.first]);
    free(unpacking.queue);
    extents_release(&unpacking.pending);
    free(below);
    return outcome < 0 ? err_wrap(err, "restore source '%s'", source->name) : 0;
}

/* A folder that is not there yet, or is empty, or may be overwritten. */
static int check_folder(const char *folder, bool overwrite, struct err *err) {
    DIR *directory = opendir(folder);
    if (!directory) {
        if (errno == ENOENT)
            return 0;
        return err_sys(err, "restore to '%s'", folder);
    }
    bool empty = true;
    for (struct dirent *item; empty && (item = readdir(directory)) != NULL;)
        empty = strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0;
    closedir(directory);
    if (empty || overwrite)
        return 0;
    err_set(err, ERR_EXISTS, "restore to '%s': the folder is not empty", folder);
    return err_hint(err, "choose a new folder, or say --overwrite to replace files of the same names");
}

/* Chooses what to restore of every source first, so that a mistake shows before anything is written. */
static int choose(struct repo *repo, struct index *index, const struct restore_options *options,
                  struct selection *selections, struct err *err) {
    const struct head_source *source;
    uint64_t entries = 0, bytes = 0;
    for (size_t at = 0, i = 0; (source = restore_next_source(options, &at)) != NULL; i++) {
        if (selection_make(repo, index, source, options, &selections[i], err) < 0)
            return -1;
        entries += selections[i].entries;
        bytes += selections[i].bytes;
    }
    if (options->progress)
        options->progress->total = bytes;
    if (entries == 0 && options->pattern_count > 0)
        return err_set(err, ERR_NOT_FOUND, "nothing in the snapshot matches '%s'%s", options->patterns[0],
                       options->pattern_count > 1 ? " or the other patterns" : "");
    return 0;
}

int restore_to_folder(struct repo *repo, const struct restore_options *options, const char *folder,
                      struct restore_result *result, struct err *err) {
    struct index *index = index_new();
    struct selection *selections = mem_array(options->head->source_count, sizeof *selections);
    const struct head_source *source;
    int outcome = -1;

    *result = (struct restore_result){ 0 };
    if (check_folder(folder, options->overwrite, err) < 0 || restore_check_source(repo, options, err) < 0 ||
        index_load(index, repo, err) < 0 || choose(repo, index, options, selections, err) < 0 ||
        file_make_folders(folder, 0700, err) < 0)
        goto out;
    outcome = 0;
    for (size_t at = 0, i = 0; outcome == 0 && (source = restore_next_source(options, &at)) != NULL; i++)
        if (selections[i].entries > 0 || options->pattern_count == 0)
            outcome = unpack_source(repo, index, source, options, &selections[i], folder, result, err);
out:
    for (size_t i = 0; i < options->head->source_count; i++)
        selection_release(&selections[i]);
    free(selections);
    index_free(index);
    return outcome;
}
