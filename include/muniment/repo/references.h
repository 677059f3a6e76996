/*
 * Reference streams: which chunks one source of a snapshot needs. Readable with the write key, so that a purge knows
 * what is alive without being able to read it.
 */
#ifndef MUNIMENT_REPO_REFERENCES_H
#define MUNIMENT_REPO_REFERENCES_H

#include <muniment/repo/index.h>
#include <muniment/repo/repo.h>
#include <muniment/repo/slot.h>

enum { REFERENCES_DEPTH_MAX = 3 };

/*
 * Root of a reference stream. The stream is a sequence of extents (EXTENT_SIZE bytes each): first those of the data in
 * tree order, then those of the tree itself. With depth 0 `root` lists the SECTION_INDEX slots whose chunks,
 * concatenated, are the stream. With depth d > 0 they concatenate to the extents of a stream of depth d - 1.
 */
struct references {
    uint8_t depth; /* at most REFERENCES_DEPTH_MAX */
    struct extents root;
    uint64_t data_extents; /* how many of the stream's extents are data */
    uint64_t tree_extents; /* how many, after those, are the tree */
};

enum extent_role {
    EXTENT_REFERENCES, /* chunks of the reference stream itself (every depth) */
    EXTENT_DATA,
    EXTENT_TREE,
};

/* Reads the stream; memory does not grow with it. Borrows all until references_close(). */
struct references_reader;
struct references_reader *references_open(struct repo *repo, struct index *index, const struct references *references);

/* The next extent and what it is for. Data comes before tree, each in order; the stream's own chunks come between
 * them, before what they list. 1, 0 at the end, -1 on error: ERR_CORRUPT when the stream is not as its root says. */
int references_next(struct references_reader *reader, struct extent *extent, enum extent_role *role,
                    struct err *err) MUST_CHECK;
void references_close(struct references_reader *reader); /* NULL is fine */

/* Calls `each` for every extent of the stream. */
typedef int references_each(void *context, const struct extent *extent, enum extent_role role, struct err *err);
int references_walk(struct repo *repo, struct index *index, const struct references *references, references_each *each,
                    void *context, struct err *err) MUST_CHECK;

#endif
