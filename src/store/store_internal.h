/*
 * What a kind of store implements. store.c checks names and arguments before it calls, so an implementation only ever
 * sees valid object names. Contracts are those of muniment/store/store.h.
 */
#ifndef MUNIMENT_STORE_INTERNAL_H
#define MUNIMENT_STORE_INTERNAL_H

#include <muniment/store/store.h>

struct store_ops {
    void (*close)(struct store *store);
    int (*put)(struct store *store, const char *name, const void *data, size_t length, int64_t lock_until,
               struct err *err);
    int (*upload_begin)(struct store *store, struct store_upload **upload, struct err *err);
    int (*upload_write)(struct store_upload *upload, const void *data, size_t length, struct err *err);
    int (*upload_commit)(struct store_upload *upload, const char *name, struct err *err); /* frees */
    void (*upload_abort)(struct store_upload *upload);                                    /* frees */
    int (*get)(struct store *store, const char *name, size_t max, struct buffer *out, struct err *err);
    int (*get_range)(struct store *store, const char *name, uint64_t offset, void *to, size_t length, struct err *err);
    int (*stat)(struct store *store, const char *name, uint64_t *size, int64_t *modified, struct err *err);
    int (*list)(struct store *store, const char *prefix, store_each *each, void *context, struct err *err);
    int (*list_kept)(struct store *store, const char *prefix, store_each_kept *each, void *context,
                     struct err *err); /* NULL: as list, nothing is hidden */
    int (*remove)(struct store *store, const char *name, struct store_removal *removal, struct err *err);
    int (*lock_until)(struct store *store, const char *name, int64_t until, struct err *err);    /* NULL: no locks */
    int (*locked_until)(struct store *store, const char *name, int64_t *until, struct err *err); /* NULL: no locks */
    int (*list_uploads)(struct store *store, const char *prefix, int64_t before, store_each_upload *each, void *context,
                        struct err *err);                                                   /* NULL: there are none */
    int (*sweep)(struct store *store, const char *prefix, int64_t before, struct err *err); /* NULL: nothing to do */
    int (*lock_take)(struct store *store, const char *name, int64_t wait, struct store_lock **lock, struct err *err);
    void (*lock_release)(struct store_lock *lock); /* frees */
    bool lock_is_global;
};

/* The first member of what each kind keeps. The kind fills in `ops` and `label`, and frees both in close. */
struct store {
    const struct store_ops *ops;
    char *label;
    unsigned transfers; /* 0 means 1 */
    enum s3_lock_mode lock;
};

struct store_upload {
    struct store *store;
    int64_t lock_until;
    bool hashed;        /* the caller has told the SHA-256 */
    uint8_t sha256[32]; /* if so */
};

struct store_lock {
    struct store *store;
};

/* True for a name that may be an object's. `length` bytes of it are looked at. */
bool store_name_is_valid(const char *name, size_t length);

/* store_list_kept() where nothing is hidden: each object with its one version. */
int store_list_unhidden(struct store *store, const char *prefix, store_each_kept *each, void *context,
                        struct err *err) MUST_CHECK;

/* Locks the open file for this process alone, waiting as store_lock_take() does, and writes into it who has it; the
 * lock is the flock, the text a courtesy to those who wait. `name` and `label` are for messages. */
int lock_file_take(int fd, const char *name, const char *label, int64_t wait, struct err *err) MUST_CHECK;
void lock_file_release(int fd); /* closes it; the file stays */

int dir_store_open(const struct store_address *address, bool create, struct store **store, struct err *err) MUST_CHECK;
int s3_store_open(const struct store_address *address, bool create, struct store **store, struct err *err) MUST_CHECK;

#endif
