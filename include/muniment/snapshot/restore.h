/*
 * Restoring a snapshot, from a repository or a mirror alone.
 *
 * Every chunk is authenticated before it is handed on, and every entry's digest is compared at its end; a difference
 * stops the restore with ERR_CORRUPT and the name of the object and of the entry.
 */
#ifndef MUNIMENT_SNAPSHOT_RESTORE_H
#define MUNIMENT_SNAPSHOT_RESTORE_H

#include <muniment/repo/head.h>
#include <muniment/s3/service.h>
#include <muniment/source/postgres.h>

struct restore_options {
    const struct head *head;
    const char *source;    /* only this source; NULL: all */
    char *const *patterns; /* only entries that match one (and what is below matching folders); count 0: all */
    size_t pattern_count;
    bool overwrite;
    bool sync; /* to a folder: wait until the disk has everything */
    unsigned workers;
    struct progress *progress; /* may be NULL; total is set */
};

struct restore_result {
    uint64_t entries, bytes;
    uint64_t unchanged;  /* of the entries: objects that were there already, as they are in the snapshot */
    uint64_t incomplete; /* entries that were captured incomplete or changing, and objects that a folder cannot hold
                            beside others; each was named in the log */
};

/* Into a folder, each source below its own name: FOLDER/<source>/<path>. The folder is made; one that is not empty is
 * ERR_EXISTS unless `overwrite`. */
int restore_to_folder(struct repo *repo, const struct restore_options *options, const char *folder,
                      struct restore_result *result, struct err *err) MUST_CHECK;

/* The content of the one entry that matches, to a descriptor. More or fewer than one is ERR_INVALID and lists them. */
int restore_to_descriptor(struct repo *repo, const struct restore_options *options, int fd,
                          struct restore_result *result, struct err *err) MUST_CHECK;

/* The databases of the snapshot (or those that match) into a PostgreSQL server. `globals` loads roles first. With
 * exactly one database chosen, `rename` (may be NULL) is its new name. */
int restore_to_postgres(struct repo *repo, const struct restore_options *options, const struct postgres_target *target,
                        bool globals, const char *rename, struct restore_result *result, struct err *err) MUST_CHECK;

/* The objects of the snapshot's buckets, with their metadata, several at once. An address without a bucket means the
 * buckets that they came from; with one: all into that one, below the address's prefix, and where they come from
 * several buckets each below its bucket's name. What is there already with the same content and metadata is left; other
 * objects under a key are ERR_EXISTS unless `overwrite`, before anything is written. */
int restore_to_bucket(struct repo *repo, const struct restore_options *options, const char *address,
                      const struct s3_services *services, struct restore_result *result, struct err *err) MUST_CHECK;

#endif
