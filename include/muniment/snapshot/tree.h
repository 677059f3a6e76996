/*
 * Reading a snapshot's tree: its entries in order, each with the extents of its content.
 */
#ifndef MUNIMENT_SNAPSHOT_TREE_H
#define MUNIMENT_SNAPSHOT_TREE_H

#include <muniment/repo/head.h>
#include <muniment/source/entry.h>

struct tree_reader;

/* Opens the tree of one source of a snapshot; needs the read key (ERR_KEY). Borrows all until tree_close(). */
int tree_open(struct repo *repo, struct index *index, const struct head_source *source, struct tree_reader **tree,
              struct err *err) MUST_CHECK;

/* The next entry: 1, 0 at the end, -1 on error: ERR_CORRUPT at the end of a tree that has not the digest of the head.
 * Entry and extents are borrowed until the next call. */
int tree_next(struct tree_reader *tree, const struct entry **entry, const struct extents **extents,
              struct err *err) MUST_CHECK;
void tree_close(struct tree_reader *tree); /* NULL is fine */

/* Calls `each` for every entry, in order. Not 0 ends it, and is what it returns; so does an interrupt, with -1. */
typedef int tree_each(void *context, const struct entry *entry, const struct extents *extents, struct err *err);
int tree_walk(struct repo *repo, struct index *index, const struct head_source *source, tree_each *each, void *context,
              struct err *err) MUST_CHECK;

#endif
