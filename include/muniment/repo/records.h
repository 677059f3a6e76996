/* All records of one of the set's folders, read together. */
#ifndef MUNIMENT_REPO_RECORDS_H
#define MUNIMENT_REPO_RECORDS_H

#include <muniment/repo/repo.h>

struct record_folder {
    const char *name; /* "snapshots", ... */
    size_t item_size;
    /* Reads the object into an item; called by several threads at once, for different items. */
    int (*load)(struct repo *repo, const char *object, void *item, struct err *err);
    void (*release)(void *item); /* also of one that is all zeros */
};

/* One item for each object of the folder, in the order of the names: an array of *count that the caller owns, never
 * NULL but on errors. It is of one moment: where an object goes between listing and reading, the folder is listed
 * again. Drops this host's copies of objects that are no longer there (see object_cache.h). */
void *records_load(struct repo *repo, const struct record_folder *folder, size_t *count, struct err *err) MUST_CHECK;

#endif
