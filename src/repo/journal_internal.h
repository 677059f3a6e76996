/* Segments of the journal as text, without I/O. */
#ifndef MUNIMENT_REPO_JOURNAL_INTERNAL_H
#define MUNIMENT_REPO_JOURNAL_INTERNAL_H

#include <muniment/repo/journal.h>

enum {
    JOURNAL_HOST_DIGITS = 16,
    JOURNAL_NUMBER_DIGITS = 10,
    JOURNAL_OBJECT_MAX = 16 * 1024 * 1024,
    JOURNAL_LINES_MAX = 4 * 1024 * 1024, /* of one segment: more events make more segments */
};

/* What stands above the events of a segment, and in its name. */
struct journal_place {
    char host[JOURNAL_HOST_DIGITS + 1];
    uint64_t number;  /* from 1; at most ten digits */
    uint8_t hash[32]; /* of the object; not for segments yet to be written */
};

/* "<host>-<number>-<sha256>", the number of ten digits, so that a chain lists in its order. */
bool journal_name_parse(const char *leaf, struct journal_place *place);
char *journal_name_format(const struct journal_place *place, char *leaf, size_t size);

void journal_heading_encode(const struct keys *keys, const struct journal_place *place, const uint8_t previous[32],
                            struct buffer *out);

/* Checks the heading of a payload against where the segment stands. The reader is then at the events. */
int journal_heading_check(const struct keys *keys, const struct journal_place *place, const uint8_t previous[32],
                          struct reader *reader, const char *name, struct err *err) MUST_CHECK;

/* Takes one event from the reader: 1, 0 at the end, -1 when malformed. */
struct journal_line {
    struct buffer text; /* the line, cut into terminated strings */
    const char **fields;
    size_t capacity;
    struct journal_entry entry;
};
int journal_line_next(struct journal_line *line, struct reader *reader, const char *name, struct err *err) MUST_CHECK;
void journal_line_release(struct journal_line *line);

#endif
