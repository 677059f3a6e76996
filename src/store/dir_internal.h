/*
 * A store that is a directory. Object names are paths below it. What begins with a dot is no object:
 *
 *     .tmp-<random>            an upload in progress, flock'ed by its writer; swept at open when nobody holds it
 *     <folder>/.lock-<leaf>    the lock `<folder>/<leaf>`; empty of meaning, it stays
 */
#ifndef MUNIMENT_STORE_DIR_INTERNAL_H
#define MUNIMENT_STORE_DIR_INTERNAL_H

#include "store_internal.h"
#include <pthread.h>

#define DIR_TEMPORARY_PREFIX ".tmp-"

enum { DIR_FOLDER_MODE = 0700, DIR_FILE_MODE = 0600 };

struct dir_store {
    struct store base;
    int root;
    pthread_mutex_t mutex; /* guards the next three */
    char **durable;        /* folders whose entries in their parents are known to be on disk */
    size_t durable_count;
    size_t durable_capacity;
};

/* Makes the folders above `name` and sees to it that they are durable. */
int dir_make_parents(struct dir_store *dir, const char *name, struct err *err) MUST_CHECK;

/* fsync of the folder that holds `name`. ENOENT, as an absent folder holds nothing, is a success. */
int dir_sync_parent(struct dir_store *dir, const char *name, struct err *err) MUST_CHECK;

/* Adds what to do about a full disk to an error that is about one. Returns -1. */
int dir_explain(const struct dir_store *dir, struct err *err);

/* Removes the temporary files that no living writer holds. What it cannot remove it leaves. */
void dir_sweep(struct dir_store *dir);

int dir_put(struct store *store, const char *name, const void *data, size_t length, int64_t lock_until,
            struct err *err);
int dir_upload_begin(struct store *store, struct store_upload **upload, struct err *err);
int dir_upload_write(struct store_upload *upload, const void *data, size_t length, struct err *err);
int dir_upload_commit(struct store_upload *upload, const char *name, struct err *err);
void dir_upload_abort(struct store_upload *upload);

int dir_list(struct store *store, const char *prefix, store_each *each, void *context, struct err *err);

int dir_lock_take(struct store *store, const char *name, int64_t wait, struct store_lock **lock, struct err *err);
void dir_lock_release(struct store_lock *lock);

#endif
