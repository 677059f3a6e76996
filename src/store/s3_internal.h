/*
 * A store in a bucket. An object's key is the address's prefix and its name; keys below the prefix that are no names
 * belong to strangers and are left alone.
 *
 *     s3_store.c    opening, reading, listing, the dates of locks
 *     s3_upload.c   uploads, from memory in one request
 *     s3_parts.c    or from a file in parts
 *     s3_remove.c   removal of every version; unfinished uploads
 *     s3_view.c     the store as it was at a time
 *     s3_lock.c     locks between the processes of this machine
 */
#ifndef MUNIMENT_STORE_S3_INTERNAL_H
#define MUNIMENT_STORE_S3_INTERNAL_H

#include "store_internal.h"
#include <muniment/s3/client.h>

struct s3_store {
    struct store base;
    struct s3 *s3;
    struct s3_place place;
    struct log *log;
    struct s3_view *view; /* of the past, or NULL */
};

void s3_store_close(struct store *store);

/* The object's key, owned by the caller. */
char *s3_store_key(const struct s3_store *store, const char *name);

/* What every key of the folder `folder` begins with ("" is the whole store); owned by the caller. */
char *s3_store_folder(const struct s3_store *store, const char *folder);

/* The name of the object with this key, borrowed from `key`; NULL for a stranger's, which is logged. */
const char *s3_store_name(const struct s3_store *store, const char *key);

/* Puts "WHAT 'LABEL/NAME'" before the message of an error. Returns -1. */
int s3_store_wrap(const struct s3_store *store, const char *what, const char *name, struct err *err);

/* After a listing of versions that failed: whether the bucket is known to keep none, so that a listing of objects is
 * all there is to know. Clears the error then. */
bool s3_store_has_no_versions(const struct s3_store *store, struct err *err);

/* store_get() and store_get_range() of one version; NULL is the newest. */
int s3_store_read_range(struct s3_store *store, const char *name, const char *version, uint64_t offset, void *to,
                        size_t length, struct err *err) MUST_CHECK;
int s3_store_read(struct s3_store *store, const char *name, const char *version, size_t max, struct buffer *out,
                  struct err *err) MUST_CHECK;

int s3_store_put(struct store *store, const char *name, const void *data, size_t length, int64_t lock_until,
                 struct err *err);
int s3_store_upload_begin(struct store *store, struct store_upload **upload, struct err *err);
int s3_store_upload_write(struct store_upload *upload, const void *data, size_t length, struct err *err);
int s3_store_upload_commit(struct store_upload *upload, const char *name, struct err *err);
void s3_store_upload_abort(struct store_upload *upload);

struct s3_parts_job {
    struct s3_store *store;
    const char *name;
    int file;
    uint64_t length;
    const struct s3_put *options;
};
int s3_parts_send(const struct s3_parts_job *job, struct err *err) MUST_CHECK;

int s3_store_remove(struct store *store, const char *name, struct store_removal *removal, struct err *err);
int s3_store_list_uploads(struct store *store, const char *prefix, int64_t before, store_each_upload *each,
                          void *context, struct err *err);
int s3_store_sweep(struct store *store, const char *prefix, int64_t before, struct err *err);

int s3_store_lock_take(struct store *store, const char *name, int64_t wait, struct store_lock **lock, struct err *err);
void s3_store_lock_release(struct store_lock *lock);

/* Loads what there was at `as_of` and makes the store one that only reads it. */
int s3_view_open(struct s3_store *store, int64_t as_of, struct err *err) MUST_CHECK;
void s3_view_free(struct s3_view *view); /* NULL is fine */

#endif
