/* Segments of the journal as text, without I/O; and the whole of it, read and judged. */
#ifndef MUNIMENT_REPO_JOURNAL_INTERNAL_H
#define MUNIMENT_REPO_JOURNAL_INTERNAL_H

#include <muniment/repo/journal.h>

enum {
    JOURNAL_HOST_DIGITS = 16,
    JOURNAL_NUMBER_DIGITS = 10,
    JOURNAL_LINES_MAX = 4 * 1024 * 1024, /* of one segment: more events make more segments */
};

/* --- journal_text.c -------------------------------------------------------------------------------------------------
 */

char *journal_name_format(const struct journal_place *place, char *leaf, size_t size);

void journal_heading_encode(const struct keys *keys, const struct journal_place *place, const uint8_t previous[32],
                            struct buffer *out);

/* Checks the heading of a payload against where the segment stands, and takes the hash of the one before it. The reader
 * is then at the events. */
int journal_heading_read(const struct keys *keys, const struct journal_place *place, struct reader *reader,
                         uint8_t previous[32], const char *name, struct err *err) MUST_CHECK;

/* Takes one event from the reader: 1, 0 at the end, -1 when malformed. */
struct journal_line {
    struct buffer text; /* the line, cut into terminated strings */
    const char **fields;
    size_t capacity;
    struct journal_entry entry;
};
int journal_line_next(struct journal_line *line, struct reader *reader, const char *name, struct err *err) MUST_CHECK;
void journal_line_release(struct journal_line *line);

/* Adds an entry again, with `carried` saying when. */
void journal_add_carried(struct journal_batch *batch, const struct journal_entry *entry, int64_t when);

/* When an entry was written: its time, or that of its being carried. */
int64_t journal_written(const struct journal_entry *entry);

/* --- journal_read.c -------------------------------------------------------------------------------------------------
 */

struct journal_segment {
    struct journal_place place;
    struct buffer payload;
    size_t body; /* where its events begin */
    uint8_t previous[32];
    uint64_t events;
    int64_t from, until;      /* when the oldest and the newest of them were written */
    bool tells_of_checkpoint; /* one of them is a checkpoint */
    bool good;                /* hash, certificate, signature, heading and every line hold */
    bool dropped;             /* a checkpoint says so: whatever of it is still there tells nothing */
    bool doubled;             /* another one has its number, and continues the chain */
    struct err *fault;        /* why it is not good */
};

/* What a checkpoint says, and of which segment it is. */
struct journal_checkpoint {
    struct journal_place place; /* of the last segment that was dropped */
    int64_t from, until;
    uint64_t events;
    size_t segment; /* that says so: index into the reading */
};

/* One chain of a reading. */
struct journal_span {
    size_t begin, end;                        /* its segments */
    const struct journal_checkpoint *dropped; /* the latest that fits; or NULL */
};

struct journal_fault {
    char *segment; /* name of the object */
    struct err err;
};

/* Every segment in order of host, number and hash, and what is wrong with them. */
struct journal_reading {
    struct repo *repo;
    struct journal_segment *segments;
    size_t count;
    struct journal_checkpoint *checkpoints;
    size_t checkpoint_count, checkpoint_capacity;
    struct journal_span *spans;
    size_t span_count;
    struct journal_fault *faults;
    size_t fault_count, fault_capacity;
};

/* Reads all of it into memory: what a segment tells counts only when the whole is known. Starts again when segments are
 * dropped meanwhile. -1 when it cannot be read, whatever is wrong with what could be is among the faults. */
int journal_reading_load(struct repo *repo, struct journal_reading *reading, struct err *err) MUST_CHECK;
void journal_reading_release(struct journal_reading *reading);

/* The chain of a host, or NULL. */
struct journal_span *journal_find_span(const struct journal_reading *reading, const char *host);

/* True for a segment whose events count. */
bool journal_segment_tells(const struct journal_segment *segment);

/* Calls `each` for its events. The entry's texts live as long as the call. */
int journal_segment_each(struct repo *repo, const struct journal_segment *segment, journal_each *each, void *context,
                         struct err *err) MUST_CHECK;

/* The same for every segment whose events count, in order. */
int journal_reading_each(const struct journal_reading *reading, journal_each *each, void *context,
                         struct err *err) MUST_CHECK;

/* --- journal_carry.c ------------------------------------------------------------------------------------------------
 */

/* Adds whatever still holds of the segments that go, so that nothing is concluded otherwise without them. */
int journal_carry(const struct journal_reading *reading, const bool *goes, const struct heads *heads, int64_t now,
                  struct journal_batch *batch, struct err *err) MUST_CHECK;

/* --- journal_read.c: single segments --------------------------------------------------------------------------------
 */

/* The whole name of a segment (REPO_NAME_MAX bytes). Returns name. */
char *journal_segment_name(const struct repo *repo, const struct journal_place *place, char *name);

/* Loads one segment's payload: hash, certificate and signature hold, and its signer is the host it names. */
int journal_segment_load(struct repo *repo, const struct journal_place *place, const char *name, struct buffer *payload,
                         struct err *err) MUST_CHECK;

/* Reads the segment at segment->place, and checks all that can be said of it by itself. */
int journal_segment_open(struct repo *repo, struct journal_segment *segment, struct err *err) MUST_CHECK;

/* Two segments with one number. */
void journal_refuse_fork(const char *name, struct err *err);

#endif
