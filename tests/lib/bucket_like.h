/* A directory's store that behaves as a bucket does between hosts: its locks keep nobody out. Include <cmocka.h> and
 * what it needs first. */
#ifndef MUNIMENT_TESTS_BUCKET_LIKE_H
#define MUNIMENT_TESTS_BUCKET_LIKE_H

#include <muniment/repo/repo.h>

/* From now on locks of this store are free for everyone, and it says that they hold on one machine only. */
void bucket_like(struct store *store);

/* From now on listings of this store leave out the object; asked for by its name it is there. NULL: they are whole
 * again. `name` is borrowed. */
void bucket_like_omit(struct store *store, const char *name);

/* The next listing of this store below the prefix begins with a call: what somebody else does at that moment. `prefix`
 * is borrowed. */
void bucket_like_before_listing(struct store *store, const char *prefix, void (*act)(void *context), void *context);

/* The same repository, seen by another host of the set. `keys` becomes that host's. */
struct repo other_host(const struct repo *repo, struct keys *keys);

#endif
