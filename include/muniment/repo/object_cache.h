/*
 * A host's own copies of a bucket's small objects (index, heads, journal), so that a night does not fetch them all
 * again. Only objects whose names end in the SHA-256 of their bytes are kept, and every copy is hashed when it is read:
 * a damaged or planted one is as good as none. What exists is always asked of the store; the cache only spares reading
 * it. Losing it costs time.
 *
 * All functions do nothing, or find nothing, where repo->cache is NULL; trouble with the cache's files is never an
 * error.
 */
#ifndef MUNIMENT_REPO_OBJECT_CACHE_H
#define MUNIMENT_REPO_OBJECT_CACHE_H

#include <muniment/repo/repo.h>

/* Appends the object to `out`; false when there is no true copy. */
bool object_cache_get(const struct repo *repo, const char *name, size_t max, struct buffer *out);

void object_cache_put(const struct repo *repo, const char *name, const void *data, size_t length);

/* Drops the copies of one of the set's folders ("index", ...) that are not among `names`. */
void object_cache_keep(const struct repo *repo, const char *folder, const struct store_names *names);

#endif
