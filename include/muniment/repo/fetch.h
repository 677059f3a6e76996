/*
 * Reading chunks back: extents go in, plaintext comes out in order, several threads reading, opening and decoding
 * ahead.
 *
 * Every chunk that comes out is authenticated (AEAD, section commitment, keyed hash). Neighbouring slots are read with
 * one request. A pack that vanished (a purge moved it) makes the index load again, once a pack.
 */
#ifndef MUNIMENT_REPO_FETCH_H
#define MUNIMENT_REPO_FETCH_H

#include <muniment/repo/index.h>

struct fetch;

/* Gives the next extent to read. Returns 1 with *extent, 0 at the end, -1 on error. Called by the thread that calls
 * fetch_next(). */
typedef int fetch_source(void *context, struct extent *extent, struct err *err);

/* A source that gives the extents of a list, in order; its context is a struct extents_cursor. */
struct extents_cursor {
    const struct extents *extents; /* borrowed */
    size_t at;
};
fetch_source fetch_from_extents;

/* `workers` 0 means one a core, or as many as the store has transfers; 1 reads in the caller's thread only. Borrows
 * repo and index until fetch_free(). */
struct fetch *fetch_new(struct repo *repo, struct index *index, unsigned workers, fetch_source *source, void *context);

/* One chunk or several that follow one another. Borrowed until the next call. */
struct fetched {
    const uint8_t *data;
    size_t length; /* of all of them */
    size_t count;
    const uint8_t (*macs)[32]; /* each chunk's full HMAC, for digests */
};

/* The next chunks, at least one and at most `most`. Returns 1, 0 at the end, -1 on error: ERR_CORRUPT names pack and
 * slot, ERR_KEY asks for the read key. */
int fetch_next(struct fetch *fetch, uint64_t most, struct fetched *chunks, struct err *err) MUST_CHECK;

/* Joins the threads. Safe before the end, and with NULL. */
void fetch_free(struct fetch *fetch);

#endif
