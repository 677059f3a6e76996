#include "restore_internal.h"
#include <muniment/util/interrupt.h>
#include <muniment/util/memory.h>
#include <muniment/util/sha256.h>
#include <stdlib.h>
#include <string.h>

/*
 * Entries and chunks of one source on their way out. The fetch asks for extents ahead of what is being written;
 * the entries these belong to wait in a queue, in the same order.
 */
struct passing {
    struct repo *repo;
    const struct restore_options *options;
    const struct entries_sink *sink;
    struct restore_result *result;
    struct tree_reader *tree;
    struct fetch *fetch;

    struct entry *queue; /* entries read from the tree and not yet begun: [first, count) */
    size_t first, count, capacity;
    struct extents pending; /* of the entry read last: what the fetch has not taken yet */
    size_t pending_at;
    bool tree_ended;
};

static void push(struct passing *passing, const struct entry *entry) {
    /* The fetch is always ahead, so the queue is rarely empty: its front is given back once it is the larger part. */
    if (passing->first > passing->count / 2) {
        passing->count -= passing->first;
        memmove(passing->queue, passing->queue + passing->first, passing->count * sizeof *passing->queue);
        passing->first = 0;
    }
    passing->queue = mem_grow(passing->queue, &passing->capacity, passing->count + 1, sizeof *passing->queue);
    entry_copy(&passing->queue[passing->count++], entry);
}

/* Reads the tree until an entry with content comes. */
static int next_content_extent(void *context, struct extent *extent, struct err *err) {
    struct passing *passing = context;
    while (passing->pending_at == passing->pending.count) {
        const struct entry *entry;
        const struct extents *extents;
        int result = passing->tree_ended ? 0 : tree_next(passing->tree, &entry, &extents, err);
        if (result < 0)
            return -1;
        if (result == 0) {
            passing->tree_ended = true;
            return 0;
        }
        if (!passing->sink->wants(passing->sink->context, entry))
            continue;
        push(passing, entry);
        extents_clear(&passing->pending);
        passing->pending_at = 0;
        extents_append(&passing->pending, extents);
    }
    *extent = passing->pending.items[passing->pending_at++];
    return 1;
}

/* `skip`: its content is only passed over. */
static int pass_chunks(struct passing *passing, const struct entry *entry, bool skip, struct fetched *chunk,
                       bool *have_chunk, struct content_check *check, struct err *err) {
    const struct entries_sink *sink = passing->sink;
    for (uint64_t placed = 0; placed < entry->chunks; placed += chunk->count) {
        if (!*have_chunk) {
            int result = fetch_next(passing->fetch, entry->chunks - placed, chunk, err);
            if (result < 0)
                return -1;
            if (result == 0)
                return err_set(err, ERR_CORRUPT, "its content ends early");
        }
        *have_chunk = false;
        if (interrupt_check(err) < 0 || (!skip && sink->data(sink->context, chunk->data, chunk->length, err) < 0))
            return -1;
        content_check_chunk(check, chunk);
        passing->result->bytes += skip ? 0 : chunk->length;
        if (passing->options->progress)
            passing->options->progress->done += chunk->length;
    }
    return 0;
}

/* A chunk that was fetched to learn which entries there are waits in `chunk` for its entry. */
static int pass_entry(struct passing *passing, const struct entry *entry, struct fetched *chunk, bool *have_chunk,
                      struct content_check *check, struct err *err) {
    const struct entries_sink *sink = passing->sink;
    bool skip = false;
    content_check_begin(check);
    if (interrupt_check(err) < 0 || sink->begin(sink->context, entry, &skip, err) < 0 ||
        pass_chunks(passing, entry, skip, chunk, have_chunk, check, err) < 0 ||
        content_check_end(check, entry, err) < 0 || (!skip && sink->end(sink->context, err) < 0))
        return err_wrap(err, "'%s'", entry->path);
    if (skip)
        return 0;
    restore_note_flags(passing->repo, entry, passing->result);
    passing->result->entries++;
    if (passing->options->progress)
        passing->options->progress->items++;
    return 0;
}

static int pass_all(struct passing *passing, struct err *err) {
    struct content_check check = { 0 };
    struct fetched chunk;
    bool have_chunk = false, ended = false;
    int result = 0;
    while (result == 0) {
        if (passing->first == passing->count) {
            if (ended)
                break;
            int fetched = have_chunk ? 1 : fetch_next(passing->fetch, 1, &chunk, err);
            if (fetched < 0)
                result = -1;
            have_chunk = fetched == 1;
            ended = fetched == 0;
            continue;
        }
        /* Taken out first: fetching its chunks may read further entries, and move the queue. */
        struct entry entry = passing->queue[passing->first++];
        result = pass_entry(passing, &entry, &chunk, &have_chunk, &check, err);
        entry_release(&entry);
    }
    sha256_free(check.digest);
    return result;
}

int restore_entries(struct repo *repo, struct index *index, const struct head_source *source,
                    const struct restore_options *options, const struct entries_sink *sink,
                    struct restore_result *result, struct err *err) {
    struct passing passing = { .repo = repo, .options = options, .sink = sink, .result = result };
    if (tree_open(repo, index, source, &passing.tree, err) < 0)
        return -1;
    passing.fetch = fetch_new(repo, index, options->workers, next_content_extent, &passing);
    const int outcome = pass_all(&passing, err);
    fetch_free(passing.fetch);
    tree_close(passing.tree);
    for (; passing.first < passing.count; passing.first++)
        entry_release(&passing.queue[passing.first]);
    free(passing.queue);
    extents_release(&passing.pending);
    return outcome;
}
