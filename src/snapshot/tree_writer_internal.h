/* Writing the tree of one source: its entries and its reference stream. */
#ifndef MUNIMENT_SNAPSHOT_TREE_WRITER_INTERNAL_H
#define MUNIMENT_SNAPSHOT_TREE_WRITER_INTERNAL_H

#include "depot_internal.h"
#include "tree_cache_internal.h"
#include <muniment/repo/head.h>

struct tree_writer;

/* Borrows all until tree_writer_free(). `cache` may be NULL. */
struct tree_writer *tree_writer_new(struct depot *depot, const struct keys *keys, struct cache_writer *cache,
                                    int compression);

/* Adds the next entry, in tree order (ERR_SOURCE when it is not), with the extents of its content. */
int tree_writer_add(struct tree_writer *writer, const struct entry *entry, const struct extents *extents,
                    struct err *err) MUST_CHECK;

/* Ends the tree: fills in source->entries, bytes, digest, references, and adds to stored_bytes. */
int tree_writer_finish(struct tree_writer *writer, struct head_source *source, struct err *err) MUST_CHECK;
void tree_writer_free(struct tree_writer *writer); /* NULL is fine */

#endif
