/*
 * A reader of repositories that was written from muniment-format(7) alone, on libsodium and zstd: it shares no code
 * with muniment, so that what it reads is proof of the page.
 */
#ifndef MUNIMENT_TESTS_FORMAT_READER_H
#define MUNIMENT_TESTS_FORMAT_READER_H

#include <stddef.h>
#include <stdint.h>

struct format_found {
    const char *snapshot; /* the head's name */
    const char *source;
    const char *path;
    unsigned type;
    unsigned mode;
    uint64_t size;
    const char *target;           /* or "" */
    const unsigned char *content; /* the whole file, holes filled */
    size_t length;
};

typedef void format_each(void *context, const struct format_found *found);

struct format_totals {
    size_t snapshots, sources, packs, slots, segments, events;
};

/* Reads and verifies everything in the repository of this set, calling `each` for every entry of every snapshot.
 * Returns NULL, or what is wrong. */
const char *format_read(const char *folder, const char *read_key, format_each *each, void *context,
                        struct format_totals *totals);

/* R from a copy object's text; NULL, or what is wrong. */
const char *format_open_copy(const char *text, const unsigned char set_id[16], const char *passphrase,
                             unsigned char secret[32]);

#endif
