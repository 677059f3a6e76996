/* A sink that keeps what a source gives it, to be looked at. */
#ifndef MUNIMENT_TESTS_MEMORY_SINK_H
#define MUNIMENT_TESTS_MEMORY_SINK_H

#include <muniment/source/source.h>

struct memory_entry {
    struct entry entry;
    struct buffer content;
    bool kept; /* as unchanged */
};

struct memory_sink {
    struct source_sink sink; /* what the source is given */
    struct memory_entry *entries;
    size_t count, capacity;
    struct memory_sink *last; /* the snapshot before this one, for previous() */
    const struct memory_entry *found;

    struct buffer pending;  /* content since the last end */
    struct buffer troubles; /* "path: why\n" each */
    struct buffer units;    /* "name bytes\n" each */
    size_t trouble_count, unit_count, discard_count;
    size_t space;              /* bytes offered at a time; 0: 64 KiB */
    size_t entries_until_full; /* the entry that fails for want of space; 0: none */

    /* Called before content is taken, with what the test wants to happen while a file is read. May be NULL. */
    void (*on_fill)(struct memory_sink *sink, void *data);
    void *on_fill_data;
};

void memory_sink_init(struct memory_sink *sink, struct memory_sink *last);
void memory_sink_release(struct memory_sink *sink);

/* The entry of this path, or NULL. */
const struct memory_entry *memory_sink_find(const struct memory_sink *sink, const char *path);

/* Every path on a line of its own, in the order in which they came. */
const char *memory_sink_paths(const struct memory_sink *sink, struct buffer *out);

#endif
