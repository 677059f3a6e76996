/*
 * This host's memory of the last tree of a source: each entry with the extents of its content, so that what has not
 * changed is not read again. A file in the state folder, in blocks sealed under the index key.
 *
 * It is never needed and never trusted further than that: a cache that is missing, cut or damaged means that files are
 * read again. Nothing here is durable.
 */
#ifndef MUNIMENT_SNAPSHOT_TREE_CACHE_INTERNAL_H
#define MUNIMENT_SNAPSHOT_TREE_CACHE_INTERNAL_H

#include <muniment/repo/keys.h>
#include <muniment/repo/slot.h>
#include <muniment/source/entry.h>
#include <muniment/util/log.h>

/* Reading: in tree order. */
struct cache_reader;

/* NULL when there is no cache at this path. */
struct cache_reader *cache_reader_open(const struct keys *keys, const char *path, struct log *log);

/* The entry of this path, or NULL. Paths must be asked for in tree order. Borrowed until the next call. */
const struct entry *cache_reader_find(struct cache_reader *reader, const char *path, const struct extents **extents);
void cache_reader_close(struct cache_reader *reader); /* NULL is fine */

/* Writing: to a temporary file beside it, which takes its place at commit. */
struct cache_writer;

/* NULL when the file cannot be written: then there is no cache next time, and the log says why. */
struct cache_writer *cache_writer_open(const struct keys *keys, const char *path, struct log *log);
void cache_writer_add(struct cache_writer *writer, const struct entry *entry, const struct extents *extents);
void cache_writer_commit(struct cache_writer *writer); /* frees; NULL is fine */
void cache_writer_abort(struct cache_writer *writer);  /* frees; NULL is fine */

#endif
